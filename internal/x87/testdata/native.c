/* Executes single x87 and MMX instructions on the real processor.
 *
 * Standard input is a sequence of batches: a byte with the length of the
 * instruction, seven bytes with its code (its memory operand, if any, is
 * (%rsi)), the number of cases in four bytes, and that many cases. For every
 * case the state after the instruction goes to standard output in the same
 * form. RSI and RDI point to the memory. No waiting instruction is executed after it, so that a pending
 * exception is reported in the status word and not by a signal.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct testcase {
	uint16_t cw, sw;
	uint8_t tw, pad[3];
	uint8_t st[8][16]; /* in stack order */
	uint64_t flags, rax, mxcsr;
	uint8_t xmm[4][16];
	uint8_t mem[112];
};

static uint8_t fx[512] __attribute__((aligned(64)));
static uint8_t mem[128] __attribute__((aligned(64)));

/* run(fx, mem, &flags, &rax): nothing but the instruction touches the unit. */
typedef void run_fn(uint8_t *fx, uint8_t *mem, uint64_t *flags, uint64_t *rax);

static const uint8_t before[] = {
	0x53,                   /* push %rbx */
	0x55,                   /* push %rbp */
	0x48, 0x89, 0xfd,       /* mov %rdi, %rbp */
	0x48, 0x89, 0xf7,       /* mov %rsi, %rdi */
	0x48, 0x89, 0xd3,       /* mov %rdx, %rbx */
	0xff, 0x33,             /* push (%rbx) */
	0x9d,                   /* popf */
	0x48, 0x8b, 0x01,       /* mov (%rcx), %rax */
	0x48, 0x0f, 0xae, 0x4d, 0x00, /* fxrstor64 (%rbp) */
};
static const uint8_t after[] = {
	0x48, 0x0f, 0xae, 0x45, 0x00, /* fxsave64 (%rbp) */
	0x48, 0x89, 0x01,       /* mov %rax, (%rcx) */
	0x9c,                   /* pushf */
	0x8f, 0x03,             /* pop (%rbx) */
	0xdb, 0xe3,             /* fninit */
	0x5d,                   /* pop %rbp */
	0x5b,                   /* pop %rbx */
	0xc3,                   /* ret */
};

static void get(void *p, size_t n)
{
	if (fread(p, 1, n, stdin) != n)
		exit(feof(stdin) ? 0 : 1);
}

int main(void)
{
	uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct testcase t;
	uint8_t head[8];
	uint32_t count;

	if (code == MAP_FAILED)
		return 2;
	for (;;) {
		uint8_t *p = code;

		get(head, sizeof head);
		get(&count, sizeof count);
		memcpy(p, before, sizeof before);
		p += sizeof before;
		memcpy(p, head + 1, head[0]);
		p += head[0];
		memcpy(p, after, sizeof after);
		while (count--) {
			get(&t, sizeof t);
			asm volatile("fxsave64 %0" : "=m"(fx));
			memset(fx + 6, 0, 18);
			memcpy(fx, &t.cw, 2);
			memcpy(fx + 2, &t.sw, 2);
			fx[4] = t.tw;
			memcpy(fx + 24, &t.mxcsr, 4);
			memcpy(fx + 32, t.st, sizeof t.st);
			memcpy(fx + 160, t.xmm, sizeof t.xmm);
			memcpy(mem, t.mem, sizeof t.mem);
			t.flags = (t.flags & 0x8d5) | 0x202;
			((run_fn *)code)(fx, mem, &t.flags, &t.rax);
			memcpy(&t.cw, fx, 2);
			memcpy(&t.sw, fx + 2, 2);
			t.tw = fx[4];
			memcpy(&t.mxcsr, fx + 24, 4);
			memcpy(t.st, fx + 32, sizeof t.st);
			memcpy(t.xmm, fx + 160, sizeof t.xmm);
			memcpy(t.mem, mem, sizeof t.mem);
			fwrite(&t, sizeof t, 1, stdout);
		}
		fflush(stdout);
	}
}
