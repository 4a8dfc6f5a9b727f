// M5: SIGSEGV tells an unmapped address (MAPERR) from a forbidden access (ACCERR), with the address; guard pages hold.
#include "segv.h"

int main(void) {
	catch_faults();
	char *m = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	faulted(POKE(NULL), SIGSEGV, SEGV_MAPERR, NULL, "write to NULL");
	faulted(PEEK((char *)16), SIGSEGV, SEGV_MAPERR, (void *)16, "read from 16");
	mprotect(m + PAGE, PAGE, PROT_READ);
	check(PEEK(m + PAGE) == 0, "a read-only page can be read");
	faulted(POKE(m + PAGE + 5), SIGSEGV, SEGV_ACCERR, m + PAGE + 5, "write to a read-only page");
	mprotect(m + PAGE, PAGE, PROT_NONE);
	faulted(PEEK(m + PAGE), SIGSEGV, SEGV_ACCERR, m + PAGE, "read from a guard page");
	faulted(POKE(m + PAGE + 1), SIGSEGV, SEGV_ACCERR, m + PAGE + 1, "write to a guard page");
	m[PAGE * 2] = (char)0xc3; // ret
	faulted(CALL(m + PAGE * 2), SIGSEGV, SEGV_ACCERR, m + PAGE * 2, "run a page without PROT_EXEC");
	mprotect(m + 2 * PAGE, PAGE, PROT_READ | PROT_EXEC);
	check(CALL(m + PAGE * 2) == 0, "run it with PROT_EXEC");
	munmap(m + 3 * PAGE, PAGE);
	faulted(POKE(m + 3 * PAGE), SIGSEGV, SEGV_MAPERR, m + 3 * PAGE, "write to an unmapped page");
	faulted(CALL(m + 3 * PAGE), SIGSEGV, SEGV_MAPERR, m + 3 * PAGE, "run an unmapped page");
	// An address that is not canonical gives a general protection fault, which has no address.
	int sig = PEEK((char *)0x8000000000000000);
	check(sig == SIGSEGV && fault_info.si_code == SI_KERNEL && fault_info.si_addr == NULL,
	      "read from an address that is not canonical: SI_KERNEL without address");
	// An access across two pages names the first byte that is missing.
	mprotect(m, 2 * PAGE, PROT_READ | PROT_WRITE);
	munmap(m + PAGE, PAGE);
	faulted(FAULT(*(volatile uint64_t *)(m + PAGE - 4) = 1), SIGSEGV, SEGV_MAPERR, m + PAGE, "write across the end");
	faulted(POKE((char *)main), SIGSEGV, SEGV_ACCERR, main, "write to the program's code");
	static const char text[] = "constant";
	faulted(POKE((char *)(uintptr_t)text), SIGSEGV, SEGV_ACCERR, text, "write to a constant");
	// The kernel does not raise a signal for its own access.
	fails(write(open("/dev/null", O_WRONLY) >= 0 ? 1 : 1, m + PAGE, 1), EFAULT, "write from unmapped memory");
	fails(read(open("/dev/zero", O_RDONLY), (void *)text, 1), EFAULT, "read into a constant");
	return done();
}
