package bpf

import (
	"testing"

	"pgregory.net/rapid"
)

func TestValid(t *testing.T) {
	ret := Insn{Code: RET | K}
	for _, tt := range []struct {
		name string
		prog []Insn
		want bool
	}{
		{"empty", nil, false},
		{"return a constant", []Insn{ret}, true},
		{"return A", []Insn{{Code: RET | A}}, true},
		{"return X", []Insn{{Code: RET | X}}, false},
		{"no return at the end", []Insn{ret, {Code: LD | IMM}}, false},
		{"the longest", append(make([]Insn, MaxInsns-1), ret), true},
		{"one more", append(make([]Insn, MaxInsns), ret), false},
		{"a code beyond a byte", []Insn{{Code: 0x100 | ALU}, ret}, false},
		{"divide by 0", []Insn{{Code: ALU | DIV | K}, ret}, false},
		{"divide by X", []Insn{{Code: ALU | DIV | X}, ret}, true},
		{"shift by 31", []Insn{{Code: ALU | LSH | K, K: 31}, ret}, true},
		{"shift by 32", []Insn{{Code: ALU | LSH | K, K: 32}, ret}, false},
		{"negate by X", []Insn{{Code: ALU | NEG | X}, ret}, false},
		{"exclusive or is the last operation", []Insn{{Code: ALU | XOR | X}, {Code: ALU | 0xb0}, ret}, false},
		{"jump to the end", []Insn{{Code: JMP | JA, K: 1}, ret}, false},
		{"jump to the last", []Insn{{Code: JMP | JA}, ret}, true},
		{"branch too far", []Insn{{Code: JMP | JEQ, JF: 1}, ret}, false},
		{"read a word that was not written", []Insn{{Code: LD | MEM, K: 3}, ret}, false},
		{"read a word that was", []Insn{{Code: ST, K: 3}, {Code: LD | MEM, K: 3}, ret}, true},
		{"written on one way only", []Insn{{Code: JMP | JEQ, JT: 1}, {Code: ST}, {Code: LD | MEM}, ret}, false},
		{"written on both ways", []Insn{{Code: JMP | JEQ, JT: 2}, {Code: ST}, {Code: JMP | JA, K: 1}, {Code: STX}, {Code: LD | MEM}, ret}, true},
		{"scratch word 16", []Insn{{Code: ST, K: 16}, ret}, false},
		{"doubleword load", []Insn{{Code: LD | sizeMask | ABS}, ret}, false},
		{"load X from the packet", []Insn{{Code: LDX | W | ABS}, ret}, false},
		{"header length", []Insn{{Code: LDX | B | MSH}, ret}, true},
	} {
		if got := Valid(tt.prog); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestRun(t *testing.T) {
	p := Packet{0x45, 1, 2, 3, 4, 5, 6, 7}
	for _, tt := range []struct {
		name string
		prog []Insn
		want uint32
	}{
		{"word", []Insn{{Code: LD | W | ABS, K: 1}, {Code: RET | A}}, 0x01020304},
		{"half", []Insn{{Code: LD | H | ABS, K: 6}, {Code: RET | A}}, 0x0607},
		{"outside", []Insn{{Code: LD | H | ABS, K: 7}, {Code: RET | K, K: 9}}, 0},
		{"indirect", []Insn{{Code: LDX | B | MSH}, {Code: LD | B | IND, K: ^uint32(0) - 14}, {Code: RET | A}}, 5},
		{"length", []Insn{{Code: LD | W | LEN}, {Code: MISC | TAX}, {Code: ALU | MUL | X}, {Code: RET | A}}, 64},
		{"by zero", []Insn{{Code: LD | IMM, K: 1}, {Code: ALU | MOD | X}, {Code: RET | K, K: 9}}, 0},
		{"negate", []Insn{{Code: LD | IMM, K: 1}, {Code: ALU | NEG}, {Code: RET | A}}, ^uint32(0)},
		{"scratch", []Insn{{Code: LD | IMM, K: 7}, {Code: ST, K: 15}, {Code: LDX | MEM, K: 15}, {Code: MISC | TXA}, {Code: RET | A}}, 7},
		{"set bits", []Insn{{Code: LD | IMM, K: 6}, {Code: JMP | JSET, K: 4, JT: 1}, {Code: RET | K}, {Code: RET | K, K: 1}}, 1},
		{"greater, unsigned", []Insn{{Code: LD | IMM, K: 1 << 31}, {Code: JMP | JGT, K: 4, JT: 1}, {Code: RET | K}, {Code: RET | K, K: 1}}, 1},
	} {
		if !Valid(tt.prog) {
			t.Errorf("%s: not valid", tt.name)
		} else if got := Run(tt.prog, p); got != tt.want {
			t.Errorf("%s: %#x, want %#x", tt.name, got, tt.want)
		}
	}
}

// Whatever passes the check ends, and reads nothing outside.
func TestValidProgramsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prog := Decode(rapid.SliceOfN(rapid.Byte(), 8, 400).Draw(t, "program"))
		for i := range prog {
			prog[i].Code &= 0xff
			prog[i].JT, prog[i].JF = prog[i].JT%8, prog[i].JF%8
			prog[i].K %= 20
		}
		prog = append(prog, Insn{Code: RET | A})
		if Valid(prog) {
			Run(prog, Packet("some bytes"))
		}
	})
}

// BenchmarkRun is a filter of a hundred comparisons.
func BenchmarkRun(b *testing.B) {
	prog := []Insn{{Code: LD | W | ABS}}
	for i := range uint32(100) {
		prog = append(prog, Insn{Code: JMP | JEQ | K, K: i})
	}
	prog = append(prog, Insn{Code: RET | K})
	for b.Loop() {
		Run(prog, Packet{0xff, 0xff, 0xff, 0xff})
	}
}
