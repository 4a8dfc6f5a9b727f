package linux

import (
	"encoding/binary"
	"strconv"
)

// Signal is a signal number.
type Signal int

// The signals (signal(7)).
const (
	SIGHUP    Signal = 1
	SIGINT    Signal = 2
	SIGQUIT   Signal = 3
	SIGILL    Signal = 4
	SIGTRAP   Signal = 5
	SIGABRT   Signal = 6
	SIGBUS    Signal = 7
	SIGFPE    Signal = 8
	SIGKILL   Signal = 9
	SIGUSR1   Signal = 10
	SIGSEGV   Signal = 11
	SIGUSR2   Signal = 12
	SIGPIPE   Signal = 13
	SIGALRM   Signal = 14
	SIGTERM   Signal = 15
	SIGSTKFLT Signal = 16
	SIGCHLD   Signal = 17
	SIGCONT   Signal = 18
	SIGSTOP   Signal = 19
	SIGTSTP   Signal = 20
	SIGTTIN   Signal = 21
	SIGTTOU   Signal = 22
	SIGURG    Signal = 23
	SIGXCPU   Signal = 24
	SIGXFSZ   Signal = 25
	SIGVTALRM Signal = 26
	SIGPROF   Signal = 27
	SIGWINCH  Signal = 28
	SIGIO     Signal = 29
	SIGPWR    Signal = 30
	SIGSYS    Signal = 31
	SIGRTMIN  Signal = 32 // the first real-time signal as the kernel counts
)

// NSIG is the highest signal number.
const NSIG = 64

// The special handlers.
const (
	SIG_DFL = 0
	SIG_IGN = 1
)

// SS_AUTODISARM disarms the alternate stack while a handler runs on it.
const SS_AUTODISARM = 1 << 31

var signalNames = [...]string{
	1: "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
	"STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
}

// String gives the name as strace prints it: SIGINT, SIGRTMIN, SIGRT_1.
func (s Signal) String() string {
	switch {
	case s > 0 && int(s) < len(signalNames):
		return "SIG" + signalNames[s]
	case s == SIGRTMIN:
		return "SIGRTMIN"
	case s > SIGRTMIN && s <= NSIG:
		return "SIGRT_" + strconv.Itoa(int(s-SIGRTMIN))
	}
	return strconv.Itoa(int(s))
}

var signalDescriptions = [...]string{
	1: "Hangup", "Interrupt", "Quit", "Illegal instruction", "Trace/breakpoint trap", "Aborted", "Bus error",
	"Floating point exception", "Killed", "User defined signal 1", "Segmentation fault", "User defined signal 2",
	"Broken pipe", "Alarm clock", "Terminated", "Stack fault", "Child exited", "Continued", "Stopped (signal)",
	"Stopped", "Stopped (tty input)", "Stopped (tty output)", "Urgent I/O condition", "CPU time limit exceeded",
	"File size limit exceeded", "Virtual timer expired", "Profiling timer expired", "Window changed", "I/O possible",
	"Power failure", "Bad system call",
}

// Description gives the text of strsignal(3).
func (s Signal) Description() string {
	switch {
	case s > 0 && int(s) < len(signalDescriptions):
		return signalDescriptions[s]
	case s >= SIGRTMIN && s <= NSIG:
		return "Real-time signal " + strconv.Itoa(int(s-SIGRTMIN-2))
	}
	return "Unknown signal " + strconv.Itoa(int(s))
}

// Sigset is a set of signals; bit n-1 is signal n.
type Sigset uint64

// Has reports whether s is in the set.
func (m Sigset) Has(s Signal) bool { return m>>(s-1)&1 != 0 }

// Add puts s into the set.
func (m *Sigset) Add(s Signal) { *m |= 1 << (s - 1) }

// Del takes s out of the set.
func (m *Sigset) Del(s Signal) { *m &^= 1 << (s - 1) }

// Sigaction is the kernel's struct sigaction.
type Sigaction struct {
	Handler  uint64
	Flags    uint64
	Restorer uint64
	Mask     Sigset
}

// SizeofSigaction is its size.
const SizeofSigaction = 32

// Encode writes the structure.
func (a *Sigaction) Encode(b []byte) {
	put64(b, a.Handler, a.Flags, a.Restorer, uint64(a.Mask))
}

// Decode reads the structure.
func (a *Sigaction) Decode(b []byte) {
	a.Handler, a.Flags, a.Restorer, a.Mask = u64(b), u64(b[8:]), u64(b[16:]), Sigset(u64(b[24:]))
}

// StackT is stack_t, an alternate signal stack.
type StackT struct {
	SP    uint64
	Flags uint32
	Size  uint64
}

// SizeofStackT is its size.
const SizeofStackT = 24

// Encode writes the structure.
func (s *StackT) Encode(b []byte) { put64(b, s.SP, uint64(s.Flags), s.Size) }

// Decode reads the structure.
func (s *StackT) Decode(b []byte) { s.SP, s.Flags, s.Size = u64(b), u32(b[8:]), u64(b[16:]) }

// Siginfo is siginfo_t. Which fields mean something depends on Signo and Code
// (sigaction(2)).
type Siginfo struct {
	Signo Signal
	Errno int32
	Code  int32

	PID     int32  // kill, queue, child
	UID     uint32 // kill, queue, child
	Status  int32  // child
	Utime   int64  // child, in clock ticks
	Stime   int64  // child
	TimerID int32  // timer
	Overrun int32  // timer
	Value   uint64 // queue, timer
	Addr    uint64 // faults
	Band    int64  // SIGIO
	FD      int32  // SIGIO
	Call    uint64 // SIGSYS
	Syscall int32  // SIGSYS
	Arch    uint32 // SIGSYS
}

// The architectures of seccomp_data and SIGSYS (linux/audit.h).
const (
	AUDIT_ARCH_I386   = 0x40000003
	AUDIT_ARCH_X86_64 = 0xc000003e
)

// SYS_SECCOMP is the si_code of a call that a filter does not allow.
const SYS_SECCOMP = 1

// SizeofSiginfo is its size.
const SizeofSiginfo = 128

// Encode writes the structure.
func (s *Siginfo) Encode(b []byte) {
	clear(b[:SizeofSiginfo])
	le := binary.LittleEndian
	le.PutUint32(b, uint32(s.Signo))
	le.PutUint32(b[4:], uint32(s.Errno))
	le.PutUint32(b[8:], uint32(s.Code))
	switch s.layout() {
	case layoutTimer:
		le.PutUint32(b[16:], uint32(s.TimerID))
		le.PutUint32(b[20:], uint32(s.Overrun))
		le.PutUint64(b[24:], s.Value)
	case layoutFault:
		le.PutUint64(b[16:], s.Addr)
	case layoutPoll:
		le.PutUint64(b[16:], uint64(s.Band))
		le.PutUint32(b[24:], uint32(s.FD))
	case layoutSys:
		le.PutUint64(b[16:], s.Call)
		le.PutUint32(b[24:], uint32(s.Syscall))
		le.PutUint32(b[28:], s.Arch)
	case layoutChild:
		le.PutUint32(b[16:], uint32(s.PID))
		le.PutUint32(b[20:], s.UID)
		le.PutUint32(b[24:], uint32(s.Status))
		le.PutUint64(b[32:], uint64(s.Utime))
		le.PutUint64(b[40:], uint64(s.Stime))
	default:
		le.PutUint32(b[16:], uint32(s.PID))
		le.PutUint32(b[20:], s.UID)
		le.PutUint64(b[24:], s.Value)
	}
}

// Decode reads a structure that a program queues.
func (s *Siginfo) Decode(b []byte) {
	*s = Siginfo{
		Signo: Signal(int32(u32(b))), Errno: int32(u32(b[4:])), Code: int32(u32(b[8:])),
		PID: int32(u32(b[16:])), UID: u32(b[20:]), Value: u64(b[24:]),
	}
}

// The layouts of the union in siginfo_t.
type siginfoLayout int

const (
	layoutKill siginfoLayout = iota
	layoutTimer
	layoutFault
	layoutChild
	layoutPoll
	layoutSys
)

// layout is the rule of the kernel's siginfo_layout.
func (s *Siginfo) layout() siginfoLayout {
	if s.Code <= 0 || s.Code == SI_KERNEL {
		switch s.Code {
		case SI_TIMER:
			return layoutTimer
		case SI_SIGIO:
			return layoutPoll
		}
		return layoutKill
	}
	switch s.Signo {
	case SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP:
		return layoutFault
	case SIGCHLD:
		return layoutChild
	case SIGSYS:
		return layoutSys
	}
	if s.Code <= POLL_HUP {
		return layoutPoll // the signal of F_SETSIG can be any other
	}
	return layoutKill
}
