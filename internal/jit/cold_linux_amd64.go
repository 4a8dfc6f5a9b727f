package jit

// coldKind says what a piece of code off the way does.
type coldKind uint8

const (
	coldExit   coldKind = iota // exit at site n
	coldConst                  // the same, with T0 = v
	coldShared                 // a group's check failed: exit at site n, or go on at v without groups
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
		case coldMiss:
			t.exit(t.site(site{kind: siteMiss}))
		case coldBudget:
			t.exit(t.site(site{kind: siteBudget}))
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

// coldShared: either the page of a group is not in the TLB, or the group ends in
// another page. Site n is followed by how many instructions there are to give
// back.
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
