package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/bpf"
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// sysPtrace is ptrace(2): request, tid, address, data.
func sysPtrace(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	req, addr, data := a[0], a[2], a[3]
	if req == linux.PTRACE_TRACEME {
		return 0, t.traceMe()
	}
	u := t.pidNS().task(int(int32(a[1])))
	if u == nil {
		return 0, linux.ESRCH
	}
	if req == linux.PTRACE_ATTACH || req == linux.PTRACE_SEIZE {
		return 0, t.ptraceAttach(u, req == linux.PTRACE_SEIZE, addr, data)
	}
	p := u.ptrace
	if p == nil || p.tracer != t {
		return 0, linux.ESRCH
	}
	switch req {
	case linux.PTRACE_KILL:
		u.group.kill(linux.SIGKILL)
		return 0, 0
	case linux.PTRACE_INTERRUPT:
		return 0, u.ptraceInterrupt()
	}
	if u.state != TaskTraced {
		return 0, linux.ESRCH
	}
	switch req {
	case linux.PTRACE_CONT, linux.PTRACE_SYSCALL, linux.PTRACE_SINGLESTEP, linux.PTRACE_DETACH, linux.PTRACE_SYSEMU, linux.PTRACE_SYSEMU_SINGLESTEP:
		return 0, u.ptraceResume(req, data)
	case linux.PTRACE_LISTEN:
		if !p.seized || p.code>>8 != linux.PTRACE_EVENT_STOP {
			return 0, linux.EIO
		}
		p.listen = true
		return 0, 0
	case linux.PTRACE_SETOPTIONS:
		return 0, t.ptraceOptions(p, data)
	case linux.PTRACE_SECCOMP_GET_FILTER, linux.PTRACE_SECCOMP_GET_METADATA:
		return t.seccompOf(u, req, addr, data)
	case linux.PTRACE_GETEVENTMSG:
		return 0, t.putUint64(data, p.message)
	case linux.PTRACE_GETSIGINFO:
		return 0, t.putStruct(data, &p.info, linux.SizeofSiginfo)
	case linux.PTRACE_SETSIGINFO:
		return 0, t.getStruct(data, &p.info, linux.SizeofSiginfo)
	}
	return t.ptraceData(u, req, addr, data)
}

// ptraceOptions is PTRACE_SETOPTIONS.
func (t *Task) ptraceOptions(p *ptraceState, options uint64) linux.Errno {
	switch {
	case options&^linux.PTRACE_O_MASK != 0:
		return linux.EINVAL
	case options&linux.PTRACE_O_SUSPEND_SECCOMP != 0 && !t.maySuspendSeccomp():
		return linux.EPERM
	}
	p.options = options
	return 0
}

// maySuspendSeccomp reports whether t may free others of their filters: only
// who has none may.
func (t *Task) maySuspendSeccomp() bool {
	return t.capable(linux.CAP_SYS_ADMIN) && t.seccomp.mode == linux.SECCOMP_MODE_DISABLED
}

// seccompOf gives a filter of u, counted from the first that was set: its
// program, or its flags.
func (t *Task) seccompOf(u *Task, req, addr, data uint64) (uint64, linux.Errno) {
	if !t.maySuspendSeccomp() {
		return 0, linux.EACCES
	}
	index := addr
	if req == linux.PTRACE_SECCOMP_GET_METADATA {
		if addr < 8 {
			return 0, linux.EINVAL
		}
		var errno linux.Errno
		if index, errno = t.getUint64(data); errno != 0 {
			return 0, errno
		}
	}
	if u.seccomp.mode != linux.SECCOMP_MODE_FILTER {
		return 0, linux.EINVAL
	}
	f, count := u.seccomp.filter, uint64(u.seccomp.filter.count())
	if index >= count {
		return 0, linux.ENOENT
	}
	for range count - 1 - index {
		f = f.prev
	}
	if req == linux.PTRACE_SECCOMP_GET_METADATA {
		b := binary.LittleEndian.AppendUint64(nil, index)
		b = binary.LittleEndian.AppendUint64(b, linux.SECCOMP_FILTER_FLAG_LOG*uint64(b2u(f.log)))
		n := min(addr, uint64(len(b)))
		return n, t.copyOut(data, b[:n])
	}
	if data != 0 {
		if errno := t.copyOut(data, bpf.Encode(f.prog)); errno != 0 {
			return 0, errno
		}
	}
	return uint64(len(f.prog)), 0
}

// traceMe makes the parent the caller's tracer.
func (t *Task) traceMe() linux.Errno {
	parent := t.group.parentTask
	if t.ptrace != nil || parent == nil {
		return linux.EPERM
	}
	t.attach(parent, false, 0)
	return 0
}

// ptraceAttach is PTRACE_ATTACH, which stops u, or PTRACE_SEIZE.
func (t *Task) ptraceAttach(u *Task, seize bool, addr, data uint64) linux.Errno {
	switch {
	case seize && data&linux.PTRACE_O_SUSPEND_SECCOMP != 0 && !t.maySuspendSeccomp():
		return linux.EPERM
	case seize && (addr != 0 || data&^linux.PTRACE_O_MASK != 0):
		return linux.EIO
	case u.group == t.group, u.exiting, u.ptrace != nil, !t.mayInspect(u):
		return linux.EPERM
	case u.group == t.k.pids.init && u.as == nil:
		return linux.EPERM // the built-in process 1 runs no program
	}
	if seize {
		u.attach(t, true, data)
		return 0
	}
	u.attach(t, false, 0)
	u.signalTask(linux.SIGSTOP, kernelSignal(linux.SIGSTOP))
	return 0
}

// ptraceInterrupt stops a seized task.
func (t *Task) ptraceInterrupt() linux.Errno {
	p := t.ptrace
	if !p.seized {
		return linux.EIO
	}
	if t.state == TaskTraced && !p.listen {
		return 0
	}
	p.listen = false
	p.due = append(p.due, dueStop{int(linux.SIGTRAP) | linux.PTRACE_EVENT_STOP<<8, 0, inEvent})
	if t.state == TaskTraced {
		t.stopDue()
		return 0
	}
	t.rouse()
	return 0
}

// ptraceResume lets a stopped task go on with signal data.
func (t *Task) ptraceResume(req, data uint64) linux.Errno {
	if data > linux.NSIG {
		return linux.EIO
	}
	p := t.ptrace
	if req == linux.PTRACE_DETACH {
		t.detachTracer(linux.Signal(data))
		return 0
	}
	p.inject, p.listen = linux.Signal(data), false
	p.syscalls = req == linux.PTRACE_SYSCALL
	p.emulate = req == linux.PTRACE_SYSEMU || req == linux.PTRACE_SYSEMU_SINGLESTEP
	if req == linux.PTRACE_SINGLESTEP || req == linux.PTRACE_SYSEMU_SINGLESTEP {
		t.Regs.Flags |= cpu.FlagTF
	}
	if p.inject != 0 && (p.place == atEntry || p.place == atExit) {
		info := userSignal(p.inject, p.tracer) // as if it had come now
		t.pending.add(&info)
	}
	t.ready()
	return 0
}

// ptraceData are the requests that read and write memory and registers.
func (t *Task) ptraceData(u *Task, req, addr, data uint64) (uint64, linux.Errno) {
	var word [8]byte
	switch req {
	case linux.PTRACE_PEEKTEXT, linux.PTRACE_PEEKDATA:
		if n, _ := u.as.ForceCopyIn(addr, word[:]); n < 8 {
			return 0, linux.EIO
		}
		return 0, t.copyOut(data, word[:])
	case linux.PTRACE_POKETEXT, linux.PTRACE_POKEDATA:
		binary.LittleEndian.PutUint64(word[:], data)
		if n, _ := u.as.ForceCopyOut(addr, word[:]); n < 8 {
			return 0, linux.EIO
		}
		return 0, 0
	case linux.PTRACE_PEEKUSER:
		v, errno := u.userWord(addr)
		if errno != 0 {
			return 0, errno
		}
		return 0, t.putUint64(data, v)
	case linux.PTRACE_POKEUSER:
		return 0, u.setUserWord(addr, data)
	case linux.PTRACE_GETREGS:
		return 0, t.copyOut(data, u.userRegs())
	case linux.PTRACE_SETREGS:
		b := make([]byte, userRegsSize)
		if errno := t.copyIn(data, b); errno != 0 {
			return 0, errno
		}
		return 0, u.setUserRegs(b)
	case linux.PTRACE_GETFPREGS:
		var fx [fxsaveSize]byte
		u.Regs.FXSave(&fx)
		return 0, t.copyOut(data, fx[:])
	case linux.PTRACE_SETFPREGS:
		return 0, t.setFPRegs(u, data)
	case linux.PTRACE_GETREGSET, linux.PTRACE_SETREGSET:
		return 0, t.ptraceRegset(u, req == linux.PTRACE_SETREGSET, addr, data)
	case linux.PTRACE_PEEKSIGINFO:
		return t.peekSignals(u, addr, data)
	case linux.PTRACE_GETSIGMASK, linux.PTRACE_SETSIGMASK:
		if addr != sigsetSize {
			return 0, linux.EINVAL
		}
		if req == linux.PTRACE_GETSIGMASK {
			return 0, t.putUint64(data, uint64(u.sigmask))
		}
		set, errno := t.getSigset(data)
		if errno == 0 {
			u.setSigmask(set)
		}
		return 0, errno
	case linux.PTRACE_GET_SYSCALL_INFO:
		return t.syscallInfo(u, addr, data)
	}
	return 0, linux.EIO
}

// peekSignals is PTRACE_PEEKSIGINFO: copies of pending signals, as struct
// ptrace_peeksiginfo_args says.
func (t *Task) peekSignals(u *Task, args, data uint64) (uint64, linux.Errno) {
	var b [16]byte // off, flags, nr
	if errno := t.copyIn(args, b[:]); errno != 0 {
		return 0, errno
	}
	const shared = 1 // PTRACE_PEEKSIGINFO_SHARED
	le := binary.LittleEndian
	off, flags, most := le.Uint64(b[:]), le.Uint32(b[8:]), int32(le.Uint32(b[12:]))
	if flags&^shared != 0 || most < 0 {
		return 0, linux.EINVAL
	}
	queue := u.pending.queue
	if flags&shared != 0 {
		queue = u.group.pending.queue
	}
	n := uint64(0)
	for ; n < uint64(most) && off < uint64(len(queue)); off++ {
		if errno := t.putStruct(data+n*linux.SizeofSiginfo, &queue[off], linux.SizeofSiginfo); errno != 0 {
			if n == 0 {
				return 0, errno
			}
			break
		}
		n++
	}
	return n, 0
}

// setFPRegs is PTRACE_SETFPREGS.
func (t *Task) setFPRegs(u *Task, addr uint64) linux.Errno {
	var fx [fxsaveSize]byte
	if errno := t.copyIn(addr, fx[:]); errno != 0 {
		return errno
	}
	if !u.Regs.FXRestore(&fx) {
		return linux.EINVAL
	}
	return 0
}

// ptraceRegset reads or writes a set of registers through a struct iovec,
// whose length becomes what was moved.
func (t *Task) ptraceRegset(u *Task, set bool, kind, iov uint64) linux.Errno {
	v, errno := t.iovecs(iov, 1)
	if errno != 0 {
		return errno
	}
	if len(v) == 0 {
		return linux.EINVAL
	}
	var b []byte
	switch kind {
	case linux.NT_PRSTATUS:
		b = u.userRegs()
	case linux.NT_PRFPREG:
		var fx [fxsaveSize]byte
		u.Regs.FXSave(&fx)
		b = fx[:]
	case linux.NT_X86_XSTATE:
		b = u.xstateRegset()
	default:
		return linux.EINVAL
	}
	n := min(v[0].Len, uint64(len(b)))
	switch {
	case !set:
		errno = t.copyOut(v[0].Base, b[:n])
	case kind == linux.NT_PRSTATUS:
		if errno = t.copyIn(v[0].Base, b[:n]); errno == 0 {
			errno = u.setUserRegs(b)
		}
	case kind == linux.NT_X86_XSTATE:
		errno = t.setXStateRegset(u, v[0].Base, v[0].Len)
	default:
		errno = t.setFPRegs(u, v[0].Base)
	}
	if errno != 0 {
		return errno
	}
	return t.putUint64(iov+8, n)
}

// The layout of struct user_regs_struct: general registers by the numbers of
// the encoding, in the order of the structure; -1 is another field.
var userRegOrder = [...]int{
	cpu.R15, cpu.R14, cpu.R13, cpu.R12, cpu.RBP, cpu.RBX, cpu.R11, cpu.R10, cpu.R9, cpu.R8,
	cpu.RAX, cpu.RCX, cpu.RDX, cpu.RSI, cpu.RDI, -1, -1, -1, -1, cpu.RSP,
}

const (
	userRegsSize = 27 * 8
	userRAX      = 10
	userOrigRAX  = 15
	userRIP      = 16
	userCSField  = 17
	userEFlags   = 18
	userSSField  = 20
	userFSBase   = 21
	userGSBase   = 22
	userDS       = 23 // then ES, FS, GS

	userDebugRegs = 848 // offsetof(struct user, u_debugreg)
	userSize      = 912
)

// origRAX is the number of the system call that the task is in or comes from;
// -1 if it is in none.
func (t *Task) origRAX() uint64 {
	if p := t.ptrace; t.sc.active || t.sc.entered || t.sc.restart != 0 || p != nil && (p.place == atEntry || p.place == atExit) {
		return t.sc.nr
	}
	return ^uint64(0)
}

// userRegs encodes struct user_regs_struct.
func (t *Task) userRegs() []byte {
	b := make([]byte, userRegsSize)
	put := func(i int, v uint64) { binary.LittleEndian.PutUint64(b[8*i:], v) }
	for i, r := range userRegOrder {
		if r >= 0 {
			put(i, t.Regs.GPR[r])
		}
	}
	put(userOrigRAX, t.origRAX())
	put(userRIP, t.Regs.RIP)
	put(userCSField, userCS)
	put(userEFlags, t.Regs.Flags)
	put(userSSField, userSS)
	put(userFSBase, t.Regs.FSBase)
	put(userGSBase, t.Regs.GSBase)
	for i, seg := range []int{3, 0, 4, 5} { // DS, ES, FS, GS in the encoding's numbers
		put(userDS+i, uint64(t.Regs.Segs[seg]))
	}
	return b
}

// setUserRegs is the reverse. The selectors cannot be changed; of the flags only
// those that rt_sigreturn restores.
func (t *Task) setUserRegs(b []byte) linux.Errno {
	get := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	if get(userFSBase) >= mm.UserTop || get(userGSBase) >= mm.UserTop {
		return linux.EIO
	}
	for i, r := range userRegOrder {
		if r >= 0 {
			t.Regs.GPR[r] = get(i)
		}
	}
	t.Regs.RIP = get(userRIP)
	t.Regs.Flags = t.Regs.Flags&^flagsFixable | get(userEFlags)&flagsFixable
	t.Regs.FSBase, t.Regs.GSBase = get(userFSBase), get(userGSBase)
	if t.sc.active {
		t.sc.nr = get(userOrigRAX)
	} else if int64(get(userOrigRAX)) < 0 {
		t.sc.restart = 0 // no restart of the interrupted call
	}
	return 0
}

// userWord reads a word of struct user.
func (t *Task) userWord(off uint64) (uint64, linux.Errno) {
	switch {
	case off%8 != 0 || off >= userSize:
		return 0, linux.EIO
	case off < userRegsSize:
		return binary.LittleEndian.Uint64(t.userRegs()[off:]), 0
	case off >= userDebugRegs:
		return t.debugReg(int(off-userDebugRegs) / 8), 0
	}
	return 0, 0
}

// setUserWord writes one: a general or a debug register.
func (t *Task) setUserWord(off, v uint64) linux.Errno {
	switch {
	case off%8 != 0 || off >= userSize:
		return linux.EIO
	case off < userRegsSize:
		b := t.userRegs()
		binary.LittleEndian.PutUint64(b[off:], v)
		return t.setUserRegs(b)
	case off >= userDebugRegs:
		return t.setDebugReg(int(off-userDebugRegs)/8, v)
	}
	return linux.EIO
}

// syscallInfo is PTRACE_GET_SYSCALL_INFO: struct ptrace_syscall_info, of which
// at most size bytes are stored and whose full size is returned.
func (t *Task) syscallInfo(u *Task, size, addr uint64) (uint64, linux.Errno) {
	const opNone, opEntry, opExit, opSeccomp = 0, 1, 2, 3
	b := make([]byte, 24, 88)
	le := binary.LittleEndian
	le.PutUint32(b[4:], linux.AUDIT_ARCH_X86_64)
	le.PutUint64(b[8:], u.Regs.RIP)
	le.PutUint64(b[16:], u.Regs.GPR[cpu.RSP])
	switch u.ptrace.place {
	case atEntry, atSeccomp:
		b[0] = opEntry
		b = le.AppendUint64(b, u.sc.nr)
		for _, arg := range u.sc.args {
			b = le.AppendUint64(b, arg)
		}
		if u.ptrace.place == atSeccomp {
			b[0] = opSeccomp
			b = le.AppendUint32(b, uint32(u.ptrace.message))
		}
	case atExit:
		b[0] = opExit
		b = le.AppendUint64(b, u.Regs.GPR[cpu.RAX])
		failed := byte(0)
		if int64(u.Regs.GPR[cpu.RAX]) < 0 && int64(u.Regs.GPR[cpu.RAX]) >= -4095 {
			failed = 1
		}
		b = append(b, failed)
	default:
		b[0] = opNone
	}
	full := uint64(len(b))
	return full, t.copyOut(addr, b[:min(size, full)])
}
