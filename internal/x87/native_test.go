//go:build linux && amd64

package x87

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// testcase is the state before or after an instruction, in the layout of
// testdata/native.c.
type testcase struct {
	CW, SW     uint16
	TW         uint8
	_          [3]byte
	ST         [8][16]byte
	Flags, RAX uint64
	Mem        [112]byte
}

const caseSize = 8 + 128 + 24 + 64 + 112

func (c *testcase) encode(b []byte) {
	le := binary.LittleEndian
	clear(b[:8])
	le.PutUint16(b, c.CW)
	le.PutUint16(b[2:], c.SW)
	b[4] = c.TW
	for i := range c.ST {
		copy(b[8+16*i:], c.ST[i][:])
	}
	le.PutUint64(b[136:], c.Flags)
	le.PutUint64(b[144:], c.RAX)
	le.PutUint64(b[152:], 0x1f80) // MXCSR; then XMM registers
	copy(b[224:], c.Mem[:])
}

func (c *testcase) decode(b []byte) {
	le := binary.LittleEndian
	c.CW, c.SW, c.TW = le.Uint16(b), le.Uint16(b[2:]), b[4]
	for i := range c.ST {
		copy(c.ST[i][:], b[8+16*i:])
	}
	c.Flags, c.RAX = le.Uint64(b[136:]), le.Uint64(b[144:])
	copy(c.Mem[:], b[224:])
}

func (c *testcase) state() *State {
	s := &State{CW: c.CW, SW: c.SW, TW: uint16(c.TW)}
	for i := range c.ST {
		s.R[s.phys(i)] = GetF80(c.ST[i][:])
	}
	return s
}

// native is the running helper program.
type native struct {
	in  io.WriteCloser
	out *bufio.Reader
}

// startNative compiles and starts the helper that executes instructions on
// the real processor. The comparison needs linux/amd64 and a C compiler; the
// tests in x87_test.go run everywhere.
func startNative(t *testing.T) *native {
	t.Helper()
	cc := "cc"
	if _, err := exec.LookPath(cc); err != nil {
		t.Skip("no C compiler: nothing was compared with the processor")
	}
	bin := filepath.Join(t.TempDir(), "native")
	if out, err := exec.Command(cc, "-O2", "-o", bin, "testdata/native.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(bin)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("helper: %v", err)
		}
	})
	return &native{in, bufio.NewReaderSize(out, 1<<20)}
}

// run executes code on every case and returns the states after it.
func (n *native) run(t *testing.T, code []byte, cases []testcase) []testcase {
	t.Helper()
	go func() {
		head := make([]byte, 12)
		head[0] = byte(len(code))
		copy(head[1:], code)
		binary.LittleEndian.PutUint32(head[8:], uint32(len(cases)))
		w := bufio.NewWriterSize(n.in, 1<<20)
		w.Write(head)
		b := make([]byte, caseSize)
		for i := range cases {
			cases[i].encode(b)
			w.Write(b)
		}
		w.Flush()
	}()
	after := make([]testcase, len(cases))
	b := make([]byte, caseSize)
	for i := range after {
		if _, err := io.ReadFull(n.out, b); err != nil {
			t.Fatalf("% x: helper died in case %d: %+v", code, i, cases[max(i-1, 0)])
		}
		after[i].decode(b)
	}
	return after
}

// instruction is one row of what is compared: the code, whose memory operand
// is (%rsi), and the same thing by this package.
type instruction struct {
	name string
	code []byte
	do   func(s *State, c *testcase)
	// pushes asks for an empty register in most cases.
	pushes bool
	gen    func(r *rand.Rand, c *testcase)
	// ulps is by how many units in the last place the result may differ; if
	// it is not zero, C1 may differ too.
	ulps uint64
}

func perInstruction() int {
	if v := os.Getenv("X87_CASES"); v != "" {
		n, _ := strconv.Atoi(v)
		return n
	}
	if testing.Short() {
		return 2000
	}
	return 5000
}

func compareNative(t *testing.T, list []instruction) {
	n := startNative(t)
	total := 0
	for i, in := range list {
		if f := os.Getenv("X87_INST"); f != "" && f != in.name {
			continue
		}
		r := rand.New(rand.NewSource(int64(i) + 1))
		cases := make([]testcase, perInstruction())
		for k := range cases {
			randomCase(r, &cases[k], in.pushes)
			if in.gen != nil {
				in.gen(r, &cases[k])
			}
		}
		after := n.run(t, in.code, cases)
		total += len(cases)
		bad, off := 0, 0
		var modes [4]int
		for k := range cases {
			got := cases[k]
			s := got.state()
			in.do(s, &got)
			got.CW, got.SW, got.TW = s.CW, s.SW, uint8(s.TW)
			for i := range got.ST {
				f := s.st(i)
				PutF80(got.ST[i][:], f)
			}
			want := after[k]
			if in.ulps > 0 {
				if tolerate(&got, &want, in.ulps) {
					off++
					modes[got.CW>>10&3]++
				}
			}
			if got.equal(&want) {
				continue
			}
			if bad++; bad <= 5 {
				t.Errorf("%s\nbefore %s\n   got %s\n  want %s", in.name, cases[k].show(), got.show(), want.show())
			}
		}
		if bad > 0 {
			t.Errorf("%s: %d of %d cases differ", in.name, bad, len(cases))
		}
		if off > 0 {
			t.Logf("%s: %d of %d within %d ulp but not equal (by RC %v)", in.name, off, len(cases), in.ulps, modes)
		}
	}
	t.Logf("%d instructions, %d cases compared", len(list), total)
}

func (c *testcase) equal(d *testcase) bool {
	if c.CW != d.CW || c.SW != d.SW || c.TW != d.TW || (c.Flags^d.Flags)&0x8d5 != 0 || c.RAX != d.RAX || c.Mem != d.Mem {
		return false
	}
	for i := range c.ST {
		if [10]byte(c.ST[i][:10]) != [10]byte(d.ST[i][:10]) {
			return false
		}
	}
	return true
}

// tolerate makes got equal to want where they differ only by ulps in ST(0) or
// ST(1), or in C1. It reports whether a register differed.
func tolerate(got, want *testcase, ulps uint64) bool {
	off := false
	for i := range 2 {
		g, w := GetF80(got.ST[i][:]), GetF80(want.ST[i][:])
		if g == w {
			continue
		}
		if ulpsBetween(g, w) <= ulps {
			off = true
			got.ST[i] = want.ST[i]
		}
	}
	got.SW = got.SW&^C1 | want.SW&C1
	return off
}

// ulpsBetween counts the numbers between g and w, of the same sign and next to
// each other if their exponents differ.
func ulpsBetween(g, w F80) uint64 {
	if g.SE > w.SE || g.SE == w.SE && g.Mant > w.Mant {
		g, w = w, g
	}
	switch {
	case g.SE == w.SE:
		return w.Mant - g.Mant
	case g.SE+1 == w.SE && w.SE != signBit:
		return -g.Mant + (w.Mant - intBit)
	}
	return 1 << 63
}

func (c *testcase) show() string {
	s := fmt.Sprintf("cw=%04x sw=%04x tw=%02x fl=%03x ax=%x", c.CW, c.SW, c.TW, c.Flags&0x8d5, c.RAX)
	for i := range 3 {
		f := GetF80(c.ST[i][:])
		s += fmt.Sprintf(" %04x:%016x", f.SE, f.Mant)
	}
	f := GetF80(c.ST[7][:])
	return s + fmt.Sprintf(" .. %04x:%016x mem=%x", f.SE, f.Mant, c.Mem[:32])
}

var specialMants = []uint64{
	0, 1, 2, 3, 1 << 62, 1<<62 + 1, 1<<62 - 1, 1<<63 - 1, 1 << 63, 1<<63 + 1, 1<<64 - 1, 1<<64 - 2,
	0xc000000000000000, 0xc000000000000001, 0xbfffffffffffffff, 0xa000000000000000,
	0xfffffffffffffc00, 0xfffffffffffff800, 0xfffffffffffffbff, 0x8000000000000400, 0x8000000000000800,
	0xffffff0000000000, 0xffffff8000000000, 0xffffff7fffffffff, 0x8000008000000000, 0x8000010000000000,
}

var specialExps = []uint16{
	0, 0, 1, 2, 63, 64, 65, 0x7ffe, 0x7fff, 0x7fff, 0x7ffd, bias, bias, bias - 1, bias + 1, bias - 2, bias + 62, bias + 63, bias + 64,
	bias + 15, bias + 31, bias + 30, bias - 64, bias - 63, bias - 65, bias + 1023, bias + 1024, bias - 1022, bias - 1023, bias - 1075, bias - 1074,
	bias + 127, bias + 128, bias - 126, bias - 127, bias - 149, bias - 150, bias - 24, bias - 53, bias + 59,
}

func randomF80(r *rand.Rand) F80 {
	var f F80
	switch r.Intn(8) {
	case 0:
		f.SE = uint16(r.Intn(0x8000))
	case 1, 2:
		f.SE = specialExps[r.Intn(len(specialExps))]
	case 3:
		f.SE = uint16(bias + r.Intn(130) - 65)
	case 4:
		f.SE = uint16(bias + r.Intn(40) - 20)
	case 5:
		f.SE = uint16(bias + r.Intn(2100) - 1050)
	default:
		f.SE = uint16(bias + r.Intn(9) - 4)
	}
	f.Mant = r.Uint64() | intBit
	switch r.Intn(12) {
	case 0, 1, 2:
		f.Mant = specialMants[r.Intn(len(specialMants))]
	case 3:
		f.Mant = r.Uint64()
	case 4, 5: // few bits: exact results and ties
		f.Mant = intBit | uint64(r.Intn(1<<16))<<47
	case 6:
		f.Mant = f.Mant &^ 0x3ff
	case 7:
		f.Mant &^= 1<<uint(r.Intn(64)) - 1
		f.Mant |= intBit
	}
	if f.SE == 0 && r.Intn(2) == 0 {
		f.Mant >>= uint(r.Intn(64))
	}
	f.SE |= uint16(r.Intn(2)) << 15
	return f
}

// relative returns a value whose relation to f is of interest.
func relative(r *rand.Rand, f F80) F80 {
	switch r.Intn(6) {
	case 0:
		f.SE ^= signBit
	case 1:
		f.Mant += uint64(r.Intn(5)) - 2
	case 2:
		f.SE += uint16(r.Intn(140) - 70)
	case 3:
		f.SE += uint16(r.Intn(7) - 3)
		f.Mant = r.Uint64() | intBit
	case 4:
		f.Mant = f.Mant ^ 1<<uint(r.Intn(64))
	}
	return f
}

func randomCase(r *rand.Rand, c *testcase, pushes bool) {
	c.CW = uint16(r.Intn(4))<<10 | [4]uint16{pc64, pc64, pc53, pc24}[r.Intn(4)] | exceptions | cwOnes
	if r.Intn(8) == 0 {
		c.CW = c.CW&^exceptions | uint16(r.Intn(64))
	}
	c.SW = uint16(r.Intn(0x10000)) & (C0 | C1 | C2 | C3 | topMask)
	if r.Intn(4) == 0 {
		c.SW |= uint16(r.Intn(64)) & c.CW
	}
	c.TW = 0xff
	f := randomF80(r)
	for i := range c.ST {
		if i > 0 {
			if r.Intn(3) == 0 {
				f = relative(r, f)
			} else {
				f = randomF80(r)
			}
		}
		PutF80(c.ST[i][:], f)
	}
	if pushes {
		c.TW &^= 1 << ((c.SW>>topShift + 7) & 7)
	}
	if r.Intn(16) == 0 {
		c.TW = uint8(r.Intn(256))
	}
	r.Read(c.Mem[:])
	c.Flags = uint64(r.Intn(0x1000))&0x8d5 | 0x202
	c.RAX = r.Uint64()
}
