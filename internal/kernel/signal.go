package kernel

import (
	"math/bits"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
)

// SigHand is a table of signal actions (sighand_struct), shared by threads and
// whoever else uses CLONE_SIGHAND. Copies share the table until one changes.
type SigHand struct {
	refs  int
	table *sigActions
}

type sigActions struct {
	owners int // SigHands
	of     [linux.NSIG + 1]linux.Sigaction
}

func newSigHand() *SigHand { return &SigHand{refs: 1, table: &sigActions{owners: 1}} }

func (s *SigHand) get() *SigHand {
	s.refs++
	return s
}

func (s *SigHand) put() {
	if s.refs--; s.refs == 0 {
		s.table.owners--
	}
}

func (s *SigHand) copy() *SigHand {
	s.table.owners++
	return &SigHand{refs: 1, table: s.table}
}

// action is what is set for a signal, not to be changed.
func (s *SigHand) action(sig linux.Signal) *linux.Sigaction { return &s.table.of[sig] }

// set changes the action of a signal.
func (s *SigHand) set(sig linux.Signal, act linux.Sigaction) {
	if s.table.of[sig] == act {
		return
	}
	if s.table.owners > 1 {
		s.table.owners--
		table := new(sigActions)
		*table = *s.table // a literal would be copied twice
		table.owners, s.table = 1, table
	}
	s.table.of[sig] = act
}

// reset makes handled signals default again, as exec does; ignored ones stay
// ignored.
func (s *SigHand) reset() {
	for sig := linux.Signal(1); sig <= linux.NSIG; sig++ {
		next := linux.Sigaction{}
		if s.action(sig).Handler == linux.SIG_IGN {
			next.Handler = linux.SIG_IGN
		}
		if *s.action(sig) != next {
			s.set(sig, next)
		}
	}
}

// sigPending are the signals that wait for delivery to a task or a process:
// one of each standard signal, any number of each real-time signal, in order.
type sigPending struct {
	set   linux.Sigset
	queue []linux.Siginfo
}

// add queues a signal unless it is a standard one that is pending already.
func (p *sigPending) add(info *linux.Siginfo) bool {
	if info.Signo < linux.SIGRTMIN && p.set.Has(info.Signo) {
		return false
	}
	p.set.Add(info.Signo)
	p.queue = append(p.queue, *info)
	return true
}

// take removes the next signal that is not in mask, if there is one, and stores it in
// info: synchronous faults first, then the lowest number.
func (p *sigPending) take(mask linux.Sigset, info *linux.Siginfo) bool {
	ready := p.set &^ mask
	if ready == 0 {
		return false
	}
	sig := firstSignal(ready)
	found := false
	for i := 0; i < len(p.queue); i++ {
		if p.queue[i].Signo != sig {
			continue
		}
		if found {
			return true // more of them remain
		}
		*info, found = p.queue[i], true
		p.queue = append(p.queue[:i], p.queue[i+1:]...)
		i--
	}
	p.set.Del(sig)
	if !found {
		*info = linux.Siginfo{Signo: sig, Code: linux.SI_USER}
	}
	return true
}

// remove forgets all pending signals of a set.
func (p *sigPending) remove(set linux.Sigset) {
	if p.set&set == 0 {
		return
	}
	p.set &^= set
	kept := p.queue[:0]
	for _, q := range p.queue {
		if !set.Has(q.Signo) {
			kept = append(kept, q)
		}
	}
	p.queue = kept
}

func (p *sigPending) flush() { *p = sigPending{} }

// synchronous signals are delivered before others (SYNCHRONOUS_MASK).
const synchronous = linux.Sigset(1<<(linux.SIGSEGV-1) | 1<<(linux.SIGBUS-1) | 1<<(linux.SIGILL-1) |
	1<<(linux.SIGTRAP-1) | 1<<(linux.SIGFPE-1) | 1<<(linux.SIGSYS-1))

func firstSignal(set linux.Sigset) linux.Signal {
	if s := set & synchronous; s != 0 {
		set = s
	}
	if set == 0 {
		return 0
	}
	return linux.Signal(bits.TrailingZeros64(uint64(set))) + 1
}

// defaultAction is what a signal does if no handler is set.
type defaultAction uint8

const (
	actTerm defaultAction = iota
	actCore
	actStop
	actIgnore // SIGCONT's continuing happens when it is sent
)

// sigDefaults are the default actions (signal(7)); those not listed terminate.
var sigDefaults = [linux.NSIG + 1]defaultAction{
	linux.SIGQUIT: actCore, linux.SIGILL: actCore, linux.SIGTRAP: actCore, linux.SIGABRT: actCore,
	linux.SIGBUS: actCore, linux.SIGFPE: actCore, linux.SIGSEGV: actCore, linux.SIGXCPU: actCore,
	linux.SIGXFSZ: actCore, linux.SIGSYS: actCore,
	linux.SIGSTOP: actStop, linux.SIGTSTP: actStop, linux.SIGTTIN: actStop, linux.SIGTTOU: actStop,
	linux.SIGCHLD: actIgnore, linux.SIGURG: actIgnore, linux.SIGWINCH: actIgnore, linux.SIGCONT: actIgnore,
}

const (
	stopSignals = linux.Sigset(1<<(linux.SIGSTOP-1) | 1<<(linux.SIGTSTP-1) | 1<<(linux.SIGTTIN-1) | 1<<(linux.SIGTTOU-1))
	contSignal  = linux.Sigset(1 << (linux.SIGCONT - 1))
	unblockable = linux.Sigset(1<<(linux.SIGKILL-1) | 1<<(linux.SIGSTOP-1))
)

// kernelSignal is the siginfo of a signal from the kernel.
func kernelSignal(sig linux.Signal) linux.Siginfo {
	return linux.Siginfo{Signo: sig, Code: linux.SI_KERNEL}
}

// userSignal is the siginfo of kill(2).
func userSignal(sig linux.Signal, from *Task) linux.Siginfo {
	return linux.Siginfo{Signo: sig, Code: linux.SI_USER, PID: int32(from.group.nr()), UID: from.cred.user.uidOut(from.cred.UID)}
}

// isInit reports whether g is process 1 of its pid namespace. Signals that it
// does not handle cannot hurt it, unless they come from outside the namespace.
func (g *Group) isInit() bool { return g.leader.id.ns.init == g }

// ignores reports whether the process would throw sig away on delivery. forced
// signals come from the kernel or from outside the pid namespace.
func (g *Group) ignores(sig linux.Signal, forced bool) bool {
	if g.leader.ptrace != nil && sig != linux.SIGKILL {
		return false // the tracer wants to know
	}
	h := g.leader.sighand.action(sig).Handler
	if h == linux.SIG_DFL && g.isInit() && !(forced && (sig == linux.SIGKILL || sig == linux.SIGSTOP)) {
		return true
	}
	if h == linux.SIG_IGN {
		return sig != linux.SIGKILL && sig != linux.SIGSTOP
	}
	if h != linux.SIG_DFL {
		return false
	}
	return sigDefaults[sig] == actIgnore
}

// prepare does what sending a signal does at once: stop and continue signals
// cancel each other, and SIGCONT continues. It reports whether the signal is
// to be queued.
func (g *Group) prepare(sig linux.Signal) bool {
	switch {
	case g.zombie:
		return false
	case stopSignals.Has(sig):
		g.removePending(contSignal)
	case sig == linux.SIGCONT:
		g.removePending(stopSignals)
		g.cont()
	}
	return true
}

func (g *Group) removePending(set linux.Sigset) {
	g.pending.remove(set)
	for _, t := range g.threads {
		t.pending.remove(set)
	}
}

// signalGroup sends a signal from the kernel to a process: to whichever thread
// wants it.
func (k *Kernel) signalGroup(g *Group, sig linux.Signal, info linux.Siginfo) linux.Errno {
	return g.queueSignal(sig, info, info.Code == linux.SI_KERNEL)
}

// sendSignal sends a signal of t to a process, or to its thread u if that is
// not nil. The receiver does not learn the number of a sender that it cannot
// see (pid_namespaces(7)).
func (t *Task) sendSignal(g *Group, u *Task, sig linux.Signal, info linux.Siginfo) linux.Errno {
	outside := !t.visibleTo(g.leader.pidNS())
	if outside {
		info.PID = 0
	}
	if to := g.leader.cred.user; to != t.cred.user {
		id, _ := t.cred.user.uids.in(info.UID)
		info.UID = to.uidOut(id)
	}
	if u != nil {
		return u.queueSignal(sig, info, outside)
	}
	return g.queueSignal(sig, info, outside)
}

func (g *Group) queueSignal(sig linux.Signal, info linux.Siginfo, forced bool) linux.Errno {
	if sig == 0 || !g.prepare(sig) {
		return 0
	}
	if g.ignores(sig, forced) && !g.blockedByAll(sig) {
		g.leader.traceIgnored(sig, info)
		return 0
	}
	if g.queueFull(sig, &info) {
		return linux.EAGAIN
	}
	info.Signo = sig
	g.leader.noteSignal(sig, info.PID)
	g.pending.add(&info)
	g.sigq.Wake(0)
	g.complete(sig, nil)
	return 0
}

// signalTask sends a signal from the kernel to one thread.
func (t *Task) signalTask(sig linux.Signal, info linux.Siginfo) linux.Errno {
	return t.queueSignal(sig, info, info.Code == linux.SI_KERNEL)
}

func (t *Task) queueSignal(sig linux.Signal, info linux.Siginfo, forced bool) linux.Errno {
	g := t.group
	if sig == 0 || t.exiting || !g.prepare(sig) {
		return 0
	}
	if g.ignores(sig, forced) && !t.blocks(sig) {
		t.traceIgnored(sig, info)
		return 0
	}
	if g.queueFull(sig, &info) {
		return linux.EAGAIN
	}
	info.Signo = sig
	t.noteSignal(sig, info.PID)
	t.pending.add(&info)
	g.sigq.Wake(0)
	g.complete(sig, t)
	return 0
}

// blocks reports whether t neither takes sig nor waits for it.
func (t *Task) blocks(sig linux.Signal) bool {
	return t.sigmask.Has(sig) || t.sigWaiting.Has(sig)
}

func (g *Group) blockedByAll(sig linux.Signal) bool {
	for _, t := range g.threads {
		if !t.exiting && !t.blocks(sig) {
			return false
		}
	}
	return true
}

// queueFull applies RLIMIT_SIGPENDING to real-time signals sent with a value.
func (g *Group) queueFull(sig linux.Signal, info *linux.Siginfo) bool {
	if sig < linux.SIGRTMIN || info.Code >= 0 {
		return false
	}
	n := len(g.pending.queue)
	for _, t := range g.threads {
		n += len(t.pending.queue)
	}
	return uint64(n) >= g.rlimits[linux.RLIMIT_SIGPENDING].Cur
}

// complete finds a thread for a signal just queued and wakes it. A signal that
// will kill the process does so now.
func (g *Group) complete(sig linux.Signal, only *Task) {
	t := only
	if t == nil {
		t = g.wants(sig)
	}
	if t == nil {
		return
	}
	if sig == linux.SIGKILL {
		g.pending.remove(1 << (linux.SIGKILL - 1))
		t.pending.remove(1 << (linux.SIGKILL - 1))
		g.die(linux.SIGKILL)
		return
	}
	fatal := t.ptrace == nil && !g.isInit() && t.sighand.action(sig).Handler == linux.SIG_DFL
	if t.frozen && fatal && sigDefaults[sig] == actTerm {
		g.die(sig) // what ends a process does not wait until it is thawed
		return
	}
	if t.wantsSignal(sig) {
		t.rouse()
		if fatal && sigDefaults[sig] <= actCore {
			t.hurry()
		}
	}
}

// wants picks the thread that takes a signal sent to the process: the leader
// if it can, otherwise the first that can.
func (g *Group) wants(sig linux.Signal) *Task {
	for _, t := range g.threads {
		if t.wantsSignal(sig) {
			return t
		}
	}
	return nil
}

func (t *Task) wantsSignal(sig linux.Signal) bool {
	return !t.exiting && (!t.sigmask.Has(sig) || t.sigWaiting.Has(sig))
}

// rouse makes the task look at its signals: it wakes from an interruptible
// sleep, or leaves guest mode.
func (t *Task) rouse() {
	switch t.state {
	case TaskSleeping:
		t.wake()
	case TaskDisk:
		if t.fatalPending() {
			t.wake()
		}
	case TaskStopped, TaskTraced:
		if t.fatalPending() {
			t.ready()
		}
	case TaskRunning:
		if t.sched.parkedIn != nil && t.fatalPending() && t.takeParked() {
			t.k.enqueue(t)
		}
		t.kickTask()
	}
}

// fatalPending reports whether the task is about to be killed.
func (t *Task) fatalPending() bool { return t.killed || t.group.exiting && !t.exiting }

// signalPending reports whether the task has a signal to handle or must stop
// or end.
func (t *Task) signalPending() bool {
	if t.fatalPending() || t.freezing() || t.group.stopped && (t.ptrace == nil || !t.ptrace.passed) {
		return true
	}
	if p := t.ptrace; p != nil && len(p.due) > 0 {
		return true
	}
	return (t.pending.set|t.group.pending.set)&^t.sigmask != 0
}

// sendSignalSelf sends a synchronous kernel signal such as SIGPIPE to the
// caller.
func (t *Task) sendSignalSelf(sig linux.Signal) {
	t.signalTask(sig, linux.Siginfo{Signo: sig, Code: linux.SI_USER, PID: int32(t.group.nr()), UID: t.cred.user.uidOut(t.cred.UID)})
}

// forceSignal delivers a fault to t even if it is blocked or ignored, in which
// case it kills (force_sig_info).
func (t *Task) forceSignal(info linux.Siginfo) {
	t.noteSignal(info.Signo, 0)
	if t.sigmask.Has(info.Signo) || t.sighand.action(info.Signo).Handler == linux.SIG_IGN {
		t.sighand.set(info.Signo, linux.Sigaction{})
		t.sigmask.Del(info.Signo)
	}
	if t.sighand.action(info.Signo).Handler == linux.SIG_DFL && t.group.isInit() {
		t.exitSignaled(info)
		return
	}
	t.pending.add(&info)
}

// signalPgrp sends a signal to every process of a group.
func (k *Kernel) signalPgrp(pg *ProcessGroup, sig linux.Signal, info linux.Siginfo) {
	for _, g := range pg.members.list() {
		k.signalGroup(g, sig, info)
	}
}

// beforeUser does everything that must happen before the task runs guest code:
// the rest of a system call, its end, a stop, its signals. It reports whether
// the task is ready for guest code.
func (t *Task) beforeUser() bool {
	for {
		switch {
		case t.state != TaskRunning:
			return false
		case t.fatalPending():
			t.exitKilled()
			return false
		case t.ptrace != nil && t.ptrace.leaving:
			t.exit(t.ptrace.exitStatus)
			return false
		case t.ptrace != nil && len(t.ptrace.due) > 0 && !t.sc.active:
			t.stopDue()
		case t.sc.active:
			if t.afterEntry() {
				t.runSyscall()
			}
		case t.ptrace != nil && t.ptrace.signal != nil:
			t.afterSignal()
		case t.group.stopped && (t.ptrace == nil || !t.ptrace.passed):
			t.stop()
			return false
		case t.freezing():
			t.freeze()
			return false
		case t.signalPending():
			t.deliverSignal()
		default:
			t.restartSyscall(nil)
			t.restoreSigmask()
			return true
		}
	}
}

// exitKilled ends a task whose process is ending.
func (t *Task) exitKilled() {
	switch {
	case t.group.core != nil:
		t.atCore()
	case t.group.exiting:
		t.exit(t.group.exitCode)
	default:
		t.exit(0)
	}
}

// exitSignaled ends the process because of a signal.
func (t *Task) exitSignaled(info linux.Siginfo) {
	if !t.startCore(info) {
		t.exitGroup(killedStatus(info.Signo, false))
	}
}

// takeSignal removes the next signal for the task that is not in mask, its own before
// those of the process, and stores it in info.
func (t *Task) takeSignal(mask linux.Sigset, info *linux.Siginfo) bool {
	if !t.pending.take(mask, info) && !t.group.pending.take(mask, info) {
		return false
	}
	if info.Code == linux.SI_TIMER {
		t.group.timerDelivered(info)
	}
	return true
}

// deliverSignal takes one signal and does what its action says.
func (t *Task) deliverSignal() {
	var info linux.Siginfo
	if t.takeSignal(t.sigmask, &info) && !t.ptraceSignal(&info) {
		t.act(&info)
	}
}

// act does what the action of a signal says.
func (t *Task) act(info *linux.Siginfo) {
	sig := info.Signo
	t.traceSignal(info)
	act := *t.sighand.action(sig)
	t.noteDeliver(sig, &act)
	switch act.Handler {
	case linux.SIG_IGN:
		return
	case linux.SIG_DFL:
		t.defaultSignal(info)
		return
	}
	if act.Flags&linux.SA_RESETHAND != 0 {
		t.sighand.set(sig, linux.Sigaction{Flags: act.Flags})
	}
	t.restartSyscall(&act)
	t.setupHandler(&act, info)
}

// defaultSignal performs the default action.
func (t *Task) defaultSignal(info *linux.Siginfo) {
	g, sig := t.group, info.Signo
	action := sigDefaults[sig]
	if action == actIgnore {
		return
	}
	if g.isInit() && sig != linux.SIGSTOP {
		return
	}
	if action != actStop {
		t.exitSignaled(*info)
		return
	}
	if sig != linux.SIGSTOP && g.pgrp.orphaned(nil) {
		return
	}
	g.stop(sig)
}

// stop begins a job control stop of the whole process.
func (g *Group) stop(sig linux.Signal) {
	if g.stopped {
		return
	}
	g.stopped, g.stopSig = true, sig
	g.k.stops++
	for _, t := range g.threads {
		t.rouse()
	}
}

// stop puts the task to rest until SIGCONT; the last thread to stop tells the
// parent.
func (t *Task) stop() {
	g := t.group
	if t.ptrace != nil {
		t.ptraceGroupStop()
		return
	}
	t.state = TaskStopped
	if t.freezing() {
		t.markFrozen()
	}
	t.traceStopped(g.stopSig)
	for _, u := range g.threads {
		if !u.exiting && u.state != TaskStopped {
			return
		}
	}
	g.stopReport, g.contReport = true, false
	g.updateNews()
	g.noteJob("stop")
	g.tellParent(linux.CLD_STOPPED, stoppedStatus(g.stopSig))
}

// cont ends a job control stop.
func (g *Group) cont() {
	if !g.stopped {
		return
	}
	g.stopped = false
	g.k.stops--
	g.stopReport = false
	for _, t := range g.threads {
		if t.ptrace != nil {
			t.ptrace.passed = false
		}
		if t.state == TaskStopped {
			t.ready()
		}
	}
	g.contReport = true
	g.updateNews()
	g.noteJob("continue")
	g.tellParent(linux.CLD_CONTINUED, continuedStatus)
}

// tellParent announces a stop or a continuation.
func (g *Group) tellParent(code int32, status int) {
	p := g.parent
	if p == nil {
		return
	}
	if p.leader.sighand.action(linux.SIGCHLD).Flags&linux.SA_NOCLDSTOP == 0 {
		g.k.signalGroup(p, linux.SIGCHLD, g.childSignal(linux.SIGCHLD, status))
	}
	p.waitq.Wake(0)
}

// restartSyscall decides what becomes of a call that a signal interrupted
// (signal(7)): act is the handler about to run, nil if none is.
func (t *Task) restartSyscall(act *linux.Sigaction) {
	errno := t.sc.restart
	if errno == 0 {
		return
	}
	t.sc.restart = 0
	again := act == nil || errno == linux.ERESTARTNOINTR ||
		errno == linux.ERESTARTSYS && act.Flags&linux.SA_RESTART != 0
	if !again {
		t.Regs.GPR[cpu.RAX] = errnoResult(linux.EINTR)
		return
	}
	t.Regs.RIP -= syscallLen
	t.Regs.GPR[cpu.RAX] = t.sc.nr
	switch {
	case t.sc.gate32 && errno == linux.ERESTART_RESTARTBLOCK:
		t.Regs.GPR[cpu.RAX] = int80Restart
	case t.sc.gate32:
		t.Regs.GPR[cpu.RAX] = uint64(t.sc.nr32)
	case errno == linux.ERESTART_RESTARTBLOCK:
		t.Regs.GPR[cpu.RAX] = linux.SYS_restart_syscall
	}
}

// syscallLen is the length of the SYSCALL and of the INT 0x80 instruction.
const syscallLen = 2

// restoreSigmask puts back the mask that sigsuspend and its kin replaced, if no
// handler has taken it over.
func (t *Task) restoreSigmask() {
	if t.restoreMask {
		t.restoreMask = false
		t.sigmask = t.savedMask
	}
}

// setSigmask replaces the mask; SIGKILL and SIGSTOP cannot be blocked.
func (t *Task) setSigmask(m linux.Sigset) { t.sigmask = m &^ unblockable }

// suspendMask replaces the mask for the duration of a call.
func (t *Task) suspendMask(m linux.Sigset) {
	if !t.restoreMask {
		t.savedMask, t.restoreMask = t.sigmask, true
	}
	t.setSigmask(m)
}
