// What the micro programs share: a clock, and one line "name nanoseconds" for
// each thing measured. They measure themselves, so that the start of a
// process is not counted. The first argument of each is how many milliseconds
// of measuring are wanted; a warm-up before them is not counted.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double budget; // nanoseconds

static inline double now_ns(void) {
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static inline void report(const char *name, double ns) {
	printf("%s %.1f\n", name, ns);
	fflush(stdout);
}

static inline void die(const char *what) {
	perror(what);
	exit(1);
}

// measure calls f until the budget is used up, n times between two looks at
// the clock, after a warm-up of n calls and a tenth of the budget.
static inline void measure(const char *name, int n, void (*f)(void)) {
	double start = now_ns(), t = start;
	long calls = 0;
	for (int warm = 1; warm || t - start < budget; t = now_ns()) {
		if (warm && calls > 0 && t - start > budget / 10) {
			warm = 0;
			calls = 0;
			start = t;
		}
		for (int i = 0; i < n; i++)
			f();
		calls += n;
	}
	report(name, (t - start) / calls);
}

// touched gives mb megabytes of private memory, each 4 KiB page written, as
// that many mappings: neighbours differ in what they allow.
static inline char *touched(long mb, long mappings) {
	if (mb == 0)
		return NULL;
	size_t n = (size_t)mb << 20;
	char *m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		die("mmap");
	madvise(m, n, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < n; i += 4096)
		m[i] = 1;
	if (mappings > 1) {
		size_t each = n / 4096 / mappings * 4096;
		for (long i = 1; i < mappings; i += 2)
			if (mprotect(m + i * each, i == mappings - 1 ? n - i * each : each, PROT_READ))
				die("mprotect");
	}
	return m;
}
