// X1: a #! script runs its interpreter with one argument, the script's path and the caller's arguments.
#include "guest.h"

static void script(const char *name, const char *first) {
	int fd = must(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0755), name);
	must(write(fd, first, strlen(first)), "write");
	close(fd);
}

static void run(const char *path) {
	pid_t pid = fork();
	if (pid == 0) {
		execl(path, "argv0 is lost", "one", "two three", NULL);
		printf("%s: %s\n", path, errname(errno));
		_exit(1);
	}
	int status = reap(pid);
	check(status == 7 << 8, "%s ran", path);
}

int main(int argc, char **argv) {
	char self[PATH_MAX], line[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[n] = 0;
	if (argc > 1) {
		// The path of the interpreter is the test's; only its last part is told.
		printf("%s", strrchr(argv[0], '/') ? "path" : argv[0]);
		for (int i = 1; i < argc; i++)
			printf(" [%s]", argv[i]);
		puts("");
		return 7;
	}
	symlink(self, "in");
	script("plain.sh", "#!in\nnot read\n");
	run("./plain.sh");
	script("arg.sh", "#!in   -x  y z  \nnot read\n");
	run("./arg.sh");
	script("noline.sh", "#!in -n");
	run("./noline.sh");
	script("tab.sh", "#!\tin\t-t\n");
	run("./tab.sh");
	script("nested.sh", "#!./arg.sh deep\n");
	run("./nested.sh");
	snprintf(line, sizeof line, "#!%s -abs\n", self);
	script("abs.sh", line);
	run("./abs.sh");
	symlink("arg.sh", "ln.sh");
	run("./ln.sh");
	check(system("printf '#!/bin/sh\\nexit 7\\n' > sys.sh; chmod 755 sys.sh; ./sys.sh") == 7 << 8, "a real shell runs one");
	script("noshebang", "exit 7\n");
	pid_t pid = fork();
	if (pid == 0) {
		execlp("./noshebang", "noshebang", NULL);
		_exit(errno == ENOEXEC ? 8 : 9);
	}
	int status = reap(pid);
	// glibc hands the file to the shell, musl does not.
	check(status == 7 << 8 || status == 8 << 8, "execlp without #!");
	system("rm -f *.sh in noshebang");
	return done();
}
