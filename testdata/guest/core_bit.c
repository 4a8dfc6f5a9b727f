// E1: the core bit of the status: set where a core file was written, not with RLIMIT_CORE 0, not if the process is not dumpable, not for plain ends.
#include "guest.h"
#include <dirent.h>
#include <sys/prctl.h>

static int end(int sig, rlim_t core, int dumpable) {
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		struct rlimit l;
		getrlimit(RLIMIT_CORE, &l);
		l.rlim_cur = core < l.rlim_max ? core : l.rlim_max;
		setrlimit(RLIMIT_CORE, &l);
		prctl(PR_SET_DUMPABLE, dumpable);
		raise(sig);
		_exit(0);
	}
	return reap(pid);
}

// clean removes the core files and counts them.
static int clean(void) {
	int n = 0;
	DIR *d = opendir(".");
	for (struct dirent *e; (e = readdir(d));)
		if (!strncmp(e->d_name, "core", 4))
			n += unlink(e->d_name) == 0;
	closedir(d);
	return n;
}

int main(void) {
	char pattern[128] = "";
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
	must(read(fd, pattern, sizeof pattern - 1), "core_pattern");
	// With a pipe or a folder as pattern the bit is the host's affair.
	int plain = !strncmp(pattern, "core", 4);
	static const int cores[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS, 0};
	int bits = 0, files = 0, n = 0;
	for (const int *s = cores; *s; s++, n++) {
		int status = end(*s, RLIM_INFINITY, 1);
		bits += WIFSIGNALED(status) && WTERMSIG(status) == *s && WCOREDUMP(status);
		files += clean() == 1;
	}
	check(!plain || bits == n, "ten signals set the core bit");
	check(!plain || files == n, "and leave a core file");
	bits = 0;
	for (const int *s = cores; *s; s++)
		bits += end(*s, 0, 1) != *s;
	check(!plain || bits == 0, "with RLIMIT_CORE 0 none does");
	check(!plain || clean() == 0, "and there is no file");
	check(end(SIGSEGV, RLIM_INFINITY, 0) == SIGSEGV, "nor one that is not dumpable");
	check(end(SIGTERM, RLIM_INFINITY, 1) == SIGTERM && end(SIGKILL, RLIM_INFINITY, 1) == SIGKILL && end(SIGUSR1, RLIM_INFINITY, 1) == SIGUSR1,
	      "SIGTERM, SIGKILL, SIGUSR1 never do");
	siginfo_t si;
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit l;
		getrlimit(RLIMIT_CORE, &l);
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_CORE, &l);
		abort();
	}
	waitid(P_PID, pid, &si, WEXITED);
	check(!plain || (si.si_code == CLD_DUMPED && si.si_status == SIGABRT), "waitid: CLD_DUMPED");
	clean();
	return done();
}
