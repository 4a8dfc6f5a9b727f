// Terminals.
#include "calls.h"
#include <sys/ioctl.h>
#include <termios.h>

int main(void) {
	struct termios t;
	struct winsize w = {24, 80, 1, 2};
	int n = 0;
	unsigned u;
	BEGIN;
	int m = S(openat, AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY, 0);
	S(ioctl, m, TIOCSPTLCK, &n);
	S(ioctl, m, TIOCGPTLCK, &n);
	S(ioctl, m, TIOCGPTN, BAD);
	int s = S(ioctl, m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	S(ioctl, s, TCGETS, &t);
	t.c_lflag &= ~(ICANON | ECHO);
	t.c_iflag |= IUTF8 | IXANY;
	t.c_cflag = B9600 | CS7 | PARENB | CLOCAL;
	t.c_oflag = 0;
	S(ioctl, s, TCSETSW, &t);
	S(ioctl, s, TCSETS, BAD);
	S(ioctl, s, TIOCSWINSZ, &w);
	S(ioctl, s, TIOCGWINSZ, &w);
	S(write, m, "abc", 3);
	S(ioctl, s, TIOCOUTQ, &n);
	S(ioctl, s, TCFLSH, TCIOFLUSH);
	S(ioctl, s, TCXONC, TCOON);
	S(ioctl, s, TCSBRK, 1);
	S(ioctl, s, TIOCGPGRP, &n);
	S(ioctl, s, TIOCGSID, &n);
	S(ioctl, s, TIOCSPGRP, &n);
	S(ioctl, s, TIOCEXCL);
	S(ioctl, s, TIOCNXCL);
	S(ioctl, s, TIOCGETD, &n);
	S(ioctl, 99, TIOCSCTTY, 1);
	S(ioctl, 99, TIOCNOTTY);
	S(ioctl, m, TIOCPKT, &n);
	S(ioctl, m, FIOASYNC, &n);
	END;
	return u = 0;
}
