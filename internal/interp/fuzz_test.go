package interp

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
)

// The small world of random programs: two pages of code that can be written,
// two of data, and nothing else.
const (
	worldCode = 0x400000
	worldData = 0x600000
	worldSize = 2 * mm.PageSize

	worldBudget = 300 // instructions
)

// world runs one program twice: instruction by instruction, and in blocks.
type world struct {
	step, block place
}

// place is an engine with its memory.
type place struct {
	c  *core
	as *mm.AddressSpace
}

func newWorld(t testing.TB) *world { return &world{newPlace(t), newPlace(t)} }

func newPlace(t testing.TB) place {
	as := mm.NewAddressSpace(nil, nil)
	t.Cleanup(as.Put)
	for _, r := range []mm.MapRequest{
		{Addr: worldCode, Len: worldSize, Prot: mm.ProtRead | mm.ProtWrite | mm.ProtExec, Fixed: true},
		{Addr: worldData, Len: worldSize, Prot: mm.ProtRead | mm.ProtWrite, Fixed: true},
	} {
		if _, errno := as.Map(r); errno != 0 {
			t.Fatal(errno)
		}
	}
	return place{newCore(), as}
}

// outcome is all that a program leaves.
type outcome struct {
	trap       cpu.Trap
	n          int64
	regs       cpu.Regs
	tsc        uint64
	code, data [worldSize]byte
}

// run executes code at an offset into its pages, with registers and data made
// from seed, at most slice instructions at a time.
func (w *place) run(t testing.TB, seed uint64, off uint64, code []byte, slice int64) (o outcome) {
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range o.code {
		o.code[i] = 0x90
	}
	copy(o.code[off:], code)
	for i := 0; i < worldSize; i += 8 {
		binary.LittleEndian.PutUint64(o.data[i:], rng.Uint64())
	}
	if _, errno := w.as.CopyOut(worldData, o.data[:]); errno != 0 {
		t.Fatal(errno)
	}
	if _, errno := w.as.CopyOut(worldCode, o.code[:]); errno != 0 {
		t.Fatal(errno)
	}
	r := &o.regs
	r.Reset()
	for i := range r.GPR {
		switch rng.IntN(4) {
		case 0:
			r.GPR[i] = rng.Uint64()
		case 1:
			r.GPR[i] = uint64(rng.IntN(64))
		case 2:
			r.GPR[i] = worldCode + off + uint64(rng.IntN(64))
		default:
			r.GPR[i] = worldData + uint64(rng.IntN(worldSize))
		}
	}
	for i := range r.XMM {
		r.XMM[i] = [2]uint64{rng.Uint64(), rng.Uint64()}
	}
	r.GPR[cpu.RSP] = worldData + mm.PageSize + uint64(rng.IntN(64))*8
	r.Flags |= rng.Uint64() & (arithFlags | cpu.FlagDF)
	if rng.IntN(8) == 0 {
		r.Flags |= cpu.FlagAC
	}
	r.RIP = worldCode + off
	var v cpu.VCPU
	for o.n < worldBudget {
		var n int64
		o.trap, n = w.c.Run(&v, r, w.as, min(slice, worldBudget-o.n))
		o.n += n
		if o.trap.Kind != cpu.TrapBudget {
			break
		}
	}
	o.tsc = v.TSC
	w.as.CopyIn(worldCode, o.code[:])
	w.as.CopyIn(worldData, o.data[:])
	return o
}

// compare runs a program and reports how the two runs differ, and how long it
// was.
func (w *world) compare(t testing.TB, seed uint64, off uint64, code []byte) (difference string, n int64) {
	a := w.step.run(t, seed, off, code, 1)
	b := w.block.run(t, seed, off, code, worldBudget)
	var d strings.Builder
	if a.trap != b.trap || a.n != b.n || a.tsc != b.tsc {
		fmt.Fprintf(&d, "%+v after %d (%d) by steps, %+v after %d (%d) in blocks\n", a.trap, a.n, a.tsc, b.trap, b.n, b.tsc)
	}
	if a.regs != b.regs {
		fmt.Fprintf(&d, "registers: by steps\n%+v\nin blocks\n%+v\n", a.regs, b.regs)
	}
	if a.code != b.code || a.data != b.data {
		d.WriteString("memory differs\n")
	}
	return d.String(), b.n
}

// Whatever the bytes, they run as a program without harm, and alike by single
// steps and in blocks.
func FuzzProgram(f *testing.F) {
	for _, s := range []string{
		"48 89 e5 41 54 8b 05 10 00 00 00 48 83 c4 10 75 fe",
		"31 c0 ff c0 83 f8 14 75 f9 c3",
		"50 51 52 5a 59 58 0f a2 0f 31 9c 9d",
		"f3 a4 f3 ab f2 ae f3 a6 fd f3 a5",
		"c6 06 90 88 07 e8 00 00 00 00 5e c6 46 03 40 90",
		"d9 06 de c1 df 3e 0f ae 07 0f ae 0f",
		"f0 0f b1 0e 48 0f c7 0e f0 48 0f c7 0f 87 0e",
		"66 0f 38 dc c1 c4 e2 7b f6 c1 0f 38 f0 06",
		"6a 33 68 00 00 40 00 48 cb",
	} {
		f.Add(uint64(1), uint16(0), unhex(s))
		f.Add(uint64(2), uint16(mm.PageSize-5), unhex(s))
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, seed uint64, off uint16, code []byte) {
		start := uint64(off) % mm.PageSize
		code = code[:min(len(code), int(worldSize-start))]
		if d, _ := w.compare(t, seed, start, code); d != "" {
			t.Fatalf("% x at %#x, seed %d: %s", code, start, seed, d)
		}
	})
}
