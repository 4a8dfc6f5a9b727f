// P6: the parent of a vfork stands still until the child execs or exits, and sees what the child wrote.
#include "guest.h"

int main(int argc, char **argv) {
	if (argc > 1)
		return 42;
	volatile int n = 0;
	static int global;
	pid_t me = getpid();
	pid_t pid = vfork();
	if (pid == 0) {
		n = 1;
		global = getppid() == me;
		usleep(20000); // the parent could overtake here, if it ran
		n = 2;
		_exit(6);
	}
	check(n == 2, "the parent went on after the child's last write, and sees it");
	check(global, "the child's parent is the caller");
	check(reap(pid) == 0x600, "status of the vforked child");

	int fd = must(open("/dev/null", O_RDONLY), "open");
	n = 0;
	pid = vfork();
	if (pid == 0) {
		close(fd);
		n = 3;
		char *args[] = {argv[0], "again", NULL};
		execv("/proc/self/exe", args);
		_exit(127);
	}
	check(n == 3, "a write before exec is seen");
	check(fcntl(fd, F_GETFD) == 0, "the descriptor table is the child's own");
	check(reap(pid) == 42 << 8, "the exec'd program ran");

	n = 0;
	pid = vfork();
	if (pid == 0) {
		n = 4;
		kill(getpid(), SIGKILL);
	}
	check(n == 4 && reap(pid) == SIGKILL, "a vforked child that is killed lets the parent go");
	return done();
}
