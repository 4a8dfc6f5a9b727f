package jit

import "github.com/tinevm/tine/internal/x86"

// Sets of arithmetic flags.
const (
	fC = 1 << iota
	fP
	fA
	fZ
	fS
	fO
	fAll = 1<<iota - 1
)

// effect is what an instruction does with the flags: those it reads, those it
// may write, and those it certainly writes.
type effect struct{ reads, may, must uint8 }

// passes is what must be right in the host's flags before the instruction if
// live is wanted after it.
func (e effect) passes(live uint8) uint8 {
	if e.may == 0 {
		return e.reads
	}
	return e.reads | live&^e.must
}

// before is what is live before the instruction.
func (e effect) before(live uint8) uint8 { return e.reads | live&^e.must }

// conditionReads has the flags that a condition code depends on, by half the
// code.
var conditionReads = [8]uint8{fO, fC, fZ, fC | fZ, fS, fP, fS | fO, fZ | fS | fO}

// effectOf describes an instruction that is translated. What the manual leaves
// undefined is taken as processors do it: flags that some leave as they were
// are not among those that are certainly written.
// varies says that it depends on more than the operation.
func effectOf(in *x86.Inst) (e effect, varies bool) {
	switch withoutVEX(in.Op) {
	case x86.ADD, x86.SUB, x86.AND, x86.OR, x86.XOR, x86.CMP, x86.TEST, x86.NEG, x86.XADD, x86.CMPXCHG,
		x86.MUL, x86.IMUL1, x86.IMUL2, x86.IMUL3, x86.POPCNT,
		x86.UCOMISS, x86.COMISS, x86.UCOMISD, x86.COMISD, x86.PTEST, x86.VTESTPS, x86.VTESTPD,
		x86.PCMPESTRI, x86.PCMPESTRM, x86.PCMPISTRI, x86.PCMPISTRM:
		return effect{0, fAll, fAll}, false
	case x86.ADC, x86.SBB:
		return effect{fC, fAll, fAll}, false
	case x86.INC, x86.DEC:
		return effect{0, fAll &^ fC, fAll &^ fC}, false
	case x86.SHL, x86.SHR, x86.SAR, x86.SHLD, x86.SHRD:
		return shiftEffect(in, 0, fAll, fAll), true
	case x86.ROL, x86.ROR:
		return shiftEffect(in, 0, fC|fO, fC), true
	case x86.RCL, x86.RCR:
		return shiftEffect(in, fC, fC|fO, fC), true
	case x86.BT, x86.BTS, x86.BTR, x86.BTC, x86.CLC, x86.STC:
		return effect{0, fC, fC}, false
	case x86.CMC:
		return effect{fC, fC, fC}, false
	case x86.BSF, x86.BSR:
		return effect{0, fAll, fZ}, false
	case x86.LZCNT, x86.TZCNT:
		return effect{0, fAll, fC | fZ}, false
	case x86.ANDN, x86.BLSI, x86.BLSMSK, x86.BLSR, x86.BZHI:
		return effect{0, fAll, fC | fZ | fS | fO}, false
	case x86.BEXTR:
		return effect{0, fAll, fC | fZ | fO}, false
	case x86.ADCX:
		return effect{fC, fC, fC}, false
	case x86.FCOMI, x86.FCOMIP, x86.FUCOMI, x86.FUCOMIP:
		return effect{0, fAll, fAll}, false
	case x86.FCMOVB, x86.FCMOVNB:
		return effect{fC, 0, 0}, false
	case x86.FCMOVE, x86.FCMOVNE:
		return effect{fZ, 0, 0}, false
	case x86.FCMOVBE, x86.FCMOVNBE:
		return effect{fC | fZ, 0, 0}, false
	case x86.FCMOVU, x86.FCMOVNU:
		return effect{fP, 0, 0}, false
	case x86.ADOX:
		return effect{fO, fO, fO}, false
	case x86.CMPXCHG8B, x86.CMPXCHG16B:
		return effect{0, fZ, fZ}, false
	case x86.SETCC, x86.CMOVCC, x86.JCC:
		return effect{conditionReads[in.Opcode&15>>1], 0, 0}, true
	case x86.LAHF:
		return effect{fAll &^ fO, 0, 0}, false
	case x86.SAHF:
		return effect{0, fAll &^ fO, fAll &^ fO}, false
	}
	return effect{}, false
}

// shiftEffect: a count of zero writes nothing.
func shiftEffect(in *x86.Inst, reads, may, must uint8) effect {
	if in.Args[max(in.NArgs, 1)-1].Kind != x86.ArgImm {
		return effect{reads, may, 0}
	}
	mask := int64(31)
	if in.Size == 8 {
		mask = 63
	}
	if in.Imm&mask == 0 {
		return effect{}
	}
	return effect{reads, may, must}
}
