package kernel

import "github.com/tinevm/tine/internal/linux"

// waitArgs says for whom a wait call waits, and for what.
type waitArgs struct {
	idType  int  // linux.P_ALL, P_PID, P_PGID, P_PIDFD
	pid     *pid // for P_PID and P_PGID; nil if there is none of that number
	number  int  // for P_PID
	options uint64
}

// waitResult is what a wait call reports.
type waitResult struct {
	pid    int
	uid    uint32
	status int
	usage  usage
	traced bool // a stop of ptrace(2)
}

// sysWait4 is wait4(2): pid, status, options, rusage.
func sysWait4(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const known = linux.WNOHANG | linux.WUNTRACED | linux.WCONTINUED | linux.WNOTHREAD | linux.WCLONE | linux.WALL
	options := uint64(uint32(a[2]))
	if options&^known != 0 {
		return 0, linux.EINVAL
	}
	w := waitArgs{options: options | linux.WEXITED}
	switch pid := int(int32(a[0])); {
	case pid == -1<<31:
		return 0, linux.ESRCH
	case pid == -1:
		w.idType = linux.P_ALL
	case pid < 0:
		w.idType, w.pid = linux.P_PGID, t.pidNS().find(-pid)
	case pid == 0:
		w.idType, w.pid = linux.P_PGID, t.group.pgrp.pid
	default:
		w.idType, w.pid, w.number = linux.P_PID, t.pidNS().find(pid), pid
	}
	r, found, errno := t.wait(&w)
	if errno != 0 {
		return 0, errno
	}
	if !found {
		return 0, 0
	}
	if a[1] != 0 {
		if errno := t.putUint32(a[1], uint32(r.status)); errno != 0 {
			return 0, errno
		}
	}
	if a[3] != 0 {
		ru := r.usage.rusage()
		if errno := t.putRusage(a[3], &ru); errno != 0 {
			return 0, errno
		}
	}
	return uint64(r.pid), 0
}

// sysWaitid is waitid(2): idtype, id, siginfo, options, rusage.
func sysWaitid(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const known = linux.WNOHANG | linux.WNOWAIT | linux.WEXITED | linux.WSTOPPED | linux.WCONTINUED |
		linux.WNOTHREAD | linux.WCLONE | linux.WALL
	w := waitArgs{idType: int(int32(a[0])), options: uint64(uint32(a[3]))}
	id := int(int32(a[1]))
	if w.options&^known != 0 || w.options&(linux.WEXITED|linux.WSTOPPED|linux.WCONTINUED) == 0 {
		return 0, linux.EINVAL
	}
	nonblock := false
	switch w.idType {
	case linux.P_ALL:
	case linux.P_PID:
		if id <= 0 {
			return 0, linux.EINVAL
		}
		w.pid, w.number = t.pidNS().find(id), id
	case linux.P_PGID:
		if id < 0 {
			return 0, linux.EINVAL
		}
		w.pid = t.group.pgrp.pid
		if id > 0 {
			w.pid = t.pidNS().find(id)
		}
	case linux.P_PIDFD:
		if id < 0 {
			return 0, linux.EINVAL
		}
		g, f, errno := t.pidfdGroup(a[1])
		if errno != 0 {
			return 0, errno
		}
		w.idType, w.pid, nonblock = linux.P_PID, g.leader.id, f.NonBlock()
	default:
		return 0, linux.EINVAL
	}
	if nonblock {
		w.options |= linux.WNOHANG
	}
	r, found, errno := t.wait(&w)
	if errno != 0 {
		return 0, errno
	}
	if !found && nonblock && a[3]&linux.WNOHANG == 0 {
		return 0, linux.EAGAIN
	}
	return 0, t.putWaitid(a[2], a[4], r, found)
}

// putWaitid stores what waitid reports: all zero if nothing was found.
func (t *Task) putWaitid(infop, rusage uint64, r waitResult, found bool) linux.Errno {
	if found && rusage != 0 {
		ru := r.usage.rusage()
		if errno := t.putRusage(rusage, &ru); errno != 0 {
			return errno
		}
	}
	if infop == 0 {
		return 0
	}
	var info linux.Siginfo
	if found {
		code, value := childCode(r.status)
		if r.traced {
			code = linux.CLD_TRAPPED
		}
		info = linux.Siginfo{Signo: linux.SIGCHLD, Code: code, PID: int32(r.pid), UID: r.uid, Status: value}
	}
	return t.putStruct(infop, &info, linux.SizeofSiginfo)
}

// wait looks for a child with news. It blocks if there are children but no
// news, unless WNOHANG is given.
func (t *Task) wait(w *waitArgs) (r waitResult, found bool, errno linux.Errno) {
	if c := w.find(t, &t.group.news, (*Group).hasNews); c != nil {
		return c.report(w), true, 0
	}
	r, found, known := t.waitTracee(w)
	switch {
	case found:
		return r, true, 0
	case known:
	case w.find(t, &t.group.children, func(*Group, uint64) bool { return true }) == nil:
		return r, false, linux.ECHILD
	}
	if w.options&linux.WNOHANG != 0 {
		return r, false, 0
	}
	_, errno = t.blockOn(&t.group.waitq, linux.ERESTARTSYS)
	return r, false, errno
}

// find looks for the first process of a set that w asks for and that has what
// is wanted.
func (w *waitArgs) find(t *Task, set *groupSet, has func(c *Group, options uint64) bool) *Group {
	if w.idType == linux.P_PID {
		if w.pid == nil || w.pid.task == nil {
			return nil
		}
		c := w.pid.task.group
		if c.parent == t.group && w.matches(t, c) && has(c, w.options) {
			return c
		}
		return nil
	}
	for c := range set.all {
		if w.matches(t, c) && has(c, w.options) {
			return c
		}
	}
	return nil
}

// matches reports whether w asks for c.
func (w *waitArgs) matches(t *Task, c *Group) bool {
	switch w.idType {
	case linux.P_PID:
		if c.leader.id != w.pid {
			return false
		}
	case linux.P_PGID:
		if c.pgrp == nil || c.pgrp.pid != w.pid {
			return false
		}
	}
	if w.options&linux.WNOTHREAD != 0 && c.parentTask != t {
		return false
	}
	// A "clone" child is one that tells its parent by no SIGCHLD.
	clone := c.exitSignal != linux.SIGCHLD
	return w.options&linux.WALL != 0 || clone == (w.options&linux.WCLONE != 0)
}

// hasNews reports whether there is something to report of c that the options
// ask for.
func (c *Group) hasNews(options uint64) bool {
	return c.zombie && options&linux.WEXITED != 0 ||
		!c.zombie && (c.stopReport && options&linux.WSTOPPED != 0 || c.contReport && options&linux.WCONTINUED != 0)
}

// report gives the news of c and uses it up, unless WNOWAIT is given.
func (c *Group) report(w *waitArgs) waitResult {
	keep := w.options&linux.WNOWAIT != 0
	r := waitResult{
		pid: c.nrFor(c.parent.leader), uid: c.parent.leader.cred.user.uidOut(c.leader.cred.UID), usage: c.totalUsage(),
	}
	switch {
	case c.zombie:
		r.status = c.zombieStatus
		if !keep {
			c.reap()
		}
		return r
	case c.stopReport && w.options&linux.WSTOPPED != 0:
		r.status = stoppedStatus(c.stopSig)
		c.stopReport = keep
	default:
		r.status = continuedStatus
		c.contReport = keep
	}
	c.updateNews()
	return r
}

// totalUsage is what wait reports of a process: its threads and the children
// it has waited for.
func (g *Group) totalUsage() usage {
	u := g.ownUsage()
	u.add(&g.childUse)
	return u
}

// ownUsage is the usage of all threads, living and ended.
func (g *Group) ownUsage() usage {
	g.k.chargeRunning()
	return g.chargedUsage()
}

// chargedUsage is ownUsage without what has not been charged yet.
func (g *Group) chargedUsage() usage {
	u := g.deadUse
	for _, t := range g.threads {
		u.add(&t.usage)
		if t.as != nil {
			u.maxrss = max(u.maxrss, int64(t.as.PeakPages()))
		}
	}
	return u
}
