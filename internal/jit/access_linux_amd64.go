package jit

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

// operand is a memory operand of the guest. Registers are the guest's.
type operand struct {
	shape // none: there is no such register
	seg   x86.Seg
	disp  int64 // the whole address, if there is no register
}

// operandOf returns the memory operand of in.
func operandOf(in *inst) operand {
	o := operand{shape{in.Base, in.Index, in.Scale}, in.Seg, in.Disp}
	if o.base == x86.NoReg {
		o.base = none
	}
	if o.index == x86.NoReg {
		o.index = none
	}
	if in.RIPRel {
		o.disp += int64(in.next())
	}
	return o
}

// stack is [RSP+disp].
func stack(disp int64) operand { return operand{shape: shape{cpu.RSP, none, 0}, disp: disp} }

// hostOperand gives the host's form of an address that has a register, without
// its segment. It may need both temporaries.
func (t *translator) hostOperand(o operand) mem {
	m := mem{base: none, index: none, scale: o.scale, disp: int32(o.disp)}
	if o.base != none {
		if m.base = hostOf[o.base]; m.base == spilled {
			t.loadHome(hT0, o.base)
			m.base = hT0
		}
	}
	if o.index != none {
		m.index = hostOf[o.index]
		switch {
		case m.index == spilled && o.index == o.base:
			m.index = hT0
		case m.index == spilled:
			t.lostT1()
			t.load(hT1, home(o.index))
			m.index = hT1
		}
		if m.base == none {
			t.moveImm(hT0, uint64(o.disp))
			m.base, m.disp = hT0, 0
		}
	}
	return m
}

// address loads a temporary with the address.
func (t *translator) address(d uint8, o operand) {
	if o.base == none && o.index == none {
		t.moveImm(d, uint64(o.disp))
	} else if m := t.hostOperand(o); m.index == none && m.disp == 0 {
		if m.base != d {
			t.move(d, m.base)
		}
	} else {
		t.lea(d, m)
	}
	switch o.seg {
	case x86.SegFS:
		t.memOp(true, d, field(offFSBase), 0x03)
	case x86.SegGS:
		t.memOp(true, d, field(offGSBase), 0x03)
	}
}

// access makes in's memory operand accessible.
func (t *translator) access(in *inst, o operand) mem {
	size, write, aligned := accessOf(in)
	return t.check(in, o, size, write, aligned)
}

// check returns the host's form of an operand of the guest that is good to be
// accessed. If it is not known to be, code is emitted that looks it up in the
// TLB, which destroys the flags and both temporaries. What the TLB cannot do
// exits: to try again when the TLB has been filled, or to leave the instruction
// to the interpreter. aligned says that the operand must be aligned to its size,
// because the processor demands it, or because the host could not access it at
// once.
func (t *translator) check(in *inst, o operand, size uint8, write, aligned bool) mem {
	aligned = aligned && size > 1
	if g := t.groupFor(o, size, write); g != nil {
		m := t.reach(g, o)
		if !aligned || size <= 16 && g.aligned && (o.disp+g.adj-g.lo)%16 == 0 {
			return m
		}
		return t.align(in, m, size)
	}
	t.clobber(in)
	t.lostT1()
	if o.constant() && !aligned && uint64(o.disp)&pageMask+uint64(size) <= mm.PageSize {
		return t.checkConst(in, uint64(o.disp), size, write)
	}
	g, members, apart := t.plan(o, size, write)
	// If the operand must be aligned so must be the start of the group.
	shared := members > 1 && (!aligned || (o.disp-g.lo)%max(16, int64(size)) == 0)
	first := o.disp
	span := int32(size)
	if shared {
		o.disp, span, write = g.lo, int32(g.hi-g.lo), g.write
	}
	quick := o.base == cpu.RSP && o.index == none && !aligned
	_, kind := tlbFor(write)
	s := site{kind: kind, write: write, size: size, retry: uint16(t.pos()), shared: shared}
	s.simple, s.aligned = simple(in)
	if shared {
		s.size = 1
	}
	t.heldAt = 0 // to be repeated from here
	n := len(t.sites)
	g.at = g.lo
	switch {
	case quick:
		t.checkStack(s, span, o, in.pc)
	case t.tier == tierHot && !aligned && t.far>>t.cur&1 == 0:
		s.direct = o.index == none && o.base != none && o.seg == x86.SegNone && hostOf[o.base] != spilled
		t.checkLast(s, span, o, in.pc)
		if s.direct && shared {
			g.at = 0
			t.regOp(true, hT1, hostOf[o.base], 0x03) // add
		}
	default:
		t.address(hT0, o)
		t.checkTLB(s, span, size, aligned, in.pc)
	}
	if !shared {
		if !write && !aligned {
			t.sites[n].loaded = uint16(t.pos())
		}
		if s.direct {
			return mem{base: hostOf[o.base], index: hT1, disp: int32(first)}
		}
		return mem{base: hT0, index: hT1}
	}
	g.aligned = aligned && size >= 16
	m := t.begin(g, apart)
	m.disp = int32(first - g.at)
	return m
}

// checkStack looks for span bytes at o, which is around RSP, in the entry that the
// stack has of its own.
func (t *translator) checkStack(s site, span int32, o operand, pc uint64) {
	other := t.probeLast(offStack, span, o, s.shared, false)
	t.later(cold{kind: coldStack, from: [2]int32{other}, n: t.site(s), v: pc, back: t.pos(), span: span, disp: o.disp, shared: s.shared})
}

// checkLast looks for span bytes at o in the page that the instruction accessed
// last. Then the host's address does not wait for a load that waits for the
// guest's, which is half of the time of following a pointer.
func (t *translator) checkLast(s site, span int32, o operand, pc uint64) {
	last := offRL
	if s.write {
		last = offWL
	}
	n := cache.lasts[bit(s.write)].take()
	t.lasts[bit(s.write)] = append(t.lasts[bit(s.write)], n)
	last += lastEntries + int32(n)*lastBytes
	other := t.probeLast(last, span, o, s.shared, s.direct)
	t.later(cold{kind: coldLast, direct: s.direct, from: [2]int32{other}, n: t.site(s), v: pc, back: t.pos(), span: span, last: last, shared: s.shared})
}

// probeLast looks for span bytes at o in a lastEntry. T0 becomes the offset in the
// page and T1 the host's address of the page; if they are for a group, T1 becomes
// where they are, by way of the offset. If the operand is to be addressed by its own
// register (direct), T1 becomes how far the host's address is from the guest's: the
// access then does not wait for the offset. It returns the jump that is taken if they are
// not there.
func (t *translator) probeLast(last, span int32, o operand, shared, direct bool) int32 {
	limit := last + lastSmall
	if span > smallSpan {
		limit = last + lastLarge
	}
	offset, opcode, from := uint8(hT0), byte(0x8b), last+lastHost
	switch {
	case direct:
		from = last + lastApart
	case shared:
		offset, opcode = hT1, 0x03 // add
	}
	t.address(offset, o)
	t.lastOp(true, offset, pageOf(last), 0x2b)
	t.lastOp(true, offset, limit, 0x3b)
	other := t.jcc(ccAE)
	t.lastOp(true, hT1, from, opcode)
	return other
}

// pageOf is where the page of the lastEntry at a displacement is.
func pageOf(last int32) int32 {
	for _, table := range [...]int32{offRL, offWL} {
		if in := last - table - lastEntries; in >= 0 && in < lastSize*lastBytes {
			return table + in/lastBytes*8
		}
	}
	return offStackPage
}

// setLast makes the page at offset T1 of a TLB that of a lastEntry, and loads T1
// with where it is.
func (t *translator) setLast(last, tlb int32) {
	t.memOp(false, 6, mem{hB, hT1, 0, tlb}, 0xff) // push the page
	t.lastOp(false, 0, pageOf(last), 0x8f)        // pop
	t.load(hT1, mem{hB, hT1, 0, tlb + 8})
	t.lastOp(true, hT1, last+lastHost, 0x89)
	t.lastOp(true, 0, last+lastSmall, 0xc7)
	t.put32(mm.PageSize - smallSpan + 1)
	t.lastOp(true, 0, last+lastLarge, 0xc7)
	t.put32(mm.PageSize - maxSpan + 1)
}

// checkTLB looks for span bytes at the address in T0, of which the first size may
// have to be aligned.
func (t *translator) checkTLB(s site, span int32, size uint8, aligned bool, pc uint64) {
	tlb, _ := tlbFor(s.write)
	var slow [2]int32
	t.probe(tlb)
	t.aluImm(true, 7, hT0, mm.PageSize-span)
	slow[0] = t.jcc(ccA)
	if aligned {
		t.put(0x41, 0xf6, 0xc0|hT0&7, size-1) // test T0b, size-1
		slow[1] = t.jcc(ccNE)
	}
	t.load(hT1, mem{hB, hT1, 0, tlb + 8})
	n := t.site(s)
	if s.shared {
		t.regOp(true, hT0, hT1, 0x01) // add T1, T0
		t.later(cold{kind: coldShared, from: slow, n: n, v: pc})
	} else {
		t.exitFrom(n, slow[:]...)
	}
}

// probe looks for the address in T0 in a TLB: T1 is the offset of its entry,
// and if that is the right one, T0 the offset in the page.
func (t *translator) probe(tlb int32) {
	t.slot()
	t.memOp(true, hT0, mem{hB, hT1, 0, tlb}, 0x2b) // sub T0, page
}

// slot loads T1 with the offset of the entry that a TLB has for the address in T0.
func (t *translator) slot() {
	t.move(hT1, hT0)
	t.put(0x41, 0xc1, 0xe8|hT1&7, mm.PageShift-4) // shr T1d, 8
	t.aluImm(false, 4, hT1, (tlbSize-1)<<4)       // and T1d
}

// align checks the alignment of an operand that can be accessed.
func (t *translator) align(in *inst, m mem, size uint8) mem {
	t.clobber(in)
	t.lea(hT0, m)
	t.put(0x41, 0xf6, 0xc0|hT0&7, size-1) // test T0b, size-1
	slow := t.jcc(ccNE)
	t.exitFrom(t.site(site{kind: siteStep}), slow)
	return at(hT0, 0)
}

func tlbFor(write bool) (tlb int32, kind siteKind) {
	if write {
		return offWT, siteStore
	}
	return offRT, siteLoad
}

// checkConst is check for an address that is known.
func (t *translator) checkConst(in *inst, va uint64, size uint8, write bool) mem {
	tlb, kind := tlbFor(write)
	page := va &^ pageMask
	entry := tlb + int32(va>>mm.PageShift%tlbSize)*16
	start := t.pos()
	if page == uint64(int32(page)) {
		t.aluMemImm(7, field(entry), int32(page))
	} else {
		t.moveImm(hT0, page)
		t.memOp(true, hT0, field(entry), 0x3b)
	}
	slow := t.jcc(ccNE)
	t.load(hT1, field(entry+8))
	s := site{kind: kind, write: write, size: size, retry: uint16(start), constant: true}
	s.simple, s.aligned = simple(in)
	n := t.site(s)
	t.later(cold{kind: coldConst, from: [2]int32{slow}, n: n, v: va})
	if last := &t.groups[maxGroups-1]; t.tier != tierPlain && !last.inT1 && !last.stored {
		t.begin(group{shape: shape{none, none, 0}, write: write, lo: int64(page), hi: int64(page) + mm.PageSize, at: int64(page)}, false)
	}
	return at(hT1, int32(va&pageMask))
}
