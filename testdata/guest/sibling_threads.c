// E5: when a thread ends, its children go to a thread of the same process, though a subreaper is above; the process's end sends them to the subreaper.
#include "guest.h"
#include <pthread.h>
#include <sys/prctl.h>

static gate go, up;

static void *forker(void *arg) {
	if (fork() == 0) {
		gate_pass(go);
		int first = getppid() == *(pid_t *)arg;
		gate_open(up);
		gate_pass(go);
		_exit(first ? (getppid() != *(pid_t *)arg ? 50 : 51) : 52);
	}
	return NULL;
}

int main(void) {
	pid_t top = getpid();
	int status;
	go = new_gate();
	up = new_gate();
	must(prctl(PR_SET_CHILD_SUBREAPER, 1), "PR_SET_CHILD_SUBREAPER");
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t t;
		pid_t me = getpid();
		pthread_create(&t, NULL, forker, &me);
		pthread_join(t, NULL);
		gate_open(go);
		gate_pass(up);
		_exit(getppid() == top ? 1 : 2);
	}
	check(reap(pid) == 0x100, "the process ended");
	gate_open(go);
	check(wait(&status) > 0 && status == 50 << 8, "its thread's child had it as parent, then the subreaper");
	return done();
}
