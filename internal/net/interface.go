package net

import (
	"math/bits"
	"net/netip"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// The loopback interface, the only one there is.
const (
	loName  = "lo"
	loIndex = 1
	// loFlags is IFF_LOOPBACK; loRunning, IFF_UP and IFF_RUNNING, is there while
	// it is up; loLowerUp is IFF_LOWER_UP, which only netlink shows.
	iffUp     = 0x1
	loFlags   = 0x8
	loRunning = iffUp | 0x40
	loLowerUp = 0x10000
	loTxqlen  = 1000

	arphrdLoopback = 772 // ARPHRD_LOOPBACK

	ifNameSize    = 16 // IFNAMSIZ
	sizeofIfreq   = 40
	ifreqData     = ifNameSize
	sizeofIfconf  = 16
	ifconfPointer = 8
)

// putInt stores the int result of an ioctl.
func putInt(c *vfs.IoctlContext, addr uint64, v int) linux.Errno {
	return c.CopyOut(addr, le.AppendUint32(nil, uint32(v)))
}

// flags are the interface's flags.
func (s *Stack) flags() uint32 {
	if s.up {
		return loFlags | loRunning
	}
	return loFlags
}

// changeArg reads the argument of a request that changes the interface, which
// takes a privilege.
func (s *Stack) changeArg(c *vfs.IoctlContext, arg uint64) (ifr [sizeofIfreq]byte, errno linux.Errno) {
	switch errno := c.CopyIn(arg, ifr[:]); {
	case errno != 0:
		return ifr, errno
	case !s.cfg.Admin(c.Context):
		return ifr, linux.EPERM
	case cString(ifr[:ifNameSize]) != loName:
		return ifr, linux.ENODEV
	}
	return ifr, 0
}

// setFlags is SIOCSIFFLAGS: the interface goes up or down.
func (s *Stack) setFlags(c *vfs.IoctlContext, arg uint64) linux.Errno {
	ifr, errno := s.changeArg(c, arg)
	if errno != 0 {
		return errno
	}
	s.setUp(le.Uint16(ifr[ifreqData:])&iffUp != 0)
	return 0
}

// change performs the requests of netdevice(7) that change the interface, but
// for its flags.
func (s *Stack) change(c *vfs.IoctlContext, req uint32, arg uint64) linux.Errno {
	ifr, errno := s.changeArg(c, arg)
	if errno != 0 {
		return errno
	}
	v, ip := le.Uint32(ifr[ifreqData:]), netip.AddrFrom4([4]byte(ifr[ifreqData+4:]))
	switch req {
	case linux.SIOCSIFMTU:
		s.mtu = v
	case linux.SIOCSIFTXQLEN:
		if int32(v) < 0 {
			return linux.EINVAL
		}
		s.txqlen = v
	case linux.SIOCSIFADDR, linux.SIOCSIFNETMASK:
		return s.setAddress(req, int(le.Uint16(ifr[ifreqData:])), ip)
	default:
		return linux.EOPNOTSUPP
	}
	return 0
}

// setAddress is SIOCSIFADDR, which replaces the first address and brings the
// interface up, and SIOCSIFNETMASK, which changes its network.
func (s *Stack) setAddress(req uint32, family int, ip netip.Addr) linux.Errno {
	if family != linux.AF_INET {
		return linux.EINVAL
	}
	if req == linux.SIOCSIFADDR {
		a := ifAddr{netip.PrefixFrom(ip, classBits(ip)), rtScopeWorld}
		if ip.IsLoopback() {
			a.scope = rtScopeHost
		}
		if len(s.addrs[0]) == 0 {
			s.addrs[0] = make([]ifAddr, 1)
		}
		s.addrs[0][0] = a
		s.setUp(true)
		return 0
	}
	mask := be.Uint32(ip.AsSlice())
	ones := bits.LeadingZeros32(^mask)
	switch {
	case mask != ^uint32(0)<<(32-ones):
		return linux.EINVAL
	case len(s.addrs[0]) == 0:
		return linux.EADDRNOTAVAIL
	}
	s.addrs[0][0].prefix = netip.PrefixFrom(s.addrs[0][0].prefix.Addr(), ones)
	return 0
}

// classBits is the length of the network's part by the address's class.
func classBits(ip netip.Addr) int {
	switch b := ip.As4()[0]; {
	case b < 128:
		return 8
	case b < 192:
		return 16
	}
	return 24
}

// ioctl performs the requests of netdevice(7).
func (s *Stack) ioctl(c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	switch req {
	case linux.SIOCGIFCONF:
		return 0, s.interfaceList(c, arg)
	case linux.SIOCSIFFLAGS:
		return 0, s.setFlags(c, arg)
	case linux.SIOCSIFADDR, linux.SIOCSIFMTU, linux.SIOCSIFNETMASK, linux.SIOCSIFBRDADDR,
		linux.SIOCSIFDSTADDR, linux.SIOCSIFNAME, linux.SIOCSIFTXQLEN, linux.SIOCSIFHWADDR, linux.SIOCADDRT, linux.SIOCDELRT:
		return 0, s.change(c, req, arg)
	}
	if !describesInterface(req) {
		return 0, linux.ENOTTY
	}
	var ifr [sizeofIfreq]byte
	if errno := c.CopyIn(arg, ifr[:]); errno != 0 {
		return 0, errno
	}
	if req == linux.SIOCGIFNAME {
		if le.Uint32(ifr[ifreqData:]) != loIndex {
			return 0, linux.ENODEV
		}
		copy(ifr[:ifNameSize], loName+"\x00")
		return 0, c.CopyOut(arg, ifr[:])
	}
	if cString(ifr[:ifNameSize]) != loName {
		return 0, linux.ENODEV
	}
	clear(ifr[ifreqData:])
	if errno := s.describeInterface(req, ifr[ifreqData:]); errno != 0 {
		return 0, errno
	}
	return 0, c.CopyOut(arg, ifr[:])
}

func describesInterface(req uint32) bool {
	switch req {
	case linux.SIOCGIFNAME, linux.SIOCGIFFLAGS, linux.SIOCGIFADDR, linux.SIOCGIFNETMASK, linux.SIOCGIFBRDADDR,
		linux.SIOCGIFDSTADDR, linux.SIOCGIFINDEX, linux.SIOCGIFMTU, linux.SIOCGIFMETRIC, linux.SIOCGIFTXQLEN,
		linux.SIOCGIFHWADDR, linux.SIOCGIFMAP, linux.SIOCETHTOOL, linux.SIOCGMIIPHY:
		return true
	}
	return false
}

// describeInterface fills in the union of struct ifreq.
func (s *Stack) describeInterface(req uint32, b []byte) linux.Errno {
	switch req {
	case linux.SIOCGIFFLAGS:
		le.PutUint16(b, uint16(s.flags()))
	case linux.SIOCGIFADDR, linux.SIOCGIFDSTADDR, linux.SIOCGIFNETMASK, linux.SIOCGIFBRDADDR:
		if len(s.addrs[0]) == 0 {
			return linux.EADDRNOTAVAIL
		}
		p := s.addrs[0][0].prefix
		switch req {
		case linux.SIOCGIFNETMASK:
			le.PutUint16(b, linux.AF_INET)
			be.PutUint32(b[4:], ^uint32(0)<<(32-p.Bits()))
		case linux.SIOCGIFBRDADDR:
			putInetAddr(b, 0, 0, 0, 0)
		default:
			putInetAddr(b, p.Addr().AsSlice()...)
		}
	case linux.SIOCGIFINDEX:
		le.PutUint32(b, loIndex)
	case linux.SIOCGIFMTU:
		le.PutUint32(b, s.mtu)
	case linux.SIOCGIFTXQLEN:
		le.PutUint32(b, s.txqlen)
	case linux.SIOCGIFHWADDR:
		le.PutUint16(b, arphrdLoopback)
	case linux.SIOCGIFMETRIC, linux.SIOCGIFMAP:
	default:
		return linux.EOPNOTSUPP
	}
	return 0
}

func putInetAddr(b []byte, ip ...byte) {
	le.PutUint16(b, linux.AF_INET)
	copy(b[4:], ip)
}

// interfaceList is SIOCGIFCONF: a null pointer asks for the size needed.
func (s *Stack) interfaceList(c *vfs.IoctlContext, arg uint64) linux.Errno {
	var conf [sizeofIfconf]byte
	if errno := c.CopyIn(arg, conf[:]); errno != 0 {
		return errno
	}
	room, p := int32(le.Uint32(conf[:])), le.Uint64(conf[ifconfPointer:])
	n := int32(0)
	for _, a := range s.addrs[0] {
		if p != 0 {
			if room-n < sizeofIfreq {
				break
			}
			var ifr [sizeofIfreq]byte
			copy(ifr[:], loName)
			putInetAddr(ifr[ifreqData:], a.prefix.Addr().AsSlice()...)
			if errno := c.CopyOut(p+uint64(n), ifr[:]); errno != 0 {
				return errno
			}
		}
		n += sizeofIfreq
	}
	le.PutUint32(conf[:], uint32(n))
	return c.CopyOut(arg, conf[:])
}
