// Calls of newer kernels, and threads.
#include "calls.h"

struct attr { unsigned size, policy; unsigned long flags; int nice; unsigned prio; unsigned long runtime, deadline, period; unsigned min, max; };

static int word;
static char stack[16384];

static int thread(void *arg) {
	S(set_robust_list, arg, 24);
	S(futex, &word, 1, 1, 0, 0, 0);
	S(exit, 0);
	return 0;
}

int main(void) {
	char buf[256] = "text";
	struct attr a = {48, SCHED_BATCH, 0, 5};
	struct iovec v = {buf, 10};
	int p[2];
	struct f_owner_ex own = {F_OWNER_PID, 0};
	BEGIN;
	S(sched_setattr, 0, &a, 0);
	S(sched_getattr, 0, &a, sizeof a, 0);
	S(sched_getattr, 0, &a, 8, 0);
	S(sched_setattr, 0, BAD, 7);
	S(setns, 99, CLONE_NEWNS);
	S(setns, 99, 0);
	S(pipe2, p, 0);
	S(vmsplice, p[1], &v, 1, SPLICE_F_GIFT);
	S(process_madvise, 99, &v, 1, MADV_COLD, 0);
	S(pkey_free, 99);
	S(pkey_alloc, 5, 3);
	S(kcmp, PID, PID, 0, 1, 999);
	S(kcmp, PID, 99999999, 1, 0, 0);
	S(kcmp, PID, PID, 99, 1, 2);
	S(adjtimex, BAD);
	S(clock_adjtime, CLOCK_MONOTONIC, buf);
	S(fcntl, 1, F_SETOWN_EX, &own);
	S(fcntl, 1, F_GETOWN_EX, &own);
	S(pkey_mprotect, 1, 4096, PROT_READ, 5);
	S(remap_file_pages, 1, 4096, 0, 0, MAP_NONBLOCK);
	S(fsync, 99);
	S(execveat, 99, "", 0, 0, AT_EMPTY_PATH);
	S(getrandom, buf, 0, 1);
	S(rseq, 0x1000, 32, 0, 0x53053053);
	int tid = clone(thread, stack + sizeof stack, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
		buf, &word, 0, &word);
	while (*(volatile int *)&word); // until the thread has ended
	END;
	S(exit_group, 0);
}
