// X1, X4: execl execlp execle execv execvp execvpe fexecve execveat posix_spawn all reach the new image, argv[0] as given.
#include "guest.h"
#include <spawn.h>

static char *self = "/proc/self/exe";
static char *env[] = {"FAMILY=env", NULL};

static void run(const char *name, const char *want, int which) {
	int p[2];
	char got[200] = "";
	must(pipe(p), "pipe");
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		dup2(p[1], 1);
		char *v[] = {(char *)name, "a b", "", "c", NULL};
		switch (which) {
		case 0: execl(self, name, "a b", "", "c", NULL); break;
		case 1: execlp("familyprog", name, "a b", "", "c", NULL); break;
		case 2: execle(self, name, "a b", "", "c", NULL, env); break;
		case 3: execv(self, v); break;
		case 4: execvp("familyprog", v); break;
		case 5: execvpe("familyprog", v, env); break;
		case 6: fexecve(open(self, O_RDONLY | O_CLOEXEC), v, env); break;
		case 7: syscall(SYS_execveat, open(self, O_PATH), "", v, env, AT_EMPTY_PATH); break;
		case 8: syscall(SYS_execveat, open("bin", O_DIRECTORY), "familyprog", v, env, 0); break;
		case 9: syscall(SYS_execveat, AT_FDCWD, "bin/link", v, env, AT_SYMLINK_NOFOLLOW); _exit(errno == ELOOP ? 61 : 60);
		}
		_exit(errno);
	}
	close(p[1]);
	for (size_t n = 0, r; (r = read(p[0], got + n, sizeof got - 1 - n)) > 0 && r != (size_t)-1;)
		n += r;
	close(p[0]);
	int status = reap(pid);
	check(!strcmp(got, want) && (status == 0x500 || status == 61 << 8), "%s: %s", name, got);
}

int main(int argc, char **argv) {
	if (argc > 1) {
		for (int i = 0; i < argc; i++)
			printf("[%s]", argv[i]);
		printf(" FAMILY=%s", getenv("FAMILY"));
		fflush(stdout);
		return 5;
	}
	mkdir("bin", 0755);
	char path[PATH_MAX];
	ssize_t n = readlink(self, path, sizeof path - 1);
	path[n] = 0;
	symlink(path, "bin/familyprog");
	symlink(path, "bin/link");
	setenv("PATH", "/nowhere:bin:/bin", 1);
	setenv("FAMILY", "own", 1);
	run("execl", "[execl][a b][][c] FAMILY=own", 0);
	run("execlp", "[execlp][a b][][c] FAMILY=own", 1);
	run("execle", "[execle][a b][][c] FAMILY=env", 2);
	run("execv", "[execv][a b][][c] FAMILY=own", 3);
	run("execvp", "[execvp][a b][][c] FAMILY=own", 4);
	run("execvpe", "[execvpe][a b][][c] FAMILY=env", 5);
	run("fexecve", "[fexecve][a b][][c] FAMILY=env", 6);
	run("execveat-empty", "[execveat-empty][a b][][c] FAMILY=env", 7);
	run("execveat-folder", "[execveat-folder][a b][][c] FAMILY=env", 8);
	run("execveat-nofollow", "", 9);

	pid_t pid;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t all;
	char *v[] = {"spawned", "x", NULL};
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 1, "spawn.out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawnattr_init(&at);
	sigfillset(&all);
	posix_spawnattr_setsigdefault(&at, &all);
	posix_spawnattr_setpgroup(&at, 0);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	check(posix_spawnp(&pid, "familyprog", &fa, &at, v, env) == 0, "posix_spawnp");
	check(reap(pid) == 0x500, "its child ran");
	char got[64] = "";
	read(open("spawn.out", O_RDONLY), got, sizeof got - 1);
	check(!strcmp(got, "[spawned][x] FAMILY=env"), "file action and arguments: %s", got);
	check(posix_spawn(&pid, "/none", NULL, NULL, v, env) == ENOENT, "posix_spawn of nothing: ENOENT");
	unlink("spawn.out");
	unlink("bin/familyprog");
	unlink("bin/link");
	rmdir("bin");
	return done();
}
