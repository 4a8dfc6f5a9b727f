// What the guest programs share: one line of output for each fact, and a
// status that says whether all of them held. No line may contain a pid, an
// address or a time: the output of two runs is compared byte by byte.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static int failures;

// Lines leave whole and at once: a forked child inherits no half-full buffer.
__attribute__((constructor)) static void line_buffered(void) {
	setvbuf(stdout, NULL, _IOLBF, 0);
}

// check prints one fact and remembers whether it held.
static inline __attribute__((format(printf, 2, 3))) void check(int holds, const char *fact, ...) {
	char line[256];
	va_list ap;
	va_start(ap, fact);
	vsnprintf(line, sizeof line, fact, ap);
	va_end(ap);
	printf("%s: %s\n", holds ? "ok" : "FAILED", line);
	if (!holds)
		failures++;
}

// done is the exit status of a program that has made its checks.
static inline int done(void) { return failures ? 1 : 0; }

static inline const char *errname(int e) {
	static const struct { int e; const char *name; } names[] = {
		{0, "0"}, {EPERM, "EPERM"}, {ENOENT, "ENOENT"}, {ESRCH, "ESRCH"}, {EINTR, "EINTR"},
		{EIO, "EIO"}, {ENXIO, "ENXIO"}, {E2BIG, "E2BIG"}, {ENOEXEC, "ENOEXEC"}, {EBADF, "EBADF"},
		{ECHILD, "ECHILD"}, {EAGAIN, "EAGAIN"}, {ENOMEM, "ENOMEM"}, {EACCES, "EACCES"},
		{EFAULT, "EFAULT"}, {EBUSY, "EBUSY"}, {EEXIST, "EEXIST"}, {EXDEV, "EXDEV"},
		{ENOTDIR, "ENOTDIR"}, {EISDIR, "EISDIR"}, {EINVAL, "EINVAL"}, {EMFILE, "EMFILE"},
		{ENOTTY, "ENOTTY"}, {ETXTBSY, "ETXTBSY"}, {EFBIG, "EFBIG"}, {ENOSPC, "ENOSPC"},
		{ESPIPE, "ESPIPE"}, {EROFS, "EROFS"}, {EMLINK, "EMLINK"}, {EPIPE, "EPIPE"},
		{EDEADLK, "EDEADLK"}, {ENAMETOOLONG, "ENAMETOOLONG"}, {ENOSYS, "ENOSYS"},
		{ENOTEMPTY, "ENOTEMPTY"}, {ELOOP, "ELOOP"}, {EOWNERDEAD, "EOWNERDEAD"},
		{ETIMEDOUT, "ETIMEDOUT"}, {EADDRINUSE, "EADDRINUSE"}, {ECONNREFUSED, "ECONNREFUSED"},
		{EINPROGRESS, "EINPROGRESS"}, {ENOTSOCK, "ENOTSOCK"}, {ENOTCONN, "ENOTCONN"},
		{EISCONN, "EISCONN"}, {EOPNOTSUPP, "EOPNOTSUPP"}, {ECONNRESET, "ECONNRESET"},
		{EDESTADDRREQ, "EDESTADDRREQ"}, {EMSGSIZE, "EMSGSIZE"}, {ENODEV, "ENODEV"},
		{ENOTRECOVERABLE, "ENOTRECOVERABLE"}, {ERANGE, "ERANGE"}, {EIDRM, "EIDRM"},
		{ENOMSG, "ENOMSG"}, {EDOM, "EDOM"},
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].e == e)
			return names[i].name;
	return "another error";
}

// fails checks that a call gave -1 and the error expected, and names both.
static inline void fails(long result, int want, const char *call) {
	int e = errno;
	check(result == -1 && e == want, "%s gives %s%s%s", call, errname(want),
	      result != -1 ? ", not success" : e != want ? ", not " : "",
	      result == -1 && e != want ? errname(e) : "");
}

// reap waits for one child and gives its status word, or -1.
static inline int reap(pid_t pid) {
	int status;
	pid_t got;
	do
		got = waitpid(pid, &status, 0);
	while (got == -1 && errno == EINTR);
	return got == pid ? status : -1;
}

// must ends the program when something it only builds on does not work.
static inline long must(long result, const char *what) {
	if (result == -1) {
		printf("FAILED: %s: %s\n", what, errname(errno));
		exit(2);
	}
	return result;
}

// in_child runs f in a forked child, which ends with its own failures, and
// gives the status word.
static inline int in_child(void (*f)(void)) {
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		failures = 0;
		f();
		_exit(done());
	}
	return reap(pid);
}

// A gate holds one process until another opens it.
typedef struct { int r, w; } gate;

static inline gate new_gate(void) {
	int p[2];
	must(pipe(p), "pipe");
	return (gate){p[0], p[1]};
}
static inline void gate_open(gate g) { must(write(g.w, "x", 1), "write to gate"); }
static inline void gate_pass(gate g) {
	char c;
	ssize_t n;
	do
		n = read(g.r, &c, 1);
	while (n == -1 && errno == EINTR);
	must(n == 1 ? 0 : -1, "read from gate");
}

// proc_field reads the number behind "Name:" in a file such as
// /proc/self/status, or -1.
static inline long proc_field(const char *file, const char *name) {
	char line[512];
	long value = -1;
	size_t n = strlen(name);
	FILE *f = fopen(file, "r");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, name, n) && line[n] == ':') {
			value = strtol(line + n + 1, NULL, 10);
			break;
		}
	if (f)
		fclose(f);
	return value;
}

// proc_state is the state letter of a process: R, S, T, Z.
static inline int proc_state(pid_t pid) {
	char path[64], line[512], *p;
	int state = -1;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return -1;
	if (fgets(line, sizeof line, f) && (p = strrchr(line, ')')))
		state = p[2];
	fclose(f);
	return state;
}

// wait_state waits until a process is in a state, for what no call waits for.
static inline void wait_state(pid_t pid, int state) {
	for (int i = 0; i < 20000 && proc_state(pid) != state; i++)
		usleep(500);
}
