// M1: which pages fork copies on a write and which never: read-only, shared and file pages stay shared, the last owner's page is only made writable.
#include "guest.h"

enum { N = 64 };
struct counts { long shared, priv; };

// of gives the sums of the mapping at m in smaps.
static struct counts of(const char *path, void *m) {
	char line[512];
	struct counts c = {0, 0};
	unsigned long from, to, in = 0;
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			in = from <= (uintptr_t)m && (uintptr_t)m < to;
		else if (in && !strncmp(line, "Shared_", 7) && !strstr(line, "Hugetlb"))
			c.shared += atol(strchr(line, ':') + 1);
		else if (in && (!strncmp(line, "Private_Clean", 13) || !strncmp(line, "Private_Dirty", 13)))
			c.priv += atol(strchr(line, ':') + 1);
	}
	if (f)
		fclose(f);
	return c;
}
static void has(struct counts c, long shared, long priv, const char *what) {
	check(c.shared == shared * 4 && c.priv == priv * 4, "%s: %ld kB shared, %ld kB private", what, shared * 4, priv * 4);
	if (c.shared != shared * 4 || c.priv != priv * 4)
		printf("  it has %ld and %ld\n", c.shared, c.priv);
}
// alone makes a mapping that no other can merge with.
static char *alone(int flags, int fd) {
	char *m = mmap(NULL, (N + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	m = mmap(m + PAGE, N * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);
	madvise(m, N * PAGE, MADV_NOHUGEPAGE);
	return m;
}
static long minflt(void) {
	struct rusage ru;
	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_minflt;
}

int main(void) {
	int fd = must(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600), "open");
	static char text[N * PAGE];
	memset(text, 'f', sizeof text);
	must(write(fd, text, sizeof text), "write");
	char *anon = alone(MAP_PRIVATE | MAP_ANONYMOUS, -1), *shared = alone(MAP_SHARED | MAP_ANONYMOUS, -1);
	char *ro = alone(MAP_PRIVATE | MAP_ANONYMOUS, -1), *file = alone(MAP_PRIVATE, fd);
	memset(anon, 'a', N * PAGE);
	memset(shared, 's', N * PAGE);
	memset(ro, 'r', N * PAGE);
	mprotect(ro, N * PAGE, PROT_READ);
	for (int i = 0; i < N / 2; i++)
		file[i * PAGE] = 'w';
	gate up = new_gate(), down = new_gate();
	has(of("/proc/self/smaps", anon), 0, N, "before: anonymous");
	pid_t pid = fork();
	if (pid == 0) {
		long sum = 0;
		for (int i = 0; i < N; i++)
			sum += anon[i * PAGE] + ro[i * PAGE] + shared[i * PAGE];
		shared[0] = sum != 0;
		gate_open(up);
		gate_pass(down);
		// The parent has written to its half: this one is the last owner there.
		long before = minflt();
		for (int i = 0; i < N / 2; i++)
			anon[i * PAGE] = 'c';
		long faults = minflt() - before;
		check(faults >= N / 2 && faults < N / 2 + 10, "child: the last owner's write is one fault a page all the same");
		has(of("/proc/self/smaps", anon), N / 2, N / 2, "child: its half is its own");
		gate_open(up);
		gate_pass(down);
		_exit(done());
	}
	gate_pass(up);
	has(of("/proc/self/smaps", anon), N, 0, "both only read: anonymous");
	has(of("/proc/self/smaps", ro), N, 0, "read-only");
	has(of("/proc/self/smaps", shared), N, 0, "MAP_SHARED, written by the child");
	struct counts c = of("/proc/self/smaps", file);
	check(c.shared >= N / 2 * 4, "file: the pages that were written are shared between the two");
	for (int i = 0; i < N / 2; i++)
		anon[i * PAGE] = 'p';
	has(of("/proc/self/smaps", anon), N / 2, N / 2, "the parent wrote to half: it has copies of its own");
	gate_open(down);
	gate_pass(up);
	// Reading and writing back the same value copies as well: the kernel does not look.
	anon[N / 2 * PAGE] = 'a';
	has(of("/proc/self/smaps", anon), N / 2 - 1, N / 2 + 1, "a write of the same value");
	gate_open(down);
	check(reap(pid) == 0, "the child's facts held");
	has(of("/proc/self/smaps", anon), 0, N, "alone again");
	has(of("/proc/self/smaps", ro), 0, N, "read-only, alone again");
	check(anon[0] == 'p' && anon[N / 2 * PAGE] == 'a' && ro[0] == 'r' && file[0] == 'w', "contents");
	unlink("file");
	return done();
}
