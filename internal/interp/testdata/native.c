/*
 * Executes single instructions on the real processor. Requests come on stdin,
 * outcomes go to stdout. A signal handler replaces the whole register state,
 * with TF set; the trap after the instruction delivers the state it leaves.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x20000000UL
#define DATA 0x10000000UL
#define PAGE 4096
#define FXLEN 416 /* the part of the FXSAVE image that has registers */

struct request {
	uint8_t code[32];
	uint64_t off;   /* of the code in its page */
	uint64_t len;   /* of the code */
	uint64_t steps; /* instructions */
	uint64_t seed;  /* of the data page */
	uint64_t gpr[16];
	uint64_t flags;
	uint64_t patch_at; /* where patch goes, or 0 */
	uint8_t patch[48];
	uint8_t fx[512];
};

struct outcome {
	uint64_t signal, code, addr;
	uint64_t gpr[16];
	uint64_t rip, flags;
	uint64_t hash;
	uint64_t segs; /* selectors: DS, ES, GS */
	uint8_t fx[512];
};

static const int greg[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static struct request req;
static struct outcome out;
static sigjmp_buf done;
static uint64_t steps, start;

static void enter(int sig, siginfo_t *si, void *uc_)
{
	ucontext_t *uc = uc_;
	greg_t *g = uc->uc_mcontext.gregs;
	uint8_t *fp = (uint8_t *)uc->uc_mcontext.fpregs;
	uint32_t magic;

	__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%gs" ::"r"(0));
	for (int i = 0; i < 16; i++)
		g[greg[i]] = req.gpr[i];
	g[REG_RIP] = start;
	g[REG_EFL] = req.flags | 0x100;
	memcpy(fp, req.fx, FXLEN);
	memcpy(&magic, fp + 464, 4);
	if (magic == 0x46505853)
		*(uint64_t *)(fp + 512) |= 3; /* XSTATE_BV: x87 and SSE are there */
}

static void stopped(int sig, siginfo_t *si, void *uc_)
{
	ucontext_t *uc = uc_;
	greg_t *g = uc->uc_mcontext.gregs;

	/* The handler is entered with the alignment check on, if it was. */
	__asm__ volatile("pushfq; andl $~0x40000, (%%rsp); popfq" ::: "cc", "memory");
	if (sig == SIGTRAP) {
		/* A repeated string instruction traps after every element. */
		if ((uint64_t)g[REG_RIP] == start && steps == 1)
			return;
		if (--steps > 0)
			return;
	}
	uint64_t ds, es, gs;
	__asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%gs, %2" : "=r"(ds), "=r"(es), "=r"(gs));
	out.segs = ds | es << 16 | gs << 32;
	out.signal = sig;
	out.code = si->si_code;
	out.addr = (uint64_t)si->si_addr;
	for (int i = 0; i < 16; i++)
		out.gpr[i] = g[greg[i]];
	out.rip = g[REG_RIP];
	out.flags = g[REG_EFL];
	memcpy(out.fx, uc->uc_mcontext.fpregs, FXLEN);
	siglongjmp(done, 1);
}

static void handle(int sig, void (*fn)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	if (sigaction(sig, &sa, NULL))
		abort();
}

int main(void)
{
	uint8_t *code = mmap((void *)CODE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	uint64_t *data = mmap((void *)DATA, PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	stack_t ss = { .ss_sp = malloc(1 << 17), .ss_size = 1 << 17 };

	if (code == MAP_FAILED || data == MAP_FAILED || sigaltstack(&ss, NULL))
		return 1;
	handle(SIGUSR1, enter);
	handle(SIGTRAP, stopped);
	handle(SIGSEGV, stopped);
	handle(SIGBUS, stopped);
	handle(SIGFPE, stopped);
	handle(SIGILL, stopped);
	while (fread(&req, sizeof req, 1, stdin) == 1) {
		memset(code, 0xf4, PAGE);
		memcpy(code + req.off, req.code, req.len);
		uint64_t x = req.seed;
		for (int i = 0; i < PAGE / 8; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			data[i] = x;
		}
		if (req.patch_at)
			memcpy((void *)req.patch_at, req.patch, sizeof req.patch);
		memset(&out, 0, sizeof out);
		steps = req.steps;
		start = CODE + req.off;
		if (sigsetjmp(done, 0) == 0) {
			raise(SIGUSR1);
			abort();
		}
		uint64_t h = 0;
		for (int i = 0; i < PAGE / 8; i++)
			h = (h ^ data[i]) * 0x100000001b3;
		out.hash = h;
		if (fwrite(&out, sizeof out, 1, stdout) != 1 || fflush(stdout))
			return 1;
	}
	return 0;
}
