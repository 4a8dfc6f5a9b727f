// Computes: eight kernels, each with a checksum so that nothing is optimised away.
#include "bench.h"

static uint64_t seed = 88172645463325252u;
static uint64_t rnd(void) {
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static uint64_t hash(void) {
	uint64_t h = 14695981039346656037u;
	for (int i = 0; i < 4000000; i++) {
		h = (h ^ (i & 255)) * 1099511628211u;
		h ^= h >> 29;
	}
	return h;
}

static int cmp(const void *a, const void *b) {
	int x = *(const int *)a, y = *(const int *)b;
	return (x > y) - (x < y);
}
static uint64_t sort(void) {
	static int v[100000];
	for (int i = 0; i < 100000; i++)
		v[i] = rnd();
	qsort(v, 100000, sizeof *v, cmp);
	return v[777];
}

static uint64_t matrix(void) {
	enum { N = 160 };
	static double a[N][N], b[N][N], c[N][N];
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			a[i][j] = i + j, b[i][j] = i - j, c[i][j] = 0;
	for (int i = 0; i < N; i++)
		for (int k = 0; k < N; k++)
			for (int j = 0; j < N; j++)
				c[i][j] += a[i][k] * b[k][j];
	return (uint64_t)c[3][5];
}

static uint64_t mandelbrot(void) {
	uint64_t n = 0;
	for (int y = 0; y < 120; y++)
		for (int x = 0; x < 160; x++) {
			double cr = x / 60.0 - 2, ci = y / 60.0 - 1, zr = 0, zi = 0;
			int i = 0;
			for (; i < 200 && zr * zr + zi * zi < 4; i++) {
				double t = zr * zr - zi * zi + cr;
				zi = 2 * zr * zi + ci;
				zr = t;
			}
			n += i;
		}
	return n;
}

static uint64_t chase(void) {
	enum { N = 8192 };
	static void *cell[N];
	static int order[N];
	for (int i = 0; i < N; i++)
		order[i] = i;
	for (int i = N - 1; i > 0; i--) {
		int j = rnd() % i, t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
	for (int i = 0; i < N; i++)
		cell[order[i]] = &cell[order[(i + 1) % N]];
	void **p = cell[0];
	for (int i = 0; i < 4000000; i++)
		p = *p;
	return p - (void **)cell;
}

static uint64_t strings(void) {
	static char a[65536], b[65536];
	uint64_t n = 0;
	for (int i = 0; i < 65535; i++)
		a[i] = 'a' + i % 23;
	for (int i = 0; i < 60; i++) {
		strcpy(b, a);
		n += strlen(b) + (strchr(b, 'z') != NULL) + (memcmp(a, b, 65535) == 0);
		memmove(b + 1, b, 65000);
		memset(b, 'x', 1000 + i);
		n += (strstr(a + 65000, "wa") - a) & 7;
	}
	char num[32];
	for (int i = 0; i < 20000; i++) {
		snprintf(num, sizeof num, "%d:%x", i, i);
		n += strtol(num, NULL, 10);
	}
	return n;
}

static uint64_t bytecode(void) {
	enum { PUSH, ADD, DEC, JNZ, DUP, SWAP, POP, HALT };
	static const unsigned char code[] = {PUSH, 0, PUSH, 200, SWAP, PUSH, 3, ADD, SWAP, DEC, DUP, JNZ, 4, POP, HALT};
	uint64_t total = 0;
	for (int round = 0; round < 1500; round++) {
		long stack[16], *sp = stack;
		for (const unsigned char *pc = code;;) {
			switch (*pc++) {
			case PUSH: *sp++ = *pc++; continue;
			case ADD: sp--; sp[-1] += *sp; continue;
			case DEC: sp[-1]--; continue;
			case DUP: *sp = sp[-1]; sp++; continue;
			case POP: sp--; continue;
			case SWAP: { long t = sp[-1]; sp[-1] = sp[-2]; sp[-2] = t; continue; }
			case JNZ: pc = *--sp ? code + *pc : pc + 1; continue;
			case HALT: break;
			}
			break;
		}
		total += sp[-1];
	}
	return total;
}

__attribute__((noinline)) static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static uint64_t calls(void) { return fib(30); }

static volatile uint64_t sink;

static const struct { const char *name; uint64_t (*f)(void); } kernels[] = {
	{"hash", hash}, {"sort", sort}, {"matrix", matrix}, {"mandelbrot", mandelbrot},
	{"chase", chase}, {"strings", strings}, {"bytecode", bytecode}, {"calls", calls},
};

int main(int argc, char **argv) {
	if (argc < 3)
		return 2;
	budget = atof(argv[1]) * 1e6;
	for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++)
		if (!strcmp(argv[2], kernels[k].name)) {
			double start = now_ns();
			uint64_t sum = kernels[k].f(); // warms up, too
			double t0 = now_ns(), t;
			long n = 0;
			do {
				sink += kernels[k].f();
				n++;
				t = now_ns();
			} while (t - t0 < budget);
			report(argv[2], (t - t0) / n);
			report("elapsed", t - start);
			printf("= %llx\n", (unsigned long long)sum); // the same everywhere, or the processor is wrong
			return 0;
		}
	return 2;
}
