// P1, P8: n forks in a row make 2^n processes; three hundred children live at once and are all reaped.
#include "guest.h"

int main(void) {
	int *count = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t root = getpid();
	for (int i = 0; i < 6; i++)
		fork();
	__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
	while (wait(NULL) > 0)
		;
	if (getpid() != root)
		_exit(0);
	printf("processes: %d\n", *count);
	check(*count == 64, "six forks make 64 processes");

	gate g = new_gate();
	pid_t child[300];
	for (int i = 0; i < 300; i++)
		if ((child[i] = must(fork(), "fork")) == 0) {
			gate_pass(g);
			_exit(i & 127);
		}
	int alive = 0, right = 0;
	for (int i = 0; i < 300; i++)
		alive += kill(child[i], 0) == 0;
	check(alive == 300, "300 children live");
	for (int i = 0; i < 300; i++)
		gate_open(g);
	for (int i = 299; i >= 0; i--)
		right += reap(child[i]) == (i & 127) << 8;
	check(right == 300, "each gave its own status");
	fails(wait(NULL), ECHILD, "wait with no child left");
	return done();
}
