// M3: smaps turns Private to Shared at fork and back page by page; statm and VmRSS count what is present.
#include "guest.h"

enum { N = 256 };
static char *m;

struct counts { long shared, priv, rss; };

// of gives the sums of the mapping at m.
static struct counts of(const char *path) {
	char line[512];
	struct counts c = {0, 0, 0};
	unsigned long from, to, in = 0;
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			in = from <= (uintptr_t)m && (uintptr_t)m < to;
		if (!in)
			continue;
		if (!strncmp(line, "Shared_", 7))
			c.shared += atol(strchr(line, ':') + 1);
		if (!strncmp(line, "Private_Clean", 13) || !strncmp(line, "Private_Dirty", 13))
			c.priv += atol(strchr(line, ':') + 1);
		if (!strncmp(line, "Rss:", 4))
			c.rss += atol(line + 4);
	}
	if (f)
		fclose(f);
	return c;
}

int main(void) {
	gate up = new_gate(), down = new_gate();
	// A page without rights on both sides keeps other mappings from merging with this one.
	m = mmap(NULL, (N + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	m += PAGE;
	mprotect(m, N * PAGE, PROT_READ | PROT_WRITE);
	madvise(m, N * PAGE, MADV_NOHUGEPAGE);
	struct counts c = of("/proc/self/smaps");
	check(c.rss == 0, "untouched: nothing is present");
	for (int i = 0; i < N; i++)
		m[i * PAGE] = 1;
	c = of("/proc/self/smaps");
	check(c.rss == N * 4 && c.priv == N * 4 && c.shared == 0, "touched: %ld kB, all private", c.rss);
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < N / 4; i++)
			m[i * PAGE] = 2;
		gate_open(up);
		gate_pass(down);
		_exit(0);
	}
	gate_pass(up);
	c = of("/proc/self/smaps");
	printf("parent: shared %ld kB, private %ld kB\n", c.shared, c.priv);
	check(c.shared == N * 3 && c.priv == N, "a quarter, written by the child, is private again");
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/smaps", pid);
	c = of(path);
	printf("child: shared %ld kB, private %ld kB\n", c.shared, c.priv);
	check(c.shared == N * 3 && c.priv == N, "and so it is for the child");
	gate_open(down);
	reap(pid);
	c = of("/proc/self/smaps");
	check(c.shared == 0 && c.priv == N * 4, "after the child's end all is private");
	long size, resident;
	FILE *f = fopen("/proc/self/statm", "r");
	check(f && fscanf(f, "%ld %ld", &size, &resident) == 2, "statm is there");
	check(size > resident && resident >= N, "statm: size above resident above what was touched");
	check(proc_field("/proc/self/status", "VmRSS") >= N * 4, "VmRSS counts them");
	check(proc_field("/proc/self/status", "VmSize") >= (N + 2) * 4, "VmSize counts all mapped");
	return done();
}
