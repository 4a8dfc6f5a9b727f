package jit

import "github.com/tinevm/tine/internal/x86"

// Instructions beyond x86-64-v2, which the host may have or not, and VEX.
//
// The upper halves of the YMM registers are the guest's as well. Where none of
// them is in use (cpu.Regs.UpperUsed) enter clears them all, so that machine code
// always has what the guest's registers have; what may write one says before
// that they are in use.

// optional reports whether an operation that only some hosts have is passed here.
func optional(op x86.Op) bool {
	h := &hostHas
	switch op {
	case x86.MOVBE:
		return h.movbe
	case x86.LZCNT:
		return h.lzcnt
	case x86.ADCX, x86.ADOX:
		return h.adx
	case x86.TZCNT, x86.ANDN, x86.BEXTR, x86.BLSI, x86.BLSMSK, x86.BLSR:
		return h.bmi1
	case x86.BZHI, x86.MULX, x86.PDEP, x86.PEXT, x86.RORX, x86.SARX, x86.SHLX, x86.SHRX:
		return h.bmi2
	case x86.PCLMULQDQ, x86.VEX + x86.PCLMULQDQ:
		return h.pclmul && (h.avx || op < x86.VEX)
	case x86.SHA1MSG1, x86.SHA1MSG2, x86.SHA1NEXTE, x86.SHA1RNDS4, x86.SHA256MSG1, x86.SHA256MSG2, x86.SHA256RNDS2:
		return h.sha
	case x86.VCVTPH2PS, x86.VCVTPS2PH:
		return h.f16c
	case x86.VPGATHERDD, x86.VPGATHERDQ, x86.VPGATHERQD, x86.VPGATHERQQ:
		return false
	}
	switch plain := withoutVEX(op); {
	case plain >= x86.AESDEC && plain <= x86.AESKEYGENASSIST:
		return h.aes && (h.avx || op < x86.VEX)
	case op < x86.VEX:
		return false
	case op >= x86.VFMADDSUBPS:
		return h.fma
	case op >= x86.FirstAVX:
		return h.avx2
	default:
		// What is not passed without VEX is not with it.
		return h.avx2 && sse(plain)
	}
}

// sse reports whether an operation is one of SSE that can be assembled again.
func sse(op x86.Op) bool {
	switch op {
	case x86.LDMXCSR, // may unmask exceptions
		x86.MASKMOVDQU, // has an implicit operand
		// Approximations, and the choice among NaNs, differ from processor to
		// processor.
		x86.DPPS, x86.DPPD,
		x86.RCPSS, x86.RCPPS, x86.RSQRTSS, x86.RSQRTPS:
		return false
	}
	return op >= x86.FirstSSE && op < x86.FirstX87
}

// MissingV3 reports whether the host has not all of x86-64-v3: then what of it
// is missing is left to the interpreter, and better not used.
func MissingV3() bool {
	for _, op := range []x86.Op{x86.MOVBE, x86.LZCNT, x86.TZCNT, x86.RORX, x86.VCVTPH2PS, x86.VFMADDPS, x86.VEX + x86.PADDB} {
		if !optional(op) {
			return true
		}
	}
	return false
}

// withoutVEX names an operation by what it is without VEX.
func withoutVEX(op x86.Op) x86.Op {
	if op >= x86.VEX && op < x86.FirstAVX {
		return op - x86.VEX
	}
	return op
}

// alignedVEX reports whether a memory operand must be aligned, as few must.
func alignedVEX(op x86.Op) bool {
	switch withoutVEX(op) {
	case x86.MOVAPS, x86.MOVAPD, x86.MOVDQA, x86.MOVNTPS, x86.MOVNTPD, x86.MOVNTDQ, x86.MOVNTDQA:
		return true
	}
	return false
}

// tooMany reports whether MULX writes two registers that are not in one: there is
// one temporary beside a memory operand.
func (in *inst) tooMany() bool {
	return in.Mem && hostOf[in.Args[0].Reg] == spilled && hostOf[in.Args[1].Reg] == spilled
}

// passVEX is pass for instructions with VEX.
func (t *translator) passVEX(in *inst) {
	t.noteUpper(in) // first: an access may be the interpreter's
	m := mem{base: none, index: none}
	hasMem := in.Mem
	if hasMem {
		m = t.access(in, operandOf(in))
	}
	t.need(in, &m)
	rf, rm, v := in.ModRM>>3&7|in.Rex&4<<1, in.ModRM&7|in.Rex&1<<3, in.VReg
	var back [2]struct{ home, temp uint8 }
	n := 0
	free := uint8(none) // a temporary with a source, for a destination
	temp := func() uint8 {
		switch {
		case free != none:
			tmp := free
			free = none
			return tmp
		case in.Mem:
			return t.spare(&m)
		case n > 0:
			t.lostT1()
			return hT1
		}
		return hT0
	}
	// Sources before destinations, which are not read.
	for i := int(in.NArgs) - 1; i >= 0; i-- {
		a := &in.Args[i]
		if a.Kind != x86.ArgReg {
			continue
		}
		h := hostOf[a.Reg]
		if h == spilled {
			writes := i == 0 || in.Op == x86.MULX && i == 1
			switch {
			case writes:
				h = temp()
				back[n].home, back[n].temp = a.Reg, h
				n++
			case in.Places[i] == 'E':
				m, hasMem = home(a.Reg), true
				continue
			default:
				h = temp()
				t.load(h, home(a.Reg))
				free = h
			}
		}
		switch in.Places[i] {
		case 'G':
			rf = h
		case 'B':
			v = h
		default:
			rm = h
		}
	}
	t.assembleVEX(in, rf, rm, v, m, hasMem)
	// The first operand last: MULX to one register leaves the high half.
	for _, b := range back[:n] {
		t.store(home(b.home), b.temp)
	}
	t.wrote(in)
}

// assembleVEX emits the instruction with other registers and memory operand.
func (t *translator) assembleVEX(in *inst, rf, rm, v uint8, m mem, hasMem bool) {
	index, base := uint8(none), rm
	if hasMem {
		index, base = m.index, m.base
	}
	p := in.raw[in.OpcodeAt:]
	opcodes, rest := byte(1), p[1]&7
	if p[0] == 0xc4 {
		opcodes, rest = p[1]&0x1f, p[2]&0x87
	}
	t.put3(0xc4, ^rexByte(false, rf, index, base)<<5|opcodes, rest|^v&15<<3)
	t.put1(in.Opcode)
	switch {
	case in.ModRMAt == 0:
	case hasMem:
		t.modMem(rf, m)
	default:
		t.put1(0xc0 | rf&7<<3 | rm&7)
	}
	t.put(in.raw[in.ImmAt:]...)
}

// noteUpper says that upper halves are in use before in uses one, or that they
// are not if it clears them.
func (t *translator) noteUpper(in *inst) {
	used := byte(1)
	switch {
	case in.Op == x86.VZEROUPPER || in.Op == x86.VZEROALL:
		used, t.upper = 0, false
	case t.upper || in.VL == 0 || in.Args[0].Kind != x86.ArgXMM:
		return
	default:
		t.upper = true
	}
	t.rex(false, 0, none, hB, false)
	t.put1(0xc6) // mov byte
	t.modMem(0, field(offUpperUsed))
	t.put1(used)
}
