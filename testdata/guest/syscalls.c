// K1: system calls by number: an unknown one gives ENOSYS, arguments are checked, rcx and r11 are the only registers lost.
#include "guest.h"
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <termios.h>

int main(void) {
	struct utsname u;
	char buf[256];
	int pipe_end = new_gate().r;
	fails(syscall(1000), ENOSYS, "number 1000");
	fails(syscall(-1L), ENOSYS, "number -1");
	fails(syscall(0x40000000L + SYS_getpid), ENOSYS, "a number of the x32 ABI");
	fails(syscall(SYS_tuxcall), ENOSYS, "tuxcall");
	check(syscall(SYS_getpid) == getpid() && syscall(SYS_getppid) == getppid(), "getpid");
	fails(write(99, "x", 1), EBADF, "write to no file");
	fails(syscall(SYS_write, 1, 1L, 1L), EFAULT, "write from nowhere");
	fails(syscall(SYS_read, 0, ~0UL, 1L), EFAULT, "read to the kernel's half");
	fails(uname((void *)8), EFAULT, "uname to nowhere");
	fails(open((char *)8, O_RDONLY), EFAULT, "open of nowhere");
	fails(open("", O_RDONLY), ENOENT, "open of nothing");
	fails(close(-1), EBADF, "close(-1)");
	fails(kill(4000001, 0), ESRCH, "kill of nobody");
	check(uname(&u) == 0 && !strcmp(u.sysname, "Linux") && !strcmp(u.machine, "x86_64"), "uname");
	fails(ioctl(pipe_end, TCGETS, buf), ENOTTY, "an ioctl that a pipe lacks");
	uint64_t rax, rbx, rdx, rsi, rdi, rcx, r[6];
	__asm__ volatile(
		"movl $1, %%ebx; movl $2, %%edx; movl $3, %%esi; movl $4, %%edi\n\t"
		"movl $5, %%r8d; movl $6, %%r9d; movl $7, %%r10d; movl $8, %%r12d\n\t"
		"movl $39, %%eax; syscall\n1:\tleaq 1b(%%rip), %%r13\n\t"
		"movq %%r8, %[r]; movq %%r9, 8+%[r]; movq %%r10, 16+%[r]; movq %%r12, 24+%[r]; movq %%r11, 32+%[r]; movq %%r13, 40+%[r]"
		: "=a"(rax), "=b"(rbx), "=d"(rdx), "=S"(rsi), "=D"(rdi), "=c"(rcx), [r] "=o"(r)
		:
		: "r8", "r9", "r10", "r11", "r12", "r13", "memory");
	check(rax == (uint64_t)getpid(), "rax is the result");
	check(rbx == 1 && rdx == 2 && rsi == 3 && rdi == 4 && r[0] == 5 && r[1] == 6 && r[2] == 7 && r[3] == 8, "the others are kept");
	check(rcx == r[5], "rcx is the address behind the instruction");
	check((r[4] & 0x202) == 0x202, "r11 is the flags");
	return done();
}
