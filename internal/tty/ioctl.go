package tty

import (
	"strconv"

	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// The requests that exchange struct termios2.
const (
	tcgets2  = 0x802c542a
	tcsets2  = 0x402c542b
	tcsetsw2 = 0x402c542c
	tcsetsf2 = 0x402c542d
)

func readInt(c *vfs.IoctlContext, addr uint64) (int32, linux.Errno) {
	var b [4]byte
	errno := c.CopyIn(addr, b[:])
	return int32(binary.LittleEndian.Uint32(b[:])), errno
}

func writeInt(c *vfs.IoctlContext, addr uint64, v int) linux.Errno {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(v))
	return c.CopyOut(addr, b[:])
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Ioctl implements vfs.FileOps.
func (s *slave) Ioctl(f *vfs.File, c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	t := s.tty
	if s.dead() {
		if req == linux.TIOCSPGRP {
			return 0, linux.ENOTTY
		}
		return 0, linux.EIO
	}
	p := t.sys.kernel.Current()
	switch req {
	case linux.TIOCGPGRP, linux.TIOCGSID:
		if p.Terminal() != t {
			return 0, linux.ENOTTY
		}
	case linux.TIOCNOTTY:
		return 0, t.disown()
	case linux.FIONREAD:
		return 0, writeInt(c, arg, t.readable())
	case linux.TCFLSH:
		if errno := t.jobControl(linux.SIGTTOU); errno != 0 {
			return 0, errno
		}
		return 0, t.flush(arg, t.flushInput, t.flushOutput)
	case linux.TCXONC:
		if errno := t.jobControl(linux.SIGTTOU); errno != 0 {
			return 0, errno
		}
		return 0, t.flow(arg)
	case linux.TIOCGPTPEER:
		return 0, linux.EIO
	}
	return 0, t.ioctl(f, c, req, arg)
}

// Ioctl implements vfs.FileOps.
func (m *master) Ioctl(f *vfs.File, c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	t := m.tty
	switch req {
	case linux.TIOCGPTN:
		return 0, writeInt(c, arg, t.index)
	case linux.TIOCSPTLCK:
		v, errno := readInt(c, arg)
		if errno == 0 {
			t.locked = v != 0
		}
		return 0, errno
	case linux.TIOCGPTLCK:
		return 0, writeInt(c, arg, truth(t.locked))
	case linux.TIOCGPTPEER:
		return m.openPeer(f, c, uint32(arg))
	case linux.TIOCPKT:
		v, errno := readInt(c, arg)
		if errno == 0 {
			if !m.packet {
				m.status = 0
			}
			m.packet = v != 0
		}
		return 0, errno
	case linux.TIOCGPKT:
		return 0, writeInt(c, arg, truth(m.packet))
	case linux.TIOCSIG:
		if arg < 1 || arg > linux.NSIG {
			return 0, linux.EINVAL
		}
		t.Signal(linux.Signal(arg))
		return 0, 0
	case linux.FIONREAD:
		return 0, writeInt(c, arg, len(t.out.buf))
	case linux.TCFLSH:
		clearOut := func() {
			t.out.buf = nil
			t.queue.Wake(vfs.PollOut | vfs.PollWrNorm)
		}
		return 0, t.flush(arg, clearOut, func() { t.in.arrived = nil })
	case linux.TCXONC:
		return 0, m.flow(arg)
	case linux.TIOCNOTTY:
		return 0, linux.ENOTTY
	case linux.TIOCEXCL, linux.TIOCNXCL:
		m.alone = req == linux.TIOCEXCL
		return 0, 0
	case linux.TIOCGEXCL:
		return 0, writeInt(c, arg, truth(m.alone))
	}
	return 0, t.ioctl(f, c, req, arg)
}

// flow is TCXONC on the master side, which has no keys but the usual ones.
func (m *master) flow(what uint64) linux.Errno {
	switch what {
	case linux.TCOOFF, linux.TCOON:
		m.held = what == linux.TCOOFF
		m.wake(vfs.PollOut | vfs.PollWrNorm)
	case linux.TCIOFF:
		m.tty.arrive([]byte{ctrl('S')})
	case linux.TCION:
		m.tty.arrive([]byte{ctrl('Q')})
	default:
		return linux.EINVAL
	}
	return 0
}

// openPeer opens the slave side of the terminal, in the mount of devpts that the
// master side was opened by, and gives its descriptor.
func (m *master) openPeer(f *vfs.File, c *vfs.IoctlContext, flags uint32) (uint64, linux.Errno) {
	p := m.tty.sys.kernel.Current()
	dir, errno := f.Path.Beside(c.Context, ".")
	if f.Path.Inode() != vfs.Inode(m.tty.pts.ptmx) && errno == 0 {
		dir.Put()
		var d *devpts
		if dir, d, errno = ptsBeside(c.Context, f.Path); errno == 0 && d != m.tty.pts {
			dir.Put()
			errno = linux.ENODEV
		}
	}
	if errno != 0 {
		return 0, errno
	}
	f, errno = vfs.Open(c.Context, dir, strconv.Itoa(m.tty.index), flags&^linux.O_CREAT, 0)
	dir.Put()
	if errno != 0 {
		return 0, errno
	}
	fd, errno := p.Install(f, flags&linux.O_CLOEXEC != 0)
	return uint64(fd), errno
}

// flush is TCFLSH, with what flushes each direction.
func (t *TTY) flush(which uint64, in, out func()) linux.Errno {
	switch which {
	case linux.TCIFLUSH:
		in()
	case linux.TCOFLUSH:
		out()
	case linux.TCIOFLUSH:
		in()
		out()
	default:
		return linux.EINVAL
	}
	return 0
}

// flow is TCXONC.
func (t *TTY) flow(what uint64) linux.Errno {
	switch what {
	case linux.TCOOFF:
		t.stop()
		t.held = true
	case linux.TCOON:
		if t.held {
			t.held = false
			t.start()
		}
	case linux.TCIOFF:
		t.sendKey(linux.VSTOP)
	case linux.TCION:
		t.sendKey(linux.VSTART)
	default:
		return linux.EINVAL
	}
	return 0
}

// sendKey sends a control character to the master, past output that ^S holds
// back.
func (t *TTY) sendKey(which int) {
	c, stopped := t.termios.CC[which], t.stopped
	if c == disabled {
		return
	}
	t.start()
	if t.stopped {
		return // TCOOFF holds this back too
	}
	t.out.buf = append(t.out.buf, c)
	t.master.wake(vfs.PollIn | vfs.PollRdNorm)
	if stopped {
		t.stop()
	}
}

// ioctl handles the requests that mean the same on both sides: all are about
// the slave.
func (t *TTY) ioctl(f *vfs.File, c *vfs.IoctlContext, req uint32, arg uint64) linux.Errno {
	switch req {
	case linux.TIOCGWINSZ:
		var b [linux.SizeofWinsize]byte
		t.size.Encode(b[:])
		return c.CopyOut(arg, b[:])
	case linux.TIOCSWINSZ:
		var b [linux.SizeofWinsize]byte
		if errno := c.CopyIn(arg, b[:]); errno != 0 {
			return errno
		}
		var w linux.Winsize
		w.Decode(b[:])
		t.resize(w)
	case linux.TIOCGPGRP:
		return writeInt(c, arg, t.sys.kernel.Current().Local(max(t.Foreground(), 0)))
	case linux.TIOCSPGRP:
		return t.setForeground(c, arg)
	case linux.TIOCGSID:
		if t.session == nil {
			return linux.ENOTTY
		}
		return writeInt(c, arg, t.sys.kernel.Current().Local(t.session.ID()))
	case linux.TIOCSCTTY:
		return t.setControlling(c, f, arg)
	default:
		return t.attributes(c, req, arg)
	}
	return 0
}

// attributes handles the requests of termios.
func (t *TTY) attributes(c *vfs.IoctlContext, req uint32, arg uint64) linux.Errno {
	switch req {
	case linux.TCGETS:
		return c.CopyOut(arg, encodeTermios2(&t.termios)[:linux.SizeofTermios])
	case tcgets2:
		return c.CopyOut(arg, encodeTermios2(&t.termios))
	case linux.TCGETA:
		return c.CopyOut(arg, encodeTermio(&t.termios))
	case linux.TCSETS, linux.TCSETSW, linux.TCSETSF:
		return t.change(c, arg, linux.SizeofTermios, req == linux.TCSETSF, (*linux.Termios).Decode)
	case tcsets2, tcsetsw2, tcsetsf2:
		return t.change(c, arg, sizeofTermios2, req == tcsetsf2, (*linux.Termios).Decode)
	case linux.TCSETA, linux.TCSETAW, linux.TCSETAF:
		return t.change(c, arg, sizeofTermio, req == linux.TCSETAF, decodeTermio)
	}
	return t.line(c, req, arg)
}

// change sets the attributes from a structure of size bytes.
func (t *TTY) change(c *vfs.IoctlContext, arg uint64, size int, flush bool, decode func(*linux.Termios, []byte)) linux.Errno {
	if errno := t.jobControl(linux.SIGTTOU); errno != 0 {
		return errno
	}
	b := make([]byte, size)
	if errno := c.CopyIn(arg, b); errno != 0 {
		return errno
	}
	n := t.termios
	decode(&n, b)
	if flush {
		t.flushInput()
	}
	t.setTermios(n)
	return 0
}

// line handles the requests about the line, of which a pseudo-terminal has
// little.
func (t *TTY) line(c *vfs.IoctlContext, req uint32, arg uint64) linux.Errno {
	privileged := c.Context.Cred.Capable(linux.CAP_SYS_ADMIN)
	switch req {
	case linux.TIOCOUTQ, linux.TIOCGETD:
		return writeInt(c, arg, 0)
	case linux.TIOCSETD:
		v, errno := readInt(c, arg)
		if errno == 0 && v != 0 {
			errno = linux.EINVAL
		}
		return errno
	case linux.TCSBRK, linux.TCSBRKP, linux.TIOCSBRK, linux.TIOCCBRK:
		return t.jobControl(linux.SIGTTOU) // output is never under way
	case linux.TIOCEXCL:
		t.exclusive = true
	case linux.TIOCNXCL:
		t.exclusive = false
	case linux.TIOCGEXCL:
		return writeInt(c, arg, truth(t.exclusive))
	case linux.TIOCGDEV:
		return writeInt(c, arg, int(t.Number()))
	case linux.TIOCGSOFTCAR:
		return writeInt(c, arg, truth(t.termios.Cflag&linux.CLOCAL != 0))
	case linux.TIOCSTI:
		if p := t.sys.kernel.Current(); p.Terminal() != t && !privileged {
			return linux.EPERM
		}
		var key [1]byte
		if errno := c.CopyIn(arg, key[:]); errno != 0 {
			return errno
		}
		t.arrive(key[:])
	case linux.TIOCVHANGUP:
		if !privileged {
			return linux.EPERM
		}
		t.Hangup()
	case linux.TIOCCONS:
		return linux.EPERM
	default:
		return linux.ENOTTY
	}
	return 0
}
