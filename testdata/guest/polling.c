// K1, G1: select, poll and epoll on pipes and eventfds: level and edge, one shot, nested, timeouts, what a closed file does.
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>

static int ep;

static int ctl(int op, int fd, uint32_t events) {
	struct epoll_event ev = {.events = events, .data.u64 = 1000 + fd};
	return epoll_ctl(ep, op, fd, &ev);
}
// ready gives the number of events now, and the first one's bits.
static int ready(uint32_t *bits, int *fd) {
	struct epoll_event ev[8];
	int n = epoll_wait(ep, ev, 8, 0);
	if (n > 0 && bits)
		*bits = ev[0].events;
	if (n > 0 && fd)
		*fd = ev[0].data.u64 - 1000;
	return n;
}

int main(void) {
	int p[2], q[2], fd;
	uint32_t bits;
	uint64_t v;
	char c;
	pipe(p);
	pipe(q);
	struct pollfd pf[3] = {{p[0], POLLIN, 0}, {q[1], POLLOUT, 0}, {-1, POLLIN, 0}};
	check(poll(pf, 3, 0) == 1 && pf[0].revents == 0 && pf[1].revents == POLLOUT && pf[2].revents == 0, "poll: one of three");
	struct pollfd bad = {999, POLLIN, 0};
	check(poll(&bad, 1, 0) == 1 && bad.revents == POLLNVAL, "poll: POLLNVAL");
	check(poll(pf, 1, 10) == 0, "poll: timeout");
	fd_set r, w;
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	struct timeval tv = {1, 0};
	check(select(20, &r, &w, NULL, &tv) == 1 && !FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w), "select");
	FD_SET(40, &r);
	fails(select(41, &r, NULL, NULL, &tv), EBADF, "select of a file that is not open");

	ep = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	check(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN) == 0, "EPOLL_CTL_ADD");
	fails(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN), EEXIST, "twice");
	fails(ctl(EPOLL_CTL_MOD, q[0], EPOLLIN), ENOENT, "EPOLL_CTL_MOD of a stranger");
	fails(ctl(EPOLL_CTL_ADD, ep, EPOLLIN), EINVAL, "an epoll in itself");
	fails(ctl(EPOLL_CTL_ADD, open("/usr/bin/env", O_RDONLY), EPOLLIN), EPERM, "a regular file");
	fails(epoll_wait(ep, NULL, 0, 0), EINVAL, "room for no event");
	check(ready(NULL, NULL) == 0, "nothing yet");
	write(p[1], "ab", 2);
	check(ready(&bits, &fd) == 1 && bits == EPOLLIN && fd == p[0], "level: ready, with its data");
	check(ready(NULL, NULL) == 1, "level: still ready");
	ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET);
	check(ready(NULL, NULL) == 1 && ready(NULL, NULL) == 0, "edge: told once");
	read(p[0], &c, 1);
	check(ready(NULL, NULL) == 0, "edge: reading is no edge");
	write(p[1], "c", 1);
	check(ready(NULL, NULL) == 1, "edge: a write is");
	ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT);
	check(ready(NULL, NULL) == 1 && ready(NULL, NULL) == 0, "one shot: told once");
	write(p[1], "d", 1);
	check(ready(NULL, NULL) == 0, "one shot: disarmed");
	ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT);
	check(ready(NULL, NULL) == 1, "one shot: armed again");
	ctl(EPOLL_CTL_DEL, p[0], 0);
	check(ready(NULL, NULL) == 0, "EPOLL_CTL_DEL");

	ctl(EPOLL_CTL_ADD, q[0], EPOLLIN | EPOLLRDHUP);
	int outer = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN};
	epoll_ctl(outer, EPOLL_CTL_ADD, ep, &ev);
	check(epoll_wait(outer, &ev, 1, 0) == 0, "an epoll in an epoll: nothing");
	write(q[1], "x", 1);
	check(epoll_wait(outer, &ev, 1, 0) == 1, "then ready");
	close(q[1]);
	check(ready(&bits, NULL) == 1 && bits == (EPOLLIN | EPOLLHUP), "the writer's end: EPOLLHUP");
	int d = dup(q[0]);
	close(q[0]);
	check(ready(NULL, NULL) == 1, "a closed descriptor whose description lives is still told");
	close(d);
	check(ready(NULL, NULL) == 0, "with the last one it leaves by itself");

	int e = must(eventfd(3, EFD_NONBLOCK), "eventfd");
	ctl(EPOLL_CTL_ADD, e, EPOLLIN | EPOLLOUT);
	check(ready(&bits, NULL) == 1 && bits == (EPOLLIN | EPOLLOUT), "eventfd: both ways");
	v = 4;
	write(e, &v, 8);
	check(read(e, &v, 8) == 8 && v == 7, "eventfd adds up");
	fails(read(e, &v, 8), EAGAIN, "eventfd at zero");
	v = UINT64_MAX;
	fails(write(e, &v, 8), EINVAL, "eventfd: a value too great");
	v = UINT64_MAX - 1;
	write(e, &v, 8);
	v = 1;
	fails(write(e, &v, 8), EAGAIN, "eventfd that is full");
	check(ready(&bits, NULL) == 1 && bits == EPOLLIN, "full: only to read");
	int s = eventfd(2, EFD_SEMAPHORE);
	check(read(s, &v, 8) == 8 && v == 1 && read(s, &v, 8) == 8 && v == 1, "EFD_SEMAPHORE gives one at a time");

	// A process waits for what another one does.
	pid_t pid = fork();
	if (pid == 0) {
		usleep(3000);
		v = 5;
		write(s, &v, 8);
		_exit(0);
	}
	ctl(EPOLL_CTL_DEL, e, 0);
	ctl(EPOLL_CTL_ADD, s, EPOLLIN);
	check(epoll_wait(ep, &ev, 1, -1) == 1 && ev.data.u64 == 1000u + s, "epoll_wait across processes");
	reap(pid);
	return done();
}
