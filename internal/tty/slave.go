package tty

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// slave is an open file of a terminal.
type slave struct {
	vfs.NoOps
	tty     *TTY
	hangups int // of the terminal, when it was opened
}

// open opens the slave side. It becomes the controlling terminal of a session
// leader that has none, unless O_NOCTTY is given or it is opened only for
// writing.
func (t *TTY) open(c *vfs.Context, flags uint32) (vfs.FileOps, linux.Errno) {
	switch {
	case t.closed || t.locked:
		return nil, linux.EIO
	case t.exclusive && !c.Cred.Capable(linux.CAP_SYS_ADMIN):
		return nil, linux.EBUSY
	}
	t.get()
	if flags&linux.O_NOCTTY == 0 && flags&linux.O_ACCMODE != linux.O_WRONLY {
		p := t.sys.kernel.Current()
		if p != nil && p.Leads() && p.Terminal() == nil && t.session == nil {
			t.control(p)
		}
	}
	return &slave{tty: t, hangups: t.hangups}, 0
}

// dead reports whether the terminal was hung up since it was opened.
func (s *slave) dead() bool { return s.hangups != s.tty.hangups }

// Read implements vfs.FileOps.
func (s *slave) Read(f *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	t := s.tty
	if s.dead() {
		return 0, 0
	}
	if errno := t.jobControl(linux.SIGTTIN); errno != 0 {
		return 0, errno
	}
	n, errno := t.read(p, f.NonBlock())
	if n > 0 {
		t.node.read()
	}
	return n, errno
}

// Write implements vfs.FileOps.
func (s *slave) Write(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	t := s.tty
	if s.dead() {
		return 0, linux.EIO
	}
	if t.lflag(linux.TOSTOP) {
		if errno := t.jobControl(linux.SIGTTOU); errno != 0 {
			return 0, errno
		}
	}
	if len(p) == 0 {
		return 0, 0
	}
	n := t.write(p)
	if n == 0 {
		return 0, linux.EAGAIN
	}
	t.node.written()
	return n, 0
}

// Poll implements vfs.FileOps.
func (s *slave) Poll(*vfs.File) (m vfs.PollMask) {
	const in, out = vfs.PollIn | vfs.PollRdNorm, vfs.PollOut | vfs.PollWrNorm
	if s.dead() {
		return in | out | vfs.PollErr | vfs.PollHup
	}
	t, want := s.tty, 1
	if t.termios.CC[linux.VTIME] == 0 {
		want = max(int(t.termios.CC[linux.VMIN]), 1)
	}
	if t.inputReady(want) {
		m |= in
	}
	if t.writable() {
		m |= out
	}
	return m
}

// Queue implements vfs.FileOps.
func (s *slave) Queue(*vfs.File) *vfs.WaitQueue { return &s.tty.queue }

// Stat implements vfs.FileOps.
func (s *slave) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }

// Release implements vfs.FileOps.
func (s *slave) Release(*vfs.File) { s.tty.put() }
