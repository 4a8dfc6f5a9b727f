// E2: debug registers set by ptrace(2): writes, reads and instructions that are watched for, and what cannot be.
#include "guest.h"
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

static volatile struct { char before[8]; volatile int x; volatile long l; volatile char c[16]; } w __attribute__((aligned(64)));

__attribute__((noinline, noclone)) static int called(int n) { __asm__ volatile(""); return n + 1; }

static void child(void) {
	int got = 0;
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	w.before[7] = 1;
	w.x = 5;     // written: a stop
	w.x = 5;     // the same again: a stop too
	got += w.x;  // read: none
	raise(SIGUSR1);
	got += w.l;  // read: a stop
	w.c[3] = 7;  // the last byte watched: a stop
	w.c[4] = 7;  // the next: none
	raise(SIGUSR1);
	for (int i = 0; i < 3; i++)
		got += called(i); // a stop for each
	raise(SIGUSR1);
	memset((void *)&w, 1, sizeof w);
	__atomic_fetch_add(&w.x, 3, __ATOMIC_SEQ_CST);
	raise(SIGUSR1);
	_exit(got & 0x7f);
}

static pid_t pid;
#define DR(n) (offsetof(struct user, u_debugreg) + 8 * (n))
static long poke(int n, unsigned long v) { return ptrace(PTRACE_POKEUSER, pid, DR(n), v); }
static long peek(int n) { return ptrace(PTRACE_PEEKUSER, pid, DR(n), 0); }

// watch sets point n: kind is 0 to execute, 1 to write, 3 to use; len 0, 1, 3, 2 for 1, 2, 4 and 8 bytes.
static long watch(int n, const volatile void *at, int kind, int len) {
	must(poke(n, (unsigned long)at), "address");
	return poke(7, 1UL << (2 * n) | (unsigned long)(kind | len << 2) << (16 + 4 * n));
}

// until continues to the next signal that the child sends itself and prints the stops.
static int until(const char *what) {
	int st;
	for (;;) {
		ptrace(PTRACE_CONT, pid, 0, 0);
		if (waitpid(pid, &st, 0) != pid || !WIFSTOPPED(st))
			return st;
		if (WSTOPSIG(st) != SIGTRAP)
			break;
		siginfo_t si;
		struct user_regs_struct r;
		ptrace(PTRACE_GETSIGINFO, pid, 0, &si);
		ptrace(PTRACE_GETREGS, pid, 0, &r);
		printf("%s: code %d, dr6 %lx, x %d%s\n", what, si.si_code, peek(6) & 0x400f, (int)ptrace(PTRACE_PEEKDATA, pid, &w.x, 0),
		       r.rip == (unsigned long)called ? ", at the function" : "");
	}
	return st;
}

int main(void) {
	int st;
	if ((pid = must(fork(), "fork")) == 0)
		child();
	waitpid(pid, &st, 0);
	check(peek(0) == 0 && peek(7) == 0, "nothing is set");
	fails(watch(0, w.before + 1, 1, 1), EINVAL, "two bytes at an odd address");
	fails(watch(0, called, 0, 3), EINVAL, "four bytes to execute");
	fails(watch(0, &w.x, 2, 0), EINVAL, "a port");
	fails(poke(4, 1), EIO, "register 4");
	fails(poke(0, -4096UL), EINVAL, "an address of the kernel");
	poke(7, 0);
	must(watch(0, &w.x, 1, 3), "watch x");
	check(peek(0) == (long)&w.x && (peek(7) & 0xffff00ff) == 0xd0001, "registers are read back");
	until("writing");
	must(poke(7, 0), "clear");
	must(poke(1, (unsigned long)&w.l), "address"), must(poke(2, (unsigned long)w.c), "address");
	must(poke(7, 1UL << 2 | 1UL << 4 | 0xbUL << 20 | 0xdUL << 24), "watch two");
	until("using");
	must(poke(7, 0), "clear");
	must(watch(3, called, 0, 0), "watch the function");
	until("executing");
	must(poke(7, 0), "clear");
	must(watch(0, &w.x, 1, 3), "watch x");
	until("by other instructions");
	st = until("end");
	check(WIFEXITED(st), "the child ends");
	return done();
}
