// G4: timers of all clocks and kinds: TIMER_ABSTIME, SIGEV_NONE and THREAD_ID, CPU clocks, intervals, alarm across fork and exec, timerfd to a point.
#include "guest.h"
#include <poll.h>
#include <pthread.h>
#include <sys/timerfd.h>

static volatile sig_atomic_t alarms, vt, prof;
static void on_alarm(int sig) { alarms++; }
static void on_vt(int sig) { vt++; }
static void on_prof(int sig) { prof++; }

static long ms(clockid_t c) {
	struct timespec t;
	clock_gettime(c, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
static struct timespec in_ms(clockid_t c, long n) {
	struct timespec t;
	clock_gettime(c, &t);
	t.tv_nsec += n * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

// fires makes a timer of a clock that sends SIGRTMIN, and waits for it.
static void fires(clockid_t clock, int flags, const char *what) {
	struct sigevent sev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 4711};
	timer_t t;
	must(timer_create(clock, &sev, &t), what);
	struct itimerspec its = {{0, 0}, {0, 10000000}};
	if (flags)
		its.it_value = in_ms(clock, 10);
	long before = ms(clock);
	must(timer_settime(t, flags, &its, NULL), what);
	sigset_t set;
	siginfo_t si;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	struct timespec zero = {0, 0};
	while (sigtimedwait(&set, &si, &zero) == -1)
		;
	check(si.si_code == SI_TIMER && si.si_value.sival_int == 4711 && ms(clock) - before >= 9, "%s", what);
	timer_delete(t);
}

static void *worker(void *arg) {
	*(pid_t *)arg = syscall(SYS_gettid);
	sigset_t set;
	siginfo_t si;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigwaitinfo(&set, &si);
	return (void *)(long)(si.si_code == SI_TIMER);
}

int main(int argc, char **argv) {
	if (argc > 1) {
		struct itimerval it;
		getitimer(ITIMER_REAL, &it);
		return it.it_value.tv_sec > 400 ? 0 : 1;
	}
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fires(CLOCK_REALTIME, 0, "REALTIME");
	fires(CLOCK_MONOTONIC, 0, "MONOTONIC");
	fires(CLOCK_BOOTTIME, 0, "BOOTTIME");
	fires(CLOCK_TAI, 0, "TAI");
	fires(CLOCK_PROCESS_CPUTIME_ID, 0, "PROCESS_CPUTIME");
	fires(CLOCK_THREAD_CPUTIME_ID, 0, "THREAD_CPUTIME");
	fires(CLOCK_REALTIME, TIMER_ABSTIME, "REALTIME to a point");
	fires(CLOCK_MONOTONIC, TIMER_ABSTIME, "MONOTONIC to a point");
	fires(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, "PROCESS_CPUTIME to a point");

	// SIGEV_NONE: nothing is sent, the time can be looked at.
	timer_t t;
	struct sigevent sev = {.sigev_notify = SIGEV_NONE};
	struct itimerspec its = {{0, 0}, {1000, 0}}, old;
	must(timer_create(CLOCK_MONOTONIC, &sev, &t), "timer_create");
	timer_settime(t, 0, &its, NULL);
	timer_gettime(t, &old);
	check(old.it_value.tv_sec >= 999 && old.it_value.tv_sec <= 1000, "SIGEV_NONE: it counts down");
	its.it_value.tv_sec = 500;
	timer_settime(t, 0, &its, &old);
	check(old.it_value.tv_sec >= 999, "timer_settime tells the old one");
	timer_delete(t);

	pthread_t th;
	pid_t tid = 0;
	pthread_create(&th, NULL, worker, &tid);
	while (!*(volatile pid_t *)&tid)
		usleep(500);
	sev = (struct sigevent){.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 1};
	((int *)&sev)[4] = tid;
	must(timer_create(CLOCK_MONOTONIC, &sev, &t), "timer_create");
	its = (struct itimerspec){{0, 0}, {0, 1000000}};
	timer_settime(t, 0, &its, NULL);
	void *r;
	pthread_join(th, &r);
	check(r != NULL, "SIGEV_THREAD_ID: the thread got it");
	sigset_t pend;
	sigpending(&pend);
	check(!sigismember(&pend, SIGRTMIN + 1), "and no other");
	timer_delete(t);
	// A periodic timer whose signal is blocked counts what it missed.
	sev = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	must(timer_create(CLOCK_MONOTONIC, &sev, &t), "timer_create");
	its = (struct itimerspec){{0, 1000000}, {0, 1000000}};
	timer_settime(t, 0, &its, NULL);
	usleep(20000);
	siginfo_t si;
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, SIGRTMIN);
	sigwaitinfo(&one, &si);
	check(timer_getoverrun(t) >= 5 && si.si_overrun >= 5, "timer_getoverrun and si_overrun count what was missed");
	memset(&its, 0, sizeof its);
	timer_settime(t, 0, &its, NULL);
	timer_gettime(t, &old);
	check(old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0 && old.it_interval.tv_nsec == 0, "a time of zero disarms");
	timer_delete(t);
	struct timespec zero = {0, 0};
	int rest = 0;
	while (sigtimedwait(&one, &si, &zero) > 0)
		rest++;
	check(rest <= 1, "a deleted timer sends no more");

	signal(SIGVTALRM, on_vt);
	signal(SIGPROF, on_prof);
	signal(SIGALRM, on_alarm);
	struct itimerval it = {{0, 5000}, {0, 5000}};
	setitimer(ITIMER_VIRTUAL, &it, NULL);
	setitimer(ITIMER_PROF, &it, NULL);
	while (vt < 3 || prof < 3)
		;
	check(vt >= 3 && prof >= 3, "ITIMER_VIRTUAL and ITIMER_PROF repeat while the process runs");
	memset(&it, 0, sizeof it);
	setitimer(ITIMER_VIRTUAL, &it, NULL);
	setitimer(ITIMER_PROF, &it, NULL);
	vt = 0;
	it.it_value.tv_usec = 20000;
	setitimer(ITIMER_VIRTUAL, &it, NULL);
	usleep(60000);
	check(vt == 0, "ITIMER_VIRTUAL stands still in sleep");
	memset(&it, 0, sizeof it);
	setitimer(ITIMER_VIRTUAL, &it, NULL);

	alarm(500);
	pid_t pid = fork();
	if (pid == 0)
		_exit(alarm(0));
	check(reap(pid) == 0, "alarm: not inherited by fork");
	if ((pid = fork()) == 0) {
		alarm(500);
		execl("/proc/self/exe", argv[0], "after", NULL);
		_exit(127);
	}
	check(reap(pid) == 0, "alarm: kept by exec");
	check(alarm(0) >= 499, "alarm: the parent's own");
	it.it_value = (struct timeval){100, 0};
	setitimer(ITIMER_REAL, &it, NULL);
	check(alarm(0) >= 99, "alarm and ITIMER_REAL are one timer");

	// The kernel's ids, which a C library may keep to itself: none is used again soon.
	int ids[4];
	struct sigevent none = {.sigev_notify = SIGEV_NONE};
	for (int i = 0; i < 4; i++) {
		must(syscall(SYS_timer_create, CLOCK_MONOTONIC, &none, &ids[i]), "timer_create");
		if (i < 3)
			must(syscall(SYS_timer_delete, ids[i]), "timer_delete");
	}
	check(ids[1] == ids[0] + 1 && ids[2] == ids[1] + 1 && ids[3] == ids[2] + 1, "ids of deleted timers are not used again");
	none.sigev_notify = 77;
	fails(syscall(SYS_timer_create, CLOCK_MONOTONIC, &none, &ids[0]), EINVAL, "an unknown kind of notification");
	must(syscall(SYS_timer_delete, ids[3]), "timer_delete");

	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	its = (struct itimerspec){{0, 0}, {1, 0}};
	uint64_t n = 0;
	timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL);
	struct pollfd p = {fd, POLLIN, 0};
	check(poll(&p, 1, 1000) == 1 && read(fd, &n, 8) == 8 && n == 1, "timerfd to a point in the past: at once, once");
	its = (struct itimerspec){{0, 10000000}, {0, 1}};
	timerfd_settime(fd, 0, &its, NULL);
	usleep(55000);
	check(read(fd, &n, 8) == 8 && n >= 5, "timerfd: what was missed is counted");
	memset(&its, 0, sizeof its);
	timerfd_settime(fd, 0, &its, NULL);
	fails(read(fd, &n, 8), EAGAIN, "timerfd: disarmed");
	struct timespec past = {1, 0};
	check(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &past, NULL) == 0, "clock_nanosleep to the past: at once");
	long a = ms(CLOCK_MONOTONIC), b = ms(CLOCK_MONOTONIC_COARSE), c = ms(CLOCK_MONOTONIC_RAW);
	check(a - b < 50 && b - a < 50 && c > 0, "the coarse clock is near");
	long cpu = ms(CLOCK_PROCESS_CPUTIME_ID);
	usleep(50000);
	check(ms(CLOCK_PROCESS_CPUTIME_ID) - cpu < 40, "the CPU clock stands still in sleep");
	clockid_t other;
	check(clock_getcpuclockid(getpid(), &other) == 0 && ms(other) >= cpu, "the CPU clock of a process by its pid");
	return done();
}
