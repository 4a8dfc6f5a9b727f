package picture

import (
	"fmt"
	"io"
	"strings"

	"github.com/tinevm/tine"
	"github.com/tinevm/tine/internal/linux"
)

// maxProcesses bounds what is drawn: more than anybody can look at. The picture
// says how many it leaves out.
const maxProcesses = 2000

// maxMoments bounds what a guest can make tine remember; the picture ends there.
const maxMoments = 50_000

// Family collects the lives of processes and draws them as a tree over time:
// each process is a line from left to right that branches off its parent's
// where it was forked.
type Family struct {
	living  map[int]*life // by pid; zombies included
	all     []*life       // in order of birth
	moments []moment
	skipped int // processes not drawn
	cut     bool
	start   int64
	end     int64
	insns   uint64
	pages   int // copied on write
}

// life is a process from its birth on.
type life struct {
	pid      int
	parent   *life // that it branches off; nil for a root
	children []*life
	born     int // moments, as indexes; -1 if there is none
	died     int
	gone     int
	status   tine.WaitStatus
	comm     string // at birth
	threads  int    // made besides the first
	copies   int    // pages copied on write
	lane     lane
}

// moment is something to be seen on a life's line.
type moment struct {
	time  int64
	kind  string // that of the event
	on    *life
	other *life  // child, sender, new parent, who reaped
	label string // shown at the line
	title string // shown when the pointer rests on it
	comm  string // program from here on, for exec
	x     float64
}

// NewFamily begins a collection. Draw ends it.
func NewFamily() *Family { return &Family{living: make(map[int]*life)} }

// Event adds an event.
func (f *Family) Event(e *tine.Event) {
	f.end = max(f.end, e.Time)
	f.insns = max(f.insns, e.Insns)
	f.cut = f.cut || len(f.moments) >= maxMoments
	if e.Kind == tine.EventSwitch || f.cut {
		return
	}
	on := f.process(e)
	if on == nil {
		return
	}
	m := moment{time: e.Time, kind: e.Kind, on: on}
	switch e.Kind {
	case tine.EventFork:
		f.fork(m, e)
	case tine.EventExec:
		m.label, m.comm = shorten(commandText(e.Args), 34), e.Comm
		m.title = fmt.Sprintf("exec %s: %s", shorten(Printable(e.Path), 500), shorten(commandText(e.Args), 500))
		f.add(m)
	case tine.EventExit:
		if e.Last {
			on.status = tine.WaitStatus(e.Status)
			m.label, m.title = endLabel(on.status), on.status.String()
			on.died = f.add(m)
		}
	case tine.EventReap:
		f.reap(m, e)
	case tine.EventReparent:
		m.other, m.label = f.living[e.Parent], fmt.Sprintf("parent is now %d", e.Parent)
		m.title = fmt.Sprintf("its parent %d has ended, %d takes over", e.Target, e.Parent)
		f.add(m)
	case tine.EventSignal:
		if sig := linux.Signal(e.Signal); sig != linux.SIGCHLD { // every end sends one
			m.other, m.label = f.living[e.Target], sig.String()
			m.title = fmt.Sprintf("%v from %d", sig, e.Target)
			f.add(m)
		}
	case tine.EventStop, tine.EventContinue:
		m.label, m.title = e.Kind, e.Kind
		f.add(m)
	case tine.EventCow:
		on.copies++
		f.pages++
	}
}

// add appends a moment and returns its number.
func (f *Family) add(m moment) int {
	if len(f.moments) == 0 {
		f.start = m.time
	}
	f.moments = append(f.moments, m)
	return len(f.moments) - 1
}

// process finds who an event is about. Who is not known was there before, such
// as PID 1; nil is one that is not drawn.
func (f *Family) process(e *tine.Event) *life {
	if p, known := f.living[e.PID]; known {
		return p
	}
	return f.birth(e.PID, e.Comm, nil, 0)
}

func (f *Family) birth(pid int, comm string, parent *life, at int) *life {
	if len(f.all) == maxProcesses {
		f.skipped++
		f.living[pid] = nil
		return nil
	}
	p := &life{pid: pid, comm: comm, parent: parent, born: at, died: -1, gone: -1}
	f.all = append(f.all, p)
	f.living[pid] = p
	if parent != nil {
		parent.children = append(parent.children, p)
	}
	return p
}

func (f *Family) fork(m moment, e *tine.Event) {
	if e.Thread {
		m.on.threads++
		m.title = fmt.Sprintf("thread %d", e.Target)
		f.add(m)
		return
	}
	if m.other = f.birth(e.Target, e.Comm, m.on, len(f.moments)); m.other == nil {
		return
	}
	call := "fork"
	switch {
	case e.Flags&linux.CLONE_VFORK != 0:
		call = "vfork"
	case e.Flags != 0:
		call = fmt.Sprintf("clone(%#x)", e.Flags)
	}
	m.title = fmt.Sprintf("%d: %s makes %d", e.PID, call, e.Target)
	f.add(m)
}

// reap ends a life. The parent may be one that is not drawn.
func (f *Family) reap(m moment, e *tine.Event) {
	child := f.living[e.Target]
	delete(f.living, e.Target)
	if child == nil {
		return
	}
	m.on, m.other = child, m.on
	m.title = fmt.Sprintf("reaped by %d", e.PID)
	child.gone = f.add(m)
}

// endLabel is how a process ended, in a word.
func endLabel(s tine.WaitStatus) string {
	if s.Signaled() {
		label := linux.Signal(s.Signal()).String()
		if s.CoreDump() {
			label += " (core)"
		}
		return label
	}
	return fmt.Sprintf("exit %d", s.ExitStatus())
}

// commandText is a command line for people.
func commandText(args []string) string {
	if len(args) > 0 {
		args = append([]string{args[0][strings.LastIndexByte(args[0], '/')+1:]}, args[1:]...)
	}
	return Printable(strings.NewReplacer("\n", "↵", "\t", " ").Replace(strings.Join(args, " ")))
}

// shorten cuts a text to n characters.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// Draw writes the picture as SVG.
func (f *Family) Draw(w io.Writer) error {
	f.layOut()
	_, err := io.WriteString(w, f.svg())
	return err
}
