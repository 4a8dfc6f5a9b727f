// M1: memory with a name: memfd and its seals, System V shared memory, shared by processes that are no kin.
#include "guest.h"
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/msg.h>
#include <sys/shm.h>

static int shm, sem;

static void child(void) {
	char *m = shmat(shm, NULL, 0);
	struct sembuf down = {0, -1, 0}, up = {1, 1, 0};
	must(semop(sem, &down, 1), "semop");
	strcat(m, " and child");
	must(semop(sem, &up, 1), "semop");
}

int main(int argc, char **argv) {
	if (argc > 1) { // exec'd: a memfd came through
		char *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 9, 0);
		m[1] = 'y';
		return m[0] == 'x' ? 5 : 6;
	}
	int fd = must(memfd_create("tine", MFD_ALLOW_SEALING), "memfd_create");
	must(ftruncate(fd, PAGE), "ftruncate");
	char *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	m[0] = 'x';
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fd, 9);
		execl("/proc/self/exe", argv[0], "again", NULL);
		_exit(1);
	}
	check(reap(pid) == 5 << 8 && m[1] == 'y', "memfd: shared with a program that was exec'd");
	char link[64] = "";
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	readlink(path, link, sizeof link - 1);
	check(!strcmp(link, "/memfd:tine (deleted)"), "its link is %s", link);
	munmap(m, PAGE);
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE) == 0, "seals added");
	fails(ftruncate(fd, 0), EPERM, "shrink when sealed");
	fails(write(fd, "z", 1), EPERM, "write when sealed");
	fails((long)mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0), EPERM, "shared write mapping when sealed");
	check(fcntl(fd, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_WRITE), "seals read back");

	shm = must(shmget(IPC_PRIVATE, 2 * PAGE, IPC_CREAT | 0600), "shmget");
	sem = must(semget(IPC_PRIVATE, 2, IPC_CREAT | 0600), "semget");
	m = shmat(shm, NULL, 0);
	strcpy(m, "parent");
	if ((pid = fork()) == 0) {
		child();
		_exit(0);
	}
	struct sembuf up = {0, 1, 0}, down = {1, -1, 0};
	semop(sem, &up, 1);
	semop(sem, &down, 1);
	check(!strcmp(m, "parent and child"), "System V: %s", m);
	reap(pid);
	struct shmid_ds ds;
	shmctl(shm, IPC_STAT, &ds);
	check(ds.shm_nattch == 1 && ds.shm_segsz == 2 * PAGE, "one attached, two pages");
	shmctl(shm, IPC_RMID, NULL);
	check(m[0] == 'p', "removed, it lives while attached");
	shmdt(m);
	fails(shmctl(shm, IPC_STAT, &ds), EINVAL, "then it is gone");

	// SEM_UNDO gives back what a dead process took.
	semctl(sem, 0, SETVAL, 3);
	if ((pid = fork()) == 0) {
		struct sembuf take = {0, -2, SEM_UNDO};
		semop(sem, &take, 1);
		_exit(semctl(sem, 0, GETVAL));
	}
	check(reap(pid) == 1 << 8 && semctl(sem, 0, GETVAL) == 3, "SEM_UNDO gives back at exit");
	struct sembuf no = {0, -9, IPC_NOWAIT};
	fails(semop(sem, &no, 1), EAGAIN, "semop with IPC_NOWAIT");
	semctl(sem, 0, IPC_RMID);
	fails(semop(sem, &no, 1), EINVAL, "semop on a removed set");

	int q = must(msgget(IPC_PRIVATE, IPC_CREAT | 0600), "msgget");
	struct { long type; char text[16]; } one = {1, "one"}, two = {2, "two"}, got;
	msgsnd(q, &one, 4, 0);
	msgsnd(q, &two, 4, 0);
	check(msgrcv(q, &got, 16, 2, 0) == 4 && !strcmp(got.text, "two"), "message by type");
	check(msgrcv(q, &got, 16, 0, 0) == 4 && !strcmp(got.text, "one"), "message in order");
	fails(msgrcv(q, &got, 16, 0, IPC_NOWAIT), ENOMSG, "empty queue");
	msgctl(q, IPC_RMID, NULL);
	return done();
}
