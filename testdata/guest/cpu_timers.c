// G4: POSIX timers on the processor time of a process and of a thread: sleep does not count, work does; clocks that can only be read.
#include "guest.h"
#include <pthread.h>

static volatile sig_atomic_t hits;
static void hit(int sig, siginfo_t *si, void *ctx) { hits = hits + (si->si_code == SI_TIMER && si->si_value.sival_int == 7); }

static void work(clockid_t clock, long ms) {
	struct timespec a, b;
	clock_gettime(clock, &a);
	do
		clock_gettime(clock, &b);
	while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
}

static void *worker(void *arg) {
	work(CLOCK_THREAD_CPUTIME_ID, 60);
	return NULL;
}

static int timer(clockid_t clock, timer_t *t) {
	struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value = {7}};
	return timer_create(clock, &e, t);
}

int main(void) {
	timer_t t;
	pthread_t th;
	struct sigaction sa = {.sa_sigaction = hit, .sa_flags = SA_SIGINFO};
	struct itimerspec once = {{0, 0}, {0, 40000000}}, left;
	sigaction(SIGUSR1, &sa, NULL);
	must(timer(CLOCK_PROCESS_CPUTIME_ID, &t), "timer_create");
	timer_settime(t, 0, &once, NULL);
	usleep(100000);
	check(hits == 0, "a process's clock stands still while it sleeps");
	work(CLOCK_PROCESS_CPUTIME_ID, 60);
	check(hits == 1, "and its timer expires when it works");
	timer_gettime(t, &left);
	check(left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0, "once");
	timer_settime(t, 0, &once, NULL);
	pthread_create(&th, NULL, worker, NULL);
	pthread_join(th, NULL);
	check(hits == 2, "the work of any thread counts");
	timer_delete(t);

	must(timer(CLOCK_THREAD_CPUTIME_ID, &t), "timer_create");
	timer_settime(t, 0, &once, NULL);
	pthread_create(&th, NULL, worker, NULL);
	pthread_join(th, NULL);
	check(hits == 2, "for a thread's timer the work of others does not");
	work(CLOCK_THREAD_CPUTIME_ID, 60);
	check(hits == 3, "its own does");
	timer_delete(t);
	fails(timer(CLOCK_MONOTONIC_RAW, &t), EOPNOTSUPP, "timer_create(CLOCK_MONOTONIC_RAW)");
	return done();
}
