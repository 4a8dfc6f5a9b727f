// P1: at RLIMIT_NPROC fork gives EAGAIN and no child exists; below it again, it works.
#include "guest.h"

int main(void) {
	// Root is exempt from the limit. The user taken has no other process.
	if (getuid() == 0)
		must(setresuid(54321, 54321, 54321), "setresuid");
	struct rlimit l;
	must(getrlimit(RLIMIT_NPROC, &l), "getrlimit");
	l.rlim_cur = 1;
	must(setrlimit(RLIMIT_NPROC, &l), "setrlimit");
	fails(fork(), EAGAIN, "fork at the limit");
	fails(waitpid(-1, NULL, WNOHANG), ECHILD, "wait after it");
	l.rlim_cur = l.rlim_max;
	must(setrlimit(RLIMIT_NPROC, &l), "setrlimit");
	pid_t pid = fork();
	if (pid == 0)
		_exit(5);
	check(reap(pid) == 0x500, "with the limit lifted fork works");
	return done();
}
