// E1: exit runs atexit handlers backwards and flushes; _exit, quick_exit and a signal do not; the status is the low byte.
#include "guest.h"

static void say(const char *s) { write(1, s, strlen(s)); }
static void first(void) { say("first registered\n"); }
static void second(void) { say("second registered\n"); }
static void third(void) { say("registered while exiting\n"); }
static void late(void) { atexit(third); }
static void quick(void) { say("at_quick_exit\n"); }

static int child(int how) {
	fflush(stdout);
	pid_t pid = fork();
	if (pid)
		return reap(pid);
	FILE *out = fdopen(dup(1), "w");
	setvbuf(out, NULL, _IOFBF, 4096);
	atexit(first);
	atexit(second);
	at_quick_exit(quick);
	fprintf(out, "buffered text of way %d\n", how);
	switch (how) {
	case 0: exit(100);
	case 1: _exit(101);
	case 2: quick_exit(102);
	case 3: raise(SIGKILL);
	case 4: exit(0x1234);
	case 5: exit(-1);
	case 6: syscall(SYS_exit_group, 106);
	case 7: syscall(SYS_exit, 107);
	}
	return 0;
}

int main(int argc, char **argv) {
	for (int how = 0; how < 8; how++)
		printf("way %d: status %#x\n", how, child(how));
	check(child(0) == 0x6400, "exit(100) is 0x6400");
	atexit(late);
	atexit(second);
	return done();
}
