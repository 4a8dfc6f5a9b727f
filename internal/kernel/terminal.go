package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/tty"
	"github.com/tinevm/tine/internal/vfs"
)

// What package tty asks of processes, sessions and groups. The controlling
// terminal is kept for each process (Group.tty), as Linux does: fork hands it
// on, setsid drops it, and only those of a session that have it lose it.

// terminals is the machine's kernel as its terminals see it.
type terminals struct{ k *Kernel }

// Current implements tty.Kernel.
func (s terminals) Current() tty.Process {
	if s.k.current == nil {
		return nil
	}
	return caller{s.k.current}
}

// Realtime implements tty.Kernel.
func (s terminals) Realtime() (sec, nsec int64) { return s.k.realtime() }

// caller is a task in a system call.
type caller struct{ t *Task }

// Session implements tty.Process.
func (c caller) Session() tty.Session { return c.t.group.session }

// Group implements tty.Process.
func (c caller) Group() tty.Group { return c.t.group.pgrp }

// Leads implements tty.Process.
func (c caller) Leads() bool { return c.t.group.session.leader == c.t.group }

// SessionOf implements tty.Process.
func (c caller) SessionOf(pgid int) (s tty.Session, id int) {
	p := c.t.pidNS().find(pgid)
	switch {
	case p == nil:
		return nil, 0
	case p.pgrp != nil:
		return p.pgrp.session, p.nr
	case p.task != nil && p.task.group.session != nil:
		return p.task.group.session, p.nr
	}
	return nil, 0
}

// Shuns implements tty.Process.
func (c caller) Shuns(sig linux.Signal) bool {
	return c.t.sigmask.Has(sig) || c.t.sighand.action(sig).Handler == linux.SIG_IGN
}

// Terminal implements tty.Process.
func (c caller) Terminal() *tty.TTY { return c.t.group.tty }

// SetTerminal implements tty.Process.
func (c caller) SetTerminal(t *tty.TTY) { c.t.group.tty, c.t.group.hungUp = t, nil }

// Install implements tty.Process.
func (c caller) Install(f *vfs.File, cloexec bool) (int, linux.Errno) {
	fd, errno := c.t.installFD(f, cloexec)
	return int(fd), errno
}

// Interrupted implements tty.Process.
func (c caller) Interrupted() bool { return c.t.interrupted() }

// Overdue implements tty.Process.
func (c caller) Overdue(stage int, ns int64) bool {
	sc := &c.t.sc
	if sc.step != stage {
		sc.step, sc.deadline = stage, 0
		c.t.setTimeout(ns)
	}
	return c.t.timedOut()
}

// Local implements tty.Process.
func (c caller) Local(id int) int {
	if p := c.t.k.pids.find(id); p != nil {
		return p.in(c.t.pidNS())
	}
	if c.t.pidNS().level == 0 {
		return id // of a group that is gone
	}
	return 0
}

// ID implements tty.Session.
func (s *Session) ID() int { return s.pid.nr }

// Group implements tty.Session.
func (s *Session) Group(pgid int) tty.Group {
	for _, pg := range s.groups {
		if pg.pid.nr == pgid {
			return pg
		}
	}
	return nil
}

// ForgetTerminal implements tty.Session.
func (s *Session) ForgetTerminal(t *tty.TTY) {
	for _, pg := range s.groups {
		for g := range pg.members.all {
			if g.tty == t {
				g.tty = nil
			}
		}
	}
}

// HungUp implements tty.Session.
func (s *Session) HungUp(group tty.Group) {
	g := s.leader
	if g == nil {
		return
	}
	g.k.signalGroup(g, linux.SIGHUP, kernelSignal(linux.SIGHUP))
	g.k.signalGroup(g, linux.SIGCONT, kernelSignal(linux.SIGCONT))
	g.hungUp, _ = group.(*ProcessGroup)
}

// endSession is what the end of a session leader means for the terminal and
// its foreground group.
func (g *Group) endSession() {
	g.session.leader = nil
	if t := g.tty; t != nil {
		t.SessionEnded()
	} else if pg := g.hungUp; pg != nil {
		g.k.signalPgrp(pg, linux.SIGHUP, kernelSignal(linux.SIGHUP))
		g.k.signalPgrp(pg, linux.SIGCONT, kernelSignal(linux.SIGCONT))
	}
	g.hungUp = nil
}

// ID implements tty.Group.
func (pg *ProcessGroup) ID() int { return pg.pid.nr }

// Signal implements tty.Group.
func (pg *ProcessGroup) Signal(sig linux.Signal) {
	if g := pg.members.first(); g != nil {
		g.k.signalPgrp(pg, sig, kernelSignal(sig))
	}
}

// Orphaned implements tty.Group.
func (pg *ProcessGroup) Orphaned() bool { return pg.orphaned(nil) }

// Terminals are the machine's terminals.
func (k *Kernel) Terminals() *tty.System { return k.sys.tty }

// OpenTerminal opens the slave side of a terminal of the outside, or the
// console if it is that. The name must lead to it: processes of the machine may
// have moved /dev/pts away. The kernel lock is held.
func (k *Kernel) OpenTerminal(h *tty.HostSide, console bool) (*vfs.File, linux.Errno) {
	c, done := k.outside()
	defer done()
	if console {
		return vfs.Open(c, c.Root, "/dev/console", linux.O_RDWR|linux.O_NOCTTY, 0)
	}
	p, errno := vfs.Lookup(c, c.Root, h.Name(), 0)
	if errno != 0 {
		return nil, errno
	}
	defer p.Put()
	if p.Inode() != h.Inode() {
		return nil, linux.ENXIO
	}
	return vfs.Open(c, c.Root, h.Name(), linux.O_RDWR|linux.O_NOCTTY, 0)
}

// sysVhangup is vhangup(2): it hangs up the caller's controlling terminal.
func sysVhangup(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	if !t.capable(linux.CAP_SYS_TTY_CONFIG) {
		return 0, linux.EPERM
	}
	if t.group.tty != nil {
		t.group.tty.Hangup()
	}
	return 0, 0
}
