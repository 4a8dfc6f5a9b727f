// P4: what the child does not get: pending signals, alarms and timers, CPU times, record locks, memory locks.
#include "guest.h"

static int file;

static int locked_by_other(void) {
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
	must(fcntl(file, F_GETLK, &l), "F_GETLK");
	return l.l_type != F_UNLCK && l.l_pid == getppid();
}

static void child(void) {
	sigset_t set;
	struct itimerval it;
	struct rusage ru;
	sigpending(&set);
	check(!sigismember(&set, SIGUSR1), "child: no signal is pending");
	sigprocmask(SIG_SETMASK, NULL, &set);
	check(sigismember(&set, SIGUSR1), "child: but it is still blocked");
	check(alarm(0) == 0, "child: no alarm is set");
	getitimer(ITIMER_VIRTUAL, &it);
	check(it.it_value.tv_sec == 0 && it.it_value.tv_usec == 0, "child: no interval timer runs");
	getrusage(RUSAGE_SELF, &ru);
	check(ru.ru_utime.tv_sec == 0 && ru.ru_utime.tv_usec < 20000, "child: CPU time starts at zero");
	getrusage(RUSAGE_CHILDREN, &ru);
	check(ru.ru_utime.tv_sec == 0 && ru.ru_utime.tv_usec == 0 && ru.ru_minflt == 0, "child: no time of children");
	check(locked_by_other(), "child: the record lock is its parent's");
	check(proc_field("/proc/self/status", "VmLck") == 0, "child: no memory is locked");
	check(proc_field("/proc/self/status", "Threads") == 1, "child: one thread");
}

int main(void) {
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	alarm(1000);
	struct itimerval it = {{0, 0}, {500, 0}};
	setitimer(ITIMER_VIRTUAL, &it, NULL);
	file = must(open("lock", O_RDWR | O_CREAT, 0600), "open");
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
	must(fcntl(file, F_SETLK, &l), "F_SETLK");
	char *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(mlock(m, PAGE), "mlock");
	check(proc_field("/proc/self/status", "VmLck") == 4, "parent: one page is locked");
	// CPU time and one reaped child to count.
	for (volatile long i = 0; i < 5000000; i++)
		;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	reap(pid);
	check(in_child(child) == 0, "all of the child's facts held");
	sigpending(&set);
	check(sigismember(&set, SIGUSR1), "parent: the signal is still pending");
	check(alarm(0) > 900, "parent: the alarm still runs");
	unlink("lock");
	return done();
}
