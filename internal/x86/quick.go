package x86

import "encoding/binary"

// Most instructions have no prefix but REX, are in one of the first two maps, and
// their opcode, or that and the reg field, tells the row. They are decoded apart:
// the engines decode everything that runs, much of it once.

// quickRows has the row by map, opcode and reg field, as an index in compiledRows
// plus 1; 0 where more must be known.
var quickRows [2][256][8]uint16

// forms has how the operands of the rows in quickRows are read.
var forms [len(compiledRows)]Form

// formOf finds it.
func (c *compiled) formOf() Form {
	var places [4]byte
	for i, a := range c.args[:c.nargs] {
		if a.width == widthY || a.width >= widthX && a.width <= widthXE {
			return FormOther
		}
		places[i] = a.place
	}
	same := c.args[0].width == c.args[1].width
	switch places {
	case [4]byte{}:
		return FormNone
	case [4]byte{'E', 'G'}:
		if same {
			return FormEG
		}
	case [4]byte{'G', 'E'}:
		if same {
			return FormGE
		}
		return FormGEOther
	case [4]byte{'E', 'I'}:
		return FormEI
	case [4]byte{'E'}:
		return FormE
	case [4]byte{'Z'}:
		return FormZ
	case [4]byte{'J'}:
		return FormJ
	}
	return FormOther
}

// It is made when the program starts, which takes some 20 µs.
func init() {
	const other = attrMem | attrReg | attrRexW | attrNoB | attrVReg | attrL0 | attrL1 | attrW0 | attrVSIB
	for m := range quickRows {
		for opcode := range quickRows[m] {
			for digit := range byte(8) {
				span := dispatch[m][opcode]
				for i := span.first; i < span.first+span.n; i++ {
					r := &compiledRows[i]
					if r.prefix != prefAny && r.prefix != prefNone || r.mod == modDigit && r.modVal != digit {
						continue
					}
					if r.mod <= modDigit && r.attr&other == 0 {
						forms[i] = r.formOf()
						quickRows[m][opcode][digit] = i + 1
					}
					break
				}
			}
		}
	}
}

// quick decodes the instruction at the start of b if it is one of those. in has
// been cleared.
func (in *Inst) quick(b []byte) bool {
	_ = b[MaxLen-1]
	n := 0
	x := b[0]
	if x&0xf0 == 0x40 {
		in.Rex = x
		n, x = 1, b[1]
	}
	in.OpcodeAt = uint8(n)
	m := 0
	if x == 0x0f {
		n++
		m, x = 1, b[n]
	}
	n++
	i := quickRows[m][x][b[n]>>3&7]
	if i == 0 {
		in.Rex, in.OpcodeAt = 0, 0
		return false
	}
	r := &compiledRows[i-1]
	in.Op, in.Row, in.Opcode, in.Form = r.op, r.row, x, forms[i-1]
	if r.mod != modNone {
		in.ModRMAt, in.ModRM = uint8(n), b[n]
		n++
		if in.ModRM < 0xc0 {
			n = in.addressQuick(b, n)
		}
	}
	in.ImmAt = uint8(n)
	in.Len = uint8(in.operandsQuick(b, n, r, forms[i-1]))
	return true
}

// addressQuick is address for bytes that are all there. It returns where what
// follows begins.
func (in *Inst) addressQuick(b []byte, n int) int {
	in.Mem = true
	mod, rm := in.ModRM>>6, in.ModRM&7
	if rm == 4 {
		sib := b[n]
		n++
		if index := sib>>3&7 | in.Rex&2<<2; index != 4 {
			in.Index, in.Scale = index, sib>>6
		}
		rm = sib & 7
	} else if rm == 5 && mod == 0 {
		in.RIPRel = true
	}
	if rm != 5 || mod != 0 {
		in.Base = rm | in.Rex&1<<3
	} else {
		mod = 2
	}
	switch mod {
	case 1:
		in.Disp = int64(int8(b[n]))
		n++
	case 2:
		in.Disp = int64(int32(binary.LittleEndian.Uint32(b[n:])))
		n += 4
	}
	return n
}

// operandsQuick is operands for bytes that are all there.
func (in *Inst) operandsQuick(b []byte, n int, r *compiled, form Form) int {
	if form == FormOther {
		c := cursor{b: b, n: n}
		in.operands(&c, r, false)
		return c.n
	}
	size := uint8(4)
	if in.Rex&8 != 0 || r.attr&(attrF64|attrD64) != 0 {
		size = 8
	}
	in.Size, in.NArgs = size, r.nargs
	width := func(i int) uint8 {
		switch w := r.args[i].width; {
		case w < widthV:
			return w
		case w == widthZ:
			return 4
		}
		return size
	}
	g := in.ModRM>>3&7 | in.Rex&4<<1
	switch form {
	case FormEG:
		w := width(0)
		in.argE(0, w)
		in.Args[1] = Arg{ArgReg, in.byteReg(g, w), w}
		in.Places[1] = 'G'
		in.Size = w
	case FormGE, FormGEOther:
		w := width(0)
		in.Args[0] = Arg{ArgReg, in.byteReg(g, w), w}
		in.Places[0] = 'G'
		in.Size = w
		if form == FormGEOther {
			w = width(1)
		}
		in.argE(1, w)
	case FormEI:
		w := width(0)
		in.argE(0, w)
		in.Places[1] = 'I'
		in.Size = w
		a := &in.Args[1]
		a.Kind, a.Size = ArgImm, width(1)
		switch r.args[1].width {
		case 1:
			in.Imm = int64(b[n])
			return n + 1
		case widthBS:
			in.Imm = int64(int8(b[n]))
			return n + 1
		case widthZ:
			in.Imm = int64(int32(binary.LittleEndian.Uint32(b[n:])))
			return n + 4
		}
		c := cursor{b: b, n: n}
		in.immediate(&c, &r.args[1], a)
		return c.n
	case FormE:
		w := width(0)
		in.argE(0, w)
		if w != 0 {
			in.Size = w
		}
	case FormZ:
		w := width(0)
		in.Args[0] = Arg{ArgReg, in.byteReg(in.Opcode&7|in.Rex&1<<3, w), w}
		in.Places[0] = 'Z'
		in.Size = w
	case FormJ:
		in.Args[0] = Arg{Kind: ArgRel, Size: width(0)}
		in.Places[0] = 'J'
		if r.args[0].width == 1 {
			in.Imm = int64(int8(b[n]))
			return n + 1
		}
		in.Imm = int64(int32(binary.LittleEndian.Uint32(b[n:])))
		return n + 4
	}
	return n
}

// argE fills in operand i, that of the r/m field.
func (in *Inst) argE(i int, w uint8) {
	in.Places[i] = 'E'
	if in.ModRM < 0xc0 {
		in.Args[i] = Arg{Kind: ArgMem, Size: w}
		return
	}
	in.Args[i] = Arg{ArgReg, in.byteReg(in.ModRM&7|in.Rex&1<<3, w), w}
}
