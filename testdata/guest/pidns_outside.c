// E6, E5: clone(NEWPID): SIGKILL and SIGSTOP from the outer namespace do hurt an init; NSpid tells both pids; a nested one is seen from above.
// needs root
// needs namespaces
#include "guest.h"
#include <sys/mount.h>

static long clone_into(unsigned long flags) { return syscall(SYS_clone, flags | SIGCHLD, 0UL, NULL, NULL, 0UL); }

static void nspid(pid_t pid, int levels, int innermost) {
	char path[64], line[256];
	int v[4] = {0}, n = 0;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, "NSpid:", 6))
			n = sscanf(line + 6, "%d %d %d %d", &v[0], &v[1], &v[2], &v[3]);
	if (f)
		fclose(f);
	check(n >= levels && v[n - 1] == innermost, "NSpid has %d more levels, the last is %d", levels - 1, innermost);
}

int main(void) {
	int status, p[2];
	char c;
	pid_t pid = must(clone_into(CLONE_NEWPID), "clone(CLONE_NEWPID)");
	if (pid == 0)
		for (;;)
			pause();
	nspid(pid, 2, 1);
	check(kill(pid, SIGTERM) == 0, "SIGTERM from outside, without a handler");
	check(waitpid(pid, &status, WNOHANG) == 0, "does not hurt it");
	kill(pid, SIGSTOP);
	check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status), "SIGSTOP from outside stops it");
	kill(pid, SIGCONT);
	kill(pid, SIGKILL);
	check(reap(pid) == SIGKILL, "SIGKILL from outside ends it");

	// Processes of the inner one die with their init, though it was killed.
	pipe(p);
	pid = must(clone_into(CLONE_NEWPID), "clone");
	if (pid == 0) {
		for (int i = 0; i < 5; i++)
			if (fork() == 0)
				for (;;)
					pause();
		write(p[1], "x", 1);
		for (;;)
			pause();
	}
	read(p[0], &c, 1);
	close(p[1]);
	kill(pid, SIGKILL);
	check(reap(pid) == SIGKILL, "an init with children is killed");
	check(read(p[0], &c, 1) == 0, "all its children are gone when it is reaped");

	// A namespace in a namespace.
	pipe(p);
	pid = must(clone_into(CLONE_NEWPID), "clone");
	if (pid == 0) {
		pid_t inner = clone_into(CLONE_NEWPID);
		if (inner == 0) {
			write(p[1], getpid() == 1 ? "y" : "n", 1);
			for (;;)
				pause();
		}
		char b = inner == 2 ? 'y' : 'n';
		write(p[1], &b, 1);
		for (;;)
			pause();
	}
	char two[2];
	read(p[0], &two[0], 1);
	read(p[0], &two[1], 1);
	check(two[0] == 'y' && two[1] == 'y', "nested: 1 for itself, 2 for its parent's namespace");
	kill(pid, SIGKILL);
	reap(pid);
	// /proc mounted inside shows only what is inside.
	pid = must(clone_into(CLONE_NEWPID | CLONE_NEWNS), "clone");
	if (pid == 0) {
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		must(mount("proc", "/proc", "proc", 0, NULL), "mount of proc");
		struct stat st;
		char link[16] = "";
		readlink("/proc/self", link, sizeof link);
		check(!strcmp(link, "1"), "inside: /proc/self is 1");
		check(stat("/proc/1", &st) == 0, "inside: /proc/1 is there");
		pid_t kid = fork();
		if (kid == 0)
			pause();
		check(stat("/proc/2", &st) == 0, "inside: /proc/2 is its child");
		fails(stat("/proc/3", &st), ENOENT, "inside: nothing else");
		kill(kid, SIGKILL);
		reap(kid);
		_exit(done());
	}
	check(reap(pid) == 0, "the facts of the inner /proc held");
	return done();
}
