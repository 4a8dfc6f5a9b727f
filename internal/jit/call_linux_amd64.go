package jit

import "github.com/tinevm/tine/internal/mm"

// What a look-up does that does not find its page where it is looked for first is the
// same for many blocks, and rare: it is in routines, which the blocks call. What they
// cannot do exits from the routine: the return address tells whose call it was.
//
// The look-up itself is not in routines: in code that is seldom in the caches a taken
// jump costs more than what it saves.

// routines are called by all blocks but those with x87 registers, in which exits are
// more than a routine knows.
type routines struct {
	// byStack look up span bytes around RSP that are not in the page of context.stack,
	// with what probeLast left in T0, or for a group in T1; and return as returnFound
	// says. By whether they are for writing, and whether for a group.
	byStack [2][2][len(spans)]int32
	// split is for a group that checkTLB did not find; by whether it is for writing.
	// It does what loadMiss does, or does not return.
	split [2]int32
	// loadMiss looks in large for a page that is not in rt, puts it there and returns,
	// so that the load is tried again. T0 has the address if it is constant, and T0
	// and T1 what probe leaves if it is not.
	loadMiss [2]int32
	// strings do REP MOVS or REP STOS, by size, if it is in a page or from one to
	// another.
	strings [2][4]int32
	// again looks in kept for an indirect jump that is not in jumps; by whether it is
	// neither a call nor a return.
	again [2]int32
}

// spans are the sizes for which there are routines. A group that has none of them is
// looked up as if it were larger.
var spans = [...]int32{1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, maxSpan}

// spanClass is the index in spans of the first that is not less than n.
var spanClass = func() (t [maxSpan + 1]uint8) {
	for n := range t {
		for spans[t[n]] < int32(n) {
			t[n]++
		}
	}
	return t
}()

// What a routine leaves in context.block, which no block has as its number. The
// return address is in context.site.
const (
	exitCalled   = 0          // the TLB does not have the page, or the operand is in two pages
	exitCrossing = ^uint32(0) // a group is in two pages
	// kept does not have where an indirect jump leads, or where a call or return does.
	exitJump   = exitCrossing - 1
	exitReturn = exitCrossing - 2
)

// crossing is where to go on when a group is in two pages: in the variant of the code
// without groups.
type crossing struct {
	from   uint64 // the return address
	code   uint64
	refund uint64 // instructions of the block that it will not execute
	_      uint64
}

const (
	crossBits  = 12
	crossSize  = 1 << crossBits
	crossShift = 5 // log2 of the size of a crossing
)

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// emitRoutines emits them.
func (t *translator) emitRoutines(r *routines) {
	called := t.pos()
	t.leaveAs(exitCalled)
	crossed := t.pos()
	t.cross()
	for constant := range r.loadMiss {
		r.loadMiss[constant] = t.pos()
		t.emitLoadMiss(constant == 1, called)
	}
	for stos := range r.strings {
		for size := range r.strings[stos] {
			r.strings[stos][size] = t.pos()
			t.emitString(stos == 1, uint8(size), called)
		}
	}
	for jump, exit := range [...]uint32{exitReturn, exitJump} {
		left := t.pos()
		t.leaveAs(exit)
		r.again[jump] = t.pos()
		t.emitAgain(left)
	}
	for write := range r.split {
		r.split[write] = t.pos()
		t.aluImm(true, 7, hT0, pageMask)
		t.jccBack(ccBE, crossed)
		if write == 1 {
			t.jmpBack(called)
		} else {
			t.jmpBack(r.loadMiss[0])
		}
	}
	for w := range 2 {
		for shared := range 2 {
			for i, span := range spans {
				r.byStack[w][shared][i] = t.pos()
				t.emitByStack(w == 1, shared == 1, span, called, crossed)
			}
		}
	}
}

// returnFound returns with the offset in T0 and the host's address of the page in T1,
// or for a group with the sum in T1.
func (t *translator) returnFound(shared bool) {
	if shared {
		t.regOp(true, hT0, hT1, 0x01) // add T1, T0
	}
	t.put1(0xc3)
}

// emitByStack emits a routine for the stack.
func (t *translator) emitByStack(write, shared bool, span, called, crossed int32) {
	if shared { // probeLast had it in T1
		t.move(hT0, hT1)
	}
	t.memOp(true, hT0, field(offStackPage), 0x03) // the address again
	t.probe(offWT)
	t.aluImm(true, 7, hT0, pageMask)
	other := t.jcc(ccA)
	t.aluImm(true, 7, hT0, mm.PageSize-span)
	split := t.jcc(ccA)
	t.setLast(offStack, offWT)
	t.returnFound(shared)
	t.here(split)
	if shared {
		t.jmpBack(crossed)
	} else {
		t.memOp(true, hT0, mem{hB, hT1, 0, offWT}, 0x03)
		t.jmpBack(called)
	}
	t.here(other)
	t.memOp(true, hT0, mem{hB, hT1, 0, offWT}, 0x03)
	if !write {
		t.probe(offRT)
		t.aluImm(true, 7, hT0, mm.PageSize-span)
		miss := t.jcc(ccA)
		t.load(hT1, mem{hB, hT1, 0, offRT + 8})
		t.returnFound(shared)
		t.here(miss)
		if shared {
			t.aluImm(true, 7, hT0, pageMask)
			t.jccBack(ccBE, crossed)
		}
		t.memOp(true, hT0, mem{hB, hT1, 0, offRT}, 0x03)
	}
	t.jmpBack(called)
}

// cross goes on where the context says for the return address, and exits if it does
// not.
func (t *translator) cross() {
	t.put(0x4c, 0x8b, 0x2c, 0x24) // mov T1, [rsp]
	t.regOp(false, hT0, hT1, 0x8b)
	t.aluImm(false, 4, hT0, crossSize-1)
	t.put(0x41, 0xc1, 0xe0|hT0&7, crossShift) // shl T0d
	entry := func(off int32) mem { return mem{hB, hT0, 0, offCross + off} }
	t.memOp(true, hT1, entry(0), 0x3b)
	other := t.jcc(ccNE)
	t.put(0x48, 0x8d, 0x64, 0x24, 0x08) // lea rsp, [rsp+8]
	t.memOp(false, hT1, entry(16), 0x8b)
	t.leftOp(hT1, 0x01)               // add
	t.memOp(false, 4, entry(8), 0xff) // jmp
	t.here(other)
	t.leaveAs(exitCrossing)
}

// emitLoadMiss emits a loadMiss. It exits if large does not have the page either, or
// if it was in rt.
func (t *translator) emitLoadMiss(constant bool, called int32) {
	if !constant {
		t.aluImm(true, 7, hT0, pageMask)
		t.jccBack(ccBE, called)
		t.memOp(true, hT0, mem{hB, hT1, 0, offRT}, 0x03) // the address again
	}
	large := func(off int32) mem { return mem{hB, hT1, 0, offLarge + off} }
	t.store(field(offMissing), hT0)
	t.move(hT1, hT0)
	t.put(0x49, 0xc1, 0xe8|hT1&7, largeShift)     // shr T1
	t.regOp(false, hT1, hT0, 0x33)                // xor T1d, T0d
	t.put(0x41, 0xc1, 0xe8|hT1&7, mm.PageShift-4) // shr T1d
	t.aluImm(false, 4, hT1, (largeSize-1)<<4)     // and T1d
	t.aluImm(true, 4, hT0, -mm.PageSize)          // and T0
	t.memOp(true, hT0, field(offLargeTag), 0x0b)  // or
	t.memOp(true, hT0, large(0), 0x3b)
	miss := t.jcc(ccNE)
	t.memOp(false, 6, large(8), 0xff) // push
	t.aluImm(true, 4, hT0, -mm.PageSize)
	rt := func(off int32) mem { return mem{hB, hT1, 0, offRT + off} }
	t.slot()
	t.store(rt(0), hT0)
	t.memOp(false, 0, rt(8), 0x8f) // pop
	t.put1(0xc3)
	t.here(miss)
	t.load(hT0, field(offMissing))
	if !constant {
		t.probe(offRT)
	}
	t.jmpBack(called)
}

// emitAgain emits what goes where kept says for the address in T0, and puts that back into jumps;
// or it exits.
func (t *translator) emitAgain(left int32) {
	kept := func(off int32) mem { return mem{hB, hT1, 0, offKept + off} }
	t.regOp(false, hT1, hT0, 0x69) // imul
	t.put32(int32(keptHash - 1<<32))
	t.put(0x41, 0xc1, 0xe8|hT1&7, 32-keptBits) // shr T1d
	t.put(0x41, 0xc1, 0xe0|hT1&7, 4)           // shl T1d
	t.memOp(true, hT0, kept(0), 0x3b)
	t.jccBack(ccNE, left)
	t.memOp(false, 6, kept(8), 0xff) // push
	t.jumpSlot()
	t.store(mem{hB, hT1, 3, offJumps}, hT0)
	t.memOp(false, 0, mem{hB, hT1, 3, offJumps + 8}, 0x8f) // pop
	t.put(0x48, 0x8d, 0x64, 0x24, 0x08)                    // lea rsp, [rsp+8]
	t.memOp(false, 4, mem{hB, hT1, 3, offJumps + 8}, 0xff) // jmp
}

// called returns the block and the site of a call that returns to a position, which
// may be where the block ends.
func called(pos int32) (*block, *site) {
	cache.published.Load()
	n := cache.first[(pos-1)>>firstShift]
	b := numbered(n)
	for pos > b.end {
		n++
		b = numbered(n)
	}
	for i := range b.sites {
		s := &b.sites[i]
		at := s.arg
		if s.kind == siteIndirect || s.kind == siteString {
			at = int32(s.next)
		}
		if at == pos-b.start && (s.kind == siteIndirect || s.kind >= siteLoad) {
			return b, s
		}
	}
	panic("jit: a routine was called from nowhere")
}

// crossed goes on without groups, and has the routine do so the next time.
func (e *engine) crossed(b *block, s *site) where {
	if to := e.find(s.pc, tierPlain); to != nil {
		n := uint64(b.n) - uint64(s.idx)
		e.c.cross[e.c.site%crossSize] = crossing{from: e.c.site, code: host(to.entry.checked), refund: n}
	}
	return where{tier: tierPlain}
}
