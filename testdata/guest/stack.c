// M5: the stack grows on demand to its limit; overflow is SIGSEGV, caught on the alternate stack, or the end of the process.
#include "segv.h"

static volatile char *deepest;

__attribute__((noinline)) static int dive(int depth) {
	volatile char frame[1024];
	frame[0] = depth;
	deepest = frame;
	return depth <= 0 ? frame[0] : dive(depth - 1) + frame[0];
}

static void endless(void) {
	dive(1 << 30);
}

int main(void) {
	char here;
	struct rlimit l = {1 << 20, RLIM_INFINITY};
	getrlimit(RLIMIT_STACK, &l);
	l.rlim_cur = 1 << 20;
	must(setrlimit(RLIMIT_STACK, &l), "setrlimit");
	dive(500);
	check(&here - deepest > 500 * 1024, "half a megabyte of stack by recursion");

	static char alt[65536];
	stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
	sigaltstack(&ss, NULL);
	catch_faults();
	int sig = FAULT(endless());
	check(sig == SIGSEGV, "overflow is SIGSEGV");
	check(fault_info.si_code == SEGV_MAPERR, "si_code SEGV_MAPERR");
	long used = &here - (char *)fault_info.si_addr;
	check(used > 1000 * 1024 && used < (1 << 20) + 65536, "at the limit of one megabyte");
	check(dive(100) != 1, "the stack is good after it");

	signal(SIGSEGV, SIG_DFL);
	pid_t pid = fork();
	if (pid == 0)
		endless();
	int status = reap(pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "without a handler it kills");
	stack_t off = {.ss_flags = SS_DISABLE};
	sigaltstack(&off, NULL);
	catch_faults();
	if ((pid = fork()) == 0)
		endless();
	status = reap(pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "a handler with no stack to run on does not help");
	return done();
}
