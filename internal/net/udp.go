package net

import (
	"net/netip"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// udpSocket is a datagram socket of AF_INET or AF_INET6 (udp(7)).
type udpSocket struct {
	inetSocket
	recv packetQueue
	rmem int           // bytes charged to our receive buffer
	errs []queuedError // IP_RECVERR
}

// packetInfo is what control messages can tell about a datagram.
type packetInfo struct {
	src, dst  netip.AddrPort
	ttl, tos  int32
	sec, nsec int64
}

// queuedError is an entry of the error queue (IP_RECVERR in ip(7)).
type queuedError struct {
	errno linux.Errno
	data  []byte
	dst   netip.AddrPort // where the datagram was to go
}

// maxUDP is the longest payload: what an IPv4 or IPv6 length field allows.
const (
	maxUDP4 = 65535 - 20 - 8
	maxUDP6 = 65535 - 8
)

func (s *Stack) newUDP(family int, uid uint32) *udpSocket {
	k := &udpSocket{}
	k.init(s, k, family, linux.SOCK_DGRAM, linux.IPPROTO_UDP, uid)
	return k
}

// Listen implements Socket.
func (k *udpSocket) Listen(*Caller, int) linux.Errno { return linux.EOPNOTSUPP }

// Accept implements Socket.
func (k *udpSocket) Accept(*Caller) (Socket, linux.Errno) { return nil, linux.EOPNOTSUPP }

// Connect implements Socket.
func (k *udpSocket) Connect(c *Caller, name []byte) linux.Errno {
	if len(name) < 2 {
		return linux.EINVAL
	}
	if nameFamily(name) == linux.AF_UNSPEC {
		k.disconnected()
		if !k.portLocked {
			k.leavePort()
			k.local = netip.AddrPortFrom(k.local.Addr(), 0)
		}
		return 0
	}
	if errno := k.autobind(1); errno != 0 {
		return errno
	}
	a, errno := k.parseUDPName(name)
	if errno != 0 {
		return errno
	}
	dst, errno := k.destination(a)
	if errno != 0 {
		return errno
	}
	k.local = netip.AddrPortFrom(k.source(dst.Addr()), k.local.Port())
	k.remote, k.state = dst, stateEstablished
	k.wake()
	return 0
}

// parseUDPName reads a destination. An AF_INET6 socket also takes AF_INET
// addresses.
func (k *udpSocket) parseUDPName(name []byte) (netip.AddrPort, linux.Errno) {
	if k.Family == linux.AF_INET6 && len(name) >= sizeofInetName && nameFamily(name) == linux.AF_INET {
		if k.v6only {
			return netip.AddrPort{}, linux.ENETUNREACH
		}
		return parseInet(name), 0
	}
	return k.parseName(name)
}

// SendMsg implements Socket.
func (k *udpSocket) SendMsg(c *Caller, m *Msg) (int, linux.Errno) {
	// The first thing a sender gets is a port, whatever comes of the message.
	if errno := k.autobind(1); errno != 0 {
		return 0, errno
	}
	if m.Flags&linux.MSG_OOB != 0 {
		return 0, linux.EOPNOTSUPP
	}
	if len(m.Data) > 0xffff {
		return 0, linux.EMSGSIZE
	}
	dst, errno := k.sendTo(m)
	switch {
	case errno != 0:
		return 0, errno
	case dst.Addr().Is4() && len(m.Data) > maxUDP4 || len(m.Data) > maxUDP6:
		return 0, linux.EMSGSIZE
	case k.err != 0:
		return 0, k.takeErr()
	case k.shut&shutSend != 0:
		return 0, linux.EPIPE
	}
	p := &packet{data: gather(m.Data), truesize: udpTruesize(len(m.Data))}
	p.inet = k.describe(c, m, dst)
	k.transmit(p)
	return len(m.Data), 0
}

// sendTo is the destination of a message.
func (k *udpSocket) sendTo(m *Msg) (netip.AddrPort, linux.Errno) {
	if m.Name == nil || len(m.Name) >= 2 && nameFamily(m.Name) == linux.AF_UNSPEC && k.Family == linux.AF_INET6 {
		if k.state != stateEstablished {
			return netip.AddrPort{}, linux.EDESTADDRREQ
		}
		return k.remote, 0
	}
	if k.Family == linux.AF_INET && len(m.Name) >= sizeofInetName && nameFamily(m.Name) == linux.AF_UNSPEC {
		le.PutUint16(m.Name, linux.AF_INET) // accepted for compatibility
	}
	a, errno := k.parseUDPName(m.Name)
	switch {
	case errno != 0:
		return a, errno
	case a.Port() == 0:
		return a, linux.EINVAL
	}
	return k.destination(a)
}

// describe fills in what the receiver can ask about a datagram.
func (k *udpSocket) describe(c *Caller, m *Msg, dst netip.AddrPort) packetInfo {
	i := packetInfo{src: netip.AddrPortFrom(k.source(dst.Addr()), k.local.Port()), dst: dst}
	if dst.Addr().Is4() {
		i.ttl, i.tos = k.ip.get(linux.IPPROTO_IP, linux.IP_TTL), k.ip.get(linux.IPPROTO_IP, linux.IP_TOS)
	} else {
		i.ttl, i.tos = k.ip.get(linux.IPPROTO_IPV6, linux.IPV6_UNICAST_HOPS), k.ip.get(linux.IPPROTO_IPV6, linux.IPV6_TCLASS)
	}
	if i.ttl < 0 {
		i.ttl = 64
	}
	i.tos = max(i.tos, 0)
	if c != nil && c.FS.Now != nil {
		i.sec, i.nsec = c.FS.Now()
	}
	return i
}

// transmit gives a datagram to its receiver. Without one, the sender is told
// by ICMP, which a socket hears of if it is connected or asked for it. A
// receiver whose buffer is full loses it.
func (k *udpSocket) transmit(p *packet) {
	k.sent(udpHeader, len(p.data))
	found := k.table.find(p.inet.dst, p.inet.src, func(*inetSocket) bool { return true })
	if found == nil {
		k.stack.moved.noPorts++
		k.unreachable(p)
		return
	}
	t := found.self.(*udpSocket)
	if t.rmem+p.truesize > t.rcvbuf || t.shut&shutRecv != 0 && t.closed {
		k.stack.moved.lost++
		return
	}
	// The network as a whole may be short of memory; datagrams can get lost.
	if k.stack.charge(p.truesize) != 0 {
		k.stack.moved.lost++
		return
	}
	k.stack.moved.read++
	t.rmem += p.truesize
	t.recv.push(p)
	t.wakeReaders()
}

// unreachable is the arrival of ICMP port unreachable.
func (k *udpSocket) unreachable(p *packet) {
	if k.state == stateEstablished && !k.talksTo(p.inet.dst) {
		return // connected sockets hear of their peer only
	}
	if k.recvErr() {
		if len(k.errs) < 64 {
			k.errs = append(k.errs, queuedError{linux.ECONNREFUSED, p.data, p.inet.dst})
		}
	} else if k.state != stateEstablished {
		return
	}
	k.err = linux.ECONNREFUSED
	k.wake()
}

// recvErr reports whether the socket has an error queue.
func (k *udpSocket) recvErr() bool {
	return k.ip.get(linux.IPPROTO_IP, linux.IP_RECVERR) != 0 || k.ip.get(linux.IPPROTO_IPV6, linux.IPV6_RECVERR) != 0
}

// udpTruesize is what a datagram of n bytes is charged.
func udpTruesize(n int) int {
	const smallHead = 576 // small packets come from a cache of their own
	switch {
	case n <= 160:
		return skbStruct + smallHead
	case n+384 <= 16384:
		return headSize(n + 64)
	}
	return skbStruct + smallHead + n
}

// RecvMsg implements Socket.
func (k *udpSocket) RecvMsg(_ *Caller, m *Msg) (int, linux.Errno) {
	switch {
	case m.Flags&linux.MSG_ERRQUEUE != 0:
		return k.recvError(m)
	case m.Flags&linux.MSG_OOB != 0:
		return 0, linux.EOPNOTSUPP
	case k.err != 0:
		return 0, k.takeErr()
	}
	i, skip := k.recv.peekAt(k.peekStart(m.Flags))
	if i >= k.recv.len() {
		if k.shut&shutRecv != 0 && m.Flags&linux.MSG_DONTWAIT == 0 {
			return 0, 0
		}
		return 0, linux.EAGAIN
	}
	p := k.recv.at(i)
	n := m.recvOne(p.data[skip:])
	m.Name = k.sockaddr(p.inet.src)
	k.controls(m, &p.inet)
	if m.Flags&linux.MSG_PEEK != 0 {
		k.movePeek(m.Flags, m.Copied)
	} else {
		k.movePeek(m.Flags, len(p.data))
		k.recv.pop()
		k.rmem -= p.truesize
		k.stack.uncharge(p.truesize)
	}
	return n, 0
}

// Shutdown implements Socket.
func (k *udpSocket) Shutdown(_ *Caller, how int) linux.Errno {
	if how < linux.SHUT_RD || how > linux.SHUT_RDWR {
		return linux.EINVAL
	}
	k.shut |= uint8(how + 1)
	k.wake()
	if k.state == stateClose {
		return linux.ENOTCONN
	}
	return 0
}

// Release implements vfs.FileOps.
func (k *udpSocket) Release(*vfs.File) {
	if k.closed {
		return
	}
	k.closed = true
	k.stack.remove(&k.SocketCommon)
	k.leavePort()
	for k.recv.len() > 0 {
		k.stack.uncharge(k.recv.pop().truesize)
	}
	k.shut = shutBoth
	k.wake()
}

// Poll implements vfs.FileOps.
func (k *udpSocket) Poll(*vfs.File) vfs.PollMask {
	m := k.pollCommon() | pollWrite | vfs.PollWrBand
	if len(k.errs) > 0 {
		m |= vfs.PollErr
	}
	if k.recv.len() > 0 {
		m |= pollRead
	}
	return m
}

// Ioctl implements vfs.FileOps.
func (k *udpSocket) Ioctl(_ *vfs.File, c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	switch req {
	case linux.FIONREAD:
		n := 0
		if p := k.recv.first(); p != nil {
			n = len(p.data)
		}
		return 0, putInt(c, arg, n)
	case linux.SIOCOUTQ:
		return 0, putInt(c, arg, 0)
	}
	return k.ioctl(c, req, arg)
}

// Read implements vfs.FileOps.
func (k *udpSocket) Read(f *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	return k.RecvMsg(nil, &Msg{Data: p, Flags: dontWait(f)})
}

// Write implements vfs.FileOps.
func (k *udpSocket) Write(f *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	return k.SendMsg(nil, &Msg{Data: p, Flags: dontWait(f)})
}
