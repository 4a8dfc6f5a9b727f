// P7: futex: EAGAIN on another value, timeouts, counts of the woken, requeue, bit sets, private and shared.
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>

static int word, other;
static int woken;

static long futex(int *w, int op, int val, void *timeout, int *w2, int val3) {
	return syscall(SYS_futex, w, op, val, timeout, w2, val3);
}

static void *waiter(void *arg) {
	while (futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == -1 && errno == EINTR)
		;
	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

int main(void) {
	struct timespec ms = {0, 2000000};
	word = 1;
	fails(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EAGAIN, "wait for a value that is not there");
	word = 0;
	fails(futex(&word, FUTEX_WAIT_PRIVATE, 0, &ms, NULL, 0), ETIMEDOUT, "wait with a timeout");
	fails(futex((int *)((char *)&word + 1), FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINVAL, "wait on an odd address");
	fails(futex(NULL, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT, "wait on NULL");
	fails(futex(&word, 99, 0, NULL, NULL, 0), ENOSYS, "unknown operation");
	fails(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0), EINVAL, "empty bit set");
	ms.tv_nsec = 1000000000;
	fails(futex(&word, FUTEX_WAIT_PRIVATE, 0, &ms, NULL, 0), EINVAL, "a timeout of a second in nanoseconds");
	check(futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0) == 0, "wake with no waiter is 0");

	pthread_t t[5];
	for (int i = 0; i < 5; i++)
		pthread_create(&t[i], NULL, waiter, NULL);
	// Moving waiters to and fro counts them, so nothing is left to chance.
	int there = 0;
	while (there < 5) {
		long moved = futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)100L, &other, 0);
		there += moved > 0 ? moved : 0;
		usleep(500);
	}
	check(woken == 0 && there == 5, "requeue moved all five, and woke none");
	check(futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0) == 0, "none waits at the old word");
	fails(futex(&other, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1L, &word, 7), EAGAIN, "requeue with another value");
	check(futex(&other, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0) == 2, "wake two");
	check(futex(&other, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 4) == 1, "a plain waiter matches each bit");
	check(futex(&other, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0) == 2, "wake the rest: two");
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	check(woken == 5, "all five went on");

	// Between processes the futex is the memory, wherever it is mapped.
	int *a = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	if (pid == 0) {
		int *b = mremap(a, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)a + 64 * PAGE);
		while (*(volatile int *)b == 0)
			futex(b, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(*b);
	}
	*a = 9;
	while (waitpid(pid, &word, WNOHANG) == 0) {
		futex(a, FUTEX_WAKE, 1, NULL, NULL, 0);
		usleep(1000);
	}
	check(word == 0x900, "a shared futex works across processes and addresses");
	return done();
}
