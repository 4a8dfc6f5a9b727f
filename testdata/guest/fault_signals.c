// E2: what the processor refuses becomes SIGFPE, SIGILL, SIGTRAP, SIGSEGV or SIGBUS with its si_code; unhandled it kills.
#include "segv.h"

static volatile int zero, one = 1, min = INT_MIN;
static volatile int64_t min64 = INT64_MIN;

__attribute__((noinline)) static int divide(int a, int b) {
	int q;
	__asm__ volatile("cltd; idivl %2" : "=a"(q) : "0"(a), "r"(b) : "rdx", "cc");
	return q;
}
__attribute__((noinline)) static int64_t divide64(int64_t a, int64_t b) {
	int64_t q;
	__asm__ volatile("cqto; idivq %2" : "=a"(q) : "0"(a), "r"(b) : "rdx", "cc");
	return q;
}

static void code(int got, int sig, int code, int has_addr, const char *what) {
	check(got == sig && fault_info.si_code == code, "%s: signal %d, si_code %d", what, sig, code);
	check((fault_info.si_addr != NULL) == has_addr, "%s: %s", what, has_addr ? "with an address" : "no address");
}

static void dies(void (*f)(void), int sig, const char *what) {
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit l = {0, 0};
		setrlimit(RLIMIT_CORE, &l);
		for (int s = 1; s < 32; s++)
			signal(s, SIG_DFL);
		f();
		_exit(0);
	}
	int status = reap(pid);
	check(status == sig, "%s: dies of %d", what, sig);
}

static void by_zero(void) { divide(one, zero); }
static void illegal(void) { __asm__ volatile("ud2"); }
static void trap(void) { __asm__ volatile("int3"); }
static int *volatile nowhere;
static void null(void) { *(volatile int *)nowhere = 1; }
static void halt(void) { __asm__ volatile("hlt"); }
static void aborts(void) { abort(); }
static void blocked(void) {
	// A fault whose signal is blocked or ignored kills all the same.
	sigset_t set;
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	null();
}
static void ignored(void) {
	signal(SIGSEGV, SIG_IGN);
	null();
}

// The alignment check is off until a program turns it on in the flags; the
// handler is entered with it on.
static void bus_handler(int sig, siginfo_t *si, void *ctx) {
	__asm__ volatile("pushf; andl $~0x40000, (%%rsp); popf" ::: "cc", "memory");
	fault_handler(sig, si, ctx);
}

static void alignment(void) {
	static char a[16] __attribute__((aligned(16)));
	struct sigaction sa = {.sa_sigaction = bus_handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGBUS, &sa, NULL);
	int sig = FAULT(__asm__ volatile("pushf; orl $0x40000, (%%rsp); popf; movl 1(%0), %%eax; pushf; andl $~0x40000, (%%rsp); popf" ::"r"(a) : "eax", "cc", "memory"));
	code(sig, SIGBUS, BUS_ADRALN, 0, "an odd address with the alignment check on");
}

int main(void) {
	catch_faults();
	code(FAULT(divide(one, zero)), SIGFPE, FPE_INTDIV, 1, "divide by zero");
	code(FAULT(divide(min, -1)), SIGFPE, FPE_INTDIV, 1, "INT_MIN / -1");
	code(FAULT(divide64(min64, -1)), SIGFPE, FPE_INTDIV, 1, "INT64_MIN / -1");
	code(FAULT(illegal()), SIGILL, ILL_ILLOPN, 1, "ud2");
	code(FAULT(__asm__ volatile(".byte 0x06")), SIGILL, ILL_ILLOPN, 1, "an opcode that 64-bit mode lacks");
	code(FAULT(trap()), SIGTRAP, SI_KERNEL, 0, "int3");
	code(FAULT(halt()), SIGSEGV, SI_KERNEL, 0, "hlt");
	code(FAULT(__asm__ volatile("outb %al, $0x80")), SIGSEGV, SI_KERNEL, 0, "out");
	code(FAULT(__asm__ volatile("int $0x42")), SIGSEGV, SI_KERNEL, 0, "int of a gate that is closed");
	code(FAULT(null()), SIGSEGV, SEGV_MAPERR, 0, "NULL");
	static double d[4] __attribute__((aligned(16)));
	code(FAULT(__asm__ volatile("movapd (%0), %%xmm0" ::"r"((char *)d + 8) : "xmm0")), SIGSEGV, SI_KERNEL, 0, "movapd from an odd place");
	unsigned mxcsr = 0x1f80 & ~0x200, old;
	__asm__ volatile("stmxcsr %0" : "=m"(old));
	d[1] = 1;
	int sig = FAULT(__asm__ volatile("ldmxcsr %0; movsd %2, %%xmm0; divsd %1, %%xmm0" ::"m"(mxcsr), "m"(d[0]), "m"(d[1]) : "xmm0"));
	code(sig, SIGFPE, FPE_FLTDIV, 1, "SSE division by zero, unmasked");
	__asm__ volatile("ldmxcsr %0" ::"m"(old));
	check(in_child(alignment) == 0, "alignment check");

	dies(by_zero, SIGFPE, "divide by zero");
	dies(illegal, SIGILL, "ud2");
	dies(trap, SIGTRAP, "int3");
	dies(null, SIGSEGV, "NULL");
	dies(halt, SIGSEGV, "hlt");
	dies(aborts, SIGABRT, "abort");
	dies(blocked, SIGSEGV, "NULL with the signal blocked");
	dies(ignored, SIGSEGV, "NULL with the signal ignored");
	check(done() == 0, "this process goes on");
	return done();
}
