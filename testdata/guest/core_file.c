// E1: what is in a core file: headers, notes of process and threads, memory by coredump_filter; who gets one, under which name and mode.
// needs root
// needs core
#include "guest.h"
#include <elf.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/procfs.h>

enum { BIG = 64 << 20 };
static char *anon, *shared, *secret, *filemap, *fileshared, *big;
static volatile int word = 0x1234567;
static int second_tid;
static unsigned char core[1 << 20]; // its beginning
static int fd = -1;

static void *rest(void *p) {
	second_tid = syscall(SYS_gettid);
	gate_open(*(gate *)p);
	pause();
	return p;
}
__attribute__((noinline)) static void crash(void) {
	uint64_t v = 0x1122334455667788;
	__asm__ volatile("movq %0, %%xmm6" : : "r"(v) : "xmm6");
	*(volatile int *)8 = word;
}

static void unlimited(rlim_t n) { setrlimit(RLIMIT_CORE, &(struct rlimit){n, RLIM_INFINITY}); }

// plain ends by a signal with a core file, or so it asks.
static void plain(void) {
	unlimited(RLIM_INFINITY);
	raise(SIGQUIT);
}
// dumps runs f in a child and gives: the core bit was set, and there was a core file.
static int dumps(void (*f)(void)) {
	unlink("core");
	pid_t pid = must(fork(), "fork");
	if (pid == 0) {
		f();
		_exit(0);
	}
	int status = reap(pid);
	return WIFSIGNALED(status) && !!WCOREDUMP(status) == (access("core", F_OK) == 0) ? !!WCOREDUMP(status) : -1;
}

// load reads the core file's beginning.
static void load(void) {
	if (fd >= 0)
		close(fd);
	fd = must(open("core", O_RDONLY), "open of the core file");
	memset(core, 0, sizeof core);
	must(pread(fd, core, sizeof core, 0), "read");
}
// at gives a byte of memory as the core file has it, or -1 if it has it not.
static int at(void *p) {
	Elf64_Ehdr *h = (void *)core;
	Elf64_Phdr *ph = (void *)(core + h->e_phoff);
	uintptr_t a = (uintptr_t)p;
	for (int i = 0; i < h->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_vaddr <= a && a < ph[i].p_vaddr + ph[i].p_filesz) {
			unsigned char c;
			return pread(fd, &c, 1, ph[i].p_offset + a - ph[i].p_vaddr) == 1 ? c : -2;
		}
	return -1;
}
// note finds the n-th note of a type; what is before it is told if order is set.
static void *note(unsigned type, int n, int *size, int order) {
	Elf64_Ehdr *h = (void *)core;
	Elf64_Phdr *ph = (void *)(core + h->e_phoff);
	for (unsigned char *p = core + ph->p_offset, *end = p + ph->p_filesz; p < end;) {
		Elf64_Nhdr *nh = (void *)p;
		unsigned char *desc = p + sizeof *nh + (nh->n_namesz + 3) / 4 * 4;
		if (order && !strcmp((char *)(nh + 1), "CORE"))
			printf("  note %x, %s\n", nh->n_type, nh->n_type == NT_AUXV || nh->n_type == NT_FILE ? "-" : nh->n_descsz == 336 ? "336" : nh->n_descsz == 136 ? "136" : nh->n_descsz == 128 ? "128" : "512");
		if (nh->n_type == type && n-- == 0) {
			*size = nh->n_descsz;
			return desc;
		}
		p = desc + (nh->n_descsz + 3) / 4 * 4;
	}
	return NULL;
}

static void victim(void) {
	static gate g;
	unlimited(RLIM_INFINITY);
	umask(0);
	prctl(PR_SET_NAME, "dumper");
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	sigprocmask(SIG_BLOCK, &s, NULL);
	raise(SIGUSR2);
	pthread_t t;
	g = new_gate();
	pthread_create(&t, NULL, rest, &g);
	gate_pass(g);
	usleep(20000);
	big[5 * PAGE] = 'b';
	crash();
}
static void contents(void) {
	int n;
	check(dumps(victim) == 1, "a fault dumps core");
	load();
	struct stat st;
	fstat(fd, &st);
	check(st.st_mode == (S_IFREG | 0600) && st.st_uid == 0 && st.st_nlink == 1, "mode 0600 whatever the umask");
	check(st.st_size > BIG && st.st_blocks < 16 << 10, "untouched memory is a hole");
	Elf64_Ehdr *h = (void *)core;
	check(!memcmp(h->e_ident, "\177ELF\2\1\1", 8) && h->e_type == ET_CORE && h->e_machine == EM_X86_64 && h->e_version == 1 && h->e_phentsize == 56 && h->e_ehsize == 64 && h->e_shnum == 0, "ELF header");
	Elf64_Phdr *ph = (void *)(core + h->e_phoff);
	check(ph->p_type == PT_NOTE && ph->p_align == 4 && ph->p_memsz == 0, "the first program header is of the notes");
	int good = 1;
	for (int i = 1; i < h->e_phnum; i++)
		good &= ph[i].p_type == PT_LOAD && ph[i].p_offset % PAGE == 0 && ph[i].p_vaddr % PAGE == 0 && ph[i].p_align == PAGE && (i == 1 || ph[i].p_vaddr > ph[i - 1].p_vaddr);
	check(good, "the others are mappings, in order");
	note(0, 0, &n, 1);

	struct elf_prstatus *s = note(NT_PRSTATUS, 0, &n, 0);
	uintptr_t *r = (void *)s->pr_reg;
	check(s->pr_info.si_signo == SIGSEGV && s->pr_cursig == SIGSEGV && s->pr_fpvalid == 1, "status: the signal");
	check(s->pr_ppid == getpid() && s->pr_pgrp == getpgrp() && s->pr_sid == getsid(0), "status: ids");
	check(s->pr_sigpend == 1 << (SIGUSR2 - 1) && s->pr_sighold == 1 << (SIGUSR2 - 1), "status: signals pending and blocked");
	check(r[16] - (uintptr_t)crash < 64 && r[15] == -1 && r[17] == 0x33, "status: where it was, and in no call");
	prstatus_t *s2 = note(NT_PRSTATUS, 1, &n, 0);
	r = (void *)s2->pr_reg;
	check(s2->pr_pid == (at(&second_tid) | at((char *)&second_tid + 1) << 8 | at((char *)&second_tid + 2) << 16) && s2->pr_cursig == SIGSEGV && s2->pr_ppid == getpid(), "the second thread");
	check(r[15] == SYS_pause && (long)r[10] == -514, "is in pause, interrupted");
	check(note(NT_PRSTATUS, 2, &n, 0) == NULL, "there is no third");

	unsigned char *fp = note(NT_FPREGSET, 0, &n, 0), *x = note(0x202, 0, &n, 0); // NT_X86_XSTATE
	check(n >= 576 && *(uint64_t *)(fp + 160 + 6 * 16) == 0x1122334455667788 && !memcmp(fp + 160, x + 160, 256), "vector registers, in both notes");
	check(note(NT_FPREGSET, 1, &n, 0) && note(0x202, 1, &n, 0) && !note(0x202, 2, &n, 0), "of both threads");

	prpsinfo_t *p = note(NT_PRPSINFO, 0, &n, 0);
	char line[81] = "";
	int c = open("/proc/self/cmdline", O_RDONLY), len = read(c, line, 79);
	for (int i = 0; i < len; i++)
		line[i] = line[i] ? line[i] : ' ';
	check(p->pr_sname == 'R' && p->pr_state == 0 && p->pr_zomb == 0 && p->pr_nice == 0 && p->pr_uid == 0 && p->pr_pid == s->pr_pid && p->pr_ppid == getpid(), "process information");
	check(!strcmp(p->pr_fname, "dumper") && !strcmp(p->pr_psargs, line), "name and arguments");
	siginfo_t *si = note(NT_SIGINFO, 0, &n, 0);
	check(si->si_signo == SIGSEGV && si->si_code == SEGV_MAPERR && si->si_addr == (void *)8, "siginfo");
	static char aux[4096], exe[PATH_MAX];
	c = open("/proc/self/auxv", O_RDONLY);
	len = read(c, aux, sizeof aux);
	void *a = note(NT_AUXV, 0, &n, 0);
	check(n == len && !memcmp(a, aux, n), "the auxiliary vector");
	uint64_t *f = note(NT_FILE, 0, &n, 0);
	exe[readlink("/proc/self/exe", exe, sizeof exe)] = 0;
	char *name = (char *)(f + 2 + 3 * f[0]);
	int found = 0, mapped = 0;
	for (uint64_t i = 0; i < f[0]; i++, name += strlen(name) + 1) {
		found |= !strcmp(name, exe) && f[2 + 3 * i] <= (uintptr_t)crash && (uintptr_t)crash < f[3 + 3 * i];
		mapped |= f[2 + 3 * i] == (uintptr_t)filemap + PAGE && f[4 + 3 * i] == 1 && !strcmp(strrchr(name, '/'), "/data");
	}
	check(f[1] == PAGE && found && mapped, "the mapped files");

	check(at((void *)&word) == 0x67 && at((char *)&word + 1) == 0x45, "data");
	check(at(anon) == 'a' && at(big + 5 * PAGE) == 'b' && at(big) == 0 && at(big + BIG - 1) == 0, "anonymous memory");
	check(at(shared) == 's', "shared anonymous memory");
	check(at(secret) == -1, "not what is MADV_DONTDUMP");
	check(at(filemap + PAGE) == -1 && at(fileshared) == -1, "not what is a file's");
	check(at(filemap + 3 * PAGE) == 'w', "but what was written of a private mapping");
	check(at((void *)crash) == -1, "and not the program");
}

static const char *filter;
static void filtered(void) {
	int f = open("/proc/self/coredump_filter", O_WRONLY);
	if (f < 0 || write(f, filter, strlen(filter)) < 0)
		_exit(1);
	pid_t pid = fork(); // inherits it
	if (pid == 0) {
		plain();
	}
	int status = reap(pid);
	unlimited(0);
	if (WCOREDUMP(status))
		kill(getpid(), SIGTERM);
}
static void filters(void) {
	static const char *set[] = {"0", "1", "0x2", "4", "8", "0x10", "0x1ff", "010"};
	char b[16] = "";
	int f = open("/proc/self/coredump_filter", O_RDWR);
	check(read(f, b, sizeof b) == 9 && !strcmp(b, "00000033\n"), "coredump_filter");
	fails(write(f, "x", 1), EINVAL, "letters");
	for (int i = 0; i < 8; i++) {
		filter = set[i];
		unlink("core");
		in_child(filtered);
		load();
		printf("filter %s: %d %d %d %d %d %d\n", filter, at(anon), at(shared), at(filemap + PAGE), at(filemap + 3 * PAGE), at(fileshared), at(secret));
	}
}

// How a child is to end, besides.
static void masked(void) { umask(0777), plain(); }
static void small(void) { unlimited(4095), raise(SIGQUIT); }
static void cut(void) { unlimited(4096), raise(SIGQUIT); }
static void elsewhere(void) { must(chdir("dir"), "chdir"), plain(); }
static void as_user(void) {
	must(setresuid(1000, 1000, 1000), "setresuid");
	plain();
}
static void user_dumpable(void) {
	must(setresuid(1000, 1000, 1000), "setresuid");
	prctl(PR_SET_DUMPABLE, 1);
	plain();
}
static void no_place(void) { must(chdir("closed"), "chdir"), user_dumpable(); }
static const char *program;
static void runs(void) {
	must(setresgid(1000, 1000, 1000), "setresgid");
	must(setresuid(1000, 1000, 1000), "setresuid");
	execl(program, program, "plain", NULL);
}
static void in_thread(void) {
	pthread_t t;
	pthread_create(&t, NULL, (void *(*)(void *))plain, NULL);
	pthread_join(t, NULL);
}
static void handler(int sig) { crash(); }
static void in_handler(void) {
	unlimited(RLIM_INFINITY);
	signal(SIGSEGV, handler);
	crash();
}

static void names(void) {
	struct stat st;
	check(dumps(plain) == 1, "SIGQUIT");
	check(dumps(masked) == -1 && stat("core", &st) == 0 && st.st_size == 0 && st.st_mode == S_IFREG, "a umask that takes the owner's rights: an empty file and no core");
	check(dumps(small) == 0, "none with less than a page");
	check(dumps(cut) == 1 && stat("core", &st) == 0 && st.st_size <= PAGE, "a page of it");
	check(dumps(in_handler) == 1, "a fault in its own handler");

	close(open("target", O_CREAT | O_WRONLY, 0600));
	unlink("core");
	symlink("target", "core");
	int status = in_child(plain);
	check(WCOREDUMP(status) && lstat("core", &st) == 0 && S_ISREG(st.st_mode) && stat("target", &st) == 0 && st.st_size == 0, "a symbolic link is replaced, not followed");
	unlink("core");
	link("target", "core");
	status = in_child(plain);
	check(WCOREDUMP(status) && stat("target", &st) == 0 && st.st_size == 0 && st.st_nlink == 1, "a link is replaced");
	unlink("core");
	mkdir("core", 0755);
	status = in_child(plain);
	check(status == SIGQUIT, "a folder of that name: none");
	rmdir("core");
	mkdir("dir", 0755);
	status = in_child(elsewhere);
	check(WCOREDUMP(status) && access("dir/core", F_OK) == 0, "it goes to the working directory");
	unlink("dir/core");
	rmdir("dir");

	check(dumps(as_user) == 0, "none once the user has changed");
	check(dumps(user_dumpable) == 1 && stat("core", &st) == 0 && st.st_uid == 1000 && st.st_mode == (S_IFREG | 0600), "PR_SET_DUMPABLE: the user's file");
	mkdir("closed", 0755);
	status = in_child(no_place);
	check(status == SIGQUIT, "none where the user may not write");
	rmdir("closed");

	check(dumps(in_thread) == 1, "a thread's signal");
	load();
	int n;
	prstatus_t *a = note(NT_PRSTATUS, 0, &n, 0), *b = note(NT_PRSTATUS, 1, &n, 0);
	prpsinfo_t *p = note(NT_PRPSINFO, 0, &n, 0);
	check(a && b && a->pr_pid != b->pr_pid && p->pr_pid == b->pr_pid, "its status is the first");
	uintptr_t *r = (void *)a->pr_reg;
	check(r[15] != -1, "it came from a call");
}

// programs that may be executed but not read, and set-user-ID ones.
static void programs(void) {
	static char b[8 << 20];
	int in = open("/proc/self/exe", O_RDONLY), out = open("prog", O_CREAT | O_WRONLY, 0755), n = read(in, b, sizeof b);
	must(write(out, b, n), "copy");
	close(out);
	program = "./prog";
	check(dumps(runs) == 1, "a program that the user may read");
	unlink("core");
	chmod("prog", 0711);
	check(dumps(runs) == 0, "none of one that may only be executed");
	chmod("prog", 04755);
	check(dumps(runs) == 0, "none of a set-user-ID program");
	chmod("prog", 02755);
	check(dumps(runs) == 0, "nor of a set-group-ID one");
	unlink("prog");
}

int main(int argc, char **argv) {
	if (argc > 1) {
		plain();
		return 1;
	}
	mkdir("here", 0777);
	chmod("here", 0777);
	must(chdir("here"), "chdir");
	char *base = mmap(NULL, BIG + (64 << 12), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *p = base + PAGE;
	int data = open("data", O_CREAT | O_RDWR, 0600);
	static char text[4 * PAGE];
	memset(text, 'd', sizeof text);
	must(write(data, text, sizeof text), "write");
	int rw = PROT_READ | PROT_WRITE, fixed = MAP_FIXED | MAP_PRIVATE;
	memset(anon = mmap(p, PAGE, rw, fixed | MAP_ANONYMOUS, -1, 0), 'a', PAGE);
	memset(secret = mmap(p + 2 * PAGE, PAGE, rw, fixed | MAP_ANONYMOUS, -1, 0), 'x', PAGE);
	madvise(secret, PAGE, MADV_DONTDUMP);
	memset(shared = mmap(p + 4 * PAGE, PAGE, rw, MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1, 0), 's', PAGE);
	filemap = p + 6 * PAGE;
	mmap(filemap + PAGE, PAGE, rw, fixed, data, PAGE);
	mmap(filemap + 3 * PAGE, PAGE, rw, fixed, data, 0);
	filemap[3 * PAGE] = 'w';
	fileshared = mmap(p + 12 * PAGE, PAGE, rw, MAP_FIXED | MAP_SHARED, data, 0);
	big = mmap(p + 16 * PAGE, BIG, rw, fixed | MAP_ANONYMOUS, -1, 0);
	madvise(big, BIG, MADV_NOHUGEPAGE);
	contents();
	filters();
	names();
	programs();
	unlink("core");
	return done();
}
