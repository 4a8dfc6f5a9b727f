package lockstep

import (
	"fmt"
	"strings"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

const arithFlags = cpu.FlagCF | cpu.FlagPF | cpu.FlagAF | cpu.FlagZF | cpu.FlagSF | cpu.FlagOF

// difference is what two outcomes do not have in common: lines say what, flags are
// arithmetic flags, of which the second has those in set.
type difference struct {
	lines      []string
	flags, set uint64
}

func (d *difference) any() bool { return len(d.lines) > 0 || d.flags != 0 }

// compare compares outcomes, and what the two have written.
func compare(a, b *outcome, j *mm.Journal) (d difference) {
	x, y := a.regs, b.regs
	d.flags, d.set = (x.Flags^y.Flags)&arithFlags, y.Flags
	if a.trap.Kind == cpu.TrapSyscall && b.trap.Kind == cpu.TrapSyscall {
		// R11 has the flags.
		y.GPR[cpu.R11] ^= d.flags
	}
	y.Flags ^= d.flags
	d.add("trap", trapText(a.trap), trapText(b.trap))
	d.add("instructions", a.n, b.n)
	for _, r := range []*cpu.Regs{&x, &y} {
		if !r.UpperUsed {
			r.Upper = [16][2]uint64{} // it has no meaning
		}
		r.UpperUsed = false
	}
	if x != y {
		d.addRegs(&x, &y)
	}
	for _, p := range j.Different() {
		d.addPage(p)
	}
	return d
}

var traps = map[cpu.TrapKind]string{
	cpu.TrapSyscall: "syscall", cpu.TrapInt80: "int 0x80", cpu.TrapInterrupt: "interrupt", cpu.TrapBudget: "none",
}

func trapText(t cpu.Trap) string {
	switch t.Kind {
	case cpu.TrapPageFault:
		return fmt.Sprintf("page fault at %#x, access %d", t.Addr, t.Access)
	case cpu.TrapException:
		return fmt.Sprintf("exception %d", t.Vector)
	}
	return traps[t.Kind]
}

// add notes a difference. Values are printed in hexadecimal if they are numbers.
func (d *difference) add(name string, a, b any) {
	if a == b {
		return
	}
	format := "%s: %+v, not %+v"
	switch a.(type) {
	case uint16, uint32, uint64, [2]uint64:
		format = "%s: %#x, not %#x"
	}
	// What is not: the reference is right unless shown otherwise.
	d.lines = append(d.lines, fmt.Sprintf(format, name, b, a))
}

var (
	gprNames = [16]string{"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}
	segNames = [6]string{"ES", "CS", "SS", "DS", "FS", "GS"}
)

// flagText names flags.
func flagText(f uint64) string {
	var names []string
	for i, name := range []string{0: "CF", 2: "PF", 4: "AF", 6: "ZF", 7: "SF", 11: "OF"} {
		if f>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return "[" + strings.Join(names, " ") + "]"
}

func (d *difference) addRegs(x, y *cpu.Regs) {
	d.add("RIP", x.RIP, y.RIP)
	for i, name := range gprNames {
		d.add(name, x.GPR[i], y.GPR[i])
	}
	d.add("RFLAGS", x.Flags, y.Flags)
	d.add("FS base", x.FSBase, y.FSBase)
	d.add("GS base", x.GSBase, y.GSBase)
	d.add("MXCSR", x.MXCSR, y.MXCSR)
	for i := range x.XMM {
		d.add(fmt.Sprintf("XMM%d", i), x.XMM[i], y.XMM[i])
	}
	for i := range x.Upper {
		d.add(fmt.Sprintf("the upper half of YMM%d", i), x.Upper[i], y.Upper[i])
	}
	for i, name := range segNames {
		d.add(name, x.Segs[i], y.Segs[i])
	}
	p, q := &x.X87, &y.X87
	for i := range p.R {
		d.add(fmt.Sprintf("x87 register %d", i), fmt.Sprintf("%#x", p.R[i]), fmt.Sprintf("%#x", q.R[i]))
	}
	d.add("x87 control word", p.CW, q.CW)
	d.add("x87 status word", p.SW, q.SW)
	d.add("x87 tags", p.TW, q.TW)
	d.add("x87 opcode", p.FOP, q.FOP)
	d.add("x87 instruction pointer", p.FIP, q.FIP)
	d.add("x87 operand pointer", p.FDP, q.FDP)
}

// addPage notes where a page differs first.
func (d *difference) addPage(p *mm.JournalPage) {
	const show = 16
	now := p.Frame.Bytes()
	first, count := 0, 0
	for i := range now {
		if now[i] != p.Other[i] {
			if count++; count == 1 {
				first = i
			}
		}
	}
	if count == 0 {
		return
	}
	end := min(first+show, mm.PageSize)
	name := fmt.Sprintf("memory at %#x (%d bytes of the page differ)", p.VA+uint64(first), count)
	d.add(name, fmt.Sprintf("% x", p.Other[first:end]), fmt.Sprintf("% x", now[first:end]))
}

// writers asks who wrote some flags in a step from s on, which is executed again:
// undefined are those that the last instruction that wrote them left undefined, kept
// are those that none wrote.
func (p *pair) writers(s *state, o *outcome, flags uint64) (undefined, kept uint64) {
	const tail = 64 // few steps need more
	for from := max(o.n-tail, 0); ; from = 0 {
		p.journal.Undo()
		list := p.trace(s, o, from)
		undefined, kept = 0, flags
		for i := len(list) - 1; i >= 0 && kept != 0; i-- {
			in := &list[i]
			if in.err != nil {
				continue
			}
			_, defines, leaves := x86.FlagEffect(&in.Inst, in.rcx)
			undefined |= kept & leaves
			kept &^= defines | leaves
		}
		if kept == 0 || from == 0 {
			return undefined, kept
		}
	}
}

// executed is an instruction of the reference's.
type executed struct {
	x86.Inst
	err   error
	bytes []byte
	pc    uint64
	rcx   uint64 // before
}

// trace has the reference execute a step again, and returns what instructions it
// executed from the given one on.
func (p *pair) trace(s *state, o *outcome, from int64) (list []executed) {
	at := *s
	advance := func(n int64) {
		o := p.ref.run(&at, &p.journal, n)
		at.regs, at.tsc = o.regs, at.tsc+uint64(o.n)
	}
	if from > 0 {
		advance(from)
	}
	for range o.n - from {
		list = append(list, at.fetch())
		advance(1)
	}
	if faulted(o.trap) || o.trap.Kind == cpu.TrapInterrupt {
		advance(1) // it may have done a part
	}
	return list
}

// fetch decodes the next instruction.
func (s *state) fetch() (in executed) {
	in.pc, in.rcx = s.regs.RIP, s.regs.GPR[cpu.RCX]
	for len(in.bytes) < x86.MaxLen {
		pc := in.pc + uint64(len(in.bytes))
		f, ok := s.as.Lookup(pc, mm.AccessExec)
		if !ok {
			break
		}
		b := f.Bytes()[pc%mm.PageSize:]
		in.bytes = append(in.bytes, b[:min(len(b), x86.MaxLen-len(in.bytes))]...)
	}
	if in.Inst, in.err = x86.Decode(in.bytes); in.err == nil {
		in.bytes = in.bytes[:in.Len]
	}
	return in
}
