// P5: holes in files of disk and memory: SEEK_DATA and SEEK_HOLE, the modes of fallocate, copy_file_range and clones; mappings see what changes.
#include "guest.h"
#include <linux/falloc.h>
#include <sys/ioctl.h>

#define CLONE _IOW(0x94, 9, int)
struct range { int64_t fd; uint64_t from, n, to; };
#define CLONE_RANGE _IOW(0x94, 13, struct range)

// result is what a call gave: a number or an error's name.
static const char *result(long r) {
	static char b[32];
	if (r < 0)
		return errname(errno);
	snprintf(b, sizeof b, "%ld", r);
	return b;
}
static void seeks(int fd) {
	static const off_t at[] = {0, 1, 4096, 8191, 8192, 70000, 131072, 200000, 262143, 262144, 1 << 30};
	for (int i = 0; i < 11; i++) {
		printf("  from %ld: data %s", (long)at[i], result(lseek(fd, at[i], SEEK_DATA)));
		printf(", hole %s\n", result(lseek(fd, at[i], SEEK_HOLE)));
	}
	printf("  from -1: data %s", result(lseek(fd, -1, SEEK_DATA)));
	printf(", hole %s\n", result(lseek(fd, -1, SEEK_HOLE)));
}
static void fill(int fd, char c, off_t at, size_t n) {
	static char b[65536];
	memset(b, c, n);
	must(pwrite(fd, b, n, at), "pwrite");
}
// letters shows the first byte of each page.
static void letters(int fd, int pages) {
	printf("  ");
	for (int i = 0; i < pages; i++) {
		char c = '-';
		pread(fd, &c, 1, (off_t)i * PAGE);
		putchar(c ? c : '.');
	}
	struct stat st;
	fstat(fd, &st);
	printf(" size %ld\n", (long)st.st_size);
}
static int fresh(const char *name) {
	return must(open(name, O_RDWR | O_CREAT | O_TRUNC, 0600), name);
}
static int alphabet(const char *name, int pages) {
	int fd = fresh(name);
	for (int i = 0; i < pages; i++)
		fill(fd, 'a' + i, (off_t)i * PAGE, PAGE);
	return fd;
}

static void holes(void) {
	int fd = fresh("f");
	puts("empty");
	seeks(fd);
	ftruncate(fd, 262144);
	puts("a hole");
	seeks(fd);
	fill(fd, 'x', 131072, 4096);
	fill(fd, 'x', 8192, 1);
	puts("two pages");
	seeks(fd);
	check(lseek(fd, 131072, SEEK_DATA) == 131072 && lseek(fd, 0, SEEK_CUR) == 131072, "the offset moves");
	fails(lseek(fd, 135168, SEEK_DATA), ENXIO, "SEEK_DATA in the last hole");
	check(lseek(fd, 0, SEEK_CUR) == 131072, "and does not when there is none");
	char *m = mmap(NULL, 262144, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	m[65536] = 'm';
	msync(m, 262144, MS_SYNC);
	puts("and one written by a mapping");
	seeks(fd);
	munmap(m, 262144);
	close(fd);
}

static void modes(int disk) {
	struct stat st, st2;
	int fd = fresh("f"), m[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
			FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_INSERT_RANGE | FALLOC_FL_KEEP_SIZE,
			FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_UNSHARE_RANGE, 0x80, 0x1000};
	puts("fallocate");
	for (int i = 0; i < (int)(sizeof m / sizeof *m); i++) {
		close(fd), fd = alphabet("f", 8);
		int r = fallocate(fd, m[i], 2 * PAGE, 8 * PAGE);
		printf("mode %x, beyond the end: %s\n", m[i], result(r));
		letters(fd, 12);
		close(fd), fd = alphabet("f", 8);
		r = fallocate(fd, m[i], PAGE, 2 * PAGE);
		printf("mode %x, inside: %s\n", m[i], result(r));
		letters(fd, 12);
		close(fd), fd = alphabet("f", 8);
		r = fallocate(fd, m[i], PAGE + 100, 2 * PAGE + 100);
		printf("mode %x, not at pages: %s\n", m[i], result(r));
		letters(fd, 12);
	}
	fails(fallocate(fd, 0, -1, 1), EINVAL, "from -1");
	fails(fallocate(fd, 0, 0, 0), EINVAL, "nothing");
	fails(fallocate(fd, 0, LONG_MAX, 2), EFBIG, "too far");
	int ro = open("f", O_RDONLY), dir = open(".", O_RDONLY), p[2];
	fails(fallocate(ro, 0, 0, 1), EBADF, "open to read");
	fails(fallocate(dir, 0, 0, 1), EBADF, "a folder");
	pipe(p);
	fails(fallocate(p[1], 0, 0, 1), ESPIPE, "a pipe");
	fails(fallocate(open("/dev/null", O_WRONLY), 0, 0, 1), ENODEV, "a device");
	close(fd), fd = alphabet("f", 8);
	fstat(fd, &st);
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE, 4 * PAGE);
	fstat(fd, &st2);
	check(st.st_blocks - st2.st_blocks == 32, "a hole gives its blocks back");
	check(lseek(fd, 0, SEEK_HOLE) == 2 * PAGE && lseek(fd, 2 * PAGE, SEEK_DATA) == 6 * PAGE, "and is found");
	fallocate(fd, FALLOC_FL_KEEP_SIZE, 2 * PAGE, 4 * PAGE);
	fstat(fd, &st2);
	check(st.st_blocks == st2.st_blocks, "fallocate takes them");
	check(lseek(fd, 0, SEEK_HOLE) == 2 * PAGE, "what is allocated and not written is a hole");
	fill(fd, 'x', 3 * PAGE, 1);
	check(lseek(fd, 2 * PAGE, SEEK_DATA) == 3 * PAGE, "until it is written");
	close(fd);

	// What a mapping sees.
	fd = alphabet("f", 8);
	char *s = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *q = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	for (int i = 0; i < 8; i++)
		check(s[i * PAGE] == 'a' + i && q[i * PAGE] == 'a' + i, "mapped %d", i);
	q[3 * PAGE] = 'Q';
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE, 3 * PAGE);
	check(s[2 * PAGE] == 0 && s[5 * PAGE] == 'f' && q[2 * PAGE] == 0 && q[3 * PAGE] == 'Q', "mappings see a hole, but for a private copy");
	s[2 * PAGE] = 'S';
	letters(fd, 8);
	if (disk) {
		fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, PAGE, PAGE);
		printf("  %c%c%c%c\n", s[0], s[PAGE], s[4 * PAGE], s[6 * PAGE]);
		letters(fd, 8);
		fallocate(fd, FALLOC_FL_INSERT_RANGE, PAGE, PAGE);
		printf("  %c%c%c%c\n", s[0], s[2 * PAGE], s[5 * PAGE], s[7 * PAGE]);
		check(s[PAGE] == 0, "what was inserted");
		letters(fd, 8);
	}
	ftruncate(fd, 4 * PAGE);
	ftruncate(fd, 8 * PAGE);
	check(s[7 * PAGE] == 0 && q[7 * PAGE] == 0, "what was cut off and is there again is zero");
	s[7 * PAGE] = 'T';
	letters(fd, 8);
	munmap(s, 8 * PAGE), munmap(q, 8 * PAGE);
	close(fd);
}

static void copies(const char *elsewhere) {
	int a = alphabet("a", 4), b = fresh("b"), ro = open("a", O_RDONLY), ap = open("b", O_WRONLY | O_APPEND), dir = open(".", O_RDONLY), p[2];
	pipe(p);
	off_t from = PAGE, to = 0;
	check(copy_file_range(a, &from, b, &to, 2 * PAGE, 0) == 2 * PAGE && from == 3 * PAGE && to == 2 * PAGE && lseek(b, 0, SEEK_CUR) == 0, "copy_file_range");
	letters(b, 4);
	lseek(a, 0, SEEK_SET);
	lseek(b, 3 * PAGE, SEEK_SET);
	check(copy_file_range(a, NULL, b, NULL, 1 << 20, 0) == 4 * PAGE && lseek(a, 0, SEEK_CUR) == 4 * PAGE && lseek(b, 0, SEEK_CUR) == 7 * PAGE, "to the end");
	letters(b, 8);
	check(copy_file_range(a, NULL, b, NULL, 10, 0) == 0, "at the end");
	fails(copy_file_range(a, &(off_t){0}, a, &(off_t){PAGE}, 2 * PAGE, 0), EINVAL, "onto itself");
	check(copy_file_range(a, &(off_t){0}, a, &(off_t){2 * PAGE}, PAGE, 0) == PAGE, "in itself");
	letters(a, 5);
	fails(copy_file_range(a, NULL, b, NULL, 1, 1), EINVAL, "flags");
	fails(copy_file_range(a, NULL, ro, NULL, 1, 0), EBADF, "to what is open to read");
	fails(copy_file_range(a, NULL, ap, NULL, 1, 0), EBADF, "to the end of a file");
	fails(copy_file_range(dir, NULL, b, NULL, 1, 0), EISDIR, "a folder");
	fails(copy_file_range(p[0], NULL, b, NULL, 1, 0), EINVAL, "a pipe");
	int other = must(open(elsewhere, O_RDWR | O_CREAT | O_TRUNC, 0600), elsewhere);
	fails(copy_file_range(a, NULL, other, NULL, 1, 0), EXDEV, "to another file system");
	fails(ioctl(b, CLONE, a), EOPNOTSUPP, "a clone");
	fails(ioctl(b, CLONE_RANGE, &(struct range){a, 0, PAGE, 0}), EOPNOTSUPP, "a clone of a part");
	fails(ioctl(ro, CLONE, b), EBADF, "a clone: to what is open to read");
	fails(ioctl(ap, CLONE, a), EBADF, "a clone: to the end of a file");
	fails(ioctl(other, CLONE, a), EXDEV, "a clone: to another file system");
	fails(ioctl(b, CLONE, 99), EBADF, "a clone: of nothing");
	fails(ioctl(b, CLONE, dir), EISDIR, "a clone: of a folder");
	fails(ioctl(dir, CLONE, a), EISDIR, "a clone: to a folder");
	fails(ioctl(b, CLONE, p[0]), EXDEV, "a clone: of a pipe");
	fails(ioctl(b, CLONE_RANGE, NULL), EFAULT, "a clone: nowhere");
	int size = 0, left = -1;
	check(ioctl(b, _IO(0, 2), &size) == 0 && size == 4096, "FIGETBSZ");
	lseek(b, PAGE, SEEK_SET);
	check(ioctl(b, FIONREAD, &left) == 0 && left == 6 * PAGE, "FIONREAD");
	unlink(elsewhere);
}

static void in(const char *dir, int disk, const char *elsewhere) {
	char old[PATH_MAX], made[PATH_MAX], other[2 * PATH_MAX];
	getcwd(old, sizeof old);
	snprintf(made, sizeof made, "%s/holes", dir);
	snprintf(other, sizeof other, "%s/other", elsewhere[0] == '/' ? elsewhere : old);
	must(mkdir(made, 0700), made);
	must(chdir(made), made);
	holes();
	modes(disk);
	copies(other);
	unlink("f"), unlink("a"), unlink("b");
	must(chdir(old), old);
	rmdir(made);
}

int main(void) {
	puts("disk");
	in(".", 1, "/dev/shm");
	puts("memory");
	in("/dev/shm", 0, ".");
	return done();
}
