// P5: a child inherits its root, groups, capabilities, affinity, policy, personality, timer slack, alternate stack, oom_score_adj and no_new_privs.
// needs root
#include "guest.h"
#include <grp.h>
#include <sys/ipc.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>

static char alt[65536];
static char *shm;
static cpu_set_t one;

static void child(void) {
	gid_t groups[8];
	cpu_set_t set;
	stack_t ss;
	struct stat st;
	char buf[64] = "";
	int n = getgroups(8, groups);
	check(n == 2 && groups[0] == 11 && groups[1] == 22, "supplementary groups");
	check(stat("/inroot", &st) == 0 && stat("/usr", &st) == -1, "root folder");
	sched_getaffinity(0, sizeof set, &set);
	check(CPU_EQUAL(&set, &one), "affinity");
	check(syscall(SYS_sched_getscheduler, 0) == SCHED_BATCH, "scheduling policy");
	check(personality(0xffffffff) == ADDR_NO_RANDOMIZE, "personality");
	check(prctl(PR_GET_TIMERSLACK) == 77777, "timer slack");
	sigaltstack(NULL, &ss);
	check(ss.ss_sp == alt && ss.ss_size == sizeof alt, "alternate stack");
	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs");
	check(prctl(PR_CAPBSET_READ, 5) == 0, "capability bounding set");
	check(prctl(PR_GET_KEEPCAPS) == 1, "keepcaps");
	check(!strcmp(shm, "segment"), "System V segments stay attached");
	int fd = openat(20, "self/oom_score_adj", O_RDONLY);
	read(fd, buf, sizeof buf - 1);
	check(!strcmp(buf, "321\n"), "oom_score_adj");
	check(syscall(SYS_ioprio_get, 1, 0) == (2 << 13 | 6), "I/O priority");
}

int main(void) {
	int fd = must(open("/proc/self/oom_score_adj", O_WRONLY), "oom_score_adj");
	must(write(fd, "321", 3), "write");
	dup2(must(open("/proc", O_RDONLY | O_DIRECTORY), "open"), 20);
	must(setgroups(2, (gid_t[]){11, 22}), "setgroups");
	must(mkdir("newroot", 0755), "mkdir");
	must(mkdir("newroot/inroot", 0755), "mkdir");
	int sched = 0;
	sched_getaffinity(0, sizeof one, &one);
	while (!CPU_ISSET(sched, &one))
		sched++;
	CPU_ZERO(&one);
	CPU_SET(sched, &one);
	must(sched_setaffinity(0, sizeof one, &one), "sched_setaffinity");
	must(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &(struct sched_param){0}), "sched_setscheduler");
	personality(ADDR_NO_RANDOMIZE);
	prctl(PR_SET_TIMERSLACK, 77777);
	sigaltstack(&(stack_t){.ss_sp = alt, .ss_size = sizeof alt}, NULL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_CAPBSET_DROP, 5);
	prctl(PR_SET_KEEPCAPS, 1);
	syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6);
	int id = must(shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600), "shmget");
	shm = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	strcpy(shm, "segment");
	int old = must(open("/", O_RDONLY | O_DIRECTORY), "open"), cwd = open(".", O_RDONLY | O_DIRECTORY);
	must(chroot("newroot"), "chroot");
	check(in_child(child) == 0, "all of the child's facts held");
	must(fchdir(old), "fchdir");
	must(chroot("."), "chroot");
	must(fchdir(cwd), "fchdir");
	rmdir("newroot/inroot");
	rmdir("newroot");
	return done();
}
