package kernel

import (
	"testing"

	"github.com/tinevm/tine/internal/linux"
)

// TestRunQueueOrder: real-time before fair by priority, fair by virtual time,
// equals in order of arrival.
func TestRunQueueOrder(t *testing.T) {
	k := &Kernel{cpus: []*processor{{}}}
	add := func(name string, policy, prio int, vruntime int64) {
		k.enqueue(&Task{k: k, comm: name, sched: schedEntity{policy: policy, rtPrio: prio, vruntime: vruntime, index: -1, affinity: 1}})
	}
	add("late", linux.SCHED_OTHER, 0, 300)
	add("early", linux.SCHED_OTHER, 0, 100)
	add("early too", linux.SCHED_OTHER, 0, 100)
	add("low", linux.SCHED_FIFO, 1, 0)
	add("high", linux.SCHED_RR, 50, 0)
	for _, want := range []string{"high", "low", "early", "early too", "late"} {
		if got := k.pickNext(0); got == nil || got.comm != want {
			t.Fatalf("picked %v, want %s", got, want)
		}
	}
}

// TestWeights: a task with nice 0 gets about 1.25 times the time of nice 1.
func TestWeights(t *testing.T) {
	a, b := &Task{}, &Task{sched: schedEntity{nice: 1}}
	a.account(1_000_000)
	b.account(1_000_000)
	if r := float64(b.sched.vruntime) / float64(a.sched.vruntime); r < 1.24 || r > 1.26 {
		t.Errorf("the clock of nice 1 runs %.3f times as fast, want 1.25", r)
	}
}

func TestPendingSignals(t *testing.T) {
	var p sigPending
	rt := linux.SIGRTMIN + 3
	for i, sig := range []linux.Signal{rt, linux.SIGTERM, linux.SIGTERM, linux.SIGSEGV, rt} {
		p.add(&linux.Siginfo{Signo: sig, Value: uint64(i)})
	}
	var blocked linux.Sigset
	blocked.Add(linux.SIGTERM)
	var got []uint64
	var info linux.Siginfo
	for p.take(blocked, &info) {
		got = append(got, info.Value)
	}
	want := []uint64{3, 0, 4} // the fault first, then the real-time ones in order
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("took %v, want %v", got, want)
	}
	if !p.take(0, &info) || info.Signo != linux.SIGTERM {
		t.Errorf("the blocked signal is lost: %v", info)
	}
	if p.take(0, &info) {
		t.Error("a standard signal was queued twice")
	}
}

func TestParseScript(t *testing.T) {
	for line, want := range map[string][2]string{
		"#!/bin/sh\necho":           {"/bin/sh", ""},
		"#! /usr/bin/env  python3 ": {"/usr/bin/env", "python3"},
		"#!/bin/x -a -b\n":          {"/bin/x", "-a -b"},
	} {
		interp, arg, errno := parseScript([]byte(line))
		if errno != 0 || interp != want[0] || arg != want[1] {
			t.Errorf("%q: %q %q %v", line, interp, arg, errno)
		}
	}
	if _, _, errno := parseScript([]byte("#! \n")); errno != linux.ENOEXEC {
		t.Errorf("a line without interpreter: %v", errno)
	}
}

func TestTimersInOrder(t *testing.T) {
	k := &Kernel{}
	var fired []int64
	targets := map[int64]*recorder{}
	for _, when := range []int64{50, 10, 30, 10, 20} {
		r := &recorder{out: &fired}
		targets[when] = r
		k.startTimer(&r.timer, when, r)
	}
	k.stopTimer(&targets[30].timer)
	for len(k.timers.heap) > 0 {
		tm := k.timers.heap[0]
		k.stopTimer(tm)
		tm.target.expire(tm)
	}
	want := []int64{10, 10, 20, 50}
	if len(fired) != len(want) {
		t.Fatalf("fired %v, want %v", fired, want)
	}
	for i := range want {
		if fired[i] != want[i] {
			t.Fatalf("fired %v, want %v", fired, want)
		}
	}
}

type recorder struct {
	timer
	out *[]int64
}

func (r *recorder) expire(tm *timer) { *r.out = append(*r.out, tm.when) }

// A process that ends early gives its parent back what it has left of its half of the
// slice, and one that has had a slice of its own does not.
func TestSliceReturns(t *testing.T) {
	k := &Kernel{}
	task := func(parent *Group) *Task {
		t := &Task{k: k, group: &Group{parent: parent}}
		t.group.leader = t
		return t
	}
	parent := task(nil)
	parent.sched.slice, parent.sched.affinity = 500_000, 1
	child := task(parent.group)
	k.placeChild(parent, child)
	if p, c := parent.sched.slice, child.sched.slice; p != 250_000 || c != 250_000 {
		t.Fatalf("split in %d and %d", p, c)
	}
	if k.pickNext(0) != child {
		t.Fatal("the child does not run")
	}
	child.sched.slice -= 100_000
	if child.returnSlice(); parent.sched.slice != 400_000 {
		t.Errorf("parent has %d", parent.sched.slice)
	}
	child = task(parent.group)
	k.placeChild(parent, child)
	child.sched.slice = 0
	if k.pickNext(0); child.sched.slice != sliceInsns {
		t.Fatalf("child has %d", child.sched.slice)
	}
	if child.returnSlice(); parent.sched.slice != 200_000 {
		t.Errorf("parent has %d", parent.sched.slice)
	}
	parent.returnSlice() // nobody made it
}

// A processor that was woken for little is woken later the next time, and for much
// sooner, within limits.
func TestNotePoke(t *testing.T) {
	k := &Kernel{poke: minPoke}
	p := &processor{k: k}
	woken := func(ran int64) int64 {
		p.poked = true
		p.notePoke(ran)
		return k.poke
	}
	if got := woken(worthMoving - 1); got != 2*minPoke {
		t.Errorf("after little: %d", got)
	}
	if p.notePoke(0); k.poke != 2*minPoke {
		t.Errorf("a processor that was not woken counts")
	}
	for range 20 {
		woken(0)
	}
	if k.poke != maxPoke {
		t.Errorf("at most %d, want %d", k.poke, maxPoke)
	}
	for range 20 {
		woken(worthMoving)
	}
	if k.poke != minPoke {
		t.Errorf("at least %d, want %d", k.poke, minPoke)
	}
}
