// What the programs about seccomp(2) share: filters in a few words, and a row
// that says what a call gave.
#include "guest.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#ifndef SECCOMP_FILTER_FLAG_TSYNC_ESRCH
#define SECCOMP_FILTER_FLAG_TSYNC_ESRCH 16
#endif
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(v) BPF_STMT(BPF_RET | BPF_K, v)
// CALL decides about one call and lets all others pass to the next line.
#define CALL(nr, v) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), RETURN(v)
#define PROG(...) &(struct sock_fprog){sizeof((struct sock_filter[]){__VA_ARGS__}) / 8, (struct sock_filter[]){__VA_ARGS__}}

static inline long seccomp(unsigned op, unsigned flags, void *arg) { return syscall(SYS_seccomp, op, flags, arg); }

static inline long set_filter(unsigned flags, struct sock_fprog *p) { return seccomp(SECCOMP_SET_MODE_FILTER, flags, p); }

static inline void no_new_privs(void) { must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs"); }

// gives prints what a call gave.
static inline void gives(const char *what, long result) {
	int e = errno;
	printf("%s: %s\n", what, result != -1 ? "no error" : errname(e));
}

// ends prints how a process ended that ran f.
static inline void ends(const char *what, void (*f)(void)) {
	int st = in_child(f);
	if (WIFSIGNALED(st))
		printf("%s: signal %d\n", what, WTERMSIG(st));
	else
		printf("%s: exit %d\n", what, WEXITSTATUS(st));
}
