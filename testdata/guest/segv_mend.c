// M5: a handler that mends the cause lets the faulting instruction run again: memory made on demand.
#include "guest.h"
#include <ucontext.h>

enum { N = 32 };
static char *m;
static int faults, writes, cr2;

static void handler(int sig, siginfo_t *si, void *ctx) {
	char *page = (char *)((uintptr_t)si->si_addr & ~(uintptr_t)(PAGE - 1));
	ucontext_t *uc = ctx;
	faults++;
	writes += (uc->uc_mcontext.gregs[REG_ERR] & 2) != 0;
	cr2 += (uintptr_t)uc->uc_mcontext.gregs[REG_CR2] == (uintptr_t)si->si_addr;
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

int main(void) {
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &sa, NULL);
	m = mmap(NULL, N * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long sum = 0;
	for (int i = 0; i < N; i++)
		if (i % 2)
			m[i * PAGE] += i;
		else
			sum += m[i * PAGE];
	for (int i = 0; i < N; i++)
		sum += m[i * PAGE];
	check(sum == 256, "all accesses took place once");
	check(faults == N, "one fault a page");
	check(cr2 == N, "CR2 in the context is si_addr");
	printf("write faults by error code: %d\n", writes);
	return done();
}
