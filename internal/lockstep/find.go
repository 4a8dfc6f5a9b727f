package lockstep

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// margin is by how much a step is extended while an instruction is looked for: an
// engine may have the reference do what comes last before the budget ends.
const margin = 192

// search looks for the instruction that makes a difference in the step from
// exact, for the subject from s.
type search struct {
	*pair
	exact, s *state
	flags    uint64 // those that matter; 0 if something else differs
	end      int64
}

// find says what differs in a step that had outcome a. The result is nil if that
// shall not count: the reference does not do the same again, or the program reads
// flags that are undefined. All is taken back.
func (p *pair) find(exact, s *state, a *outcome, n int64, d difference) error {
	was := make(map[uint64][]byte)
	for _, q := range p.journal.Pages() {
		was[q.VA] = append([]byte(nil), q.Other[:]...)
	}
	p.journal.Undo()
	again := p.ref.run(exact, &p.journal, n)
	same := again == *a
	for _, q := range p.journal.Pages() {
		same = same && string(was[q.VA]) == string(q.Frame.Bytes())
	}
	p.journal.Undo()
	if !same {
		return nil
	}
	f := &search{pair: p, exact: exact, s: s}
	if len(d.lines) == 0 {
		f.flags = d.flags
	}
	var text strings.Builder
	fmt.Fprintf(&text, "lockstep: the engine and the interpreter do not agree, in %d instructions from RIP %#x on\n", a.n, s.regs.RIP)
	first, last, ok := f.narrow(n)
	switch {
	case !ok:
		text.WriteString("the second time they do, so that the instruction cannot be told; the engine had\n")
	case f.readsUndefined(first, last):
		return nil
	default:
		_, d = f.differs(first, last)
		fmt.Fprintf(&text, "the last beginning from which they differ, %d instructions later:", first)
		f.list(&text, first, last)
		text.WriteString("\nafterwards the engine has\n")
	}
	d.write(&text)
	return errors.New(strings.TrimSuffix(text.String(), "\n"))
}

// narrow finds the latest beginning from which the two differ, and then the
// earliest end. ok is false if they do not differ any more.
func (f *search) narrow(n int64) (first, last int64, ok bool) {
	differ := func(first, last int64) bool { yes, _ := f.differs(first, last); return yes }
	if f.end = n + margin; !differ(0, f.end) {
		f.end = n
	}
	if !differ(0, f.end) {
		return 0, 0, false
	}
	first = bisect(0, f.end, func(i int64) bool { return differ(i, f.end) })
	last = f.end - bisect(0, f.end-first, func(i int64) bool { return differ(first, f.end-i) })
	return first, last, true
}

// each calls fn with the instructions of the reference's from first to last, until
// it returns false.
func (f *search) each(first, last int64, fn func(i int64, in *executed) bool) {
	at := f.advance(first)
	for i := range last - first {
		if in := at.fetch(); !fn(i, &in) {
			break
		}
		o := f.ref.run(at, &f.journal, 1)
		at.regs, at.tsc = o.regs, at.tsc+uint64(o.n)
		if o.trap.Kind != cpu.TrapBudget {
			break
		}
	}
	f.journal.Undo()
}

// readsUndefined reports whether an instruction from first to last reads flags that
// one of them has left undefined. What comes of that differs between processors.
func (f *search) readsUndefined(first, last int64) (yes bool) {
	undefined := uint64(0)
	f.each(first, last, func(_ int64, in *executed) bool {
		if in.err != nil {
			return false
		}
		reads, defines, leaves := x86.FlagEffect(&in.Inst, in.rcx)
		yes = reads&undefined != 0
		undefined = undefined&^defines | leaves
		return !yes
	})
	return yes
}

// list writes the instructions.
func (f *search) list(text *strings.Builder, first, last int64) {
	const most = 16
	f.each(first, last, func(i int64, in *executed) bool {
		if i == most {
			fmt.Fprintf(text, "\n  and %d more", last-first-i)
			return false
		}
		fmt.Fprintf(text, "\n  %#x: % x", in.pc, in.bytes)
		if in.err == nil {
			row := x86.Rows()[in.Row]
			fmt.Fprintf(text, "  (%s)", strings.TrimSpace(row.Enc+" "+row.Args))
		}
		return true
	})
}

func (d *difference) write(text *strings.Builder) {
	for _, l := range d.lines {
		fmt.Fprintf(text, "  %s\n", l)
	}
	if d.flags != 0 {
		fmt.Fprintf(text, "  arithmetic flags: %s, not %s\n", flagText(d.flags&d.set), flagText(d.flags&^d.set))
	}
}

// bisect returns the largest i of [lo, hi) that holds for, which lo does and hi
// does not.
func bisect(lo, hi int64, holds func(int64) bool) int64 {
	for hi-lo > 1 {
		if mid := lo + (hi-lo)/2; holds(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// advance has the reference execute n instructions.
func (f *search) advance(n int64) *state {
	at := *f.exact
	if n > 0 {
		o := f.ref.run(&at, &f.journal, n)
		at.regs, at.tsc = o.regs, at.tsc+uint64(o.n)
	}
	return &at
}

// differs reports whether the two differ at end if the subject begins after the
// reference has executed some instructions.
func (f *search) differs(first, end int64) (bool, difference) {
	if first >= end {
		return false, difference{}
	}
	at := f.advance(first)
	sub := at
	if first == 0 {
		sub = f.s
	}
	f.trial.Reset()
	a := f.ref.run(at, &f.trial, end-first)
	f.trial.Swap()
	b := f.sub.run(sub, &f.trial, end-first)
	d := compare(&a, &b, &f.trial)
	f.trial.Undo()
	f.journal.Undo()
	d.flags &= f.flags
	return d.any(), d
}
