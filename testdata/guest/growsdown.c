// M5: a mapping with MAP_GROWSDOWN grows by itself when touched just below, up to the guard gap before its neighbour.
#include "segv.h"

static unsigned long start_of(void *p) {
	char line[512];
	unsigned long from, to, start = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2 && from <= (uintptr_t)p && (uintptr_t)p < to)
			start = from;
	if (f)
		fclose(f);
	return start;
}

int main(void) {
	catch_faults();
	char *base = (char *)0x300000000;
	char *m = mmap(base, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	check(m == base, "MAP_GROWSDOWN");
	m[0] = 1;
	check(POKE(base - 1) == 0, "a write just below makes it grow");
	check(start_of(base) == (uintptr_t)base - PAGE, "by one page");
	check(POKE(base - 64 * PAGE) == 0, "and further down too");
	check(start_of(base) == (uintptr_t)base - 64 * PAGE, "in one go");
	check(base[-64 * PAGE] == 1 && base[-32 * PAGE] == 0 && base[0] == 1, "what lies between is zero");
	// A neighbour 400 pages below: the gap of 256 pages stays free.
	char *n = mmap(base - 400 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	check(n == base - 400 * PAGE, "a neighbour");
	check(POKE(base - 140 * PAGE) == 0, "growing to 259 pages from it");
	faulted(POKE(base - 145 * PAGE), SIGSEGV, SEGV_MAPERR, base - 145 * PAGE, "growing into the gap");
	check(PEEK(base + PAGE) == SIGSEGV, "it does not grow upwards");
	char *g = mmap(base + 1000 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	check(mprotect(g, PAGE, PROT_READ | PROT_WRITE | PROT_GROWSDOWN) == 0, "PROT_GROWSDOWN is for such mappings");
	pid_t pid = fork();
	if (pid == 0) {
		base[-141 * PAGE] = 3;
		_exit(start_of(base) == (uintptr_t)base - 141 * PAGE ? 0 : 1);
	}
	check(reap(pid) == 0 && start_of(base) == (uintptr_t)base - 140 * PAGE, "a child's grows by itself");
	return done();
}
