package cputest

import (
	"testing"

	"github.com/tinevm/tine/internal/cpu"
)

// alignmentCheck has the alignment each kind of access needs (SDM vol. 3,
// table 7-7); RSI, RDI and RSP are moved over sixteen addresses.
func (n suite) alignmentCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  []byte
		align uint64
	}{
		{"mov byte", []byte{0x8a, 0x06}, 1},
		{"mov word", []byte{0x66, 0x8b, 0x06}, 2},
		{"mov", []byte{0x8b, 0x06}, 4},
		{"mov to memory", []byte{0x89, 0x06}, 4},
		{"mov quad", []byte{0x48, 0x89, 0x06}, 8},
		{"add", []byte{0x48, 0x01, 0x06}, 8},
		{"lock add", []byte{0xf0, 0x01, 0x06}, 4},
		{"xchg", []byte{0x48, 0x87, 0x06}, 8},
		{"bts", []byte{0x0f, 0xba, 0x2e, 1}, 4},
		{"push", []byte{0x50}, 8},
		{"pop", []byte{0x58}, 8},
		{"call", []byte{0xe8, 0, 0, 0, 0}, 8},
		{"enter", []byte{0xc8, 16, 0, 1}, 8},
		{"movsb", []byte{0xf3, 0xa4}, 1},
		{"movsd", []byte{0xf3, 0xa5}, 4},
		{"scasd", []byte{0xf2, 0xaf}, 4},
		{"prefetch", []byte{0x0f, 0x18, 0x06}, 1},
		{"lea", []byte{0x48, 0x8d, 0x06}, 1},
		{"movups", []byte{0x0f, 0x10, 0x06}, 16},
		{"movups to memory", []byte{0x0f, 0x11, 0x06}, 16},
		{"movsd xmm", []byte{0xf2, 0x0f, 0x10, 0x06}, 8},
		{"movss", []byte{0xf3, 0x0f, 0x10, 0x06}, 4},
		{"maskmovdqu", []byte{0x66, 0x0f, 0xf7, 0xc1}, 8},
		{"maskmovq", []byte{0x0f, 0xf7, 0xc1}, 8},
		{"fld double", []byte{0xdd, 0x06}, 8},
		{"fld extended", []byte{0xdb, 0x2e}, 8},
		{"fbstp", []byte{0xdf, 0x36}, 8},
		{"fnstenv", []byte{0xd9, 0x36}, 4},
		{"fnsave of 16 bits", []byte{0x66, 0xdd, 0x36}, 2},
		{"fldcw", []byte{0xd9, 0x2e}, 2},
	} {
		for off := range uint64(16) {
			m := NewMachine(t, n.new(), append(c.code, 0xcc)...)
			m.Read(DataAt, 1)
			m.R.Flags |= cpu.FlagAC
			for _, reg := range []int{cpu.RSI, cpu.RDI, cpu.RSP, cpu.RBP} {
				m.R.GPR[reg] = DataAt + 512 + off
			}
			m.R.GPR[cpu.RCX] = 2
			trap, _ := m.Run(1000)
			want := Exception(cpu.VectorBP)
			if off&(c.align-1) != 0 {
				want = Exception(cpu.VectorAC)
			}
			if trap != want {
				t.Errorf("%s at %d: %+v, want %+v", c.name, off, trap, want)
			}
			if want.Vector == cpu.VectorAC && (m.R.RIP != CodeAt || m.R.GPR[cpu.RSP] != DataAt+512+off) {
				t.Errorf("%s at %d: the exception left rip %#x, rsp %#x", c.name, off, m.R.RIP, m.R.GPR[cpu.RSP])
			}
		}
	}
}

// alignmentCheckByFlag: POPF turns it on for the next instruction, and off;
// what was translated meanwhile does not hide a misaligned access.
func (n suite) alignmentCheckByFlag(t *testing.T) {
	m := NewMachine(t, n.new(),
		0x8b, 0x46, 0x01, // mov 1(%rsi), %eax: warms the translation
		0x9c,                               // pushf
		0x81, 0x0c, 0x24, 0, 0, 0x04, 0x00, // orl $0x40000, (%rsp)
		0x9d,             // popf
		0x8b, 0x46, 0x04, // mov 4(%rsi), %eax
		0x8b, 0x46, 0x01, // mov 1(%rsi), %eax
		0xcc)
	m.R.GPR[cpu.RSI] = DataAt
	m.Expect(Exception(cpu.VectorAC), CodeAt+15, 5)
	m.R.Flags &^= cpu.FlagAC
	m.Expect(Exception(cpu.VectorBP), CodeAt+19, 2)
}
