package net

import (
	"net/netip"

	"github.com/tinevm/tine/internal/linux"
)

// The ephemeral ports: net.ipv4.ip_local_port_range.
const (
	ephemeralFirst = 32768
	ephemeralLast  = 60999
)

// portTable says which sockets of one transport protocol use which port. The
// sockets of a port are in order of binding.
type portTable struct{ port map[uint16][]*inetSocket }

func newPortTable() portTable { return portTable{make(map[uint16][]*inetSocket)} }

// takePort binds the socket to an address; port 0 asks for any.
func (k *inetSocket) takePort(a netip.AddrPort) linux.Errno {
	port := a.Port()
	if port == 0 {
		var errno linux.Errno
		// Like Linux, bind takes odd ports first and connect even ones, so
		// that they stay out of each other's way.
		if port, errno = k.freePort(a.Addr(), 1); errno != 0 {
			return errno
		}
	} else if k.conflicts(netip.AddrPortFrom(a.Addr(), port)) {
		return linux.EADDRINUSE
	}
	k.local = netip.AddrPortFrom(a.Addr(), port)
	k.joinPort()
	return 0
}

// autobind gives the socket a port if it has none.
func (k *inetSocket) autobind(parity uint32) linux.Errno {
	if k.bound {
		return 0
	}
	port, errno := k.freePort(k.local.Addr(), parity)
	if errno != 0 {
		return linux.EAGAIN
	}
	k.local = netip.AddrPortFrom(k.local.Addr(), port)
	k.joinPort()
	return 0
}

// freePort finds an ephemeral port, from a random one upwards, in steps of two.
func (k *inetSocket) freePort(ip netip.Addr, parity uint32) (uint16, linux.Errno) {
	const n = ephemeralLast - ephemeralFirst + 1
	start := k.stack.cfg.Random() % n &^ 1
	for _, odd := range [2]uint32{parity, parity ^ 1} {
		for i := uint32(0); i < n; i += 2 {
			port := uint16(ephemeralFirst + (start+i)%n + odd)
			if len(k.table.port[port]) == 0 {
				return port, 0
			}
		}
	}
	// All ports are in use by somebody: share one, if that is possible.
	for port := uint16(ephemeralFirst); port <= ephemeralLast; port++ {
		if !k.conflicts(netip.AddrPortFrom(ip, port)) {
			return port, 0
		}
	}
	return 0, linux.EADDRINUSE
}

// joinPort enters the socket under its port.
func (k *inetSocket) joinPort() {
	k.bound = true
	p := k.local.Port()
	k.table.port[p] = append(k.table.port[p], k)
}

// leavePort gives the port back.
func (k *inetSocket) leavePort() {
	if !k.bound {
		return
	}
	k.bound = false
	p := k.local.Port()
	list := k.table.port[p]
	for i := range list {
		if list[i] == k {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(k.table.port, p)
	} else {
		k.table.port[p] = list
	}
}

// conflicts reports whether another socket keeps k from using an address.
func (k *inetSocket) conflicts(a netip.AddrPort) bool {
	for _, o := range k.table.port[a.Port()] {
		if o != k && overlap(a.Addr(), k.v6only, o.local.Addr(), o.v6only) && !k.shares(o) {
			return true
		}
	}
	return false
}

// overlap reports whether two local addresses have an address in common. The
// IPv6 wildcard includes IPv4 unless the socket is IPV6_V6ONLY.
func overlap(a netip.Addr, aOnly bool, b netip.Addr, bOnly bool) bool {
	switch {
	case a == b:
		return true
	case a == anyIPv6:
		return b.Is6() || !aOnly
	case b == anyIPv6:
		return a.Is6() || !bOnly
	case a == anyIPv4:
		return b.Is4()
	case b == anyIPv4:
		return a.Is4()
	}
	return false
}

// shares reports whether two sockets agree to use the same address
// (SO_REUSEADDR and SO_REUSEPORT in socket(7)).
func (k *inetSocket) shares(o *inetSocket) bool {
	if k.opts.flag(linux.SO_REUSEPORT) && o.opts.flag(linux.SO_REUSEPORT) && k.uid == o.uid {
		return true
	}
	if !k.opts.flag(linux.SO_REUSEADDR) || !o.opts.flag(linux.SO_REUSEADDR) {
		return false
	}
	// Two listeners could not tell whose a connection is.
	return k.Type == linux.SOCK_DGRAM || o.state != stateListen
}

// find chooses the socket that receives what from sends to an address: the one
// bound most exactly, and of equals the latest, or one of a SO_REUSEPORT
// group. use rules sockets out.
func (t *portTable) find(to, from netip.AddrPort, use func(*inetSocket) bool) *inetSocket {
	var best *inetSocket
	var group []*inetSocket
	bestScore := 0
	for _, k := range t.port[to.Port()] {
		score := k.score(to, from)
		if score == 0 || !use(k) || score < bestScore {
			continue
		}
		// Sockets that are bound equally well form the group that
		// SO_REUSEPORT chooses from.
		if score > bestScore {
			group = group[:0]
		}
		best, bestScore = k, score
		group = append(group, k)
	}
	if best != nil && best.opts.flag(linux.SO_REUSEPORT) {
		return group[spread(from, len(group))]
	}
	return best
}

// score says how exactly a socket is bound to an exchange; 0 is not at all.
func (k *inetSocket) score(to, from netip.AddrPort) int {
	score := 1
	if (k.Family == linux.AF_INET6) == to.Addr().Is6() {
		score++
	}
	switch local := k.local.Addr(); {
	case local == to.Addr():
		score += 4
	case !overlap(local, k.v6only, to.Addr(), false) || !local.IsUnspecified():
		return 0
	}
	// A connected socket hears its peer only, and before all others.
	if k.state != stateListen && k.remote.IsValid() {
		if !k.talksTo(from) {
			return 0
		}
		score += 8
	}
	return score
}

// talksTo reports whether a connected socket's peer is a. Datagram sockets can
// be connected to port 0, which stands for every port.
func (k *inetSocket) talksTo(a netip.AddrPort) bool {
	return k.remote.Addr() == a.Addr() && (k.remote.Port() == 0 || k.remote.Port() == a.Port())
}

// spread maps an address to a number below n, evenly and always alike.
func spread(a netip.AddrPort, n int) int {
	h := uint32(2166136261)
	ip := a.Addr().As16()
	for _, b := range append(ip[:], byte(a.Port()), byte(a.Port()>>8)) {
		h = (h ^ uint32(b)) * 16777619
	}
	return int(h>>8) % n
}
