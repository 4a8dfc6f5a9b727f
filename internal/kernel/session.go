package kernel

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
)

// ProcessGroup is a job: the processes that terminal signals reach together.
type ProcessGroup struct {
	pid     *pid
	session *Session
	members groupSet
}

// Session is a set of process groups with at most one controlling terminal
// (credentials(7)).
type Session struct {
	pid    *pid
	leader *Group // nil once it has ended
	groups []*ProcessGroup
}

// newSession makes g the leader of a new session and group, both of its pid.
func (k *Kernel) newSession(g *Group) {
	g.leavePgrp()
	s := &Session{pid: g.leader.id, leader: g}
	s.pid.session = s
	g.session = s
	g.tty, g.hungUp = nil, nil
	k.joinPgrp(g, k.newPgrp(s.pid, s))
}

// newPgrp makes an empty group in s with the number of a process.
func (k *Kernel) newPgrp(p *pid, s *Session) *ProcessGroup {
	pg := &ProcessGroup{pid: p, session: s}
	s.groups = append(s.groups, pg)
	p.pgrp = pg
	return pg
}

func (k *Kernel) joinPgrp(g *Group, pg *ProcessGroup) {
	g.memberAt = pg.members.add(g)
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
	pg.members.remove(g.memberAt)
	if pg.members.len() > 0 {
		return
	}
	s := pg.session
	pg.pid.pgrp = nil
	pg.pid.release()
	s.groups = remove(s.groups, pg)
	if len(s.groups) > 0 {
		return
	}
	s.pid.session = nil
	s.pid.release()
}

// remove deletes the first v from list, keeping the order.
func remove[T comparable](list []T, v T) []T {
	if i := slices.Index(list, v); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
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
	pg, own := t.pidNS().pgrp(pgid), pgid == g.nrFor(t)
	if !own && (pg == nil || pg.session != self.session) {
		return linux.EPERM
	}
	if pg == g.pgrp {
		return 0
	}
	old := g.pgrp
	if pg == nil {
		pg = k.newPgrp(g.leader.id, g.session)
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
	for g := range pg.members.all {
		p := g.parent
		if g.topLevel && g != ignore {
			return false // who started it can continue it
		}
		if g == ignore || g.zombie && len(g.threads) == 0 || p == nil || p == g.k.pids.init {
			continue
		}
		if p.pgrp != pg && p.session == pg.session {
			return false
		}
	}
	return true
}

func (pg *ProcessGroup) hasStopped() bool {
	for g := range pg.members.all {
		if g.stopped && !g.exiting {
			return true
		}
	}
	return false
}

// checkOrphaned sends SIGHUP and SIGCONT to pg if it has become orphaned and
// has stopped members; leaving is the process whose going may have caused it.
func (k *Kernel) checkOrphaned(pg *ProcessGroup, leaving *Group) {
	if k.stops == 0 || pg == nil || pg.members.len() == 0 || !pg.orphaned(leaving) || !pg.hasStopped() {
		return
	}
	k.signalPgrp(pg, linux.SIGHUP, kernelSignal(linux.SIGHUP))
	k.signalPgrp(pg, linux.SIGCONT, kernelSignal(linux.SIGCONT))
}

// pgrpID and sessionID are the numbers of the group and the session; nil once
// the process has left them.
func (g *Group) pgrpID() *pid {
	if g.pgrp == nil {
		return nil
	}
	return g.pgrp.pid
}

func (g *Group) sessionID() *pid {
	if g.pgrp == nil {
		return nil
	}
	return g.session.pid
}
