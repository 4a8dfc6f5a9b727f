// P2: control groups: mkdir makes a group, clone3 starts a child in it, cgroup.freeze stops and cgroup.kill ends all in it, and it can be removed when it is empty.
// needs root
// needs cgroup2
#include "guest.h"
#include <poll.h>

#define INTO_CGROUP 0x200000000ULL

static char root[256]; // where the hierarchy is mounted

// text reads a control file of a group.
static const char *text(const char *group, const char *file) {
	static char buf[4][4096];
	static int next;
	char *b = buf[next++ % 4], path[600];
	snprintf(path, sizeof path, "%s/%s/%s", root, group, file);
	int fd = open(path, O_RDONLY), n = fd < 0 ? -1 : read(fd, b, 4095);
	close(fd);
	b[n < 0 ? 0 : n] = 0;
	return b;
}

static int put(const char *group, const char *file, const char *value) {
	char path[600];
	snprintf(path, sizeof path, "%s/%s/%s", root, group, file);
	int fd = open(path, O_WRONLY);
	if (fd < 0)
		return -1;
	int n = write(fd, value, strlen(value)), e = errno;
	close(fd);
	errno = e;
	return n < 0 ? -1 : 0;
}

static int in(const char *group, int make) {
	char path[600];
	snprintf(path, sizeof path, "%s/%s", root, group);
	return make ? mkdir(path, 0755) : rmdir(path);
}

// until waits for a line in cgroup.events.
static int until(const char *group, const char *line) {
	for (int i = 0; i < 2000; i++) {
		if (strstr(text(group, "cgroup.events"), line))
			return 1;
		usleep(1000);
	}
	return 0;
}

static pid_t into(int fd) {
	struct { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; } a = {0};
	a.flags = INTO_CGROUP, a.exit_signal = SIGCHLD, a.cgroup = fd;
	return syscall(SYS_clone3, &a, sizeof a);
}

static void leave(int sig) { _exit(7); }

static int ends_with(const char *s, const char *end) {
	size_t n = strlen(s), m = strlen(end);
	return n >= m && !strcmp(s + n - m, end);
}

int main(void) {
	char line[1024], g[64], sub[80], path[600];
	FILE *f = fopen("/proc/self/mounts", "r");
	while (fgets(line, sizeof line, f))
		if (strstr(line, " cgroup2 "))
			sscanf(line, "%*s %255s", root);
	fclose(f);
	snprintf(g, sizeof g, "tine-%d", getpid());
	snprintf(sub, sizeof sub, "%s/sub", g);
	check(in(g, 1) == 0 && in(sub, 1) == 0, "mkdir makes a group and one below it");
	fails(in(g, 1), EEXIST, "mkdir again");
	check(!strcmp(text(g, "cgroup.type"), "domain\n"), "its type is domain");
	check(!strcmp(text(g, "cgroup.events"), "populated 0\nfrozen 0\n"), "nobody is in it");
	check(!strncmp(text(g, "cgroup.stat"), "nr_descendants 1\n", 17), "cgroup.stat counts the one below");
	fails(in(g, 0), EBUSY, "rmdir of a group with one below it");
	snprintf(path, sizeof path, "%s/%s/cgroup.procs", root, g);
	fails(unlink(path), EPERM, "unlink of a control file");

	// A child that starts in the group.
	snprintf(path, sizeof path, "%s/%s", root, sub);
	int fd = open(path, O_DIRECTORY | O_PATH), p[2];
	pipe(p);
	pid_t pid = into(fd);
	if (pid == 0) {
		FILE *c = fopen("/proc/self/cgroup", "r");
		char last[1024] = "", want[128];
		while (fgets(line, sizeof line, c))
			if (!strncmp(line, "0::", 3))
				strcpy(last, line);
		snprintf(want, sizeof want, "/%s\n", sub);
		signal(SIGUSR1, leave);
		write(p[1], ends_with(last, want) ? "y" : "n", 1);
		for (;;)
			pause();
	}
	char c = 0;
	read(p[0], &c, 1);
	check(c == 'y', "clone3 with CLONE_INTO_CGROUP: the child is in the group");
	check(atoi(text(sub, "cgroup.procs")) == pid && atoi(text(sub, "cgroup.threads")) == pid, "cgroup.procs and cgroup.threads have it");
	check(until(g, "populated 1"), "the group above is populated");
	fails(in(sub, 0), EBUSY, "rmdir of a group with a process");
	fails(into(-1), EINVAL, "clone3 into descriptor -1");
	fails(into(p[0]), EBADF, "clone3 into a pipe");

	// Another is moved there, with a change of cgroup.events to wait for.
	char num[16];
	pid_t other = fork();
	if (other == 0)
		for (;;)
			pause();
	snprintf(num, sizeof num, "%d", other);
	check(put(g, "cgroup.procs", num) == 0 && atoi(text(g, "cgroup.procs")) == other, "a write to cgroup.procs moves a process");
	fails(put(g, "cgroup.procs", "x"), EINVAL, "a word in cgroup.procs");
	fails(put(g, "cgroup.procs", "99999999"), ESRCH, "a process that is not");
	fails(put(g, "cgroup.subtree_control", "+nothing"), EINVAL, "a controller that is not");
	fails(put(g, "cgroup.events", "1"), EINVAL, "a write to cgroup.events");

	// Freezing.
	snprintf(path, sizeof path, "%s/%s/cgroup.events", root, g);
	struct pollfd pf = {.fd = open(path, O_RDONLY), .events = POLLPRI};
	read(pf.fd, line, sizeof line);
	check(poll(&pf, 1, 0) == 0, "cgroup.events has not changed");
	fails(put(g, "cgroup.freeze", "2"), ERANGE, "cgroup.freeze of 2");
	check(put(g, "cgroup.freeze", "1") == 0 && until(g, "frozen 1"), "cgroup.freeze freezes the group");
	check(until(sub, "frozen 1"), "and the group below it");
	check(poll(&pf, 1, 1000) == 1 && pf.revents & POLLPRI, "poll tells of the change");
	kill(pid, SIGUSR1);
	usleep(20000);
	check(waitpid(pid, NULL, WNOHANG) == 0, "a signal with a handler waits while its receiver is frozen");
	check(put(g, "cgroup.freeze", "0") == 0 && until(g, "frozen 0"), "0 in cgroup.freeze lets it go on");
	int status;
	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7, "and then the signal comes");

	// Killing, also of what is frozen.
	pid = into(fd);
	if (pid == 0)
		for (;;)
			pause();
	check(put(g, "cgroup.freeze", "1") == 0 && until(g, "frozen 1"), "frozen again");
	check(kill(other, SIGTERM) == 0 && waitpid(other, &status, 0) == other && WTERMSIG(status) == SIGTERM, "a signal without a handler ends it all the same");
	fails(put(g, "cgroup.kill", "0"), ERANGE, "cgroup.kill of 0");
	check(put(g, "cgroup.kill", "1") == 0, "cgroup.kill");
	check(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL, "the process below is killed");
	check(until(g, "populated 0"), "nobody is left");
	check(in(sub, 0) == 0, "rmdir removes the lower group");
	fails(into(fd), ENOENT, "clone3 into a removed group");
	check(in(g, 0) == 0, "and the other one");
	fails(read(pf.fd, line, sizeof line) > 0 ? 0 : pread(pf.fd, line, sizeof line, 0), ENODEV, "reading a control file of a removed group");
	return done();
}
