package net

import (
	"net/netip"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// tcpSocket is a stream socket of AF_INET or AF_INET6 (tcp(7)).
type tcpSocket struct {
	inetSocket
	tcp tcpOptions

	recv  byteQueue
	other *tcpSocket // the far end; nil before a connection and after a reset
	done  bool       // the far end has sent its last byte
	urg   urgent

	use socketUse

	backlog  int
	accept   []*tcpSocket // connections that wait for accept
	waiting  []*tcpSocket // connecting sockets for which accept has no room
	listener *tcpSocket   // in whose waiting list this socket is
}

// socketUse is what programs have done with a socket (enum socket_state); the
// connection itself may be in another state already.
type socketUse uint8

const (
	unconnected   socketUse = iota
	connecting              // a connect was begun, and no call has told its outcome
	connected               // until the socket is disconnected or closed
	disconnecting           // shut down after a connect that failed: of no more use
)

// Default sizes of TCP buffers: net.ipv4.tcp_wmem, tcp_rmem, and what the send
// buffer of a connection over the loopback interface grows to.
const (
	tcpSndbuf          = 16384
	tcpRcvbuf          = 131072
	tcpConnectedSndbuf = 2626560
)

func (s *Stack) newTCP(family int, uid uint32) *tcpSocket {
	k := &tcpSocket{}
	k.init(s, k, family, linux.SOCK_STREAM, linux.IPPROTO_TCP, uid)
	k.sndbuf, k.rcvbuf = tcpSndbuf, tcpRcvbuf
	return k
}

// Listen implements Socket.
func (k *tcpSocket) Listen(_ *Caller, backlog int) linux.Errno {
	if k.use != unconnected || k.state != stateClose && k.state != stateListen {
		return linux.EINVAL
	}
	k.backlog = int(min(uint32(backlog), linux.SOMAXCONN))
	if k.state == stateListen {
		k.admit()
		return 0
	}
	if !k.bound {
		if errno := k.takePort(netip.AddrPortFrom(k.local.Addr(), 0)); errno != 0 {
			return errno
		}
	} else if k.conflicts(k.local) {
		return linux.EADDRINUSE
	}
	k.state = stateListen
	return 0
}

// Accept implements Socket.
func (k *tcpSocket) Accept(*Caller) (Socket, linux.Errno) {
	switch {
	case k.state != stateListen:
		return nil, linux.EINVAL
	case len(k.accept) == 0:
		return nil, linux.EAGAIN
	}
	n := k.accept[0]
	k.accept = append(k.accept[:0], k.accept[1:]...)
	k.admit()
	return n, 0
}

// admit completes the handshakes for which the backlog has room.
func (k *tcpSocket) admit() {
	for len(k.waiting) > 0 && len(k.accept) <= k.backlog {
		n := k.waiting[0]
		k.waiting = append(k.waiting[:0], k.waiting[1:]...)
		n.listener = nil
		n.establish(k)
	}
}

// Connect implements Socket.
func (k *tcpSocket) Connect(_ *Caller, name []byte) linux.Errno {
	if len(name) < 2 {
		return linux.EINVAL
	}
	if nameFamily(name) == linux.AF_UNSPEC {
		k.disconnect()
		return 0
	}
	switch {
	case k.use == connecting:
		return k.connectResult()
	case k.use == disconnecting:
		return linux.EINVAL
	case k.use == connected || k.state != stateClose:
		return linux.EISCONN
	}
	a, errno := k.parseName(name)
	if errno != 0 {
		return errno
	}
	dst, errno := k.destination(a)
	if errno != 0 {
		return errno
	}
	if errno := k.autobind(0); errno != 0 {
		return linux.EADDRNOTAVAIL
	}
	// Even if the handshake is over at once, the call has only begun it: a
	// program that does not wait asks for the outcome with the next one.
	k.local = netip.AddrPortFrom(k.source(dst.Addr()), k.local.Port())
	k.remote, k.err, k.done = dst, 0, false
	k.use, k.state = connecting, stateSynSent
	k.handshake()
	return linux.EINPROGRESS
}

// connectResult tells how the connection that was begun is getting on.
func (k *tcpSocket) connectResult() linux.Errno {
	switch k.state {
	case stateSynSent:
		return linux.EALREADY
	case stateClose:
		errno := k.takeErr()
		if errno == 0 {
			errno = linux.ECONNABORTED
		}
		k.disconnect()
		return errno
	}
	k.use = connected
	return 0
}

// handshake finds the listener and connects to it, or waits until it has room.
func (k *tcpSocket) handshake() {
	if k.remote == k.local {
		// A simultaneous open with itself (RFC 9293, 3.5).
		k.other, k.state, k.sndbuf = k, stateEstablished, max(k.sndbuf, tcpConnectedSndbuf)
		if k.shut&shutSend != 0 {
			k.sendFin()
		}
		return
	}
	l := k.table.find(k.remote, k.local, func(o *inetSocket) bool { return o.state == stateListen })
	k.sent(tcpHeader, 0)
	k.stack.moved.opens++
	if l == nil {
		k.stack.moved.fails++
		k.reset()
		return
	}
	t := l.self.(*tcpSocket)
	// One connection more than the backlog says is let in (sk_acceptq_is_full);
	// for others Linux drops the handshake, which the sender repeats.
	if len(t.accept) > t.backlog {
		t.waiting = append(t.waiting, k)
		k.listener = t
		return
	}
	k.establish(t)
}

// establish connects k to a new socket that waits to be accepted from l.
func (k *tcpSocket) establish(l *tcpSocket) {
	n := &tcpSocket{}
	n.init(k.stack, n, l.Family, linux.SOCK_STREAM, linux.IPPROTO_TCP, l.uid)
	n.opts.inherit(&l.opts)
	n.ip.inherit(&l.ip)
	n.tcp = l.tcp
	n.sndbuf, n.rcvbuf, n.v6only = l.sndbuf, l.rcvbuf, l.v6only
	n.RcvTimeo, n.SndTimeo = l.RcvTimeo, l.SndTimeo
	// The new end shares the listener's port. It is free when the connection
	// is over, whether bind chose it or not.
	n.local, n.remote = k.remote, k.local
	n.addrLocked, n.use = l.addrLocked, connected
	n.joinPort()
	k.other, n.other = n, k
	n.sent(tcpHeader, 0)
	k.sent(tcpHeader, 0)
	k.stack.moved.accepts++
	for _, e := range [2]*tcpSocket{k, n} {
		e.state = stateEstablished
		if e.sndbuf == tcpSndbuf {
			e.sndbuf = tcpConnectedSndbuf
		}
	}
	l.accept = append(l.accept, n)
	l.wakeReaders()
	k.wakeWriters()
	if n.shut = l.shut; n.shut&shutSend != 0 {
		n.sendFin() // shutdown on a listener closes its connections so
	}
}

// stopListening resets the connections that wait, and refuses the others.
func (k *tcpSocket) stopListening() {
	accept, waiting := k.accept, k.waiting
	k.accept, k.waiting = nil, nil
	// The connections exist already for those who made them.
	for _, n := range accept {
		n.abort()
		n.Release(nil)
	}
	for _, n := range waiting {
		n.listener = nil
		n.reset()
	}
}

// leaveWaiting gives up waiting for room at a listener.
func (k *tcpSocket) leaveWaiting() {
	l := k.listener
	if l == nil {
		return
	}
	k.listener = nil
	for i := range l.waiting {
		if l.waiting[i] == k {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return
		}
	}
}

// disconnect returns the socket to where it can connect anew (tcp_disconnect).
func (k *tcpSocket) disconnect() {
	errno := k.err
	switch k.state {
	case stateListen:
		k.stopListening()
	case stateSynSent:
		k.leaveWaiting()
		errno = linux.ECONNRESET
	case stateClose:
	default:
		k.abort()
		errno = linux.ECONNRESET
	}
	k.drop()
	k.toClose()
	k.use, k.done, k.shut, k.err, k.other = unconnected, false, 0, errno, nil
	k.disconnected()
	k.wake()
}

// drop forgets what has not been read.
func (k *tcpSocket) drop() {
	k.stack.uncharge(k.recv.len())
	k.recv.clear()
}

// abort ends the connection with a reset to the far end.
func (k *tcpSocket) abort() {
	o := k.other
	k.other = nil
	k.toClose()
	if o != nil && o.other == k {
		o.reset()
	}
}

// reset is the arrival of a reset (tcp_reset): the connection is over at once.
func (k *tcpSocket) reset() {
	switch k.state {
	case stateClose:
		k.other = nil
		return
	case stateSynSent:
		k.err = linux.ECONNREFUSED
	case stateCloseWait:
		k.err = linux.EPIPE
		k.stack.moved.resets++
	default:
		k.err = linux.ECONNRESET
		k.stack.moved.resets++
	}
	k.other, k.shut = nil, shutBoth
	k.toClose()
	k.wake()
}

// toClose ends the connection's life. A port that bind did not choose is free
// from then on, although getsockname goes on showing it.
func (k *tcpSocket) toClose() {
	if k.state != stateClose && !k.portLocked {
		k.leavePort()
	}
	k.state = stateClose
}

// sendFin tells the far end that nothing more comes.
func (k *tcpSocket) sendFin() {
	switch k.state {
	case stateEstablished:
		k.state = stateFinWait2
	case stateCloseWait:
		k.toClose()
		k.shut = shutBoth
	default:
		return
	}
	if k.other != nil {
		k.sent(tcpHeader, 0)
		k.other.recvFin()
	}
}

// recvFin is the arrival of the far end's last byte.
func (k *tcpSocket) recvFin() {
	k.done = true
	k.shut |= shutRecv
	switch k.state {
	case stateEstablished:
		k.state = stateCloseWait
	case stateFinWait2:
		// TIME_WAIT: the socket itself is as closed.
		k.toClose()
		k.shut = shutBoth
	}
	k.wake()
}

// Shutdown implements Socket.
func (k *tcpSocket) Shutdown(_ *Caller, how int) linux.Errno {
	if how < linux.SHUT_RD || how > linux.SHUT_RDWR {
		return linux.EINVAL
	}
	mode := uint8(how + 1)
	errno := linux.Errno(0)
	if k.use == connecting {
		k.use = connected
		if k.state == stateClose {
			k.use = disconnecting
		}
	}
	switch k.state {
	case stateListen:
		if mode&shutRecv != 0 {
			k.disconnect()
		}
	case stateSynSent:
		k.disconnect()
	case stateClose:
		errno = linux.ENOTCONN
		k.shut |= mode
	default:
		k.shut |= mode
		if mode&shutSend != 0 {
			k.sendFin()
		}
	}
	k.wake()
	return errno
}

// Release implements vfs.FileOps.
func (k *tcpSocket) Release(*vfs.File) {
	if k.closed {
		return
	}
	k.closed = true
	k.stack.remove(&k.SocketCommon)
	switch {
	case k.state == stateListen:
		k.stopListening()
	case k.state == stateSynSent:
		k.leaveWaiting()
	case k.recv.len() > 0 || k.opts.lingerOn && k.opts.linger == 0:
		// Data was lost, or the program asked for it: RFC 2525, 2.17.
		k.abort()
	default:
		k.sendFin()
	}
	// The far end can go on sending to what has become an orphan; SendMsg finds
	// out that nobody is there.
	k.drop()
	k.shut = shutBoth
	k.leavePort()
	if k.other == nil || k.state == stateClose {
		k.state = stateClose
	}
	k.wake()
}

// Poll implements vfs.FileOps (tcp_poll).
func (k *tcpSocket) Poll(*vfs.File) vfs.PollMask {
	if k.state == stateListen {
		if len(k.accept) > 0 {
			return pollRead
		}
		return 0
	}
	m := k.pollCommon()
	if k.state == stateClose {
		m |= vfs.PollHup
	}
	// While connecting nothing is true; that writing becomes possible tells of
	// success.
	if k.state != stateSynSent {
		target := max(int(k.opts.rcvlowat), 1)
		if k.atMark() && !k.inline() {
			target++
		}
		if k.recv.len() >= target {
			m |= pollRead
		}
		if k.urg.pending && !k.urg.taken {
			m |= vfs.PollPri
		}
		if k.shut&shutSend != 0 || k.hasRoom() {
			m |= pollWrite
		}
	}
	return m
}

// Ioctl implements vfs.FileOps.
func (k *tcpSocket) Ioctl(_ *vfs.File, c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	switch req {
	case linux.FIONREAD, linux.SIOCOUTQ, linux.SIOCOUTQNSD:
		if k.state == stateListen {
			return 0, linux.EINVAL
		}
		n := 0
		if req == linux.FIONREAD {
			n = k.recv.len()
			if k.urg.pending && !k.inline() {
				n = min(n, k.urg.pos)
			}
		}
		return 0, putInt(c, arg, n)
	case linux.SIOCATMARK:
		return 0, putInt(c, arg, boolInt(k.atMark()))
	}
	return k.ioctl(c, req, arg)
}
