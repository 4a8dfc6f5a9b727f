package tine

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/tinevm/tine/internal/linux"
)

// Kinds of events. Each says what PID and TID, "it" below, do or suffer, and
// which fields it uses besides those that all have.
const (
	// EventFork: it has made Target, a thread of its own process if Thread is
	// set, otherwise a process whose parent is Parent. Flags are those of
	// clone(2), without the exit signal. What the host starts is made by PID 1.
	EventFork = "fork"
	// EventExec: it runs the program Path with Args from now on.
	EventExec = "exec"
	// EventExit: it has ended with the wait status Status. Last means that it
	// was the last thread, so that the process is a zombie and a child of
	// Parent.
	EventExit = "exit"
	// EventReap: it has waited for its child Target, which is gone now, or did
	// not want to know of it. Status is the child's.
	EventReap = "reap"
	// EventReparent: its parent Target has ended and Parent takes over.
	EventReparent = "reparent"
	// EventSignal: it was sent Signal by the process Target; 0 is the kernel, or
	// the world outside. Signals that are thrown away at once have no event.
	EventSignal = "signal"
	// EventDeliver: it takes Signal. Action is handle, ignore, stop or end.
	// SIGKILL has no such event.
	EventDeliver = "deliver"
	// EventStop and EventContinue: job control stops the process, with Signal,
	// or lets it go on.
	EventStop     = "stop"
	EventContinue = "continue"
	// EventCow: it wrote to the page at Addr, which was copied because others
	// have it too: processes if Source is "memory", the page cache if it is
	// "file".
	EventCow = "cow"
	// EventSwitch: the processor CPU goes on with it; TID 0 means that it idles.
	// It ran Target before (0: nothing), which is in State now (a letter as in
	// Process), blocked in Syscall.
	EventSwitch = "switch"
)

// Event is something that happened to a process. Numbers are those of the
// machine's first pid namespace. The JSON form has the fields of its kind under
// stable names.
type Event struct {
	Time  int64  // nanoseconds of machine time since the start
	Insns uint64 // instructions the machine has executed
	Kind  string
	CPU   int    // virtual processor
	PID   int    // the process
	TID   int    // the thread
	Comm  string // its name

	// The fields below depend on the kind.

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

// field is one member of an event's JSON form.
type field struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (e Event) MarshalJSON() ([]byte, error) {
	fields := append([]field{
		{"time_ns", e.Time}, {"insns", e.Insns}, {"kind", e.Kind}, {"cpu", e.CPU}, {"pid", e.PID}, {"tid", e.TID}, {"comm", e.Comm},
	}, e.details()...)
	b := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, f.name)
		b = append(b, ':')
		var v bytes.Buffer
		enc := json.NewEncoder(&v)
		enc.SetEscapeHTML(false) // the encoder that asks does it, if it is to be
		if err := enc.Encode(f.value); err != nil {
			return nil, err
		}
		b = append(b, bytes.TrimRight(v.Bytes(), "\n")...)
	}
	return append(b, '}'), nil
}

// details are the fields of the event's kind.
func (e *Event) details() []field {
	sig := linux.Signal(e.Signal).String()
	switch e.Kind {
	case EventFork:
		return []field{{"child", e.Target}, {"thread", e.Thread}, {"flags", e.Flags}, {"parent", e.Parent}}
	case EventExec:
		return []field{{"path", e.Path}, {"args", e.Args}}
	case EventExit:
		return []field{{"status", e.Status}, {"last", e.Last}, {"parent", e.Parent}}
	case EventReap:
		return []field{{"child", e.Target}, {"status", e.Status}}
	case EventReparent:
		return []field{{"from", e.Target}, {"parent", e.Parent}}
	case EventSignal:
		return []field{{"signal", sig}, {"from", e.Target}}
	case EventDeliver:
		return []field{{"signal", sig}, {"action", e.Action}}
	case EventStop:
		return []field{{"signal", sig}}
	case EventCow:
		return []field{{"addr", "0x" + strconv.FormatUint(e.Addr, 16)}, {"source", e.Source}}
	case EventSwitch:
		return []field{{"prev", e.Target}, {"prev_state", e.State}, {"prev_syscall", e.Syscall}}
	}
	return nil
}
