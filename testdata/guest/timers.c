// G4: alarm, setitimer, timer_create, timerfd, nanosleep and clocks; no absolute time is told, only what came first.
#include "guest.h"
#include <poll.h>
#include <sys/timerfd.h>

static volatile sig_atomic_t alarms, timer_value, timer_code;
static void on_alarm(int sig) { alarms++; }
static void on_timer(int sig, siginfo_t *si, void *ctx) {
	timer_value = si->si_value.sival_int;
	timer_code = si->si_code;
}

static long now_ms(clockid_t c) {
	struct timespec ts;
	clock_gettime(c, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int main(void) {
	struct timespec ts, rem;
	signal(SIGALRM, on_alarm);
	check(alarm(100) == 0, "alarm: none before");
	check(alarm(50) == 100, "alarm: the one before had 100 seconds");
	long left = alarm(0);
	check(left == 50, "alarm: and then 50");

	struct itimerval it = {{0, 5000}, {0, 5000}}, old;
	setitimer(ITIMER_REAL, &it, NULL);
	while (alarms < 3)
		pause();
	memset(&it, 0, sizeof it);
	setitimer(ITIMER_REAL, &it, &old);
	check(alarms >= 3 && old.it_interval.tv_usec == 5000, "setitimer repeats");
	it.it_value.tv_usec = 1000000;
	fails(setitimer(ITIMER_REAL, &it, NULL), EINVAL, "a second in microseconds");

	// A timer of CPU time runs while the process does.
	struct sigaction prof = {.sa_handler = on_alarm};
	sigaction(SIGPROF, &prof, NULL);
	alarms = 0;
	struct itimerval cpu = {{0, 0}, {0, 20000}};
	setitimer(ITIMER_PROF, &cpu, NULL);
	while (!alarms)
		;
	check(now_ms(CLOCK_PROCESS_CPUTIME_ID) >= 10, "ITIMER_PROF counts CPU time");

	long t0 = now_ms(CLOCK_MONOTONIC);
	ts = (struct timespec){0, 20000000};
	check(nanosleep(&ts, NULL) == 0 && now_ms(CLOCK_MONOTONIC) - t0 >= 19, "nanosleep lasts long enough");
	ts.tv_nsec = -1;
	fails(nanosleep(&ts, NULL), EINVAL, "nanosleep of less than nothing");
	clock_gettime(CLOCK_MONOTONIC, &ts);
	t0 = now_ms(CLOCK_MONOTONIC);
	ts.tv_nsec += 15000000;
	if (ts.tv_nsec >= 1000000000)
		ts.tv_sec++, ts.tv_nsec -= 1000000000;
	check(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, &rem) == 0 && now_ms(CLOCK_MONOTONIC) - t0 >= 14, "clock_nanosleep to a point");
	check(clock_nanosleep(99, 0, &ts, NULL) == EINVAL, "clock_nanosleep on no clock");
	check(clock_getres(CLOCK_MONOTONIC, &ts) == 0 && ts.tv_sec == 0 && ts.tv_nsec > 0, "clock_getres");
	check(now_ms(CLOCK_REALTIME) / 1000 >= time(NULL) - 1, "CLOCK_REALTIME and time agree");
	check(now_ms(CLOCK_BOOTTIME) >= now_ms(CLOCK_MONOTONIC) - 5, "CLOCK_BOOTTIME is no less than CLOCK_MONOTONIC");

	timer_t t;
	struct sigaction sa = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
	sigaction(SIGRTMIN + 1, &sa, NULL);
	struct sigevent se = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 321};
	must(timer_create(CLOCK_MONOTONIC, &se, &t), "timer_create");
	struct itimerspec spec = {{0, 0}, {0, 5000000}}, cur;
	timer_settime(t, 0, &spec, NULL);
	while (!timer_value)
		usleep(1000);
	check(timer_value == 321 && timer_code == SI_TIMER, "timer_create: its value, SI_TIMER");
	timer_gettime(t, &cur);
	check(cur.it_value.tv_sec == 0 && cur.it_value.tv_nsec == 0, "a timer that went off is at rest");
	// While its signal is blocked a timer counts what it missed.
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	spec = (struct itimerspec){{0, 1000000}, {0, 1000000}};
	timer_settime(t, 0, &spec, NULL);
	usleep(20000);
	siginfo_t si;
	check(sigwaitinfo(&set, &si) == SIGRTMIN + 1 && si.si_overrun > 5, "a blocked timer counts its overruns");
	check(timer_delete(t) == 0, "timer_delete");
	fails(timer_gettime(t, &cur), EINVAL, "a deleted timer");

	int fd = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create");
	uint64_t n = 0;
	fails(read(fd, &n, 8), EAGAIN, "timerfd at rest");
	spec = (struct itimerspec){{0, 2000000}, {0, 2000000}};
	timerfd_settime(fd, 0, &spec, NULL);
	struct pollfd p = {fd, POLLIN, 0};
	check(poll(&p, 1, -1) == 1, "poll: it went off");
	usleep(10000);
	check(read(fd, &n, 8) == 8 && n >= 4, "read: how often");
	fails(read(fd, &n, 4), EINVAL, "a buffer too small");
	timerfd_gettime(fd, &cur);
	check(cur.it_interval.tv_nsec == 2000000, "timerfd_gettime");
	return done();
}
