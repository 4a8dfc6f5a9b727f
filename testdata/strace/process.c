// Processes, memory, scheduling, limits, the system.
#include "calls.h"
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <linux/keyctl.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <asm/prctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#undef CLONE_NEWTIME

static int word = 5;
static int clone_word;

int main(void) {
	char buf[4096];
	int st;
	struct rusage ru;
	siginfo_t si;
	BEGIN;
	S(getpid); S(gettid); S(getuid); S(geteuid); S(getgid); S(getegid); S(getpgrp);
	S(getsid, 0);
	S(getpgid, 99999999);
	S(setpgid, 0, 0);
	S(getppid);
	int pid = S(fork);
	if (pid == 0) S(exit_group, 3);
	S(wait4, pid, &st, 0, &ru);
	S(wait4, -1, &st, WNOHANG | WUNTRACED, 0);
	pid = S(clone, SIGCHLD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, 0, &clone_word, &clone_word, 0);
	if (pid == 0) S(exit, 4);
	S(waitid, P_PID, pid, &si, WEXITED | WNOWAIT, &ru);
	S(waitid, P_ALL, 0, &si, WEXITED, 0);
	S(waitid, P_PGID, 99999999, &si, WEXITED | WSTOPPED, 0);
	struct clone_args ca = {.flags = CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID, .parent_tid = (long)&clone_word, .child_tid = (long)&clone_word, .exit_signal = SIGCHLD};
	pid = S(clone3, &ca, sizeof ca);
	if (pid == 0) { S(tgkill, PID, TID, SIGKILL); S(pause); }
	S(wait4, pid, &st, __WALL, 0);
	ca.exit_signal = 0; ca.flags = CLONE_THREAD;
	S(clone3, &ca, sizeof ca);
	S(clone3, &ca, 8);
	S(clone, CLONE_THREAD | CLONE_VM, 0, 0, 0, 0);
	S(unshare, CLONE_THREAD | 0x10);
	char *argv[] = {"prog", "an argument", "a very very very long argument that has to be cut", 0}, *envp[] = {"A=1", 0};
	S(execve, "/nothere", argv, envp);
	S(execve, "/nothere", BAD, BAD);
	S(execve, "/nothere", 0, 0);
	S(execveat, AT_FDCWD, "/nothere", argv, envp, AT_SYMLINK_NOFOLLOW);
	S(kill, 99999999, SIGTERM);
	S(kill, 0, 0);
	S(tkill, 99999999, SIGRTMIN + 3);
	S(set_tid_address, &clone_word);
	S(get_robust_list, 99999999, buf, buf);
	S(pidfd_open, 99999999, 0);
	S(pidfd_send_signal, 99, SIGTERM, 0, 0);
	S(pidfd_getfd, 99, 1, 0);
	// memory
	void *p = (void *)S(mmap, 0, 8192L, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
	S(mmap, p, 4096L, PROT_NONE, MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
	S(mmap, 0, 4096L, PROT_READ | PROT_EXEC, MAP_PRIVATE, 99, 4096L);
	S(mmap, 0, 0L, 0, 0, 0, 1L);
	S(mprotect, p, 4096L, PROT_READ);
	S(mprotect, 1, 4096L, PROT_READ | PROT_GROWSDOWN);
	S(mremap, p, 4096L, 8192L, 0, 0);
	S(mremap, 1, 4096L, 8192L, MREMAP_MAYMOVE | MREMAP_FIXED, p);
	S(madvise, p, 4096L, MADV_DONTNEED);
	S(madvise, p, 4096L, 999);
	S(msync, p, 4096L, MS_SYNC | MS_INVALIDATE);
	S(mincore, p, 4096L, buf);
	S(mlock, p, 4096L); S(munlock, p, 4096L);
	S(mlock2, p, 4096L, MLOCK_ONFAULT);
	S(mlockall, MCL_CURRENT | MCL_FUTURE | 0x40);
	S(munlockall);
	S(munmap, p, 8192L);
	S(munmap, 1, 1L);
	struct iovec l = {buf, 4}, r = {&word, 4};
	S(process_vm_readv, getpid(), &l, 1, &r, 1, 0);
	S(process_vm_writev, 99999999, &l, 1, &r, 1, 0);
	S(membarrier, 0x12345, 0, 0);
	// futex
	struct timespec ts = {0, 1000};
	S(futex, &word, FUTEX_WAIT, 4, 0, 0, 0);
	S(futex, &word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 5, &ts, 0, 0);
	S(futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 5, &ts, 0, -1);
	S(futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
	S(futex, &word, FUTEX_WAKE_BITSET, 1, 0, 0, 3);
	S(futex, &word, FUTEX_REQUEUE, 1, 2, &word, 0);
	S(futex, &word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, 2, &word, 77);
	S(futex, &word, FUTEX_WAKE_OP, 1, 1, &word, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_GT, 3));
	S(futex, &word, FUTEX_UNLOCK_PI, 0, 0, 0, 0);
	S(futex, &word, 99, 1, 0, 0, 0);
	// scheduling
	S(sched_yield);
	int prio = 0;
	S(sched_setscheduler, 0, SCHED_BATCH, &prio);
	S(sched_getscheduler, 0);
	S(sched_setscheduler, 0, SCHED_OTHER | 0x40000000, &prio);
	S(sched_getparam, 0, &prio);
	S(sched_setparam, 0, &prio);
	prio = 200;
	S(sched_setscheduler, 0, SCHED_FIFO, &prio);
	S(sched_get_priority_max, SCHED_RR);
	S(sched_get_priority_min, 77);
	S(sched_rr_get_interval, 99999999, &ts);
	long cpus = 1;
	S(sched_setaffinity, 0, 8, &cpus);
	S(sched_getaffinity, 0, 8, &cpus);
	S(sched_getaffinity, 0, 7, &cpus);
	S(getpriority, PRIO_PROCESS, 0);
	S(setpriority, PRIO_PROCESS, 99999999, 5);
	S(ioprio_get, 1, 0);
	S(ioprio_set, 1, 0, 2 << 13 | 4);
	S(getcpu, BAD, 0, 0);
	// limits and usage
	struct rlimit rl;
	S(getrlimit, RLIMIT_NOFILE, BAD);
	S(prlimit64, 0, RLIMIT_CORE, 0, &rl);
	rl.rlim_cur = 0; rl.rlim_max = 1 << 20;
	S(setrlimit, RLIMIT_CORE, &rl);
	S(prlimit64, 0, RLIMIT_CORE, &rl, &rl);
	S(prlimit64, 0, 99, 0, 0);
	S(getrusage, RUSAGE_SELF, BAD);
	S(getrusage, 77, &ru);
	// credentials
	S(setuid, -1); S(setgid, -1);
	S(setreuid, -1, -1); S(setresuid, -1, -1, 0); S(setresgid, -1, 0, -1);
	unsigned a, b, c;
	S(getresuid, &a, &b, &c);
	S(setfsuid, -1);
	unsigned g[3] = {1, 2, 3};
	S(setgroups, 3, g);
	S(getgroups, 0, 0);
	S(getgroups, 3, g);
	S(getgroups, 1, g);
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 99999999};
	struct __user_cap_data_struct d[2] = {{1 << CAP_KILL, 1 << CAP_KILL | 1 << CAP_CHOWN, 0}, {0, 1 << (CAP_SYSLOG - 32), 0}};
	S(capget, &h, d);
	S(capset, &h, d);
	h.version = 1;
	S(capget, &h, d);
	// prctl
	S(prctl, PR_SET_NAME, "a name that is too long");
	S(prctl, PR_GET_NAME, buf);
	S(prctl, PR_SET_PDEATHSIG, SIGTERM);
	S(prctl, PR_GET_PDEATHSIG, buf);
	S(prctl, PR_SET_PDEATHSIG, 0);
	S(prctl, PR_GET_DUMPABLE);
	S(prctl, PR_SET_DUMPABLE, 7);
	S(prctl, PR_SET_CHILD_SUBREAPER, 1);
	S(prctl, PR_GET_CHILD_SUBREAPER, buf);
	S(prctl, PR_SET_KEEPCAPS, 1);
	S(prctl, PR_GET_KEEPCAPS);
	S(prctl, PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0);
	S(prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	S(prctl, PR_SET_TIMERSLACK, 50000);
	S(prctl, PR_GET_TIMERSLACK);
	S(prctl, PR_CAPBSET_READ, CAP_SYS_ADMIN);
	S(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0);
	S(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	S(prctl, PR_SET_KEEPCAPS, 0);
	S(prctl, PR_GET_SECUREBITS);
	S(prctl, 9999, 1, 2, 3, 4);
	S(arch_prctl, 0x9999, 1);
	S(arch_prctl, ARCH_GET_GS, buf);
	S(personality, 0xffffffff);
	S(personality, PER_LINUX | ADDR_NO_RANDOMIZE);
	S(personality, PER_LINUX);
	// the system
	struct utsname u;
	S(uname, BAD);
	S(sethostname, "name", 400);
	struct sysinfo sys;
	S(sysinfo, BAD);
	S(getrandom, buf, 4, 0x77);
	S(syslog, 1, 0, 0);
	S(syslog, 99, buf, 5);
	S(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, 0x77);
	S(reboot, 1, 2, LINUX_REBOOT_CMD_POWER_OFF);
	S(set_mempolicy, 99, 0, 0);
	S(getitimer, 77, buf);
	END;
	(void)u; (void)sys; (void)envp;
	S(exit_group, 7);
}
