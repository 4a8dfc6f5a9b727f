// M1, M5: mmap, munmap and mprotect: hints, fixed places, holes, splits, errors, what /proc/self/maps says.
#include "segv.h"

static char *anon(void *at, size_t n, int flags) {
	return mmap(at, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

// rights gives the four letters of the mapping that holds p, or "----" if none does.
static const char *rights(const void *p) {
	static char r[5];
	static char text[65536];
	unsigned long from, to;
	int fd = open("/proc/self/maps", O_RDONLY), n = 0, got;
	while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += got;
	close(fd);
	text[n] = 0;
	strcpy(r, "none");
	// No stdio: its memory could take the very hole that is looked at.
	for (char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		char now[5];
		if (sscanf(line, "%lx-%lx %4s", &from, &to, now) == 3 && from <= (uintptr_t)p && (uintptr_t)p < to)
			strcpy(r, now);
	}
	return r;
}

int main(void) {
	catch_faults();
	char *m = anon(NULL, 16 * PAGE, 0);
	check(m[0] == 0 && m[16 * PAGE - 1] == 0, "anonymous memory is zero");
	check((uintptr_t)m % PAGE == 0, "and starts at a page");
	check(!strcmp(rights(m), "rw-p"), "maps: rw-p");
	mprotect(m + 4 * PAGE, 4 * PAGE, PROT_READ);
	check(!strcmp(rights(m + 3 * PAGE), "rw-p") && !strcmp(rights(m + 5 * PAGE), "r--p") && !strcmp(rights(m + 8 * PAGE), "rw-p"),
	      "mprotect splits the mapping in three");
	munmap(m + 5 * PAGE, PAGE);
	check(!strcmp(rights(m + 5 * PAGE), "none") && !strcmp(rights(m + 6 * PAGE), "r--p"), "munmap makes a hole");
	fails(mprotect(m + 4 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE), ENOMEM, "mprotect over a hole");
	check(!strcmp(rights(m + 4 * PAGE), "rw-p") && !strcmp(rights(m + 6 * PAGE), "r--p"), "what stood before the hole was changed");
	check(munmap(m + 5 * PAGE, PAGE) == 0, "munmap of nothing is good");

	m[0] = 'x';
	check(anon(m, PAGE, MAP_FIXED) == m && m[0] == 0, "MAP_FIXED replaces what was there");
	fails((long)anon(m, PAGE, MAP_FIXED_NOREPLACE), EEXIST, "MAP_FIXED_NOREPLACE on a mapping");
	check(anon(m + 5 * PAGE, PAGE, 0) == m + 5 * PAGE, "a hint is taken if the place is free");
	char *n = anon(m, PAGE, 0);
	check(n != m && n != MAP_FAILED, "and not if it is not");

	fails((long)anon(NULL, 0, 0), EINVAL, "length 0");
	fails((long)mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL, "neither shared nor private");
	fails((long)anon(m + 1, PAGE, MAP_FIXED), EINVAL, "MAP_FIXED at an odd address");
	fails((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF, "file mapping without a file");
	fails((long)anon(NULL, (size_t)1 << 62, 0), ENOMEM, "more than the address space");
	fails(munmap(m + 1, PAGE), EINVAL, "munmap at an odd address");
	fails(munmap(m, 0), EINVAL, "munmap of length 0");
	fails(syscall(SYS_mprotect, m + 1, PAGE, PROT_READ), EINVAL, "mprotect at an odd address");

	int fd = must(open("map", O_RDWR | O_CREAT | O_TRUNC, 0600), "open");
	must(ftruncate(fd, 3 * PAGE), "ftruncate");
	char *s = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *s2 = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char c;
	s[PAGE + 1] = 'A';
	check(s2[1] == 'A', "two shared mappings of a file are one memory");
	check(p[PAGE + 1] == 'A', "an untouched private mapping shows it");
	check(pread(fd, &c, 1, PAGE + 1) == 1 && c == 'A', "read(2) shows it");
	p[PAGE + 1] = 'B';
	check(s[PAGE + 1] == 'A' && p[PAGE + 1] == 'B', "a private write is private");
	pwrite(fd, "C", 1, PAGE + 2);
	check(s[PAGE + 2] == 'C', "write(2) shows in the mapping");
	check(msync(s, 3 * PAGE, MS_SYNC) == 0, "msync");
	close(fd);
	check(s[PAGE + 1] == 'A', "the mapping outlives its descriptor");
	check(!strcmp(rights(s), "rw-s"), "maps: rw-s");
	fd = must(open("map", O_RDONLY), "open");
	fails((long)mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0), EACCES, "shared write mapping of a read-only descriptor");
	check(mmap(NULL, PAGE, PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED, "a private one is good");
	fails((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1), EINVAL, "odd offset");
	s = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	fails(mprotect(s, PAGE, PROT_READ | PROT_WRITE), EACCES, "mprotect cannot give what the descriptor did not");
	fd = open("/", O_RDONLY | O_DIRECTORY);
	fails((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV, "mapping of a directory");
	unlink("map");
	return done();
}
