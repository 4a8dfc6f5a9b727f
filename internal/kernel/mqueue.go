package kernel

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// POSIX message queues (mq_overview(7)): messages in the order of their
// priorities, in queues that have names in an IPC namespace.

// Limits of /proc/sys/fs/mqueue, and those that privilege does not lift.
const (
	mqMaxQueues    = 256
	mqMaxMessages  = 10
	mqMaxSize      = 8192
	mqHardMessages = 65536
	mqHardSize     = 16 << 20
	mqMaxPriority  = 32768
	// mqOverhead is what a message counts besides its bytes: struct msg_msg and
	// a node for its priority.
	mqOverhead = 48 + 48
)

// mqueue is a queue.
type mqueue struct {
	ns       *ipcNamespace
	name     string // "" once it has been unlinked
	opens    int    // open descriptions
	uid, gid uint32
	mode     uint32
	ino      uint64
	ctime    int64
	most     int // messages
	size     int // of a message, at most
	messages []mqMessage
	bytes    int

	senders, receivers, pollers vfs.WaitQueue
	notify                      mqNotify
}

type mqMessage struct {
	priority uint32
	data     []byte
}

// mqNotify is who wants to know of a message in an empty queue (mq_notify(3)).
type mqNotify struct {
	who   *Group // nil: nobody
	kind  int32  // linux.SIGEV_NONE or SIGEV_SIGNAL
	sig   linux.Signal
	value uint64
}

// charge is what the queue counts against RLIMIT_MSGQUEUE of its maker.
func (q *mqueue) charge() uint64 { return uint64(q.most) * uint64(q.size+mqOverhead) }

// mqFile is an open message queue.
type mqFile struct {
	vfs.NoOps
	k *Kernel
	q *mqueue
}

// Read implements vfs.FileOps: the state in words, not a message.
func (m mqFile) Read(_ *vfs.File, p []byte, off int64) (int, linux.Errno) {
	n, pid, sig := m.q.notify, 0, linux.Signal(0)
	if g := m.q.notified(); g != nil {
		pid = g.nrFor(m.k.current)
		if n.kind == linux.SIGEV_SIGNAL {
			sig = n.sig
		}
	}
	text := fmt.Sprintf("QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", m.q.bytes, n.kind, sig, pid)
	return copy(p, text[min(off, int64(len(text))):]), 0
}

// Seekable implements vfs.FileOps.
func (m mqFile) Seekable() bool { return true }

// Poll implements vfs.FileOps.
func (m mqFile) Poll(*vfs.File) (events vfs.PollMask) {
	if len(m.q.messages) > 0 {
		events |= vfs.PollIn | vfs.PollRdNorm
	}
	if len(m.q.messages) < m.q.most {
		events |= vfs.PollOut | vfs.PollWrNorm
	}
	return events
}

// Queue implements vfs.FileOps.
func (m mqFile) Queue(*vfs.File) *vfs.WaitQueue { return &m.q.pollers }

// Stat implements vfs.FileOps.
func (m mqFile) Stat(*vfs.File) (linux.Stat, linux.Errno) {
	const fileSize = 80
	q, nlink := m.q, uint64(1)
	if q.name == "" {
		nlink = 0
	}
	st := linux.Stat{Ino: q.ino, Nlink: nlink, Mode: linux.S_IFREG | q.mode, Uid: q.uid, Gid: q.gid, Size: fileSize, Blksize: 4096}
	st.Atim.Sec, st.Mtim.Sec, st.Ctim.Sec = q.ctime, q.ctime, q.ctime
	return st, 0
}

// Flush implements vfs.FileOps: a process that closes the queue is not told any
// more.
func (m mqFile) Flush(*vfs.File) {
	if t := m.k.current; t != nil && m.q.notify.who == t.group {
		m.q.notify = mqNotify{}
	}
}

// Release implements vfs.FileOps.
func (m mqFile) Release(*vfs.File) {
	m.q.opens--
	m.q.dispose()
}

// notified is the process that wants to know of a message; nil if there is none
// any more.
func (q *mqueue) notified() *Group {
	if g := q.notify.who; g != nil && !g.zombie {
		return g
	}
	return nil
}

// dispose frees a queue that has neither name nor descriptor.
func (q *mqueue) dispose() {
	if q.opens > 0 || q.name != "" {
		return
	}
	q.messages = nil
	ns := q.ns
	ns.mqCount--
	if ns.mqBytes[q.uid] -= q.charge(); ns.mqBytes[q.uid] == 0 {
		delete(ns.mqBytes, q.uid)
	}
}

// mqName reads the name of a queue, of which the library has taken the slash.
func (t *Task) mqName(addr uint64) (string, linux.Errno) {
	name, errno := t.path(addr)
	switch {
	case errno != 0:
		return "", errno
	case name == "":
		return "", linux.ENOENT
	case name == "." || name == ".." || strings.Contains(name, "/"):
		return "", linux.EACCES
	case len(name) > 255:
		return "", linux.ENAMETOOLONG
	}
	return name, 0
}

// allows checks the permission bits of a queue.
func (q *mqueue) allows(t *Task, mask uint32) linux.Errno {
	mode := q.mode
	switch c := t.cred; {
	case c.FSUID == q.uid:
		mode >>= 6
	case c.InGroup(q.gid):
		mode >>= 3
	}
	if mask&^mode == 0 || t.capableIn(q.ns.owner, linux.CAP_DAC_OVERRIDE) {
		return 0
	}
	return linux.EACCES
}

// sysMqOpen is mq_open(2): name, flags, mode, attributes.
func sysMqOpen(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	most, size := int64(mqMaxMessages), int64(mqMaxSize)
	if a[3] != 0 {
		var b [32]byte // struct mq_attr: flags, maxmsg, msgsize, curmsgs
		if errno := t.copyIn(a[3], b[:]); errno != 0 {
			return 0, errno
		}
		most, size = int64(binary.LittleEndian.Uint64(b[8:])), int64(binary.LittleEndian.Uint64(b[16:]))
	}
	name, errno := t.mqName(a[0])
	if errno == 0 {
		errno = t.roomForFD()
	}
	if errno != 0 {
		return 0, errno
	}
	flags := uint32(a[1])
	const readable, writable = 4, 2
	mask := map[uint32]uint32{linux.O_RDONLY: readable, linux.O_WRONLY: writable, linux.O_RDWR: readable | writable}[flags&linux.O_ACCMODE]
	q := t.ns.ipc.mqs[name]
	switch {
	case q == nil && flags&linux.O_CREAT == 0:
		return 0, linux.ENOENT
	case q == nil:
		if q, errno = t.newMqueue(name, uint32(a[2]), most, size); errno != 0 {
			return 0, errno
		}
	case flags&(linux.O_CREAT|linux.O_EXCL) == linux.O_CREAT|linux.O_EXCL:
		return 0, linux.EEXIST
	case mask == 0:
		return 0, linux.EINVAL
	default:
		if errno := q.allows(t, mask); errno != 0 {
			return 0, errno
		}
	}
	q.opens++
	return t.installFD(vfs.NewFile(mqFile{k: t.k, q: q}, flags&(linux.O_ACCMODE|linux.O_NONBLOCK)), true)
}

// newMqueue makes a queue.
func (t *Task) newMqueue(name string, mode uint32, most, size int64) (*mqueue, linux.Errno) {
	ns := t.ns.ipc
	privileged := t.capable(linux.CAP_SYS_RESOURCE)
	switch {
	case ns.mqCount >= mqMaxQueues && !privileged:
		return nil, linux.ENOSPC
	case most <= 0, size <= 0, most > mqHardMessages, size > mqHardSize, !privileged && (most > mqMaxMessages || size > mqMaxSize):
		return nil, linux.EINVAL
	}
	sec, _ := t.k.realtime()
	q := &mqueue{
		ns: ns, name: name, uid: t.cred.FSUID, gid: t.cred.FSGID, mode: mode & 0o7777 &^ t.fs.Umask,
		ino: t.k.sys.nextIno(), ctime: sec, most: int(most), size: int(size),
	}
	if ns.mqBytes[q.uid]+q.charge() > t.rlimit(linux.RLIMIT_MSGQUEUE) {
		return nil, linux.EMFILE
	}
	if ns.mqs == nil {
		ns.mqs, ns.mqBytes = make(map[string]*mqueue), make(map[uint32]uint64)
	}
	ns.mqs[name] = q
	ns.mqBytes[q.uid] += q.charge()
	ns.mqCount++
	return q, 0
}

// sysMqUnlink is mq_unlink(2). Names stand in a folder in which everybody may
// remove what is their own.
func sysMqUnlink(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	name, errno := t.mqName(a[0])
	if errno != 0 {
		return 0, errno
	}
	q := t.ns.ipc.mqs[name]
	switch {
	case q == nil:
		return 0, linux.ENOENT
	case q.uid != t.cred.FSUID && !t.capableIn(q.ns.owner, linux.CAP_FOWNER):
		return 0, linux.EPERM
	}
	delete(t.ns.ipc.mqs, name)
	q.name = ""
	q.dispose()
	return 0, 0
}

// mqArg finds the queue of a descriptor.
func (t *Task) mqArg(fd uint64) (*mqueue, *vfs.File, linux.Errno) {
	f, errno := t.file(fd)
	if errno != 0 {
		return nil, nil, errno
	}
	m, ok := f.Ops.(mqFile)
	if !ok {
		return nil, nil, linux.EBADF
	}
	return m.q, f, 0
}

// mqCall looks at what sending and receiving have in common: the timeout, and a
// descriptor that may do it.
func (t *Task) mqCall(a *[6]uint64, may func(*vfs.File) bool) (*mqueue, *vfs.File, linux.Errno) {
	if errno := t.mqTimeout(a[4]); errno != 0 {
		return nil, nil, errno
	}
	q, f, errno := t.mqArg(a[0])
	if errno == 0 && !may(f) {
		errno = linux.EBADF
	}
	return q, f, errno
}

// mqTimeout reads the time until which a call waits: CLOCK_REALTIME.
func (t *Task) mqTimeout(addr uint64) linux.Errno {
	now, _ := t.clock(linux.CLOCK_REALTIME)
	return t.timeoutSince(addr, now)
}

// mqWait waits in a queue for room or for a message.
func (t *Task) mqWait(f *vfs.File, q *vfs.WaitQueue) (uint64, linux.Errno) {
	switch {
	case f.NonBlock():
		return 0, linux.EAGAIN
	case t.timedOut():
		return 0, linux.ETIMEDOUT
	}
	return t.blockOn(q, linux.ERESTARTSYS)
}

// sysMqSend is mq_timedsend(2): descriptor, message, length, priority, timeout.
func sysMqSend(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if uint32(a[3]) >= mqMaxPriority {
		return 0, linux.EINVAL
	}
	q, f, errno := t.mqCall(a, (*vfs.File).Writable)
	switch {
	case errno != 0:
		return 0, errno
	case a[2] > uint64(q.size):
		return 0, linux.EMSGSIZE
	}
	data := make([]byte, a[2])
	if errno := t.copyIn(a[1], data); errno != 0 {
		return 0, errno
	}
	if len(q.messages) >= q.most {
		return t.mqWait(f, &q.senders)
	}
	q.put(t, mqMessage{uint32(a[3]), data})
	return 0, 0
}

// put adds a message behind those of its priority and higher ones.
func (q *mqueue) put(t *Task, m mqMessage) {
	at := len(q.messages)
	for at > 0 && q.messages[at-1].priority < m.priority {
		at--
	}
	q.messages = slices.Insert(q.messages, at, m)
	q.bytes += len(m.data)
	if len(q.messages) == 1 && q.receivers.Empty() {
		q.tell(t)
	}
	q.receivers.Wake(0)
	q.pollers.Wake(vfs.PollIn | vfs.PollRdNorm)
}

// tell notifies who has asked for it, once.
func (q *mqueue) tell(from *Task) {
	n := q.notify
	q.notify = mqNotify{}
	if n.who == nil || n.who.zombie || n.kind != linux.SIGEV_SIGNAL {
		return
	}
	from.k.signalGroup(n.who, n.sig, linux.Siginfo{
		Signo: n.sig, Code: linux.SI_MESGQ, Value: n.value,
		PID: int32(from.group.leader.id.in(n.who.leader.pidNS())), UID: n.who.leader.cred.user.uidOut(from.cred.UID),
	})
}

// sysMqReceive is mq_timedreceive(2): descriptor, room, length, where the
// priority goes, timeout.
func sysMqReceive(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	q, f, errno := t.mqCall(a, (*vfs.File).Readable)
	switch {
	case errno != 0:
		return 0, errno
	case a[2] < uint64(q.size):
		return 0, linux.EMSGSIZE
	case len(q.messages) == 0:
		return t.mqWait(f, &q.receivers)
	}
	m := q.messages[0]
	q.messages = slices.Delete(q.messages, 0, 1)
	q.bytes -= len(m.data)
	q.senders.Wake(0)
	q.pollers.Wake(vfs.PollOut | vfs.PollWrNorm)
	if a[3] != 0 {
		if errno := t.putUint32(a[3], m.priority); errno != 0 {
			return 0, errno
		}
	}
	return uint64(len(m.data)), t.copyOut(a[1], m.data)
}

// sysMqNotify is mq_notify(2): descriptor, struct sigevent. Notification by
// thread is made by the C library with a netlink socket, which is not here.
func sysMqNotify(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	var n mqNotify
	if a[1] != 0 {
		var b [64]byte
		if errno := t.copyIn(a[1], b[:]); errno != 0 {
			return 0, errno
		}
		le := binary.LittleEndian
		n = mqNotify{who: t.group, value: le.Uint64(b[:]), sig: linux.Signal(int32(le.Uint32(b[8:]))), kind: int32(le.Uint32(b[12:]))}
		if n.kind != linux.SIGEV_NONE && n.kind != linux.SIGEV_SIGNAL || n.kind == linux.SIGEV_SIGNAL && !validSignal(uint64(n.sig)) {
			return 0, linux.EINVAL
		}
	}
	q, _, errno := t.mqArg(a[0])
	switch {
	case errno != 0:
		return 0, errno
	case n.who == nil && q.notify.who != t.group:
		return 0, 0
	case n.who != nil && q.notified() != nil:
		return 0, linux.EBUSY
	}
	q.notify = n
	return 0, 0
}

// sysMqGetsetattr is mq_getsetattr(2): descriptor, new attributes, room for the
// old ones.
func sysMqGetsetattr(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	le := binary.LittleEndian
	flags := uint64(0)
	if a[1] != 0 {
		var b [64]byte
		if errno := t.copyIn(a[1], b[:]); errno != 0 {
			return 0, errno
		}
		if flags = le.Uint64(b[:]); flags&^linux.O_NONBLOCK != 0 {
			return 0, linux.EINVAL
		}
	}
	q, f, errno := t.mqArg(a[0])
	if errno != 0 {
		return 0, errno
	}
	old := make([]byte, 64)
	for i, v := range []uint64{uint64(f.Flags & linux.O_NONBLOCK), uint64(q.most), uint64(q.size), uint64(len(q.messages))} {
		le.PutUint64(old[8*i:], v)
	}
	if a[1] != 0 {
		f.Flags = f.Flags&^linux.O_NONBLOCK | uint32(flags)
	}
	if a[2] != 0 {
		return 0, t.copyOut(a[2], old)
	}
	return 0, 0
}
