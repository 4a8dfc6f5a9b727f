package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Calls that another process decides about (seccomp_unotify(2)).

// seccompListener is the file through which a supervisor learns of calls and
// answers them.
type seccompListener struct {
	vfs.NoOps
	k        *Kernel
	filter   *seccompFilter
	list     []*notification // in the order of the calls
	nextID   uint64
	killable bool // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	queue    vfs.WaitQueue
}

// notification is a call that waits to be decided about.
type notification struct {
	l     *seccompListener
	task  *Task
	id    uint64
	data  seccompData
	state notifyState
	done  vfs.WaitQueue // the task

	// The answer: the call's result, or that it is to be made after all.
	result     uint64
	reallyCall bool
}

type notifyState uint8

const (
	notifyNew     notifyState = iota
	notifySent                // to the supervisor
	notifyReplied             // by it
)

// Sizes of struct seccomp_notif, seccomp_notif_resp and seccomp_notif_addfd.
const (
	sizeofSeccompNotif = 16 + sizeofSeccompData
	sizeofSeccompResp  = 24
	sizeofSeccompAddfd = 24
)

// listened reports whether f or one before it has a listener.
func (f *seccompFilter) listened() bool {
	for ; f != nil; f = f.prev {
		if f.listener != nil {
			return true
		}
	}
	return false
}

// listenSeccomp makes the listener of a filter that was just set.
func (t *Task) listenSeccomp(f *seccompFilter, killable bool) (uint64, linux.Errno) {
	var b [8]byte
	t.k.Entropy(b[:])
	f.listener = &seccompListener{k: t.k, filter: f, nextID: binary.LittleEndian.Uint64(b[:]), killable: killable}
	return t.installFD(vfs.NewFile(f.listener, linux.O_RDWR), true)
}

// notifySeccomp puts the call before the listener of a filter. It returns
// false: the task waits for the answer, see awaitNotification.
func (t *Task) notifySeccomp(f *seccompFilter, d *seccompData) bool {
	l := f.listener
	if l == nil {
		t.endCall(errnoResult(linux.ENOSYS))
		return false
	}
	n := &notification{l: l, task: t, id: l.nextID, data: *d}
	l.nextID++
	l.list = append(l.list, n)
	l.queue.Wake(vfs.PollIn | vfs.PollRdNorm)
	t.sc.notify = n
	return t.awaitNotification()
}

// awaitNotification goes on with a call that waits for an answer; true means
// that it is to be made.
func (t *Task) awaitNotification() bool {
	n := t.sc.notify
	if n.state == notifyReplied {
		t.dropNotification()
		if !n.reallyCall {
			t.removeWaits()
			t.endCall(n.result)
		}
		return n.reallyCall
	}
	t.sc.uninterruptible = n.l.killable && n.state == notifySent
	if t.interrupted() {
		t.dropNotification()
		t.finishSyscall(0, linux.ERESTARTSYS)
		return false
	}
	t.removeWaits()
	t.waitOn(&n.done)
	t.sleep()
	return false
}

// dropNotification takes the task's call from the listener's list.
func (t *Task) dropNotification() {
	n := t.sc.notify
	if n == nil {
		return
	}
	t.sc.notify, t.sc.uninterruptible = nil, false
	n.l.list = remove(n.l.list, n)
}

// reply ends the wait of the call's task.
func (n *notification) reply() {
	n.state = notifyReplied
	n.done.Wake(0)
}

// find looks for a call by the number that the supervisor has.
func (l *seccompListener) find(id uint64) *notification {
	for _, n := range l.list {
		if n.id == id {
			return n
		}
	}
	return nil
}

// Poll implements vfs.FileOps.
func (l *seccompListener) Poll(*vfs.File) (events vfs.PollMask) {
	for _, n := range l.list {
		switch n.state {
		case notifyNew:
			events |= vfs.PollIn | vfs.PollRdNorm
		case notifySent:
			events |= vfs.PollOut | vfs.PollWrNorm
		}
	}
	if l.filter.users == 0 {
		events |= vfs.PollHup
	}
	return events
}

// Queue implements vfs.FileOps.
func (l *seccompListener) Queue(*vfs.File) *vfs.WaitQueue { return &l.queue }

// Stat implements vfs.FileOps.
func (l *seccompListener) Stat(*vfs.File) (linux.Stat, linux.Errno) { return vfs.AnonStat(), 0 }

// Release implements vfs.FileOps: calls that wait get ENOSYS, and later ones as
// well.
func (l *seccompListener) Release(*vfs.File) {
	l.filter.listener = nil
	for _, n := range l.list {
		if n.state != notifyReplied {
			n.result = errnoResult(linux.ENOSYS)
			n.reply()
		}
	}
}

// Ioctl implements vfs.FileOps.
func (l *seccompListener) Ioctl(_ *vfs.File, c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	// The first headers had the direction of NOTIF_ID_VALID wrong.
	const validWrongDirection = linux.SECCOMP_IOCTL_NOTIF_ID_VALID&^(3<<30) | 2<<30
	const setFlags, syncWakeUp = 0x40082104, 1 // SECCOMP_IOCTL_NOTIF_SET_FLAGS
	switch req {
	case linux.SECCOMP_IOCTL_NOTIF_RECV:
		return 0, l.receive(c, arg)
	case linux.SECCOMP_IOCTL_NOTIF_SEND:
		return 0, l.send(c, arg)
	case linux.SECCOMP_IOCTL_NOTIF_ID_VALID, validWrongDirection:
		var b [8]byte
		errno := c.CopyIn(arg, b[:])
		if n := l.find(binary.LittleEndian.Uint64(b[:])); errno == 0 && (n == nil || n.state != notifySent) {
			errno = linux.ENOENT
		}
		return 0, errno
	case linux.SECCOMP_IOCTL_NOTIF_ADDFD:
		return l.addFD(c, arg)
	case setFlags: // where the supervisor is to wake up: there is one queue here
		if arg&^syncWakeUp != 0 {
			return 0, linux.EINVAL
		}
		return 0, 0
	}
	return 0, linux.EINVAL
}

// receive tells the supervisor of a call, or waits for one.
func (l *seccompListener) receive(c *vfs.IoctlContext, addr uint64) linux.Errno {
	var b [sizeofSeccompNotif]byte
	if errno := c.CopyIn(addr, b[:]); errno != 0 {
		return errno
	}
	if b != [sizeofSeccompNotif]byte{} {
		return linux.EINVAL // room for what the structure may become
	}
	for _, n := range l.list {
		if n.state != notifyNew {
			continue
		}
		le := binary.LittleEndian
		le.PutUint64(b[:], n.id)
		le.PutUint32(b[8:], uint32(n.task.id.in(c.Task.(*Task).pidNS())))
		n.data.encode(b[16:])
		if errno := c.CopyOut(addr, b[:]); errno != 0 {
			return errno
		}
		n.state = notifySent
		l.queue.Wake(vfs.PollOut | vfs.PollWrNorm)
		return 0
	}
	if l.filter.users == 0 {
		return linux.ENOENT
	}
	c.Context.WaitOn = &l.queue
	return vfs.EWAIT
}

// send takes the supervisor's answer.
func (l *seccompListener) send(c *vfs.IoctlContext, addr uint64) linux.Errno {
	var b [sizeofSeccompResp]byte // id, val, error, flags
	if errno := c.CopyIn(addr, b[:]); errno != 0 {
		return errno
	}
	le := binary.LittleEndian
	id, val, errno, flags := le.Uint64(b[:]), le.Uint64(b[8:]), int32(le.Uint32(b[16:])), le.Uint32(b[20:])
	if flags&^linux.SECCOMP_USER_NOTIF_FLAG_CONTINUE != 0 || flags != 0 && (errno != 0 || val != 0) {
		return linux.EINVAL
	}
	n := l.find(id)
	switch {
	case n == nil:
		return linux.ENOENT
	case n.state != notifySent:
		return linux.EINPROGRESS
	}
	n.result, n.reallyCall = val, flags != 0
	if errno != 0 {
		n.result = uint64(int64(errno))
	}
	n.reply()
	return 0
}

// addFD gives the caller of a call a copy of one of the supervisor's
// descriptors; with SECCOMP_ADDFD_FLAG_SEND its number is the answer.
func (l *seccompListener) addFD(c *vfs.IoctlContext, addr uint64) (uint64, linux.Errno) {
	var b [sizeofSeccompAddfd]byte // id, flags, srcfd, newfd, newfd_flags
	if errno := c.CopyIn(addr, b[:]); errno != 0 {
		return 0, errno
	}
	le := binary.LittleEndian
	id, flags, src, dst, fdFlags := le.Uint64(b[:]), le.Uint32(b[8:]), le.Uint32(b[12:]), le.Uint32(b[16:]), le.Uint32(b[20:])
	if fdFlags&^linux.O_CLOEXEC != 0 || flags&^(linux.SECCOMP_ADDFD_FLAG_SETFD|linux.SECCOMP_ADDFD_FLAG_SEND) != 0 ||
		dst != 0 && flags&linux.SECCOMP_ADDFD_FLAG_SETFD == 0 {
		return 0, linux.EINVAL
	}
	f, errno := c.Task.(*Task).files.lookup(int(int32(src)))
	if errno != 0 {
		return 0, errno
	}
	n := l.find(id)
	switch {
	case n == nil:
		return 0, linux.ENOENT
	case n.state != notifySent:
		return 0, linux.EINPROGRESS
	}
	fd, cloexec := uint64(dst), fdFlags != 0
	if flags&linux.SECCOMP_ADDFD_FLAG_SETFD != 0 {
		if fd >= n.task.rlimit(linux.RLIMIT_NOFILE) {
			return 0, linux.EBADF
		}
		n.task.files.close(int(fd)) // EBADF if it is free
		n.task.files.set(int(fd), f.Get(), cloexec)
	} else if fd, errno = n.task.installFD(f.Get(), cloexec); errno != 0 {
		return 0, errno
	}
	if flags&linux.SECCOMP_ADDFD_FLAG_SEND != 0 {
		n.result = fd
		n.reply()
	}
	return fd, 0
}
