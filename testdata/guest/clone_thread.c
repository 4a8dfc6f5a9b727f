// P2, P7: CLONE_THREAD by hand: own tid, shared pid, SETTLS, PARENT_SETTID, CHILD_CLEARTID with its futex wake; SIGHAND and VM alone make processes.
#include "guest.h"
#include <linux/futex.h>
#include <sys/syscall.h>

static char stack[65536] __attribute__((aligned(16)));
static volatile int tid_word, cleared, seen_pid, seen_tid, tls_value, handler_set;
static int tls_block[16] = {0, 0, 0, 4242};

// start is a clone whose child runs f on its own stack and leaves by exit(2), without the C library.
static long start(unsigned long flags, void (*f)(void), void *ptid, void *ctid, void *tls) {
	char *top = stack + sizeof stack - 64;
	*(void **)top = (void *)f;
	long ret;
	register long r10 __asm__("r10") = (long)ctid;
	register long r8 __asm__("r8") = (long)tls;
	__asm__ volatile(
		"syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\t"
		"xor %%ebp, %%ebp\n\tpop %%rax\n\tcall *%%rax\n\tmov $60, %%eax\n\txor %%edi, %%edi\n\tsyscall\n1:"
		: "=a"(ret) : "0"(SYS_clone), "D"(flags), "S"(top), "d"(ptid), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return ret;
}

static long raw(long nr) {
	long ret;
	__asm__ volatile("syscall" : "=a"(ret) : "0"(nr) : "rcx", "r11", "memory");
	return ret;
}

static void body(void) {
	seen_pid = raw(SYS_getpid);
	seen_tid = raw(SYS_gettid);
	int v;
	__asm__ volatile("movl %%fs:12, %0" : "=r"(v));
	tls_value = v;
}

static void plain(void) { seen_pid = raw(SYS_getpid); }

int main(void) {
	unsigned long thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	int ptid = 0;
	tid_word = 99;
	long tid = must(start(thread | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, body, &ptid, (void *)&tid_word, tls_block), "clone");
	// This is how join works in both libraries.
	int now;
	while ((now = tid_word) != 0)
		syscall(SYS_futex, &tid_word, FUTEX_WAIT, now, NULL, NULL, 0);
	check(tid_word == 0, "CHILD_CLEARTID: the word is zero and its futex was woken");
	check(ptid == tid, "PARENT_SETTID: the word has the tid");
	check(seen_pid == getpid() && seen_tid == tid && tid != getpid(), "the thread has the pid of all and a tid of its own");
	check(tls_value == 4242, "SETTLS: fs is the thread's own");
	fails(waitpid(tid, NULL, __WALL), ECHILD, "wait for a thread");

	// VM and SIGHAND without THREAD: another process in the same memory.
	seen_pid = 0;
	long pid = must(start(CLONE_VM | CLONE_SIGHAND | SIGCHLD, plain, NULL, NULL, NULL), "clone");
	check(reap(pid) == 0 && seen_pid == pid, "VM and SIGHAND: a process of its own, its writes are seen");
	// CHILD_CLEARTID alone clears when the memory is shared with another process.
	tid_word = 7;
	pid = must(start(CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, plain, NULL, (void *)&tid_word, NULL), "clone");
	check(reap(pid) == 0 && tid_word == 0, "CHILD_CLEARTID of a process in shared memory");
	// set_tid_address does for the caller what CHILD_CLEARTID does.
	check(syscall(SYS_set_tid_address, &tid_word) == getpid(), "set_tid_address gives the tid");
	return done();
}
