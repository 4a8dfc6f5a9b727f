// P5: TCP and UDP on loopback between processes: bind to port 0, listen, connect, refuse, reset, names, options.
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

static struct sockaddr_in loop(int port) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}
static int port_of(int s) {
	struct sockaddr_in a;
	socklen_t n = sizeof a;
	must(getsockname(s, (void *)&a, &n), "getsockname");
	return ntohs(a.sin_port);
}

int main(void) {
	static char buf[100000];
	int l = must(socket(AF_INET, SOCK_STREAM, 0), "socket"), on = 1;
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	struct sockaddr_in a = loop(0), peer;
	must(bind(l, (void *)&a, sizeof a), "bind");
	must(listen(l, 8), "listen");
	int port = port_of(l);
	check(port > 0, "port 0 gives a port");
	a = loop(port);
	pid_t pid = fork();
	if (pid == 0) {
		close(l);
		int c = socket(AF_INET, SOCK_STREAM, 0);
		must(connect(c, (void *)&a, sizeof a), "connect");
		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		memset(buf, 'z', sizeof buf);
		for (size_t n = 0; n < sizeof buf;)
			n += must(write(c, buf + n, sizeof buf - n), "write");
		shutdown(c, SHUT_WR);
		int n = read(c, buf, 100);
		_exit(n == 4 && !memcmp(buf, "done", 4) ? 0 : 1);
	}
	socklen_t len = sizeof peer;
	int c = must(accept(l, (void *)&peer, &len), "accept");
	check(peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && len == sizeof peer, "the peer is on loopback");
	long sum = 0, n, bad = 0;
	while ((n = read(c, buf, sizeof buf)) > 0) {
		for (long i = 0; i < n; i++)
			bad += buf[i] != 'z';
		sum += n;
	}
	check(sum == sizeof buf && bad == 0, "100000 bytes, then the end");
	write(c, "done", 4);
	check(reap(pid) == 0, "the other way");
	close(c);

	int m = socket(AF_INET, SOCK_STREAM, 0);
	fails(bind(m, (void *)&a, sizeof a), EADDRINUSE, "bind to a port in use");
	close(l);
	fails(connect(m, (void *)&a, sizeof a), ECONNREFUSED, "connect to a port that is closed");
	m = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	l = socket(AF_INET, SOCK_STREAM, 0);
	a = loop(0);
	bind(l, (void *)&a, sizeof a);
	listen(l, 1);
	a = loop(port_of(l));
	int r = connect(m, (void *)&a, sizeof a);
	check(r == 0 || errno == EINPROGRESS, "connect without waiting");
	struct pollfd p = {m, POLLOUT, 0};
	int err = -1;
	len = sizeof err;
	check(poll(&p, 1, -1) == 1 && getsockopt(m, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0, "then it is connected");
	c = accept(l, NULL, NULL);
	fails(connect(c, (void *)&a, sizeof a), EISCONN, "connect of a connected socket");
	write(c, "unread", 6);
	p.events = POLLIN;
	poll(&p, 1, -1);
	close(m); // with data unread: a reset
	p.fd = c;
	poll(&p, 1, -1);
	fails(read(c, buf, 1), ECONNRESET, "read when the peer threw data away");

	int u = socket(AF_INET, SOCK_DGRAM, 0), v = socket(AF_INET, SOCK_DGRAM, 0);
	a = loop(0);
	must(bind(u, (void *)&a, sizeof a), "bind");
	a = loop(port_of(u));
	if ((pid = fork()) == 0) {
		sendto(v, "first", 5, 0, (void *)&a, sizeof a);
		connect(v, (void *)&a, sizeof a);
		send(v, "second!", 7, 0);
		_exit(recv(v, buf, 10, 0) == 3 ? 0 : 1);
	}
	len = sizeof peer;
	check(recvfrom(u, buf, 100, 0, (void *)&peer, &len) == 5, "UDP: first datagram");
	check(recvfrom(u, buf, 100, 0, (void *)&peer, &len) == 7, "UDP: second");
	sendto(u, "ack", 3, 0, (void *)&peer, len);
	check(reap(pid) == 0, "UDP: answer");
	int s6 = socket(AF_INET6, SOCK_STREAM, 0);
	check(s6 >= 0 || errno == 97, "IPv6 is there, or not");
	fails(socket(AF_INET, 77, 0), EINVAL, "a socket of no type");
	return done();
}
