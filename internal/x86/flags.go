package x86

// The arithmetic flags, where RFLAGS has them (SDM vol. 1, figure 3-8).
const (
	flagCF = 1 << 0
	flagPF = 1 << 2
	flagAF = 1 << 4
	flagZF = 1 << 6
	flagSF = 1 << 7
	flagOF = 1 << 11

	flagSZP  = flagSF | flagZF | flagPF
	allFlags = flagSZP | flagCF | flagAF | flagOF
)

// flagsOfCond has the flags that condition code 2i and 2i+1 read.
var flagsOfCond = [8]uint64{
	flagOF, flagCF, flagZF, flagCF | flagZF,
	flagSF, flagPF, flagSF | flagOF, flagZF | flagSF | flagOF,
}

// FlagEffect is what an instruction does with the arithmetic flags: which it reads,
// which it gives a value, and which it leaves undefined (SDM vol. 1, appendix A,
// and the pages of the instructions in vol. 2). rcx is what RCX has before. Logical
// operations leave AF undefined by the manual, but all processors clear it.
func FlagEffect(in *Inst, rcx uint64) (reads, defines, undefines uint64) {
	switch in.Op {
	case JCC, SETCC, CMOVCC:
		return flagsOfCond[in.Opcode>>1&7], 0, 0
	case ADC, SBB:
		return flagCF, allFlags, 0
	case INC, DEC:
		return 0, allFlags &^ flagCF, 0
	case ADD, SUB, CMP, NEG, AND, OR, XOR, TEST, XADD, CMPXCHG, CMPS, SCAS, POPF, POPCNT:
		return 0, allFlags, 0
	case UCOMISS, COMISS, UCOMISD, COMISD, PTEST, PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM,
		VEX + UCOMISS, VEX + COMISS, VEX + UCOMISD, VEX + COMISD, VEX + PTEST, VTESTPS, VTESTPD,
		VEX + PCMPESTRI, VEX + PCMPESTRM, VEX + PCMPISTRI, VEX + PCMPISTRM,
		FCOMI, FCOMIP, FUCOMI, FUCOMIP:
		return 0, allFlags, 0
	case PUSHF:
		return allFlags, 0, 0
	case LAHF:
		return allFlags &^ flagOF, 0, 0
	case SAHF:
		return 0, allFlags &^ flagOF, 0
	case CMPXCHG8B, CMPXCHG16B:
		return 0, flagZF, 0
	case CLC, STC:
		return 0, flagCF, 0
	case CMC:
		return flagCF, flagCF, 0
	case MUL, IMUL1, IMUL2, IMUL3:
		return 0, flagCF | flagOF, flagSZP | flagAF
	case DIV, IDIV:
		return 0, 0, allFlags
	case BSF, BSR:
		return 0, flagZF, allFlags &^ flagZF
	case LZCNT, TZCNT:
		return 0, flagZF | flagCF, allFlags &^ (flagZF | flagCF)
	case ADCX:
		return flagCF, flagCF, 0
	case ADOX:
		return flagOF, flagOF, 0
	case ANDN, BLSI, BLSMSK, BLSR, BZHI:
		return 0, allFlags &^ (flagAF | flagPF), flagAF | flagPF
	case BEXTR:
		return 0, flagCF | flagOF | flagZF, allFlags &^ (flagCF | flagOF | flagZF)
	case BT, BTS, BTR, BTC:
		return 0, flagCF, 0 // the others are undefined, but all leave them alone
	case SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD:
		return shiftEffect(in, rcx)
	}
	return 0, 0, 0
}

// shiftEffect: OF is defined for a count of one only, CF of shifts for counts
// up to the operand's size, or less than it.
func shiftEffect(in *Inst, rcx uint64) (reads, defines, undefines uint64) {
	n, bits := uint64(in.Imm), uint64(in.Size)*8
	if in.Args[in.NArgs-1].Kind == ArgReg {
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
	defines = flagCF | flagOF
	switch in.Op {
	case RCL, RCR:
		reads = flagCF
	case SHL, SHR:
		defines, undefines = defines|flagSZP, flagAF
		if n >= bits {
			undefines |= flagCF
		}
	case SAR:
		defines, undefines = defines|flagSZP, flagAF
	case SHLD, SHRD:
		defines, undefines = defines|flagSZP, flagAF
		if n > bits {
			undefines = allFlags
		}
	}
	if n != 1 {
		undefines |= flagOF
	}
	return reads, defines &^ undefines, undefines
}
