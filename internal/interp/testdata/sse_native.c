// Executes single instructions on the real processor. Standard input has
// batches: a count and so many requests; their outcomes go to standard output.
// sse_native_test.go declares the same structures.
//
// Link it with -no-pie: the assembly addresses its state absolutely.

#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define CODE 0x20000000ul
#define DATA 0x10000000ul // one page; the next is not mapped
#define WINDOW (DATA + 0xf80)

struct state {
	uint64_t gpr[16];
	uint64_t flags;
	uint64_t mxcsr;
	uint64_t xmm[16][2];
	uint64_t upper[16][2]; // zero on processors without AVX
};

struct request {
	uint8_t code[16];
	uint64_t len;
	struct state in;
	uint8_t mem[128];
};

struct outcome {
	uint64_t vector; // 255: none
	uint64_t addr;
	struct state out;
	uint8_t mem[128];
};

struct state cur __attribute__((aligned(16)));
uint64_t saved_rsp;
uint32_t default_mxcsr = 0x1f80;
uint64_t entry = CODE;
uint8_t avx;
static struct outcome result;

void run_case(void);
extern char case_done[], case_back[];

__asm__(
	".text\n"
	".globl run_case\n"
	"run_case:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"mov %rsp, saved_rsp\n"
	"ldmxcsr cur+136\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"movups cur+144+16*\\n, %xmm\\n\n"
	".endr\n"
	"cmpb $0, avx; je 1f\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"vinsertf128 $1, cur+400+16*\\n, %ymm\\n, %ymm\\n\n"
	".endr\n"
	"1: push cur+128; popfq\n"
	"mov cur+0, %rax; mov cur+8, %rcx; mov cur+16, %rdx; mov cur+24, %rbx\n"
	"mov cur+40, %rbp; mov cur+48, %rsi; mov cur+56, %rdi\n"
	".irp n,8,9,10,11,12,13,14,15\n"
	"mov cur+8*\\n, %r\\n\n"
	".endr\n"
	"jmp *entry\n"
	".globl case_done\n"
	"case_done:\n"
	"mov %rax, cur+0; mov %rcx, cur+8; mov %rdx, cur+16; mov %rbx, cur+24\n"
	"mov %rbp, cur+40; mov %rsi, cur+48; mov %rdi, cur+56\n"
	".irp n,8,9,10,11,12,13,14,15\n"
	"mov %r\\n, cur+8*\\n\n"
	".endr\n"
	"pushfq; pop cur+128\n"
	"pushfq; andl $~0x40000, (%rsp); popfq\n" // the alignment check off
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"movups %xmm\\n, cur+144+16*\\n\n"
	".endr\n"
	"cmpb $0, avx; je 1f\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"vextractf128 $1, %ymm\\n, cur+400+16*\\n\n"
	".endr\n"
	"1: stmxcsr cur+136\n"
	".globl case_back\n"
	"case_back:\n"
	"ldmxcsr default_mxcsr\n"
	"cmpb $0, avx; je 1f\n"
	"vzeroupper\n"
	"1:\n"
	"mov saved_rsp, %rsp\n"
	"cld\n"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"ret\n");

static void fault(int sig, siginfo_t *si, void *ctx)
{
	static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
		REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
	ucontext_t *uc = ctx;
	greg_t *g = uc->uc_mcontext.gregs;

	// The handler is entered with the alignment check on, if it was.
	__asm__ volatile("pushfq; andl $~0x40000, (%%rsp); popfq" ::: "cc", "memory");
	result.vector = g[REG_TRAPNO];
	result.addr = result.vector == 14 ? g[REG_CR2] : 0;
	if ((uint64_t)g[REG_RIP] != CODE) // behind the instruction
		result.vector = 254;
	for (int i = 0; i < 16; i++)
		if (i != 4)
			cur.gpr[i] = g[order[i]];
	cur.flags = g[REG_EFL];
	cur.mxcsr = uc->uc_mcontext.fpregs->mxcsr;
	memcpy(cur.xmm, uc->uc_mcontext.fpregs->_xmm, sizeof cur.xmm);
	if (avx) { // an XSAVE image: its header says whether the halves are there
		const char *image = (const char *)uc->uc_mcontext.fpregs;
		if (*(const uint64_t *)(image + 512) & 4)
			memcpy(cur.upper, image + 576, sizeof cur.upper);
		else
			memset(cur.upper, 0, sizeof cur.upper);
	}
	g[REG_RIP] = (greg_t)case_back;
	g[REG_EFL] &= ~0x40000;
	(void)sig, (void)si;
}

static void place(const struct request *r)
{
	uint8_t *p = (uint8_t *)CODE;
	int32_t back;

	memcpy(p, r->code, r->len);
	p += r->len;
	back = case_done - (char *)(p + 5);
	*p = 0xe9; // jmp case_done
	memcpy(p + 1, &back, 4);
	memcpy((void *)WINDOW, r->mem, sizeof r->mem);
}

int main(void)
{
	static char stack[65536];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction sa = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	int sigs[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
	struct request r;
	uint64_t count;

	avx = __builtin_cpu_supports("avx") != 0;
	sigaltstack(&ss, 0);
	for (unsigned i = 0; i < sizeof sigs / sizeof *sigs; i++)
		sigaction(sigs[i], &sa, 0);
	if (mmap((void *)CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)CODE ||
	    mmap((void *)DATA, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)DATA)
		return 2;
	while (fread(&count, sizeof count, 1, stdin) == 1) {
		while (count-- && fread(&r, sizeof r, 1, stdin) == 1) {
			cur = r.in;
			result.vector = 255;
			result.addr = 0;
			place(&r);
			run_case();
			result.out = cur;
			memcpy(result.mem, (void *)WINDOW, sizeof result.mem);
			fwrite(&result, sizeof result, 1, stdout);
		}
		fflush(stdout);
	}
	return 0;
}
