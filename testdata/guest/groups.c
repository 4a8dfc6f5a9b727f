// G2, P5: sessions and process groups: setsid, setpgid, their errors, kill of a group and of all, getpgid of others.
#include "guest.h"

static volatile sig_atomic_t got;
static void handler(int sig) { got++; }

int main(void) {
	int status;
	gate hold = new_gate(), up = new_gate();
	pid_t pid = fork();
	if (pid == 0) {
		check(setsid() == getpid(), "setsid gives the pid");
		check(getsid(0) == getpid() && getpgrp() == getpid(), "session and group are the pid");
		fails(setsid(), EPERM, "setsid by a leader");
		fails(setpgid(0, 0), EPERM, "setpgid by a session leader");
		fails(open("/dev/tty", O_RDWR), ENXIO, "/dev/tty without a terminal");
		_exit(done());
	}
	check(reap(pid) == 0, "session leader");

	pid = fork();
	if (pid == 0) {
		signal(SIGUSR1, handler);
		gate_open(up);
		gate_pass(hold);
		_exit(got);
	}
	gate_pass(up);
	check(getpgid(pid) == getpgrp() && getsid(pid) == getsid(0), "a child starts in its parent's group and session");
	check(setpgid(pid, pid) == 0 && getpgid(pid) == pid, "the parent puts it in its own group");
	pid_t other = fork();
	if (other == 0) {
		signal(SIGUSR1, handler);
		gate_open(up);
		gate_pass(hold);
		_exit(got);
	}
	gate_pass(up);
	check(setpgid(other, pid) == 0, "a second one joins");
	fails(setpgid(other, 4000000), EPERM, "a group that is not there");
	fails(setpgid(other, -1), EINVAL, "a negative group");
	fails(setpgid(1, 0), ESRCH, "a process that is no child");
	fails(getpgid(-1), ESRCH, "getpgid(-1)");
	check(kill(-pid, SIGUSR1) == 0, "kill of the group");
	gate_open(hold);
	gate_open(hold);
	check(reap(pid) == 0x100 && reap(other) == 0x100, "each member got it");
	fails(kill(-pid, 0), ESRCH, "kill of a group that is no more");
	fails(kill(getpid(), 65), EINVAL, "signal 65");
	fails(kill(getpid(), -1), EINVAL, "signal -1");
	fails(kill(INT_MIN, 0), ESRCH, "kill of INT_MIN");

	// A child that has exec'd can no longer be moved.
	if ((pid = fork()) == 0) {
		dup2(hold.r, 0); // nothing comes
		execlp("cat", "cat", NULL);
		_exit(127);
	}
	char path[64], exe[PATH_MAX];
	snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
	for (int i = 0; i < 5000; i++) {
		int fd = open(path, O_RDONLY), n = read(fd, exe, sizeof exe);
		close(fd);
		if (n == 4 && !strcmp(exe, "cat"))
			break;
		usleep(1000);
	}
	int r = setpgid(pid, pid);
	int e = errno;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	errno = e;
	fails(r, EACCES, "setpgid of a child after its exec");
	// A zombie leader keeps the group alive for others.
	if ((pid = fork()) == 0) {
		setpgid(0, 0);
		_exit(0);
	}
	siginfo_t si;
	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	check(kill(-pid, 0) == 0, "a zombie is still a member");
	if ((other = fork()) == 0)
		_exit(setpgid(0, pid) == 0 ? 0 : 1);
	check(reap(other) == 0, "its group can be joined");
	reap(pid);
	return done();
}
