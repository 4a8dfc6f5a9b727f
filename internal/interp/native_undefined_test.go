//go:build linux && amd64

package interp

import (
	"bytes"
	"os"
	"strings"
	"sync"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// What a comparison with the processor must leave out: flags that the manual
// calls undefined, and the few places where AMD's manual and Intel's disagree.
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

// flagsOfCond has the flags that condition code 2i and 2i+1 read.
var flagsOfCond = [8]uint64{
	cpu.FlagOF, cpu.FlagCF, cpu.FlagZF, cpu.FlagCF | cpu.FlagZF,
	cpu.FlagSF, cpu.FlagPF, cpu.FlagSF | cpu.FlagOF, cpu.FlagZF | cpu.FlagSF | cpu.FlagOF,
}

// flagEffect is what an instruction does with arithmetic flags: what it reads,
// what it gives a value, and what it leaves undefined (SDM vol. 1, appendix A,
// and the pages of the instructions in vol. 2). Ops without an entry here do
// not leave anything undefined, except that logical ones leave AF so, which all
// processors clear.
func flagEffect(in *x86.Inst, rcx uint64) (reads, defines, undefines uint64) {
	const szp = cpu.FlagSF | cpu.FlagZF | cpu.FlagPF
	switch in.Op {
	case x86.JCC, x86.SETCC, x86.CMOVCC:
		return flagsOfCond[in.Opcode>>1&7], 0, 0
	case x86.ADC, x86.SBB:
		return cpu.FlagCF, arithFlags, 0
	case x86.INC, x86.DEC:
		return 0, arithFlags &^ cpu.FlagCF, 0
	case x86.ADD, x86.SUB, x86.CMP, x86.NEG, x86.AND, x86.OR, x86.XOR, x86.TEST:
		return 0, arithFlags, 0
	case x86.MUL, x86.IMUL1, x86.IMUL2, x86.IMUL3:
		return 0, cpu.FlagCF | cpu.FlagOF, szp | cpu.FlagAF
	case x86.DIV, x86.IDIV:
		return 0, 0, arithFlags
	case x86.BSF, x86.BSR:
		return 0, cpu.FlagZF, arithFlags &^ cpu.FlagZF
	case x86.LZCNT, x86.TZCNT:
		return 0, cpu.FlagZF | cpu.FlagCF, arithFlags &^ (cpu.FlagZF | cpu.FlagCF)
	case x86.ADCX:
		return cpu.FlagCF, cpu.FlagCF, 0
	case x86.ADOX:
		return cpu.FlagOF, cpu.FlagOF, 0
	case x86.ANDN, x86.BLSI, x86.BLSMSK, x86.BLSR, x86.BZHI:
		return 0, arithFlags &^ (cpu.FlagAF | cpu.FlagPF), cpu.FlagAF | cpu.FlagPF
	case x86.BEXTR:
		return 0, cpu.FlagCF | cpu.FlagOF | cpu.FlagZF, arithFlags &^ (cpu.FlagCF | cpu.FlagOF | cpu.FlagZF)
	case x86.BT, x86.BTS, x86.BTR, x86.BTC:
		return 0, cpu.FlagCF, 0 // the others are undefined, but all leave them alone
	case x86.SHL, x86.SHR, x86.SAR, x86.ROL, x86.ROR, x86.RCL, x86.RCR, x86.SHLD, x86.SHRD:
		return shiftEffect(in, rcx)
	}
	return 0, 0, 0
}

// shiftEffect: OF is defined for a count of one only, CF of shifts for counts
// up to the operand's size, or less than it.
func shiftEffect(in *x86.Inst, rcx uint64) (reads, defines, undefines uint64) {
	const szp = cpu.FlagSF | cpu.FlagZF | cpu.FlagPF
	n, bits := uint64(in.Imm), uint64(in.Size)*8
	if in.Args[in.NArgs-1].Kind == x86.ArgReg {
		n = rcx
	}
	if bits == 64 {
		n &= 63
	} else {
		n &= 31
	}
	if n == 0 {
		return 0, 0, 0
	}
	defines = cpu.FlagCF | cpu.FlagOF
	switch in.Op {
	case x86.RCL, x86.RCR:
		reads = cpu.FlagCF
	case x86.SHL, x86.SHR:
		defines, undefines = defines|szp, cpu.FlagAF
		if n >= bits {
			undefines |= cpu.FlagCF
		}
	case x86.SAR:
		defines, undefines = defines|szp, cpu.FlagAF
	case x86.SHLD, x86.SHRD:
		defines, undefines = defines|szp, cpu.FlagAF
		if n > bits {
			undefines = arithFlags
		}
	}
	if n != 1 {
		undefines |= cpu.FlagOF
	}
	return reads, defines &^ undefines, undefines
}

// flow follows undefined flags through an instruction. It is false if the
// instruction reads one: then nothing after it can be compared.
func flow(undefined *uint64, in *x86.Inst, rcx uint64) bool {
	reads, defines, undefines := flagEffect(in, rcx)
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
	_, _, u := shiftEffect(in, rcx)
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
