// P7: a counter under a mutex never loses an increment; atomics and spin locks neither; join gives the thread's value.
#include "guest.h"
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 5000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_spinlock_t spin;
static long by_mutex, by_spin, by_atomic;

static void *work(void *arg) {
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		by_mutex++;
		pthread_mutex_unlock(&mutex);
		pthread_spin_lock(&spin);
		by_spin++;
		pthread_spin_unlock(&spin);
		__atomic_add_fetch(&by_atomic, 1, __ATOMIC_RELAXED);
	}
	return (void *)((long)arg * 10);
}

int main(void) {
	pthread_t t[THREADS];
	long sum = 0;
	pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
	for (long i = 0; i < THREADS; i++)
		check(pthread_create(&t[i], NULL, work, (void *)i) == 0, "thread %ld made", i);
	for (int i = 0; i < THREADS; i++) {
		void *v;
		pthread_join(t[i], &v);
		sum += (long)v;
	}
	check(sum == 60, "join gave each thread's value");
	check(by_mutex == THREADS * ROUNDS, "mutex: %ld", by_mutex);
	check(by_spin == THREADS * ROUNDS, "spin lock: %ld", by_spin);
	check(by_atomic == THREADS * ROUNDS, "atomic: %ld", by_atomic);

	pthread_mutexattr_t a;
	pthread_mutex_t m;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&m, &a);
	pthread_mutex_lock(&m);
	check(pthread_mutex_lock(&m) == EDEADLK, "error-checking mutex: EDEADLK");
	pthread_mutex_unlock(&m);
	check(pthread_mutex_unlock(&m) == EPERM, "error-checking mutex: EPERM");
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&m, &a);
	pthread_mutex_lock(&m);
	check(pthread_mutex_lock(&m) == 0, "recursive mutex");
	struct timespec past = {1, 0};
	pthread_mutex_t n = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_lock(&n);
	check(pthread_mutex_timedlock(&n, &past) == ETIMEDOUT, "timed lock: ETIMEDOUT");
	return done();
}
