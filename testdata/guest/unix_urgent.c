// G1: AF_UNIX sockets: urgent bytes and SIGURG, pidfds of peers and senders, and descriptors in flight that nobody can reach.
#include "guest.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/sockios.h>

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#define SO_PEERPIDFD 77
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif
#ifndef SO_PEERSEC
#define SO_PEERSEC 31
#endif

static int s[2];
static volatile sig_atomic_t urged;
static void on_urg(int sig) { urged++; }

static void new_pair(int inline_) {
	close(s[0]), close(s[1]);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, s), "socketpair");
	setsockopt(s[1], SOL_SOCKET, SO_OOBINLINE, &inline_, sizeof inline_);
	fcntl(s[1], F_SETOWN, getpid());
	urged = 0;
}

static void put(const char *text, int flags) { must(send(s[0], text, strlen(text), flags), "send"); }

// get prints what a receive gives.
static void get(const char *what, int n, int flags) {
	char b[64] = "";
	struct iovec v = {b, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	int at = -1, r = recvmsg(s[1], &m, flags | MSG_DONTWAIT), e = errno;
	struct pollfd p = {s[1], POLLIN | POLLPRI};
	poll(&p, 1, 0);
	ioctl(s[1], SIOCATMARK, &at);
	if (r < 0)
		printf("  %s: %s", what, errname(e));
	else
		printf("  %s: '%s'%s", what, b, m.msg_flags & MSG_OOB ? " urgent" : "");
	printf("; at mark %d%s%s\n", at, p.revents & POLLIN ? " POLLIN" : "", p.revents & POLLPRI ? " POLLPRI" : "");
}

static void urgent(int inline_) {
	printf("urgent byte %s\n", inline_ ? "inline" : "apart");
	new_pair(inline_);
	put("abc", 0), put("dX", MSG_OOB), put("ef", 0);
	check(urged == 1, "SIGURG");
	get("peek", 20, MSG_PEEK);
	get("peek urgent", 1, MSG_OOB | MSG_PEEK);
	get("read to the mark", 20, 0);
	get("read beyond it", 20, 0);
	get("urgent is gone", 1, MSG_OOB);
	new_pair(inline_);
	put("abX", MSG_OOB), put("cd", 0);
	get("urgent first", 1, MSG_OOB);
	get("again", 1, MSG_OOB);
	get("up to its place", 20, 0);
	get("behind it", 20, 0);
	new_pair(inline_);
	put("aX", MSG_OOB), put("bY", MSG_OOB), put("c", 0);
	get("a second urgent byte", 20, 0);
	get("then", 20, 0);
	get("then", 20, 0);
	new_pair(inline_);
	put("X", MSG_OOB);
	get("nothing but urgent", 20, MSG_PEEK);
	get("nothing but urgent", 20, 0);
	get("and then", 1, MSG_OOB);
	new_pair(inline_);
	put("X", MSG_OOB);
	get("urgent alone", 1, MSG_OOB);
	get("its place", 20, 0);
	put("ab", 0);
	get("later bytes", 20, 0);
	new_pair(inline_);
	put("abcX", MSG_OOB);
	get("a part", 2, 0);
	get("the rest", 20, 0);
	put("de", 0);
	get("peek over it", 20, MSG_PEEK);
	get("over it", 20, 0);
	new_pair(inline_);
	put("aX", MSG_OOB);
	shutdown(s[0], SHUT_WR);
	get("before the end", 20, 0);
	get("urgent at the end", 1, MSG_OOB);
	get("the end", 20, 0);
	fails(send(s[1], "x", 0, MSG_OOB), EOPNOTSUPP, "nothing as urgent");
}

static void kinds(void) {
	int d[2];
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, d), "socketpair");
	fails(send(d[0], "x", 1, MSG_OOB), EOPNOTSUPP, "MSG_OOB of a datagram");
	fails(recv(d[0], &d, 1, MSG_OOB), EOPNOTSUPP, "and to receive it");
	socklen_t n = sizeof n;
	char label[256];
	fails(getsockopt(d[0], SOL_SOCKET, SO_PEERSEC, label, &(socklen_t){sizeof label}), ENOPROTOOPT, "SO_PEERSEC");
	int one = 1, tcp = socket(AF_INET, SOCK_STREAM, 0), fresh = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	fails(getsockopt(tcp, SOL_SOCKET, SO_PEERPIDFD, &fd, &n), ENODATA, "SO_PEERPIDFD of TCP");
	fails(getsockopt(fresh, SOL_SOCKET, SO_PEERPIDFD, &fd, &n), ENODATA, "SO_PEERPIDFD before connecting");
	must(getsockopt(d[0], SOL_SOCKET, SO_PEERPIDFD, &fd, &n), "SO_PEERPIDFD");
	check(proc_field("/proc/self/fdinfo/3", "none") == -1 && fcntl(fd, F_GETFD) == FD_CLOEXEC, "it is close-on-exec");
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	check(proc_field(path, "Pid") == getpid(), "and is of who made the pair");
	must(setsockopt(d[1], SOL_SOCKET, SO_PASSPIDFD, &one, sizeof one), "SO_PASSPIDFD");
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		must(send(d[0], "hi", 2, 0), "send");
		pause();
	}
	char b[8], room[256];
	struct iovec v = {b, 8};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
	must(recvmsg(d[1], &m, 0), "recvmsg");
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	check(c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_PIDFD, "SCM_PIDFD comes with a message");
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	check(proc_field(path, "Pid") == pid, "and is of the sender");
	kill(pid, SIGKILL);
	reap(pid);
	m.msg_controllen = 0;
	must(send(d[0], "hi", 2, 0), "send");
	must(recvmsg(d[1], &m, 0), "recvmsg");
	check(m.msg_flags & MSG_CTRUNC, "without room it is lost");
}

static void pass(int to, int fd1, int fd2) {
	char room[CMSG_SPACE(2 * sizeof(int))] = {0};
	int fds[2] = {fd1, fd2};
	struct iovec v = {"x", 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_len = CMSG_LEN(sizeof fds), c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(c), fds, sizeof fds);
	must(sendmsg(to, &m, 0), "sendmsg");
}

// ended waits for the other end of a pipe to close: the kernel may take its time.
static int ended(int r) {
	for (int i = 0; i < 200; i++) {
		struct pollfd p = {r, POLLIN};
		int t[2];
		must(socketpair(AF_UNIX, SOCK_STREAM, 0, t), "socketpair");
		close(t[0]), close(t[1]); // the closing of a socket begins the search
		if (poll(&p, 1, 10) == 1 && p.revents & POLLHUP)
			return 1;
	}
	return 0;
}

static int still_open(int r) {
	struct pollfd p = {r, POLLIN};
	for (int i = 0; i < 5; i++) {
		int t[2];
		must(socketpair(AF_UNIX, SOCK_STREAM, 0, t), "socketpair");
		close(t[0]), close(t[1]);
	}
	return poll(&p, 1, 50) == 0;
}

static void cycles(void) {
	int p[2], a[2], b[2];
	// A socket in a message to itself, with the end of a pipe.
	must(pipe(p), "pipe"), must(socketpair(AF_UNIX, SOCK_STREAM, 0, a), "socketpair");
	pass(a[0], a[1], p[1]);
	close(a[0]), close(p[1]);
	check(still_open(p[0]), "in flight, and the receiver is open");
	close(a[1]);
	check(ended(p[0]), "nobody can receive it: it is closed");
	close(p[0]);
	// Two sockets in messages to each other, one of which is held by a third.
	int c[2];
	must(pipe(p), "pipe"), must(socketpair(AF_UNIX, SOCK_DGRAM, 0, a), "socketpair");
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, b), "socketpair"), must(socketpair(AF_UNIX, SOCK_DGRAM, 0, c), "socketpair");
	pass(a[0], b[1], p[1]), pass(b[0], a[1], p[1]);
	pass(c[0], a[1], a[1]);
	close(p[1]), close(a[0]), close(b[0]), close(a[1]), close(b[1]), close(c[0]);
	check(still_open(p[0]), "reachable through a third socket");
	char x, room[CMSG_SPACE(2 * sizeof(int))];
	struct iovec v = {&x, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
	must(recvmsg(c[1], &m, 0), "recvmsg");
	int got[2];
	memcpy(got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
	close(got[1]);
	check(still_open(p[0]), "received again");
	m.msg_controllen = sizeof room;
	check(recvmsg(got[0], &m, 0) == 1, "and its message is there");
	memcpy(got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
	check(still_open(p[0]), "the pipe has come through two sockets");
	close(c[1]);
	for (int fd = 3; fd < 60; fd++)
		if (fd != p[0])
			close(fd);
	check(ended(p[0]), "all are closed: so is the pipe");
	// A connection that was never accepted, in a listener in flight to itself.
	struct sockaddr_un sa = {AF_UNIX, "\0cycle of a listener"};
	int l = must(socket(AF_UNIX, SOCK_STREAM, 0), "socket"), k = must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	must(pipe(p), "pipe");
	must(bind(l, (struct sockaddr *)&sa, sizeof sa), "bind"), must(listen(l, 1), "listen"), must(connect(k, (struct sockaddr *)&sa, sizeof sa), "connect");
	pass(k, l, p[1]);
	close(p[1]), close(k), close(l);
	check(ended(p[0]), "a listener with a connection that carries it");
}

int main(void) {
	signal(SIGURG, on_urg);
	s[0] = s[1] = -1;
	urgent(0);
	urgent(1);
	kinds();
	cycles();
	return done();
}
