// O1: nice steers shares of one processor, FIFO goes before all, RR takes turns, IDLE takes what is left, RESET_ON_FORK, priorities of groups and users.
// needs root
#include "guest.h"

#ifndef SCHED_RESET_ON_FORK
#define SCHED_RESET_ON_FORK 0x40000000
#endif

static volatile long *count;

static pid_t spinner(int slot, void (*setup)(void)) {
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		setup();
		for (;;)
			count[slot]++;
	}
	return pid;
}
static void set(int policy, int prio) {
	struct sched_param sp = {prio};
	must(syscall(SYS_sched_setscheduler, 0, policy, &sp), "sched_setscheduler");
}
static void plain(void) {}
static void nice10(void) { setpriority(PRIO_PROCESS, 0, 10); }
static void idle(void) { set(SCHED_IDLE, 0); }

// share runs two spinners together until the first has counted enough, and gives
// how often the second got further for each hundred of the first.
static long share(void (*a)(void), void (*b)(void)) {
	count[0] = count[1] = 0;
	pid_t x = spinner(0, a), y = spinner(1, b);
	while (count[0] == 0 || count[1] == 0)
		usleep(1000);
	long s0 = count[0], s1 = count[1];
	usleep(400000);
	long r0 = count[0] - s0, r1 = count[1] - s1;
	kill(x, SIGKILL);
	kill(y, SIGKILL);
	reap(x);
	reap(y);
	return r1 * 100 / (r0 ? r0 : 1);
}

int main(void) {
	cpu_set_t one;
	int cpu = 0;
	sched_getaffinity(0, sizeof one, &one);
	while (!CPU_ISSET(cpu, &one))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	must(sched_setaffinity(0, sizeof one, &one), "sched_setaffinity");
	count = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	long s = share(plain, plain);
	check(s > 50 && s < 200, "equals get equal shares");
	s = share(plain, nice10);
	check(s > 2 && s < 40, "nice 10 gets about a tenth of nice 0");
	s = share(plain, idle);
	check(s < 15, "IDLE gets next to nothing beside OTHER");

	// A FIFO process runs before every OTHER one, as soon as it can.
	pid_t spin = spinner(0, plain);
	pid_t pid = fork();
	if (pid == 0) {
		set(SCHED_FIFO, 10);
		long before = count[0];
		for (volatile int i = 0; i < 3000000; i++)
			;
		_exit(count[0] == before ? 0 : 1);
	}
	check(reap(pid) == 0, "FIFO: no OTHER process runs meanwhile");
	kill(spin, SIGKILL);
	reap(spin);

	// Of two FIFO processes of equal priority the first keeps the processor until it gives it up.
	pid = fork();
	if (pid == 0) {
		set(SCHED_FIFO, 20);
		count[2] = count[3] = 0;
		pid_t a = fork();
		if (a == 0) {
			for (volatile int i = 0; i < 1000000; i++)
				;
			count[2] = 1;
			_exit(0);
		}
		pid_t b = fork();
		if (b == 0)
			_exit(count[2] == 1 ? 0 : 1);
		for (volatile int i = 0; i < 1000000; i++)
			;
		int neither = count[2] == 0;
		reap(a);
		_exit(neither && reap(b) == 0 ? 0 : 1);
	}
	check(reap(pid) == 0, "FIFO: equals wait for each other's end");
	// Higher real-time priority preempts at once.
	pid = fork();
	if (pid == 0) {
		set(SCHED_FIFO, 20);
		count[4] = 0;
		gate g = new_gate();
		pid_t high = fork();
		if (high == 0) {
			set(SCHED_FIFO, 30);
			gate_pass(g);
			count[4] = 1;
			_exit(0);
		}
		sched_yield();
		wait_state(high, 'S');
		gate_open(g);
		int at_once = count[4] == 1;
		reap(high);
		_exit(at_once ? 0 : 1);
	}
	check(reap(pid) == 0, "FIFO: who is woken with a higher priority runs at once");
	// RR takes turns.
	pid = fork();
	if (pid == 0) {
		count[5] = count[6] = 0;
		set(SCHED_RR, 20);
		pid_t k[2];
		for (int i = 0; i < 2; i++)
			if ((k[i] = fork()) == 0) {
				do
					count[5 + i]++;
				while (count[6 - i] == 0);
				_exit(0);
			}
		reap(k[0]);
		reap(k[1]);
		_exit(0);
	}
	check(reap(pid) == 0, "RR: equals take turns");
	struct timespec ts = {9, 9};
	check(syscall(SYS_sched_rr_get_interval, 0, &ts) == 0 && ts.tv_sec == 0, "sched_rr_get_interval");

	set(SCHED_FIFO | SCHED_RESET_ON_FORK, 5);
	check(syscall(SYS_sched_getscheduler, 0) == (SCHED_FIFO | SCHED_RESET_ON_FORK), "RESET_ON_FORK is told");
	if ((pid = fork()) == 0)
		_exit(syscall(SYS_sched_getscheduler, 0) == SCHED_OTHER ? 0 : 1);
	check(reap(pid) == 0, "RESET_ON_FORK: the child is OTHER");
	set(SCHED_FIFO, 7);
	if ((pid = fork()) == 0) {
		struct sched_param sp;
		syscall(SYS_sched_getparam, 0, &sp);
		_exit(syscall(SYS_sched_getscheduler, 0) == SCHED_FIFO && sp.sched_priority == 7 ? 0 : 1);
	}
	check(reap(pid) == 0, "without it the child inherits policy and priority");
	set(SCHED_OTHER, 0);

	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		pid_t kid = fork();
		if (kid == 0)
			for (;;)
				pause();
		setpriority(PRIO_PGRP, 0, 4);
		check(getpriority(PRIO_PROCESS, 0) == 4 && getpriority(PRIO_PROCESS, kid) == 4, "setpriority of a group: all members");
		setpriority(PRIO_PROCESS, kid, 9);
		check(getpriority(PRIO_PGRP, 0) == 4, "getpriority of a group: the best of them");
		kill(kid, SIGKILL);
		reap(kid);
		must(setresuid(54388, 54388, 54388), "setresuid");
		check(setpriority(PRIO_USER, 0, 11) == 0 && getpriority(PRIO_USER, 54388) == 11, "setpriority of a user");
		fails(setpriority(PRIO_PROCESS, 0, 3), EACCES, "a plain user may not go back");
		_exit(done());
	}
	check(reap(pid) == 0, "groups and users");
	struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t prio; uint64_t runtime, deadline, period; } attr = {48, SCHED_BATCH, 0, 6, 0, 0, 0, 0};
	check(syscall(SYS_sched_setattr, 0, &attr, 0) == 0 && syscall(SYS_sched_getscheduler, 0) == SCHED_BATCH && getpriority(PRIO_PROCESS, 0) == 6, "sched_setattr sets policy and nice");
	memset(&attr, 0, sizeof attr);
	check(syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) == 0 && attr.policy == SCHED_BATCH && attr.nice == 6, "sched_getattr tells them");
	return done();
}
