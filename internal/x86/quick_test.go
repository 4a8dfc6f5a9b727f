package x86

import (
	"math/rand/v2"
	"testing"
)

// What quick decodes it decodes like decode.
func TestQuick(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var b [MaxLen]byte
	n := 0
	check := func() {
		got, want := Inst{Base: NoReg, Index: NoReg}, Inst{Base: NoReg, Index: NoReg}
		if !got.quick(b[:]) {
			if got != want {
				t.Fatalf("% x: not clear any more", b)
			}
			return
		}
		n++
		got.Form = FormOther
		if err := want.decode(b[:]); err != nil || got != want {
			t.Fatalf("% x: %+v\nwant %+v, %v", b, got, want, err)
		}
	}
	for range 3 {
		for opcode := range 512 {
			for modrm := range 256 {
				for i := range b {
					b[i] = byte(r.Uint32())
				}
				p := b[:0]
				if r.Uint32()&1 != 0 {
					p = append(p, 0x40|byte(r.Uint32()&15))
				}
				if opcode > 255 {
					p = append(p, 0x0f)
				}
				_ = append(p, byte(opcode), byte(modrm))
				check()
			}
		}
	}
	if n < 100000 {
		t.Errorf("only %d were", n)
	}
}
