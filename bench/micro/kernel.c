// Enters the kernel: a null system call, round trips through a pipe and a futex, a signal to itself.
#include "bench.h"
#include <linux/futex.h>
#include <pthread.h>

static volatile int hits;
static void handler(int sig) { hits++; }

static int words[2];

static void wait_for(int *w, int value) {
	while (__atomic_load_n(w, __ATOMIC_ACQUIRE) != value)
		syscall(SYS_futex, w, FUTEX_WAIT_PRIVATE, value - 1, NULL, NULL, 0);
}
static void set(int *w, int value) {
	__atomic_store_n(w, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, w, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
static void *other(void *arg) {
	for (int i = 1; i <= (int)(long)arg; i++) {
		wait_for(&words[0], i);
		set(&words[1], i);
	}
	return NULL;
}

int main(int argc, char **argv) {
	if (argc < 3)
		return 2;
	int n = atoi(argv[2]);
	double t0 = 0;
	if (!strcmp(argv[1], "null")) {
		t0 = now_ns();
		for (int i = 0; i < n; i++)
			syscall(SYS_getppid);
	} else if (!strcmp(argv[1], "signal")) {
		signal(SIGUSR1, handler);
		pid_t pid = getpid();
		t0 = now_ns();
		for (int i = 0; i < n; i++)
			kill(pid, SIGUSR1);
		if (hits != n)
			return 1;
	} else if (!strcmp(argv[1], "pipe")) {
		int a[2], b[2];
		char c = 0;
		pipe(a);
		pipe(b);
		pid_t pid = fork();
		if (pid == 0) {
			close(a[1]);
			while (read(a[0], &c, 1) == 1)
				write(b[1], &c, 1);
			_exit(0);
		}
		t0 = now_ns();
		for (int i = 0; i < n; i++) {
			write(a[1], &c, 1);
			read(b[0], &c, 1);
		}
	} else if (!strcmp(argv[1], "futex")) {
		pthread_t t;
		pthread_create(&t, NULL, other, (void *)(long)n);
		t0 = now_ns();
		for (int i = 1; i <= n; i++) {
			set(&words[0], i);
			wait_for(&words[1], i);
		}
	} else
		return 2;
	report(argv[1], (now_ns() - t0) / n);
	return 0;
}
