package jit

import "encoding/binary"

// Host registers with a role; see enter.
const (
	hAX = 0
	hCX = 1
	hDX = 2
	hBX = 3
	hSP = 4 // the host's stack
	hSI = 6
	hDI = 7
	hT0 = 12
	hT1 = 13
	hB  = 14

	none = 0xff
)

// mem is a memory operand of the host.
type mem struct {
	base, index uint8 // none: there is none
	scale       uint8
	disp        int32
}

// at is [base+disp].
func at(base uint8, disp int32) mem { return mem{base: base, index: none, disp: disp} }

// field is what the context has at an offset.
func field(off int32) mem { return at(hB, off) }

// asm assembles into b, of which n bytes are used. There is always room for
// eight more: bytes that belong together are put together.
type asm struct {
	b []byte
	n int32
}

func (a *asm) pos() int32 { return a.n }

// emit appends the first n of the eight bytes in v.
func (a *asm) emit(v uint64, n int32) {
	binary.LittleEndian.PutUint64(a.b[a.n:], v)
	a.n += n
}

func (a *asm) put1(x byte)       { a.b[a.n] = x; a.n++ }
func (a *asm) put2(x, y byte)    { a.emit(uint64(x)|uint64(y)<<8, 2) }
func (a *asm) put3(x, y, z byte) { a.emit(uint64(x)|uint64(y)<<8|uint64(z)<<16, 3) }
func (a *asm) put32(v int32)     { a.emit(uint64(uint32(v)), 4) }
func (a *asm) put64(v uint64)    { a.emit(v, 8) }

// put appends a few bytes.
func (a *asm) put(b ...byte) {
	for _, x := range b {
		a.b[a.n] = x
		a.n++
	}
}

func (a *asm) set32(at, v int32) { binary.LittleEndian.PutUint32(a.b[at:], uint32(v)) }

func rexByte(w bool, reg, index, base uint8) byte {
	r := reg>>3&1<<2 | base>>3&1
	if index != none {
		r |= index >> 3 & 1 << 1
	}
	if w {
		r |= 8
	}
	return 0x40 | r
}

// rex emits a REX prefix if one is needed.
func (a *asm) rex(w bool, reg, index, base uint8, force bool) {
	if r := rexByte(w, reg, index, base); r != 0x40 || force {
		a.put1(r)
	}
}

// modMem emits ModRM, SIB and displacement. The base is always there.
func (a *asm) modMem(reg uint8, m mem) {
	v, n := modrm(reg, m)
	a.emit(v, n)
}

// modrm encodes ModRM, SIB and displacement: n bytes.
func modrm(reg uint8, m mem) (v uint64, n int32) {
	v, n = uint64(reg&7<<3|m.base&7), 1
	if m.index != none {
		v, n = uint64(reg&7<<3|4)|uint64(m.scale<<6|m.index&7<<3|m.base&7)<<8, 2
	} else if m.base&7 == 4 {
		v, n = v|0x2400, 2
	}
	switch {
	case m.disp == 0 && m.base&7 != 5:
	case m.disp == int32(int8(m.disp)):
		v |= 0x40 | uint64(uint8(m.disp))<<(8*n)
		n++
	default:
		v |= 0x80 | uint64(uint32(m.disp))<<(8*n)
		n += 4
	}
	return v, n
}

// memOp emits an instruction with a register and a memory operand; memOp2 one
// whose opcode follows 0F.
func (a *asm) memOp(w bool, reg uint8, m mem, opcode byte) {
	v, n := modrm(reg, m)
	v, n = v<<8|uint64(opcode), n+1
	if r := rexByte(w, reg, m.index, m.base); r != 0x40 {
		v, n = v<<8|uint64(r), n+1
	}
	a.emit(v, n)
}

func (a *asm) memOp2(w bool, reg uint8, m mem, opcode byte) {
	a.rex(w, reg, m.index, m.base, false)
	v, n := modrm(reg, m)
	a.emit(v<<16|uint64(opcode)<<8|0x0f, n+2)
}

// regOp emits one with two registers.
func (a *asm) regOp(w bool, reg, rm uint8, opcode byte) {
	v, n := uint64(opcode)|uint64(0xc0|reg&7<<3|rm&7)<<8, int32(2)
	if r := rexByte(w, reg, none, rm); r != 0x40 {
		v, n = v<<8|uint64(r), 3
	}
	a.emit(v, n)
}

func (a *asm) load(d uint8, m mem)     { a.memOp(true, d, m, 0x8b) }
func (a *asm) store(m mem, s uint8)    { a.memOp(true, s, m, 0x89) }
func (a *asm) lea(d uint8, m mem)      { a.memOp(true, d, m, 0x8d) }
func (a *asm) move(d, s uint8)         { a.regOp(true, d, s, 0x8b) }
func (a *asm) store32(m mem, v uint32) { a.memOp(false, 0, m, 0xc7); a.put32(int32(v)) }

// moveImm loads a constant. It leaves the flags alone.
func (a *asm) moveImm(d uint8, v uint64) {
	switch {
	case v == uint64(uint32(v)):
		a.rex(false, 0, none, d, false)
		a.put1(0xb8 | d&7)
		a.put32(int32(v))
	case v == uint64(int32(v)):
		a.rex(true, 0, none, d, false)
		a.put2(0xc7, 0xc0|d&7)
		a.put32(int32(v))
	default:
		a.rex(true, 0, none, d, false)
		a.put1(0xb8 | d&7)
		a.put64(v)
	}
}

// aluImm emits ADD (0), OR, ADC, SBB, AND, SUB, XOR or CMP (7) of a 64- or
// 32-bit register and a constant.
func (a *asm) aluImm(w bool, digit, reg uint8, v int32) {
	a.rex(w, 0, none, reg, false)
	if v == int32(int8(v)) {
		a.put3(0x83, 0xc0|digit<<3|reg&7, byte(v))
		return
	}
	a.put2(0x81, 0xc0|digit<<3|reg&7)
	a.put32(v)
}

// aluMemImm is the same with a quadword in memory.
func (a *asm) aluMemImm(digit uint8, m mem, v int32) {
	small := v == int32(int8(v))
	a.rex(true, 0, m.index, m.base, false)
	if small {
		a.put1(0x83)
	} else {
		a.put1(0x81)
	}
	a.modMem(digit, m)
	if small {
		a.put1(byte(v))
	} else {
		a.put32(v)
	}
}

// Codes of conditions.
const (
	ccB  = 2
	ccAE = 3
	ccE  = 4
	ccNE = 5
	ccBE = 6
	ccA  = 7
	ccS  = 8
	ccNS = 9
)

// jcc emits a conditional jump and returns where its displacement is.
func (a *asm) jcc(cc uint8) int32 {
	a.emit(0x800f|uint64(cc)<<8, 6)
	return a.n - 4
}

// jmp emits a jump and returns where its displacement is.
func (a *asm) jmp() int32 {
	a.emit(0xe9, 5)
	return a.n - 4
}

// jccBack emits a conditional jump to a place that comes before, jmpBack one
// that is not.
func (a *asm) jccBack(cc uint8, place int32) {
	if d := place - (a.n + 2); d >= -128 {
		a.put2(0x70|cc, byte(d))
		return
	}
	a.to(a.jcc(cc), place)
}

func (a *asm) jmpBack(place int32) {
	if d := place - (a.n + 2); d >= -128 {
		a.put2(0xeb, byte(d))
		return
	}
	a.to(a.jmp(), place)
}

// to makes the jump whose displacement is at d go to a place.
func (a *asm) to(d, place int32) { a.set32(d, place-(d+4)) }

// here makes it go to what comes next.
func (a *asm) here(d int32) { a.to(d, a.n) }

var nops = [...]uint64{0, 0x90, 0x9066, 0x001f0f}

// alignNext fills up so that what comes after n more bytes is at a multiple of
// four.
func (a *asm) alignNext(n int32) {
	k := -(a.n + n) & 3
	a.emit(nops[k], k)
}
