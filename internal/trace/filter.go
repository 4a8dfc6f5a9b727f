package trace

import (
	"fmt"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// Filter selects system calls. The zero value selects all.
type Filter struct {
	set    map[int]bool // nil: all
	invert bool
}

// classes are strace's names for groups of calls.
var classes = map[string]string{
	"%file":    "open openat openat2 creat stat lstat newfstatat statx access faccessat faccessat2 execve execveat chdir chroot getcwd mkdir mkdirat mknod mknodat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat readlink readlinkat chmod fchmodat chown lchown fchownat truncate utime utimes utimensat futimesat statfs mount umount2 pivot_root getxattr lgetxattr setxattr lsetxattr listxattr llistxattr removexattr lremovexattr inotify_add_watch",
	"%process": "fork vfork clone clone3 execve execveat exit exit_group wait4 waitid kill tkill tgkill pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo",
	"%network": "socket socketpair bind listen accept accept4 connect getsockname getpeername sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg shutdown getsockopt setsockopt",
	"%signal":  "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo sigaltstack kill tkill tgkill pause signalfd signalfd4 pidfd_send_signal",
	"%memory":  "mmap munmap mprotect mremap brk madvise msync mincore mlock mlock2 munlock mlockall munlockall shmat shmdt",
	"%desc":    "open openat openat2 creat read write pread64 pwrite64 readv writev preadv pwritev close close_range dup dup2 dup3 pipe pipe2 fcntl flock ioctl lseek poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fstat newfstatat fsync fdatasync ftruncate fallocate getdents64 sendfile splice tee copy_file_range fchmod fchown fchdir memfd_create pidfd_open pidfd_getfd socket accept accept4 mmap",
	"%clock":   "clock_gettime clock_settime clock_getres gettimeofday time",
}

// ParseFilter reads what strace's -e trace= takes: names and classes separated
// by commas, "all", "none", and "!" in front for all others.
func ParseFilter(s string) (Filter, error) {
	f := Filter{}
	if s == "" || s == "all" {
		return f, nil
	}
	f.set = make(map[int]bool)
	if rest, ok := strings.CutPrefix(s, "!"); ok {
		f.invert, s = true, rest
	}
	if s == "none" {
		return f, nil
	}
	for _, name := range strings.Split(s, ",") {
		names := name
		if list, ok := classes["%"+strings.TrimPrefix(name, "%")]; ok {
			names = list
		}
		for _, n := range strings.Fields(names) {
			nr, ok := linux.SyscallNumber(n)
			if !ok {
				return f, fmt.Errorf("invalid system call '%s'", name)
			}
			f.set[nr] = true
		}
	}
	return f, nil
}

// Match reports whether a call is selected.
func (f Filter) Match(nr int) bool { return f.set == nil || f.set[nr] != f.invert }
