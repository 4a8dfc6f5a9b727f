// G1: reads and writes at the edges: bad memory that is not needed, memory that ends, flags of preadv2, O_APPEND, growing files that are mapped, holes.
#include "guest.h"
#include <sys/uio.h>

int main(void) {
	char b[4096] = "";
	char *volatile bad = (char *)8;
	volatile size_t most = -1;
	int p[2], null = open("/dev/null", O_RDWR), f = open("a", O_RDWR | O_CREAT | O_TRUNC, 0644);
	pipe(p);
	check(write(null, bad, 10) == 10 && read(null, bad, 10) == 0, "/dev/null looks at no memory");
	check(read(f, bad, 10) == 0, "at the end of a file memory does not matter");
	fails(write(f, bad, 10), EFAULT, "a write from nowhere");
	fails(write(f, b, most), EFAULT, "a write of more than there can be");
	char *m = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(m + PAGE, PAGE);
	memset(m, 'm', PAGE);
	check(pwrite(f, m + 4000, 200, 0) == 96 && pread(f, m + 4000, 200, 0) == 96, "what fits is written and read");
	struct iovec two[2] = {{m, 10}, {bad, 10}};
	check(pwritev(f, two, 2, 0) == 10 && preadv(f, two, 2, 0) == 10, "of a vector too");

	struct iovec v = {"APP", 3}, r = {b, 10};
	check(pwritev2(f, &v, 1, 0, RWF_APPEND) == 3 && lseek(f, 0, SEEK_END) == 99, "RWF_APPEND writes at the end whatever the offset");
	lseek(f, 7, SEEK_SET);
	check(pwritev2(f, &v, 1, -1, RWF_APPEND) == 3 && lseek(f, 0, SEEK_CUR) == 102, "and without one moves the file's own there");
	fails(preadv2(p[0], &r, 1, -1, RWF_NOWAIT), EAGAIN, "RWF_NOWAIT on an empty pipe");
	check(write(p[1], "zz", 2) == 2 && preadv2(p[0], &r, 1, -1, RWF_NOWAIT) == 2, "RWF_NOWAIT with something there");
	fails(preadv2(p[0], &r, 1, 0, 0), ESPIPE, "an offset in a pipe");
	fails(pwritev2(-1, &v, 1, 0, 0x4000), EBADF, "the descriptor is looked at before the flags");
	int ap = open("a", O_WRONLY | O_APPEND);
	check(write(ap, "end", 3) == 3 && lseek(ap, 0, SEEK_CUR) == 105, "O_APPEND moves the offset to the end");
	check(pwrite(ap, "pw", 2, 0) == 2 && lseek(ap, 0, SEEK_END) == 107, "and pwrite appends as well");

	char *w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	check(ftruncate(f, 100) == 0 && w[99] != 0 && w[100] == 0, "truncating clears the rest of a mapped page");
	w[200] = 'Z';
	check(ftruncate(f, 300) == 0 && pread(f, b, 300, 0) == 300 && b[200] == 0, "what was written behind the end does not come back");
	check(fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 50) == 0 && pread(f, b, 60, 0) == 60 && b[49] == 0 && b[50] != 0, "a hole reads zero");
	fails(fallocate(f, FALLOC_FL_PUNCH_HOLE, 0, 50), EOPNOTSUPP, "a hole that would change the size");
	check(fcntl(p[0], F_GETFL) == 0 && fcntl(f, F_GETFL) & 0100000, "only what is opened has O_LARGEFILE");
	return done();
}
