// G1, E4: stopping and going on: SIGCONT drops pending stops and stops drop a pending SIGCONT; it continues even when blocked; SIGKILL needs no SIGCONT.
#include "guest.h"

static volatile sig_atomic_t conts, tstps;
static void on_cont(int sig) { conts++; }
static void on_tstp(int sig) { tstps++; }

static void block(int sig, int how) {
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(how, &set, NULL);
}
static int pending(int sig) {
	sigset_t set;
	sigpending(&set);
	return sigismember(&set, sig);
}

int main(void) {
	int status;
	signal(SIGCONT, on_cont);
	block(SIGTSTP, SIG_BLOCK);
	raise(SIGTSTP);
	check(pending(SIGTSTP), "SIGTSTP is pending");
	raise(SIGCONT);
	check(!pending(SIGTSTP) && conts == 1, "SIGCONT drops it");
	block(SIGCONT, SIG_BLOCK);
	raise(SIGCONT);
	check(pending(SIGCONT), "SIGCONT is pending");
	raise(SIGTSTP);
	check(!pending(SIGCONT) && pending(SIGTSTP), "SIGTSTP drops it, though neither is delivered");
	raise(SIGCONT);
	block(SIGCONT, SIG_UNBLOCK);
	block(SIGTSTP, SIG_UNBLOCK);
	check(conts == 2, "SIGCONT came, SIGTSTP did not");

	gate g = new_gate();
	pid_t pid = fork();
	if (pid == 0) {
		block(SIGCONT, SIG_BLOCK);
		setpgid(0, 0);
		raise(SIGSTOP);
		_exit(pending(SIGCONT) ? 7 : 8);
	}
	waitpid(pid, &status, WUNTRACED);
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "stopped");
	kill(pid, SIGUSR1);
	check(waitpid(pid, &status, WNOHANG) == 0 && proc_state(pid) == 'T', "another signal does not wake it");
	kill(pid, SIGCONT);
	check(reap(pid) == SIGUSR1, "SIGCONT does, though blocked: then the other signal ends it");
	if ((pid = fork()) == 0) {
		signal(SIGCONT, SIG_IGN);
		raise(SIGSTOP);
		gate_pass(g);
		_exit(9);
	}
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGCONT);
	check(waitpid(pid, &status, WCONTINUED) == pid, "ignored SIGCONT continues as well");
	gate_open(g);
	check(WIFCONTINUED(status) && reap(pid) == 0x900, "it goes on to its end");
	if ((pid = fork()) == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGKILL);
	check(reap(pid) == SIGKILL, "SIGKILL ends a stopped process");

	// A handler for SIGTSTP that stops itself properly, as editors do.
	if ((pid = fork()) == 0) {
		setpgid(0, 0);
		signal(SIGTSTP, on_tstp);
		raise(SIGTSTP);
		signal(SIGTSTP, SIG_DFL);
		gate_open(g);
		raise(SIGTSTP);
		_exit(tstps == 1 && conts == 3 ? 5 : 6);
	}
	gate_pass(g);
	waitpid(pid, &status, WUNTRACED);
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP, "handled once, then stopped by default");
	kill(pid, SIGCONT);
	check(reap(pid) == 0x500, "continued: its handler for SIGCONT ran");
	// A stop is told to the parent once, with the last signal.
	if ((pid = fork()) == 0) {
		for (;;)
			pause();
	}
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGSTOP);
	check(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0, "stopping a stopped process is no news");
	kill(pid, SIGCONT);
	kill(pid, SIGKILL);
	reap(pid);
	return done();
}
