// G1: SA_SIGINFO, SA_NODEFER, SA_RESETHAND, SA_ONSTACK and sa_mask; the mask during a handler and after it.
#include "guest.h"
#include <ucontext.h>

// Volatile: the compiler takes raise for a function that calls nothing back.
static volatile int depth, deepest, runs;
static sigset_t inside;
static siginfo_t info;
static char *at;

static void nest(int sig) {
	runs++;
	if (++depth > deepest)
		deepest = depth;
	if (runs < 4)
		raise(sig);
	depth--;
}
static void look(int sig, siginfo_t *si, void *ctx) {
	char here;
	at = &here;
	info = *si;
	sigprocmask(SIG_BLOCK, NULL, &inside);
}
static void change(int sig, siginfo_t *si, void *ctx) {
	sigaddset(&((ucontext_t *)ctx)->uc_sigmask, SIGWINCH);
}

static void act(int sig, void *f, int flags, int masked) {
	struct sigaction sa = {.sa_sigaction = (void (*)(int, siginfo_t *, void *))f, .sa_flags = flags};
	sigemptyset(&sa.sa_mask);
	if (masked)
		sigaddset(&sa.sa_mask, masked);
	must(sigaction(sig, &sa, NULL), "sigaction");
}

int main(void) {
	struct sigaction sa;
	sigset_t set;
	act(SIGUSR1, nest, 0, 0);
	raise(SIGUSR1);
	check(runs == 4 && deepest == 1, "by default a handler does not interrupt itself");
	runs = deepest = 0;
	act(SIGUSR1, nest, SA_NODEFER, 0);
	raise(SIGUSR1);
	check(runs == 4 && deepest == 4, "SA_NODEFER: it does");
	runs = deepest = 0;
	act(SIGUSR1, look, SA_RESETHAND | SA_SIGINFO, 0);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &sa);
	check(sa.sa_handler == SIG_DFL, "SA_RESETHAND: back to the default");

	act(SIGUSR1, look, SA_SIGINFO, SIGHUP);
	kill(getpid(), SIGUSR1);
	check(info.si_signo == SIGUSR1 && info.si_code == SI_USER && info.si_pid == getpid() && info.si_uid == getuid(), "SA_SIGINFO: from kill");
	check(sigismember(&inside, SIGUSR1) && sigismember(&inside, SIGHUP) && !sigismember(&inside, SIGINT), "in the handler: sa_mask and itself are blocked");
	sigprocmask(SIG_BLOCK, NULL, &set);
	check(!sigismember(&set, SIGUSR1) && !sigismember(&set, SIGHUP), "after it: as before");
	raise(SIGUSR1);
	check(info.si_code == SI_TKILL, "from raise: SI_TKILL");
	sigaction(SIGUSR1, NULL, &sa);
	check(sa.sa_flags & SA_SIGINFO && sigismember(&sa.sa_mask, SIGHUP), "sigaction tells what was set");

	static char alt[65536];
	stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt}, old;
	must(sigaltstack(&ss, NULL), "sigaltstack");
	act(SIGUSR1, look, SA_SIGINFO | SA_ONSTACK, 0);
	raise(SIGUSR1);
	check(at >= alt && at < alt + sizeof alt, "SA_ONSTACK: on the alternate stack");
	act(SIGUSR1, look, SA_SIGINFO, 0);
	raise(SIGUSR1);
	check(at < alt || at >= alt + sizeof alt, "without it: on the plain one");
	sigaltstack(NULL, &old);
	check(old.ss_sp == alt && old.ss_flags == 0, "sigaltstack tells it");
	ss.ss_size = 100;
	fails(sigaltstack(&ss, NULL), ENOMEM, "an alternate stack too small");
	ss.ss_flags = 99;
	fails(sigaltstack(&ss, NULL), EINVAL, "sigaltstack with unknown flags");

	act(SIGUSR2, change, SA_SIGINFO, 0);
	raise(SIGUSR2);
	sigprocmask(SIG_BLOCK, NULL, &set);
	check(sigismember(&set, SIGWINCH), "a handler can change the mask to which it returns");

	fails(sigaction(SIGKILL, &sa, NULL), EINVAL, "handler for SIGKILL");
	fails(sigaction(SIGSTOP, &sa, NULL), EINVAL, "handler for SIGSTOP");
	fails(sigaction(0, &sa, NULL), EINVAL, "handler for 0");
	fails(sigaction(65, &sa, NULL), EINVAL, "handler for 65");
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigprocmask(SIG_SETMASK, NULL, &set);
	check(!sigismember(&set, SIGKILL) && !sigismember(&set, SIGSTOP), "SIGKILL and SIGSTOP cannot be blocked");
	sigemptyset(&set);
	fails(syscall(SYS_rt_sigprocmask, 9, &set, NULL, 8), EINVAL, "sigprocmask with how 9");
	fails(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL, "sigprocmask with a small set");
	// Setting a pending signal to ignored drops it.
	raise(SIGURG);
	act(SIGUSR1, look, SA_SIGINFO, 0);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	sigpending(&set);
	check(!sigismember(&set, SIGUSR1), "a pending signal that becomes ignored is dropped");
	return done();
}
