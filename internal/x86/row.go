package x86

import (
	"strconv"
	"strings"
	"sync"
)

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

// compiled is a Row made ready for matching.
type compiled struct {
	op     Op
	row    uint16
	prefix uint8
	mod    uint8
	modVal uint8
	attr   uint16
	nargs  uint8
	args   [4]argSpec
	form   Form // if it is in quickRows
}

var (
	compileOnce sync.Once
	// dispatch has the rows for each opcode of each map, in table order: one
	// byte, 0F, 0F 38, 0F 3A, and the latter three again for VEX.
	dispatch [4 + vexMaps][256][]compiled
	rows     []*Row
)

// Rows returns the whole table, in the order Inst.Row counts.
func Rows() []*Row {
	compileOnce.Do(compileAll)
	return rows
}

func compileAll() {
	for _, table := range [][]Row{tableInteger, tableExt, tableSSE, tableX87, tableMMX, tableAVX} {
		for i := range table {
			r := &table[i]
			compileRow(r, uint16(len(rows)))
			rows = append(rows, r)
		}
	}
	fillQuick()
}

func hexByte(s string) (byte, bool) {
	if len(s) != 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 16, 8)
	return byte(n), err == nil
}

// compileRow adds a row to dispatch. A row that does not parse is a mistake in
// the table, found by any test.
func compileRow(r *Row, n uint16) {
	c := compiled{op: r.Op, row: n}
	enc := r.Enc
	next := func() (s string) {
		s, enc, _ = strings.Cut(enc, " ")
		return s
	}
	tok := next()
	vex := strings.HasPrefix(tok, "VEX")
	if vex {
		c.attr |= map[string]uint16{"VEX": attrL0, "VEX.256": attrL1}[tok]
		tok = next()
	}
	switch tok {
	case "NP":
		c.prefix, tok = prefNone, next()
	case "66":
		c.prefix, tok = pref66, next()
	case "F2":
		c.prefix, tok = prefF2, next()
	case "F3":
		c.prefix, tok = prefF3, next()
	}
	switch tok {
	case "REX.W", "W1":
		c.attr |= attrRexW
		tok = next()
	case "W0":
		c.attr |= attrW0
		tok = next()
	}
	m := 0
	if tok == "0F" {
		m, tok = 1, next()
		if tok == "38" && enc != "" {
			m, tok = 2, next()
		} else if tok == "3A" && enc != "" {
			m, tok = 3, next()
		}
	}
	if vex {
		m += vexMaps
	}
	c.parseArgs(r)
	span := byte(1)
	if s, ok := strings.CutSuffix(tok, "+r"); ok {
		tok, span = s, 8
	}
	opcode, ok := hexByte(tok)
	if !ok || !c.parseModRM(next()) {
		panic("x86: bad row " + r.Enc)
	}
	for i := range span {
		d := &dispatch[m][opcode+i]
		*d = append(*d, c)
	}
}

func (c *compiled) parseModRM(tok string) bool {
	switch {
	case tok == "":
		c.mod = modNone
	case tok == "/r":
		c.mod = modAny
	case tok[0] == '/':
		c.mod, c.modVal = modDigit, tok[1]-'0'
	default:
		c.mod = modFixed
		s, plus := strings.CutSuffix(tok, "+i")
		if plus {
			c.mod = modPlusI
		}
		var ok bool
		if c.modVal, ok = hexByte(s); !ok {
			return false
		}
	}
	return true
}

func (c *compiled) parseArgs(r *Row) {
	for args := r.Args; args != ""; {
		var a string
		a, args, _ = strings.Cut(args, ",")
		c.args[c.nargs] = parseArg(a)
		switch c.args[c.nargs].place {
		case 'M':
			c.attr |= attrMem
		case 'R', 'U', 'N':
			c.attr |= attrReg
		case 'B', 'H':
			c.attr |= attrVReg
		}
		c.nargs++
	}
	for attr := r.Attr; attr != ""; {
		var a string
		a, attr, _ = strings.Cut(attr, " ")
		switch a {
		case "lock":
			c.attr |= attrLock
		case "d64":
			c.attr |= attrD64
		case "f64":
			c.attr |= attrF64
		case "noB":
			c.attr |= attrNoB
		case "vsib":
			c.attr |= attrVSIB
		default:
			panic("x86: bad attribute in row " + r.Enc)
		}
	}
}

func parseArg(s string) argSpec {
	switch s {
	case "AL":
		return argSpec{placeReg, 1, 0}
	case "CL":
		return argSpec{placeReg, 1, 1}
	case "AX":
		return argSpec{placeReg, 2, 0}
	case "DX":
		return argSpec{placeReg, 2, 2}
	case "eAX":
		return argSpec{placeReg, widthZ, 0}
	case "rAX":
		return argSpec{placeReg, widthV, 0}
	case "ST0":
		return argSpec{placeST, 10, 0}
	case "STi":
		return argSpec{placeSTi, 10, 0}
	case "XMM0":
		return argSpec{placeXMM, 16, 0}
	case "FS":
		return argSpec{placeSeg, widthV, 4}
	case "GS":
		return argSpec{placeSeg, widthV, 5}
	case "1":
		return argSpec{placeOne, 1, 0}
	}
	return argSpec{place: s[0], width: parseWidth(s[1:])}
}

func parseWidth(s string) uint8 {
	switch s {
	case "":
		return 0
	case "b":
		return 1
	case "w":
		return 2
	case "d", "ss":
		return 4
	case "q", "sd":
		return 8
	case "t":
		return 10
	case "dq", "ps", "pd":
		return 16
	case "x":
		return widthX
	case "xh":
		return widthXH
	case "xf":
		return widthXF
	case "xe":
		return widthXE
	case "v":
		return widthV
	case "z":
		return widthZ
	case "y":
		return widthY
	case "bs":
		return widthBS
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("x86: bad operand width " + s)
	}
	return uint8(min(n, 255)) // the images of FXSAVE and FNSAVE; nobody reads it
}
