// G2: several instances of devpts, as containers have them: each with its own numbers, options and ptmx; /dev/ptmx leads to the one beside it.
// needs root
// needs namespaces
#include "guest.h"
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <termios.h>

static void devpts(const char *at, const char *options) {
	mkdir(at, 0755);
	must(mount("devpts", at, "devpts", MS_NOSUID | MS_NOEXEC, options), at);
}
static int master(const char *path) { return open(path, O_RDWR | O_NOCTTY); }
static int number(int fd) {
	int n = -1;
	ioctl(fd, TIOCGPTN, &n);
	return n;
}
static void unlock(int fd) {
	int zero = 0;
	must(ioctl(fd, TIOCSPTLCK, &zero), "unlock");
}
// talks writes to the slave and reads at the master.
static int talks(int m, int s) {
	char b[8] = "";
	return write(s, "hi", 2) == 2 && read(m, b, sizeof b) == 2 && !strcmp(b, "hi");
}
// options gives those of the file system mounted at a place.
static const char *options(const char *name) {
	static char line[4096], path[PATH_MAX], *out;
	realpath(name, path);
	FILE *f = fopen("/proc/self/mountinfo", "r");
	out = "none";
	while (fgets(line, sizeof line, f)) {
		char point[PATH_MAX];
		sscanf(line, "%*s %*s %*s %*s %s", point);
		if (!strcmp(point, path)) {
			line[strcspn(line, "\n")] = 0;
			out = strrchr(line, ' ') + 1;
			break;
		}
	}
	fclose(f);
	return out;
}
static void tell(const char *path) {
	struct stat st;
	if (stat(path, &st))
		printf("  %s: %s\n", path, errname(errno));
	else
		printf("  %s: mode %o, user %d, group %d, device %d:%d, links %d\n", path, st.st_mode, st.st_uid, st.st_gid, major(st.st_rdev), minor(st.st_rdev), (int)st.st_nlink);
}
static void as_user(void) {
	setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
	fails(master("b/ptmx"), EACCES, "a user: ptmx with mode 000");
	int m = master("a/ptmx");
	check(m >= 0 && number(m) == 2, "a user: ptmx with mode 666");
	tell("a/2");
}
static void lesser(void) {
	char map[64];
	must(unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare");
	int fd = open("/proc/self/setgroups", O_WRONLY);
	write(fd, "deny", 4), close(fd);
	fd = open("/proc/self/uid_map", O_WRONLY), sprintf(map, "0 0 1"), write(fd, map, strlen(map)), close(fd);
	fd = open("/proc/self/gid_map", O_WRONLY), sprintf(map, "7 0 1"), write(fd, map, strlen(map)), close(fd);
	fails(mount("devpts", "a", "devpts", 0, "gid=5"), EINVAL, "user namespace: a group that it has not");
	check(mount("devpts", "a", "devpts", 0, "newinstance,gid=7,ptmxmode=666") == 0, "user namespace: one that it has");
	tell("a/ptmx");
	int m = master("a/ptmx");
	check(m >= 0 && number(m) == 0, "user namespace: a terminal");
	tell("a/0");
}

int main(void) {
	struct stat s, t;
	must(unshare(CLONE_NEWNS), "unshare");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	must(mkdir("w", 0755), "mkdir");
	must(mount("none", "w", "tmpfs", 0, "mode=755"), "tmpfs");
	must(chdir("w"), "chdir");
	devpts("a", "newinstance,ptmxmode=0666,mode=0620,gid=5");
	devpts("b", NULL);
	check(!strcmp(options("a"), "rw,gid=5,mode=620,ptmxmode=666"), "options: %s", options("a"));
	check(!strcmp(options("b"), "rw,mode=600,ptmxmode=000"), "the defaults: %s", options("b"));
	tell("a/ptmx"), tell("b/ptmx");
	int a0 = master("a/ptmx"), a1 = master("a/ptmx"), b0 = master("b/ptmx");
	check(number(a0) == 0 && number(a1) == 1 && number(b0) == 0, "each counts from 0");
	tell("a/0"), tell("a/1"), tell("b/0"), tell("b/1");
	stat("a/0", &s), stat("b/0", &t);
	check(s.st_dev != t.st_dev && s.st_rdev == t.st_rdev, "with equal device numbers in different file systems");
	fails(open("b/0", O_RDWR | O_NOCTTY), EIO, "a locked one");
	unlock(a0), unlock(b0);
	int sa = open("a/0", O_RDWR | O_NOCTTY), sb = open("b/0", O_RDWR | O_NOCTTY);
	check(talks(a0, sa) && talks(b0, sb), "the names lead to different terminals");
	unlock(a1);
	int peer = ioctl(a1, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	check(peer >= 0 && talks(a1, peer) && fstat(peer, &s) == 0 && stat("a/1", &t) == 0 && s.st_ino == t.st_ino && s.st_dev == t.st_dev, "TIOCGPTPEER");
	check(in_child(as_user) == 0, "a user");
	tell("a/2");
	close(b0);
	tell("b/0");
	char c;
	check(read(sb, &c, 1) == 0 && write(sb, "x", 1) == -1 && errno == EIO && talks(a0, sa), "the end of one is not the other's");
	close(sb);

	mknod("node", S_IFCHR | 0600, makedev(136, 0));
	fails(open("node", O_RDWR | O_NOCTTY), EIO, "a node elsewhere");
	mkdir("d", 0755);
	mknod("d/ptmx", S_IFCHR | 0600, makedev(5, 2));
	fails(master("d/ptmx"), ENOENT, "a ptmx without pts beside it");
	mkdir("d/pts", 0755);
	fails(master("d/ptmx"), ENODEV, "with something else");
	must(mount("b", "d/pts", NULL, MS_BIND, NULL), "bind");
	int m = master("d/ptmx");
	check(number(m) == 0 && access("b/0", F_OK) == 0, "with an instance");
	unlock(m);
	peer = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	check(peer >= 0 && talks(m, peer), "TIOCGPTPEER through it");
	close(peer);
	must(umount("d/pts"), "umount");
	fails(ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY), ENODEV, "TIOCGPTPEER without it");
	check(umount("b") == 0 && number(m) == 0, "the terminal outlives the mount");
	close(m);

	devpts("m", "max=1,uid=12,ptmxmode=600");
	check(!strcmp(options("m"), "rw,uid=12,mode=600,ptmxmode=600,max=1"), "more options: %s", options("m"));
	m = master("m/ptmx");
	tell("m/0");
	fails(master("m/ptmx"), ENOSPC, "max");
	must(mount(NULL, "m", NULL, MS_REMOUNT, "ptmxmode=644,mode=640"), "remount");
	check(!strcmp(options("m"), "rw,mode=640,ptmxmode=644"), "remount: %s", options("m"));
	tell("m/ptmx"), tell("m/0");
	m = master("m/ptmx");
	tell("m/1");
	mkdir("e", 0755);
	fails(mount("devpts", "e", "devpts", 0, "colour=red"), EINVAL, "an option that there is not");
	fails(mount("devpts", "e", "devpts", 0, "gid=wheel"), EINVAL, "no number");

	must(mount("a/ptmx", "/dev/ptmx", NULL, MS_BIND, NULL), "bind");
	must(mount("a", "/dev/pts", NULL, MS_BIND, NULL), "bind");
	m = posix_openpt(O_RDWR | O_NOCTTY);
	check(number(m) == 2 && grantpt(m) == 0 && unlockpt(m) == 0 && !strcmp(ptsname(m), "/dev/pts/2"), "as a container's /dev");
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		int fd = must(open("/dev/pts/2", O_RDWR), "open");
		check(ioctl(fd, TIOCSCTTY, 0) == 0 && tcgetpgrp(fd) == getpid() && !strcmp(ttyname(fd), "/dev/pts/2"), "a controlling terminal");
		check((fd = open("/dev/tty", O_RDWR)) >= 0 && talks(m, fd), "/dev/tty");
		_exit(done());
	}
	check(reap(pid) == 0, "in the session");
	check(in_child(lesser) == 0, "in a user namespace");
	return done();
}
