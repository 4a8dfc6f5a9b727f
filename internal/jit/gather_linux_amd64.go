package jit

import (
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

// Gathers load elements from anywhere, so each is looked up in the TLB. What they
// have is collected in the context; the registers change when all is there.

// gathers reports whether op is a gather that is translated, and the sizes of
// its indices and elements.
func gathers(op x86.Op) (size, n uint8, ok bool) {
	switch op {
	case x86.VPGATHERDD:
		size, n = 4, 4
	case x86.VPGATHERDQ:
		size, n = 4, 8
	case x86.VPGATHERQD:
		size, n = 8, 4
	case x86.VPGATHERQQ:
		size, n = 8, 8
	}
	return size, n, n != 0 && hostHas.avx2
}

// plainGather reports whether the registers are distinct, as they must be, and
// the address is a sum of two.
func (in *inst) plainGather() bool {
	d, m := in.Args[0].Reg, in.VReg
	return in.Seg == x86.SegNone && d != m && d != in.Index && m != in.Index
}

// Places of the vectors in context.vectors.
const (
	gatherIndex = 0
	gatherMask  = 32
	gatherDest  = 64
)

func (t *translator) gather(in *inst) {
	size, n, _ := gathers(in.Op)
	dest := in.Args[0].Reg
	wide := in.VL != 0
	t.noteUpper(in)
	t.clobber(in)
	t.lostT1()
	t.moveVector(0x7f, in.Index, gatherIndex, wide)
	t.moveVector(0x7f, in.VReg, gatherMask, wide)
	t.moveVector(0x7f, dest, gatherDest, wide)
	count := int32(16) << in.VL / int32(max(size, n))
	for i := range count {
		t.element(in, size, n, i)
	}
	if count*int32(n) < 16 {
		t.memOp(true, 0, field(offVectors+gatherDest+8), 0xc7)
		t.put32(0)
	}
	t.moveVector(0x6f, dest, gatherDest, wide && n >= size)
	// vpxor mask, mask, mask: of 128 bits, which clears all.
	m := in.VReg
	t.put3(0xc4, ^rexByte(false, m, none, m)<<5|1, 0x01|^m&15<<3)
	t.put2(0xef, 0xc0|m&7<<3|m&7)
}

// element loads element i, if its mask says so.
func (t *translator) element(in *inst, size, n uint8, i int32) {
	t.rex(false, 0, none, hB, false)
	t.put1(0x83) // cmp dword, 0
	t.modMem(7, field(offVectors+gatherMask+i*int32(n)+int32(n)-4))
	t.put1(0)
	skip := t.jcc(ccNS)
	start := t.pos()
	index := field(offVectors + gatherIndex + i*int32(size))
	if size == 4 {
		t.memOp(true, hT0, index, 0x63) // movsxd
	} else {
		t.load(hT0, index)
	}
	base := uint8(hT1)
	switch {
	case in.Base == x86.NoReg:
		t.moveImm(hT1, 0)
	case hostOf[in.Base] == spilled:
		t.load(hT1, home(in.Base))
	default:
		base = hostOf[in.Base]
	}
	t.lea(hT0, mem{base, hT0, in.Scale, int32(in.Disp)})
	t.probe(offRT)
	t.aluImm(true, 7, hT0, mm.PageSize-int32(n))
	t.exitFrom(t.site(site{kind: siteLoad, size: n, retry: uint16(start)}), t.jcc(ccA))
	t.load(hT1, mem{hB, hT1, 0, offRT + 8})
	t.memOp(n == 8, hT0, mem{base: hT0, index: hT1}, 0x8b)
	t.memOp(n == 8, hT0, field(offVectors+gatherDest+i*int32(n)), 0x89)
	t.here(skip)
}

// moveVector emits VMOVDQU between a register and context.vectors.
func (t *translator) moveVector(opcode byte, reg uint8, at int32, wide bool) {
	l := byte(0)
	if wide {
		l = 4
	}
	t.put3(0xc4, ^rexByte(false, reg, none, hB)<<5|1, 0x7a|l)
	t.put1(opcode)
	t.modMem(reg, field(offVectors+at))
}
