package jit

// siteKind says why machine code exits.
type siteKind uint8

const (
	siteEdge     siteKind = iota // to a direct target that is not linked
	siteIndirect                 // to the address in T0
	siteBudget                   // at the head: the block is too long for what is left
	siteHot                      // at the head: the block has run often
	siteFar                      // the instructions of the block often access other pages than the last time
	siteMiss                     // at the checked entry
	siteBeside                   // at the head: is a page beside the block's own mapped?
	siteLoad                     // the TLB does not have the page, or that is not enough
	siteStore
	siteStep // the interpreter shall execute the instruction
	siteCPUID
	siteString // REP STOS, if it is a write, or REP MOVS
	siteFPU    // the image shall be loaded
	siteSyscall
)

// site is a place where machine code exits: what Go needs to go on.
type site struct {
	kind  siteKind
	write bool
	size  uint8 // of the memory operand
	idx   uint8 // which instruction of the block
	plain bool  // edges: to the variant without groups
	loop  bool  // edges: backwards
	// TLB misses: a group is looked for; the address is in T0, rather than what
	// probe leaves.
	shared, constant bool
	simple, aligned  bool // see faulted
	direct           bool // see probeLast
	host             bool // edges: linked to the entry with flags in the host's
	fpu              bool // the x87 registers were in the host's, and are at retry and next
	// Positions from the block's start, 0 if there is none: where to repeat the
	// instruction (edges: the exit), where to go on after it (indirect jumps: the return
	// address of the call of common.again), and where to go on with it when the sum of T0
	// and T1 leads to a copy of its operand (direct: that of its address and T1).
	retry, next, loaded uint16
	// Edges: the position of the displacement to link. Indirect jumps: what
	// takes back the change of RSP. Strings: the length of the instruction.
	arg int32
	pc  uint64 // where the guest is; edges: where it goes
}

// headSites are the sites of the head. They are not in block.sites: there is
// nothing to be said about them that the block does not tell. Those that are have
// the numbers that follow.
var headSites = [...]siteKind{siteMiss, siteBudget, siteHot}

// siteAt returns the site with a number. It may be in room.
func (b *block) siteAt(n uint64, room *site) *site {
	if n >= uint64(len(headSites)) {
		return &b.sites[n-uint64(len(headSites))]
	}
	*room = site{kind: headSites[n], pc: b.pc, retry: uint16(b.entry.checked - b.start)}
	return room
}

// ways are how a site's exit is come by.
type ways struct {
	from  [2]int32 // displacements of jumps, 0 if there is none
	fpuPC uint64   // see translator
}

// site makes an exit and returns its index in the block.
func (t *translator) site(s site) int {
	s.idx, s.fpu = uint8(t.cur), t.fpu
	if s.kind != siteEdge {
		s.pc = t.list[t.cur].pc
	}
	t.sites = append(t.sites, s)
	t.ways = append(t.ways, ways{fpuPC: t.fpuPC})
	return len(t.sites) - 1
}

// exit emits the way to the exit of a site.
func (t *translator) exit(n int) { t.ways[n].from[0] = t.jmp() }

// exitFrom is exit for code that comes first: the displacements of jumps to it.
func (t *translator) exitFrom(n int, from ...int32) { copy(t.ways[n].from[:], from) }

// emitTail emits what exits share.
func (t *translator) emitTail() {
	t.tail = t.pos()
	t.leaveAs(t.number)
	t.refers(toNumber, t.pos()-5)
}

// leaveAs returns to enter, with what is on the stack as the site, and a number for
// the block: its own, or what routines say.
func (t *translator) leaveAs(block uint32) {
	t.memOp(false, 0, field(offSite), 0x8f) // pop
	t.store32(field(offBlock), block)
	t.put1(0xc3)
}

// leaveBy emits the exit of the site with number n, which leaves n on the stack for the
// tail. It returns where it is.
func (t *translator) leaveBy(n int) int32 {
	pos := t.pos()
	if n < 128 {
		t.put2(0x6a, byte(n)) // push
	} else {
		t.put1(0x68)
		t.put32(int32(n))
	}
	t.jmpBack(t.tail)
	return pos
}

// emitExits emits the exits that code jumps to.
func (t *translator) emitExits() {
	t.emitTail()
	for n, d := range t.headExits {
		if d != 0 {
			t.here(d)
			t.leaveBy(n)
		}
	}
	for n := range t.ways {
		w := &t.ways[n]
		if w.from[0] == 0 {
			continue
		}
		for _, d := range w.from {
			if d != 0 {
				t.here(d)
			}
		}
		if t.sites[n].kind == siteEdge {
			t.sites[n].retry = uint16(t.pos())
		}
		if t.sites[n].fpu {
			t.noteFPU(w.fpuPC)
			t.callCommon(cache.fpuUnload)
		}
		switch s := &t.sites[n]; {
		case s.kind == siteIndirect:
			t.callCommon(cache.common.again[bit(s.arg == 0)])
			s.next = uint16(t.pos())
			continue
		case s.kind == siteLoad && !s.fpu:
			t.callCommon(cache.common.loadMiss[bit(s.constant)])
			s.arg = t.pos()
			t.jmpBack(int32(s.retry))
			continue
		}
		t.leaveBy(n + len(headSites))
	}
}
