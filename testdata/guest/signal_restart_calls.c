// G1: call by call: which go on after a handler with SA_RESTART and which give EINTR all the same, as signal(7) lists them.
#include "guest.h"
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

static volatile sig_atomic_t hits;
static void handler(int sig) { hits++; }

static int p[2], s[2], d[2], lsock, ep, ev, tfd, ino, sfd, lockfd, sem, q, word;
static struct sembuf down = {0, -1, 0};
static struct { long type; char text[8]; } msg;
static pid_t child;
static siginfo_t si;
static sigset_t none;
static struct timespec hour = {3600, 0};

// Each call blocks for ever: a second signal, whose handler does not restart
// and jumps nowhere, ends those that were restarted by the first.
static void c_read_pipe(void) { read(p[0], &word, 1); }
static void c_read_event(void) { read(ev, &hour, 8); }
static void c_read_timer(void) { read(tfd, &hour, 8); }
static void c_read_signal(void) { char b[128]; read(sfd, b, 128); }
static void c_read_inotify(void) { char b[128]; read(ino, b, 128); }
static void c_write_pipe(void) { static char b[200000]; write(d[1], b, sizeof b); }
static void c_recv(void) { recv(s[0], &word, 1, 0); }
static void c_recvmsg(void) { struct iovec v = {&word, 1}; struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1}; recvmsg(s[0], &m, 0); }
static void c_accept(void) { accept(lsock, NULL, NULL); }
static void c_wait4(void) { waitpid(child, NULL, 0); }
static void c_waitid(void) { waitid(P_PID, child, &si, WEXITED); }
static void c_flock(void) { flock(lockfd, LOCK_EX); }
static void c_setlkw(void) { struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET}; fcntl(lockfd, F_SETLKW, &l); }
static void c_open_fifo(void) { open("fifo", O_RDONLY); }
static void c_futex(void) { syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0); }
static void c_mqsem(void) { semop(sem, &down, 1); }
static void c_semtimed(void) { syscall(SYS_semtimedop, sem, &down, 1, &hour); }
static void c_msgrcv(void) { msgrcv(q, &msg, 8, 0, 0); }
static void c_poll(void) { struct pollfd f = {p[0], POLLIN, 0}; poll(&f, 1, -1); }
static void c_ppoll(void) { struct pollfd f = {p[0], POLLIN, 0}; ppoll(&f, 1, NULL, NULL); }
static void c_select(void) { fd_set r; FD_ZERO(&r); FD_SET(p[0], &r); select(p[0] + 1, &r, NULL, NULL, NULL); }
static void c_pselect(void) { fd_set r; FD_ZERO(&r); FD_SET(p[0], &r); pselect(p[0] + 1, &r, NULL, NULL, NULL, &none); }
static void c_epoll(void) { struct epoll_event e; epoll_wait(ep, &e, 1, -1); }
static void c_pause(void) { pause(); }
static void c_suspend(void) { sigsuspend(&none); }
static void c_sigwait(void) { sigset_t u; sigemptyset(&u); sigaddset(&u, SIGUSR2); syscall(SYS_rt_sigtimedwait, &u, &si, NULL, 8); }
static void c_sigtimed(void) { sigset_t u; sigemptyset(&u); sigaddset(&u, SIGUSR2); syscall(SYS_rt_sigtimedwait, &u, &si, &hour, 8); }
static void c_nanosleep(void) { syscall(SYS_nanosleep, &hour, NULL); }
static void c_clock(void) { syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &hour, NULL); }
static void c_clock_abs(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); t.tv_sec += 3600; syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL); }
static void c_recv_timeo(void) { struct timeval t = {3600, 0}; setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t); errno = 0; recv(s[0], &word, 1, 0); }

static const struct { const char *name; void (*call)(void); } calls[] = {
	{"read of a pipe", c_read_pipe}, {"read of an eventfd", c_read_event}, {"read of a timerfd", c_read_timer},
	{"read of a signalfd", c_read_signal}, {"read of an inotify", c_read_inotify}, {"write to a full pipe", c_write_pipe},
	{"recv", c_recv}, {"recvmsg", c_recvmsg}, {"accept", c_accept}, {"wait4", c_wait4}, {"waitid", c_waitid}, {"flock", c_flock},
	{"fcntl F_SETLKW", c_setlkw}, {"open of a FIFO", c_open_fifo}, {"futex", c_futex}, {"semop", c_mqsem}, {"semtimedop", c_semtimed},
	{"msgrcv", c_msgrcv}, {"poll", c_poll}, {"ppoll", c_ppoll}, {"select", c_select}, {"pselect", c_pselect}, {"epoll_wait", c_epoll},
	{"pause", c_pause}, {"sigsuspend", c_suspend}, {"sigwaitinfo", c_sigwait}, {"sigtimedwait", c_sigtimed}, {"nanosleep", c_nanosleep},
	{"clock_nanosleep", c_clock}, {"clock_nanosleep to a point", c_clock_abs}, {"recv with SO_RCVTIMEO", c_recv_timeo},
};

// try runs one call in a process of its own. SIGUSR1's handler restarts,
// SIGALRM's does not. "restarts" is a call that the first did not end.
static void try(const char *name, void (*call)(void)) {
	gate up = new_gate();
	int *after = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
		sigaction(SIGUSR1, &sa, NULL);
		sa.sa_flags = 0;
		sigaction(SIGALRM, &sa, NULL);
		signal(SIGWINCH, SIG_DFL);
		child = fork();
		if (child == 0)
			for (;;)
				pause();
		gate_open(up);
		call();
		int e = errno;
		after[0] = hits;
		after[1] = e;
		kill(child, SIGKILL);
		_exit(0);
	}
	gate_pass(up);
	char path[64], line[64];
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	wait_state(pid, 'S');
	kill(pid, SIGWINCH); // ignored by default: disturbs nobody
	kill(pid, SIGUSR1);
	// The handler has run when SIGUSR1 is pending no more and the process sleeps again, or has ended.
	for (int i = 0; i < 4000; i++) {
		FILE *f = fopen(path, "r");
		long pending = 0;
		while (f && fgets(line, sizeof line, f))
			if (!strncmp(line, "ShdPnd:", 7) || !strncmp(line, "SigPnd:", 7))
				pending |= strtol(line + 8, NULL, 16);
		if (f)
			fclose(f);
		if (!pending)
			break;
		usleep(500);
	}
	usleep(1000);
	for (int i = 0; i < 20000 && proc_state(pid) != 'S' && proc_state(pid) != 'Z'; i++)
		usleep(500);
	kill(pid, SIGALRM);
	reap(pid);
	check(1, "%s: %s, %s", name, after[0] == 2 ? "goes on after SA_RESTART" : "ends in spite of SA_RESTART", errname(after[1]));
	munmap(after, PAGE);
	close(up.r);
	close(up.w);
}

int main(void) {
	static char fill[1 << 20];
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "restart.sock"};
	pipe(p);
	pipe(d);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	lsock = socket(AF_UNIX, SOCK_STREAM, 0);
	must(bind(lsock, (void *)&a, sizeof a), "bind");
	listen(lsock, 1);
	ep = epoll_create1(0);
	ev = eventfd(0, 0);
	tfd = timerfd_create(CLOCK_MONOTONIC, 0);
	ino = inotify_init1(0);
	sigset_t usr2;
	sigemptyset(&usr2);
	sigemptyset(&none);
	sigaddset(&usr2, SIGUSR2);
	sigprocmask(SIG_BLOCK, &usr2, NULL);
	sfd = signalfd(-1, &usr2, 0);
	must(mkfifo("fifo", 0600), "mkfifo");
	fcntl(d[1], F_SETFL, O_NONBLOCK);
	write(d[1], fill, sizeof fill);
	fcntl(d[1], F_SETFL, 0);
	int holder = must(open("lock", O_RDWR | O_CREAT, 0600), "open");
	flock(holder, LOCK_EX);
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	fcntl(holder, F_SETLK, &l);
	lockfd = open("lock", O_RDWR);
	sem = must(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600), "semget");
	q = must(msgget(IPC_PRIVATE, IPC_CREAT | 0600), "msgget");
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		try(calls[i].name, calls[i].call);
	semctl(sem, 0, IPC_RMID);
	msgctl(q, IPC_RMID, NULL);
	unlink("fifo");
	unlink("lock");
	unlink("restart.sock");
	return done();
}
