package net

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// SendMsg implements Socket. c is nil for write(2).
func (u *unixSocket) SendMsg(c *Caller, m *Msg) (int, linux.Errno) {
	if m.Flags&linux.MSG_OOB != 0 && (u.Type != linux.SOCK_STREAM || len(m.Data) == 0) {
		return 0, linux.EOPNOTSUPP
	}
	switch u.Type {
	case linux.SOCK_STREAM:
		return u.sendStream(c, m)
	case linux.SOCK_SEQPACKET:
		switch {
		case u.err != 0:
			return 0, u.takeErr()
		case u.state != stateEstablished:
			return 0, linux.ENOTCONN
		}
		m.Name = nil
	}
	return u.sendDgram(c, m)
}

// sendStream sends what has room, in packets like those that Linux makes.
func (u *unixSocket) sendStream(c *Caller, m *Msg) (int, linux.Errno) {
	p := u.peer
	switch {
	case m.Name != nil && u.state == stateEstablished:
		return 0, linux.EISCONN
	case m.Name != nil:
		return 0, linux.EOPNOTSUPP
	case p == nil:
		return 0, linux.ENOTCONN
	case u.shut&shutSend != 0:
		return 0, linux.EPIPE
	}
	cred, errno := u.messageCred(c, m)
	if errno != 0 {
		return 0, errno
	}
	sent, end, urgent := 0, len(m.Data), m.Flags&linux.MSG_OOB != 0
	if urgent {
		end--
	}
	for sent < end || urgent && sent == end {
		if errno := u.roomToSend(p); errno != 0 {
			return partial(sent, errno)
		}
		// Two packets fit into the buffer at least, so that sender and
		// receiver can work at the same time.
		n := min(max(end-sent, 1), u.sndbuf/2-64, skbMaxHead+32768)
		k := &packet{truesize: truesize(n, skbMaxHead), cred: cred, owner: u}
		// Files travel with the first byte.
		if sent == 0 {
			if errno := u.stack.holdFiles(c, k, m.Files); errno != 0 {
				return 0, errno
			}
		}
		k.data = gather(m.Data[sent : sent+n])
		put := u.deliver
		if sent == end {
			put = u.sendUrgent
		}
		if errno := put(p, k); errno != 0 {
			return partial(sent, errno)
		}
		sent += n
	}
	return sent, 0
}

// partial is the result of a transfer that an error ended: the error counts
// only if nothing had moved.
func partial(n int, errno linux.Errno) (int, linux.Errno) {
	if n > 0 {
		return n, 0
	}
	return 0, errno
}

// roomToSend checks that u can send to p now.
func (u *unixSocket) roomToSend(p *unixSocket) linux.Errno {
	switch {
	case u.err != 0:
		return u.takeErr()
	case u.shut&shutSend != 0:
		return linux.EPIPE
	case u.wmem >= u.sndbuf:
		return linux.EAGAIN
	case p.closed || p.shut&shutRecv != 0:
		return linux.EPIPE
	}
	return 0
}

// deliver puts a packet into p's queue.
func (u *unixSocket) deliver(p *unixSocket, k *packet) linux.Errno {
	if errno := u.stack.charge(k.truesize); errno != 0 {
		u.stack.dropFiles(k)
		return errno
	}
	u.wmem += k.truesize
	p.recv.push(k)
	p.wakeReaders()
	return 0
}

// sendDgram sends a message to the address in it or to the peer.
func (u *unixSocket) sendDgram(c *Caller, m *Msg) (int, linux.Errno) {
	if m.Name != nil {
		if errno := checkUnixName(m.Name); errno != 0 {
			return 0, errno
		}
	}
	cred, errno := u.messageCred(c, m)
	if errno != 0 {
		return 0, errno
	}
	// Who wants to know names must have one (unix(7), SO_PASSCRED).
	if u.opts.passcred && !u.name.bound {
		u.autobind()
	}
	if len(m.Data) > u.sndbuf-32 {
		return 0, linux.EMSGSIZE
	}
	if errno := u.roomForDgram(); errno != 0 {
		return 0, errno
	}
	p, errno := u.destination(c, m)
	if errno != 0 {
		return 0, errno
	}
	// Only a receiver with several senders limits the number of messages; in a
	// pair the send buffer does.
	if u != p && p.peer != u && p.full() {
		if c != nil {
			c.WaitOn = &p.peerWait
		}
		if p == u.peer {
			u.relayFrom(p)
		}
		return 0, linux.EAGAIN
	}
	k := &packet{truesize: truesize(len(m.Data), skbMaxAlloc), cred: cred, owner: u}
	if errno := u.stack.holdFiles(c, k, m.Files); errno != 0 {
		return 0, errno
	}
	k.data = gather(m.Data)
	if errno := u.deliver(p, k); errno != 0 {
		return 0, errno
	}
	return len(m.Data), 0
}

func (u *unixSocket) roomForDgram() linux.Errno {
	switch {
	case u.err != 0:
		return u.takeErr()
	case u.shut&shutSend != 0:
		return linux.EPIPE
	case u.wmem >= u.sndbuf:
		return linux.EAGAIN
	}
	return 0
}

// destination finds who receives a datagram. A peer that has been closed is
// forgotten with ECONNREFUSED.
func (u *unixSocket) destination(c *Caller, m *Msg) (*unixSocket, linux.Errno) {
	p := u.peer
	if m.Name != nil {
		var errno linux.Errno
		if p, errno = u.stack.findUnix(c, m.Name, u.Type); errno != 0 {
			return nil, errno
		}
	}
	switch {
	case p == nil:
		return nil, linux.ENOTCONN
	case !p.takesFrom(u):
		return nil, linux.EPERM
	case p.closed && u.Type == linux.SOCK_SEQPACKET:
		return nil, linux.EPIPE
	case p.closed:
		// The next send without an address finds no destination.
		u.state = stateClose
		u.setPeer(nil)
		return nil, linux.ECONNREFUSED
	case p.shut&shutRecv != 0:
		return nil, linux.EPIPE
	}
	return p, 0
}

// messageCred is the identity that a message carries. Claiming another one
// needs privilege (scm_check_creds).
func (u *unixSocket) messageCred(c *Caller, m *Msg) (Ucred, linux.Errno) {
	if m.Cred == nil {
		return u.sender(c), 0
	}
	k := *m.Cred
	okPID := k.PID == c.PID || c.capable(linux.CAP_SYS_ADMIN)
	okUID := k.UID == c.UID || k.UID == c.EUID || k.UID == c.SUID || c.capable(linux.CAP_SETUID)
	okGID := k.GID == c.GID || k.GID == c.EGID || k.GID == c.SGID || c.capable(linux.CAP_SETGID)
	switch {
	case !okPID || !okUID || !okGID:
		return Ucred{}, linux.EPERM
	case k.Proc == nil && c.Proc != nil:
		return Ucred{}, linux.ESRCH
	}
	return k, 0
}

// holdFiles puts files into a packet, with references of its own. What one
// user has in flight is limited to the sender's RLIMIT_NOFILE (unix(7),
// ETOOMANYREFS).
func (s *Stack) holdFiles(c *Caller, k *packet, files []*vfs.File) linux.Errno {
	if len(files) == 0 {
		return 0
	}
	if uint64(s.inFlight[c.UID]) > c.MaxFiles && !c.capable(linux.CAP_SYS_RESOURCE) && !c.capable(linux.CAP_SYS_ADMIN) {
		return linux.ETOOMANYREFS
	}
	k.files, k.uid = slices.Clone(files), c.UID
	s.inFlight[k.uid] += len(files)
	for _, f := range files {
		f.Get()
		s.flying += isUnix(f)
	}
	return 0
}

// takeFiles takes the files out of a packet, with their references.
func (s *Stack) takeFiles(k *packet) []*vfs.File {
	files := k.files
	k.files = nil
	if len(files) > 0 {
		if s.inFlight[k.uid] -= len(files); s.inFlight[k.uid] == 0 {
			delete(s.inFlight, k.uid)
		}
		for _, f := range files {
			s.flying -= isUnix(f)
		}
	}
	return files
}

// isUnix is 1 for a socket that may have messages with files itself.
func isUnix(f *vfs.File) int {
	if _, ok := f.Ops.(*unixSocket); ok {
		return 1
	}
	return 0
}

// dropFiles releases the files of a packet nobody received.
func (s *Stack) dropFiles(k *packet) {
	for _, f := range s.takeFiles(k) {
		f.Put()
	}
}
