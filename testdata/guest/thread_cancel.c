// P7: cancellation: deferred at a cancellation point, asynchronous, disabled; cleanup handlers run.
#include "guest.h"
#include <pthread.h>

static int cleaned;
static gate ready, go;

static void cleanup(void *arg) { cleaned += (int)(long)arg; }

static void *blocked_in_read(void *arg) {
	char c;
	pthread_cleanup_push(cleanup, (void *)1);
	gate_open(ready);
	read(go.r, &c, 1);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *spinning(void *arg) {
	pthread_cleanup_push(cleanup, (void *)10);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	gate_open(ready);
	for (volatile int i = 0;; i++)
		;
	pthread_cleanup_pop(0);
	return NULL;
}

static void *disabled(void *arg) {
	pthread_cleanup_push(cleanup, (void *)100);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	gate_open(ready);
	gate_pass(go);
	cleaned += 1000;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_testcancel();
	cleaned += 100000;
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancel(const char *what, void *(*f)(void *), int open) {
	pthread_t t;
	void *v;
	pthread_create(&t, NULL, f, NULL);
	gate_pass(ready);
	check(pthread_cancel(t) == 0, "%s: cancel", what);
	if (open)
		gate_open(go);
	pthread_join(t, &v);
	check(v == PTHREAD_CANCELED, "%s: joined as cancelled", what);
}

int main(void) {
	ready = new_gate();
	go = new_gate();
	cancel("blocked in read", blocked_in_read, 0);
	check(cleaned == 1, "its cleanup handler ran");
	cancel("spinning", spinning, 0);
	check(cleaned == 11, "its cleanup handler ran");
	cancel("disabled", disabled, 1);
	check(cleaned == 1111, "it ran to its test point, then its handler");
	return done();
}
