// E5, G1: a process group that becomes orphaned with a stopped member gets SIGHUP, then SIGCONT; one without does not.
#include "guest.h"
#include <sys/prctl.h>

static volatile sig_atomic_t hup, cont, order;
static void handler(int sig) {
	if (sig == SIGHUP)
		hup = ++order;
	else
		cont = ++order;
}

// leader makes a member of its group, stopped or not, and ends.
static void leader(int stopped, gate up, gate down) {
	setpgid(0, 0);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGHUP, handler);
		signal(SIGCONT, handler);
		if (stopped)
			raise(SIGSTOP);
		else {
			gate_open(up);
			gate_pass(down);
		}
		_exit(stopped ? hup > 0 && cont > 0 ? 5 : 6 : hup || cont ? 7 : 8);
	}
	if (stopped)
		waitpid(pid, NULL, WUNTRACED);
	else
		gate_pass(up);
	_exit(0);
}

int main(void) {
	int status;
	gate up = new_gate(), down = new_gate();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	// The subreaper is in another session: it is no parent that could do job control.
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		for (int stopped = 0; stopped < 2; stopped++) {
			pid = fork();
			if (pid == 0) {
				setsid();
				if (fork() == 0)
					leader(stopped, up, down);
				wait(NULL);
				_exit(0);
			}
			reap(pid);
			if (!stopped)
				gate_open(down);
			wait(&status);
			check(status == (stopped ? 0x500 : 0x800), stopped ? "stopped member: SIGHUP and SIGCONT came" : "running member: nothing came");
		}
		_exit(done());
	}
	check(reap(pid) == 0, "both held");

	// In an orphaned group the terminal's stop signals have no effect.
	if ((pid = fork()) == 0) {
		setsid();
		raise(SIGTSTP);
		raise(SIGTTIN);
		_exit(3);
	}
	check(waitpid(pid, &status, WUNTRACED) == pid && status == 0x300, "SIGTSTP does not stop an orphaned group");
	if ((pid = fork()) == 0) {
		setsid();
		raise(SIGSTOP);
		_exit(3);
	}
	check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status), "SIGSTOP does");
	kill(pid, SIGCONT);
	check(reap(pid) == 0x300, "it goes on");
	return done();
}
