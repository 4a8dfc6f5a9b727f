// P2, X3: unshare and setns of mount, UTS, IPC, user and network namespaces: each is a copy or a fresh one, and can be joined again by file.
// needs root
// needs namespaces
#include "guest.h"
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/utsname.h>

static const char *host(void) {
	static struct utsname u;
	uname(&u);
	return u.nodename;
}

static void uts(void) {
	char before[65];
	strcpy(before, host());
	int old = must(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC), "open of ns/uts");
	must(unshare(CLONE_NEWUTS), "unshare(CLONE_NEWUTS)");
	check(!strcmp(host(), before), "UTS: a copy of the name");
	sethostname("tinehost", 8);
	check(!strcmp(host(), "tinehost"), "UTS: changed");
	check(setns(old, CLONE_NEWUTS) == 0 && !strcmp(host(), before), "UTS: setns goes back to the old one");
	char a[64] = "", b[64] = "";
	readlink("/proc/self/ns/uts", a, 63);
	must(unshare(CLONE_NEWUTS), "unshare");
	readlink("/proc/self/ns/uts", b, 63);
	check(!strncmp(a, "uts:[", 5) && strcmp(a, b), "UTS: the links name two namespaces");
}
static void mnt(void) {
	struct stat st;
	must(mkdir("m", 0755), "mkdir");
	int p[2];
	pipe(p);
	pid_t pid = fork();
	if (pid == 0) {
		must(unshare(CLONE_NEWNS), "unshare(CLONE_NEWNS)");
		must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make private");
		must(mount("none", "m", "tmpfs", 0, NULL), "mount");
		close(open("m/inside", O_CREAT | O_WRONLY, 0600));
		write(p[1], "x", 1);
		pause();
	}
	char c, path[64];
	read(p[0], &c, 1);
	fails(stat("m/inside", &st), ENOENT, "mount: what another namespace has mounted");
	snprintf(path, sizeof path, "/proc/%d/ns/mnt", pid);
	char cwd[PATH_MAX];
	getcwd(cwd, sizeof cwd);
	check(setns(must(open(path, O_RDONLY), "open of ns/mnt"), CLONE_NEWNS) == 0, "mount: setns");
	must(chdir(cwd), "chdir");
	check(stat("m/inside", &st) == 0, "mount: after setns it is there");
	kill(pid, SIGKILL);
	reap(pid);
}
static void ipc(void) {
	int id = must(shmget(0x7e57, PAGE, IPC_CREAT | 0600), "shmget");
	pid_t pid = fork();
	if (pid == 0) {
		must(unshare(CLONE_NEWIPC), "unshare(CLONE_NEWIPC)");
		fails(shmget(0x7e57, PAGE, 0600), ENOENT, "IPC: a fresh namespace has no segment");
		check(shmget(0x7e57, PAGE, IPC_CREAT | IPC_EXCL | 0600) >= 0, "IPC: the same key is free in it");
		_exit(done());
	}
	check(reap(pid) == 0, "IPC namespace");
	shmctl(id, IPC_RMID, NULL);
}
static void net(void) {
	must(unshare(CLONE_NEWNET), "unshare(CLONE_NEWNET)");
	struct ifreq r = {0};
	int s = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	strcpy(r.ifr_name, "lo");
	check(ioctl(s, SIOCGIFFLAGS, &r) == 0 && !(r.ifr_flags & IFF_UP), "network: lo is there, and down");
	strcpy(r.ifr_name, "eth0");
	fails(ioctl(s, SIOCGIFFLAGS, &r), ENODEV, "network: no other interface");
}
static void user(void) {
	must(setresgid(1000, 1000, 1000), "setresgid");
	must(setresuid(1000, 1000, 1000), "setresuid");
	prctl(PR_SET_DUMPABLE, 1); // or its files in /proc are root's
	fails(unshare(CLONE_NEWUTS), EPERM, "user: a plain user may make no UTS namespace");
	must(unshare(CLONE_NEWUSER), "unshare(CLONE_NEWUSER)");
	check(getuid() == 65534 && getgid() == 65534, "user: without a map the ids are the overflow ids");
	int fd = open("/proc/self/setgroups", O_WRONLY);
	check(write(fd, "deny", 4) == 4, "user: setgroups deny");
	close(fd);
	fd = open("/proc/self/uid_map", O_WRONLY);
	check(write(fd, "0 1000 1", 8) == 8, "user: uid_map");
	close(fd);
	fd = open("/proc/self/gid_map", O_WRONLY);
	check(write(fd, "0 1000 1", 8) == 8, "user: gid_map");
	close(fd);
	check(getuid() == 0 && getgid() == 0, "user: mapped, it is root inside");
	check(unshare(CLONE_NEWUTS) == 0 && sethostname("inner", 5) == 0, "user: root inside may make and change a UTS namespace");
	fd = open("userfile", O_CREAT | O_WRONLY, 0600);
	check(fd == -1 && errno == EACCES, "user: but not write where user 1000 may not");
	fails(setuid(5), EINVAL, "user: an id without a map");
	struct stat st;
	stat("/usr", &st);
	check(st.st_uid == 65534, "user: files of root outside belong to the overflow id");
}
static void link_of(const char *ns, char *text) {
	char path[64];
	snprintf(path, sizeof path, "/proc/self/ns/%s", ns);
	must(readlink(path, text, 63), "readlink");
}
// A time namespace is for children; an exec, whose address space is new, goes there as well.
static void clocks(void) {
	char before[64] = "", now[64] = "", next[64] = "";
	link_of("time", before);
	must(unshare(0x80 /* CLONE_NEWTIME */), "unshare(CLONE_NEWTIME)");
	link_of("time", now);
	link_of("time_for_children", next);
	check(!strcmp(before, now), "time: the caller stays");
	check(strcmp(before, next), "time: its children do not");
	setenv("NEXT", next, 1);
	execl("/bin/sh", "sh", "-c", "test \"$(readlink /proc/$$/ns/time)\" = \"$NEXT\"", NULL);
	_exit(9);
}
static void refuses(void) {
	fails(unshare(0x1), EINVAL, "unshare: a bit without a meaning");
	check(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM) == 0, "unshare: FS, FILES, SYSVSEM");
	fails(setns(open("/proc/self/ns/uts", O_RDONLY), CLONE_NEWNET), EINVAL, "setns: of another kind");
	fails(setns(open("/proc/self/ns/user", O_RDONLY), 0), EINVAL, "setns: into one's own user namespace");
	int pf = syscall(SYS_pidfd_open, getpid(), 0);
	check(setns(pf, CLONE_NEWUTS | CLONE_NEWNS) == 0, "setns: two kinds by a pidfd");
}

int main(void) {
	check(in_child(uts) == 0, "UTS");
	check(in_child(mnt) == 0, "mount");
	rmdir("m");
	check(in_child(ipc) == 0, "IPC");
	check(in_child(net) == 0, "network");
	check(in_child(user) == 0, "user");
	check(in_child(clocks) == 0, "time");
	check(in_child(refuses) == 0, "refusals");
	return done();
}
