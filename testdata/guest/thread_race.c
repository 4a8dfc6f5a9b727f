// P7: a counter without a lock really loses increments; with an atomic instruction, a mutex or a futex lock it never does.
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>

enum { THREADS = 4 };
static volatile long plain, atomic_sum, mutex_sum, futex_sum;
static int word; // 0 free, 1 held, 2 held and waited for
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static int rounds;

static void lock(void) {
	int c = 0;
	if (__atomic_compare_exchange_n(&word, &c, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(&word, 2, __ATOMIC_ACQUIRE) != 0)
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}
static void unlock(void) {
	if (__atomic_exchange_n(&word, 0, __ATOMIC_RELEASE) == 2)
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *race(void *arg) {
	for (int i = 0; i < rounds; i++)
		plain = plain + 1;
	return NULL;
}
static void *safe(void *arg) {
	for (int i = 0; i < 20000; i++) {
		__atomic_add_fetch(&atomic_sum, 1, __ATOMIC_RELAXED);
		pthread_mutex_lock(&m);
		mutex_sum = mutex_sum + 1;
		pthread_mutex_unlock(&m);
		lock();
		futex_sum = futex_sum + 1;
		unlock();
	}
	return NULL;
}

static void all(void *(*f)(void *)) {
	pthread_t t[THREADS];
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, f, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

int main(void) {
	long lost = 0;
	for (int i = 0; i < 200 && !lost; i++) {
		plain = 0;
		rounds = 100000 << (i / 20);
		all(race);
		lost = (long)THREADS * rounds - plain;
	}
	check(lost > 0, "without a lock increments are lost");
	all(safe);
	check(atomic_sum == THREADS * 20000, "atomic: %ld", atomic_sum);
	check(mutex_sum == THREADS * 20000, "mutex: %ld", mutex_sum);
	check(futex_sum == THREADS * 20000, "futex lock: %ld", futex_sum);
	return done();
}
