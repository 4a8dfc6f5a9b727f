// E4: __WNOTHREAD, __WCLONE, __WALL: whose children and which kind; any thread may wait for any other thread's child, and one reaps.
#include "guest.h"
#include <pthread.h>

static gate made, done_gate;
static pid_t theirs;

static void *maker(void *arg) {
	theirs = fork();
	if (theirs == 0) {
		gate_pass(done_gate);
		_exit(6);
	}
	gate_open(made);
	for (;;)
		pause();
	return NULL;
}

static void *waiter(void *arg) {
	int status;
	pid_t r = waitpid(*(pid_t *)arg, &status, 0);
	return (void *)(long)(r == *(pid_t *)arg ? status : -errno);
}

int main(void) {
	pthread_t t, u;
	int status;
	siginfo_t si;
	made = new_gate();
	done_gate = new_gate();
	pthread_create(&t, NULL, maker, NULL);
	gate_pass(made);
	fails(waitpid(theirs, &status, __WNOTHREAD | WNOHANG), ECHILD, "__WNOTHREAD: another thread's child");
	check(waitpid(theirs, &status, WNOHANG) == 0, "without it: it is there, and runs");
	gate_open(done_gate);
	check(waitpid(theirs, &status, 0) == theirs && status == 0x600, "any thread reaps it");

	pid_t own = fork();
	if (own == 0)
		_exit(7);
	check(waitpid(own, &status, __WNOTHREAD) == own && status == 0x700, "__WNOTHREAD: one's own child");

	// Kinds of children: those with exit signal SIGCHLD, and the others.
	pid_t clone_kid = must(syscall(SYS_clone, 0UL, 0UL, NULL, NULL, 0UL), "clone");
	if (clone_kid == 0)
		_exit(8);
	pid_t plain = fork();
	if (plain == 0)
		_exit(9);
	check(waitpid(-1, &status, 0) == plain && status == 0x900, "plain wait: the plain child");
	fails(waitpid(-1, &status, WNOHANG), ECHILD, "plain wait: no other");
	check(waitpid(-1, &status, __WCLONE) == clone_kid && status == 0x800, "__WCLONE: the other kind");
	plain = fork();
	if (plain == 0)
		_exit(9);
	fails(waitpid(-1, &status, __WCLONE | WNOHANG), ECHILD, "__WCLONE: not the plain one");
	check(waitpid(-1, &status, __WALL) == plain, "__WALL: both kinds");
	clone_kid = syscall(SYS_clone, 0UL, 0UL, NULL, NULL, 0UL);
	if (clone_kid == 0)
		_exit(8);
	check(syscall(SYS_waitid, P_ALL, 0, &si, WEXITED | __WALL, NULL) == 0 && si.si_pid == clone_kid && si.si_status == 8, "waitid with __WALL");
	clone_kid = syscall(SYS_clone, 0UL, 0UL, NULL, NULL, 0UL);
	if (clone_kid == 0)
		_exit(8);
	check(waitpid(clone_kid, &status, __WCLONE | __WALL) == clone_kid, "__WALL outweighs __WCLONE");

	// Two threads wait for one child: one gets it, the other ECHILD.
	gate hold = new_gate();
	own = fork();
	if (own == 0) {
		gate_pass(hold);
		_exit(10);
	}
	void *a, *b;
	pthread_create(&u, NULL, waiter, &own);
	pthread_t v;
	pthread_create(&v, NULL, waiter, &own);
	usleep(2000);
	gate_open(hold);
	pthread_join(u, &a);
	pthread_join(v, &b);
	long x = (long)a, y = (long)b;
	check((x == 0xa00 && y == -ECHILD) || (y == 0xa00 && x == -ECHILD), "two waiters, one child: one status, one ECHILD");
	return done();
}
