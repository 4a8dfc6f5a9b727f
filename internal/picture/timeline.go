// Package picture draws what happened in a machine from its events: a timeline
// for trace viewers, and the family tree of its processes over time.
//
// What is drawn depends on the events alone, so that equal runs give equal
// pictures.
package picture

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/tinevm/tine"
	"github.com/tinevm/tine/internal/linux"
)

// Timeline writes events in the Trace Event Format that Perfetto and
// chrome://tracing show: a track for each processor and each thread, with what
// it did or waited for when, and arrows from forks, signals and ends to whom
// they concern.
type Timeline struct {
	w     *bufio.Writer
	err   error
	count int // records written
	flows int // arrows drawn

	cpus    map[int]*span // what each processor runs
	threads map[int]*span // what each thread does
	names   map[int]string
	last    int64 // time of the latest event, ns
}

// span is a stretch of time on a thread's or a processor's track.
type span struct {
	pid, tid int
	name     string
	start    int64
}

// cpuTracks is the process under which the processors' tracks are shown. No
// guest has this number.
const cpuTracks = 0

// NewTimeline begins a timeline. Close ends it.
func NewTimeline(w io.Writer) *Timeline {
	t := &Timeline{
		w:    bufio.NewWriterSize(w, 64<<10),
		cpus: make(map[int]*span), threads: make(map[int]*span), names: make(map[int]string),
	}
	t.w.WriteString(`{"displayTimeUnit":"ns","traceEvents":[`)
	t.record(`"ph":"M","name":"process_name","pid":%d,"args":{"name":"processors"}`, cpuTracks)
	return t
}

// record writes one record.
func (t *Timeline) record(format string, args ...any) {
	if t.count++; t.count > 1 {
		t.w.WriteByte(',')
	}
	t.w.WriteString("\n{")
	fmt.Fprintf(t.w, format, args...)
	if err := t.w.WriteByte('}'); err != nil && t.err == nil {
		t.err = err
	}
}

// quoted is a JSON string.
func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// micros is a time as the format has it: microseconds with a fraction.
func micros(ns int64) string { return fmt.Sprintf("%d.%03d", ns/1000, ns%1000) }

// Event adds an event.
func (t *Timeline) Event(e *tine.Event) {
	t.last = max(t.last, e.Time)
	if _, known := t.names[e.TID]; !known && e.TID != 0 {
		t.name(e.PID, e.TID, e.Comm) // PID 1 was there before
	}
	switch e.Kind {
	case tine.EventFork:
		t.fork(e)
	case tine.EventExec:
		t.name(e.PID, e.TID, e.Comm)
		t.instant(e, "exec "+e.Path, quoted(fmt.Sprint(e.Args)))
	case tine.EventExit:
		t.exit(e)
	case tine.EventReap:
		if s := t.threads[e.Target]; s != nil {
			t.arrow("reap", e.Time, s.pid, s.tid, e.PID, e.PID)
			t.end(t.threads, e.Target, e.Time)
		}
		delete(t.names, e.Target)
	case tine.EventReparent:
		t.instant(e, fmt.Sprintf("parent %d is now %d", e.Target, e.Parent), `""`)
	case tine.EventSignal:
		t.instant(e, linux.Signal(e.Signal).String(), quoted(fmt.Sprintf("from %d", e.Target)))
		if e.Target != 0 {
			t.arrow(linux.Signal(e.Signal).String(), e.Time, e.Target, e.Target, e.PID, e.TID)
		}
	case tine.EventDeliver:
		t.instant(e, e.Action+" "+linux.Signal(e.Signal).String(), `""`)
	case tine.EventStop, tine.EventContinue:
		t.instant(e, e.Kind, `""`)
	case tine.EventCow:
		t.instant(e, "copy-on-write", quoted(fmt.Sprintf("%#x of %s", e.Addr, e.Source)))
	case tine.EventSwitch:
		t.change(e)
	}
}

// name shows a thread's name, and that of its process if it is the leader.
func (t *Timeline) name(pid, tid int, comm string) {
	if t.names[tid] == comm {
		return
	}
	t.names[tid] = comm
	if pid == tid {
		t.record(`"ph":"M","name":"process_name","pid":%d,"args":{"name":%s}`, pid, quoted(comm))
	}
	t.record(`"ph":"M","name":"thread_name","pid":%d,"tid":%d,"args":{"name":%s}`, pid, tid, quoted(comm))
}

func (t *Timeline) fork(e *tine.Event) {
	pid := e.Target
	if e.Thread {
		pid = e.PID
	}
	delete(t.names, e.Target) // the number may have been another's
	t.name(pid, e.Target, e.Comm)
	t.begin(t.threads, e.Target, span{pid, e.Target, "new", e.Time})
	t.arrow("fork", e.Time, e.PID, e.TID, pid, e.Target)
}

// exit ends what the thread did; of a process remains a zombie.
func (t *Timeline) exit(e *tine.Event) {
	status := tine.WaitStatus(e.Status).String()
	t.instant(e, status, `""`)
	if s := t.cpus[e.CPU]; s != nil && s.name == t.cpuLabel(e.TID) {
		t.end(t.cpus, e.CPU, e.Time)
	}
	t.end(t.threads, e.TID, e.Time)
	if e.TID != e.PID {
		delete(t.names, e.TID)
	}
	if e.Last {
		t.end(t.threads, e.PID, e.Time)
		t.begin(t.threads, e.PID, span{e.PID, e.PID, "zombie", e.Time})
	}
}

// change is a switch: what the processor ran before is ready or waits now.
func (t *Timeline) change(e *tine.Event) {
	t.end(t.cpus, e.CPU, e.Time)
	if s := t.threads[e.Target]; s != nil && s.name != "zombie" {
		t.end(t.threads, e.Target, e.Time)
		t.begin(t.threads, e.Target, span{s.pid, s.tid, resting(e), e.Time})
	}
	if e.TID == 0 {
		return
	}
	t.begin(t.cpus, e.CPU, span{cpuTracks, e.CPU, t.cpuLabel(e.TID), e.Time})
	t.end(t.threads, e.TID, e.Time)
	t.begin(t.threads, e.TID, span{e.PID, e.TID, "running", e.Time})
}

func (t *Timeline) cpuLabel(tid int) string { return fmt.Sprintf("%s %d", t.names[tid], tid) }

// resting names what a thread does that has left the processor.
func resting(e *tine.Event) string {
	switch {
	case e.State == "R":
		return "ready"
	case e.State == "T":
		return "stopped"
	case e.Syscall != "":
		return e.Syscall
	}
	return "asleep"
}

func (t *Timeline) begin(set map[int]*span, key int, s span) { set[key] = &s }

// end writes the span that is open under key.
func (t *Timeline) end(set map[int]*span, key int, now int64) {
	s := set[key]
	if s == nil {
		return
	}
	delete(set, key)
	t.record(`"ph":"X","name":%s,"pid":%d,"tid":%d,"ts":%s,"dur":%s`, quoted(s.name), s.pid, s.tid, micros(s.start), micros(now-s.start))
}

func (t *Timeline) instant(e *tine.Event, name, detail string) {
	t.record(`"ph":"i","s":"t","name":%s,"pid":%d,"tid":%d,"ts":%s,"args":{"insns":%d,"detail":%s}`,
		quoted(name), e.PID, e.TID, micros(e.Time), e.Insns, detail)
}

func (t *Timeline) arrow(name string, now int64, pid, tid, toPID, toTID int) {
	t.flows++
	t.record(`"ph":"s","cat":"flow","name":%s,"id":%d,"pid":%d,"tid":%d,"ts":%s`, quoted(name), t.flows, pid, tid, micros(now))
	t.record(`"ph":"f","bp":"e","cat":"flow","name":%s,"id":%d,"pid":%d,"tid":%d,"ts":%s`, quoted(name), t.flows, toPID, toTID, micros(now))
}

// Close ends what is still going on and completes the file.
func (t *Timeline) Close() error {
	for _, set := range []map[int]*span{t.cpus, t.threads} {
		var keys []int
		for key := range set {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			t.end(set, key, t.last)
		}
	}
	t.w.WriteString("\n]}\n")
	if err := t.w.Flush(); err != nil {
		return err
	}
	return t.err
}
