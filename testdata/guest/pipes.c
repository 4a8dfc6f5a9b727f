// G1, P5: pipes: EPIPE and SIGPIPE, end of file, capacity, O_NONBLOCK, writes up to PIPE_BUF whole, FIFOs, splice and tee.
#include "guest.h"
#include <poll.h>
#include <sys/ioctl.h>

static volatile sig_atomic_t sigpipe;
static void handler(int sig) { sigpipe++; }

int main(void) {
	int p[2];
	static char buf[70000], rec[512];
	must(pipe(p), "pipe");
	check(fcntl(p[1], F_GETPIPE_SZ) == 65536, "a pipe holds 65536 bytes");
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	check(write(p[1], buf, sizeof buf) == 65536, "a write that does not wait fills it");
	fails(write(p[1], buf, 1), EAGAIN, "one byte more");
	struct pollfd pf = {p[1], POLLOUT, 0};
	check(poll(&pf, 1, 0) == 0, "poll: no room");
	int n;
	check(ioctl(p[0], FIONREAD, &n) == 0 && n == 65536, "FIONREAD");
	check(read(p[0], buf, 4096) == 4096 && poll(&pf, 1, 0) == 1, "a page read makes room");
	check(fcntl(p[1], F_SETPIPE_SZ, 131072) == 131072, "F_SETPIPE_SZ");
	while (ioctl(p[0], FIONREAD, &n) == 0 && n > 0)
		read(p[0], buf, sizeof buf);
	close(p[1]);
	check(read(p[0], buf, 1) == 0, "no writer: end of file");
	struct pollfd pr = {p[0], POLLIN, 0};
	check(poll(&pr, 1, 0) == 1 && pr.revents == POLLHUP, "poll: POLLHUP");
	close(p[0]);

	signal(SIGPIPE, handler);
	pipe(p);
	close(p[0]);
	fails(write(p[1], "x", 1), EPIPE, "write without a reader");
	check(sigpipe == 1, "SIGPIPE came");
	pf.fd = p[1];
	check(poll(&pf, 1, 0) == 1 && pf.revents & POLLERR, "poll: POLLERR");
	signal(SIGPIPE, SIG_DFL);
	pid_t pid = fork();
	if (pid == 0) {
		write(p[1], "x", 1);
		_exit(0);
	}
	check(reap(pid) == SIGPIPE, "by default SIGPIPE kills");

	// Four writers, records of 512 bytes: none is torn.
	pipe(p);
	for (int w = 0; w < 4; w++)
		if (fork() == 0) {
			memset(rec, 'a' + w, sizeof rec);
			for (int i = 0; i < 50; i++)
				write(p[1], rec, sizeof rec);
			_exit(0);
		}
	close(p[1]);
	int torn = 0, records = 0;
	for (size_t have = 0;;) {
		ssize_t r = read(p[0], rec + have, sizeof rec - have);
		if (r <= 0)
			break;
		if ((have += r) < sizeof rec)
			continue;
		for (int i = 1; i < 512; i++)
			torn += rec[i] != rec[0];
		have = 0;
		records++;
	}
	while (wait(NULL) > 0)
		;
	check(records == 200 && torn == 0, "200 records, none torn");
	close(p[0]);

	// A writer that blocks goes on as the reader takes.
	pipe(p);
	if ((pid = fork()) == 0) {
		close(p[0]);
		_exit(write(p[1], buf, 70000) == 70000 ? 0 : 1);
	}
	close(p[1]);
	long sum = 0;
	while ((n = read(p[0], buf, 1000)) > 0)
		sum += n;
	check(sum == 70000 && reap(pid) == 0, "a write greater than the pipe");
	fails(lseek(p[0], 0, SEEK_SET), ESPIPE, "lseek");
	fails(write(p[0], "x", 1), EBADF, "write to the reading end");
	fails(pipe2(p, 12345), EINVAL, "pipe2 with unknown flags");

	must(mkfifo("fifo", 0600), "mkfifo");
	fails(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO, "open to write without a reader");
	if ((pid = fork()) == 0) {
		int fd = open("fifo", O_WRONLY);
		_exit(write(fd, "through the fifo", 16) != 16);
	}
	int fd = open("fifo", O_RDONLY);
	check(read(fd, buf, 100) == 16 && !memcmp(buf, "through", 7), "a FIFO joins two processes");
	reap(pid);
	check(read(fd, buf, 100) == 0, "and ends");
	unlink("fifo");

	int q[2];
	pipe(p);
	pipe(q);
	write(p[1], "splice", 6);
	check(tee(p[0], q[1], 6, 0) == 6, "tee");
	check(splice(p[0], NULL, q[1], NULL, 6, 0) == 6, "splice");
	check(read(q[0], buf, 100) == 12 && !memcmp(buf, "splicesplice", 12), "both came");
	return done();
}
