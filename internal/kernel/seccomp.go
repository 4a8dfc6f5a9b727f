package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/bpf"
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
)

// Restricting system calls (seccomp(2)): the modes, the filters and what they
// decide. Listeners of SECCOMP_RET_USER_NOTIF are in seccompnotify.go.

// seccompState is what a task may call. Tasks without a mode pay a comparison
// with 0 for each call.
type seccompState struct {
	mode   uint8          // linux.SECCOMP_MODE_*
	filter *seccompFilter // the last one set; nil in other modes
}

// seccompFilter is one filter, and by prev all that were set before it. It
// does not change once it is set.
type seccompFilter struct {
	users    int // tasks that it is the last filter of, and filters set after it
	prev     *seccompFilter
	prog     []bpf.Insn
	log      bool // SECCOMP_FILTER_FLAG_LOG
	listener *seccompListener
	// allowed are the calls of the 64-bit interface that this filter and those
	// before it allow whatever the arguments are.
	allowed [(NumSyscalls + 63) / 64]uint64
}

// seccompData is struct seccomp_data: what filters see of a call.
type seccompData struct {
	nr, arch uint32
	ip       uint64
	args     [6]uint64
}

const sizeofSeccompData = 64

func (d *seccompData) encode(b []byte) {
	le := binary.LittleEndian
	le.PutUint32(b, d.nr)
	le.PutUint32(b[4:], d.arch)
	le.PutUint64(b[8:], d.ip)
	for i, a := range d.args {
		le.PutUint64(b[16+8*i:], a)
	}
}

// Load implements bpf.Data. Filters read aligned words only, and inside.
func (d *seccompData) Load(off uint32, _ int) (uint32, bool) {
	switch {
	case off == 0:
		return d.nr, true
	case off == 4:
		return d.arch, true
	case off < 16:
		return uint32(d.ip >> (8 * (off & 4))), true
	}
	return uint32(d.args[(off-16)/8] >> (8 * (off & 4))), true
}

// Len implements bpf.Data.
func (d *seccompData) Len() uint32 { return sizeofSeccompData }

// numberData is a call of which only number and architecture are known: a
// filter that wants more gets nowhere.
type numberData uint32

// Load implements bpf.Data.
func (d numberData) Load(off uint32, _ int) (uint32, bool) {
	switch off {
	case 0:
		return uint32(d), true
	case 4:
		return linux.AUDIT_ARCH_X86_64, true
	}
	return 0, false
}

// Len implements bpf.Data.
func (d numberData) Len() uint32 { return sizeofSeccompData }

// seccompData describes the call in progress.
func (t *Task) seccompData() *seccompData {
	d := &seccompData{nr: uint32(t.sc.nr), arch: linux.AUDIT_ARCH_X86_64, ip: t.Regs.RIP, args: t.sc.args}
	if t.sc.gate32 {
		d.nr, d.arch, d.args = t.sc.nr32, linux.AUDIT_ARCH_I386, gate32Args(&t.Regs)
	}
	return d
}

// seccompAction is the part of a filter's result that says what is to happen;
// its lower values have precedence.
func seccompAction(ret uint32) uint32 { return ret & linux.SECCOMP_RET_ACTION_FULL }

// run asks all filters and returns the result with the highest precedence, and
// the filter that it is of: the last set among equals.
func (f *seccompFilter) run(d *seccompData) (ret uint32, by *seccompFilter) {
	if d.arch == linux.AUDIT_ARCH_X86_64 && d.nr < NumSyscalls && f.allowed[d.nr/64]>>(d.nr%64)&1 != 0 {
		return linux.SECCOMP_RET_ALLOW, f
	}
	ret = linux.SECCOMP_RET_ALLOW
	for ; f != nil; f = f.prev {
		// As signed numbers, KILL_PROCESS is the lowest.
		if r := bpf.Run(f.prog, d); by == nil || int32(seccompAction(r)) < int32(seccompAction(ret)) {
			ret, by = r, f
		}
	}
	return ret, by
}

// findAllowed fills in the calls that are always allowed.
func (f *seccompFilter) findAllowed() {
	for nr := range uint32(NumSyscalls) {
		if f.prev != nil && f.prev.allowed[nr/64]>>(nr%64)&1 == 0 {
			continue
		}
		if bpf.Run(f.prog, numberData(nr)) == linux.SECCOMP_RET_ALLOW {
			f.allowed[nr/64] |= 1 << (nr % 64)
		}
	}
}

// seccompEntry decides about the call that the task has entered; false means
// that it is not to be made. A tracer that was asked already is not asked again.
func (t *Task) seccompEntry(asked bool) bool {
	if p := t.ptrace; p != nil && p.options&linux.PTRACE_O_SUSPEND_SECCOMP != 0 {
		return true
	}
	d := t.seccompData()
	if t.seccomp.mode == linux.SECCOMP_MODE_STRICT {
		if strictAllows(d) {
			return true
		}
		t.logSeccomp(d, linux.SECCOMP_RET_KILL_THREAD)
		t.exit(killedStatus(linux.SIGKILL, false))
		return false
	}
	ret, by := t.seccomp.filter.run(d)
	data := ret & linux.SECCOMP_RET_DATA
	switch seccompAction(ret) {
	case linux.SECCOMP_RET_ALLOW:
		return true
	case linux.SECCOMP_RET_LOG:
		t.logSeccomp(d, ret)
		return true
	case linux.SECCOMP_RET_ERRNO:
		t.logByFlag(by, d, ret)
		const maxErrno = 4095
		t.endCall(errnoResult(linux.Errno(min(data, maxErrno))))
	case linux.SECCOMP_RET_TRAP:
		t.logByFlag(by, d, ret)
		t.endCall(t.callNumber())
		t.forceSignal(t.seccompSignal(d, data))
	case linux.SECCOMP_RET_TRACE:
		return asked || t.askTracer(data)
	case linux.SECCOMP_RET_USER_NOTIF:
		return t.notifySeccomp(by, d)
	default: // KILL_PROCESS, KILL_THREAD, and what is not known
		t.logSeccomp(d, ret)
		if seccompAction(ret) == linux.SECCOMP_RET_KILL_THREAD && t.group.alive() > 1 {
			t.exit(killedStatus(linux.SIGSYS, false))
			break
		}
		t.endCall(t.callNumber())
		t.noteSignal(linux.SIGSYS, 0)
		t.exitSignaled(t.seccompSignal(d, data))
	}
	return false
}

// seccompSignal is the SIGSYS that tells of a call.
func (t *Task) seccompSignal(d *seccompData, data uint32) linux.Siginfo {
	return linux.Siginfo{
		Signo: linux.SIGSYS, Code: linux.SYS_SECCOMP, Errno: int32(data),
		Call: t.Regs.RIP, Syscall: int32(d.nr), Arch: d.arch,
	}
}

// strictAllows are the calls of SECCOMP_MODE_STRICT.
func strictAllows(d *seccompData) bool {
	if d.arch == linux.AUDIT_ARCH_I386 {
		return d.nr == 3 || d.nr == 4 || d.nr == 1 || d.nr == 119
	}
	switch d.nr {
	case linux.SYS_read, linux.SYS_write, linux.SYS_exit, linux.SYS_rt_sigreturn:
		return true
	}
	return false
}

// callNumber is the call's number as its caller left it in RAX.
func (t *Task) callNumber() uint64 {
	if t.sc.gate32 {
		return uint64(t.sc.nr32)
	}
	return t.sc.nr
}

// endCall ends a call that is not made, with rax as its result: nothing is
// restarted, whatever the number.
func (t *Task) endCall(rax uint64) {
	t.Regs.GPR[cpu.RAX] = rax
	t.sc.active = false
	t.traceExit(rax)
	t.ptraceExitCall()
}

// askTracer stops the task for a tracer that has asked for seccomp events;
// without one the call does not exist.
func (t *Task) askTracer(data uint32) bool {
	p := t.ptrace
	if p == nil || p.options>>linux.PTRACE_EVENT_SECCOMP&1 == 0 {
		t.endCall(errnoResult(linux.ENOSYS))
		return false
	}
	code := int(linux.SIGTRAP) | linux.PTRACE_EVENT_SECCOMP<<8
	t.Regs.GPR[cpu.RAX] = errnoResult(linux.ENOSYS)
	t.sc.stopped = atSeccomp
	t.ptraceStop(dueStop{code, uint64(data), atSeccomp}, linux.Siginfo{Signo: linux.SIGTRAP, Code: int32(code)})
	return false
}

// logByFlag logs what a filter with SECCOMP_FILTER_FLAG_LOG has decided.
func (t *Task) logByFlag(f *seccompFilter, d *seccompData, ret uint32) {
	if f.log {
		t.logSeccomp(d, ret)
	}
}

// logSeccomp is the record that goes to the log of audits. A guest cannot fill
// the machine's log with it.
func (t *Task) logSeccomp(d *seccompData, ret uint32) {
	const most = 1000
	if t.k.seccompLogged++; t.k.seccompLogged <= most {
		t.k.logf("seccomp: pid %d (%s) arch=%x syscall=%d ip=%#x code=%#x", t.group.pid, t.comm, d.arch, int32(d.nr), d.ip, seccompAction(ret))
	}
}

// sysSeccomp is seccomp(2): operation, flags, argument.
func sysSeccomp(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	flags := uint32(a[1])
	switch uint32(a[0]) {
	case linux.SECCOMP_SET_MODE_STRICT:
		if flags != 0 || a[2] != 0 {
			return 0, linux.EINVAL
		}
		return 0, t.seccompStrict()
	case linux.SECCOMP_SET_MODE_FILTER:
		return t.seccompFilter(flags, a[2])
	case linux.SECCOMP_GET_ACTION_AVAIL:
		if flags != 0 {
			return 0, linux.EINVAL
		}
		action, errno := t.getUint32(a[2])
		if errno == 0 && !seccompKnown(action) {
			errno = linux.EOPNOTSUPP
		}
		return 0, errno
	case linux.SECCOMP_GET_NOTIF_SIZES:
		if flags != 0 {
			return 0, linux.EINVAL
		}
		var b [6]byte
		for i, size := range []uint16{sizeofSeccompNotif, sizeofSeccompResp, sizeofSeccompData} {
			binary.LittleEndian.PutUint16(b[2*i:], size)
		}
		return 0, t.copyOut(a[2], b[:])
	}
	return 0, linux.EINVAL
}

// prctlSeccomp is PR_SET_SECCOMP.
func (t *Task) prctlSeccomp(mode, filter uint64) (uint64, linux.Errno) {
	switch mode {
	case linux.SECCOMP_MODE_STRICT:
		return 0, t.seccompStrict()
	case linux.SECCOMP_MODE_FILTER:
		return t.seccompFilter(0, filter)
	}
	return 0, linux.EINVAL
}

// seccompKnown reports whether an action exists.
func seccompKnown(action uint32) bool {
	switch action {
	case linux.SECCOMP_RET_KILL_PROCESS, linux.SECCOMP_RET_KILL_THREAD, linux.SECCOMP_RET_TRAP, linux.SECCOMP_RET_ERRNO,
		linux.SECCOMP_RET_USER_NOTIF, linux.SECCOMP_RET_TRACE, linux.SECCOMP_RET_LOG, linux.SECCOMP_RET_ALLOW:
		return true
	}
	return false
}

// seccompStrict enters strict mode, from which there is no way to another.
func (t *Task) seccompStrict() linux.Errno {
	if t.seccomp.mode == linux.SECCOMP_MODE_FILTER {
		return linux.EINVAL
	}
	t.seccomp.mode = linux.SECCOMP_MODE_STRICT
	return 0
}

// seccompFilter sets one more filter, whose struct sock_fprog is at addr.
func (t *Task) seccompFilter(flags uint32, addr uint64) (uint64, linux.Errno) {
	const known = linux.SECCOMP_FILTER_FLAG_TSYNC | linux.SECCOMP_FILTER_FLAG_LOG | linux.SECCOMP_FILTER_FLAG_SPEC_ALLOW |
		linux.SECCOMP_FILTER_FLAG_NEW_LISTENER | linux.SECCOMP_FILTER_FLAG_TSYNC_ESRCH | linux.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	has := func(flag uint32) bool { return flags&flag != 0 }
	switch {
	case flags&^known != 0,
		// Both results would be numbers: of a descriptor and of a thread.
		has(linux.SECCOMP_FILTER_FLAG_TSYNC) && has(linux.SECCOMP_FILTER_FLAG_NEW_LISTENER) && !has(linux.SECCOMP_FILTER_FLAG_TSYNC_ESRCH),
		has(linux.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) && !has(linux.SECCOMP_FILTER_FLAG_NEW_LISTENER):
		return 0, linux.EINVAL
	}
	prog, errno := t.seccompProgram(addr)
	if errno != 0 {
		return 0, errno
	}
	f := &seccompFilter{users: 1, prev: t.seccomp.filter, prog: prog, log: has(linux.SECCOMP_FILTER_FLAG_LOG)}
	if has(linux.SECCOMP_FILTER_FLAG_NEW_LISTENER) {
		if errno := t.roomForFD(); errno != 0 {
			return 0, errno
		}
		if f.prev.listened() {
			return 0, linux.EBUSY
		}
	}
	if t.seccomp.mode == linux.SECCOMP_MODE_STRICT {
		return 0, linux.EINVAL
	}
	if f.tooLong() {
		return 0, linux.ENOMEM
	}
	if has(linux.SECCOMP_FILTER_FLAG_TSYNC) {
		if u := t.unsynced(); u != nil {
			if has(linux.SECCOMP_FILTER_FLAG_TSYNC_ESRCH) {
				return 0, linux.ESRCH
			}
			return uint64(u.nr()), 0
		}
	}
	f.findAllowed()
	t.seccomp = seccompState{linux.SECCOMP_MODE_FILTER, f} // its reference on prev is now the filter's
	if has(linux.SECCOMP_FILTER_FLAG_TSYNC) {
		t.syncSeccomp()
	}
	if has(linux.SECCOMP_FILTER_FLAG_NEW_LISTENER) {
		return t.listenSeccomp(f, has(linux.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV))
	}
	return 0, 0
}

// seccompProgram reads and checks the program of a filter. Who could gain
// rights by an exec may not bend what the new program's calls do.
func (t *Task) seccompProgram(addr uint64) ([]bpf.Insn, linux.Errno) {
	prog, errno := t.filterProgram(addr, func() linux.Errno {
		if !t.noNewPrivs && !t.capableIn(t.cred.user, linux.CAP_SYS_ADMIN) {
			return linux.EACCES
		}
		return 0
	})
	if errno != 0 {
		return nil, errno
	}
	for _, in := range prog {
		if !seccompInsn(in) {
			return nil, linux.EINVAL
		}
	}
	return prog, 0
}

// filterProgram reads a struct sock_fprog and its instructions. may is asked
// once the length is known to be good.
func (t *Task) filterProgram(addr uint64, may func() linux.Errno) ([]bpf.Insn, linux.Errno) {
	var b [16]byte // unsigned short len; struct sock_filter *filter
	if errno := t.copyIn(addr, b[:]); errno != 0 {
		return nil, errno
	}
	n := int(binary.LittleEndian.Uint16(b[:]))
	if n == 0 || n > bpf.MaxInsns {
		return nil, linux.EINVAL
	}
	if errno := may(); errno != 0 {
		return nil, errno
	}
	at := binary.LittleEndian.Uint64(b[8:])
	if at == 0 {
		return nil, linux.EINVAL
	}
	code := make([]byte, n*bpf.SizeofInsn)
	if errno := t.copyIn(at, code); errno != 0 {
		return nil, errno
	}
	prog := bpf.Decode(code)
	if !bpf.Valid(prog) {
		return nil, linux.EINVAL
	}
	return prog, 0
}

// seccompInsn reports whether a filter of calls may have a valid instruction
// (seccomp_check_filter): it loads aligned words of its data and nothing else.
func seccompInsn(in bpf.Insn) bool {
	switch in.Code {
	case bpf.LD | bpf.W | bpf.ABS:
		return in.K < sizeofSeccompData && in.K%4 == 0
	case bpf.LD | bpf.W | bpf.LEN, bpf.LDX | bpf.W | bpf.LEN, bpf.LD | bpf.IMM, bpf.LDX | bpf.IMM, bpf.LD | bpf.MEM, bpf.LDX | bpf.MEM,
		bpf.ST, bpf.STX, bpf.MISC | bpf.TAX, bpf.MISC | bpf.TXA, bpf.RET | bpf.K, bpf.RET | bpf.A:
		return true
	}
	// Of arithmetic only the remainder is missing.
	class, op := in.Code&7, in.Code&0xf0
	return class == bpf.JMP || class == bpf.ALU && op != bpf.MOD
}

// tooLong reports whether a filter and those before it have more instructions
// than one path may (MAX_INSNS_PER_PATH).
func (f *seccompFilter) tooLong() bool {
	const most, each = (1 << 18) / bpf.SizeofInsn, 4
	n := len(f.prog)
	for p := f.prev; p != nil; p = p.prev {
		n += len(p.prog) + each
	}
	return n > most
}

// within reports whether f is g or was set before it.
func (f *seccompFilter) within(g *seccompFilter) bool {
	for ; g != nil; g = g.prev {
		if f == g {
			return true
		}
	}
	return f == nil
}

// unsynced finds a thread that has a filter which the caller has not.
func (t *Task) unsynced() *Task {
	for _, u := range t.group.threads {
		s := &u.seccomp
		if u == t || u.exiting || s.mode == linux.SECCOMP_MODE_DISABLED {
			continue
		}
		if s.mode != linux.SECCOMP_MODE_FILTER || !s.filter.within(t.seccomp.filter) {
			return u
		}
	}
	return nil
}

// syncSeccomp gives all threads the caller's filters.
func (t *Task) syncSeccomp() {
	for _, u := range t.group.threads {
		if u == t || u.exiting {
			continue
		}
		old := u.seccomp.filter
		u.seccomp = t.seccomp.copy()
		old.put()
		u.noNewPrivs = u.noNewPrivs || t.noNewPrivs
	}
}

// copy is the state of a task made by this one.
func (s seccompState) copy() seccompState {
	if s.filter != nil {
		s.filter.users++
	}
	return s
}

// put takes a user from a filter; one without users goes, and its listener
// learns that no more will come.
func (f *seccompFilter) put() {
	for ; f != nil; f = f.prev {
		if f.users--; f.users > 0 {
			return
		}
		if l := f.listener; l != nil {
			l.queue.Wake(0)
		}
	}
}

// count is the number of filters.
func (f *seccompFilter) count() (n int) {
	for ; f != nil; f = f.prev {
		n++
	}
	return n
}

// exitSeccomp lets go of the filters of a task that ends.
func (t *Task) exitSeccomp() {
	t.dropNotification()
	t.seccomp.filter.put()
	t.seccomp.filter = nil
}
