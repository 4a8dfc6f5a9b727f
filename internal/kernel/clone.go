package kernel

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// cloneArgs says what a new task shares with its maker and where it starts:
// clone3(2)'s structure, which fork, vfork and clone are put into as well.
type cloneArgs struct {
	flags      uint64
	pidfd      uint64 // where to store the pidfd
	childTID   uint64
	parentTID  uint64
	exitSignal linux.Signal
	stack      uint64 // top of the new stack; 0 keeps the maker's
	tls        uint64
	setTID     []int
	cgroup     uint64 // CLONE_INTO_CGROUP: a descriptor of its directory
}

// clone makes a new task. fork, vfork, clone, clone3 and the threads of every
// library come through here: the flags say what is copied and what is shared.
func (t *Task) clone(a *cloneArgs) (*Task, linux.Errno) {
	if errno := t.checkCloneFlags(a); errno != 0 {
		return nil, errno
	}
	if errno := t.checkTaskLimits(); errno != 0 {
		return nil, errno
	}
	cgroup, errno := t.cgroupOfChild(a)
	if errno != 0 {
		return nil, errno
	}
	// A new task structure, a duplicate of the maker's: registers, mask, name.
	child := t.duplicate(a)
	// It has not run yet, has used no privilege, and has not exec'd.
	child.clearStatistics()
	child.superPriv, child.forkNoExec = false, true
	if errno := t.copyCred(child, a.flags); errno != 0 {
		return nil, errno
	}
	// What it copies or shares, in Linux's order.
	t.copyUndo(child, a.flags)
	t.copyFiles(child, a.flags)
	t.copyFS(child, a.flags)
	t.copySigHand(child, a.flags)
	t.copyMemory(child, a.flags)
	t.copyThreadState(child, a)
	// Its namespaces, and its number in the innermost of those for pids.
	pid, pidfd, errno := t.placeInNamespaces(child, a)
	if errno != 0 {
		child.dropCopies()
		return nil, errno
	}
	// From here on it can be found.
	pid.attach(child)
	child.seccomp = t.seccomp.copy()
	child.traceCreated()
	t.joinFamily(child, a)
	child.joinCgroup(cgroup)
	t.noteFork(child, a.flags)
	t.storeTIDs(child, a, pidfd)
	t.ptraceClone(child, a)
	t.k.users.add(child.cred.UID, 1)
	t.k.forks++
	// It is complete and may run, before its maker unless a setting says not.
	t.k.placeChild(t, child)
	return child, 0
}

// checkCloneFlags refuses the combinations Linux refuses (clone(2), ERRORS).
func (t *Task) checkCloneFlags(a *cloneArgs) linux.Errno {
	f := a.flags
	has := func(bits uint64) bool { return f&bits == bits }
	switch {
	case has(linux.CLONE_NEWNS | linux.CLONE_FS),
		has(linux.CLONE_NEWUSER | linux.CLONE_FS),
		has(linux.CLONE_THREAD) && !has(linux.CLONE_SIGHAND),
		has(linux.CLONE_SIGHAND) && !has(linux.CLONE_VM),
		has(linux.CLONE_THREAD) && f&(linux.CLONE_NEWUSER|linux.CLONE_NEWPID) != 0,
		has(linux.CLONE_SIGHAND | linux.CLONE_CLEAR_SIGHAND),
		has(linux.CLONE_THREAD | linux.CLONE_PIDFD),
		has(linux.CLONE_PIDFD | linux.CLONE_DETACHED),
		has(linux.CLONE_PARENT) && t.group.isInit(),
		has(linux.CLONE_NEWIPC | linux.CLONE_SYSVSEM):
		return linux.EINVAL
	}
	return 0
}

// checkTaskLimits is the limit on tasks: the machine's, then the user's.
func (t *Task) checkTaskLimits() linux.Errno {
	k := t.k
	if k.pids.tasks >= k.cfg.MaxTasks {
		return linux.EAGAIN
	}
	if uint64(k.users.count(t.cred.UID)) >= t.rlimit(linux.RLIMIT_NPROC) && t.cred.UID != 0 &&
		!t.capable(linux.CAP_SYS_RESOURCE) && !t.capable(linux.CAP_SYS_ADMIN) {
		return linux.EAGAIN
	}
	return 0
}

// duplicate makes the new task as a copy of what is not shared by flag.
func (t *Task) duplicate(a *cloneArgs) *Task {
	return &Task{
		k: t.k, Regs: t.Regs.Copy(), comm: t.comm, state: TaskNew,
		cred: t.cred, sigmask: t.sigmask, altstack: t.altstack,
		exitSignal: a.exitSignal, noNewPrivs: t.noNewPrivs, mempolicy: t.mempolicy,
		timerSlack: t.timerSlack, personality: t.personality, ioprio: t.ioprio,
		cpu: t.cpu,
	}
}

func (t *Task) clearStatistics() {
	t.usage = usage{}
	t.startTime = t.k.now()
}

// copyCred gives the child the maker's credentials, which are shared for as
// long as nobody changes them, or those of the first task of a new user
// namespace.
func (t *Task) copyCred(child *Task, flags uint64) linux.Errno {
	if flags&linux.CLONE_NEWUSER == 0 {
		return 0
	}
	user, errno := t.newUserNS()
	if errno == 0 {
		child.cred = t.cred.entering(user)
	}
	return errno
}

// placeInNamespaces gives the child its namespaces, its number, and the maker
// the pidfd it asks for.
func (t *Task) placeInNamespaces(child *Task, a *cloneArgs) (p *pid, pidfd *vfs.File, errno linux.Errno) {
	if errno = t.copyNamespaces(child, a.flags); errno != 0 {
		return nil, nil, errno
	}
	if p, errno = t.allocPID(child, a); errno != 0 {
		return nil, nil, errno
	}
	if pidfd, errno = t.allocPidfd(a); errno != 0 {
		p.release()
	}
	return p, pidfd, errno
}

// dropCopies undoes the copying for a task that will not be.
func (t *Task) dropCopies() {
	if t.ns != nil {
		t.ns.put()
	}
	t.as.Put()
	t.sighand.put()
	t.fs.put()
	t.files.put()
	if t.undo != nil {
		t.undo.refs--
	}
}

// allocPID gives the child its numbers. Choosing them (clone3's set_tid) takes a
// capability in every namespace for which one is chosen.
func (t *Task) allocPID(child *Task, a *cloneArgs) (*pid, linux.Errno) {
	ns := child.ns.pid
	if len(a.setTID) > ns.level+1 {
		return nil, linux.EINVAL
	}
	for i, n := 0, ns; i < len(a.setTID); i, n = i+1, n.parent {
		if errno := n.checkWanted(a.setTID[i]); errno == linux.EINVAL {
			return nil, errno
		}
		if !t.capableIn(n.owner, linux.CAP_SYS_ADMIN) && !t.capableIn(n.owner, linux.CAP_CHECKPOINT_RESTORE) {
			return nil, linux.EPERM
		}
	}
	return ns.alloc(a.setTID)
}

func (t *Task) copyUndo(child *Task, flags uint64) {
	if flags&linux.CLONE_SYSVSEM != 0 {
		if t.undo == nil {
			t.undo = &semUndoList{refs: 1}
		}
		t.undo.refs++
		child.undo = t.undo
	}
}

func (t *Task) copyFiles(child *Task, flags uint64) {
	if flags&linux.CLONE_FILES != 0 {
		child.files = t.files.get()
	} else {
		child.files = t.files.copy()
	}
}

func (t *Task) copyFS(child *Task, flags uint64) {
	if flags&linux.CLONE_FS != 0 {
		child.fs = t.fs.get()
	} else {
		child.fs = t.fs.copy()
	}
}

func (t *Task) copySigHand(child *Task, flags uint64) {
	if flags&linux.CLONE_SIGHAND != 0 {
		child.sighand = t.sighand.get()
		return
	}
	child.sighand = t.sighand.copy()
	if flags&linux.CLONE_CLEAR_SIGHAND != 0 {
		child.sighand.reset()
	}
}

// copyMemory shares the address space, or forks it: one reference, whatever
// its size.
func (t *Task) copyMemory(child *Task, flags uint64) {
	if flags&linux.CLONE_VM == 0 {
		child.as = t.as.Fork()
		child.rseq = t.rseq
		return
	}
	child.as = t.as.Get()
	if flags&linux.CLONE_VFORK == 0 {
		child.altstack = linux.StackT{Flags: linux.SS_DISABLE}
	}
}

// copyThreadState is where the child starts: after the call, with 0 as result.
func (t *Task) copyThreadState(child *Task, a *cloneArgs) {
	child.Regs.GPR[cpu.RAX] = 0
	if a.stack != 0 {
		child.Regs.GPR[cpu.RSP] = a.stack
	}
	if a.flags&linux.CLONE_SETTLS != 0 {
		child.Regs.FSBase, child.Regs.Segs[4] = a.tls, 0
	}
	if a.flags&linux.CLONE_CHILD_CLEARTID != 0 {
		child.clearChildTID = a.childTID
	}
}

// joinFamily makes the child a thread of its maker's group, or a process of
// its own with a parent.
func (t *Task) joinFamily(child *Task, a *cloneArgs) {
	g := t.group
	if a.flags&linux.CLONE_THREAD != 0 {
		child.group = g
		child.exitSignal = 0
		g.threads = append(g.threads, child)
		return
	}
	ng := &Group{
		k: t.k, pid: child.tid, leader: child, threads: []*Task{child},
		rlimits: g.rlimits, startTime: child.startTime, exitSignal: a.exitSignal,
		oomAdj: g.oomAdj, oomAdjMin: g.oomAdjMin, dumpable: g.dumpable, membarrier: g.membarrier, noHugePages: g.noHugePages, coreFilter: g.coreFilter, loginUID: g.loginUID, auditSession: g.auditSession,
	}
	child.group = ng
	if ns := child.pidNS(); ns.init == nil && !ns.dying {
		ns.init = ng // the first process of its namespace
	}
	ng.session, ng.tty = g.session, g.tty
	t.k.joinPgrp(ng, g.pgrp)
	parent, by := g, t
	if a.flags&linux.CLONE_PARENT != 0 {
		parent, by = g.parent, g.parentTask
		ng.exitSignal = g.exitSignal
		child.exitSignal = g.exitSignal
	}
	if parent != nil {
		parent.adopt(ng, by)
	}
}

// storeTIDs writes the numbers where the caller wants them. Linux ignores bad
// addresses here.
func (t *Task) storeTIDs(child *Task, a *cloneArgs, pidfd *vfs.File) {
	if a.flags&linux.CLONE_PARENT_SETTID != 0 {
		t.putUint32(a.parentTID, uint32(child.id.in(t.pidNS())))
	}
	if a.flags&linux.CLONE_CHILD_SETTID != 0 {
		child.putUint32(a.childTID, uint32(child.nr()))
	}
	if pidfd != nil {
		t.k.bindPidfd(pidfd, child.group)
	}
}

// allocPidfd makes the descriptor of CLONE_PIDFD, so that a full table is
// noticed before anything exists.
func (t *Task) allocPidfd(a *cloneArgs) (*vfs.File, linux.Errno) {
	if a.flags&linux.CLONE_PIDFD == 0 {
		return nil, 0
	}
	f := t.k.newPidfd()
	fd, errno := t.installFD(f, true)
	if errno != 0 {
		return nil, errno
	}
	if errno := t.putUint32(a.pidfd, uint32(fd)); errno != 0 {
		t.files.close(int(fd))
		return nil, errno
	}
	return f, 0
}

func sysFork(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	return t.doClone(&cloneArgs{exitSignal: linux.SIGCHLD})
}

func sysVfork(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	return t.doClone(&cloneArgs{flags: linux.CLONE_VFORK | linux.CLONE_VM, exitSignal: linux.SIGCHLD})
}

// sysClone takes flags, stack, parent_tid, child_tid, tls; parent_tid doubles
// as the place of the pidfd.
func sysClone(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	flags := uint64(uint32(a[0]))
	if flags&(linux.CLONE_PIDFD|linux.CLONE_PARENT_SETTID) == linux.CLONE_PIDFD|linux.CLONE_PARENT_SETTID {
		return 0, linux.EINVAL
	}
	return t.doClone(&cloneArgs{
		flags:      flags &^ linux.CSIGNAL,
		exitSignal: linux.Signal(flags & linux.CSIGNAL),
		stack:      a[1], parentTID: a[2], pidfd: a[2], childTID: a[3], tls: a[4],
	})
}

func sysClone3(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const minSize, knownSize = 64, 88
	size := a[1]
	if size > 4096 {
		return 0, linux.E2BIG
	}
	if size < minSize {
		return 0, linux.EINVAL
	}
	buf := make([]byte, max(size, knownSize))
	if errno := t.copyIn(a[0], buf[:size]); errno != 0 {
		return 0, errno
	}
	for _, b := range buf[knownSize:] {
		if b != 0 {
			return 0, linux.E2BIG
		}
	}
	var ca linux.CloneArgs
	ca.Decode(buf)
	if ca.Flags&linux.CLONE_INTO_CGROUP != 0 && size < knownSize {
		return 0, linux.EINVAL
	}
	return t.clone3(&ca)
}

func (t *Task) clone3(ca *linux.CloneArgs) (uint64, linux.Errno) {
	const known = linux.CLONE_CLEAR_SIGHAND | linux.CLONE_INTO_CGROUP | linux.CLONE_NEWTIME | 0xffff_ff00
	switch {
	case ca.Flags&^known != 0, ca.Flags&(linux.CLONE_DETACHED|linux.CSIGNAL&^linux.CLONE_NEWTIME) != 0,
		ca.ExitSignal&^linux.CSIGNAL != 0 || ca.ExitSignal > linux.NSIG,
		ca.Flags&(linux.CLONE_THREAD|linux.CLONE_PARENT) != 0 && ca.ExitSignal != 0,
		(ca.Stack == 0) != (ca.StackSize == 0), ca.Stack+ca.StackSize < ca.Stack || ca.Stack+ca.StackSize > mm.UserTop,
		ca.Flags&linux.CLONE_INTO_CGROUP != 0 && ca.Cgroup > 1<<31-1,
		ca.SetTIDSize > 32 || (ca.SetTID == 0) != (ca.SetTIDSize == 0):
		return 0, linux.EINVAL
	}
	args := cloneArgs{
		flags: ca.Flags, pidfd: ca.Pidfd, childTID: ca.ChildTID, parentTID: ca.ParentTID,
		exitSignal: linux.Signal(ca.ExitSignal), tls: ca.TLS, cgroup: ca.Cgroup,
	}
	if ca.Stack != 0 {
		args.stack = ca.Stack + ca.StackSize
	}
	for i := range ca.SetTIDSize {
		tid, errno := t.getUint32(ca.SetTID + 4*i)
		if errno != 0 {
			return 0, errno
		}
		args.setTID = append(args.setTID, int(int32(tid)))
	}
	return t.doClone(&args)
}

// doClone makes the child and, for vfork, stands still until it has exec'd or
// ended.
func (t *Task) doClone(a *cloneArgs) (uint64, linux.Errno) {
	if t.sc.step == 1 {
		return t.awaitVfork()
	}
	child, errno := t.clone(a)
	if errno != 0 {
		return 0, errno
	}
	if a.flags&linux.CLONE_VFORK == 0 {
		return uint64(child.id.in(t.pidNS())), 0
	}
	t.vforkChild, child.vforkParent = child, t
	t.sc.step, t.sc.ret = 1, uint64(child.id.in(t.pidNS()))
	return t.awaitVfork()
}

func (t *Task) awaitVfork() (uint64, linux.Errno) {
	if t.vforkChild == nil {
		t.ptraceEvent(linux.PTRACE_EVENT_VFORK_DONE, t.sc.ret)
		return t.sc.ret, 0
	}
	t.sc.uninterruptible = true
	return t.block(linux.EINTR)
}

// releaseVfork lets the parent of a vfork go on: the child has left its memory.
func (t *Task) releaseVfork() {
	p := t.vforkParent
	if p == nil {
		return
	}
	t.vforkParent = nil
	p.vforkChild = nil
	p.wake()
}
