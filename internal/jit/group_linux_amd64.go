package jit

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// Accesses to memory around one address share a check: the first of them has
// the whole range that they reach checked, and the others only add to the
// host's address of its start. It is in T1 as long as nothing else needs T1,
// and in the context if something does before the last of them.
//
// Constant addresses are like this in groups of a page, as long as it is in T1.
//
// If the range reaches into another page, or not all of it can be accessed, the
// program goes on in a variant of the block that shares nothing.

const (
	maxGroups = 4   // at a time
	maxSpan   = 256 // bytes of a range
	smallSpan = 16  // of a single operand
)

// group is a range of guest memory that has been checked. Offsets are from the
// value that the sum of its registers had then.
type group struct {
	shape   // of the operands
	write   bool
	inT1    bool
	stored  bool  // in the context
	aligned bool  // its start is at a multiple of 16
	adj     int64 // what the sum has grown since
	lo, hi  int64
	at      int64 // the offset of which T1 is the host's address
}

// shape is the part of an operand that depends on registers.
type shape struct{ base, index, scale uint8 }

// shared reports whether an operand can be in a group.
func (o *operand) shared() bool { return o.base != none && o.seg == x86.SegNone }

// constant reports whether the address of an operand is known.
func (o *operand) constant() bool { return o.base == none && o.index == none && o.seg == x86.SegNone }

// grows reports by how much in makes the sum of the registers greater, if that
// is known.
func (sh shape) grows(in *inst) (n int64, ok bool) {
	w := in.writes
	if w == 0 {
		return 0, true
	}
	if w>>sh.base&1 != 0 {
		if n, ok = in.grows(sh.base); !ok {
			return 0, false
		}
	}
	if sh.index != none && w>>sh.index&1 != 0 {
		k, ok := in.grows(sh.index)
		if !ok {
			return 0, false
		}
		n += k << sh.scale
	}
	return n, true
}

// groupFor returns the live group that has an access, or nil.
func (t *translator) groupFor(o operand, size uint8, write bool) *group {
	if !t.grouped || !o.shared() && !o.constant() {
		return nil
	}
	for i := range t.groups {
		g := &t.groups[i]
		if off := o.disp + g.adj; g.shape == o.shape && (g.inT1 || g.stored) && off >= g.lo && off+int64(size) <= g.hi && (g.write || !write) {
			return g
		}
	}
	return nil
}

// reach returns the operand of an access in a live group.
func (t *translator) reach(g *group, o operand) mem {
	if !g.inT1 {
		i := int32(0)
		for &t.groups[i] != g {
			i++
		}
		t.lostT1()
		t.load(hT1, field(offGroups+8*i))
		g.inT1 = true
	}
	return at(hT1, int32(o.disp+g.adj-g.at))
}

// lostT1 notes that T1 is about to be used for something else.
func (t *translator) lostT1() {
	if !t.grouped {
		return
	}
	for i := range t.groups {
		t.groups[i].inT1 = false
	}
}

// dropGroups forgets all groups.
func (t *translator) dropGroups() {
	if t.grouped {
		t.groups, t.grouped = [maxGroups]group{}, false
	}
}

// plan looks from the current instruction, which makes the access, at those
// that follow, and returns the group of what can share its check. members is
// their number, and apart says whether something between them may need T1.
func (t *translator) plan(o operand, size uint8, write bool) (g group, members int, apart bool) {
	g = group{shape: o.shape, write: write, lo: o.disp, hi: o.disp + int64(size)}
	members = 1
	if t.tier == tierPlain || !o.shared() {
		return g, members, false
	}
	// Until the first conditional jump a write makes the group one for writing.
	straight := true
	adj, between := int64(0), false
	for i := t.cur; i < len(t.list); i++ {
		in := &t.list[i]
		if in.kind == kindStep || in.kind == kindStepEnd || in.kind == kindSyscall {
			break
		}
		if i > t.cur {
			for j := range in.accesses[:in.naccess] {
				a := &in.accesses[j]
				off := a.disp + adj
				lo, hi := min(g.lo, off), max(g.hi, off+int64(a.size))
				if !a.shared() || a.shape != o.shape || hi-lo > maxSpan || a.write && !g.write && !straight {
					between = true
					continue
				}
				g.lo, g.hi, g.write = lo, hi, g.write || a.write
				members++
				apart = apart || between
			}
		}
		straight = straight && in.kind != kindJcc
		between = between || in.usesT1
		k, ok := o.shape.grows(in)
		if !ok {
			break
		}
		adj += k
	}
	return g, members, apart
}

// begin makes g live, whose start T1 has.
func (t *translator) begin(g group, store bool) mem {
	i := 0
	for i < maxGroups-1 && (t.groups[i].inT1 || t.groups[i].stored) {
		i++
	}
	t.grouped = true
	t.groups[i] = g
	t.groups[i].inT1 = true
	t.began = true
	if store {
		t.groups[i].stored = true
		t.store(field(offGroups+8*int32(i)), hT1)
	}
	return at(hT1, 0)
}

// follow brings the groups up to date with what in does to registers.
func (t *translator) follow(in *inst) {
	if !t.grouped {
		return
	}
	for i := range t.groups {
		g := &t.groups[i]
		if !g.inT1 && !g.stored {
			continue
		}
		if k, ok := g.grows(in); ok {
			g.adj += k
		} else {
			*g = group{}
		}
	}
}

// access is a memory access of an instruction.
type access struct {
	operand
	size  uint8
	write bool
}

// findAccesses lists what in accesses, in order.
func (in *inst) findAccesses() {
	add := func(o operand, size uint8, write bool) {
		in.accesses[in.naccess] = access{o, size, write}
		in.naccess++
	}
	switch in.kind {
	case kindPass, kindDivide:
		size, write, aligned := accessOf(in)
		add(operandOf(in), size, write)
		in.aligned = aligned
	case kindPush, kindCallInd:
		if in.Mem {
			add(operandOf(in), 8, false)
		}
		add(stack(-8), 8, true)
	case kindJmpInd:
		if in.Mem {
			add(operandOf(in), 8, false)
		}
	case kindCall:
		add(stack(-8), 8, true)
	case kindPop, kindRet:
		add(stack(0), 8, false)
	case kindLeave:
		add(operand{shape: shape{cpu.RBP, none, 0}}, 8, false)
	}
}

// usesSpilled reports whether in names a register that is not in one.
func (in *inst) usesSpilled() bool {
	for i := range in.Args[:in.NArgs] {
		if a := &in.Args[i]; a.Kind == x86.ArgReg && a.Reg < 16 && hostOf[a.Reg] == spilled {
			return true
		}
	}
	return false
}

// written is the set of general registers that in may write.
func (in *inst) written() (set uint32) {
	arg := func(i int) {
		if a := &in.Args[i]; a.Kind == x86.ArgReg {
			r := a.Reg
			if a.Size == 1 && r&x86.High != 0 {
				r &= 3
			}
			set |= 1 << (r & 15)
		}
	}
	switch in.kind {
	case kindNop, kindJcc, kindJmp, kindJmpInd, kindSyscall, kindStepEnd:
		return 0
	case kindPush, kindCall, kindCallInd, kindRet:
		return 1 << cpu.RSP
	case kindPop:
		arg(0)
		return set | 1<<cpu.RSP
	case kindLeave:
		return 1<<cpu.RSP | 1<<cpu.RBP
	case kindLea:
		arg(0)
		return set
	case kindDivide:
		return 1<<cpu.RAX | 1<<cpu.RDX
	case kindStep:
		return 1<<16 - 1
	}
	row := &rows[in.Row]
	if row.first {
		arg(0)
	}
	if row.second {
		arg(1)
	}
	return set | row.implied
}

// writesUnnamed is what an operation writes beside its first operand: whether the
// second, and the set of registers that it does not name.
func writesUnnamed(op x86.Op) (second bool, implied uint32) {
	switch withoutVEX(op) {
	case x86.XCHG, x86.XADD, x86.MULX:
		return true, 0
	case x86.MUL, x86.IMUL1, x86.CWD, x86.CMPXCHG8B, x86.CMPXCHG16B:
		return false, 1<<cpu.RAX | 1<<cpu.RDX
	case x86.CBW, x86.CMPXCHG, x86.LAHF:
		return false, 1 << cpu.RAX
	case x86.PCMPESTRI, x86.PCMPISTRI:
		return false, 1 << cpu.RCX
	}
	return false, 0
}

// grows reports whether all that in does to reg is to add a constant.
func (in *inst) grows(reg uint8) (n int64, ok bool) {
	switch in.kind {
	case kindPush, kindCall, kindCallOn, kindCallInd:
		return -8, true // of RSP
	case kindRetOn:
		return 8 + int64(uint16(in.Imm)), true
	case kindPop:
		return 8, reg == cpu.RSP && in.Args[0].Reg != cpu.RSP
	case kindLea:
		return in.Disp, in.Size == 8 && in.Base == reg && in.Index == x86.NoReg && !in.Addr32 && in.Args[0].Reg == reg
	case kindPass:
		if in.Mem || in.Size != 8 || in.Args[0].Kind != x86.ArgReg || in.Args[0].Reg != reg {
			return 0, false
		}
		imm := in.NArgs == 2 && in.Args[1].Kind == x86.ArgImm
		switch in.Op {
		case x86.ADD:
			return in.Imm, imm
		case x86.SUB:
			return -in.Imm, imm
		case x86.INC:
			return 1, true
		case x86.DEC:
			return -1, true
		}
	}
	return 0, false
}
