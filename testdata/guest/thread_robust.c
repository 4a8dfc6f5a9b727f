// P7: a robust mutex whose owner dies, thread or process, tells the next one EOWNERDEAD; priority inheritance locks work.
#include "guest.h"
#include <pthread.h>

static pthread_mutex_t *m;

static void *take_and_end(void *arg) {
	pthread_mutex_lock(m);
	return NULL;
}

static void init(int protocol) {
	pthread_mutexattr_t a;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&a, protocol);
	pthread_mutex_init(m, &a);
}

int main(void) {
	pthread_t t;
	m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	init(PTHREAD_PRIO_NONE);
	pthread_create(&t, NULL, take_and_end, NULL);
	pthread_join(t, NULL);
	check(pthread_mutex_lock(m) == EOWNERDEAD, "owner thread ended: EOWNERDEAD");
	check(pthread_mutex_consistent(m) == 0, "made consistent");
	check(pthread_mutex_unlock(m) == 0, "unlocked");

	pid_t pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(m);
		kill(getpid(), SIGKILL);
	}
	check(reap(pid) == SIGKILL, "owner process killed");
	check(pthread_mutex_lock(m) == EOWNERDEAD, "owner process dead: EOWNERDEAD");
	pthread_mutex_unlock(m);
	check(pthread_mutex_lock(m) == ENOTRECOVERABLE, "unlocked but not made consistent: ENOTRECOVERABLE");

	// A waiter sleeps in the kernel when the owner dies.
	init(PTHREAD_PRIO_NONE);
	gate g = new_gate();
	if ((pid = fork()) == 0) {
		pthread_mutex_lock(m);
		gate_open(g);
		usleep(30000);
		_exit(0);
	}
	gate_pass(g);
	check(pthread_mutex_lock(m) == EOWNERDEAD, "a sleeping waiter is woken with EOWNERDEAD");
	reap(pid);

	pthread_mutexattr_t a;
	pthread_mutex_t pi;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	check(pthread_mutex_init(&pi, &a) == 0, "mutex with priority inheritance");
	check(pthread_mutex_lock(&pi) == 0 && pthread_mutex_unlock(&pi) == 0, "lock and unlock it");
	return done();
}
