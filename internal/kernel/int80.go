package kernel

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
)

// int80Calls maps the numbers of the 32-bit interface to those of the 64-bit
// one, for calls whose arguments have the same layout in both. 64-bit programs
// reach it through INT 0x80 with arguments cut to 32 bits.
var int80Calls = map[uint32]uint64{
	1: linux.SYS_exit, 2: linux.SYS_fork, 3: linux.SYS_read, 4: linux.SYS_write, 5: linux.SYS_open,
	6: linux.SYS_close, 8: linux.SYS_creat, 9: linux.SYS_link, 10: linux.SYS_unlink, 12: linux.SYS_chdir,
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

// int80Waitpid is waitpid of the 32-bit interface: wait4 without usage.
const int80Waitpid = 7

// enterSyscall32 begins a call through INT 0x80.
func (t *Task) enterSyscall32() {
	g := &t.Regs.GPR
	nr32 := uint32(g[cpu.RAX])
	args := [6]uint64{}
	for i, r := range []int{cpu.RBX, cpu.RCX, cpu.RDX, cpu.RSI, cpu.RDI, cpu.RBP} {
		args[i] = uint64(uint32(g[r]))
	}
	nr, ok := int80Calls[nr32]
	if nr32 == int80Waitpid {
		nr, ok, args[3] = linux.SYS_wait4, true, 0
	}
	if !ok {
		t.k.unknownSyscall(1<<32|uint64(nr32), linux.ENOSYS)
		g[cpu.RAX] = errnoResult(linux.ENOSYS)
		return
	}
	if nr == linux.SYS_kill || nr == linux.SYS_wait4 || nr == linux.SYS_lseek {
		args[0], args[1] = uint64(int32(args[0])), uint64(int32(args[1]))
		if nr == linux.SYS_wait4 {
			args[1] = uint64(uint32(args[1]))
		}
	}
	t.sc = syscallState{active: true, nr: nr, args: args, nr32: nr32, gate32: true}
	t.traceEnter()
	t.runSyscall()
}
