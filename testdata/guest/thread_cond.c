// P7: condition variables, barriers, read-write locks, semaphores and once, among threads and among processes.
#include "guest.h"
#include <pthread.h>
#include <semaphore.h>

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, taken = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int slot, full, onces, serial, phase[4];

static void count_once(void) { onces++; }

static void *consumer(void *arg) {
	long sum = 0;
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&m);
		while (!full)
			pthread_cond_wait(&filled, &m);
		sum += slot;
		full = 0;
		pthread_cond_signal(&taken);
		pthread_mutex_unlock(&m);
	}
	return (void *)sum;
}

static void *stepper(void *arg) {
	long id = (long)arg, bad = 0;
	for (int step = 1; step <= 20; step++) {
		pthread_rwlock_wrlock(&rw);
		phase[id] = step;
		pthread_rwlock_unlock(&rw);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			serial++;
		pthread_rwlock_rdlock(&rw);
		for (int i = 0; i < 4; i++)
			bad += phase[i] != step;
		pthread_rwlock_unlock(&rw);
		pthread_barrier_wait(&barrier);
	}
	pthread_once(&once, count_once);
	return (void *)bad;
}

int main(void) {
	pthread_t t, s[4];
	void *v;
	long bad = 0;
	pthread_create(&t, NULL, consumer, NULL);
	for (int i = 1; i <= 500; i++) {
		pthread_mutex_lock(&m);
		while (full)
			pthread_cond_wait(&taken, &m);
		slot = i;
		full = 1;
		pthread_cond_signal(&filled);
		pthread_mutex_unlock(&m);
	}
	pthread_join(t, &v);
	check((long)v == 500 * 501 / 2, "producer and consumer: nothing lost");

	pthread_barrier_init(&barrier, NULL, 4);
	for (long i = 0; i < 4; i++)
		pthread_create(&s[i], NULL, stepper, (void *)i);
	for (int i = 0; i < 4; i++) {
		pthread_join(s[i], &v);
		bad += (long)v;
	}
	check(bad == 0, "barrier: no thread ran ahead");
	check(serial == 20, "barrier: one serial thread a round");
	check(onces == 1, "once ran once");

	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 20 * 1000 * 1000;
	if (ts.tv_nsec >= 1000000000)
		ts.tv_sec++, ts.tv_nsec -= 1000000000;
	pthread_mutex_lock(&m);
	check(pthread_cond_timedwait(&filled, &m, &ts) == ETIMEDOUT, "condition: ETIMEDOUT");
	pthread_mutex_unlock(&m);

	struct { sem_t ping, pong; int n; } *sh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sem_init(&sh->ping, 1, 0);
	sem_init(&sh->pong, 1, 0);
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 100; i++) {
			sem_wait(&sh->ping);
			sh->n++;
			sem_post(&sh->pong);
		}
		_exit(0);
	}
	for (int i = 0; i < 100; i++) {
		sem_post(&sh->ping);
		sem_wait(&sh->pong);
	}
	check(reap(pid) == 0 && sh->n == 100, "semaphores across processes");
	fails(sem_trywait(&sh->ping), EAGAIN, "sem_trywait on zero");
	return done();
}
