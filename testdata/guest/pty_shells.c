// G2: job control of bash and dash on a pseudo-terminal: Ctrl-Z stops the job, jobs lists it, bg and fg continue it, Ctrl-C ends it.
#include "guest.h"
#include <poll.h>
#include <pty.h>
#include <termios.h>

static int master;
static char seen[65536];
static size_t have;

// expect reads until text has come since the last call.
static int expect(const char *text) {
	for (;;) {
		seen[have] = 0;
		char *at = strstr(seen, text);
		if (at) {
			size_t used = at - seen + strlen(text);
			memmove(seen, seen + used, have - used);
			have -= used;
			return 1;
		}
		struct pollfd p = {master, POLLIN, 0};
		ssize_t n;
		if (have + 1 >= sizeof seen || poll(&p, 1, 15000) != 1 || (n = read(master, seen + have, sizeof seen - 1 - have)) <= 0)
			return 0;
		have += n;
	}
}
static void type(const char *s) { write(master, s, strlen(s)); }

// step types a line and waits for what must come; the prompt is "$$$ ".
static void step(const char *shell, const char *keys, const char *want, const char *what) {
	type(keys);
	check(expect(want), "%s: %s", shell, what);
}

static void session(const char *shell, char *const argv[]) {
	have = 0;
	struct winsize w = {24, 200, 0, 0};
	pid_t pid = forkpty(&master, NULL, NULL, &w);
	if (pid == 0) {
		setenv("PS1", "@@@ ", 1);
		setenv("TERM", "dumb", 1);
		unsetenv("ENV");
		execvp(shell, argv);
		_exit(127);
	}
	check(expect("@@@ "), "%s: prompt", shell);
	step(shell, "stty -echo; echo quiet-$((1+1))\n", "quiet-2", "arithmetic");
	expect("@@@ ");
	step(shell, "sh -c 'echo running; exec sleep 1000'\n", "running", "a job in the foreground");
	step(shell, "\032", "@@@ ", "Ctrl-Z brings the prompt back");
	step(shell, "jobs > j; grep -c Stopped j\n", "1", "jobs: one is stopped");
	expect("@@@ ");
	step(shell, "bg >/dev/null 2>&1; jobs > j; grep -c Running j\n", "1", "bg: it runs");
	expect("@@@ ");
	step(shell, "fg\n", "sleep 1000", "fg names it");
	usleep(500000); // it is named before it has the terminal
	step(shell, "\003", "@@@ ", "Ctrl-C ends it");
	step(shell, "echo status=$?\n", "status=130", "its status is 128 + SIGINT");
	expect("@@@ ");
	step(shell, "cat & sleep 0.1; jobs > j; grep -c Stopped j; rm j; kill -9 %%; wait 2>/dev/null; echo gone\n", "1", "a reader in the background is stopped");
	expect("gone");
	expect("@@@ ");
	step(shell, "(trap 'echo got-int; exit 3' INT; echo armed; while :; do sleep 0.05; done)\n", "armed", "a subshell with a trap");
	step(shell, "\003", "got-int", "Ctrl-C runs its trap");
	expect("@@@ ");
	step(shell, "(echo piped; exec sleep 1000) | cat\n", "piped", "a pipeline");
	step(shell, "\003", "@@@ ", "Ctrl-C ends all of it");
	type("exit 5\n");
	check(reap(pid) == 5 << 8, "%s: exit 5", shell);
	close(master);
}

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	session("bash", (char *[]){"bash", "--norc", "--noprofile", "--noediting", "-i", NULL});
	session("dash", (char *[]){"dash", "-i", NULL});
	return done();
}
