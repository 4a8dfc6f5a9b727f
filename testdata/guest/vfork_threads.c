// P6: the vforking thread alone stands still: other threads go on, signals for it wait, and a child that is stopped keeps it waiting.
#include "guest.h"
#include <pthread.h>

static volatile int ticks, stop, handled, in_child_handled;
static volatile pid_t child_pid;
static void handler(int sig) { handled++; }

static void *ticker(void *arg) {
	sigset_t set;
	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (!stop) {
		ticks++;
		usleep(500);
	}
	return NULL;
}

__attribute__((noinline)) static pid_t spawn(void) {
	pid_t pid = vfork();
	if (pid == 0) {
		child_pid = getpid();
		kill(getppid(), SIGUSR1); // it has a handler in the parent
		int before = ticks;
		struct timespec ts = {0, 1000000};
		for (int i = 0; i < 2000 && ticks - before < 5; i++)
			nanosleep(&ts, NULL);
		in_child_handled = handled;
		_exit(ticks - before >= 5 ? 0 : 1);
	}
	return pid;
}

static void *stopper(void *arg) {
	while (!child_pid)
		usleep(500);
	pid_t pid = child_pid;
	kill(pid, SIGSTOP);
	wait_state(pid, 'T');
	int before = ticks;
	while (ticks - before < 3)
		usleep(500);
	*(int *)arg = 1;
	kill(pid, SIGCONT);
	return NULL;
}

__attribute__((noinline)) static pid_t spawn_slow(void) {
	pid_t pid = vfork();
	if (pid == 0) {
		child_pid = getpid();
		struct timespec ts = {0, 20000000};
		nanosleep(&ts, NULL);
		nanosleep(&ts, NULL);
		_exit(0);
	}
	return pid;
}

int main(void) {
	pthread_t t, u;
	int status, was_stopped = 0;
	signal(SIGUSR1, handler);
	pthread_create(&t, NULL, ticker, NULL);
	while (!ticks) // it blocks all signals before it counts
		usleep(500);
	pid_t pid = spawn();
	check(waitpid(pid, &status, 0) == pid && status == 0, "another thread went on while the vforking one stood still");
	check(in_child_handled == 0 && handled == 1, "the parent's signal waited until the child had ended");
	child_pid = 0;
	pthread_create(&u, NULL, stopper, &was_stopped);
	pid = spawn_slow();
	check(was_stopped == 1, "a stopped child kept the parent waiting until it was continued");
	reap(pid);
	stop = 1;
	pthread_join(t, NULL);
	pthread_join(u, NULL);
	return done();
}
