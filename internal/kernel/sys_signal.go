package kernel

import (
	"github.com/tinevm/tine/internal/linux"
)

const sigsetSize = 8

func validSignal(sig uint64) bool { return sig >= 1 && sig <= linux.NSIG }

func sysSigaction(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	sig := uint64(uint32(a[0]))
	if a[3] != sigsetSize || !validSignal(sig) {
		return 0, linux.EINVAL
	}
	var act linux.Sigaction
	if a[1] != 0 {
		b, errno := t.rawStruct(a[1], linux.SizeofSigaction)
		if errno != 0 {
			return 0, errno
		}
		act.Decode(b)
		if s := linux.Signal(sig); s == linux.SIGKILL || s == linux.SIGSTOP {
			return 0, linux.EINVAL
		}
	}
	if a[2] != 0 {
		b := t.k.abi[:linux.SizeofSigaction]
		t.sighand.action(linux.Signal(sig)).Encode(b)
		if errno := t.copyOut(a[2], b); errno != 0 {
			return 0, errno
		}
	}
	if a[1] == 0 {
		return 0, 0
	}
	act.Flags &= 0xffff_ffff // some programs pass a sign-extended value
	act.Mask &^= unblockable
	t.sighand.set(linux.Signal(sig), act)
	if t.group.ignores(linux.Signal(sig), false) {
		var set linux.Sigset
		set.Add(linux.Signal(sig))
		t.group.removePending(set)
	}
	return 0, 0
}

func (t *Task) getSigset(addr uint64) (linux.Sigset, linux.Errno) {
	v, errno := t.getUint64(addr)
	return linux.Sigset(v), errno
}

func sysSigprocmask(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[3] != sigsetSize {
		return 0, linux.EINVAL
	}
	old := t.sigmask
	if a[1] != 0 {
		set, errno := t.getSigset(a[1])
		if errno != 0 {
			return 0, errno
		}
		switch int32(a[0]) {
		case linux.SIG_BLOCK:
			t.setSigmask(old | set)
		case linux.SIG_UNBLOCK:
			t.setSigmask(old &^ set)
		case linux.SIG_SETMASK:
			t.setSigmask(set)
		default:
			return 0, linux.EINVAL
		}
	}
	if a[2] != 0 {
		return 0, t.putUint64(a[2], uint64(old))
	}
	return 0, 0
}

func sysSigpending(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[1] > sigsetSize {
		return 0, linux.EINVAL
	}
	return 0, t.putUint64(a[0], uint64((t.pending.set|t.group.pending.set)&t.sigmask))
}

func sysSigsuspend(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[1] != sigsetSize {
		return 0, linux.EINVAL
	}
	if t.sc.step == 0 {
		set, errno := t.getSigset(a[0])
		if errno != 0 {
			return 0, errno
		}
		t.suspendMask(set)
		t.sc.step = 1
	}
	return t.block(linux.ERESTARTNOHAND)
}

func sysPause(t *Task, _ *[6]uint64) (uint64, linux.Errno) { return t.block(linux.ERESTARTNOHAND) }

// sysSigtimedwait takes a pending signal of a set, or waits for one. While it
// waits the set counts as unblocked, so that senders wake it.
func sysSigtimedwait(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[3] != sigsetSize {
		return 0, linux.EINVAL
	}
	set, errno := t.getSigset(a[0])
	if errno != 0 {
		return 0, errno
	}
	set &^= unblockable
	if errno := t.timeoutArg(a[2]); errno != 0 {
		return 0, errno
	}
	t.sigWaiting = 0
	var info linux.Siginfo
	if t.takeSignal(^set, &info) {
		if a[1] != 0 {
			if errno := t.putStruct(a[1], &info, linux.SizeofSiginfo); errno != 0 {
				return 0, errno
			}
		}
		return uint64(info.Signo), 0
	}
	if t.timedOut() {
		return 0, linux.EAGAIN
	}
	if t.signalPending() {
		return 0, linux.EINTR
	}
	t.sigWaiting = set
	return t.block(linux.EINTR)
}

// timeoutArg sets the call's deadline from a relative timespec; none means
// for ever.
func (t *Task) timeoutArg(addr uint64) linux.Errno { return t.timeoutSince(addr, 0) }

// timeoutSince is timeoutArg for a time on a clock that shows now.
func (t *Task) timeoutSince(addr uint64, now int64) linux.Errno {
	if t.sc.deadline != 0 {
		return 0
	}
	if addr == 0 {
		t.setTimeout(-1)
		return 0
	}
	ts, errno := t.getTimespec(addr)
	if errno != 0 {
		return errno
	}
	ns, errno := timespecNS(ts)
	if errno != 0 {
		return errno
	}
	t.setTimeout(max(ns-now, 0))
	return 0
}

// maySignal is the permission rule of kill(2).
func (t *Task) maySignal(g *Group, sig linux.Signal) bool {
	c, o := t.cred, g.leader.cred
	return g == t.group || c.EUID == o.UID || c.EUID == o.SUID || c.UID == o.UID || c.UID == o.SUID ||
		sig == linux.SIGCONT && g.session == t.group.session || t.capableIn(o.user, linux.CAP_KILL)
}

func sysKill(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	pid, sig := int(int32(a[0])), linux.Signal(int32(a[1]))
	if sig < 0 || sig > linux.NSIG {
		return 0, linux.EINVAL
	}
	switch {
	case pid > 0:
		u := t.pidNS().task(pid)
		if u == nil {
			return 0, linux.ESRCH
		}
		return 0, t.killGroup(u.group, sig)
	case pid == -1:
		return 0, t.killAll(sig)
	case pid == -1<<31:
		return 0, linux.ESRCH
	}
	pg := t.group.pgrp
	if pid < 0 {
		pg = t.pidNS().pgrp(-pid)
	}
	if pg == nil {
		return 0, linux.ESRCH
	}
	return 0, t.killEach(pg.members.list(), sig)
}

func (t *Task) killGroup(g *Group, sig linux.Signal) linux.Errno {
	if !t.maySignal(g, sig) {
		return linux.EPERM
	}
	return t.sendSignal(g, nil, sig, userSignal(sig, t))
}

// killEach signals a list of processes: success if one could be reached.
func (t *Task) killEach(list []*Group, sig linux.Signal) linux.Errno {
	result := linux.ESRCH
	for _, g := range list {
		errno := t.killGroup(g, sig)
		if errno == 0 {
			result = 0
		} else if result == linux.ESRCH {
			result = errno
		}
	}
	return result
}

// killAll signals every process but init and the caller's own.
func (t *Task) killAll(sig linux.Signal) linux.Errno {
	var list []*Group
	ns := t.pidNS()
	ns.each(func(u *Task) {
		if u.isLeader() && u.group != t.group && u.group != ns.init {
			list = append(list, u.group)
		}
	})
	if len(list) == 0 {
		return linux.ESRCH
	}
	t.killEach(list, sig)
	return 0
}

func sysTkill(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	tid := int(int32(a[0]))
	if tid <= 0 {
		return 0, linux.EINVAL
	}
	return t.tkill(-1, tid, a[1])
}

func sysTgkill(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	tgid, tid := int(int32(a[0])), int(int32(a[1]))
	if tgid <= 0 || tid <= 0 {
		return 0, linux.EINVAL
	}
	return t.tkill(tgid, tid, a[2])
}

func (t *Task) tkill(tgid, tid int, sigArg uint64) (uint64, linux.Errno) {
	sig := linux.Signal(int32(sigArg))
	if sig < 0 || sig > linux.NSIG {
		return 0, linux.EINVAL
	}
	u := t.pidNS().task(tid)
	if u == nil || tgid != -1 && u.group.nrFor(t) != tgid {
		return 0, linux.ESRCH
	}
	if !t.maySignal(u.group, sig) {
		return 0, linux.EPERM
	}
	info := userSignal(sig, t)
	info.Code = linux.SI_TKILL
	return 0, t.sendSignal(u.group, u, sig, info)
}

// queueInfo reads the siginfo that rt_sigqueueinfo sends.
func (t *Task) queueInfo(addr uint64, sig linux.Signal, to int) (linux.Siginfo, linux.Errno) {
	var info linux.Siginfo
	if errno := t.getStruct(addr, &info, linux.SizeofSiginfo); errno != 0 {
		return info, errno
	}
	info.Signo = sig
	if (info.Code >= 0 || info.Code == linux.SI_TKILL) && to != t.group.nr() {
		return info, linux.EPERM
	}
	return info, 0
}

func sysSigqueueinfo(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	pid, sig := int(int32(a[0])), linux.Signal(int32(a[1]))
	info, errno := t.queueInfo(a[2], sig, pid)
	if errno != 0 {
		return 0, errno
	}
	if sig < 0 || sig > linux.NSIG {
		return 0, linux.EINVAL
	}
	u := t.pidNS().task(pid)
	if u == nil {
		return 0, linux.ESRCH
	}
	if !t.maySignal(u.group, sig) {
		return 0, linux.EPERM
	}
	return 0, t.sendSignal(u.group, nil, sig, info)
}

func sysTgsigqueueinfo(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	tgid, tid, sig := int(int32(a[0])), int(int32(a[1])), linux.Signal(int32(a[2]))
	if tgid <= 0 || tid <= 0 || sig < 0 || sig > linux.NSIG {
		return 0, linux.EINVAL
	}
	info, errno := t.queueInfo(a[3], sig, tgid)
	if errno != 0 {
		return 0, errno
	}
	u := t.pidNS().task(tid)
	if u == nil || u.group.nrFor(t) != tgid {
		return 0, linux.ESRCH
	}
	if !t.maySignal(u.group, sig) {
		return 0, linux.EPERM
	}
	return 0, t.sendSignal(u.group, u, sig, info)
}

func sysSigaltstack(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	old := t.altstackNow()
	if a[0] != 0 {
		var st linux.StackT
		if errno := t.getStruct(a[0], &st, linux.SizeofStackT); errno != 0 {
			return 0, errno
		}
		if old.Flags&linux.SS_ONSTACK != 0 {
			return 0, linux.EPERM
		}
		if errno := t.setAltstack(st); errno != 0 {
			return 0, errno
		}
	}
	if a[1] != 0 {
		return 0, t.putStruct(a[1], &old, linux.SizeofStackT)
	}
	return 0, 0
}

// sysRestart goes on with a call that a stop interrupted.
func sysRestart(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	r := t.restart
	if r == nil {
		return 0, linux.EINTR
	}
	t.restart = nil
	nr, deadline := r.sc.nr, r.sc.deadline
	t.sc = r.sc
	t.sc.active, t.sc.restart, t.sc.deadline = true, 0, deadline
	return lookup(nr).fn(t, &t.sc.args)
}
