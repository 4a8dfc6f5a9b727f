// E3: with SIGCHLD ignored or SA_NOCLDWAIT children leave no zombie and wait gives ECHILD after the last; SA_NOCLDSTOP.
#include "guest.h"

static volatile sig_atomic_t count;
static void handler(int sig) { count++; }

static void children(const char *what) {
	pid_t pid[3];
	for (int i = 0; i < 3; i++)
		if ((pid[i] = fork()) == 0) {
			usleep(1000 * i);
			_exit(i);
		}
	int r;
	do
		r = waitpid(-1, NULL, 0);
	while (r == -1 && errno == EINTR);
	fails(r, ECHILD, what);
	int left = 0;
	for (int i = 0; i < 3; i++)
		left += kill(pid[i], 0) == 0;
	check(left == 0, "%s: no child is left", what);
}

int main(void) {
	signal(SIGCHLD, SIG_IGN);
	children("SIG_IGN");
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_NOCLDWAIT};
	sigaction(SIGCHLD, &sa, NULL);
	children("SA_NOCLDWAIT");
	check(count >= 1, "SA_NOCLDWAIT: the handler is still called");

	// Ignored by default is not ignored by choice: zombies stay.
	signal(SIGCHLD, SIG_DFL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(4);
	check(reap(pid) == 0x400, "SIG_DFL: the status is there");

	for (int flag = 0; flag < 2; flag++) {
		sa.sa_flags = (flag ? SA_NOCLDSTOP : 0) | SA_RESTART;
		sigaction(SIGCHLD, &sa, NULL);
		count = 0;
		int status;
		if ((pid = fork()) == 0) {
			setpgid(0, 0);
			raise(SIGSTOP);
			_exit(0);
		}
		waitpid(pid, &status, WUNTRACED);
		int stopped = count;
		kill(pid, SIGCONT);
		reap(pid);
		check(stopped == !flag, "SIGCHLD for a stop %s SA_NOCLDSTOP", flag ? "with" : "without");
		check(count >= 1, "SIGCHLD for the end");
	}
	return done();
}
