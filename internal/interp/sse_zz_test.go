//go:build linux && amd64

package interp

import (
	"testing"

	"github.com/tinevm/tine/internal/x86"
)

func TestZZSurvey(t *testing.T) {
	n := startNative(t)
	defer n.end()
	var reqs []nativeRequest
	add := func(pfx []byte, mp []byte, opc byte) {
		for reg := byte(0); reg < 8; reg++ {
			for _, mod := range []byte{0x06, 0xc3} {
				var r nativeRequest
				code := append(append(append([]byte{}, pfx...), mp...), opc, reg<<3|mod, 0)
				r.Len = uint64(copy(r.Code[:], code)) 
				r.In.MXCSR = 0x1f80
				r.In.Flags = 0x202
				r.In.GPR[6] = nativeWindow
				r.In.GPR[7] = nativeWindow
				// The immediate is a no-op's start if it is none: 0x00 would be executed, so say how long.
				r.Code[r.Len-1] = 0x90
				reqs = append(reqs, r)
			}
		}
	}
	for _, p := range [][]byte{{}, {0x66}, {0xf3}, {0xf2}, {0x66, 0xf3}, {0x66, 0xf2}} {
		for op := 0x10; op < 0x100; op++ {
			if op < 0x18 || op >= 0x28 && op < 0x30 || op >= 0x50 && op < 0x80 || op >= 0xc2 && op < 0xc7 || op >= 0xd0 && op < 0xff {
				add(p, []byte{0x0f}, byte(op))
			}
		}
		for op := 0; op < 0x100; op++ {
			add(p, []byte{0x0f, 0x38}, byte(op))
			add(p, []byte{0x0f, 0x3a}, byte(op))
		}
	}
	outs := n.run(t, reqs)
	for i := range reqs {
		_, err := x86.Decode(reqs[i].Code[:])
		hw := outs[i].Vector != 6
		if hw != (err == nil) {
			t.Logf("% x: processor vector %d, decoder %v", reqs[i].Code[:reqs[i].Len], outs[i].Vector, err)
		}
	}
}
