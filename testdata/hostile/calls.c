// Makes random system calls with random arguments; the machine must survive.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char buf[1 << 16];

// An argument that a handler may trip over: small, negative, a good pointer,
// one bit, anything, the end of user space, a descriptor, AT_FDCWD, zero.
static unsigned long pick(void) {
	switch (rand() % 9) {
	case 0: return rand() % 16;
	case 1: return -1;
	case 2: return (unsigned long)(buf + rand() % 60000);
	case 3: return 1ul << (rand() % 64);
	case 4: return ((unsigned long)rand() << 32) | rand();
	case 5: return (1ul << 47) - 4096;
	case 6: return rand() % 4096;
	case 7: return -100;
	}
	return 0;
}

// Calls that would end or stop the program itself are left out.
static int spared(long nr) {
	static const long list[] = {
		SYS_exit, SYS_exit_group, SYS_kill, SYS_tkill, SYS_tgkill, SYS_pause, SYS_rt_sigsuspend, SYS_rt_sigqueueinfo,
		SYS_rt_tgsigqueueinfo, SYS_pidfd_send_signal, SYS_reboot, SYS_fork, SYS_vfork, SYS_clone, SYS_clone3, SYS_alarm,
		SYS_setitimer, SYS_rt_sigaction, SYS_rt_sigprocmask,
	};
	for (unsigned i = 0; i < sizeof list / sizeof *list; i++)
		if (list[i] == nr)
			return 1;
	return 0;
}

int main(int argc, char **argv) {
	int seed = atoi(argv[1]), rounds = atoi(argv[2]);
	for (int round = 0; round < rounds; round++) {
		pid_t pid = fork();
		if (pid == 0) {
			srand(seed * 7919 + round);
			alarm(1);
			for (unsigned i = 0; i < sizeof buf; i++)
				buf[i] = rand() % 3 ? 0 : rand();
			close(0), close(1), close(2);
			for (int i = 0; i < 3000; i++) {
				long nr = rand() % 450;
				if (!spared(nr))
					syscall(nr, pick(), pick(), pick(), pick(), pick(), pick());
			}
			_exit(0);
		}
		int status;
		waitpid(pid, &status, 0);
	}
	puts("survived");
	return 0;
}
