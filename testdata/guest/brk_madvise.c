// M5: brk grows and shrinks; madvise DONTNEED zeroes, FREE and the hints do no harm, DONTFORK and WIPEONFORK steer fork.
#include "segv.h"

static char *cur(void) { return (char *)syscall(SYS_brk, 0); }

int main(void) {
	catch_faults();
	check(1, "stdio has its buffer before the break is moved");
	char *start = cur();
	char *end = (char *)(((uintptr_t)start + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
	check((char *)syscall(SYS_brk, end + 4 * PAGE) == end + 4 * PAGE, "brk up");
	end[4 * PAGE - 1] = 'x';
	check(POKE(end + 4 * PAGE) == SIGSEGV, "no further");
	check((char *)syscall(SYS_brk, end + PAGE) == end + PAGE, "brk down");
	check(PEEK(end + 2 * PAGE) == SIGSEGV, "the rest is gone");
	syscall(SYS_brk, end + 4 * PAGE);
	check(end[4 * PAGE - 1] == 0, "up again: zeros");
	check((char *)syscall(SYS_brk, 1) == end + 4 * PAGE, "an impossible brk changes nothing");

	char *m = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(m, 'm', 8 * PAGE);
	check(madvise(m + PAGE, PAGE, MADV_DONTNEED) == 0, "DONTNEED");
	check(m[PAGE] == 0 && m[0] == 'm' && m[2 * PAGE] == 'm', "that page is zero, its neighbours are not");
	int fd = must(open("adv", O_RDWR | O_CREAT | O_TRUNC, 0600), "open");
	unlink("adv");
	write(fd, "file", 4);
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	p[0] = 'X';
	madvise(p, PAGE, MADV_DONTNEED);
	check(p[0] == 'f', "DONTNEED on a private file mapping shows the file again");
	char *s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s[0] = 's';
	madvise(s, PAGE, MADV_DONTNEED);
	check(s[0] == 's', "DONTNEED on shared memory keeps it");
	check(madvise(s, PAGE, MADV_REMOVE) == 0 && s[0] == 0, "REMOVE takes it");
	m[0] = 'w';
	check(madvise(m, PAGE, MADV_WIPEONFORK) == 0, "WIPEONFORK");
	check(madvise(m + 3 * PAGE, PAGE, MADV_DONTFORK) == 0, "DONTFORK");
	pid_t pid = fork();
	if (pid == 0) {
		check(m[0] == 0, "child: the wiped page is zero");
		check(PEEK(m + 3 * PAGE) == SIGSEGV, "child: the page not forked is not there");
		check(m[2 * PAGE] == 'm', "child: another page is");
		_exit(done());
	}
	check(reap(pid) == 0 && m[0] == 'w' && m[3 * PAGE] == 'm', "parent: has both");
	int hints = 0;
	for (const int *a = (int[]){MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_FREE, MADV_DOFORK, -1}; *a >= 0; a++)
		hints += madvise(m + 4 * PAGE, PAGE, *a) == 0;
	check(hints == 6, "six hints are taken");
	fails(madvise(m + 1, PAGE, MADV_NORMAL), EINVAL, "odd address");
	fails(madvise(m, PAGE, 12345), EINVAL, "unknown advice");
	munmap(m + 6 * PAGE, 2 * PAGE);
	fails(madvise(m + 6 * PAGE, PAGE, MADV_DONTNEED), ENOMEM, "unmapped memory");
	unsigned char vec[4];
	check(mincore(m + 2 * PAGE, PAGE, vec) == 0 && (vec[0] & 1), "mincore: a touched page is in core");
	fails(mincore(m + 6 * PAGE, PAGE, vec), ENOMEM, "mincore of nothing");
	return done();
}
