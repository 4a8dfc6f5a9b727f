package interp

import (
	"github.com/tinevm/tine/internal/x86"
)

//go:generate go run ./mkrun

// hot has the codes of inline forms by operation, form, logarithm of the
// operand size, and variant; 0 is none. The variant is 1 for an address with
// an index; moves and extensions have the logarithm of the source size as
// well, in the lower bits, and the address in bit 2.
var hot [128][9][4][8]uint16

// hotSSE is the same for SSE operations, whose size is a property of the
// operation.
var hotSSE [512][9][2]uint16

// hotFused has the codes of an operation fused with the conditional branch
// after it: the same, and the condition.
var hotFused [6][9][4][2][16]uint16

const (
	fusedCMP = iota
	fusedTEST
	fusedAND
	fusedSUB
	fusedADD
	fusedDEC
)

// plainOperands reports whether an op has nothing that inline forms do not
// know: high byte registers, LOCK, a segment with two registers, 32-bit
// addresses.
func plainOperands(o *op) bool {
	return (o.dst|o.src)&x86.High == 0 && o.flags&(opLock|opAddr32) == 0 && o.seg == regZero
}

// variantOf is the last index of hot.
func variantOf(o *op) int {
	v := 0
	if o.index != regZero && o.form.hasMem() {
		v = 1
	}
	switch o.x {
	case x86.MOV:
		if o.form == formMI || o.form == formRI {
			return v
		}
		fallthrough
	case x86.MOVZX, x86.MOVSX, x86.MOVSXD, x86.CMOVCC, x86.IMUL2, x86.IMUL3:
		return v<<2 | logOf(o.srcSize)
	}
	return v
}

func logOf(size uint8) int {
	switch size {
	case 2:
		return sizeW
	case 4:
		return sizeD
	case 8:
		return sizeQ
	}
	return sizeB
}

// codeOf chooses the code of an op.
func codeOf(o *op) uint16 {
	general := uint16(codeHandler)
	if o.flags&opTerm != 0 {
		general = codeTerm
	}
	if !plainOperands(o) {
		return general
	}
	if int(o.x) >= len(hot) {
		if code := codeOfSSE(o); code != 0 {
			return code
		}
		return general
	}
	switch o.x {
	case x86.NOP, x86.PAUSE, x86.PREFETCH, x86.FENCE:
		return codeNOP
	case x86.MOV:
		if o.form == formRI && o.size >= 4 {
			if o.size == 4 {
				o.disp = uint64(uint32(o.disp))
			}
			return codeMOVRI
		}
	case x86.SHL, x86.SHR, x86.SAR, x86.ROL, x86.ROR:
		if o.form == formRI && uint64(o.imm)&(uint64(o.size)*8-1) == 0 || o.form == formR && o.flags&opCL == 0 {
			return general
		}
	case x86.RET:
		if o.imm != 0 {
			return general
		}
	}
	if code := hot[o.x][o.form][logOf(o.size)][variantOf(o)]; code != 0 {
		return code
	}
	return general
}

func codeOfSSE(o *op) uint16 {
	i := int(o.x) - int(x86.FirstSSE)
	if i < 0 || i >= len(hotSSE) {
		return 0
	}
	if o.x == x86.MOVD && o.form == formRR {
		switch {
		case o.cc == 0x6e && o.srcSize == 4:
			return codeXIND
		case o.cc == 0x6e:
			return codeXINQ
		case o.size == 4:
			return codeXOUTD
		}
		return codeXOUTQ
	}
	return hotSSE[i][o.form][variantOf(o)]
}

// fusedCode returns the code of o fused with a branch on condition cc, or 0.
func fusedCode(o *op, cc uint8) uint16 {
	var k int
	switch o.x {
	case x86.CMP:
		k = fusedCMP
	case x86.TEST:
		k = fusedTEST
	case x86.AND:
		k = fusedAND
	case x86.SUB:
		k = fusedSUB
	case x86.ADD:
		k = fusedADD
	case x86.DEC:
		k = fusedDEC
	default:
		return 0
	}
	if !plainOperands(o) {
		return 0
	}
	return hotFused[k][o.form][logOf(o.size)][variantOf(o)][cc]
}
