// O1: nice, setpriority, policies and affinity are set, read, inherited and refused as on Linux; no spinner starves another.
#include "guest.h"

// The calls are made by number: musl leaves out what POSIX says of them.
static long volatile *done_count;

int main(void) {
	struct sched_param sp = {0};
	cpu_set_t set;
	errno = 0;
	check(getpriority(PRIO_PROCESS, 0) == 0, "nice starts at 0");
	check(nice(3) == 3 && nice(4) == 7 && getpriority(PRIO_PROCESS, 0) == 7, "nice adds up");
	check(nice(100) == 19, "19 is the end");
	pid_t pid = fork();
	if (pid == 0)
		_exit(getpriority(PRIO_PROCESS, 0));
	check(reap(pid) == 19 << 8, "a child inherits it");
	fails(getpriority(99, 0), EINVAL, "getpriority of no kind");
	fails(setpriority(PRIO_PROCESS, 4000000, 1), ESRCH, "setpriority of nobody");

	check(syscall(SYS_sched_getscheduler, 0) == SCHED_OTHER, "policy: OTHER");
	check(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &sp) == 0 && syscall(SYS_sched_getscheduler, 0) == SCHED_BATCH, "BATCH");
	check(syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &sp) == 0 && syscall(SYS_sched_getscheduler, 0) == SCHED_IDLE, "IDLE");
	check(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &sp) == 0, "OTHER again");
	fails(syscall(SYS_sched_setscheduler, 0, 99, &sp), EINVAL, "policy 99");
	sp.sched_priority = 5;
	fails(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &sp), EINVAL, "OTHER with a priority");
	sp.sched_priority = 100;
	fails(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp), EINVAL, "FIFO with priority 100");
	check(sched_get_priority_min(SCHED_FIFO) == 1 && sched_get_priority_max(SCHED_RR) == 99, "real-time priorities are 1 to 99");
	fails(syscall(SYS_sched_getscheduler, 4000000), ESRCH, "sched_getscheduler of nobody");
	check(sched_yield() == 0, "sched_yield");

	CPU_ZERO(&set);
	check(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) >= 1 && CPU_COUNT(&set) == sysconf(_SC_NPROCESSORS_ONLN), "affinity: all processors");
	int first = 0;
	while (!CPU_ISSET(first, &set))
		first++;
	CPU_ZERO(&set);
	CPU_SET(first, &set);
	check(sched_setaffinity(0, sizeof set, &set) == 0 && sched_getcpu() == first, "bound to one, this process is on it");
	CPU_ZERO(&set);
	fails(sched_setaffinity(0, sizeof set, &set), EINVAL, "bound to none");

	// Six spinners on one processor: each gets on.
	done_count = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t spin[6];
	for (int i = 0; i < 6; i++)
		if ((spin[i] = fork()) == 0)
			for (;;)
				done_count[i]++;
	int all;
	do {
		usleep(5000);
		all = 1;
		for (int i = 0; i < 6; i++)
			all &= done_count[i] > 1000;
	} while (!all);
	check(all, "none of six spinners starves");
	for (int i = 0; i < 6; i++)
		kill(spin[i], SIGKILL);
	for (int i = 0; i < 6; i++)
		check(reap(spin[i]) == SIGKILL, "spinner %d ended", i);
	return done();
}
