package interp

import (
	"sync"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

//go:generate go run ./mkrun

// hotOnce fills the tables below for who needs them first: the other engine never
// makes blocks.
var hotOnce sync.Once

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

// hotPairs has the codes of pairs of ops, by the first.
var hotPairs [1024][]pair

type pair struct{ second, both uint16 }

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
	case x86.NOP, x86.PAUSE, x86.PREFETCH:
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

// quiet replaces rotations, which merge their flags into those from before, by
// ones without flags where all flags are written again before anything can see
// them.
func quiet(ops []op) {
	for i := range ops {
		code := ops[i].code
		switch code {
		case codeROLDI, codeROLQI, codeRORDI, codeRORQI:
			if flagsDead(ops[i+1:]) {
				ops[i].code = code + 1
			}
		}
	}
}

// flagsDead reports whether the flags at the start of ops are overwritten
// without being read, by instructions that cannot fault.
func flagsDead(ops []op) bool {
	for i := range ops {
		o := &ops[i]
		if o.form.hasMem() && o.x != x86.LEA || o.flags&opTerm != 0 && o.x != x86.CMP && o.x != x86.TEST {
			return false
		}
		switch o.x {
		case x86.ADD, x86.SUB, x86.AND, x86.OR, x86.XOR, x86.CMP, x86.TEST, x86.NEG, x86.IMUL2, x86.IMUL3:
			return true
		case x86.MOV, x86.MOVZX, x86.MOVSX, x86.MOVSXD, x86.LEA, x86.NOT, x86.BSWAP:
		case x86.ROL, x86.ROR:
			if o.flags&opCL != 0 {
				return false
			}
		default:
			return false
		}
	}
	return false
}

// join gives runs of PUSH or POP, and frequent pairs, codes that do them at
// once.
func join(ops []op) {
	for i := len(ops) - 2; i >= 0; i-- {
		a, b := &ops[i], &ops[i+1]
		switch {
		case a.code == codePUSHR && a.dst != cpu.RSP && (b.code == codePUSHR && b.dst != cpu.RSP || b.code == codePUSHRUN):
			a.code, a.imm = codePUSHRUN, max(b.imm, 1)+1
		case a.code == codePOPR && a.dst != cpu.RSP && (b.code == codePOPR && b.dst != cpu.RSP || b.code == codePOPRUN):
			a.code, a.imm = codePOPRUN, max(b.imm, 1)+1
		}
	}
	for i := 0; i < len(ops)-1; i++ {
		if ops[i].code == codePUSHRUN || ops[i].code == codePOPRUN {
			i += int(ops[i].imm) - 1
			continue
		}
		for _, p := range hotPairs[ops[i].code] {
			if p.second == ops[i+1].code {
				ops[i].code = p.both
				if p.second == codePUSHRUN || p.second == codePOPRUN {
					i += int(ops[i+1].imm) - 1
				}
				i++
				break
			}
		}
	}
}
