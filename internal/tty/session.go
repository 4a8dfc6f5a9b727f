package tty

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// control makes t the controlling terminal of the caller, a session leader, with
// its group in the foreground.
func (t *TTY) control(p Process) {
	t.Attach(p.Session(), p.Group().ID())
	p.SetTerminal(t)
}

// Attach makes t the terminal of a session with the group fg in the foreground.
func (t *TTY) Attach(s Session, fg int) { t.session, t.foreground = s, fg }

// release makes t nobody's controlling terminal.
func (t *TTY) release() {
	s := t.session
	t.session, t.foreground = nil, 0
	s.ForgetTerminal(t)
}

// SessionEnded tells that the leader of the session that t controls is ending.
func (t *TTY) SessionEnded() {
	t.Signal(linux.SIGHUP)
	t.release()
}

// setControlling is TIOCSCTTY: only a session leader without a terminal gets
// one, and only a privileged one takes it from another session.
func (t *TTY) setControlling(c *vfs.IoctlContext, f *vfs.File, arg uint64) linux.Errno {
	p, privileged := t.sys.kernel.Current(), c.Context.Cred.Capable(linux.CAP_SYS_ADMIN)
	switch {
	case p.Leads() && t.session == p.Session():
		return 0
	case !p.Leads() || p.Terminal() != nil:
		return linux.EPERM
	case t.session != nil && !(arg == 1 && privileged):
		return linux.EPERM
	case !f.Readable() && !privileged:
		return linux.EPERM
	}
	if t.session != nil {
		t.release()
	}
	t.control(p)
	return 0
}

// disown is TIOCNOTTY: the caller gives its controlling terminal up. A session
// leader does so for the whole session.
func (t *TTY) disown() linux.Errno {
	p := t.sys.kernel.Current()
	if p.Terminal() != t {
		return linux.ENOTTY
	}
	if !p.Leads() {
		p.SetTerminal(nil)
		return 0
	}
	t.Signal(linux.SIGHUP)
	t.Signal(linux.SIGCONT)
	t.release()
	return 0
}

// setForeground is TIOCSPGRP.
func (t *TTY) setForeground(c *vfs.IoctlContext, arg uint64) linux.Errno {
	switch errno := t.jobControl(linux.SIGTTOU); errno {
	case 0:
	case linux.EIO:
		return linux.ENOTTY
	default:
		return errno
	}
	pgid, errno := readInt(c, arg)
	if errno != 0 {
		return errno
	}
	if pgid < 0 {
		return linux.EINVAL
	}
	p := t.sys.kernel.Current()
	if p.Terminal() != t || t.session != p.Session() {
		return linux.ENOTTY
	}
	s, id := p.SessionOf(int(pgid))
	switch s {
	case nil:
		return linux.ESRCH
	case p.Session():
		t.foreground = id
		return 0
	}
	return linux.EPERM
}
