// P7: futexes with priority inheritance: the word holds the owner's tid, the kernel hands the lock over, sets WAITERS, OWNER_DIED, and finds deadlocks.
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>

static int word, two, cond;
static volatile int got, stage;

static long futex(int *w, int op, long val, void *timeout, int *w2, long val3) {
	return syscall(SYS_futex, w, op, val, timeout, w2, val3);
}
static int tid(void) { return syscall(SYS_gettid); }
static void lock(int *w) {
	int zero = 0;
	if (!__atomic_compare_exchange_n(w, &zero, tid(), 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		while (futex(w, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == -1 && errno == EINTR)
			;
}
static void unlock(int *w) {
	int mine = tid();
	if (!__atomic_compare_exchange_n(w, &mine, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		futex(w, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
}

static void *waiter(void *arg) {
	lock(&word);
	got = (word & FUTEX_TID_MASK) == tid();
	unlock(&word);
	return NULL;
}
static void *crossing(void *arg) {
	lock(&two);
	stage = 1;
	lock(&word);
	unlock(&word);
	unlock(&two);
	return NULL;
}
static void *dies(void *arg) {
	lock(&word);
	return NULL; // without unlocking, and on no robust list
}
static void *on_condition(void *arg) {
	long r = futex(&cond, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &word, 0);
	got = r == 0 && (word & FUTEX_TID_MASK) == tid();
	unlock(&word);
	return NULL;
}

int main(void) {
	pthread_t t;
	lock(&word);
	check(word == tid(), "locked without a call: the word is the tid");
	fails(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK, "locking it again");
	pthread_create(&t, NULL, waiter, NULL);
	while (!(__atomic_load_n(&word, __ATOMIC_SEQ_CST) & FUTEX_WAITERS))
		usleep(500);
	check(word == (tid() | (int)FUTEX_WAITERS), "a waiter sets FUTEX_WAITERS");
	check(got == 0, "and waits");
	unlock(&word);
	pthread_join(t, NULL);
	check(got == 1, "unlock hands the lock to the waiter: the word has its tid");
	check(word == 0, "with the last one gone the word is 0");
	check(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0) == 0 && (word & FUTEX_TID_MASK) == tid(), "TRYLOCK_PI of a free lock");
	struct timespec past = {1, 0};
	fails(futex(&two, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM, "unlocking what is not held");

	// A circle: this thread holds word, the other holds two and waits for word.
	stage = 0;
	pthread_create(&t, NULL, crossing, NULL);
	while (!(__atomic_load_n(&word, __ATOMIC_SEQ_CST) & FUTEX_WAITERS))
		usleep(500);
	fails(futex(&two, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK, "a circle of two locks");
	fails(futex(&two, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN, "TRYLOCK_PI of a held lock");
	unlock(&word);
	pthread_join(t, NULL);

	pthread_create(&t, NULL, waiter, NULL);
	pthread_join(t, NULL);
	lock(&word);
	pid_t pid = fork();
	if (pid == 0) {
		// Private memory: the child's copy of the word names a thread that is not the child.
		_exit(0);
	}
	reap(pid);
	unlock(&word);

	// A timeout is absolute and on the real-time clock.
	int *sh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	gate up = new_gate(), down = new_gate();
	if ((pid = fork()) == 0) {
		lock(sh);
		gate_open(up);
		gate_pass(down);
		unlock(sh);
		_exit(0);
	}
	gate_pass(up);
	fails(futex(sh, FUTEX_LOCK_PI, 0, &past, NULL, 0), ETIMEDOUT, "LOCK_PI with a time that is over");
	gate_open(down);
	lock(sh);
	check((*sh & FUTEX_TID_MASK) == tid(), "between processes: the lock is handed over");
	reap(pid);
	unlock(sh);

	// Requeue from a condition to the lock.
	lock(&word);
	got = 0;
	pthread_create(&t, NULL, on_condition, NULL);
	long r = 0;
	for (int i = 0; i < 20000 && r < 1; i++) {
		r = futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, (void *)0L, &word, 0);
		if (r == -1)
			break;
		usleep(500);
	}
	check(r == 1, "CMP_REQUEUE_PI moves the waiter to the lock");
	check(got == 0, "which this thread holds");
	unlock(&word);
	pthread_join(t, NULL);
	check(got == 1, "unlocked, the waiter has it");
	pthread_create(&t, NULL, dies, NULL);
	pthread_join(t, NULL);
	fails(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH, "a lock whose owner is no more");
	return done();
}
