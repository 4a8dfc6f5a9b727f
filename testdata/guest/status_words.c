// E1: the status word: exit code in the high byte, signal in the low seven bits, core bit as the limit and the signal have it, stop and continue.
#include "guest.h"

static int by_signal(int sig, rlim_t core) {
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit l = {core, core};
		setrlimit(RLIMIT_CORE, &l);
		signal(sig, SIG_DFL);
		raise(sig);
		_exit(0);
	}
	return reap(pid);
}

int main(void) {
	for (int code = 0; code < 256; code += 51) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(code);
		int status = reap(pid);
		check(status == code << 8, "exit code %d: %#06x", code, status);
	}
	for (int sig = 1; sig < 65; sig++) {
		if (sig == SIGCHLD || sig == SIGCONT || sig == SIGURG || sig == SIGWINCH) {
			check(by_signal(sig, 0) == 0, "signal %d is ignored", sig);
			continue;
		}
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU || sig == 32 || sig == 33)
			continue;
		int status = by_signal(sig, 0);
		check(status == sig, "signal %d: %#06x", sig, status);
	}
	int status = 0;
	// A child that ended at once could be reaped before its continuation is told.
	gate g = new_gate();
	for (const int *s = (int[]){SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, 0}; *s; s++) {
		pid_t pid = fork();
		if (pid == 0) {
			setpgid(0, 0);
			raise(*s);
			gate_pass(g);
			_exit(7);
		}
		waitpid(pid, &status, WUNTRACED);
		check(WIFSTOPPED(status) && status == (*s << 8 | 0x7f), "stopped by %d: %#06x", *s, status);
		kill(pid, SIGCONT);
		waitpid(pid, &status, WCONTINUED);
		check(WIFCONTINUED(status) && status == 0xffff, "continued: %#06x", status);
		gate_open(g);
		check(reap(pid) == 0x700, "then it exits");
	}
	// A core file is a matter of /proc/sys/kernel/core_pattern: only SIGKILL and its like never have the bit.
	check(by_signal(SIGKILL, RLIM_INFINITY) == SIGKILL, "SIGKILL has no core bit");
	check(by_signal(SIGTERM, RLIM_INFINITY) == SIGTERM, "SIGTERM has no core bit");
	return done();
}
