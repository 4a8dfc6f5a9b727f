// G1: POSIX message queues: names, priorities, limits, waiting and time limits, notification, poll.
#include "guest.h"
#include <mqueue.h>
#include <poll.h>
#include <sys/prctl.h>

static char name[64];
static mqd_t make(int flags, long most, long size) {
	struct mq_attr a = {.mq_maxmsg = most, .mq_msgsize = size};
	return mq_open(name, O_CREAT | flags, 0600, &a);
}

static void names(void) {
	fails(mq_open("/none of that name", O_RDWR), ENOENT, "a queue that is not");
	fails(mq_open("/a/b", O_RDWR), EACCES, "a slash in the name");
	fails(mq_open("/..", O_RDWR), EACCES, "..");
	fails(make(O_RDWR, 0, 8), EINVAL, "no messages");
	fails(make(O_RDWR, 8, -1), EINVAL, "a negative size");
	fails(make(O_RDWR, 70000, 8), EINVAL, "too many messages");
	mqd_t q = must(make(O_RDWR | O_EXCL, 3, 16), "mq_open");
	check(fcntl(q, F_GETFD) == FD_CLOEXEC, "close-on-exec");
	fails(make(O_RDWR | O_EXCL, 3, 16), EEXIST, "O_EXCL");
	mqd_t other = must(mq_open(name, O_RDONLY | O_CREAT, 0666, NULL), "mq_open again");
	fails(mq_send(other, "x", 1, 0), EBADF, "sending by a reader");
	struct mq_attr a;
	mq_send(q, "x", 1, 0);
	must(mq_getattr(other, &a), "mq_getattr");
	printf("attributes: %ld %ld %ld %ld\n", a.mq_flags, a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs);
	struct stat st;
	check(fstat(q, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600 && st.st_size == 80, "fstat");
	char b[100] = "";
	check(pread(q, b, 99, 0) > 0, "its state can be read");
	printf("%s", b);
	must(mq_unlink(name), "mq_unlink");
	fails(mq_unlink(name), ENOENT, "mq_unlink again");
	check(mq_receive(other, b, 100, NULL) == 1, "it is still there for who has it open");
	fails(mq_receive(STDIN_FILENO, b, 100, NULL), EBADF, "another file");
	mq_close(q), mq_close(other);
	struct rlimit r = {1000, 1000};
	q = must(make(O_RDWR, 10, 8), "mq_open");
	mq_unlink(name);
	close(q);
	setrlimit(RLIMIT_MSGQUEUE, &r);
	fails(make(O_RDWR, 10, 8), EMFILE, "a small RLIMIT_MSGQUEUE");
}

static void order(void) {
	mqd_t q = must(make(O_RDWR | O_NONBLOCK, 6, 16), "mq_open");
	unsigned p;
	char b[16];
	const char *m[] = {"a", "b", "c", "d", "e", "f"};
	unsigned prio[] = {1, 5, 1, 32767, 5, 0};
	for (int i = 0; i < 6; i++)
		must(mq_send(q, m[i], 1, prio[i]), "mq_send");
	fails(mq_send(q, "g", 1, 0), EAGAIN, "full");
	fails(mq_send(q, "g", 1, 32768), EINVAL, "priority 32768");
	fails(mq_send(q, "12345678901234567", 17, 0), EMSGSIZE, "a long message");
	fails(mq_receive(q, b, 15, &p), EMSGSIZE, "too little room");
	struct pollfd f = {q, POLLIN | POLLOUT};
	poll(&f, 1, 0);
	check(f.revents == POLLIN, "a full queue: POLLIN");
	for (int i = 0; i < 6; i++) {
		must(mq_receive(q, b, 16, &p), "mq_receive");
		printf("%c %u\n", b[0], p);
	}
	fails(mq_receive(q, b, 16, &p), EAGAIN, "empty");
	poll(&f, 1, 0);
	check(f.revents == POLLOUT, "an empty queue: POLLOUT");
	check(mq_send(q, "", 0, 0) == 0 && mq_receive(q, b, 16, NULL) == 0, "an empty message");
	struct mq_attr a = {0}, old;
	check(mq_setattr(q, &a, &old) == 0 && old.mq_flags == O_NONBLOCK && !(fcntl(q, F_GETFL) & O_NONBLOCK), "mq_setattr");
	a.mq_flags = 1;
	fails(mq_setattr(q, &a, NULL), EINVAL, "unknown flags");
	mq_close(q), mq_unlink(name);
}

static void on_alarm(int sig) {}

static void waiting(void) {
	mqd_t q = must(make(O_RDWR, 1, 16), "mq_open");
	char b[16];
	struct timespec t = {0, -1};
	fails(mq_timedreceive(q, b, 16, NULL, &t), EINVAL, "a wrong time");
	t = (struct timespec){1, 0};
	fails(mq_timedreceive(q, b, 16, NULL, &t), ETIMEDOUT, "a time in the past");
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 30000000;
	if (t.tv_nsec >= 1000000000)
		t.tv_sec++, t.tv_nsec -= 1000000000;
	fails(mq_timedreceive(q, b, 16, NULL, &t), ETIMEDOUT, "30 ms");
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		for (int i = 0; i < 20; i++)
			must(mq_send(q, "0123456789" + i % 10, 1, 0), "mq_send");
		_exit(0);
	}
	int good = 0;
	for (int i = 0; i < 20; i++)
		good += mq_receive(q, b, 16, NULL) == 1 && b[0] == '0' + i % 10;
	check(good == 20 && reap(pid) == 0, "twenty messages through room for one");
	struct sigaction sa = {.sa_handler = on_alarm};
	sigaction(SIGALRM, &sa, NULL);
	struct itimerval it = {{0, 0}, {0, 30000}};
	setitimer(ITIMER_REAL, &it, NULL);
	fails(mq_receive(q, b, 16, NULL), EINTR, "a signal");
	mq_close(q), mq_unlink(name);
}

static volatile sig_atomic_t code, value, sender;
static void on_message(int sig, siginfo_t *si, void *ctx) { code = si->si_code, value = si->si_value.sival_int, sender = si->si_pid; }

static void notification(void) {
	mqd_t q = must(make(O_RDWR, 4, 16), "mq_open");
	struct sigaction sa = {.sa_sigaction = on_message, .sa_flags = SA_SIGINFO};
	sigaction(SIGUSR1, &sa, NULL);
	struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
	must(mq_notify(q, &e), "mq_notify");
	fails(mq_notify(q, &e), EBUSY, "a second one");
	mq_send(q, "x", 1, 0);
	check(code == SI_MESGQ && value == 77 && sender == getpid(), "told of the first message: code, value, sender");
	code = 0;
	char b[16];
	mq_receive(q, b, 16, NULL);
	mq_send(q, "x", 1, 0);
	check(code == 0, "once");
	must(mq_notify(q, &e), "mq_notify");
	mq_send(q, "x", 1, 0);
	check(code == 0, "not of a message behind others");
	mq_receive(q, b, 16, NULL), mq_receive(q, b, 16, NULL);
	must(mq_notify(q, NULL), "mq_notify nobody");
	mq_send(q, "x", 1, 0);
	check(code == 0, "nor when it has been taken back");
	mq_receive(q, b, 16, NULL);
	must(mq_notify(q, &e), "mq_notify");
	gate ready = new_gate();
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		gate_open(ready);
		_exit(mq_receive(q, b, 16, NULL) == 1 ? 3 : 1);
	}
	gate_pass(ready);
	while (proc_state(pid) != 'S')
		usleep(1000);
	mq_send(q, "x", 1, 0);
	check(reap(pid) == 0x300 && code == 0, "nor when somebody waits for it");
	must(mq_notify(q, NULL), "mq_notify nobody");
	if ((pid = must(fork(), "fork")) == 0)
		_exit(mq_notify(q, &e) == 0 ? 3 : 1);
	check(reap(pid) == 0x300 && mq_notify(q, &e) == 0, "who has ended is not told");
	e.sigev_notify = 77;
	fails(mq_notify(q, &e), EINVAL, "an unknown kind");
	mq_close(q), mq_unlink(name);
}

static void permissions(void) {
	mqd_t q = must(make(O_RDWR, 1, 16), "mq_open");
	must(setgid(65534), "setgid"), must(setuid(65534), "setuid");
	fails(mq_open(name, O_RDONLY), EACCES, "a queue of another");
	fails(mq_unlink(name), EACCES, "unlinking it");
	mq_close(q);
}

int main(void) {
	snprintf(name, sizeof name, "/guest test %d", getpid());
	check(in_child(names) == 0, "names");
	order();
	waiting();
	notification();
	check(in_child(permissions) == 0, "permissions");
	mq_unlink(name);
	return done();
}
