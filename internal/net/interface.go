package net

import (
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

// setFlags is SIOCSIFFLAGS: the interface goes up or down.
func (s *Stack) setFlags(c *vfs.IoctlContext, arg uint64) linux.Errno {
	var ifr [sizeofIfreq]byte
	switch errno := c.CopyIn(arg, ifr[:]); {
	case errno != 0:
		return errno
	case !s.cfg.Admin(c.Context):
		return linux.EPERM
	case cString(ifr[:ifNameSize]) != loName:
		return linux.ENODEV
	}
	s.up = le.Uint16(ifr[ifreqData:])&iffUp != 0
	return 0
}

// ioctl performs the requests of netdevice(7) that read, and SIOCSIFFLAGS;
// changing more of the interface is refused.
func (s *Stack) ioctl(c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	switch req {
	case linux.SIOCGIFCONF:
		return 0, interfaceList(c, arg)
	case linux.SIOCSIFFLAGS:
		return 0, s.setFlags(c, arg)
	case linux.SIOCSIFADDR, linux.SIOCSIFMTU, linux.SIOCSIFNETMASK, linux.SIOCSIFBRDADDR,
		linux.SIOCSIFDSTADDR, linux.SIOCSIFNAME, linux.SIOCSIFTXQLEN, linux.SIOCSIFHWADDR, linux.SIOCADDRT, linux.SIOCDELRT:
		return 0, linux.EPERM
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
	case linux.SIOCGIFADDR, linux.SIOCGIFDSTADDR:
		putInetAddr(b, 127, 0, 0, 1)
	case linux.SIOCGIFNETMASK:
		putInetAddr(b, 255, 0, 0, 0)
	case linux.SIOCGIFBRDADDR:
		putInetAddr(b, 0, 0, 0, 0)
	case linux.SIOCGIFINDEX:
		le.PutUint32(b, loIndex)
	case linux.SIOCGIFMTU:
		le.PutUint32(b, loMTU)
	case linux.SIOCGIFTXQLEN:
		le.PutUint32(b, loTxqlen)
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
func interfaceList(c *vfs.IoctlContext, arg uint64) linux.Errno {
	var conf [sizeofIfconf]byte
	if errno := c.CopyIn(arg, conf[:]); errno != 0 {
		return errno
	}
	room, p := int32(le.Uint32(conf[:])), le.Uint64(conf[ifconfPointer:])
	n := int32(sizeofIfreq)
	if p != 0 {
		if room < n {
			n = 0
		} else {
			var ifr [sizeofIfreq]byte
			copy(ifr[:], loName)
			putInetAddr(ifr[ifreqData:], 127, 0, 0, 1)
			if errno := c.CopyOut(p, ifr[:]); errno != 0 {
				return errno
			}
		}
	}
	le.PutUint32(conf[:], uint32(n))
	return c.CopyOut(arg, conf[:])
}
