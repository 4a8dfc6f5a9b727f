// G3: a shell's ulimit shows and sets each limit, soft and hard, and its children have it; /proc/PID/limits says the same.
#include "guest.h"

static void shell(const char *sh, const char *script, int want) {
	pid_t pid = fork();
	if (pid == 0) {
		execlp(sh, sh, "-c", script, NULL);
		_exit(127);
	}
	check(reap(pid) == want << 8, "%s: %s", sh, script);
}

int main(void) {
	static const struct { int what; rlim_t soft, hard; } set[] = {
		{RLIMIT_CORE, 1024 * 10, 1024 * 20}, {RLIMIT_DATA, 1024L * 500000, 1024L * 600000}, {RLIMIT_FSIZE, 1024 * 5000, 1024 * 6000},
		{RLIMIT_NOFILE, 100, 110}, {RLIMIT_STACK, 1024 * 4000, 1024 * 5000}, {RLIMIT_CPU, 77, 88}, {RLIMIT_AS, 1024L * 900000, 1024L * 950000},
	};
	for (size_t i = 0; i < sizeof set / sizeof *set; i++) {
		struct rlimit l = {set[i].soft, set[i].hard};
		must(setrlimit(set[i].what, &l), "setrlimit");
	}
	shell("bash", "test \"$(ulimit -c) $(ulimit -d) $(ulimit -f) $(ulimit -n) $(ulimit -s) $(ulimit -t) $(ulimit -v)\" = '10 500000 5000 100 4000 77 900000'", 0);
	shell("bash", "test \"$(ulimit -Hc) $(ulimit -Hd) $(ulimit -Hf) $(ulimit -Hn) $(ulimit -Hs) $(ulimit -Ht) $(ulimit -Hv)\" = '20 600000 6000 110 5000 88 950000'", 0);
	shell("bash", "ulimit -a | grep -E 'open files|stack size|cpu time' | tr -s ' ' | sed 's/-[a-z])/)/' > ulimit.txt", 0);
	shell("sh", "ulimit -n 50; test $(ulimit -n) = 50 && test $(ulimit -Hn) = 50", 0);
	shell("sh", "ulimit -S -n 60; test $(ulimit -n) = 60 && test $(ulimit -Hn) = 110", 0);
	shell("bash", "ulimit -S -n 111 2>/dev/null; test $(ulimit -n) = 100", 0);
	static const char *lines[] = {"Max cpu time              77                   88                   seconds",
		"Max file size             5120000              6144000              bytes", "Max open files            100                  110                  files",
		"Max stack size            4096000              5120000              bytes", "Max core file size        10240                20480                bytes"};
	char text[4096] = "";
	int fd = open("/proc/self/limits", O_RDONLY);
	read(fd, text, sizeof text - 1);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		check(strstr(text, lines[i]) != NULL, "limits: %s", lines[i]);
	return done();
}
