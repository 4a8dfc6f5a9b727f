package ipc

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Limits of message queues: kernel.msgmax, msgmnb and msgmni.
const (
	MsgMax = 8192
	msgMnb = 16384
	msgMni = 32000
)

// Queue is a message queue (msgget(2)).
type Queue struct {
	Perm
	STime, RTime, CTime int64
	LSPID, LRPID        int
	QBytes              uint64
	Waiters             vfs.WaitQueue // senders and receivers

	ns    *Namespace
	list  []Message
	bytes uint64
}

// Message is one message.
type Message struct {
	Type int64
	Text []byte
}

// Msgget finds or makes a queue.
func (n *Namespace) Msgget(c *Caller, key int32, flags uint32) (int, linux.Errno) {
	return n.Msg.get(c, key, flags, func(*Queue) linux.Errno { return 0 }, func(p Perm) (*Queue, linux.Errno) {
		return &Queue{Perm: p, QBytes: msgMnb, CTime: c.Now, ns: n}, 0
	})
}

// Send appends a message, whose text it takes over: EAGAIN if the queue is
// full.
func (q *Queue) Send(c *Caller, m Message) linux.Errno {
	if errno := q.Allowed(c, 0o222); errno != 0 {
		return errno
	}
	if q.bytes+uint64(len(m.Text)) > q.QBytes || uint64(len(q.list))+1 > q.QBytes {
		return linux.EAGAIN
	}
	q.list = append(q.list, m)
	q.bytes += uint64(len(m.Text))
	q.LSPID, q.STime = c.PID, c.Now
	q.Waiters.Wake(0)
	return 0
}

// choose finds the message that msgrcv with a type takes; -1 if there is none.
func (q *Queue) choose(typ int64, flags uint32) int {
	switch {
	case flags&linux.MSG_COPY != 0:
		if typ >= 0 && typ < int64(len(q.list)) {
			return int(typ)
		}
		return -1
	case typ == 0 && len(q.list) > 0:
		return 0
	case typ < 0:
		return q.lowest(-typ)
	}
	for i := range q.list {
		if (q.list[i].Type == typ) != (flags&linux.MSG_EXCEPT != 0) {
			return i
		}
	}
	return -1
}

// lowest finds the first message of the lowest type that is at most limit.
func (q *Queue) lowest(limit int64) int {
	best := -1
	for i := range q.list {
		if t := q.list[i].Type; t <= limit && (best < 0 || t < q.list[best].Type) {
			best = i
		}
	}
	return best
}

// Receive takes a message of a type with at most size bytes of text: ENOMSG if
// there is none.
func (q *Queue) Receive(c *Caller, size uint64, typ int64, flags uint32) (Message, linux.Errno) {
	if errno := q.Allowed(c, 0o444); errno != 0 {
		return Message{}, errno
	}
	if typ == -1<<63 {
		typ++ // its opposite is not a number
	}
	i := q.choose(typ, flags)
	if i < 0 {
		return Message{}, linux.ENOMSG
	}
	m := q.list[i]
	if uint64(len(m.Text)) > size {
		if flags&linux.MSG_NOERROR == 0 {
			return Message{}, linux.E2BIG
		}
	}
	if flags&linux.MSG_COPY == 0 {
		q.list = append(q.list[:i], q.list[i+1:]...)
		q.bytes -= uint64(len(m.Text))
		q.LRPID, q.RTime = c.PID, c.Now
		q.Waiters.Wake(0)
	}
	m.Text = m.Text[:min(uint64(len(m.Text)), size)]
	return m, 0
}

// Contents are the number of messages and of bytes in them.
func (q *Queue) Contents() (messages int, bytes uint64) { return len(q.list), q.bytes }

// Remove is IPC_RMID: those who wait get EIDRM.
func (q *Queue) Remove() {
	q.ns.Msg.remove(q)
	q.Waiters.Wake(0)
}

// Set is IPC_SET, from a struct msqid64_ds. Only privileged callers may raise
// the limit over the default.
func (q *Queue) Set(c *Caller, b []byte) linux.Errno {
	limit := le.Uint64(b[88:])
	if limit > msgMnb && !c.Capable(linux.CAP_SYS_RESOURCE) {
		return linux.EPERM
	}
	q.set(b)
	q.QBytes, q.CTime = limit, c.Now
	q.Waiters.Wake(0)
	return 0
}

// SizeofMsqid is the size of struct msqid64_ds.
const SizeofMsqid = 120

// Encode writes struct msqid64_ds.
func (q *Queue) Encode(b []byte) {
	clear(b[:SizeofMsqid])
	q.encode(b)
	for i, v := range []int64{q.STime, q.RTime, q.CTime, int64(q.bytes), int64(len(q.list)), int64(q.QBytes)} {
		le.PutUint64(b[48+8*i:], uint64(v))
	}
	le.PutUint32(b[96:], uint32(q.LSPID))
	le.PutUint32(b[100:], uint32(q.LRPID))
}

// SizeofMsginfo is the size of struct msginfo.
const SizeofMsginfo = 32

// EncodeMsginfo writes struct msginfo: for IPC_INFO the limits, for MSG_INFO
// three of them are what is in use.
func (n *Namespace) EncodeMsginfo(b []byte, inUse bool) {
	pool, mapped, tql := msgMni*msgMnb/1024, msgMnb, msgMnb
	if inUse {
		pool, mapped, tql = n.Msg.count, 0, 0
		for _, q := range n.Msg.slots {
			if q != nil {
				mapped += len(q.list)
				tql += int(q.bytes)
			}
		}
	}
	const ssz, seg = 16, 0xffff
	for i, v := range []int{pool, mapped, MsgMax, msgMnb, msgMni, ssz, tql, seg} {
		le.PutUint32(b[4*i:], uint32(v))
	}
}
