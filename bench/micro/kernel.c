// Enters the kernel: a null system call, round trips through a pipe and a futex, a signal to itself.
#include "bench.h"
#include <linux/futex.h>
#include <pthread.h>

static void null_call(void) { syscall(SYS_getppid); }

static volatile int hits;
static pid_t self;
static void handler(int sig) { hits++; }
static void signal_self(void) { kill(self, SIGUSR1); }

static int to[2], from[2];
static void pipe_trip(void) {
	char c = 0;
	if (write(to[1], &c, 1) != 1 || read(from[0], &c, 1) != 1)
		die("pipe");
}
static void echo(void) {
	char c;
	close(to[1]);
	while (read(to[0], &c, 1) == 1)
		write(from[1], &c, 1);
	_exit(0);
}

static int words[2], turn;

static void wait_for(int *w, int value) {
	while (__atomic_load_n(w, __ATOMIC_ACQUIRE) != value)
		syscall(SYS_futex, w, FUTEX_WAIT_PRIVATE, value - 1, NULL, NULL, 0);
}
static void set(int *w, int value) {
	__atomic_store_n(w, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, w, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
static void *other(void *arg) {
	for (int i = 1;; i++) { // until the process ends
		wait_for(&words[0], i);
		set(&words[1], i);
	}
	return NULL;
}
static void futex_trip(void) {
	turn++;
	set(&words[0], turn);
	wait_for(&words[1], turn);
}

int main(int argc, char **argv) {
	if (argc < 3)
		return 2;
	budget = atof(argv[1]) * 1e6;
	if (!strcmp(argv[2], "null"))
		measure("null", 1000, null_call);
	else if (!strcmp(argv[2], "signal")) {
		signal(SIGUSR1, handler);
		self = getpid();
		measure("signal", 100, signal_self);
		if (hits == 0)
			return 1;
	} else if (!strcmp(argv[2], "pipe")) {
		if (pipe(to) || pipe(from))
			die("pipe");
		if (fork() == 0)
			echo();
		measure("pipe", 100, pipe_trip);
	} else if (!strcmp(argv[2], "futex")) {
		pthread_t t;
		pthread_create(&t, NULL, other, NULL);
		measure("futex", 100, futex_trip);
	} else
		return 2;
	return 0;
}
