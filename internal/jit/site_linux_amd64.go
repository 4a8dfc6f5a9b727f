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
	siteLoad                     // the TLB does not have the page, or that is not enough
	siteStore
	siteStep // the interpreter shall execute the instruction
	siteCPUID
	siteFPU // the image shall be loaded
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
	simple           bool // see faulted
	host             bool // edges: linked to the entry with flags in the host's
	fpu              bool // the x87 registers were in the host's, and are at retry and next
	// Positions from the block's start, 0 if there is none: where to repeat the
	// instruction, where to go on after it, and where to go on with it when the
	// sum of T0 and T1 leads to a copy of its operand.
	retry, next, loaded uint16
	// Edges: the position of the displacement to link. Indirect jumps: what
	// takes back the change of RSP.
	arg int32
	pc  uint64 // where the guest is; edges: where it goes
}

// site makes an exit and returns its number in the block.
func (t *translator) site(s site) int {
	s.idx, s.fpu = uint8(t.cur), t.fpu
	if s.kind != siteEdge {
		s.pc = t.list[t.cur].pc
	}
	t.sites = append(t.sites, s)
	t.from = append(t.from, [2]int32{})
	t.fpuAt = append(t.fpuAt, t.fpuPC)
	return len(t.sites) - 1
}

// exit emits the way to the exit of a site.
func (t *translator) exit(n int) { t.from[n][0] = t.jmp() }

// exitFrom is exit for code that comes first: the displacements of jumps to it.
func (t *translator) exitFrom(n int, from ...int32) { copy(t.from[n][:], from) }

// emitTail emits what exits share.
func (t *translator) emitTail() {
	t.tail = t.pos()
	t.memOp(false, 0, field(offSite), 0x8f) // pop
	t.store32(field(offBlock), t.number)
	t.put1(0xc3)
}

// emitExit emits the exit of site n, which leaves n on the stack for the tail. It
// returns where it is.
func (t *translator) emitExit(n int) int32 {
	pos := t.pos()
	if t.sites[n].fpu {
		t.noteFPU(t.fpuAt[n])
		t.callCommon(cache.fpuUnload)
	}
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
	if t.pos()-t.tail > 128 && len(t.from) > 6 {
		t.emitTail()
	}
	for n, from := range t.from {
		if from[0] == 0 {
			continue
		}
		for _, d := range from {
			if d != 0 {
				t.here(d)
			}
		}
		t.emitExit(n)
	}
}
