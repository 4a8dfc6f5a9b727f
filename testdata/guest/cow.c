// M1: after fork a write copies the page, whoever writes; MAP_SHARED stays one memory; ru_minflt counts the faults.
#include "guest.h"

enum { N = 64 };

static long minflt(void) {
	struct rusage ru;
	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_minflt;
}

int main(void) {
	char *priv = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	madvise(priv, N * PAGE, MADV_NOHUGEPAGE);
	gate up = new_gate(), down = new_gate();
	memset(priv, 'p', N * PAGE);
	memset(shared, 's', N * PAGE);
	pid_t pid = fork();
	if (pid == 0) {
		long before = minflt(), sum = 0;
		for (int i = 0; i < N; i++)
			sum += priv[i * PAGE];
		check(sum == N * 'p', "child: reads its parent's pages");
		for (int i = 0; i < N; i++)
			priv[i * PAGE] = 'c';
		check(minflt() - before >= N, "child: each write to a shared page was a minor fault");
		before = minflt();
		for (int i = 0; i < N; i++)
			priv[i * PAGE + 1] = 'C';
		check(minflt() - before < 5, "child: the second write to a page faults no more");
		shared[0] = 'c';
		gate_open(up);
		gate_pass(down);
		check(shared[1] == 'P', "child: sees what the parent wrote to shared memory");
		check(priv[2] == 'p' && priv[0] == 'c', "child: does not see what the parent wrote to private memory");
		_exit(done());
	}
	gate_pass(up);
	check(priv[0] == 'p' && priv[(N - 1) * PAGE] == 'p', "parent: does not see the child's private writes");
	check(shared[0] == 'c', "parent: sees the child's shared write");
	priv[2] = 'P';
	shared[1] = 'P';
	gate_open(down);
	check(reap(pid) == 0, "the child's facts held");
	for (int i = 0; i < N; i++)
		priv[i * PAGE] = 'q';
	check(priv[2] == 'P' && priv[3] == 'p' && priv[PAGE] == 'q', "parent: writes to pages it owns alone");

	// Three generations, each with its own value in one page.
	static int v = 1;
	int status = 0;
	if ((pid = fork()) == 0) {
		v = 2;
		if ((pid = fork()) == 0) {
			v = 3;
			_exit(v);
		}
		status = reap(pid) >> 8;
		_exit(status * 10 + v);
	}
	check(reap(pid) >> 8 == 32 && v == 1, "three generations keep three values");

	// The kernel's own writes copy too.
	if ((pid = fork()) == 0) {
		int p[2];
		pipe(p);
		write(p[1], "kernel", 6);
		read(p[0], priv, 6);
		_exit(memcmp(priv, "kernel", 6));
	}
	check(reap(pid) == 0 && priv[0] == 'q', "read(2) into a page copies it first");
	return done();
}
