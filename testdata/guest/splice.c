// G1: splice, tee, vmsplice, sendfile and copy_file_range: nothing is lost when the other side takes less, offsets move, ends and refusals.
#include "guest.h"
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char b[100000];

int main(void) {
	int p[2], q[2], s[2];
	loff_t off = 3, to;
	off_t o = 10;
	struct iovec v[2] = {{"hello ", 6}, {"world", 5}};
	signal(SIGPIPE, SIG_IGN);
	pipe(p);
	pipe(q);
	check(vmsplice(p[1], v, 2, 0) == 11, "vmsplice puts a vector into a pipe");
	check(tee(p[0], q[1], 5, 0) == 5 && read(q[0], b, 100) == 5 && memcmp(b, "hello", 5) == 0, "tee copies and takes nothing");
	int f = open("a", O_RDWR | O_CREAT | O_TRUNC, 0644), g = open("b", O_RDWR | O_CREAT | O_TRUNC, 0644);
	check(splice(p[0], NULL, f, &off, 100, 0) == 11 && off == 14 && lseek(f, 0, SEEK_CUR) == 0, "splice to an offset leaves the file's own");
	check(pread(f, b, 100, 0) == 14 && memcmp(b, "\0\0\0hello world", 14) == 0, "and the bytes are there");
	fails(splice(p[0], NULL, f, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN, "splice from an empty pipe");
	v[0] = (struct iovec){b, 4};
	check(write(p[1], "pipe", 4) == 4 && vmsplice(p[0], v, 1, 0) == 4 && memcmp(b, "pipe", 4) == 0, "vmsplice out of a pipe");
	check(splice(-1, NULL, -1, NULL, 0, 0) == 0, "nothing to do is no error");

	// The socket takes less than the pipe has.
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, s), "socketpair");
	int small = 4096;
	setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	fcntl(s[0], F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 60000; i++)
		b[i] = (char)(i / 7);
	check(write(p[1], b, 60000) == 60000, "60000 bytes into the pipe");
	long got = 0, n, same = 1;
	static char r[100000];
	for (int idle = 0; idle < 3 && got < 60000;) {
		n = splice(p[0], NULL, s[0], NULL, 60000, SPLICE_F_NONBLOCK);
		idle = n <= 0 ? idle + 1 : 0;
		while ((n = recv(s[1], r, sizeof r, MSG_DONTWAIT)) > 0) {
			same = same && memcmp(r, b + got, n) == 0;
			got += n;
			idle = 0;
		}
	}
	check(got == 60000 && same, "all of them come out of a socket that takes a few at a time, in order");

	memset(b, 'a', 50000);
	pwrite(f, b, 50000, 0);
	check(sendfile(g, f, &o, 20) == 20 && o == 30 && lseek(f, 0, SEEK_CUR) == 0, "sendfile with an offset");
	lseek(f, 49995, SEEK_SET);
	check(sendfile(g, f, NULL, 20) == 5 && lseek(f, 0, SEEK_CUR) == 50000 && lseek(g, 0, SEEK_CUR) == 25, "sendfile up to the end, with the files' own");
	check(sendfile(g, f, NULL, 20) == 0, "and nothing behind it");
	off = 10, to = 20;
	check(copy_file_range(f, &off, g, &to, 100, 0) == 100 && off == 110 && to == 120, "copy_file_range moves both offsets");
	off = 49990;
	check(copy_file_range(f, &off, g, &to, 100, 0) == 10, "and stops at the end");
	off = 60000;
	check(copy_file_range(f, &off, g, &to, 100, 0) == 0, "there is nothing beyond it");
	off = 0, to = 50;
	fails(copy_file_range(f, &off, f, &to, 100, 0), EINVAL, "copy_file_range onto itself");
	to = 100;
	check(copy_file_range(f, &off, f, &to, 100, 0) == 100, "side by side it may be one file");
	return done();
}
