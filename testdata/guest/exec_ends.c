// X2: what an exec ends besides: POSIX timers, attached segments, a shared file table, sharing of memory with a vforking parent, floating point modes, names of threads.
#include "guest.h"
#include <fenv.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>

static int after(char **argv) {
	struct itimerspec its;
	struct shmid_ds ds;
	fails(syscall(SYS_timer_gettime, atoi(argv[2]), &its), EINVAL, "a POSIX timer");
	shmctl(atoi(argv[3]), IPC_STAT, &ds);
	check(ds.shm_nattch == 1, "a segment is detached: the parent alone has it");
	check(fegetround() == FE_TONEAREST && fetestexcept(FE_ALL_EXCEPT) == 0, "rounding and exceptions of floating point are reset");
	unsigned mxcsr;
	unsigned short cw;
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(cw));
	check((mxcsr & 0xffc0) == 0x1f80 && cw == 0x37f, "MXCSR and the x87 control word are as at the start");
	check(prctl(PR_GET_DUMPABLE) == 1, "dumpable again");
	check(prctl(PR_GET_KEEPCAPS) == 0, "keepcaps is off");
	check(prctl(PR_GET_TIMERSLACK) == 88888, "timer slack stays");
	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs stays");
	struct sigaction sa;
	sigaction(SIGUSR1, NULL, &sa);
	check(sa.sa_handler == SIG_DFL && sa.sa_flags == 0 && !sigismember(&sa.sa_mask, SIGINT), "a handler's flags and mask are gone with it");
	sigaction(SIGCHLD, NULL, &sa);
	check(sa.sa_handler == SIG_IGN, "SIGCHLD ignored stays ignored");
	sigset_t set;
	sigpending(&set);
	check(sigismember(&set, SIGRTMIN), "a queued signal is still pending");
	siginfo_t si;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	struct timespec zero = {0, 0};
	int n = 0;
	while (sigtimedwait(&set, &si, &zero) == SIGRTMIN)
		n += si.si_value.sival_int;
	check(n == 11, "both of them, with their values");
	check(fcntl(50, F_GETFD) == 0, "a descriptor without the flag");
	fails(fcntl(51, F_GETFD), EBADF, "one with it");
	return done();
}

// execs_sharing runs in a clone that shares files and memory with its parent.
static int execs_sharing(void *arg) {
	dup2(1, 60);
	fcntl(60, F_SETFD, FD_CLOEXEC);
	execl("/bin/true", "true", NULL);
	return 1;
}

int main(int argc, char **argv) {
	if (argc > 1)
		return after(argv);
	int shm = must(shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600), "shmget");
	char *m = shmat(shm, NULL, 0);
	strcpy(m, "mine");
	pid_t pid = fork();
	if (pid == 0) {
		char a[16], b[16];
		int timer;
		must(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer), "timer_create");
		fesetround(FE_UPWARD);
		feraiseexcept(FE_DIVBYZERO);
		unsigned mxcsr = 0x1f80 | 0x6000;
		__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
		prctl(PR_SET_DUMPABLE, 0);
		prctl(PR_SET_KEEPCAPS, 1);
		prctl(PR_SET_TIMERSLACK, 88888);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		struct sigaction sa = {.sa_handler = (void (*)(int))main, .sa_flags = SA_RESTART | SA_NODEFER};
		sigaddset(&sa.sa_mask, SIGINT);
		sigaction(SIGUSR1, &sa, NULL);
		signal(SIGCHLD, SIG_IGN);
		sigset_t set;
		sigemptyset(&set);
		sigaddset(&set, SIGRTMIN);
		sigprocmask(SIG_BLOCK, &set, NULL);
		sigqueue(getpid(), SIGRTMIN, (union sigval){5});
		sigqueue(getpid(), SIGRTMIN, (union sigval){6});
		dup2(1, 50);
		dup2(1, 51);
		fcntl(51, F_SETFD, FD_CLOEXEC);
		snprintf(a, sizeof a, "%d", timer);
		snprintf(b, sizeof b, "%d", shm);
		execl("/proc/self/exe", argv[0], "after", a, b, NULL);
		_exit(127);
	}
	check(reap(pid) == 0, "all facts after exec held");
	check(!strcmp(m, "mine"), "the parent's segment");
	shmctl(shm, IPC_RMID, NULL);
	// An exec leaves a shared table first: close-on-exec closes in its own copy.
	static char stack[65536] __attribute__((aligned(16)));
	pid = must(clone(execs_sharing, stack + sizeof stack, CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, NULL), "clone");
	check(reap(pid) == 0, "a clone that shares all execs");
	check(fcntl(60, F_GETFD) == FD_CLOEXEC, "what it opened before is open here, though it was close-on-exec there");
	check(!strcmp(m, "mine"), "and this image is untouched");
	return done();
}
