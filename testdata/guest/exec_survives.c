// X2: what an exec keeps (pid, mask, pending and ignored signals, open files, cwd, alarm) and what it ends (handlers, close-on-exec, mappings, locks of memory).
#include "guest.h"
#include <sys/prctl.h>

static void handler(int sig) {}

static int after(char **argv) {
	struct sigaction sa;
	sigset_t set;
	char cwd[PATH_MAX], name[16];
	struct rlimit l;
	check(getpid() == atoi(argv[2]), "pid");
	check(getppid() == atoi(argv[3]), "parent");
	sigprocmask(SIG_BLOCK, NULL, &set);
	check(sigismember(&set, SIGUSR1) && !sigismember(&set, SIGUSR2), "mask");
	sigpending(&set);
	check(sigismember(&set, SIGUSR1), "pending signals");
	sigaction(SIGUSR2, NULL, &sa);
	check(sa.sa_handler == SIG_DFL, "handled signals are reset");
	sigaction(SIGHUP, NULL, &sa);
	check(sa.sa_handler == SIG_IGN, "ignored signals stay ignored");
	check(fcntl(20, F_GETFD) == 0, "an open descriptor stays");
	check(lseek(20, 0, SEEK_CUR) == 3, "with its offset");
	fails(fcntl(21, F_GETFD), EBADF, "a close-on-exec descriptor");
	fails(fcntl(22, F_GETFD), EBADF, "one opened O_CLOEXEC");
	check(getcwd(cwd, sizeof cwd) && !strcmp(cwd, "/usr"), "current directory");
	check(umask(0) == 013, "umask");
	check(alarm(0) > 900, "alarm");
	getrlimit(RLIMIT_NOFILE, &l);
	check(l.rlim_cur == 99, "limits");
	check(getpriority(PRIO_PROCESS, 0) == 3, "nice value");
	prctl(PR_GET_NAME, name);
	check(!strcmp(name, "exe"), "the name is the new program's: %s", name);
	check(proc_field("/proc/self/status", "VmLck") == 0, "no memory is locked");
	stack_t ss;
	sigaltstack(NULL, &ss);
	check(ss.ss_flags == SS_DISABLE, "no alternate stack");
	int sig = 0;
	prctl(PR_GET_PDEATHSIG, &sig);
	check(sig == SIGUSR2, "PDEATHSIG");
	unsigned char vec;
	fails(mincore((void *)strtoul(argv[4], NULL, 16), PAGE, &vec), ENOMEM, "the old mapping");
	return done();
}

int main(int argc, char **argv) {
	if (argc > 1)
		return after(argv);
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		char p1[16], p2[16], p3[24];
		int fd = must(open("/usr/bin/env", O_RDONLY), "open");
		dup2(fd, 20);
		lseek(20, 3, SEEK_SET);
		dup2(fd, 21);
		fcntl(21, F_SETFD, FD_CLOEXEC);
		fd = open("/", O_RDONLY | O_CLOEXEC);
		dup3(fd, 22, O_CLOEXEC);
		signal(SIGUSR2, handler);
		signal(SIGHUP, SIG_IGN);
		sigset_t set;
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_SETMASK, &set, NULL);
		raise(SIGUSR1);
		chdir("/usr");
		umask(013);
		alarm(1000);
		struct rlimit l = {99, 99};
		setrlimit(RLIMIT_NOFILE, &l);
		setpriority(PRIO_PROCESS, 0, 3);
		prctl(PR_SET_NAME, "before");
		prctl(PR_SET_PDEATHSIG, SIGUSR2);
		static char alt[65536];
		stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
		sigaltstack(&ss, NULL);
		// Far below where a new image would be laid out.
		char *m = mmap((void *)0x200000000, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		mlock(m, PAGE);
		snprintf(p1, sizeof p1, "%d", getpid());
		snprintf(p2, sizeof p2, "%d", parent);
		snprintf(p3, sizeof p3, "%p", m);
		execl("/proc/self/exe", argv[0], "after", p1, p2, p3, NULL);
		_exit(127);
	}
	check(reap(pid) == 0, "all facts after exec held");
	return done();
}
