// X1: execve fails with the error that says why, and the old image goes on.
#include "guest.h"

static char *args[] = {"prog", NULL}, *env[] = {NULL};

static void make(const char *name, const void *what, size_t n, mode_t mode) {
	int fd = must(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600), name);
	must(write(fd, what, n), "write");
	must(fchmod(fd, mode), "fchmod");
	close(fd);
}

static void fails_exec(const char *path, int want, const char *what) {
	static int kept = 1;
	kept++;
	fails(execve(path, args, env), want, what);
	check(kept > 1, "the image is intact");
}

int main(void) {
	must(mkdir("xe", 0755), "mkdir");
	must(chdir("xe"), "chdir");
	fails_exec("none", ENOENT, "a file that is not");
	fails_exec("", ENOENT, "an empty name");
	fails_exec("/usr/none/x", ENOENT, "a folder that is not");
	make("plain", "\x7f" "ELX", 4, 0755);
	fails_exec("plain/x", ENOTDIR, "a file in a file");
	make("mode", "#!/bin/sh\n", 10, 0644);
	fails_exec("mode", EACCES, "a file without the x bit");
	fails_exec(".", EACCES, "a folder");
	fails_exec("plain", ENOEXEC, "no known format");
	make("empty", "", 0, 0755);
	fails_exec("empty", ENOEXEC, "an empty file");
	make("short", "\x7f" "ELF\2\1\1", 7, 0755);
	fails_exec("short", ENOEXEC, "an ELF header cut short");
	make("interp", "#!/usr/none/sh\n", 15, 0755);
	fails_exec("interp", ENOENT, "a script whose interpreter is not");
	make("nointerp", "#!\n", 3, 0755);
	fails_exec("nointerp", ENOEXEC, "a script that names none");
	make("noexec", "#!./mode\n", 9, 0755);
	fails_exec("noexec", EACCES, "a script whose interpreter has no x bit");
	symlink("loop2", "loop1");
	symlink("loop1", "loop2");
	fails_exec("loop1", ELOOP, "symbolic links in a circle");
	char name[12], text[32];
	for (int i = 0; i < 7; i++) {
		snprintf(name, sizeof name, "s%d", i);
		int n = snprintf(text, sizeof text, "#!./s%d\n", i + 1);
		make(name, text, n, 0755);
	}
	make("s7", "#!/bin/true\n", 12, 0755);
	fails_exec("s0", ELOOP, "scripts nested too deep");
	char longname[300];
	memset(longname, 'n', 299);
	longname[299] = 0;
	fails_exec(longname, ENAMETOOLONG, "a name of 299 letters");
	fails_exec((char *)1, EFAULT, "a name that is not in memory");
	fails(syscall(SYS_execve, "/bin/true", 1L, env), EFAULT, "arguments that are not in memory");

	char *one = malloc(140000);
	memset(one, 'a', 139999);
	one[139999] = 0;
	char *big[] = {"true", one, NULL};
	fails(execve("/bin/true", big, env), E2BIG, "one argument over 128 kB");
	char **many = malloc(100 * sizeof *many);
	one[130000] = 0;
	for (int i = 0; i < 99; i++)
		many[i] = one;
	many[99] = NULL;
	fails(execve("/bin/true", many, env), E2BIG, "arguments over the limit together");

	int fd = must(open("busy", O_WRONLY | O_CREAT, 0755), "open");
	write(fd, "#!/bin/true\n", 12);
	fails_exec("busy", ETXTBSY, "a file open for writing");
	close(fd);
	pid_t pid = fork();
	if (pid == 0) {
		execve("busy", args, env);
		_exit(1);
	}
	check(reap(pid) == 0, "the same file, closed, runs");
	must(chdir(".."), "chdir");
	system("rm -r xe");
	return done();
}
