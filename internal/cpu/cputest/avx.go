package cputest

import (
	"testing"

	"github.com/tinevm/tine/internal/cpu"
)

func (n suite) reportsV3(t *testing.T) {
	for _, c := range []struct {
		leaf byte
		high bool // of the extended ones
		reg  int
		want uint64
		not  uint64
	}{
		// FMA, CX16, MOVBE, OSXSAVE, AVX, F16C, and what v2 has; no RDRAND.
		{1, false, cpu.RCX, 1<<0 | 1<<9 | 1<<12 | 1<<13 | 1<<19 | 1<<20 | 1<<22 | 1<<23 | 1<<27 | 1<<28 | 1<<29, 1 << 30},
		// BMI1, AVX2, BMI2; no RTM, no AVX512.
		{7, false, cpu.RBX, 1<<3 | 1<<5 | 1<<8, 1<<11 | 1<<16},
		{1, true, cpu.RCX, 1 << 5, 0}, // LZCNT
	} {
		high := byte(0)
		if c.high {
			high = 0x80
		}
		m := NewMachine(t, n.new(), 0xb8, c.leaf, 0, 0, high, 0x31, 0xc9, 0x0f, 0xa2, 0xcc) // mov eax; xor ecx, ecx; cpuid
		m.Expect(Exception(cpu.VectorBP), CodeAt+10, 4)
		if v := m.R.GPR[c.reg]; v&c.want != c.want || v&c.not != 0 {
			t.Errorf("leaf %#x: %#x", c.leaf, v)
		}
	}
	m := NewMachine(t, n.new(), 0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0xcc)
	m.v.NoAVX = true
	m.Expect(Exception(cpu.VectorBP), CodeAt+8, 3)
	if v := m.R.GPR[cpu.RCX]; v&(1<<12|1<<26|1<<27|1<<28|1<<29) != 0 {
		t.Errorf("leaf 1 without AVX: %#x", v)
	}
}

// upperHalves: they stay over system calls and instructions of SSE, are cleared by
// what has 128 bits with VEX, and are all cleared by VZEROUPPER.
func (n suite) upperHalves(t *testing.T) {
	m := NewMachine(t, n.new(),
		0xc5, 0xfe, 0x6f, 0x06, // vmovdqu ymm0, [rsi]
		0xc5, 0xfd, 0xfc, 0xc8, // vpaddb ymm1, ymm0, ymm0
		0x66, 0x0f, 0xfc, 0xc0, // paddb xmm0, xmm0
		0x0f, 0x05, // syscall
		0xc5, 0xf9, 0x6f, 0xd1, // vmovdqa xmm2, xmm1
		0xc5, 0xfe, 0x7f, 0x46, 0x40, // vmovdqu [rsi+64], ymm0
		0x0f, 0x05, // syscall
		0xc5, 0xf8, 0x77, // vzeroupper
		0xc5, 0xfe, 0x7f, 0x4e, 0x60, // vmovdqu [rsi+96], ymm1
		0xcc)
	for i := range byte(32) {
		m.Write(DataAt+uint64(i), i)
	}
	m.R.GPR[cpu.RSI] = DataAt
	m.R.Upper[2], m.R.UpperUsed = [2]uint64{5, 6}, true
	upper := func(reg int, want [2]uint64) {
		t.Helper()
		got := m.R.Upper[reg]
		if !m.R.UpperUsed {
			got = [2]uint64{}
		}
		if got != want {
			t.Errorf("upper half of %d: %x, want %x", reg, got, want)
		}
	}
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, CodeAt+14, 4)
	upper(0, [2]uint64{0x1716151413121110, 0x1f1e1d1c1b1a1918})
	upper(1, [2]uint64{0x2e2c2a2826242220, 0x3e3c3a3836343230})
	upper(2, [2]uint64{5, 6})
	m.Expect(cpu.Trap{Kind: cpu.TrapSyscall}, CodeAt+25, 3)
	upper(2, [2]uint64{})
	m.Expect(Exception(cpu.VectorBP), CodeAt+34, 3)
	upper(0, [2]uint64{})
	for i := range uint64(4) {
		want := []uint64{0x0e0c0a0806040200, 0x1e1c1a1816141210, 0x1716151413121110, 0x1f1e1d1c1b1a1918}[i]
		if got := m.Word(DataAt + 64 + 8*i); got != want {
			t.Errorf("quadword %d: %x, want %x", i, got, want)
		}
	}
	if a, b := m.Word(DataAt+96+16), m.Word(DataAt+96+24); a != 0 || b != 0 {
		t.Errorf("after vzeroupper: %x %x", a, b)
	}
}

// xsave saves with XSAVEC, destroys the registers, and loads with XRSTOR.
func (n suite) xsave(t *testing.T) {
	m := NewMachine(t, n.new(),
		0x31, 0xc9, 0x0f, 0x01, 0xd0, // xor ecx, ecx; xgetbv
		0x0f, 0xc7, 0x26, // xsavec [rsi]
		0xc5, 0xfc, 0x77, // vzeroall
		0x0f, 0xae, 0x2e, // xrstor [rsi]
		0xcc)
	for i := range m.R.XMM {
		m.R.XMM[i], m.R.Upper[i] = [2]uint64{uint64(i), 1}, [2]uint64{2, uint64(i)}
	}
	m.R.UpperUsed = true
	m.R.GPR[cpu.RSI] = DataAt + 64
	want := m.R
	m.Expect(Exception(cpu.VectorBP), CodeAt+15, 6)
	if m.R.GPR[cpu.RAX] != cpu.XFeatures || m.R.GPR[cpu.RDX] != 0 {
		t.Errorf("XCR0: %#x %#x", m.R.GPR[cpu.RAX], m.R.GPR[cpu.RDX])
	}
	if m.R.XMM != want.XMM || m.R.Upper != want.Upper || !m.R.UpperUsed {
		t.Errorf("xmm %x upper %x", m.R.XMM, m.R.Upper)
	}
	if bv, form := m.Word(DataAt+64+cpu.XStateBV), m.Word(DataAt+64+cpu.XCompBV); bv != cpu.XFeatureSSE|cpu.XFeatureAVX || form != cpu.XCompact|cpu.XFeatures {
		t.Errorf("header %#x %#x", bv, form)
	}
	m.R.RIP = CodeAt + 5
	m.R.GPR[cpu.RSI] = DataAt + 32
	m.Expect(Exception(cpu.VectorGP), CodeAt+5, 0)
}

// xgetbv asks for XCR0, for what of it is in use, and for what there is not, between an
// instruction that sets flags and one that reads them.
func (n suite) xgetbv(t *testing.T) {
	m := NewMachine(t, n.new(),
		0xf9,             // stc
		0x0f, 0x01, 0xd0, // xgetbv
		0x83, 0xd3, 0x00, // adc ebx, 0
		0xcc)
	m.R.XMM[0][0] = 1
	for ecx, want := range []uint64{cpu.XFeatures, cpu.XFeatureSSE} {
		m.R.RIP = CodeAt
		m.R.GPR[cpu.RCX], m.R.GPR[cpu.RBX] = 1<<32|uint64(ecx), 0
		m.R.GPR[cpu.RAX], m.R.GPR[cpu.RDX] = ^uint64(0), ^uint64(0)
		m.Expect(Exception(cpu.VectorBP), CodeAt+8, 4)
		if g := &m.R.GPR; g[cpu.RAX] != want || g[cpu.RDX] != 0 || g[cpu.RBX] != 1 {
			t.Errorf("ECX %d: RAX %#x RDX %#x RBX %d, want %#x 0 1", ecx, g[cpu.RAX], g[cpu.RDX], g[cpu.RBX], want)
		}
	}
	m.R.RIP = CodeAt
	m.R.GPR[cpu.RCX] = 2
	m.Expect(Exception(cpu.VectorGP), CodeAt+1, 1)
}
