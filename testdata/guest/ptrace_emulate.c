// K1: ptrace(2): calls that the tracer makes for a program, a look at its pending signals; getdents(2), the old call.
#include "guest.h"
#include <sys/ptrace.h>
#include <sys/user.h>

#ifndef PTRACE_SYSEMU
#define PTRACE_SYSEMU 31
#endif

struct peek { uint64_t off; uint32_t flags; int32_t nr; };

static void child(void) {
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP); // nothing but the call
	long a = syscall(SYS_getppid), b = syscall(SYS_close, 1), c = syscall(5000, 1, 2, 3);
	raise(SIGSTOP);
	check(a == 1001 && b == 1002 && c == 1003, "the tracer's results");
	check(fcntl(1, F_GETFD) != -1, "the calls were not made");
	sigset_t set;
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
	sigqueue(getpid(), SIGRTMIN, (union sigval){7});
	sigqueue(getpid(), SIGRTMIN, (union sigval){8});
	raise(SIGSTOP);
	_exit(done());
}

static void tracing(void) {
	int st;
	pid_t pid = must(fork(), "fork");
	if (pid == 0)
		child();
	waitpid(pid, &st, 0);
	for (int i = 0; i < 3; i++) {
		struct user_regs_struct r;
		must(ptrace(PTRACE_SYSEMU, pid, 0, 0), "SYSEMU");
		waitpid(pid, &st, 0);
		ptrace(PTRACE_GETREGS, pid, 0, &r);
		printf("stop by %d: call %lld, rax %lld\n", WSTOPSIG(st), (long long)r.orig_rax, (long long)r.rax);
		r.rax = 1001 + i;
		ptrace(PTRACE_SETREGS, pid, 0, &r);
	}
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, &st, 0);
	check(WSTOPSIG(st) == SIGSTOP, "there was no other stop");
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, &st, 0);
	siginfo_t si[4];
	struct peek p = {0, 0, 4};
	long n = ptrace(0x4209, pid, &p, si);
	printf("its own: %ld, signal %d code %d\n", n, si[0].si_signo, si[0].si_code);
	p.flags = 1;
	n = ptrace(0x4209, pid, &p, si);
	printf("the process's: %ld, values %d %d\n", n, si[0].si_value.sival_int, si[1].si_value.sival_int);
	p.off = 1;
	n = ptrace(0x4209, pid, &p, si);
	printf("from the second: %ld, value %d\n", n, si[0].si_value.sival_int);
	p.flags = 4;
	fails(ptrace(0x4209, pid, &p, si), EINVAL, "unknown flags");
	ptrace(PTRACE_CONT, pid, 0, 0);
	check(reap(pid) == 0, "the child is content");
}

static void old_entries(void) {
	char b[4096];
	must(mkdir("d", 0755), "mkdir"), must(mkdir("d/sub", 0755), "mkdir");
	close(must(open("d/a file", O_CREAT | O_WRONLY, 0644), "open")), must(symlink("x", "d/l"), "symlink");
	int fd = must(open("d", O_RDONLY | O_DIRECTORY), "open"), seen = 0, kinds = 0;
	long n = must(syscall(SYS_getdents, fd, b, sizeof b), "getdents");
	for (long at = 0; at < n; at += *(unsigned short *)(b + at + 16)) {
		char *name = b + at + 18, type = b[at + *(unsigned short *)(b + at + 16) - 1];
		seen++;
		kinds += !strcmp(name, "sub") && type == 4;
		kinds += !strcmp(name, "a file") && type == 8;
		kinds += !strcmp(name, "l") && type == 10;
	}
	check(seen == 5 && kinds == 3, "names and types");
	check(syscall(SYS_getdents, fd, b, sizeof b) == 0, "then the end");
	lseek(fd, 0, SEEK_SET);
	fails(syscall(SYS_getdents, fd, b, 10), EINVAL, "no room for one");
	close(fd);
	unlink("d/a file"), unlink("d/l"), rmdir("d/sub"), rmdir("d");
}

int main(void) {
	tracing();
	old_entries();
	return done();
}
