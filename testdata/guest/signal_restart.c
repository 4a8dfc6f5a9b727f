// G1: which calls restart after a handler with SA_RESTART and which give EINTR; stop and continue do not disturb a read.
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static volatile sig_atomic_t hits;
static int p[2];

// The handler makes the blocked call able to end.
static void feed(int sig) {
	hits++;
	write(p[1], "x", 1);
}

static void soon(void) {
	struct itimerval it = {{0, 0}, {0, 10000}};
	setitimer(ITIMER_REAL, &it, NULL);
	hits = 0;
}

static void drain(void) {
	char buf[16];
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	while (read(p[0], buf, sizeof buf) > 0)
		;
	fcntl(p[0], F_SETFL, 0);
}

int main(void) {
	char c;
	must(pipe(p), "pipe");
	struct sigaction sa = {.sa_handler = feed};
	sigaction(SIGALRM, &sa, NULL);
	soon();
	fails(read(p[0], &c, 1), EINTR, "read without SA_RESTART");
	drain();
	sa.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	soon();
	check(read(p[0], &c, 1) == 1 && hits == 1, "read with SA_RESTART goes on");

	struct pollfd pf = {p[0], POLLIN, 0};
	soon();
	fails(poll(&pf, 1, -1), EINTR, "poll, SA_RESTART or not");
	drain();
	fd_set set;
	FD_ZERO(&set);
	FD_SET(p[0], &set);
	soon();
	fails(select(p[0] + 1, &set, NULL, NULL, NULL), EINTR, "select");
	drain();
	int ep = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN};
	epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev);
	soon();
	fails(epoll_wait(ep, &ev, 1, -1), EINTR, "epoll_wait");
	drain();
	soon();
	fails(pause(), EINTR, "pause");
	drain();
	struct timespec ts = {100, 0}, rem = {0, 0};
	soon();
	fails(nanosleep(&ts, &rem), EINTR, "nanosleep");
	check(rem.tv_sec == 99 && rem.tv_nsec > 0, "it tells what was left");
	drain();

	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	struct sigaction end = {.sa_handler = feed, .sa_flags = SA_RESTART};
	sigaction(SIGALRM, &end, NULL);
	soon();
	pid_t killer = fork();
	if (killer == 0) {
		usleep(40000);
		kill(pid, SIGKILL);
		_exit(0);
	}
	int status;
	check(waitpid(pid, &status, 0) == pid && status == SIGKILL && hits == 1, "waitpid with SA_RESTART goes on");
	reap(killer);
	drain();

	// A blocked reader that is stopped and continued reads on; so does one with an ignored signal.
	int q[2];
	pipe(q);
	if ((pid = fork()) == 0) {
		signal(SIGUSR1, SIG_IGN);
		write(p[1], "r", 1);
		_exit(read(q[0], &c, 1) == 1 ? 3 : 4);
	}
	read(p[0], &c, 1);
	wait_state(pid, 'S');
	kill(pid, SIGUSR1);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGCONT);
	wait_state(pid, 'S');
	write(q[1], "x", 1);
	check(reap(pid) == 0x300, "a read outlives an ignored signal, a stop and a continue");
	return done();
}
