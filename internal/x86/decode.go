package x86

import "encoding/binary"

// cursor reads the bytes of one instruction. After a failed read err is set
// and zeroes are delivered.
type cursor struct {
	b   []byte
	n   int
	err error
}

func (c *cursor) fail() {
	if c.err != nil {
		return
	}
	if len(c.b) >= MaxLen {
		c.err = ErrTooLong
	} else {
		c.err = ErrShort
	}
}

func (c *cursor) byte() byte {
	if c.n >= len(c.b) {
		c.fail()
		return 0
	}
	v := c.b[c.n]
	c.n++
	return v
}

// int reads a little-endian integer of n bytes and sign-extends it.
func (c *cursor) int(n uint8) int64 {
	if c.n+int(n) > len(c.b) {
		c.fail()
		return 0
	}
	p := c.b[c.n:]
	c.n += int(n)
	switch n {
	case 1:
		return int64(int8(p[0]))
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(p)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(p)))
	}
	return int64(binary.LittleEndian.Uint64(p))
}

// Decode decodes the instruction at the start of b.
func Decode(b []byte) (Inst, error) {
	var in Inst
	err := DecodeInto(&in, b)
	return in, err
}

// DecodeInto is Decode without the copy. After an error in has no meaning.
func DecodeInto(in *Inst, b []byte) error {
	*in = Inst{Base: NoReg, Index: NoReg}
	if len(b) >= MaxLen && in.quick(b) {
		return nil
	}
	return in.decode(b[:min(len(b), MaxLen)])
}

// decode decodes what may have any prefix, and may be cut off.
func (in *Inst) decode(b []byte) error {
	c := cursor{b: b}
	op66, opcode := in.prefixes(&c)
	in.OpcodeAt = uint8(c.n - 1)
	m := 0
	switch opcode {
	case 0x0f:
		m, opcode = 1, c.byte()
		if opcode == 0x38 {
			m, opcode = 2, c.byte()
		} else if opcode == 0x3a {
			m, opcode = 3, c.byte()
		}
	case 0xc4, 0xc5:
		if op66 || in.Rep != 0 || in.Lock || in.Rex != 0 {
			return ErrInvalid
		}
		m, op66 = in.vex(&c, opcode)
		opcode = c.byte()
	}
	if c.err != nil {
		return c.err
	}
	if m < 0 {
		return ErrInvalid
	}
	in.Opcode = opcode
	d := dispatch[m][opcode]
	cand := compiledRows[d.first : d.first+d.n]
	if len(cand) == 0 {
		return ErrInvalid
	}
	if cand[0].mod != modNone {
		in.ModRMAt = uint8(c.n)
		if in.ModRM = c.byte(); c.err != nil {
			return c.err
		}
	}
	r := in.match(cand, op66)
	if r == nil {
		return ErrInvalid
	}
	in.Op, in.Row = r.op, r.row
	if r.mod != modNone && in.ModRM < 0xc0 {
		in.VSIB = r.attr&attrVSIB != 0
		in.address(&c)
	}
	in.ImmAt = uint8(c.n)
	in.operands(&c, r, op66)
	if c.err != nil {
		return c.err
	}
	if in.Lock && (r.attr&attrLock == 0 || in.Args[0].Kind != ArgMem) {
		return ErrInvalid
	}
	in.Len = uint8(c.n)
	return nil
}

// prefixes reads prefixes and returns whether 66 was among them, and the first
// opcode byte. REX counts only directly before the opcode (SDM vol. 2, 2.2.1).
func (in *Inst) prefixes(c *cursor) (op66 bool, opcode byte) {
	for {
		b := c.byte()
		switch b {
		case 0x66:
			op66 = true
		case 0x67:
			in.Addr32 = true
		case 0xf0:
			in.Lock = true
		case 0xf2, 0xf3:
			in.Rep = b
		case 0x64:
			in.Seg = SegFS
		case 0x65:
			in.Seg = SegGS
		case 0x26, 0x2e, 0x36, 0x3e:
		default:
			if b&0xf0 != 0x40 {
				return op66, b
			}
			in.Rex = b
			if c.err != nil {
				return
			}
			continue
		}
		in.Rex = 0
		if c.err != nil {
			return
		}
	}
}

// vex reads the rest of a VEX prefix (SDM vol. 2, 2.3.5). It returns the map,
// -1 if there is none, and whether the prefix stands for 66.
func (in *Inst) vex(c *cursor, first byte) (m int, op66 bool) {
	b := c.byte()
	rex := ^b >> 5 & 4 // R
	m = 1
	if first == 0xc4 {
		rex = ^b >> 5 // R, X and B
		m = int(b & 0x1f)
		b = c.byte()
		rex |= b >> 4 & 8
	}
	in.Vex, in.Rex, in.VReg = true, 0x40|rex, ^b>>3&15
	switch b & 3 {
	case 1:
		op66 = true
	case 2:
		in.Rep = 0xf3
	case 3:
		in.Rep = 0xf2
	}
	in.VL = b >> 2 & 1
	if m < 1 || m > vexMaps {
		return -1, op66
	}
	return m + vexMaps, op66
}

// match finds the row for the prefixes and the ModRM byte.
func (in *Inst) match(cand []compiled, op66 bool) *compiled {
	for i := range cand {
		r := &cand[i]
		switch r.prefix {
		case prefNone:
			if op66 || in.Rep != 0 {
				continue
			}
		case pref66:
			if !op66 || in.Rep != 0 {
				continue
			}
		case prefF2:
			if in.Rep != 0xf2 {
				continue
			}
		case prefF3:
			if in.Rep != 0xf3 {
				continue
			}
		}
		switch r.mod {
		case modDigit:
			if in.ModRM>>3&7 != r.modVal {
				continue
			}
		case modFixed:
			if in.ModRM != r.modVal {
				continue
			}
		case modPlusI:
			if in.ModRM&^7 != r.modVal {
				continue
			}
		}
		switch {
		case r.attr&attrMem != 0 && in.ModRM >= 0xc0,
			r.attr&attrReg != 0 && in.ModRM < 0xc0,
			r.attr&attrRexW != 0 && in.Rex&8 == 0,
			r.attr&attrNoB != 0 && in.Rex&1 != 0,
			r.attr&attrVReg == 0 && in.VReg != 0,
			r.attr&attrL0 != 0 && in.VL != 0,
			r.attr&attrL1 != 0 && in.VL == 0,
			r.attr&attrW0 != 0 && in.Rex&8 != 0,
			r.attr&attrVSIB != 0 && in.ModRM&7 != 4:
			continue
		}
		return r
	}
	return nil
}

// address reads SIB and displacement (SDM vol. 2, tables 2-2 and 2-3).
func (in *Inst) address(c *cursor) {
	in.Mem = true
	mod, rm := in.ModRM>>6, in.ModRM&7
	in.Base = rm | in.Rex&1<<3
	if rm == 4 {
		sib := c.byte()
		in.Scale = sib >> 6
		if in.Index = sib>>3&7 | in.Rex&2<<2; in.Index == 4 && !in.VSIB {
			in.Index, in.Scale = NoReg, 0
		}
		in.Base = sib&7 | in.Rex&1<<3
		if sib&7 == 5 && mod == 0 {
			in.Base = NoReg
			in.Disp = c.int(4)
			return
		}
	} else if rm == 5 && mod == 0 {
		in.Base, in.RIPRel = NoReg, true
		in.Disp = c.int(4)
		return
	}
	switch mod {
	case 1:
		in.Disp = c.int(1)
	case 2:
		in.Disp = c.int(4)
	}
}

// operands fills Args from the row.
func (in *Inst) operands(c *cursor, r *compiled, op66 bool) {
	size := uint8(4)
	switch {
	case r.attr&attrF64 != 0:
		size = 8
	case in.Rex&8 != 0:
		size = 8
	case op66:
		size = 2
	case r.attr&attrD64 != 0:
		size = 8
	}
	in.Size = size
	in.NArgs = r.nargs
	for i := range r.args[:r.nargs] {
		in.operand(c, &r.args[i], &in.Args[i], size)
		if p := r.args[i].place; p >= 'A' {
			in.Places[i] = p
		}
	}
	if k := in.Args[0].Kind; in.Args[0].Size != 0 && k != ArgImm && k != ArgRel {
		in.Size = in.Args[0].Size
	}
}

func (in *Inst) operand(c *cursor, s *argSpec, a *Arg, size uint8) {
	a.Size = s.width
	switch s.width {
	case widthV, widthBS:
		a.Size = size
	case widthZ:
		a.Size = min(size, 4)
	case widthY:
		a.Size = 4 + in.Rex&8>>1
	case widthX, widthXH, widthXF, widthXE:
		a.Size = 16 << in.VL >> (s.width - widthX)
	}
	switch s.place {
	case placeReg:
		a.Kind, a.Reg = ArgReg, s.reg
	case placeST:
		a.Kind = ArgST
	case placeSTi:
		a.Kind, a.Reg = ArgST, in.ModRM&7
	case placeXMM:
		a.Kind = ArgXMM
	case placeSeg:
		a.Kind, a.Reg = ArgSreg, s.reg
	case placeOne:
		a.Kind, in.Imm = ArgImm, 1
	case 'E', 'R', 'M':
		in.rm(a, ArgReg)
	case 'G':
		a.Kind, a.Reg = ArgReg, in.byteReg(in.ModRM>>3&7|in.Rex&4<<1, a.Size)
	case 'B':
		a.Kind, a.Reg = ArgReg, in.VReg
	case 'Z':
		a.Kind, a.Reg = ArgReg, in.byteReg(in.Opcode&7|in.Rex&1<<3, a.Size)
	case 'V':
		a.Kind, a.Reg = ArgXMM, in.ModRM>>3&7|in.Rex&4<<1
	case 'W', 'U':
		in.rm(a, ArgXMM)
	case 'H':
		a.Kind, a.Reg = ArgXMM, in.VReg
	case 'L':
		in.Imm = int64(c.byte())
		a.Kind, a.Reg = ArgXMM, uint8(in.Imm)>>4
	case 'P':
		a.Kind, a.Reg = ArgMMX, in.ModRM>>3&7
	case 'Q', 'N':
		in.rm(a, ArgMMX)
	case 'S':
		a.Kind, a.Reg = ArgSreg, in.ModRM>>3&7
	case 'X', 'Y':
		a.Kind, a.Reg = ArgStr, s.place
	case 'O':
		a.Kind, in.Mem = ArgMem, true
		if in.Addr32 {
			in.Disp = int64(uint32(c.int(4)))
		} else {
			in.Disp = c.int(8)
		}
	case 'J':
		a.Kind = ArgRel
		in.Imm = c.int(relSize(s.width))
	case 'I':
		in.immediate(c, s, a)
	}
}

// relSize: branch offsets are one byte, or four; 66 does not shorten them.
func relSize(width uint8) uint8 {
	if width == 1 {
		return 1
	}
	return 4
}

// immediate reads an immediate. ENTER has two: the second is a byte.
func (in *Inst) immediate(c *cursor, s *argSpec, a *Arg) {
	if a != &in.Args[0] && in.Args[0].Kind == ArgImm {
		a.Kind, in.Imm2 = ArgImm, c.byte()
		return
	}
	a.Kind = ArgImm
	switch s.width {
	case 1:
		in.Imm = int64(c.byte())
	case 2:
		in.Imm = int64(uint16(c.int(2)))
	case widthBS:
		in.Imm = c.int(1)
	default:
		in.Imm = c.int(a.Size)
	}
}

// rm fills in the operand that the r/m field names: memory, or a register of
// the given kind.
func (in *Inst) rm(a *Arg, kind ArgKind) {
	if in.ModRM < 0xc0 {
		a.Kind = ArgMem
		return
	}
	a.Kind, a.Reg = kind, in.ModRM&7
	if kind != ArgMMX {
		a.Reg |= in.Rex & 1 << 3
	}
	if kind == ArgReg {
		a.Reg = in.byteReg(a.Reg, a.Size)
	}
}

// byteReg: without REX, byte registers 4 to 7 are AH, CH, DH, BH.
func (in *Inst) byteReg(reg, size uint8) uint8 {
	if size == 1 && in.Rex == 0 && reg >= 4 && reg < 8 {
		return reg&3 | High
	}
	return reg
}
