// E4: waitid with siginfo, WNOWAIT, WEXITED WSTOPPED WCONTINUED, by pid, group, all and pidfd; pidfd_open, pidfd_send_signal, pidfd_getfd.
#include "guest.h"
#include <poll.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static siginfo_t si;

static int get(idtype_t type, id_t id, int options) {
	memset(&si, 0x55, sizeof si);
	return waitid(type, id, &si, options);
}

static void is(pid_t pid, int code, int status, const char *what) {
	check(si.si_signo == SIGCHLD && si.si_code == code && si.si_pid == pid && si.si_status == status && si.si_uid == getuid() && si.si_errno == 0,
	      "%s: si_code %d si_status %d", what, code, status);
}

int main(void) {
	gate hold = new_gate(), up = new_gate();
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		dup2(hold.r, 50);
		gate_open(up);
		gate_pass(hold);
		_exit(300);
	}
	gate_pass(up);
	check(get(P_PID, pid, WEXITED | WNOHANG) == 0 && si.si_pid == 0 && si.si_signo == 0, "WNOHANG: si_pid 0");
	fails(get(P_PID, pid, WNOHANG), EINVAL, "waitid for nothing");
	fails(get(7, pid, WEXITED), EINVAL, "waitid of an unknown kind");
	kill(pid, SIGSTOP);
	check(get(P_PID, pid, WSTOPPED | WNOWAIT) == 0, "WNOWAIT leaves it");
	is(pid, CLD_STOPPED, SIGSTOP, "stopped");
	check(get(P_ALL, 0, WSTOPPED) == 0, "P_ALL finds it again");
	is(pid, CLD_STOPPED, SIGSTOP, "stopped");
	kill(pid, SIGCONT);
	check(get(P_PGID, getpgrp(), WCONTINUED) == 0, "P_PGID");
	is(pid, CLD_CONTINUED, SIGCONT, "continued");

	int pf = must(syscall(SYS_pidfd_open, pid, 0), "pidfd_open");
	check(fcntl(pf, F_GETFD) == FD_CLOEXEC, "a pidfd is close-on-exec");
	fails(syscall(SYS_pidfd_open, pid, 12345), EINVAL, "pidfd_open with unknown flags");
	fails(syscall(SYS_pidfd_open, -1, 0), EINVAL, "pidfd_open of -1");
	check(get(P_PIDFD, pf, WEXITED | WNOHANG) == 0 && si.si_pid == 0, "P_PIDFD: not yet");
	int dupfd = syscall(SYS_pidfd_getfd, pf, 50, 0);
	check(dupfd >= 0, "pidfd_getfd takes a descriptor of the child");
	struct stat s1, s2;
	fstat(dupfd, &s1);
	fstat(hold.r, &s2);
	check(s1.st_ino == s2.st_ino, "it is the same pipe");
	struct pollfd p = {pf, POLLIN, 0};
	check(poll(&p, 1, 0) == 0, "poll: not yet");
	check(syscall(SYS_pidfd_send_signal, pf, 0, NULL, 0) == 0, "pidfd_send_signal 0");
	gate_open(hold);
	check(poll(&p, 1, -1) == 1 && p.revents & POLLIN, "poll: ended");
	check(get(P_PIDFD, pf, WEXITED | WNOWAIT) == 0, "P_PIDFD with WNOWAIT");
	is(pid, CLD_EXITED, 300 & 255, "exited");
	check(get(P_PIDFD, pf, WEXITED) == 0, "P_PIDFD reaps");
	fails(get(P_PID, pid, WEXITED), ECHILD, "P_PID then");
	fails(get(P_PIDFD, pf, WEXITED), ECHILD, "P_PIDFD then");
	fails(syscall(SYS_pidfd_send_signal, pf, 0, NULL, 0), ESRCH, "pidfd_send_signal then");
	fails(get(P_PIDFD, 0, WEXITED), EBADF, "P_PIDFD of another kind of file");

	pid = fork();
	if (pid == 0)
		pause();
	pf = syscall(SYS_pidfd_open, pid, 0);
	check(syscall(SYS_pidfd_send_signal, pf, SIGTERM, NULL, 0) == 0, "pidfd_send_signal SIGTERM");
	get(P_ALL, 0, WEXITED);
	is(pid, CLD_KILLED, SIGTERM, "killed");
	return done();
}
