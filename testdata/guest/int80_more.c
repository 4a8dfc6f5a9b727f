// K1: int 0x80: files, pipes, processes, memory and signals by the 32-bit numbers of the classic texts, with 32-bit structures.
// needs int80
#include "guest.h"

static long gate80(long nr, long a, long b, long c, long d) {
	long r;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d) : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
}

int main(void) {
	// All that is pointed to lies below 4 GB.
	char *low = mmap((void *)0x10000000, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	must((long)low, "mmap below 4 GB");
	char *path = low, *buf = low + 256;
	int *pair = (int *)(low + 512);
	uint32_t *vec = (uint32_t *)(low + 1024);
	strcpy(path, "file80");
	long fd = gate80(8, (long)path, 0644, 0, 0);
	check(fd >= 0, "8 is creat");
	strcpy(buf, "hello, old gate");
	check(gate80(4, fd, (long)buf, 15, 0) == 15, "4 is write");
	check(gate80(6, fd, 0, 0, 0) == 0, "6 is close");
	fd = gate80(5, (long)path, O_RDWR, 0, 0);
	check(fd >= 0 && gate80(3, fd, (long)buf, 5, 0) == 5 && !memcmp(buf, "hello", 5), "5 is open, 3 is read");
	check(gate80(19, fd, 7, SEEK_SET, 0) == 7 && gate80(3, fd, (long)buf, 8, 0) == 8 && !memcmp(buf, "old gate", 8), "19 is lseek");
	long d = gate80(41, fd, 0, 0, 0);
	check(d > fd && gate80(63, fd, 77, 0, 0) == 77 && fcntl(77, F_GETFD) == 0, "41 is dup, 63 is dup2");
	check(gate80(42, (long)pair, 0, 0, 0) == 0 && write(pair[1], "p", 1) == 1 && gate80(3, pair[0], (long)buf, 1, 0) == 1, "42 is pipe");
	check(gate80(33, (long)path, R_OK, 0, 0) == 0 && gate80(33, (long)"", 0, 0, 0) < 0, "33 is access");
	check(gate80(15, (long)path, 0600, 0, 0) == 0, "15 is chmod");
	strcpy(buf, "link80");
	check(gate80(9, (long)path, (long)buf, 0, 0) == 0 && gate80(10, (long)buf, 0, 0, 0) == 0, "9 is link, 10 is unlink");
	strcpy(buf, "dir80");
	check(gate80(39, (long)buf, 0755, 0, 0) == 0 && gate80(12, (long)buf, 0, 0, 0) == 0, "39 is mkdir, 12 is chdir");
	strcpy(buf, "..");
	check(gate80(12, (long)buf, 0, 0, 0) == 0, "back");
	strcpy(buf, "dir80");
	check(gate80(40, (long)buf, 0, 0, 0) == 0, "40 is rmdir");
	check(gate80(10, (long)path, 0, 0, 0) == 0, "the file goes");

	check(gate80(20, 0, 0, 0, 0) == getpid() && gate80(224, 0, 0, 0, 0) == getpid(), "20 is getpid, 224 is gettid");
	check(gate80(24, 0, 0, 0, 0) == (long)getuid() && gate80(47, 0, 0, 0, 0) == (long)getgid() && gate80(49, 0, 0, 0, 0) == (long)geteuid(), "24 getuid, 47 getgid, 49 geteuid");
	check(gate80(65, 0, 0, 0, 0) == getpgrp() && gate80(60, 022, 0, 0, 0) >= 0, "65 is getpgrp, 60 is umask");
	long t = gate80(13, 0, 0, 0, 0);
	check(t >= time(NULL) - 2 && t <= time(NULL), "13 is time");
	int32_t *tv = (int32_t *)(low + 2048);
	check(gate80(78, (long)tv, 0, 0, 0) == 0 && tv[0] >= t && tv[0] <= t + 2 && tv[1] < 1000000, "78 is gettimeofday: words of 32 bits");
	long pid = gate80(2, 0, 0, 0, 0);
	if (pid == 0) {
		gate80(34, 5, 0, 0, 0); // nice
		gate80(1, 7, 0, 0, 0);
	}
	int *status = (int *)(low + 3000);
	check(gate80(7, pid, (long)status, 0, 0) == pid && *status == 0x700, "2 is fork, 7 is waitpid, 1 is exit");
	pid = gate80(2, 0, 0, 0, 0);
	if (pid == 0) {
		gate80(29, 0, 0, 0, 0); // pause
		gate80(1, 1, 0, 0, 0);
	}
	check(gate80(37, pid, SIGTERM, 0, 0) == 0 && gate80(114, pid, (long)status, 0, 0) == pid && *status == SIGTERM, "37 is kill, 114 is wait4");
	pid = gate80(2, 0, 0, 0, 0);
	if (pid == 0) {
		strcpy(path, "/bin/sh");
		strcpy(buf, "-c");
		strcpy(buf + 8, "exit 33");
		vec[0] = (uint32_t)(uintptr_t)path;
		vec[1] = (uint32_t)(uintptr_t)buf;
		vec[2] = (uint32_t)(uintptr_t)(buf + 8);
		vec[3] = 0;
		vec[8] = 0;
		gate80(11, (long)path, (long)vec, (long)(vec + 8), 0);
		gate80(1, 1, 0, 0, 0);
	}
	check(gate80(7, pid, (long)status, 0, 0) == pid && *status == 33 << 8, "11 is execve: vectors of 32 bits");
	check(gate80(45, 0, 0, 0, 0) != -ENOSYS, "45 is brk");
	tv[0] = 0;
	tv[1] = 1000;
	check(gate80(162, (long)tv, 0, 0, 0) == 0, "162 with a microsecond");
	check(gate80(158, 0, 0, 0, 0) == 0, "158 is sched_yield");
	check(gate80(3, 99, 0, 0, 0) == -EBADF && gate80(5, 8, 0, 0, 0) == -EFAULT && gate80(37, 99999999, 0, 0, 0) == -ESRCH, "errors come as negative numbers");
	check(gate80(400000, 0, 0, 0, 0) == -ENOSYS, "an unknown number");
	return done();
}
