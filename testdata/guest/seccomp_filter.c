// K1: seccomp(2): strict mode, filters and what they decide, who inherits them, and what is refused.
#include "seccomp.h"
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/utsname.h>

static struct utsname uts;

static void strict_allows(void) {
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), "strict mode");
	syscall(SYS_write, 1, "strict: write\n", 14);
	syscall(SYS_exit, 5);
}

static void strict_kills(void) {
	must(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL), "strict mode");
	syscall(SYS_getppid);
	syscall(SYS_exit, 5);
}

static void child_too(void) { gives("in a child", uname(&uts)); }

static void errnos(void) {
	no_new_privs();
	must(set_filter(0, PROG(LOAD(nr), CALL(SYS_uname, SECCOMP_RET_ERRNO | EBUSY), CALL(SYS_getppid, SECCOMP_RET_ERRNO),
		CALL(SYS_getpgrp, SECCOMP_RET_ERRNO | 60000), RETURN(SECCOMP_RET_ALLOW))), "filter");
	gives("ERRNO 16", uname(&uts));
	check(syscall(SYS_getppid) == 0, "ERRNO 0 is success with 0");
	errno = 0;
	check(syscall(SYS_getpgrp) == -1 && errno == 4095, "an errno is at most 4095");
	check(prctl(PR_GET_SECCOMP) == 2, "PR_GET_SECCOMP tells the mode");
	check(proc_field("/proc/self/status", "Seccomp") == 2 && proc_field("/proc/self/status", "Seccomp_filters") == 1, "status shows one filter");
	// A second filter: the stricter of two results holds, and only the first of its kind counts.
	must(set_filter(SECCOMP_FILTER_FLAG_LOG, PROG(LOAD(nr), CALL(SYS_uname, SECCOMP_RET_ERRNO | EXDEV), CALL(SYS_getppid, SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_ALLOW))), "second filter");
	gives("the last set among equals", uname(&uts));
	check(syscall(SYS_getppid) == 0, "ALLOW of a later filter does not allow");
	check(proc_field("/proc/self/status", "Seccomp_filters") == 2, "status shows two");
	check(in_child(child_too) == 0, "a child has them");
	fails(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL), EINVAL, "strict mode with filters");
}

static volatile int code, value, number, arch_ok, addr_ok;
static void trapped(int sig, siginfo_t *si, void *ctx) {
	ucontext_t *uc = ctx;
	code = si->si_code, value = si->si_errno, number = si->si_syscall, arch_ok = si->si_arch == AUDIT_ARCH_X86_64;
	addr_ok = (greg_t)si->si_call_addr == uc->uc_mcontext.gregs[REG_RIP];
	check(uc->uc_mcontext.gregs[REG_RAX] == number, "rax still has the number");
	uc->uc_mcontext.gregs[REG_RAX] = 4711;
}

static void traps(void) {
	struct sigaction sa = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
	sigaction(SIGSYS, &sa, NULL);
	no_new_privs();
	must(set_filter(0, PROG(LOAD(nr), CALL(SYS_uname, SECCOMP_RET_TRAP | 77), RETURN(SECCOMP_RET_ALLOW))), "filter");
	long r = syscall(SYS_uname, &uts);
	check(r == 4711, "the handler's rax is the result");
	check(code == SYS_SECCOMP && value == 77 && number == SYS_uname && arch_ok && addr_ok, "siginfo: code, data, number, architecture, address");
	sigset_t set;
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	syscall(SYS_uname, &uts); // blocked: it kills
}

static void by_arguments(void) {
	no_new_privs();
	must(set_filter(0, PROG(LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_lseek, 1, 0), RETURN(SECCOMP_RET_ALLOW),
		LOAD(args[1]), BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + 4),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 0, 3, 0), BPF_STMT(BPF_LD | BPF_MEM, 0), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 1, 0), RETURN(SECCOMP_RET_ERRNO | EDOM), RETURN(SECCOMP_RET_ERRNO | ERANGE))), "filter");
	gives("an even argument", lseek(0, 4, SEEK_SET));
	gives("an odd one", lseek(0, 5, SEEK_SET));
	gives("a high word", lseek(0, 1L << 32 | 1, SEEK_SET));
}

static void kills(void) {
	no_new_privs();
	set_filter(0, PROG(LOAD(nr), CALL(SYS_uname, SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW)));
	signal(SIGSYS, SIG_IGN);
	uname(&uts);
}

static void *thread_dies(void *arg) {
	set_filter(0, PROG(LOAD(nr), CALL(SYS_uname, SECCOMP_RET_KILL_THREAD), RETURN(SECCOMP_RET_ALLOW)));
	uname(&uts);
	return NULL;
}

static void thread_killed(void) {
	pthread_t th;
	no_new_privs();
	pthread_create(&th, NULL, thread_dies, NULL);
	while (proc_field("/proc/self/status", "Threads") > 1) // not every library's join hears of it
		usleep(1000);
	check(1, "the rest of the process goes on");
	check(prctl(PR_GET_SECCOMP) == 0, "and has no filter");
	set_filter(0, PROG(LOAD(nr), CALL(SYS_uname, SECCOMP_RET_KILL_THREAD), RETURN(SECCOMP_RET_ALLOW)));
	uname(&uts); // the last thread: as KILL_PROCESS
}

static void unknown_kills(void) {
	no_new_privs();
	set_filter(0, PROG(LOAD(nr), CALL(SYS_uname, 0x12340000), RETURN(SECCOMP_RET_ALLOW)));
	uname(&uts);
}

static void logs(void) {
	no_new_privs();
	must(set_filter(0, PROG(LOAD(nr), CALL(SYS_uname, SECCOMP_RET_LOG), CALL(SYS_getppid, SECCOMP_RET_TRACE), RETURN(SECCOMP_RET_ALLOW))), "filter");
	gives("LOG", uname(&uts));
	gives("TRACE without a tracer", syscall(SYS_getppid));
}

static gate go;
static void *other_thread(void *arg) {
	gate_pass(go);
	gives("another thread", uname(&uts));
	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "has no_new_privs too");
	return NULL;
}

static pthread_barrier_t both;
static void *own_filter(void *arg) {
	set_filter(0, PROG(RETURN(SECCOMP_RET_ALLOW)));
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	return NULL;
}

static void tsync(void) {
	pthread_t th;
	go = new_gate();
	pthread_create(&th, NULL, other_thread, NULL);
	no_new_privs();
	must(set_filter(SECCOMP_FILTER_FLAG_TSYNC, PROG(LOAD(nr), CALL(SYS_uname, SECCOMP_RET_ERRNO | EBUSY), RETURN(SECCOMP_RET_ALLOW))), "filter");
	gate_open(go);
	pthread_join(th, NULL);
	pthread_barrier_init(&both, NULL, 2);
	pthread_create(&th, NULL, own_filter, NULL);
	pthread_barrier_wait(&both);
	check(set_filter(SECCOMP_FILTER_FLAG_TSYNC, PROG(RETURN(SECCOMP_RET_ALLOW))) > 0, "TSYNC gives the thread that has another filter");
	fails(set_filter(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, PROG(RETURN(SECCOMP_RET_ALLOW))), ESRCH, "with TSYNC_ESRCH it");
	pthread_barrier_wait(&both);
	pthread_join(th, NULL);
}

// The tracer sees the event, changes one call and skips another.
static void traced(void) {
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		no_new_privs();
		set_filter(0, PROG(LOAD(nr), CALL(SYS_getppid, SECCOMP_RET_TRACE | 7), CALL(SYS_uname, SECCOMP_RET_TRACE | 8),
			CALL(SYS_getpgrp, SECCOMP_RET_TRACE | 9), CALL(SYS_getsid, SECCOMP_RET_ERRNO | EDOM), RETURN(SECCOMP_RET_ALLOW)));
		check(syscall(SYS_getppid) == getpid(), "the tracer made another call of it");
		check(syscall(SYS_uname, &uts) == 99, "the tracer gave the result");
		gives("a call that the filter forbids, after the tracer", syscall(SYS_getpgrp));
		_exit(done());
	}
	int st;
	waitpid(pid, &st, 0);
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
	for (ptrace(PTRACE_CONT, pid, 0, 0); waitpid(pid, &st, 0) == pid && WIFSTOPPED(st); ptrace(PTRACE_CONT, pid, 0, 0)) {
		unsigned long data = 0;
		ptrace(PTRACE_GETEVENTMSG, pid, 0, &data);
		printf("stop: signal %d, event %d, data %lu\n", WSTOPSIG(st), st >> 16, data);
		check((int)ptrace(PTRACE_PEEKUSER, pid, 8 * 10, 0) == -ENOSYS, "rax is -ENOSYS");
		switch (data) {
		case 7:
			ptrace(PTRACE_POKEUSER, pid, 8 * 15, SYS_getpid);
			break;
		case 8:
			ptrace(PTRACE_POKEUSER, pid, 8 * 15, -1L);
			ptrace(PTRACE_POKEUSER, pid, 8 * 10, 99L);
			break;
		case 9:
			ptrace(PTRACE_POKEUSER, pid, 8 * 15, SYS_getsid);
		}
	}
	check(st == 0, "the traced program is content");
}

static void after_exec(void) {
	no_new_privs();
	must(set_filter(0, PROG(LOAD(nr), CALL(SYS_uname, SECCOMP_RET_ERRNO | EBUSY), RETURN(SECCOMP_RET_ALLOW))), "filter");
	execl("/proc/self/exe", "seccomp_filter", "again", NULL);
}

static void without_rights(void) {
	must(setuid(65534), "setuid");
	fails(set_filter(0, PROG(RETURN(SECCOMP_RET_ALLOW))), EACCES, "a plain user without no_new_privs");
	no_new_privs();
	check(set_filter(0, PROG(RETURN(SECCOMP_RET_ALLOW))) == 0, "with it, that works");
}

static void refused(void) {
	unsigned known[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF,
		SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW}, unknown = 0x10000;
	for (int i = 0; i < 8; i++)
		check(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &known[i]) == 0, "action %x is there", known[i]);
	fails(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &unknown), EOPNOTSUPP, "an unknown action");
	struct seccomp_notif_sizes sizes;
	must(seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes), "sizes");
	printf("sizes: %d %d %d\n", sizes.seccomp_notif, sizes.seccomp_notif_resp, sizes.seccomp_data);
	no_new_privs();
	fails(set_filter(0, PROG(LOAD(nr))), EINVAL, "no return at the end");
	fails(set_filter(0, PROG(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RETURN(0))), EINVAL, "an odd offset");
	fails(set_filter(0, PROG(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(0))), EINVAL, "an offset behind the data");
	fails(set_filter(0, PROG(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RETURN(0))), EINVAL, "loading a byte");
	fails(set_filter(0, PROG(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RETURN(0))), EINVAL, "an indirect load");
	fails(set_filter(0, PROG(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(0))), EINVAL, "a remainder");
	fails(set_filter(0, PROG(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0))), EINVAL, "a division by zero");
	fails(set_filter(0, PROG(BPF_STMT(BPF_LD | BPF_MEM, 1), RETURN(0))), EINVAL, "a word that was not written");
	fails(set_filter(0, PROG(BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), RETURN(0))), EINVAL, "a jump to the end");
	fails(set_filter(0, &(struct sock_fprog){0, NULL}), EINVAL, "an empty program");
	fails(set_filter(0, &(struct sock_fprog){4097, NULL}), EINVAL, "a program too long");
	fails(set_filter(0, &(struct sock_fprog){1, NULL}), EINVAL, "a program at NULL");
	fails(set_filter(0, &(struct sock_fprog){1, (void *)8}), EFAULT, "a program at a bad address");
	fails(set_filter(0x8000, PROG(RETURN(SECCOMP_RET_ALLOW))), EINVAL, "an unknown flag");
	fails(set_filter(9, PROG(RETURN(SECCOMP_RET_ALLOW))), EINVAL, "TSYNC and NEW_LISTENER");
	fails(set_filter(32, PROG(RETURN(SECCOMP_RET_ALLOW))), EINVAL, "WAIT_KILLABLE_RECV without NEW_LISTENER");
	fails(prctl(PR_SET_SECCOMP, 9, 0), EINVAL, "an unknown mode");
	check(prctl(PR_GET_SECCOMP) == 0, "nothing is set after all that");
	int st;
	static struct sock_filter nothing[4096];
	for (int i = 0; i < 4096; i++)
		nothing[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	for (st = 0; st < 20 && set_filter(0, &(struct sock_fprog){4096, nothing}) == 0; st++)
		;
	fails(st < 20 ? -1 : 0, ENOMEM, "too many instructions");
}

int main(int argc, char **argv) {
	if (argc > 1) {
		gives("after exec", uname(&uts));
		return 0;
	}
	ends("strict, allowed calls", strict_allows);
	ends("strict, another call", strict_kills);
	ends("ERRNO", errnos);
	ends("TRAP, and when it is blocked", traps);
	ends("by arguments", by_arguments);
	ends("KILL_PROCESS", kills);
	ends("KILL_THREAD", thread_killed);
	ends("an unknown action", unknown_kills);
	ends("LOG and TRACE", logs);
	ends("TSYNC", tsync);
	ends("traced", traced);
	ends("exec", after_exec);
	ends("without rights", without_rights);
	ends("refused", refused);
	return done();
}
