// Makes N processes, passes a token through all of them, ends and reaps them:
// what a fork, a context switch and a wait cost when there are N.
//
// All run on one processor, so that a switch is a switch and not a message to
// another core.
#include "bench.h"
#include <linux/futex.h>

static int *ring; // one word for each process, the parent's first: the lap it is on
static int *started;

static void wait_for(int *w, int value) {
	while (__atomic_load_n(w, __ATOMIC_ACQUIRE) != value)
		syscall(SYS_futex, w, FUTEX_WAIT, value - 1, NULL, NULL, 0);
}
static void set(int *w, int value) {
	__atomic_store_n(w, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, w, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void lap(int n, int nr) {
	set(&ring[1], nr);
	wait_for(&ring[0], nr);
}

static double t_fork, t_switch, t_wait;
static long forks, switches;

// generation is the life of n processes. Its last lap is the one in which
// they exit, its first touches their memory; both are not counted.
static void generation(int n, pid_t *pids) {
	int counted = n < 1000 ? 1000 / n : 1;
	memset(ring, 0, (n + 1) * sizeof *ring);
	*started = 0;
	double t0 = now_ns();
	for (int i = 1; i <= n; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			__atomic_add_fetch(started, 1, __ATOMIC_ACQ_REL);
			for (int nr = 1; nr <= counted + 2; nr++) {
				wait_for(&ring[i], nr);
				set(&ring[i == n ? 0 : i + 1], nr);
			}
			_exit(0);
		}
		if (pids[i] < 0) {
			perror("fork");
			fprintf(stderr, "%d processes are possible\n", i - 1);
			while (--i > 0)
				kill(pids[i], SIGKILL);
			exit(1);
		}
	}
	while (__atomic_load_n(started, __ATOMIC_ACQUIRE) < n)
		sched_yield();
	t_fork += now_ns() - t0;
	forks += n;
	lap(n, 1);
	t0 = now_ns();
	for (int nr = 2; nr <= counted + 1; nr++)
		lap(n, nr);
	t_switch += now_ns() - t0;
	switches += (n + 1L) * counted;
	lap(n, counted + 2);
	for (int i = 1; i <= n; i++) {
		siginfo_t info;
		waitid(P_PID, pids[i], &info, WEXITED | WNOWAIT);
	}
	t0 = now_ns();
	for (int i = 1; i <= n; i++)
		if (wait(NULL) < 0)
			die("wait");
	t_wait += now_ns() - t0;
}

int main(int argc, char **argv) {
	if (argc < 3)
		return 2;
	budget = atof(argv[1]) * 1e6;
	int n = atoi(argv[2]);
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof one, &one);
	ring = mmap(NULL, (n + 1) * sizeof *ring, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	started = mmap(NULL, sizeof *started, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t *pids = calloc(n + 1, sizeof *pids);
	if (ring == MAP_FAILED || started == MAP_FAILED || !pids)
		die("memory");
	generation(n < 50 ? n : 50, pids); // warm-up
	t_fork = t_switch = t_wait = forks = switches = 0;
	double t0 = now_ns();
	do
		generation(n, pids);
	while (now_ns() - t0 < budget);
	report("fork", t_fork / forks);
	report("switch", t_switch / switches);
	report("wait", t_wait / forks);
	return 0;
}
