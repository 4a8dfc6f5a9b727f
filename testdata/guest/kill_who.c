// G1: whom kill reaches: one, a group, all; signal 0 only asks; a plain user reaches its own ids, and SIGCONT its session; kill -s NAME of the shells.
// needs root
#include "guest.h"

static volatile sig_atomic_t got;
static void handler(int sig) { got++; }

int main(void) {
	int status;
	gate up = new_gate();
	signal(SIGUSR1, handler);
	check(kill(getpid(), 0) == 0 && got == 0, "signal 0 asks only");
	kill(getpid(), SIGUSR1);
	check(got == 1, "a signal to itself is delivered before kill returns");
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		pid_t kids[2];
		for (int i = 0; i < 2; i++)
			if ((kids[i] = fork()) == 0) {
				got = 0;
				gate_open(up);
				while (!got)
					usleep(500);
				_exit(3);
			}
		gate_pass(up);
		gate_pass(up);
		got = 0;
		kill(0, SIGUSR1);
		check(got == 1, "kill(0): the caller as well");
		check(reap(kids[0]) == 0x300 && reap(kids[1]) == 0x300, "kill(0): all of its group");
		_exit(done());
	}
	check(reap(pid) == 0, "kill of group 0");
	check(got == 1, "another group got nothing");

	// Permissions: real or effective id of the sender against real or saved of the receiver.
	pid_t a = fork();
	if (a == 0) {
		must(setresuid(1000, 1001, 1002), "setresuid");
		gate_open(up);
		for (;;)
			pause();
	}
	gate_pass(up);
	for (int i = 0; i < 4; i++) {
		static const int ids[][2] = {{1000, 5000}, {5000, 1002}, {1001, 1001}, {5000, 5000}};
		static const char *what[] = {"real against real", "effective against saved", "the effective id of the receiver does not count", "nothing in common"};
		if ((pid = fork()) == 0) {
			must(setresuid(ids[i][0], ids[i][1], ids[i][1]), "setresuid");
			_exit(kill(a, 0) == 0 ? 0 : errno);
		}
		check(reap(pid) >> 8 == (i < 2 ? 0 : EPERM), "%s: %s", what[i], i < 2 ? "may" : "EPERM");
	}
	if ((pid = fork()) == 0) {
		must(setresuid(5000, 5000, 5000), "setresuid");
		check(kill(a, SIGCONT) == 0, "SIGCONT within the session is free");
		fails(kill(a, SIGHUP), EPERM, "another signal");
		setsid();
		fails(kill(a, SIGCONT), EPERM, "SIGCONT from another session");
		fails(kill(-getpgid(a), 0), EPERM, "a group of which it may reach nobody");
		_exit(done());
	}
	check(reap(pid) == 0, "rules for a plain user");
	kill(a, SIGKILL);
	reap(a);

	// kill(-1): all that one may, but not itself and not init.
	if ((pid = fork()) == 0) {
		must(setresuid(54399, 54399, 54399), "setresuid");
		pid_t kids[3];
		for (int i = 0; i < 3; i++)
			if ((kids[i] = fork()) == 0)
				for (;;)
					pause();
		check(kill(-1, SIGTERM) == 0, "kill(-1)");
		int died = 0;
		for (int i = 0; i < 3; i++)
			died += reap(kids[i]) == SIGTERM;
		check(died == 3, "all of the user's own");
		check(1, "not the caller");
		check(kill(-1, SIGTERM) == 0, "kill(-1) that may reach none of the others is no error");
		_exit(done());
	}
	check(reap(pid) == 0, "kill of all");

	static const char *shells[] = {"sh", "bash", NULL};
	for (int i = 0; shells[i]; i++)
		for (const char **n = (const char *[]){"HUP", "USR2", "TERM", "9", "RTMIN", NULL}; *n; n++) {
			char cmd[128], num[16];
			if (!strcmp(*n, "RTMIN") && i == 0)
				continue; // dash does not know the name
			if ((pid = fork()) == 0)
				for (;;)
					pause();
			snprintf(num, sizeof num, "%d", pid);
			snprintf(cmd, sizeof cmd, "kill -s %s %s", *n, num);
			pid_t shell = fork();
			if (shell == 0) {
				execlp(shells[i], shells[i], "-c", cmd, NULL);
				_exit(127);
			}
			int ok = reap(shell);
			waitpid(pid, &status, 0);
			check(ok == 0 && WIFSIGNALED(status), "%s: kill -s %s: died of %d", shells[i], *n, WTERMSIG(status));
		}
	return done();
}
