package x86

import "testing"

// TestSSEOpsHaveRows: every operation is decoded from something.
func TestSSEOpsHaveRows(t *testing.T) {
	seen := make(map[Op]bool)
	for _, r := range Rows() {
		seen[r.Op] = true
	}
	for op := FirstSSE; op < lastSSE; op++ {
		if !seen[op] {
			t.Errorf("operation %d has no row", op)
		}
	}
}

func TestDecodeSSE(t *testing.T) {
	reg := func(n, size uint8) Arg { return Arg{ArgXMM, n, size} }
	gpr := func(n, size uint8) Arg { return Arg{ArgReg, n, size} }
	mem := func(size uint8) Arg { return Arg{ArgMem, 0, size} }
	imm := Arg{ArgImm, 0, 1}
	for _, tc := range []struct {
		code string
		op   Op
		args []Arg
	}{
		{"\x0f\x28\xc1", MOVAPS, []Arg{reg(0, 16), reg(1, 16)}},
		{"\x44\x0f\x11\x06", MOVUPS, []Arg{mem(16), reg(8, 16)}},
		{"\x66\xf3\x0f\x10\xc1", MOVSS, []Arg{reg(0, 4), reg(1, 4)}}, // F3 wins over 66
		{"\xf2\x0f\x10\x06", MOVSD, []Arg{reg(0, 8), mem(8)}},
		{"\x0f\x12\xc1", MOVHLPS, []Arg{reg(0, 16), reg(1, 16)}},
		{"\x0f\x12\x06", MOVLPS, []Arg{reg(0, 8), mem(8)}},
		{"\x66\x49\x0f\x6e\xc0", MOVD, []Arg{reg(0, 16), gpr(8, 8)}},
		{"\x66\x0f\x7e\xc4", MOVD, []Arg{gpr(rspNumber, 4), reg(0, 16)}},
		{"\x66\x0f\x73\xf9\x04", PSLLDQ, []Arg{reg(1, 16), imm}},
		{"\x66\x0f\x3a\x14\x06\x03", PEXTRB, []Arg{mem(1), reg(0, 16), imm}},
		{"\x66\x0f\x3a\x14\xc4\x03", PEXTRB, []Arg{gpr(rspNumber, 4), reg(0, 16), imm}}, // not AH
		{"\x66\x0f\x38\x10\xca", PBLENDVB, []Arg{reg(1, 16), reg(2, 16), reg(0, 16)}},
		{"\xf2\x48\x0f\x2c\xc1", CVTTSD2SI, []Arg{gpr(0, 8), reg(1, 8)}},
		{"\x66\x0f\x3a\x63\xc1\x1a", PCMPISTRI, []Arg{reg(0, 16), reg(1, 16), imm}},
	} {
		in, err := Decode([]byte(tc.code))
		if err != nil || in.Op != tc.op || int(in.NArgs) != len(tc.args) || int(in.Len) != len(tc.code) {
			t.Errorf("% x: operation %d, %d operands, length %d, %v", tc.code, in.Op, in.NArgs, in.Len, err)
			continue
		}
		for i, want := range tc.args {
			if got := in.Args[i]; got != want {
				t.Errorf("% x: operand %d is %+v, want %+v", tc.code, i, got, want)
			}
		}
	}
	for _, code := range []string{
		"\x66\x0f\x12\xc1",     // MOVLPD needs memory
		"\x66\x0f\xd7\x06",     // PMOVMSKB a register
		"\xf0\x66\x0f\x6f\x06", // LOCK
		"\x0f\x38\x10\xc1",     // PBLENDVB without 66
		"\xf2\x66\x0f",         // cut off
	} {
		if in, err := Decode([]byte(code)); err == nil {
			t.Errorf("% x: decoded as operation %d", code, in.Op)
		}
	}
}

// rspNumber is RSP, or AH in a byte operand without REX.
const rspNumber = 4
