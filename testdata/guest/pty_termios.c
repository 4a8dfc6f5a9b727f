// G2: the line discipline: canonical and raw input, echo, newline conversion, VMIN and VTIME, packet and exclusive use.
#include "guest.h"
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int m, s;
static struct termios base;

static void mode(tcflag_t lflag, tcflag_t iflag, tcflag_t oflag, int vmin, int vtime) {
	struct termios t = base;
	t.c_lflag = lflag;
	t.c_iflag = iflag;
	t.c_oflag = oflag;
	t.c_cc[VMIN] = vmin;
	t.c_cc[VTIME] = vtime;
	must(tcsetattr(s, TCSAFLUSH, &t), "tcsetattr");
}

static void gives(int fd, const char *want, const char *what) {
	char buf[256];
	struct pollfd p = {fd, POLLIN, 0};
	int n = 0;
	while (n < (int)strlen(want) && poll(&p, 1, 2000) == 1) {
		int r = read(fd, buf + n, sizeof buf - n);
		if (r <= 0)
			break;
		n += r;
	}
	check(n == (int)strlen(want) && !memcmp(buf, want, n), "%s", what);
}
static void quiet(int fd, const char *what) {
	struct pollfd p = {fd, POLLIN, 0};
	check(poll(&p, 1, 0) == 0, "%s", what);
}
static void in(const char *t) { write(m, t, strlen(t)); }

int main(void) {
	char buf[64];
	must(openpty(&m, &s, NULL, NULL, NULL), "openpty");
	tcgetattr(s, &base);
	check((base.c_lflag & (ICANON | ECHO | ISIG | IEXTEN)) == (ICANON | ECHO | ISIG | IEXTEN), "new: ICANON ECHO ISIG IEXTEN");
	check(base.c_iflag == (ICRNL | IXON) && base.c_oflag == (OPOST | ONLCR), "new: ICRNL IXON, OPOST ONLCR");
	check(base.c_cc[VINTR] == 3 && base.c_cc[VERASE] == 127 && base.c_cc[VEOF] == 4 && base.c_cc[VMIN] == 1, "new: control characters");

	in("half");
	quiet(s, "canonical: half a line is not readable");
	in(" line\r");
	gives(s, "half line\n", "canonical: return ends it as a newline");
	gives(m, "half line\r\n", "echo, with carriage return");
	write(s, "out\n", 4);
	gives(m, "out\r\n", "output: ONLCR");
	in("kill\025new words\027x\n");
	gives(s, "new x\n", "VKILL and VWERASE");
	usleep(20000); // the echo of all that
	mode(ICANON, ICRNL, 0, 1, 0);
	tcflush(m, TCIFLUSH);
	in("ab\n");
	gives(s, "ab\n", "no ECHO: the line comes");
	quiet(m, "no ECHO: nothing comes back");
	mode(ICANON | IEXTEN, ICRNL, 0, 1, 0);
	in("a\026\004b\n");
	gives(s, "a\004b\n", "VLNEXT takes the next as it is");
	in("no end\004");
	gives(s, "no end", "VEOF hands over without a newline");
	write(s, "raw\n", 4);
	gives(m, "raw\n", "no OPOST: as it is");
	in("one\ntwo\n");
	check(read(s, buf, 64) == 4 && read(s, buf, 2) == 2 && read(s, buf, 64) == 2, "a read gives one line at most");

	mode(0, 0, 0, 1, 0);
	in("x\r\003");
	gives(s, "x\r\003", "raw: all characters as they are");
	mode(0, 0, 0, 3, 0);
	struct pollfd p = {s, POLLIN, 0};
	in("ab");
	check(poll(&p, 1, 0) == 0, "VMIN 3: two are too few");
	in("c");
	check(poll(&p, 1, 1000) == 1 && read(s, buf, 64) == 3, "VMIN 3: three are enough");
	mode(0, 0, 0, 0, 0);
	check(read(s, buf, 64) == 0, "VMIN 0 VTIME 0: at once");
	mode(0, 0, 0, 0, 1);
	check(read(s, buf, 64) == 0, "VMIN 0 VTIME 1: after a tenth of a second");
	mode(0, INLCR, 0, 1, 0);
	in("\n");
	gives(s, "\r", "INLCR");
	mode(0, IGNCR | ISTRIP, 0, 1, 0);
	in("\r\xe1");
	gives(s, "a", "IGNCR and ISTRIP");

	int n = 0;
	in("1234");
	// What is typed reaches the other side a moment later.
	for (int i = 0; i < 2000 && n != 4; i++) {
		usleep(500);
		ioctl(s, FIONREAD, &n);
	}
	check(n == 4, "FIONREAD");
	check(tcflush(s, TCIFLUSH) == 0 && ioctl(s, FIONREAD, &n) == 0 && n == 0, "TCIFLUSH");
	struct winsize w = {0, 0, 0, 0};
	ioctl(s, TIOCSWINSZ, &(struct winsize){24, 80, 0, 0});
	check(ioctl(m, TIOCGWINSZ, &w) == 0 && w.ws_row == 24 && w.ws_col == 80, "the window size is one for both sides");
	check(isatty(s) && isatty(m), "both are terminals");
	struct stat st;
	fstat(s, &st);
	check(S_ISCHR(st.st_mode) && st.st_rdev >> 8 == 136, "character device 136");
	fails(tcgetattr(open("/dev/null", O_RDWR), &base), ENOTTY, "tcgetattr of another device");
	close(s);
	p = (struct pollfd){m, POLLIN, 0};
	check(poll(&p, 1, 0) == 1 && p.revents & POLLHUP, "the last slave closed: POLLHUP");
	return done();
}
