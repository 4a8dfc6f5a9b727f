// E2: single step and breakpoints of the processor, each floating point exception by its code, x87 faults, a fault in a handler, kill of what is blocked.
#include "segv.h"
#include <ucontext.h>

static volatile sig_atomic_t steps;
static siginfo_t step_info;

static void on_step(int sig, siginfo_t *si, void *ctx) {
	steps++;
	step_info = *si;
	if (steps == 3)
		((ucontext_t *)ctx)->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
}

static void fp(int sig, int code, const char *what) {
	check(sig == SIGFPE && fault_info.si_code == code, "%s: SIGFPE with code %d", what, code);
	__asm__ volatile("fninit");
	unsigned mxcsr = 0x1f80;
	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
}

static double zero, one = 1, huge = 1e308, tiny = 1e-308, neg = -1, third = 3;

// sse does one operation with one exception unmasked.
#define SSE(bit, op, a, b) ({ unsigned m_ = 0x1f80 & ~(0x80u << (bit)); FAULT(__asm__ volatile("ldmxcsr %0; movsd %1, %%xmm0; " op " %2, %%xmm0" ::"m"(m_), "m"(a), "m"(b) : "xmm0")); })
#define X87(bit, op, a, b) ({ unsigned short c_ = 0x37f & ~(1u << (bit)); FAULT(__asm__ volatile("fninit; fldcw %0; fldl %1; " op " %2; fwait" ::"m"(c_), "m"(a), "m"(b))); })

static void handler_faults(int sig) {
	*(volatile int *)8 = 1; // SIGSEGV is blocked in its own handler
}
static void fault_in_handler(void) {
	signal(SIGSEGV, handler_faults);
	*(volatile int *)8 = 1;
}
static void nested(int sig, siginfo_t *si, void *ctx) { siglongjmp(fault_back, 77); }
static void with_nodefer(void) {
	struct sigaction sa = {.sa_handler = handler_faults, .sa_flags = SA_NODEFER | SA_RESETHAND};
	sigaction(SIGSEGV, &sa, NULL);
	*(volatile int *)8 = 1;
}

int main(void) {
	static char alt[65536];
	sigaltstack(&(stack_t){.ss_sp = alt, .ss_size = sizeof alt}, NULL);
	catch_faults();
	struct sigaction sa = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
	sigaction(SIGTRAP, &sa, NULL);
	__asm__ volatile("pushf; orl $0x100, (%%rsp); popf; nop; nop; nop; nop; nop" ::: "cc", "memory");
	check(steps == 3, "the trap flag: SIGTRAP after each instruction, until a handler clears it");
	check(step_info.si_code == TRAP_TRACE, "its code is TRAP_TRACE");
	__asm__ volatile("int3");
	check(steps == 4 && step_info.si_code == SI_KERNEL, "int3 is SIGTRAP, SI_KERNEL");
	catch_faults();

	fp(SSE(0, "sqrtsd", one, neg), FPE_FLTINV, "SSE: root of -1");
	fp(SSE(2, "divsd", one, zero), FPE_FLTDIV, "SSE: 1 / 0");
	fp(SSE(3, "mulsd", huge, huge), FPE_FLTOVF, "SSE: overflow");
	fp(SSE(4, "mulsd", tiny, tiny), FPE_FLTUND, "SSE: underflow");
	fp(SSE(5, "divsd", one, third), FPE_FLTRES, "SSE: inexact");
	fp(X87(2, "fdivl", one, zero), FPE_FLTDIV, "x87: 1 / 0");
	fp(X87(0, "fdivl", zero, zero), FPE_FLTINV, "x87: 0 / 0");
	fp(X87(5, "fdivl", one, third), FPE_FLTRES, "x87: inexact");
	check(SSE(5, "mulsd", one, one) == 0, "SSE: an exact result raises nothing");

	check(FAULT(__asm__ volatile("cli")) == SIGSEGV, "cli is a privilege: SIGSEGV");
	check(FAULT(__asm__ volatile("mov %%cr0, %%rax" ::: "rax")) == SIGSEGV, "so is reading cr0");
	check(FAULT(__asm__ volatile("wrmsr" ::: "memory")) == SIGSEGV, "and wrmsr");
	check(FAULT(__asm__ volatile("inb $0x60, %%al" ::: "rax")) == SIGSEGV, "and in");
	check(FAULT(__asm__ volatile("lock; .byte 0x90")) == SIGILL, "lock on what cannot be locked: SIGILL");
	check(FAULT(__asm__ volatile(".byte 0x0f, 0x0b")) == SIGILL, "ud2");
	check(FAULT(__asm__ volatile(".byte 0x0f, 0xff, 0xc0")) == SIGILL, "ud0");
	check(FAULT(__asm__ volatile(".byte 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x90")) == SIGSEGV, "an instruction of sixteen bytes");
	check(FAULT(__asm__ volatile("mov $0x8000000000000000, %%rax; jmp *%%rax" ::: "rax")) == SIGSEGV, "a jump to an address that is not canonical");
	int sig = FAULT(__asm__ volatile("mov %%rsp, %%r15; mov $0x8000000000000000, %%rsp; push %%rax; mov %%r15, %%rsp" ::: "r15", "memory"));
	check(sig == SIGSEGV || sig == SIGBUS, "a push to a stack that is not canonical: signal %d", sig);

	check((in_child(fault_in_handler) & 127) == SIGSEGV, "a fault in the handler of the same fault kills");
	check((in_child(with_nodefer) & 127) == SIGSEGV, "SA_NODEFER with SA_RESETHAND: the second one kills");
	sa.sa_sigaction = nested;
	sa.sa_flags = SA_SIGINFO | SA_NODEFER;
	sigaction(SIGSEGV, &sa, NULL);
	check(FAULT(*(volatile int *)8 = 1) == 77, "a handler that jumps away");
	check(FAULT(*(volatile int *)8 = 1) == 77, "and again");
	return done();
}
