// P7, X2: exit from any thread ends all; the main thread may end first; exec from a thread keeps the pid and ends the others.
#include "guest.h"
#include <pthread.h>

static gate never;
static char pid_text[16];

static void *sleeper(void *arg) {
	gate_pass(never);
	return NULL;
}
static void *exiter(void *arg) {
	usleep(1000);
	exit(23);
}
static void *last(void *arg) {
	wait_state(getpid(), 'Z'); // the leader is a zombie, the process is not
	exit(24);
}
static void *killer(void *arg) {
	raise(SIGKILL);
	return NULL;
}
static void *execer(void *arg) {
	char *args[] = {"self", "again", pid_text, NULL};
	execv("/proc/self/exe", args);
	return NULL;
}
static void threads(void *(*f)(void *), void *arg) {
	pthread_t t;
	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, sleeper, NULL);
	pthread_create(&t, NULL, f, arg);
}

int main(int argc, char **argv) {
	if (argc > 1)
		return atoi(argv[2]) == getpid() && syscall(SYS_gettid) == getpid() &&
			proc_field("/proc/self/status", "Threads") == 1 ? 25 : 26;
	pid_t pid;
	never = new_gate();
	if ((pid = fork()) == 0) {
		threads(exiter, NULL);
		gate_pass(never);
	}
	check(reap(pid) == 23 << 8, "exit in a thread ends the process");
	if ((pid = fork()) == 0) {
		threads(last, NULL);
		pthread_exit(NULL);
	}
	check(reap(pid) == 24 << 8, "the process lives on after its main thread");
	if ((pid = fork()) == 0) {
		threads(killer, NULL);
		gate_pass(never);
	}
	check(reap(pid) == SIGKILL, "a signal that kills a thread kills all");
	if ((pid = fork()) == 0) {
		snprintf(pid_text, sizeof pid_text, "%d", getpid());
		threads(execer, NULL);
		gate_pass(never);
	}
	check(reap(pid) == 25 << 8, "exec in a thread: same pid, one thread");
	if ((pid = fork()) == 0)
		pthread_exit(NULL);
	check(reap(pid) == 0, "the last thread's end is exit(0)");
	return done();
}
