// Computes with x87, SSE, AVX and the bit instructions, in loops long enough to be
// translated well, while a timer interrupts it, and prints what came out.
#include <immintrin.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static volatile sig_atomic_t ticks;
static void tick(int sig) { ticks++; }

static uint64_t seed = 88172645463325252u;
static uint64_t rnd(void) {
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static double scalar(void) {
	double s = 0;
	for (int i = 1; i < 20000; i++)
		s += sqrt(i) / (i + 0.25) - (float)i * 1e-7f;
	return s;
}

static long double extended(void) {
	long double s = 0, f = 1;
	for (int i = 1; i < 3000; i++) {
		f = f * i / (i + 0.5L);
		s += f > s ? f : sqrtl(f) + (long double)(short)(i * 7);
	}
	return s;
}

__attribute__((target("avx2,fma"))) static double vectors(void) {
	static float a[1024], b[1024];
	for (int i = 0; i < 1024; i++)
		a[i] = i * 0.5f, b[i] = 1000 - i;
	__m256 s = _mm256_setzero_ps();
	for (int k = 0; k < 20; k++)
		for (int i = 0; i < 1024; i += 8)
			s = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + (i + k) % 1016), s);
	float r[8];
	_mm256_storeu_ps(r, s);
	double t = 0;
	for (int i = 0; i < 8; i++)
		t += r[i];
	return t;
}

static uint64_t integers(void) {
	uint64_t h = 0;
	unsigned char buf[256] = {0};
	for (int i = 0; i < 20000; i++) {
		uint64_t x = rnd(), y = rnd() | 1;
		h = h * 31 + x / y + x % (y >> 40 | 1) + __builtin_popcountll(x) + __builtin_clzll(y) + (x << (y & 63) | x >> (-y & 63));
		memset(buf + (x & 127), (int)x, y & 127);
		h ^= buf[h & 255] + ((__int128)x * y >> 64);
	}
	return h;
}

static int cmp(const void *a, const void *b) {
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(void) {
	signal(SIGALRM, tick);
	struct itimerval often = {{0, 1000}, {0, 1000}};
	setitimer(ITIMER_REAL, &often, NULL);
	printf("%.17g\n%.21Lg\n", scalar(), extended());
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		printf("%.17g\n", vectors());
	printf("%llx\n", (unsigned long long)integers());
	static double v[3000];
	for (int i = 0; i < 3000; i++)
		v[i] = sin(i) * exp(i / 1000.0);
	qsort(v, 3000, sizeof *v, cmp);
	printf("%a %a\n", v[0], v[2999]);
	return 0;
}
