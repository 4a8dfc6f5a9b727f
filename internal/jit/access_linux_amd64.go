package jit

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

// operand is a memory operand of the guest. Registers are the guest's.
type operand struct {
	base, index uint8 // none: there is none
	scale       uint8
	seg         x86.Seg
	disp        int64 // the whole address, if there is no register
}

// operandOf returns the memory operand of in.
func operandOf(in *inst) operand {
	o := operand{base: in.Base, index: in.Index, scale: in.Scale, seg: in.Seg, disp: in.Disp}
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
func stack(disp int64) operand { return operand{base: cpu.RSP, index: none, disp: disp} }

// hostOperand gives the host's form of an address that has a register, without
// its segment. It may need both temporaries.
func (t *translator) hostOperand(o operand) mem {
	m := mem{base: none, index: none, scale: o.scale, disp: int32(o.disp)}
	if o.base != none {
		if m.base = hostOf[o.base]; m.base == spilled {
			t.load(hT0, home(o.base))
			m.base = hT0
		}
	}
	if o.index != none {
		if m.index = hostOf[o.index]; m.index == spilled {
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

// address loads T0 with the address.
func (t *translator) address(o operand) {
	if o.base == none && o.index == none {
		t.moveImm(hT0, uint64(o.disp))
	} else if m := t.hostOperand(o); m.index == none && m.disp == 0 {
		if m.base != hT0 {
			t.move(hT0, m.base)
		}
	} else {
		t.lea(hT0, m)
	}
	switch o.seg {
	case x86.SegFS:
		t.memOp(true, hT0, field(offFSBase), 0x03)
	case x86.SegGS:
		t.memOp(true, hT0, field(offGSBase), 0x03)
	}
}

// access emits the check of in's memory operand.
func (t *translator) access(in *inst, o operand) mem {
	size, write, aligned := accessOf(in)
	return t.check(o, size, write, aligned, in.Lock || in.Op == x86.XCHG)
}

// check emits the translation of an address of the guest. It destroys the
// flags and both temporaries, in which the host's address then is. What the TLB
// cannot do exits: to try again after the TLB was filled, or to leave the
// instruction to the interpreter. aligned says that the operand must be aligned to
// its size; whole, that otherwise the host may not access it at once.
func (t *translator) check(o operand, size uint8, write, aligned, whole bool) mem {
	start := t.pos()
	tlb := offRT
	kind := siteLoad
	if write {
		tlb, kind = offWT, siteStore
	}
	var slow [2]int32
	t.address(o)
	t.move(hT1, hT0)
	t.put(0x41, 0xc1, 0xe8|hT1&7, mm.PageShift-4)   // shr T1d, 8
	t.aluImm(false, 4, hT1, (tlbSize-1)<<4)         // and T1d
	t.memOp(true, hT0, mem{hB, hT1, 0, tlb}, 0x2b)  // sub T0, page
	t.aluImm(true, 7, hT0, mm.PageSize-int32(size)) // cmp
	slow[0] = t.jcc(ccA)
	if size > 1 && (aligned || whole) {
		t.put(0x41, 0xf6, 0xc0|hT0&7, size-1) // test T0b, size-1
		slow[1] = t.jcc(ccNE)
	}
	t.load(hT1, mem{hB, hT1, 0, tlb + 8})
	n := t.site(site{kind: kind, write: write, size: size, retry: start})
	t.cold = append(t.cold, func() {
		t.here(slow[0])
		if slow[1] != 0 {
			t.here(slow[1])
		}
		t.address(o)
		t.store(field(offVA), hT0)
		t.exit(n)
	})
	return mem{base: hT0, index: hT1}
}
