// P7: futex by hand: WAKE_OP, CMP_REQUEUE, bit sets that select, absolute timeouts, FUTEX_WAIT across fork and mapping of a file.
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>

static int a, b, woken_a, woken_b, ready;

static long futex(int *w, int op, long val, void *timeout, int *w2, long val3) {
	return syscall(SYS_futex, w, op, val, timeout, w2, val3);
}

static void *wait_a(void *arg) {
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	while (futex(&a, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == -1 && errno == EINTR)
		;
	__atomic_add_fetch(&woken_a, 1, __ATOMIC_SEQ_CST);
	return NULL;
}
static void *wait_bits(void *arg) {
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	while (futex(&b, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (long)arg) == -1 && errno == EINTR)
		;
	__atomic_add_fetch(&woken_b, (int)(long)arg, __ATOMIC_SEQ_CST);
	return NULL;
}

// wake_all wakes until so many have been woken by this call.
static int wake(int *w, int op, long n, int *w2, long bits, int want) {
	int got = 0;
	for (int i = 0; i < 20000 && got < want; i++) {
		long r = futex(w, op, n - got, NULL, w2, bits);
		got += r > 0 ? r : 0;
		if (got < want)
			usleep(500);
	}
	return got;
}

int main(void) {
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, wait_bits, (void *)(1L << i));
	check(wake(&b, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, 4, 1) == 1, "a bit set wakes the waiter whose set it meets");
	while (woken_b != 4)
		usleep(500);
	check(woken_b == 4, "it was the third");
	check(wake(&b, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, 1 | 2, 2) == 2, "two bits wake two");
	check(wake(&b, FUTEX_WAKE_PRIVATE, 9, NULL, 0, 1) == 1, "a plain wake meets every set");
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	check(woken_b == 15, "all four went on");

	// WAKE_OP: change the second word, wake the first, and the second if its old value compares.
	int old = FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 10);
	int second = 10;
	check(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &second, old) == 0 && second == 15, "WAKE_OP: ADD");
	futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &second, FUTEX_OP(FUTEX_OP_SET, 3, FUTEX_OP_CMP_LT, 0));
	check(second == 3, "WAKE_OP: SET");
	futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &second, FUTEX_OP(FUTEX_OP_OR, 12, FUTEX_OP_CMP_LT, 0));
	check(second == 15, "WAKE_OP: OR");
	futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &second, FUTEX_OP(FUTEX_OP_ANDN, 5, FUTEX_OP_CMP_LT, 0));
	check(second == 10, "WAKE_OP: ANDN");
	futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &second, FUTEX_OP(FUTEX_OP_XOR, 3, FUTEX_OP_CMP_LT, 0));
	check(second == 9, "WAKE_OP: XOR");
	futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &second, FUTEX_OP((FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT), 4, FUTEX_OP_CMP_LT, 0));
	check(second == 16, "WAKE_OP: OPARG_SHIFT");

	pthread_create(&t[0], NULL, wait_a, NULL);
	pthread_create(&t[1], NULL, wait_a, NULL);
	int other = 0, moved = 0;
	while (moved < 2) {
		long r = futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)9L, &other, 0);
		moved += r > 0 ? r : 0;
		usleep(500);
	}
	check(moved == 2 && woken_a == 0, "CMP_REQUEUE moves two");
	check(futex(&a, FUTEX_WAKE_OP_PRIVATE, 9, (void *)1L, &other, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_GE, 1)) == 0, "WAKE_OP: 0 is not >= 1: the second word's waiters sleep on");
	check(futex(&a, FUTEX_WAKE_OP_PRIVATE, 9, (void *)1L, &other, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0)) == 1, "WAKE_OP: 0 == 0: one of them is woken");
	check(futex(&other, FUTEX_REQUEUE_PRIVATE, 1, (void *)9L, &a, 0) == 1, "REQUEUE counts the woken");
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);

	// Absolute times: in the past they are over at once, on either clock.
	struct timespec ts = {1, 0};
	fails(futex(&a, FUTEX_WAIT_BITSET_PRIVATE, 0, &ts, NULL, -1), ETIMEDOUT, "WAIT_BITSET until the first second of the monotonic clock");
	fails(futex(&a, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &ts, NULL, -1), ETIMEDOUT, "and of the real-time clock");

	// A futex in a file: its place is the file's, whatever process maps it and where.
	int fd = must(open("futexfile", O_RDWR | O_CREAT | O_TRUNC, 0600), "open");
	ftruncate(fd, PAGE);
	int *f = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pid_t pid = fork();
	if (pid == 0) {
		munmap(f, PAGE);
		int *g = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, open("futexfile", O_RDWR), 0);
		while (*(volatile int *)g == 0)
			futex(g, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(*g);
	}
	usleep(2000);
	*f = 8;
	int status = 0;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		futex(f, FUTEX_WAKE, 1, NULL, NULL, 0);
		usleep(500);
	}
	check(status == 0x800, "a futex in a shared file mapping");
	// A private futex of the same address in another process is another futex.
	f[1] = 0;
	if ((pid = fork()) == 0) {
		ts = (struct timespec){0, 30000000};
		_exit(futex(&f[1], FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0) == -1 && errno == ETIMEDOUT ? 0 : 1);
	}
	for (int i = 0; i < 5; i++) {
		futex(&f[1], FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0);
		usleep(2000);
	}
	check(reap(pid) == 0, "FUTEX_PRIVATE_FLAG keeps processes apart");
	unlink("futexfile");
	return done();
}
