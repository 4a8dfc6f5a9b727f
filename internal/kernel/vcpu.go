package kernel

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// This file and machine.go are where the kernel meets the host: the goroutines
// that play the processors, and their waiting for events. Everything else in
// the package is called by them with the kernel lock held.

// processor is one virtual processor: a goroutine and its engine.
type processor struct {
	k    *Kernel
	id   int
	v    *cpu.VCPU
	eng  cpu.Engine
	task *Task // on the processor now
	idle bool
	// inGuest: the engine is running and the kernel lock is not held.
	inGuest bool
	// waited counts instructions run here while other processors idled and
	// tasks waited; see minPoke. poked: this one was woken because of that.
	waited int64
	poked  bool
	insns  uint64 // executed here
	time   cpuTime
	shown  switchState // see noteSwitch
	cond   *sync.Cond  // wakes it when idle; on the kernel lock
}

// run is the life of a processor: pick a task, run it until it gives way.
func (p *processor) run() {
	k := p.k
	defer k.wg.Done()
	// A fault in the arena is a bug of ours; it ends this machine, not the
	// host program.
	debug.SetPanicOnFault(true)
	k.mu.Lock()
	defer k.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			if p.inGuest {
				p.v.Leave()
				k.mu.Lock()
			}
			if f, ok := r.(*cpu.Failure); ok {
				k.fail(fmt.Errorf("%w\n%s", f, p.running()))
				return
			}
			k.crash(r, debug.Stack())
		}
	}()
	now := int64(0) // 0: not known
	for !k.stopped {
		if s := k.seeded; s != nil && s.pending > 0 {
			p.idleUntilKicked()
			now = 0
			continue
		}
		if now == 0 {
			now = k.now()
		}
		k.runTimers(now)
		t := k.pickNext(p.id)
		p.noteSwitch(t)
		if t == nil {
			p.notePoke(0)
			p.wait()
			now = 0
			continue
		}
		p.task = t
		p.beginCharge(now)
		k.switches++
		before := p.insns
		p.runTask(t)
		p.notePoke(int64(p.insns - before))
		t.Regs.Recall()
		now = p.settle()
		p.task = nil
		p.noteLeft(t)
		t.sched.onCPU = false
		if t.state == TaskRunning && !k.stopped {
			k.enqueuePreempted(t)
			if t.group.core != nil { // a long time in the kernel: let others in
				k.mu.Unlock()
				k.mu.Lock()
			}
		} else {
			t.unload()
		}
	}
}

// running tells what the processor runs.
func (p *processor) running() string {
	s := fmt.Sprintf("in process %d (%s), thread %d", p.task.group.pid, p.task.comm, p.task.tid)
	if p.k.cfg.Seed != nil {
		s += fmt.Sprintf(", seed %d", *p.k.cfg.Seed)
	}
	return s
}

// runTask runs t until it blocks, ends, or gives way.
func (p *processor) runTask(t *Task) {
	k := p.k
	k.needResched[p.id] = false
	if t.rseq.addr != 0 && t.as != nil && !t.updateRseq() {
		t.forceSignal(kernelSignal(linux.SIGSEGV))
	}
	for !k.stopped {
		if !t.beforeUser() {
			return
		}
		if k.needResched[p.id] || t.sched.slice <= 0 || k.preempts(t) {
			if t.sched.slice <= 0 {
				t.usage.nivcsw++
			}
			return
		}
		trap := p.runGuest(t)
		if t.exiting {
			return // an exec by another thread ended it meanwhile
		}
		p.handleTrap(t, trap)
		if p.chargeDue() {
			k.runTimers(p.settle())
		}
		if s := k.seeded; s != nil && (s.pending > 0 || s.below(yieldOdds) == 0) {
			t.resched()
		}
	}
}

// runGuest leaves the kernel for the guest and comes back with a trap.
func (p *processor) runGuest(t *Task) cpu.Trap {
	k, v := p.k, p.v
	budget := p.budget(t)
	as := t.as
	v.ClearStop()
	v.Watch = t.debug.points()
	v.Enter(as)
	p.inGuest = true
	p.intoGuest()
	k.mu.Unlock()
	trap, n := p.eng.Run(v, &t.Regs, as, budget)
	v.Leave()
	k.mu.Lock()
	p.inGuest = false
	t.account(n)
	if n := as.TakeFaults(); n != 0 {
		t.countFaults(n, 0)
	}
	p.insns += uint64(n)
	if k.seeded != nil {
		k.seeded.ran(n)
	}
	p.outOfGuest()
	p.waited += n + 200 // entering the kernel counts as well
	return trap
}

// budget says how many instructions t may run before the kernel looks again,
// and wakes an idle processor if tasks have waited long enough.
func (p *processor) budget(t *Task) int64 {
	if p.k.seeded != nil {
		return min(t.sched.slice, t.quotaLeft(), max(p.k.nextTimer()-p.k.now(), 1))
	}
	if len(p.k.runq.heap) == 0 || p.k.idlers == 0 {
		p.waited = 0
		return t.sched.slice
	}
	if p.waited >= p.k.poke {
		p.waited = 0
		if idle := p.k.kickIdle(); idle != nil {
			idle.poked = true
		}
		return t.sched.slice
	}
	// Who enters the kernel often is not stopped for this: the end of a budget is dear.
	return min(t.sched.slice, max(p.k.poke-p.waited, minPoke))
}

// notePoke learns from a processor that was woken, and whose first task has run for
// that many instructions, when to wake one the next time.
func (p *processor) notePoke(ran int64) {
	if !p.poked {
		return
	}
	p.poked = false
	if ran < worthMoving {
		p.k.poke = min(p.k.poke*2, maxPoke)
	} else {
		p.k.poke = max(p.k.poke/2, minPoke)
	}
}

// handleTrap does what the guest needs.
func (p *processor) handleTrap(t *Task, trap cpu.Trap) {
	t.sc.entered = false
	switch trap.Kind {
	case cpu.TrapSyscall:
		t.enterSyscall()
	case cpu.TrapPageFault:
		t.pageFault(trap.Addr, trap.Access)
	case cpu.TrapException:
		t.exception(trap.Vector, trap.Addr)
	case cpu.TrapInt80:
		t.enterSyscall32()
	case cpu.TrapBudget, cpu.TrapInterrupt:
	}
}

// wait idles until there is something to run or a timer is due.
func (p *processor) wait() {
	k := p.k
	var alarm *time.Timer
	if next := k.nextTimer(); next != noDeadline {
		if s := k.seeded; s != nil {
			s.ns += max(next-k.now(), 0) // all sleep: time jumps
			return
		}
		d := max(next-k.now(), 0)
		alarm = time.AfterFunc(time.Duration(d), func() {
			k.mu.Lock()
			p.cond.Signal()
			k.mu.Unlock()
		})
	}
	p.idleUntilKicked()
	if alarm != nil {
		alarm.Stop()
	}
}

// idleUntilKicked waits until there may be something to do.
func (p *processor) idleUntilKicked() {
	p.idle = true
	p.k.idlers++
	p.cond.Wait()
	p.k.idlers--
	p.idle = false
}

// kickIdle wakes one idle processor because there is work for it, and returns it.
func (k *Kernel) kickIdle() *processor {
	for _, p := range k.cpus {
		if p.idle {
			p.cond.Signal()
			return p
		}
	}
	return nil
}

// kickFor wakes an idle processor on which t may run.
func (k *Kernel) kickFor(t *Task) {
	for i, p := range k.cpus {
		if p.idle && t.sched.affinity>>i&1 != 0 {
			p.cond.Signal()
			return
		}
	}
}

// Do runs fn with the kernel lock held and then lets the processors look at
// what it changed. It is how the outside (a port, a user of the library)
// enters the kernel. A panic in fn ends the machine like one anywhere else in
// the kernel.
func (k *Kernel) Do(fn func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			k.crash(r, debug.Stack())
		}
	}()
	k.current = nil // nobody's system call
	k.moment++
	k.acct.Enter(nil, false)
	fn()
	if len(k.runq.heap) > 0 || k.nextTimer() != noDeadline {
		k.kickIdle()
	}
}

// kickTask makes a task that is in guest mode on another processor enter the
// kernel soon, to look at its signals.
func (t *Task) kickTask() {
	if t.sched.onCPU {
		t.k.cpus[t.cpu].v.Stop()
	}
}

// runners lists the processors for memory management.
func (k *Kernel) runners() []*mm.Runner {
	if len(k.cpus) < 2 {
		return nil // nobody else can be in guest mode
	}
	r := make([]*mm.Runner, len(k.cpus))
	for i, p := range k.cpus {
		r[i] = &p.v.Runner
	}
	return r
}
