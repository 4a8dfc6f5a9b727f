package interp

import (
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
)

// BenchmarkSSE runs loops of sixteen copies of one instruction and reports the
// time of one.
func BenchmarkSSE(b *testing.B) {
	for _, bc := range []struct{ name, code string }{
		{"movaps-rr", "\x0f\x28\xc1"},
		{"movdqu-load", "\xf3\x0f\x6f\x06"},
		{"movups-store", "\x0f\x11\x06"},
		{"movsd-load", "\xf2\x0f\x10\x06"},
		{"pxor", "\x66\x0f\xef\xc1"},
		{"pcmpeqb", "\x66\x0f\x74\xc1"},
		{"pcmpeqb-mem", "\x66\x0f\x74\x06"},
		{"pmovmskb", "\x66\x0f\xd7\xc1"},
		{"pshufd", "\x66\x0f\x70\xc1\x1b"},
		{"pshufb", "\x66\x0f\x38\x00\xc1"},
		{"punpcklbw", "\x66\x0f\x60\xc1"},
		{"psubb", "\x66\x0f\xf8\xc1"},
		{"pslldq", "\x66\x0f\x73\xf8\x03"},
		{"pminud", "\x66\x0f\x38\x3b\xc1"},
		{"addsd", "\xf2\x0f\x58\xc1"},
		{"mulsd", "\xf2\x0f\x59\xc1"},
		{"divsd", "\xf2\x0f\x5e\xc1"},
		{"sqrtsd", "\xf2\x0f\x51\xc1"},
		{"ucomisd", "\x66\x0f\x2e\xc1"},
		{"cvtsi2sd", "\xf2\x48\x0f\x2a\xc2"},
		{"cvttsd2si", "\xf2\x48\x0f\x2c\xd1"},
		{"roundsd", "\x66\x0f\x3a\x0b\xc1\x09"},
		{"addps", "\x0f\x58\xc1"},
		{"pcmpistri", "\x66\x0f\x3a\x63\xc1\x1a"},
		{"pcmpestri", "\x66\x0f\x3a\x61\xc1\x00"},
	} {
		b.Run(bc.name, func(b *testing.B) { benchCode(b, bc.code, 0x1f80) })
	}
	b.Run("addsd-precise", func(b *testing.B) { benchCode(b, "\xf2\x0f\x58\xca", 0x1f80) })
	b.Run("mulsd-sticky", func(b *testing.B) { benchCode(b, "\xf2\x0f\x59\xc1", 0x1fa0) })
	b.Run("addsd-roundup", func(b *testing.B) { benchCode(b, "\xf2\x0f\x58\xc1", 0x5fa0) })
}

func benchCode(b *testing.B, insn string, mxcsr uint32) {
	const base = 0x10000000
	const copies = 16
	as := mm.NewAddressSpace(nil, nil)
	defer as.Put()
	r := mm.MapRequest{Addr: base, Len: 2 * mm.PageSize, Prot: mm.ProtRead | mm.ProtWrite | mm.ProtExec, Fixed: true}
	if _, errno := as.Map(r); errno != 0 {
		b.Fatal(errno)
	}
	var code []byte
	for range copies {
		code = append(code, insn...)
	}
	code = append(code, 0xeb, byte(-(len(code) + 2)))
	for va, p := range map[uint64][]byte{base: code, base + mm.PageSize: make([]byte, 64)} {
		if _, errno := as.CopyOut(va, p); errno != 0 {
			b.Fatal(errno)
		}
	}
	var regs cpu.Regs
	regs.Reset()
	regs.MXCSR, regs.RIP = mxcsr, base
	regs.GPR[cpu.RSI], regs.GPR[cpu.RAX], regs.GPR[cpu.RDX] = base+mm.PageSize, 4, 16
	for i := range regs.XMM {
		regs.XMM[i] = [2]uint64{0x3ff0000000000000, 0x3f8000003f800000}
	}
	regs.XMM[0][0] = 0x3ff3333333333333
	regs.XMM[2] = [2]uint64{} // adding zero is exact
	var v cpu.VCPU
	eng := New()
	b.ResetTimer()
	if trap, _ := eng.Run(&v, &regs, as, int64(b.N)); trap.Kind != cpu.TrapBudget {
		b.Fatalf("%+v", trap)
	}
}
