// P4: POSIX timers, semaphore adjustments, locks of all memory, the parent-death signal and I/O counts are not the child's.
#include "guest.h"
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/timerfd.h>

static int sem, tfd;
static int timer; // the kernel's own number: libraries have theirs
static volatile sig_atomic_t fired;
static void handler(int sig) { fired++; }

// written is wchar of /proc/self/io, or -1 where the kernel has no such file.
static long written(void) { return proc_field("/proc/self/io", "wchar"); }

static void child(void) {
	struct itimerspec its;
	int sig = -1;
	fails(syscall(SYS_timer_gettime, timer, &its), EINVAL, "child: the POSIX timer");
	fails(syscall(SYS_timer_delete, timer), EINVAL, "child: to delete it");
	prctl(PR_GET_PDEATHSIG, &sig);
	check(sig == 0, "child: no parent-death signal");
	check(written() < 4096, "child: its count of bytes written starts anew");
	timerfd_gettime(tfd, &its);
	check(its.it_value.tv_sec > 400, "child: a timerfd is a file: the same description");
	check(proc_field("/proc/self/status", "VmLck") == 0, "child: no memory is locked, by MCL_FUTURE neither");
	char *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	m[0] = 1;
	check(proc_field("/proc/self/status", "VmLck") == 0, "child: nor are new mappings");
	usleep(30000);
	check(fired == 0, "child: the parent's timer does not go off here");
}

int main(void) {
	sem = must(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600), "semget");
	semctl(sem, 0, SETVAL, 3);
	struct sembuf take = {0, -2, SEM_UNDO};
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		semop(sem, &take, 1);
		if ((pid = fork()) == 0)
			_exit(0); // it has no adjustment to give back
		reap(pid);
		_exit(semctl(sem, 0, GETVAL));
	}
	check(reap(pid) == 1 << 8, "a child's end does not give back what its parent took");
	check(semctl(sem, 0, GETVAL) == 3, "the parent's end does");
	semctl(sem, 0, IPC_RMID);

	signal(SIGUSR1, handler);
	struct sigevent sev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	must(syscall(SYS_timer_create, CLOCK_MONOTONIC, &sev, &timer), "timer_create");
	struct itimerspec its = {{0, 0}, {0, 10000000}}, slow = {{0, 0}, {500, 0}};
	tfd = must(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd_create");
	timerfd_settime(tfd, 0, &slow, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	int null = open("/dev/null", O_WRONLY);
	static char buf[65536];
	write(null, buf, sizeof buf);
	long own = written();
	check(own == -1 || own >= 65536, "the parent has written 64 kB");
	mlockall(MCL_CURRENT | MCL_FUTURE);
	syscall(SYS_timer_settime, timer, 0, &its, NULL);
	check(in_child(child) == 0, "all of the child's facts held");
	munlockall();
	while (!fired)
		usleep(1000);
	check(fired == 1, "in the parent it went off");
	return done();
}
