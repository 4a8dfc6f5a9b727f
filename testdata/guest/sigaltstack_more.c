// G1: the alternate stack: not to be changed while in use, inherited by fork, dropped by exec and by new threads, SS_AUTODISARM, nesting.
#include "guest.h"
#include <pthread.h>
#include <ucontext.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static char alt[65536];
static stack_t during;
static int change_errno, on, depth, same;
static char *first;

static void look(int sig) {
	char here;
	sigaltstack(NULL, &during);
	on = &here >= alt && &here < alt + sizeof alt;
	stack_t other = {.ss_sp = alt, .ss_size = sizeof alt};
	change_errno = sigaltstack(&other, NULL) == -1 ? errno : 0;
}
static void nest(int sig) {
	char here;
	if (depth++ == 0) {
		first = &here;
		raise(sig);
		return;
	}
	// A nested handler goes on below, it does not start at the top again.
	same = &here < first && &here > alt;
}
static void context(int sig, siginfo_t *si, void *ctx) { during = ((ucontext_t *)ctx)->uc_stack; }

static void act(void *f, int flags) {
	struct sigaction sa = {.sa_sigaction = (void (*)(int, siginfo_t *, void *))f, .sa_flags = flags};
	sigaction(SIGUSR1, &sa, NULL);
}
static void *thread(void *arg) {
	sigaltstack(NULL, &during);
	return NULL;
}

int main(int argc, char **argv) {
	if (argc > 1) {
		sigaltstack(NULL, &during);
		return during.ss_flags == SS_DISABLE ? 0 : 1;
	}
	stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
	sigaltstack(NULL, &during);
	check(during.ss_flags == SS_DISABLE, "at the start there is none");
	sigaltstack(&ss, NULL);
	act(look, SA_ONSTACK);
	raise(SIGUSR1);
	check(on && during.ss_flags == SS_ONSTACK, "in the handler: SS_ONSTACK");
	check(change_errno == EPERM, "and it cannot be changed: EPERM");
	act(nest, SA_ONSTACK | SA_NODEFER);
	raise(SIGUSR1);
	check(depth == 2 && same, "a nested handler goes on below on the same stack");
	act(context, SA_ONSTACK | SA_SIGINFO);
	raise(SIGUSR1);
	check(during.ss_sp == alt && during.ss_size == sizeof alt, "uc_stack tells it");
	ss.ss_flags = SS_AUTODISARM;
	check(sigaltstack(&ss, NULL) == 0, "SS_AUTODISARM");
	act(look, SA_ONSTACK);
	raise(SIGUSR1);
	check(on && during.ss_flags == SS_DISABLE && change_errno == 0, "in the handler it is disarmed and may be changed");
	sigaltstack(NULL, &during);
	check(during.ss_sp == alt && during.ss_flags == 0, "after it: what the handler set, for it is on it");
	ss.ss_flags = SS_AUTODISARM;
	sigaltstack(&ss, NULL);
	act(context, SA_ONSTACK | SA_SIGINFO);
	raise(SIGUSR1);
	sigaltstack(NULL, &during);
	check(during.ss_sp == alt && (unsigned)during.ss_flags == SS_AUTODISARM, "a handler that leaves it alone: it is armed again");
	ss.ss_flags = SS_ONSTACK;
	check(syscall(SYS_sigaltstack, &ss, NULL) == 0, "SS_ONSTACK as a flag is taken");
	pid_t pid = fork();
	if (pid == 0) {
		sigaltstack(NULL, &during);
		_exit(during.ss_sp == alt && during.ss_flags == 0 ? 0 : 1);
	}
	check(reap(pid) == 0, "fork: the child has it");
	if ((pid = fork()) == 0) {
		execl("/proc/self/exe", argv[0], "after", NULL);
		_exit(127);
	}
	check(reap(pid) == 0, "exec: it is gone");
	pthread_t t;
	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	check(during.ss_flags == SS_DISABLE, "a new thread has none");
	stack_t off = {.ss_flags = SS_DISABLE};
	sigaltstack(&off, &during);
	check(during.ss_sp == alt, "SS_DISABLE, with the old one told");
	act(look, SA_ONSTACK);
	raise(SIGUSR1);
	check(!on, "then handlers run on the plain stack");
	return done();
}
