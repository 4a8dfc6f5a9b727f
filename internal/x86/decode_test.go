package x86

import (
	"bufio"
	"encoding/hex"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func reg(n, size uint8) Arg { return Arg{ArgReg, n, size} }
func mem(size uint8) Arg    { return Arg{ArgMem, 0, size} }
func vec(n, size uint8) Arg { return Arg{ArgXMM, n, size} }
func imm(size uint8) Arg    { return Arg{ArgImm, 0, size} }

func TestKnownEncodings(t *testing.T) {
	for _, c := range []struct {
		code string
		want Inst
	}{
		{"48 89 e5", Inst{Op: MOV, Size: 8, NArgs: 2, Args: [4]Arg{reg(5, 8), reg(4, 8)}}},
		{"88 e0", Inst{Op: MOV, Size: 1, NArgs: 2, Args: [4]Arg{reg(0, 1), reg(High|0, 1)}}},
		{"40 88 e0", Inst{Op: MOV, Size: 1, NArgs: 2, Args: [4]Arg{reg(0, 1), reg(4, 1)}}},
		{"66 05 34 12", Inst{Op: ADD, Size: 2, NArgs: 2, Args: [4]Arg{reg(0, 2), imm(2)}, Imm: 0x1234}},
		{"48 05 ff ff ff ff", Inst{Op: ADD, Size: 8, NArgs: 2, Args: [4]Arg{reg(0, 8), imm(4)}, Imm: -1}},
		{"48 b8 88 77 66 55 44 33 22 11", Inst{Op: MOV, Size: 8, NArgs: 2, Args: [4]Arg{reg(0, 8), imm(8)}, Imm: 0x1122334455667788}},
		{"6a ff", Inst{Op: PUSH, Size: 8, NArgs: 1, Args: [4]Arg{imm(8)}, Imm: -1}},
		{"66 50", Inst{Op: PUSH, Size: 2, NArgs: 1, Args: [4]Arg{reg(0, 2)}}},
		{"41 54", Inst{Op: PUSH, Size: 8, NArgs: 1, Args: [4]Arg{reg(12, 8)}}},
		{"8b 05 10 00 00 00", Inst{Op: MOV, Size: 4, NArgs: 2, Args: [4]Arg{reg(0, 4), mem(4)}, Mem: true, RIPRel: true, Base: NoReg, Index: NoReg, Disp: 16}},
		{"8b 04 25 10 00 00 00", Inst{Op: MOV, Size: 4, NArgs: 2, Args: [4]Arg{reg(0, 4), mem(4)}, Mem: true, Base: NoReg, Index: NoReg, Disp: 16}},
		{"64 48 8b 04 25 28 00 00 00", Inst{Op: MOV, Size: 8, NArgs: 2, Args: [4]Arg{reg(0, 8), mem(8)}, Mem: true, Seg: SegFS, Base: NoReg, Index: NoReg, Disp: 0x28}},
		{"42 8d 44 a3 f8", Inst{Op: LEA, Size: 4, NArgs: 2, Args: [4]Arg{reg(0, 4), mem(0)}, Mem: true, Base: 3, Index: 12, Scale: 2, Disp: -8}},
		{"41 8b 45 00", Inst{Op: MOV, Size: 4, NArgs: 2, Args: [4]Arg{reg(0, 4), mem(4)}, Mem: true, Base: 13, Index: NoReg}},
		{"41 8b 04 24", Inst{Op: MOV, Size: 4, NArgs: 2, Args: [4]Arg{reg(0, 4), mem(4)}, Mem: true, Base: 12, Index: NoReg}},
		{"a1 08 07 06 05 04 03 02 01", Inst{Op: MOV, Size: 4, NArgs: 2, Args: [4]Arg{reg(0, 4), mem(4)}, Mem: true, Base: NoReg, Index: NoReg, Disp: 0x0102030405060708}},
		{"f0 0f b1 0a", Inst{Op: CMPXCHG, Size: 4, Lock: true, NArgs: 2, Args: [4]Arg{mem(4), reg(1, 4)}, Mem: true, Base: 2, Index: NoReg}},
		{"f3 48 ab", Inst{Op: STOS, Size: 8, Rep: 0xf3, NArgs: 1, Args: [4]Arg{{ArgStr, 'Y', 8}}}},
		{"90", Inst{Op: NOP, Size: 4}},
		{"f3 90", Inst{Op: PAUSE, Size: 4, Rep: 0xf3}},
		{"41 90", Inst{Op: XCHG, Size: 4, NArgs: 2, Args: [4]Arg{reg(8, 4), reg(0, 4)}}},
		{"f3 0f 1e fa", Inst{Op: NOP, Size: 4, Rep: 0xf3, NArgs: 2, Args: [4]Arg{reg(2, 4), reg(7, 4)}}},
		{"f3 0f bc c1", Inst{Op: TZCNT, Size: 4, Rep: 0xf3, NArgs: 2, Args: [4]Arg{reg(0, 4), reg(1, 4)}}},
		{"f3 48 0f b8 c1", Inst{Op: POPCNT, Size: 8, Rep: 0xf3, NArgs: 2, Args: [4]Arg{reg(0, 8), reg(1, 8)}}},
		{"66 f2 0f 38 f1 c1", Inst{Op: CRC32, Size: 4, Rep: 0xf2, NArgs: 2, Args: [4]Arg{reg(0, 4), reg(1, 2)}}},
		{"75 fe", Inst{Op: JCC, Size: 8, NArgs: 1, Args: [4]Arg{{ArgRel, 0, 1}}, Imm: -2}},
		{"66 e8 00 01 00 00", Inst{Op: CALL, Size: 8, NArgs: 1, Args: [4]Arg{{ArgRel, 0, 4}}, Imm: 256}},
		{"c8 10 00 01", Inst{Op: ENTER, Size: 8, NArgs: 2, Args: [4]Arg{imm(2), imm(1)}, Imm: 16, Imm2: 1}},
		{"48 0f c7 0e", Inst{Op: CMPXCHG16B, Size: 16, NArgs: 1, Args: [4]Arg{mem(16)}, Mem: true, Base: 6, Index: NoReg}},
		{"66 0f be c1", Inst{Op: MOVSX, Size: 2, NArgs: 2, Args: [4]Arg{reg(0, 2), reg(1, 1)}}},
		{"48 66 90", Inst{Op: NOP, Size: 2}}, // REX before a prefix has no effect
		{"66 f3 0f bd 06", Inst{Op: LZCNT, Size: 2, NArgs: 2, Args: [4]Arg{reg(0, 2), mem(2)}, Rep: 0xf3, Mem: true, Base: 6, Index: NoReg}},
		{"66 48 0f 38 f0 06", Inst{Op: MOVBE, Size: 8, NArgs: 2, Args: [4]Arg{reg(0, 8), mem(8)}, Mem: true, Base: 6, Index: NoReg}},
		{"66 0f 38 f1 06", Inst{Op: MOVBE, Size: 2, NArgs: 2, Args: [4]Arg{mem(2), reg(0, 2)}, Mem: true, Base: 6, Index: NoReg}},
		{"c4 c2 b8 f2 c1", Inst{Op: ANDN, Size: 8, NArgs: 3, Args: [4]Arg{reg(0, 8), reg(8, 8), reg(9, 8)}, Vex: true, VReg: 8}},
		{"c4 e3 fb f0 06 07", Inst{Op: RORX, Size: 8, NArgs: 3, Args: [4]Arg{reg(0, 8), mem(8), imm(1)}, Rep: 0xf2, Vex: true, Mem: true, Base: 6, Index: NoReg, Imm: 7}},
		{"c5 fd fc d1", Inst{Op: VEX + PADDB, Size: 32, NArgs: 3, Args: [4]Arg{vec(2, 32), vec(0, 32), vec(1, 32)}, Vex: true, VL: 1}},
		{"c4 43 21 4a 2e f0", Inst{Op: VEX + BLENDVPS, Size: 16, NArgs: 4, Args: [4]Arg{vec(13, 16), vec(11, 16), mem(16), vec(15, 16)}, Vex: true, VReg: 11, Mem: true, Base: 14, Index: NoReg, Imm: 0xf0}},
		{"c4 e2 f5 90 04 26", Inst{Op: VPGATHERDQ, Size: 32, NArgs: 3, Args: [4]Arg{vec(0, 32), mem(8), vec(1, 32)}, Vex: true, VL: 1, VReg: 1, Mem: true, VSIB: true, Base: 6, Index: 4}},
		{"c4 e2 7d 31 06", Inst{Op: VEX + PMOVZXBD, Size: 32, NArgs: 2, Args: [4]Arg{vec(0, 32), mem(8)}, Vex: true, VL: 1, Mem: true, Base: 6, Index: NoReg}},
	} {
		b := unhex(c.code)
		got, err := Decode(append(append([]byte{}, b...), 0xcc, 0xcc))
		if err != nil {
			t.Errorf("%s: %v", c.code, err)
			continue
		}
		if int(got.Len) != len(b) {
			t.Errorf("%s: length %d", c.code, got.Len)
		}
		// What the rows above leave out.
		c.want.Len, c.want.Row, c.want.Opcode, c.want.ModRM, c.want.Rex = got.Len, got.Row, got.Opcode, got.ModRM, got.Rex
		c.want.OpcodeAt, c.want.ModRMAt, c.want.ImmAt, c.want.Places = got.OpcodeAt, got.ModRMAt, got.ImmAt, got.Places
		if !c.want.Mem {
			c.want.Base, c.want.Index = NoReg, NoReg
		}
		if got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.code, got, c.want)
		}
		for i := range b {
			if _, err := Decode(b[:i]); err != ErrShort {
				t.Errorf("%s cut to %d bytes: %v", c.code, i, err)
			}
		}
	}
}

func TestInvalid(t *testing.T) {
	for _, c := range []string{
		"06", "27", "60", "62 f1", "c4 e2 00 77", "c5 f9 77", "c5 f0 77", "c4 ff 78 f2", "d6", "9a 00", "ea 00", // not in 64-bit mode, and VEX
		"f0 89 00",                                                 // LOCK on a move
		"f0 01 c0",                                                 // LOCK on a register
		"f0 83 38 00",                                              // LOCK CMP
		"8d c0",                                                    // LEA of a register
		"0f c7 c8",                                                 // CMPXCHG8B of a register
		"c4 e2 7c f2 c0", "66 c4 e2 78 f2 c0", "48 c4 e2 78 f2 c0", // ANDN of 256 bits, after 66, after REX
		"c4 e3 73 f0 c0 01", // RORX with a register in vvvv
		"c4 e2 79 90 06",    // VPGATHERDD without SIB
		"c4 e3 79 00 c0 00", // VPERMQ of 128 bits
		"fe 10", "ff 38", "8f 08",
	} {
		if in, err := Decode(append(unhex(c), make([]byte, 12)...)); err != ErrInvalid {
			t.Errorf("%s: %v, op %d", c, err, in.Op)
		}
	}
	long := append(make([]byte, 0, 16), unhex("66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90")...)
	if _, err := Decode(long); err != ErrTooLong {
		t.Errorf("16 bytes: %v", err)
	}
	if in, err := Decode(long[1:]); err != nil || in.Len != 15 {
		t.Errorf("15 bytes: %v", err)
	}
}

// TestAgainstObjdump compares lengths over a whole program of the host.
func TestAgainstObjdump(t *testing.T) {
	program := "/bin/bash"
	if p := os.Getenv("X86_PROGRAM"); p != "" {
		program = p
	}
	if _, err := exec.LookPath("objdump"); err != nil {
		t.Skip("needs objdump")
	}
	cmd := exec.Command("objdump", "-d", "-w", "-z", "-j", ".text", program)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Skip(err)
	}
	n, bad, unknown := 0, 0, 0
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if len(f) < 3 || strings.Contains(f[2], "(bad)") {
			continue
		}
		if op := strings.Fields(f[2])[0]; op[0] == 'v' || op == "data16" || strings.HasPrefix(f[1], "9b ") || strings.HasPrefix(op, "rex") {
			continue // AVX; prefixes and WAIT shown as part of the next
		}
		b := unhex(strings.TrimSpace(f[1]))
		n++
		in, err := Decode(b)
		switch {
		case err == ErrInvalid:
			if unknown++; testing.Verbose() {
				t.Logf("unknown: %s", lines.Text())
			}
		case err != nil || int(in.Len) != len(b):
			if bad++; bad < 20 {
				t.Errorf("%s: %v, length %d", lines.Text(), err, in.Len)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Skipf("objdump: %v", err)
	}
	if n == 0 {
		t.Skip("no x86-64 code found in " + program)
	}
	if unknown > n/1000 {
		t.Errorf("%d of %d instructions unknown", unknown, n)
	}
	t.Logf("%d instructions, %d unknown", n, unknown)
}

// Whatever the bytes, Decode returns, and a length it reports is one it read.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"48 89 e5", "f0 0f b1 0a", "66 0f 3a 0f c1 04", "f2 0f 10 04 25 00 00 00 00", "9b d9 3c 24", "c8 10 00 01"} {
		f.Add(unhex(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := Decode(b)
		if err != nil {
			return
		}
		if in.Len == 0 || int(in.Len) > len(b) || in.Len > MaxLen {
			t.Fatalf("% x: length %d", b, in.Len)
		}
		again, err := Decode(b[:in.Len])
		if err != nil || again != in {
			t.Fatalf("% x: depends on bytes after the instruction: %v", b, err)
		}
		if _, err := Decode(b[:in.Len-1]); err == nil {
			t.Fatalf("% x: complete without its last byte", b)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	code := unhex("48 89 e5 41 54 8b 05 10 00 00 00 48 83 c4 10 75 fe 0f b6 44 24 08 c3 90 90 90 90 90 90 90 90 90 90 90 90")
	var in Inst
	for b.Loop() {
		for off := 0; off < 20; off += int(in.Len) {
			if err := DecodeInto(&in, code[off:]); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		code               string
		opcode, modrm, imm uint8
		places             string
	}{
		{"48 89 e5", 1, 2, 3, "EG"},
		{"f0 49 0f b1 54 24 08", 2, 4, 7, "EG"},
		{"66 0f 3a 0f 44 8b 10 04", 1, 4, 7, "VWI"},
		{"41 bc 01 00 00 00", 1, 0, 2, "ZI"},
		{"d3 e0", 0, 1, 2, "E\x00"},
		{"eb 00", 0, 0, 1, "J"},
	} {
		in, err := Decode(unhex(c.code))
		if err != nil {
			t.Fatal(err)
		}
		if in.OpcodeAt != c.opcode || in.ModRMAt != c.modrm || in.ImmAt != c.imm || string(in.Places[:in.NArgs]) != c.places {
			t.Errorf("%s: opcode %d, ModRM %d, immediate %d, places %q", c.code, in.OpcodeAt, in.ModRMAt, in.ImmAt, in.Places[:in.NArgs])
		}
	}
}
