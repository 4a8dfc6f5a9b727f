// P2: exit signals other than SIGCHLD, UNTRACED, PTRACE, IO, SYSVSEM, CLONE_PARENT's exit signal, unknown bits: what each flag does to a child.
#include "guest.h"
#include <sys/ipc.h>
#include <sys/sem.h>

static volatile sig_atomic_t got[65];
static void handler(int sig) { got[sig]++; }

static long child(unsigned long flags) { return syscall(SYS_clone, flags, 0UL, NULL, NULL, 0UL); }

// ends makes a child with flags and gives its status, waited for with options.
static int ends(unsigned long flags, int options) {
	int status = -1;
	pid_t pid = must(child(flags), "clone");
	if (pid == 0)
		_exit(3);
	pid_t r;
	do
		r = waitpid(pid, &status, options);
	while (r == -1 && errno == EINTR);
	if (r == -1) {
		int e = errno;
		waitpid(pid, NULL, __WALL);
		return -e;
	}
	return status;
}

int main(void) {
	signal(SIGCHLD, handler);
	signal(SIGUSR1, handler);
	signal(SIGRTMIN + 3, handler);
	check(ends(SIGCHLD, 0) == 0x300 && got[SIGCHLD] == 1, "exit signal SIGCHLD");
	check(ends(SIGUSR1, __WALL) == 0x300 && got[SIGUSR1] == 1 && got[SIGCHLD] == 1, "exit signal SIGUSR1 comes instead");
	check(ends(SIGUSR1, __WCLONE) == 0x300, "__WCLONE finds such a child");
	check(ends(SIGUSR1, 0) == -ECHILD, "a plain wait does not");
	check(ends(SIGCHLD, __WCLONE) == -ECHILD, "__WCLONE does not find a child with SIGCHLD");
	check(ends(SIGRTMIN + 3, __WALL) == 0x300 && got[SIGRTMIN + 3] == 1, "a real-time exit signal");
	int before = got[SIGCHLD];
	check(ends(0, __WALL) == 0x300 && got[SIGCHLD] == before, "exit signal 0: none comes");
	check(ends(SIGCHLD | CLONE_UNTRACED, 0) == 0x300, "UNTRACED");
	check(ends(SIGCHLD | CLONE_PTRACE, 0) == 0x300, "PTRACE without a tracer");
	check(ends(SIGCHLD | CLONE_IO, 0) == 0x300, "IO");
	check(ends(SIGCHLD | CLONE_DETACHED, 0) == 0x300, "DETACHED is ignored");

	// An exec makes the exit signal SIGCHLD.
	pid_t pid = must(child(SIGUSR1), "clone");
	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	int status, r;
	do
		r = waitpid(pid, &status, __WALL);
	while (r == -1 && errno == EINTR);
	check(r == pid && status == 0 && got[SIGUSR1] == 3, "after exec the child's end is SIGCHLD, not SIGUSR1");

	// SYSVSEM: one list of adjustments; it is applied when the last sharer ends.
	int sem = must(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600), "semget");
	semctl(sem, 0, SETVAL, 5);
	struct sembuf take = {0, -2, SEM_UNDO};
	for (int shared = 0; shared < 2; shared++) {
		pid = must(fork(), "fork");
		if (pid == 0) {
			pid_t inner = must(child(SIGCHLD | (shared ? CLONE_SYSVSEM : 0)), "clone");
			if (inner == 0) {
				semop(sem, &take, 1);
				_exit(0);
			}
			while (waitpid(inner, NULL, 0) == -1)
				;
			_exit(semctl(sem, 0, GETVAL));
		}
		int value = reap(pid) >> 8;
		check(value == (shared ? 3 : 5), shared ? "SYSVSEM: the adjustment waits for the last sharer's end" : "without SYSVSEM the child's end gives back");
		check(semctl(sem, 0, GETVAL) == 5, "then it is given back");
	}
	semctl(sem, 0, IPC_RMID);

	// CLONE_PARENT: the sibling has its maker's exit signal.
	got[SIGUSR1] = got[SIGCHLD] = 0;
	pid = must(child(SIGUSR1), "clone");
	if (pid == 0) {
		pid_t sib = child(CLONE_PARENT | SIGCHLD);
		if (sib == 0)
			_exit(4);
		_exit(5);
	}
	int sum = 0;
	for (int n = 0; n < 2;) {
		r = waitpid(-1, &status, __WALL);
		if (r > 0) {
			n++;
			sum += status >> 8;
		}
	}
	check(sum == 9, "CLONE_PARENT: both are this process's children");
	check(got[SIGUSR1] >= 1 && got[SIGCHLD] == 0, "both sent their maker's exit signal");
	return done();
}
