// G1: plain signals merge, real-time ones queue, lowest number first, with their value; the queue has a limit.
#include "guest.h"

static volatile int order[64], values[64], n;
static void handler(int sig, siginfo_t *si, void *ctx) {
	order[n] = sig;
	values[n++] = si->si_value.sival_int;
}

int main(void) {
	sigset_t set, old;
	sigemptyset(&set);
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigfillset(&sa.sa_mask);
	int rt = SIGRTMIN;
	for (const int *s = (int[]){SIGUSR1, SIGUSR2, rt, rt + 1, rt + 5, 0}; *s; s++) {
		sigaction(*s, &sa, NULL);
		sigaddset(&set, *s);
	}
	sigprocmask(SIG_BLOCK, &set, &old);
	sigqueue(getpid(), rt + 5, (union sigval){1});
	sigqueue(getpid(), rt + 1, (union sigval){2});
	sigqueue(getpid(), rt, (union sigval){3});
	sigqueue(getpid(), rt + 1, (union sigval){4});
	sigqueue(getpid(), rt, (union sigval){5});
	sigqueue(getpid(), SIGUSR2, (union sigval){6});
	sigqueue(getpid(), SIGUSR2, (union sigval){7});
	sigqueue(getpid(), SIGUSR1, (union sigval){8});
	check(n == 0, "blocked: none came");
	sigprocmask(SIG_SETMASK, &old, NULL);
	for (int i = 0; i < n; i++)
		printf("%s%d value %d\n", order[i] >= rt ? "RT+" : "signal ", order[i] >= rt ? order[i] - rt : order[i], values[i]);
	// Handlers are stacked lowest first, each with a full mask: they run in that order.
	check(n == 7, "seven came: the second SIGUSR2 was merged");

	sigprocmask(SIG_BLOCK, &set, NULL);
	siginfo_t si;
	struct timespec zero = {0, 0};
	sigqueue(getpid(), rt, (union sigval){.sival_ptr = (void *)0x123456789});
	check(sigwaitinfo(&set, &si) == rt && si.si_code == SI_QUEUE && si.si_value.sival_ptr == (void *)0x123456789 && si.si_pid == getpid(),
	      "sigwaitinfo: SI_QUEUE with a pointer");
	fails(sigtimedwait(&set, &si, &zero), EAGAIN, "sigtimedwait with nothing");

	struct rlimit l = {4, 4};
	setrlimit(RLIMIT_SIGPENDING, &l);
	if (getuid() == 0)
		must(setuid(54322), "setuid"); // the limit counts a user's signals
	int queued = 0;
	while (queued < 10 && sigqueue(getpid(), rt, (union sigval){0}) == 0)
		queued++;
	check(queued == 4 && errno == EAGAIN, "RLIMIT_SIGPENDING: EAGAIN after four");
	check(kill(getpid(), SIGUSR1) == 0, "kill still gets through");
	fails(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &(siginfo_t){.si_code = SI_USER}), EPERM, "a forged SI_USER to another process");
	return done();
}
