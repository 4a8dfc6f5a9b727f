package kernel

import (
	"encoding/binary"
	"math"

	"github.com/tinevm/tine/internal/fs/pipefs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/net"
	"github.com/tinevm/tine/internal/vfs"
)

// Input and output announced by signal (fcntl(2), "Managing signals"): who an
// open file belongs to, and what O_ASYNC makes it send there.

// The kinds of owner, in struct f_owner_ex.
const (
	ownerTID = iota
	ownerPID
	ownerPGRP
)

// fasync is the part of an open file that signals. It is a waiter on the
// file's queue while the file has O_ASYNC.
type fasync struct {
	k    *Kernel
	file *vfs.File
	wait vfs.WaitEntry
	fd   int // as it was known when O_ASYNC was set
	sig  linux.Signal

	kind      int32
	owner     *pid   // nil: nobody
	uid, euid uint32 // of who chose the owner
}

// fasyncOf finds the signalling part of a file, making it if need be.
func (k *Kernel) fasyncOf(f *vfs.File) *fasync {
	a, ok := f.Async.(*fasync)
	if !ok {
		a = &fasync{k: k, file: f}
		a.wait.Waiter = a
		f.Async = a
		f.OnRelease(a.wait.Remove)
		if k, ok := f.Ops.(net.Socket); ok {
			k.Common().Urgent = a.urgent
		}
	}
	return a
}

// setAsync turns O_ASYNC on or off for a file known as fd.
func (k *Kernel) setAsync(f *vfs.File, fd int, on bool) {
	if !on {
		if a, ok := f.Async.(*fasync); ok {
			a.wait.Remove()
		}
		return
	}
	if q := f.Ops.Queue(f); q != nil && signalsIO(f) {
		a := k.fasyncOf(f)
		a.fd = fd
		q.Add(&a.wait)
	}
}

// signalsIO reports whether a kind of file knows O_ASYNC: pipes, sockets,
// terminals and inotify do; others keep the flag without effect.
func signalsIO(f *vfs.File) bool {
	if _, ok := f.Ops.(net.Socket); ok || pipefs.Is(f) {
		return true
	}
	if _, ok := f.Ops.(*vfs.Inotify); ok {
		return true
	}
	st, errno := f.Ops.Stat(f)
	return errno == 0 && st.Mode&linux.S_IFMT == linux.S_IFCHR
}

// Wake implements vfs.Waiter.
func (a *fasync) Wake(_ *vfs.WaitEntry, events vfs.PollMask) {
	if a.owner == nil {
		return
	}
	if events == 0 {
		events = a.file.Ops.Poll(a.file)
	}
	if !a.file.Writable() {
		events &^= vfs.PollOut
	}
	if !a.file.Readable() {
		events &^= vfs.PollIn
	}
	code, band := int32(linux.POLL_IN), vfs.PollIn|vfs.PollRdNorm
	switch {
	case events&vfs.PollHup != 0 && !pipefs.Is(a.file):
		code, band = linux.POLL_HUP, vfs.PollHup|vfs.PollErr
	case events&vfs.PollIn != 0, events&vfs.PollHup != 0 && a.file.Readable():
	case events&(vfs.PollOut|vfs.PollErr) != 0 && a.file.Writable():
		code, band = linux.POLL_OUT, vfs.PollOut|vfs.PollWrNorm|vfs.PollWrBand
	default:
		return
	}
	a.send(a.sig, linux.Siginfo{Code: code, Band: int64(band), FD: int32(a.fd)})
}

// setLease is F_SETLEASE. Who loses a lease is told as of input, by the owner
// and the signal of the file; without an owner the caller is it.
func (t *Task) setLease(f *vfs.File, fd int, arg uint64) linux.Errno {
	if arg != linux.F_RDLCK && arg != linux.F_WRLCK && arg != linux.F_UNLCK {
		return linux.EINVAL
	}
	st, errno := vfs.Fstat(f)
	switch {
	case errno != 0:
		return errno
	case st.Uid != t.cred.FSUID && !t.capable(linux.CAP_LEASE):
		return linux.EACCES
	case st.Mode&linux.S_IFMT != linux.S_IFREG:
		return linux.EINVAL
	}
	a := t.k.fasyncOf(f)
	if errno = vfs.SetLease(f, int16(arg), t.group.pid, func() { a.leaseBroken(fd) }); errno != 0 {
		return errno
	}
	switch {
	case arg == linux.F_UNLCK:
		a.owner, a.sig = nil, 0
	case a.owner == nil:
		return t.setOwner(f, ownerPID, t.group.nr())
	}
	return 0
}

// leaseBroken tells the owner that a lease is to be given up.
func (a *fasync) leaseBroken(fd int) {
	const pollMsg = 0x400 // POLLMSG
	if a.owner != nil {
		a.send(a.sig, linux.Siginfo{Code: linux.POLL_MSG, Band: int64(vfs.PollIn | vfs.PollRdNorm | pollMsg), FD: int32(fd)})
	}
}

// urgent sends SIGURG to the owner.
func (a *fasync) urgent() {
	if a.owner != nil {
		a.send(linux.SIGURG, kernelSignal(linux.SIGURG))
	}
}

// send signals the owner, as far as who chose it may.
func (a *fasync) send(sig linux.Signal, info linux.Siginfo) {
	switch p := a.owner; {
	case a.kind == ownerPGRP && p.pgrp != nil:
		for _, g := range p.pgrp.members.list() {
			a.signal(g.leader, false, sig, info)
		}
	case a.kind != ownerPGRP && p.task != nil:
		a.signal(p.task, a.kind == ownerTID, sig, info)
	}
}

// signal sends to one process or thread. Without F_SETSIG, or when its queue is
// full, that is a SIGIO which tells nothing.
func (a *fasync) signal(t *Task, thread bool, sig linux.Signal, info linux.Siginfo) {
	o := t.cred
	if a.euid != 0 && a.euid != o.SUID && a.euid != o.UID && a.uid != o.SUID && a.uid != o.UID {
		return
	}
	pending := len(t.group.pending.queue) + len(t.pending.queue)
	if sig == 0 || sig >= linux.SIGRTMIN && uint64(pending) >= t.rlimit(linux.RLIMIT_SIGPENDING) {
		sig, info = linux.SIGIO, kernelSignal(linux.SIGIO)
	}
	if thread {
		t.signalTask(sig, info)
	} else {
		a.k.signalGroup(t.group, sig, info)
	}
}

// setOwner chooses the owner; number 0 means nobody.
func (t *Task) setOwner(f *vfs.File, kind int32, nr int) linux.Errno {
	var p *pid
	if nr != 0 {
		if p = t.pidNS().find(nr); p == nil {
			return linux.ESRCH
		}
	}
	a := t.k.fasyncOf(f)
	a.kind, a.owner, a.uid, a.euid = kind, p, t.cred.UID, t.cred.EUID
	return 0
}

// setOwnerArg chooses the owner by the argument of F_SETOWN: a process, or minus
// a group.
func (t *Task) setOwnerArg(f *vfs.File, arg int32) linux.Errno {
	switch {
	case arg == math.MinInt32:
		return linux.EINVAL
	case arg < 0:
		return t.setOwner(f, ownerPGRP, int(-arg))
	}
	return t.setOwner(f, ownerPID, int(arg))
}

// owner is the owner as the caller knows it; 0 if there is none any more.
func (t *Task) owner(f *vfs.File) (kind int32, nr int32) {
	a, ok := f.Async.(*fasync)
	if !ok || a.owner == nil {
		return ownerPID, 0
	}
	if a.kind == ownerPGRP && a.owner.pgrp != nil || a.kind != ownerPGRP && a.owner.task != nil {
		nr = int32(a.owner.in(t.pidNS()))
	}
	return a.kind, nr
}

// ownerArg is the owner as F_GETOWN gives it.
func (t *Task) ownerArg(f *vfs.File) int32 {
	kind, nr := t.owner(f)
	if kind == ownerPGRP {
		return -nr
	}
	return nr
}

// ownerCommand performs the commands of fcntl(2) for signals.
func (t *Task) ownerCommand(f *vfs.File, cmd int, arg uint64) (uint64, linux.Errno) {
	const getOwnerUIDs = 17 // F_GETOWNER_UIDS
	le := binary.LittleEndian
	var b [8]byte
	switch cmd {
	case linux.F_SETOWN:
		return 0, t.setOwnerArg(f, int32(arg))
	case linux.F_GETOWN:
		return uint64(int64(t.ownerArg(f))), 0
	case linux.F_SETOWN_EX:
		if errno := t.copyIn(arg, b[:]); errno != 0 {
			return 0, errno
		}
		kind, nr := int32(le.Uint32(b[:])), int32(le.Uint32(b[4:]))
		if kind < ownerTID || kind > ownerPGRP {
			return 0, linux.EINVAL
		}
		return 0, t.setOwner(f, kind, int(nr))
	case linux.F_GETOWN_EX:
		kind, nr := t.owner(f)
		le.PutUint32(b[:], uint32(kind))
		le.PutUint32(b[4:], uint32(nr))
		return 0, t.copyOut(arg, b[:])
	case getOwnerUIDs:
		if a, ok := f.Async.(*fasync); ok {
			le.PutUint32(b[:], t.cred.user.uidOut(a.uid))
			le.PutUint32(b[4:], t.cred.user.uidOut(a.euid))
		}
		return 0, t.copyOut(arg, b[:])
	case linux.F_SETSIG:
		if arg > linux.NSIG {
			return 0, linux.EINVAL
		}
		t.k.fasyncOf(f).sig = linux.Signal(arg)
	case linux.F_GETSIG:
		if a, ok := f.Async.(*fasync); ok {
			return uint64(a.sig), 0
		}
	default:
		return 0, linux.EINVAL
	}
	return 0, 0
}
