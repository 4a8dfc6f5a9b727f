package kernel

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/tty"
	"github.com/tinevm/tine/internal/vfs"
)

// TaskState is what a task is doing, in the words of proc(5).
type TaskState uint8

// The states of a task.
const (
	// TaskNew is being created and cannot run or be found yet.
	TaskNew TaskState = iota
	// TaskRunning runs or waits for a processor (R).
	TaskRunning
	// TaskSleeping waits for an event; signals wake it (S).
	TaskSleeping
	// TaskDisk waits for an event and only a fatal signal wakes it (D), as a
	// vfork parent does.
	TaskDisk
	// TaskStopped was stopped by job control (T).
	TaskStopped
	// TaskTraced was stopped for its tracer (t).
	TaskTraced
	// TaskZombie has ended and waits to be reaped (Z).
	TaskZombie
	// TaskDead is reaped (X).
	TaskDead
)

// Letter gives the state as /proc/PID/stat shows it.
func (s TaskState) Letter() byte { return "RRSDTtZX"[s] }

// Task is one thread of execution (task_struct). It is plain data: a task that
// does not run is nothing but this. A process is a Group of tasks.
type Task struct {
	k     *Kernel
	id    *pid
	tid   int // its number in the machine's first namespace
	group *Group

	Regs cpu.Regs
	comm string // the name, at most 15 bytes (PR_SET_NAME)

	state TaskState

	// What the task has copied from or shares with others, by clone flag.
	as      *mm.AddressSpace // nil once it has exited (CLONE_VM)
	files   *FDTable         // CLONE_FILES
	fs      *FSInfo          // CLONE_FS
	sighand *SigHand         // CLONE_SIGHAND
	cred    *Cred            // immutable: replaced, never changed
	ns      *Namespaces      // CLONE_NEW*
	undo    *semUndoList     // CLONE_SYSVSEM

	// Signals; see signal.go.
	sigmask     linux.Sigset
	savedMask   linux.Sigset // sigsuspend and friends: restored after the handler
	restoreMask bool
	pending     sigPending
	unseen      []linux.Siginfo // ignored signals that the tracer has not been shown
	altstack    linux.StackT
	sigWaiting  linux.Sigset // sigtimedwait waits for these

	// The system call in progress; see syscall.go.
	sc      syscallState
	restart *restartBlock

	// Waiting; see sched.go.
	waits      []vfs.WaitEntry
	sleepTimer timer
	sched      schedEntity
	inCgroup   bool  // counts as a living task of its group
	frozen     bool  // at rest; see cgroupfreeze.go
	overHigh   int64 // pages charged beyond memory.high

	// vfork: the child for whom this task stands still, or the parent that
	// stands still for this task.
	vforkChild  *Task
	vforkParent *Task

	// Thread library support (set_tid_address(2), get_robust_list(2), rseq(2)).
	clearChildTID uint64
	robustList    uint64
	rseq          rseqArea
	futex         futexWaiter
	piWaiters     []*Task // those who wait for locks of this task

	ptrace *ptraceState // nil if it is not traced
	debug  *debugRegs   // nil if no tracer has set any

	exitSignal  linux.Signal // sent to the parent at exit; 0 for threads
	exitCode    int          // wait status of this task
	pdeathsig   linux.Signal
	exiting     bool
	killed      bool // must end as soon as it would run; the group has the status
	inCore      bool // rests until the process has been dumped
	forkNoExec  bool // PF_FORKNOEXEC: forked but has not exec'd
	superPriv   bool // PF_SUPERPRIV: used superuser privileges (acct(5))
	didExec     bool // setpgid by the parent is no longer allowed
	noNewPrivs  bool
	seccomp     seccompState
	mempolicy   memPolicy
	timerSlack  uint64
	personality uint32

	// Statistics, cleared at fork.
	usage     usage
	startTime int64 // CLOCK_MONOTONIC ns

	cpu    int // processor it ran on last
	fault  faultInfo
	ioprio int
}

// Group is a thread group: what POSIX calls a process (signal_struct).
type Group struct {
	k       *Kernel
	pid     int // of the leader, in the machine's first namespace
	leader  *Task
	threads []*Task // living threads, in order of creation; the leader first

	parent     *Group
	parentTask *Task         // the thread that is waited for with __WNOTHREAD
	children   groupSet      // zombies included
	news       groupSet      // those that wait would report, see updateNews
	tracees    []*Task       // that threads of this process trace
	ended      []endedTracee // traced tasks that have ended
	childAt    uint64        // the place in the parent's sets
	topLevel   bool          // started from outside the machine
	reaper     bool          // PR_SET_CHILD_SUBREAPER

	cgroup   *cgroup
	cgroupAt uint64 // the place among its processes

	pgrp     *ProcessGroup
	memberAt uint64 // the place among its members
	session  *Session
	tty      *tty.TTY      // controlling terminal; nil if none
	hungUp   *ProcessGroup // the foreground group of a terminal that was hung up

	pending sigPending // signals sent to the process
	rlimits [linux.RLIM_NLIMITS]linux.Rlimit

	exitCode     int  // status of the group once it ends
	exiting      bool // exit_group was called or a fatal signal came
	zombie       bool // all threads have ended; waits to be reaped
	zapping      bool // process 1 of a pid namespace, ended, waits for the rest to go
	zombieStatus int
	exitSignal   linux.Signal

	// Job control.
	stopped    bool // all threads are to stop
	stopSig    linux.Signal
	stopReport bool // a stop that wait has not seen yet
	contReport bool // a continuation that wait has not seen yet

	waitq vfs.WaitQueue // those waiting for children of this process
	exitq vfs.WaitQueue // pidfds of this process
	sigq  vfs.WaitQueue // signalfds of this process

	itimers     [3]itimer
	posix       posixTimers
	childUse    usage // of reaped children
	deadUse     usage // of threads that have ended
	startTime   int64
	oomAdj      int
	oomAdjMin   int // what oomAdj was last set to by a privileged process
	dumpable    int
	noHugePages bool      // PR_SET_THP_DISABLE
	membarrier  uint32    // commands that it has registered for
	core        *coreDump // being written; see coredump.go
	// coreFilter is /proc/PID/coredump_filter.
	coreFilter uint32

	// Who logged in, and which login that was; keepID if nobody did.
	loginUID, auditSession uint32
}

// usage is what getrusage(2) counts. Times are in instructions and converted
// when read, so that they are exact.
type usage struct {
	user, system     int64 // nanoseconds
	minflt, majflt   int64
	nvcsw, nivcsw    int64
	maxrss           int64 // pages
	inblock, oublock int64
	insns            int64
	io               ioUsage
}

// ioUsage is what /proc/PID/io counts: bytes and calls of read(2) and write(2)
// and their like, whatever they read and write.
type ioUsage struct{ rchar, wchar, syscr, syscw int64 }

func (u *usage) add(v *usage) {
	u.user += v.user
	u.system += v.system
	u.minflt += v.minflt
	u.majflt += v.majflt
	u.nvcsw += v.nvcsw
	u.nivcsw += v.nivcsw
	u.maxrss = max(u.maxrss, v.maxrss)
	u.inblock += v.inblock
	u.oublock += v.oublock
	u.insns += v.insns
	u.io.rchar += v.io.rchar
	u.io.wchar += v.io.wchar
	u.io.syscr += v.io.syscr
	u.io.syscw += v.io.syscw
}

// FSInfo is what CLONE_FS shares (fs_struct).
type FSInfo struct {
	refs  int
	Root  vfs.Path
	Cwd   vfs.Path
	Umask uint32
}

func (f *FSInfo) get() *FSInfo {
	f.refs++
	return f
}

func (f *FSInfo) copy() *FSInfo {
	return &FSInfo{refs: 1, Root: f.Root.Get(), Cwd: f.Cwd.Get(), Umask: f.Umask}
}

func (f *FSInfo) put() {
	if f.refs--; f.refs == 0 {
		f.Root.Put()
		f.Cwd.Put()
	}
}

// ctx gives the file system layer what it must know of the caller.
func (t *Task) ctx() *vfs.Context {
	c := &t.k.vfsCtx
	*c = vfs.Context{
		Root: t.fs.Root, Cwd: t.fs.Cwd, Umask: t.fs.Umask,
		Cred: &t.cred.Cred, Mounts: t.ns.mnt, Now: t.k.realtime, Task: t,
	}
	return c
}

// isLeader reports whether t is the leader of its group.
func (t *Task) isLeader() bool { return t.group.leader == t }

// rlimit returns the soft limit of resource r.
func (t *Task) rlimit(r int) uint64 { return t.group.rlimits[r].Cur }
