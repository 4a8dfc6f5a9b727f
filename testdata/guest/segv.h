// Catching faults: fault() runs an access and reports the signal it raised.
#include "guest.h"
#include <setjmp.h>

static sigjmp_buf fault_back;
static siginfo_t fault_info;

static void fault_handler(int sig, siginfo_t *si, void *ctx) {
	fault_info = *si;
	siglongjmp(fault_back, sig);
}

static inline void catch_faults(void) {
	struct sigaction sa = {.sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	for (const int *s = (int[]){SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, 0}; *s; s++)
		sigaction(*s, &sa, NULL);
}

// FAULT is the signal that the statement raised, or 0.
#define FAULT(statement) ({ int sig_ = sigsetjmp(fault_back, 1); if (!sig_) { statement; } sig_; })

#define POKE(p) FAULT(*(volatile char *)(p) = 1)
#define PEEK(p) FAULT((void)*(volatile char *)(p))
#define CALL(p) FAULT(((void (*)(void))(p))())

// faulted checks signal, code and address of the last fault.
static inline void faulted(int sig, int want, int code, const void *addr, const char *what) {
	check(sig == want, "%s: signal %d", what, want);
	check(fault_info.si_code == code, "%s: si_code %d", what, code);
	check(fault_info.si_addr == addr, "%s: si_addr", what);
	memset(&fault_info, 0, sizeof fault_info);
}
