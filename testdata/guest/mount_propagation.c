// P2, X1: mount propagation: shared, slave, private and unbindable mounts, peer groups in mountinfo, namespaces as peers and slaves; moves, pivot_root, lazy and expiring umounts.
// needs root
// needs namespaces
#include "guest.h"
#include <sys/mount.h>

enum { BIND = MS_BIND, REC = MS_REC };

// props gives the optional fields of a mount, with letters for the numbers of groups in order of appearance.
static int groups[26], ngroups;
static char *props(const char *name) {
	static char out[256], line[4096], path[PATH_MAX];
	char *want = realpath(name, path);
	FILE *f = fopen("/proc/self/mountinfo", "r");
	strcpy(out, "not mounted");
	while (want && fgets(line, sizeof line, f)) {
		char point[PATH_MAX], *p = line;
		sscanf(line, "%*s %*s %*s %*s %s", point);
		if (strcmp(point, want))
			continue;
		out[0] = 0;
		for (int i = 0; i < 6; i++)
			p = strchr(p, ' ') + 1;
		for (char *w = strtok(p, " "); strcmp(w, "-"); w = strtok(NULL, " ")) {
			char *colon = strchr(w, ':');
			if (colon) {
				int id = atoi(colon + 1), g = 0;
				while (g < ngroups && groups[g] != id)
					g++;
				if (g == ngroups)
					groups[ngroups++] = id;
				sprintf(out + strlen(out), "%.*s:%c ", (int)(colon - w), w, 'A' + g);
			} else
				sprintf(out + strlen(out), "%s ", w);
		}
	}
	fclose(f);
	return out;
}
static void show(const char *name) { printf("  %s: %s\n", name, props(name)); }
static int mounted(const char *name) { return strcmp(props(name), "not mounted") != 0; }

static void tmpfs(const char *at) {
	mkdir(at, 0755);
	must(mount("none", at, "tmpfs", 0, NULL), at);
	char sub[4][64];
	for (int i = 0; i < 4; i++) {
		snprintf(sub[i], 64, "%s/%c", at, "xyzt"[i]);
		mkdir(sub[i], 0755);
	}
}
static void bind(const char *from, const char *to) {
	mkdir(to, 0755);
	must(mount(from, to, NULL, MS_BIND, NULL), to);
}
static int type(const char *name, unsigned long flags) { return mount(NULL, name, NULL, flags, NULL); }
static void gone(const char *name) { must(umount2(name, MNT_DETACH), name); }

static void peers(void) {
	tmpfs("a");
	bind("a", "b");
	show("a");
	tmpfs("a/x");
	check(!mounted("b/x"), "private: nothing is seen elsewhere");
	gone("a/x"), gone("b");
	must(type("a", MS_SHARED), "shared");
	check(type("a", MS_SHARED) == 0, "shared twice");
	bind("a", "b");
	show("a"), show("b");
	tmpfs("a/x");
	check(mounted("b/x"), "shared: it is seen at the peer");
	show("a/x"), show("b/x");
	tmpfs("b/x/y");
	check(mounted("a/x/y"), "and in what was mounted there, in the other direction");
	fails(umount("a/x"), EBUSY, "umount of what something is mounted on");
	check(umount("a/x/y") == 0 && !mounted("b/x/y"), "umount goes both ways");
	check(umount("b/x") == 0 && !mounted("a/x"), "and back");

	must(type("b", MS_SLAVE), "slave");
	show("a"), show("b");
	tmpfs("a/x");
	tmpfs("b/y");
	check(mounted("b/x") && !mounted("a/y"), "a slave receives and does not give");
	show("b/x"), show("b/y");
	must(umount("a/x"), "umount");
	check(!mounted("b/x"), "umounts as well");
	must(type("b", MS_SHARED), "shared");
	bind("b", "c");
	show("b"), show("c");
	tmpfs("a/z");
	show("a/z"), show("b/z"), show("c/z");
	tmpfs("c/t");
	check(mounted("b/t") && !mounted("a/t"), "slave and shared");
	gone("a/z");
	check(!mounted("b/z") && !mounted("c/z"), "umount reaches the slave's peers");
	must(type("a", MS_PRIVATE), "private");
	show("a"), show("b"), show("c");
	must(type("c", MS_SLAVE), "slave");
	must(type("b", MS_SLAVE), "a slave of what is left: nothing");
	show("b"), show("c");
	gone("c"), gone("b"), gone("a");
}

static void chain(void) {
	tmpfs("a");
	type("a", MS_SHARED);
	bind("a", "b");
	type("b", MS_SLAVE), type("b", MS_SHARED);
	bind("b", "c");
	type("c", MS_SLAVE), type("c", MS_SHARED);
	bind("c", "d");
	type("d", MS_SLAVE);
	show("a"), show("b"), show("c"), show("d");
	tmpfs("a/x");
	show("a/x"), show("b/x"), show("c/x"), show("d/x");
	gone("c");
	show("d"), show("d/x");
	tmpfs("a/y");
	check(mounted("d/y"), "the slave's slave, without what was between");
	umount("a/y");
	check(!mounted("d/y"), "and back");
	gone("b"), gone("a");
	show("d");
	gone("d");
}

static void unbindable(void) {
	tmpfs("a");
	tmpfs("a/x");
	must(type("a/x", MS_UNBINDABLE), "unbindable");
	show("a/x");
	mkdir("b", 0755);
	fails(mount("a/x", "b", NULL, BIND, NULL), EINVAL, "bind of an unbindable mount");
	fails(mount("a/x/y", "b", NULL, BIND, NULL), EINVAL, "of a folder of one");
	tmpfs("a/y");
	must(mount("a", "b", NULL, BIND | REC, NULL), "rbind");
	check(!mounted("b/x") && mounted("b/y"), "rbind leaves it out");
	gone("b");
	bind("a", "b");
	check(!mounted("b/y"), "bind leaves out all that is mounted below");
	gone("b");
	must(type("a/x", MS_SLAVE), "slave");
	show("a/x");
	must(type("a/x", MS_SHARED), "shared");
	show("a/x");
	must(type("a", MS_SHARED | REC), "rshared");
	show("a"), show("a/x"), show("a/y");
	must(type("a", MS_SLAVE | REC), "rslave");
	show("a"), show("a/y");
	fails(type("a", MS_SHARED | MS_PRIVATE), EINVAL, "two types");
	fails(type("a", MS_SHARED | MS_NODEV), EINVAL, "another flag");
	check(type("a", MS_PRIVATE | MS_SILENT) == 0, "but MS_SILENT");
	fails(type("a/z", MS_SHARED), EINVAL, "no mount");
	fails(type("a/none", MS_SHARED), ENOENT, "no name");
	gone("a");
}

static void moves(void) {
	tmpfs("a");
	tmpfs("a/x");
	type("a", MS_SHARED);
	bind("a", "b");
	check(!mounted("b/x"), "bind alone");
	mkdir("to", 0755);
	fails(mount("a/x", "to", NULL, MS_MOVE, NULL), EINVAL, "move from a shared mount");
	tmpfs("p");
	tmpfs("p/x");
	type("p/x", MS_UNBINDABLE);
	fails(mount("p", "a/y", NULL, MS_MOVE, NULL), EINVAL, "move of an unbindable mount to a shared one");
	type("p/x", MS_PRIVATE);
	check(mount("p", "a/y", NULL, MS_MOVE, NULL) == 0 && mounted("b/y") && mounted("b/y/x") && !mounted("p"), "move to a shared mount");
	show("a/y"), show("b/y"), show("b/y/x");
	fails(mount("a", "a/y/x", NULL, MS_MOVE, NULL), ELOOP, "move below itself");
	must(mount("a", "a/z", NULL, BIND | REC, NULL), "rbind into itself");
	show("a/z"), show("b/z"), show("a/z/y"), show("b/z/y/x"), show("a/z/z");
	gone("a"), gone("b");
	rmdir("to"), rmdir("p");
}

// What stands on both sides in turn.
static void covered(void) {
	tmpfs("a");
	type("a", MS_SHARED);
	bind("a", "b");
	type("b", MS_SLAVE);
	tmpfs("b/t");
	close(open("b/t/mine", O_CREAT | O_WRONLY, 0600));
	tmpfs("a/t");
	close(open("a/t/master", O_CREAT | O_WRONLY, 0600));
	check(access("b/t/mine", F_OK) == 0, "what a slave has mounted stays on top");
	must(umount("a/t"), "umount");
	check(access("b/t/mine", F_OK) == 0, "also when what is below goes");
	tmpfs("a/t");
	close(open("a/t/master", O_CREAT | O_WRONLY, 0600));
	must(umount("b/t"), "umount of the slave's");
	check(access("b/t/master", F_OK) == 0, "below it is the master's");
	tmpfs("b/t/x");
	must(umount("a/t"), "umount");
	check(mounted("b/t") && mounted("b/t/x"), "the slave keeps what it has mounted something on");
	gone("b/t");
	tmpfs("a/x");
	int fd = open("b/x", O_RDONLY);
	fails(umount("a/x"), EBUSY, "umount while it is in use at the slave");
	check(umount2("a/x", MNT_DETACH) == 0 && !mounted("b/x"), "unless lazily");
	close(fd);
	gone("b"), gone("a");
}

static void spaces(void) {
	tmpfs("a");
	type("a", MS_SHARED);
	gate up = new_gate(), down = new_gate();
	pid_t pid = fork();
	if (pid == 0) {
		must(unshare(CLONE_NEWNS), "unshare");
		show("a");
		tmpfs("a/x");
		gate_open(up), gate_pass(down);
		must(type("/", MS_REC | MS_SLAVE), "rslave");
		show("a");
		tmpfs("a/y");
		gate_open(up), gate_pass(down);
		check(mounted("a/z"), "a slave namespace sees what is mounted outside");
		must(type("/", MS_REC | MS_PRIVATE), "rprivate");
		gate_open(up), gate_pass(down);
		check(!mounted("a/t"), "a private one does not");
		_exit(done());
	}
	gate_pass(up);
	check(mounted("a/x"), "a new namespace is a peer");
	gate_open(down), gate_pass(up);
	check(!mounted("a/y"), "as a slave it gives nothing");
	tmpfs("a/z");
	gate_open(down), gate_pass(up);
	tmpfs("a/t");
	gate_open(down);
	check(reap(pid) == 0, "in the namespace");
	show("a");
	gone("a");
}

// A namespace of a lesser user.
static void lesser(void) {
	tmpfs("a");
	type("a", MS_SHARED);
	tmpfs("a/x");
	tmpfs("a/y");
	must(mount(NULL, "a/y", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, NULL), "remount");
	gate up = new_gate(), down = new_gate();
	pid_t pid = fork();
	if (pid == 0) {
		must(unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare");
		show("a"), show("a/x");
		fails(umount("a/x"), EINVAL, "umount of what came with it");
		fails(mount(NULL, "a/y", NULL, MS_REMOUNT | MS_BIND, NULL), EPERM, "remount writable");
		fails(mount(NULL, "a/y", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EPERM, "remount with set-user-ID programs");
		fails(mount(NULL, "a/y", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOATIME, NULL), EPERM, "remount with other access times");
		check(mount(NULL, "a/y", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL) == 0, "remount with less");
		fails(mount("a/x", "a/z", NULL, MS_MOVE, NULL), EINVAL, "move");
		fails(mount("a", "a/z", NULL, BIND, NULL), EINVAL, "bind of what is below");
		check(mount("a", "a/z", NULL, BIND | REC, NULL) == 0 && umount2("a/z", MNT_DETACH) == 0, "bind with all that is mounted there, and back");
		gate_open(up), gate_pass(down);
		check(mounted("a/t"), "it receives");
		_exit(done());
	}
	gate_pass(up);
	tmpfs("a/t");
	gate_open(down);
	check(reap(pid) == 0, "in the lesser namespace");
	check(mounted("a/x"), "here nothing has changed");
	gone("a");
}

static void dominated(void) {
	tmpfs("m");
	mkdir("m/in", 0755), mkdir("m/in/proc", 0755);
	chdir("m");
	tmpfs("in/a");
	type("in/a", MS_SHARED);
	bind("in/a", "b");
	type("b", MS_SLAVE), type("b", MS_SHARED);
	bind("b", "in/c");
	type("in/c", MS_SLAVE);
	show("in/c");
	must(mount("proc", "in/proc", "proc", 0, NULL), "proc");
	must(chroot("in"), "chroot");
	chdir("/");
	show("a"), show("c");
}

static void detached(void) {
	tmpfs("a");
	tmpfs("a/x");
	close(open("a/x/inner", O_CREAT | O_WRONLY, 0600));
	int top = open("a", O_RDONLY), sub = open("a/x", O_RDONLY);
	gone("a");
	fails(faccessat(top, "x/inner", F_OK, 0), ENOENT, "a lazy umount takes apart what it takes away");
	check(faccessat(sub, "inner", F_OK, 0) == 0, "what is open stays");
	check(faccessat(sub, "../inner", F_OK, 0) == 0, "and is its own parent");
	fails(mount("none", "/proc/self/fd/9", "tmpfs", 0, NULL), ENOENT, "no descriptor");
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", top);
	fails(mount("none", link, "tmpfs", 0, NULL), ENOENT, "mount on what is not mounted");
	close(top), close(sub);
	tmpfs("a");
	fails(umount2("a", MNT_EXPIRE), EAGAIN, "expire");
	check(umount2("a", MNT_EXPIRE) == 0, "expire again");
	tmpfs("a");
	fails(umount2("a", MNT_EXPIRE), EAGAIN, "expire");
	access("a/x", F_OK);
	int fd = open("a/x", O_RDONLY);
	fails(umount2("a", MNT_EXPIRE), EBUSY, "in use");
	close(fd);
	fails(umount2("a", MNT_EXPIRE), EAGAIN, "used in between");
	fails(umount2("a", MNT_EXPIRE | MNT_DETACH), EINVAL, "expire lazily");
	gone("a");
	fails(umount("a"), EINVAL, "umount of no mount");
	tmpfs("a"), tmpfs("a");
	close(open("a/second", O_CREAT | O_WRONLY, 0600));
	check(umount("a") == 0 && access("a/second", F_OK) && mounted("a"), "one over the other: the last goes first");
	gone("a");
}

static int pivot(const char *a, const char *b) { return syscall(SYS_pivot_root, a, b); }
static void root(void) {
	tmpfs("a");
	mkdir("a/old", 0755);
	close(open("a/here", O_CREAT | O_WRONLY, 0600));
	must(type("a", MS_SHARED), "shared");
	fails(pivot("a", "a/old"), EINVAL, "pivot_root: to a shared mount");
	must(type("a", MS_PRIVATE), "private");
	fails(pivot("a/x", "a/x"), EINVAL, "pivot_root: no mount");
	fails(pivot("a", "/"), EBUSY, "pivot_root: the old one's place is in the old one");
	fails(pivot("/", "a/old"), EBUSY, "pivot_root: to the root");
	tmpfs("b");
	fails(pivot("a", "b"), EINVAL, "pivot_root: not below the new one");
	close(open("a/file", O_CREAT | O_WRONLY, 0600));
	fails(pivot("a", "a/file"), ENOTDIR, "pivot_root: a file");
	fails(pivot("a", "a/none"), ENOENT, "pivot_root: nothing");
	char cwd[PATH_MAX], b[PATH_MAX + 16];
	getcwd(cwd, sizeof cwd);
	must(chdir("a"), "chdir");
	check(pivot(".", ".") == 0, "pivot_root: one over the other");
	check(access("here", F_OK) == 0 && access("/here", F_OK) == 0, "names begin below it");
	check(umount2(".", MNT_DETACH) == 0, "umount of what is on top");
	getcwd(b, sizeof b);
	check(access("/here", F_OK) == 0 && !strcmp(b, "/"), "the new root");
	fails(access(cwd, F_OK), ENOENT, "the old one is gone");
}
static void back(void) {
	tmpfs("a");
	mkdir("a/old", 0755);
	char cwd[PATH_MAX], b[PATH_MAX + 16];
	getcwd(cwd, sizeof cwd);
	check(pivot("a", "a/old") == 0, "pivot_root");
	snprintf(b, sizeof b, "/old%s", cwd);
	getcwd(cwd, sizeof cwd);
	check(!strcmp(cwd, b), "the working directory is where it was");
	chdir("/");
	check(access("x", F_OK) == 0 && access("old/proc/self", F_OK) == 0, "both trees");
	check(umount2("/old", MNT_DETACH) == 0 && access("old/proc", F_OK) == -1, "the old one goes");
}

// Namespaces that a bind mount gives a name.
static void named(void) {
	close(open("uts", O_CREAT | O_WRONLY, 0600));
	close(open("mnt", O_CREAT | O_WRONLY, 0600));
	mkdir("dir", 0755);
	struct stat a, b;
	must(stat("/proc/self/ns/uts", &a), "stat");
	check(mount("/proc/self/ns/uts", "uts", NULL, MS_BIND, NULL) == 0, "a name for a namespace");
	check(stat("uts", &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev && S_ISREG(b.st_mode), "is the namespace's file");
	fails(mount("/proc/self/ns/uts", "dir", NULL, MS_BIND, NULL), ENOTDIR, "on a folder");
	must(unshare(CLONE_NEWUTS), "unshare");
	sethostname("elsewhere", 9);
	int fd = open("uts", O_RDONLY);
	char name[65] = "";
	check(setns(fd, CLONE_NEWUTS) == 0 && gethostname(name, 64) == 0 && strcmp(name, "elsewhere"), "setns");
	close(fd);
	fails(open("uts", O_RDWR), EPERM, "open to write");
	check(umount("uts") == 0 && stat("uts", &b) == 0 && b.st_size == 0 && b.st_ino != a.st_ino, "umount");
	fails(mount("/proc/self/ns/mnt", "mnt", NULL, MS_BIND, NULL), EINVAL, "a mount namespace in itself");
	gate up = new_gate(), down = new_gate();
	pid_t pid = fork();
	if (pid == 0) {
		int outer = open("/proc/self/ns/mnt", O_RDONLY);
		must(unshare(CLONE_NEWNS), "unshare");
		tmpfs("dir");
		char link[64];
		snprintf(link, sizeof link, "/proc/self/fd/%d", outer);
		fails(mount(link, "mnt", NULL, MS_BIND, NULL), EINVAL, "an older one in a newer");
		gate_open(up), gate_pass(down);
		_exit(done());
	}
	char path[64];
	gate_pass(up);
	snprintf(path, sizeof path, "/proc/%d/ns/mnt", pid);
	check(mount(path, "mnt", NULL, MS_BIND, NULL) == 0, "a newer one in an older");
	gate_open(down);
	check(reap(pid) == 0, "in the newer one");
	char cwd[PATH_MAX];
	getcwd(cwd, sizeof cwd);
	fd = open("mnt", O_RDONLY);
	check(!mounted("dir") && setns(fd, CLONE_NEWNS) == 0 && chdir(cwd) == 0 && mounted("dir"), "it lives by its name alone");
}

int main(void) {
	// Which namespace is older Linux tells by numbers that each processor has of its own since 6.18.
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	must(sched_setaffinity(0, sizeof one, &one), "sched_setaffinity");
	must(unshare(CLONE_NEWNS), "unshare");
	must(type("/", MS_REC | MS_PRIVATE), "private");
	static void (*const parts[])(void) = {peers, chain, unbindable, moves, covered, spaces, lesser, dominated, detached, root, back, named};
	for (int i = 0; i < 12; i++) {
		must(mkdir("w", 0755), "mkdir");
		must(mount("none", "w", "tmpfs", 0, NULL), "tmpfs");
		char cwd[PATH_MAX];
		getcwd(cwd, sizeof cwd);
		must(chdir("w"), "chdir");
		pid_t pid = fork();
		if (pid == 0) {
			failures = 0;
			if (i >= 7)
				must(unshare(CLONE_NEWNS), "unshare");
			parts[i]();
			_exit(done());
		}
		check(reap(pid) == 0, "part %d", i);
		must(chdir(cwd), "chdir");
		must(umount2("w", MNT_DETACH), "umount");
		rmdir("w");
	}
	return done();
}
