// P2: every pair of clone flags: which pairs Linux refuses with EINVAL; every other pair makes a child that is reaped.
#include "guest.h"

// Flags whose pairs need no stack of the child's own and no namespace.
static const struct { unsigned long flag; const char *name; } flags[] = {
	{CLONE_FS, "FS"}, {CLONE_FILES, "FILES"}, {CLONE_SIGHAND, "SIGHAND"}, {CLONE_PIDFD, "PIDFD"}, {CLONE_PTRACE, "PTRACE"},
	{CLONE_VFORK, "VFORK"}, {CLONE_PARENT, "PARENT"}, {CLONE_THREAD, "THREAD"}, {CLONE_SYSVSEM, "SYSVSEM"},
	{CLONE_PARENT_SETTID, "PARENT_SETTID"}, {CLONE_CHILD_CLEARTID, "CHILD_CLEARTID"}, {CLONE_DETACHED, "DETACHED"},
	{CLONE_UNTRACED, "UNTRACED"}, {CLONE_CHILD_SETTID, "CHILD_SETTID"}, {CLONE_IO, "IO"},
};
enum { N = sizeof flags / sizeof *flags };

static void matrix(void) {
	int refused = 0, made = 0;
	for (int i = 0; i < N; i++)
		for (int j = i; j < N; j++) {
			int ptid = -1, ctid = -1;
			long pid = syscall(SYS_clone, flags[i].flag | flags[j].flag | SIGCHLD, 0UL, &ptid, &ctid, 0UL);
			if (pid == 0)
				_exit(5);
			if (pid == -1) {
				printf("%s|%s: %s\n", flags[i].name, flags[j].name, errname(errno));
				refused++;
				continue;
			}
			made++;
			// A sibling is the first process's child.
			if ((flags[i].flag | flags[j].flag) & CLONE_PARENT)
				continue;
			int status = reap(pid);
			if (status != 0x500)
				check(0, "%s|%s: status %#x", flags[i].name, flags[j].name, status);
			if ((flags[i].flag | flags[j].flag) & CLONE_PIDFD)
				close(ptid);
		}
	printf("%d refused, %d made\n", refused, made);
	fails(wait(NULL), ECHILD, "no child is left");
}

int main(void) {
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		matrix();
		_exit(done() ? 6 : 7);
	}
	int status, right = 0, siblings = 0;
	pid_t r;
	while ((r = wait(&status)) > 0)
		if (r == pid)
			right = status == 0x700;
		else
			siblings += status == 0x500;
	check(right, "the matrix is complete");
	check(siblings > 0, "%d siblings were made by PARENT", siblings);
	return done();
}
