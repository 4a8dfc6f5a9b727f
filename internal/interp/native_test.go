//go:build linux && amd64

package interp

import (
	"bufio"
	"bytes"
	cmdline "flag"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
	"github.com/tinevm/tine/internal/x86/x86test"
)

// The oracle is the processor: every row of the instruction table is executed
// with random operands by testdata/native.c and by the engine, and all that
// can be seen afterwards is compared.

var (
	hwCases = cmdline.Int("hwcases", 60, "cases for each row of the instruction table")
	hwSeed  = cmdline.Int64("hwseed", 1, "seed of the cases")
	hwOnly  = cmdline.String("hwonly", "", "only rows whose encoding and operands contain this")
)

// Addresses and structures of testdata/native.c.
const (
	hwCode = 0x20000000
	hwData = 0x10000000

	busAlign = 1 // BUS_ADRALN
)

type hwRequest struct {
	Code            [32]byte
	Off, Len, Steps uint64
	Seed            uint64
	GPR             [16]uint64
	Flags           uint64
	PatchAt         uint64
	Patch           [48]byte
	FX              [512]byte
}

type hwOutcome struct {
	Signal, Code, Addr uint64
	GPR                [16]uint64
	RIP, Flags         uint64
	Hash               uint64
	Segs               uint64
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
	c  *core
	v  *cpu.VCPU
	as *mm.AddressSpace
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
	if q.PatchAt != 0 {
		copy(data[q.PatchAt-hwData:], q.Patch[:])
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
	o.Segs = uint64(r.Segs[3]) | uint64(r.Segs[0])<<16 | uint64(r.Segs[5])<<32
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
	case t.Kind == cpu.TrapException && (t.Vector == cpu.VectorDE || t.Vector == cpu.VectorMF || t.Vector == cpu.VectorXM):
		o.Signal = 8
	case t.Kind == cpu.TrapException && t.Vector == cpu.VectorUD:
		o.Signal = 4
	case t.Kind == cpu.TrapException && (t.Vector == cpu.VectorDB || t.Vector == cpu.VectorBP):
		o.Signal = 5
	case t.Kind == cpu.TrapException && t.Vector == cpu.VectorSS:
		o.Signal = 7
	case t.Kind == cpu.TrapException && t.Vector == cpu.VectorAC:
		o.Signal, o.Code = 7, busAlign
	case t.Kind == cpu.TrapException:
		o.Signal = 11
	default:
		o.Signal = 1000 + uint64(t.Kind)
	}
}

// skipRow says why a row cannot be compared this way.
func skipRow(row *x86.Row) string {
	switch row.Op {
	case x86.SYSCALL, x86.INT, x86.INT1, x86.INT3:
		return "enters the kernel"
	case x86.CPUID, x86.RDTSC, x86.RDTSCP, x86.RDPID:
		return "differs by design"
	case x86.RDFSBASE, x86.WRFSBASE:
		return "is what the helper stands on"
	case x86.PRIV, x86.IOPRIV:
		return "may not exist on the host"
	case x86.SLDT, x86.STR, x86.SMSW, x86.SGDT, x86.SIDT:
		if !hostHas("umip") {
			return "depends on the host's kernel"
		}
	case x86.POPF:
		return "changes TF"
	}
	if row.Op >= x86.XGETBV && row.Op <= x86.XRSTOR {
		return "has a test of its own"
	}
	if !hostHas(featureOf(row.Op)) {
		return "is not there"
	}
	return ""
}

// late says that a single step ends one instruction later: after those that
// Linux executes itself, where the processor has UMIP, and after loading SS.
func late(in *x86.Inst) bool {
	return in.Op >= x86.SLDT && in.Op <= x86.SMSW || in.Op == x86.LDSEG && in.Args[0].Reg == segSS
}

// hwRange is the part of the table that this test covers.
func hwRows() (rows []int) {
	for i, r := range x86.Rows() {
		if r.Op < x86.FirstSSE && !crypto(r.Op) && skipRow(r) == "" && strings.Contains(r.Enc+" "+r.Args, *hwOnly) {
			rows = append(rows, i)
		}
	}
	return rows
}

func TestProcessor(t *testing.T) {
	h := startHardware(t)
	gu := newGuest(t)
	g := newGenerator(*hwSeed)
	total, shown := 0, 0
	for _, i := range hwRows() {
		row := x86.Rows()[i]
		tm := x86test.ParseTemplate(row.Enc)
		var reqs []hwRequest
		var insts []x86.Inst
		for try := 0; len(reqs) < *hwCases && try < *hwCases*20; try++ {
			q, in, ok := g.request(row, i, tm)
			if ok {
				reqs, insts = append(reqs, q), append(insts, in)
			}
		}
		if len(reqs) == 0 && row.Args != "FS" && row.Enc != "0F B4 /r" { // the helper needs FS
			t.Errorf("no instance of %s", row.Enc)
		}
		bad := 0
		for k, want := range h.run(t, reqs) {
			for _, block := range []bool{false, true} {
				if !block && late(&insts[k]) || block && (row.Op == x86.PUSHF || want.RIP-(hwCode+reqs[k].Off) < reqs[k].Len && want.Signal == 5) {
					continue // is stepped over with the next; shows TF, or jumps into itself
				}
				got := gu.run(&reqs[k], block)
				in := &insts[k]
				amdLeaves(in, &want, &got)
				_, _, undefined := x86.FlagEffect(in, reqs[k].GPR[cpu.RCX])
				if d := difference(&reqs[k], undefined, &want, &got); d != "" {
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

// TestProcessorPairs compares instructions followed by one that depends on
// their flags, which the engine fuses or evaluates lazily.
func TestProcessorPairs(t *testing.T) {
	h := startHardware(t)
	gu := newGuest(t)
	g := newGenerator(*hwSeed)
	total, bad := 0, 0
	for _, i := range hwRows() {
		row := x86.Rows()[i]
		if Terminal(row.Op) || row.Op >= x86.SLDT && row.Op <= x86.SMSW || row.Op == x86.LDSEG || row.Op >= x86.PUSH && row.Op <= x86.LEAVE {
			continue
		}
		tm := x86test.ParseTemplate(row.Enc)
		var reqs []hwRequest
		var undefined []uint64
		for try := 0; len(reqs) < *hwCases*2 && try < *hwCases*20; try++ {
			q, in, ok := g.request(row, i, tm)
			if !ok || in.Rep != 0 {
				continue
			}
			reqs = append(reqs, q)
			undefined = append(undefined, g.readers(&reqs[len(reqs)-1], &in))
		}
		for k, want := range h.run(t, reqs) {
			for _, block := range []bool{false, true} {
				total++
				got := gu.run(&reqs[k], block)
				if d := difference(&reqs[k], undefined[k], &want, &got); d != "" && bad < 30 {
					bad++
					t.Errorf("%s %s: % x, block %v\n%s", row.Enc, row.Args, reqs[k].Code[:reqs[k].Len], block, d)
				}
			}
		}
	}
	t.Logf("%d cases compared", total)
}

// readers appends one or two instructions that read flags, but none that is
// undefined. It returns the flags that are undefined in the end.
func (g generator) readers(q *hwRequest, first *x86.Inst) uint64 {
	_, _, undefined := x86.FlagEffect(first, q.GPR[cpu.RCX])
	for n := 2 + uint64(g.Intn(2)); q.Steps < n; {
		s := g.second()
		in, err := x86.Decode(s)
		if err != nil || !flow(&undefined, &in, 0) {
			continue
		}
		q.Len += uint64(copy(q.Code[q.Len:], s))
		q.Steps++
		if in.Op == x86.JCC {
			break
		}
	}
	return undefined
}

// difference describes what differs, undefined flags aside.
func difference(q *hwRequest, undefined uint64, want, got *hwOutcome) string {
	var d strings.Builder
	if faultOrder(want, got) {
		return ""
	}
	seen := (arithFlags | cpu.FlagDF | cpu.FlagAC) &^ undefined
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
	if withoutNull(want.Segs) != withoutNull(got.Segs) {
		fmt.Fprintf(&d, "  selectors %x, processor %x\n", got.Segs, want.Segs)
	}
	if want.Hash != got.Hash {
		d.WriteString("  memory differs\n")
	}
	if want.Signal != got.Signal {
		fmt.Fprintf(&d, "  signal %d, processor %d (code %d, address %#x)\n", got.Signal, want.Signal, want.Code, want.Addr)
	} else if want.Signal == 7 && (want.Code == busAlign) != (got.Code == busAlign) {
		fmt.Fprintf(&d, "  code %d, processor %d\n", got.Code, want.Code)
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

// withoutNull makes null selectors zero, as every interrupt does (SDM vol. 2,
// IRET).
func withoutNull(segs uint64) uint64 {
	for i := 0; i < 64; i += 16 {
		if segs>>i&0xffff <= 3 {
			segs &^= 0xffff << i
		}
	}
	return segs
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

// TestProcessorSequences compares sequences of instructions that the engine
// joins. Some reach the end of the data page.
func TestProcessorSequences(t *testing.T) {
	h := startHardware(t)
	gu := newGuest(t)
	g := newGenerator(*hwSeed)
	total, bad := 0, 0
	for range *hwCases {
		reqs := make([]hwRequest, 100)
		for k := range reqs {
			q := &reqs[k]
			q.Off, q.Seed = uint64(g.Intn(2000))+200, g.Uint64()|1
			for i := range q.GPR {
				q.GPR[i] = g.Value()
			}
			q.GPR[cpu.RSP] = hwData + uint64(g.Intn(512))*8
			q.Flags = g.Uint64()&arithFlags | cpu.FlagOn | cpu.FlagIF
			g.floats(q)
			for range 1 + g.Intn(4) {
				q.Len += uint64(copy(q.Code[q.Len:], g.filler()))
				q.Steps++
			}
			end, steps := g.ending()
			q.Len += uint64(copy(q.Code[q.Len:], end))
			q.Steps += steps
		}
		for k, want := range h.run(t, reqs) {
			done := reqs[k].Code[:reqs[k].Len]
			if want.Signal != 5 {
				done = done[:want.RIP-hwCode-reqs[k].Off]
			}
			undefined := undefinedAfter(done)
			for _, block := range []bool{false, true} {
				total++
				got := gu.run(&reqs[k], block)
				if d := difference(&reqs[k], undefined, &want, &got); d != "" && bad < 20 {
					bad++
					t.Errorf("% x, block %v\n%s", reqs[k].Code[:reqs[k].Len], block, d)
				}
			}
		}
	}
	t.Logf("%d cases compared", total)
}
