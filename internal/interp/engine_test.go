package interp

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/cpu/cputest"
	"github.com/tinevm/tine/internal/x86"
)

func TestEngine(t *testing.T) { cputest.Run(t, New) }

func TestUnknownHook(t *testing.T) {
	var got []byte
	OnUnknown = func(b []byte) { got = append(got, b...) }
	defer func() { OnUnknown = nil }()
	m := cputest.NewMachine(t, newCore(), 0x62, 0xf1, 0x7c)
	m.Expect(cputest.Exception(cpu.VectorUD), cputest.CodeAt, 0)
	if !bytes.HasPrefix(got, []byte{0x62, 0xf1, 0x7c}) {
		t.Errorf("hook got % x", got)
	}
}

func TestContextsWrap(t *testing.T) {
	e := newCore()
	for i := range uint64(2*maxContext + 5) {
		if i%500 != 0 && i%maxContext > 3 {
			e.newContext(1<<40+i, 0)
			continue
		}
		m := cputest.NewMachine(t, newCore(), 0x8b, 0x03, 0x0f, 0x05) // mov eax, [rbx]; syscall
		m.E = e
		m.R.GPR[cpu.RBX] = cputest.DataAt
		m.Write(cputest.DataAt, byte(i), byte(i>>8))
		m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+4, 2)
		if m.R.GPR[cpu.RAX] != i {
			t.Fatalf("address space %d reads %d", i, m.R.GPR[cpu.RAX])
		}
		m.AS.Put()
	}
}

// TestCPUIDReports checks that what is reported is there, by an instruction of
// each set, and what must not be reported is not.
func TestCPUIDReports(t *testing.T) {
	noAVX := false
	regs := func(leaf uint32) (r [4]uint32) {
		r[0], r[1], r[2], r[3] = cpuidLeaf(leaf, 0, 0, noAVX)
		return r
	}
	for _, c := range []struct {
		leaf, reg, bit uint32
		code           string
	}{
		{1, 2, 0, "f2 0f d0 c1"}, {1, 2, 1, "66 0f 3a 44 c1 00"}, {1, 2, 9, "66 0f 38 00 c1"}, {1, 2, 13, "48 0f c7 0e"},
		{1, 2, 19, "66 0f 38 17 c1"}, {1, 2, 20, "f2 0f 38 f1 c1"}, {1, 2, 22, "0f 38 f0 06"}, {1, 2, 23, "f3 0f b8 c1"},
		{1, 2, 25, "66 0f 38 dc c1"}, {1, 2, 12, "c4 e2 71 98 c2"}, {1, 2, 26, "0f ae 26"}, {1, 2, 27, "0f 01 d0"},
		{1, 2, 28, "c5 fc 58 c1"}, {1, 2, 29, "c4 e2 79 13 c1"}, {7, 1, 5, "c5 fd fc c1"},
		{7, 1, 0, "f3 0f ae c1"}, {7, 1, 3, "c4 e2 78 f2 c1"}, {7, 1, 8, "c4 e2 7b f6 c1"}, {7, 1, 9, "f3 a4"},
		{7, 1, 19, "66 0f 38 f6 c1"}, {7, 1, 29, "0f 38 c8 c1"}, {7, 2, 22, "f3 0f c7 f9"}, {7, 3, 4, "f3 a4"},
		{0x80000001, 2, 0, "9f"}, {0x80000001, 2, 5, "f3 0f bd c1"}, {0x80000001, 3, 27, "0f 01 f9"},
	} {
		in, err := x86.Decode(unhex(c.code))
		know(in.Op)
		if regs(c.leaf)[c.reg]>>c.bit&1 == 0 || err != nil || handlers[in.Op] == nil {
			t.Errorf("leaf %#x, register %d, bit %d: %#x, %v", c.leaf, c.reg, c.bit, regs(c.leaf)[c.reg], err)
		}
	}
	if ecx := regs(1)[2]; ecx&(1<<30) != 0 { // RDRAND
		t.Errorf("leaf 1 ecx %#x", ecx)
	}
	noAVX = true
	const avx = 1<<12 | 1<<26 | 1<<27 | 1<<28 | 1<<29 // FMA XSAVE OSXSAVE AVX F16C
	if ecx := regs(1)[2]; ecx&avx != 0 || regs(0)[0] != 7 || regs(0xd)[0] != 0 {
		t.Errorf("without AVX, leaf 1 ecx %#x", ecx)
	}
	if ebx := regs(7)[1]; ebx&(1<<5) != 0 { // AVX2
		t.Errorf("leaf 7 ebx %#x", ebx)
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestDropAllBoundsTheCache(t *testing.T) {
	m := cputest.NewMachine(t, newCore(), 0x0f, 0x05)
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+2, 1)
	cache.ops.Add(maxCached)
	dropAll()
	cache.ops.Add(-maxCached)
	if n := cache.ops.Load(); n != 0 {
		t.Errorf("%d ops left", n)
	}
	m.R.RIP = cputest.CodeAt
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, cputest.CodeAt+2, 1)
}
