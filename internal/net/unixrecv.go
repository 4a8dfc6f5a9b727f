package net

import "github.com/tinevm/tine/internal/linux"

// RecvMsg implements Socket. c is nil for read(2).
func (u *unixSocket) RecvMsg(_ *Caller, m *Msg) (int, linux.Errno) {
	if m.Flags&linux.MSG_OOB != 0 {
		if u.Type == linux.SOCK_STREAM {
			return u.recvUrgent(m)
		}
		return 0, linux.EOPNOTSUPP
	}
	if u.Type == linux.SOCK_STREAM {
		return u.recvStream(m)
	}
	return u.recvDgram(m)
}

// recvStream receives bytes. They end before data of another sender if the
// receiver asked for credentials, and after data that came with files.
func (u *unixSocket) recvStream(m *Msg) (int, linux.Errno) {
	if u.state != stateEstablished {
		return 0, linux.EINVAL
	}
	peek := m.Flags&linux.MSG_PEEK != 0
	i, skip := u.recv.peekAt(u.peekStart(m.Flags))
	got, last := 0, (*packet)(nil)
	for got < len(m.Data) || len(m.Data) == 0 {
		var ok bool
		if i, ok = u.passUrgent(i, peek, got); !ok || i >= u.recv.len() {
			break
		}
		k := u.recv.at(i)
		rest := k.rest()
		// Bytes of different senders are never glued together.
		if u.opts.wantsCred() && last != nil && last.cred != k.cred {
			break
		}
		last = k
		n := copy(m.Data[got:], rest[skip:])
		skip = 0
		got += n
		u.takeFiles(m, k, peek)
		if peek {
			i++
		} else {
			k.off += n
			if len(k.rest()) > 0 {
				break
			}
			u.consume(u.recv.pop(), false)
		}
		// Files end what one call receives: the next ones belong to later
		// bytes.
		if len(m.Files) > 0 || len(m.Data) == 0 {
			break
		}
	}
	u.movePeek(m.Flags, got)
	m.Copied = got
	if last == nil {
		return u.recvNothing(m)
	}
	u.giveCred(m, last.cred)
	if u.peer != nil {
		m.Name = nil
		if u.peer.name.bound {
			m.Name = u.peer.name.sockaddr()
		}
	}
	return got, 0
}

// recvNothing is the result of receiving from an empty stream.
func (u *unixSocket) recvNothing(*Msg) (int, linux.Errno) {
	switch {
	case u.err != 0:
		return 0, u.takeErr()
	case u.shut&shutRecv != 0:
		return 0, 0
	}
	return 0, linux.EAGAIN
}

// wantsCred reports whether the receiver wants to know who sends.
func (o *options) wantsCred() bool { return o.passcred || o.passpidfd }

// giveCred tells the receiver who has sent, as far as it wants to know.
func (u *unixSocket) giveCred(m *Msg, cred Ucred) {
	if u.opts.passcred {
		m.Cred = &cred
	}
	if u.opts.passpidfd {
		m.Sender = &cred
	}
}

// takeFiles hands the files of a packet to the receiver.
func (u *unixSocket) takeFiles(m *Msg, k *packet, peek bool) {
	if !peek {
		m.Files = append(m.Files, u.stack.takeFiles(k)...)
		return
	}
	m.Files = append(m.Files, k.files...)
	for _, f := range k.files {
		f.Get()
	}
}

// recvDgram receives one message.
func (u *unixSocket) recvDgram(m *Msg) (int, linux.Errno) {
	if u.Type == linux.SOCK_SEQPACKET && u.state != stateEstablished {
		return 0, linux.ENOTCONN
	}
	if u.err != 0 {
		return 0, u.takeErr()
	}
	peek := m.Flags&linux.MSG_PEEK != 0
	i, skip := u.recv.peekAt(u.peekStart(m.Flags))
	if i >= u.recv.len() {
		return u.recvNoDgram(m)
	}
	k := u.recv.at(i)
	n := m.recvOne(k.data[skip:])
	// The sender's name is what it is now, not what it was when it sent.
	if k.owner.name.bound {
		m.Name = k.owner.name.sockaddr()
	}
	u.giveCred(m, k.cred)
	u.takeFiles(m, k, peek)
	if peek {
		u.movePeek(m.Flags, m.Copied)
		return n, 0
	}
	u.movePeek(m.Flags, len(k.data))
	// There is room for one message more.
	u.consume(u.recv.pop(), false)
	u.peerWait.Wake(0)
	return n, 0
}

// recvNoDgram is the result of receiving from an empty queue. A datagram
// socket that has been shut down tells so only to a receiver who would wait.
func (u *unixSocket) recvNoDgram(m *Msg) (int, linux.Errno) {
	if u.shut&shutRecv != 0 && (u.Type == linux.SOCK_SEQPACKET || m.Flags&linux.MSG_DONTWAIT == 0) {
		return 0, 0
	}
	return 0, linux.EAGAIN
}
