// E4: waitpid: any, one, by group; WNOHANG, WUNTRACED, WCONTINUED; errors; order of what is reported.
#include "guest.h"

static gate hold;

static pid_t child(int code) {
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		gate_pass(hold);
		_exit(code);
	}
	return pid;
}

int main(void) {
	int status = 77;
	struct rusage ru;
	hold = new_gate();
	fails(wait(&status), ECHILD, "wait without a child");
	fails(waitpid(1, &status, WNOHANG), ECHILD, "wait for a stranger");
	pid_t pid = child(1);
	check(waitpid(pid, &status, WNOHANG) == 0 && status == 77, "WNOHANG: 0 and the status untouched");
	check(waitpid(-1, NULL, WNOHANG | WUNTRACED | WCONTINUED) == 0, "WNOHANG for any change");
	fails(waitpid(pid, &status, 0x40), EINVAL, "unknown option");
	fails(syscall(SYS_wait4, pid, (int *)8, WNOHANG | 0x40, NULL), EINVAL, "options come before the address");
	fails(waitpid(INT_MIN, &status, 0), ESRCH, "group INT_MIN");
	kill(pid, SIGSTOP);
	check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "WUNTRACED: stopped");
	check(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0, "a stop is told once");
	kill(pid, SIGCONT);
	check(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status), "WCONTINUED: continued");
	check(waitpid(pid, &status, WCONTINUED | WNOHANG) == 0, "that is told once");
	gate_open(hold);
	check(wait4(pid, &status, 0, &ru) == pid && status == 0x100, "wait4: its end");
	check(ru.ru_minflt > 0, "with its usage");
	fails(waitpid(pid, &status, 0), ECHILD, "once more");

	// Groups: 0 is the caller's, -N is group N.
	pid_t a = child(10), b = child(11), c = child(12);
	setpgid(b, b);
	setpgid(c, b);
	for (int i = 0; i < 3; i++)
		gate_open(hold);
	check(waitpid(0, &status, 0) == a && status == 10 << 8, "0: only its own group");
	fails(waitpid(0, &status, 0), ECHILD, "0: no other child of that group");
	fails(waitpid(-a, &status, 0), ECHILD, "a group that has no child");
	int sum = 0;
	for (int i = 0; i < 2; i++) {
		waitpid(-b, &status, 0);
		sum += status >> 8;
	}
	check(sum == 23, "-N: both members of the group");
	fails(waitpid(-b, &status, 0), ECHILD, "-N: then none");

	// A wait that stands is woken by whichever child ends first.
	a = child(20);
	b = fork();
	if (b == 0) {
		usleep(2000);
		_exit(21);
	}
	check(wait(&status) == b && status == 21 << 8, "any: the one that ended");
	gate_open(hold);
	check(wait(&status) == a, "any: then the other");

	// A child's end while it is stopped, and a status nobody wants.
	a = child(0);
	kill(a, SIGSTOP);
	kill(a, SIGKILL);
	check(waitpid(a, NULL, 0) == a, "SIGKILL ends a stopped child; no status wanted");
	a = child(0);
	gate_open(hold);
	fails(waitpid(a, (int *)8, 0), EFAULT, "status to a bad address");
	return done();
}
