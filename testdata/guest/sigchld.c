// E3, G1: SIGCHLD: several ends merge into one while it is blocked; si_code tells exit, kill, stop, continue; usage and uid come with it.
#include "guest.h"

static volatile sig_atomic_t runs, reaped;
static siginfo_t last;
static void handler(int sig, siginfo_t *si, void *ctx) {
	runs++;
	last = *si;
}
static void reaper(int sig) {
	int saved = errno;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		reaped++;
	errno = saved;
}

int main(void) {
	sigset_t set, old;
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
	sigaction(SIGCHLD, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid_t kids[5];
	siginfo_t si;
	for (int i = 0; i < 5; i++)
		if ((kids[i] = fork()) == 0)
			_exit(i);
	for (int i = 0; i < 5; i++)
		waitid(P_PID, kids[i], &si, WEXITED | WNOWAIT);
	check(runs == 0, "blocked: no handler ran");
	sigprocmask(SIG_SETMASK, &old, NULL);
	check(runs == 1, "five ends, one signal");
	int n = 0;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		n++;
	check(n == 5, "all five are there to be reaped");

	// The classic handler reaps in a loop and loses none.
	sa = (struct sigaction){.sa_handler = reaper, .sa_flags = SA_RESTART};
	sigaction(SIGCHLD, &sa, NULL);
	for (int i = 0; i < 50; i++)
		if (fork() == 0)
			_exit(i);
	while (reaped < 50)
		usleep(500);
	check(reaped == 50, "a handler that reaps in a loop gets all fifty");
	fails(wait(NULL), ECHILD, "none is left");

	sa = (struct sigaction){.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
	sigaction(SIGCHLD, &sa, NULL);
	runs = 0;
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	while (runs < 1)
		usleep(500);
	check(last.si_code == CLD_STOPPED && last.si_status == SIGSTOP && last.si_pid == pid, "CLD_STOPPED with the signal");
	kill(pid, SIGCONT);
	while (runs < 2)
		usleep(500);
	check(last.si_code == CLD_CONTINUED && last.si_status == SIGCONT, "CLD_CONTINUED");
	kill(pid, SIGKILL);
	reap(pid);
	check(runs == 3 && last.si_code == CLD_KILLED && last.si_status == SIGKILL && last.si_uid == getuid(), "CLD_KILLED");
	// SIGCHLD that is pending when it becomes ignored is gone, and so are zombies that come after.
	sigprocmask(SIG_BLOCK, &set, NULL);
	if ((pid = fork()) == 0)
		_exit(3);
	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	signal(SIGCHLD, SIG_IGN);
	sigset_t pend;
	sigpending(&pend);
	check(!sigismember(&pend, SIGCHLD), "ignoring it drops the pending one");
	check(waitpid(pid, &n, 0) == pid && n == 0x300, "a zombie that was there before is still there");
	return done();
}
