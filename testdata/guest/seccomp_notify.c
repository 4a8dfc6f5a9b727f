// K1: seccomp(2): calls that a supervisor decides about: results, going on, descriptors, signals, ends.
#include "seccomp.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#ifndef SECCOMP_IOCTL_NOTIF_ADDFD
#define SECCOMP_IOCTL_NOTIF_ADDFD _IOW('!', 3, struct seccomp_notif_addfd)
struct seccomp_notif_addfd { uint64_t id; uint32_t flags, srcfd, newfd, newfd_flags; };
#endif
#define KILLABLE 32 // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV

static int talk[2]; // child to parent: the listener
static gate speak;   // the parent has said what it has to

static int recv_fd(int s) {
	char c, room[CMSG_SPACE(sizeof(int))];
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
	must(recvmsg(s, &m, 0), "recvmsg");
	return *(int *)CMSG_DATA(CMSG_FIRSTHDR(&m));
}

static void send_fd(int s, int fd) {
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec v = {"x", 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
	*CMSG_FIRSTHDR(&m) = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	*(int *)CMSG_DATA(CMSG_FIRSTHDR(&m)) = fd;
	must(sendmsg(s, &m, 0), "sendmsg");
}

static int notified[] = {SYS_uname, SYS_getppid, SYS_getpgrp, SYS_getsid};

static int listen_here(unsigned flags) {
	no_new_privs();
	return must(set_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, PROG(LOAD(nr), CALL(notified[0], SECCOMP_RET_USER_NOTIF),
		CALL(notified[1], SECCOMP_RET_USER_NOTIF), CALL(notified[2], SECCOMP_RET_USER_NOTIF), CALL(notified[3], SECCOMP_RET_USER_NOTIF),
		RETURN(SECCOMP_RET_ALLOW))), "listener");
}

// supervised starts a child that runs f under a filter, and gives its listener.
static int supervised(pid_t *pid, unsigned flags, void (*f)(void)) {
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, talk), "socketpair");
	if ((*pid = must(fork(), "fork")) == 0) {
		int l = listen_here(flags);
		if (flags == 0)
			check(fcntl(l, F_GETFD) == FD_CLOEXEC, "the listener is close-on-exec");
		send_fd(talk[0], l);
		close(l);
		f();
		_exit(done());
	}
	close(talk[0]);
	int l = recv_fd(talk[1]);
	close(talk[1]);
	return l;
}

static struct seccomp_notif *next(int l) {
	static struct seccomp_notif n;
	memset(&n, 0, sizeof n);
	must(ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, &n), "NOTIF_RECV");
	return &n;
}

static int answer(int l, uint64_t id, int64_t val, int error, unsigned flags) {
	return ioctl(l, SECCOMP_IOCTL_NOTIF_SEND, &(struct seccomp_notif_resp){id, val, error, flags});
}

static int ready(int l) {
	struct pollfd p = {l, POLLIN | POLLOUT};
	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static void asks(void) {
	struct utsname u;
	char b[16] = "";
	int e = uname(&u) == -1 ? errno : 0;
	long value = syscall(SYS_getppid), pgrp = syscall(SYS_getpgrp);
	long fd = syscall(SYS_getsid, 0x123456789abcdefL), at = syscall(SYS_getsid, 0);
	gate_pass(speak);
	check(e == EXDEV, "an error from the supervisor");
	check(value == 12345, "a value from the supervisor");
	check(pgrp == getpgid(0), "the call is made after all");
	check(fd > 2 && read(fd, b, sizeof b) == 5 && !strcmp(b, "hello"), "a descriptor from the supervisor");
	check(at == 40 && fcntl(40, F_GETFD) == FD_CLOEXEC, "at the number that it chose, close-on-exec");
}

static void supervise(void) {
	pid_t pid;
	int l = supervised(&pid, 0, asks), p[2];
	struct seccomp_notif *n = next(l);
	check(n->pid == (unsigned)pid && n->data.nr == SYS_uname && n->data.arch == AUDIT_ARCH_X86_64 && n->flags == 0, "what the supervisor learns");
	check(ready(l) == POLLOUT, "a call that waits for an answer: POLLOUT");
	uint64_t id = n->id;
	check(ioctl(l, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0, "its number is valid");
	id++;
	fails(ioctl(l, SECCOMP_IOCTL_NOTIF_ID_VALID, &id), ENOENT, "another number");
	fails(answer(l, id, 0, 0, 0), ENOENT, "an answer to another number");
	fails(answer(l, n->id, 0, 0, 8), EINVAL, "unknown flags");
	fails(answer(l, n->id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL, "a value and CONTINUE");
	check(answer(l, n->id, 0, -EXDEV, 0) == 0, "an answer");
	n = next(l);
	check(answer(l, n->id, 12345, 0, 0) == 0, "another");
	n = next(l);
	check(answer(l, n->id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE) == 0, "go on");
	n = next(l);
	check(n->data.nr == SYS_getsid && n->data.args[0] == 0x123456789abcdefULL, "all of an argument");
	must(pipe(p), "pipe");
	must(write(p[1], "hello", 5), "write");
	struct seccomp_notif_addfd a = {.id = n->id, .srcfd = p[0]};
	a.newfd = 7;
	fails(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EINVAL, "ADDFD: a number without SETFD");
	a.newfd = 0, a.srcfd = 99;
	fails(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EBADF, "ADDFD: nothing is open there");
	a.srcfd = p[0], a.newfd_flags = 1;
	fails(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EINVAL, "ADDFD: unknown flags");
	a.newfd_flags = 0;
	int fd = ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
	check(fd > 2 && answer(l, n->id, fd, 0, 0) == 0, "ADDFD gives the number there");
	n = next(l);
	a = (struct seccomp_notif_addfd){n->id, 1 | 2, p[0], 40, O_CLOEXEC};
	check(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a) == 40, "ADDFD with SETFD and SEND");
	gate_open(speak);
	check(reap(pid) == 0, "the child is content");
	check(ready(l) == POLLHUP, "all have ended: POLLHUP");
	struct seccomp_notif m = {0};
	fails(ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, &m), ENOENT, "and nothing comes");
	m.pid = 1;
	fails(ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, &m), EINVAL, "room that is not clear");
	fails(ioctl(l, 0x4444, &m), EINVAL, "an unknown request");
	close(l);
}

static void on_alarm(int sig) {}

static void interrupted(void) {
	signal(SIGUSR1, on_alarm);
	struct sigaction sa = {.sa_handler = on_alarm};
	sigaction(SIGUSR1, &sa, NULL);
	long r = syscall(SYS_getppid);
	int e = errno;
	gate_pass(speak);
	errno = e;
	gives("a call while a signal came", r);
}

static void by_signal(unsigned flags) {
	pid_t pid;
	int l = supervised(&pid, flags, interrupted);
	struct seccomp_notif *n = next(l);
	kill(pid, SIGUSR1);
	if (flags == 0) {
		// The call is gone when its number is no longer valid.
		while (ioctl(l, SECCOMP_IOCTL_NOTIF_ID_VALID, &n->id) == 0)
			usleep(1000);
		fails(answer(l, n->id, 0, 0, 0), ENOENT, "an answer that is too late");
	} else {
		usleep(20000);
		check(answer(l, n->id, 5, 0, 0) == 0, "WAIT_KILLABLE_RECV: the answer is in time");
	}
	gate_open(speak);
	check(reap(pid) == 0, "the child ends");
	close(l);
}

static void unanswered(void) {
	gives("a call when the listener was closed", syscall(SYS_getppid));
	gives("a later call", syscall(SYS_getppid));
}

static void closed(void) {
	pid_t pid;
	int l = supervised(&pid, 0, unanswered);
	next(l);
	close(l);
	check(reap(pid) == 0, "the child ends");
}

static void killed(void) {
	pid_t pid;
	int l = supervised(&pid, KILLABLE, unanswered);
	struct seccomp_notif *n = next(l);
	kill(pid, SIGKILL);
	check(reap(pid) == SIGKILL, "SIGKILL ends a call that waits");
	fails(ioctl(l, SECCOMP_IOCTL_NOTIF_ID_VALID, &n->id), ENOENT, "its number");
	close(l);
}

static void second(void) {
	listen_here(0);
	fails(set_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER, PROG(RETURN(SECCOMP_RET_ALLOW))), EBUSY, "a second listener");
}

static void waits(void) {
	pid_t pid;
	int l = supervised(&pid, 0, unanswered);
	struct pollfd p = {l, POLLIN};
	check(poll(&p, 1, 5000) == 1 && p.revents == POLLIN, "poll waits for a call");
	char link[64] = "", path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", l);
	must(readlink(path, link, sizeof link - 1), "readlink");
	puts(link);
	next(l);
	kill(pid, SIGKILL);
	reap(pid);
	close(l);
}

int main(void) {
	speak = new_gate();
	supervise();
	by_signal(0);
	by_signal(KILLABLE);
	closed();
	killed();
	check(in_child(second) == 0, "one listener for each chain");
	waits();
	return done();
}
