//go:build linux && amd64

package interp

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
	"github.com/tinevm/tine/internal/x87"
)

// fpuCase is the state around one instruction, in the layout of package x87's
// testdata/native.c.
type fpuCase struct {
	CW, SW            uint16
	TW                uint8
	_                 [3]byte
	ST                [8][16]byte
	Flags, RAX, MXCSR uint64
	XMM               [4][2]uint64
	Mem               [112]byte
}

const (
	fpuCode = 0x400000
	fpuData = 0x10000000
)

// fpuMachine runs the same instruction on the processor and on an engine.
type fpuMachine struct {
	in     *bufio.Writer
	out    *bufio.Reader
	as     *mm.AddressSpace
	engine cpu.Engine
	vcpu   cpu.VCPU
}

func newFPUMachine(t *testing.T) *fpuMachine {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc: nothing was compared with the processor")
	}
	bin := filepath.Join(t.TempDir(), "native")
	if out, err := exec.Command(gcc, "-O1", "-o", bin, "../x87/testdata/native.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	cmd := exec.Command(bin)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("helper: %v", err)
		}
	})
	m := &fpuMachine{in: bufio.NewWriterSize(in, 1<<16), out: bufio.NewReaderSize(out, 1<<16)}
	m.space(t)
	return m
}

// space makes the address space and the engine.
func (m *fpuMachine) space(t *testing.T) {
	t.Helper()
	m.as = mm.NewAddressSpace(nil, nil)
	t.Cleanup(m.as.Put)
	for _, at := range []uint64{fpuCode, fpuData} {
		if _, errno := m.as.Map(mm.MapRequest{Addr: at, Len: mm.PageSize, Prot: mm.ProtRead | mm.ProtWrite | mm.ProtExec, Fixed: true}); errno != 0 {
			t.Fatal(errno)
		}
	}
	m.engine = New()
}

// native runs all cases on the processor.
func (m *fpuMachine) native(t *testing.T, code []byte, cases []fpuCase) []fpuCase {
	t.Helper()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		head := make([]byte, 12)
		head[0] = byte(len(code))
		copy(head[1:], code)
		binary.LittleEndian.PutUint32(head[8:], uint32(len(cases)))
		m.in.Write(head)
		binary.Write(m.in, binary.LittleEndian, cases)
		m.in.Flush()
	}()
	after := make([]fpuCase, len(cases))
	size := binary.Size(fpuCase{})
	b := make([]byte, size*len(cases))
	if _, err := io.ReadFull(m.out, b); err != nil {
		t.Fatalf("% x: helper died", code)
	}
	<-sent
	if _, err := binary.Decode(b, binary.LittleEndian, after); err != nil {
		t.Fatal(err)
	}
	return after
}

func (k *fpuCase) regs() *cpu.Regs {
	r := new(cpu.Regs)
	r.Reset()
	var b [512]byte
	r.FXSave(&b)
	binary.LittleEndian.PutUint16(b[0:], k.CW)
	binary.LittleEndian.PutUint16(b[2:], k.SW)
	b[4] = k.TW
	for i := range k.ST {
		copy(b[32+16*i:], k.ST[i][:])
	}
	binary.LittleEndian.PutUint32(b[24:], uint32(k.MXCSR))
	r.FXRestore(&b)
	copy(r.XMM[:], k.XMM[:])
	r.Flags = k.Flags
	r.GPR[cpu.RAX] = k.RAX
	r.GPR[cpu.RSI], r.GPR[cpu.RDI] = fpuData, fpuData
	r.RIP = fpuCode
	return r
}

// run executes one case on the engine.
func (m *fpuMachine) run(t *testing.T, k fpuCase) (fpuCase, cpu.Trap) {
	t.Helper()
	r := k.regs()
	m.as.CopyOut(fpuData, k.Mem[:])
	trap, _ := m.engine.Run(&m.vcpu, r, m.as, 1)
	var b [512]byte
	r.FXSave(&b)
	k.CW, k.SW, k.TW = r.X87.CW, r.X87.SW, uint8(r.X87.TW)
	for i := range k.ST {
		copy(k.ST[i][:], b[32+16*i:])
	}
	k.MXCSR = uint64(r.MXCSR)
	copy(k.XMM[:], r.XMM[:])
	k.Flags, k.RAX = r.Flags, r.GPR[cpu.RAX]
	m.as.CopyIn(fpuData, k.Mem[:])
	return k, trap
}

func (k *fpuCase) show() string {
	s := fmt.Sprintf("cw=%04x sw=%04x tw=%02x fl=%03x rax=%x mxcsr=%x", k.CW, k.SW, k.TW, k.Flags&arithFlags, k.RAX, k.MXCSR)
	for i := range k.ST {
		f := x87.GetF80(k.ST[i][:])
		s += fmt.Sprintf(" %04x:%016x", f.SE, f.Mant)
	}
	return s + fmt.Sprintf(" xmm=%x mem=%x", k.XMM, k.Mem[:32])
}

func (k *fpuCase) equal(l *fpuCase) bool {
	for i := range k.ST {
		clear(k.ST[i][10:])
		clear(l.ST[i][10:])
	}
	a, b := *k, *l
	a.Flags, b.Flags = a.Flags&arithFlags, b.Flags&arithFlags
	return a == b
}

// fpuCase fills a state: numbers on the stack, or what MMX works on.
func (g sseGen) fpuCase(k *fpuCase, mmx bool) {
	k.CW = uint16(g.Intn(4))<<10 | [3]uint16{0x000, 0x200, 0x300}[g.Intn(3)] | 0x7f
	if g.pick(6) && !mmx {
		k.CW &^= uint16(g.Intn(64))
	}
	k.SW = uint16(g.Intn(0x10000)) & 0x7f00
	k.TW = []uint8{0xff, 0xff, 0, 0x7f, uint8(g.Intn(256))}[g.Intn(5)]
	for i := range k.ST {
		q := g.quad()
		f, _ := x87.FromF64(q)
		if g.pick(3) {
			f = x87.F80{Mant: q | 1<<63, SE: uint16(g.Intn(0x10000))}
		}
		if mmx {
			f = x87.F80{Mant: q, SE: uint16(g.Intn(0x10000))}
			if g.pick(4) {
				f.Mant = uint64(g.Intn(70))
			}
		}
		x87.PutF80(k.ST[i][:], f)
	}
	for i := 0; i < len(k.Mem); i += 8 {
		binary.LittleEndian.PutUint64(k.Mem[i:], g.quad())
	}
	if g.pick(4) {
		f, _ := x87.FromF64(math.Float64bits(float64(g.Intn(1000)) / 8))
		x87.PutF80(k.Mem[:], f)
	}
	for i := range k.XMM {
		k.XMM[i] = [2]uint64{g.quad(), g.quad()}
	}
	k.Flags = 0x202 | g.Uint64()&arithFlags
	k.RAX = g.quad()
	k.MXCSR = 0x1f80 | uint64(g.Intn(4))<<mxRCShift | uint64(g.Intn(2))<<5
}

// fpuInstance makes the code of a row. Memory is (%rsi), the general register
// is RAX, XMM registers are the first four.
func (g sseGen) fpuInstance(row *x86.Row) []byte {
	var code []byte
	fields := strings.Fields(row.Enc)
	switch fields[0] {
	case "66", "F2", "F3":
		code = append(code, hexOf(fields[0]))
		fields = fields[1:]
	case "NP":
		fields = fields[1:]
	default:
		if strings.Contains(row.Args, "Mv") && g.pick(2) {
			code = append(code, 0x66)
		}
	}
	last := fields[len(fields)-1]
	if strings.Contains(row.Args, "y") && g.pick(2) {
		code = append(code, 0x48)
	}
	for i, f := range fields {
		if i == len(fields)-1 && i > 0 && (f[0] == '/' || strings.HasSuffix(f, "+i")) {
			break
		}
		code = append(code, hexOf(f))
	}
	memory := strings.Contains(row.Args, "M") || g.pick(2) && !strings.ContainsAny(row.Args, "NUR") && strings.ContainsAny(row.Args, "EQW")
	modrm := byte(0xc0 | g.Intn(8))
	switch {
	case strings.HasSuffix(last, "+i"):
		code = append(code, hexOf(last[:2])|byte(g.Intn(8)))
	case last == "/r":
		modrm |= byte(g.Intn(8)) << 3
	case last[0] == '/':
		modrm |= (last[1] - '0') << 3
	}
	if last[0] != '/' {
		return code
	}
	for i, a := range strings.Split(row.Args, ",") {
		mask := byte(7)
		switch a[0] {
		case 'V', 'W', 'U':
			mask = 3
		case 'G', 'E', 'R':
			mask = 0
		}
		switch a[0] {
		case 'V', 'G', 'P':
			modrm &= 0xc7 | mask<<3
		case 'W', 'U', 'E', 'R', 'N', 'Q':
			modrm &= 0xf8 | mask
		case 'I':
			_ = i
		}
	}
	if memory {
		modrm = modrm&0x38 | 6
	}
	code = append(code, modrm)
	if strings.Contains(row.Args, "I") {
		code = append(code, byte(g.Intn(256)>>g.Intn(6)))
	}
	return code
}

// transcendental operations may differ in the last place: package x87 tests
// them.
func transcendental(op x86.Op) bool {
	switch op {
	case x86.F2XM1, x86.FYL2X, x86.FYL2XP1, x86.FPTAN, x86.FPATAN, x86.FSIN, x86.FCOS, x86.FSINCOS:
		return true
	}
	return false
}

// TestX87Native compares every row of the x87 and MMX tables with the
// processor, from decoding to memory.
func TestX87Native(t *testing.T) {
	m := newFPUMachine(t)
	instances, each := 6, 60
	if testing.Short() {
		instances = 4
	}
	rows, total := 0, 0
	for n, row := range x86.Rows() {
		if row.Op < x86.FirstX87 || row.Op >= x86.VEX || transcendental(row.Op) || row.Op == x86.FXSAVE || row.Op == x86.FXRSTOR {
			continue
		}
		rows++
		g := sseGen{rand.New(rand.NewSource(int64(n)))}
		bad := 0
		for range instances {
			code := g.fpuInstance(row)
			cases := make([]fpuCase, each)
			for i := range cases {
				g.fpuCase(&cases[i], row.Op >= x86.FirstMMX)
			}
			if _, errno := m.as.CopyOut(fpuCode, append(code[:len(code):len(code)], 0xf4)); errno != 0 {
				t.Fatal(errno)
			}
			after := m.native(t, code, cases)
			total += each
			for i := range cases {
				got, trap := m.run(t, cases[i])
				if trap.Kind == cpu.TrapBudget && got.equal(&after[i]) {
					continue
				}
				if bad++; bad <= 2 {
					t.Errorf("%s %s (% x): trap %+v\nbefore %s\n   got %s\n  want %s", row.Enc, row.Args, code, trap, cases[i].show(), got.show(), after[i].show())
				}
			}
		}
		if bad > 0 {
			t.Errorf("%s %s: %d of %d differ", row.Enc, row.Args, bad, instances*each)
		}
	}
	t.Logf("%d rows, %d cases compared", rows, total)
}
