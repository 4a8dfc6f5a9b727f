package jit

import "github.com/tinevm/tine/internal/mm"

// coldKind says what a piece of code off the way does.
type coldKind uint8

const (
	coldConst  coldKind = iota // exit at site n with T0 = v
	coldShared                 // a group's check failed: exit at site n, or go on at v without groups
	coldStack                  // the operand is not where the stack was last
	coldLast                   // the operand is in another page than the last time
	coldHost                   // the entry with flags in the host's
	coldEdge                   // go to v, giving back n instructions
	coldReturn                 // the same to the address that at has, see indirect
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
	direct     bool  // see probeLast
	last       int32 // coldLast: where the context has the page; coldReturn: what takes back the change of RSP
	cur        int   // coldEdge, coldReturn: the instruction
	at         mem
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
		t.cur = c.cur
		t.inHost, t.inMem, t.fpu, t.fpuPC = c.inHost, c.inMem, c.fpu, c.fpuPC
		switch c.kind {
		case coldConst:
			t.moveImm(hT0, c.v)
			t.exit(c.n)
		case coldShared:
			t.coldShared(&c)
		case coldStack:
			t.coldStack(&c)
		case coldLast:
			t.coldLast(&c)
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
		case coldReturn:
			t.unloadFPU()
			t.load(hT0, c.at)
			t.refund(c.n)
			t.indirect(c.last)
		}
	}
}

// coldStack looks for a stack operand in the other TLBs and goes on if it is
// there.
func (t *translator) coldStack(c *cold) {
	s := &t.sites[c.n]
	s.constant = true
	if !t.fpu {
		t.callCommon(cache.common.byStack[bit(s.write)][bit(s.shared)][spanClass[c.span]])
		s.arg = t.pos()
		t.jmpBack(c.back)
		return
	}
	o := stack(c.disp)
	t.address(hT0, o)
	routine := cache.common.stackRead
	if s.write {
		routine = cache.common.stackWrite
	}
	t.callCommon(routine)
	t.aluImm(true, 7, hT0, mm.PageSize-c.span)
	other := t.jcc(ccA)
	t.found(c)
	t.here(other)
	if c.shared {
		t.coldShared(c)
		return
	}
	t.address(hT0, o)
	t.exit(c.n)
}

// found goes back to where a lastEntry is used: with the offset in T0 and the
// host's address of the page in T1, or for a group with the sum in T1.
func (t *translator) found(c *cold) {
	if c.shared && !c.direct {
		t.regOp(true, hT0, hT1, 0x01) // add T1, T0
	}
	t.jmpBack(c.back)
}

// coldLast looks for an operand in the TLB and remembers its page.
func (t *translator) coldLast(c *cold) {
	s := t.sites[c.n]
	tlb, _ := tlbFor(s.write)
	if s.shared && !c.direct {
		t.move(hT0, hT1)
	}
	t.lastOp(true, hT0, pageOf(c.last), 0x03) // the address again
	t.probe(tlb)
	t.aluImm(true, 7, hT0, mm.PageSize-c.span)
	slow := t.jcc(ccA)
	t.setLast(c.last, tlb)
	t.lastOp(true, hT1, pageOf(c.last), 0x2b)
	t.lastOp(true, hT1, c.last+lastApart, 0x89)
	if !c.direct {
		t.lastOp(true, hT1, c.last+lastHost, 0x8b)
	}
	t.countDown()
	far := t.jcc(ccS)
	t.found(c)
	t.here(slow)
	kind := s.kind
	s.kind, t.cur = siteFar, int(s.idx)
	t.exitFrom(t.site(s), far)
	s.kind = kind
	if s.shared {
		t.coldShared(c)
		return
	}
	t.exit(c.n)
}

// common is where the routines are that blocks call, in the code memory. They
// find the address in T0 and return the offset in the page, with the host's
// address of the page in T1, or if the TLB does not have it, what probe leaves.
type common struct {
	stackRead, stackWrite int32
	routines
	heads [2]head // by whether the block counts
	size  int32   // of all
}

// callCommon emits the call of a common routine.
func (t *translator) callCommon(routine int32) {
	t.put1(0xe8)
	t.refers(toRoutine, t.pos())
	t.put32(routine - (t.base + t.pos() + 4))
}

// commonRoom is more than the common routines need.
const commonRoom = 1 << 14

// emitCommon emits the routines that blocks call.
func emitCommon() {
	var t translator
	cache.mem.prepare(commonRoom)
	t.b, t.n = cache.mem.w[:commonRoom], cache.mem.used
	cache.common.stackWrite = t.pos()
	t.stackRoutine(nil)
	cache.common.stackRead = t.pos()
	t.stackRoutine(func() {
		t.probe(offRT)
		t.aluImm(true, 7, hT0, pageMask)
		miss := t.jcc(ccA)
		t.load(hT1, mem{hB, hT1, 0, offRT + 8})
		t.here(miss)
	})
	t.emitFPU()
	t.emitRoutines(&cache.common.routines)
	cache.common.heads = [2]head{newHead(false), newHead(true)}
	cache.mem.used = (t.pos() + 15) &^ 15
	cache.common.size = cache.mem.used
}

// stackRoutine emits a routine that makes the page in wt of the address that of
// context.stack. otherwise is what it does if wt has no such page.
func (t *translator) stackRoutine(otherwise func()) {
	t.probe(offWT)
	t.aluImm(true, 7, hT0, pageMask)
	miss := t.jcc(ccA)
	t.setLast(offStack, offWT)
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
	if !t.fpu {
		t.callCommon(cache.common.split[bit(s.write)])
		s.arg = t.pos()
		if !s.write {
			t.jmpBack(int32(s.retry))
		}
		return
	}
	rest := len(t.list) - int(s.idx) // s does not outlive plainEdge
	t.aluImm(true, 7, hT0, pageMask)
	miss := t.jcc(ccA)
	t.unloadFPU()
	t.refund(rest)
	t.inHost, t.inMem = false, true
	t.plainEdge(c.v)
	t.here(miss)
	if c.kind == coldStack {
		t.address(hT0, stack(c.disp))
	}
	t.exit(c.n)
}
