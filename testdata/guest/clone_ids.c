// P2: PARENT_SETTID, CHILD_SETTID, CHILD_CLEARTID with its futex wake, PIDFD, PARENT and VFORK do what they say.
#include "guest.h"
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>

static long clone3(struct clone_args *a) { return syscall(SYS_clone3, a, sizeof *a); }

int main(void) {
	struct shared { int ctid, seen, order; } *s =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ptid = -1, pidfd = -1, status;
	gate g = new_gate();
	struct clone_args a;
	memset(&a, 0, sizeof a);
	a.flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_PIDFD;
	a.parent_tid = (uintptr_t)&ptid;
	a.child_tid = (uintptr_t)&s->ctid;
	a.pidfd = (uintptr_t)&pidfd;
	a.exit_signal = SIGCHLD;
	pid_t pid = must(clone3(&a), "clone3");
	if (pid == 0) {
		s->seen = s->ctid == getpid();
		gate_pass(g);
		_exit(3);
	}
	check(ptid == pid, "PARENT_SETTID stores the tid in the parent");
	struct pollfd p = {pidfd, POLLIN, 0};
	check(poll(&p, 1, 0) == 0, "the pidfd of a living child is not readable");
	check(fcntl(pidfd, F_GETFD) == FD_CLOEXEC, "the pidfd is close-on-exec");
	gate_open(g);
	check(poll(&p, 1, -1) == 1 && p.revents == POLLIN, "the pidfd of an ended child is readable");
	check(reap(pid) == 0x300, "the child is reaped as any other");
	check(s->seen, "CHILD_SETTID stored the tid in the child before it ran");

	// The kernel clears the word and wakes the futex when the memory's user ends.
	s->ctid = 1;
	pid = must(syscall(SYS_clone, CLONE_CHILD_CLEARTID | SIGCHLD, 0, NULL, &s->ctid, 0), "clone");
	if (pid == 0) {
		gate_pass(g);
		_exit(0);
	}
	gate_open(g);
	reap(pid);
	check(s->ctid == 1, "CHILD_CLEARTID stores nothing when the memory had no other user");

	// A child of CLONE_PARENT is the caller's sibling.
	pid_t top = getpid();
	pid = must(fork(), "fork");
	if (pid == 0) {
		pid_t sib = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, NULL, NULL, 0);
		if (sib == 0)
			_exit(getppid() == top ? 4 : 5);
		fails(waitpid(sib, NULL, 0), ECHILD, "wait for a sibling");
		_exit(done() ? 6 : 7);
	}
	check(reap(pid) == 0x700, "the one in between ends");
	check(wait(&status) > 0 && status == 0x400, "CLONE_PARENT makes a child of the caller's parent");

	// CLONE_VFORK alone: memory is copied, the parent still stands.
	int mine = 1;
	pid = must(syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, NULL, NULL, 0), "clone");
	if (pid == 0) {
		mine = 2;
		for (int i = 0; i < 3; i++) {
			usleep(1000);
			s->order++;
		}
		_exit(0);
	}
	check(s->order == 3, "CLONE_VFORK: the parent goes on after the child's end");
	check(mine == 1, "CLONE_VFORK without CLONE_VM copies the memory");
	reap(pid);

	// CLEAR_SIGHAND resets handlers and leaves ignored signals.
	signal(SIGUSR1, (void (*)(int))main);
	signal(SIGUSR2, SIG_IGN);
	memset(&a, 0, sizeof a);
	a.flags = CLONE_CLEAR_SIGHAND;
	a.exit_signal = SIGCHLD;
	if ((pid = must(clone3(&a), "clone3")) == 0) {
		struct sigaction one, two;
		sigaction(SIGUSR1, NULL, &one);
		sigaction(SIGUSR2, NULL, &two);
		_exit(one.sa_handler == SIG_DFL && two.sa_handler == SIG_IGN ? 0 : 1);
	}
	check(reap(pid) == 0, "CLEAR_SIGHAND resets what was handled and keeps what was ignored");

	// Without an exit signal only __WCLONE or __WALL finds the child.
	memset(&a, 0, sizeof a);
	if ((pid = must(clone3(&a), "clone3")) == 0)
		_exit(8);
	fails(waitpid(pid, &status, 0), ECHILD, "plain wait for a child without exit signal");
	check(waitpid(pid, &status, __WCLONE) == pid && status == 0x800, "__WCLONE finds it");
	return done();
}
