// M5: access past the end of a mapped file is SIGBUS; a file that grows makes it good; truncation takes it away.
#include "segv.h"

int main(void) {
	catch_faults();
	int fd = must(open("bus", O_RDWR | O_CREAT | O_TRUNC, 0600), "open");
	must(write(fd, "hello", 5), "write");
	char *m = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(m[0] == 'h' && m[4] == 'o', "the file is there");
	check(m[5] == 0 && m[PAGE - 1] == 0, "the rest of its last page is zero");
	faulted(PEEK(m + PAGE), SIGBUS, BUS_ADRERR, m + PAGE, "read past the last page");
	faulted(POKE(m + 2 * PAGE + 9), SIGBUS, BUS_ADRERR, m + 2 * PAGE + 9, "write past the last page");
	must(ftruncate(fd, 2 * PAGE), "ftruncate");
	check(POKE(m + PAGE) == 0, "a file made longer can be written");
	must(ftruncate(fd, 5), "ftruncate");
	faulted(PEEK(m + PAGE), SIGBUS, BUS_ADRERR, m + PAGE, "read after truncation");
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	faulted(POKE(p + PAGE), SIGBUS, BUS_ADRERR, p + PAGE, "write past the end of a private mapping");
	fails(read(open("/dev/zero", O_RDONLY), p + PAGE, 1), EFAULT, "read(2) past the end of a mapped file");
	unlink("bus");
	signal(SIGBUS, SIG_DFL);
	pid_t pid = fork();
	if (pid == 0)
		*(volatile char *)(m + PAGE);
	check((reap(pid) & 127) == SIGBUS, "without a handler SIGBUS kills");
	return done();
}
