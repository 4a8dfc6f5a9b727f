// Makes processes: fork at a size, copy-on-write faults, exec, spawn, threads.
#include "bench.h"
#include <pthread.h>
#include <spawn.h>

extern char **environ;

static void do_fork(long mb, int n) {
	const int warm = 20; // rounds that are not counted: caches, and code that is translated
	touched(mb);
	double call = 0, all = 0;
	for (int i = -warm; i < n; i++) {
		if (i == 0)
			call = all = 0;
		double t0 = now_ns();
		pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		double t1 = now_ns();
		waitpid(pid, NULL, 0);
		all += now_ns() - t0;
		call += t1 - t0;
	}
	report("call", call / n);
	report("wait", all / n);
}

static void do_cow(int pages) {
	char *m = touched(pages * 4096L >> 20);
	double t = 0;
	for (int round = 0; round < 3; round++) {
		pid_t pid = fork();
		if (pid == 0) {
			pause();
			_exit(0);
		}
		double t0 = now_ns();
		for (int i = 0; i < pages; i++)
			m[i * 4096L] = 2;
		t += now_ns() - t0;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	report("cow", t / 3 / pages);
}

static void do_touch(int pages) {
	double t0 = now_ns();
	touched(pages * 4096L >> 20);
	report("touch", (now_ns() - t0) / pages);
}

static void do_exec(const char *how, int n, char **child) {
	double t0 = now_ns();
	for (int i = 0; i < n; i++) {
		pid_t pid;
		if (!strcmp(how, "spawn")) {
			if (posix_spawn(&pid, child[0], NULL, NULL, child, environ))
				exit(1);
		} else if ((pid = !strcmp(how, "vfork") ? vfork() : fork()) == 0) {
			execv(child[0], child);
			_exit(127);
		}
		int status;
		waitpid(pid, &status, 0);
		if (status)
			exit(1);
	}
	report(how, (now_ns() - t0) / n);
}

static void *nothing(void *arg) { return arg; }

static void do_thread(int n) {
	double t0 = now_ns();
	for (int i = 0; i < n; i++) {
		pthread_t t;
		pthread_create(&t, NULL, nothing, NULL);
		pthread_join(t, NULL);
	}
	report("thread", (now_ns() - t0) / n);
}

// do_memory tells its reader the stages of a fork, and waits for a line between them.
static void do_memory(long mb) {
	char *m = touched(mb);
	char c;
	puts("touched");
	fflush(stdout);
	read(0, &c, 1);
	int go[2];
	pipe(go);
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
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 1;
	if (!strcmp(what, "nothing"))
		return 0;
	else if (!strcmp(what, "fork"))
		do_fork(atol(argv[3]), n);
	else if (!strcmp(what, "cow"))
		do_cow(n);
	else if (!strcmp(what, "touch"))
		do_touch(n);
	else if (!strcmp(what, "thread"))
		do_thread(n);
	else if (!strcmp(what, "memory"))
		do_memory(n);
	else if (argc > 3)
		do_exec(what, n, argv + 3);
	else
		return 2;
	return 0;
}
