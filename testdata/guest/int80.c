// K1: the old gate int 0x80 takes the 32-bit numbers and 32-bit arguments, from a 64-bit program as well.
// needs int80
#include "guest.h"

static long gate80(long nr, long a, long b, long c) {
	long r;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
	return r;
}

int main(void) {
	char *low = mmap((void *)0x10000000, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	must((long)low, "mmap below 4 GB");
	check(gate80(20, 0, 0, 0) == getpid(), "20 is getpid");
	strcpy(low, "written by int 0x80\n");
	fflush(stdout);
	check(gate80(4, 1, (long)low, 20) == 20, "4 is write");
	check(gate80(64, 0, 0, 0) == getppid(), "64 is getppid");
	check((int)gate80(6, 99, 0, 0) == -EBADF, "6 is close, -EBADF comes in eax");
	check((int)gate80(4, 1, (long)(low - 0x1000) | 0x700000000, 1) == -EFAULT, "addresses are cut to 32 bits");
	fflush(stdout);
	long pid = gate80(2, 0, 0, 0);
	if (pid == 0)
		gate80(1, 100, 0, 0);
	int status;
	check(waitpid(pid, &status, 0) == pid && status == 0x6400, "2 is fork, 1 is exit");
	check((int)gate80(9999, 0, 0, 0) == -ENOSYS, "an unknown number: -ENOSYS");
	return done();
}
