// P4: record locks belong to a process, are not inherited and fall at any close; OFD locks and flock belong to the description.
#include "guest.h"
#include <sys/file.h>

static int fd;

static int lock(int f, int cmd, int type, off_t at, off_t len) {
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = len};
	return fcntl(f, cmd, &l);
}
static void child_of_lock(void) {
	fails(lock(fd, F_SETLK, F_WRLCK, 5, 1), EAGAIN, "child: the same place");
	check(lock(fd, F_SETLK, F_WRLCK, 10, 5) == 0, "child: the place behind it");
	struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 100};
	fcntl(fd, F_GETLK, &l);
	check(l.l_type == F_WRLCK && l.l_pid == getppid() && l.l_start == 0 && l.l_len == 10, "child: F_GETLK tells who has what");
}
static void child_after_close(void) { check(lock(fd, F_SETLK, F_WRLCK, 0, 10) == 0, "child: now it is free"); }
static void child_flock(void) {
	check(flock(fd, LOCK_EX | LOCK_NB) == 0, "child: the inherited description has the flock");
	int other = open("locks", O_RDWR);
	fails(flock(other, LOCK_SH | LOCK_NB), EAGAIN, "child: another description has not");
}
static void child_flock_gone(void) {
	int other = open("locks", O_RDWR);
	check(flock(other, LOCK_EX | LOCK_NB) == 0, "child: unlocked for all");
}

int main(void) {
	fd = must(open("locks", O_RDWR | O_CREAT | O_TRUNC, 0600), "open");
	check(lock(fd, F_SETLK, F_WRLCK, 0, 10) == 0, "write lock of ten bytes");
	check(in_child(child_of_lock) == 0, "record locks are not inherited");
	check(lock(fd, F_SETLK, F_RDLCK, 3, 3) == 0, "part of it becomes a read lock");
	close(open("locks", O_RDONLY));
	check(in_child(child_after_close) == 0, "closing any descriptor of the file drops all");

	// One waits for another; two that wait for each other are told.
	gate up = new_gate();
	must(lock(fd, F_SETLK, F_WRLCK, 0, 1), "F_SETLK");
	pid_t pid = fork();
	if (pid == 0) {
		lock(fd, F_SETLK, F_WRLCK, 1, 1);
		gate_open(up);
		int r = lock(fd, F_SETLKW, F_WRLCK, 0, 1);
		_exit(r == 0 ? 0 : 1);
	}
	gate_pass(up);
	wait_state(pid, 'S');
	fails(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK, "a circle of two");
	lock(fd, F_SETLK, F_UNLCK, 0, 1);
	check(reap(pid) == 0, "the waiter gets it when it is given back");

	// Locks end with their process.
	if ((pid = fork()) == 0) {
		lock(fd, F_SETLK, F_WRLCK, 0, 0);
		_exit(0);
	}
	reap(pid);
	check(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0, "a dead process holds no lock");
	lock(fd, F_SETLK, F_UNLCK, 0, 0);

	int a = open("locks", O_RDWR), b = open("locks", O_RDWR);
	check(lock(a, F_OFD_SETLK, F_WRLCK, 0, 4) == 0, "OFD lock");
	fails(lock(b, F_OFD_SETLK, F_WRLCK, 0, 4), EAGAIN, "another description of the same process");
	close(a);
	check(lock(b, F_OFD_SETLK, F_WRLCK, 0, 4) == 0, "closed, it is free");
	close(b);

	check(flock(fd, LOCK_EX) == 0, "flock");
	check(in_child(child_flock) == 0, "flock goes with the description");
	int d = dup(fd);
	flock(d, LOCK_UN);
	check(in_child(child_flock_gone) == 0, "a duplicate unlocks it");
	fails(lock(open("locks", O_RDONLY), F_SETLK, F_WRLCK, 0, 1), EBADF, "write lock of a descriptor to read");
	unlink("locks");
	return done();
}
