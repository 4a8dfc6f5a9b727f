// What the error tables share. A row makes one wrong system call, by number
// and with all six arguments given, and prints "call: what is wrong -> ERRNO".
// Only rows whose answer is the same on every Linux of the last ten years
// stand here: no row depends on the kernel's version or configuration.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define BAD 8L                      // an address that is never mapped
#define KERNEL (-4096L)             // an address in the kernel's half
#define NOPID 4194303L              // above what pid_max hands out in practice
#define NOFD 987L                   // a descriptor that is not open

static void row(const char *call, const char *what, long result) {
	int e = errno;
	printf("%s: %s -> %s\n", call, what, result == -1 ? strerrorname_np(e) : "ok");
}

// E makes one row: the call's name, what is wrong with it, its arguments.
#define E(name, what, ...) E6(name, what, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define E6(name, what, a, b, c, d, e, f, ...) \
	row(#name, what, syscall(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))

// CHILD runs rows in a process of their own, for what cannot be undone.
#define CHILD for (pid_t child_ = child_begin(); child_ == 0; _exit(0))

static inline pid_t child_begin(void) {
	pid_t pid = fork();
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid;
}

static inline void must(long result, const char *what) {
	if (result == -1) {
		printf("FAILED: %s: %s\n", what, strerrorname_np(errno));
		exit(2);
	}
}

// What the rows call by name: descriptors of every kind, and paths.
static int rd, wr, dirfd_, opath, pipe_r, pipe_w, unix_s, inet_s, udp_s, ep, ev, tfd, sfd, ino, nul, tty_less;
static char big[8192], longname[300], longpath[5000];

static inline void write_file(const char *name, const char *text, mode_t mode) {
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	must(fd, name);
	must(write(fd, text, strlen(text)), name);
	must(fchmod(fd, mode), name);
	close(fd);
}

__attribute__((constructor)) static void setup(void) {
	int p[2];
	setvbuf(stdout, NULL, _IOLBF, 0);
	umask(022);
	memset(longname, 'n', sizeof longname - 1);
	for (size_t i = 0; i + 1 < sizeof longpath; i++)
		longpath[i] = i % 100 == 99 ? '/' : 'p';
	must(mkdir("t", 0755), "mkdir");
	must(chdir("t"), "chdir");
	write_file("file", "hello", 0644);
	write_file("other", "other", 0644);
	write_file("prog", "#!/bin/true\n", 0755);
	must(mkdir("dir", 0755), "mkdir");
	write_file("dir/in", "", 0644);
	must(mkdir("empty", 0755), "mkdir");
	must(symlink("file", "link"), "symlink");
	must(symlink("loop", "loop"), "symlink");
	must(symlink("nothing", "dangling"), "symlink");
	must(mkfifo("fifo", 0644), "mkfifo");
	must(rd = open("file", O_RDONLY), "open");
	must(wr = open("file", O_WRONLY), "open");
	must(dirfd_ = open("dir", O_RDONLY | O_DIRECTORY), "open");
	must(opath = open("file", O_PATH), "open");
	must(pipe(p), "pipe");
	pipe_r = p[0];
	pipe_w = p[1];
	must(unix_s = socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	must(inet_s = socket(AF_INET, SOCK_STREAM, 0), "socket");
	must(udp_s = socket(AF_INET, SOCK_DGRAM, 0), "socket");
	must(ep = epoll_create1(0), "epoll_create1");
	must(ev = eventfd(0, EFD_NONBLOCK), "eventfd");
	must(tfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), "timerfd_create");
	sigset_t none;
	sigemptyset(&none);
	must(sfd = signalfd(-1, &none, SFD_NONBLOCK), "signalfd");
	must(ino = inotify_init1(IN_NONBLOCK), "inotify_init1");
	must(nul = open("/dev/null", O_RDWR), "open");
	tty_less = nul;
}

__attribute__((destructor)) static void cleanup(void) {
	if (chdir("..") == 0)
		(void)!system("rm -rf t");
}
