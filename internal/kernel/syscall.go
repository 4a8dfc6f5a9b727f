package kernel

import (
	"fmt"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// A system call handler runs to completion, or it returns t.block(...) having
// changed nothing but the task's own progress record t.sc. When the task is
// woken the handler runs again from the top with the same arguments. So a
// blocked task is data, and a handler is written as a loop body:
//
//	n, errno := f.Ops.Read(f, buf, off)
//	if errno == linux.EAGAIN && !f.NonBlock() {
//		return t.blockOn(f.Ops.Queue(f), linux.ERESTARTSYS)
//	}
type handler func(t *Task, a *[6]uint64) (uint64, linux.Errno)

// eBlock is what a handler returns for "block". It never reaches a guest.
const eBlock linux.Errno = 601

// syscallState is the progress record of the call a task is in.
type syscallState struct {
	active          bool // a call has been entered and not finished
	entered         bool // the task is in the kernel because of it, or was last
	nr              uint64
	args            [6]uint64
	deadline        int64         // CLOCK_MONOTONIC ns at which a timeout ends the wait; 0 is not set, noDeadline never
	done            uint64        // bytes (or messages) moved so far
	intr            linux.Errno   // what a signal turns the wait into
	abandon         func()        // undoes a half-finished call that a signal ends
	step            int           // handlers with several stages count here
	ret             uint64        // a result that must survive the wait
	uninterruptible bool          // only a fatal signal ends the wait
	restart         linux.Errno   // the call has ended with this restart code
	notify          *notification // waits for a supervisor, see seccompnotify.go
	stopped         stopPlace     // stopped before the call is made: atEntry or atSeccomp
	emulated        bool          // its tracer makes the call (PTRACE_SYSEMU)
	gate32          bool          // entered through INT 0x80, with the number nr32
	nr32            uint32
}

// noDeadline is a deadline that never comes.
const noDeadline = int64(^uint64(0) >> 1)

// restartBlock is a call that restart_syscall(2) resumes.
type restartBlock struct{ sc syscallState }

// enterSyscall begins the call that the task's registers ask for.
func (t *Task) enterSyscall() {
	g := &t.Regs.GPR
	t.sc = syscallState{} // cleared in place: a value would be made elsewhere and copied
	t.sc.active, t.sc.entered, t.sc.nr = true, true, g[cpu.RAX]
	// One by one: they have just been stored so, and wider loads would wait.
	a := &t.sc.args
	a[0], a[1], a[2], a[3], a[4], a[5] = g[cpu.RDI], g[cpu.RSI], g[cpu.RDX], g[cpu.R10], g[cpu.R8], g[cpu.R9]
	if t.ptraceEntry() {
		return
	}
	t.beginSyscall()
}

// beginSyscall makes the call, unless a filter forbids it.
func (t *Task) beginSyscall() {
	t.traceEnter()
	if t.seccomp.mode == 0 || t.seccompEntry(false) {
		t.runSyscall()
	}
}

// runSyscall runs the handler of the call in progress, for the first time or
// again after a wake-up, and finishes the call unless it blocks.
func (t *Task) runSyscall() {
	if t.sc.notify != nil && !t.awaitNotification() {
		return
	}
	row := lookup(t.sc.nr)
	if row.fn == nil {
		t.k.unknownSyscall(t.sc.nr, row.Errno)
		t.finishSyscall(0, row.Errno)
		return
	}
	t.removeWaits()
	t.k.current = t
	t.enterMemory(true)
	defer t.settleCall()
	fn := row.fn
	if t.sc.gate32 {
		fn = compatHandler(t.sc.nr32, fn)
	}
	ret, errno := fn(t, &t.sc.args)
	if t.state == TaskZombie || t.state == TaskDead || !t.sc.active {
		t.ptraceExitCall()
		return // exit, or a handler that set the registers itself
	}
	if errno == eBlock {
		if !t.interrupted() {
			t.sleep()
			return
		}
		t.removeWaits()
		if ret, errno = t.sc.done, t.sc.intr; ret != 0 {
			errno = 0
		}
	}
	t.finishSyscall(ret, errno)
}

// interrupted reports whether a signal ends the wait the task is about to
// begin.
func (t *Task) interrupted() bool {
	if t.sc.uninterruptible {
		return t.fatalPending()
	}
	return t.signalPending()
}

// finishSyscall puts the result where the guest expects it.
func (t *Task) finishSyscall(ret uint64, errno linux.Errno) {
	t.removeWaits()
	t.countIO(ret, errno)
	t.cancelFutex()
	t.sigWaiting = 0
	if t.sc.abandon != nil {
		t.sc.abandon()
		t.sc.abandon = nil
	}
	if errno != 0 {
		ret = errnoResult(errno)
	}
	t.Regs.GPR[cpu.RAX] = ret
	t.sc.active = false
	t.noteCall(ret, errno)
	if errno >= linux.ERESTARTSYS && errno <= linux.ERESTART_RESTARTBLOCK {
		t.sc.restart = errno
		if errno == linux.ERESTART_RESTARTBLOCK {
			t.restart = &restartBlock{t.sc}
		}
	}
	t.traceExit(ret)
	t.ptraceExitCall()
}

// errnoResult is an errno as a system call returns it.
func errnoResult(errno linux.Errno) uint64 { return -uint64(errno) }

// block makes the call wait for a wake-up on any of the queues that the
// handler has added with t.waitOn. A signal ends the wait with intr.
func (t *Task) block(intr linux.Errno) (uint64, linux.Errno) {
	t.sc.intr = intr
	return 0, eBlock
}

// blockOn is block for one queue.
func (t *Task) blockOn(q *vfs.WaitQueue, intr linux.Errno) (uint64, linux.Errno) {
	t.waitOn(q)
	return t.block(intr)
}

// waitOn adds a queue to those that will wake the task. A handler that needs
// several calls t.expectWaits with their number first.
func (t *Task) waitOn(q *vfs.WaitQueue) {
	if q == nil {
		return
	}
	if len(t.waits) == cap(t.waits) {
		if len(t.waits) != 0 {
			panic("kernel: more wait queues than announced with expectWaits")
		}
		t.waits = make([]vfs.WaitEntry, 0, 1)
	}
	t.waits = append(t.waits, vfs.WaitEntry{Waiter: t})
	q.Add(&t.waits[len(t.waits)-1])
}

// expectWaits makes room for n queues: entries must not move while queued.
func (t *Task) expectWaits(n int) {
	t.removeWaits()
	if cap(t.waits) < n {
		t.waits = make([]vfs.WaitEntry, 0, n)
	}
}

// removeWaits leaves all queues and stops the timeout.
func (t *Task) removeWaits() {
	if len(t.waits) == 0 && t.sleepTimer.index == 0 {
		return
	}
	for i := range t.waits {
		t.waits[i].Remove()
	}
	t.waits = t.waits[:0]
	t.k.stopTimer(&t.sleepTimer)
}

// setTimeout sets the call's deadline the first time the handler runs. ns < 0
// means no timeout.
func (t *Task) setTimeout(ns int64) {
	if t.sc.deadline != 0 {
		return
	}
	if ns < 0 || ns > noDeadline-t.k.now() {
		t.sc.deadline = noDeadline
	} else {
		t.sc.deadline = t.k.now() + ns
	}
}

// timedOut reports whether the call's deadline has passed.
func (t *Task) timedOut() bool {
	return t.sc.deadline != 0 && t.k.now() >= t.sc.deadline
}

// StartTimeout bounds the wait of a call for what the file layer waits for.
func (t *Task) StartTimeout(ns int64) { t.setTimeout(ns) }

// TimedOut reports whether the time of StartTimeout is over.
func (t *Task) TimedOut() bool { return t.timedOut() }

// fileWait turns the internal result of a file operation into a wait: EAGAIN
// waits for the file unless it is O_NONBLOCK, vfs.EWAIT for what the operation
// named. Other results pass.
func (t *Task) fileWait(f *vfs.File, ret uint64, errno linux.Errno) (uint64, linux.Errno) {
	switch {
	case errno == vfs.EWAIT:
		return t.blockOn(t.k.vfsCtx.WaitOn, linux.ERESTARTSYS)
	case errno == linux.EAGAIN && f != nil && !f.NonBlock() && f.Ops.Queue(f) != nil:
		return t.blockOn(f.Ops.Queue(f), linux.ERESTARTSYS)
	}
	return ret, errno
}

// noSyscall is the row of numbers that have none.
var noSyscall = Syscall{support: absent(linux.ENOSYS)}

// lookup finds the row of a system call.
func lookup(nr uint64) *Syscall {
	if nr < NumSyscalls && (calls[nr].fn != nil || calls[nr].Errno != 0) {
		return &calls[nr]
	}
	return &noSyscall
}

// unknownSyscall names, once, a call that does not exist here.
func (k *Kernel) unknownSyscall(nr uint64, errno linux.Errno) {
	if k.unknown[nr] {
		return
	}
	if len(k.unknown) > 1000 {
		return // a hostile guest cannot fill the log
	}
	k.unknown[nr] = true
	name := linux.SyscallName(int(nr))
	k.logf("system call %d (%s) is not supported: %v", nr, name, errno)
}

// logf writes a line to the machine's log.
func (k *Kernel) logf(format string, args ...any) {
	if k.cfg.Log != nil {
		k.cfg.Log(fmt.Sprintf(format, args...))
	}
}
