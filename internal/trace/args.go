package trace

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// kinds are the arguments of a call, a letter each:
//
//	d signed number, u unsigned, x hexadecimal, p address, o octal mode
//	h signed 64-bit number, Q flags of pipe2 and dup3, B flags of mremap, N string out
//	D directory descriptor (AT_FDCWD), s path, S string
//	w bytes to be written, whose length is the next argument
//	r bytes that were read: as many as the result says
//	v argument vector, e environment
//	O flags of open, P protection, M flags of mmap, A flags of ...at calls
//	C flags of clone, W options of wait, G signal, K how to change a mask
//	m signal set in, n signal set out, a action in, b action out
//	t timespec in, T timespec out, i wait status out, I two descriptors out
//	z struct stat out, l rlimit out, L rlimit in, R name of a resource
//	F command of fcntl, q request of ioctl, y whence, k clock
//	f operation of futex, j access mode, c arch_prctl code
var kinds = map[int]string{
	linux.SYS_read: "dru", linux.SYS_write: "dwu", linux.SYS_open: "sOo", linux.SYS_close: "d", linux.SYS_stat: "sz",
	linux.SYS_fstat: "dz", linux.SYS_lstat: "sz", linux.SYS_poll: "pud", linux.SYS_lseek: "dhy", linux.SYS_mmap: "puPMdx",
	linux.SYS_mprotect: "puP", linux.SYS_munmap: "pu", linux.SYS_brk: "p", linux.SYS_rt_sigaction: "Gabu",
	linux.SYS_rt_sigprocmask: "Kmnu", linux.SYS_rt_sigreturn: "", linux.SYS_ioctl: "dqp", linux.SYS_pread64: "druu",
	linux.SYS_pwrite64: "dwuu", linux.SYS_readv: "dpu", linux.SYS_writev: "dpu", linux.SYS_access: "sj", linux.SYS_pipe: "I",
	linux.SYS_select: "uxxxx", linux.SYS_sched_yield: "", linux.SYS_mremap: "puuBp", linux.SYS_msync: "pux", linux.SYS_madvise: "pux",
	linux.SYS_dup: "d", linux.SYS_dup2: "dd", linux.SYS_pause: "", linux.SYS_nanosleep: "tT", linux.SYS_alarm: "u",
	linux.SYS_getpid: "", linux.SYS_sendfile: "ddpu", linux.SYS_socket: "uux", linux.SYS_connect: "dpu", linux.SYS_accept: "dpp",
	linux.SYS_sendto: "dwuxpu", linux.SYS_recvfrom: "druxpp", linux.SYS_bind: "dpu", linux.SYS_listen: "du", linux.SYS_shutdown: "du",
	linux.SYS_socketpair: "uuup", linux.SYS_clone: "Cpppp", linux.SYS_fork: "", linux.SYS_vfork: "", linux.SYS_execve: "sve",
	linux.SYS_exit: "d", linux.SYS_exit_group: "d", linux.SYS_wait4: "diWp", linux.SYS_kill: "dG", linux.SYS_uname: "p",
	linux.SYS_fcntl: "dFx", linux.SYS_flock: "dx", linux.SYS_fsync: "d", linux.SYS_fdatasync: "d", linux.SYS_truncate: "su",
	linux.SYS_ftruncate: "du", linux.SYS_getcwd: "Nu", linux.SYS_chdir: "s", linux.SYS_fchdir: "d", linux.SYS_rename: "ss",
	linux.SYS_mkdir: "so", linux.SYS_rmdir: "s", linux.SYS_creat: "so", linux.SYS_link: "ss", linux.SYS_unlink: "s", linux.SYS_symlink: "ss",
	linux.SYS_readlink: "sru", linux.SYS_chmod: "so", linux.SYS_fchmod: "do", linux.SYS_chown: "sdd", linux.SYS_umask: "o",
	linux.SYS_gettimeofday: "pp", linux.SYS_getrlimit: "Rl", linux.SYS_getuid: "", linux.SYS_getgid: "", linux.SYS_geteuid: "", linux.SYS_getegid: "",
	linux.SYS_setuid: "d", linux.SYS_setgid: "d", linux.SYS_setpgid: "dd", linux.SYS_getppid: "", linux.SYS_getpgrp: "", linux.SYS_setsid: "",
	linux.SYS_rt_sigsuspend: "mu", linux.SYS_rt_sigtimedwait: "mptu", linux.SYS_sigaltstack: "pp", linux.SYS_statfs: "sp", linux.SYS_prctl: "dxxxx",
	linux.SYS_arch_prctl: "cp", linux.SYS_setrlimit: "RL", linux.SYS_sync: "", linux.SYS_mount: "sSSxp", linux.SYS_umount2: "sx",
	linux.SYS_gettid: "", linux.SYS_tkill: "dG", linux.SYS_futex: "pfutpx", linux.SYS_sched_getaffinity: "dup", linux.SYS_getdents64: "dpu",
	linux.SYS_set_tid_address: "p", linux.SYS_restart_syscall: "", linux.SYS_clock_gettime: "kT", linux.SYS_clock_nanosleep: "kxtT",
	linux.SYS_epoll_wait: "dpdd", linux.SYS_epoll_ctl: "dudp", linux.SYS_tgkill: "ddG", linux.SYS_waitid: "ddpWp", linux.SYS_openat: "DsOo",
	linux.SYS_mkdirat: "Dso", linux.SYS_newfstatat: "DszA", linux.SYS_unlinkat: "DsA", linux.SYS_renameat: "DsDs", linux.SYS_renameat2: "DsDsx",
	linux.SYS_linkat: "DsDsA", linux.SYS_symlinkat: "sDs", linux.SYS_readlinkat: "Dsru", linux.SYS_fchmodat: "Dso", linux.SYS_faccessat: "Dsj",
	linux.SYS_faccessat2: "DsjA", linux.SYS_set_robust_list: "pu", linux.SYS_utimensat: "DspA", linux.SYS_pipe2: "IQ", linux.SYS_dup3: "ddQ",
	linux.SYS_prlimit64: "dRLl", linux.SYS_getrandom: "rux", linux.SYS_memfd_create: "Sx", linux.SYS_execveat: "DsveA", linux.SYS_statx: "DsAxp",
	linux.SYS_rseq: "pxxx", linux.SYS_clone3: "pu", linux.SYS_close_range: "uux", linux.SYS_pidfd_open: "dx", linux.SYS_eventfd2: "ux",
	linux.SYS_epoll_create1: "x", linux.SYS_epoll_pwait: "dpddmu", linux.SYS_ppoll: "putmu", linux.SYS_pselect6: "uppptp", linux.SYS_getpgid: "d",
	linux.SYS_setsockopt: "duupu", linux.SYS_getsockopt: "duupp", linux.SYS_sysinfo: "p", linux.SYS_times: "p", linux.SYS_getrusage: "dp",
	linux.SYS_fadvise64: "dxux", linux.SYS_copy_file_range: "dpdpux", linux.SYS_personality: "x", linux.SYS_getpriority: "dd", linux.SYS_setpriority: "ddd",
}

// out are the kinds that show what the kernel has stored: known at exit.
const out = "rnbTiIzlN"

// formatArgs formats the arguments up to the first that the kernel fills in,
// when the call begins: an exec leaves nothing of the caller's memory.
func formatArgs(nr int, args *[6]uint64, mem Memory) string {
	if nr == linux.SYS_clone {
		return formatClone(args)
	}
	spec, ok := kinds[nr]
	if !ok {
		spec = "xxxxxx"
	}
	var parts []string
	for i := range spec {
		if strings.IndexByte(out, spec[i]) >= 0 {
			return strings.Join(append(parts, ""), ", ")
		}
		if hidden(nr, i, args) {
			break
		}
		if nr == linux.SYS_fcntl && i == 2 {
			parts = append(parts, fcntlArg(args))
			continue
		}
		parts = append(parts, formatArg(spec[i], args, i, mem, 0))
	}
	return strings.Join(parts, ", ")
}

// fcntlArg formats the third argument of fcntl, which depends on the command.
func fcntlArg(args *[6]uint64) string {
	switch args[1] {
	case linux.F_DUPFD, linux.F_DUPFD_CLOEXEC, linux.F_SETOWN, linux.F_SETPIPE_SZ:
		return fmt.Sprint(int32(args[2]))
	case linux.F_SETFD:
		if args[2] == linux.FD_CLOEXEC {
			return "FD_CLOEXEC"
		}
	case linux.F_SETFL:
		return symbols['O'].format(args[2])
	}
	return pointer(args[2])
}

// formatClone names the arguments of clone, as strace does.
func formatClone(args *[6]uint64) string {
	flags := ""
	if rest := args[0] &^ linux.CSIGNAL; rest != 0 {
		flags = symbols['C'].format(rest)
	}
	flags = strings.TrimPrefix(flags, "0x0|")
	if sig := args[0] & linux.CSIGNAL; sig != 0 {
		flags = strings.TrimPrefix(flags+"|"+linux.Signal(sig).String(), "|")
	}
	s := fmt.Sprintf("child_stack=%s, flags=%s", pointer(args[1]), flags)
	if args[0]&(linux.CLONE_PARENT_SETTID|linux.CLONE_PIDFD) != 0 {
		s += fmt.Sprintf(", parent_tid=%#x", args[2])
	}
	if args[0]&linux.CLONE_SETTLS != 0 {
		s += fmt.Sprintf(", tls=%#x", args[4])
	}
	if args[0]&(linux.CLONE_CHILD_SETTID|linux.CLONE_CHILD_CLEARTID) != 0 {
		s += fmt.Sprintf(", child_tidptr=%#x", args[3])
	}
	return s
}

// formatOut formats the arguments that formatArgs left out at entry.
func formatOut(nr int, args *[6]uint64, mem Memory, ret int64) string {
	spec := kinds[nr]
	first := strings.IndexAny(spec, out)
	if first < 0 {
		return ""
	}
	var parts []string
	for i := first; i < len(spec) && !hidden(nr, i, args); i++ {
		parts = append(parts, formatArg(spec[i], args, i, mem, ret))
	}
	return strings.Join(parts, ", ")
}

// hidden reports whether an argument is not there for these flags.
func hidden(nr, i int, args *[6]uint64) bool {
	switch nr {
	case linux.SYS_openat:
		return i == 3 && args[2]&(linux.O_CREAT|linux.O_TMPFILE&^linux.O_DIRECTORY) == 0
	case linux.SYS_open:
		return i == 2 && args[1]&linux.O_CREAT == 0
	case linux.SYS_fcntl:
		return i == 2 && (args[1] == linux.F_GETFD || args[1] == linux.F_GETFL)
	case linux.SYS_mremap:
		return i == 4 && args[3]&linux.MREMAP_FIXED == 0
	case linux.SYS_futex:
		cmd := args[1] & 0x7f
		return i > 2 && cmd == linux.FUTEX_WAKE || i > 3 && cmd == linux.FUTEX_WAIT
	}
	return false
}

func formatArg(kind byte, args *[6]uint64, i int, mem Memory, ret int64) string {
	a := args[i]
	failed := ret < 0 && ret > -4096
	switch kind {
	case 'd':
		return fmt.Sprint(int32(a))
	case 'h':
		return fmt.Sprint(int64(a))
	case 'u':
		return fmt.Sprint(a)
	case 'x':
		if a == 0 {
			return "0"
		}
		return fmt.Sprintf("%#x", a)
	case 'o':
		return fmt.Sprintf("%#o", uint32(a))
	case 'D':
		if int32(a) == linux.AT_FDCWD {
			return "AT_FDCWD"
		}
		return fmt.Sprint(int32(a))
	case 's':
		return stringAt(mem, a, linux.PATH_MAX)
	case 'N':
		if failed {
			return pointer(a)
		}
		return stringAt(mem, a, linux.PATH_MAX)
	case 'S':
		return stringAt(mem, a, maxString)
	case 'w':
		return bytesAt(mem, a, args[i+1])
	case 'r':
		if failed {
			return pointer(a)
		}
		return bytesAt(mem, a, uint64(ret))
	case 'v':
		return vector(mem, a)
	case 'e':
		return environment(mem, a)
	case 'm', 'n':
		if a == 0 || kind == 'n' && failed {
			return pointer(a)
		}
		return sigset(word(mem, a))
	case 'a', 'b':
		if a == 0 || kind == 'b' && failed {
			return pointer(a)
		}
		return sigaction(mem, a)
	case 't', 'T':
		if a == 0 || kind == 'T' && failed {
			return pointer(a)
		}
		return fmt.Sprintf("{tv_sec=%d, tv_nsec=%d}", int64(word(mem, a)), int64(word(mem, a+8)))
	case 'i':
		if a == 0 || failed || ret == 0 {
			return pointer(a)
		}
		return "[" + waitStatus(uint32(word(mem, a))) + "]"
	case 'I':
		if failed {
			return pointer(a)
		}
		w := word(mem, a)
		return fmt.Sprintf("[%d, %d]", int32(w), int32(w>>32))
	case 'z':
		if failed {
			return pointer(a)
		}
		return statAt(mem, a)
	case 'l', 'L':
		if a == 0 || kind == 'l' && failed {
			return pointer(a)
		}
		return fmt.Sprintf("{rlim_cur=%s, rlim_max=%s}", limit(word(mem, a)), limit(word(mem, a+8)))
	case 'G':
		return linux.Signal(int32(a)).String()
	}
	if t, ok := symbols[kind]; ok {
		return t.format(a)
	}
	return pointer(a)
}

func pointer(a uint64) string {
	if a == 0 {
		return "NULL"
	}
	return fmt.Sprintf("%#x", a)
}

func word(mem Memory, addr uint64) uint64 {
	var b [8]byte
	if mem.Read(addr, b[:]) != 0 {
		mem.Read(addr, b[:4])
	}
	return binary.LittleEndian.Uint64(b[:])
}

// limit formats a resource limit; multiples of 1024 as strace does.
func limit(v uint64) string {
	switch {
	case v == ^uint64(0):
		return "RLIM64_INFINITY"
	case v > 1024 && v%1024 == 0:
		return fmt.Sprintf("%d*1024", v/1024)
	}
	return fmt.Sprint(v)
}

// vector formats argv.
func vector(mem Memory, addr uint64) string {
	if addr == 0 {
		return "NULL"
	}
	var parts []string
	for i := uint64(0); ; i++ {
		p := word(mem, addr+8*i)
		if p == 0 {
			return "[" + strings.Join(parts, ", ") + "]"
		}
		if i == maxString {
			return "[" + strings.Join(parts, ", ") + ", ...]"
		}
		parts = append(parts, stringAt(mem, p, maxString))
	}
}

// environment tells how many variables there are.
func environment(mem Memory, addr uint64) string {
	n := uint64(0)
	for addr != 0 && n < 1<<16 && word(mem, addr+8*n) != 0 {
		n++
	}
	plural := "s"
	if n == 1 {
		plural = ""
	}
	return fmt.Sprintf("%#x /* %d var%s */", addr, n, plural)
}

// sigset formats a signal set: the names without SIG, or with ~ those missing.
func sigset(v uint64) string {
	set, not := linux.Sigset(v), ""
	n := 0
	for s := linux.Signal(1); s <= linux.NSIG; s++ {
		if set.Has(s) {
			n++
		}
	}
	if n > linux.NSIG*2/3 {
		set, not = ^set, "~"
	}
	var names []string
	for s := linux.Signal(1); s <= linux.NSIG; s++ {
		if set.Has(s) {
			names = append(names, strings.TrimPrefix(s.String(), "SIG"))
		}
	}
	return not + "[" + strings.Join(names, " ") + "]"
}

func sigaction(mem Memory, addr uint64) string {
	var b [linux.SizeofSigaction]byte
	if mem.Read(addr, b[:]) != 0 {
		return pointer(addr)
	}
	var a linux.Sigaction
	a.Decode(b[:])
	h := fmt.Sprintf("%#x", a.Handler)
	switch a.Handler {
	case linux.SIG_DFL:
		h = "SIG_DFL"
	case linux.SIG_IGN:
		h = "SIG_IGN"
	}
	s := fmt.Sprintf("{sa_handler=%s, sa_mask=%s, sa_flags=%s", h, sigset(uint64(a.Mask)), symbols['~'].format(a.Flags))
	if a.Flags&linux.SA_RESTORER != 0 {
		s += fmt.Sprintf(", sa_restorer=%#x", a.Restorer)
	}
	return s + "}"
}

// waitStatus formats a wait status with the macros that take it apart.
func waitStatus(w uint32) string {
	switch {
	case w == 0xffff:
		return "{WIFCONTINUED(s)}"
	case w&0xff == 0x7f:
		return fmt.Sprintf("{WIFSTOPPED(s) && WSTOPSIG(s) == %v}", linux.Signal(w>>8&0xff))
	case w&0x7f != 0:
		core := ""
		if w&0x80 != 0 {
			core = " && WCOREDUMP(s)"
		}
		return fmt.Sprintf("{WIFSIGNALED(s) && WTERMSIG(s) == %v%s}", linux.Signal(w&0x7f), core)
	}
	return fmt.Sprintf("{WIFEXITED(s) && WEXITSTATUS(s) == %d}", w>>8&0xff)
}

func statAt(mem Memory, addr uint64) string {
	var b [linux.SizeofStat]byte
	if mem.Read(addr, b[:]) != 0 {
		return pointer(addr)
	}
	le := binary.LittleEndian
	mode, size, rdev := le.Uint32(b[24:]), int64(le.Uint64(b[48:])), le.Uint64(b[40:])
	kind := map[uint32]string{
		linux.S_IFREG: "S_IFREG", linux.S_IFDIR: "S_IFDIR", linux.S_IFLNK: "S_IFLNK", linux.S_IFIFO: "S_IFIFO",
		linux.S_IFSOCK: "S_IFSOCK", linux.S_IFCHR: "S_IFCHR", linux.S_IFBLK: "S_IFBLK",
	}[mode&linux.S_IFMT]
	if kind == "" {
		kind = fmt.Sprintf("%#o", mode&linux.S_IFMT)
	}
	what := fmt.Sprintf("st_size=%d", size)
	if t := mode & linux.S_IFMT; t == linux.S_IFCHR || t == linux.S_IFBLK {
		what = fmt.Sprintf("st_rdev=makedev(%#x, %#x)", linux.Major(rdev), linux.Minor(rdev))
	}
	return fmt.Sprintf("{st_mode=%s|%#o, %s, ...}", kind, mode&0o7777, what)
}

func formatSiginfo(s *linux.Siginfo) string {
	code := siCode(s)
	head := fmt.Sprintf("{si_signo=%v, si_code=%s", s.Signo, code)
	switch {
	case s.Code == linux.SI_KERNEL:
		return head + "}"
	case s.Signo == linux.SIGCHLD && s.Code > 0:
		status := fmt.Sprint(s.Status)
		if s.Code != linux.CLD_EXITED {
			status = linux.Signal(s.Status).String()
		}
		return fmt.Sprintf("%s, si_pid=%d, si_uid=%d, si_status=%s, si_utime=%d, si_stime=%d}", head, s.PID, s.UID, status, s.Utime, s.Stime)
	case s.Code > 0:
		if s.Addr == 0 {
			return head + ", si_addr=NULL}"
		}
		return fmt.Sprintf("%s, si_addr=%#x}", head, s.Addr)
	case s.Code == linux.SI_TIMER:
		return fmt.Sprintf("%s, si_timerid=%#x, si_overrun=%d, si_value={sival_int=%d, sival_ptr=%#x}}", head, s.TimerID, s.Overrun, int32(s.Value), s.Value)
	case s.Code == linux.SI_QUEUE:
		return fmt.Sprintf("%s, si_pid=%d, si_uid=%d, si_value={sival_int=%d, sival_ptr=%#x}}", head, s.PID, s.UID, int32(s.Value), s.Value)
	}
	return fmt.Sprintf("%s, si_pid=%d, si_uid=%d}", head, s.PID, s.UID)
}

// siCode names the code of a signal.
func siCode(s *linux.Siginfo) string {
	if n, ok := map[int32]string{
		linux.SI_USER: "SI_USER", linux.SI_KERNEL: "SI_KERNEL", linux.SI_QUEUE: "SI_QUEUE", linux.SI_TIMER: "SI_TIMER", linux.SI_TKILL: "SI_TKILL",
	}[s.Code]; ok {
		return n
	}
	names := map[linux.Signal][]string{
		linux.SIGCHLD: {"CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"},
		linux.SIGSEGV: {"SEGV_MAPERR", "SEGV_ACCERR"},
		linux.SIGBUS:  {"BUS_ADRALN", "BUS_ADRERR"},
		linux.SIGFPE:  {"FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES", "FPE_FLTINV"},
		linux.SIGILL:  {"ILL_ILLOPC", "ILL_ILLOPN"},
		linux.SIGTRAP: {"TRAP_BRKPT", "TRAP_TRACE"},
	}[s.Signo]
	if i := int(s.Code) - 1; i >= 0 && i < len(names) {
		return names[i]
	}
	return fmt.Sprint(s.Code)
}
