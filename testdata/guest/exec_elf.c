// X1: ELF files made by hand: fixed and position independent, zeroed bss, memory after the file, an interpreter, and headers that are refused.
#include "guest.h"
#include <elf.h>
#include <stddef.h>

// Code that exits with the byte at address rdi points to, or with 42.
static const unsigned char exit42[] = {0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05};

static struct {
	Elf64_Ehdr h;
	Elf64_Phdr p[3];
	unsigned char code[64];
} image;

static void fresh(int type, unsigned long base) {
	memset(&image, 0, sizeof image);
	memcpy(image.h.e_ident, ELFMAG, 4);
	image.h.e_ident[EI_CLASS] = ELFCLASS64;
	image.h.e_ident[EI_DATA] = ELFDATA2LSB;
	image.h.e_ident[EI_VERSION] = EV_CURRENT;
	image.h.e_type = type;
	image.h.e_machine = EM_X86_64;
	image.h.e_version = EV_CURRENT;
	image.h.e_entry = base + offsetof(typeof(image), code);
	image.h.e_phoff = sizeof image.h;
	image.h.e_ehsize = sizeof image.h;
	image.h.e_phentsize = sizeof *image.p;
	image.h.e_phnum = 1;
	image.p[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = base, .p_paddr = base, .p_filesz = sizeof image, .p_memsz = sizeof image, .p_align = 4096};
	memcpy(image.code, exit42, sizeof exit42);
}

// run writes the image and executes it; the result is a status or minus errno.
static int run_size(size_t size) {
	int fd = must(open("elf", O_WRONLY | O_CREAT | O_TRUNC, 0755), "open");
	must(write(fd, &image, size), "write");
	close(fd);
	int p[2], why = 0;
	pipe2(p, O_CLOEXEC);
	pid_t pid = fork();
	if (pid == 0) {
		execl("./elf", "elf", NULL);
		why = errno;
		write(p[1], &why, sizeof why);
		_exit(99);
	}
	close(p[1]);
	read(p[0], &why, sizeof why);
	close(p[0]);
	int status = reap(pid);
	return why ? -why : status;
}
static int run(void) { return run_size(sizeof image); }
static void gives(int want, const char *what) {
	int got = run();
	check(got == want, "%s: %s%#x", what, want < 0 ? errname(-want) : "status ", want < 0 ? 0 : want);
	if (got != want)
		printf("  not %d\n", got);
}

int main(void) {
	fresh(ET_EXEC, 0x400000);
	gives(42 << 8, "fixed address");
	fresh(ET_DYN, 0);
	gives(42 << 8, "position independent");
	fresh(ET_EXEC, 0x10000000);
	// Entry reads a byte of bss: mov al,[abs]; movzx edi, al.
	image.p[0].p_flags = PF_R | PF_W | PF_X;
	image.p[0].p_memsz = sizeof image + 3 * PAGE;
	unsigned char bss[] = {0x0f, 0xb6, 0x3c, 0x25, 0, 0x20, 0, 0x10, 0xb8, 60, 0, 0, 0, 0x0f, 0x05};
	memcpy(image.code, bss, sizeof bss);
	gives(0, "bss beyond the file is zero");
	image.p[0].p_memsz = sizeof image;
	check((run() & 127) == SIGSEGV, "without it the address is not mapped");
	fresh(ET_EXEC, 0x400000);
	image.p[0].p_flags = PF_R;
	check((run() & 127) == SIGSEGV, "a segment without PF_X does not run");
	fresh(ET_EXEC, 0x400000);
	unsigned char poke[] = {0xc6, 0x04, 0x25, 0, 0, 0x40, 0, 1};
	memcpy(image.code, poke, sizeof poke);
	check((run() & 127) == SIGSEGV, "a segment without PF_W cannot be written");
	fresh(ET_EXEC, 0x400000);
	image.h.e_entry = 0x12345;
	check((run() & 127) == SIGSEGV, "an entry that is not mapped");

	fresh(ET_EXEC, 0x400000);
	image.h.e_machine = EM_AARCH64;
	gives(-ENOEXEC, "another machine");
	fresh(ET_REL, 0x400000);
	gives(-ENOEXEC, "an object file");
	fresh(ET_CORE, 0x400000);
	gives(-ENOEXEC, "a core file");
	fresh(ET_EXEC, 0x400000);
	image.h.e_phnum = 0;
	gives(-ENOEXEC, "no program headers");
	fresh(ET_EXEC, 0x400000);
	image.h.e_phentsize = 32;
	gives(-ENOEXEC, "program headers of another size");
	fresh(ET_EXEC, 0x400000);
	image.h.e_phoff = 1 << 20;
	int r = run();
	check(r == -ENOEXEC || r == -EIO, "program headers beyond the file are refused");
	fresh(ET_EXEC, 0x400000);
	image.p[1] = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = offsetof(typeof(image), code) + 32, .p_filesz = 11};
	image.h.e_phnum = 2;
	memcpy(image.code + 32, "/none/ld.so", 11);
	gives(-ENOEXEC, "an interpreter's name without an end");
	image.p[1].p_filesz = 12;
	gives(-ENOENT, "an interpreter that is not");
	strcpy((char *)image.code + 32, "/etc");
	image.p[1].p_filesz = 5;
	gives(-EACCES, "a folder as interpreter");
	strcpy((char *)image.code + 32, "/etc/passwd");
	image.p[1].p_filesz = 12;
	gives(-EACCES, "an interpreter without the x bit");
	fresh(ET_EXEC, 0x400000);
	check(run_size(40) == -ENOEXEC, "a header cut short");
	fresh(ET_EXEC, 0x400000);
	image.h.e_ident[EI_MAG0] = 0;
	gives(-ENOEXEC, "no magic number");
	unlink("elf");
	return done();
}
