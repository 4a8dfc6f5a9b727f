// P7, E3: a leader that ends before its threads is a zombie that cannot be waited for until the last thread ends; the last status counts.
#include "guest.h"
#include <pthread.h>

static gate go;

static void *last(void *arg) {
	gate_pass(go);
	return NULL;
}
static void *last_exit(void *arg) {
	gate_pass(go);
	syscall(SYS_exit, 9); // ends this thread
	return NULL;
}

static pid_t start(void *(*f)(void *)) {
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		pthread_t t;
		pthread_create(&t, NULL, f, NULL);
		syscall(SYS_exit, 5); // the leader alone
	}
	return pid;
}

int main(void) {
	int status;
	char path[64];
	go = new_gate();
	for (int i = 0; i < 2; i++) {
		pid_t pid = start(i ? last_exit : last);
		wait_state(pid, 'Z');
		check(proc_state(pid) == 'Z', "the leader is shown as Z");
		check(waitpid(pid, &status, WNOHANG) == 0, "but cannot be reaped while a thread lives");
		check(kill(pid, 0) == 0, "the process can be signalled");
		snprintf(path, sizeof path, "/proc/%d/status", pid);
		check(proc_field(path, "Threads") == 2, "two threads");
		gate_open(go);
		check(reap(pid) == (i ? 0x900 : 0), "the last thread's status is the process's");
	}
	// A signal to such a process goes to the thread that is left.
	pid_t pid = start(last);
	wait_state(pid, 'Z');
	kill(pid, SIGTERM);
	check(reap(pid) == SIGTERM, "SIGTERM ends it");
	return done();
}
