package net

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/tinevm/tine/internal/linux"
)

// ifAddr is an address of the interface.
type ifAddr struct {
	prefix netip.Prefix // the address and the length of its network's part
	scope  byte
}

// setUp sets the interface up or down. Coming up gives it the loopback
// addresses that it lacks; going down takes those of IPv6 away.
func (s *Stack) setUp(up bool) {
	if s.up == up {
		return
	}
	s.up, s.wasUp = up, s.wasUp || up
	if !up {
		s.addrs[1] = nil
		return
	}
	if len(s.addrs[0]) == 0 {
		s.addrs[0] = []ifAddr{{netip.PrefixFrom(loopbackIPv4, 8), rtScopeHost}}
	}
	s.addrs[1] = []ifAddr{{netip.PrefixFrom(loopbackIPv6, 128), rtScopeHost}}
}

// version is the index of an address's family in Stack.addrs.
func version(ip netip.Addr) int {
	if ip.Is4() {
		return 0
	}
	return 1
}

// local is the address of the interface that makes ip one of this machine: of
// IPv4 the whole network of an address of lo is.
func (s *Stack) local(ip netip.Addr) (own netip.Addr, ok bool) {
	for _, a := range s.addrs[version(ip)] {
		if a.prefix.Addr() == ip || ip.Is4() && a.prefix.Contains(ip) {
			return a.prefix.Addr(), true
		}
	}
	return own, false
}

// addAddress gives the interface an address (RTM_NEWADDR).
func (s *Stack) addAddress(a ifAddr) linux.Errno {
	list := &s.addrs[version(a.prefix.Addr())]
	for _, b := range *list {
		if b.prefix == a.prefix {
			return linux.EEXIST
		}
	}
	const most = 256 // a guest cannot make look-ups slow
	if len(*list) >= most {
		return linux.ENOBUFS
	}
	*list = append(*list, a)
	return 0
}

// removeAddress takes one away (RTM_DELADDR).
func (s *Stack) removeAddress(p netip.Prefix) linux.Errno {
	list := &s.addrs[version(p.Addr())]
	for i, b := range *list {
		if b.prefix == p {
			*list = append((*list)[:i:i], (*list)[i+1:]...)
			return 0
		}
	}
	return linux.EADDRNOTAVAIL
}

// secondary reports whether the i-th IPv4 address is in the network of one
// before it.
func (s *Stack) secondary(i int) bool {
	a := s.addrs[0][i].prefix
	for _, b := range s.addrs[0][:i] {
		if b.prefix.Masked() == a.Masked() {
			return true
		}
	}
	return false
}

// byPrefix are the places of the IPv4 addresses in the order of their networks.
func (s *Stack) byPrefix() []int {
	list := make([]int, len(s.addrs[0]))
	for i := range list {
		list[i] = i
	}
	slices.SortStableFunc(list, func(i, j int) int {
		a, b := s.addrs[0][i].prefix, s.addrs[0][j].prefix
		return cmp.Or(a.Masked().Addr().Compare(b.Masked().Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return list
}

// broadcast is the last address of a network.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

// changeAddress answers RTM_NEWADDR and RTM_DELADDR: struct ifaddrmsg and
// attributes.
func (r *netlinkReply) changeAddress(typ, flags uint16, body []byte) linux.Errno {
	const sizeofIfaddrmsg = 8
	if len(body) < sizeofIfaddrmsg {
		return linux.EINVAL
	}
	family, bits, scope, index := body[0], int(body[1]), body[3], le.Uint32(body[4:])
	attrs := body[sizeofIfaddrmsg:]
	own := findAttribute(attrs, ifaLocal)
	if own == nil {
		own = findAttribute(attrs, ifaAddress)
	}
	ip, ok := netip.AddrFromSlice(own)
	switch {
	case family != linux.AF_INET && family != linux.AF_INET6:
		return linux.EOPNOTSUPP
	case index != loIndex:
		return linux.ENODEV
	case !ok || ip.Is4() != (family == linux.AF_INET) || bits > ip.BitLen():
		return linux.EINVAL
	}
	p := netip.PrefixFrom(ip, bits)
	if typ == linux.RTM_DELADDR {
		errno := r.k.stack.removeAddress(p)
		if errno != 0 && ip.Is4() {
			r.extack = "ipv4: Address not found"
		}
		return errno
	}
	errno := r.k.stack.addAddress(ifAddr{p, scope})
	if errno == linux.EEXIST && flags&(nlmReplace|nlmExcl) == nlmReplace {
		errno = 0 // it is what it was
	}
	if errno == linux.EEXIST {
		r.extack = "ipv6: address already assigned"
		if ip.Is4() {
			r.extack = "ipv4: Address already assigned"
		}
	}
	return errno
}

// Flags of requests that make something.
const (
	nlmReplace = 0x100 // NLM_F_REPLACE
	nlmExcl    = 0x200 // NLM_F_EXCL
	nlmCreate  = 0x400 // NLM_F_CREATE
)

// findAttribute looks for an attribute among those in b; nil if it is not there.
func findAttribute(b []byte, typ uint16) []byte {
	for len(b) >= 4 {
		n := int(le.Uint16(b))
		if n < 4 || n > len(b) {
			break
		}
		if le.Uint16(b[2:]) == typ {
			return b[4:n:n]
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return nil
}
