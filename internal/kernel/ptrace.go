package kernel

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
)

// Tracing of one task by another (ptrace(2)): attaching, the stops that the
// tracer sees, and how the task goes on after them. The requests are in
// sys_ptrace.go.

// ptraceState is what a traced task has more than others.
type ptraceState struct {
	tracer  *Task
	seized  bool // by PTRACE_SEIZE
	options uint64

	syscalls bool // stop at the next entry to or exit from a system call
	emulate  bool // stop at the next entry to one, which is not made (PTRACE_SYSEMU)

	// The stop that the task is in, while its state is TaskTraced.
	code     int // what wait reports, see waitStatus: signal, and the event above
	info     linux.Siginfo
	message  uint64 // PTRACE_GETEVENTMSG
	place    stopPlace
	reported bool // wait has told the tracer

	due    []dueStop      // stops before the task runs guest code again
	signal *linux.Siginfo // that the task stopped for, until the tracer decides
	inject linux.Signal   // what the tracer wants delivered
	listen bool           // PTRACE_LISTEN: it stays in a group stop
	passed bool           // it runs although its group is stopped

	// It has stopped on its way out, which goes on with this status.
	leaving    bool
	exitStatus int
}

// stopPlace is where a task has stopped.
type stopPlace uint8

const (
	inSignal stopPlace = iota
	inEvent
	atEntry   // to a system call
	atExit    // from it
	atSeccomp // before it, by a filter
)

// dueStop is a stop to come.
type dueStop struct {
	code    int
	message uint64
	place   stopPlace
}

// syscallStop is the signal of a stop at a system call.
func (p *ptraceState) syscallStop() int {
	if p.options&linux.PTRACE_O_TRACESYSGOOD != 0 {
		return int(linux.SIGTRAP) | 0x80
	}
	return int(linux.SIGTRAP)
}

// attach makes tracer the tracer of t.
func (t *Task) attach(tracer *Task, seized bool, options uint64) {
	t.ptrace = &ptraceState{tracer: tracer, seized: seized, options: options}
	tracer.group.tracees = append(tracer.group.tracees, t)
}

// detach ends the tracing of t; the task goes on with sig.
func (t *Task) detachTracer(sig linux.Signal) {
	p := t.ptrace
	t.ptrace = nil
	p.tracer.group.tracees = remove(p.tracer.group.tracees, t)
	t.Regs.Flags &^= cpu.FlagTF
	if t.state != TaskTraced {
		return
	}
	switch {
	case p.place == inSignal && p.signal != nil && sig != 0:
		info := *p.signal
		if info.Signo != sig {
			info = userSignal(sig, p.tracer)
		}
		t.pending.add(&info)
	case sig != 0:
		info := userSignal(sig, p.tracer)
		t.pending.add(&info)
	}
	t.ready()
}

// detachAll lets go of everything that an ended task traces.
func (t *Task) detachAll() {
	for _, u := range append([]*Task(nil), t.group.tracees...) {
		if u.ptrace.tracer != t {
			continue
		}
		kill := u.ptrace.options&linux.PTRACE_O_EXITKILL != 0
		u.detachTracer(0)
		if kill {
			u.group.kill(linux.SIGKILL)
		}
	}
}

// ptraceStop puts t to rest until its tracer lets it go on, and tells the
// tracer.
func (t *Task) ptraceStop(d dueStop, info linux.Siginfo) {
	p := t.ptrace
	p.code, p.info, p.message, p.place = d.code, info, d.message, d.place
	p.reported, p.inject, p.syscalls = false, 0, false
	t.sc.emulated = p.emulate && d.place == atEntry
	p.emulate = false
	t.Regs.Flags &^= cpu.FlagTF
	t.state = TaskTraced
	g := p.tracer.group
	if g.leader.sighand.action(linux.SIGCHLD).Flags&linux.SA_NOCLDSTOP == 0 {
		t.k.signalGroup(g, linux.SIGCHLD, linux.Siginfo{
			Signo: linux.SIGCHLD, Code: linux.CLD_TRAPPED, PID: int32(t.id.in(p.tracer.pidNS())),
			UID: p.tracer.cred.user.uidOut(t.cred.UID), Status: int32(d.code),
		})
	}
	g.waitq.Wake(0)
}

// stopDue enters the next of the stops that are due.
func (t *Task) stopDue() {
	d := t.ptrace.due[0]
	t.ptrace.due = t.ptrace.due[1:]
	t.ptraceStop(d, linux.Siginfo{Signo: linux.SIGTRAP, Code: int32(d.code)})
}

// ptraceEvent makes an event of a traced task a stop, if the tracer has asked
// for it by option; it reports whether it has.
func (t *Task) ptraceEvent(event int, message uint64) bool {
	p := t.ptrace
	if p == nil || p.options>>event&1 == 0 {
		return false
	}
	p.due = append(p.due, dueStop{int(linux.SIGTRAP) | event<<8, message, inEvent})
	return true
}

// ptraceEntry stops a traced task at the entry to a system call; it reports
// whether it has.
func (t *Task) ptraceEntry() bool {
	p := t.ptrace
	if p == nil || !p.syscalls && !p.emulate {
		return false
	}
	t.Regs.GPR[cpu.RAX] = errnoResult(linux.ENOSYS)
	t.sc.stopped = atEntry
	t.ptraceStop(dueStop{code: p.syscallStop(), place: atEntry}, linux.Siginfo{Signo: linux.SIGTRAP, Code: int32(p.syscallStop())})
	return true
}

// afterEntry goes on with a call that a tracer was shown before it is made, as
// the tracer has left it: false means that it is not to be made. A number of -1
// says so, with the result in RAX, and PTRACE_SYSEMU has said so before.
func (t *Task) afterEntry() bool {
	place := t.sc.stopped
	if place == inSignal {
		return true
	}
	t.sc.stopped = inSignal
	if p := t.ptrace; p != nil {
		p.place = inEvent
	}
	g := &t.Regs.GPR
	t.sc.args = [6]uint64{g[cpu.RDI], g[cpu.RSI], g[cpu.RDX], g[cpu.R10], g[cpu.R8], g[cpu.R9]}
	if int32(t.sc.nr) < 0 || t.sc.emulated {
		t.endCall(g[cpu.RAX])
		return false
	}
	if place == atEntry {
		t.traceEnter()
	}
	return t.seccomp.mode == 0 || t.seccompEntry(place == atSeccomp)
}

// ptraceExitCall makes the task stop at the exit from a system call.
func (t *Task) ptraceExitCall() {
	if p := t.ptrace; p != nil && p.syscalls {
		p.due = append(p.due, dueStop{code: p.syscallStop(), place: atExit})
	}
}

// ptraceSignal stops a traced task for a signal about to be delivered; it
// reports whether it has.
func (t *Task) ptraceSignal(info *linux.Siginfo) bool {
	p := t.ptrace
	if p == nil || info.Signo == linux.SIGKILL {
		return false
	}
	kept := *info
	p.signal = &kept
	t.ptraceStop(dueStop{code: int(info.Signo), place: inSignal}, kept)
	return true
}

// afterSignal delivers what the tracer has decided on.
func (t *Task) afterSignal() {
	p := t.ptrace
	info := *p.signal
	p.signal = nil
	switch {
	case p.inject == 0:
		return
	case p.inject != info.Signo:
		info = userSignal(p.inject, p.tracer)
	default:
		info = p.info // the tracer may have changed it
		info.Signo = p.inject
	}
	if t.sigmask.Has(info.Signo) {
		t.pending.add(&info)
		return
	}
	t.act(&info)
}

// ptraceGroupStop is a job control stop of a traced task.
func (t *Task) ptraceGroupStop() {
	p := t.ptrace
	code := int(t.group.stopSig)
	if p.seized {
		code |= linux.PTRACE_EVENT_STOP << 8
	}
	p.passed = true
	t.ptraceStop(dueStop{code: code, place: inEvent}, linux.Siginfo{Signo: linux.SIGTRAP, Code: int32(code)})
}

// ptraceExec tells the tracer of an exec: by an event, or by SIGTRAP.
func (t *Task) ptraceExec(formerTID int) {
	p := t.ptrace
	if p == nil || t.ptraceEvent(linux.PTRACE_EVENT_EXEC, uint64(formerTID)) || p.seized {
		return
	}
	t.signalTask(linux.SIGTRAP, userSignal(linux.SIGTRAP, t))
}

// ptraceClone tells the tracer of a new task, which is traced as well if the
// event is wanted.
func (t *Task) ptraceClone(child *Task, a *cloneArgs) {
	p := t.ptrace
	if p == nil || a.flags&linux.CLONE_UNTRACED != 0 {
		return
	}
	event := linux.PTRACE_EVENT_CLONE
	switch {
	case a.flags&linux.CLONE_VFORK != 0:
		event = linux.PTRACE_EVENT_VFORK
	case a.exitSignal == linux.SIGCHLD:
		event = linux.PTRACE_EVENT_FORK
	}
	wanted := t.ptraceEvent(event, uint64(child.id.in(p.tracer.pidNS())))
	if !wanted && a.flags&linux.CLONE_PTRACE == 0 {
		return
	}
	child.attach(p.tracer, p.seized, p.options)
	if p.seized {
		child.ptrace.due = []dueStop{{int(linux.SIGTRAP) | linux.PTRACE_EVENT_STOP<<8, 0, inEvent}}
	} else {
		child.pending.add(&linux.Siginfo{Signo: linux.SIGSTOP, Code: linux.SI_USER})
	}
}

// ptraceExitEvent stops a task on its way out if the tracer has asked for it; it
// reports whether it has.
func (t *Task) ptraceExitEvent(status int) bool {
	p := t.ptrace
	if p == nil || p.leaving || t.killed || p.options>>linux.PTRACE_EVENT_EXIT&1 == 0 {
		return false
	}
	p.leaving, p.exitStatus = true, status
	t.sc.active = false
	code := int(linux.SIGTRAP) | linux.PTRACE_EVENT_EXIT<<8
	t.ptraceStop(dueStop{code, uint64(status), inEvent}, linux.Siginfo{Signo: linux.SIGTRAP, Code: int32(code)})
	return true
}

// tracedExit is what the end of a traced task means for its tracer: wait
// reports it, unless it is the zombie of a child that wait reports anyway.
func (t *Task) tracedExit() {
	p := t.ptrace
	if p == nil {
		return
	}
	g := p.tracer.group
	if !t.isLeader() || t.group.parent != g {
		g.ended = append(g.ended, endedTracee{t.id.in(p.tracer.pidNS()), p.tracer.cred.user.uidOut(t.cred.UID), t.exitCode})
	}
	g.tracees = remove(g.tracees, t)
	t.ptrace = nil
	g.waitq.Wake(0)
}

// endedTracee is a traced task that has ended and that wait has not reported.
type endedTracee struct {
	pid    int
	uid    uint32
	status int
}

// waitTracee looks for something to report of the tasks that t's process
// traces. known is true if there are any that w asks for.
func (t *Task) waitTracee(w *waitArgs) (r waitResult, found, known bool) {
	g := t.group
	for _, u := range g.tracees {
		p := u.ptrace
		if !w.matchesTask(u) || w.options&linux.WNOTHREAD != 0 && p.tracer != t {
			continue
		}
		known = true
		if u.state != TaskTraced || p.reported {
			continue
		}
		p.reported = w.options&linux.WNOWAIT == 0
		use := u.group.ownUsage()
		return waitResult{u.id.in(t.pidNS()), t.cred.user.uidOut(u.cred.UID), p.code<<8 | 0x7f, use, true}, true, true
	}
	for i, e := range g.ended {
		if w.idType == linux.P_ALL || w.number == e.pid {
			if w.options&linux.WNOWAIT == 0 {
				g.ended = append(g.ended[:i:i], g.ended[i+1:]...)
			}
			return waitResult{pid: e.pid, uid: e.uid, status: e.status}, true, true
		}
	}
	return r, false, known
}

// matchesTask reports whether w asks for a traced task.
func (w *waitArgs) matchesTask(u *Task) bool {
	switch w.idType {
	case linux.P_PID:
		return u.id == w.pid
	case linux.P_PGID:
		return u.group.pgrp != nil && u.group.pgrp.pid == w.pid
	}
	return true
}
