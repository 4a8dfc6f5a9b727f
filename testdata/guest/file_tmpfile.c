// P5: files without a name on disk and in memory: O_TMPFILE, naming them with linkat, and what can be done with a file that has no name any more.
// needs root
#include "guest.h"
#include <dirent.h>
#include <sys/xattr.h>

static int names(void) {
	int n = 0;
	DIR *d = opendir(".");
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}
static const char *link_of(int fd) {
	static char b[64];
	snprintf(b, sizeof b, "/proc/self/fd/%d", fd);
	return b;
}
static void tell(int fd) {
	struct stat st;
	fstat(fd, &st);
	printf("  mode %o, owner %d:%d, links %d, size %ld\n", st.st_mode, st.st_uid, st.st_gid, (int)st.st_nlink, (long)st.st_size);
}
// change does to a file without a name what can be done with one that has one.
static void change(int fd) {
	char b[64] = "";
	struct stat st;
	check(pwrite(fd, "hello", 5, 0) == 5 && pread(fd, b, 5, 0) == 5 && !strcmp(b, "hello"), "write and read");
	check(fchmod(fd, 0600) == 0 && fchown(fd, 12, 13) == 0, "fchmod and fchown");
	tell(fd);
	struct timespec t[2] = {{1000, 5}, {2000, 7}};
	check(futimens(fd, t) == 0 && fstat(fd, &st) == 0 && st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 7, "futimens");
	check(ftruncate(fd, 10000) == 0 && truncate(link_of(fd), 9000) == 0 && chmod(link_of(fd), 0640) == 0, "ftruncate, truncate, chmod");
	tell(fd);
	if (fsetxattr(fd, "user.colour", "red", 3, 0) == 0)
		check(fgetxattr(fd, "user.colour", b, sizeof b) == 3 && !memcmp(b, "red", 3) && flistxattr(fd, b, sizeof b) >= 12, "extended attributes");
	else
		printf("  extended attributes: %s\n", errname(errno));
	char *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	m[1] = 'E';
	msync(m, PAGE, MS_SYNC);
	check(pread(fd, b, 5, 0) == 5 && !memcmp(b, "hEllo", 5), "a mapping");
	munmap(m, PAGE);
	int again = open(link_of(fd), O_RDWR | O_APPEND);
	check(again >= 0 && write(again, "end", 3) == 3 && fstat(fd, &st) == 0 && st.st_size == 9003, "opened again");
	close(again);
	check(fallocate(fd, 0, 0, 20000) == 0 && lseek(fd, 0, SEEK_END) == 20000, "fallocate");
	again = open(link_of(fd), O_RDONLY);
	check(again >= 0 && pread(again, b, 5, 0) == 5 && !memcmp(b, "hEllo", 5), "opened to read");
	close(again);
}

static void tmpfile_in(const char *dir) {
	char old[PATH_MAX], b[PATH_MAX], want[PATH_MAX];
	struct stat st, st2;
	getcwd(old, sizeof old);
	snprintf(b, sizeof b, "%s/tmpfiles", dir);
	must(mkdir(b, 0755), b);
	must(chdir(b), b);
	umask(027);
	int fd = open(".", O_TMPFILE | O_RDWR, 0666);
	check(fd >= 0, "O_TMPFILE");
	tell(fd);
	check(names() == 0, "it is nowhere");
	getcwd(want, sizeof want);
	fstat(fd, &st);
	snprintf(want + strlen(want), 64, "/#%lu (deleted)", (long)st.st_ino);
	b[readlink(link_of(fd), b, sizeof b)] = 0;
	check(!strcmp(b, want), "what /proc says of it");
	change(fd);
	fails(linkat(AT_FDCWD, link_of(fd), AT_FDCWD, "name", 0), EXDEV, "linkat without following");
	check(linkat(AT_FDCWD, link_of(fd), AT_FDCWD, "name", AT_SYMLINK_FOLLOW) == 0, "linkat");
	check(stat("name", &st2) == 0 && st.st_ino == st2.st_ino && names() == 1, "it has a name");
	tell(fd);
	fails(linkat(AT_FDCWD, link_of(fd), AT_FDCWD, "name", AT_SYMLINK_FOLLOW), EEXIST, "linkat to the same name");
	check(linkat(fd, "", AT_FDCWD, "second", AT_EMPTY_PATH) == 0 && stat("second", &st2) == 0 && st2.st_nlink == 2, "linkat by descriptor");
	unlink("name");
	int by = open("second", O_RDONLY);
	check(pread(by, b, 5, 0) == 5 && !memcmp(b, "hEllo", 5), "contents");
	unlink("second");
	tell(fd);
	fails(linkat(fd, "", AT_FDCWD, "third", AT_EMPTY_PATH), ENOENT, "linkat of what has lost its names");
	change(fd);
	close(fd), close(by);

	fd = open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600);
	fails(linkat(AT_FDCWD, link_of(fd), AT_FDCWD, "name", AT_SYMLINK_FOLLOW), ENOENT, "linkat of one made with O_EXCL");
	fails(read(fd, b, 1), EBADF, "read of one to write");
	close(fd);
	fd = open(".", O_TMPFILE | O_RDWR, 0);
	tell(fd);
	check(write(fd, "x", 1) == 1 && pread(fd, b, 1, 0) == 1, "one that nobody may read is open all the same");
	must(linkat(AT_FDCWD, link_of(fd), AT_FDCWD, "none", AT_SYMLINK_FOLLOW), "linkat");
	stat("none", &st);
	check((st.st_mode & 07777) == 0 && st.st_size == 1, "mode 0");
	close(fd);
	fails(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL, "to read only");
	fails(open(".", O_TMPFILE | O_RDWR | O_CREAT, 0600), EINVAL, "with O_CREAT");
	fails(open("none", O_TMPFILE | O_RDWR, 0600), ENOTDIR, "in a file");
	fails(open("nothing", O_TMPFILE | O_RDWR, 0600), ENOENT, "in nothing");
	unlink("none");
	mkdir("closed", 0500);
	pid_t pid = fork();
	if (pid == 0) {
		setresuid(1000, 1000, 1000);
		fails(open("closed", O_TMPFILE | O_RDWR, 0600), EACCES, "where one may not write");
		_exit(done());
	}
	check(reap(pid) == 0, "a user");
	mkdir("set", 02775);
	chown("set", -1, 55);
	chmod("set", 02775);
	fd = open("set", O_TMPFILE | O_RDWR, 0660);
	tell(fd);
	close(fd);
	rmdir("closed"), rmdir("set");
	must(chdir(old), old);
	snprintf(b, sizeof b, "%s/tmpfiles", dir);
	check(rmdir(b) == 0, "nothing is left");
}

int main(void) {
	puts("disk");
	tmpfile_in(".");
	puts("memory");
	tmpfile_in("/dev/shm");
	return done();
}
