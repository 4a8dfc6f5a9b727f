package net

import (
	"net/netip"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Sizes of struct sockaddr_in and sockaddr_in6; the latter without the scope
// is what RFC 2133 had, and the least that is accepted.
const (
	sizeofInetName  = 16
	sizeofInet6Name = 28
	minInet6Name    = 24
)

var (
	anyIPv4      = netip.IPv4Unspecified()
	anyIPv6      = netip.IPv6Unspecified()
	loopbackIPv4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopbackIPv6 = netip.IPv6Loopback()
)

// inetSocket is what TCP and UDP sockets have in common. Addresses are kept
// unmapped: an AF_INET6 socket that talks to an IPv4 address shows it as
// ::ffff:a.b.c.d.
type inetSocket struct {
	SocketCommon

	table *portTable

	local, remote netip.AddrPort
	bound         bool // has local's port; TCP shows the port also when it has lost it
	portLocked    bool // bind chose the port, so it outlives a connection
	addrLocked    bool // bind chose the address
	v6only        bool
	ip            ipOptions
}

// init makes a new socket of the family.
func (k *inetSocket) init(s *Stack, self Socket, family, typ, protocol int, uid uint32) {
	k.Family, k.Type, k.Protocol, k.uid = family, typ, protocol, uid
	k.state = stateClose
	k.table = &s.ports[0]
	if typ == linux.SOCK_DGRAM {
		k.table = &s.ports[1]
	}
	k.initBuffers()
	k.local = netip.AddrPortFrom(k.any(), 0)
	if family == linux.AF_INET6 {
		k.ip.put(linux.IPPROTO_IP, linux.IP_MULTICAST_ALL, 0)
	}
	s.add(self, &k.SocketCommon)
}

// newInetSocket chooses the protocol (ip(7)).
func (s *Stack) newInetSocket(c *Caller, family, typ, protocol int) (Socket, linux.Errno) {
	if protocol < 0 || protocol >= linux.IPPROTO_MPTCP+1 {
		return nil, linux.EINVAL
	}
	switch typ {
	case linux.SOCK_STREAM:
		if protocol != 0 && protocol != linux.IPPROTO_TCP {
			return nil, linux.EPROTONOSUPPORT
		}
		return s.newTCP(family, c.EUID), 0
	case linux.SOCK_DGRAM:
		switch protocol {
		case 0, linux.IPPROTO_UDP:
			return s.newUDP(family, c.EUID), 0
		case linux.IPPROTO_ICMP:
			if family == linux.AF_INET {
				return nil, linux.EACCES // net.ipv4.ping_group_range is empty
			}
		case linux.IPPROTO_ICMPV6:
			if family == linux.AF_INET6 {
				return nil, linux.EACCES
			}
		}
		return nil, linux.EPROTONOSUPPORT
	case linux.SOCK_RAW:
		if protocol == 0 {
			return nil, linux.EPROTONOSUPPORT
		}
		return nil, linux.EPERM
	}
	return nil, linux.ESOCKTNOSUPPORT
}

// any is the wildcard address of the socket's family.
func (k *inetSocket) any() netip.Addr {
	if k.Family == linux.AF_INET6 {
		return anyIPv6
	}
	return anyIPv4
}

// sockaddr is an address as the socket's family shows it.
func (k *inetSocket) sockaddr(a netip.AddrPort) []byte {
	if k.Family == linux.AF_INET {
		return inetName(a)
	}
	return inet6Name(a)
}

func inetName(a netip.AddrPort) []byte {
	b := make([]byte, sizeofInetName)
	le.PutUint16(b, linux.AF_INET)
	be.PutUint16(b[2:], a.Port())
	if a.Addr().Is4() {
		ip := a.Addr().As4()
		copy(b[4:], ip[:])
	}
	return b
}

func inet6Name(a netip.AddrPort) []byte {
	b := make([]byte, sizeofInet6Name)
	le.PutUint16(b, linux.AF_INET6)
	be.PutUint16(b[2:], a.Port())
	if a.IsValid() && a.Addr() != anyIPv4 {
		ip := a.Addr().As16()
		copy(b[8:], ip[:])
	}
	return b
}

// parseName reads a socket address of the socket's own family.
func (k *inetSocket) parseName(b []byte) (netip.AddrPort, linux.Errno) {
	least := sizeofInetName
	if k.Family == linux.AF_INET6 {
		least = minInet6Name
	}
	switch {
	case len(b) < least:
		return netip.AddrPort{}, linux.EINVAL
	case nameFamily(b) != k.Family:
		return netip.AddrPort{}, linux.EAFNOSUPPORT
	case k.Family == linux.AF_INET:
		return parseInet(b), 0
	}
	return parseInet6(b), 0
}

func parseInet(b []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), be.Uint16(b[2:]))
}

// parseInet6 leaves IPv4-mapped addresses as they are: see unmap.
func parseInet6(b []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), be.Uint16(b[2:]))
}

// destination turns what a program connects or sends to into an address of
// this machine. Zero means here; anything but the interface's addresses has no
// route.
func (k *inetSocket) destination(a netip.AddrPort) (netip.AddrPort, linux.Errno) {
	ip := a.Addr()
	// An IPv4 address in IPv6 form means IPv4 itself.
	if ip.Is4In6() {
		if k.v6only {
			return a, linux.ENETUNREACH
		}
		ip = ip.Unmap()
	}
	switch {
	case ip == anyIPv4:
		ip = loopbackIPv4
	case ip == anyIPv6 && k.local.Addr().Is4():
		ip = loopbackIPv4 // bound to an IPv4-mapped address
	case ip == anyIPv6:
		ip = loopbackIPv6
	}
	if _, ok := k.stack.local(ip); !ok && ip == loopbackIPv6 {
		return a, linux.EADDRNOTAVAIL
	} else if !ok || !k.stack.up {
		return a, linux.ENETUNREACH
	}
	// From an address of one family there is no way to the other.
	if local := k.local.Addr(); !local.IsUnspecified() && local.Is4() != ip.Is4() {
		return a, linux.ENETUNREACH
	}
	return netip.AddrPortFrom(ip, a.Port()), 0
}

// source is the address that packets to dst come from.
func (k *inetSocket) source(dst netip.Addr) netip.Addr {
	if !k.local.Addr().IsUnspecified() {
		return k.local.Addr()
	}
	own, _ := k.stack.local(dst)
	return own
}

// Bind implements Socket.
func (k *inetSocket) Bind(c *Caller, name []byte) linux.Errno {
	a, errno := k.bindName(name)
	if errno != 0 {
		return errno
	}
	switch {
	case !k.mayBind(a.Addr()):
		return linux.EADDRNOTAVAIL
	case a.Port() != 0 && a.Port() < 1024 && !c.capable(linux.CAP_NET_BIND_SERVICE):
		return linux.EACCES
	case k.state != stateClose || k.bound:
		return linux.EINVAL
	}
	if errno := k.takePort(a); errno != 0 {
		return errno
	}
	// What bind has not chosen, connecting may change and disconnecting
	// gives back.
	k.addrLocked = !a.Addr().IsUnspecified()
	k.portLocked = a.Port() != 0
	return 0
}

// bindName reads the address of bind, which is judged differently from others.
func (k *inetSocket) bindName(name []byte) (netip.AddrPort, linux.Errno) {
	if k.Family == linux.AF_INET && len(name) >= sizeofInetName && nameFamily(name) == linux.AF_UNSPEC {
		// Compatibility: AF_UNSPEC is accepted for the wildcard address.
		if a := parseInet(name); a.Addr() == anyIPv4 {
			return a, 0
		}
	}
	a, errno := k.parseName(name)
	switch {
	case errno != 0:
		return a, errno
	case a.Addr().Is4In6() && k.v6only:
		return a, linux.EINVAL
	case k.Family == linux.AF_INET6 && a.Addr().IsMulticast() && k.Type == linux.SOCK_STREAM:
		return a, linux.EINVAL
	case a.Addr().Is6() && a.Addr().IsLinkLocalUnicast():
		return a, linux.EINVAL // no scope
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), 0
}

var broadcastIPv4 = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// mayBind reports whether an address belongs to this machine.
func (k *inetSocket) mayBind(ip netip.Addr) bool {
	_, local := k.stack.local(ip)
	return local || ip.IsUnspecified() || ip.Is4() && ip.IsLoopback() || ip.IsMulticast() || ip == broadcastIPv4 ||
		k.ip.get(linux.IPPROTO_IP, linux.IP_FREEBIND) != 0
}

// LocalName implements Socket.
func (k *inetSocket) LocalName() ([]byte, linux.Errno) { return k.sockaddr(k.local), 0 }

// PeerName implements Socket.
func (k *inetSocket) PeerName() ([]byte, linux.Errno) {
	if !k.remote.IsValid() || k.remote.Port() == 0 || k.state == stateClose || k.state == stateSynSent {
		return nil, linux.ENOTCONN
	}
	return k.sockaddr(k.remote), 0
}

// disconnected forgets the far end and the address that connecting had chosen.
func (k *inetSocket) disconnected() {
	k.remote = netip.AddrPort{}
	k.state = stateClose
	if !k.addrLocked {
		k.local = netip.AddrPortFrom(k.any(), k.local.Port())
	}
}

// Ioctl requests that have no meaning for the protocol are for the interface.
func (k *inetSocket) ioctl(c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	return k.stack.ioctl(c, req, arg)
}
