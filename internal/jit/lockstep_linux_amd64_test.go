package jit_test

import (
	"flag"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/interp"
	"github.com/tinevm/tine/internal/jit"
	"github.com/tinevm/tine/internal/lockstep"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
	"github.com/tinevm/tine/internal/x86/x86test"
	"github.com/tinevm/tine/internal/x87"
)

// Random programs on the interpreter and the JIT in lock step.

var (
	lockPrograms = flag.Int("programs", 3000, "random programs to compare")
	lockSeed     = flag.Int64("seed", 1, "seed of the random programs")
	lockOnly     = flag.String("only", "", "only rows whose encoding and operands contain this")
)

const (
	progAt  = 0x400000
	progLen = 2 * mm.PageSize
	dataAt  = 0x600000
	dataLen = 2 * mm.PageSize // and a read-only page after it

	maxRun = 3000 // instructions: programs may loop for ever
)

// machine is what the programs run on.
type machine struct {
	t   testing.TB
	eng cpu.Engine
	v   cpu.VCPU
	as  *mm.AddressSpace
	r   cpu.Regs
}

func newMachine(t testing.TB) *machine {
	if err := lockstep.Available(); err != nil {
		t.Skip(err)
	}
	s := &machine{t: t, eng: lockstep.New(), as: mm.NewAddressSpace(mm.NewAccount(1<<30), nil)}
	for _, m := range []mm.MapRequest{
		{Addr: progAt, Len: progLen, Prot: mm.ProtRead | mm.ProtWrite | mm.ProtExec},
		{Addr: dataAt, Len: dataLen, Prot: mm.ProtRead | mm.ProtWrite},
		{Addr: dataAt + dataLen, Len: mm.PageSize, Prot: mm.ProtRead},
	} {
		m.Fixed = true
		if _, errno := s.as.Map(m); errno != 0 {
			t.Fatal(errno)
		}
	}
	return s
}

func (s *machine) write(addr uint64, b []byte) {
	if _, errno := s.as.CopyOut(addr, b); errno != 0 {
		s.t.Fatal(errno)
	}
}

// play runs p to a trap that memory management cannot resolve, slice instructions
// at a time. The result is what differs.
func (s *machine) play(p *program, slice int64) (err error) {
	s.write(p.regs.RIP, p.code)
	s.write(dataAt, p.data)
	s.r = p.regs
	defer func() {
		if r := recover(); r != nil {
			err = r.(*cpu.Failure)
		}
	}()
	for total := int64(0); total < maxRun; {
		budget := min(slice, maxRun-total)
		trap, n := s.eng.Run(&s.v, &s.r, s.as, budget)
		total += n
		switch trap.Kind {
		case cpu.TrapBudget:
			if n != budget {
				return fmt.Errorf("a budget of %d ended after %d", budget, n)
			}
			continue
		case cpu.TrapPageFault:
			if res, _ := s.as.Fault(trap.Addr, trap.Access); res == mm.FaultOK {
				continue
			}
		}
		break
	}
	return nil
}

// A program is code and the state it starts with.
type program struct {
	code []byte
	regs cpu.Regs
	data []byte
	text []string // what is in it
}

type maker struct {
	x86test.Generator
	rows []*x86.Row
}

func newMaker(seed int64, only string) *maker {
	m := &maker{Generator: x86test.Generator{Rand: rand.New(rand.NewSource(seed))}}
	for _, r := range x86.Rows() {
		if !unsuitable(r) && strings.Contains(r.Enc+" "+r.Args, only) {
			m.rows = append(m.rows, r)
		}
	}
	return m
}

// unsuitable says that a row cannot be compared like this: it goes elsewhere,
// is privileged, or needs operands that it would get by chance only.
func unsuitable(r *x86.Row) bool {
	switch r.Op {
	case x86.LDMXCSR, x86.VEX + x86.LDMXCSR, x86.FXRSTOR, x86.XRSTOR, x86.FLDCW, x86.FLDENV, x86.FRSTOR, x86.XLAT, x86.LEAVE, x86.ENTER, x86.CLFLUSH:
		return true
	}
	return interp.Terminal(r.Op) || r.Op >= x86.FirstX87 && r.Op < x86.FirstMMX && (!jit.PassedFPU(r.Op) || r.Op == x86.FLDCW)
}

// vague reports whether an operation leaves flags undefined: the two sides may
// differ in them.
func vague(op x86.Op) bool {
	switch op {
	case x86.MUL, x86.IMUL1, x86.IMUL2, x86.IMUL3, x86.DIV, x86.IDIV, x86.AND, x86.OR, x86.XOR, x86.TEST,
		x86.SHL, x86.SHR, x86.SAR, x86.SHLD, x86.SHRD, x86.ROL, x86.ROR, x86.RCL, x86.RCR,
		x86.BSF, x86.BSR, x86.BT, x86.BTS, x86.BTR, x86.BTC, x86.LAR,
		x86.LZCNT, x86.TZCNT, x86.ANDN, x86.BEXTR, x86.BLSI, x86.BLSMSK, x86.BLSR, x86.BZHI:
		return true
	}
	return false
}

// instance makes one instruction with what must come before and after it.
func (m *maker) instance() (code []byte, ok bool) {
	row := m.rows[m.Intn(len(m.rows))]
	b, at := m.Instance(row, x86test.ParseTemplate(row.Enc))
	in, err := x86.Decode(b)
	if err != nil || x86.Rows()[in.Row] != row {
		return nil, false
	}
	b = b[:in.Len]
	if strings.HasPrefix(row.Enc, "F3 90") || in.Rep == 0xf3 && in.Opcode == 0x90 {
		return nil, false // with REX.B processors differ
	}
	if vague(row.Op) && in.Size == 2 && (row.Op == x86.SHLD || row.Op == x86.SHRD) {
		return nil, false // counts above 16 are undefined
	}
	if strings.ContainsAny(row.Args, "XY") || row.Op == x86.MASKMOVDQU {
		code = append(code, setReg(cpu.RSI, m.place())...)
		code = append(code, setReg(cpu.RDI, m.place())...)
		code = append(code, setReg(cpu.RCX, uint64(m.Intn(70)))...)
	}
	if in.Mem && m.Intn(12) > 0 {
		pre, ok := m.aim(&in, b, at)
		if !ok {
			return nil, false
		}
		code = append(code, pre...)
	}
	if row.Op == x86.DIV || row.Op == x86.IDIV {
		code = append(code, 0x31, 0xd2) // xor edx, edx
	}
	code = append(code, b...)
	if row.Op == x86.STD || in.Rep != 0 && row.Op == x86.CMPS {
		code = append(code, 0xfc) // cld
	}
	if vague(row.Op) {
		code = append(code, 0x48, 0x83, 0xc0, byte(m.Uint32())) // add rax, imm8
	}
	return code, true
}

// stackUse makes something that compilers do with the stack, or with a structure
// that a register points to.
func (m *maker) stackUse() []byte {
	r := byte(m.Intn(8))
	if r == cpu.RSP {
		r = cpu.RBP
	}
	high := byte(m.Intn(2))
	d := byte(m.Intn(16) * 8)
	switch m.Intn(13) {
	case 0, 1:
		return []byte{0x40 | high, 0x50 | r} // push
	case 2, 3:
		return []byte{0x40 | high, 0x58 | r} // pop
	case 4:
		return []byte{0x48 | high<<2, 0x89, 0x44 | r<<3, 0x24, d} // mov [rsp+d], r
	case 5:
		return []byte{0x48 | high<<2, 0x8b, 0x44 | r<<3, 0x24, d}
	case 6:
		return []byte{0x48, 0x83, 0xc4 | byte(m.Intn(2))*0x28, byte(m.Intn(8) * 8)} // add or sub rsp
	case 7:
		return []byte{0xe8, 0, 0, 0, 0} // call what follows
	case 8:
		return []byte{0x68, d, 1, 2, byte(m.Intn(256))} // push imm
	case 9:
		return []byte{0xff, 0x74, 0x24, d} // push [rsp+d]
	case 10:
		return append(setReg(cpu.RBP, m.place()), 0xc9) // leave
	case 11:
		return append(setReg(cpu.RSP, m.place()), 0x66, 0x0f, 0x7f, 0x44, 0x24, d) // movdqa [rsp+d], xmm0
	}
	code := setReg(cpu.RBX, m.place())
	for range 1 + m.Intn(4) {
		d := byte(m.Intn(12) * 4)
		code = append(code, [][]byte{
			{0x8b, 0x43, d},             // mov eax, [rbx+d]
			{0x89, 0x4b, d},             // mov [rbx+d], ecx
			{0x48, 0x01, 0x43, d},       // add [rbx+d], rax
			{0x48, 0x83, 0xc3, d},       // add rbx, d
			{0xf3, 0x0f, 0x6f, 0x4b, d}, // movdqu xmm1, [rbx+d]
			{0x44, 0x0f, 0xb6, 0x4b, d}, // movzx r9d, byte [rbx+d]
			{0x48, 0x13, 0x43, d},       // adc rax, [rbx+d]
			{0x66, 0x0f, 0x6f, 0x53, d}, // movdqa xmm2, [rbx+d]
			{0x75, 0x00},                // jne to what follows
		}[m.Intn(9)]...)
	}
	return code
}

// place is an address in or around the data.
func (m *maker) place() uint64 {
	switch m.Intn(10) {
	case 0:
		return dataAt + mm.PageSize - uint64(m.Intn(20))
	case 1:
		return dataAt + dataLen - uint64(m.Intn(40))
	case 2, 3, 4, 5:
		return dataAt + uint64(m.Intn(2*mm.PageSize-64))&^15
	}
	return dataAt + uint64(m.Intn(2*mm.PageSize-64))
}

// aim returns instructions that make in's address a place.
func (m *maker) aim(in *x86.Inst, b []byte, disp int) (code []byte, ok bool) {
	target := m.place() - uint64(in.Disp)
	if in.VSIB {
		if in.Base == x86.NoReg || in.Seg != 0 {
			return nil, false
		}
		// vpmovsxbd or vpmovsxbq index, [data]
		op := map[x86.Op]byte{x86.VPGATHERDD: 0x21, x86.VPGATHERDQ: 0x21, x86.VPGATHERQD: 0x22, x86.VPGATHERQQ: 0x22}[in.Op]
		code = []byte{0xc4, 0x62 | ^in.Index>>3<<7, 0x7d, op, in.Index&7<<3 | 4, 0x25, byte(m.Intn(256)), byte(m.Intn(16)), 0x60, 0}
		return append(code, setReg(in.Base, target)...), true
	}
	if in.RIPRel || in.Base == x86.NoReg && in.Index == x86.NoReg || in.Seg != 0 {
		return nil, false
	}
	if in.Index != x86.NoReg {
		if in.Index == in.Base {
			return nil, false
		}
		v := uint64(m.Intn(1000))
		code = setReg(in.Index, v)
		target -= v << in.Scale
	}
	if in.Base == x86.NoReg {
		return nil, false
	}
	return append(code, setReg(in.Base, target)...), true
}

// setReg assembles MOV of a register and a constant.
func setReg(reg uint8, v uint64) []byte {
	b := []byte{0x48 | reg>>3, 0xb8 | reg&7}
	for i := range 8 {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

// jump makes a comparison and a short jump over what comes next, of which the
// length is not known yet: it returns where its displacement is.
func (m *maker) jump() []byte {
	r := byte(m.Intn(8))
	return []byte{0x48, 0x83, 0xf8 | r, byte(m.Uint32()), 0x70 | byte(m.Intn(16)), 0}
}

// extended makes a number of x87.
func (m *maker) extended() x87.F80 {
	f := x87.F80{Mant: m.Uint64() | 1<<63, SE: 0x3fff - 20 + uint16(m.Intn(40)) | uint16(m.Intn(2))<<15}
	switch m.Intn(8) {
	case 0:
		f.Mant = 1 << 63
	case 1:
		f = x87.F80{SE: f.SE & 0x8000} // zero
	case 2:
		f.SE |= 0x7fff // an infinity or a NaN
	case 3:
		f.SE = uint16(m.Uint32())
	}
	return f
}

func (m *maker) program() (p program) {
	open := -1
	loop := -1
	for n := 2 + m.Intn(16); n > 0; n-- {
		code, ok := m.stackUse(), true
		if m.Intn(3) > 0 {
			code, ok = m.instance()
		}
		if !ok {
			n++
			continue
		}
		if open >= 0 && (m.Intn(2) == 0 || len(p.code)-open > 80) {
			p.code[open] = byte(len(p.code) - open - 1)
			open = -1
		}
		if open < 0 && m.Intn(4) == 0 {
			p.code = append(p.code, m.jump()...)
			open = len(p.code) - 1
		}
		if loop < 0 && m.Intn(6) == 0 {
			p.code = append(p.code, 0xc7, 0x04, 0x25, 0, 0x10, 0x60, 0, byte(m.Intn(20)), 0, 0, 0) // mov dword [0x601000], n
			loop = len(p.code)
		}
		p.text = append(p.text, fmt.Sprintf("% x", code))
		p.code = append(p.code, code...)
		if n := len(p.code) - loop; loop >= 0 && open < loop && (m.Intn(2) == 0 || n > 90) {
			if n < 110 {
				p.code = append(p.code, 0x83, 0x2c, 0x25, 0, 0x10, 0x60, 0, 1, 0x75, byte(-10-n)) // sub dword [0x601000], 1; jne
				p.text = append(p.text, fmt.Sprintf("loop of %d bytes", n))
			}
			loop = -1
		}
	}
	if open >= 0 {
		p.code[open] = byte(len(p.code) - open - 1)
	}
	p.code = append(p.code, 0xf4) // hlt: #GP
	p.regs.Reset()
	for i := range p.regs.GPR {
		p.regs.GPR[i] = m.Value()
	}
	for i := range p.regs.XMM {
		p.regs.XMM[i] = [2]uint64{m.Value(), m.Value()}
	}
	if p.regs.UpperUsed = m.Intn(2) == 0; p.regs.UpperUsed {
		for i := range p.regs.Upper {
			p.regs.Upper[i] = [2]uint64{m.Value(), m.Value()}
		}
	}
	if m.Intn(2) == 0 {
		for range 1 + m.Intn(8) {
			p.regs.X87.LoadF80(m.extended())
		}
		p.regs.X87.CW = 0x007f | uint16(m.Intn(4))<<10 | []uint16{0, 2, 3}[m.Intn(3)]<<8
	}
	p.regs.GPR[cpu.RSP] = dataAt + mm.PageSize + uint64(m.Intn(64))*8 - 256
	p.regs.Flags |= m.Uint64() & (cpu.FlagCF | cpu.FlagPF | cpu.FlagAF | cpu.FlagZF | cpu.FlagSF | cpu.FlagOF)
	p.regs.RIP = progAt + uint64(m.Intn(int(mm.PageSize)+800-len(p.code)))
	p.data = make([]byte, dataLen)
	m.Read(p.data)
	return p
}

func TestLockStep(t *testing.T) {
	m := newMaker(*lockSeed, *lockOnly)
	s := newMachine(t)
	defer jit.SetHotAfter(jit.SetHotAfter(0))
	bad := 0
	for i := range *lockPrograms {
		p := m.program()
		slice := int64(1 << 40)
		if i%4 == 0 {
			slice = 1 + int64(m.Intn(2*jit.Reserve)) // some are left to the interpreter
		}
		jit.SetHotAfter(int32(m.Intn(6))) // with 0 at once
		if err := s.play(&p, slice); err != nil {
			t.Errorf("program %d at %#x, slices of %d:\n%s\n%s", i, p.regs.RIP, slice, strings.Join(p.text, "\n"), err)
			if bad++; bad > 3 {
				break
			}
		}
	}
}
