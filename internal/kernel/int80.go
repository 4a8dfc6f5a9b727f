package kernel

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
)

// compatHandler is the handler of a call whose structures have another layout in
// the 32-bit interface; fn is that of the 64-bit one.
func compatHandler(nr32 uint32, fn handler) handler {
	switch nr32 {
	case 13:
		return compatTime
	case 34:
		return compatNice
	case 78:
		return compatGettimeofday
	}
	return fn
}

// compatTime is time(2).
func compatTime(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	sec, _ := t.k.realtime()
	if a[0] != 0 {
		if errno := t.putUint32(a[0], uint32(sec)); errno != 0 {
			return 0, errno
		}
	}
	return uint64(uint32(sec)), 0
}

// compatNice is nice(2), which the 64-bit interface does without.
func compatNice(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	inc := min(max(int(int32(a[0])), -40), 40)
	nice := min(max(t.sched.nice+inc, -20), 19)
	if inc < 0 && !t.mayNice(nice) && !t.capable(linux.CAP_SYS_NICE) {
		return 0, linux.EPERM
	}
	t.requeue(func(e *schedEntity) { e.nice = nice })
	return 0, 0
}

// compatGettimeofday is gettimeofday(2) with a struct timeval of 32-bit words.
func compatGettimeofday(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[0] != 0 {
		sec, nsec := t.k.realtime()
		if errno := t.putWords32(a[0], uint32(sec), uint32(nsec/1000)); errno != 0 {
			return 0, errno
		}
	}
	if a[1] != 0 {
		return 0, t.putWords32(a[1], 0, 0) // struct timezone: UTC
	}
	return 0, 0
}

// getTimespec reads a struct timespec, whose words have 32 bits in the 32-bit
// interface.
func (t *Task) getTimespec(addr uint64) (ts linux.Timespec, errno linux.Errno) {
	if !t.sc.gate32 {
		errno = t.getStruct(addr, &ts, linux.SizeofTimespec)
		return ts, errno
	}
	words, errno := t.getUint64(addr)
	return linux.Timespec{Sec: int64(int32(words)), Nsec: int64(int32(words >> 32))}, errno
}

// putTimespec is the reverse.
func (t *Task) putTimespec(addr uint64, ts linux.Timespec) linux.Errno {
	if t.sc.gate32 {
		return t.putWords32(addr, uint32(ts.Sec), uint32(ts.Nsec))
	}
	return t.putStruct(addr, &ts, linux.SizeofTimespec)
}

// putRusage stores a struct rusage in the same way.
func (t *Task) putRusage(addr uint64, r *linux.Rusage) linux.Errno {
	if !t.sc.gate32 {
		return t.putStruct(addr, r, linux.SizeofRusage)
	}
	return t.putWords32(addr,
		uint32(r.Utime.Sec), uint32(r.Utime.Usec), uint32(r.Stime.Sec), uint32(r.Stime.Usec), uint32(r.Maxrss), 0, 0, 0,
		uint32(r.Minflt), uint32(r.Majflt), 0, uint32(r.Inblock), uint32(r.Oublock), 0, 0, 0, uint32(r.Nvcsw), uint32(r.Nivcsw))
}

// putWords32 stores 32-bit words one after the other.
func (t *Task) putWords32(addr uint64, words ...uint32) linux.Errno {
	for i, w := range words {
		if errno := t.putUint32(addr+4*uint64(i), w); errno != 0 {
			return errno
		}
	}
	return 0
}

// int80Calls maps the numbers of the 32-bit interface to those of the 64-bit
// one. The arguments have the same layout in both, but for those that
// compatHandler, getPointer and getTimespec see to. 64-bit programs
// reach it through INT 0x80 with arguments cut to 32 bits.
var int80Calls = map[uint32]uint64{
	int80Restart: linux.SYS_restart_syscall,
	1:            linux.SYS_exit, 2: linux.SYS_fork, 3: linux.SYS_read, 4: linux.SYS_write, 5: linux.SYS_open,
	6: linux.SYS_close, 11: linux.SYS_execve, 13: linux.SYS_time, 34: linux.SYS_setpriority, 78: linux.SYS_gettimeofday,
	114: linux.SYS_wait4, 162: linux.SYS_nanosleep, 8: linux.SYS_creat, 9: linux.SYS_link, 10: linux.SYS_unlink, 12: linux.SYS_chdir,
	14: linux.SYS_mknod, 15: linux.SYS_chmod, 19: linux.SYS_lseek, 20: linux.SYS_getpid, 21: linux.SYS_mount,
	23: linux.SYS_setuid, 24: linux.SYS_getuid, 27: linux.SYS_alarm, 29: linux.SYS_pause, 33: linux.SYS_access,
	36: linux.SYS_sync, 37: linux.SYS_kill, 38: linux.SYS_rename, 39: linux.SYS_mkdir, 40: linux.SYS_rmdir,
	41: linux.SYS_dup, 42: linux.SYS_pipe, 45: linux.SYS_brk, 46: linux.SYS_setgid, 47: linux.SYS_getgid,
	49: linux.SYS_geteuid, 50: linux.SYS_getegid, 54: linux.SYS_ioctl, 55: linux.SYS_fcntl, 57: linux.SYS_setpgid,
	60: linux.SYS_umask, 61: linux.SYS_chroot, 63: linux.SYS_dup2, 64: linux.SYS_getppid, 65: linux.SYS_getpgrp,
	66: linux.SYS_setsid, 83: linux.SYS_symlink, 85: linux.SYS_readlink, 91: linux.SYS_munmap, 125: linux.SYS_mprotect,
	132: linux.SYS_getpgid, 133: linux.SYS_fchdir, 147: linux.SYS_getsid, 158: linux.SYS_sched_yield,
	183: linux.SYS_getcwd, 190: linux.SYS_vfork, 224: linux.SYS_gettid, 252: linux.SYS_exit_group,
}

// int80Restart is restart_syscall.
const int80Restart = 0

// int80Waitpid is waitpid of the 32-bit interface: wait4 without usage.
const int80Waitpid = 7

// enterSyscall32 begins a call through INT 0x80.
func (t *Task) enterSyscall32() {
	g := &t.Regs.GPR
	nr32 := uint32(g[cpu.RAX])
	args := gate32Args(&t.Regs)
	nr, ok := int80Calls[nr32]
	if nr32 == int80Waitpid {
		nr, ok, args[3] = linux.SYS_wait4, true, 0
	}
	if !ok {
		nr = 1<<32 | uint64(nr32) // no row: ENOSYS
	}
	if nr == linux.SYS_kill || nr == linux.SYS_wait4 || nr == linux.SYS_lseek {
		args[0], args[1] = uint64(int32(args[0])), uint64(int32(args[1]))
		if nr == linux.SYS_wait4 {
			args[1] = uint64(uint32(args[1]))
		}
	}
	t.sc = syscallState{active: true, nr: nr, args: args, nr32: nr32, gate32: true}
	t.beginSyscall()
}

// gate32Args are the arguments of a call through INT 0x80.
func gate32Args(regs *cpu.Regs) (args [6]uint64) {
	for i, r := range []int{cpu.RBX, cpu.RCX, cpu.RDX, cpu.RSI, cpu.RDI, cpu.RBP} {
		args[i] = uint64(uint32(regs.GPR[r]))
	}
	return args
}
