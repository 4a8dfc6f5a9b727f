// What the micro programs share: a clock, and one line "name nanoseconds" for
// each thing measured. They measure themselves, so that the start of a
// process is not counted.
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

static inline double now_ns(void) {
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static inline void report(const char *name, double ns) {
	printf("%s %.1f\n", name, ns);
	fflush(stdout);
}

// touched gives mb megabytes of private memory, each 4 KiB page written.
static inline char *touched(long mb) {
	if (mb == 0)
		return NULL;
	size_t n = (size_t)mb << 20;
	char *m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	madvise(m, n, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < n; i += 4096)
		m[i] = 1;
	return m;
}
