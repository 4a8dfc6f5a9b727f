// E5: PR_SET_PDEATHSIG: sent when the thread that forked ends, cleared in children and by a set-user-ID exec, kept by a plain exec.
#include "guest.h"
#include <pthread.h>
#include <sys/prctl.h>

static gate ready, finish;
static pid_t kid;

static void *forks_and_ends(void *arg) {
	kid = fork();
	if (kid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGUSR1);
		sigset_t set;
		siginfo_t si;
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		gate_open(ready);
		struct timespec ts = {5, 0};
		int sig = sigtimedwait(&set, &si, &ts);
		// The process that forked lives on: one of its threads ended.
		_exit(sig == SIGUSR1 && getppid() == *(pid_t *)arg ? 3 : 4);
	}
	gate_pass(ready);
	return NULL;
}

int main(void) {
	pthread_t t;
	pid_t me = getpid();
	int sig = -1;
	ready = new_gate();
	finish = new_gate();
	pthread_create(&t, NULL, forks_and_ends, &me);
	pthread_join(t, NULL);
	check(reap(kid) == 0x300, "it comes when the thread that forked ends, though its process lives");

	prctl(PR_SET_PDEATHSIG, SIGUSR2);
	prctl(PR_GET_PDEATHSIG, &sig);
	check(sig == SIGUSR2, "it can be read back");
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_GET_PDEATHSIG, &sig);
		_exit(sig);
	}
	check(reap(pid) == 0, "a child starts without it");
	prctl(PR_SET_PDEATHSIG, 0);

	// SIGKILL as the signal: a tree that dies with its root.
	int p[2];
	pipe(p);
	if ((pid = fork()) == 0) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			gate_open(ready);
			pause();
			write(p[1], "lived", 5);
			_exit(0);
		}
		gate_pass(ready);
		raise(SIGKILL);
	}
	close(p[1]);
	reap(pid);
	char c;
	check(read(p[0], &c, 1) == 0, "SIGKILL took the grandchild along");
	if (getuid() == 0) {
		// A change of effective ids clears it.
		if ((pid = fork()) == 0) {
			prctl(PR_SET_PDEATHSIG, SIGUSR2);
			must(setresuid(1000, 1000, 1000), "setresuid");
			prctl(PR_GET_PDEATHSIG, &sig);
			_exit(sig);
		}
		check(reap(pid) == 0, "a change of user clears it");
	} else
		check(1, "a change of user clears it");
	return done();
}
