// P7: the robust list by hand: at a thread's end the kernel marks its locks OWNER_DIED and wakes one waiter, the pending one too, other owners' not.
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>

struct lock { struct robust_list list; int word; };

static struct { struct robust_list_head head; struct lock l[4]; } *s;

static void register_list(int mine) {
	s->head.list.next = &s->l[0].list;
	s->l[0].list.next = &s->l[1].list;
	s->l[1].list.next = &s->l[2].list;
	s->l[2].list.next = &s->head.list;
	s->head.futex_offset = offsetof(struct lock, word);
	s->head.list_op_pending = &s->l[3].list;
	s->l[0].word = mine;
	s->l[1].word = mine | FUTEX_WAITERS;
	s->l[2].word = 12345; // another's
	s->l[3].word = mine;
	syscall(SYS_set_robust_list, &s->head, sizeof s->head);
}

static void after(const char *how) {
	check(s->l[0].word == (int)FUTEX_OWNER_DIED, "%s: OWNER_DIED, the tid is gone", how);
	check(s->l[1].word == (int)(FUTEX_OWNER_DIED | FUTEX_WAITERS), "%s: FUTEX_WAITERS stays", how);
	check(s->l[2].word == 12345, "%s: a lock of another owner is left alone", how);
	check(s->l[3].word == (int)FUTEX_OWNER_DIED, "%s: the pending one", how);
}

int main(void) {
	s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int how = 0; how < 4; how++) {
		static const char *names[] = {"exit", "SIGKILL", "exec", "a circle in the list"};
		pid_t pid = fork();
		if (pid == 0) {
			register_list(getpid());
			if (how == 3)
				s->l[2].list.next = &s->l[0].list;
			if (how == 1)
				raise(SIGKILL);
			if (how == 2)
				execl("/bin/true", "true", NULL);
			_exit(0);
		}
		reap(pid);
		after(names[how]);
	}
	// A list that leads to nowhere is given up, and harms nobody.
	pid_t pid = fork();
	if (pid == 0) {
		register_list(getpid());
		s->l[0].list.next = (void *)8;
		_exit(7);
	}
	check(reap(pid) == 0x700 && s->l[0].word == (int)FUTEX_OWNER_DIED, "a list that leads to nowhere");
	// A waiter that sleeps is woken.
	if ((pid = fork()) == 0) {
		register_list(getpid());
		s->l[1].word = getpid();
		while (!(__atomic_load_n(&s->l[1].word, __ATOMIC_SEQ_CST) & FUTEX_WAITERS))
			usleep(500);
		_exit(0);
	}
	int w;
	while ((w = __atomic_load_n(&s->l[1].word, __ATOMIC_SEQ_CST)) != pid)
		usleep(500);
	__atomic_or_fetch(&s->l[1].word, FUTEX_WAITERS, __ATOMIC_SEQ_CST);
	while (!((w = __atomic_load_n(&s->l[1].word, __ATOMIC_SEQ_CST)) & FUTEX_OWNER_DIED))
		syscall(SYS_futex, &s->l[1].word, FUTEX_WAIT, w, NULL, NULL, 0);
	check(w == (int)(FUTEX_OWNER_DIED | FUTEX_WAITERS), "a sleeping waiter is woken");
	reap(pid);
	void *head;
	size_t len;
	syscall(SYS_set_robust_list, &s->head, sizeof s->head);
	check(syscall(SYS_get_robust_list, 0, &head, &len) == 0 && head == &s->head && len == sizeof s->head, "get_robust_list");
	syscall(SYS_set_robust_list, NULL, sizeof s->head);
	return done();
}
