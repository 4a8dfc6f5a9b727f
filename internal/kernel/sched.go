package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Scheduling is by virtual run time, as in Linux's fair class: each task's
// clock advances by what it ran divided by its weight, and the task that is
// furthest behind runs next. Real-time tasks (SCHED_FIFO, SCHED_RR) come
// before all others, by priority. Time is counted in instructions, so that
// order depends on nothing else.

const (
	// sliceInsns is a time slice: half a millisecond of compiled code, three of
	// interpreted.
	sliceInsns = 1_000_000
	// wakeCredit limits how far behind the others a sleeper may wake up, so
	// that it runs soon but cannot hog the processor.
	wakeCredit = sliceInsns / 10
	// minSlice is what a new task gets even of a maker whose slice ends.
	minSlice = sliceInsns / 100
	// minPoke and maxPoke limit how long a processor runs on while others idle and
	// tasks wait, before it wakes one of them. Moving to another processor costs
	// more than it gains if the task soon waits for the first again, as a shell
	// for its child: so what came of it last time decides, see notePoke.
	minPoke = 20_000
	maxPoke = 640_000
	// worthMoving is how long a task must run on the processor that was woken.
	worthMoving = 20_000
)

// niceWeight are the weights of nice levels -20 to 19 (sched(7)): each level is
// about 10 % of processor time.
var niceWeight = [40]int64{
	88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
	9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,
	1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,
	110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
}

const (
	nice0Weight = 1024
	idleWeight  = 3 // SCHED_IDLE
)

// schedEntity is the scheduler's part of a task.
type schedEntity struct {
	policy      int // linux.SCHED_*
	nice        int
	rtPrio      int // 1-99 for SCHED_FIFO and SCHED_RR
	boost       int // the real-time priority that others lend; see futexpi.go
	resetOnFork bool
	vruntime    int64 // instructions, weighted
	slice       int64 // instructions left before others get a turn
	lent        bool  // the slice is what placeChild gave it
	seq         uint64
	yielded     bool // sched_yield: others of the same priority come first
	index       int  // in the run queue; -1 if not there
	onCPU       bool
	cgroupSched
	affinity uint64 // processors it may run on, as bits
}

func (e *schedEntity) weight() int64 {
	if e.policy == linux.SCHED_IDLE {
		return idleWeight
	}
	return niceWeight[e.nice+20]
}

// priority is the real-time priority, own or lent; 0 for others.
func (e *schedEntity) priority() int {
	if e.policy == linux.SCHED_FIFO || e.policy == linux.SCHED_RR {
		return max(e.rtPrio, e.boost)
	}
	return e.boost
}

func (e *schedEntity) realtime() bool { return e.priority() > 0 }

// before is the order of the run queue.
func (t *Task) before(u *Task) bool {
	a, b := &t.sched, &u.sched
	if a.realtime() != b.realtime() {
		return a.realtime()
	}
	if a.realtime() {
		if p, q := a.priority(), b.priority(); p != q {
			return p > q
		}
	} else if a.vruntime != b.vruntime {
		return a.vruntime < b.vruntime
	}
	return a.seq < b.seq
}

// runQueue is a heap of the tasks that are ready and not on a processor.
type runQueue struct {
	heap []*Task
	min  int64 // the run queue's clock: virtual run time never goes back behind it
	seq  uint64
}

// enqueue makes t ready, behind its equals.
func (k *Kernel) enqueue(t *Task) {
	k.runq.seq++
	k.enqueueAt(t, k.runq.seq)
}

// enqueuePreempted puts back a task that has lost the processor. A real-time
// task goes on before its equals, unless it has given way itself or, of
// SCHED_RR, used up its slice (sched(7)).
func (k *Kernel) enqueuePreempted(t *Task) {
	e := &t.sched
	if e.realtime() && !e.yielded && (e.policy != linux.SCHED_RR || e.slice > 0) {
		k.enqueueAt(t, e.seq)
		return
	}
	e.yielded = false
	k.enqueue(t)
}

func (k *Kernel) enqueueAt(t *Task, seq uint64) {
	q := &k.runq
	if t.sched.index >= 0 || t.sched.onCPU || t.sched.parkedIn != nil || t.park() {
		return
	}
	t.load()
	t.sched.seq = seq
	t.sched.index = len(q.heap)
	q.heap = append(q.heap, t)
	q.up(t.sched.index)
	if !k.runsAnywhere(t) {
		k.kickFor(t)
	}
}

// runsAnywhere reports whether t may run on every processor.
func (k *Kernel) runsAnywhere(t *Task) bool { return t.sched.affinity&k.allCPUs() == k.allCPUs() }

// bestFor is the waiting task that should run first on a processor; nil if none
// may run there.
func (k *Kernel) bestFor(cpu int) *Task {
	var best *Task
	for i, t := range k.runq.heap {
		if t.sched.affinity>>cpu&1 == 0 {
			continue
		}
		if i == 0 {
			return t // the first of the heap comes before all others
		}
		if best == nil || t.before(best) {
			best = t
		}
	}
	return best
}

func (q *runQueue) remove(t *Task) {
	i, last := t.sched.index, len(q.heap)-1
	if i < 0 {
		return
	}
	q.swap(i, last)
	q.heap[last] = nil
	q.heap = q.heap[:last]
	t.sched.index = -1
	if i < last {
		q.down(i)
		q.up(i)
	}
}

// unqueue takes a task that will not run any more off what it waits in.
func (t *Task) unqueue() {
	t.k.runq.remove(t)
	t.takeParked()
	t.unload()
}

func (q *runQueue) swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.heap[i].sched.index, q.heap[j].sched.index = i, j
}

func (q *runQueue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.heap[i].before(q.heap[parent]) {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q *runQueue) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(q.heap); c++ {
			if q.heap[c].before(q.heap[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		q.swap(i, least)
		i = least
	}
}

// choose finds the task in the queue that should run next on processor cpu; nil
// if there is none.
func (k *Kernel) choose(cpu int) *Task {
	q := &k.runq
	best := k.bestFor(cpu)
	if best == nil {
		return nil
	}
	if k.seeded != nil {
		best = k.seeded.pick(q.heap) // there is one processor
	}
	return best
}

// pickNext takes the task that should run next on processor cpu from the
// queue; nil if there is none.
func (k *Kernel) pickNext(cpu int) *Task {
	q := &k.runq
	best := k.choose(cpu)
	for best != nil {
		if q.remove(best); !best.park() {
			break
		}
		best = k.choose(cpu)
	}
	if best == nil {
		return nil
	}
	best.sched.onCPU = true
	best.cpu = cpu
	if !best.sched.realtime() {
		q.min = max(q.min, best.sched.vruntime)
	}
	if k.seeded != nil {
		best.sched.slice = k.seeded.slice()
		k.seeded.note(uint64(best.tid), uint64(k.seeded.ns))
	} else if best.sched.slice <= 0 {
		best.sched.slice, best.sched.lent = sliceInsns, false
	}
	return best
}

// account charges n instructions to t.
func (t *Task) account(n int64) {
	t.usage.insns += n
	t.sched.slice -= n
	if t.sched.loadIn != nil {
		t.sched.vruntime += n * nice0Weight << weightScale / t.share()
	} else {
		t.sched.vruntime += n * nice0Weight / t.sched.weight()
	}
}

// preempts reports whether a waiting task should run instead of t, which is on
// the processor with slice left. It must agree with the order of the queue:
// otherwise t would be picked again at once, for ever.
func (k *Kernel) preempts(t *Task) bool {
	if k.seeded != nil {
		return k.seeded.preempts(t)
	}
	first := k.bestFor(t.cpu)
	switch {
	case first == nil:
		return false
	case first.sched.realtime():
		return !t.sched.realtime() || first.sched.priority() > t.sched.priority()
	case t.sched.realtime():
		return false
	case t.sched.policy == linux.SCHED_IDLE && first.sched.policy != linux.SCHED_IDLE:
		return first.sched.vruntime < t.sched.vruntime
	}
	return first.sched.vruntime+wakeCredit < t.sched.vruntime
}

// placeChild puts a new task into the run queue. The rest of the parent's
// slice is split between the two, and the child starts at the parent's virtual
// run time; with child-first the parent gives way.
func (k *Kernel) placeChild(parent, child *Task) {
	parent.sched.slice = (parent.sched.slice + 1) / 2
	slice := max(parent.sched.slice, minSlice)
	child.sched = schedEntity{
		policy: parent.sched.policy, nice: parent.sched.nice, rtPrio: parent.sched.rtPrio,
		vruntime: parent.sched.vruntime, slice: slice, lent: true,
		affinity: parent.sched.affinity, index: -1,
	}
	if parent.sched.resetOnFork {
		child.sched.policy, child.sched.rtPrio, child.sched.nice = linux.SCHED_OTHER, 0, max(child.sched.nice, 0)
	}
	child.state = TaskRunning
	k.enqueue(child)
	if k.seeded == nil && k.cfg.ChildFirst || k.seeded != nil && k.seeded.below(2) == 0 {
		parent.resched()
	}
}

// returnSlice gives the parent of a process that ends what that has left of its first
// slice: who makes many short processes does not pay with its own.
func (t *Task) returnSlice() {
	if p := t.group.parent; p != nil && t.sched.lent && t.sched.slice > 0 {
		to := &p.leader.sched
		to.slice = min(to.slice+t.sched.slice, sliceInsns)
	}
}

// resched makes the task give way at the next opportunity.
func (t *Task) resched() { t.k.needResched[t.cpu] = true }

// sleep takes the task off the processor until a wake-up.
func (t *Task) sleep() {
	t.state = TaskSleeping
	if t.sc.uninterruptible {
		t.state = TaskDisk
		if t.freezing() {
			t.markFrozen()
		}
	}
	t.usage.nvcsw++
	if d := t.sc.deadline; t.sc.active && d != 0 && d != noDeadline {
		t.k.startTimer(&t.sleepTimer, d, t)
	}
}

// Wake implements vfs.Waiter: something the task waits for may have happened.
func (t *Task) Wake(_ *vfs.WaitEntry, _ vfs.PollMask) { t.wake() }

// expire implements timerTarget: the task's deadline has come.
func (t *Task) expire(*timer) { t.wake() }

// wake makes a sleeping task ready.
func (t *Task) wake() {
	if t.state != TaskSleeping && t.state != TaskDisk {
		return
	}
	t.removeWaits()
	t.ready()
}

// hurry makes a ready task run before the others of its class: one that is about
// to end gives back what it holds.
func (t *Task) hurry() {
	if t.sched.index >= 0 {
		t.requeue(func(e *schedEntity) { e.vruntime = min(e.vruntime, t.k.runq.min-wakeCredit) })
	}
}

// ready puts a task that was sleeping or stopped into the run queue.
func (t *Task) ready() {
	k := t.k
	t.state = TaskRunning
	t.sched.vruntime = max(t.sched.vruntime, k.runq.min-wakeCredit)
	k.enqueue(t)
}
