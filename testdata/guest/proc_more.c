// K2: more of /proc: fields of stat, statm, task folders, environ and fd of others, limits, oom, smaps_rollup, ns, sys; what a process may not see.
#include "guest.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/prctl.h>

static char text[262144];

static char *file(const char *path) {
	int fd = open(path, O_RDONLY), n = 0, r;
	memset(text, 0, 2048);
	while (fd >= 0 && (r = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += r;
	text[n] = 0;
	if (fd >= 0)
		close(fd);
	return text;
}
static char *of(pid_t pid, const char *name) {
	char path[96];
	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	return file(path);
}
// field is the n-th of stat, counted from 1 as proc(5) does.
static long field(pid_t pid, int n) {
	char *p = strrchr(of(pid, "stat"), ')') + 1;
	for (int i = 2; i < n - 1; i++)
		p = strchr(p + 1, ' ');
	return strtol(p + 1, NULL, 10);
}

static gate go;
static void *thread(void *arg) {
	prctl(PR_SET_NAME, "second");
	*(pid_t *)arg = syscall(SYS_gettid);
	gate_open(go);
	pause();
	return NULL;
}

int main(void) {
	char path[96], link[PATH_MAX];
	struct stat st;
	go = new_gate();
	gate up = new_gate();
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		setpriority(PRIO_PROCESS, 0, 4);
		int fd = open("/usr/bin/env", O_RDONLY);
		dup2(fd, 33);
		chdir("/usr");
		char *e[] = {"SECRET=42", "B=2", NULL}, *v[] = {"sleeper", "999", NULL};
		gate_open(up);
		execve("/bin/sleep", v, e);
		_exit(127);
	}
	gate_pass(up);
	for (int i = 0; i < 5000 && strcmp(of(pid, "cmdline"), "sleeper"); i++)
		usleep(500);
	check(!strcmp(of(pid, "cmdline"), "sleeper") && !strcmp(text + 8, "999"), "cmdline: strings with a zero behind each");
	wait_state(pid, 'S');
	check(!memcmp(of(pid, "environ"), "SECRET=42\0B=2", 14), "environ");
	check(!strcmp(of(pid, "comm"), "sleep\n"), "comm is the file's name");
	check(field(pid, 4) == getpid(), "stat 4: parent");
	check(field(pid, 5) == pid && field(pid, 6) == getsid(0), "stat 5, 6: group, session");
	check(field(pid, 18) == 24 && field(pid, 19) == 4, "stat 18, 19: priority 24, nice 4");
	check(field(pid, 20) == 1, "stat 20: threads");
	check(field(pid, 22) > 0 && field(pid, 22) >= field(getpid(), 22), "stat 22: it started later");
	check(field(pid, 23) > 4096 && field(pid, 24) > 0, "stat 23, 24: sizes");
	check(field(pid, 38) == SIGCHLD, "stat 38: exit signal");
	check(field(pid, 40) == 0 && field(pid, 41) == 0, "stat 40, 41: no real-time priority, policy OTHER");
	snprintf(path, sizeof path, "/proc/%d/fd/33", pid);
	memset(link, 0, sizeof link);
	readlink(path, link, sizeof link - 1);
	check(!strcmp(link, "/usr/bin/env"), "fd of another process");
	check(stat(path, &st) == 0 && S_ISREG(st.st_mode), "and it can be followed");
	lstat(path, &st);
	check((st.st_mode & 0777) == 0500, "the link's mode tells how it is open");
	snprintf(path, sizeof path, "/proc/%d/cwd", pid);
	memset(link, 0, sizeof link);
	readlink(path, link, sizeof link - 1);
	check(!strcmp(link, "/usr"), "cwd of another");
	char *limits = of(pid, "limits");
	check(strstr(limits, "Limit                     Soft Limit           Hard Limit           Units") != NULL, "limits has its head");
	int lines = 0;
	for (char *p = limits; (p = strchr(p, '\n')); p++)
		lines++;
	check(lines == 17, "and sixteen limits");
	check(strstr(of(pid, "status"), "Name:\tsleep\n") && strstr(text, "State:\tS (sleeping)\n") && strstr(text, "NStgid:\t") && strstr(text, "voluntary_ctxt_switches:\t"), "status");
	check(strstr(text, "\nUid:\t") && strstr(text, "\nGroups:\t") && strstr(text, "\nCapEff:\t") && strstr(text, "\nNoNewPrivs:\t0\n") && strstr(text, "\nSeccomp:\t0\n"), "status: identity");
	check(strstr(text, "\nVmPeak:") && strstr(text, "\nVmHWM:") && strstr(text, "\nVmData:") && strstr(text, "\nVmStk:") && strstr(text, "\nVmPTE:") && strstr(text, "\nThreads:\t1\n"), "status: memory");
	check(strstr(of(pid, "smaps_rollup"), "[rollup]") && strstr(text, "Pss:"), "smaps_rollup");
	check(strstr(of(pid, "maps"), "/sleep\n") || strstr(text, "/coreutils") || strstr(text, "/busybox"), "maps names the program");
	check(!strcmp(of(pid, "oom_score_adj"), "0\n"), "oom_score_adj");
	check(atoi(of(pid, "oom_score")) >= 0, "oom_score");
	check(!strcmp(of(pid, "personality"), "00000000\n"), "personality");
	check(strchr(of(pid, "cgroup"), ':') != NULL, "cgroup");
	check(strstr(of(pid, "mountinfo"), " - ") != NULL && strstr(of(pid, "mounts"), " / ") != NULL, "mounts");
	for (const char **ns = (const char *[]){"uts", "ipc", "mnt", "pid", "net", "user", "cgroup", NULL}; *ns; ns++) {
		char a[64] = "", b[64] = "";
		snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, *ns);
		readlink(path, a, 63);
		snprintf(path, sizeof path, "/proc/self/ns/%s", *ns);
		readlink(path, b, 63);
		check(!strncmp(a, *ns, strlen(*ns)) && !strcmp(a, b), "ns/%s is one for both", *ns);
	}
	kill(pid, SIGKILL);
	reap(pid);

	pthread_t t;
	pid_t tid = 0;
	pthread_create(&t, NULL, thread, &tid);
	gate_pass(go);
	snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
	check(!strcmp(file(path), "second\n"), "task: the thread's name");
	snprintf(path, sizeof path, "/proc/%d/status", tid);
	check(proc_field(path, "Tgid") == getpid() && proc_field(path, "Pid") == tid, "a thread can be named, though it is not listed");
	int listed = 0;
	DIR *d = opendir("/proc");
	for (struct dirent *e; (e = readdir(d));)
		listed += atoi(e->d_name) == tid;
	closedir(d);
	check(listed == 0, "it is not listed");
	check(stat("/proc/self/task", &st) == 0 && st.st_nlink == 4, "task has one folder a thread");
	memset(link, 0, sizeof link);
	readlink("/proc/thread-self", link, sizeof link - 1);
	snprintf(path, sizeof path, "%d/task/%d", getpid(), getpid());
	check(!strcmp(link, path), "thread-self");
	int fd = open("/proc/self/comm", O_WRONLY);
	check(write(fd, "renamed", 7) == 7 && !strcmp(file("/proc/self/comm"), "renamed\n"), "comm can be written");
	char *m = strdup("peek");
	fd = open("/proc/self/mem", O_RDWR);
	check(pread(fd, link, 4, (off_t)(uintptr_t)m) == 4 && !memcmp(link, "peek", 4), "mem can be read");
	check(pwrite(fd, "POKE", 4, (off_t)(uintptr_t)m) == 4 && !strcmp(m, "POKE"), "and written");
	fails(pread(fd, link, 4, 8), EIO, "mem where nothing is mapped");
	check(atoi(file("/proc/sys/kernel/threads-max")) > 0 && atol(file("/proc/sys/fs/file-max")) > 0 && atoi(file("/proc/sys/vm/overcommit_memory")) >= 0, "sys");
	check(!strcmp(file("/proc/sys/kernel/ostype"), "Linux\n") && strlen(file("/proc/sys/kernel/random/uuid")) == 37, "sys/kernel");

	fails(mkdir("/proc/x", 0755), ENOENT, "no folder can be made");
	fails(unlink("/proc/self/comm"), EPERM, "nothing can be removed");
	fails(open("/proc/99999999", O_RDONLY), ENOENT, "no such process");
	return done();
}
