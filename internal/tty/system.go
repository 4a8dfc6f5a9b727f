package tty

import (
	"slices"
	"strconv"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Device numbers of the kernel's devices.txt.
const (
	slaveMajor = 136
	auxMajor   = 5 // of /dev/tty, /dev/console and /dev/ptmx
	ptmxMinor  = 2

	// MaxTTYs is how many terminals there can be (/proc/sys/kernel/pty/max).
	MaxTTYs = 4096
)

// Drivers is the content of /proc/tty/drivers.
const Drivers = `/dev/tty             /dev/tty        5       0 system:/dev/tty
/dev/console         /dev/console    5       1 system:console
/dev/ptmx            /dev/ptmx       5       2 system
pty_slave            /dev/pts      136 0-1048575 pty:slave
pty_master           /dev/ptm      128 0-1048575 pty:master
`

// ptsDevice is the device number of /dev/pts/N.
func ptsDevice(n int) uint64 { return vfs.MakeDev(slaveMajor, uint32(n)) }

// System is all terminals of a machine.
type System struct {
	kernel  Kernel
	ttys    []*TTY // by index; nil where none is
	console *TTY
	ptmx    *node // the node of that name in devpts
	root    *directory
}

// New makes a machine's terminals: none yet.
func New(k Kernel) *System {
	s := &System{kernel: k}
	s.root = newDirectory(s)
	s.ptmx = s.newNode(ptmxIno, linux.S_IFCHR, vfs.MakeDev(auxMajor, ptmxMinor))
	return s
}

// Register makes the devices of /dev/pts known. Those of /dev/tty, /dev/console
// and /dev/ptmx are registered by devfs.
func (s *System) Register(v *vfs.System) {
	v.RegisterDevice(linux.S_IFCHR, slaveMajor, -1, s.OpenSlave)
}

// Count is how many terminals there are (/proc/sys/kernel/pty/nr).
func (s *System) Count() int {
	n := 0
	for _, t := range s.ttys {
		n += truth(t != nil)
	}
	return n
}

// newTTY makes a terminal with the lowest free number, owned by uid.
func (s *System) newTTY(uid uint32) (*TTY, linux.Errno) {
	n := slices.Index(s.ttys, nil)
	if n < 0 {
		if n = len(s.ttys); n == MaxTTYs {
			return nil, linux.ENOSPC
		}
		s.ttys = append(s.ttys, nil)
	}
	t := &TTY{sys: s, index: n, termios: initialTermios()}
	t.master = &master{tty: t}
	t.node = s.newNode(firstIno+uint64(n), linux.S_IFCHR|slaveMode, ptsDevice(n))
	t.node.attr.UID, t.node.attr.GID = uid, ttyGID
	s.ttys[n] = t
	return t, 0
}

// unlink removes the name of a terminal whose master is gone.
func (s *System) unlink(t *TTY) {
	t.node.attr.Nlink = 0
	if s.console == t {
		s.console = nil
	}
	if t.opens == 0 {
		s.free(t)
	}
}

// free makes the number of a terminal free that nobody has open.
func (s *System) free(t *TTY) { s.ttys[t.index] = nil }

// find returns the terminal with number n, unless its master is gone.
func (s *System) find(n int) *TTY {
	if n < 0 || n >= len(s.ttys) || s.ttys[n] == nil || s.ttys[n].closed {
		return nil
	}
	return s.ttys[n]
}

func (t *TTY) name() string { return "/dev/pts/" + strconv.Itoa(t.index) }

// OpenPtmx opens /dev/ptmx: it makes a new terminal and gives its master side.
func (s *System) OpenPtmx(c *vfs.Context, _ uint64, _ uint32) (vfs.FileOps, linux.Errno) {
	t, errno := s.newTTY(c.Cred.FSUID)
	if errno != 0 {
		return nil, errno
	}
	t.locked = true
	return t.master, 0
}

// OpenTTY opens /dev/tty: the controlling terminal of the caller.
func (s *System) OpenTTY(c *vfs.Context, _ uint64, flags uint32) (vfs.FileOps, linux.Errno) {
	p := s.kernel.Current()
	if p == nil || p.Terminal() == nil {
		return nil, linux.ENXIO
	}
	t := p.Terminal()
	if t.exclusive && !c.Cred.Capable(linux.CAP_SYS_ADMIN) {
		return nil, linux.EBUSY
	}
	t.get()
	return &slave{tty: t, hangups: t.hangups}, 0
}

// OpenConsole opens /dev/console: the host's terminal, if there is one. It does
// not become a controlling terminal.
func (s *System) OpenConsole(c *vfs.Context, _ uint64, flags uint32) (vfs.FileOps, linux.Errno) {
	if s.console == nil {
		return nil, linux.ENXIO
	}
	return s.console.open(c, flags|linux.O_NOCTTY)
}

// OpenSlave opens a device of /dev/pts.
func (s *System) OpenSlave(c *vfs.Context, rdev uint64, flags uint32) (vfs.FileOps, linux.Errno) {
	t := s.find(int(vfs.Minor(rdev)))
	if t == nil {
		return nil, linux.EIO
	}
	return t.open(c, flags)
}
