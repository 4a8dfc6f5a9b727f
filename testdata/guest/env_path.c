// X4: export reaches a shell's children, a plain variable does not; PATH is searched in order by shell and execvp.
#include "guest.h"

static void sh(const char *script, int want) {
	int status = system(script);
	check(status == want << 8, "sh -c '%s' gives %d", script, want);
}

static void tool(const char *path, const char *text) {
	int fd = must(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755), path);
	write(fd, text, strlen(text));
	close(fd);
}

int main(void) {
	char path[PATH_MAX + 64], cwd[PATH_MAX];
	sh("X=1; sh -c 'test -z \"$X\"'", 0);
	sh("export X=1; sh -c 'exit $X'", 1);
	sh("X=3 sh -c 'exit $X'", 3);
	sh("export X=1; unset X; sh -c 'test -z \"$X\"'", 0);
	setenv("FROM_C", "44", 1);
	sh("exit $FROM_C", 44);
	unsetenv("FROM_C");
	sh("exit ${FROM_C:-9}", 9);

	mkdir("p1", 0755);
	mkdir("p2", 0755);
	tool("p1/tool", "#!/bin/sh\nexit 11\n");
	tool("p2/tool", "#!/bin/sh\nexit 12\n");
	getcwd(cwd, sizeof cwd);
	snprintf(path, sizeof path, "p1:%s/p2:/usr/bin:/bin", cwd);
	setenv("PATH", path, 1);
	sh("tool", 11);
	chmod("p1/tool", 0644);
	sh("tool", 12);
	sh("./p1/tool 2>/dev/null", 126);
	unlink("p1/tool");
	unlink("p2/tool");
	sh("tool 2>/dev/null", 127);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("tool", "tool", NULL);
		_exit(errno == ENOENT ? 21 : 22);
	}
	check(reap(pid) == 21 << 8, "execlp finds nothing: ENOENT");
	clearenv();
	if ((pid = fork()) == 0) {
		execlp("true", "true", NULL);
		_exit(22);
	}
	check(reap(pid) == 0, "without PATH the default path is searched");
	rmdir("p1");
	rmdir("p2");
	return done();
}
