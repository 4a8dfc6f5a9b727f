package linux

// Numbers that the C library's headers do not have as macros.
const (
	CLONE_CLEAR_SIGHAND = 1 << 32
	CLONE_INTO_CGROUP   = 1 << 33

	SA_RESTORER = 0x0400_0000
	MINSIGSTKSZ = 2048

	PROT_SEM      = 8
	MADV_COLLAPSE = 25

	FIGETBSZ     = 2
	FICLONE      = 0x40049409
	FICLONERANGE = 0x4020940d

	// PER_CLEAR_ON_SETID are the personality flags that a set-user-ID program
	// does not inherit.
	PER_CLEAR_ON_SETID = 0x0400000 | 0x0040000 | 0x0100000 | 0x0200000
)
