//go:build linux && amd64

package interp

import (
	"bytes"
	"os"
	"strings"
	"sync"

	"github.com/tinevm/tine/internal/x86"
)

// What a comparison with the processor must leave out: flags that the manual
// calls undefined (x86.FlagEffect), and the few places where AMD's manual and Intel's disagree.
// The guest's processor says it is Intel's.

// hostAMD says that the host's processor is AMD's.
var hostAMD = sync.OnceValue(func() bool {
	b, _ := os.ReadFile("/proc/cpuinfo")
	return bytes.Contains(b, []byte("AuthenticAMD"))
})

// hostHas says whether the host's processor has a feature, by the name Linux
// gives it.
func hostHas(feature string) bool {
	return feature == "" || strings.Contains(hostFlags(), " "+feature+" ")
}

var hostFlags = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	_, b, _ = bytes.Cut(b, []byte("\nflags"))
	b, _, _ = bytes.Cut(b, []byte("\n"))
	return string(b) + " "
})

// featureOf is what the host must have for an operation to be compared.
func featureOf(op x86.Op) string {
	if op >= x86.VEX {
		switch {
		case op >= x86.VFMADDSUBPS:
			return "fma"
		case op == x86.VCVTPH2PS || op == x86.VCVTPS2PH:
			return "f16c"
		}
		return "avx2"
	}
	switch op {
	case x86.XSAVE, x86.XRSTOR, x86.XGETBV:
		return "xsave"
	case x86.XSAVEC:
		return "xsavec"
	case x86.MOVBE:
		return "movbe"
	case x86.LZCNT:
		return "abm"
	case x86.ADCX, x86.ADOX:
		return "adx"
	case x86.ANDN, x86.BEXTR, x86.BLSI, x86.BLSMSK, x86.BLSR, x86.TZCNT:
		return "bmi1"
	case x86.BZHI, x86.MULX, x86.PDEP, x86.PEXT, x86.RORX, x86.SARX, x86.SHLX, x86.SHRX:
		return "bmi2"
	case x86.PCLMULQDQ:
		return "pclmulqdq"
	case x86.AESDEC, x86.AESDECLAST, x86.AESENC, x86.AESENCLAST, x86.AESIMC, x86.AESKEYGENASSIST:
		return "aes"
	case x86.RDGSBASE, x86.WRGSBASE:
		return "fsgsbase"
	}
	if crypto(op) {
		return "sha_ni"
	}
	return ""
}

// crypto says that an optional operation is one on XMM registers.
func crypto(op x86.Op) bool { return op >= x86.FirstCrypto && op <= x86.LastCrypto }

// flow follows undefined flags through an instruction. It is false if the
// instruction reads one: then nothing after it can be compared.
func flow(undefined *uint64, in *x86.Inst, rcx uint64) bool {
	reads, defines, undefines := x86.FlagEffect(in, rcx)
	if reads&*undefined != 0 {
		return false
	}
	*undefined = *undefined&^defines | undefines
	return true
}

// undefinedAfter has the flags that are undefined after a sequence whose
// instructions do not read any that is.
func undefinedAfter(code []byte) (undefined uint64) {
	for len(code) > 0 {
		in, err := x86.Decode(code)
		if err != nil || !flow(&undefined, &in, 0) {
			panic("the generator made a sequence that depends on undefined flags")
		}
		code = code[in.Len:]
	}
	return undefined
}

// undefinedResult: a double shift of 16 bits by more than 16.
func undefinedResult(in *x86.Inst, rcx uint64) bool {
	if in.Op != x86.SHLD && in.Op != x86.SHRD {
		return false
	}
	_, _, u := x86.FlagEffect(in, rcx)
	return u == arithFlags
}

// faultOrder reports whether a case differs only in which of a page fault and
// an alignment check comes first, which the architecture leaves open.
func faultOrder(want, got *hwOutcome) bool {
	align := func(o *hwOutcome) bool { return o.Signal == 7 && o.Code == busAlign }
	return !hostAMD() && (align(want) && got.Signal == 11 || align(got) && want.Signal == 11)
}

// differsOnAMD says that AMD's processors do something else with these bytes,
// as their manual says (APM vol. 3).
func differsOnAMD(row *x86.Row, in *x86.Inst, code []byte) bool {
	switch {
	case strings.Contains(row.Attr, "f64"):
		return code[0] == 0x66 // near branches of 16 bits
	case in.Op == x86.PAUSE:
		return in.Rex&1 != 0 // XCHG R8, RAX
	case in.Op == x86.PREFETCH:
		return in.ModRM >= 0xc0 // #UD
	}
	return false
}

// amdLeaves makes got equal to want in what AMD's processors leave behind
// when an instruction faults: a repeated CMPS or SCAS the flags of the last
// element (Intel's: those from before, SDM vol. 2, REP), and a call to an
// address that is not canonical the return address.
func amdLeaves(in *x86.Inst, want, got *hwOutcome) {
	if !hostAMD() || want.Signal != 11 && want.Signal != 7 {
		return
	}
	switch in.Op {
	case x86.CMPS, x86.SCAS:
		if in.Rep != 0 {
			got.Flags = got.Flags&^arithFlags | want.Flags&arithFlags
		}
	case x86.CALLIND:
		got.Hash = want.Hash
	case x86.RETF: // looks at the stack beyond before it refuses a segment
		if got.Signal == 11 && got.Addr == 0 {
			got.Signal, got.Code, got.Addr = want.Signal, want.Code, want.Addr
		}
	}
}
