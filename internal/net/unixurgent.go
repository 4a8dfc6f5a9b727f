package net

import "github.com/tinevm/tine/internal/linux"

// The urgent byte of a stream (unix(7), MSG_OOB): the last byte sent with MSG_OOB
// is a packet of its own. Reading stops in front of it, and passes over it
// unless SO_OOBINLINE is set; once it has been read with MSG_OOB, its empty
// packet keeps its place until reading has come there.

func (u *unixSocket) inline() bool { return u.opts.flags[linux.SO_OOBINLINE] != 0 }

// sendUrgent puts the urgent byte, packet k, into p's queue and signals whoever
// owns that socket.
func (u *unixSocket) sendUrgent(p *unixSocket, k *packet) linux.Errno {
	if errno := u.deliver(p, k); errno != 0 {
		return errno
	}
	p.urgent = k
	if p.Urgent != nil {
		p.Urgent()
	}
	p.wake()
	return 0
}

// recvUrgent is a receive with MSG_OOB.
func (u *unixSocket) recvUrgent(m *Msg) (int, linux.Errno) {
	k := u.urgent
	switch {
	case u.state != stateEstablished, u.inline(), k == nil:
		return 0, linux.EINVAL
	case len(m.Data) == 0:
		return 0, linux.EFAULT
	}
	m.Copied = copy(m.Data[:1], k.data)
	if m.Flags&linux.MSG_PEEK == 0 {
		u.urgent, k.off = nil, len(k.data)
	}
	m.OutFlags |= linux.MSG_OOB
	return 1, 0
}

// passUrgent is what reading does at the packet at position i, copied bytes
// after it began: it gives the position to read from; false ends the reading.
func (u *unixSocket) passUrgent(i int, peek bool, copied int) (int, bool) {
	if i < u.recv.len() && len(u.recv.at(i).rest()) == 0 {
		switch {
		case copied > 0 && u.urgent == nil:
			return i, false
		case peek:
			i++
		default:
			u.consume(u.recv.pop(), true)
		}
	}
	if u.urgent == nil || i >= u.recv.len() || u.recv.at(i) != u.urgent {
		return i, true
	}
	switch {
	case copied > 0:
		return i, false
	case peek && !u.inline():
		i++
	case !peek:
		u.urgent = nil
		if !u.inline() {
			u.consume(u.recv.pop(), true)
		}
	}
	return i, true
}

// atMark is SIOCATMARK: reading is in front of the urgent byte, or of the place
// from which it was taken.
func (u *unixSocket) atMark() bool {
	k := u.recv.first()
	switch {
	case k == nil:
		return false
	case k == u.urgent:
		return true
	}
	return len(k.rest()) == 0 && (u.urgent == nil || u.recv.len() > 1 && u.recv.at(1) == u.urgent)
}
