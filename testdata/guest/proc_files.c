// K2: what /proc tells of open files and of waiting: io, mem, wchan, locks, fdinfo, names of what has none.
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static char text[8192];

static const char *slurp(const char *format, int n) {
	char path[64];
	snprintf(path, sizeof path, format, n);
	int fd = open(path, O_RDONLY);
	long len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	close(fd);
	text[len < 0 ? 0 : len] = 0;
	return text;
}

static long io(const char *field) {
	const char *at = strstr(slurp("/proc/self/io", 0), field);
	return at ? atol(at + strlen(field)) : -1;
}

static int named(int fd, const char *want) {
	char path[64], name[256] = "";
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return readlink(path, name, sizeof name - 1) > 0 && strncmp(name, want, strlen(want)) == 0;
}

int main(void) {
	int p[2], devnull = open("/dev/null", O_WRONLY);
	static char b[5000];
	pipe(p);
	long w = io("wchar: "), calls = io("syscw: ");
	check(write(devnull, b, 5000) == 5000 && io("wchar: ") - w == 5000 && io("syscw: ") - calls == 1, "io counts bytes and calls of write");

	static volatile int here = 41;
	int mem = open("/proc/self/mem", O_RDWR);
	int there = 0;
	check(pread(mem, &there, 4, (long)&here) == 4 && there == 41, "mem reads the memory");
	there = 42;
	check(pwrite(mem, &there, 4, (long)&here) == 4 && here == 42, "and writes it");
	char *ro = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(pwrite(mem, "x", 1, (long)ro) == 1 && ro[0] == 'x', "also where it is only for reading");
	fails(pread(mem, &there, 4, 8), EIO, "mem where nothing is");

	pid_t pid = fork();
	if (pid == 0)
		_exit((int)read(p[0], b, 1));
	for (int i = 0; i < 1000 && !strstr(slurp("/proc/%d/wchan", pid), "pipe_read"); i++)
		usleep(1000);
	check(strstr(text, "pipe_read") != NULL, "wchan: a reader of a pipe sleeps in pipe_read");
	write(p[1], "x", 1);
	reap(pid);

	int f = open("locked", O_RDWR | O_CREAT, 0644);
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
	check(fcntl(f, F_SETLK, &fl) == 0 && strstr(slurp("/proc/self/fdinfo/%d", f), "POSIX  ADVISORY  WRITE") && strstr(text, " 10 14\n"), "fdinfo shows a record lock");
	check(strstr(slurp("/proc/locks", 0), " 10 14\n") != NULL, "and locks does");
	check(flock(f, LOCK_SH) == 0 && strstr(slurp("/proc/self/fdinfo/%d", f), "FLOCK  ADVISORY  READ") && strstr(text, " 0 EOF\n"), "a lock of flock too");

	int ev = eventfd(5, EFD_SEMAPHORE), ep = epoll_create1(EPOLL_CLOEXEC), tf = timerfd_create(CLOCK_MONOTONIC, 0), in = inotify_init();
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	int sf = signalfd(-1, &set, 0);
	check(named(ev, "anon_inode:[eventfd]") && named(ep, "anon_inode:[eventpoll]") && named(tf, "anon_inode:[timerfd]") &&
	      named(sf, "anon_inode:[signalfd]") && named(in, "anon_inode:inotify") && named(p[0], "pipe:["), "names in /proc/self/fd");
	check(strstr(slurp("/proc/self/fdinfo/%d", ev), "eventfd-count:                5\n") != NULL, "fdinfo of an eventfd");
	check(strstr(slurp("/proc/self/fdinfo/%d", sf), "sigmask:\t0000000000000200\n") != NULL, "of a signalfd");
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = 0xab};
	epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e);
	check(strstr(slurp("/proc/self/fdinfo/%d", ep), "events:       19 data:               ab") && strstr(text, "flags:\t02000002\n"), "of an epoll instance");
	check(strstr(slurp("/proc/self/fdinfo/%d", tf), "clockid: 1\nticks: 0\n") != NULL, "of a timerfd");
	int wd = inotify_add_watch(in, ".", IN_CREATE);
	check(wd == 1 && strstr(slurp("/proc/self/fdinfo/%d", in), "inotify wd:1 ino:") && strstr(text, "mask:100 "), "of an inotify instance");
	return done();
}
