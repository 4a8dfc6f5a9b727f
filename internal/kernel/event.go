package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// Events tell what happens to processes, as it happens: what a timeline and a
// picture of the family are drawn from. Without a listener each costs a
// comparison.

// Event is one of them. Package tine has the same type for its users, with what
// the fields mean for each kind.
type Event struct {
	Time    int64
	Insns   uint64
	Kind    string
	CPU     int
	PID     int
	TID     int
	Comm    string
	Target  int
	Thread  bool
	Flags   uint64
	Path    string
	Args    []string
	Status  int
	Last    bool
	Parent  int
	Signal  int
	Action  string
	Addr    uint64
	Source  string
	State   string
	Syscall string
}

// note stamps an event and gives it to the listener. t is the task it is about;
// nil is the machine itself.
func (k *Kernel) note(t *Task, e Event) {
	e.Time, e.Insns = k.now()-k.started, k.Instructions()
	if t != nil {
		e.PID, e.TID, e.CPU, e.Comm = t.group.pid, t.tid, t.cpu, t.comm
	}
	k.cfg.Events(&e)
}

// noteFork: t has made a task.
func (t *Task) noteFork(child *Task, flags uint64) {
	if t.k.cfg.Events != nil {
		t.k.note(t, Event{Kind: "fork", Target: child.tid, Thread: child.group == t.group, Flags: flags, Parent: child.parentPID()})
	}
}

func (t *Task) parentPID() int {
	if t.group.parent == nil {
		return 0
	}
	return t.group.parent.pid
}

// noteExec: t has a new image.
func (t *Task) noteExec(e *execArgs) {
	if t.k.cfg.Events != nil {
		t.k.note(t, Event{Kind: "exec", Path: e.path, Args: e.argv})
	}
}

// noteExit: t has ended; last means that its process has.
func (t *Task) noteExit(last bool) {
	if t.k.cfg.Events != nil {
		t.k.note(t, Event{Kind: "exit", Status: t.exitCode, Last: last, Parent: t.parentPID()})
	}
}

// noteReap: the parent of g has waited for it, or does not want to.
func (g *Group) noteReap() {
	if g.k.cfg.Events == nil {
		return
	}
	e := Event{Kind: "reap", Target: g.pid, Status: g.zombieStatus}
	if g.parent == nil {
		g.k.note(nil, e)
	} else {
		g.k.note(g.parent.leader, e)
	}
}

// noteReparent: g has lost its parent and goes to another.
func (g *Group) noteReparent(old *Group) {
	if g.k.cfg.Events != nil {
		g.k.note(g.leader, Event{Kind: "reparent", Target: old.pid, Parent: g.leader.parentPID()})
	}
}

// noteSignal: a signal was sent to t, or to its process, by the process from; 0
// is the kernel, or the world outside. from is the number that t knows it by.
func (t *Task) noteSignal(sig linux.Signal, from int32) {
	if t.k.cfg.Events == nil {
		return
	}
	e := Event{Kind: "signal", Signal: int(sig)}
	if p := t.pidNS().find(int(from)); p != nil {
		e.Target = p.nr
	}
	t.k.note(t, e)
}

// noteDeliver: t takes a signal.
func (t *Task) noteDeliver(sig linux.Signal, act *linux.Sigaction) {
	if t.k.cfg.Events == nil {
		return
	}
	what := "handle"
	switch act.Handler {
	case linux.SIG_IGN:
		what = "ignore"
	case linux.SIG_DFL:
		what = [...]string{actTerm: "end", actCore: "end", actStop: "stop", actIgnore: "ignore"}[sigDefaults[sig]]
	}
	t.k.note(t, Event{Kind: "deliver", Signal: int(sig), Action: what})
}

// noteJob: a process was stopped, or continues.
func (g *Group) noteJob(kind string) {
	if g.k.cfg.Events != nil {
		g.k.note(g.leader, Event{Kind: kind, Signal: int(g.stopSig)})
	}
}

// noteCopy: a page of as had other owners, or was the file's, and was copied
// because it is written. mm calls it.
func (k *Kernel) noteCopy(as *mm.AddressSpace, page uint64, file bool) {
	t := k.current
	if t == nil || t.as != as { // written on behalf of somebody else
		t = nil
		k.pids.each(func(u *Task) {
			if t == nil && u.as == as {
				t = u
			}
		})
	}
	if t == nil {
		return // an image in the making: nobody's yet
	}
	source := "memory"
	if file {
		source = "file"
	}
	k.note(t, Event{Kind: "cow", Addr: page, Source: source})
}

// switchState is what a processor last told of itself.
type switchState struct {
	task    *Task
	tid     int
	state   TaskState
	syscall string
}

// noteSwitch: the processor goes to t, or idles, after what it ran before.
func (p *processor) noteSwitch(t *Task) {
	k, was := p.k, &p.shown
	if k.cfg.Events == nil || t == was.task {
		return
	}
	e := Event{Kind: "switch", Target: was.tid, Syscall: was.syscall}
	if was.tid != 0 {
		e.State = string(was.state.Letter())
	}
	*was = switchState{task: t}
	if t != nil {
		was.tid = t.tid
	} else {
		e.CPU = p.id
	}
	k.note(t, e)
}

// noteLeft remembers how the processor's task left it.
func (p *processor) noteLeft(t *Task) {
	if p.k.cfg.Events != nil {
		p.shown.state, p.shown.syscall = t.state, t.waitChannel()
	}
}
