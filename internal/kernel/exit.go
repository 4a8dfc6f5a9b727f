package kernel

import "github.com/tinevm/tine/internal/linux"

// Wait statuses (wait(2)): the exit code in the high byte, or the signal in
// the low one, with the core bit.
func exitedStatus(code int) int { return code & 0xff << 8 }

func killedStatus(sig linux.Signal, core bool) int {
	if core {
		return int(sig) | 0x80
	}
	return int(sig)
}

func stoppedStatus(sig linux.Signal) int { return int(sig)<<8 | 0x7f }

const continuedStatus = 0xffff

func sysExit(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	t.exit(exitedStatus(int(a[0])))
	return 0, 0
}

func sysExitGroup(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	t.exitGroup(exitedStatus(int(a[0])))
	return 0, 0
}

// exitGroup ends the whole process with a wait status; the caller's own end is
// first, the other threads follow when they next would run.
func (t *Task) exitGroup(status int) {
	g := t.group
	if !g.exiting {
		g.exiting = true
		g.exitCode = status
		g.killThreads(t)
	}
	t.exit(g.exitCode)
}

// killThreads makes every other thread of the process end.
func (g *Group) killThreads(but *Task) {
	for _, u := range g.threads {
		if u != but && !u.exiting {
			u.killed = true
			u.rouse()
			u.hurry()
		}
	}
}

// exit ends the task (do_exit): everything it holds goes, in Linux's order,
// and what remains is the zombie that its parent reaps.
func (t *Task) exit(status int) {
	if t.exiting || t.ptraceExitEvent(status) {
		return
	}
	t.k.chargeRunning()
	t.exiting = true
	t.exitCode = status
	t.sc.active = false
	t.leaveCgroup()
	t.removeWaits()
	t.cancelFutex()
	if c := t.group.core; c != nil {
		c.dumper.wake() // it waits for all threads to rest or end
	}
	t.exitSeccomp()
	last := t.group.alive() == 0
	if last {
		t.returnSlice()
		t.group.stopTimers()
		if !t.group.exiting {
			t.group.exitCode = status
		}
	}
	t.traceEnd()
	t.noteExit(last)
	t.detachAll()
	t.tracedExit()
	t.exitMemory()
	t.exitSemaphores()
	t.files.put()
	t.files = nil
	t.fs.put()
	t.fs = nil
	if last && t.group.session.leader == t.group {
		t.group.endSession()
	}
	t.exitNotify(last)
}

// alive counts the threads that have not begun to end.
func (g *Group) alive() (n int) {
	for _, t := range g.threads {
		if !t.exiting {
			n++
		}
	}
	return n
}

// exitMemory leaves the address space: robust futexes first, then the word
// that tells the thread library, then the vfork parent.
func (t *Task) exitMemory() {
	if t.as == nil {
		return
	}
	t.usage.maxrss = max(t.usage.maxrss, int64(t.as.PeakPages()))
	t.exitRobust()
	t.exitPI()
	if t.clearChildTID != 0 && t.as.Users() > 1 {
		t.putUint32(t.clearChildTID, 0)
		t.k.futexWakeAt(t.as, t.clearChildTID, 1)
	}
	t.clearChildTID = 0
	t.as.Put()
	t.as = nil
	t.k.memoryFreed()
	t.releaseVfork()
}

// exitNotify gives the children to a new parent, tells the parent, and decides
// whether anything remains to be reaped.
func (t *Task) exitNotify(last bool) {
	g := t.group
	t.deathSignals()
	if t.isLeader() {
		t.state = TaskZombie
	}
	if !last {
		for c := range g.children.all {
			if c.parentTask == t {
				c.parentTask = g.livingThread()
			}
		}
	}
	if !t.isLeader() {
		t.release()
	}
	if !last {
		return
	}
	if g.isInit() && g.leader.id.ns.level > 0 {
		if g.zapNamespace(); g.zapping {
			return // what follows waits until the namespace is empty
		}
	}
	g.reparentChildren()
	g.becomeZombie()
}

// becomeZombie is the end of a process: it waits to be reaped.
func (g *Group) becomeZombie() {
	k := g.k
	k.checkOrphaned(g.pgrp, g)
	g.zombie = true
	g.zombieStatus = g.exitCode
	if g.stopped {
		g.stopped = false
		k.stops--
	}
	g.updateNews()
	g.exitq.Wake(0)
	if g == k.pids.init {
		k.initExited(g)
		return
	}
	g.notifyParent()
}

// livingThread returns a thread that has not begun to end, or the leader.
func (g *Group) livingThread() *Task {
	for _, t := range g.threads {
		if !t.exiting {
			return t
		}
	}
	return g.leader
}

// deathSignals sends PR_SET_PDEATHSIG to the children that t made.
func (t *Task) deathSignals() {
	if t.group.children.len() == 0 {
		return
	}
	for c := range t.group.children.all {
		if c.parentTask != t {
			continue
		}
		for _, u := range c.threads {
			if u.pdeathsig != 0 {
				t.k.signalGroup(c, u.pdeathsig, userSignal(u.pdeathsig, t))
			}
		}
	}
}

// reparentChildren gives the children of an ended process to the nearest
// living ancestor that is a subreaper, otherwise to process 1 of its pid
// namespace.
func (g *Group) reparentChildren() {
	if g.children.len() == 0 {
		return
	}
	k := g.k
	to := g.newReaper()
	kids := g.children.list()
	for _, c := range kids {
		c.abandon()
		if to == nil {
			if c.zombie {
				c.reap()
			}
			continue
		}
		to.adopt(c, to.livingThread())
		c.exitSignal = linux.SIGCHLD
		c.noteReparent(g)
		if c.zombie {
			c.notifyParent()
		}
	}
	for _, c := range kids {
		if c.pgrp != nil && c.pgrp != g.pgrp && c.session == g.session {
			k.checkOrphaned(c.pgrp, g)
		}
	}
}

// newReaper finds who takes over the children of g.
func (g *Group) newReaper() *Group {
	ns := g.leader.pidNS()
	for p := g.parent; p != nil && p.leader.pidNS() == ns; p = p.parent {
		if p.reaper && p.alive() > 0 {
			return p
		}
	}
	for ; ns != nil; ns = ns.parent {
		if init := ns.init; init != nil && init != g && !init.zombie {
			return init
		}
	}
	return nil
}

// zapNamespace is the end of process 1 of a pid namespace: everything in it is
// killed and nothing new can be made in it (zap_pid_ns_processes). Process 1
// becomes a zombie when all others are gone.
func (g *Group) zapNamespace() {
	ns := g.leader.pidNS()
	ns.dying = true
	var zombies []*Group
	for c := range g.children.all {
		if c.zombie {
			zombies = append(zombies, c)
		}
	}
	for _, c := range zombies {
		c.reap()
	}
	g.zapping = ns.tasks > 1
	ns.each(func(t *Task) {
		if t.isLeader() && t.group != g {
			t.group.kill(linux.SIGKILL)
		}
	})
}

// finishZap lets process 1 of a namespace that is empty now end.
func (g *Group) finishZap() {
	if g.zapping {
		g.zapping = false
		g.reparentChildren()
		g.becomeZombie()
	}
}

// notifyParent tells the parent that g has ended, and reaps g at once if the
// parent does not want to know.
func (g *Group) notifyParent() {
	p := g.parent
	if p == nil {
		g.reap()
		return
	}
	autoreap := p.zapping
	sig := g.exitSignal
	if sig == linux.SIGCHLD {
		act := p.leader.sighand.action(linux.SIGCHLD)
		if act.Handler == linux.SIG_IGN {
			autoreap, sig = true, 0
		} else if act.Flags&linux.SA_NOCLDWAIT != 0 {
			autoreap = true
		}
	}
	if sig != 0 && sig <= linux.NSIG { // clone(2) takes numbers that are no signals
		p.k.signalGroup(p, sig, g.childSignal(sig, g.zombieStatus))
	}
	if autoreap {
		g.deadUse, g.childUse = usage{}, usage{} // nobody asks for it
		g.leader.usage = usage{}
		g.reap()
	}
	p.waitq.Wake(0)
}

// childSignal is the siginfo of SIGCHLD for a wait status of g.
func (g *Group) childSignal(sig linux.Signal, status int) linux.Siginfo {
	code, value := childCode(status)
	u := g.totalUsage()
	return linux.Siginfo{
		Signo: sig, Code: code, PID: int32(g.leader.id.in(g.parent.leader.pidNS())), UID: g.parent.leader.cred.user.uidOut(g.leader.cred.UID),
		Status: value, Utime: ticks(u.user), Stime: ticks(u.system),
	}
}

// childCode splits a wait status into si_code and si_status.
func childCode(status int) (code, value int32) {
	switch {
	case status == continuedStatus:
		return linux.CLD_CONTINUED, int32(linux.SIGCONT)
	case status&0xff == 0x7f:
		return linux.CLD_STOPPED, int32(status >> 8)
	case status&0x80 != 0:
		return linux.CLD_DUMPED, int32(status & 0x7f)
	case status&0x7f != 0:
		return linux.CLD_KILLED, int32(status & 0x7f)
	}
	return linux.CLD_EXITED, int32(status >> 8)
}

// release removes an ended task that nobody waits for: a thread that is not
// the leader.
func (t *Task) release() {
	g := t.group
	g.threads = remove(g.threads, t)
	g.deadUse.add(&t.usage)
	t.forget()
}

// forget takes the task out of all tables.
func (t *Task) forget() {
	k := t.k
	t.state = TaskDead
	k.deadUse.add(&t.usage)
	t.unqueue()
	t.leaveCgroup()
	t.group.cgroup.chargePIDs(-1)
	t.sighand.put()
	t.ns.put()
	k.users.add(t.cred.UID, -1)
	t.id.detach(t)
}

// reap removes a zombie process; its resource usage goes to the parent. Whoever
// started it from outside is told.
func (g *Group) reap() {
	g.noteReap()
	if fn := g.k.done[g]; fn != nil {
		delete(g.k.done, g)
		fn(g.zombieStatus)
	}
	g.deadUse.add(&g.leader.usage)
	if p := g.parent; p != nil {
		p.childUse.add(&g.deadUse)
		p.childUse.add(&g.childUse)
		g.abandon()
	}
	g.leader.forget()
	g.leavePgrp()
	g.pending.flush()
}

// initExited ends the machine's other processes: without PID 1 there is no
// machine (pid_namespaces(7)).
func (k *Kernel) initExited(init *Group) {
	k.pids.init, k.pids.dying = nil, true
	k.pids.each(func(t *Task) {
		if t.group != init && !t.group.exiting && !t.group.zombie {
			t.group.kill(linux.SIGKILL)
		}
	})
	init.reap()
}

// kill ends a process from the kernel's side.
func (g *Group) kill(sig linux.Signal) {
	g.interruptCore()
	if !g.exiting && !g.zombie {
		g.leader.noteSignal(sig, 0)
		g.die(sig)
	}
}

// die ends a process by a signal that has been sent.
func (g *Group) die(sig linux.Signal) {
	if sig == linux.SIGKILL {
		g.interruptCore()
	}
	if g.exiting || g.zombie {
		return
	}
	g.exiting = true
	g.exitCode = killedStatus(sig, false)
	g.killThreads(nil)
}

// destroyTasks frees what all tasks hold, when the machine closes. No guest
// code runs any more.
func (k *Kernel) destroyTasks() {
	var all []*Task
	k.pids.each(func(t *Task) { all = append(all, t) })
	k.pids.init = nil
	for _, t := range all {
		t.removeWaits()
		if t.as != nil {
			t.as.Put()
			t.as = nil
		}
		if t.files != nil {
			t.files.put()
			t.files = nil
		}
		if t.fs != nil {
			t.fs.put()
			t.fs = nil
		}
		t.group.stopTimers()
		t.group.dropCore()
		t.forget()
	}
}
