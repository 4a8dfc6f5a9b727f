//go:build linux && amd64

package interp

import (
	"bufio"
	"bytes"
	cmdline "flag"
	"fmt"
	"io"
	"math/rand"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

// The oracle is the processor: every row of the instruction table is executed
// with random operands by testdata/native.c and by the engine, and all that
// can be seen afterwards is compared.

var (
	hwCases = cmdline.Int("hwcases", 150, "cases for each row of the instruction table")
	hwSeed  = cmdline.Int64("hwseed", 1, "seed of the cases")
	hwOnly  = cmdline.String("hwonly", "", "only rows whose encoding and operands contain this")
)

// Addresses and structures of testdata/native.c.
const (
	hwCode = 0x20000000
	hwData = 0x10000000
)

type hwRequest struct {
	Code            [32]byte
	Off, Len, Steps uint64
	Seed            uint64
	GPR             [16]uint64
	Flags           uint64
	FX              [512]byte
}

type hwOutcome struct {
	Signal, Code, Addr uint64
	GPR                [16]uint64
	RIP, Flags         uint64
	Hash               uint64
	FX                 [512]byte
}

func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

// hardware is a running helper.
type hardware struct {
	in  io.WriteCloser
	out *bufio.Reader
	cmd *exec.Cmd
}

func startHardware(t testing.TB) *hardware {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("comparing with the processor needs gcc")
	}
	bin := filepath.Join(t.TempDir(), "native")
	if msg, err := exec.Command("gcc", "-O1", "-o", bin, "testdata/native.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, msg)
	}
	h := &hardware{cmd: exec.Command(bin)}
	h.in, _ = h.cmd.StdinPipe()
	out, _ := h.cmd.StdoutPipe()
	h.out = bufio.NewReaderSize(out, 1<<20)
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.in.Close()
		h.cmd.Wait()
	})
	return h
}

// run executes a batch.
func (h *hardware) run(t testing.TB, reqs []hwRequest) []hwOutcome {
	go func() {
		var b bytes.Buffer
		for i := range reqs {
			b.Write(bytesOf(&reqs[i]))
		}
		h.in.Write(b.Bytes())
	}()
	outs := make([]hwOutcome, len(reqs))
	for i := range outs {
		if _, err := io.ReadFull(h.out, bytesOf(&outs[i])); err != nil {
			t.Fatalf("native helper, case %d (% x): %v", i, reqs[i].Code[:reqs[i].Len], err)
		}
	}
	return outs
}

// guest runs the same requests on the engine.
type guest struct {
	c    *core
	v    *cpu.VCPU
	as   *mm.AddressSpace
	code []byte
}

func newGuest(t testing.TB) *guest {
	g := &guest{c: newCore(), v: new(cpu.VCPU), as: mm.NewAddressSpace(mm.NewAccount(1<<30), nil)}
	for _, r := range []mm.MapRequest{
		{Addr: hwCode, Len: 4096, Prot: mm.ProtRead | mm.ProtWrite | mm.ProtExec, Fixed: true},
		{Addr: hwData, Len: 4096, Prot: mm.ProtRead | mm.ProtWrite, Fixed: true},
	} {
		if _, errno := g.as.Map(r); errno != 0 {
			t.Fatal(errno)
		}
		if res, _ := g.as.Fault(r.Addr, mm.AccessWrite); res != mm.FaultOK {
			t.Fatal("cannot touch guest memory")
		}
	}
	return g
}

// run executes one request: as single steps, or as a block, in which the
// instructions are followed by HLT and so by #GP.
func (g *guest) run(q *hwRequest, block bool) (o hwOutcome) {
	code := g.as.Slice(hwCode, 4096, mm.AccessRead|mm.AccessWrite)
	for i := range code {
		code[i] = 0xf4
	}
	copy(code[q.Off:], q.Code[:q.Len])
	data := g.as.Slice(hwData, 4096, mm.AccessRead|mm.AccessWrite)
	words := unsafe.Slice((*uint64)(unsafe.Pointer(&data[0])), 512)
	x := q.Seed
	for i := range words {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		words[i] = x
	}
	var r cpu.Regs
	r.Reset()
	r.GPR, r.RIP, r.Flags = q.GPR, hwCode+q.Off, q.Flags
	fx := q.FX
	r.FXRestore(&fx)
	var trap cpu.Trap
	if block {
		trap, _ = g.c.Run(g.v, &r, g.as, 1000)
		if trap.Kind == cpu.TrapException && trap.Vector == cpu.VectorGP && r.RIP != hwCode+q.Off && g.isHLT(r.RIP) {
			trap.Vector = cpu.VectorDB
		} else if trap.Kind == cpu.TrapPageFault && trap.Access == mm.AccessExec {
			trap = cpu.Trap{Kind: cpu.TrapException, Vector: cpu.VectorDB}
		}
	} else {
		for range q.Steps {
			r.Flags |= cpu.FlagTF
			trap, _ = g.c.Run(g.v, &r, g.as, 1000)
			if trap.Kind != cpu.TrapException || trap.Vector != cpu.VectorDB {
				break
			}
		}
	}
	o.GPR, o.RIP, o.Flags = r.GPR, r.RIP, r.Flags
	r.FXSave(&o.FX)
	for _, w := range words {
		o.Hash = (o.Hash ^ w) * 0x100000001b3
	}
	o.signal(trap)
	return o
}

func (g *guest) isHLT(rip uint64) bool {
	return rip-hwCode < 4096 && g.as.Slice(rip, 1, mm.AccessRead)[0] == 0xf4
}

// signal translates a trap into what the helper sees of it.
func (o *hwOutcome) signal(t cpu.Trap) {
	switch {
	case t.Kind == cpu.TrapPageFault:
		o.Signal, o.Addr = 11, t.Addr
	case t.Kind == cpu.TrapException && t.Vector == cpu.VectorDE, t.Kind == cpu.TrapException && t.Vector >= cpu.VectorMF:
		o.Signal = 8
	case t.Kind == cpu.TrapException && t.Vector == cpu.VectorUD:
		o.Signal = 4
	case t.Kind == cpu.TrapException && (t.Vector == cpu.VectorDB || t.Vector == cpu.VectorBP):
		o.Signal = 5
	case t.Kind == cpu.TrapException && t.Vector == cpu.VectorSS:
		o.Signal = 7
	case t.Kind == cpu.TrapException:
		o.Signal = 11
	default:
		o.Signal = 1000 + uint64(t.Kind)
	}
}

// generator makes random instances of table rows.
type generator struct{ *rand.Rand }

var interesting = []uint64{
	0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000,
	0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 1<<63 - 1, 1 << 63, 1<<64 - 1, 1<<64 - 2, 1<<64 - 128, 1<<64 - 129,
	1<<64 - 0x8000, 1<<64 - 0x80000000,
}

func (g generator) value() uint64 {
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

// template is what the encoding of a row fixes.
type template struct {
	prefix byte // mandatory
	rexW   bool
	opcode []byte
	plus   bool // register in the opcode
	modrm  bool
	digit  int // -1: any
	fixed  int // -1: none
	plusI  bool
}

func parseTemplate(enc string) (t template) {
	t.digit, t.fixed = -1, -1
	for i, f := range strings.Fields(enc) {
		switch {
		case i == 0 && (f == "66" || f == "F2" || f == "F3"):
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

// instance assembles a random instance of the row. disp is where its 32-bit
// displacement is, or 0.
func (g generator) instance(row *x86.Row, t template) (b []byte, disp int) {
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
		b = append(b, byte(g.value()))
	}
	return b, disp
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
func (g generator) request(row *x86.Row, index int, t template) (q hwRequest, in x86.Inst, ok bool) {
	b, disp := g.instance(row, t)
	in, err := x86.Decode(b)
	if err != nil || x86.Rows()[in.Row] != row {
		return q, in, false
	}
	q.Off = uint64(g.Intn(2000)) + 200
	q.Seed = g.Uint64() | 1
	for i := range q.GPR {
		q.GPR[i] = g.value()
	}
	if in.Args[0].Kind == x86.ArgRel && in.Imm < 0 && in.Imm >= -16 {
		return q, in, false // into itself: the block test would go on
	}
	g.implicit(row, &in, &q)
	if in.Mem && !g.place(&in, b, disp, &q) {
		return q, in, false
	}
	q.Flags = g.Uint64()&(arithFlags|cpu.FlagDF) | cpu.FlagOn | cpu.FlagIF
	if g.Intn(8) > 0 {
		q.Flags &^= cpu.FlagDF
	}
	g.floats(&q)
	q.Steps = 1
	q.Len = uint64(in.Len)
	copy(q.Code[:], b[:in.Len])
	return q, in, true
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
			q.GPR[cpu.RDX] = g.value()
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

// skipRow says why a row cannot be compared this way.
func skipRow(row *x86.Row) string {
	switch row.Op {
	case x86.SYSCALL, x86.INT, x86.INT1, x86.INT3:
		return "enters the kernel"
	case x86.CPUID, x86.RDTSC:
		return "differs by design"
	case x86.LDSEG, x86.POPSEG, x86.MOVSEG, x86.PUSHSEG, x86.LFS, x86.LAR, x86.SMSW, x86.RETF, x86.IRET, x86.PRIV, x86.IOPRIV:
		return "depends on the host's descriptors"
	case x86.POPF:
		return "changes TF"
	}
	return ""
}

// hwRange is the part of the table that this test covers.
func hwRows() (rows []int) {
	for i, r := range x86.Rows() {
		if r.Op < x86.FirstSSE && skipRow(r) == "" && strings.Contains(r.Enc+" "+r.Args, *hwOnly) {
			rows = append(rows, i)
		}
	}
	return rows
}

func TestProcessor(t *testing.T) {
	h := startHardware(t)
	gu := newGuest(t)
	g := generator{rand.New(rand.NewSource(*hwSeed))}
	total, shown := 0, 0
	for _, i := range hwRows() {
		row := x86.Rows()[i]
		tm := parseTemplate(row.Enc)
		var reqs []hwRequest
		var insts []x86.Inst
		for try := 0; len(reqs) < *hwCases && try < *hwCases*20; try++ {
			q, in, ok := g.request(row, i, tm)
			if ok {
				reqs, insts = append(reqs, q), append(insts, in)
			}
		}
		if len(reqs) == 0 {
			t.Errorf("no instance of %s", row.Enc)
		}
		bad := 0
		for k, want := range h.run(t, reqs) {
			for _, block := range []bool{false, true} {
				if block && (row.Op == x86.PUSHF || want.RIP-(hwCode+reqs[k].Off) < reqs[k].Len && want.Signal == 5) {
					continue // shows TF, or jumps into itself
				}
				got := gu.run(&reqs[k], block)
				if d := difference(&reqs[k], &insts[k], &want, &got); d != "" {
					if bad++; bad <= 3 && shown < 60 {
						shown++
						t.Errorf("%s %s: % x, block %v\n%s", row.Enc, row.Args, reqs[k].Code[:reqs[k].Len], block, d)
					}
				}
				total++
			}
		}
		if bad > 0 {
			t.Errorf("%s %s: %d of %d cases differ", row.Enc, row.Args, bad, 2*len(reqs))
		}
	}
	t.Logf("%d cases compared", total)
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

// TestProcessorPairs compares instructions followed by one that depends on
// their flags, which the engine fuses or evaluates lazily.
func TestProcessorPairs(t *testing.T) {
	h := startHardware(t)
	gu := newGuest(t)
	g := generator{rand.New(rand.NewSource(*hwSeed))}
	total, bad := 0, 0
	for _, i := range hwRows() {
		row := x86.Rows()[i]
		if terminal[row.Op] || row.Op >= x86.PUSH && row.Op <= x86.LEAVE {
			continue
		}
		tm := parseTemplate(row.Enc)
		var reqs []hwRequest
		for try := 0; len(reqs) < *hwCases*2 && try < *hwCases*20; try++ {
			q, in, ok := g.request(row, i, tm)
			if !ok || in.Rep != 0 {
				continue
			}
			for q.Steps < 2+uint64(g.Intn(2)) {
				s := g.second()
				q.Len += uint64(copy(q.Code[q.Len:], s))
				q.Steps++
				if s[0]&0xf0 == 0x70 {
					break
				}
			}
			reqs = append(reqs, q)
		}
		for k, want := range h.run(t, reqs) {
			for _, block := range []bool{false, true} {
				total++
				got := gu.run(&reqs[k], block)
				if d := difference(&reqs[k], nil, &want, &got); d != "" && bad < 30 {
					bad++
					t.Errorf("%s %s: % x, block %v\n%s", row.Enc, row.Args, reqs[k].Code[:reqs[k].Len], block, d)
				}
			}
		}
	}
	t.Logf("%d cases compared", total)
}

// difference describes what differs.
func difference(q *hwRequest, in *x86.Inst, want, got *hwOutcome) string {
	var d strings.Builder
	const seen = arithFlags | cpu.FlagDF
	for i := range want.GPR {
		if want.GPR[i] != got.GPR[i] {
			fmt.Fprintf(&d, "  r%d = %#x, processor %#x, before %#x\n", i, got.GPR[i], want.GPR[i], q.GPR[i])
		}
	}
	if want.RIP != got.RIP {
		fmt.Fprintf(&d, "  rip %#x, processor %#x, start %#x\n", got.RIP, want.RIP, hwCode+q.Off)
	}
	if x := (want.Flags ^ got.Flags) & seen; x != 0 {
		fmt.Fprintf(&d, "  flags %s, processor %s, before %s\n", flagNames(got.Flags), flagNames(want.Flags), flagNames(q.Flags))
	}
	if want.Hash != got.Hash {
		d.WriteString("  memory differs\n")
	}
	if want.Signal != got.Signal {
		fmt.Fprintf(&d, "  signal %d, processor %d (code %d, address %#x)\n", got.Signal, want.Signal, want.Code, want.Addr)
	} else if want.Signal == 11 && want.Code != 128 && want.Addr != got.Addr {
		fmt.Fprintf(&d, "  fault address %#x, processor %#x\n", got.Addr, want.Addr)
	}
	if !bytes.Equal(want.FX[160:416], got.FX[160:416]) {
		d.WriteString("  xmm registers differ\n")
	}
	if d.Len() > 0 {
		fmt.Fprintf(&d, "  registers before: %x\n", q.GPR)
	}
	return d.String()
}

func flagNames(f uint64) string {
	var s []string
	for _, n := range []struct {
		bit  uint64
		name string
	}{{cpu.FlagCF, "C"}, {cpu.FlagPF, "P"}, {cpu.FlagAF, "A"}, {cpu.FlagZF, "Z"}, {cpu.FlagSF, "S"}, {cpu.FlagOF, "O"}, {cpu.FlagDF, "D"}} {
		if f&n.bit != 0 {
			s = append(s, n.name)
		}
	}
	return "[" + strings.Join(s, "") + "]"
}
