// E3, K2: ps shows a zombie as Z and <defunct>, a stopped process as T, a sleeper as S, and who is whose parent.
#include "guest.h"
#include <sys/prctl.h>

static void ps(pid_t pid, const char *want, const char *what) {
	char cmd[128], out[256] = "";
	snprintf(cmd, sizeof cmd, "ps -o stat=,comm=,args= -p %d", pid);
	FILE *f = popen(cmd, "r");
	fgets(out, sizeof out, f);
	pclose(f);
	// Spaces are ps's own affair.
	char flat[256], *q = flat;
	for (char *p = out; *p && *p != '\n'; p++)
		if (*p != ' ' || (q > flat && q[-1] != ' '))
			*q++ = *p;
	while (q > flat && q[-1] == ' ')
		q--;
	*q = 0;
	check(!strcmp(flat, want), "%s: %s", what, flat);
}

int main(void) {
	siginfo_t si;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "ender");
		_exit(0);
	}
	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	ps(pid, "Z ender [ender] <defunct>", "zombie");
	reap(pid);
	if ((pid = fork()) == 0) {
		execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(127);
	}
	char path[64], name[32] = "";
	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	for (int i = 0; i < 5000 && strcmp(name, "sleep\n"); i++) {
		int fd = open(path, O_RDONLY);
		memset(name, 0, sizeof name);
		read(fd, name, sizeof name - 1);
		close(fd);
		usleep(500);
	}
	wait_state(pid, 'S');
	ps(pid, "S sleep sleep 1000", "sleeper");
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	ps(pid, "T sleep sleep 1000", "stopped");
	setpriority(PRIO_PROCESS, pid, 7);
	ps(pid, "TN sleep sleep 1000", "stopped and nice");
	char cmd[128];
	snprintf(cmd, sizeof cmd, "test $(ps -o ppid= -p %d) = %d", pid, getpid());
	check(system(cmd) == 0, "ps knows the parent");
	snprintf(cmd, sizeof cmd, "test $(pgrep -P %d -x sleep) = %d", getpid(), pid);
	check(system(cmd) == 0, "pgrep -P finds the child");
	snprintf(cmd, sizeof cmd, "kill -s KILL %d", pid);
	check(system(cmd) == 0 && reap(pid) == SIGKILL, "kill -s KILL ends it");
	return done();
}
