package trace

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// Filter selects system calls. The zero value selects all.
type Filter struct {
	set    map[int]bool // nil: all
	invert bool
}

// classes are strace's names for groups of calls (strace(1), -e trace).
var classes = map[string]string{
	"file": "open stat lstat access execve truncate getcwd chdir rename mkdir rmdir creat link unlink symlink readlink " +
		"chmod chown lchown utime mknod uselib statfs pivot_root chroot acct mount umount2 swapon swapoff quotactl " +
		"setxattr lsetxattr getxattr lgetxattr listxattr llistxattr removexattr lremovexattr utimes " +
		"inotify_add_watch openat mkdirat mknodat fchownat futimesat newfstatat unlinkat renameat linkat symlinkat " +
		"readlinkat fchmodat faccessat utimensat fanotify_mark name_to_handle_at renameat2 execveat statx " +
		"open_tree move_mount fsconfig fspick openat2 faccessat2 mount_setattr",
	"desc": "read write open close fstat poll lseek mmap ioctl pread64 pwrite64 readv writev pipe select dup dup2 " +
		"sendfile fcntl flock fsync fdatasync ftruncate getdents fchdir creat fchmod fchown fstatfs readahead " +
		"fsetxattr fgetxattr flistxattr fremovexattr epoll_create getdents64 fadvise64 epoll_wait epoll_ctl " +
		"mq_open mq_timedsend mq_timedreceive mq_notify mq_getsetattr inotify_init inotify_add_watch " +
		"inotify_rm_watch openat mkdirat mknodat fchownat futimesat newfstatat unlinkat renameat linkat symlinkat " +
		"readlinkat fchmodat faccessat pselect6 ppoll splice tee sync_file_range vmsplice utimensat epoll_pwait " +
		"signalfd timerfd_create eventfd fallocate timerfd_settime timerfd_gettime signalfd4 eventfd2 " +
		"epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev perf_event_open fanotify_init fanotify_mark " +
		"name_to_handle_at open_by_handle_at syncfs setns finit_module renameat2 memfd_create kexec_file_load bpf " +
		"execveat userfaultfd copy_file_range preadv2 pwritev2 statx pidfd_send_signal io_uring_setup " +
		"io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig fsmount fspick pidfd_open openat2 " +
		"pidfd_getfd faccessat2 process_madvise epoll_pwait2 mount_setattr quotactl_fd landlock_create_ruleset " +
		"landlock_add_rule landlock_restrict_self memfd_secret process_mrelease",
	"process": "clone fork vfork execve exit wait4 kill rt_sigqueueinfo tkill exit_group tgkill waitid rt_tgsigqueueinfo " +
		"execveat pidfd_send_signal clone3",
	"network": "sendfile socket connect accept sendto recvfrom sendmsg recvmsg shutdown bind listen getsockname " +
		"getpeername socketpair setsockopt getsockopt getpmsg putpmsg accept4 recvmmsg sendmmsg",
	"signal": "rt_sigaction rt_sigprocmask rt_sigreturn pause kill rt_sigpending rt_sigtimedwait rt_sigqueueinfo " +
		"rt_sigsuspend sigaltstack tkill tgkill signalfd signalfd4 rt_tgsigqueueinfo pidfd_send_signal " +
		"io_uring_enter",
	"ipc": "shmget shmat shmctl semget semop semctl shmdt msgget msgsnd msgrcv msgctl semtimedop",
	"memory": "mmap mprotect munmap brk mremap msync mincore madvise shmat shmdt mlock munlock mlockall munlockall " +
		"io_setup io_destroy remap_file_pages mbind set_mempolicy get_mempolicy migrate_pages move_pages mlock2 " +
		"pkey_mprotect io_uring_register set_mempolicy_home_node",
	"creds": "getuid getgid setuid setgid geteuid getegid setreuid setregid getgroups setgroups setresuid getresuid " +
		"setresgid getresgid setfsuid setfsgid capget capset prctl",
	"clock": "gettimeofday adjtimex settimeofday time clock_settime clock_gettime clock_getres clock_adjtime",
	"pure":  "getpid getuid getgid geteuid getegid getppid getpgrp gettid",
}

// ParseFilter reads what strace's -e trace= takes: names, classes such as %file
// and /regular expressions, separated by commas; "all", "none", and "!" in
// front for all others. ? before a name allows it not to exist.
func ParseFilter(s string) (Filter, error) {
	f := Filter{}
	if s == "" || s == "all" {
		return f, nil
	}
	f.set = make(map[int]bool)
	for strings.HasPrefix(s, "!") {
		f.invert, s = !f.invert, s[1:]
	}
	if s == "all" {
		f.invert = !f.invert
		return f, nil
	}
	if s == "none" {
		return f, nil
	}
	for _, name := range strings.Split(s, ",") {
		if err := f.add(name); err != nil {
			return f, err
		}
	}
	return f, nil
}

// add adds what one element of the list selects.
func (f *Filter) add(name string) error {
	if expr, ok := strings.CutPrefix(name, "/"); ok {
		re, err := regexp.Compile(expr)
		if err != nil {
			return err
		}
		for nr, n := range linux.Syscalls() {
			if re.MatchString(n) {
				f.set[nr] = true
			}
		}
		return nil
	}
	bare := strings.TrimPrefix(name, "?")
	names := bare
	if list, ok := classes[strings.TrimPrefix(bare, "%")]; ok {
		names = list
	}
	for _, n := range strings.Fields(names) {
		nr, ok := linux.SyscallNumber(n)
		if !ok && bare == name {
			return fmt.Errorf("invalid system call '%s'", name)
		}
		if ok {
			f.set[nr] = true
		}
	}
	return nil
}

// Match reports whether a call is selected.
func (f Filter) Match(nr int) bool { return f.set == nil || f.set[nr] != f.invert }

// SignalSet selects signals. The zero value selects all.
type SignalSet struct{ not linux.Sigset }

// ParseSignals reads what strace's -e signal= takes: names with or without SIG,
// or numbers, separated by commas; "all", "none", and "!" in front for all
// others.
func ParseSignals(s string) (SignalSet, error) {
	var set linux.Sigset
	rest, invert := strings.CutPrefix(s, "!")
	switch rest {
	case "", "all":
		set = ^set
	case "none":
	default:
		for _, name := range strings.Split(rest, ",") {
			sig, ok := signalNumber(name)
			if !ok {
				return SignalSet{}, fmt.Errorf("invalid signal '%s'", name)
			}
			set.Add(sig)
		}
	}
	if invert {
		set = ^set
	}
	return SignalSet{^set}, nil
}

func signalNumber(name string) (linux.Signal, bool) {
	name = "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	for s := linux.Signal(1); s <= linux.NSIG; s++ {
		if s.String() == name || "SIG"+fmt.Sprint(int(s)) == name {
			return s, true
		}
	}
	return 0, false
}

// Has reports whether a signal is selected.
func (s SignalSet) Has(sig linux.Signal) bool { return !s.not.Has(sig) }

// ParseStatus reads what strace's -e status= takes.
func ParseStatus(s string) (Status, error) {
	switch s {
	case "", "all":
		return AnyStatus, nil
	case "successful":
		return Successful, nil
	case "failed":
		return Failed, nil
	}
	return AnyStatus, fmt.Errorf("invalid status '%s'", s)
}
