// G2, P5: controlling terminals: how one is got and given up, TOSTOP, readers and writers in the background and in orphaned groups, hang-up of the group.
#include "guest.h"
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master;
static char slave_name[64];

// leader runs f in a new session without a terminal; its status is given.
static int leader(void (*f)(void)) {
	int slave;
	must(openpty(&master, &slave, slave_name, NULL, NULL), "openpty");
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		close(master);
		close(slave);
		failures = 0;
		setsid();
		f();
		_exit(done());
	}
	close(slave);
	char c;
	while (read(master, &c, 1) > 0)
		; // until no one has the slave open
	int status = reap(pid);
	close(master);
	return status;
}
static int tty(int flags) { return must(open(slave_name, O_RDWR | flags), "open of the slave"); }

static void getting(void) {
	int fd = tty(O_NOCTTY);
	fails(open("/dev/tty", O_RDWR), ENXIO, "O_NOCTTY: no controlling terminal");
	fails(tcgetpgrp(fd), ENOTTY, "tcgetpgrp of a terminal that is not one's own");
	close(fd);
	fd = tty(0);
	int t = open("/dev/tty", O_RDWR);
	check(t >= 0, "a leader that opens a terminal gets it as its own");
	check(tcgetsid(fd) == getpid() && tcgetpgrp(fd) == getpgrp(), "session and foreground group");
	pid_t pid = fork();
	if (pid == 0) {
		check(tcgetsid(fd) == getsid(0) && open("/dev/tty", O_RDWR) >= 0, "a child has it too");
		_exit(done());
	}
	check(reap(pid) == 0, "inherited by fork");
	if ((pid = fork()) == 0) {
		setsid();
		fails(open("/dev/tty", O_RDWR), ENXIO, "a new session has none");
		fails(ioctl(fd, TIOCSCTTY, 0), EPERM, "nor may it take another session's");
		_exit(done());
	}
	check(reap(pid) == 0, "dropped by setsid");
	if ((pid = fork()) == 0) {
		check(ioctl(fd, TIOCNOTTY) == 0, "a member may give it up for itself");
		fails(open("/dev/tty", O_RDWR), ENXIO, "then it has none");
		_exit(done());
	}
	check(reap(pid) == 0, "TIOCNOTTY by a member");
	check(tcgetpgrp(fd) == getpgrp(), "the leader still has it");
	fails(tcsetpgrp(fd, 4000000), ESRCH, "a foreground group that is not");
	fails(ioctl(fd, TIOCSPGRP, &(int){-1}), EINVAL, "a negative group");
}

static void background(void) {
	int fd = tty(0), status;
	struct termios t;
	signal(SIGTTOU, SIG_IGN);
	tcgetattr(fd, &t);
	for (int tostop = 0; tostop < 2; tostop++) {
		t.c_lflag = tostop ? t.c_lflag | TOSTOP : t.c_lflag & ~TOSTOP;
		tcsetattr(fd, TCSANOW, &t);
		pid_t pid = fork();
		if (pid == 0) {
			setpgid(0, 0);
			signal(SIGTTOU, SIG_DFL);
			write(fd, "", 1);
			_exit(7);
		}
		setpgid(pid, pid);
		waitpid(pid, &status, WUNTRACED);
		if (tostop)
			check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU, "TOSTOP: a writer in the background gets SIGTTOU");
		else
			check(status == 0x700, "without TOSTOP it may write");
		kill(pid, SIGKILL);
		if (tostop)
			reap(pid);
	}
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_DFL);
		tcsetattr(fd, TCSANOW, &t);
		_exit(7);
	}
	setpgid(pid, pid);
	waitpid(pid, &status, WUNTRACED);
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU, "tcsetattr from the background: SIGTTOU, TOSTOP or not");
	kill(pid, SIGKILL);
	reap(pid);
	if ((pid = fork()) == 0) {
		char c;
		setpgid(0, 0);
		signal(SIGTTIN, SIG_IGN);
		fails(read(fd, &c, 1), EIO, "a reader in the background that ignores SIGTTIN");
		_exit(done());
	}
	setpgid(pid, pid);
	check(reap(pid) == 0, "EIO when ignored");
	if ((pid = fork()) == 0) {
		sigset_t set;
		setpgid(0, 0);
		sigemptyset(&set);
		sigaddset(&set, SIGTTOU);
		signal(SIGTTOU, SIG_DFL);
		sigprocmask(SIG_BLOCK, &set, NULL);
		check(tcsetpgrp(fd, getpgrp()) == 0, "with SIGTTOU blocked the foreground can be taken");
		_exit(done());
	}
	setpgid(pid, pid);
	check(reap(pid) == 0, "taking the foreground");
	check(tcgetpgrp(fd) == pid || tcgetpgrp(fd) > 0, "a group that has ended may still be named as the foreground");
	tcsetpgrp(fd, getpgrp());
	// A member of an orphaned group cannot be stopped by the terminal: it gets an error.
	gate g = new_gate(), told = new_gate();
	if ((pid = fork()) == 0) {
		setpgid(0, 0);
		if (fork() == 0) {
			gate_pass(g);
			char c;
			int r = read(fd, &c, 1), e = errno;
			write(told.w, r == -1 && e == EIO ? "y" : "n", 1);
			_exit(0);
		}
		_exit(0);
	}
	reap(pid);
	gate_open(g);
	char c = 'n';
	read(told.r, &c, 1);
	check(c == 'y', "a reader in an orphaned group gets EIO, no SIGTTIN");
}

static volatile sig_atomic_t hups, conts;
static void on_hup(int sig) { hups++; }
static void on_cont(int sig) { conts++; }

static gate ready, report;
static void leaves(void) {
	int fd = tty(0);
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		signal(SIGHUP, on_hup);
		signal(SIGCONT, on_cont);
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(fd, getpgrp());
		gate_open(ready);
		for (int i = 0; i < 4000 && !hups; i++)
			usleep(500);
		char r[3] = {hups == 1 ? 'y' : 'n', conts == 0 ? 'y' : 'n', 'n'};
		r[2] = open("/dev/tty", O_RDWR) == -1 && errno == ENXIO ? 'y' : 'n';
		write(report.w, r, 3);
		_exit(0);
	}
	gate_pass(ready);
	// The session leader ends.
}

int main(void) {
	check(leader(getting) == 0, "getting and giving up");
	check(leader(background) == 0, "the background");
	ready = new_gate();
	report = new_gate();
	check(leader(leaves) == 0, "the session leader ended");
	char r[3] = "";
	read(report.r, r, 3);
	check(r[0] == 'y', "its end: SIGHUP for the foreground group");
	check(r[1] == 'y', "no SIGCONT: none of it was stopped");
	check(r[2] == 'y', "and the terminal is nobody's");

	// Exclusive use, flow control and locks of the master.
	int s;
	must(openpty(&master, &s, slave_name, NULL, NULL), "openpty");
	check(ioctl(s, TIOCEXCL) == 0 && ioctl(s, TIOCNXCL) == 0, "TIOCEXCL and TIOCNXCL");
	int m2 = open("/dev/ptmx", O_RDWR | O_NOCTTY), locked = -1;
	ioctl(m2, TIOCGPTLCK, &locked);
	check(m2 >= 0 && locked == 1, "a new master's slave is locked");
	char name[64];
	check(ptsname_r(m2, name, sizeof name) == 0 && open(name, O_RDWR | O_NOCTTY) == -1 && errno == EIO, "a locked slave cannot be opened: EIO");
	check(unlockpt(m2) == 0 && open(name, O_RDWR | O_NOCTTY) >= 0, "unlocked it can");
	write(master, "\023", 1); // Ctrl-S
	usleep(5000);
	fcntl(s, F_SETFL, O_NONBLOCK);
	fails(write(s, "x", 1), EAGAIN, "stopped by Ctrl-S: a write would wait");
	write(master, "\021", 1); // Ctrl-Q
	usleep(5000);
	check(write(s, "x", 1) == 1, "Ctrl-Q lets it go on");
	return done();
}
