package net

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// netlinkSocket is a socket of AF_NETLINK (netlink(7)). The kernel is the only
// partner: it answers a request before the call that sends it returns.
type netlinkSocket struct {
	SocketCommon

	port   uint32 // 0: not bound
	dst    uint32 // connected to; always 0, the kernel, in what follows
	groups uint32
	flags  map[int]int32 // options of SOL_NETLINK
	recv   packetQueue
	rmem   int
}

// netlinkKey identifies a bound socket.
type netlinkKey struct {
	protocol int
	port     uint32
}

// Sizes of struct sockaddr_nl and struct nlmsghdr.
const (
	sizeofNetlinkName = 12
	sizeofNlmsghdr    = 16
)

func (s *Stack) newNetlinkSocket(c *Caller, typ, protocol int) (Socket, linux.Errno) {
	switch {
	case typ != linux.SOCK_RAW && typ != linux.SOCK_DGRAM:
		return nil, linux.ESOCKTNOSUPPORT
	case protocol != linux.NETLINK_ROUTE && protocol != linux.NETLINK_SOCK_DIAG:
		return nil, linux.EPROTONOSUPPORT
	}
	k := &netlinkSocket{}
	k.Family, k.Type, k.Protocol, k.uid = linux.AF_NETLINK, typ, protocol, c.EUID
	k.state = stateClose
	k.initBuffers()
	s.add(k, &k.SocketCommon)
	return k, 0
}

// Bind implements Socket. Port 0 asks for one: the caller's process id, if no
// other socket has it.
func (k *netlinkSocket) Bind(c *Caller, name []byte) linux.Errno {
	port, groups, errno := parseNetlinkName(name)
	switch {
	case errno != 0:
		return errno
	case k.port != 0 && port != k.port:
		return linux.EINVAL
	}
	k.groups = groups
	if k.port != 0 {
		return 0
	}
	if port == 0 {
		k.autobind(c)
		return 0
	}
	if k.stack.netlink[netlinkKey{k.Protocol, port}] != nil {
		return linux.EADDRINUSE
	}
	k.take(port)
	return 0
}

func (k *netlinkSocket) take(port uint32) {
	k.port = port
	k.stack.netlink[netlinkKey{k.Protocol, port}] = k
}

func (k *netlinkSocket) autobind(c *Caller) {
	if k.port != 0 {
		return
	}
	// Programs rely on the first socket of a process having its id.
	port := uint32(1)
	if c != nil {
		port = uint32(c.PID)
	}
	for other := uint32(0xffff_f000); k.stack.netlink[netlinkKey{k.Protocol, port}] != nil; other-- {
		port = other
	}
	k.take(port)
}

func parseNetlinkName(name []byte) (port, groups uint32, errno linux.Errno) {
	if len(name) < sizeofNetlinkName || nameFamily(name) != linux.AF_NETLINK {
		return 0, 0, linux.EINVAL
	}
	return le.Uint32(name[4:]), le.Uint32(name[8:]), 0
}

func netlinkName(port, groups uint32) []byte {
	b := make([]byte, sizeofNetlinkName)
	le.PutUint16(b, linux.AF_NETLINK)
	le.PutUint32(b[4:], port)
	le.PutUint32(b[8:], groups)
	return b
}

// Connect implements Socket. Only the kernel can be talked to.
func (k *netlinkSocket) Connect(c *Caller, name []byte) linux.Errno {
	if len(name) < 2 {
		return linux.EINVAL
	}
	if nameFamily(name) == linux.AF_UNSPEC {
		k.dst = 0
		return 0
	}
	port, groups, errno := parseNetlinkName(name)
	switch {
	case errno != 0:
		return errno
	case (port != 0 || groups != 0) && !c.capable(linux.CAP_NET_ADMIN):
		return linux.EPERM
	}
	k.autobind(c)
	k.dst = port
	return 0
}

// Listen implements Socket.
func (k *netlinkSocket) Listen(*Caller, int) linux.Errno { return linux.EOPNOTSUPP }

// Accept implements Socket.
func (k *netlinkSocket) Accept(*Caller) (Socket, linux.Errno) { return nil, linux.EOPNOTSUPP }

// Shutdown implements Socket.
func (k *netlinkSocket) Shutdown(*Caller, int) linux.Errno { return linux.EOPNOTSUPP }

// LocalName implements Socket.
func (k *netlinkSocket) LocalName() ([]byte, linux.Errno) { return netlinkName(k.port, k.groups), 0 }

// PeerName implements Socket.
func (k *netlinkSocket) PeerName() ([]byte, linux.Errno) { return netlinkName(k.dst, 0), 0 }

// SendMsg implements Socket.
func (k *netlinkSocket) SendMsg(c *Caller, m *Msg) (int, linux.Errno) {
	if m.Flags&linux.MSG_OOB != 0 {
		return 0, linux.EOPNOTSUPP
	}
	if len(m.Data) == 0 {
		return 0, linux.ENODATA
	}
	dst := k.dst
	if m.Name != nil {
		port, groups, errno := parseNetlinkName(m.Name)
		switch {
		case errno != 0:
			return 0, errno
		case (port != 0 || groups != 0) && (c == nil || !c.capable(linux.CAP_NET_ADMIN)):
			return 0, linux.EPERM
		}
		dst = port
	}
	k.autobind(c)
	switch {
	case len(m.Data) > k.sndbuf-32:
		return 0, linux.EMSGSIZE
	case dst != 0:
		return 0, linux.ECONNREFUSED // no messages between programs
	}
	for b := m.Data; len(b) >= sizeofNlmsghdr; {
		n := int(le.Uint32(b))
		if n < sizeofNlmsghdr || n > len(b) {
			break
		}
		k.request(c, b[:n])
		b = b[min((n+3)&^3, len(b)):]
	}
	return len(m.Data), 0
}

// request answers one message.
func (k *netlinkSocket) request(c *Caller, b []byte) {
	typ, flags, seq := le.Uint16(b[4:]), le.Uint16(b[6:]), le.Uint32(b[8:])
	if flags&linux.NLM_F_REQUEST == 0 || typ < linux.NLMSG_MIN_TYPE {
		if flags&linux.NLM_F_ACK != 0 {
			k.acknowledge(b, 0, "")
		}
		return
	}
	// The answers are in the queue before the call that asks returns.
	r := &netlinkReply{k: k, seq: seq, admin: c != nil && c.capable(linux.CAP_NET_ADMIN)}
	errno := linux.EOPNOTSUPP
	if k.Protocol == linux.NETLINK_ROUTE {
		errno = r.route(typ, flags, b[sizeofNlmsghdr:])
	} else {
		errno = r.sockDiag(typ, flags, b[sizeofNlmsghdr:])
	}
	switch {
	case errno != 0:
		k.acknowledge(b, errno, r.extack)
		return
	case flags&linux.NLM_F_DUMP == linux.NLM_F_DUMP:
		r.message(linux.NLMSG_DONE, linux.NLM_F_MULTI, make([]byte, 4))
	}
	r.send()
	if flags&linux.NLM_F_ACK != 0 && flags&linux.NLM_F_DUMP != linux.NLM_F_DUMP {
		k.acknowledge(b, 0, "")
	}
}

// acknowledge sends NLMSG_ERROR: the errno and the request, of which only the
// header is repeated on success or if the program wants that, and in words why,
// for programs that have asked for words (NETLINK_EXT_ACK).
func (k *netlinkSocket) acknowledge(req []byte, errno linux.Errno, why string) {
	const attrMsg, ackTLVs = 1, 0x200 // NLMSGERR_ATTR_MSG, NLM_F_ACK_TLVS
	capped := k.flags[linux.NETLINK_CAP_ACK] != 0
	flags := uint16(0)
	body := le.AppendUint32(nil, uint32(-int32(errno)))
	if errno == 0 || capped {
		body = append(body, req[:sizeofNlmsghdr]...)
		flags = linux.NLM_F_CAPPED
	} else {
		body = append(body, req...)
	}
	if why != "" && k.flags[linux.NETLINK_EXT_ACK] != 0 {
		flags |= ackTLVs
		body = attribute(body, attrMsg, []byte(why+"\x00"))
	}
	r := &netlinkReply{k: k, seq: le.Uint32(req[8:])}
	r.message(linux.NLMSG_ERROR, flags, body)
	r.send()
}

// netlinkReply collects messages into packets.
type netlinkReply struct {
	k   *netlinkSocket
	seq uint32
	buf []byte

	admin  bool   // who asks may change things
	extack string // what is wrong, in words
}

// netlinkPacket is how much one packet of a dump holds.
const netlinkPacket = 8192

// message adds a message.
func (r *netlinkReply) message(typ, flags uint16, body []byte) {
	n := sizeofNlmsghdr + len(body)
	if len(r.buf)+n > netlinkPacket {
		r.send()
	}
	b := le.AppendUint32(r.buf, uint32(n))
	b = le.AppendUint16(b, typ)
	b = le.AppendUint16(b, flags)
	b = le.AppendUint32(b, r.seq)
	b = le.AppendUint32(b, r.k.port)
	r.buf = append(b, body...)
	for len(r.buf)%4 != 0 {
		r.buf = append(r.buf, 0)
	}
}

// send puts what has been collected into the socket's queue; a full queue
// loses it, and the program is told ENOBUFS.
func (r *netlinkReply) send() {
	if len(r.buf) == 0 {
		return
	}
	k, p := r.k, &packet{data: r.buf, truesize: headSize(len(r.buf))}
	r.buf = nil
	if k.rmem+p.truesize > k.rcvbuf || k.stack.charge(p.truesize) != 0 {
		k.err = linux.ENOBUFS
		k.wake()
		return
	}
	k.rmem += p.truesize
	k.recv.push(p)
	k.wakeReaders()
}

// RecvMsg implements Socket.
func (k *netlinkSocket) RecvMsg(_ *Caller, m *Msg) (int, linux.Errno) {
	if m.Flags&linux.MSG_OOB != 0 {
		return 0, linux.EOPNOTSUPP
	}
	if k.err != 0 {
		return 0, k.takeErr()
	}
	p := k.recv.first()
	if p == nil {
		return 0, linux.EAGAIN
	}
	n := m.recvOne(p.data)
	m.Name = netlinkName(0, 0)
	if k.opts.passcred {
		m.Cred = &Ucred{}
	}
	if k.flags[linux.NETLINK_PKTINFO] != 0 {
		m.control(linux.SOL_NETLINK, linux.NETLINK_PKTINFO, make([]byte, 4))
	}
	if m.Flags&linux.MSG_PEEK == 0 {
		k.recv.pop()
		k.rmem -= p.truesize
		k.stack.uncharge(p.truesize)
	}
	return n, 0
}

// Release implements vfs.FileOps.
func (k *netlinkSocket) Release(*vfs.File) {
	if k.closed {
		return
	}
	k.closed = true
	k.stack.remove(&k.SocketCommon)
	if k.port != 0 {
		delete(k.stack.netlink, netlinkKey{k.Protocol, k.port})
	}
	for k.recv.len() > 0 {
		k.stack.uncharge(k.recv.pop().truesize)
	}
	k.wake()
}

// Poll implements vfs.FileOps.
func (k *netlinkSocket) Poll(*vfs.File) vfs.PollMask {
	m := k.pollCommon() | pollWrite | vfs.PollWrBand
	if k.recv.len() > 0 {
		m |= pollRead
	}
	return m
}

// Ioctl implements vfs.FileOps.
func (k *netlinkSocket) Ioctl(_ *vfs.File, c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	return k.stack.ioctl(c, req, arg)
}

// Read implements vfs.FileOps.
func (k *netlinkSocket) Read(f *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	return k.RecvMsg(nil, &Msg{Data: p, Flags: dontWait(f)})
}

// Write implements vfs.FileOps.
func (k *netlinkSocket) Write(f *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	return k.SendMsg(nil, &Msg{Data: p, Flags: dontWait(f)})
}

// netlinkOptions are the options of SOL_NETLINK that are on or off.
var netlinkOptions = map[int]bool{
	linux.NETLINK_PKTINFO: true, linux.NETLINK_BROADCAST_ERROR: true, linux.NETLINK_NO_ENOBUFS: true,
	linux.NETLINK_CAP_ACK: true, linux.NETLINK_EXT_ACK: true, linux.NETLINK_GET_STRICT_CHK: true,
}

// GetSockOpt implements Socket.
func (k *netlinkSocket) GetSockOpt(_ *Caller, level, name, size int) ([]byte, linux.Errno) {
	if level == linux.SOL_SOCKET {
		return k.getSocketOption(name, size)
	}
	if level != linux.SOL_NETLINK || !netlinkOptions[name] {
		return nil, linux.ENOPROTOOPT
	}
	return intBytes(int(k.flags[name]), size)
}

// SetSockOpt implements Socket.
func (k *netlinkSocket) SetSockOpt(c *Caller, level, name int, value []byte) linux.Errno {
	if level == linux.SOL_SOCKET {
		return k.setSocketOption(c, name, value)
	}
	if level != linux.SOL_NETLINK {
		return linux.ENOPROTOOPT
	}
	v, errno := intValue(value)
	switch {
	case errno != 0:
		return errno
	case name == linux.NETLINK_ADD_MEMBERSHIP || name == linux.NETLINK_DROP_MEMBERSHIP:
		// Nothing ever changes, so members of a group hear nothing.
		if v <= 0 {
			return linux.EINVAL
		}
		return 0
	case !netlinkOptions[name]:
		return linux.ENOPROTOOPT
	}
	if k.flags == nil {
		k.flags = make(map[int]int32)
	}
	k.flags[name] = int32(boolInt(v != 0))
	return 0
}
