// Sockets, polling and System V IPC.
#include "calls.h"
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
	char buf[256];
	int sv[2], sv2[2];
	BEGIN;
	int s = S(socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	S(socket, AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_IP);
	S(socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	S(socket, 99, 77, 5);
	S(socketpair, AF_UNIX, SOCK_STREAM, 0, sv);
	S(socketpair, AF_UNIX, SOCK_DGRAM, 7, sv2);
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, peer;
	S(bind, s, &in, sizeof in);
	socklen_t len = sizeof peer;
	S(getsockname, s, BAD, &len);
	S(listen, s, 5);
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/nothere/socket"};
	int u = S(socket, AF_UNIX, SOCK_STREAM, 0);
	S(connect, u, &un, sizeof un);
	S(connect, u, &un, 2 + strlen(un.sun_path));
	struct sockaddr_un ab = {.sun_family = AF_UNIX, .sun_path = "\0abstract"};
	S(connect, u, &ab, 11);
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(80), .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_scope_id = 0};
	S(connect, u, &in6, sizeof in6);
	S(connect, 99, &in, sizeof in);
	S(connect, 99, BAD, 16);
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_groups = 5};
	S(bind, 99, &nl, sizeof nl);
	S(bind, 99, "\xff\x03more", 6);
	len = sizeof un;
	S(getsockname, u, &un, &len);
	S(getpeername, u, &un, &len);
	S(accept, u, 0, 0);
	S(accept4, 99, &un, &len, SOCK_NONBLOCK);
	S(sendto, sv[0], "hello", 5, MSG_NOSIGNAL, 0, 0);
	S(sendto, 99, "hello", 5, MSG_DONTWAIT | MSG_MORE, &in, sizeof in);
	S(recvfrom, sv[1], buf, 3, MSG_PEEK, 0, 0);
	len = sizeof un;
	S(recvfrom, sv[1], buf, 100, 0, &un, &len);
	S(recvfrom, sv[1], buf, 100, MSG_DONTWAIT, 0, 0);
	struct iovec v[2] = {{"one", 3}, {"two", 3}}, r = {buf, sizeof buf};
	union { char b[CMSG_SPACE(8)]; struct cmsghdr h; } c;
	memset(&c, 0, sizeof c);
	c.h.cmsg_len = CMSG_LEN(8);
	c.h.cmsg_level = SOL_SOCKET;
	c.h.cmsg_type = SCM_RIGHTS;
	((int *)CMSG_DATA(&c.h))[0] = 0;
	((int *)CMSG_DATA(&c.h))[1] = 1;
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_control = &c, .msg_controllen = sizeof c};
	S(sendmsg, sv[0], &m, 0);
	struct msghdr rm = {.msg_name = &un, .msg_namelen = sizeof un, .msg_iov = &r, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
	S(recvmsg, sv[1], &rm, MSG_CMSG_CLOEXEC);
	S(recvmsg, sv[1], &rm, MSG_DONTWAIT);
	S(recvmsg, sv[1], BAD, MSG_DONTWAIT);
	m.msg_control = 0;
	m.msg_controllen = 0;
	struct mmsghdr mm[2] = {{m, 0}, {m, 0}};
	S(sendmmsg, sv[0], mm, 2, 0);
	S(sendmmsg, 99, mm, 1, 0);
	struct msghdr r1 = {.msg_iov = &r, .msg_iovlen = 1};
	struct mmsghdr rr[2] = {{r1, 0}, {r1, 0}};
	S(recvmmsg, sv[1], rr, 1, MSG_DONTWAIT, 0);
	S(recvmmsg, 99, rr, 1, MSG_DONTWAIT, 0);
	int one = 1;
	struct linger lg = {1, 5};
	S(setsockopt, s, SOL_SOCKET, SO_REUSEADDR, &one, 4);
	S(setsockopt, s, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
	S(setsockopt, s, IPPROTO_TCP, TCP_NODELAY, &one, 4);
	S(setsockopt, s, IPPROTO_IP, IP_TTL, &one, 4);
	S(setsockopt, 99, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2);
	S(setsockopt, 99, 12345, 7, &one, 4);
	len = 4;
	S(getsockopt, s, SOL_SOCKET, SO_TYPE, &one, &len);
	S(getsockopt, s, SOL_SOCKET, SO_ERROR, &one, &len);
	len = sizeof lg;
	S(getsockopt, s, SOL_SOCKET, SO_LINGER, &lg, &len);
	len = 100;
	S(getsockopt, sv[0], SOL_SOCKET, SO_PEERCRED, buf, &len);
	S(getsockopt, 99, SOL_SOCKET, SO_TYPE, &one, &len);
	S(getsockopt, s, SOL_SOCKET, SO_TYPE, &one, 0);
	S(shutdown, sv[0], SHUT_WR);
	S(shutdown, 99, 7);
	// netlink, without the attributes
	int nlfd = S(socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct nlmsghdr bare = {16, NLMSG_NOOP, NLM_F_REQUEST, 7, 0};
	S(sendto, nlfd, &bare, sizeof bare, 0, 0, 0);
	struct { struct nlmsghdr h; char b[4]; } req[2] = {{{20, 0x7ffe, NLM_F_REQUEST | NLM_F_ACK, 8, 0}, "abc"}, {{20, NLMSG_DONE, 0, 9, 0}, "\1"}};
	S(sendto, nlfd, req, 20, 0, 0, 0);
	S(recvfrom, nlfd, buf, sizeof buf, MSG_DONTWAIT, 0, 0);
	struct iovec niov = {req, 40};
	struct msghdr nm = {.msg_name = &nl, .msg_namelen = sizeof nl, .msg_iov = &niov, .msg_iovlen = 1};
	nl.nl_groups = 0;
	S(sendmsg, nlfd, &nm, 0);
	// polling
	struct pollfd p[3] = {{sv[1], POLLIN | POLLPRI, 0}, {-1, POLLIN, 0}, {99, POLLOUT, 0}};
	S(poll, p, 3, 0);
	S(poll, p, 0, 0);
	p[0].fd = s;
	S(poll, p, 2, 1);
	S(poll, BAD, 2, 1);
	struct timespec ts = {1, 5};
	unsigned long mask = 1 << (SIGINT - 1);
	p[2].fd = 99;
	S(ppoll, p, 3, 0, &mask, 8);
	fd_set in1, out1;
	FD_ZERO(&in1); FD_ZERO(&out1);
	FD_SET(sv[1], &in1); FD_SET(sv[1], &out1); FD_SET(s, &in1);
	struct timeval tv = {0, 0};
	S(select, sv[1] + 1, &in1, &out1, 0, 0);
	FD_ZERO(&in1);
	FD_SET(s, &in1);
	S(select, sv[1] + 1, &in1, 0, 0, &tv);
	struct { void *m; long n; } ps = {&mask, 8};
	ts.tv_sec = 0;
	FD_ZERO(&in1);
	S(pselect6, 3, &in1, 0, 0, &ts, &ps);
	int ep = S(epoll_create1, EPOLL_CLOEXEC);
	struct epoll_event ev = {EPOLLIN | EPOLLET, {.u64 = 0x100000007}}, evs[3];
	S(epoll_ctl, ep, EPOLL_CTL_ADD, sv[1], &ev);
	S(epoll_ctl, ep, EPOLL_CTL_DEL, 99, 0);
	S(epoll_ctl, ep, 7, 99, &ev);
	S(epoll_wait, ep, evs, 3, 0);
	S(epoll_wait, ep, evs, 3, 0);
	S(epoll_pwait, ep, evs, 3, 0, &mask, 8);
	S(epoll_wait, 99, evs, 3, -1);
	ts.tv_nsec = 0;
	S(epoll_pwait2, ep, evs, 3, &ts, 0, 8);
	S(epoll_create, 5);
	// System V IPC
	int id = S(shmget, IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	S(shmget, 0x12345, 4096, 0);
	void *a = (void *)S(shmat, id, 0, 0);
	S(shmat, -5, BAD, SHM_RDONLY | SHM_RND);
	S(shmdt, a);
	S(shmctl, id, IPC_RMID, 0);
	S(shmctl, -5, IPC_STAT, buf);
	id = S(semget, IPC_PRIVATE, 2, IPC_CREAT | IPC_EXCL | 0640);
	struct sembuf sb[2] = {{0, 1, SEM_UNDO}, {1, -1, IPC_NOWAIT}};
	S(semop, id, sb, 2);
	S(semop, -5, sb, 1);
	S(semtimedop, -5, sb, 1, &ts);
	S(semctl, id, 0, SETVAL, 5);
	S(semctl, id, 0, GETVAL, 0);
	S(semctl, id, 0, IPC_RMID, 0);
	id = S(msgget, IPC_PRIVATE, IPC_CREAT | 0600);
	struct { long type; char text[20]; } msg = {3, "text"};
	S(msgsnd, id, &msg, 5, IPC_NOWAIT);
	S(msgrcv, id, &msg, 20, 0L, MSG_NOERROR);
	S(msgrcv, id, &msg, 20, -3L, IPC_NOWAIT);
	S(msgctl, id, IPC_RMID, 0);
	END;
	return 0;
}
