// Package lockstep is an engine that runs two others in lock step, the reference
// and the subject, on any program, and stops the machine where they differ.
//
// # Steps
//
// A Run is cut into steps. For each, the reference executes some instructions with
// a copy of the registers while a journal (mm.Journal) notes what the frames
// contained that it writes. What it wrote is remembered and taken back, and the
// subject executes as many instructions from the same state. Then the trap, the
// number of instructions, all registers and every frame that either has written
// must be the same, and the program goes on with what the subject has made.
//
// Nothing that the kernel sees changes by that: page tables, reference counts,
// accounts and the counts of faults are as if one engine had run. Shared memory is
// no special case, since frames are written and taken back where they are; they
// must not be written from elsewhere meanwhile, so such a machine has one
// processor.
//
// What one processor has of its own each engine gets a copy of: the time stamp
// counter, and the request to stop, which is heeded between steps. With debug
// registers in use the reference runs alone: it is what the others use there.
//
// Some faults cannot be seen like that. A step begins without translations for
// writing, so nothing tells that an engine should have given one up; and a write
// through one that it has without asking is seen only when it is read. Registers
// that an engine keeps (cpu.Regs.Keeper) are asked for after each step.
//
// # Flags
//
// Flags that an instruction leaves undefined may differ (x86.FlagEffect), and so may
// what a program makes of them if it reads them all the same. At a fault the subject's
// flags may be out of date if nothing reads them before they are written: so the
// reference goes on with its own after the fault, and the two must agree when they
// have been written, unless the kernel has changed something.
//
// # Differences
//
// A difference is looked for once more. If the reference then does something else
// than before, somebody has written the memory meanwhile, and it does not count.
// Otherwise the latest state is found from which the two still differ, which tells
// the instruction, and Run panics with a *cpu.Failure. What does not count the
// reference executes alone.
package lockstep

import (
	"fmt"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/interp"
	"github.com/tinevm/tine/internal/jit"
	"github.com/tinevm/tine/internal/mm"
)

// stepLen is how many instructions are executed between two comparisons: a page
// that a step writes costs some microseconds.
const stepLen = 5000

// Engine is what can be run in lock step.
type Engine interface {
	cpu.Engine
	// ForgetWrites gives up all translations for writing: the next Run asks
	// AddressSpace.Lookup for each page.
	ForgetWrites()
}

// NewSubject makes what is compared with the interpreter. Tests put other engines
// there.
var NewSubject = func() Engine { return jit.New().(Engine) }

// Available says why there is no such engine on this host; nil means that New
// works.
func Available() error {
	if err := jit.Available(); err != nil {
		return fmt.Errorf("lockstep needs two engines, and this host has only interp: %w", err)
	}
	return nil
}

// New makes an engine for one virtual processor, after Available has said yes.
func New() cpu.Engine { return newPair(interp.New().(Engine), NewSubject()) }

// pair is the engine.
type pair struct {
	ref, sub side
	journal  mm.Journal // of the step, from its beginning on
	trial    mm.Journal // of what find tries

	// What the last Run ended with, and which of its flags are out of date since a
	// fault: they should be the others.
	last  cpu.Regs
	stale uint64
}

// side is one of the two engines, with the processor that it is told to be.
type side struct {
	Engine
	v cpu.VCPU
}

// state is where a step begins.
type state struct {
	as   *mm.AddressSpace
	regs cpu.Regs
	tsc  uint64
}

// outcome is where it ends.
type outcome struct {
	regs cpu.Regs
	trap cpu.Trap
	n    int64
}

func newPair(ref, sub Engine) *pair {
	p := &pair{ref: side{Engine: ref}, sub: side{Engine: sub}}
	p.journal.Full = p.ref.v.Stop
	return p
}

// run executes up to n instructions from a state on.
func (e *side) run(s *state, j *mm.Journal, n int64) outcome {
	o := outcome{regs: s.regs}
	e.v.TSC = s.tsc
	e.v.ClearStop()
	e.ForgetWrites()
	s.as.Record(j)
	o.trap, o.n = e.Run(&e.v, &o.regs, s.as, n)
	s.as.Record(nil)
	o.regs.Recall()
	return o
}

// Run implements cpu.Engine.
func (p *pair) Run(v *cpu.VCPU, r *cpu.Regs, as *mm.AddressSpace, budget int64) (trap cpu.Trap, total int64) {
	for _, e := range []*side{&p.ref, &p.sub} {
		e.v.ID, e.v.NoAVX = v.ID, v.NoAVX
	}
	for total < budget {
		var n int64
		switch {
		case v.Stopped():
			return cpu.Trap{Kind: cpu.TrapInterrupt}, total
		case v.Watch != nil:
			trap, n = p.alone(v, r, as, budget-total)
		default:
			trap, n = p.step(v, r, as, min(stepLen, budget-total))
		}
		if total += n; trap.Kind != cpu.TrapBudget {
			return trap, total
		}
	}
	return cpu.Trap{Kind: cpu.TrapBudget}, total
}

// alone has the reference run without comparison.
func (p *pair) alone(v *cpu.VCPU, r *cpu.Regs, as *mm.AddressSpace, n int64) (cpu.Trap, int64) {
	return p.ref.Run(v, r, as, n)
}

// step executes up to n instructions on both sides and compares.
func (p *pair) step(v *cpu.VCPU, r *cpu.Regs, as *mm.AddressSpace, n int64) (cpu.Trap, int64) {
	s := state{as, r.Copy(), v.TSC}
	if p.last != s.regs {
		p.stale = 0
	}
	exact := s
	exact.regs.Flags ^= p.stale
	var a outcome
	for {
		p.journal.Reset()
		if a = p.ref.run(&exact, &p.journal, n); len(p.journal.Pages()) <= mm.MaxPages {
			break
		}
		p.journal.Undo()
		if n == 1 { // a repeated string instruction
			return p.alone(v, r, as, n)
		}
		n = max(1, min(n, a.n)/2)
	}
	p.journal.Swap()
	b := p.sub.run(&s, &p.journal, n)
	d := compare(&a, &b, &p.journal)
	if d.flags != 0 && len(d.lines) == 0 {
		undefined, kept := p.writers(&exact, &a, d.flags)
		d.flags &^= undefined
		if p.stale &= kept; faulted(a.trap) {
			p.stale = d.flags
		}
		d.flags &^= p.stale
	} else {
		p.stale = 0
	}
	if d.any() {
		if err := p.find(&exact, &s, &a, n, d); err != nil {
			panic(&cpu.Failure{Err: err})
		}
		return p.alone(v, r, as, n)
	}
	*r = b.regs
	p.last = b.regs
	v.TSC += uint64(b.n)
	return b.trap, b.n
}

// faulted reports whether a trap came before the instruction was complete.
func faulted(t cpu.Trap) bool { return t.Kind == cpu.TrapPageFault || t.Kind == cpu.TrapException }
