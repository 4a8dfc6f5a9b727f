// P2: CLONE_FILES, CLONE_FS, CLONE_VM and CLONE_SIGHAND share; without the flag the child has a copy.
#include "guest.h"

static int variable, fd;
static void handler(int sig) {}

// The child changes one thing of each kind.
static int change(void *arg) {
	variable = 1;
	close(fd);
	umask(0111);
	chdir("/");
	signal(SIGUSR1, handler);
	return 9;
}

static int try(const char *name, int flags) {
	static char stack[65536] __attribute__((aligned(16)));
	char cwd[PATH_MAX];
	variable = 0;
	fd = must(open("/dev/null", O_RDONLY), "open");
	umask(022);
	must(chdir("/usr"), "chdir");
	signal(SIGUSR1, SIG_IGN);
	pid_t pid = must(clone(change, stack + sizeof stack, flags | SIGCHLD, NULL), name);
	int status = reap(pid);
	struct sigaction sa;
	sigaction(SIGUSR1, NULL, &sa);
	int shares = (variable == 1 ? CLONE_VM : 0) | (fcntl(fd, F_GETFD) == -1 ? CLONE_FILES : 0) |
		(sa.sa_handler == handler ? CLONE_SIGHAND : 0);
	getcwd(cwd, sizeof cwd);
	mode_t mask = umask(022);
	if (!strcmp(cwd, "/") && mask == 0111)
		shares |= CLONE_FS;
	close(fd);
	check(status == 0x900, "%s: the child's function ends it", name);
	check(shares == flags, "%s: just that is shared", name);
	return shares;
}

int main(void) {
	try("no flag", 0);
	try("CLONE_VM", CLONE_VM);
	try("CLONE_FILES", CLONE_FILES);
	try("CLONE_FS", CLONE_FS);
	try("CLONE_FS|CLONE_FILES", CLONE_FS | CLONE_FILES);
	try("CLONE_VM|CLONE_SIGHAND", CLONE_VM | CLONE_SIGHAND);
	try("CLONE_VM|CLONE_FILES|CLONE_FS|CLONE_SIGHAND", CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND);
	return done();
}
