package net

import (
	"net/netip"

	"github.com/tinevm/tine/internal/linux"
)

// sockDiagByFamily is SOCK_DIAG_BY_FAMILY (sock_diag(7)).
const sockDiagByFamily = 20

// sockDiag answers a dump of NETLINK_SOCK_DIAG: the TCP or UDP sockets of a
// family in the states that are asked for. Other families and requests have no
// handler.
func (r *netlinkReply) sockDiag(typ, flags uint16, body []byte) linux.Errno {
	const sizeofRequest = 56 // struct inet_diag_req_v2
	switch {
	case typ != sockDiagByFamily:
		return linux.EINVAL
	case len(body) < 2:
		return linux.EINVAL
	case body[0] != linux.AF_INET && body[0] != linux.AF_INET6:
		return linux.ENOENT
	case len(body) < sizeofRequest:
		return linux.EINVAL
	case body[1] != linux.IPPROTO_TCP && body[1] != linux.IPPROTO_UDP:
		return linux.ENOENT
	case flags&linux.NLM_F_DUMP != linux.NLM_F_DUMP:
		return linux.EOPNOTSUPP
	}
	states := le.Uint32(body[4:])
	r.k.stack.each(func(s Socket) {
		k := inetOf(s)
		if k != nil && k.Family == int(body[0]) && k.Protocol == int(body[1]) && states>>k.state&1 != 0 && k.bound {
			r.message(sockDiagByFamily, linux.NLM_F_MULTI, k.diag())
		}
	})
	return 0
}

// inetOf is the common part of an AF_INET or AF_INET6 socket; nil for others.
func inetOf(s Socket) *inetSocket {
	switch k := s.(type) {
	case *tcpSocket:
		return &k.inetSocket
	case *udpSocket:
		return &k.inetSocket
	}
	return nil
}

// diag is struct inet_diag_msg.
func (k *inetSocket) diag() []byte {
	b := []byte{byte(k.Family), byte(k.state), 0, 0}
	b = be.AppendUint16(b, k.local.Port())
	b = be.AppendUint16(b, k.remote.Port())
	b = append(b, k.diagAddr(k.local)...)
	b = append(b, k.diagAddr(k.remote)...)
	b = le.AppendUint32(b, 0) // the interface bound to
	b = le.AppendUint64(b, k.cookie)
	b = le.AppendUint32(b, 0) // expires
	rx, tx := k.queues()
	b = le.AppendUint32(b, uint32(rx))
	b = le.AppendUint32(b, uint32(tx))
	b = le.AppendUint32(b, k.uid)
	return le.AppendUint32(b, uint32(k.ino))
}

func (k *inetSocket) diagAddr(a netip.AddrPort) []byte {
	b := make([]byte, 16)
	if !a.IsValid() {
		return b
	}
	if k.Family == linux.AF_INET {
		copy(b, a.Addr().AsSlice())
	} else {
		copy(b, inet6Name(a)[8:24])
	}
	return b
}

// queues are the lengths of the receive and send queue; for a listener, the
// connections that wait and how many may.
func (k *inetSocket) queues() (rx, tx int) {
	switch s := k.self.(type) {
	case *tcpSocket:
		if s.state == stateListen {
			return len(s.accept), s.backlog
		}
		return s.recv.len(), 0
	case *udpSocket:
		return s.rmem, 0
	}
	return 0, 0
}
