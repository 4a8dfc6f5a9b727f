package net

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// byteQueue holds the bytes of one direction of a stream, in pieces.
type byteQueue struct {
	pieces [][]byte
	head   int // bytes of the first piece that have been taken
	size   int
}

// pieceSize is the memory of one piece.
const pieceSize = 32 << 10

func (q *byteQueue) len() int { return q.size }

// write appends p.
func (q *byteQueue) write(p []byte) {
	q.size += len(p)
	if n := len(q.pieces); n > 0 {
		last := q.pieces[n-1]
		k := min(len(p), cap(last)-len(last))
		q.pieces[n-1] = append(last, p[:k]...)
		p = p[k:]
	}
	for len(p) > 0 {
		k := min(len(p), pieceSize)
		size := pieceSize
		if len(q.pieces) == 0 && k < 2048 {
			size = 2048 // a short message in an otherwise empty queue
		}
		q.pieces = append(q.pieces, append(make([]byte, 0, size), p[:k]...))
		p = p[k:]
	}
}

// peek copies bytes from position skip on, leaving the queue as it is.
func (q *byteQueue) peek(p []byte, skip int) int {
	n, head := 0, q.head+skip
	for _, piece := range q.pieces {
		if head >= len(piece) {
			head -= len(piece)
			continue
		}
		n += copy(p[n:], piece[head:])
		head = 0
		if n == len(p) {
			break
		}
	}
	return n
}

// discard drops n bytes from the front.
func (q *byteQueue) discard(n int) {
	q.size -= n
	q.head += n
	i := 0
	for i < len(q.pieces) && q.head >= len(q.pieces[i]) {
		q.head -= len(q.pieces[i])
		i++
	}
	if i > 0 {
		kept := copy(q.pieces, q.pieces[i:])
		clear(q.pieces[kept:])
		q.pieces = q.pieces[:kept]
	}
	if q.size == 0 {
		q.head = 0
		q.pieces = nil
	}
}

func (q *byteQueue) clear() { *q = byteQueue{} }

// capacity is how many bytes may be on the way to the far end: what the send
// buffer here and the receive buffer there hold.
func (k *tcpSocket) capacity() int { return k.sndbuf + k.other.rcvbuf }

// hasRoom is the condition for POLLOUT: the room is at least half of what is
// on the way (sk_stream_is_writeable).
func (k *tcpSocket) hasRoom() bool {
	if k.other == nil {
		return true
	}
	used := k.other.recv.len()
	return k.capacity()-used >= used/2
}

// SendMsg implements Socket. A destination address is ignored.
func (k *tcpSocket) SendMsg(_ *Caller, m *Msg) (int, linux.Errno) {
	switch {
	case k.err != 0:
		return 0, k.takeErr()
	case k.state == stateSynSent:
		return 0, linux.EAGAIN
	case k.shut&shutSend != 0, k.state != stateEstablished && k.state != stateCloseWait:
		return 0, linux.EPIPE
	case len(m.Data) == 0:
		return 0, 0
	}
	o := k.other
	if o == nil || o.closed || o.shut == shutBoth {
		// Nobody can receive it there: the answer is a reset, and the sender
		// hears of it with the next call (RFC 1122, 4.2.2.13).
		k.abort()
		k.state = k.stateBeforeReset()
		k.reset()
		return len(m.Data), 0
	}
	room := k.capacity() - o.recv.len()
	if room <= 0 {
		return 0, linux.EAGAIN
	}
	n := min(len(m.Data), room)
	if errno := k.stack.charge(n); errno != 0 {
		return 0, errno
	}
	o.recv.write(m.Data[:n])
	k.sent(tcpHeader, n)
	if m.Flags&linux.MSG_OOB != 0 && n == len(m.Data) {
		k.sentUrgent(m.Data[n-1])
	}
	o.wakeReaders()
	return n, 0
}

// stateBeforeReset is the state that decides which error a reset causes.
func (k *tcpSocket) stateBeforeReset() connState {
	if k.done {
		return stateCloseWait
	}
	return stateEstablished
}

// RecvMsg implements Socket.
func (k *tcpSocket) RecvMsg(_ *Caller, m *Msg) (int, linux.Errno) {
	switch {
	case m.Flags&linux.MSG_ERRQUEUE != 0:
		return 0, linux.EAGAIN
	case k.state == stateListen:
		return 0, linux.ENOTCONN
	case m.Flags&linux.MSG_OOB != 0:
		return k.recvUrgent(m)
	}
	skip := k.peekStart(m.Flags)
	most, hole := k.readable(skip)
	if most <= 0 {
		if hole > 0 && m.Flags&linux.MSG_PEEK == 0 {
			k.took(hole)
		}
		return k.recvNothing()
	}
	n := min(len(m.Data), most)
	if m.Flags&linux.MSG_TRUNC == 0 {
		m.Copied = k.recv.peek(m.Data[:n], skip+hole)
	}
	k.movePeek(m.Flags, n+hole)
	if m.Flags&linux.MSG_PEEK == 0 && n > 0 {
		k.took(n + hole)
		if o := k.other; o != nil && o.hasRoom() {
			o.wakeWriters()
		}
	}
	return n, 0
}

// took takes n bytes off the queue.
func (k *tcpSocket) took(n int) {
	k.recv.discard(n)
	k.stack.uncharge(n)
	k.urg.passed(n)
}

// recvNothing is the result of receiving when there are no bytes.
func (k *tcpSocket) recvNothing() (int, linux.Errno) {
	switch {
	case k.done:
		return 0, 0
	case k.err != 0:
		return 0, k.takeErr()
	case k.shut&shutRecv != 0:
		return 0, 0
	case k.state == stateClose:
		return 0, linux.ENOTCONN
	}
	return 0, linux.EAGAIN
}

// Read implements vfs.FileOps.
func (k *tcpSocket) Read(f *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	return k.RecvMsg(nil, &Msg{Data: p, Flags: dontWait(f)})
}

// Write implements vfs.FileOps.
func (k *tcpSocket) Write(f *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	return k.SendMsg(nil, &Msg{Data: p, Flags: dontWait(f)})
}
