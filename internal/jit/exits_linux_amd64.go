package jit

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/interp"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

// indirect goes to the address that an indirect jump, call or return found.
func (e *engine) indirect(s *site) (where, cpu.Trap) {
	c := e.c
	pc := c.t0
	if pc >= mm.UserTop {
		// Nothing can be executed there. Is it canonical? The interpreter
		// decides, doing the instruction again.
		e.left++
		c.regs.RIP = s.pc
		c.regs.GPR[cpu.RSP] += uint64(int64(s.arg))
		return where{}, e.stepOne()
	}
	c.regs.RIP = pc // run enters what it finds there into the jump cache
	if s.arg == 0 {
		return where{tier: tierCold}, cpu.Trap{} // a jump, perhaps that of an interpreter
	}
	return where{}, cpu.Trap{}
}

// inside handles an exit in the middle of a block, or at its head. The
// instructions that were not executed are given back.
func (e *engine) inside(b *block, s *site, generation uint64) (where, cpu.Trap) {
	c := e.c
	todo := int64(b.n) - int64(s.idx)
	e.left += todo
	c.regs.RIP = s.pc
	switch s.kind {
	case siteBudget:
		e.sampled(b, generation)
		if e.left < reserve+int64(b.n) {
			return where{}, e.stepSome(e.left)
		}
		if !b.alive(generation) {
			return where{}, cpu.Trap{}
		}
		return where{pos: b.start + int32(s.retry)}, cpu.Trap{}
	case siteBeside:
		return e.besideAt(b, s, generation), cpu.Trap{}
	case siteHot:
		if e.t.remake(b, tierHot, generation) {
			e.flush(generation)
		}
		return where{}, cpu.Trap{}
	case siteFar:
		return e.far(b, s, todo, generation), cpu.Trap{}
	case siteLoad, siteStore:
		if c.block == exitCrossing {
			return e.crossed(b, s), cpu.Trap{}
		}
		filled, absent := e.fill(s)
		if filled {
			return where{pos: b.start + int32(s.retry), take: todo, fpu: s.fpu}, cpu.Trap{}
		}
		if s.shared {
			return where{tier: tierPlain}, cpu.Trap{}
		}
		if s.loaded != 0 && b.alive(generation) && e.loadAcross(s) {
			w := where{pos: b.start + int32(s.loaded), take: todo, fpu: s.fpu, loaded: true}
			if s.direct {
				w.at = e.missed(s)
			}
			return w, cpu.Trap{}
		}
		if absent {
			if t, certain := e.faulted(s); certain {
				return where{}, t
			}
		}
	}
	switch {
	case s.kind == siteFPU:
		c.loadImage()
		return where{pos: b.start + int32(s.retry), take: todo}, cpu.Trap{}
	case s.kind == siteCPUID:
		e.cpuid()
	case s.kind == siteString && e.stringOp(s):
	default:
		if t := e.stepOne(); t.Kind != cpu.TrapNone {
			return where{}, t
		}
	}
	if s.next == 0 || !b.alive(generation) {
		return where{}, cpu.Trap{}
	}
	return where{pos: b.start + int32(s.next), take: todo - 1, fpu: s.fpu}, cpu.Trap{}
}

// sampled is told in which block a chunk ended, which is the more likely the more
// time is spent in it. Blocks that were thought to run once, and so do not count,
// begin to if much time is spent in them or in one that leads to them. (A chunk
// never ends in a short block after the way out of a long one.)
// Hot blocks are made anew so that they go through calls and to other pages, which takes
// more room.
func (e *engine) sampled(b *block, generation uint64) {
	n := b.samples.Add(1)
	if n != lookAfter(0) && n != lookAfter(1) || !b.alive(generation) {
		return
	}
	recount := func(pc uint64) {
		if p := e.codeAt(pc); p != nil {
			e.t.recount(p, pc)
		}
	}
	if b.tier == tierHot && e.t.remakeThrough(b, n, generation) {
		e.flush(generation)
	}
	recount(b.pc)
	for i := range b.sites {
		if s := &b.sites[i]; s.kind == siteEdge && !s.plain {
			recount(s.pc)
		}
	}
}

// besideAt goes on in a block one of whose pages has not been seen to be there, or
// has it made anew if it is not.
func (e *engine) besideAt(b *block, s *site, generation uint64) where {
	if !b.alive(generation) {
		return where{}
	}
	for i := range b.beside {
		to := &b.beside[i]
		if p := e.codeAt(to.page); p == nil || p.frame != to.cf.frame {
			if e.t.remakeAlone(b, generation) {
				e.flush(generation)
			}
			return where{}
		}
	}
	for i := range b.beside {
		e.mapped(b.beside[i].n)
	}
	return where{pos: b.start + int32(s.retry)}
}

// far decides what becomes of a hot block whose instructions have accessed
// farAfter times another page than the last time, the last of them at s. If that
// took long it goes on.
func (e *engine) far(b *block, s *site, todo int64, generation uint64) where {
	if b.alive(generation) && b.tolerate(e.c.block, s, e.total+e.budget-e.left) {
		return where{pos: b.start + int32(s.retry), take: todo, fpu: s.fpu}
	}
	if e.t.remake(b, tierHot, generation) {
		e.flush(generation)
	}
	return where{}
}

// cpuid executes CPUID, and remembers what it says.
func (e *engine) cpuid() {
	r := &e.c.regs
	g := &r.GPR
	k := &e.c.cpuid[uint32(g[cpu.RAX]+8*g[cpu.RCX])%cpuidSlots]
	k.leaf, k.sub = uint32(g[cpu.RAX]), uint32(g[cpu.RCX])
	e.step.CPUID(e.v, r)
	for i, reg := range [...]int{cpu.RAX, cpu.RBX, cpu.RCX, cpu.RDX} {
		k.said[i] = uint32(g[reg])
	}
	r.RIP += cpuidLen
	e.left--
}

// stepOne has the interpreter execute the instruction at RIP.
func (e *engine) stepOne() cpu.Trap { return e.stepSome(1) }

// stepSome has the interpreter execute up to n instructions.
func (e *engine) stepSome(n int64) cpu.Trap { return e.interpret(n, false) }

// interpret has the interpreter execute up to n instructions, with block no more
// than up to one that ends a block.
func (e *engine) interpret(n int64, block bool) cpu.Trap {
	c := e.c
	c.syncFlags()
	c.leaveImage()
	t, n := e.step.Step(e.v, &c.regs, e.as, e.budget-e.left, n, block)
	c.flags = packFlags(c.regs.Flags)
	e.left -= n
	return t
}

// missed is the address that the TLB did not have.
func (e *engine) missed(s *site) uint64 {
	c := e.c
	switch {
	case s.constant:
		return c.t0
	case s.write:
		// What was compared, and the index in the TLB, tell the address.
		return c.t0 + c.wt[c.t1>>4].page
	}
	return c.t0 + c.rt[c.t1>>4].page
}

// faulted tells of the page fault at a page that is absent without the
// interpreter, if it is certain that the interpreter would find just this.
func (e *engine) faulted(s *site) (t cpu.Trap, certain bool) {
	va := e.missed(s)
	if !s.simple || va >= mm.UserTop || va&pageMask+uint64(s.size) > mm.PageSize || s.aligned && va%uint64(s.size) != 0 {
		return t, false
	}
	acc := mm.AccessRead
	if s.kind == siteStore {
		acc = mm.AccessWrite
	}
	return cpu.Trap{Kind: cpu.TrapPageFault, Access: acc, Addr: va}, true
}

// simple reports whether the first that can go wrong with an access by in is a
// page fault, as that of a load or a store; aligned: unless the operand is not
// aligned. What changes its operand writes first.
func simple(in *inst) (simple, aligned bool) {
	switch withoutVEX(in.Op) {
	case x86.MOV, x86.MOVZX, x86.MOVSX, x86.MOVSXD, x86.CMP, x86.TEST, x86.PUSH, x86.POP, x86.CALL, x86.RET, x86.LEAVE,
		x86.MOVUPS, x86.MOVDQU, x86.MOVD, x86.MOVQ, x86.MOVSS, x86.MOVSD,
		x86.ADD, x86.OR, x86.ADC, x86.SBB, x86.AND, x86.SUB, x86.XOR, x86.INC, x86.DEC, x86.NEG, x86.NOT,
		x86.XCHG, x86.XADD, x86.CMPXCHG:
		return true, false
	case x86.MOVAPS, x86.MOVDQA:
		return true, true
	}
	return false, false
}

// fill gets the TLB what it missed. filled is false if that is not all: the
// operand reaches into another page, is not aligned, or is absent, which means
// that it cannot be had as the page stands.
func (e *engine) fill(s *site) (filled, absent bool) {
	c, va := e.c, e.missed(s)
	page := va &^ pageMask
	i := va >> mm.PageShift % tlbSize
	if va-page+uint64(s.size) > mm.PageSize {
		return false, false
	}
	switch {
	case s.write && c.wt[i].page == page || !s.write && c.rt[i].page == page:
		return false, false
	case s.write:
		return e.fillWrite(va)
	}
	filled = e.fillRead(va)
	return filled, !filled
}

// fillRead fills the entry for reading the page of va, if it can be had.
func (e *engine) fillRead(va uint64) bool {
	f, ok := e.as.Lookup(va, mm.AccessRead)
	if ok {
		e.c.setRead(va, hostPage(f))
		e.fillAround(va)
	}
	return ok
}

// fillWrite fills the entry for writing the page of va, unless it is absent or has
// code.
func (e *engine) fillWrite(va uint64) (filled, absent bool) {
	c := e.c
	f, ok := e.as.Lookup(va, mm.AccessWrite)
	if !ok {
		return false, true
	}
	f.MarkStores()
	if f.HasCode() {
		// Code is about to be written, perhaps that of this block.
		interp.DropCode(f)
		return false, false
	}
	i := va >> mm.PageShift % tlbSize
	c.dropWrite(i)
	c.wt[i], c.wf[i] = tlbEntry{va &^ pageMask, hostPage(f)}, f
	c.noteWrite(i)
	// What may be written may be read, and if there are few pages, will be.
	if c.rt[i].page == noPage(i) && len(c.reads) < maxReads/4 {
		c.setRead(va, hostPage(f))
	}
	return true, false
}

// fillFaulted fills the entry that the page fault which has just been resolved was
// about, which saves an exit. After a fork by another thread, whose turn it is to
// touch the page first would show.
func (e *engine) fillFaulted() {
	t := e.fault
	e.fault = cpu.Trap{}
	if t.Addr < mm.UserTop && e.faultIn == e.c && e.faultGen == e.as.Version().Gen {
		switch t.Access {
		case mm.AccessRead:
			e.fillRead(t.Addr)
		case mm.AccessWrite:
			e.fillWrite(t.Addr)
		}
	}
}

// fillAround gives the empty entries of pages around va what they are likely to be
// asked for.
func (e *engine) fillAround(va uint64) {
	c := e.c
	e.as.Around(va, 16, mm.AccessRead, func(page uint64, f mm.Frame) {
		if i := page >> mm.PageShift % tlbSize; c.rt[i].page == noPage(i) && !f.Gone() {
			c.setRead(page, hostPage(f))
		}
	})
}

func hostPage(f mm.Frame) uint64 { return uint64(uintptr(f.Addr())) }

// loadAcross copies an operand that is in two pages, if both can be read.
func (e *engine) loadAcross(s *site) bool {
	c, va := e.c, e.missed(s)
	first := mm.PageSize - va&pageMask
	if first >= uint64(s.size) {
		return false
	}
	f, ok := e.as.Lookup(va, mm.AccessRead)
	g, ok2 := e.as.Lookup(va+first, mm.AccessRead)
	if !ok || !ok2 {
		return false
	}
	b := c.vectors[:s.size]
	copy(b[:first], f.Bytes()[va&pageMask:])
	copy(b[first:], g.Bytes())
	return true
}
