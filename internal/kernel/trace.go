package kernel

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/net"
	"github.com/tinevm/tine/internal/trace"
)

// Tracer sees system calls, signals and the lives of tasks; package trace
// implements it with a printer. It is told before the kernel goes on, with the kernel lock
// held, and changes nothing that a program could see. Without one, a call pays
// for a comparison with nil.
type Tracer interface {
	Created(tid int)
	Started(tid int, path string, argv []string, envp uint64, vars int, t trace.Task)
	Enter(tid, nr int, args *[6]uint64, t trace.Task)
	Exit(tid int, ret int64, t trace.Task)
	Signal(tid int, info *linux.Siginfo, t trace.Task)
	Stopped(tid int, sig linux.Signal, t trace.Task)
	Exited(tid, code int, t trace.Task)
	Killed(tid int, sig linux.Signal, core bool, t trace.Task)
	Superseded(tid, by int, t trace.Task)
}

// tracedTask is a task as a tracer sees it: it implements trace.Task.
type tracedTask struct{ t *Task }

// Read reads the task's memory.
func (v tracedTask) Read(addr uint64, p []byte) linux.Errno {
	if v.t.as == nil {
		return linux.EFAULT
	}
	return v.t.copyIn(addr, p)
}

// FDPath tells what a descriptor is open on, as the link in /proc/PID/fd does.
func (v tracedTask) FDPath(fd int) string {
	if v.t.files == nil {
		return ""
	}
	f, errno := v.t.files.lookup(fd)
	if errno != 0 {
		return ""
	}
	if f.Path.Dentry == nil {
		return anonName(f)
	}
	name, _ := f.Path.Name(v.t.fs.Root)
	return name
}

// Netlink gives the protocol of a descriptor that is a netlink socket.
func (v tracedTask) Netlink(fd int) (protocol int, ok bool) {
	if v.t.files == nil {
		return 0, false
	}
	f, errno := v.t.files.lookup(fd)
	if errno != 0 {
		return 0, false
	}
	s, ok := f.Ops.(net.Socket)
	if !ok || s.Common().Family != linux.AF_NETLINK {
		return 0, false
	}
	return s.Common().Protocol, true
}

// Cwd is the path of the task's working directory.
func (v tracedTask) Cwd() string {
	if v.t.fs == nil {
		return ""
	}
	name, _ := v.t.fs.Cwd.Name(v.t.fs.Root)
	return name
}

// SP is the stack pointer.
func (v tracedTask) SP() uint64 { return v.t.Regs.GPR[cpu.RSP] }

// Now gives CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds.
func (v tracedTask) Now() (monotonic, realtime int64) {
	return v.t.k.now(), v.t.k.cfg.Clock.Realtime()
}

// traceCreated tells that there is a new task.
func (t *Task) traceCreated() {
	if tr := t.k.cfg.Tracer; tr != nil {
		tr.Created(t.tid)
	}
}

// traceEnter tells that the task has begun the call in t.sc.
func (t *Task) traceEnter() {
	if t.k.cfg.Tracer != nil {
		t.tellEnter(t.k.cfg.Tracer)
	}
}

// tellEnter is apart so that the check alone is inlined.
func (t *Task) tellEnter(tr Tracer) {
	t.traceUnseen(tr)
	tr.Enter(t.tid, int(t.sc.nr), &t.sc.args, tracedTask{t})
}

// traceExit tells that the call has ended, unless the task will not see it.
func (t *Task) traceExit(ret uint64) {
	if t.k.cfg.Tracer != nil {
		t.tellExit(t.k.cfg.Tracer, ret)
	}
}

func (t *Task) tellExit(tr Tracer, ret uint64) {
	if !t.fatalPending() {
		tr.Exit(t.tid, int64(ret), tracedTask{t})
		t.traceUnseen(tr)
	}
}

// traceSignal tells that a signal is delivered.
func (t *Task) traceSignal(info *linux.Siginfo) {
	if tr := t.k.cfg.Tracer; tr != nil {
		shown := *info // only then on the heap
		tr.Signal(t.tid, &shown, tracedTask{t})
	}
}

// maxUnseen limits the ignored signals that wait to be shown.
const maxUnseen = 64

// traceIgnored notes a signal that is thrown away because the process ignores
// it. strace shows these too, when the task next comes by; unlike under ptrace,
// they interrupt nothing.
func (t *Task) traceIgnored(sig linux.Signal, info linux.Siginfo) {
	if t.k.cfg.Tracer == nil || len(t.unseen) >= maxUnseen || t.group == t.k.pids.init {
		return
	}
	info.Signo = sig
	t.unseen = append(t.unseen, info)
}

// traceUnseen shows the ignored signals.
func (t *Task) traceUnseen(tr Tracer) {
	for i := range t.unseen {
		tr.Signal(t.tid, &t.unseen[i], tracedTask{t})
	}
	t.unseen = nil
}

// traceStopped tells that a signal stops the task.
func (t *Task) traceStopped(sig linux.Signal) {
	if tr := t.k.cfg.Tracer; tr != nil {
		tr.Stopped(t.tid, sig, tracedTask{t})
	}
}

// traceEnd tells that the task has ended.
func (t *Task) traceEnd() {
	tr := t.k.cfg.Tracer
	if tr == nil {
		return
	}
	if sig := t.exitCode & 0x7f; sig != 0 {
		tr.Killed(t.tid, linux.Signal(sig), t.exitCode&0x80 != 0, tracedTask{t})
	} else {
		t.traceUnseen(tr)
		tr.Exited(t.tid, t.exitCode>>8, tracedTask{t})
	}
}

// traceDethread tells that another thread's exec ends the task; the leader's
// end is told by traceTakeOver.
func (t *Task) traceDethread() {
	if tr := t.k.cfg.Tracer; tr != nil && !t.exiting && t != t.group.leader {
		tr.Exited(t.tid, 0, tracedTask{t})
	}
}

// traceTakeOver tells that the task goes on under the leader's number.
func (t *Task) traceTakeOver(leader *Task) {
	if tr := t.k.cfg.Tracer; tr != nil {
		tr.Superseded(leader.tid, t.tid, tracedTask{t})
	}
}

// traceStarted tells that a process from outside begins with its program.
func (t *Task) traceStarted(p *Process) {
	if tr := t.k.cfg.Tracer; tr != nil {
		sp := t.Regs.GPR[cpu.RSP] // argc, argv, NULL, envp (the psABI's process initialization)
		envp := sp + 8*uint64(len(p.Argv)+2)
		tr.Started(t.tid, p.Path, p.Argv, envp, len(p.Env), tracedTask{t})
	}
}
