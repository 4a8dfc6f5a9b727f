package kernel

import (
	"encoding/binary"
	"strconv"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

func itoa(n int) string { return strconv.Itoa(n) }

func sysGetpid(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	return uint64(t.group.nr()), 0
}

func sysGettid(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	return uint64(t.nr()), 0
}

func sysGetpgrp(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	return uint64(t.group.pgrp.pid.in(t.pidNS())), 0
}

func sysGetppid(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	if p := t.group.parent; p != nil {
		return uint64(p.nrFor(t)), 0
	}
	return 0, 0
}

// processArg finds the process of a pid argument; 0 is the caller.
func (t *Task) processArg(a uint64) (*Group, linux.Errno) {
	pid := int(int32(a))
	if pid == 0 {
		return t.group, 0
	}
	if u := t.pidNS().task(pid); u != nil {
		return u.group, 0
	}
	return nil, linux.ESRCH
}

func sysGetpgid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	g, errno := t.processArg(a[0])
	if errno != 0 {
		return 0, errno
	}
	return uint64(g.pgrp.pid.in(t.pidNS())), 0
}

func sysSetpgid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	pid, pgid := int(int32(a[0])), int(int32(a[1]))
	if pgid < 0 || pgid == 0 && pid < 0 {
		return 0, linux.EINVAL
	}
	g := t.group
	if pid != 0 {
		if g = t.pidNS().process(pid); g == nil || g.zombie && g != t.group && g.parent != t.group {
			return 0, linux.ESRCH
		}
	}
	if pgid == 0 {
		pgid = g.nrFor(t)
	}
	return 0, t.setpgid(g, pgid)
}

func sysGetsid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	g, errno := t.processArg(a[0])
	if errno != 0 {
		return 0, errno
	}
	return uint64(g.session.pid.in(t.pidNS())), 0
}

func sysSetsid(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	g := t.group
	if g.session.leader == g || g.leader.id.pgrp != nil {
		return 0, linux.EPERM
	}
	t.k.newSession(g)
	return uint64(g.nr()), 0
}

func sysSetTidAddress(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	t.clearChildTID = a[0]
	return uint64(t.nr()), 0
}

func sysArchPrctl(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	switch a[0] {
	case linux.ARCH_SET_FS, linux.ARCH_SET_GS:
		if a[1] >= mm.UserTop {
			return 0, linux.EPERM
		}
		if a[0] == linux.ARCH_SET_FS {
			t.Regs.FSBase, t.Regs.Segs[4] = a[1], 0
		} else {
			t.Regs.GSBase, t.Regs.Segs[5] = a[1], 0
		}
		return 0, 0
	case linux.ARCH_GET_FS:
		return 0, t.putUint64(a[1], t.Regs.FSBase)
	case linux.ARCH_GET_GS:
		return 0, t.putUint64(a[1], t.Regs.GSBase)
	case linux.ARCH_GET_CPUID:
		return 1, 0
	}
	return 0, linux.EINVAL
}

// sysPrctl is prctl(2). What is not listed gets EINVAL, as unknown options do.
func sysPrctl(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	switch int32(a[0]) {
	case linux.PR_SET_PDEATHSIG:
		if a[1] > linux.NSIG {
			return 0, linux.EINVAL
		}
		t.pdeathsig = linux.Signal(a[1])
	case linux.PR_GET_PDEATHSIG:
		return 0, t.putUint32(a[1], uint32(t.pdeathsig))
	case linux.PR_SET_NAME:
		return t.setComm(a[1])
	case linux.PR_GET_NAME:
		var b [16]byte
		copy(b[:15], t.comm)
		return 0, t.copyOut(a[1], b[:])
	case linux.PR_GET_DUMPABLE:
		return uint64(t.group.dumpable), 0
	case linux.PR_SET_DUMPABLE:
		if a[1] > 1 {
			return 0, linux.EINVAL
		}
		t.group.dumpable = int(a[1])
	case linux.PR_SET_CHILD_SUBREAPER:
		t.group.reaper = a[1] != 0
	case linux.PR_GET_CHILD_SUBREAPER:
		return 0, t.putUint32(a[1], b2u(t.group.reaper))
	case linux.PR_SET_NO_NEW_PRIVS:
		if a[1] != 1 || a[2]|a[3]|a[4] != 0 {
			return 0, linux.EINVAL
		}
		t.noNewPrivs = true
	case linux.PR_GET_NO_NEW_PRIVS:
		if a[1]|a[2]|a[3]|a[4] != 0 {
			return 0, linux.EINVAL
		}
		return uint64(b2u(t.noNewPrivs)), 0
	case linux.PR_SET_KEEPCAPS:
		if a[1] > 1 {
			return 0, linux.EINVAL
		}
		if t.cred.SecureBits&secureKeepCapsLocked != 0 {
			return 0, linux.EPERM
		}
		t.changeCred(func(c *Cred) { c.SecureBits = c.SecureBits&^secureKeepCaps | secureKeepCaps*uint32(a[1]) })
	case linux.PR_GET_KEEPCAPS:
		return uint64(b2u(t.cred.SecureBits&secureKeepCaps != 0)), 0
	case linux.PR_SET_TIMERSLACK:
		t.timerSlack = a[1]
		if a[1] == 0 {
			t.timerSlack = defaultTimerSlack
		}
	case linux.PR_GET_TIMERSLACK:
		return t.timerSlack, 0
	case linux.PR_GET_SECCOMP:
		return uint64(t.seccomp.mode), 0
	case linux.PR_SET_SECCOMP:
		return t.prctlSeccomp(a[1], a[2])
	case linux.PR_GET_TIMING:
		return 0, 0
	case linux.PR_SET_TIMING:
		if a[1] != linux.PR_TIMING_STATISTICAL {
			return 0, linux.EINVAL
		}
	case linux.PR_GET_TSC:
		return 0, t.putUint32(a[1], linux.PR_TSC_ENABLE)
	case linux.PR_SET_TSC:
		if a[1] != linux.PR_TSC_ENABLE {
			return 0, linux.EINVAL // the engine cannot forbid it
		}
	case linux.PR_GET_TID_ADDRESS:
		return 0, t.putUint64(a[1], t.clearChildTID)
	case linux.PR_SET_THP_DISABLE:
		if a[2]|a[3]|a[4] != 0 {
			return 0, linux.EINVAL
		}
		t.group.noHugePages = a[1] != 0 // there are none anyway
	case linux.PR_GET_THP_DISABLE:
		if a[1]|a[2]|a[3]|a[4] != 0 {
			return 0, linux.EINVAL
		}
		return uint64(b2u(t.group.noHugePages)), 0
	case linux.PR_TASK_PERF_EVENTS_DISABLE, linux.PR_TASK_PERF_EVENTS_ENABLE:
		return 0, 0 // of the events that the caller counts: there are none
	case linux.PR_SET_VMA:
		return t.nameMemory(a)
	case linux.PR_CAPBSET_READ, linux.PR_CAPBSET_DROP, linux.PR_CAP_AMBIENT, linux.PR_GET_SECUREBITS, linux.PR_SET_SECUREBITS:
		return t.prctlCaps(a)
	default:
		return 0, linux.EINVAL
	}
	return 0, 0
}

// defaultTimerSlack is 50 µs; timers here are exact, so it is only remembered.
const defaultTimerSlack = 50_000

func (t *Task) setComm(addr uint64) (uint64, linux.Errno) {
	var b []byte
	for len(b) < 15 {
		var c [1]byte
		if errno := t.copyIn(addr+uint64(len(b)), c[:]); errno != 0 {
			return 0, errno
		}
		if c[0] == 0 {
			break
		}
		b = append(b, c[0])
	}
	t.comm = string(b)
	return 0, 0
}

// nameMemory is PR_SET_VMA_ANON_NAME.
func (t *Task) nameMemory(a *[6]uint64) (uint64, linux.Errno) {
	const anonName = 0
	if a[1] != anonName || a[2]&(mm.PageSize-1) != 0 {
		return 0, linux.EINVAL
	}
	n := (a[3] + mm.PageSize - 1) &^ (mm.PageSize - 1)
	if a[2]+n < a[2] || a[2]+n > mm.UserTop {
		return 0, linux.EINVAL
	}
	name := ""
	if a[4] != 0 {
		s, errno := t.as.CopyInString(a[4], 79)
		if errno != 0 {
			return 0, linux.EINVAL
		}
		name = "[anon:" + s + "]"
	}
	t.as.Rename(a[2], n, name)
	return 0, 0
}

func (t *Task) prctlCaps(a *[6]uint64) (uint64, linux.Errno) {
	const ambientIsSet, ambientRaise, ambientLower, ambientClear = 1, 2, 3, 4
	c := t.cred
	switch int32(a[0]) {
	case linux.PR_GET_SECUREBITS:
		return uint64(c.SecureBits), 0
	case linux.PR_SET_SECUREBITS:
		// Each bit has one above it that locks it (capabilities(7)).
		const bits, locks = 0x55, 0xaa
		old := uint64(c.SecureBits)
		if old&locks>>1&(old^a[1]) != 0 || old&locks&^a[1] != 0 || a[1]&^(bits|locks) != 0 ||
			!t.capableIn(t.cred.user, linux.CAP_SETPCAP) {
			return 0, linux.EPERM
		}
		t.changeCred(func(n *Cred) { n.SecureBits = uint32(a[1]) })
		return 0, 0
	case linux.PR_CAP_AMBIENT:
		if a[1] == ambientClear {
			t.changeCred(func(n *Cred) { n.Ambient = 0 })
			return 0, 0
		}
		if a[2] > linux.CAP_LAST_CAP || a[3]|a[4] != 0 {
			return 0, linux.EINVAL
		}
		bit := uint64(1) << a[2]
		switch a[1] {
		case ambientIsSet:
			return c.Ambient >> a[2] & 1, 0
		case ambientRaise:
			const noAmbientRaise = 0x40
			if c.Permitted&c.Inheritable&bit == 0 || c.SecureBits&noAmbientRaise != 0 {
				return 0, linux.EPERM
			}
			t.changeCred(func(n *Cred) { n.Ambient |= bit })
		case ambientLower:
			t.changeCred(func(n *Cred) { n.Ambient &^= bit })
		default:
			return 0, linux.EINVAL
		}
		return 0, 0
	}
	if a[1] > linux.CAP_LAST_CAP {
		return 0, linux.EINVAL
	}
	if int32(a[0]) == linux.PR_CAPBSET_READ {
		return c.Bounding >> a[1] & 1, 0
	}
	if !t.capableIn(t.cred.user, linux.CAP_SETPCAP) {
		return 0, linux.EPERM
	}
	t.changeCred(func(n *Cred) { n.Bounding &^= 1 << a[1] })
	return 0, 0
}

func sysPersonality(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	old := t.personality
	if uint32(a[0]) != 0xffff_ffff {
		t.personality = uint32(a[0])
	}
	return uint64(old), 0
}

// rseqArea is the restartable sequence area of a thread (rseq(2)).
type rseqArea struct {
	addr uint64
	sig  uint32
	cpu  int // what the area says; -1: nothing yet
}

const rseqSize = 32

func sysRseq(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const unregister = 1
	addr, size, flags, sig := a[0], uint32(a[1]), int32(a[2]), uint32(a[3])
	if flags == unregister {
		switch {
		case t.rseq.addr != addr || addr == 0, size != rseqSize:
			return 0, linux.EINVAL
		case t.rseq.sig != sig:
			return 0, linux.EPERM
		}
		t.rseq = rseqArea{}
		return 0, 0
	}
	switch {
	case flags != 0:
		return 0, linux.EINVAL
	case t.rseq.addr != 0:
		if t.rseq.addr != addr || size != rseqSize {
			return 0, linux.EINVAL
		}
		if t.rseq.sig != sig {
			return 0, linux.EPERM
		}
		return 0, linux.EBUSY
	case addr&31 != 0 || size != rseqSize:
		return 0, linux.EINVAL
	}
	t.rseq = rseqArea{addr: addr, sig: sig, cpu: -1}
	if !t.updateRseq() {
		t.rseq = rseqArea{}
		return 0, linux.EFAULT
	}
	return 0, 0
}

// updateRseq tells the thread on which processor it is and aborts a critical
// section that it was in when it lost the processor or a signal came. Its page
// is only touched if there is something to say: after a fork it is shared, and
// far from all caches when many processes take turns.
func (t *Task) updateRseq() bool {
	if t.sc.entered && t.rseq.cpu == t.cpu {
		return true // it is in a system call, which no critical section may make
	}
	var b [16]byte
	if t.copyIn(t.rseq.addr, b[:]) != 0 {
		return false
	}
	was := b
	le := binary.LittleEndian
	le.PutUint32(b[0:], uint32(t.cpu)) // cpu_id_start
	le.PutUint32(b[4:], uint32(t.cpu)) // cpu_id
	if cs := le.Uint64(b[8:]); cs != 0 {
		if !t.abortRseq(cs) {
			return false
		}
		le.PutUint64(b[8:], 0)
	}
	t.rseq.cpu = t.cpu
	return b == was || t.copyOut(t.rseq.addr, b[:]) == 0
}

// abortRseq sends the thread to the abort handler of the critical section cs
// if it is inside.
func (t *Task) abortRseq(cs uint64) bool {
	var b [32]byte // struct rseq_cs: version, flags, start, length, abort
	if t.copyIn(cs, b[:]) != 0 {
		return false
	}
	le := binary.LittleEndian
	start, n, abort := le.Uint64(b[8:]), le.Uint64(b[16:]), le.Uint64(b[24:])
	if t.Regs.RIP-start >= n {
		return true
	}
	sig, errno := t.getUint32(abort - 4)
	if errno != 0 || sig != t.rseq.sig {
		return false
	}
	t.Regs.RIP = abort
	return true
}

func sysPrlimit(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	res := uint32(a[1])
	if res >= linux.RLIM_NLIMITS {
		return 0, linux.EINVAL
	}
	g, errno := t.processArg(a[0])
	if errno != 0 {
		return 0, errno
	}
	if g != t.group && !t.mayChangeLimits(g) {
		return 0, linux.EPERM
	}
	old := g.rlimits[res]
	if a[2] != 0 {
		var r linux.Rlimit
		if errno := t.getStruct(a[2], &r, linux.SizeofRlimit); errno != 0 {
			return 0, errno
		}
		if errno := t.setRlimit(g, res, r); errno != 0 {
			return 0, errno
		}
	}
	if a[3] != 0 {
		return 0, t.putStruct(a[3], &old, linux.SizeofRlimit)
	}
	return 0, 0
}

func (t *Task) mayChangeLimits(g *Group) bool {
	c, o := t.cred, g.leader.cred
	same := c.UID == o.UID && c.UID == o.EUID && c.UID == o.SUID && c.GID == o.GID && c.GID == o.EGID && c.GID == o.SGID
	return same || t.capableIn(o.user, linux.CAP_SYS_RESOURCE)
}

// setRlimit changes a limit of g (setrlimit(2)).
func (t *Task) setRlimit(g *Group, res uint32, r linux.Rlimit) linux.Errno {
	old := g.rlimits[res]
	const nrOpen = 1 << 20
	switch {
	case r.Cur > r.Max:
		return linux.EINVAL
	case res == linux.RLIMIT_NOFILE && r.Max > nrOpen && r.Max > old.Max:
		return linux.EPERM
	case r.Max > old.Max && !t.capable(linux.CAP_SYS_RESOURCE):
		return linux.EPERM
	}
	g.rlimits[res] = r
	if as := g.addressSpace(); as != nil {
		as.Limits = g.livingThread().memLimits()
	}
	return 0
}

func sysGetrlimit(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if uint32(a[0]) >= linux.RLIM_NLIMITS {
		return 0, linux.EINVAL
	}
	r := t.group.rlimits[uint32(a[0])]
	return 0, t.putStruct(a[1], &r, linux.SizeofRlimit)
}

func sysSetrlimit(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if uint32(a[0]) >= linux.RLIM_NLIMITS {
		return 0, linux.EINVAL
	}
	var r linux.Rlimit
	if errno := t.getStruct(a[1], &r, linux.SizeofRlimit); errno != 0 {
		return 0, errno
	}
	return 0, t.setRlimit(t.group, uint32(a[0]), r)
}
