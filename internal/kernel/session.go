package kernel

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
)

// ProcessGroup is a job: the processes that terminal signals reach together.
type ProcessGroup struct {
	id      int
	session *Session
	members []*Group // in order of joining
}

// Session is a set of process groups with at most one controlling terminal
// (credentials(7)).
type Session struct {
	id     int
	leader *Group // nil once it has ended
	groups []*ProcessGroup
}

// newSession makes g the leader of a new session and group, both of its pid.
func (k *Kernel) newSession(g *Group) {
	g.leavePgrp()
	s := &Session{id: g.pid, leader: g}
	e := k.pids.entry(g.pid)
	e.session = s
	g.session = s
	g.tty, g.hungUp = nil, nil
	k.joinPgrp(g, k.newPgrp(g.pid, s))
}

// newPgrp makes an empty group in s with number id, which is in use by a
// process.
func (k *Kernel) newPgrp(id int, s *Session) *ProcessGroup {
	pg := &ProcessGroup{id: id, session: s}
	s.groups = append(s.groups, pg)
	k.pids.entry(id).pgrp = pg
	return pg
}

func (k *Kernel) joinPgrp(g *Group, pg *ProcessGroup) {
	pg.members = append(pg.members, g)
	g.pgrp = pg
}

// leavePgrp takes g out of its group, which ends with its last member, as its
// session does with its last group.
func (g *Group) leavePgrp() {
	pg := g.pgrp
	if pg == nil {
		return
	}
	g.pgrp = nil
	pg.members = remove(pg.members, g)
	if len(pg.members) > 0 {
		return
	}
	k, s := g.k, pg.session
	if e := k.pids.entry(pg.id); e != nil && e.pgrp == pg {
		e.pgrp = nil
		k.pids.release(e)
	}
	s.groups = remove(s.groups, pg)
	if len(s.groups) > 0 {
		return
	}
	if e := k.pids.entry(s.id); e != nil && e.session == s {
		e.session = nil
		k.pids.release(e)
	}
}

// remove deletes the first v from list, keeping the order.
func remove[T comparable](list []T, v T) []T {
	if i := slices.Index(list, v); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// pgrp finds a process group by number.
func (k *Kernel) pgrp(id int) *ProcessGroup {
	if e := k.pids.entry(id); e != nil {
		return e.pgrp
	}
	return nil
}

// setpgid moves g into the group pgid (setpgid(2)).
func (t *Task) setpgid(g *Group, pgid int) linux.Errno {
	k, self := t.k, t.group
	switch {
	case g != self && g.parent != self:
		return linux.ESRCH
	case g != self && g.leader.didExec:
		return linux.EACCES
	case g.session != self.session || g.session.leader == g:
		return linux.EPERM
	}
	pg := k.pgrp(pgid)
	if pgid != g.pid && (pg == nil || pg.session != self.session) {
		return linux.EPERM
	}
	if pg == g.pgrp {
		return 0
	}
	old := g.pgrp
	if pg == nil {
		pg = k.newPgrp(pgid, g.session)
	}
	g.leavePgrp()
	k.joinPgrp(g, pg)
	k.checkOrphaned(old, g)
	return 0
}

// orphaned reports whether no member of pg has a parent in the same session
// but another group, who could continue it (POSIX, orphaned process group).
// ignore is a member that is about to leave.
func (pg *ProcessGroup) orphaned(ignore *Group) bool {
	for _, g := range pg.members {
		p := g.parent
		if g.topLevel && g != ignore {
			return false // who started it can continue it
		}
		if g == ignore || g.zombie && len(g.threads) == 0 || p == nil || p == g.k.init {
			continue
		}
		if p.pgrp != pg && p.session == pg.session {
			return false
		}
	}
	return true
}

func (pg *ProcessGroup) hasStopped() bool {
	for _, g := range pg.members {
		if g.stopped && !g.exiting {
			return true
		}
	}
	return false
}

// checkOrphaned sends SIGHUP and SIGCONT to pg if it has become orphaned and
// has stopped members; leaving is the process whose going may have caused it.
func (k *Kernel) checkOrphaned(pg *ProcessGroup, leaving *Group) {
	if pg == nil || len(pg.members) == 0 || !pg.orphaned(leaving) || !pg.hasStopped() {
		return
	}
	k.signalPgrp(pg, linux.SIGHUP, kernelSignal(linux.SIGHUP))
	k.signalPgrp(pg, linux.SIGCONT, kernelSignal(linux.SIGCONT))
}
