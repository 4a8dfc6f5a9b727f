// E5, E6: a pid namespace: the first child is PID 1, cannot be hurt by signals from inside, gets all orphans, and its end ends all.
// needs root
// needs namespaces
#include "guest.h"
#include <sys/prctl.h>

static volatile sig_atomic_t hits;
static void handler(int sig) { hits++; }

// init is PID 1 of the new namespace.
static int init(void) {
	int status;
	check(getpid() == 1 && getppid() == 0, "inside: pid 1, parent 0");
	check(syscall(SYS_gettid) == 1, "inside: tid 1");
	// Signals that it does not handle cannot hurt it, from its own side.
	check(kill(1, SIGTERM) == 0 && kill(1, SIGKILL) == 0 && kill(1, SIGSTOP) == 0, "inside: SIGTERM, SIGKILL and SIGSTOP to itself have no effect");
	pid_t pid = fork();
	if (pid == 0) {
		kill(1, SIGKILL);
		kill(1, SIGHUP);
		raise(SIGTERM);
		_exit(0);
	}
	check(pid == 2, "inside: the next pid is 2");
	check(reap(pid) == SIGTERM, "inside: a child cannot kill it but itself");
	signal(SIGUSR1, handler);
	if ((pid = fork()) == 0) {
		kill(1, SIGUSR1);
		_exit(0);
	}
	reap(pid);
	check(hits == 1, "inside: a signal that it handles comes");
	// Orphans come to it.
	int p[2];
	pipe(p);
	if ((pid = fork()) == 0) {
		if (fork() == 0) {
			char c;
			close(p[1]);
			read(p[0], &c, 1); // until the parent has been reaped
			_exit(getppid() == 1 ? 21 : 22);
		}
		_exit(0);
	}
	close(p[0]);
	reap(pid);
	close(p[1]);
	pid = wait(&status);
	check(pid > 0 && status == 21 << 8, "inside: an orphan becomes its child");
	// A subreaper comes before it.
	if ((pid = fork()) == 0) {
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		pid_t mid = fork();
		if (mid == 0) {
			if (fork() == 0) {
				usleep(5000);
				_exit(23);
			}
			_exit(0);
		}
		reap(mid);
		wait(&status);
		_exit(status >> 8);
	}
	check(reap(pid) == 23 << 8, "inside: a subreaper comes first");
	fails(setns(open("/proc/self/ns/pid", O_RDONLY), CLONE_NEWUTS), EINVAL, "inside: setns of another kind");
	// Its children end with it.
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			for (;;)
				pause();
	return done() ? 30 : 31;
}

int main(void) {
	int status;
	must(unshare(CLONE_NEWPID), "unshare(CLONE_NEWPID)");
	check(getpid() > 1, "the caller itself stays where it was");
	pid_t pid = must(fork(), "fork");
	if (pid == 0)
		_exit(init());
	check(waitpid(pid, &status, 0) == pid && status == 31 << 8, "the namespace's init ended with all facts held");
	check(pid > 1, "outside: the same process had another pid");
	fails(waitpid(-1, &status, __WALL), ECHILD, "its children ended with it");
	fails(fork(), ENOMEM, "fork into a namespace whose init has ended");

	return done();
}
