// M4: a child that execs gives the borrowed pages back uncopied: they are private to the parent again, which takes a fault for none it only reads.
#include "guest.h"

enum { N = 2048 };

static long smaps(void *m, const char *name) {
	char line[512];
	long sum = 0;
	unsigned long from, to, in = 0;
	FILE *f = fopen("/proc/self/smaps", "r");
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			in = from <= (uintptr_t)m && (uintptr_t)m < to;
		else if (in && !strncmp(line, name, strlen(name)))
			sum += atol(strchr(line, ':') + 1);
	}
	if (f)
		fclose(f);
	return sum;
}

int main(int argc, char **argv) {
	if (argc > 1) {
		// The new image has nothing of the old one's 8 MB.
		struct rusage ru;
		getrusage(RUSAGE_SELF, &ru);
		long rss = proc_field("/proc/self/status", "VmRSS");
		check(rss > 0 && rss < N * 4 / 2, "new image: its memory is its own, and small");
		gate_open((gate){-1, 20});
		gate_pass((gate){21, -1});
		return done();
	}
	char *m = mmap(NULL, (N + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	m += PAGE;
	mprotect(m, N * PAGE, PROT_READ | PROT_WRITE);
	madvise(m, N * PAGE, MADV_NOHUGEPAGE);
	memset(m, 'x', N * PAGE);
	gate up = new_gate(), down = new_gate();
	pid_t pid = fork();
	if (pid == 0) {
		dup2(up.w, 20);
		dup2(down.r, 21);
		execl("/proc/self/exe", argv[0], "after", NULL);
		_exit(127);
	}
	gate_pass(up);
	check(smaps(m, "Shared_") == 0 && smaps(m, "Private_Dirty") == N * 4, "while the child lives on: all is the parent's own");
	struct rusage a, b;
	getrusage(RUSAGE_SELF, &a);
	long sum = 0;
	for (int i = 0; i < N; i++)
		sum += m[i * PAGE];
	getrusage(RUSAGE_SELF, &b);
	check(sum == N * 'x' && b.ru_minflt - a.ru_minflt < 20, "reading it faults nowhere");
	gate_open(down);
	check(reap(pid) == 0, "the child's facts held");

	// vfork borrows without even a table.
	memset(m, 'z', N * PAGE);
	getrusage(RUSAGE_SELF, &a);
	pid = vfork();
	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	for (int i = 0; i < N; i++)
		m[i * PAGE] = 'y';
	getrusage(RUSAGE_SELF, &b);
	check(reap(pid) == 0 && b.ru_minflt - a.ru_minflt < 20, "after vfork and exec writing faults nowhere");
	return done();
}
