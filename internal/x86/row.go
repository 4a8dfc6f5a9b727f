package x86

import "sync"

//go:generate go run ./mkrows

// Row is one line of the instruction table.
//
// Enc is the encoding as the manual writes it: optionally VEX (128 bits; VEX.256,
// or VEX.L for either length; its pp and mmmmm fields are written as prefix and 0F
// bytes); an optional mandatory prefix (NP, 66, F2, F3; without one any prefix may
// be present and has its general meaning), optionally REX.W, or after VEX W0 or W1,
// the opcode bytes, and then one of
//
//	/r     a ModRM byte
//	/0../7 a ModRM byte with that value in its reg field
//	C1     a ModRM byte with that value
//	C0+i   a ModRM byte with a register number in its low bits
//	50+r   as the last opcode byte: a register number in its low bits
//
// Args has the operands in the notation of appendix A, comma separated: a
// letter for the place and a suffix for the width.
//
//	E G B  r/m, reg field, VEX.vvvv: general register (E: or memory)
//	M R    r/m field that must be memory, a general register
//	Z      register in the opcode's low bits
//	I J O  immediate, branch offset, memory at an absolute address
//	V W U  reg field, r/m, r/m that must be a register: XMM
//	H L    VEX.vvvv, the immediate's high digit: XMM
//	P Q N  the same: MMX
//	S      reg field: segment register
//	X Y    memory at RSI, RDI
//	STi    x87 register in the low bits of ModRM
//	AL AX rAX CL DX ST0 XMM0 FS GS 1  themselves
//
// Widths: b w d q (1, 2, 4, 8), dq ps pd (16), ss (4), sd (8), t (10), v (2,
// 4 or 8 by operand size), z (2 or 4, immediates sign-extended), y (4, or 8
// with REX.W), x (16 or 32 by VEX.L), xh xf xe (a half, a fourth, an eighth of
// that), bs (a byte sign-extended to the operand size), a number (bytes), or
// nothing.
//
// Attr has space separated attributes: lock (LOCK is legal if the first operand
// is memory), d64 (operand size 64 by default, 16 with 66), f64 (always 64),
// noB (REX.B clear), vsib (the index is a vector register).
type Row struct {
	Enc  string
	Op   Op
	Args string
	Attr string
}

type argSpec struct {
	place uint8 // a letter, or one of the fixed operands below
	width uint8
	reg   uint8
}

// Widths that depend on the instruction; the others are numbers of bytes.
const (
	widthV = 0x80 + iota
	widthZ
	widthY
	widthBS
	widthX
	widthXH
	widthXF
	widthXE
)

// Places that are not a letter of the notation.
const (
	placeReg = 1 + iota
	placeST
	placeXMM
	placeSeg
	placeOne
	placeSTi
)

// Kinds of ModRM condition.
const (
	modNone  = iota // no ModRM byte
	modAny          // /r
	modDigit        // /digit
	modFixed        // one value
	modPlusI        // eight values
)

const (
	attrLock = 1 << iota
	attrD64
	attrF64
	attrNoB
	attrMem  // r/m must be memory
	attrReg  // r/m must be a register
	attrRexW // REX.W must be set
	attrVReg // VEX.vvvv is an operand; otherwise it must be empty
	attrL0   // VEX.L must be clear
	attrL1   // VEX.L must be set
	attrW0   // VEX.W must be clear
	attrVSIB // there must be a SIB byte
)

const (
	prefAny = iota
	prefNone
	pref66
	prefF2
	prefF3
)

// vexMaps is how many maps VEX can name.
const vexMaps = 3

// compiled is a Row made ready for matching. compiledRows in zrows.go has them all,
// made by mkrows, which is where the notation is read: a program that decodes a
// few instructions would spend more time on that.
type compiled struct {
	op     Op
	row    uint16
	prefix uint8
	mod    uint8
	modVal uint8
	attr   uint16
	nargs  uint8
	args   [4]argSpec
}

// span is a stretch of compiledRows: the rows for an opcode, in table order.
type span struct{ first, n uint16 }

// Rows returns the whole table, in the order Inst.Row counts.
var Rows = sync.OnceValue(func() (rows []*Row) {
	for _, table := range [][]Row{tableInteger, tableExt, tableSSE, tableX87, tableMMX, tableAVX} {
		for i := range table {
			rows = append(rows, &table[i])
		}
	}
	return rows
})
