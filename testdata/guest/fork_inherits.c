// P5: what the child inherits: descriptions with offset and flags, cwd, umask, handlers, mask, environment, group, nice, limits, mappings.
#include "guest.h"
#include <sys/prctl.h>

static int file;
static pid_t session, group;
static char *map;
static void handler(int sig) {}

static void child(void) {
	char cwd[PATH_MAX];
	sigset_t set;
	struct sigaction sa;
	struct rlimit l;
	check(lseek(file, 0, SEEK_CUR) == 5, "the offset is where the parent left it");
	check(fcntl(file, F_GETFL) & O_APPEND, "status flags of the description");
	check(fcntl(file, F_GETFD) == FD_CLOEXEC, "flags of the descriptor");
	lseek(file, 2, SEEK_SET);
	fcntl(file, F_SETFL, O_NONBLOCK);
	check(getcwd(cwd, sizeof cwd) && !strcmp(cwd, "/usr"), "current directory");
	check(umask(0) == 027, "umask");
	sigaction(SIGUSR1, NULL, &sa);
	check(sa.sa_handler == handler && sa.sa_flags & SA_RESTART, "handler and its flags");
	sigaction(SIGUSR2, NULL, &sa);
	check(sa.sa_handler == SIG_IGN, "ignored signals");
	sigprocmask(SIG_BLOCK, NULL, &set);
	check(sigismember(&set, SIGTERM) && !sigismember(&set, SIGINT), "signal mask");
	check(!strcmp(getenv("TINE_GUEST"), "yes"), "environment");
	check(getsid(0) == session && getpgrp() == group, "session and process group");
	check(getpriority(PRIO_PROCESS, 0) == 5, "nice value");
	getrlimit(RLIMIT_NOFILE, &l);
	check(l.rlim_cur == 77, "limits");
	check(!strcmp(map, "mapped"), "mappings");
	check(prctl(PR_GET_DUMPABLE) == 1, "dumpable");
	char name[16];
	prctl(PR_GET_NAME, name);
	check(!strcmp(name, "tinename"), "name");
}

int main(void) {
	file = must(open("inherit", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600), "open");
	unlink("inherit");
	must(write(file, "12345", 5), "write");
	must(chdir("/usr"), "chdir");
	umask(027);
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
	sigaction(SIGUSR1, &sa, NULL);
	signal(SIGUSR2, SIG_IGN);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	setenv("TINE_GUEST", "yes", 1);
	session = getsid(0);
	group = getpgrp();
	must(setpriority(PRIO_PROCESS, 0, 5), "setpriority");
	struct rlimit l = {77, 77};
	must(setrlimit(RLIMIT_NOFILE, &l), "setrlimit");
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(map, "mapped");
	prctl(PR_SET_NAME, "tinename");
	check(in_child(child) == 0, "all of the child's facts held");
	check(lseek(file, 0, SEEK_CUR) == 2, "the child's seek moved the parent's offset");
	check(fcntl(file, F_GETFL) & O_NONBLOCK, "the child's F_SETFL changed the parent's flags");
	check(umask(0) == 027, "the child's umask is its own");
	return done();
}
