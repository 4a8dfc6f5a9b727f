// G2: who has a controlling terminal: how sessions get it, give it up and lose it, and what that means for their groups.
// needs root
#include "guest.h"
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <termios.h>

static int m;         // the master side
static char name[64]; // of the slave side

// terminal makes a new pseudo-terminal. Nobody has the slave side open.
static void terminal(void) {
	m = must(open("/dev/ptmx", O_RDWR | O_NOCTTY), "open ptmx");
	must(grantpt(m), "grantpt");
	must(unlockpt(m), "unlockpt");
	ptsname_r(m, name, sizeof name);
}

// leader runs f as the leader of a new session. It alone has the master side.
static void leader(void (*f)(void), const char *what) {
	gate alone = new_gate();
	terminal();
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		failures = 0;
		gate_pass(alone);
		setsid();
		f();
		_exit(done());
	}
	close(m);
	gate_open(alone);
	check(reap(pid) == 0, "%s", what);
}

static int has(void) {
	int fd = open("/dev/tty", O_RDWR);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

// stat_field is a field of /proc/PID/stat, counted as in proc(5).
static long stat_field(pid_t pid, int field) {
	char path[64], line[1024], *p;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	int n = read(fd, line, sizeof line - 1);
	close(fd);
	if (n <= 0)
		return -99;
	line[n] = 0;
	p = strrchr(line, ')') + 2;
	for (int i = 3; i < field; i++)
		p = strchr(p, ' ') + 1;
	return strtol(p, NULL, 10);
}

static void acquire(void) {
	fails(open("/dev/tty", O_RDWR), ENXIO, "/dev/tty without a terminal");
	check(stat_field(getpid(), 7) == 0 && stat_field(getpid(), 8) == -1, "stat: no terminal");
	int s = open(name, O_RDWR | O_NOCTTY);
	check(s >= 0 && !has(), "O_NOCTTY: no controlling terminal");
	fails(tcgetpgrp(s), ENOTTY, "tcgetpgrp of another's terminal");
	fails(tcgetsid(s), ENOTTY, "tcgetsid of another's terminal");
	fails(tcsetpgrp(s, getpid()), ENOTTY, "tcsetpgrp of another's terminal");
	fails(ioctl(s, TIOCNOTTY), ENOTTY, "TIOCNOTTY without");
	int w = open(name, O_WRONLY);
	check(w >= 0 && !has(), "opened for writing: no controlling terminal");
	int r = open(name, O_RDONLY);
	check(r >= 0 && has(), "opened for reading: it is");
	check(tcgetpgrp(s) == getpid() && tcgetsid(s) == getpid(), "the leader's group has the foreground");
	struct stat st;
	fstat(s, &st);
	check(stat_field(getpid(), 7) == (long)st.st_rdev && stat_field(getpid(), 8) == getpid(), "stat: tty_nr and tpgid");
	check(ioctl(s, TIOCSCTTY, 0) == 0, "TIOCSCTTY of what it has");
	char link[64], proc[64];
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", s);
	int n = readlink(proc, link, sizeof link);
	check(n == (int)strlen(name) && !memcmp(link, name, n), "/proc/self/fd leads to its name");
	check(!strcmp(ttyname(s), name) && !strcmp(ttyname(m), "/dev/ptmx"), "ttyname of both sides");
}

static void members(void) {
	int s = must(open(name, O_RDWR), "open");
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		check(has(), "a child inherits it");
		fails(ioctl(s, TIOCSCTTY, 0), EPERM, "TIOCSCTTY of a member");
		check(ioctl(s, TIOCNOTTY) == 0 && !has(), "a member gives it up for itself");
		_exit(done());
	}
	check(reap(pid) == 0 && has(), "and the leader keeps it");
	pid = fork();
	if (pid == 0) {
		setsid();
		check(!has(), "a new session has none");
		fails(ioctl(s, TIOCSCTTY, 0), EPERM, "TIOCSCTTY of another session's");
		_exit(done());
	}
	check(reap(pid) == 0, "the new session's facts held");
	fails(tcsetpgrp(s, -5), EINVAL, "tcsetpgrp of a negative number");
	fails(tcsetpgrp(s, 1 << 22), ESRCH, "tcsetpgrp of nobody");
	fails(tcsetpgrp(s, 1), EPERM, "tcsetpgrp of another session");
	check(tcgetpgrp(m) == getpid(), "tcgetpgrp of the master");
	check(tcsetpgrp(m, getpid()) == 0, "tcsetpgrp of the master");

	// A group in the background.
	gate g = new_gate();
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		gate_pass(g);
		signal(SIGTTOU, SIG_IGN);
		signal(SIGTTIN, SIG_IGN);
		char c;
		fails(read(s, &c, 1), EIO, "a background read that ignores SIGTTIN");
		check(write(s, "x", 1) == 1, "a background write");
		struct termios t;
		tcgetattr(s, &t);
		t.c_lflag |= TOSTOP;
		check(tcsetattr(s, TCSANOW, &t) == 0, "tcsetattr that ignores SIGTTOU");
		check(write(s, "x", 1) == 1, "TOSTOP and SIGTTOU ignored");
		signal(SIGTTOU, SIG_DFL);
		write(s, "x", 1);
		check(1, "continued after SIGTTOU");
		_exit(done());
	}
	setpgid(pid, pid);
	gate_open(g);
	check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU, "TOSTOP stops a writer");
	tcsetpgrp(s, pid);
	check(tcgetpgrp(s) == pid && stat_field(getpid(), 8) == pid, "the foreground changes");
	signal(SIGTTOU, SIG_IGN); // this group is in the background now
	kill(-pid, SIGCONT);
	check(reap(pid) == 0, "the background's facts held");
	check(tcgetpgrp(s) == pid, "the foreground group may have ended");
}

// orphan: a group that nobody can continue is not stopped.
static void orphan(void) {
	int s = must(open(name, O_RDWR), "open");
	gate g = new_gate();
	gate ready = new_gate();
	pid_t pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			setpgid(0, 0);
			gate_pass(g);
			char c;
			fails(read(s, &c, 1), EIO, "a background read of an orphaned group");
			fails(tcsetpgrp(s, getpid()), ENOTTY, "its tcsetpgrp");
			fails(tcdrain(s), EIO, "its tcdrain");
			gate_open(ready);
			_exit(0);
		}
		_exit(0);
	}
	reap(pid);
	gate_open(g);
	gate_pass(ready);
}

static volatile sig_atomic_t hups, conts;
static void on_hup(int sig) { hups++; }
static void on_cont(int sig) { conts += hups; }

static void give_up(void) {
	int s = must(open(name, O_RDWR), "open");
	signal(SIGHUP, on_hup);
	signal(SIGCONT, on_cont);
	check(ioctl(s, TIOCNOTTY) == 0 && !has(), "the leader gives it up");
	check(hups == 1 && conts <= 1, "which its group is told by SIGHUP");
	check(ioctl(s, TIOCSCTTY, 0) == 0 && has(), "TIOCSCTTY gets it again");
	close(s);
	close(m);
	check(!has(), "hang-up: no terminal any more");
	check(hups == 2, "hang-up: SIGHUP");
}

// steal: root takes the terminal from another session.
static void steal(void) {
	int s = must(open(name, O_RDWR), "open");
	gate stolen = new_gate(), seen = new_gate();
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		fails(ioctl(s, TIOCSCTTY, 0), EPERM, "TIOCSCTTY without force");
		check(ioctl(s, TIOCSCTTY, 1) == 0 && has(), "TIOCSCTTY with force");
		gate_open(stolen);
		gate_pass(seen);
		_exit(done());
	}
	gate_pass(stolen);
	check(!has(), "the first session has lost it");
	fails(tcgetpgrp(s), ENOTTY, "tcgetpgrp of what was lost");
	gate_open(seen);
	signal(SIGHUP, SIG_IGN);
	check(reap(pid) == 0, "the thief's facts held");
	check(ioctl(s, TIOCSCTTY, 0) == 0, "its end set the terminal free");
}

static void inject(void) {
	char buf[8];
	int s = must(open(name, O_RDWR), "open");
	for (const char *p = "typed\n"; *p; p++)
		if (ioctl(s, TIOCSTI, p) != 0)
			check(0, "TIOCSTI");
	check(read(s, buf, sizeof buf) == 6 && !memcmp(buf, "typed\n", 6), "TIOCSTI types for the terminal");
	fails(ioctl(s, TIOCSTI, (char *)1), EFAULT, "TIOCSTI of a bad address");
}

static void exclusive(void) {
	int s = must(open(name, O_RDWR), "open");
	check(ioctl(s, TIOCEXCL) == 0, "TIOCEXCL");
	int again = open(name, O_RDWR);
	check(again >= 0, "root may open it again");
	pid_t pid = fork();
	if (pid == 0) {
		setgroups(0, NULL);
		fchmod(s, 0666);
		setresgid(12345, 12345, 12345);
		setresuid(12345, 12345, 12345);
		fails(open(name, O_RDWR), EBUSY, "another user's open");
		ioctl(s, TIOCNOTTY);
		fails(ioctl(s, TIOCSTI, "x"), EPERM, "TIOCSTI of a terminal that is not its own");
		_exit(done());
	}
	check(reap(pid) == 0, "the other user's facts held");
	int v = -1;
	check(ioctl(s, TIOCGEXCL, &v) == 0 && v == 1 && ioctl(s, TIOCNXCL) == 0, "TIOCNXCL");
}

static void hang_up(void) {
	char c;
	signal(SIGHUP, on_hup);
	struct termios t, initial;
	int s = must(open(name, O_RDWR), "open");
	tcgetattr(s, &t);
	initial = t;
	t.c_lflag = 0;
	tcsetattr(s, TCSANOW, &t);
	check(ioctl(s, TIOCVHANGUP) == 0 && hups == 1 && !has(), "TIOCVHANGUP hangs up");
	check(read(s, &c, 1) == 0, "then reading is end of file");
	fails(write(s, "x", 1), EIO, "writing");
	fails(ioctl(s, TIOCGPGRP, &c), EIO, "ioctl");
	fails(tcsetpgrp(s, getpid()), ENOTTY, "tcsetpgrp");
	int again = open(name, O_RDWR);
	check(again >= 0 && has() && write(again, "x", 1) == 1, "a new opening lives");
	tcgetattr(again, &t);
	check(t.c_lflag == initial.c_lflag, "with the attributes of a new terminal");
	check(syscall(SYS_vhangup) == 0 && hups == 2 && !has(), "vhangup hangs up as well");
}

// vanish: the name goes with the master side.
static void vanish(void) {
	char proc[64], link[64] = "", c;
	struct stat st;
	int s = must(open(name, O_RDWR | O_NOCTTY), "open");
	close(m);
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", s);
	readlink(proc, link, sizeof link - 1);
	check(!strncmp(link, name, strlen(name)) && !strcmp(link + strlen(name), " (deleted)"), "the name is deleted");
	check(fstat(s, &st) == 0 && st.st_nlink == 0, "and no link is left");
	fails(open(name, O_RDWR), ENOENT, "open of the name");
	check(!isatty(s) && read(s, &c, 1) == 0, "what is open is no terminal any more");
}

// job is a child in a group of its own that waits for signals.
static pid_t job(void) {
	gate ready = new_gate();
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		close(m);
		setpgid(0, 0);
		signal(SIGHUP, SIG_DFL);
		gate_open(ready);
		for (;;)
			pause();
	}
	gate_pass(ready);
	return pid;
}

static pid_t *jobs; // shared: in the foreground, in the background

static void start_jobs(void) {
	int s = must(open(name, O_RDWR), "open");
	signal(SIGTTOU, SIG_IGN);
	jobs[0] = job();
	jobs[1] = job();
	tcsetpgrp(s, jobs[0]);
}

static void leave(void) { start_jobs(); }

static void leave_late(void) {
	signal(SIGHUP, on_hup);
	start_jobs();
	close(m);
	check(hups == 1 && kill(jobs[0], 0) == 0, "hang-up: SIGHUP for the leader alone");
}

// after reaps the jobs of an ended leader, whose subreaper this is.
static void after(void) {
	int status = reap(jobs[0]);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP, "the end of the leader is SIGHUP for the foreground");
	check(waitpid(jobs[1], &status, WNOHANG) == 0, "the background lives");
	kill(jobs[1], SIGKILL);
	reap(jobs[1]);
}

int main(void) {
	leader(acquire, "acquire");
	leader(members, "members");
	leader(orphan, "orphan");
	leader(give_up, "give up");
	leader(steal, "steal");
	leader(inject, "inject");
	leader(exclusive, "exclusive");
	leader(hang_up, "hang up");
	leader(vanish, "vanish");
	jobs = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	leader(leave, "leave");
	after();
	leader(leave_late, "leave after a hang-up");
	after();
	return done();
}
