//go:build linux && amd64

package interp

import (
	"math/rand"
	"strings"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
	"github.com/tinevm/tine/internal/x86/x86test"
)

// generator makes random cases of table rows.
type generator struct{ x86test.Generator }

func newGenerator(seed int64) generator {
	return generator{x86test.Generator{Rand: rand.New(rand.NewSource(seed))}}
}

func putInt32(b []byte, v uint64) {
	b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}

// place makes the memory operand lie in the data page, most of the time well
// inside, and reports whether it could.
func (g generator) place(in *x86.Inst, b []byte, disp int, q *hwRequest) bool {
	target := uint64(hwData + g.Intn(4096-64))
	switch g.Intn(12) {
	case 0:
		target = hwData + 4096 - uint64(g.Intn(24)) // may reach beyond
	case 1, 2, 3, 4, 5:
		target &^= 15
	}
	d := uint64(in.Disp)
	switch {
	case in.RIPRel:
		putInt32(b[disp:], target-(hwCode+q.Off+uint64(in.Len)))
	case in.Base == x86.NoReg && in.Index == x86.NoReg:
		if disp == 0 {
			return g.placeMoffs(in, b, target)
		}
		putInt32(b[disp:], target)
	case in.Base == x86.NoReg:
		v := uint64(g.Intn(1000))
		q.GPR[in.Index] = v
		putInt32(b[disp:], target-v<<in.Scale)
	case in.Base == in.Index:
		return false
	default:
		i := uint64(0)
		if in.Index != x86.NoReg {
			i = q.GPR[in.Index] << in.Scale
		}
		q.GPR[in.Base] = target - d - i
		if in.Addr32 {
			q.GPR[in.Base] = uint64(uint32(q.GPR[in.Base])) | g.Uint64()<<32
		}
	}
	return true
}

func (g generator) placeMoffs(in *x86.Inst, b []byte, target uint64) bool {
	n := 8
	if in.Addr32 {
		n = 4
	}
	if in.Opcode < 0xa0 || in.Opcode > 0xa3 {
		return false
	}
	for i := range n {
		b[int(in.Len)-n+i] = byte(target >> (8 * i))
	}
	return true
}

// request makes a random case of a row.
func (g generator) request(row *x86.Row, index int, t x86test.Template) (q hwRequest, in x86.Inst, ok bool) {
	b, disp := g.Instance(row, t)
	in, err := x86.Decode(b)
	if err != nil || x86.Rows()[in.Row] != row {
		return q, in, false
	}
	q.Off = uint64(g.Intn(2000)) + 200
	q.Seed = g.Uint64() | 1
	for i := range q.GPR {
		q.GPR[i] = g.Value()
	}
	if in.Args[0].Kind == x86.ArgRel && in.Imm < 0 && in.Imm >= -16 {
		return q, in, false // into itself: the block test would go on
	}
	g.implicit(row, &in, &q)
	if in.Mem && !g.place(&in, b, disp, &q) {
		return q, in, false
	}
	if hostAMD() && differsOnAMD(row, &in, b) || undefinedResult(&in, q.GPR[cpu.RCX]) {
		return q, in, false
	}
	q.Flags = g.Uint64()&(arithFlags|cpu.FlagDF) | cpu.FlagOn | cpu.FlagIF
	if g.Intn(8) > 0 {
		q.Flags &^= cpu.FlagDF
	}
	if g.Intn(8) == 0 {
		q.Flags |= cpu.FlagAC
	}
	if !g.segments(&in, &q, operandOf(&in, &q, b)) {
		return q, in, false
	}
	g.floats(&q)
	q.Steps = 1
	q.Len = uint64(in.Len)
	copy(q.Code[:], b[:in.Len])
	if late(&in) {
		q.Code[q.Len] = 0x90
		q.Len++
	}
	return q, in, true
}

// operandOf is the address of the memory operand that place has chosen.
func operandOf(placed *x86.Inst, q *hwRequest, b []byte) uint64 {
	in, err := x86.Decode(b)
	if err != nil || !placed.Mem {
		return 0
	}
	a := uint64(in.Disp)
	if in.RIPRel {
		a += hwCode + q.Off + uint64(in.Len)
	}
	if in.Base != x86.NoReg {
		a += q.GPR[in.Base]
	}
	if in.Index != x86.NoReg {
		a += q.GPR[in.Index] << in.Scale
	}
	if in.Addr32 {
		a = uint64(uint32(a))
	}
	return a
}

// implicit gives the registers that instructions use without naming them
// values that make sense.
func (g generator) implicit(row *x86.Row, in *x86.Inst, q *hwRequest) {
	q.GPR[cpu.RSP] = hwData + 1024 + uint64(g.Intn(2048))
	str := strings.ContainsAny(row.Args, "XY") || strings.HasPrefix(row.Args, "Vdq,U") || strings.HasPrefix(row.Args, "Pq,N")
	if str || g.Intn(2) == 0 {
		q.GPR[cpu.RSI] = hwData + 512 + uint64(g.Intn(3000))
		q.GPR[cpu.RDI] = hwData + 512 + uint64(g.Intn(3000))
		if g.Intn(3) == 0 {
			q.GPR[cpu.RDI] = q.GPR[cpu.RSI] + uint64(g.Intn(40))
		}
	}
	if str || g.Intn(2) == 0 {
		q.GPR[cpu.RCX] = uint64(g.Intn(40))
	}
	if str && g.Intn(20) == 0 {
		q.GPR[cpu.RCX] = uint64(g.Intn(1000))
	}
	switch in.Op {
	case x86.ENTER, x86.LEAVE:
		q.GPR[cpu.RBP] = hwData + 1024 + uint64(g.Intn(2048))
	case x86.XLAT:
		q.GPR[cpu.RBX] = hwData + uint64(g.Intn(3800))
	case x86.BT, x86.BTS, x86.BTR, x86.BTC:
		if in.Args[1].Kind == x86.ArgReg && in.Mem {
			q.GPR[in.Args[1].Reg] = uint64(g.Intn(4000) - 2000)
		}
	case x86.DIV, x86.IDIV:
		q.GPR[cpu.RDX] = uint64(int64(g.Intn(7) - 3))
		if g.Intn(2) == 0 {
			q.GPR[cpu.RDX] = uint64(int64(q.GPR[cpu.RAX]) >> 63)
		}
		if g.Intn(3) == 0 {
			q.GPR[cpu.RDX] = g.Value()
		}
	case x86.CMPXCHG:
		if in.Args[0].Kind == x86.ArgReg && g.Intn(2) == 0 {
			q.GPR[cpu.RAX] = q.GPR[in.Args[0].Reg&15]
		}
	case x86.JMPIND, x86.CALLIND:
		for i := range q.GPR {
			if i != cpu.RSP && g.Intn(2) == 0 {
				q.GPR[i] = hwCode + uint64(g.Intn(4096))
			}
		}
	}
}

// floats fills the XMM registers and sets x87 and MXCSR to their defaults.
func (g generator) floats(q *hwRequest) {
	q.FX[0], q.FX[1] = 0x7f, 0x03
	q.FX[24], q.FX[25] = 0x80, 0x1f
	g.Read(q.FX[160:416])
}

// second makes a short instruction that reads flags: Jcc, SETcc, CMOVcc, ADC,
// SBB, RCL, INC, or one that sets them all.
func (g generator) second() []byte {
	cc, reg := byte(g.Intn(16)), byte(g.Intn(64))
	switch g.Intn(12) {
	case 0:
		return []byte{0x0f, 0x90 | cc, 0xc0 | reg}
	case 1:
		return []byte{0x48, 0x0f, 0x40 | cc, 0xc0 | reg}
	case 2:
		return []byte{0x48, 0x11, 0xc0 | reg}
	case 3:
		return []byte{0x19, 0xc0 | reg}
	case 4:
		return []byte{0xd1, 0xd0 | reg&7}
	case 5:
		return []byte{0xff, 0xc0 | reg&15}
	case 6:
		return []byte{0x31, 0xc0 | reg}
	}
	return []byte{0x70 | cc, byte(g.Intn(100))}
}

// filler makes a short instruction of the kinds that are joined with others: on
// registers, and on the stack around RSP.
func (g generator) filler() []byte {
	a, b := byte(g.Intn(8)), byte(g.Intn(8))
	reg, stack := 0xc0|a<<3|b, []byte{0x44 | a<<3, 0x24, byte(g.Intn(20)) * 8}
	switch g.Intn(16) {
	case 13:
		return []byte{0xc1, 0xc0 | b&3 | a&1<<3, byte(g.Intn(40))}
	case 14:
		return []byte{0x48, 0xc1, 0xc0 | b&3 | a&1<<3, byte(g.Intn(70))}
	case 0, 1:
		return []byte{0x50 | a}
	case 2, 3:
		if a == 4 {
			a = 3
		}
		return []byte{0x58 | a}
	case 4:
		return []byte{0x48, 0x89, reg&^0x07 | b&3}
	case 5:
		return append([]byte{0x48, 0x8b}, []byte{0x44 | a&3<<3, 0x24, stack[2]}...)
	case 6:
		return append([]byte{0x48, 0x89}, stack...)
	case 7:
		return append([]byte{0x48, 0x8d}, []byte{0x44 | a&3<<3, 0x24, stack[2]}...)
	case 8:
		return append([]byte{0x0f, 0xb6}, []byte{0x44 | a&3<<3, 0x24, stack[2]}...)
	case 9:
		return []byte{0x31, 0xc0 | a<<3 | b&3}
	case 10:
		return []byte{0x48, 0x83, 0xc0 | b&3, byte(g.Uint32())}
	case 11:
		return append([]byte{0x8b}, []byte{0x44 | a&3<<3, 0x24, stack[2]}...)
	case 12:
		return []byte{0x66, 0x0f, 0xef, reg}
	}
	return []byte{0x89, 0xc0 | a<<3 | b&3}
}

// ending makes a test and a branch, a call, or a return.
func (g generator) ending() (b []byte, steps uint64) {
	r := byte(g.Intn(4))
	cc, d := 0x70|byte(g.Intn(16)), byte(g.Intn(100))
	switch g.Intn(6) {
	case 0:
		return []byte{0xe8, d, 0, 0, 0}, 1
	case 1:
		return []byte{0xc3}, 1
	case 2:
		return []byte{0x83, 0xf8 | r, byte(g.Uint32()), cc, d}, 2
	case 3:
		return []byte{0x48, 0x39, 0xc0 | r, cc, d}, 2
	}
	return []byte{0x48, 0x85, 0xc0 | r*9, cc, d}, 2
}

// selectors that are valid, almost valid, and not.
var someSelectors = []uint64{0, 1, 3, 4, 0x10, 0x18, 0x20, 0x23, 0x28, 0x2b, 0x30, 0x33, 0x40, 0x53, 0x63, 0x78, 0x7b, 0x7f, 0x80, 0x2f, 0xfff8}

func (g generator) sel() uint64 { return someSelectors[g.Intn(len(someSelectors))] }

// segments gives the instructions that deal with selectors some to deal with.
// It is false if they would load FS, on which the helper stands.
func (g generator) segments(in *x86.Inst, q *hwRequest, operand uint64) bool {
	put := func(at uint64, size uint8, v ...uint64) {
		if at < hwData || at+48 > hwData+4096 {
			return
		}
		q.PatchAt = at
		g.Read(q.Patch[:])
		for i, x := range v {
			for j := range int(size) {
				q.Patch[i*int(size)+j] = byte(x >> (8 * j))
			}
		}
	}
	cs, ss := uint64(userCS), uint64(userSS)
	if g.Intn(4) == 0 {
		cs, ss = g.sel(), g.sel()
		if cs == 0x23 {
			return false // the processor would go on in 32-bit mode
		}
	}
	rip := hwCode + uint64(g.Intn(4096))
	switch in.Op {
	case x86.LDSEG, x86.POPSEG:
		if in.Args[0].Reg == segFS {
			return false
		}
		if in.Op == x86.POPSEG {
			put(q.GPR[cpu.RSP], in.Size, g.sel())
		} else if in.Mem {
			put(operand, 2, g.sel())
		} else {
			q.GPR[in.Args[1].Reg] = g.sel()
		}
	case x86.LFS:
		if in.Opcode&7 == segFS || hostAMD() && in.Rex&8 != 0 {
			return false // AMD's have no offsets of 64 bits
		}
		put(operand+uint64(in.Size), 2, g.sel())
	case x86.LAR, x86.LSL:
		sel := g.sel()
		if in.Op == x86.LSL && sel>>3 == gdtProcessor {
			sel = userSS // the limit is the number of the host's processor
		}
		if in.Mem {
			put(operand, 2, sel)
		} else {
			q.GPR[in.Args[1].Reg] = sel
		}
	case x86.VERR, x86.VERW:
		if in.Mem {
			put(operand, 2, g.sel())
		} else {
			q.GPR[in.Args[0].Reg] = g.sel()
		}
	case x86.RETF:
		put(q.GPR[cpu.RSP], in.Size, rip, cs)
	case x86.IRET:
		flags := g.Uint64()&(arithFlags|cpu.FlagDF|cpu.FlagAC) | cpu.FlagOn // the others would last
		put(q.GPR[cpu.RSP], in.Size, rip, cs, flags, hwData+uint64(g.Intn(4096)), ss)
	case x86.SLDT, x86.STR, x86.SMSW, x86.SGDT, x86.SIDT:
		q.Flags &^= cpu.FlagAC // the kernel copies
		return operand&pageMask <= 4096-16
	case x86.WRGSBASE:
		if g.Intn(4) > 0 {
			q.GPR[in.Args[0].Reg] = g.Uint64() >> 17
		}
	}
	return true
}
