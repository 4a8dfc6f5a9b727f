//go:build linux && amd64

package lockstep

import (
	"strings"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/cpu/cputest"
	"github.com/tinevm/tine/internal/interp"
	"github.com/tinevm/tine/internal/jit"
	"github.com/tinevm/tine/internal/mm"
)

func newEngine(t testing.TB) cpu.Engine {
	if err := jit.Available(); err != nil {
		t.Skip(err)
	}
	return New()
}

func TestEngine(t *testing.T) {
	// Memory must not be written by another processor.
	cputest.Run(t, func() cpu.Engine { return newEngine(t) }, "LockedIsAtomic")
}

// wrong is an interpreter that does something wrong after the instruction at an
// address.
type wrong struct {
	Engine
	at uint64
	do func(v *cpu.VCPU, r *cpu.Regs, as *mm.AddressSpace)
}

func (w *wrong) Run(v *cpu.VCPU, r *cpu.Regs, as *mm.AddressSpace, budget int64) (t cpu.Trap, n int64) {
	for n < budget {
		pc := r.RIP
		t, k := w.Engine.Run(v, r, as, 1)
		if pc == w.at {
			w.do(v, r, as)
		}
		if n += k; t.Kind != cpu.TrapBudget {
			return t, n
		}
	}
	return cpu.Trap{Kind: cpu.TrapBudget}, n
}

// A loop with a store, a call and arithmetic that leaves flags undefined.
var loop = []byte{
	0xb9, 0x20, 0x4e, 0, 0, // mov ecx, 20000
	0x89, 0x0c, 0x25, 0x10, 0, 0x60, 0, // 5: mov [0x600010], ecx
	0xe8, 0x06, 0, 0, 0, // 12: call f
	0xff, 0xc9, // 17: dec ecx
	0x75, 0xf0, // 19: jne 5
	0x0f, 0x05, // 21: syscall
	0x0f, 0xaf, 0xc1, // 23 f: imul eax, ecx
	0xc1, 0xe2, 0x03, // 26: shl edx, 3
	0xf3, 0x0f, 0x58, 0xc1, // 29: addss xmm0, xmm1
	0xc3, // 33: ret
}

func newLoop(t testing.TB, e cpu.Engine) *cputest.Machine {
	m := cputest.NewMachine(t, e, loop...)
	m.R.GPR[cpu.RDX] = 0x12345678
	m.R.XMM[1][0] = 0x3f800001
	return m
}

// failureOf runs the loop with a subject that is wrong and returns the report.
func failureOf(t *testing.T, w *wrong) (report string) {
	t.Helper()
	w.Engine = interp.New().(Engine)
	m := newLoop(t, newPair(interp.New().(Engine), w))
	defer func() {
		f, ok := recover().(*cpu.Failure)
		if !ok {
			t.Fatal("no difference was found")
		}
		report = f.Error()
	}()
	m.Run(1 << 20)
	return
}

// Whatever a subject does wrong is found, and the instruction is told.
func TestDifference(t *testing.T) {
	for _, c := range []struct {
		name string
		at   uint64 // in the loop
		do   func(v *cpu.VCPU, r *cpu.Regs, as *mm.AddressSpace)
		want []string
	}{
		{"register", 29, func(_ *cpu.VCPU, r *cpu.Regs, _ *mm.AddressSpace) { r.GPR[cpu.R9] ^= 1 << 40 },
			[]string{"f3 0f 58 c1  (F3 0F 58 /r Vss,Wss)", "R9: 0x10000000000, not 0x0\n"}},
		{"vector", 29, func(_ *cpu.VCPU, r *cpu.Regs, _ *mm.AddressSpace) { r.XMM[7][1] = 5 },
			[]string{"f3 0f 58 c1", "XMM7: [0x0 0x5], not [0x0 0x0]"}},
		{"x87", 29, func(_ *cpu.VCPU, r *cpu.Regs, _ *mm.AddressSpace) { r.X87.SW ^= 1 },
			[]string{"f3 0f 58 c1", "x87 status word: 0x1, not 0x0"}},
		{"memory", 5, func(_ *cpu.VCPU, _ *cpu.Regs, as *mm.AddressSpace) { poke(as, cputest.DataAt+0x200, 0x55) },
			[]string{"89 0c 25 10 00 60 00", "memory at 0x600200 (1 bytes of the page differ): 55 00", "not 00 00"}},
		{"flags", 17, func(_ *cpu.VCPU, r *cpu.Regs, _ *mm.AddressSpace) {
			if r.GPR[cpu.RCX] == 0 { // or nobody would see it
				r.Flags ^= cpu.FlagAF
			}
		}, []string{"ff c9", "arithmetic flags: [AF], not []"}},
		{"count", 17, func(v *cpu.VCPU, r *cpu.Regs, _ *mm.AddressSpace) { r.RIP = cputest.CodeAt + 21 },
			[]string{"ff c9", "RIP: 0x400015, not 0x400013"}},
		{"upper halves", 26, func(_ *cpu.VCPU, r *cpu.Regs, _ *mm.AddressSpace) { r.UpperUsed, r.Upper[3] = true, [2]uint64{1, 2} },
			[]string{"c1 e2 03", "the upper half of YMM3: [0x1 0x2], not [0x0 0x0]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := failureOf(t, &wrong{at: cputest.CodeAt + c.at, do: c.do})
			for _, want := range c.want {
				if !strings.Contains(report+"\n", want) {
					t.Errorf("no %q in the report:\n%s", want, report)
				}
			}
		})
	}
}

func poke(as *mm.AddressSpace, va uint64, b byte) {
	if f, ok := as.Lookup(va, mm.AccessWrite); ok {
		f.Bytes()[va%mm.PageSize] = b
	}
}

// Undefined flags may differ, and what is made of them.
func TestUndefinedFlags(t *testing.T) {
	run := func(code ...byte) *cputest.Machine {
		w := &wrong{Engine: interp.New().(Engine), at: cputest.CodeAt, do: func(_ *cpu.VCPU, r *cpu.Regs, _ *mm.AddressSpace) {
			r.Flags ^= cpu.FlagSF
		}}
		m := cputest.NewMachine(t, newPair(interp.New().(Engine), w), append(code, 0x0f, 0x05)...)
		m.Run(1000)
		return m
	}
	m := run(0x0f, 0xaf, 0xc1) // imul eax, ecx
	if m.R.Flags != m.R.GPR[cpu.R11] || m.R.Flags&cpu.FlagSF == 0 {
		t.Errorf("flags %#x, in R11 %#x", m.R.Flags, m.R.GPR[cpu.R11])
	}
	lahf := []byte{0x9f, 0x88, 0x24, 0x25, 0, 0, 0x60, 0} // lahf; mov [0x600000], ah
	run(append([]byte{0x0f, 0xaf, 0xc1}, lahf...)...)
	defer func() {
		if recover() == nil {
			t.Error("flags that are defined may differ")
		}
	}()
	run(append([]byte{0xff, 0xc1}, lahf...)...) // inc ecx
}
