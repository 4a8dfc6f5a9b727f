// X4: the stack as the ABI lays it out: argc, argv, NULL, envp, NULL, auxv; strings above; registers and alignment.
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>

extern char **environ;

int main(int argc, char **argv, char **envp) {
	if (argc == 1) {
		char *v[] = {"auxv", "", "two words", "\xff\n", NULL};
		char *e[] = {"A=1", "B=", "NOEQUALS", NULL};
		execve("/proc/self/exe", v, e);
		_exit(127);
	}
	check(argc == 4 && !strcmp(argv[0], "auxv") && !argv[1][0] && !strcmp(argv[2], "two words") && !strcmp(argv[3], "\xff\n"), "argv");
	check(argv[argc] == NULL, "argv[argc] is NULL");
	check(envp == argv + argc + 1, "envp follows argv");
	check(envp == environ, "environ is envp");
	check(!strcmp(envp[0], "A=1") && !strcmp(envp[1], "B=") && !strcmp(envp[2], "NOEQUALS") && !envp[3], "envp");
	check(((long *)argv)[-1] == argc, "argc stands below argv");
	check((uintptr_t)(argv - 1) % 16 == 0, "the stack pointer was 16-byte aligned at entry");
	Elf64_auxv_t *aux = (Elf64_auxv_t *)(envp + 4), *a;
	check(argv[1] == argv[0] + 5 && argv[2] == argv[1] + 1, "argument strings stand one behind the other");
	check(envp[0] == argv[3] + 3, "environment strings follow them");

	int seen[64] = {0}, n = 0;
	for (a = aux; a->a_type != AT_NULL; a++, n++)
		if (a->a_type < 64)
			seen[a->a_type]++;
	check(n > 10 && n < 40, "auxv ends with AT_NULL");
	for (const int *t = (int[]){AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS, AT_ENTRY, AT_UID, AT_EUID, AT_GID, AT_EGID,
	     AT_CLKTCK, AT_RANDOM, AT_SECURE, AT_EXECFN, AT_PLATFORM, AT_HWCAP, 0}; *t; t++)
		check(seen[*t] == 1, "auxv type %d is there once", *t);
	check(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_CLKTCK) == 100, "page size and clock ticks");
	check(getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid() && getauxval(AT_SECURE) == 0, "identity");
	check(!strcmp((char *)getauxval(AT_EXECFN), "/proc/self/exe"), "AT_EXECFN is the name given to execve");
	check(!strcmp((char *)getauxval(AT_PLATFORM), "x86_64"), "AT_PLATFORM");
	Elf64_Phdr *ph = (void *)getauxval(AT_PHDR);
	int loads = 0;
	for (unsigned i = 0; i < getauxval(AT_PHNUM); i++)
		loads += ph[i].p_type == PT_LOAD;
	check(loads >= 1 && getauxval(AT_PHENT) == sizeof *ph, "AT_PHDR shows the program headers");
	unsigned char *r = (void *)getauxval(AT_RANDOM);
	int sum = 0;
	for (int i = 0; i < 16; i++)
		sum |= r[i];
	check(sum != 0, "AT_RANDOM has sixteen bytes");
	char cmd[64] = "";
	int fd = open("/proc/self/cmdline", O_RDONLY);
	n = read(fd, cmd, sizeof cmd);
	check(n == 19 && !memcmp(cmd, "auxv\0\0two words\0\xff\n", 19), "/proc/self/cmdline");
	n = read(open("/proc/self/environ", O_RDONLY), cmd, sizeof cmd);
	check(n == 16 && !memcmp(cmd, "A=1\0B=\0NOEQUALS", 16), "/proc/self/environ");
	return done();
}
