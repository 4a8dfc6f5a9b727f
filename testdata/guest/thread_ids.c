// P7: threads share the pid and have their own tid; /proc lists them; each has its own TLS, errno and mask.
#include "guest.h"
#include <dirent.h>
#include <pthread.h>

static __thread int tls = 5;
static __thread char tls_zero[3000];
static pthread_key_t key;
static int destroyed;
static gate g1, g2;
static pid_t tid_seen;

static pid_t tid(void) { return syscall(SYS_gettid); }
static void destroy(void *v) { destroyed += *(int *)v; }

static int tasks(void) {
	int n = 0;
	DIR *d = opendir("/proc/self/task");
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void *work(void *arg) {
	static int hundred = 100;
	sigset_t set;
	tid_seen = tid();
	check(getpid() == *(pid_t *)arg, "thread: the pid is shared");
	check(tid() != getpid(), "thread: the tid is its own");
	check(tls == 5 && tls_zero[2999] == 0, "thread: its TLS starts from the image");
	tls = 6;
	errno = 77;
	pthread_setspecific(key, &hundred);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	check(sigismember(&set, SIGUSR1), "thread: the mask is inherited");
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	pthread_setname_np(pthread_self(), "worker");
	gate_open(g1);
	gate_pass(g2);
	check(errno == 77, "thread: errno is its own");
	return NULL;
}

int main(void) {
	pthread_t t;
	pid_t pid = getpid();
	sigset_t set;
	g1 = new_gate();
	g2 = new_gate();
	pthread_key_create(&key, destroy);
	check(tid() == pid, "main: tid and pid are one");
	check(tasks() == 1, "main: one task");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	errno = 33;
	pthread_create(&t, NULL, work, &pid);
	gate_pass(g1);
	check(tasks() == 2, "main: two tasks");
	check(proc_field("/proc/self/status", "Threads") == 2, "main: Threads is 2");
	char path[64], name[32] = "";
	snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid_seen);
	FILE *f = fopen(path, "r");
	check(f && fgets(name, sizeof name, f) && !strcmp(name, "worker\n"), "main: the thread's name is in its task folder");
	snprintf(path, sizeof path, "/proc/%d/status", tid_seen);
	check(proc_field(path, "Tgid") == pid, "main: Tgid of the thread is the pid");
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	check(!sigismember(&set, SIGUSR2), "main: the thread's mask is not its own");
	check(tls == 5 && errno != 77, "main: TLS and errno are its own");
	gate_open(g2);
	pthread_join(t, NULL);
	check(destroyed == 100, "main: the key's destructor ran");
	for (int i = 0; i < 1000 && tasks() != 1; i++)
		usleep(1000);
	check(tasks() == 1, "main: one task again");
	return done();
}
