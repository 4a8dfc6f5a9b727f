// K2: /proc/self and /proc/PID tell what the process knows of itself: status, stat, comm, fd, maps, cwd, exe, limits, children.
#include "guest.h"
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

static char text[65536];

static const char *file(const char *path) {
	int fd = open(path, O_RDONLY), n = 0, r;
	memset(text, 0, sizeof text);
	while (fd >= 0 && (r = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += r;
	close(fd);
	return text;
}

static int has(const char *path, const char *what) { return strstr(file(path), what) != NULL; }

int main(void) {
	char path[64], link[PATH_MAX], cwd[PATH_MAX];
	int n;
	memset(link, 0, sizeof link);
	snprintf(path, sizeof path, "%d", getpid());
	check(readlink("/proc/self", link, sizeof link) > 0 && !strcmp(link, path), "/proc/self is the pid");
	check(proc_field("/proc/self/status", "Pid") == getpid(), "status: Pid");
	check(proc_field("/proc/self/status", "PPid") == getppid(), "status: PPid");
	check(proc_field("/proc/self/status", "Threads") == 1, "status: Threads");
	check(has("/proc/self/status", "State:\tR (running)\n"), "status: State");
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, (void (*)(int))main);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGTERM);
	check(has("/proc/self/status", "SigPnd:\t0000000000004000\n"), "status: SigPnd");
	check(has("/proc/self/status", "SigBlk:\t0000000000004000\n"), "status: SigBlk");
	check(has("/proc/self/status", "SigIgn:\t") && strtoul(strstr(text, "SigIgn:") + 8, NULL, 16) & 1 << (SIGUSR1 - 1), "status: SigIgn");
	check(has("/proc/self/status", "SigCgt:\t") && strtoul(strstr(text, "SigCgt:") + 8, NULL, 16) & 1 << (SIGUSR2 - 1), "status: SigCgt");
	prctl(PR_SET_NAME, "a (strange) name");
	check(has("/proc/self/comm", "a (strange) nam\n"), "comm has fifteen letters");
	int pid, ppid, pgrp, sid;
	char state;
	file("/proc/self/stat");
	n = sscanf(strrchr(text, ')') + 1, " %c %d %d %d", &state, &ppid, &pgrp, &sid);
	pid = atoi(text);
	check(n == 4 && pid == getpid() && state == 'R' && ppid == getppid() && pgrp == getpgrp() && sid == getsid(0), "stat");
	int fields = 0;
	for (char *p = strrchr(text, ')'); (p = strchr(p + 1, ' '));)
		fields++;
	check(fields == 50, "stat has 52 fields");

	int fd = must(open("/usr/bin/env", O_RDONLY | O_CLOEXEC), "open"), p[2];
	pipe(p);
	memset(link, 0, sizeof link);
	snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
	readlink(path, link, sizeof link);
	check(!strncmp(link, "pipe:[", 6), "fd: a pipe is pipe:[N]");
	lseek(fd, 77, SEEK_SET);
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	check(proc_field(path, "pos") == 77 && has(path, "flags:\t02100000"), "fdinfo: pos and flags");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int again = open(path, O_RDONLY);
	check(again >= 0 && lseek(again, 0, SEEK_CUR) == 0, "opening /proc/self/fd/N gives a new description");
	must(chdir("/usr"), "chdir");
	memset(link, 0, sizeof link);
	readlink("/proc/self/cwd", link, sizeof link);
	check(!strcmp(link, getcwd(cwd, sizeof cwd)), "cwd");
	memset(link, 0, sizeof link);
	check(readlink("/proc/self/root", link, sizeof link) == 1 && link[0] == '/', "root");
	check(readlink("/proc/self/exe", link, sizeof link) > 0, "exe");
	check(has("/proc/self/maps", "[stack]"), "maps names the stack");
	check(has("/proc/self/maps", "r-xp "), "maps shows code");
	check(has("/proc/self/limits", "Max open files "), "limits");
	check(has("/proc/self/mounts", " / "), "mounts has the root");
	check(has("/proc/self/mountinfo", " / / "), "mountinfo has the root");

	gate g = new_gate();
	if ((pid = fork()) == 0) {
		prctl(PR_SET_NAME, "child");
		gate_open(g);
		pause();
	}
	gate_pass(g);
	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	snprintf(link, sizeof link, "%d ", pid);
	check(!strcmp(file(path), link), "children");
	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	check(has(path, "child\n"), "comm of another process");
	wait_state(pid, 'S');
	check(proc_state(pid) == 'S', "a sleeper is S");
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	check(proc_state(pid) == 'T', "a stopped one is T");
	kill(pid, SIGKILL);
	reap(pid);
	snprintf(path, sizeof path, "/proc/%d", pid);
	fails(access(path, F_OK), ENOENT, "a dead one");

	int numbers = 0, me = 0;
	DIR *d = opendir("/proc");
	for (struct dirent *e; (e = readdir(d));)
		if (atoi(e->d_name)) {
			numbers++;
			me += atoi(e->d_name) == getpid();
		}
	check(numbers >= 2 && me == 1, "/proc lists the processes");
	check(has("/proc/meminfo", "MemTotal:") && strstr(text, "MemAvailable:"), "meminfo");
	check(has("/proc/cpuinfo", "processor\t: 0"), "cpuinfo");
	check(has("/proc/stat", "cpu  ") && strstr(text, "btime "), "stat");
	check(has("/proc/loadavg", "/"), "loadavg");
	double up;
	check(sscanf(file("/proc/uptime"), "%lf", &up) == 1 && up >= 0, "uptime");
	struct utsname u;
	uname(&u);
	check(has("/proc/sys/kernel/hostname", u.nodename), "hostname as uname tells it");
	check(has("/proc/version", "Linux version ") && strstr(text, u.release), "version as uname tells it");
	check(atoi(file("/proc/sys/kernel/pid_max")) > 1000, "pid_max");
	check(has("/proc/filesystems", "proc"), "filesystems");
	return done();
}
