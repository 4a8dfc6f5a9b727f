// E3: an ended child stays as a zombie with its status until waited for; SIGCHLD tells the parent; two thousand do no harm.
#include "guest.h"

static volatile sig_atomic_t count;
static siginfo_t last;
static void handler(int sig, siginfo_t *si, void *ctx) {
	count++;
	last = *si;
}

int main(void) {
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
	sigaction(SIGCHLD, &sa, NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(9);
	siginfo_t si;
	while (waitid(P_PID, pid, &si, WEXITED | WNOWAIT) == -1)
		;
	check(proc_state(pid) == 'Z', "its state is Z");
	check(kill(pid, 0) == 0 && kill(pid, SIGKILL) == 0, "it can be signalled, to no effect");
	check(getpgid(pid) == getpgrp(), "it keeps its group");
	char path[64], buf[64];
	snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
	check(read(open(path, O_RDONLY), buf, sizeof buf) == 0, "its command line is empty: the image is freed");
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	check(proc_field(path, "VmSize") == -1, "it has no memory");
	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	fails(readlink(path, buf, sizeof buf), ENOENT, "readlink of its exe");
	check(reap(pid) == 0x900, "its status is kept");
	fails(kill(pid, 0), ESRCH, "kill when reaped");
	check(proc_state(pid) == -1, "it is gone from /proc");
	check(count == 1 && last.si_signo == SIGCHLD && last.si_code == CLD_EXITED && last.si_pid == pid && last.si_status == 9 && last.si_uid == getuid(),
	      "SIGCHLD told pid, uid, CLD_EXITED and the code");

	if ((pid = fork()) == 0) {
		struct rlimit l = {0, 0};
		setrlimit(RLIMIT_CORE, &l);
		raise(SIGTERM);
	}
	check(reap(pid) == SIGTERM && last.si_code == CLD_KILLED && last.si_status == SIGTERM, "SIGCHLD told CLD_KILLED and the signal");

	signal(SIGCHLD, SIG_DFL);
	static pid_t z[2000];
	int zombies = 0, reaped = 0;
	for (int i = 0; i < 2000; i++)
		if ((z[i] = must(fork(), "fork")) == 0)
			_exit(i & 63);
	for (int i = 0; i < 2000; i++)
		zombies += waitid(P_PID, z[i], &si, WEXITED | WNOWAIT) == 0 && si.si_status == (i & 63);
	check(zombies == 2000, "two thousand zombies");
	for (int i = 0; i < 2000; i++)
		reaped += wait(NULL) > 0;
	check(reaped == 2000, "all reaped");
	fails(wait(NULL), ECHILD, "wait after them");
	return done();
}
