// G1: sigsuspend, sigwait, sigtimedwait, signalfd and ppoll let in just the signals they name, without a race.
#include "guest.h"
#include <poll.h>
#include <sys/signalfd.h>

static volatile sig_atomic_t usr1, usr2;
static void handler(int sig) { *(sig == SIGUSR1 ? &usr1 : &usr2) += 1; }

int main(void) {
	sigset_t block, none, one, now;
	int sig;
	siginfo_t si;
	signal(SIGUSR1, handler);
	signal(SIGUSR2, handler);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigaddset(&block, SIGUSR2);
	sigprocmask(SIG_BLOCK, &block, NULL);
	one = block;
	sigdelset(&one, SIGUSR1);

	raise(SIGUSR1);
	raise(SIGUSR2);
	fails(sigsuspend(&one), EINTR, "sigsuspend with a signal pending");
	check(usr1 == 1 && usr2 == 0, "only the one that its mask lets in was handled");
	sigprocmask(SIG_BLOCK, NULL, &now);
	check(sigismember(&now, SIGUSR1) && sigismember(&now, SIGUSR2), "the mask is back");
	check(sigwait(&block, &sig) == 0 && sig == SIGUSR2 && usr2 == 0, "sigwait takes the pending one, no handler runs");
	pid_t pid = fork();
	if (pid == 0) {
		usleep(5000);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	check(sigwaitinfo(&block, &si) == SIGUSR1 && si.si_pid == pid && si.si_code == SI_USER, "sigwaitinfo: who sent it");
	reap(pid);
	struct timespec ts = {0, 5000000};
	fails(sigtimedwait(&block, NULL, &ts), EAGAIN, "sigtimedwait at its end");

	int fd = must(signalfd(-1, &block, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
	struct signalfd_siginfo s[3];
	struct pollfd p = {fd, POLLIN, 0};
	fails(read(fd, s, sizeof s), EAGAIN, "signalfd with nothing");
	check(poll(&p, 1, 0) == 0, "poll: nothing");
	kill(getpid(), SIGUSR2);
	sigqueue(getpid(), SIGUSR1, (union sigval){99});
	check(poll(&p, 1, 0) == 1 && p.revents == POLLIN, "poll: readable");
	check(read(fd, s, sizeof s) == 2 * sizeof *s, "two signals in one read");
	check(s[0].ssi_signo == SIGUSR1 && s[0].ssi_int == 99 && s[0].ssi_code == SI_QUEUE, "first SIGUSR1 with its value");
	check(s[1].ssi_signo == SIGUSR2 && s[1].ssi_pid == (unsigned)getpid() && s[1].ssi_code == SI_USER, "then SIGUSR2 with its sender");
	fails(read(fd, s, 10), EINVAL, "a buffer too small");
	sigemptyset(&now);
	sigaddset(&now, SIGUSR1);
	check(signalfd(fd, &now, 0) == fd, "a signalfd's set can be changed");
	raise(SIGUSR2);
	check(poll(&p, 1, 0) == 0, "now SIGUSR2 does not make it readable");
	sigwait(&block, &sig);
	fails(signalfd(0, &now, 0), EINVAL, "signalfd on another file");

	// ppoll opens the mask only while it waits.
	usr1 = 0;
	raise(SIGUSR1);
	ts.tv_sec = 10;
	fails(ppoll(NULL, 0, &ts, &none), EINTR, "ppoll");
	check(usr1 == 1, "its handler ran");
	sigprocmask(SIG_BLOCK, NULL, &now);
	check(sigismember(&now, SIGUSR1), "the mask is back");
	return done();
}
