// G1: XSAVE, XSAVEC and XRSTOR move the components that are asked for, and refuse areas that are not right.
#include "guest.h"
#include <setjmp.h>

static sigjmp_buf back;
static unsigned char a[1024] __attribute__((aligned(64))), b[1024] __attribute__((aligned(64)));

static void fault(int sig) { siglongjmp(back, sig); }

// signal_of is the signal that an instruction ends in, or 0.
#define signal_of(insn) ({ int sig = sigsetjmp(back, 1); if (!sig) { insn; } sig; })

static void xsave(void *p, unsigned mask) { __asm__ volatile("xsave64 (%0)" ::"r"(p), "a"(mask), "d"(0) : "memory"); }

static void xsavec(void *p, unsigned mask) { __asm__ volatile("xsavec64 (%0)" ::"r"(p), "a"(mask), "d"(0) : "memory"); }

static void xrstor(void *p, unsigned mask) {
	__asm__ volatile("xrstor64 (%0)\n\tvzeroupper" ::"r"(p), "a"(mask), "d"(0)
			 : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
			   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

// show prints what is in an area, but for the x87 pointers, the mask of MXCSR, and what software may use.
static void show(const char *name, unsigned mask, const unsigned char *p) {
	uint32_t sum = 0;
	for (int i = 0; i < 832; i++)
		if (i < 6 || (i >= 24 && i < 28) || (i >= 32 && i < 416) || i >= 512)
			sum = sum * 31 + p[i];
	printf("%s of %u: components %x, format %02x%02x, %08x\n", name, mask, p[512], p[527], p[520], sum);
}

static void save_all_ways(void) {
	for (unsigned mask = 0; mask < 8; mask++) {
		memset(a, 0x11, sizeof a);
		memset(b, 0x22, sizeof b);
		memset(a + 512, 0, 64);
		memset(b + 512, 0, 64);
		__asm__ volatile("vzeroall\n\tfninit\n\tfldpi\n\tfld1\n\tvpcmpeqd %%ymm3, %%ymm3, %%ymm3\n\t"
				 "vpsrld $3, %%ymm3, %%ymm4\n\tvmovaps %%xmm4, %%xmm5\n\t"
				 "xsave64 (%0)\n\txsavec64 (%1)\n\tfninit\n\tvzeroall"
				 ::"r"(a), "r"(b), "a"(mask), "d"(0) : "memory", "xmm3", "xmm4", "xmm5");
		show("xsave", mask, a);
		show("xsavec", mask, b);
	}
}

// One byte of an area that is otherwise good, and the components that are asked for.
static const struct { const char *what; int at; unsigned char value; unsigned mask; int want; } standard[] = {
	{"a component that is not enabled", 513, 4, 7, SIGSEGV}, {"all components", 512, 7, 7, 0},
	{"the compacted format without components", 527, 0x80, 7, 0}, {"a format that is not compacted", 520, 1, 7, SIGSEGV},
	{"byte 16 of the header", 528, 1, 7, SIGSEGV}, {"byte 24 of the header", 536, 1, 7, 0}, {"byte 63 of the header", 575, 1, 7, 0},
	{"a reserved bit of MXCSR", 27, 1, 7, SIGSEGV}, {"that, for x87", 27, 1, 1, 0}, {"that, for AVX", 27, 1, 4, SIGSEGV},
};

static unsigned char *fresh(void) {
	memset(a, 0, sizeof a);
	a[0] = 0x7f, a[1] = 3, a[24] = 0x80, a[25] = 0x1f;
	return a;
}

static void compacted(int components, int format, int at, int value, int want, const char *what) {
	unsigned char *p = fresh();
	p[527] = 0x80, p[512] = components, p[520] = format;
	if (at)
		p[at] = value;
	check(signal_of(xrstor(p, 7)) == want, "compacted: %s", what);
}

int main(void) {
	if (!__builtin_cpu_supports("avx2"))
		return 0;
	signal(SIGSEGV, fault);
	save_all_ways();
	for (size_t i = 0; i < sizeof standard / sizeof *standard; i++) {
		unsigned char *p = fresh();
		p[standard[i].at] = standard[i].value;
		check(signal_of(xrstor(p, standard[i].mask)) == standard[i].want, "%s", standard[i].what);
	}
	compacted(7, 7, 0, 0, 0, "all components");
	compacted(4, 3, 0, 0, SIGSEGV, "a component that the format does not have");
	compacted(1, 3, 575, 1, SIGSEGV, "byte 63 of the header");
	compacted(0, 3, 27, 1, 0, "a reserved bit of MXCSR, without SSE");
	compacted(2, 3, 27, 1, SIGSEGV, "that, with SSE");
	check(signal_of(xrstor(a + 16, 7)) == SIGSEGV && signal_of(xsave(a + 16, 7)) == SIGSEGV && signal_of(xsavec(a + 32, 7)) == SIGSEGV,
	      "areas that are not aligned");
	check(signal_of(__asm__ volatile("xgetbv" ::"c"(2) : "eax", "edx")) == SIGSEGV, "XGETBV of what is not there");
	check(signal_of(__asm__ volatile("xsetbv" ::"c"(0), "a"(7), "d"(0))) == SIGSEGV, "XSETBV is the kernel's");
	return done();
}
