// P1: fork returns the child's pid to the parent and 0 to the child; both go on with equal images.
#include "guest.h"

static int data = 7, bss[5000];

int main(void) {
	int local = 11, p[2];
	int *heap = malloc(100000 * sizeof *heap);
	for (int i = 0; i < 100000; i++)
		heap[i] = i * 3;
	bss[4999] = 13;
	must(pipe(p), "pipe");
	pid_t before = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		long sum = 0;
		for (int i = 0; i < 100000; i++)
			sum += heap[i];
		check(data == 7 && bss[4999] == 13 && local == 11, "child: data, bss and stack are equal");
		check(sum == 3L * 100000 * 99999 / 2, "child: heap is equal");
		check(getppid() == before, "child: its parent is the caller");
		check(getpid() != before, "child: it has its own pid");
		pid_t self = getpid();
		int *where = &local;
		must(write(p[1], &self, sizeof self), "write");
		must(write(p[1], &where, sizeof where), "write");
		local = data = heap[5] = 0;
		_exit(done());
	}
	pid_t said;
	int *where;
	must(read(p[0], &said, sizeof said), "read");
	must(read(p[0], &where, sizeof where), "read");
	check(pid > 0 && said == pid, "parent: fork gave the pid that the child has");
	check(where == &local, "parent: the child's variables stand at the same addresses");
	check(reap(pid) == 0, "parent: the child went on and ended well");
	check(local == 11 && data == 7 && heap[5] == 15, "parent: what the child wrote is not seen");
	check(getpid() == before, "parent: its pid did not change");
	return done();
}
