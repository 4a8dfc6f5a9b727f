//go:build linux && amd64

package interp

import (
	"fmt"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// unreportedVEX names opcodes with VEX that the processor may have and that
// CPUID does not report in the guest, by map and opcode.
var unreportedVEX = map[string]string{
	"3.44": "VPCLMULQDQ of 256 bits", "2.dc": "VAES", "2.dd": "VAES", "2.de": "VAES", "2.df": "VAES",
	"2.cf": "GFNI", "3.ce": "GFNI", "3.cf": "GFNI",
	"2.50": "AVX-VNNI", "2.51": "AVX-VNNI", "2.52": "AVX-VNNI", "2.53": "AVX-VNNI",
	"2.b0": "AVX-NE-CONVERT", "2.b1": "AVX-NE-CONVERT", "2.72": "AVX-NE-CONVERT",
	"2.b4": "AVX-IFMA", "2.b5": "AVX-IFMA", "2.d2": "AVX-VNNI-INT16", "2.d3": "AVX-VNNI-INT16",
	"2.e0": "CMPCCXADD", "2.da": "SM4", "3.de": "SM3", "2.cb": "SHA512", "2.cc": "SHA512", "2.cd": "SHA512",
	"1.90": "AVX512", "1.91": "AVX512", "1.92": "AVX512", "1.93": "AVX512", "1.98": "AVX512", "1.99": "AVX512",
	"1.41": "AVX512", "1.42": "AVX512", "1.44": "AVX512", "1.45": "AVX512", "1.46": "AVX512", "1.47": "AVX512", "1.4a": "AVX512", "1.4b": "AVX512",
	"3.30": "AVX512", "3.31": "AVX512", "3.32": "AVX512", "3.33": "AVX512",
	"3.00": "VPERMQ whose W is clear, on AMD's", "3.01": "VPERMPD, likewise",
	"2.49": "AMX", "2.4b": "AMX", "2.5c": "AMX", "2.5e": "AMX",
}

// TestVEXEncodings is TestSSEEncodings for VEX: all opcodes of the three maps,
// prefixes, W and L, with a register in vvvv and without.
func TestVEXEncodings(t *testing.T) {
	if !hostHas("avx2") {
		t.Skip("the processor has no AVX2")
	}
	n := startNative(t)
	defer n.end()
	var reqs []nativeRequest
	var names []string
	for i := range 3 * 256 * 16 * 2 {
		m, opcode, rest, v := i>>13%3+1, byte(i), byte(i>>8&15), byte(i>>12&1)
		fields := 2
		switch name := fmt.Sprintf("%d.%02x", m, opcode); name {
		case "1.71", "1.72", "1.73", "1.ae", "2.f3": // groups
			fields = 16
		}
		for modrm := range fields {
			r := nativeRequest{In: nativeState{Flags: 0x202, MXCSR: mxDefault}}
			r.In.GPR[cpu.RSI], r.In.GPR[cpu.RDI] = nativeWindow, nativeWindow
			// VEX.W is the highest of rest. The operands are [rsi+riz] or of register 3,
			// and distinct, as gathers want them.
			code := []byte{0xc4, 0xe0 | byte(m), rest>>3<<7 | (15^v*7)<<3 | rest&7, opcode}
			if modrm&1 == 0 {
				code = append(code, byte(modrm>>1<<3)|4, 0x26)
			} else {
				code = append(code, byte(modrm>>1<<3)|0xc3)
			}
			r.Len = uint64(copy(r.Code[:], append(code, 0x90)))
			reqs = append(reqs, r)
			names = append(names, fmt.Sprintf("%d.%02x", m, opcode))
		}
	}
	bad := 0
	for i, out := range n.run(t, reqs) {
		in, err := x86.Decode(reqs[i].Code[:])
		if err == nil && (!hostHas(featureOf(in.Op)) || in.VSIB && (in.Args[0].Reg == 4 || in.VReg == 4 || in.Args[0].Reg == in.VReg)) {
			continue
		}
		known, native := err == nil, out.Vector != cpu.VectorUD
		if known != native && (known || unreportedVEX[names[i]] == "") {
			if bad++; bad < 40 {
				t.Errorf("% x: processor knows it: %v, decoder: %v", reqs[i].Code[:reqs[i].Len], native, known)
			}
		}
	}
	t.Logf("%d encodings, %d wrong", len(reqs), bad)
}
