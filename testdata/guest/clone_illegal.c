// P2: combinations of clone flags that make no sense give EINVAL and no child.
#include "guest.h"
#include <linux/sched.h>

static long raw(unsigned long flags) {
	return syscall(SYS_clone, flags, 0UL, NULL, NULL, 0UL);
}

static long raw3(struct clone_args *a, size_t size) { return syscall(SYS_clone3, a, size); }

int main(void) {
	fails(raw(CLONE_SIGHAND | SIGCHLD), EINVAL, "SIGHAND without VM");
	fails(raw(CLONE_THREAD | SIGCHLD), EINVAL, "THREAD without SIGHAND");
	fails(raw(CLONE_THREAD | CLONE_VM | SIGCHLD), EINVAL, "THREAD and VM without SIGHAND");
	fails(raw(CLONE_FS | CLONE_NEWNS | SIGCHLD), EINVAL, "FS with NEWNS");
	fails(raw(CLONE_FS | CLONE_NEWUSER | SIGCHLD), EINVAL, "FS with NEWUSER");
	fails(raw(CLONE_NEWPID | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD), EINVAL, "NEWPID with THREAD");
	fails(raw(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD), EINVAL, "PIDFD with PARENT_SETTID by clone");
	fails(raw(CLONE_PIDFD | CLONE_DETACHED | SIGCHLD), EINVAL, "PIDFD with DETACHED");
	fails(raw(CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD), EINVAL, "NEWIPC with SYSVSEM");

	struct clone_args a;
	memset(&a, 0, sizeof a);
	a.exit_signal = SIGCHLD;
	fails(raw3(&a, 63), EINVAL, "clone3 with a structure too small");
	fails(raw3(&a, 5000), E2BIG, "clone3 with a structure over a page");
	struct { struct clone_args a; uint64_t more; } big;
	memset(&big, 0, sizeof big);
	big.a.exit_signal = SIGCHLD;
	big.more = 1;
	fails(raw3(&big.a, sizeof big), E2BIG, "clone3 with an unknown field set");
	a.exit_signal = 65;
	fails(raw3(&a, sizeof a), EINVAL, "clone3 with exit signal 65");
	a.exit_signal = SIGCHLD;
	a.flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
	fails(raw3(&a, sizeof a), EINVAL, "clone3 of a thread with an exit signal");
	a.flags = CLONE_PARENT;
	fails(raw3(&a, sizeof a), EINVAL, "clone3 PARENT with an exit signal");
	a.flags = CLONE_DETACHED;
	fails(raw3(&a, sizeof a), EINVAL, "clone3 with DETACHED");
	a.flags = SIGCHLD;
	fails(raw3(&a, sizeof a), EINVAL, "clone3 with a signal among the flags");
	a.flags = 0;
	a.stack = 0x1000;
	fails(raw3(&a, sizeof a), EINVAL, "clone3 with a stack of no size");
	a.stack = 0;
	a.stack_size = 4096;
	fails(raw3(&a, sizeof a), EINVAL, "clone3 with a size and no stack");
	a.stack_size = 0;
	a.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM;
	a.exit_signal = SIGCHLD;
	fails(raw3(&a, sizeof a), EINVAL, "CLEAR_SIGHAND with SIGHAND");
	fails(syscall(SYS_clone3, NULL, sizeof a), EFAULT, "clone3 from NULL");
	fails(waitpid(-1, NULL, __WALL | WNOHANG), ECHILD, "wait after all that");
	return done();
}
