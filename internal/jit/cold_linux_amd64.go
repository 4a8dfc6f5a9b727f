package jit

import "github.com/tinevm/tine/internal/mm"

// coldKind says what a piece of code off the way does.
type coldKind uint8

const (
	coldExit   coldKind = iota // exit at site n
	coldConst                  // the same, with T0 = v
	coldShared                 // a group's check failed: exit at site n, or go on at v without groups
	coldStack                  // the operand is not where the stack was last
	coldMiss                   // exits at the head
	coldBudget
	coldHost // the entry with flags in the host's
	coldEdge // go to v, giving back n instructions
)

// cold is a piece of code that is emitted after the block: what is rarely
// executed shall not be in the way of the rest.
type cold struct {
	kind          coldKind
	inHost, inMem bool     // where the flags are
	from          [2]int32 // displacements of the jumps that lead there, 0 if there is none
	n             int
	v             uint64
	// coldStack: the operand is span bytes at [RSP+disp]; where to go on.
	disp       int64
	span, back int32
	shared     bool
}

// later has a piece emitted after the block.
func (t *translator) later(c cold) {
	c.inHost, c.inMem = t.inHost, t.inMem
	t.cold = append(t.cold, c)
}

// emitCold emits what was put off, and what that puts off.
func (t *translator) emitCold() {
	for i := 0; i < len(t.cold); i++ {
		c := t.cold[i]
		for _, d := range c.from {
			if d != 0 {
				t.here(d)
			}
		}
		t.cur = 0
		t.inHost, t.inMem = c.inHost, c.inMem
		switch c.kind {
		case coldExit:
			t.exit(c.n)
		case coldConst:
			t.moveImm(hT0, c.v)
			t.exit(c.n)
		case coldShared:
			t.coldShared(&c)
		case coldStack:
			t.coldStack(&c)
		case coldMiss:
			t.exit(t.site(site{kind: siteMiss}))
		case coldBudget:
			t.exit(t.site(site{kind: siteBudget, retry: t.out.checked}))
		case coldHost:
			t.out.host = t.pos()
			t.saveFlags()
			t.to(t.jmp(), t.out.mem)
		case coldEdge:
			if c.n > 0 {
				t.refund(c.n)
			}
			t.edge(c.v)
		}
	}
}

// coldStack makes the page of a stack operand that of context.stack, if it is
// there to be written, and goes on. A page that can only be read is used
// without.
func (t *translator) coldStack(c *cold) {
	s := &t.sites[c.n]
	o := stack(c.disp)
	t.address(o)
	t.probe(offWT)
	t.aluImm(true, 7, hT0, mm.PageSize-c.span)
	other := t.jcc(ccA)
	t.memOp(false, 6, mem{hB, hT1, 0, offWT}, 0xff) // push the page
	t.memOp(false, 0, field(offStack), 0x8f)        // pop
	t.load(hT1, mem{hB, hT1, 0, offWT + 8})
	t.store(field(offStack+8), hT1)
	for i, limit := range []int32{mm.PageSize - 16 + 1, mm.PageSize - maxSpan + 1} {
		t.memOp(true, 0, field(offStack+16+8*int32(i)), 0xc7)
		t.put32(limit)
	}
	t.to(t.jmp(), c.back)
	t.here(other)
	if !s.write {
		t.address(o)
		t.probe(offRT)
		t.aluImm(true, 7, hT0, mm.PageSize-c.span)
		other = t.jcc(ccA)
		t.load(hT1, mem{hB, hT1, 0, offRT + 8})
		t.to(t.jmp(), c.back)
		t.here(other)
	}
	if c.shared {
		t.coldShared(c)
	} else {
		t.exit(c.n)
	}
}

// coldShared: either the page of a group is not in the TLB, or the group ends in
// another page.
func (t *translator) coldShared(c *cold) {
	s := &t.sites[c.n]
	rest := int(s.n) - int(s.idx)
	t.aluImm(true, 7, hT0, pageMask)
	miss := t.jcc(ccA)
	t.refund(rest)
	t.inHost, t.inMem = false, true
	t.plainEdge(c.v)
	t.here(miss)
	t.exit(c.n)
}
