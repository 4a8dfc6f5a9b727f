// X3: a set-user-ID file changes the effective and saved id at exec; no_new_privs stops it; a write or chown clears the bit.
// needs root
#include "guest.h"
#include <sys/auxv.h>
#include <sys/prctl.h>

static int after(void) {
	uid_t r, e, s;
	gid_t gr, ge, gs;
	getresuid(&r, &e, &s);
	getresgid(&gr, &ge, &gs);
	printf("uids %d %d %d, gids %d %d %d, secure %ld\n", r, e, s, gr, ge, gs, getauxval(AT_SECURE));
	if (e != r) {
		check(seteuid(r) == 0 && geteuid() == r, "to the real id");
		check(seteuid(s) == 0 && geteuid() == s, "and back by the saved id");
	}
	return done();
}

static void run(const char *what, mode_t mode, int nnp, int preload) {
	chmod("suid", mode);
	printf("%s\n", what);
	pid_t pid = fork();
	if (pid == 0) {
		if (preload)
			setenv("LD_LIBRARY_PATH", "/nowhere", 1);
		must(setresgid(100, 100, 100), "setresgid");
		must(setresuid(1000, 1000, 1000), "setresuid");
		if (nnp)
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		execl("./suid", "suid", "after", NULL);
		printf("exec: %s\n", errname(errno));
		_exit(127);
	}
	check(reap(pid) == 0, "%s: ran", what);
}

int main(int argc, char **argv) {
	if (argc > 1)
		return after();
	static char copy[8 << 20];
	int in = must(open("/proc/self/exe", O_RDONLY), "open"), n;
	int out = must(open("suid", O_WRONLY | O_CREAT | O_TRUNC, 0755), "create");
	while ((n = read(in, copy, sizeof copy)) > 0)
		must(write(out, copy, n), "write");
	must(fchown(out, 1234, 2345), "fchown");
	close(out);
	chmod(".", 0755);
	run("no bit", 0755, 0, 0);
	run("set-user-ID", 04755, 0, 0);
	run("set-group-ID", 02755, 0, 0);
	run("both", 06755, 0, 1);
	run("both, no_new_privs", 06755, 1, 0);
	run("group bit without x", 02745, 0, 0);

	struct stat st;
	chmod("suid", 06755);
	chown("suid", 1, 1);
	stat("suid", &st);
	check((st.st_mode & 07777) == 0755, "chown clears both bits");
	chmod("suid", 06755);
	chown("suid", 1000, 100);
	chmod("suid", 06755);
	pid_t pid = fork();
	if (pid == 0) {
		must(setresgid(100, 100, 100), "setresgid");
		must(setresuid(1000, 1000, 1000), "setresuid");
		out = must(open("suid", O_WRONLY), "open");
		_exit(write(out, "x", 1) != 1);
	}
	check(reap(pid) == 0, "its owner writes to it");
	stat("suid", &st);
	check((st.st_mode & 07777) == 0755, "a write clears both bits");
	unlink("suid");
	return done();
}
