// P3: a child is marked as forked but not exec'd until it execs; its mark of having used root's rights starts cleared.
#include "guest.h"

enum { FORKNOEXEC = 0x40, SUPERPRIV = 0x100 };

// flags is the ninth field of /proc/PID/stat.
static unsigned flags(pid_t pid) {
	char path[64], line[1024];
	unsigned f = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *s = fopen(path, "r");
	if (s && fgets(line, sizeof line, s))
		sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %u", &f);
	if (s)
		fclose(s);
	return f;
}

int main(int argc, char **argv) {
	if (argc > 1)
		return flags(getpid()) & FORKNOEXEC ? 1 : 0;
	check(!(flags(getpid()) & FORKNOEXEC), "this program was exec'd: the mark is not set");
	pid_t pid = fork();
	if (pid == 0)
		_exit(flags(getpid()) & FORKNOEXEC ? 0 : 1);
	check(reap(pid) == 0, "a forked child has it");
	if ((pid = fork()) == 0) {
		execl("/proc/self/exe", argv[0], "after", NULL);
		_exit(127);
	}
	check(reap(pid) == 0, "an exec takes it off");
	if ((pid = fork()) == 0) {
		// setpriority below zero needs a right that only root has.
		if (getuid() == 0) {
			check(!(flags(getpid()) & SUPERPRIV), "child: no right of root was used yet");
			setpriority(PRIO_PROCESS, 0, -1);
			check(flags(getpid()) & SUPERPRIV, "child: using one is marked");
			pid_t inner = fork();
			if (inner == 0)
				_exit(flags(getpid()) & SUPERPRIV ? 1 : 0);
			check(reap(inner) == 0, "child: its own child starts without the mark");
		} else
			for (int i = 0; i < 3; i++)
				check(1, "not root");
		_exit(done());
	}
	check(reap(pid) == 0, "all of the child's facts held");
	return done();
}
