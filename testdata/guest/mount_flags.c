// X3, X1: mounts with nosuid ignore set-user-ID bits, with noexec refuse to run, with nodev to open devices, read-only ones to write, and no writer may be left; a script's bits are ignored.
// needs root
// needs namespaces
#include "guest.h"
#include <sys/mount.h>

static void copy(const char *to, mode_t mode) {
	static char buf[8 << 20];
	int in = must(open("/proc/self/exe", O_RDONLY), "open"), out = must(open(to, O_CREAT | O_WRONLY | O_TRUNC, 0755), to), n;
	while ((n = read(in, buf, sizeof buf)) > 0)
		must(write(out, buf, n), "write");
	close(in);
	must(fchown(out, 1234, 1234), "fchown");
	must(fchmod(out, mode), "fchmod");
	close(out);
}

// runs executes as user 1000 and gives the effective id that the program had, or minus errno.
static int runs(const char *path) {
	int p[2], got = 0;
	pipe(p);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(p[1], 20);
		must(setresgid(1000, 1000, 1000), "setresgid");
		must(setresuid(1000, 1000, 1000), "setresuid");
		execl(path, path, "tell", NULL);
		got = -errno;
		write(20, &got, sizeof got);
		_exit(0);
	}
	close(p[1]);
	read(p[0], &got, sizeof got);
	close(p[0]);
	reap(pid);
	return got;
}

int main(int argc, char **argv) {
	if (argc > 1) {
		int id = geteuid();
		write(20, &id, sizeof id);
		return 0;
	}
	must(unshare(CLONE_NEWNS), "unshare(CLONE_NEWNS)");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	must(mkdir("m", 0755), "mkdir");
	must(mount("none", "m", "tmpfs", 0, "mode=755"), "mount");
	copy("m/suid", 04755);
	check(runs("m/suid") == 1234, "a plain mount: the set-user-ID bit counts");
	must(mount(NULL, "m", NULL, MS_REMOUNT | MS_NOSUID, NULL), "remount nosuid");
	check(runs("m/suid") == 1000, "nosuid: it does not");
	must(mount(NULL, "m", NULL, MS_REMOUNT | MS_NOEXEC, NULL), "remount noexec");
	check(runs("m/suid") == -EACCES, "noexec: EACCES");
	fails(access("m/suid", X_OK), EACCES, "noexec: access tells it");
	int fd = open("m/suid", O_RDONLY);
	fails((long)mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0), EPERM, "noexec: mmap to execute");
	char *text = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	fails(mprotect(text, PAGE, PROT_READ | PROT_EXEC), EACCES, "noexec: mprotect of a mapping to execute");
	munmap(text, PAGE);
	text = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	fails(mprotect(text, PAGE, PROT_EXEC), EACCES, "noexec: of a shared one");
	munmap(text, PAGE);
	fails(syscall(SYS_execveat, fd, "", (char *[]){"x", NULL}, NULL, AT_EMPTY_PATH), EACCES, "noexec: execveat of an open file");
	close(fd);
	must(mknod("m/null", S_IFCHR | 0666, 1 << 8 | 3), "mknod");
	check((fd = open("m/null", O_RDWR)) >= 0, "a device");
	must(mount(NULL, "m", NULL, MS_REMOUNT | MS_NODEV, NULL), "remount nodev");
	check(write(fd, "x", 1) == 1, "nodev: what is open stays open");
	close(fd);
	fails(open("m/null", O_RDONLY), EACCES, "nodev: a device");
	check((fd = open("m/null", O_PATH)) >= 0 && access("m/null", R_OK) == 0, "nodev: its name can be used");
	close(fd);
	check(mkfifo("m/fifo", 0600) == 0 && (fd = open("m/fifo", O_RDWR)) >= 0, "nodev: a FIFO is no device");
	close(fd);
	must(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), "remount read-only");
	fails(open("m/new", O_CREAT | O_WRONLY, 0600), EROFS, "read-only: create");
	fails(open("m/suid", O_WRONLY), EROFS, "read-only: open to write");
	fails(chmod("m/suid", 0700), EROFS, "read-only: chmod");
	fails(unlink("m/suid"), EROFS, "read-only: unlink");
	fails(mkdir("m/d", 0700), EROFS, "read-only: mkdir");
	check(runs("m/suid") == 1234, "read-only: it runs");
	must(mount(NULL, "m", NULL, MS_REMOUNT, NULL), "remount");
	// A bind mount has flags of its own.
	must(mkdir("b", 0755), "mkdir");
	must(mount("m", "b", NULL, MS_BIND, NULL), "bind");
	must(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_RDONLY, NULL), "remount of the bind mount");
	check(runs("b/suid") == 1000 && runs("m/suid") == 1234, "a bind mount with nosuid, beside the plain one");
	fails(open("b/new", O_CREAT | O_WRONLY, 0600), EROFS, "the bind mount is read-only");
	check((fd = open("m/new", O_CREAT | O_RDWR, 0600)) >= 0, "the plain one is not");
	fails(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY, "read-only while a file is open to write");
	fails(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EBUSY, "the mount alone");
	must(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND, NULL), "the bind mount is writable again");
	check(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0, "the bind mount has no writers");
	fails(mount(NULL, "b", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY, "but its file system has");
	char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int fork_of = dup(fd);
	close(fd);
	fails(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY, "read-only while it is open twice");
	close(fork_of);
	fails(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY, "while it is mapped");
	munmap(shared, PAGE);
	fd = must(open("m/new", O_RDONLY), "open");
	check(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0, "not while it is open to read");
	must(mount(NULL, "m", NULL, MS_REMOUNT, NULL), "remount");
	link("m/new", "m/other");
	unlink("m/new");
	check(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0, "nor with a name less");
	must(mount(NULL, "m", NULL, MS_REMOUNT, NULL), "remount");
	unlink("m/other");
	fails(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY, "but without a name");
	close(fd);
	mkdir("m/dir", 0700);
	fd = open("m/dir", O_RDONLY);
	rmdir("m/dir");
	fails(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY, "a folder without a name");
	close(fd);
	close(open("m/one", O_CREAT | O_WRONLY, 0600));
	close(open("m/two", O_CREAT | O_WRONLY, 0600));
	fd = open("m/two", O_RDONLY);
	rename("m/one", "m/two");
	fails(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY, "a file that another has replaced");
	close(fd);
	fd = must(open("m", O_TMPFILE | O_RDWR, 0600), "O_TMPFILE");
	int ro;
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ro = must(open(link, O_RDONLY), "open again");
	close(fd);
	fails(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY, "a file that never had a name");
	snprintf(link, sizeof link, "/proc/self/fd/%d", ro);
	must(linkat(AT_FDCWD, link, AT_FDCWD, "m/named", AT_SYMLINK_FOLLOW), "linkat");
	check(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0, "until it has one");
	close(ro);
	must(mount(NULL, "m", NULL, MS_REMOUNT, NULL), "remount");
	check((fd = open("m/null", O_WRONLY)) >= 0 && mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0, "a device open to write does not count");
	check(write(fd, "x", 1) == 1, "and works on a read-only mount");
	close(fd);
	must(mount(NULL, "m", NULL, MS_REMOUNT, NULL), "remount");

	char cwd[PATH_MAX];
	getcwd(cwd, sizeof cwd);
	copy("m/plain", 0755);
	fd = must(open("m/script", O_CREAT | O_WRONLY, 0755), "open");
	dprintf(fd, "#!%s/m/plain tell\n", cwd);
	fchown(fd, 1234, 1234);
	fchmod(fd, 06755);
	close(fd);
	check(runs("m/script") == 1000, "a script's set-user-ID bit does not count");
	must(umount("b"), "umount");
	fails(umount("b"), EINVAL, "umount twice");
	int dir = open("m", O_RDONLY);
	fails(umount("m"), EBUSY, "umount while a folder of it is open");
	check(umount2("m", MNT_DETACH) == 0, "MNT_DETACH");
	check(openat(dir, "plain", O_RDONLY) >= 0, "what was open still is");
	fails(access("m/plain", F_OK), ENOENT, "but the name is gone");
	close(dir);
	rmdir("m");
	rmdir("b");
	return done();
}
