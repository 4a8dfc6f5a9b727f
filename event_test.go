//go:build linux && amd64

package tine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tinevm/tine"
)

// record runs a command on one processor and gives what happened.
func record(t *testing.T, argv ...string) (events []tine.Event) {
	t.Helper()
	m := newMachine(t, tine.Config{CPUs: 1, Events: func(e tine.Event) { events = append(events, e) }})
	cmd := m.Command(context.Background(), argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	err := cmd.Run()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return events
}

// tell writes the events that keep takes, a line each, without the times and
// counts that differ from run to run.
func tell(events []tine.Event, keep string) string {
	var b strings.Builder
	for _, e := range events {
		if !strings.Contains(keep, e.Kind) {
			continue
		}
		e.Time, e.Insns, e.CPU = 0, 0, 0
		var line strings.Builder
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false)
		enc.Encode(e)
		s := strings.TrimPrefix(line.String(), `{"time_ns":0,"insns":0,"kind":"`)
		b.WriteString(strings.ReplaceAll(s, `,"cpu":0`, ""))
	}
	return b.String()
}

// TestEvents: a shell and what becomes of its children, step by step.
func TestEvents(t *testing.T) {
	events := record(t, "bash", "-c", `trap x=1 USR1; (exit 3); /bin/true; bash -c 'kill -USR1 $PPID' & wait; wait; exit 0`)
	want := `fork","pid":1,"tid":1,"comm":"init","child":2,"thread":false,"flags":0,"parent":1}
exec","pid":2,"tid":2,"comm":"bash","path":"/usr/bin/bash","args":["bash","-c","trap x=1 USR1; (exit 3); /bin/true; bash -c 'kill -USR1 $PPID' & wait; wait; exit 0"]}
fork","pid":2,"tid":2,"comm":"bash","child":3,"thread":false,"flags":18874368,"parent":2}
exit","pid":3,"tid":3,"comm":"bash","status":768,"last":true,"parent":2}
signal","pid":2,"tid":2,"comm":"bash","signal":"SIGCHLD","from":3}
reap","pid":2,"tid":2,"comm":"bash","child":3,"status":768}
fork","pid":2,"tid":2,"comm":"bash","child":4,"thread":false,"flags":18874368,"parent":2}
exec","pid":4,"tid":4,"comm":"true","path":"/bin/true","args":["/bin/true"]}
exit","pid":4,"tid":4,"comm":"true","status":0,"last":true,"parent":2}
signal","pid":2,"tid":2,"comm":"bash","signal":"SIGCHLD","from":4}
reap","pid":2,"tid":2,"comm":"bash","child":4,"status":0}
fork","pid":2,"tid":2,"comm":"bash","child":5,"thread":false,"flags":18874368,"parent":2}
exec","pid":5,"tid":5,"comm":"bash","path":"/usr/bin/bash","args":["bash","-c","kill -USR1 $PPID"]}
signal","pid":2,"tid":2,"comm":"bash","signal":"SIGUSR1","from":5}
deliver","pid":2,"tid":2,"comm":"bash","signal":"SIGUSR1","action":"handle"}
exit","pid":5,"tid":5,"comm":"bash","status":0,"last":true,"parent":2}
signal","pid":2,"tid":2,"comm":"bash","signal":"SIGCHLD","from":5}
reap","pid":2,"tid":2,"comm":"bash","child":5,"status":0}
exit","pid":2,"tid":2,"comm":"bash","status":0,"last":true,"parent":1}
reap","pid":1,"tid":1,"comm":"init","child":2,"status":0}
`
	got := tell(events, "fork exec exit signal reap")
	deliver := `deliver","pid":2,"tid":2,"comm":"bash","signal":"SIGUSR1","action":"handle"}`
	if !strings.Contains(tell(events, "deliver"), deliver) {
		t.Error("the delivery of SIGUSR1 is missing")
	}
	want = strings.ReplaceAll(want, deliver+"\n", "")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	checkEvents(t, events)
}

// checkEvents looks for what holds of every run on one processor: time and
// instructions never go back, switches join up, who exits was forked, and
// nobody acts after the end.
func checkEvents(t *testing.T, events []tine.Event) {
	t.Helper()
	on, alive := 0, map[int]bool{1: true}
	var last tine.Event
	for _, e := range events {
		if e.Time < last.Time || e.Insns < last.Insns {
			t.Errorf("%+v comes after %+v", e, last)
		}
		last = e
		switch e.Kind {
		case tine.EventSwitch:
			if e.Target != on {
				t.Errorf("switch from %d, but %d was running", e.Target, on)
			}
			on = e.TID
			continue
		case tine.EventFork:
			alive[e.Target] = true
		case tine.EventExit:
			if !alive[e.TID] {
				t.Errorf("%d ends twice, or was never made", e.TID)
			}
			delete(alive, e.TID)
			continue
		}
		if e.Kind != tine.EventReparent && e.TID != 0 && !alive[e.TID] {
			t.Errorf("%+v of a task that is not alive", e)
		}
	}
	if len(alive) != 1 {
		t.Errorf("still alive: %v", alive)
	}
}

// TestEventsOfMemory: after a fork the child's writes copy pages of its
// parent's, those of the parent do not once the child is gone.
func TestEventsOfMemory(t *testing.T) {
	events := record(t, "python3", "-c", `
import os
m = bytearray(b'x' * (1 << 20))
if os.fork() == 0:
    for i in range(0, len(m), 4096): m[i] = 1
    os._exit(0)
os.wait()
for i in range(0, len(m), 4096): m[i] = 2`)
	copies := make(map[int]int)
	for _, e := range events {
		if e.Kind == tine.EventCow && e.Source == "memory" {
			copies[e.PID]++
		}
	}
	if copies[3] < 256 || copies[3] > 800 {
		t.Errorf("the child copied %d pages, want the 256 of the array and some more", copies[3])
	}
	if copies[2] > 200 { // its stack and heap, while the child was alive
		t.Errorf("the parent copied %d pages of which it was the last owner", copies[2])
	}
	checkEvents(t, events)
}

// TestEventsOfThreads: threads come and go, and a process that leaves a child
// behind gives it to PID 1.
func TestEventsOfThreads(t *testing.T) {
	events := record(t, "python3", "-c", `
import os, threading
t = threading.Thread(target=lambda: None); t.start(); t.join()
r, w = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.close(w); os.read(r, 1); os._exit(5)
    os._exit(4)
os.wait(); os.close(w)
while True:
    try: os.kill(5, 0)
    except ProcessLookupError: break`)
	threads, got := 0, tell(events, "reparent exit")
	for _, e := range events {
		if e.Kind == tine.EventFork && e.Thread {
			threads++
		}
	}
	if threads != 1 {
		t.Errorf("%d threads", threads)
	}
	want := `exit","pid":2,"tid":3,"comm":"python3","status":0,"last":false,"parent":1}
exit","pid":4,"tid":4,"comm":"python3","status":1024,"last":true,"parent":2}
reparent","pid":5,"tid":5,"comm":"python3","from":4,"parent":1}
exit","pid":5,"tid":5,"comm":"python3","status":1280,"last":true,"parent":1}
exit","pid":2,"tid":2,"comm":"python3","status":0,"last":true,"parent":1}
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	checkEvents(t, events)
}

// TestEventsRepeat: on one processor the same program does the same.
func TestEventsRepeat(t *testing.T) {
	var first string
	for i := range 3 {
		s := tell(record(t, "sh", "-c", "(exit 1); (true | cat) & wait; exit 0"), "fork exec exit reap reparent signal deliver")
		if i == 0 {
			first = s
		} else if s != first {
			t.Errorf("run %d:\n%s\nthe first was\n%s", i, s, first)
		}
	}
}

func ExampleEvent() {
	m, err := tine.New(tine.Config{Events: func(e tine.Event) {
		if e.Kind == tine.EventExec {
			fmt.Println(e.PID, e.Path)
		}
	}})
	if err != nil {
		panic(err)
	}
	defer m.Close()
	m.Command(context.Background(), "sh", "-c", "/bin/true; exit 0").Run()
	// Output:
	// 2 /usr/bin/sh
	// 3 /bin/true
}
