// G1: a handler finds the interrupted registers in its context and leaves all of them, flags and x87 and SSE too, as they were.
#include "guest.h"
#include <math.h>
#include <ucontext.h>

static volatile sig_atomic_t hits;
static uint64_t r15_seen;

static void clobber(int sig, siginfo_t *si, void *ctx) {
	ucontext_t *uc = ctx;
	r15_seen = uc->uc_mcontext.gregs[REG_R15];
	double x = 1;
	for (int i = 1; i < 40; i++)
		x = sin(x) * i;
	__asm__ volatile("pxor %%xmm0,%%xmm0; pxor %%xmm7,%%xmm7; pxor %%xmm15,%%xmm15; fninit; fldz; fldz; std; cld; stc" ::: "xmm0", "xmm7", "xmm15", "cc");
	hits += x != 0;
}

// Registers written by the handler's context are those that the program goes on with.
static void skip(int sig, siginfo_t *si, void *ctx) {
	greg_t *r = ((ucontext_t *)ctx)->uc_mcontext.gregs;
	r[REG_RIP] += 2; // over ud2
	r[REG_RAX] = 4711;
	((ucontext_t *)ctx)->uc_mcontext.fpregs->_xmm[3].element[0] = 17;
}

int main(void) {
	struct sigaction sa = {.sa_sigaction = clobber, .sa_flags = SA_SIGINFO};
	sigaction(SIGUSR1, &sa, NULL);
	uint64_t in[4] = {0x1111222233334444, 0x5555666677778888, 0x9999aaaabbbbcccc, 0xddddeeeeffff0000}, out[4] = {0};
	uint64_t r15 = 0, flags = 0;
	long double st = 0;
	long pid = getpid(), tid = pid;
	__asm__ volatile(
		"movdqu (%[in]), %%xmm0\n\tmovdqu 16(%[in]), %%xmm15\n\tfldpi\n\tmovq $0x7ead, %%r15\n\t"
		"movq %[pid], %%rdi\n\tmovq %[tid], %%rsi\n\tmovl $10, %%edx\n\tmovl $234, %%eax\n\t" // tgkill SIGUSR1
		"stc\n\tsyscall\n\tsetc %b[fl]\n\t"
		"movdqu %%xmm0, (%[out])\n\tmovdqu %%xmm15, 16(%[out])\n\tfstpt %[st]\n\tmovq %%r15, %[r15]"
		: [st] "=m"(st), [r15] "=m"(r15), [fl] "+r"(flags)
		: [in] "r"(in), [out] "r"(out), [pid] "m"(pid), [tid] "m"(tid)
		: "rax", "rdi", "rsi", "rdx", "rcx", "r11", "r15", "xmm0", "xmm15", "memory", "cc");
	check(hits == 1, "the handler ran");
	check(r15_seen == 0x7ead && r15 == 0x7ead, "r15 in the context and after");
	check(!memcmp(in, out, sizeof in), "xmm0 and xmm15 are kept");
	check(st > 3.14159265358979L && st < 3.14159265358980L, "the x87 stack is kept");
	check(flags & 1, "the carry flag is kept");

	sa.sa_sigaction = skip;
	sigaction(SIGILL, &sa, NULL);
	long rax;
	int x3;
	__asm__ volatile("pxor %%xmm3, %%xmm3\n\tmovl $1, %%eax\n\tud2\n\tmovd %%xmm3, %1" : "=&a"(rax), "=r"(x3)::"xmm3", "memory");
	check(rax == 4711, "the handler set rax and stepped over the instruction");
	check(x3 == 17, "and xmm3");

	// A timer that fires all the time disturbs no computation.
	sa.sa_sigaction = clobber;
	sa.sa_flags |= SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	struct itimerval it = {{0, 1000}, {0, 1000}};
	uint64_t h = 1;
	double d = 0.5;
	hits = 0;
	setitimer(ITIMER_REAL, &it, NULL);
	while (hits < 20)
		;
	for (int i = 0; i < 200000; i++) {
		h = h * 6364136223846793005u + 1442695040888963407u;
		d = d * 3.7 * (1 - d);
	}
	memset(&it, 0, sizeof it);
	setitimer(ITIMER_REAL, &it, NULL);
	uint64_t h2 = 1;
	double d2 = 0.5;
	for (int i = 0; i < 200000; i++) {
		h2 = h2 * 6364136223846793005u + 1442695040888963407u;
		d2 = d2 * 3.7 * (1 - d2);
	}
	check(h == h2 && d == d2, "a computation under a fast timer is right");
	// fork keeps the floating point state as well.
	double a = sqrt(2);
	pid_t child = fork();
	if (child == 0)
		_exit(a * a > 1.99 && a * a < 2.01 ? 0 : 1);
	check(reap(child) == 0, "the child has it too");
	return done();
}
