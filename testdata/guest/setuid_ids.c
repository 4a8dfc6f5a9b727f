// X3: the set*id calls, as root and as another user: real, effective, saved; capabilities go when root goes.
// needs root
#include "guest.h"
#include <grp.h>

static void ids(uid_t r, uid_t e, uid_t s) {
	uid_t a, b, c;
	getresuid(&a, &b, &c);
	check(a == r && b == e && c == s, "uids are %d %d %d", r, e, s);
}

static void seteuid_and_back(void) {
	must(seteuid(1000), "seteuid");
	ids(0, 1000, 0);
	fails(setpriority(PRIO_PROCESS, 0, -5), EACCES, "a priority only root may set");
	check(seteuid(0) == 0, "the saved id allows going back");
	ids(0, 0, 0);
}

static void setuid_for_good(void) {
	must(setgid(65534), "setgid");
	must(setuid(65534), "setuid");
	ids(65534, 65534, 65534);
	fails(setuid(0), EPERM, "setuid(0) after it");
	fails(seteuid(0), EPERM, "seteuid(0) after it");
	fails(setgid(0), EPERM, "setgid(0) after it");
	fails(setgroups(0, NULL), EPERM, "setgroups");
	fails(kill(getppid(), SIGTERM), EPERM, "kill of root's process");
	fails(chroot("/"), EPERM, "chroot");
	fails(open("/etc/shadow", O_RDONLY), EACCES, "open of /etc/shadow");
	fails(open("/etc/passwd", O_WRONLY), EACCES, "open of /etc/passwd to write");
	check(proc_field("/proc/self/status", "Uid") == 65534, "/proc/self/status");
}

static void three_ids(void) {
	must(setresuid(1, 2, 3), "setresuid");
	ids(1, 2, 3);
	fails(setresuid(4, -1, -1), EPERM, "setresuid to a fourth");
	check(setresuid(-1, 3, -1) == 0, "effective from saved");
	ids(1, 3, 3);
	check(setreuid(3, 1) == 0, "setreuid swaps");
	ids(3, 1, 1);
	check(setuid(3) == 0, "setuid of a plain user sets the effective id");
	ids(3, 3, 1);
}

static void groups(void) {
	gid_t g[3] = {10, 20, 30}, got[8];
	must(setgroups(3, g), "setgroups");
	check(getgroups(8, got) == 3 && got[2] == 30, "getgroups");
	fails(getgroups(1, got), EINVAL, "getgroups into too little");
	must(setresgid(5, 6, 7), "setresgid");
	gid_t a, b, c;
	getresgid(&a, &b, &c);
	check(a == 5 && b == 6 && c == 7, "gids are 5 6 7");
	int fd = open("gidfile", O_CREAT | O_WRONLY, 0600);
	struct stat st;
	fstat(fd, &st);
	check(st.st_gid == 6 && st.st_uid == 0, "a new file belongs to the effective ids");
	unlink("gidfile");
}

static void fsuid(void) {
	int fd = open("fsfile", O_CREAT | O_WRONLY, 0600);
	close(fd);
	syscall(SYS_setfsuid, 1234);
	check(syscall(SYS_setfsuid, -1) == 1234, "setfsuid is read back");
	fails(open("fsfile", O_RDONLY), EACCES, "open by the file system id");
	syscall(SYS_setfsuid, 0);
	check(open("fsfile", O_RDONLY) >= 0, "open as root again");
	unlink("fsfile");
}

int main(void) {
	ids(0, 0, 0);
	check(in_child(seteuid_and_back) == 0, "seteuid");
	check(in_child(setuid_for_good) == 0, "setuid");
	check(in_child(three_ids) == 0, "setresuid");
	check(in_child(groups) == 0, "groups");
	check(in_child(fsuid) == 0, "fsuid");
	ids(0, 0, 0);
	return done();
}
