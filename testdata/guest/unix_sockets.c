// P5, X3: unix sockets: stream, datagram and seqpacket, names, SCM_RIGHTS, SCM_CREDENTIALS, SO_PEERCRED, shutdown, end of file.
#include "guest.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un addr(const char *path) {
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	strcpy(a.sun_path, path);
	return a;
}

static int send_fd(int s, int fd) {
	char c = 'F', ctl[CMSG_SPACE(sizeof fd)] = {0};
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof ctl};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	return sendmsg(s, &m, 0);
}
static int recv_fd(int s, struct ucred *cred) {
	char c, ctl[256];
	int fd = -1;
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof ctl};
	if (recvmsg(s, &m, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
		if (h->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(h), sizeof fd);
		else if (h->cmsg_type == SCM_CREDENTIALS && cred)
			memcpy(cred, CMSG_DATA(h), sizeof *cred);
	return fd;
}

int main(void) {
	int s[2], on = 1;
	char buf[64];
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, s), "socketpair");
	setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open("passed", O_RDWR | O_CREAT | O_TRUNC, 0600);
		unlink("passed");
		write(fd, "hello", 5);
		send_fd(s[1], fd);
		_exit(0);
	}
	struct ucred cred = {0, 0, 0};
	int fd = recv_fd(s[0], &cred);
	check(reap(pid) == 0 && fd >= 0, "SCM_RIGHTS: a descriptor of a process that is dead");
	check(fcntl(fd, F_GETFD) == FD_CLOEXEC, "MSG_CMSG_CLOEXEC");
	check(pread(fd, buf, 5, 0) == 5 && !memcmp(buf, "hello", 5) && lseek(fd, 0, SEEK_CUR) == 5, "it is the same description");
	check(cred.pid == pid && cred.uid == getuid(), "SCM_CREDENTIALS: who sent it");
	close(s[1]);
	check(read(s[0], buf, 1) == 0, "the other end closed: end of file");
	fails(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE, "send with MSG_NOSIGNAL");
	close(s[0]);

	struct sockaddr_un a = addr("sock");
	int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fails(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a), ENOENT, "connect to a name that is not");
	must(bind(l, (void *)&a, sizeof a), "bind");
	fails(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a), EADDRINUSE, "bind twice");
	fails(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a), ECONNREFUSED, "connect before listen");
	fails(accept(l, NULL, NULL), EINVAL, "accept before listen");
	must(listen(l, 5), "listen");
	struct stat st;
	stat("sock", &st);
	check(S_ISSOCK(st.st_mode), "the name is a socket");
	if ((pid = fork()) == 0) {
		int c = socket(AF_UNIX, SOCK_STREAM, 0);
		must(connect(c, (void *)&a, sizeof a), "connect");
		write(c, "ping", 4);
		shutdown(c, SHUT_WR);
		_exit(read(c, buf, 10) == 4 && !memcmp(buf, "pong", 4) ? 0 : 1);
	}
	int c = accept4(l, NULL, NULL, 0);
	socklen_t n = sizeof cred;
	getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &n);
	check(cred.pid == pid && cred.uid == geteuid() && cred.gid == getegid(), "SO_PEERCRED: the child");
	check(read(c, buf, 10) == 4 && read(c, buf, 10) == 0, "read, then end by shutdown");
	check(write(c, "pong", 4) == 4, "the other way is open");
	check(reap(pid) == 0, "answer read");
	unlink("sock");

	// Datagrams keep their borders; an abstract name leaves no file.
	int d = socket(AF_UNIX, SOCK_DGRAM, 0), e = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un ab = {.sun_family = AF_UNIX}, from;
	int len = offsetof(struct sockaddr_un, sun_path) + 1 + snprintf(ab.sun_path + 1, 40, "tine-%d", getpid());
	must(bind(d, (void *)&ab, len), "bind abstract");
	struct sockaddr_un me = addr("dgram");
	must(bind(e, (void *)&me, sizeof me), "bind");
	sendto(e, "one", 3, 0, (void *)&ab, len);
	sendto(e, "three", 5, 0, (void *)&ab, len);
	n = sizeof from;
	check(recvfrom(d, buf, 2, MSG_TRUNC, (void *)&from, &n) == 3, "a datagram cut short tells its length");
	check(!strcmp(from.sun_path, "dgram"), "and its sender");
	check(recv(d, buf, 10, 0) == 5, "the next one is whole");
	fails(recv(d, buf, 10, MSG_DONTWAIT), EAGAIN, "MSG_DONTWAIT");
	unlink("dgram");
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), "socketpair");
	write(s[0], "ab", 2);
	write(s[0], "c", 1);
	check(read(s[1], buf, 10) == 2 && read(s[1], buf, 10) == 1, "SOCK_SEQPACKET keeps borders");
	fails(listen(open("/dev/null", O_RDONLY), 1), ENOTSOCK, "listen on a file");
	fails(send(socket(AF_UNIX, SOCK_STREAM, 0), "x", 1, MSG_NOSIGNAL), ENOTCONN, "send before connect");
	return done();
}
