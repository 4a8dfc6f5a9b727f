// G1: the upper halves of the vector registers survive system calls, handlers and other threads, go on in a forked child, begin as zero after exec, and handlers and tracers find them in an XSAVE area.
#include "guest.h"
#include <elf.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <ucontext.h>

// The area (Intel SDM vol. 1, 13.4): what software may use of the FXSAVE image, the header, the upper halves.
enum { SOFTWARE = 464, HEADER = 512, UPPER = 576, MAGIC1 = 0x46505853, MAGIC2 = 0x46505845, REGSET = 0x202 };

static int have; // without AVX there is nothing to be seen
static unsigned char in[32], out[32];
static struct { int frame, magic1, magic2, components, upper; } seen;

static uint32_t word(const void *p) {
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static void handler(int sig, siginfo_t *si, void *ctx) {
	ucontext_t *uc = ctx;
	char *fp = (char *)uc->uc_mcontext.fpregs;
	seen.frame = uc->uc_flags & 1;
	seen.magic1 = word(fp + SOFTWARE) == MAGIC1;
	seen.magic2 = word(fp + word(fp + SOFTWARE + 16)) == MAGIC2;
	seen.components = (fp[HEADER] & 7) == 7;
	seen.upper = !memcmp(fp + UPPER + 16 * 5, in + 16, 16);
	memset(fp + UPPER + 16 * 5, 0x5a, 4);
	__asm__ volatile("vzeroall");
}

// through loads YMM5, makes a system call, and says what YMM5 is then.
static long through(long nr, long a, long b, long c) {
	long r = nr;
	register long r10 __asm__("r10") = 0;
	__asm__ volatile("vmovdqu %[in], %%ymm5\n\tsyscall\n\tvmovdqu %%ymm5, %[out]\n\tvzeroupper"
			 : "+a"(r), [out] "=m"(out)
			 : "D"(a), "S"(b), "d"(c), "r"(r10), [in] "m"(in)
			 : "rcx", "r11", "xmm5", "memory");
	return r;
}

static volatile int stop;

static void *other(void *arg) {
	while (!stop) {
		__asm__ volatile("vpcmpeqd %%ymm5, %%ymm5, %%ymm5" ::: "xmm5");
		sched_yield();
	}
	return arg;
}

static void traced(void) {
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		through(SYS_kill, getpid(), SIGSTOP, 0);
		_exit(out[16] == 0x77 && !memcmp(out, in, 16) && !memcmp(out + 17, in + 17, 15) ? 7 : 8);
	}
	waitpid(pid, &status, 0);
	static unsigned char area[8192];
	struct iovec iov = {area, sizeof area};
	check(ptrace(PTRACE_GETREGSET, pid, (void *)REGSET, &iov) == 0 && iov.iov_len >= UPPER + 256, "PTRACE_GETREGSET of NT_X86_XSTATE");
	check((area[SOFTWARE] & 7) == 7, "it names the components that are enabled");
	check(!memcmp(area + UPPER + 16 * 5, in + 16, 16) && area[HEADER] & 4, "it has the upper half");
	area[UPPER + 16 * 5] = 0x77;
	check(ptrace(PTRACE_SETREGSET, pid, (void *)REGSET, &iov) == 0, "PTRACE_SETREGSET");
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, &status, 0);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "the tracee goes on with what was set");
}

int main(int argc, char **argv) {
	have = __builtin_cpu_supports("avx2");
	if (argc > 1) {
		if (have)
			__asm__ volatile("vmovdqu %%ymm14, %0" : "=m"(out)); // which the C library does not use
		static const unsigned char zero[32];
		check(!memcmp(out, zero, 32), "after exec all is zero");
		return done();
	}
	if (!have)
		return 0;
	for (int i = 0; i < 32; i++)
		in[i] = 3 * i + 1;
	through(SYS_getppid, 0, 0, 0);
	check(!memcmp(in, out, 32), "over a system call");

	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGUSR1, &sa, NULL);
	through(SYS_tgkill, getpid(), gettid(), SIGUSR1);
	check(seen.frame && seen.magic1 && seen.magic2, "the frame says that it has an area, and the area where it ends");
	check(seen.components && seen.upper, "a handler finds the upper half");
	unsigned char want[32];
	memcpy(want, in, 32);
	memset(want + 16, 0x5a, 4);
	check(!memcmp(want, out, 32), "the program goes on with what the handler wrote there");

	int status;
	if (through(SYS_fork, 0, 0, 0) == 0)
		_exit(memcmp(in, out, 32) ? 1 : 5);
	check(!memcmp(in, out, 32), "over fork in the parent");
	wait(&status);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 5, "and in the child");

	pthread_t th;
	pthread_create(&th, NULL, other, NULL);
	int good = 1;
	for (int i = 0; i < 200; i++) {
		through(SYS_sched_yield, 0, 0, 0);
		good &= !memcmp(in, out, 32);
	}
	stop = 1;
	pthread_join(th, NULL);
	check(good, "beside a thread that uses the same registers");
	traced();
	if (done())
		return 1;
	fflush(stdout);
	char *args[] = {argv[0], "again", NULL};
	__asm__ volatile("vpcmpeqd %%ymm14, %%ymm14, %%ymm14\n\tsyscall"
			 :: "a"(SYS_execve), "D"("/proc/self/exe"), "S"(args), "d"(environ) : "rcx", "r11", "xmm14", "memory");
	return 1;
}
