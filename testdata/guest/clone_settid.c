// P2: clone3 with set_tid makes a child of the pid that was asked for; EEXIST if it is taken, EPERM without the right.
// needs root
#include "guest.h"
#include <linux/sched.h>

static long make(pid_t *want, int n) {
	struct clone_args a;
	memset(&a, 0, sizeof a);
	a.exit_signal = SIGCHLD;
	a.set_tid = (uintptr_t)want;
	a.set_tid_size = n;
	return syscall(SYS_clone3, &a, sizeof a);
}

int main(void) {
	pid_t want[2], pid;
	// A number that was free a moment ago.
	if ((pid = must(fork(), "fork")) == 0)
		_exit(0);
	reap(pid);
	want[0] = pid;
	pid_t got = make(want, 1);
	if (got == 0)
		_exit(getpid() == want[0] ? 6 : 7);
	check(got == want[0], "the child has the number asked for");
	check(reap(got) == 0x600, "and knows it");
	want[0] = getpid();
	fails(make(want, 1), EEXIST, "a number that is taken");
	want[0] = 0;
	fails(make(want, 1), EINVAL, "number 0");
	want[0] = pid;
	want[1] = 5;
	fails(make(want, 2), EINVAL, "two numbers in a namespace that is not nested");
	if ((pid = fork()) == 0) {
		must(setresuid(1000, 1000, 1000), "setresuid");
		want[0] = 4000;
		fails(make(want, 1), EPERM, "as a plain user");
		_exit(done());
	}
	check(reap(pid) == 0, "a plain user may not");
	return done();
}
