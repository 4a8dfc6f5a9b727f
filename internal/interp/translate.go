package interp

import (
	"github.com/tinevm/tine/internal/x86"
)

// fill makes an op of a decoded instruction at address pc.
func (o *op) fill(in *x86.Inst, pc uint64) {
	*o = op{
		x: in.Op, len: in.Len, size: in.Size, cc: in.Opcode,
		base: in.Base, index: in.Index, scale: in.Scale, seg: regZero,
		disp: uint64(in.Disp), imm: int32(in.Imm),
	}
	know(o.x)
	if handlers[o.x] == nil {
		o.x = x86.BAD
	}
	if o.x >= x86.VEX && o.x < blockEnd {
		o.fillVEX(in)
	} else {
		o.operands(in)
	}
	next := pc + uint64(in.Len)
	if in.RIPRel {
		o.disp += next
	}
	for i := range in.Args[:in.NArgs] {
		if in.Args[i].Kind == x86.ArgRel {
			o.disp = next + uint64(in.Imm)
		}
	}
	switch {
	case in.Op == x86.ENTER:
		o.cc = in.Imm2
	case in.Op == x86.MOV && o.form == formRI:
		o.disp = uint64(in.Imm)
	case in.Op >= x86.CMPPS && in.Op <= x86.CMPSD:
		o.imm &= 7 // the rest is reserved without VEX
	}
	o.prefixes(in)
	if Terminal(o.x) {
		o.flags |= opTerm
	}
}

// isReg reports whether an operand is a register of any kind.
func isReg(k x86.ArgKind) bool {
	switch k {
	case x86.ArgReg, x86.ArgXMM, x86.ArgMMX, x86.ArgST, x86.ArgSreg:
		return true
	}
	return false
}

// operands sets form, dst and src.
func (o *op) operands(in *x86.Inst) {
	n := in.NArgs
	if last := &in.Args[max(n, 1)-1]; in.Op >= x86.ROL && in.Op <= x86.SHRD && last.Kind == x86.ArgReg && n > 1 {
		o.flags |= opCL
		n--
	}
	if n == 0 {
		return
	}
	a, b := &in.Args[0], &in.Args[1]
	if in.Vex && n == 3 && in.Args[2].Kind != x86.ArgImm {
		b = o.third(in)
	}
	o.dst, o.src, o.srcSize = a.Reg, b.Reg, b.Size
	if n == 1 {
		b = new(x86.Arg)
	}
	switch {
	case isReg(a.Kind) && isReg(b.Kind):
		o.form = formRR
	case isReg(a.Kind) && b.Kind == x86.ArgMem:
		o.form = formRM
	case isReg(a.Kind) && b.Kind == x86.ArgImm:
		o.form = formRI
	case isReg(a.Kind):
		o.form = formR
	case a.Kind == x86.ArgMem && isReg(b.Kind):
		o.form = formMR
	case a.Kind == x86.ArgMem && b.Kind == x86.ArgImm:
		o.form = formMI
	case a.Kind == x86.ArgMem:
		o.form = formM
	case a.Kind == x86.ArgImm, a.Kind == x86.ArgRel:
		o.form = formI
	}
}

// third keeps the register in VEX.vvvv of an instruction with three operands in
// imm. It returns the other source.
func (o *op) third(in *x86.Inst) *x86.Arg {
	v, b := &in.Args[2], &in.Args[1]
	switch in.Op {
	case x86.ANDN, x86.MULX, x86.PDEP, x86.PEXT:
		v, b = b, v
	}
	o.imm = int32(v.Reg)
	return b
}

// prefixes sets flags and segment. A segment base takes the place of a base or
// an index that is not there, so that it costs nothing.
func (o *op) prefixes(in *x86.Inst) {
	if in.Addr32 {
		o.flags |= opAddr32
	}
	if in.Rex&8 != 0 {
		o.flags |= opRex
	}
	if in.Lock {
		o.flags |= opLock
		if in.Op < numLocked && handlers[firstLocked+in.Op] != nil {
			o.x += firstLocked
		}
	}
	switch in.Rep {
	case 0xf2:
		o.flags |= opRepNE
	case 0xf3:
		o.flags |= opRep
	}
	if in.Rep != 0 && isString(in.Op) {
		o.flags |= opTerm
	}
	switch in.Op {
	case x86.PUSH, x86.POP, x86.PUSHF, x86.POPF, x86.CALL, x86.CALLIND, x86.RET, x86.RETN, x86.ENTER, x86.LEAVE:
		o.flags |= opStackSS
	}
	if in.Seg == x86.SegNone {
		if in.Mem && (in.Base == 4 || in.Base == 5) {
			o.flags |= opStackSS
		}
		return
	}
	o.seg = regFS + uint8(in.Seg-x86.SegFS)
	switch {
	case !in.Mem || in.Op == x86.LEA || in.Addr32:
	case o.base == regZero:
		o.base, o.seg = o.seg, regZero
	case o.index == regZero:
		o.index, o.scale, o.seg = o.seg, 0, regZero
	}
}
