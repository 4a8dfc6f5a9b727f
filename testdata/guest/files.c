// P5: descriptions and descriptors: dup shares the offset, open does not; O_APPEND, pread, truncate, holes, unlink while open, names.
#include "guest.h"
#include <dirent.h>
#include <sys/uio.h>

int main(void) {
	char buf[64] = "";
	struct stat st, st2;
	must(mkdir("files", 0755), "mkdir");
	must(chdir("files"), "chdir");
	int a = must(open("f", O_RDWR | O_CREAT | O_EXCL, 0644), "open");
	fails(open("f", O_CREAT | O_EXCL, 0644), EEXIST, "O_EXCL on a file that is there");
	int b = open("f", O_RDWR), c = dup(a);
	write(a, "0123456789", 10);
	check(lseek(c, 0, SEEK_CUR) == 10, "dup shares the offset");
	check(lseek(b, 0, SEEK_CUR) == 0, "a second open has its own");
	check(fcntl(c, F_GETFD) == 0 && fcntl(a, F_DUPFD_CLOEXEC, 50) == 50 && fcntl(50, F_GETFD) == FD_CLOEXEC, "F_DUPFD_CLOEXEC");
	check(dup2(a, a) == a, "dup2 to itself");
	fails(dup3(a, a, 0), EINVAL, "dup3 to itself");
	fails(dup2(a, 1 << 30), EBADF, "dup2 beyond the limit");
	check(pread(b, buf, 3, 4) == 3 && !memcmp(buf, "456", 3) && lseek(b, 0, SEEK_CUR) == 0, "pread leaves the offset");
	int ap = open("f", O_WRONLY | O_APPEND);
	lseek(ap, 0, SEEK_SET);
	write(ap, "A", 1);
	check(fstat(a, &st) == 0 && st.st_size == 11, "O_APPEND writes at the end");
	fails(write(open("f", O_RDONLY), "x", 1), EBADF, "write to a descriptor to read");
	check(ftruncate(a, 100000) == 0 && pread(a, buf, 1, 99999) == 1 && buf[0] == 0, "a hole reads zero");
	check(lseek(a, 0, SEEK_DATA) == 0 && lseek(a, 99999, SEEK_HOLE) <= 100000, "SEEK_DATA and SEEK_HOLE");
	fails(lseek(a, -1, SEEK_SET), EINVAL, "lseek to -1");
	fails(lseek(a, 0, 77), EINVAL, "lseek from nowhere");
	struct iovec v[3] = {{"one", 3}, {"", 0}, {"two", 3}};
	check(pwritev(a, v, 3, 0) == 6 && pread(a, buf, 6, 0) == 6 && !memcmp(buf, "onetwo", 6), "pwritev");

	check(link("f", "g") == 0 && stat("g", &st) == 0 && st.st_nlink == 2, "link: two names");
	check(symlink("f", "s") == 0 && lstat("s", &st2) == 0 && S_ISLNK(st2.st_mode) && st2.st_size == 1, "symlink");
	stat("s", &st2);
	check(st.st_ino == st2.st_ino && st.st_dev == st2.st_dev, "all names lead to one inode");
	fails(open("s", O_RDONLY | O_NOFOLLOW), ELOOP, "O_NOFOLLOW on a symbolic link");
	check(rename("g", "h") == 0, "rename");
	fails(access("g", F_OK), ENOENT, "the old name");
	mkdir("d", 0755);
	fails(rename("f", "d"), EISDIR, "rename of a file onto a folder");
	fails(rename("d", "f"), ENOTDIR, "rename of a folder onto a file");
	fails(rename("d", "d/e"), EINVAL, "rename of a folder into itself");
	fails(rmdir("f"), ENOTDIR, "rmdir of a file");
	fails(unlink("d"), EISDIR, "unlink of a folder");
	close(open("d/x", O_CREAT | O_WRONLY, 0600));
	fails(rmdir("d"), ENOTEMPTY, "rmdir of a folder that is not empty");
	fails(mkdir("d", 0755), EEXIST, "mkdir of what is there");
	fails(open("d", O_WRONLY), EISDIR, "open of a folder to write");
	fails(open("f/x", O_RDONLY), ENOTDIR, "a file as a folder");
	int dir = open("d", O_RDONLY | O_DIRECTORY);
	check(faccessat(dir, "x", R_OK, 0) == 0 && openat(dir, "x", O_RDONLY) >= 0, "openat");
	check(syscall(SYS_renameat2, AT_FDCWD, "f", dir, "x", 2) == 0 && stat("f", &st) == 0 && st.st_size == 0, "RENAME_EXCHANGE");
	fails(syscall(SYS_renameat2, AT_FDCWD, "f", dir, "x", 1), EEXIST, "RENAME_NOREPLACE");
	fails(read(dir, buf, 1), EISDIR, "read of a folder");

	for (int i = 0; i < 300; i++) {
		snprintf(buf, sizeof buf, "d/n%03d", i);
		close(open(buf, O_CREAT | O_WRONLY, 0600));
	}
	int names = 0;
	DIR *dd = opendir("d");
	for (struct dirent *e; (e = readdir(dd));)
		names += e->d_name[0] == 'n' && e->d_type == DT_REG;
	closedir(dd);
	check(names == 300, "readdir: 300 names");

	int gone = open("h", O_RDWR);
	unlink("h");
	unlink("d/x");
	check(pread(gone, buf, 3, 0) == 3 && fstat(gone, &st) == 0 && st.st_nlink == 0, "an unlinked file lives while open");
	umask(077);
	close(open("m", O_CREAT | O_WRONLY, 0666));
	stat("m", &st);
	check((st.st_mode & 0777) == 0600, "umask");
	struct timespec t[2] = {{1000, 5}, {2000, 7}};
	utimensat(AT_FDCWD, "m", t, 0);
	stat("m", &st);
	check(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 7, "utimensat");
	// musl has no struct statx: mode and size stand at 28 and 40.
	union { uint16_t half[128]; uint64_t word[32]; } sx;
	check(syscall(SYS_statx, AT_FDCWD, "m", 0, 0x7ff, &sx) == 0 && sx.word[5] == 0 && (sx.half[14] & 0777) == 0600, "statx");
	int fa = open("fa", O_CREAT | O_RDWR, 0600);
	check(posix_fallocate(fa, 0, 5000) == 0 && fstat(fa, &st) == 0 && st.st_size == 5000, "fallocate");
	int tmp = open(".", O_TMPFILE | O_RDWR, 0600);
	check(tmp >= 0 || errno == EOPNOTSUPP, "O_TMPFILE");
	must(chdir(".."), "chdir");
	system("rm -r files");
	return done();
}
