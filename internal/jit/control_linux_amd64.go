package jit

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// near reports whether an address is in a page of the block.
func (t *translator) near(a uint64) bool { return t.codeOf(a) != nil }

// edge emits the way to a direct target. Flags are live: every way out of a
// block wants them. From a page that
// this block does not look for, a block is entered with the flags in the context.
func (t *translator) edge(target uint64) {
	if !t.near(target) && !t.inMem {
		t.saveFlags()
		t.inMem = true
	}
	t.alignNext(1)
	t.unlinked(t.jmp(), target)
}

// unlinked makes the jump whose displacement is at d an edge: until it is
// linked it exits.
func (t *translator) unlinked(d int32, target uint64) {
	in := &t.list[t.cur]
	loop := target <= in.pc && in.kind != kindCall
	t.exitFrom(t.site(site{kind: siteEdge, pc: target, arg: d, host: !t.inMem, loop: loop}), d)
}

// refund gives back the part of the budget that a block does not use. It leaves
// the flags alone, and needs T1.
func (t *translator) refund(n int) {
	t.leftOp(hT1, 0x8b)
	t.memOp(false, hT1, at(hT1, int32(n)), 0x8d) // lea
	t.leftOp(hT1, 0x89)
}

// conditional translates a conditional jump. If it is the last instruction both
// ways are edges; otherwise the block goes on with one of them, and the other is a
// way out.
func (t *translator) conditional(in *inst) {
	t.need(in, &mem{base: none, index: none})
	rest := len(t.list) - (t.cur + 1)
	if in.taken {
		d := t.jcc(in.Opcode&15 ^ 1)
		t.later(cold{kind: coldEdge, from: [2]int32{d}, n: rest, v: in.next(), cur: t.cur})
		return
	}
	direct := rest == 0 && (t.near(in.target()) || t.inMem)
	if direct {
		t.alignNext(2)
	}
	d := t.jcc(in.Opcode & 15)
	if direct {
		t.unlinked(d, in.target())
		return
	}
	t.later(cold{kind: coldEdge, from: [2]int32{d}, n: rest, v: in.target(), cur: t.cur})
}

// plainEdge is the way to the variant without groups of what is at pc, which is
// in the page of the block.
func (t *translator) plainEdge(pc uint64) {
	t.alignNext(1)
	t.unlinked(t.jmp(), pc)
	t.sites[len(t.sites)-1].plain = true
}

// spare returns a temporary that m does not need.
func (t *translator) spare(m *mem) uint8 {
	if m.index != none {
		t.lea(hT0, *m)
		*m = at(hT0, 0)
	}
	if m.base != hT0 {
		return hT0
	}
	t.lostT1()
	return hT1
}

// indirect emits the way to the address in T0. The flags must be in the context
// already, or in the host's.
func (t *translator) indirect(undo int32) {
	if t.inHost && !t.inMem {
		t.saveFlagsBy(hT1)
	}
	n := t.site(site{kind: siteIndirect, arg: undo})
	t.jumpSlot()
	t.memOp(true, hT0, mem{hB, hT1, 3, offJumps}, 0x3b)
	miss := t.jcc(ccNE)
	t.memOp(false, 4, mem{hB, hT1, 3, offJumps + 8}, 0xff)
	t.exitFrom(n, miss)
}

// jumpSlot loads T1 with where the jump cache has the address in T0, in eighths of an
// entry.
func (t *translator) jumpSlot() {
	t.memOp(false, hT1, mem{hT0, hT0, 0, 0}, 0x8d) // lea T1d, [T0+T0]
	t.aluImm(false, 4, hT1, 2*(jumpSize-1))
}

func (t *translator) jumpIndirect(in *inst) {
	t.readTarget(in)
	t.indirect(0)
}

// readTarget loads T0 with the quadword that is in's operand.
func (t *translator) readTarget(in *inst) {
	if in.Mem {
		t.load(hT0, t.check(in, operandOf(in), 8, false, false))
	} else if g := in.Args[0].Reg; hostOf[g] == spilled {
		t.load(hT0, home(g))
	} else {
		t.move(hT0, hostOf[g])
	}
}

func (t *translator) callIndirect(in *inst) {
	if !in.Mem && in.Args[0].Reg != cpu.RSP { // the push leaves it where it is
		t.pushConst(in, in.next())
		t.readTarget(in)
		t.indirect(8)
		return
	}
	t.readTarget(in)
	t.store(field(offTarget), hT0)
	t.pushConst(in, in.next())
	t.load(hT0, field(offTarget))
	t.indirect(8)
}

func (t *translator) call(in *inst) {
	t.pushConst(in, in.next())
	t.edge(in.target())
}

// pushConst pushes a quadword that is known.
func (t *translator) pushConst(in *inst, v uint64) {
	m := t.check(in, stack(-8), 8, true, false)
	if v == uint64(int32(v)) {
		t.memOp(true, 0, m, 0xc7)
		t.put32(int32(v))
	} else {
		tmp := t.spare(&m)
		t.moveImm(tmp, v)
		t.store(m, tmp)
	}
	t.moveRSP(in, -8)
}

// moveRSP adds n to RSP after a push or a pop. Several of them share it, if
// nothing between them can exit and none uses RSP otherwise.
func (t *translator) moveRSP(in *inst, n int32) {
	t.moved += n
	if t.cur+1 < len(t.list) {
		next := &t.list[t.cur+1]
		o, write := stack(int64(n)), false
		if next.kind == kindPush {
			o, write = stack(int64(n)-8), true
		}
		plain := (in.kind == kindPush || in.kind == kindPop) && !next.Mem && (next.NArgs == 0 || next.Args[0].Reg != cpu.RSP || next.Args[0].Kind != x86.ArgReg)
		if plain && (next.kind == kindPush || next.kind == kindPop) && t.groupFor(o, 8, write) != nil {
			return
		}
	}
	t.lea(hostRSP, at(hostRSP, t.moved))
	t.moved = 0
}

func (t *translator) push(in *inst) {
	if in.Imm != 0 || in.raw[in.OpcodeAt] == 0x68 || in.raw[in.OpcodeAt] == 0x6a {
		t.pushConst(in, uint64(in.Imm))
		return
	}
	if in.Mem {
		t.readTarget(in)
		t.store(field(offTarget), hT0)
	}
	m := t.check(in, stack(-8), 8, true, false)
	h := uint8(spilled)
	from := field(offTarget)
	if !in.Mem {
		h, from = hostOf[in.Args[0].Reg], home(in.Args[0].Reg)
	}
	if h == spilled {
		h = t.spare(&m)
		t.load(h, from)
	}
	t.store(m, h)
	t.moveRSP(in, -8)
}

func (t *translator) pop(in *inst) {
	m := t.check(in, stack(0), 8, false, false)
	g := in.Args[0].Reg
	h := hostOf[g]
	if h == spilled {
		t.load(hT0, m)
		t.store(home(g), hT0)
	} else {
		t.load(h, m)
	}
	if g != cpu.RSP {
		t.moveRSP(in, 8)
	}
}

func (t *translator) leave(in *inst) {
	rbp := hostOf[cpu.RBP]
	m := t.check(in, operand{shape: shape{cpu.RBP, none, 0}}, 8, false, false)
	t.lea(hostRSP, at(rbp, 8))
	t.load(rbp, m)
}

// returnOn translates a return after whose call the block goes on, if the return
// address is still what that has pushed.
func (t *translator) returnOn(in *inst) {
	m := t.check(in, stack(0), 8, false, false)
	t.clobber(in)
	n := 8 + int32(uint16(in.Imm))
	t.lea(hostRSP, at(hostRSP, n))
	if v := in.back; v == uint64(int32(v)) {
		t.aluMemImm(7, m, int32(v))
	} else {
		tmp := t.spare(&m)
		t.moveImm(tmp, v)
		t.memOp(true, tmp, m, 0x3b)
	}
	d := t.jcc(ccNE)
	t.later(cold{kind: coldReturn, from: [2]int32{d}, n: len(t.list) - (t.cur + 1), at: m, last: -n, cur: t.cur})
}

func (t *translator) ret(in *inst) {
	t.load(hT0, t.check(in, stack(0), 8, false, false))
	n := 8 + int32(uint16(in.Imm))
	t.lea(hostRSP, at(hostRSP, n))
	t.indirect(-n)
}
