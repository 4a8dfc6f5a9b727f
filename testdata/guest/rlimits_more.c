// G3: the other limits: STACK growth, MEMLOCK, NICE, RTPRIO, FSIZE that kills, CPU that kills, AS of the stack.
// needs root
#include "guest.h"

static void limit(int what, rlim_t soft, rlim_t hard) {
	struct rlimit l = {soft, hard};
	must(setrlimit(what, &l), "setrlimit");
}
static void plain(void) {
	must(setresgid(54377, 54377, 54377), "setresgid");
	must(setresuid(54377, 54377, 54377), "setresuid");
}

static void memlock(void) {
	limit(RLIMIT_MEMLOCK, 8 * PAGE, 8 * PAGE);
	plain();
	char *m = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(mlock(m, 8 * PAGE) == 0, "MEMLOCK: up to it");
	fails(mlock(m + 8 * PAGE, PAGE), ENOMEM, "MEMLOCK: a page more");
	check(munlock(m, PAGE) == 0 && mlock(m + 8 * PAGE, PAGE) == 0, "MEMLOCK: unlocked, there is room");
	fails((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EAGAIN, "MEMLOCK: MAP_LOCKED beyond it");
	limit(RLIMIT_MEMLOCK, 0, 0);
	fails(mlock(m + 9 * PAGE, PAGE), EPERM, "MEMLOCK 0: EPERM");
	fails(mlockall(MCL_CURRENT), EPERM, "MEMLOCK 0: mlockall");
}
static void nice_limit(void) {
	limit(RLIMIT_NICE, 0, 0);
	plain();
	check(setpriority(PRIO_PROCESS, 0, 3) == 0, "NICE 0: nice 3");
	fails(setpriority(PRIO_PROCESS, 0, 2), EACCES, "NICE 0: back to 2");
}
static void rtprio(void) {
	limit(RLIMIT_RTPRIO, 0, 0);
	struct sched_param sp = {7};
	must(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &sp), "sched_setscheduler");
	plain();
	sp.sched_priority = 8;
	fails(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &sp), EPERM, "RTPRIO 0: a priority above one's own");
	sp.sched_priority = 0;
	check(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &sp) == 0, "RTPRIO 0: down to OTHER");
	sp.sched_priority = 1;
	fails(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp), EPERM, "RTPRIO 0: and not up again");
}
static void fsize_kills(void) {
	limit(RLIMIT_FSIZE, 10, 10);
	int fd = open("fsize", O_CREAT | O_WRONLY | O_TRUNC, 0600);
	unlink("fsize");
	pwrite(fd, "x", 1, 10);
	_exit(1);
}
static void cpu_kills(void) {
	limit(RLIMIT_CPU, 1, RLIM_INFINITY);
	for (;;)
		;
}
__attribute__((noinline)) static int dive(int n) {
	volatile char frame[1024];
	frame[0] = n;
	return (n ? dive(n - 1) : 0) + frame[0] * 0;
}
static void stack_small(void) {
	limit(RLIMIT_STACK, 256 << 10, RLIM_INFINITY);
	dive(1000);
}
static void stack_large(void) {
	limit(RLIMIT_STACK, 4 << 20, RLIM_INFINITY);
	dive(3000);
}
static void exec_args(void) {
	// A quarter of the stack limit is for arguments.
	limit(RLIMIT_STACK, 1 << 20, RLIM_INFINITY);
	static char arg[100001];
	memset(arg, 'a', 100000);
	char *v[] = {"true", arg, arg, NULL, NULL}, *e[] = {NULL};
	pid_t pid = fork();
	if (pid == 0) {
		execve("/bin/true", v, e);
		_exit(1);
	}
	check(reap(pid) == 0, "STACK 1 MB: 200 kB of arguments");
	v[3] = arg;
	char *w[] = {"true", arg, arg, arg, NULL};
	fails(execve("/bin/true", w, e), E2BIG, "STACK 1 MB: 300 kB of arguments");
}
static void as_stack(void) {
	limit(RLIMIT_STACK, 64 << 20, RLIM_INFINITY);
	limit(RLIMIT_AS, 24 << 20, RLIM_INFINITY);
	dive(40000);
}
static void data_map(void) {
	limit(RLIMIT_DATA, 8 << 20, 8 << 20);
	char *m = mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(m != MAP_FAILED, "DATA: memory that cannot be written is free");
	fails(mprotect(m, 64 << 20, PROT_READ | PROT_WRITE), ENOMEM, "DATA: making it writable is not");
}

int main(void) {
	check(in_child(memlock) == 0, "MEMLOCK");
	check(in_child(nice_limit) == 0, "NICE");
	check(in_child(rtprio) == 0, "RTPRIO");
	check((in_child(fsize_kills) & 0x7f) == SIGXFSZ, "FSIZE: by default SIGXFSZ kills");
	check((in_child(cpu_kills) & 0x7f) == SIGXCPU, "CPU: by default SIGXCPU kills");
	check((in_child(stack_small) & 0x7f) == SIGSEGV, "STACK 256 kB: a deep recursion dies");
	check(in_child(stack_large) == 0, "STACK 4 MB: a deeper one does not");
	check(in_child(exec_args) == 0, "STACK and exec");
	check((in_child(as_stack) & 0x7f) == SIGSEGV, "AS: the stack cannot grow beyond it");
	check(in_child(data_map) == 0, "DATA");
	return done();
}
