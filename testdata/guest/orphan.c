// E5: orphans go to the nearest subreaper, past sibling threads first; PDEATHSIG tells a child of its parent's end.
#include "guest.h"
#include <pthread.h>
#include <sys/prctl.h>

static volatile sig_atomic_t told;
static siginfo_t info;
static void handler(int sig, siginfo_t *si, void *ctx) {
	told++;
	info = *si;
}

static gate g;

static void *forking_thread(void *arg) {
	if (fork() == 0) {
		gate_pass(g);
		_exit(getppid() == *(pid_t *)arg ? 4 : 5);
	}
	return NULL;
}

int main(void) {
	pid_t me = getpid();
	int status, is = 0;
	must(prctl(PR_SET_CHILD_SUBREAPER, 1), "PR_SET_CHILD_SUBREAPER");
	prctl(PR_GET_CHILD_SUBREAPER, &is);
	check(is == 1, "this process is a subreaper");
	g = new_gate();
	pid_t *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_GET_CHILD_SUBREAPER, &is);
		pid_t grand = fork();
		if (grand == 0) {
			gate_pass(g); // opened when the parent has been reaped
			_exit(getppid() == me ? 6 : 7);
		}
		*shared = grand;
		_exit(is);
	}
	check(reap(pid) == 0, "the flag is not inherited");
	gate_open(g);
	check(wait(&status) == *shared && status == 0x600, "the grandchild is now this process's child, and is reaped by it");

	// A subreaper in between comes first.
	gate h = new_gate();
	if ((pid = fork()) == 0) {
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		pid_t inner = fork();
		if (inner == 0) {
			if (fork() == 0) {
				gate_pass(h);
				_exit(9);
			}
			_exit(0);
		}
		reap(inner);
		gate_open(h);
		wait(&status);
		_exit(status >> 8);
	}
	check(reap(pid) == 0x900, "the nearest subreaper takes it");

	// A thread's children are the process's: they outlive the thread without a change.
	pthread_t t;
	pthread_create(&t, NULL, forking_thread, &me);
	pthread_join(t, NULL);
	gate_open(g);
	wait(&status);
	check(status == 0x400, "the child of a thread that ended is the process's");

	// PDEATHSIG.
	gate up = new_gate();
	if ((pid = fork()) == 0) {
		if (fork() == 0) {
			struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
			sigaction(SIGUSR1, &sa, NULL);
			prctl(PR_SET_PDEATHSIG, SIGUSR1);
			pid_t parent = getppid();
			sigset_t none;
			sigset_t block;
			sigemptyset(&block);
			sigaddset(&block, SIGUSR1);
			sigprocmask(SIG_BLOCK, &block, &none);
			gate_open(up);
			sigsuspend(&none);
			_exit(told == 1 && info.si_pid == parent && getppid() == me ? 10 : 11);
		}
		gate_pass(up);
		_exit(0);
	}
	reap(pid);
	wait(&status);
	check(status == 10 << 8, "PDEATHSIG came from the dead parent");
	check(prctl(PR_SET_PDEATHSIG, 65) == -1 && errno == EINVAL, "PDEATHSIG 65: EINVAL");
	return done();
}
