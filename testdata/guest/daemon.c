// E5, E6: a daemon that forks twice: new session, no terminal, its manager as subreaper becomes its parent, keeps and stops it.
#include "guest.h"
#include <sys/prctl.h>

static volatile sig_atomic_t stop;
static void on_term(int sig) { stop = 1; }

// daemon_main is the service itself, after both forks.
static void daemon_main(int fd) {
	struct { pid_t pid, sid, pgrp; int tty, umask; } say = {getpid(), getsid(0), getpgrp(), 0, umask(0)};
	say.tty = open("/dev/tty", O_RDWR) >= 0;
	signal(SIGTERM, on_term);
	write(fd, &say, sizeof say);
	sigset_t set, none;
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (!stop)
		sigsuspend(&none);
	_exit(44);
}

int main(void) {
	int p[2], status;
	char cwd[PATH_MAX];
	pipe(p);
	must(prctl(PR_SET_CHILD_SUBREAPER, 1), "PR_SET_CHILD_SUBREAPER");
	pid_t first = fork();
	if (first == 0) {
		if (fork() == 0) {
			// Here the library's daemon(3) would be: this is what it does.
			setsid();
			if (fork() != 0)
				_exit(0);
			chdir("/");
			umask(0);
			int null = open("/dev/null", O_RDWR);
			dup2(null, 0);
			dup2(null, 1);
			dup2(null, 2);
			daemon_main(p[1]);
		}
		_exit(0);
	}
	struct { pid_t pid, sid, pgrp; int tty, umask; } said;
	must(read(p[0], &said, sizeof said), "read");
	check(reap(first) == 0, "the process that was started has ended");
	check(said.pid != said.sid && said.sid == said.pgrp, "the daemon leads neither session nor group: it can get no terminal");
	check(said.tty == 0, "and has none");
	check(said.umask == 0, "umask 0");
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/status", said.pid);
	for (int i = 0; i < 2000 && proc_field(path, "PPid") != getpid(); i++)
		usleep(500);
	check(proc_field(path, "PPid") == getpid(), "its parent is the manager");
	snprintf(path, sizeof path, "/proc/%d/cwd", said.pid);
	memset(cwd, 0, sizeof cwd);
	readlink(path, cwd, sizeof cwd);
	check(!strcmp(cwd, "/"), "its folder is /");
	// The session leader in between came to the manager as well.
	pid_t r = wait(&status);
	check(r == said.sid && status == 0, "the session leader in between is reaped by the manager too");
	check(waitpid(said.pid, &status, WNOHANG) == 0, "the daemon runs");
	kill(said.pid, SIGTERM);
	check(reap(said.pid) == 44 << 8, "the manager stops it and gets its status");
	fails(wait(NULL), ECHILD, "nothing is left");
	return done();
}
