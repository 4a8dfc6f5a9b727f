// P7, G1: tgkill and pthread_kill reach one thread; a signal for the process goes to a thread that lets it in.
#include "guest.h"
#include <pthread.h>

static __thread int here;
static int hits_worker, hits_main, from_tkill;
static gate ready, hit, leave;

static void handler(int sig, siginfo_t *si, void *ctx) {
	if (here)
		hits_worker++;
	else
		hits_main++;
	from_tkill += si->si_code == SI_TKILL;
	gate_open(hit);
}

static void *worker(void *arg) {
	sigset_t set;
	here = 1;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	*(pid_t *)arg = syscall(SYS_gettid);
	gate_open(ready);
	gate_pass(leave);
	return NULL;
}

int main(void) {
	pthread_t t;
	pid_t tid;
	sigset_t set, pending;
	ready = new_gate();
	hit = new_gate();
	leave = new_gate();
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pthread_create(&t, NULL, worker, &tid);
	gate_pass(ready);

	must(syscall(SYS_tgkill, getpid(), tid, SIGUSR1), "tgkill");
	gate_pass(hit);
	check(hits_worker == 1 && from_tkill == 1, "tgkill: the worker got it, si_code is SI_TKILL");
	pthread_kill(t, SIGUSR1);
	gate_pass(hit);
	check(hits_worker == 2, "pthread_kill: the worker got it");
	kill(getpid(), SIGUSR2);
	gate_pass(hit);
	check(hits_worker == 3, "kill: went to the thread that has it unblocked");
	pthread_kill(pthread_self(), SIGUSR1);
	gate_pass(hit);
	check(hits_main == 1, "pthread_kill to itself");
	pthread_kill(pthread_self(), SIGUSR2);
	sigpending(&pending);
	check(sigismember(&pending, SIGUSR2) && hits_worker == 3, "one thread's pending signal stays with it");
	fails(syscall(SYS_tgkill, getpid() + 100000, tid, 0), ESRCH, "tgkill with the wrong group");
	fails(syscall(SYS_tgkill, getpid(), tid, 65), EINVAL, "tgkill with signal 65");
	fails(syscall(SYS_tgkill, -1, tid, 0), EINVAL, "tgkill with group -1");
	check(syscall(SYS_tkill, tid, 0) == 0, "tkill with 0 finds the thread");
	gate_open(leave);
	pthread_join(t, NULL);
	return done();
}
