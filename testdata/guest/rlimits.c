// G3: limits are set, inherited and enforced: NOFILE, AS, DATA, FSIZE with SIGXFSZ, CPU with SIGXCPU, STACK for exec, prlimit of others.
#include "guest.h"

static volatile sig_atomic_t xfsz, xcpu;
static void on_xfsz(int sig) { xfsz++; }
static void on_xcpu(int sig) { xcpu++; }

static void limit(int what, rlim_t soft, rlim_t hard) {
	struct rlimit l = {soft, hard};
	must(setrlimit(what, &l), "setrlimit");
}

static void nofile(void) {
	limit(RLIMIT_NOFILE, 20, 20);
	int fd, n = 0;
	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		n = fd;
	check(n == 19 && errno == EMFILE, "NOFILE: the last is 19, then EMFILE");
	int p[2];
	fails(pipe(p), EMFILE, "NOFILE: pipe");
}
static void as(void) {
	limit(RLIMIT_AS, 256 << 20, 256 << 20);
	fails((long)mmap(NULL, 300 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM, "AS: mmap above it");
	check(mmap(NULL, 10 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED, "AS: mmap below it");
	check(malloc(300 << 20) == NULL, "AS: malloc above it");
}
static void data(void) {
	limit(RLIMIT_DATA, 16 << 20, 16 << 20);
	fails((long)mmap(NULL, 32 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM, "DATA: private writable memory");
	check(mmap(NULL, 32 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED, "DATA: shared memory is free");
	char *now = (char *)syscall(SYS_brk, 0);
	check((char *)syscall(SYS_brk, now + (32 << 20)) == now, "DATA: brk");
}
static void fsize(void) {
	static char buf[2000];
	limit(RLIMIT_FSIZE, 1000, 1000);
	signal(SIGXFSZ, on_xfsz);
	int fd = open("fsize", O_CREAT | O_TRUNC | O_WRONLY, 0600);
	unlink("fsize");
	check(write(fd, buf, 2000) == 1000 && xfsz == 0, "FSIZE: a write up to it is cut short");
	fails(write(fd, buf, 1), EFBIG, "FSIZE: a write beyond it");
	check(xfsz == 1, "FSIZE: SIGXFSZ came");
	fails(ftruncate(fd, 2000), EFBIG, "FSIZE: ftruncate beyond it");
}
static void cpu(void) {
	signal(SIGXCPU, on_xcpu);
	limit(RLIMIT_CPU, 1, 2);
	while (!xcpu)
		;
	_exit(done());
}
static void cpu_hard(void) {
	signal(SIGXCPU, SIG_IGN);
	limit(RLIMIT_CPU, 1, 1);
	for (;;)
		;
}

int main(int argc, char **argv) {
	struct rlimit l, old;
	check(in_child(nofile) == 0, "NOFILE");
	check(in_child(as) == 0, "AS");
	check(in_child(data) == 0, "DATA");
	check(in_child(fsize) == 0, "FSIZE");
	check(in_child(cpu) == 0, "CPU: SIGXCPU at the soft limit");
	check(in_child(cpu_hard) == SIGKILL, "CPU: SIGKILL at the hard limit");
	limit(RLIMIT_NOFILE, 50, 60);
	l = (struct rlimit){70, 60};
	fails(setrlimit(RLIMIT_NOFILE, &l), EINVAL, "soft above hard");
	fails(getrlimit(99, &l), EINVAL, "no such limit");
	check(system("test $(ulimit -n) = 50 && test $(ulimit -Hn) = 60") == 0, "a shell's ulimit tells it");
	check(system("ulimit -n 40; test $(sh -c 'ulimit -n') = 40") == 0, "a shell sets it for its children");
	gate g = new_gate();
	pid_t pid = fork();
	if (pid == 0) {
		gate_pass(g);
		getrlimit(RLIMIT_NOFILE, &l);
		_exit(l.rlim_cur);
	}
	l = (struct rlimit){33, 44};
	check(prlimit(pid, RLIMIT_NOFILE, &l, &old) == 0 && old.rlim_cur == 50 && old.rlim_max == 60, "prlimit of another process");
	gate_open(g);
	check(reap(pid) == 33 << 8, "it has it");
	if (getuid() == 0)
		must(setuid(65534), "setuid");
	l = (struct rlimit){50, 61};
	fails(setrlimit(RLIMIT_NOFILE, &l), EPERM, "raising the hard limit as a plain user");
	return done();
}
