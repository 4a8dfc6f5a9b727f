package net

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// unixSocket is a socket of family AF_UNIX (unix(7)).
type unixSocket struct {
	SocketCommon

	name  unixName
	inode vfs.Inode // of a bound path name; has a reference

	// peer is what the socket is connected to. For datagrams the relation goes
	// one way. It stays set when the peer has been closed.
	peer *unixSocket

	recv       packetQueue
	backlog    int           // most packets, or connections, that wait in the queue
	accept     []*unixSocket // a listener's connections that wait for accept
	peerWait   vfs.WaitQueue // senders that wait for room in recv or accept
	relay      relay         // in the peer's peerWait, on behalf of our pollers
	wmem       int           // bytes charged to our send buffer
	peerCred   Ucred         // SO_PEERCRED
	peerGroups []uint32      // SO_PEERGROUPS
	urgent     *packet       // in recv; see unixurgent.go
	listener   *unixSocket   // of a connection that waits to be accepted
}

// maxDgramQlen is net.unix.max_dgram_qlen, the backlog of sockets that do not
// listen.
const maxDgramQlen = 10

// relay passes a peer's wake-ups on to a socket's own queue.
type relay struct {
	entry vfs.WaitEntry
	to    *unixSocket
}

// Wake implements vfs.Waiter.
func (r *relay) Wake(e *vfs.WaitEntry, _ vfs.PollMask) {
	e.Remove()
	r.to.wakeWriters()
}

// relayFrom has the socket's pollers told when other has room.
func (u *unixSocket) relayFrom(other *unixSocket) {
	if !u.relay.entry.Queued() {
		u.relay.to = u
		u.relay.entry.Waiter = &u.relay
		other.peerWait.Add(&u.relay.entry)
	}
}

func (s *Stack) newUnixSocket(c *Caller, typ, protocol int) (Socket, linux.Errno) {
	if protocol != 0 && protocol != linux.AF_UNIX {
		return nil, linux.EPROTONOSUPPORT
	}
	switch typ {
	case linux.SOCK_STREAM, linux.SOCK_DGRAM, linux.SOCK_SEQPACKET:
	case linux.SOCK_RAW:
		typ = linux.SOCK_DGRAM
	default:
		return nil, linux.ESOCKTNOSUPPORT
	}
	return s.makeUnix(typ, c.EUID), 0
}

// noPeer is SO_PEERCRED of a socket that was never connected.
var noPeer = Ucred{0, ^uint32(0), ^uint32(0), nil}

// PeerProcess is the process that SO_PEERCRED tells of; nil if there is none.
func PeerProcess(k Socket) any {
	if u, ok := k.(*unixSocket); ok {
		return u.peerCred.Proc
	}
	return nil
}

func (s *Stack) makeUnix(typ int, uid uint32) *unixSocket {
	u := &unixSocket{backlog: maxDgramQlen, peerCred: noPeer}
	u.Family, u.Type, u.uid = linux.AF_UNIX, typ, uid
	u.state = stateClose
	u.initBuffers()
	s.add(u, &u.SocketCommon)
	return u
}

// connected reports whether the kind of socket makes connections.
func (u *unixSocket) connectionBased() bool { return u.Type != linux.SOCK_DGRAM }

// Listen implements Socket.
func (u *unixSocket) Listen(c *Caller, backlog int) linux.Errno {
	switch {
	case !u.connectionBased():
		return linux.EOPNOTSUPP
	case !u.name.bound, u.state != stateClose && u.state != stateListen, u.peer != nil:
		return linux.EINVAL
	}
	backlog = int(min(uint32(backlog), linux.SOMAXCONN))
	if backlog > u.backlog {
		u.peerWait.Wake(0)
	}
	u.backlog, u.state = backlog, stateListen
	u.peerCred, u.peerGroups = c.effective(), c.groups()
	return 0
}

// Accept implements Socket.
func (u *unixSocket) Accept(c *Caller) (Socket, linux.Errno) {
	switch {
	case !u.connectionBased():
		return nil, linux.EOPNOTSUPP
	case u.state != stateListen:
		return nil, linux.EINVAL
	case len(u.accept) == 0 && u.shut&shutRecv != 0 && !c.NonBlock:
		return nil, linux.EINVAL
	case len(u.accept) == 0:
		return nil, linux.EAGAIN
	}
	n := u.accept[0]
	u.accept = append(u.accept[:0], u.accept[1:]...)
	n.listener = nil
	u.peerWait.Wake(vfs.PollOut)
	return n, 0
}

// Connect implements Socket.
func (u *unixSocket) Connect(c *Caller, addr []byte) linux.Errno {
	if len(addr) < 2 {
		return linux.EINVAL
	}
	// A stream socket takes AF_UNSPEC for a wrong address, a datagram socket
	// for a wish to be disconnected.
	if u.connectionBased() {
		return u.connectStream(c, addr)
	}
	return u.connectDgram(c, addr)
}

// connectStream connects to a listener: both ends exist from now on, and the
// far one waits to be accepted.
func (u *unixSocket) connectStream(c *Caller, addr []byte) linux.Errno {
	if errno := checkUnixName(addr); errno != 0 {
		return errno
	}
	if u.opts.passcred && !u.name.bound {
		u.autobind()
	}
	other, errno := u.stack.findUnix(c, addr, u.Type)
	switch {
	case errno != 0:
		return errno
	case other.state != stateListen || other.shut&shutRecv != 0:
		return linux.ECONNREFUSED
	case len(other.accept) > other.backlog:
		c.WaitOn = &other.peerWait
		return linux.EAGAIN
	case u.state == stateEstablished:
		return linux.EISCONN
	case u.state != stateClose:
		return linux.EINVAL
	}
	// The new end has the listener's name, and remembers who connected; the
	// connecting end remembers who called listen (SO_PEERCRED in unix(7)).
	n := u.stack.makeUnix(u.Type, other.uid)
	n.name = other.name.share()
	n.state, n.peer, n.peerCred, n.peerGroups = stateEstablished, u, c.effective(), c.groups()
	n.opts.passcred, n.opts.passpidfd = other.opts.passcred, other.opts.passpidfd
	u.state, u.peer, u.peerCred, u.peerGroups = stateEstablished, n, other.peerCred, other.peerGroups
	// From now on both ends can send: accept only hands out a descriptor.
	n.listener = other
	other.accept = append(other.accept, n)
	other.wakeReaders()
	u.wake()
	return 0
}

// connectDgram sets or, with AF_UNSPEC, removes the default destination.
func (u *unixSocket) connectDgram(c *Caller, addr []byte) linux.Errno {
	if nameFamily(addr) == linux.AF_UNSPEC {
		u.state = stateClose
		u.setPeer(nil)
		return 0
	}
	if errno := checkUnixName(addr); errno != 0 {
		return errno
	}
	if u.opts.passcred && !u.name.bound {
		u.autobind()
	}
	other, errno := u.stack.findUnix(c, addr, u.Type)
	if errno != 0 {
		return errno
	}
	if !other.takesFrom(u) {
		return linux.EPERM
	}
	u.setPeer(other)
	u.state, other.state = stateEstablished, stateEstablished
	return 0
}

// takesFrom reports whether u may send to t: a connected datagram socket
// receives from its peer only.
func (t *unixSocket) takesFrom(u *unixSocket) bool { return t.peer == nil || t.peer == u }

// setPeer changes the default destination of a datagram socket. What the old
// peer had sent is dropped, and the old peer told (unix_dgram_disconnected).
func (u *unixSocket) setPeer(other *unixSocket) {
	old := u.peer
	u.peer = other
	if old == nil || old == other {
		return
	}
	u.relay.entry.Remove()
	if u.recv.len() > 0 {
		u.purge()
		u.peerWait.Wake(0)
		if !old.closed && old.peer == u {
			old.err = linux.ECONNRESET
			old.wake()
		}
	}
	if old.peer != u && old.state == stateEstablished && old.peer == nil {
		old.state = stateClose
	}
	u.wake()
}

// Shutdown implements Socket.
func (u *unixSocket) Shutdown(_ *Caller, how int) linux.Errno {
	if how < linux.SHUT_RD || how > linux.SHUT_RDWR {
		return linux.EINVAL
	}
	mode := uint8(how + 1)
	u.shut |= mode
	if other := u.peer; other != nil && u.connectionBased() {
		// What one end does not receive the other cannot send.
		other.shut |= mode&shutRecv<<1 | mode&shutSend>>1
		other.wake()
	}
	u.wake()
	return 0
}

// Release implements vfs.FileOps.
func (u *unixSocket) Release(*vfs.File) {
	if u.closed {
		return
	}
	u.closed = true
	u.stack.remove(&u.SocketCommon)
	// Nobody can find the socket any more.
	u.unbind()
	u.relay.entry.Remove()
	u.shut = shutBoth
	was := u.state
	u.state = stateClose
	// The peer reads what it has, then end of file; a reset if this end has
	// thrown unread data away.
	if p := u.peer; p != nil && u.connectionBased() && was != stateListen {
		p.shut = shutBoth
		if u.recv.len() > 0 {
			p.err = linux.ECONNRESET
		}
		p.wake()
	}
	u.peer = nil // others may still refer to this end, and find it closed
	for _, n := range u.accept {
		// A connection that nobody will accept is reset.
		n.peer.err = linux.ECONNRESET
		n.Release(nil)
	}
	u.accept = nil
	// The files in messages go too, which may close more sockets.
	u.purge()
	u.peerWait.Wake(0)
	u.wake()
	u.stack.collect()
}

// purge drops everything that waits to be received.
func (u *unixSocket) purge() {
	u.urgent = nil
	for u.recv.len() > 0 {
		u.consume(u.recv.pop(), true)
	}
}

// consume ends the life of a packet that has left the queue: it makes room for
// its sender. The files in it are released unless the receiver has them.
func (u *unixSocket) consume(p *packet, drop bool) {
	u.stack.uncharge(p.truesize)
	if drop {
		u.stack.dropFiles(p)
	}
	s := p.owner
	s.wmem -= p.truesize
	if s.writable() {
		s.wakeWriters()
	}
}

// writable is the condition for POLLOUT: a quarter of the buffer is free of
// what the receivers have not taken yet (unix_writable).
func (u *unixSocket) writable() bool { return u.state != stateListen && u.wmem*4 <= u.sndbuf }

// full reports whether the queue holds as many packets as may wait.
func (u *unixSocket) full() bool { return u.recv.len() > u.backlog }

// Poll implements vfs.FileOps.
func (u *unixSocket) Poll(*vfs.File) vfs.PollMask {
	m := u.pollCommon()
	if u.recv.len() > 0 || len(u.accept) > 0 {
		m |= pollRead
	}
	if u.urgent != nil {
		m |= vfs.PollPri
	}
	// Neither connected yet nor any more.
	if u.connectionBased() && u.state == stateClose {
		m |= vfs.PollHup
	}
	if u.writable() && !u.peerFull() {
		m |= pollWrite | vfs.PollWrBand
	}
	return m
}

// peerFull reports whether a datagram would have to wait for the peer; if so
// the socket's queue will be told when there is room.
func (u *unixSocket) peerFull() bool {
	p := u.peer
	if u.Type == linux.SOCK_STREAM || p == nil || p.peer == u || p.closed || !p.full() {
		return false
	}
	u.relayFrom(p)
	return true
}

// Ioctl implements vfs.FileOps.
func (u *unixSocket) Ioctl(_ *vfs.File, c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	switch req {
	case linux.SIOCOUTQ:
		return 0, putInt(c, arg, u.wmem)
	case linux.SIOCATMARK:
		return 0, putInt(c, arg, boolInt(u.atMark()))
	case linux.FIONREAD:
		if u.state == stateListen {
			return 0, linux.EINVAL
		}
		return 0, putInt(c, arg, u.readable())
	}
	return u.stack.ioctl(c, req, arg)
}

// readable is the number of bytes that wait: of all packets where there are
// connections, of the next one otherwise.
func (u *unixSocket) readable() (n int) {
	for i := range u.recv.len() {
		n += len(u.recv.at(i).rest())
		if !u.connectionBased() {
			break
		}
	}
	return n
}

// GetSockOpt implements Socket.
func (u *unixSocket) GetSockOpt(c *Caller, level, name, size int) ([]byte, linux.Errno) {
	if level != linux.SOL_SOCKET {
		return nil, linux.EOPNOTSUPP
	}
	switch name {
	case linux.SO_PEERCRED:
		v := make([]byte, SizeofUcred)
		cred := u.peerCred
		if c.Show != nil && cred != noPeer {
			cred = c.Show(cred)
		}
		cred.Encode(v)
		return clip(v, size), 0
	case linux.SO_PEERGROUPS:
		if u.peerCred == noPeer {
			return nil, linux.ENODATA
		}
		var v []byte
		for _, g := range u.peerGroups {
			v = le.AppendUint32(v, g)
		}
		if len(v) > size {
			return v, linux.ERANGE
		}
		return v, 0
	case linux.SO_PEERNAME:
		v, errno := u.PeerName()
		if errno == 0 && len(v) > size {
			errno = linux.EINVAL
		}
		return v, errno
	}
	return u.getSocketOption(name, size)
}

// SetSockOpt implements Socket.
func (u *unixSocket) SetSockOpt(c *Caller, level, name int, value []byte) linux.Errno {
	if level != linux.SOL_SOCKET {
		return linux.EOPNOTSUPP
	}
	if name == linux.SO_REUSEPORT && len(value) >= 4 && le.Uint32(value) != 0 {
		return linux.EOPNOTSUPP
	}
	return u.setSocketOption(c, name, value)
}

// Read implements vfs.FileOps.
func (u *unixSocket) Read(f *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	return u.RecvMsg(nil, &Msg{Data: p, Flags: dontWait(f)})
}

// Write implements vfs.FileOps.
func (u *unixSocket) Write(f *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	return u.SendMsg(nil, &Msg{Data: p, Flags: dontWait(f)})
}

// dontWait is MSG_DONTWAIT for a file that is O_NONBLOCK.
func dontWait(f *vfs.File) uint32 {
	if f.NonBlock() {
		return linux.MSG_DONTWAIT
	}
	return 0
}

// sender is who sends: the caller, or for write(2) whom the kernel names.
func (u *unixSocket) sender(c *Caller) Ucred {
	switch {
	case c != nil:
		return c.real()
	case u.stack.cfg.Writer != nil:
		return u.stack.cfg.Writer()
	}
	return noCred
}
