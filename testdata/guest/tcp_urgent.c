// G1: MSG_OOB of TCP: SIGURG to the owner, POLLPRI, the mark at which reading stops, SO_OOBINLINE.
#include "guest.h"
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static volatile sig_atomic_t urgs;
static void on_urg(int sig) { urgs++; }

static int events(int fd) {
	struct pollfd p = {fd, POLLIN | POLLPRI};
	poll(&p, 1, 1000);
	return p.revents;
}

int main(void) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof a;
	int one = 1, mark;
	char b[16];
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
	must(bind(l, (void *)&a, sizeof a), "bind");
	listen(l, 1);
	getsockname(l, (void *)&a, &n);
	must(connect(c, (void *)&a, sizeof a), "connect");
	int s = accept(l, NULL, NULL);
	signal(SIGURG, on_urg);
	fcntl(s, F_SETOWN, getpid());
	check(send(c, "ab", 2, 0) == 2 && send(c, "X", 1, MSG_OOB) == 1 && send(c, "cd", 2, 0) == 2, "ab, an urgent X, cd");
	for (int i = 0; i < 1000 && !urgs; i++)
		usleep(1000);
	check(urgs > 0, "SIGURG comes to the owner");
	check(events(s) == (POLLIN | POLLPRI), "the socket can be read, and has urgent data");
	check(ioctl(s, SIOCATMARK, &mark) == 0 && mark == 0, "it is not at the mark");
	check(recv(s, b, 10, 0) == 2, "reading stops in front of the urgent byte");
	check(ioctl(s, SIOCATMARK, &mark) == 0 && mark == 1, "now it is");
	check(recv(s, b, 1, MSG_OOB) == 1 && b[0] == 'X', "the byte is read apart");
	fails(recv(s, b, 1, MSG_OOB), EINVAL, "reading it again");
	check(recv(s, b, 10, 0) == 2 && memcmp(b, "cd", 2) == 0, "the rest comes without it");
	setsockopt(s, SOL_SOCKET, SO_OOBINLINE, &one, sizeof one);
	check(send(c, "ZY", 2, MSG_OOB) == 2 && events(s) & POLLIN && recv(s, b, 10, 0) == 1 && b[0] == 'Z', "SO_OOBINLINE: reading stops too");
	check(recv(s, b, 10, MSG_DONTWAIT) == 1 && b[0] == 'Y', "and the byte is in the stream");
	fails(recv(s, b, 1, MSG_OOB), EINVAL, "it is not apart then");
	return done();
}
