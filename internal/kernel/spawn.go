package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/tty"
	"github.com/tinevm/tine/internal/vfs"
)

// Process is a program to be started from outside the machine.
type Process struct {
	Path   string // of the program, inside the machine; no search
	Argv   []string
	Env    []string
	Dir    string // working directory; "" is /
	Cred   *Cred
	Files  []*vfs.File // descriptors 0, 1, ...; references are taken over
	Limits map[int]linux.Rlimit
	TTY    *tty.TTY // becomes the controlling terminal, if any

	// Exited is called with the wait status when the process has ended. The
	// kernel lock is held.
	Exited func(status int)
}

// Spawn starts a process as the leader of a group. It is a child of the built-in
// process 1; without that the first is process 1 itself, and the others have no
// parent in the machine.
// errno tells why the program could not be started. The kernel lock is held.
func (k *Kernel) Spawn(p *Process) (pid int, errno linux.Errno) {
	t, errno := k.newProcess(p)
	if errno != 0 {
		return 0, errno
	}
	if init := k.pids.init; init != nil {
		init.leader.noteFork(t, 0)
	}
	if errno = t.chdirTo(p.Dir); errno == 0 {
		errno = t.startProgram(p)
	}
	if errno != 0 {
		k.discard(t)
		return 0, errno
	}
	if p.Exited != nil {
		k.done[t.group] = p.Exited
	}
	if p.TTY != nil {
		p.TTY.Attach(t.group.session, t.group.pgrp.pid.nr)
		t.group.tty = p.TTY
	}
	t.state = TaskRunning
	t.traceStarted(p)
	k.enqueue(t)
	return t.tid, 0
}

// newProcess makes a process without an image.
func (k *Kernel) newProcess(p *Process) (*Task, linux.Errno) {
	if k.pids.tasks >= k.cfg.MaxTasks {
		return nil, linux.EAGAIN
	}
	id, errno := k.pids.alloc(nil)
	if errno != 0 {
		return nil, errno
	}
	if p.Cred.user == nil {
		p.Cred.user = k.rootUser
	}
	t := &Task{
		k: k, files: newFDTable(), cred: p.Cred, sighand: newSigHand(),
		fs:         &FSInfo{refs: 1, Umask: 0o022},
		ns:         k.rootNS.get(),
		timerSlack: defaultTimerSlack, exitSignal: linux.SIGCHLD, startTime: k.now(),
		altstack: linux.StackT{Flags: linux.SS_DISABLE},
	}
	t.sched = schedEntity{policy: linux.SCHED_OTHER, slice: sliceInsns, affinity: ^uint64(0), index: -1, vruntime: k.runq.min}
	if root := k.cfg.Root; root != nil {
		t.fs.Root, t.fs.Cwd = root.Root(), root.Root()
	}
	g := &Group{k: k, pid: id.nr, leader: t, threads: []*Task{t}, exitSignal: linux.SIGCHLD, startTime: t.startTime, dumpable: dumpUser, coreFilter: coreFilterDefault, loginUID: keepID, auditSession: keepID}
	switch {
	case k.pids.init == nil:
		k.pids.init = g
	case !k.cfg.NoInit:
		k.pids.init.adopt(g, k.pids.init.leader)
	}
	g.rlimits = defaultLimits()
	for r, l := range p.Limits {
		g.rlimits[r] = l
	}
	t.group = g
	k.cgroups.root.join(g)
	id.attach(t)
	k.users.add(t.cred.UID, 1)
	k.placeInSession(g, p.TTY != nil)
	for fd, f := range p.Files {
		if f != nil {
			t.files.set(fd, f, false)
		}
	}
	return t, 0
}

func (t *Task) chdirTo(dir string) linux.Errno {
	if dir == "" {
		return 0
	}
	path, errno := vfs.Lookup(t.ctx(), t.fs.Cwd, dir, 0)
	if errno != 0 {
		return errno
	}
	a, errno := path.Attr()
	if errno == 0 && !a.IsDir() {
		errno = linux.ENOTDIR
	}
	if errno != 0 {
		path.Put()
		return errno
	}
	t.fs.Cwd.Put()
	t.fs.Cwd = path
	return 0
}

// startProgram is execve for a task that has no image yet.
func (t *Task) startProgram(p *Process) linux.Errno {
	f, errno := t.openExec(p.Path)
	if errno != 0 {
		return errno
	}
	e := execArgs{file: f, path: p.Path, argv: p.Argv, envp: p.Env}
	defer func() { e.file.Put() }()
	return t.execve(&e)
}

// discard removes a process that never ran.
func (k *Kernel) discard(t *Task) {
	t.exitCode = exitedStatus(127) // as a shell's child that cannot exec
	t.group.zombieStatus = t.exitCode
	t.noteExit(true)
	t.group.noteReap()
	t.files.put()
	t.fs.put()
	if t.as != nil {
		t.as.Put()
	}
	if k.pids.init == t.group {
		k.pids.init = nil
	}
	t.group.abandon()
	t.group.leavePgrp()
	t.forget()
}

// defaultLimits are the resource limits of the first process (INIT_RLIMITS,
// with the usual number of files).
func defaultLimits() (l [linux.RLIM_NLIMITS]linux.Rlimit) {
	const inf = ^uint64(0)
	for i := range l {
		l[i] = linux.Rlimit{Cur: inf, Max: inf}
	}
	l[linux.RLIMIT_STACK].Cur = 8 << 20
	l[linux.RLIMIT_CORE].Cur = 0
	l[linux.RLIMIT_NOFILE] = linux.Rlimit{Cur: 1024, Max: 1 << 20}
	l[linux.RLIMIT_MEMLOCK] = linux.Rlimit{Cur: 8 << 20, Max: 8 << 20}
	l[linux.RLIMIT_NICE] = linux.Rlimit{}
	l[linux.RLIMIT_RTPRIO] = linux.Rlimit{}
	l[linux.RLIMIT_MSGQUEUE] = linux.Rlimit{Cur: 819200, Max: 819200}
	l[linux.RLIMIT_SIGPENDING] = linux.Rlimit{Cur: 96000, Max: 96000}
	l[linux.RLIMIT_NPROC] = linux.Rlimit{Cur: 96000, Max: 96000}
	return l
}

// Signal sends a signal to a process from outside. The kernel lock is held.
func (k *Kernel) Signal(pid int, sig linux.Signal) linux.Errno {
	g := k.pids.process(pid)
	if g == nil {
		return linux.ESRCH
	}
	if sig == linux.SIGKILL {
		g.kill(sig) // PID 1 too: who started the machine may end it
		return 0
	}
	return g.queueSignal(sig, linux.Siginfo{Signo: sig, Code: linux.SI_USER}, true)
}

// placeInSession makes the process the leader of a group in PID 1's session, as
// a shell starts a job, or, with a terminal of its own, of a new session.
func (k *Kernel) placeInSession(g *Group, tty bool) {
	if k.pids.init == g || tty || k.cfg.NoInit {
		k.newSession(g)
		return
	}
	g.topLevel = true
	g.session = k.pids.init.session
	k.joinPgrp(g, k.newPgrp(g.leader.id, g.session))
}

// bootInit makes the built-in PID 1: a task without a program that is the
// parent of what is started from outside and of orphans. It ignores SIGCHLD, so
// that its children are reaped as they end.
func (k *Kernel) bootInit() {
	t, errno := k.newProcess(&Process{Cred: NewCred(0, 0, nil)})
	if errno != 0 {
		panic("kernel: no PID 1: " + errno.String())
	}
	t.comm = "init"
	t.state = TaskSleeping
	t.sighand.set(linux.SIGCHLD, linux.Sigaction{Handler: linux.SIG_IGN})
}
