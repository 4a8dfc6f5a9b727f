package tty

import (
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
	own     *devpts // the machine's own instance, where the host's terminals are
	count   int     // terminals of all instances
	console *TTY
}

// New makes a machine's terminals: none yet.
func New(k Kernel) *System {
	s := &System{kernel: k}
	s.own = s.newDevpts(ownOptions, 0, 0)
	return s
}

// Register makes the devices of /dev/pts known. Those of /dev/tty, /dev/console
// and /dev/ptmx are registered by devfs.
func (s *System) Register(v *vfs.System) {
	v.RegisterDevice(linux.S_IFCHR, slaveMajor, -1, s.OpenSlave)
}

// Count is how many terminals there are (/proc/sys/kernel/pty/nr).
func (s *System) Count() int { return s.count }

// unlink removes the name of a terminal whose master is gone.
func (s *System) unlink(t *TTY) {
	t.node.attr.Nlink = 0
	if s.console == t {
		s.console = nil
	}
	if t.opens == 0 {
		t.pts.free(t)
	}
}

func (t *TTY) name() string { return "/dev/pts/" + strconv.Itoa(t.index) }

// OpenPtmx opens /dev/ptmx: it makes a terminal of the instance that is mounted
// on pts beside it (pts(4)).
func (s *System) OpenPtmx(c *vfs.Context, _ uint64, _ uint32) (vfs.FileOps, linux.Errno) {
	pts, d, errno := ptsBeside(c, c.Opening)
	if errno != 0 {
		return nil, errno
	}
	pts.Put()
	return d.openPtmx(c)
}

// ptsBeside finds the instance that a ptmx outside of devpts belongs to, and its
// root, with a reference.
func ptsBeside(c *vfs.Context, ptmx vfs.Path) (vfs.Path, *devpts, linux.Errno) {
	p, errno := ptmx.Beside(c, "pts")
	if errno != 0 {
		return p, nil, errno
	}
	if d, ok := p.Mount.Superblock().FS.(*devpts); ok && p.Inode() == vfs.Inode(d.root) {
		return p, d, 0
	}
	p.Put()
	return vfs.Path{}, nil, linux.ENODEV
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

// OpenSlave opens a device with the number of a terminal that is not in devpts
// and so is none.
func (s *System) OpenSlave(*vfs.Context, uint64, uint32) (vfs.FileOps, linux.Errno) {
	return nil, linux.EIO
}
