package net

import (
	"net/netip"

	"github.com/tinevm/tine/internal/linux"
)

// controls adds the control messages that the options of the receiver ask for
// (ip(7), ipv6(7), socket(7)).
func (k *udpSocket) controls(m *Msg, i *packetInfo) {
	k.timestamp(m, i)
	if len(k.ip.set) == 0 {
		return
	}
	if i.dst.Addr().Is4() {
		k.controls4(m, i)
	}
	if k.Family == linux.AF_INET6 {
		k.controls6(m, i)
	}
}

func (k *udpSocket) timestamp(m *Msg, i *packetInfo) {
	unit, typ := int64(0), 0
	switch {
	case k.opts.flag(linux.SO_TIMESTAMPNS):
		unit, typ = 1, linux.SO_TIMESTAMPNS
	case k.opts.flag(linux.SO_TIMESTAMP):
		unit, typ = 1000, linux.SO_TIMESTAMP
	default:
		return
	}
	v := le.AppendUint64(nil, uint64(i.sec))
	m.control(linux.SOL_SOCKET, typ, le.AppendUint64(v, uint64(i.nsec/unit)))
}

func (m *Msg) control(level, typ int, data []byte) {
	m.Control = append(m.Control, Cmsg{level, typ, data})
}

func (k *udpSocket) controls4(m *Msg, i *packetInfo) {
	on := func(name int) bool { return k.ip.get(linux.IPPROTO_IP, name) != 0 }
	if on(linux.IP_PKTINFO) {
		v := le.AppendUint32(nil, loIndex)
		ip := i.dst.Addr().As4()
		v = append(v, ip[:]...) // ipi_spec_dst
		m.control(linux.IPPROTO_IP, linux.IP_PKTINFO, append(v, ip[:]...))
	}
	if on(linux.IP_RECVTTL) {
		m.control(linux.IPPROTO_IP, linux.IP_TTL, le.AppendUint32(nil, uint32(i.ttl)))
	}
	if on(linux.IP_RECVTOS) {
		m.control(linux.IPPROTO_IP, linux.IP_TOS, []byte{byte(i.tos)})
	}
	if on(linux.IP_RECVORIGDSTADDR) {
		m.control(linux.IPPROTO_IP, linux.IP_ORIGDSTADDR, inetName(i.dst))
	}
}

func (k *udpSocket) controls6(m *Msg, i *packetInfo) {
	on := func(name int) bool { return k.ip.get(linux.IPPROTO_IPV6, name) != 0 }
	if on(linux.IPV6_RECVPKTINFO) {
		ip := i.dst.Addr().As16()
		m.control(linux.IPPROTO_IPV6, linux.IPV6_PKTINFO, le.AppendUint32(ip[:], loIndex))
	}
	if i.dst.Addr().Is4() {
		return
	}
	if on(linux.IPV6_RECVHOPLIMIT) {
		m.control(linux.IPPROTO_IPV6, linux.IPV6_HOPLIMIT, le.AppendUint32(nil, uint32(i.ttl)))
	}
	if on(linux.IPV6_RECVTCLASS) {
		m.control(linux.IPPROTO_IPV6, linux.IPV6_TCLASS, le.AppendUint32(nil, uint32(i.tos)))
	}
	if on(linux.IPV6_RECVORIGDSTADDR) {
		m.control(linux.IPPROTO_IPV6, linux.IPV6_ORIGDSTADDR, inet6Name(i.dst))
	}
}

// Where an error of the error queue comes from, and what the ICMP message was
// (linux/errqueue.h, netinet/ip_icmp.h).
const (
	originICMP       = 2
	originICMP6      = 3
	icmpUnreachable  = 3
	icmpPort         = 3
	icmp6Unreachable = 1
	icmp6Port        = 4
)

// recvError receives from the error queue: the datagram that was not
// delivered, and in a control message struct sock_extended_err.
func (k *udpSocket) recvError(m *Msg) (int, linux.Errno) {
	if len(k.errs) == 0 {
		return 0, linux.EAGAIN
	}
	e := k.errs[0]
	if m.Flags&linux.MSG_PEEK == 0 {
		k.errs = append(k.errs[:0], k.errs[1:]...)
	}
	m.recvOne(e.data)
	m.Name = k.sockaddr(e.dst)
	m.OutFlags |= linux.MSG_ERRQUEUE
	level, typ := linux.IPPROTO_IP, linux.IP_RECVERR
	origin, kind, code := byte(originICMP), byte(icmpUnreachable), byte(icmpPort)
	if e.dst.Addr().Is6() {
		level, typ = linux.IPPROTO_IPV6, linux.IPV6_RECVERR
		origin, kind, code = originICMP6, icmp6Unreachable, icmp6Port
	}
	v := le.AppendUint32(nil, uint32(e.errno))
	v = append(v, origin, kind, code, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	// The offender is the address itself, without a port.
	m.control(level, typ, append(v, k.offender(netip.AddrPortFrom(e.dst.Addr(), 0))...))
	k.err = 0
	if len(k.errs) > 0 {
		k.err = k.errs[0].errno
	}
	return m.Copied, 0
}

func (k *udpSocket) offender(a netip.AddrPort) []byte {
	if a.Addr().Is4() {
		return inetName(a)
	}
	return inet6Name(a)
}
