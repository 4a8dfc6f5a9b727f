package net

import "github.com/tinevm/tine/internal/linux"

// urgent is the urgent byte of a connection (tcp(7)): the last byte sent with
// MSG_OOB. It has a place in the stream, but unless SO_OOBINLINE is set it is
// read apart, and reading stops in front of it once.
type urgent struct {
	pending bool // its place has not been passed
	taken   bool // it has been read with MSG_OOB
	pos     int  // bytes of the stream in front of it
	value   byte
}

func (k *tcpSocket) inline() bool { return k.opts.flags[linux.SO_OOBINLINE] != 0 }

// sentUrgent marks the byte that was sent last, which is in the far end's
// queue, and signals whoever owns that socket.
func (k *tcpSocket) sentUrgent(value byte) {
	o := k.other
	o.urg = urgent{pending: true, pos: o.recv.len() - 1, value: value}
	if o.Urgent != nil {
		o.Urgent()
	}
	o.wake()
}

// recvUrgent is a receive with MSG_OOB.
func (k *tcpSocket) recvUrgent(m *Msg) (int, linux.Errno) {
	switch {
	case k.inline(), !k.urg.pending, k.urg.taken:
		return 0, linux.EINVAL
	case k.state == stateClose && !k.done:
		return 0, linux.ENOTCONN
	}
	if m.Flags&linux.MSG_PEEK == 0 {
		k.urg.taken = true
	}
	m.OutFlags |= linux.MSG_OOB
	if len(m.Data) == 0 {
		m.OutFlags |= linux.MSG_TRUNC
		return 0, 0
	}
	m.Data[0] = k.urg.value
	m.Copied = 1
	return 1, 0
}

// readable is the part of the queue behind skip bytes that one receive gets:
// it ends at the urgent byte. That byte itself is left out (hole) if reading
// begins there.
func (k *tcpSocket) readable(skip int) (n, hole int) {
	n = k.recv.len() - skip
	if !k.urg.pending || k.urg.pos < skip {
		return n, 0
	}
	switch ahead := k.urg.pos - skip; {
	case ahead > 0:
		return min(n, ahead), 0
	case k.inline():
		return n, 0
	}
	return n - 1, 1
}

// passed moves the urgent byte's place n bytes nearer.
func (u *urgent) passed(n int) {
	if u.pos -= n; u.pos < 0 {
		*u = urgent{}
	}
}

// atMark is SIOCATMARK: reading is in front of the urgent byte.
func (k *tcpSocket) atMark() bool { return k.urg.pending && k.urg.pos == 0 }
