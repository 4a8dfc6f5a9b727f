//go:build linux && amd64

package interp

import (
	"bufio"
	"encoding/binary"
	cmdline "flag"
	"fmt"
	"io"
	"math"
	"math/rand"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

var (
	sseCases = cmdline.Int("ssecases", 300, "cases for each row of the SSE table")
	sseSeed  = cmdline.Int64("sseseed", 1, "seed of the SSE cases")
	sseOnly  = cmdline.String("sseonly", "", "only rows whose encoding or operands contain this")
)

// The structures of testdata/sse_native.c.
const (
	nativeCode   = 0x20000000
	nativeData   = 0x10000000
	nativeWindow = nativeData + 0xf80
	windowSize   = 128
	noVector     = 255
)

type nativeState struct {
	GPR   [16]uint64
	Flags uint64
	MXCSR uint64
	XMM   [16][2]uint64
	Upper [16][2]uint64
}

type nativeRequest struct {
	Code [16]byte
	Len  uint64
	In   nativeState
	Mem  [windowSize]byte
}

type nativeOutcome struct {
	Vector uint64
	Addr   uint64
	Out    nativeState
	Mem    [windowSize]byte
}

// sseGen makes instances of table rows with operands that matter.
type sseGen struct{ *rand.Rand }

func (g sseGen) pick(n int) bool { return g.Intn(n) == 0 }

// specials are doubles at the edges of what operations distinguish.
var specials = []uint64{
	0, 1 << 63, 1, 1<<63 | 1, 0x000fffffffffffff, 0x0010000000000000, 0x0008000000000000,
	0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000000,
	0x7ff0000000000001, 0xfff7ffffffffffff, 0x7ff8deadbeef1234, 0x7fefffffffffffff, 0xffefffffffffffff,
	0x3ff0000000000000, 0xbff0000000000000, 0x3fe0000000000000, 0x3fdfffffffffffff, 0x3fe0000000000001,
	0x3ff8000000000000, 0x4004000000000000, 0x4000000000000000, 0x4008000000000000,
	0x41dfffffffc00000, 0x41dfffffffe00000, 0x41e0000000000000, 0xc1e0000000000000, 0xc1e0000000200000,
	0x43e0000000000000, 0xc3e0000000000000, 0x43dfffffffffffff, 0x4330000000000000, 0x4340000000000001,
	0x3810000000000000, 0x380fffffffffffff, 0x36a0000000000000, 0x3690000000000000, 0x47efffffe0000000,
	0x47efffffefffffff, 0x47effffff0000000, 0x3fefffffffffffff, 0x3ca0000000000000, 0x0000000000000400,
	0x1ff0000000000000, 0x2000000000000000, 0x5fe0000000000000, 0x0360000000000000,
}

// specials32 are singles likewise.
var specials32 = []uint32{
	0, 1 << 31, 1, 0x80000001, 0x007fffff, 0x00800000, 0x00400000, 0x7f800000, 0xff800000,
	0x7fc00000, 0xffc00000, 0x7f800001, 0xffbfffff, 0x7fc12345, 0x7f7fffff, 0xff7fffff,
	0x3f800000, 0xbf800000, 0x3f000000, 0x3effffff, 0x3f000001, 0x3fc00000, 0x40200000,
	0x4effffff, 0x4f000000, 0xcf000000, 0xcf000001, 0x5effffff, 0x5f000000, 0xdf000000,
	0x4b000000, 0x4b800001, 0x7e7fffff, 0x7e800000, 0x1fc00000, 0x20000000, 0x5f800000,
}

// quad returns 64 bits of one of the kinds that make results interesting.
func (g sseGen) quad() uint64 {
	switch g.Intn(10) {
	case 0, 1:
		return specials[g.Intn(len(specials))]
	case 2:
		return uint64(g.single()) | uint64(g.single())<<32
	case 3: // a double of moderate size
		return uint64(0x3ff-32+g.Intn(64))<<52 | g.Uint64()>>12 | uint64(g.Intn(2))<<63
	case 4: // with few bits, so that results are exact or halfway
		return uint64(0x3ff-32+g.Intn(64))<<52 | g.Uint64()>>12&^(1<<(30+g.Intn(22))-1) | uint64(g.Intn(2))<<63
	case 5: // near overflow or underflow
		return uint64([]int{1, 2, 0x7fe, 0x7fd, 0x1ff, 0x5ff, 0x3ff - 126, 0x3ff - 149, 0x3ff + 127}[g.Intn(9)]+g.Intn(3)-1)<<52 | g.Uint64()>>12
	case 6: // a small integer
		return uint64(int64(g.Intn(64) - 32))
	case 7: // text with an end
		return uint64(0x6161616161616161+0x0101010101010101*uint64(g.Intn(2))) &^ (0xff << (8 * g.Intn(9)))
	case 8: // bytes and words of extreme value
		var v uint64
		for i := 0; i < 64; i += 8 {
			v |= uint64([]uint8{0, 1, 0x7f, 0x80, 0x81, 0xff}[g.Intn(6)]) << i
		}
		return v
	}
	return g.Uint64()
}

func (g sseGen) single() uint32 {
	switch g.Intn(4) {
	case 0:
		return specials32[g.Intn(len(specials32))]
	case 1:
		return uint32(127-16+g.Intn(32))<<23 | g.Uint32()>>9 | uint32(g.Intn(2))<<31
	case 2:
		return uint32(127-16+g.Intn(32))<<23 | g.Uint32()>>9&^(1<<(8+g.Intn(15))-1) | uint32(g.Intn(2))<<31
	}
	return g.Uint32()
}

// state fills registers and memory. Registers are often alike, or almost.
func (g sseGen) state(r *nativeRequest) {
	floats := g.pick(3)
	for i := range r.In.XMM {
		for j := range 2 {
			r.In.XMM[i][j] = g.quad()
			if floats {
				r.In.XMM[i][j] = uint64(g.single()) | uint64(g.single())<<32
			}
		}
		if i > 0 && g.pick(4) {
			r.In.XMM[i] = r.In.XMM[g.Intn(i)]
			r.In.XMM[i][0] ^= 1 << g.Intn(64) & -uint64(g.Intn(2))
			r.In.XMM[i][1] ^= 1 << g.Intn(64) & -uint64(g.Intn(2))
		}
		if g.pick(6) { // a shift count
			r.In.XMM[i][0] = uint64(g.Intn(70))
		}
	}
	for i := range r.In.Upper {
		r.In.Upper[i] = r.In.XMM[g.Intn(16)]
		if floats {
			r.In.Upper[i][g.Intn(2)] = uint64(g.single()) | uint64(g.single())<<32
		} else if g.pick(2) {
			r.In.Upper[i][g.Intn(2)] = g.quad()
		}
	}
	if !hostHas("avx") {
		r.In.Upper = [16][2]uint64{}
	}
	for i := 0; i < windowSize; i += 8 {
		v := g.quad()
		if g.pick(2) {
			v = r.In.XMM[g.Intn(16)][i>>3&1]
		}
		binary.LittleEndian.PutUint64(r.Mem[i:], v)
	}
	for i := range r.In.GPR {
		r.In.GPR[i] = g.quad()
		if g.pick(3) {
			r.In.GPR[i] = uint64(int64(g.Intn(40) - 20))
		}
	}
	r.In.GPR[cpu.RSP] = 0
	r.In.Flags = 0x202 | g.Uint64()&arithFlags
	if hostAMD() && g.pick(8) {
		// Which sixteen-byte operands are checked is the implementation's affair.
		r.In.Flags |= cpu.FlagAC
	}
	r.In.MXCSR = 0x1f80 | g.Uint64()&mxFlags
	switch g.Intn(4) {
	case 0:
		r.In.MXCSR = 0x1f80
	case 1:
		r.In.MXCSR |= g.Uint64() & (3<<mxRCShift | mxFTZ | mxDAZ)
	case 2:
		if g.pick(2) {
			r.In.MXCSR = g.Uint64() & 0xffff
		}
	}
}

// instance appends an instruction of the row to r. It knows as much of the
// notation as the SSE table uses.
func (g sseGen) instance(row *x86.Row, r *nativeRequest) {
	var code []byte
	rex := byte(g.Intn(8))
	if g.pick(2) {
		rex |= 8
	}
	fields := strings.Fields(row.Enc)
	switch fields[0] {
	case "66", "F2", "F3":
		if fields[0] != "66" && g.pick(8) {
			code = append(code, 0x66) // without meaning beside the other
		}
		code = append(code, hexOf(fields[0]))
		fields = fields[1:]
	case "NP":
		fields = fields[1:]
	}
	vex := strings.HasPrefix(row.Enc, "VEX")
	if vex {
		code, fields = g.vexPrefix(row, fields, rex)
		if len(fields) == 1 { // VZEROUPPER and VZEROALL
			r.Len = uint64(copy(r.Code[:], append(code, hexOf(fields[0]))))
			return
		}
	}
	digit := -1
	if f := fields[len(fields)-1]; f != "/r" {
		digit = int(f[1] - '0')
	}
	memory, imm := g.pick(2), false
	for _, a := range strings.Split(row.Args, ",") {
		switch a[0] {
		case 'M':
			memory = true
		case 'U', 'R':
			memory = false
		case 'I', 'L':
			imm = true
		}
	}
	modrm := byte(g.Intn(8)) << 3
	if digit >= 0 {
		modrm = byte(digit) << 3
	}
	if strings.Contains(row.Args, "G") && modrm>>3&7 == cpu.RSP && rex&4 == 0 {
		modrm ^= 8
	}
	var disp []byte
	if memory {
		// [rsi+disp8] or [r14+disp8], mostly aligned and inside.
		off := 16 * g.Intn(windowSize/16)
		if g.pick(4) {
			off = g.Intn(windowSize)
		}
		d := int8(g.Intn(256))
		modrm |= 0x40 | 6
		r.In.GPR[cpu.RSI+8*int(rex&1)] = nativeWindow + uint64(off) - uint64(int64(d))
		disp = []byte{byte(d)}
		if strings.Contains(row.Attr, "vsib") {
			modrm ^= 2
			disp = []byte{g.gather(row, rex, r), byte(d)}
		}
	} else {
		rm := byte(g.Intn(8))
		if rm == cpu.RSP && rex&1 == 0 {
			rm = 5
		}
		modrm |= 0xc0 | rm
	}
	if row.Op == x86.MASKMOVDQU {
		r.In.GPR[cpu.RDI] = nativeWindow + uint64(g.Intn(windowSize))
	}
	if !vex {
		code = append(code, 0x40|rex)
	}
	for _, f := range fields[:len(fields)-1] {
		code = append(code, hexOf(f))
	}
	code = append(append(code, modrm), disp...)
	if imm {
		code = append(code, byte(g.Intn(256)))
	}
	r.Len = uint64(copy(r.Code[:], code))
}

// vexPrefix makes the prefix of an instance, and gives what follows it. rex has
// the bits that go into it.
func (g sseGen) vexPrefix(row *x86.Row, fields []string, rex byte) (code []byte, rest []string) {
	pp, w, m := byte(0), rex>>3, byte(1)
	l := map[string]byte{"VEX.256": 1, "VEX.L": byte(g.Intn(2))}[fields[0]]
	for fields = fields[1:]; fields[0] != "0F"; fields = fields[1:] {
		switch fields[0] {
		case "W0":
			w = 0
		case "W1":
			w = 1
		default:
			pp = map[string]byte{"NP": 0, "66": 1, "F3": 2, "F2": 3}[fields[0]]
		}
	}
	fields = fields[1:]
	if len(fields) > 1 && (fields[0] == "38" || fields[0] == "3A") && fields[1][0] != '/' {
		m = map[string]byte{"38": 2, "3A": 3}[fields[0]]
		fields = fields[1:]
	}
	v := byte(0)
	if strings.Contains(row.Args, "H") {
		v = byte(g.Intn(16))
	}
	return []byte{0xc4, ^rex&7<<5 | m, w<<7 | ^v&15<<3 | l<<2 | pp}, fields
}

// gather makes the SIB byte of a gather from the base register that instance has
// chosen, and gives indices that are mostly inside.
func (g sseGen) gather(row *x86.Row, rex byte, r *nativeRequest) byte {
	index := byte(g.Intn(8))
	x := index | rex&2<<2
	for _, half := range []*[2]uint64{&r.In.XMM[x], &r.In.Upper[x]} {
		for i := range half {
			half[i] = uint64(g.Intn(64))
			if row.Op == x86.VPGATHERDD || row.Op == x86.VPGATHERDQ {
				half[i] |= uint64(uint32(g.Intn(64)-16)) << 32
			} else if g.pick(4) {
				half[i] = -half[i]
			}
		}
	}
	return byte(g.Intn(2))<<6 | index<<3 | cpu.RSI
}

func hexOf(s string) byte {
	v, err := strconv.ParseUint(s, 16, 8)
	if err != nil {
		panic(err)
	}
	return byte(v)
}

// native is the processor.
type native struct {
	in  *bufio.Writer
	out *bufio.Reader
	end func()
}

func startNative(t *testing.T) *native {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc: not compared with the processor")
	}
	bin := filepath.Join(t.TempDir(), "native")
	if out, err := exec.Command(gcc, "-O1", "-no-pie", "-o", bin, "testdata/sse_native.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	cmd := exec.Command(bin)
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
	n := &native{bufio.NewWriterSize(in, 1<<16), bufio.NewReaderSize(out, 1<<16), nil}
	n.end = func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("native: %v", err)
		}
	}
	return n
}

// run executes all requests.
func (n *native) run(t *testing.T, reqs []nativeRequest) []nativeOutcome {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		err := binary.Write(n.in, binary.LittleEndian, uint64(len(reqs)))
		if err == nil {
			err = binary.Write(n.in, binary.LittleEndian, reqs)
		}
		if err == nil {
			err = n.in.Flush()
		}
		sent <- err
	}()
	outs := make([]nativeOutcome, len(reqs))
	err := binary.Read(n.out, binary.LittleEndian, outs)
	if e := <-sent; e != nil || err != nil {
		t.Fatalf("native: %v %v", e, err)
	}
	return outs
}

// sseMachine executes the same cases on the interpreter.
type sseMachine struct {
	eng  cpu.Engine
	v    cpu.VCPU
	as   *mm.AddressSpace
	regs cpu.Regs
}

func newSSEMachine(t *testing.T) *sseMachine {
	t.Helper()
	as := mm.NewAddressSpace(nil, nil)
	for _, addr := range []uint64{nativeData, nativeCode} {
		r := mm.MapRequest{Addr: addr, Len: mm.PageSize, Prot: mm.ProtRead | mm.ProtWrite | mm.ProtExec, Fixed: true}
		if _, errno := as.Map(r); errno != 0 {
			t.Fatal(errno)
		}
	}
	t.Cleanup(as.Put)
	return &sseMachine{eng: New(), as: as}
}

// write puts bytes into guest memory, whose pages it makes present.
func (m *sseMachine) write(t *testing.T, va uint64, b []byte) {
	t.Helper()
	if _, errno := m.as.CopyOut(va, b); errno != 0 {
		t.Fatal(errno)
	}
}

func (m *sseMachine) run(t *testing.T, r *nativeRequest) (out nativeOutcome) {
	t.Helper()
	m.regs.Reset()
	m.regs.GPR, m.regs.Flags, m.regs.XMM = r.In.GPR, r.In.Flags, r.In.XMM
	m.regs.MXCSR, m.regs.RIP = uint32(r.In.MXCSR), nativeCode
	m.regs.Upper, m.regs.UpperUsed = r.In.Upper, true
	m.write(t, nativeWindow, r.Mem[:])
	m.write(t, nativeCode, append(r.Code[:r.Len:r.Len], 0xcc))
	trap, _ := m.eng.Run(&m.v, &m.regs, m.as, 100)
	out.Vector, out.Addr = uint64(trap.Vector), trap.Addr
	rip := uint64(nativeCode)
	switch {
	case trap.Kind == cpu.TrapPageFault:
		out.Vector = cpu.VectorPF
	case trap.Kind == cpu.TrapException && trap.Vector == cpu.VectorBP:
		out.Vector = noVector
		rip += r.Len + 1
	}
	if m.regs.RIP != rip {
		t.Errorf("% x: RIP is %#x after %+v", r.Code[:r.Len], m.regs.RIP, trap)
	}
	if !m.regs.UpperUsed {
		m.regs.Upper = [16][2]uint64{}
	}
	out.Out = nativeState{m.regs.GPR, m.regs.Flags, uint64(m.regs.MXCSR), m.regs.XMM, m.regs.Upper}
	if _, errno := m.as.CopyIn(nativeWindow, out.Mem[:]); errno != 0 {
		t.Fatal(errno)
	}
	return out
}

// diff says what differs.
func (want *nativeOutcome) diff(got *nativeOutcome) string {
	var b strings.Builder
	if got.Vector != want.Vector || got.Addr != want.Addr {
		fmt.Fprintf(&b, " exception %d at %#x, want %d at %#x;", got.Vector, got.Addr, want.Vector, want.Addr)
	}
	if got.Out.MXCSR != want.Out.MXCSR {
		fmt.Fprintf(&b, " mxcsr %04x, want %04x;", got.Out.MXCSR, want.Out.MXCSR)
	}
	if (got.Out.Flags^want.Out.Flags)&arithFlags != 0 {
		fmt.Fprintf(&b, " flags %#x, want %#x;", got.Out.Flags, want.Out.Flags)
	}
	for i := range 16 {
		if got.Out.GPR[i] != want.Out.GPR[i] {
			fmt.Fprintf(&b, " r%d %#x, want %#x;", i, got.Out.GPR[i], want.Out.GPR[i])
		}
		if got.Out.XMM[i] != want.Out.XMM[i] {
			fmt.Fprintf(&b, " xmm%d %016x, want %016x;", i, got.Out.XMM[i], want.Out.XMM[i])
		}
		if got.Out.Upper[i] != want.Out.Upper[i] {
			fmt.Fprintf(&b, " upper %d %016x, want %016x;", i, got.Out.Upper[i], want.Out.Upper[i])
		}
	}
	if got.Mem != want.Mem {
		fmt.Fprintf(&b, " memory %x, want %x;", got.Mem, want.Mem)
	}
	return b.String()
}

// tolerate makes results equal that may differ between processors: the
// approximations, whose error is bounded by 1.5 * 2^-12 (SDM vol. 2, RCPPS), and
// which of several NaNs the sum of a dot product is. AMD's let operands of the
// SHA instructions lie anywhere (SDM: they must be aligned).
func (want *nativeOutcome) tolerate(op x86.Op, got *nativeOutcome) {
	width := 32
	number := func(v uint64) float64 { return float64(math.Float32frombits(uint32(v))) }
	alike := func(g, w float64) bool { return math.IsNaN(g) && math.IsNaN(w) }
	if hostAMD() && op >= x86.SHA1MSG1 && op <= x86.SHA256RNDS2 && got.Vector == cpu.VectorGP {
		*got = *want
	}
	if op >= x86.VEX && op < x86.FirstAVX {
		op -= x86.VEX
	}
	switch op {
	case x86.RCPSS, x86.RCPPS, x86.RSQRTSS, x86.RSQRTPS:
		alike = func(g, w float64) bool { return math.Abs(g-w) <= math.Abs(w)*2*1.5/4096 } // either one's error
	case x86.DPPS:
	case x86.DPPD:
		width, number = 64, math.Float64frombits
	default:
		return
	}
	for _, r := range [2][2]*[16][2]uint64{{&got.Out.XMM, &want.Out.XMM}, {&got.Out.Upper, &want.Out.Upper}} {
		for i := range 16 {
			for j := range 2 {
				g, w := &r[0][i][j], r[1][i][j]
				for s := 0; s < 64; s += width {
					if alike(number(*g>>s), number(w>>s)) {
						lane := uint64(1<<width-1) << s
						*g = *g&^lane | w&lane
					}
				}
			}
		}
	}
}

// TestSSENative compares every row of the SSE table with the processor.
func TestSSENative(t *testing.T) {
	n := startNative(t)
	defer n.end()
	m := newSSEMachine(t)
	total, failed := 0, 0
	for _, row := range x86.Rows() {
		if (row.Op < x86.FirstSSE || row.Op >= x86.FirstX87) && !crypto(row.Op) && row.Op < x86.VEX || !hostHas(featureOf(row.Op)) || !strings.Contains(row.Enc+" "+row.Args, *sseOnly) {
			continue
		}
		g := sseGen{rand.New(rand.NewSource(*sseSeed))}
		reqs := make([]nativeRequest, *sseCases)
		for i := range reqs {
			g.state(&reqs[i])
			g.instance(row, &reqs[i])
		}
		outs := n.run(t, reqs)
		bad := 0
		for i := range reqs {
			r := &reqs[i]
			got := m.run(t, r)
			if row.Op == x86.MASKMOVDQU {
				// Which byte of the page the processor names follows no rule.
				got.Addr &^= pageMask
				outs[i].Addr &^= pageMask
			}
			outs[i].tolerate(row.Op, &got)
			d := outs[i].diff(&got)
			if d == "" {
				continue
			}
			if bad++; bad <= 3 {
				in, _ := x86.Decode(r.Code[:])
				t.Errorf("%s %s: % x mxcsr %04x dst %016x src %016x mem %x:%s", row.Enc, row.Args, r.Code[:r.Len],
					r.In.MXCSR, r.In.XMM[in.Args[0].Reg&15], r.In.XMM[in.Args[1].Reg&15], r.Mem, d)
			}
		}
		total += len(reqs)
		if bad > 0 {
			failed++
			t.Errorf("%s %s: %d of %d cases differ", row.Enc, row.Args, bad, len(reqs))
		}
	}
	t.Logf("%d cases, %d rows differ", total, failed)
}

// unreported names the encodings that the processor may have and that CPUID
// does not report in the guest. Keys are map and opcode, of SSE4a with prefix.
var unreported = map[string]string{
	"0f38f8": "MOVDIR64B", "0f38f9": "MOVDIRI", "0f3ace": "GFNI", "0f38cf": "GFNI", "0f3acf": "GFNI", "0f3882": "INVPCID",
	"f20f2b": "SSE4a", "f30f2b": "SSE4a", "660f78": "SSE4a", "660f79": "SSE4a", "f20f78": "SSE4a", "f20f79": "SSE4a",
}

// sseOpcodes calls fn with all opcodes of the SSE and MMX parts of the maps.
func sseOpcodes(fn func(opcode ...byte)) {
	for op := 0x10; op < 0xff; op++ {
		switch {
		case op < 0x18, op >= 0x28 && op < 0x30, op >= 0x50 && op < 0x80, op >= 0xc2 && op < 0xc7, op >= 0xd0:
			fn(0x0f, byte(op))
		}
	}
	for op := range 0x100 {
		fn(0x0f, 0x38, byte(op))
		fn(0x0f, 0x3a, byte(op))
	}
}

// TestSSEEncodings checks that the decoder knows an encoding if and only if the
// processor does: all opcodes, prefixes, reg fields, registers and memory.
func TestSSEEncodings(t *testing.T) {
	n := startNative(t)
	defer n.end()
	var reqs []nativeRequest
	var names [][2]string
	sseOpcodes(func(opcode ...byte) {
		for _, prefix := range []string{"", "\x66", "\xf3", "\xf2", "\x66\xf3", "\x66\xf2"} {
			for modrm := range 16 {
				r := nativeRequest{In: nativeState{Flags: 0x202, MXCSR: mxDefault}}
				r.In.GPR[cpu.RSI], r.In.GPR[cpu.RDI] = nativeWindow, nativeWindow
				code := append([]byte(prefix), opcode...)
				code = append(code, byte(modrm>>1<<3|[2]int{0x06, 0xc3}[modrm&1]), 0x90)
				r.Len = uint64(copy(r.Code[:], code))
				reqs = append(reqs, r)
				name := fmt.Sprintf("%x", opcode)
				names = append(names, [2]string{name, fmt.Sprintf("%x", prefix[max(0, len(prefix)-1):]) + name})
			}
		}
	})
	for i, out := range n.run(t, reqs) {
		in, err := x86.Decode(reqs[i].Code[:])
		if err == nil && !hostHas(featureOf(in.Op)) {
			continue
		}
		known, native := err == nil, out.Vector != cpu.VectorUD
		if known != native && (known || unreported[names[i][0]] == "" && unreported[names[i][1]] == "") {
			t.Errorf("% x: processor knows it: %v, decoder: %v", reqs[i].Code[:reqs[i].Len], native, known)
		}
	}
	t.Logf("%d encodings", len(reqs))
}
