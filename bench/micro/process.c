// Makes processes: fork at a size, copy-on-write faults, exec, spawn, threads.
#include "bench.h"
#include <pthread.h>
#include <spawn.h>

extern char **environ;

static double in_call; // nanoseconds of all fork calls

static void fork_wait(void) {
	double t0 = now_ns();
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	if (pid < 0)
		die("fork");
	in_call += now_ns() - t0;
	waitpid(pid, NULL, 0);
}

// do_fork warms up twice: small, for the code, which the engine of tine or
// qemu may have to translate, and at its size. The largest forks of native
// Linux take seconds, and two must do.
static void do_fork(long mb, long mappings) {
	for (int i = 0; i < 20; i++)
		fork_wait();
	touched(mb, mappings);
	fork_wait();
	int n = 0;
	in_call = 0;
	double t0 = now_ns(), t;
	do {
		fork_wait();
		n++;
		t = now_ns();
	} while (t - t0 < budget || n < 2);
	report("call", in_call / n);
	report("wait", (t - t0) / n);
}

static void do_cow(void) {
	const int pages = 16384, rounds = 4; // the first is not counted
	char *m = touched(pages * 4096L >> 20, 1);
	double t = 0;
	for (int round = 0; round < rounds; round++) {
		pid_t pid = fork();
		if (pid == 0) {
			pause();
			_exit(0);
		}
		double t0 = now_ns();
		for (int i = 0; i < pages; i++)
			m[i * 4096L] = 2;
		t += round ? now_ns() - t0 : 0;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	report("cow", t / (rounds - 1) / pages);
}

static void do_touch(void) {
	const int pages = 16384, rounds = 4; // the first is not counted
	double t = 0;
	for (int round = 0; round < rounds; round++) {
		double t0 = now_ns();
		char *m = touched(pages * 4096L >> 20, 1);
		t += round ? now_ns() - t0 : 0;
		munmap(m, pages * 4096L);
	}
	report("touch", t / (rounds - 1) / pages);
}

static enum { FORK, VFORK, SPAWN } how;
static char **child;

static void exec_wait(void) {
	pid_t pid;
	if (how == SPAWN) {
		if (posix_spawn(&pid, child[0], NULL, NULL, child, environ))
			die("posix_spawn");
	} else if ((pid = how == VFORK ? vfork() : fork()) == 0) {
		execv(child[0], child);
		_exit(127);
	}
	int status;
	if (waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "%s: status %#x\n", child[0], status);
		exit(1);
	}
}

static void *nothing(void *arg) { return arg; }

static void thread(void) {
	pthread_t t;
	if (pthread_create(&t, NULL, nothing, NULL))
		die("pthread_create");
	pthread_join(t, NULL);
}

// do_memory tells its reader the stages of a fork, and waits for a line between them.
static void do_memory(long mb) {
	char *m = touched(mb, 1);
	char c;
	puts("touched");
	fflush(stdout);
	read(0, &c, 1);
	pid_t pid = fork();
	if (pid == 0) {
		for (long i = 0; i < mb << 20; i += 4096)
			c += m[i];
		puts("forked");
		fflush(stdout);
		read(0, &c, 1);
		for (long i = 0; i < mb << 16; i += 4096)
			m[i] = 2;
		puts("written");
		fflush(stdout);
		read(0, &c, 1);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv) {
	if (argc == 2 && !strcmp(argv[1], "nothing"))
		return 0;
	if (argc < 3)
		return 2;
	budget = atof(argv[1]) * 1e6;
	const char *what = argv[2];
	child = argv + 3;
	if (!strcmp(what, "fork") && argc == 5)
		do_fork(atol(argv[3]), atol(argv[4]));
	else if (!strcmp(what, "cow"))
		do_cow();
	else if (!strcmp(what, "touch"))
		do_touch();
	else if (!strcmp(what, "thread"))
		measure("thread", 20, thread);
	else if (!strcmp(what, "memory") && argc == 4)
		do_memory(atol(argv[3]));
	else if (!strcmp(what, "forkexec") && argc > 3)
		measure("forkexec", 5, exec_wait);
	else if (!strcmp(what, "vfork") && argc > 3)
		how = VFORK, measure("vfork", 5, exec_wait);
	else if (!strcmp(what, "spawn") && argc > 3)
		how = SPAWN, measure("spawn", 5, exec_wait);
	else if (!strcmp(what, "repeat") && argc > 3) // a command that takes long
		measure("repeat", 1, exec_wait);
	else
		return 2;
	return 0;
}
