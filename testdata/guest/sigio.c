// G1: O_ASYNC and F_SETOWN: SIGIO, or the signal of F_SETSIG with band and descriptor, to a process, a group or a thread.
#include "guest.h"
#include <poll.h>
#include <sys/socket.h>

static volatile sig_atomic_t ios, rts;
static siginfo_t last;
static void on_io(int sig) { ios++; }
static void on_rt(int sig, siginfo_t *si, void *ctx) {
	rts++;
	last = *si;
}

int main(void) {
	int p[2], s[2];
	char c;
	pipe(p);
	signal(SIGIO, on_io);
	struct sigaction sa = {.sa_sigaction = on_rt, .sa_flags = SA_SIGINFO};
	sigaction(SIGRTMIN, &sa, NULL);
	check(fcntl(p[0], F_GETOWN) == 0 && fcntl(p[0], F_GETSIG) == 0, "at first: no owner, no signal");
	fcntl(p[0], F_SETFL, O_ASYNC | O_NONBLOCK);
	write(p[1], "x", 1);
	check(ios == 0, "without an owner nothing comes");
	read(p[0], &c, 1);
	check(fcntl(p[0], F_SETOWN, getpid()) == 0 && fcntl(p[0], F_GETOWN) == getpid(), "F_SETOWN");
	write(p[1], "x", 1);
	check(ios == 1, "SIGIO when data comes");
	read(p[0], &c, 1);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	write(p[1], "x", 1);
	check(ios == 1, "without O_ASYNC none");
	read(p[0], &c, 1);
	fcntl(p[0], F_SETFL, O_ASYNC | O_NONBLOCK);
	check(fcntl(p[0], F_SETSIG, SIGRTMIN) == 0 && fcntl(p[0], F_GETSIG) == SIGRTMIN, "F_SETSIG");
	write(p[1], "x", 1);
	check(rts == 1 && last.si_fd == p[0] && last.si_code == POLL_IN, "the signal of F_SETSIG tells the descriptor and POLL_IN");
	check(last.si_band & POLLIN, "and the band");
	read(p[0], &c, 1);
	struct f_owner_ex ex = {F_OWNER_TID, (pid_t)syscall(SYS_gettid)}, back;
	check(fcntl(p[0], F_SETOWN_EX, &ex) == 0 && fcntl(p[0], F_GETOWN_EX, &back) == 0 && back.type == F_OWNER_TID && back.pid == ex.pid, "F_SETOWN_EX: a thread");
	check(fcntl(p[0], F_SETOWN, -getpgrp()) == 0 && fcntl(p[0], F_GETOWN_EX, &back) == 0 && back.type == F_OWNER_PGRP, "F_SETOWN: a group");

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, s), "socketpair");
	fcntl(s[0], F_SETOWN, getpid());
	fcntl(s[0], F_SETFL, O_ASYNC);
	ios = 0;
	write(s[1], "y", 1);
	check(ios >= 1, "a socket: SIGIO when data comes");
	ios = 0;
	close(s[1]);
	check(ios >= 1, "and when the other end is closed");
	// SIGIO is not inherited: the owner is a process.
	pid_t pid = fork();
	if (pid == 0) {
		ios = rts = 0;
		fcntl(p[0], F_SETOWN, getppid());
		write(p[1], "z", 1);
		_exit(ios + rts);
	}
	check(reap(pid) == 0, "a child that is not the owner gets none");
	return done();
}
