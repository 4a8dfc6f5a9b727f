// P7: a restartable sequence knows its processor, and is aborted when its thread loses the processor or takes a signal.
#include "guest.h"
#include <stddef.h>
#include <ucontext.h>

#define SIG 0x53053053

struct area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t cs;
	uint32_t flags, more[3];
};
static struct area area __attribute__((aligned(32)));
extern char stuck_address[] __asm__("stuck_address"); // in the section

// glibc registers an area of its own; musl has no such symbol.
extern const ptrdiff_t __rseq_offset __attribute__((weak));

static void release_libc_area(void) {
	if (&__rseq_offset) {
		char *thread;
		__asm__("mov %%fs:0, %0" : "=r"(thread));
		syscall(SYS_rseq, thread + __rseq_offset, sizeof area, 1, SIG);
	}
}

static int pin(int nr) {
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(nr, &set);
	return sched_setaffinity(0, sizeof set, &set);
}

static int tells(int nr) {
	unsigned cpu;
	syscall(SYS_getcpu, &cpu, NULL, NULL);
	return cpu == nr && *(volatile uint32_t *)&area.cpu_id == cpu && *(volatile uint32_t *)&area.cpu_id_start == cpu;
}

// stay goes round in a critical section until it is aborted.
static void stay(void) {
	__asm__ volatile(
		".pushsection __rseq_cs, \"aw\"\n .balign 32\n"
		"1: .long 0, 0\n .quad 2f, 3f - 2f, abort_address\n .popsection\n"
		"lea 1b(%%rip), %%rax\n mov %%rax, %0\n"
		"stuck_address:\n2: jmp 2b\n"
		"3: ud2\n"
		".long 0x53053053\n"
		"abort_address: nop\n" : "=m"(area.cs) : : "rax", "memory");
}

static volatile uint64_t interrupted_at;
static void on_alarm(int sig, siginfo_t *info, void *context) {
	interrupted_at = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
}

int main(void) {
	cpu_set_t all;
	int cpus[2], n = 0;
	sched_getaffinity(0, sizeof all, &all);
	for (int i = 0; n < 2 && i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all))
			cpus[n++] = i;
	if (n == 1)
		cpus[1] = cpus[0];
	release_libc_area();
	pin(cpus[0]);
	check(syscall(SYS_rseq, &area, sizeof area, 0, SIG) == 0, "registered");
	check(tells(cpus[0]), "it has the processor");
	for (int i = 0; i < 20; i++) {
		pin(cpus[i & 1]);
		sched_yield();
		if (!tells(cpus[i & 1]))
			break;
		usleep(100);
		if (!tells(cpus[i & 1]))
			break;
		if (i == 19)
			puts("it follows from processor to processor, running and asleep");
	}
	pid_t pid = fork();
	if (pid == 0) {
		int before = tells(cpus[1]);
		pin(cpus[0]);
		_exit(before && tells(cpus[0]) ? 7 : 1);
	}
	check(reap(pid) == 7 << 8, "a child has the registration and an area of its own");
	check(tells(cpus[1]), "the parent's is as before");

	pin(cpus[0]);
	if ((pid = fork()) == 0)
		for (;;) // on the same processor
			;
	stay();
	check(area.cs == 0, "aborted when another took the processor");
	kill(pid, SIGKILL);
	check(reap(pid) == SIGKILL, "the other is gone");

	struct sigaction act = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO};
	sigaction(SIGALRM, &act, NULL);
	for (int i = 0; i < 3; i++) {
		interrupted_at = 0;
		setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 1000}, NULL);
		stay();
		while (!interrupted_at) // the processor was lost before
			;
		if (interrupted_at == (uintptr_t)stuck_address)
			break;
		if (i == 2)
			puts("a signal handler returns to the abort address");
	}
	check(area.cs == 0, "aborted");
	return 0;
}
