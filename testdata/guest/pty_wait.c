// G2: waiting for a terminal: poll, epoll and select on both sides, O_NONBLOCK, full buffers, VMIN with VTIME, interrupted reads.
#include "guest.h"
#include <poll.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <termios.h>

static int m, s;

static void mode(tcflag_t lflag, int vmin, int vtime) {
	struct termios t;
	tcgetattr(s, &t);
	t.c_lflag = lflag;
	t.c_iflag = t.c_oflag = 0;
	t.c_cc[VMIN] = vmin;
	t.c_cc[VTIME] = vtime;
	must(tcsetattr(s, TCSAFLUSH, &t), "tcsetattr");
}

static int events(int fd, int timeout) {
	struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI, 0};
	poll(&p, 1, timeout);
	return p.revents;
}

// until polls until the events are as they should be: what is written reaches
// the other side a moment later.
static int until(int fd, int want) {
	int got = 0;
	for (int i = 0; i < 5000 && (got = events(fd, 0)) != want; i++)
		usleep(500);
	return got == want;
}

static void in(const char *t) { must(write(m, t, strlen(t)), "write to the master"); }

// later runs f in a child after a moment in which the caller will have begun to
// wait.
static pid_t later(void (*f)(void)) {
	pid_t parent = getpid(), pid = must(fork(), "fork");
	if (pid == 0) {
		wait_state(parent, 'S');
		usleep(5000);
		f();
		_exit(0);
	}
	return pid;
}

static void type_line(void) { in("typed\n"); }
static void type_one(void) { in("1"); }
static void type_late(void) {
	usleep(60000);
	in("1");
}
static void print(void) { must(write(s, "out", 3), "write"); }
static void drain(void) {
	char buf[65536];
	for (int i = 0; i < 200 && read(m, buf, sizeof buf) > 0; i++)
		usleep(500);
}
static void hang_up(void) { ioctl(s, TIOCVHANGUP); }

static long now_ms(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_alarm(int sig) {}

int main(void) {
	static char buf[65536];
	must(openpty(&m, &s, NULL, NULL, NULL), "openpty");
	mode(ICANON, 1, 0);
	check(events(s, 0) == POLLOUT && events(m, 0) == POLLOUT, "both sides can be written");
	in("half");
	usleep(5000);
	check(events(s, 0) == POLLOUT, "half a line is nothing");
	in("\n");
	check(until(s, POLLIN | POLLOUT), "a line is POLLIN");
	check(read(s, buf, sizeof buf) == 5, "and is read");
	print();
	check(until(m, POLLIN | POLLOUT) && read(m, buf, sizeof buf) == 3, "output is POLLIN of the master");

	pid_t pid = later(type_line);
	check(read(s, buf, sizeof buf) == 6, "a read waits for a line");
	reap(pid);
	pid = later(print);
	check(read(m, buf, sizeof buf) == 3, "a read of the master waits for output");
	reap(pid);
	pid = later(type_line);
	fd_set set;
	FD_ZERO(&set);
	FD_SET(s, &set);
	check(select(s + 1, &set, NULL, NULL, NULL) == 1 && FD_ISSET(s, &set), "select waits for a line");
	reap(pid);
	read(s, buf, sizeof buf);

	int ep = epoll_create1(0);
	struct epoll_event e = {EPOLLIN | EPOLLET, {.fd = s}};
	must(epoll_ctl(ep, EPOLL_CTL_ADD, s, &e), "epoll_ctl");
	e = (struct epoll_event){EPOLLIN, {.fd = m}};
	must(epoll_ctl(ep, EPOLL_CTL_ADD, m, &e), "epoll_ctl");
	check(epoll_wait(ep, &e, 1, 0) == 0, "epoll: nothing yet");
	pid = later(type_line);
	check(epoll_wait(ep, &e, 1, 10000) == 1 && e.data.fd == s, "epoll waits for a line");
	check(epoll_wait(ep, &e, 1, 0) == 0, "edge-triggered: told once");
	reap(pid);
	read(s, buf, sizeof buf);
	pid = later(print);
	check(epoll_wait(ep, &e, 1, 10000) == 1 && e.data.fd == m, "epoll waits for output");
	reap(pid);
	check(epoll_wait(ep, &e, 1, 0) == 1, "level-triggered: told again");
	read(m, buf, sizeof buf);
	close(ep);

	fcntl(s, F_SETFL, O_NONBLOCK);
	fails(read(s, buf, 1), EAGAIN, "O_NONBLOCK: a read of nothing");
	check(read(s, buf, 0) == 0, "a read of no bytes");
	mode(0, 5, 0);
	in("abc");
	check(until(s, POLLOUT), "VMIN 5: three are no POLLIN");
	usleep(5000);
	check(read(s, buf, sizeof buf) == 3, "O_NONBLOCK: a read takes what there is");
	memset(buf, 'x', sizeof buf);
	long total = 0, n;
	for (int quiet = 0; quiet < 20; usleep(500), quiet++)
		while ((n = write(s, buf, 1000)) > 0)
			total += n, quiet = 0;
	fails(n, EAGAIN, "O_NONBLOCK: a write to a full terminal");
	check(total > 4096 && events(s, 0) == 0, "and no POLLOUT");
	fcntl(s, F_SETFL, 0);
	pid = later(drain);
	check(write(s, buf, 30000) == 30000, "a write waits for room, until all is written");
	kill(pid, SIGKILL);
	reap(pid);
	tcflush(m, TCIFLUSH);
	tcflush(s, TCIOFLUSH);
	while (events(m, 20) & POLLIN)
		read(m, buf, sizeof buf);

	mode(0, 3, 1);
	pid = later(type_one);
	long start = now_ms();
	check(read(s, buf, sizeof buf) == 1 && now_ms() - start >= 100, "VMIN 3 VTIME 1: one, and a tenth of a second");
	reap(pid);
	mode(0, 0, 200);
	pid = later(type_one);
	check(read(s, buf, sizeof buf) == 1, "VMIN 0 VTIME 200: the first byte is enough");
	reap(pid);
	mode(0, 10, 0);
	in("abc");
	check(read(s, buf, 3) == 3, "VMIN 10: a read of three is content with three");

	struct sigaction sa = {.sa_handler = on_alarm};
	struct itimerval it = {.it_value = {0, 20000}};
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	fails(read(s, buf, 1), EINTR, "a read that a signal interrupts");
	sa.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	in("abc");
	check(read(s, buf, sizeof buf) == 3, "it takes what there is");
	setitimer(ITIMER_REAL, &it, NULL);
	pid = later(type_late);
	check(read(s, buf, 1) == 1, "SA_RESTART: if there is nothing it goes on");
	reap(pid);

	int on = 1;
	ioctl(m, TIOCPKT, &on);
	tcflush(s, TCIFLUSH);
	check(until(m, POLLIN | POLLPRI | POLLOUT), "packet mode: a flush is POLLPRI");
	check(read(m, buf, sizeof buf) == 1 && buf[0] == TIOCPKT_FLUSHREAD, "and one byte says which");
	print();
	check(until(m, POLLIN | POLLOUT) && read(m, buf, sizeof buf) == 4 && buf[0] == TIOCPKT_DATA, "data has a byte before it");
	ioctl(m, TIOCPKT, &(int){0});

	mode(ICANON, 1, 0);
	if (geteuid() == 0) {
		pid = later(hang_up);
		check(read(s, buf, 1) == 0, "a hang-up ends a read");
		reap(pid);
	} else
		check(1, "a hang-up ends a read");
	close(s);
	check(until(m, POLLOUT | POLLHUP), "the last slave closed: POLLHUP");
	fails(read(m, buf, 1), EIO, "a read of the master");
	return done();
}
