// E6: an init as the books have it: it runs boot scripts one after the other, starts login processes again when they end, reaps every orphan.
// needs root
// needs namespaces
#include "guest.h"

// login is what getty would be: it says who it is and ends.
static void login(int out, int tty, int turn) {
	char line[32];
	// It leaves an orphan behind.
	if (fork() == 0) {
		usleep(1000);
		_exit(60 + tty);
	}
	int n = snprintf(line, sizeof line, "t%d.%d ", tty, turn);
	write(out, line, n);
	_exit(tty);
}

static int init(int out) {
	pid_t terminals[2] = {0};
	int turns[2] = {0}, reaped[2] = {0}, orphans = 0, status;
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			char script[64];
			snprintf(script, sizeof script, "test $$ -gt 1 && printf 'rc%d '; exit %d", i, i);
			dup2(out, 1);
			execl("/bin/sh", "sh", "-c", script, NULL);
			_exit(127);
		}
		waitpid(pid, &status, 0);
		check(status == i << 8, "init: boot script %d has ended before the next starts", i);
	}
	while (reaped[0] < 3 || reaped[1] < 3 || orphans < 6) {
		for (int i = 0; i < 2; i++)
			if (!terminals[i] && turns[i] < 3 && (i == 0 || reaped[0] == 3)) {
				turns[i]++;
				if ((terminals[i] = fork()) == 0)
					login(out, i, turns[i]);
			}
		pid_t pid = wait(&status);
		if (pid == -1)
			break;
		if (pid == terminals[0] || pid == terminals[1]) {
			int i = pid == terminals[1];
			terminals[i] = 0;
			reaped[i]++;
		} else if (WIFEXITED(status) && WEXITSTATUS(status) >= 60)
			orphans++;
	}
	check(reaped[0] == 3 && reaped[1] == 3, "init: each login was started again when it had ended, three times");
	check(orphans == 6, "init: six orphans reaped");
	fails(wait(NULL), ECHILD, "init: nothing left");
	return done();
}

int main(void) {
	int p[2];
	char out[256] = "";
	pipe(p);
	must(unshare(CLONE_NEWPID), "unshare(CLONE_NEWPID)");
	pid_t pid = must(fork(), "fork");
	if (pid == 0)
		_exit(init(p[1]));
	check(reap(pid) == 0, "the machine came up, ran and went down");
	close(p[1]);
	size_t n = 0;
	ssize_t r;
	while ((r = read(p[0], out + n, sizeof out - 1 - n)) > 0)
		n += r;
	check(!strcmp(out, "rc0 rc1 rc2 t0.1 t0.2 t0.3 t1.1 t1.2 t1.3 "), "it wrote: %s", out);
	return done();
}
