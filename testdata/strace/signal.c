// Signals, time and timers.
#include "calls.h"
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static void handler(int s) { (void)s; }

struct kernel_sigaction { void (*handler)(int); unsigned long flags; void (*restorer)(void); unsigned long mask; };
extern void restore(void);
__asm__(".globl restore\nrestore: mov $15, %eax\nsyscall");

int main(void) {
	struct kernel_sigaction sa = {handler, SA_RESTART | SA_NODEFER | 0x04000000, restore, 1 << (SIGINT - 1)}, old;
	unsigned long set = 1UL << (SIGUSR1 - 1) | 1UL << (SIGTERM - 1) | 1UL << 33, full = ~0UL, none = 0;
	siginfo_t si = {0};
	struct timespec ts = {0, 1000000}, left;
	BEGIN;
	S(rt_sigaction, SIGUSR1, &sa, 0, 8);
	S(rt_sigaction, SIGUSR1, 0, &old, 8);
	S(rt_sigaction, SIGUSR2, 0, &old, 8);
	sa.handler = SIG_IGN;
	S(rt_sigaction, SIGUSR2, &sa, &old, 8);
	S(rt_sigaction, SIGKILL, &sa, 0, 8);
	S(rt_sigaction, 99, &sa, 0, 4);
	S(rt_sigprocmask, SIG_BLOCK, &set, &old, 8);
	S(rt_sigprocmask, SIG_SETMASK, &full, 0, 8);
	S(rt_sigprocmask, SIG_SETMASK, &none, &old, 8);
	S(rt_sigprocmask, 7, &none, 0, 8);
	S(kill, PID, SIGUSR1);
	S(tgkill, PID, TID, SIGUSR1);
	S(kill, PID, SIGUSR2);
	S(rt_sigprocmask, SIG_BLOCK, &set, 0, 8);
	S(kill, PID, SIGUSR1);
	S(rt_sigpending, &old, 8);
	S(rt_sigtimedwait, &set, &si, 0, 8);
	S(rt_sigtimedwait, &set, &si, &ts, 8);
	si = (siginfo_t){.si_signo = SIGUSR1, .si_code = SI_QUEUE};
	si.si_value.sival_int = 42;
	si.si_pid = S(getpid);
	S(rt_sigqueueinfo, PID, SIGUSR1, &si);
	S(rt_sigtimedwait, &set, &si, 0, 8);
	S(rt_sigprocmask, SIG_UNBLOCK, &set, 0, 8);
	si.si_value.sival_int = 0;
	S(rt_sigqueueinfo, PID, SIGUSR1, &si);
	stack_t ss = {.ss_sp = malloc(9000), .ss_size = 9000}, oss;
	S(sigaltstack, &ss, &oss);
	S(sigaltstack, 0, &oss);
	S(signalfd4, -1, &set, 8, SFD_CLOEXEC | SFD_NONBLOCK);
	// interrupted calls
	struct itimerval it = {{0, 0}, {0, 2000}};
	sa.handler = handler;
	sa.flags &= ~SA_RESTART;
	S(rt_sigaction, SIGALRM, &sa, 0, 8);
	S(setitimer, ITIMER_REAL, &it, 0);
	ts = (struct timespec){100, 0};
	S(nanosleep, &ts, &left);
	S(setitimer, ITIMER_REAL, &it, 0);
	S(clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, 0);
	S(setitimer, ITIMER_REAL, &it, 0);
	S(pause);
	S(setitimer, ITIMER_REAL, &it, 0);
	S(rt_sigsuspend, &set, 8);
	int p[2];
	char buf[10];
	S(pipe2, p, 0);
	S(setitimer, ITIMER_REAL, &it, 0);
	S(read, p[0], buf, 10);
	S(setitimer, 77, &it, 0);
	S(alarm, 0);
	// time
	S(nanosleep, BAD, 0);
	ts = (struct timespec){0, 1000};
	S(nanosleep, &ts, 0);
	ts.tv_nsec = 2000000000;
	S(clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &ts, 0);
	S(clock_getres, CLOCK_MONOTONIC_COARSE, BAD);
	S(clock_gettime, CLOCK_PROCESS_CPUTIME_ID, BAD);
	S(clock_gettime, -6, BAD);
	S(clock_gettime, 55, &ts);
	S(clock_settime, CLOCK_MONOTONIC, &ts);
	S(gettimeofday, BAD, 0);
	S(time, BAD);
	S(times, BAD);
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	int id = 0;
	S(timer_create, CLOCK_REALTIME, &ev, &id);
	struct itimerspec its = {{0, 0}, {1000, 5}}, oits;
	S(timer_settime, id, 0, &its, &oits);
	its.it_value.tv_sec = 0;
	its.it_value.tv_nsec = 0;
	S(timer_settime, id, TIMER_ABSTIME, &its, 0);
	S(timer_gettime, id, &oits);
	S(timer_getoverrun, id);
	S(timer_delete, 99);
	ev = (struct sigevent){.sigev_notify = SIGEV_NONE};
	ev.sigev_value.sival_int = 5;
	S(timer_create, CLOCK_MONOTONIC, &ev, &id);
	S(timer_delete, id);
	int tfd = S(timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	its.it_value.tv_sec = 0;
	S(timerfd_settime, tfd, TFD_TIMER_ABSTIME, &its, &oits);
	S(timerfd_gettime, tfd, &oits);
	S(timerfd_settime, 99, 0, &its, 0);
	END;
	S(kill, PID, SIGSEGV);
}
