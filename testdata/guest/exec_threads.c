// X2, P7: exec by a thread that is not the leader: its tid becomes the pid, the others end without a word, the parent is told nothing but the end.
#include "guest.h"
#include <pthread.h>

static volatile sig_atomic_t chld;
static void handler(int sig) { chld++; }
static char *self;
static gate running;
static int cleaned_fd;

static void cleanup(void *arg) { write(cleaned_fd, "cleanup", 7); }

static void *sleeper(void *arg) {
	pthread_cleanup_push(cleanup, NULL);
	gate_open(running);
	for (;;)
		pause();
	pthread_cleanup_pop(0);
	return NULL;
}
static void *blocked(void *arg) {
	int p[2];
	char c;
	pipe(p);
	gate_open(running);
	read(p[0], &c, 1);
	return NULL;
}
static void *spinner(void *arg) {
	gate_open(running);
	for (;;)
		;
	return NULL;
}
static void *execer(void *arg) {
	char a[16], b[16];
	snprintf(a, sizeof a, "%d", getpid());
	snprintf(b, sizeof b, "%ld", syscall(SYS_gettid));
	execl(self, "exec_threads", "after", a, b, NULL);
	return NULL;
}
static void *failing(void *arg) {
	execl("/none", "none", NULL);
	*(int *)arg = errno;
	return NULL;
}

static int after(char **argv) {
	check(getpid() == atoi(argv[2]) && syscall(SYS_gettid) == getpid(), "new image: pid and tid are the old leader's");
	check(atoi(argv[3]) != getpid(), "new image: the thread that called had another tid");
	fails(syscall(SYS_tgkill, getpid(), atoi(argv[3]), 0), ESRCH, "new image: that tid is no more");
	check(proc_field("/proc/self/status", "Threads") == 1, "new image: one thread");
	sigset_t set;
	sigpending(&set);
	check(sigismember(&set, SIGUSR1), "new image: what was pending for the process is pending still");
	check(!sigismember(&set, SIGUSR2), "new image: what was pending for an ended thread is not");
	return done() ? 1 : 40;
}

int main(int argc, char **argv) {
	if (argc > 1)
		return after(argv);
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	path[n] = 0;
	self = path;
	int p[2];
	pipe2(p, O_CLOEXEC);
	running = new_gate();
	cleaned_fd = p[1];
	signal(SIGCHLD, handler);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t t;
		int why = 0;
		sigprocmask(SIG_BLOCK, &set, NULL);
		pthread_create(&t, NULL, sleeper, NULL);
		pthread_kill(t, SIGUSR2);
		pthread_create(&t, NULL, blocked, NULL);
		pthread_create(&t, NULL, spinner, NULL);
		for (int i = 0; i < 3; i++)
			gate_pass(running);
		kill(getpid(), SIGUSR1);
		pthread_create(&t, NULL, failing, &why);
		pthread_join(t, NULL);
		check(why == ENOENT && proc_field("/proc/self/status", "Threads") == 4, "an exec that fails ends no thread");
		pthread_create(&t, NULL, execer, NULL);
		for (;;)
			pause();
	}
	int status, r;
	do
		r = waitpid(pid, &status, 0);
	while (r == -1 && errno == EINTR);
	check(r == pid && status == 40 << 8, "the parent waits for the same pid");
	check(chld == 1, "one SIGCHLD in all");
	char buf[16];
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	close(p[1]);
	check(read(p[0], buf, sizeof buf) == 0, "the ended threads ran no cleanup handler");
	// The leader itself may have ended before: exec revives the pid.
	if ((pid = fork()) == 0) {
		pthread_t t;
		sigprocmask(SIG_BLOCK, &set, NULL);
		kill(getpid(), SIGUSR1);
		pthread_create(&t, NULL, execer, NULL);
		pthread_exit(NULL);
	}
	do
		r = waitpid(pid, &status, 0);
	while (r == -1 && errno == EINTR);
	check(r == pid && status == 40 << 8, "exec after the leader's end");
	return done();
}
