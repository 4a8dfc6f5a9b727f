package trace

import (
	"fmt"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// symbol is a value with a name.
type symbol struct {
	value uint64
	name  string
}

// symbolTable formats values by name: one of them, or a set of flags.
type symbolTable struct {
	mask uint64 // bits that hold one value; the others are flags
	list []symbol
	zero string // what no bits at all are called
}

func (t *symbolTable) format(v uint64) string {
	v = uint64(uint32(v))
	var parts []string
	if t.mask != 0 {
		one := fmt.Sprintf("%#x", v&t.mask)
		for _, s := range t.list {
			if s.value&^t.mask == 0 && s.value == v&t.mask {
				one = s.name
				break
			}
		}
		parts, v = append(parts, one), v&^t.mask
	}
	for _, s := range t.list {
		if s.value&t.mask == 0 && s.value != 0 && v&s.value == s.value {
			parts, v = append(parts, s.name), v&^s.value
		}
	}
	if v != 0 {
		parts = append(parts, fmt.Sprintf("%#x", v))
	}
	if len(parts) == 0 {
		if t.zero == "" {
			return "0"
		}
		return t.zero
	}
	return strings.Join(parts, "|")
}

const whole = 1<<32 - 1

// symbols are the tables by kind of argument; '~' is for sa_flags.
var symbols = map[byte]*symbolTable{
	'O': {mask: linux.O_ACCMODE, list: []symbol{
		{linux.O_RDONLY, "O_RDONLY"}, {linux.O_WRONLY, "O_WRONLY"}, {linux.O_RDWR, "O_RDWR"}, {linux.O_CREAT, "O_CREAT"}, {linux.O_EXCL, "O_EXCL"},
		{linux.O_NOCTTY, "O_NOCTTY"}, {linux.O_TRUNC, "O_TRUNC"}, {linux.O_APPEND, "O_APPEND"}, {linux.O_NONBLOCK, "O_NONBLOCK"},
		{linux.O_SYNC, "O_SYNC"}, {linux.O_DSYNC, "O_DSYNC"}, {linux.O_ASYNC, "O_ASYNC"}, {linux.O_DIRECT, "O_DIRECT"}, {0o100000, "O_LARGEFILE"},
		{linux.O_NOFOLLOW, "O_NOFOLLOW"}, {linux.O_NOATIME, "O_NOATIME"}, {linux.O_CLOEXEC, "O_CLOEXEC"}, {linux.O_PATH, "O_PATH"},
		{linux.O_TMPFILE, "O_TMPFILE"}, {linux.O_DIRECTORY, "O_DIRECTORY"},
	}},
	'Q': {list: []symbol{{linux.O_CLOEXEC, "O_CLOEXEC"}, {linux.O_NONBLOCK, "O_NONBLOCK"}, {linux.O_DIRECT, "O_DIRECT"}}},
	'B': {list: []symbol{{linux.MREMAP_MAYMOVE, "MREMAP_MAYMOVE"}, {linux.MREMAP_FIXED, "MREMAP_FIXED"}, {linux.MREMAP_DONTUNMAP, "MREMAP_DONTUNMAP"}}},
	'P': {zero: "PROT_NONE", list: []symbol{{linux.PROT_READ, "PROT_READ"}, {linux.PROT_WRITE, "PROT_WRITE"}, {linux.PROT_EXEC, "PROT_EXEC"}}},
	'M': {mask: linux.MAP_TYPE, list: []symbol{
		{linux.MAP_SHARED, "MAP_SHARED"}, {linux.MAP_PRIVATE, "MAP_PRIVATE"}, {linux.MAP_SHARED_VALIDATE, "MAP_SHARED_VALIDATE"},
		{linux.MAP_FIXED, "MAP_FIXED"}, {linux.MAP_ANONYMOUS, "MAP_ANONYMOUS"}, {linux.MAP_GROWSDOWN, "MAP_GROWSDOWN"},
		{linux.MAP_DENYWRITE, "MAP_DENYWRITE"}, {linux.MAP_LOCKED, "MAP_LOCKED"}, {linux.MAP_NORESERVE, "MAP_NORESERVE"},
		{linux.MAP_POPULATE, "MAP_POPULATE"}, {linux.MAP_STACK, "MAP_STACK"}, {linux.MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"},
	}},
	'A': {list: []symbol{
		{linux.AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"}, {linux.AT_REMOVEDIR, "AT_REMOVEDIR"}, {linux.AT_SYMLINK_FOLLOW, "AT_SYMLINK_FOLLOW"},
		{linux.AT_NO_AUTOMOUNT, "AT_NO_AUTOMOUNT"}, {linux.AT_EMPTY_PATH, "AT_EMPTY_PATH"},
	}},
	'C': {list: []symbol{
		{linux.CLONE_VM, "CLONE_VM"}, {linux.CLONE_FS, "CLONE_FS"}, {linux.CLONE_FILES, "CLONE_FILES"},
		{linux.CLONE_SIGHAND, "CLONE_SIGHAND"}, {linux.CLONE_PIDFD, "CLONE_PIDFD"}, {linux.CLONE_VFORK, "CLONE_VFORK"}, {linux.CLONE_PARENT, "CLONE_PARENT"},
		{linux.CLONE_THREAD, "CLONE_THREAD"}, {linux.CLONE_NEWNS, "CLONE_NEWNS"}, {linux.CLONE_NEWUTS, "CLONE_NEWUTS"}, {linux.CLONE_NEWIPC, "CLONE_NEWIPC"}, {linux.CLONE_NEWUSER, "CLONE_NEWUSER"}, {linux.CLONE_NEWPID, "CLONE_NEWPID"}, {linux.CLONE_NEWNET, "CLONE_NEWNET"}, {linux.CLONE_SYSVSEM, "CLONE_SYSVSEM"}, {linux.CLONE_SETTLS, "CLONE_SETTLS"},
		{linux.CLONE_PARENT_SETTID, "CLONE_PARENT_SETTID"}, {linux.CLONE_CHILD_CLEARTID, "CLONE_CHILD_CLEARTID"}, {linux.CLONE_CHILD_SETTID, "CLONE_CHILD_SETTID"},
	}},
	'W': {list: []symbol{{linux.WNOHANG, "WNOHANG"}, {linux.WSTOPPED, "WSTOPPED"}, {linux.WEXITED, "WEXITED"}, {linux.WCONTINUED, "WCONTINUED"}, {linux.WNOWAIT, "WNOWAIT"}, {linux.WALL, "__WALL"}, {linux.WCLONE, "__WCLONE"}}},
	'K': {mask: whole, list: []symbol{{linux.SIG_BLOCK, "SIG_BLOCK"}, {linux.SIG_UNBLOCK, "SIG_UNBLOCK"}, {linux.SIG_SETMASK, "SIG_SETMASK"}}},
	'R': {mask: whole, list: []symbol{
		{linux.RLIMIT_CPU, "RLIMIT_CPU"}, {linux.RLIMIT_FSIZE, "RLIMIT_FSIZE"}, {linux.RLIMIT_DATA, "RLIMIT_DATA"}, {linux.RLIMIT_STACK, "RLIMIT_STACK"},
		{linux.RLIMIT_CORE, "RLIMIT_CORE"}, {linux.RLIMIT_RSS, "RLIMIT_RSS"}, {linux.RLIMIT_NPROC, "RLIMIT_NPROC"}, {linux.RLIMIT_NOFILE, "RLIMIT_NOFILE"},
		{linux.RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK"}, {linux.RLIMIT_AS, "RLIMIT_AS"}, {linux.RLIMIT_LOCKS, "RLIMIT_LOCKS"}, {linux.RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING"},
		{linux.RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE"}, {linux.RLIMIT_NICE, "RLIMIT_NICE"}, {linux.RLIMIT_RTPRIO, "RLIMIT_RTPRIO"}, {linux.RLIMIT_RTTIME, "RLIMIT_RTTIME"},
	}},
	'F': {mask: whole, list: []symbol{
		{linux.F_DUPFD, "F_DUPFD"}, {linux.F_GETFD, "F_GETFD"}, {linux.F_SETFD, "F_SETFD"}, {linux.F_GETFL, "F_GETFL"}, {linux.F_SETFL, "F_SETFL"},
		{linux.F_GETLK, "F_GETLK"}, {linux.F_SETLK, "F_SETLK"}, {linux.F_SETLKW, "F_SETLKW"}, {linux.F_SETOWN, "F_SETOWN"}, {linux.F_GETOWN, "F_GETOWN"},
		{linux.F_DUPFD_CLOEXEC, "F_DUPFD_CLOEXEC"}, {linux.F_SETPIPE_SZ, "F_SETPIPE_SZ"}, {linux.F_GETPIPE_SZ, "F_GETPIPE_SZ"}, {linux.F_ADD_SEALS, "F_ADD_SEALS"}, {linux.F_GET_SEALS, "F_GET_SEALS"},
	}},
	'q': {mask: whole, list: []symbol{
		{linux.TCGETS, "TCGETS"}, {linux.TCSETS, "TCSETS"}, {linux.TCSETSW, "TCSETSW"}, {linux.TCSETSF, "TCSETSF"}, {linux.TIOCGWINSZ, "TIOCGWINSZ"},
		{linux.TIOCSWINSZ, "TIOCSWINSZ"}, {linux.TIOCGPGRP, "TIOCGPGRP"}, {linux.TIOCSPGRP, "TIOCSPGRP"}, {linux.TIOCSCTTY, "TIOCSCTTY"},
		{linux.TIOCGPTN, "TIOCGPTN"}, {linux.TIOCSPTLCK, "TIOCSPTLCK"}, {linux.FIONREAD, "FIONREAD"}, {linux.FIONBIO, "FIONBIO"}, {linux.FIOCLEX, "FIOCLEX"},
	}},
	'y': {mask: whole, list: []symbol{{linux.SEEK_SET, "SEEK_SET"}, {linux.SEEK_CUR, "SEEK_CUR"}, {linux.SEEK_END, "SEEK_END"}, {linux.SEEK_DATA, "SEEK_DATA"}, {linux.SEEK_HOLE, "SEEK_HOLE"}}},
	'k': {mask: whole, list: []symbol{
		{linux.CLOCK_REALTIME, "CLOCK_REALTIME"}, {linux.CLOCK_MONOTONIC, "CLOCK_MONOTONIC"}, {linux.CLOCK_PROCESS_CPUTIME_ID, "CLOCK_PROCESS_CPUTIME_ID"},
		{linux.CLOCK_THREAD_CPUTIME_ID, "CLOCK_THREAD_CPUTIME_ID"}, {linux.CLOCK_BOOTTIME, "CLOCK_BOOTTIME"},
	}},
	'f': {mask: 0x7f, list: []symbol{
		{linux.FUTEX_WAIT, "FUTEX_WAIT"}, {linux.FUTEX_WAKE, "FUTEX_WAKE"}, {linux.FUTEX_REQUEUE, "FUTEX_REQUEUE"}, {linux.FUTEX_CMP_REQUEUE, "FUTEX_CMP_REQUEUE"},
		{linux.FUTEX_WAKE_OP, "FUTEX_WAKE_OP"}, {linux.FUTEX_LOCK_PI, "FUTEX_LOCK_PI"}, {linux.FUTEX_UNLOCK_PI, "FUTEX_UNLOCK_PI"}, {linux.FUTEX_TRYLOCK_PI, "FUTEX_TRYLOCK_PI"},
		{linux.FUTEX_WAIT_BITSET, "FUTEX_WAIT_BITSET"}, {linux.FUTEX_WAKE_BITSET, "FUTEX_WAKE_BITSET"}, {linux.FUTEX_PRIVATE_FLAG, "FUTEX_PRIVATE_FLAG"}, {linux.FUTEX_CLOCK_REALTIME, "FUTEX_CLOCK_REALTIME"},
	}},
	'j': {zero: "F_OK", list: []symbol{{linux.R_OK, "R_OK"}, {linux.W_OK, "W_OK"}, {linux.X_OK, "X_OK"}}},
	'c': {mask: whole, list: []symbol{{linux.ARCH_SET_FS, "ARCH_SET_FS"}, {linux.ARCH_GET_FS, "ARCH_GET_FS"}, {linux.ARCH_SET_GS, "ARCH_SET_GS"}, {linux.ARCH_GET_GS, "ARCH_GET_GS"}}},
	'~': {list: []symbol{
		{linux.SA_RESTORER, "SA_RESTORER"}, {linux.SA_ONSTACK, "SA_ONSTACK"}, {linux.SA_RESTART, "SA_RESTART"}, {linux.SA_NODEFER, "SA_NODEFER"},
		{linux.SA_RESETHAND, "SA_RESETHAND"}, {linux.SA_SIGINFO, "SA_SIGINFO"}, {linux.SA_NOCLDSTOP, "SA_NOCLDSTOP"}, {linux.SA_NOCLDWAIT, "SA_NOCLDWAIT"},
	}},
}
