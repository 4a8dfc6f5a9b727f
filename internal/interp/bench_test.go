//go:build linux && amd64

package interp

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/cpu/cputest"
	"github.com/tinevm/tine/internal/mm"
)

const benchBase = 0x400000

// loadKernel compiles one kernel of testdata/bench.c and puts it into a fresh
// address space.
func loadKernel(t testing.TB, kernel string) (*mm.AddressSpace, *cpu.Regs) {
	bin := filepath.Join(t.TempDir(), "kernel")
	cmd := exec.Command("gcc", "-O2", "-fno-pic", "-no-pie", "-ffreestanding", "-fno-stack-protector", "-fno-tree-vectorize",
		"-fno-asynchronous-unwind-tables", "-fcf-protection=none", "-fno-tree-loop-distribute-patterns",
		"-nostdlib", "-static", "-DKERNEL="+kernel, "-Wl,--oformat=binary,-Ttext=0x400000,--build-id=none,-e,_start",
		"-fno-toplevel-reorder", "-o", bin, "testdata/bench.c")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("gcc: %v\n%s", err, msg)
	}
	image, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	as := mm.NewAddressSpace(mm.NewAccount(1<<30), nil)
	if _, errno := as.Map(mm.MapRequest{Addr: benchBase, Len: 4 << 20, Prot: mm.ProtRead | mm.ProtWrite | mm.ProtExec, Fixed: true}); errno != 0 {
		t.Fatal(errno)
	}
	if _, errno := as.CopyOut(benchBase, image); errno != 0 {
		t.Fatal(errno)
	}
	r := new(cpu.Regs)
	r.Reset()
	r.RIP = benchBase
	r.GPR[cpu.RSP] = benchBase + 4<<20 - 8
	return as, r
}

// runFor runs n instructions, resolving page faults.
func runFor(t testing.TB, e cpu.Engine, v *cpu.VCPU, as *mm.AddressSpace, r *cpu.Regs, n int64) {
	for n > 0 {
		trap, k := e.Run(v, r, as, n)
		n -= k
		switch trap.Kind {
		case cpu.TrapBudget:
		case cpu.TrapPageFault:
			if res, _ := as.Fault(trap.Addr, trap.Access); res != mm.FaultOK {
				t.Fatalf("fault at %#x, rip %#x", trap.Addr, r.RIP)
			}
		default:
			t.Fatalf("trap %+v at %#x", trap, r.RIP)
		}
	}
}

func BenchmarkKernels(b *testing.B) {
	for _, k := range []struct{ number, name string }{{"1", "fib"}, {"2", "sieve"}, {"3", "crc"}, {"4", "sort"}, {"5", "bytecode"}} {
		b.Run(k.name, func(b *testing.B) {
			as, r := loadKernel(b, k.number)
			e, v := New(), new(cpu.VCPU)
			runFor(b, e, v, as, r, 1e6)
			b.ResetTimer()
			for range b.N {
				runFor(b, e, v, as, r, 1e6)
			}
			b.ReportMetric(float64(b.N)*1e6/b.Elapsed().Seconds()/1e6, "Minsn/s")
		})
	}
}

// BenchmarkEnter is the price of entering and leaving guest mode, with one
// instruction in between.
func BenchmarkEnter(b *testing.B) {
	m := cputest.NewMachine(b, newCore(), 0x0f, 0x05)
	for b.Loop() {
		m.R.RIP = cputest.CodeAt
		m.Run(1000)
	}
}

// BenchmarkTranslate is the price of making blocks, for each instruction.
func BenchmarkTranslate(b *testing.B) {
	as, r := loadKernel(b, "4")
	e, v := newCore(), new(cpu.VCPU)
	runFor(b, e, v, as, r, 1e5)
	f, _ := as.Lookup(benchBase, mm.AccessExec)
	n := 0
	for b.Loop() {
		for pc := uint64(benchBase); pc < benchBase+100; {
			blk := e.decodeBlock(f, pc)
			n += int(blk.n)
			pc = blk.fall
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/insn")
}
