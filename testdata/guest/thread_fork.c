// P4, P7: fork in a process of many threads copies the caller alone; pthread_atfork handlers run in order.
#include "guest.h"
#include <pthread.h>

static gate never;
static char order[16];
static pid_t parent_pid;

static void note(const char *s) { strcat(order, s); }
static void pre1(void) { note("A"); }
static void pre2(void) { note("B"); }
static void par1(void) { note("c"); }
static void par2(void) { note("d"); }
static void chi1(void) { note("e"); }
static void chi2(void) { note("f"); }

static void *sleeper(void *arg) {
	gate_pass(never);
	return NULL;
}

static void *forker(void *arg) {
	pid_t pid = fork();
	if (pid == 0) {
		check(getpid() == syscall(SYS_gettid), "child: the caller became the main thread");
		check(proc_field("/proc/self/status", "Threads") == 1, "child: alone");
		check(getppid() == parent_pid, "child: its parent is the process, not the thread");
		check(!strcmp(order, "BAef"), "child: prepare backwards, child forwards");
		pthread_t t;
		check(pthread_create(&t, NULL, (void *(*)(void *))getpid, NULL) == 0, "child: it can make threads");
		pthread_join(t, NULL);
		exit(done());
	}
	return (void *)(long)pid;
}

int main(void) {
	pthread_t t[4];
	void *pid;
	parent_pid = getpid();
	never = new_gate();
	pthread_atfork(pre1, par1, chi1);
	pthread_atfork(pre2, par2, chi2);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, sleeper, NULL);
	pthread_create(&t[3], NULL, forker, NULL);
	pthread_join(t[3], &pid);
	int status = reap((long)pid);
	check(!strcmp(order, "BAcd"), "parent: prepare backwards, parent forwards");
	check(status == 0, "another thread waits for the child of a thread that ended");
	check(proc_field("/proc/self/status", "Threads") == 4, "parent: its threads still live");
	return done();
}
