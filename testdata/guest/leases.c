// G1: leases: who may have one, what breaks it, how the holder is told, and who waits.
#include "guest.h"
#include <sys/syscall.h>

static const char *type(int t) { return t == F_RDLCK ? "read" : t == F_WRLCK ? "write" : t == F_UNLCK ? "none" : "an error"; }

// try prints what a lease gives.
static void try(const char *what, int fd, int t) {
	int r = fcntl(fd, F_SETLEASE, t), e = errno;
	printf("%s: %s lease: %s, then %s\n", what, type(t), r == 0 ? "granted" : errname(e), type(fcntl(fd, F_GETLEASE)));
}

static int fresh(int flags) {
	int fd = must(open("leased", flags | O_CREAT, 0644), "open");
	return fd;
}

static volatile sig_atomic_t told;
static int code, band_ok, fd_is;
static void on_break(int sig, siginfo_t *si, void *ctx) { told = sig, code = si->si_code, band_ok = si->si_band == (0x1 | 0x40 | 0x400), fd_is = si->si_fd; }

static void show_locks(const char *when) {
	char line[256];
	FILE *f = fopen("/proc/locks", "r");
	struct stat st;
	must(stat("leased", &st), "stat");
	while (f && fgets(line, sizeof line, f)) {
		char kind[16], state[16], mode[16], place[64], start[16], end[16];
		long pid, ino = 0;
		if (sscanf(line, "%*d: %15s %15s %15s %ld %63s %15s %15s", kind, state, mode, &pid, place, start, end) != 7)
			continue;
		sscanf(strrchr(place, ':') + 1, "%ld", &ino);
		if (ino == (long)st.st_ino && !strcmp(kind, "LEASE"))
			printf("%s: %s %s %s %s %s\n", when, kind, state, mode, start, end);
	}
	if (f)
		fclose(f);
}

static void who_may(void) {
	int r = fresh(O_RDONLY), p[2];
	try("open for reading", r, F_RDLCK);
	try("again", r, F_RDLCK);
	try("the only one", r, F_WRLCK);
	try("down again", r, F_RDLCK);
	int r2 = open("leased", O_RDONLY);
	try("another reader", r2, F_RDLCK);
	try("two readers", r, F_WRLCK);
	try("given up", r, F_UNLCK);
	try("given up twice", r, F_UNLCK);
	close(r2);
	int w = open("leased", O_RDWR);
	try("open for writing", r, F_RDLCK);
	try("the writer", w, F_RDLCK);
	try("a reader too", w, F_WRLCK);
	close(r);
	try("the writer alone", w, F_WRLCK);
	int d = dup(w);
	check(fcntl(d, F_GETLEASE) == F_WRLCK, "a duplicate has the lease");
	try("by the duplicate", d, F_UNLCK);
	close(d);
	try("an unknown kind", w, 77);
	close(w);
	must(pipe(p), "pipe");
	try("a pipe", p[0], F_RDLCK);
	int dir = open(".", O_RDONLY);
	try("a folder", dir, F_RDLCK);
	close(dir);
	int o = open("leased", O_PATH);
	try("O_PATH", o, F_RDLCK);
	close(o);
}

// broken shows how one way of opening breaks one kind of lease.
static void broken(const char *what, int lease, int flags) {
	struct sigaction sa = {.sa_sigaction = on_break, .sa_flags = SA_SIGINFO};
	sigaction(SIGIO, &sa, NULL);
	sigaction(SIGRTMIN, &sa, NULL);
	sigset_t io;
	sigemptyset(&io);
	sigaddset(&io, SIGIO), sigaddset(&io, SIGRTMIN);
	int fd = fresh(O_RDONLY);
	if (lease == F_RDLCK)
		fcntl(fd, F_SETSIG, SIGRTMIN);
	must(fcntl(fd, F_SETLEASE, lease), "lease");
	told = 0;
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		int n = open("leased", flags | O_NONBLOCK), e = errno;
		if (n >= 0)
			printf("%s: O_NONBLOCK: opened\n", what);
		else
			printf("%s: O_NONBLOCK: %s\n", what, errname(e));
		n = open("leased", flags);
		_exit(n >= 0 ? 7 : 1);
	}
	sigprocmask(SIG_BLOCK, &io, NULL);
	struct timespec second = {1, 0};
	siginfo_t si = {0};
	int sig = sigtimedwait(&io, &si, &second);
	if (sig > 0)
		on_break(sig, &si, NULL);
	sigprocmask(SIG_UNBLOCK, &io, NULL);
	if (!told) {
		printf("%s: nobody is told; child %x\n", what, reap(pid));
	} else {
		while (proc_state(pid) != 'S')
			usleep(1000);
		printf("%s: told by %s, now %s\n", what, told == SIGIO ? "SIGIO" : "SIGRTMIN", type(fcntl(fd, F_GETLEASE)));
		if (told != SIGIO)
			check(code == POLL_MSG && band_ok && fd_is == fd, "siginfo says which file");
		show_locks(what);
		try(what, fd, fcntl(fd, F_GETLEASE));
		check(reap(pid) == 0x700, "the child has opened it");
	}
	close(fd);
}

static void other_ways(void) {
	int fd = fresh(O_RDONLY), st;
	must(fcntl(fd, F_SETLEASE, F_RDLCK), "lease");
	show_locks("held");
	pid_t pid = must(fork(), "fork");
	if (pid == 0)
		_exit(close(fd) == 0 && truncate("leased", 100) == 0 ? 3 : 1);
	while (fcntl(fd, F_GETLEASE) != F_UNLCK)
		usleep(1000);
	close(fd); // gives it up
	check(reap(pid) == 0x300, "truncate waits until the file is closed");
	fd = fresh(O_RDONLY);
	must(fcntl(fd, F_SETLEASE, F_WRLCK), "lease");
	if ((pid = must(fork(), "fork")) == 0) {
		struct sigaction sa = {.sa_handler = SIG_DFL};
		sigaction(SIGALRM, &sa, NULL);
		_exit(rename("leased", "leased2") == 0 && rename("leased2", "leased") == 0 && chmod("leased", 0600) == 0 && stat("leased", &(struct stat){0}) == 0 ? 3 : 1);
	}
	check(reap(pid) == 0x300 && fcntl(fd, F_GETLEASE) == F_WRLCK, "rename, chmod and stat break nothing");
	if ((pid = must(fork(), "fork")) == 0) {
		int r = open("leased", O_RDONLY);
		_exit(r >= 0);
	}
	while (proc_state(pid) != 'S' || fcntl(fd, F_GETLEASE) != F_RDLCK)
		usleep(1000);
	kill(pid, SIGTERM);
	st = reap(pid);
	check(st == SIGTERM, "a signal ends the wait");
	try("afterwards", fd, F_RDLCK);
	close(fd);
	unlink("leased");
}

int main(void) {
	signal(SIGIO, SIG_IGN);
	who_may();
	broken("read by a reader", F_RDLCK, O_RDONLY);
	broken("read by a writer", F_RDLCK, O_WRONLY);
	broken("write by a reader", F_WRLCK, O_RDONLY);
	broken("write by a writer", F_WRLCK, O_RDWR);
	signal(SIGIO, SIG_IGN);
	other_ways();
	return done();
}
