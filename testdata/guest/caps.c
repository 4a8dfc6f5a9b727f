// X3: capabilities: effective, permitted and inheritable sets, the bounding set, ambient ones across exec, keepcaps, securebits; what root's ids do to them.
// needs root
#include "guest.h"
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

enum { CHOWN = 0, KILL = 5, SETUID = 7, BIND = 10 };
struct caps { uint32_t e, p, i; };

static struct caps get(void) {
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	must(syscall(SYS_capget, &h, d), "capget");
	return (struct caps){d[0].effective, d[0].permitted, d[0].inheritable};
}
static int set(uint32_t e, uint32_t p, uint32_t i) {
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{e, p, i}, {0, 0, 0}};
	return syscall(SYS_capset, &h, d);
}
static int has(uint32_t set, int cap) { return set >> cap & 1; }

static void drop(void) {
	uint32_t few = 1 << CHOWN | 1 << KILL;
	check(set(few, few, 0) == 0 && get().e == few && get().p == few, "capset: fewer");
	fails(set(few | 1 << BIND, few | 1 << BIND, 0), EPERM, "capset: more than permitted");
	check(set(0, few, 0) == 0 && get().e == 0, "effective off");
	check(set(few, few, 0) == 0, "and on again, as long as permitted");
	fails(setresuid(1000, 1000, 1000), EPERM, "without CAP_SETUID root cannot change its user");
}
static void leaving_root(void) {
	must(setresuid(1000, 1000, 1000), "setresuid");
	check(get().e == 0 && get().p == 0, "no id is 0 any more: all are gone");
}
static void effective_only(void) {
	struct caps all = get();
	must(seteuid(1000), "seteuid");
	check(get().e == 0 && get().p == all.p, "effective id not 0: the effective set is empty, the permitted is kept");
	must(seteuid(0), "seteuid");
	check(get().e == all.e, "back at 0: effective again");
}
static void keeping(void) {
	struct caps all = get();
	prctl(PR_SET_KEEPCAPS, 1);
	must(setresuid(1000, 1000, 1000), "setresuid");
	check(get().e == 0 && get().p == all.p, "keepcaps: the permitted set is kept");
	check(set(1 << KILL, 1 << KILL, 0) == 0, "and can be made effective");
	check(kill(1, 0) == 0, "it works: root's process can be signalled");
	execl("/proc/self/exe", "caps", "none", NULL);
}
static void bounding(void) {
	check(prctl(PR_CAPBSET_READ, BIND) == 1 && prctl(PR_CAPBSET_DROP, BIND) == 0 && prctl(PR_CAPBSET_READ, BIND) == 0, "dropped from the bounding set");
	check(has(get().p, BIND), "which takes nothing from the process");
	execl("/proc/self/exe", "caps", "nobind", NULL);
}
static void ambient(void) {
	fails(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, KILL, 0, 0), EPERM, "ambient: not without inheritable");
	struct caps c = get();
	check(set(c.e, c.p, 1 << KILL) == 0, "inheritable");
	check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, KILL, 0, 0) == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, KILL, 0, 0) == 1, "ambient raised");
	prctl(PR_SET_KEEPCAPS, 1);
	must(setresuid(1000, 1000, 1000), "setresuid");
	check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, KILL, 0, 0) == 0, "the change of user takes it: no id is 0");
	check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, KILL, 0, 0) == 0, "permitted and inheritable still, it can be raised again");
	execl("/proc/self/exe", "caps", "kill", NULL);
}
static void keep_bit(void) {
	must(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keepcaps");
	check(prctl(PR_GET_SECUREBITS) == 0x10, "KEEPCAPS is a secure bit");
	must(prctl(PR_SET_SECUREBITS, 0x20), "lock it");
	check(prctl(PR_GET_KEEPCAPS) == 0, "and can be cleared as one");
	fails(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), EPERM, "KEEPCAPS when it is locked");
	fails(prctl(PR_SET_SECUREBITS, 0), EPERM, "unlocking");
}

static void noroot(void) {
	check(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED) == 0 && prctl(PR_GET_SECUREBITS) == (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED), "securebits: NOROOT, locked");
	fails(prctl(PR_SET_SECUREBITS, 0), EPERM, "a locked bit cannot be cleared");
	execl("/proc/self/exe", "caps", "none", NULL);
}
static void no_fixup(void) {
	struct caps all = get();
	must(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP), "securebits");
	must(setresuid(1000, 1000, 1000), "setresuid");
	check(get().e == all.e && get().p == all.p, "NO_SETUID_FIXUP: ids and capabilities have nothing to do with each other");
}
static void new_root(void) { execl("/proc/self/exe", "caps", "all", NULL); }

int main(int argc, char **argv) {
	if (argc > 1) {
		struct caps c = get();
		if (!strcmp(argv[1], "none"))
			check(c.e == 0 && c.p == 0, "after exec: none");
		else if (!strcmp(argv[1], "nobind"))
			check(!has(c.p, BIND) && has(c.p, KILL), "after exec: root has all of the bounding set, so not that one");
		else if (!strcmp(argv[1], "kill"))
			check(c.e == 1 << KILL && c.p == 1 << KILL, "after exec: just the ambient one");
		else
			check(has(c.e, KILL) && has(c.e, SETUID) && has(c.e, BIND), "after exec as root: all");
		return done();
	}
	check(has(get().e, CHOWN) && has(get().p, SETUID) && get().i == 0, "root has them");
	void (*f[])(void) = {drop, leaving_root, effective_only, keeping, keep_bit, bounding, ambient, noroot, no_fixup, new_root};
	static const char *names[] = {"drop", "leaving root", "effective", "keepcaps", "the bit of it", "bounding set", "ambient", "NOROOT", "NO_SETUID_FIXUP", "exec"};
	for (int i = 0; i < 10; i++)
		check(in_child(f[i]) == 0, "%s", names[i]);
	return done();
}
