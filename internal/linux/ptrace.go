package linux

// The requests of ptrace(2) (include/uapi/linux/ptrace.h and, for x86-64,
// asm/ptrace-abi.h).
const (
	PTRACE_TRACEME              = 0
	PTRACE_PEEKTEXT             = 1
	PTRACE_PEEKDATA             = 2
	PTRACE_PEEKUSER             = 3
	PTRACE_POKETEXT             = 4
	PTRACE_POKEDATA             = 5
	PTRACE_POKEUSER             = 6
	PTRACE_CONT                 = 7
	PTRACE_KILL                 = 8
	PTRACE_SINGLESTEP           = 9
	PTRACE_GETREGS              = 12
	PTRACE_SETREGS              = 13
	PTRACE_GETFPREGS            = 14
	PTRACE_SETFPREGS            = 15
	PTRACE_ATTACH               = 16
	PTRACE_DETACH               = 17
	PTRACE_SYSCALL              = 24
	PTRACE_SYSEMU               = 31
	PTRACE_SYSEMU_SINGLESTEP    = 32
	PTRACE_SETOPTIONS           = 0x4200
	PTRACE_GETEVENTMSG          = 0x4201
	PTRACE_GETSIGINFO           = 0x4202
	PTRACE_SETSIGINFO           = 0x4203
	PTRACE_GETREGSET            = 0x4204
	PTRACE_SETREGSET            = 0x4205
	PTRACE_SEIZE                = 0x4206
	PTRACE_INTERRUPT            = 0x4207
	PTRACE_LISTEN               = 0x4208
	PTRACE_PEEKSIGINFO          = 0x4209
	PTRACE_GETSIGMASK           = 0x420a
	PTRACE_SETSIGMASK           = 0x420b
	PTRACE_SECCOMP_GET_FILTER   = 0x420c
	PTRACE_SECCOMP_GET_METADATA = 0x420d
	PTRACE_GET_SYSCALL_INFO     = 0x420e
)

// The events; the option that asks for an event is the bit of its number.
const (
	PTRACE_EVENT_FORK       = 1
	PTRACE_EVENT_VFORK      = 2
	PTRACE_EVENT_CLONE      = 3
	PTRACE_EVENT_EXEC       = 4
	PTRACE_EVENT_VFORK_DONE = 5
	PTRACE_EVENT_EXIT       = 6
	PTRACE_EVENT_SECCOMP    = 7
	PTRACE_EVENT_STOP       = 128

	PTRACE_O_TRACESYSGOOD    = 1
	PTRACE_O_EXITKILL        = 1 << 20
	PTRACE_O_SUSPEND_SECCOMP = 1 << 21
	PTRACE_O_MASK            = 0xff | 1<<20 | 1<<21
)

// The register sets of PTRACE_GETREGSET, and what else the notes of a core file
// have (elf(5)).
const (
	NT_PRSTATUS = 1
	NT_PRFPREG  = 2
	NT_PRPSINFO = 3
	NT_AUXV     = 6
	NT_FILE     = 0x46494c45
	NT_SIGINFO  = 0x53494749

	NT_X86_XSTATE = 0x202
)
