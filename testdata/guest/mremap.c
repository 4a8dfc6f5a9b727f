// M5: mremap grows, shrinks and moves with the contents; a moved page keeps being shared with a forked child until written.
#include "segv.h"

int main(void) {
	catch_faults();
	char *m = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(m + 8 * PAGE, 56 * PAGE);
	for (int i = 0; i < 8; i++)
		m[i * PAGE] = 'a' + i;
	check(mremap(m, 8 * PAGE, 4 * PAGE, 0) == m, "shrink in place");
	check(PEEK(m + 4 * PAGE) == SIGSEGV, "the tail is gone");
	check(mremap(m, 4 * PAGE, 16 * PAGE, 0) == m, "grow in place where it is free");
	check(m[3 * PAGE] == 'd' && m[4 * PAGE] == 0, "old contents, then zeros");
	mmap(m + 16 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	fails((long)mremap(m, 16 * PAGE, 20 * PAGE, 0), ENOMEM, "grow against another mapping");
	char *n = mremap(m, 16 * PAGE, 20 * PAGE, MREMAP_MAYMOVE);
	check(n != MAP_FAILED && n != m && n[3 * PAGE] == 'd', "MAYMOVE moves it, contents and all");
	check(PEEK(m) == SIGSEGV, "the old place is free");
	char *to = mmap(NULL, 20 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(mremap(n, 20 * PAGE, 20 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to && to[2 * PAGE] == 'c', "FIXED moves it there");
	fails((long)mremap(to, 20 * PAGE, 20 * PAGE, MREMAP_FIXED, m), EINVAL, "FIXED without MAYMOVE");
	fails((long)mremap(to, 20 * PAGE, 20 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE), EINVAL, "FIXED onto itself");
	fails((long)mremap(to + 1, PAGE, PAGE, 0), EINVAL, "odd address");
	fails((long)mremap(to, PAGE, 0, 0), EINVAL, "to length 0");
	fails((long)mremap(m, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT, "of nothing");

	pid_t pid = fork();
	if (pid == 0) {
		n = mremap(to, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, m);
		int good = n == m && n[0] == 'a' && n[3 * PAGE] == 'd';
		n[0] = 'z';
		_exit(good ? 0 : 1);
	}
	check(reap(pid) == 0 && to[0] == 'a', "a child that moves and writes leaves its parent's memory");
	char *s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *s2 = mremap(s, 0, PAGE, MREMAP_MAYMOVE);
	check(s2 != MAP_FAILED && s2 != s, "old length 0 maps a shared mapping a second time");
	*s = 7;
	check(*s2 == 7, "both are one memory");
	return done();
}
