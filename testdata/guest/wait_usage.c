// E4, P4: usage of reaped children adds up in RUSAGE_CHILDREN and times; that of zombies and of ignored ones does not.
#include "guest.h"
#include <sys/times.h>

static void burn(void) {
	struct rusage ru;
	do {
		for (volatile int i = 0; i < 10000; i++)
			;
		getrusage(RUSAGE_SELF, &ru);
	} while (ru.ru_utime.tv_sec * 1000000L + ru.ru_utime.tv_usec + ru.ru_stime.tv_sec * 1000000L + ru.ru_stime.tv_usec < 50000);
}

static long children_us(void) {
	struct rusage ru;
	getrusage(RUSAGE_CHILDREN, &ru);
	return ru.ru_utime.tv_sec * 1000000L + ru.ru_utime.tv_usec + ru.ru_stime.tv_sec * 1000000L + ru.ru_stime.tv_usec;
}

int main(void) {
	siginfo_t si;
	struct rusage ru;
	struct tms t;
	int status;
	check(children_us() == 0, "no child, no time");
	pid_t pid = fork();
	if (pid == 0) {
		pid_t grand = fork();
		if (grand == 0) {
			burn();
			_exit(0);
		}
		reap(grand);
		burn();
		_exit(0);
	}
	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	check(children_us() == 0, "a zombie does not count yet");
	check(wait4(pid, &status, 0, &ru) == pid, "reaped");
	long us = ru.ru_utime.tv_sec * 1000000L + ru.ru_utime.tv_usec + ru.ru_stime.tv_sec * 1000000L + ru.ru_stime.tv_usec;
	check(us >= 90000, "wait4 tells its time and that of its own reaped children");
	check(children_us() >= 90000, "now it counts");
	times(&t);
	check(t.tms_cutime + t.tms_cstime >= 8, "times agrees");
	long before = children_us();
	signal(SIGCHLD, SIG_IGN);
	if ((pid = fork()) == 0) {
		burn();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	check(children_us() == before, "a child nobody waits for adds nothing");
	return done();
}
