// Package x86test makes random instructions for the tests of engines.
package x86test

import (
	"math/rand"
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/x86"
)

// Generator makes random instances of rows of the instruction table.
type Generator struct{ *rand.Rand }

var interesting = []uint64{
	0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000,
	0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 1<<63 - 1, 1 << 63, 1<<64 - 1, 1<<64 - 2, 1<<64 - 128, 1<<64 - 129,
	1<<64 - 0x8000, 1<<64 - 0x80000000,
}

// Value makes a number, often one at the edge of something.
func (g Generator) Value() uint64 {
	switch g.Intn(4) {
	case 0:
		return interesting[g.Intn(len(interesting))]
	case 1:
		return uint64(int64(int8(g.Uint32())))
	case 2:
		return uint64(g.Uint32())
	}
	return g.Uint64()
}

// Template is what the encoding of a row fixes.
type Template struct {
	prefix byte // mandatory
	rexW   bool
	opcode []byte
	plus   bool // register in the opcode
	modrm  bool
	digit  int // -1: any
	fixed  int // -1: none
	plusI  bool
	// With VEX: what L and W must be, -1 if they may be anything, and whether
	// the index is a vector register.
	vex  bool
	l, w int
	vsib bool
}

// ParseTemplate reads the encoding of a row.
func ParseTemplate(enc string) (t Template) {
	t.digit, t.fixed = -1, -1
	for i, f := range strings.Fields(enc) {
		switch {
		case strings.HasPrefix(f, "VEX"):
			t.vex, t.w = true, -1
			t.l = map[string]int{"VEX": 0, "VEX.256": 1, "VEX.L": -1}[f]
		case f == "W0" || f == "W1":
			t.w = int(f[1] - '0')
		case len(t.opcode) == 0 && (i == 0 || t.vex) && (f == "66" || f == "F2" || f == "F3"):
			n, _ := strconv.ParseUint(f, 16, 8)
			t.prefix = byte(n)
		case f == "NP":
		case f == "REX.W":
			t.rexW = true
		case f == "/r":
			t.modrm = true
		case f[0] == '/':
			t.modrm, t.digit = true, int(f[1]-'0')
		default:
			f, plus := strings.CutSuffix(f, "+r")
			f, plusI := strings.CutSuffix(f, "+i")
			n, _ := strconv.ParseUint(f, 16, 8)
			t.plus = t.plus || plus
			if full := len(t.opcode) > 0 && (t.opcode[0] != 0x0f || len(t.opcode) > 1 && (len(t.opcode) > 2 || t.opcode[1] != 0x38 && t.opcode[1] != 0x3a)); full {
				t.modrm, t.fixed, t.plusI = true, int(n), plusI
				continue
			}
			t.opcode = append(t.opcode, byte(n))
		}
	}
	return t
}

// Instance assembles a random instance of the row. disp is where its 32-bit
// displacement is, or 0.
func (g Generator) Instance(row *x86.Row, t Template) (b []byte, disp int) {
	if t.vex {
		return g.vexInstance(row, t)
	}
	if g.Intn(6) == 0 && t.prefix != 0x66 && !strings.HasPrefix(row.Enc, "NP") {
		b = append(b, 0x66)
	}
	if g.Intn(24) == 0 {
		b = append(b, 0x67)
	}
	if strings.Contains(row.Attr, "lock") && g.Intn(3) == 0 {
		b = append(b, 0xf0)
	}
	if strings.ContainsAny(row.Args, "XY") && g.Intn(2) == 0 {
		b = append(b, []byte{0xf2, 0xf3}[g.Intn(2)])
	}
	if t.prefix != 0 {
		b = append(b, t.prefix)
	}
	rex := byte(0)
	if g.Intn(3) > 0 {
		rex = 0x40 | byte(g.Intn(16))
	}
	if t.rexW {
		rex |= 0x48
	}
	if strings.HasPrefix(row.Args, "S") {
		rex &^= 4
	}
	if rex != 0 {
		b = append(b, rex)
	}
	b = append(b, t.opcode...)
	if t.plus {
		// Ranges of eight: Jcc and its kin have two rows for sixteen.
		b[len(b)-1] += byte(g.Intn(8))
	}
	return g.operands(b, t)
}

// vexInstance is Instance for rows with VEX, of the three-byte form.
func (g Generator) vexInstance(row *x86.Row, t Template) (b []byte, disp int) {
	if g.Intn(24) == 0 {
		b = append(b, 0x67)
	}
	m := byte(1)
	if len(t.opcode) > 2 {
		m = map[byte]byte{0x38: 2, 0x3a: 3}[t.opcode[1]]
	}
	pp := map[byte]byte{0: 0, 0x66: 1, 0xf3: 2, 0xf2: 3}[t.prefix]
	v := byte(0x78)
	if strings.ContainsAny(row.Args, "BH") {
		v = byte(g.Intn(16)) << 3
	}
	either := func(n int) byte {
		if n < 0 {
			n = g.Intn(2)
		}
		return byte(n)
	}
	b = append(b, 0xc4, byte(g.Intn(8))<<5|m, either(t.w)<<7|v|either(t.l)<<2|pp, t.opcode[len(t.opcode)-1])
	t.vsib = strings.Contains(row.Attr, "vsib")
	return g.operands(b, t)
}

// operands appends a random ModRM byte with what belongs to it, and enough
// bytes for any immediate.
func (g Generator) operands(b []byte, t Template) (_ []byte, disp int) {
	if t.modrm {
		m := byte(g.Intn(256))
		if g.Intn(2) == 0 {
			m |= 0xc0
		}
		if t.digit >= 0 {
			m = m&^0x38 | byte(t.digit)<<3
		}
		if t.fixed >= 0 {
			m = byte(t.fixed)
			if t.plusI {
				m += byte(g.Intn(8))
			}
		}
		if t.vsib {
			m = m&0x38 | byte(g.Intn(3))<<6 | 4
		}
		b = append(b, m)
		if m < 0xc0 {
			sib := byte(0)
			if m&7 == 4 {
				sib = byte(g.Intn(256))
				b = append(b, sib)
			}
			switch {
			case m>>6 == 1:
				b = append(b, byte(g.Intn(256)))
			case m>>6 == 2, m&7 == 5, m&7 == 4 && sib&7 == 5:
				disp = len(b)
				v := g.Uint32() >> uint(g.Intn(24))
				b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
			}
		}
	}
	for range 10 {
		b = append(b, byte(g.Value()))
	}
	return b, disp
}
