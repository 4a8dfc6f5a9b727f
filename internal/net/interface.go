package net

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// The loopback interface, the only one there is.
const (
	loName  = "lo"
	loIndex = 1
	// loFlags are IFF_UP, IFF_LOOPBACK and IFF_RUNNING; loLowerUp is
	// IFF_LOWER_UP, which only netlink shows.
	loFlags   = 0x1 | 0x8 | 0x40
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

// ioctl performs the requests of netdevice(7) that read; changing the
// interface is refused.
func (s *Stack) ioctl(c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	switch req {
	case linux.SIOCGIFCONF:
		return 0, interfaceList(c, arg)
	case linux.SIOCSIFADDR, linux.SIOCSIFFLAGS, linux.SIOCSIFMTU, linux.SIOCSIFNETMASK, linux.SIOCSIFBRDADDR,
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
	if errno := describeInterface(req, ifr[ifreqData:]); errno != 0 {
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
func describeInterface(req uint32, b []byte) linux.Errno {
	switch req {
	case linux.SIOCGIFFLAGS:
		le.PutUint16(b, loFlags)
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
