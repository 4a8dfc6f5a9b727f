package jit

import "github.com/tinevm/tine/internal/mm"

// coldKind says what a piece of code off the way does.
type coldKind uint8

const (
	coldConst  coldKind = iota // exit at site n with T0 = v
	coldShared                 // a group's check failed: exit at site n, or go on at v without groups
	coldStack                  // the operand is not where the stack was last
	coldHost                   // the entry with flags in the host's
	coldEdge                   // go to v, giving back n instructions
)

// cold is a piece of code that is emitted after the block: what is rarely
// executed shall not be in the way of the rest.
type cold struct {
	kind          coldKind
	inHost, inMem bool // where the flags are
	fpu           bool // see translator
	fpuPC         uint64
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
	c.inHost, c.inMem, c.fpu, c.fpuPC = t.inHost, t.inMem, t.fpu, t.fpuPC
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
		t.inHost, t.inMem, t.fpu, t.fpuPC = c.inHost, c.inMem, c.fpu, c.fpuPC
		switch c.kind {
		case coldConst:
			t.moveImm(hT0, c.v)
			t.exit(c.n)
		case coldShared:
			t.coldShared(&c)
		case coldStack:
			t.coldStack(&c)
		case coldHost:
			t.out.host = t.pos()
			t.saveFlags()
			t.jmpBack(t.out.mem)
		case coldEdge:
			t.unloadFPU()
			if c.n > 0 {
				t.refund(c.n)
			}
			t.edge(c.v)
		}
	}
}

// coldStack looks for a stack operand in the other TLBs and goes on if it is
// there.
func (t *translator) coldStack(c *cold) {
	s := &t.sites[c.n]
	o := stack(c.disp)
	t.address(o)
	routine := cache.common.stackRead
	if s.write {
		routine = cache.common.stackWrite
	}
	t.callCommon(routine)
	t.aluImm(true, 7, hT0, mm.PageSize-c.span)
	t.jccBack(ccBE, c.back)
	s.constant = true
	if c.shared {
		t.coldShared(c)
		return
	}
	t.address(o)
	t.exit(c.n)
}

// common is where the routines are that blocks call, in the code memory. They
// find an address in T0 and return the offset in its page, with the host's
// address of the page in T1.
type common struct {
	stackRead, stackWrite int32
	saveFlags, loadFlags  int32
	// By what is accessed: see tierCold's check.
	read, write, stackR, stackW [len(spans)]int32
}

// spans are the ranges for which there are routines.
var spans = [...]int32{1, 2, 4, 8, 16, 32, maxSpan}

// spanClass is the index of the smallest of spans that is enough.
func spanClass(n int32) int {
	for i, s := range spans {
		if n <= s {
			return i
		}
	}
	panic("jit: no such span")
}

// callCommon emits the call of a common routine.
func (t *translator) callCommon(routine int32) {
	t.put1(0xe8)
	t.put32(routine - (t.base + t.pos() + 4))
}

// commonRoom is more than the common routines need.
const commonRoom = 1 << 12

// emitCommon emits the routines that blocks call, at the start of the code
// memory, and returns what they need of it.
func emitCommon() int32 {
	c := &cache.common
	t := translator{tier: tierHot}
	t.b = cache.mem.w[:commonRoom]
	cache.mem.prepare(commonRoom)
	c.stackWrite = t.pos()
	t.stackRoutine(nil)
	c.stackRead = t.pos()
	t.stackRoutine(func() { t.probeFor(offRT, 1) })
	c.saveFlags = t.pos()
	t.saveFlags()
	t.put1(0xc3)
	c.loadFlags = t.pos()
	t.restoreFlags(hT0)
	t.put1(0xc3)
	for i, span := range spans {
		c.read[i] = t.pos()
		t.probeFor(offRT, span)
		t.put1(0xc3)
		c.write[i] = t.pos()
		t.probeFor(offWT, span)
		t.put1(0xc3)
		c.stackR[i] = t.pos()
		t.stackLookup(c.stackRead, span)
		c.stackW[i] = t.pos()
		t.stackLookup(c.stackWrite, span)
	}
	t.emitFPU()
	return (t.pos() + 15) &^ 15
}

// probeFor looks for span bytes in a TLB. If they are not there, which the flags
// say (A), T0 and T1 are what probe leaves.
func (t *translator) probeFor(tlb, span int32) {
	t.probe(tlb)
	t.aluImm(true, 7, hT0, mm.PageSize-span)
	miss := t.jcc(ccA)
	t.load(hT1, mem{hB, hT1, 0, tlb + 8})
	t.here(miss)
}

// stackLookup emits a routine that looks for span bytes of the stack, in its
// entry and then by the routine next. If they cannot be had, which the flags say
// (A), the address is in T0 again.
func (t *translator) stackLookup(next, span int32) {
	t.memOp(true, hT0, field(offStack), 0x2b)
	limit := offStackSmall
	if span > smallSpan {
		limit = offStackLarge
	}
	t.memOp(true, hT0, field(limit), 0x3b)
	slow := t.jcc(ccAE)
	t.load(hT1, field(offStackHost))
	t.put1(0xc3)
	t.here(slow)
	t.memOp(true, hT0, field(offStack), 0x03)
	t.put2(0x41, 0x50|hT0&7) // push T0
	t.callCommon(next)
	t.aluImm(true, 7, hT0, mm.PageSize-span)
	bad := t.jcc(ccA)
	t.lea(hSP, at(hSP, 8))
	t.put1(0xc3)
	t.here(bad)
	t.put3(0x41, 0x58|hT0&7, 0xc3) // pop T0; ret
}

// stackRoutine emits a routine that makes the page in wt of the address that of
// context.stack. otherwise is what it does if wt has no such page.
func (t *translator) stackRoutine(otherwise func()) {
	t.probe(offWT)
	t.aluImm(true, 7, hT0, pageMask)
	miss := t.jcc(ccA)
	t.memOp(false, 6, mem{hB, hT1, 0, offWT}, 0xff) // push the page
	t.memOp(false, 0, field(offStack), 0x8f)        // pop
	t.load(hT1, mem{hB, hT1, 0, offWT + 8})
	t.store(field(offStackHost), hT1)
	t.memOp(true, 0, field(offStackSmall), 0xc7)
	t.put32(mm.PageSize - smallSpan + 1)
	t.memOp(true, 0, field(offStackLarge), 0xc7)
	t.put32(mm.PageSize - maxSpan + 1)
	t.put1(0xc3)
	t.here(miss)
	if otherwise != nil {
		t.memOp(true, hT0, mem{hB, hT1, 0, offWT}, 0x03) // the address again
		otherwise()
	}
	t.put1(0xc3)
}

// coldShared: either the page of a group is not in the TLB, or the group ends in
// another page.
func (t *translator) coldShared(c *cold) {
	s := &t.sites[c.n]
	rest := len(t.list) - int(s.idx) // s does not outlive plainEdge
	t.aluImm(true, 7, hT0, pageMask)
	miss := t.jcc(ccA)
	t.unloadFPU()
	t.refund(rest)
	t.inHost, t.inMem = false, true
	t.plainEdge(c.v)
	t.here(miss)
	if c.kind == coldStack {
		t.address(stack(c.disp))
	}
	t.exit(c.n)
}
