// G2: a pseudo-terminal as controlling terminal: Ctrl-C, Ctrl-Z, Ctrl-\ signal the foreground group; hang-up ends the session.
#include "guest.h"
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master;
static pid_t leader;

// start makes a session whose terminal is a new pty; f runs as its leader.
static void start(void (*f)(void)) {
	int slave;
	must(openpty(&master, &slave, NULL, NULL, NULL), "openpty");
	leader = must(fork(), "fork");
	if (leader == 0) {
		close(master);
		setsid();
		must(ioctl(slave, TIOCSCTTY, 0), "TIOCSCTTY");
		dup2(slave, 0);
		dup2(slave, 1);
		close(slave);
		f();
		_exit(0);
	}
	close(slave);
}

// expect reads the terminal's output until it holds text.
static void expect(const char *text) {
	static char out[4096];
	size_t n = 0;
	memset(out, 0, sizeof out);
	while (!strstr(out, text)) {
		struct pollfd p = {master, POLLIN, 0};
		if (n + 1 >= sizeof out || poll(&p, 1, 10000) != 1 || read(master, out + n, 1) != 1)
			break;
		n++;
	}
	check(strstr(out, text) != NULL, "the terminal shows %s", text);
}

static void say(const char *s) { write(1, s, strlen(s)); }

static void plain(void) {
	say("ready");
	pause();
}
static volatile sig_atomic_t winch;
static void on_winch(int sig) { winch++; }

static void looks(void) {
	struct winsize w;
	char buf[64] = "";
	int tty = open("/dev/tty", O_RDWR);
	check(isatty(0) && tty >= 0 && tcgetsid(tty) == getpid() && tcgetpgrp(0) == getpid(), "leader: /dev/tty is the terminal, its group has the foreground");
	check(!strncmp(ttyname(0), "/dev/pts/", 9), "leader: ttyname");
	signal(SIGWINCH, on_winch);
	say("look");
	while (!winch)
		usleep(1000);
	ioctl(0, TIOCGWINSZ, &w);
	check(w.ws_row == 33 && w.ws_col == 101, "leader: SIGWINCH and the new size");
	say("size");
	int n = read(0, buf, sizeof buf);
	check(n == 5 && !memcmp(buf, "word\n", 5), "leader: a line, erased and retyped");
	n = read(0, buf, sizeof buf);
	check(n == 0, "leader: Ctrl-D is end of file");
	say("eof");
	_exit(done());
}

// shell does what a job-control shell does for one foreground job.
static void shell(void) {
	signal(SIGTTOU, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
	int status;
	pid_t job = fork();
	if (job == 0) {
		setpgid(0, 0);
		tcsetpgrp(0, getpid());
		signal(SIGTTOU, SIG_DFL);
		signal(SIGTTIN, SIG_DFL);
		say("job");
		for (;;)
			pause();
	}
	setpgid(job, job);
	check(waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP, "shell: Ctrl-Z stopped the job");
	tcsetpgrp(0, getpgrp());
	check(tcgetpgrp(0) == getpid(), "shell: it took the terminal back");
	pid_t bg = fork();
	if (bg == 0) {
		char c;
		setpgid(0, 0);
		signal(SIGTTIN, SIG_DFL);
		signal(SIGTTOU, SIG_DFL);
		read(0, &c, 1);
		_exit(0);
	}
	setpgid(bg, bg);
	check(waitpid(bg, &status, WUNTRACED) == bg && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN, "shell: SIGTTIN stopped a reader in the background");
	kill(bg, SIGKILL);
	reap(bg);
	if ((bg = fork()) == 0) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_DFL);
		tcsetpgrp(0, getpid());
		_exit(0);
	}
	setpgid(bg, bg);
	check(waitpid(bg, &status, WUNTRACED) == bg && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU, "shell: SIGTTOU stopped one that wanted the terminal");
	kill(bg, SIGKILL);
	reap(bg);
	tcsetpgrp(0, job);
	kill(-job, SIGCONT);
	say("again");
	check(waitpid(job, &status, WUNTRACED) == job && WIFSIGNALED(status) && WTERMSIG(status) == SIGINT, "shell: Ctrl-C ended the job");
	say("over");
	_exit(done());
}

int main(void) {
	start(plain);
	expect("ready");
	write(master, "\003", 1);
	check(reap(leader) == SIGINT, "Ctrl-C is SIGINT");
	close(master);
	start(plain);
	expect("ready");
	write(master, "\034", 1);
	check((reap(leader) & 0x7f) == SIGQUIT, "Ctrl-\\ is SIGQUIT");
	char c;
	int n;
	while ((n = read(master, &c, 1)) > 0)
		; // the echo of what was typed
	fails(n, EIO, "read when the other side is closed");
	close(master);

	start(looks);
	expect("look");
	struct winsize w = {33, 101, 0, 0};
	ioctl(master, TIOCSWINSZ, &w);
	expect("size");
	write(master, "worx\177d\n", 7);
	expect("worx\b \bd\r\n");
	write(master, "\004", 1);
	expect("eof");
	check(reap(leader) == 0, "the leader's facts held");
	close(master);

	start(shell);
	expect("job");
	write(master, "\032", 1);
	expect("again");
	write(master, "\003", 1);
	expect("over");
	check(reap(leader) == 0, "the shell's facts held");
	close(master);

	start(plain);
	expect("ready");
	close(master);
	check(reap(leader) == SIGHUP, "hang-up: SIGHUP for the leader");
	return done();
}
