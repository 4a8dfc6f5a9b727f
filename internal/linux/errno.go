package linux

import "strconv"

// Errno is an error number as system calls return it; 0 is success.
type Errno uint16

// Results that the kernel uses inside; a program never sees them, a tracer
// does (signal(7)).
const (
	ERESTARTSYS           Errno = 512
	ERESTARTNOINTR        Errno = 513
	ERESTARTNOHAND        Errno = 514
	ERESTART_RESTARTBLOCK Errno = 516
)

// String gives the name, such as "ENOENT".
func (e Errno) String() string {
	switch e {
	case ERESTARTSYS:
		return "ERESTARTSYS"
	case ERESTARTNOINTR:
		return "ERESTARTNOINTR"
	case ERESTARTNOHAND:
		return "ERESTARTNOHAND"
	case ERESTART_RESTARTBLOCK:
		return "ERESTART_RESTARTBLOCK"
	}
	if int(e) < len(errnoNames) && errnoNames[e] != "" {
		return errnoNames[e]
	}
	return "errno " + strconv.Itoa(int(e))
}

// Message gives the text of strerror(3).
func (e Errno) Message() string {
	if int(e) < len(errnoMessages) && errnoMessages[e] != "" {
		return errnoMessages[e]
	}
	return "Unknown error " + strconv.Itoa(int(e))
}

// SyscallName gives the name of a system call number.
func SyscallName(nr int) string {
	if n, ok := syscallNames[nr]; ok {
		return n
	}
	return "syscall_0x" + strconv.FormatInt(int64(nr), 16)
}

// IsSyscall reports whether Linux has a call of this number.
func IsSyscall(nr int) bool { return syscallNames[nr] != "" }

// Syscalls gives all numbers with their names, in no order.
func Syscalls() map[int]string { return syscallNames }

// SyscallNumber finds a system call by name.
func SyscallNumber(name string) (int, bool) {
	for nr, n := range syscallNames {
		if n == name {
			return nr, true
		}
	}
	return 0, false
}
