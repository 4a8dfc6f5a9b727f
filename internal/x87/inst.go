package x87

// Op numbers the operations that D8, DA, DC and DE have in common, as the
// reg field of ModRM encodes them. Reversed operations exchange operands.
type Op uint8

const (
	Add Op = iota
	Mul
	Com
	Comp
	Sub
	Subr
	Div
	Divr
)

var arith = [8]func(a, b F80, cw, de uint16) (F80, uint16){
	Add: add, Mul: mul, Sub: sub, Subr: subr, Div: div, Divr: divr,
}

// Arith is FADD and its kin on registers: ST(dst) = ST(dst) op ST(src).
func (s *State) Arith(op Op, dst, src int, pop bool) {
	if s.empty(dst) || s.empty(src) {
		if s.underflow(dst) && pop {
			s.pop()
		}
		return
	}
	r, ex := arith[op](s.st(dst), s.st(src), s.CW, 0)
	if s.raise(ex) {
		return
	}
	s.set(dst, r)
	if pop {
		s.pop()
	}
}

// ArithMem is FADD and its kin with a memory operand, as FromF32, FromF64 or
// FromInt give it.
func (s *State) ArithMem(op Op, v F80, de uint16) {
	if s.empty(0) {
		s.underflow(0)
		return
	}
	r, ex := arith[op](s.st(0), v, s.CW, de)
	if !s.raise(ex) {
		s.set(0, r)
	}
}

// FromInt converts an integer memory operand; it is exact.
func FromInt(v int64) F80 { return fromInt(v) }

// Compare is FCOM (FUCOM with quiet) against ST(i), and pops.
func (s *State) Compare(i int, quiet bool, pops int) {
	if s.empty(0) || s.empty(i) {
		s.setCompared(C0|C2|C3, IE|SF, pops)
		return
	}
	cc, ex := compare(s.st(0), s.st(i), quiet, 0)
	s.setCompared(cc, ex, pops)
}

// CompareMem is FCOM or FICOM with a memory operand.
func (s *State) CompareMem(v F80, de uint16, pops int) {
	if s.empty(0) {
		s.setCompared(C0|C2|C3, IE|SF, pops)
		return
	}
	cc, ex := compare(s.st(0), v, false, de)
	s.setCompared(cc, ex, pops)
}

// Test is FTST: a comparison with zero.
func (s *State) Test() { s.CompareMem(F80{}, 0, 0) }

func (s *State) setCompared(cc, ex uint16, pops int) {
	stop := s.raise(ex)
	s.SW = s.SW&^(C0|C2|C3) | cc
	if stop {
		return
	}
	for ; pops > 0; pops-- {
		s.pop()
	}
}

// Bits of RFLAGS that FCOMI writes; it clears OF, SF and AF.
const (
	flagCF = 1 << 0
	flagPF = 1 << 2
	flagZF = 1 << 6
)

// CompareFlags is FCOMI (FUCOMI with quiet). It returns ZF PF CF as they are
// in RFLAGS; they are written even if an unmasked exception is pending.
func (s *State) CompareFlags(i int, quiet, pop bool) (flags uint64) {
	cc, ex := uint16(C0|C2|C3), uint16(IE|SF)
	if !s.empty(0) && !s.empty(i) {
		cc, ex = compare(s.st(0), s.st(i), quiet, 0)
	}
	// Unlike FCOM it leaves C1 as it is.
	c1 := s.SW & C1
	stop := s.raise(ex)
	if ex&SF == 0 {
		s.SW |= c1
	}
	if pop && !stop {
		s.pop()
	}
	if cc&C0 != 0 {
		flags |= flagCF
	}
	if cc&C2 != 0 {
		flags |= flagPF
	}
	if cc&C3 != 0 {
		flags |= flagZF
	}
	return flags
}

// Examine is FXAM.
func (s *State) Examine() {
	s.SW = s.SW&^(C0|C1|C2|C3) | examine(s.st(0), s.empty(0))
}

// unary replaces ST(0) by f of it.
func (s *State) unary(f func(a F80, cw uint16) (F80, uint16)) {
	if s.empty(0) {
		s.underflow(0)
		return
	}
	r, ex := f(s.st(0), s.CW)
	if !s.raise(ex) {
		s.set(0, r)
	}
}

// Sqrt is FSQRT.
func (s *State) Sqrt() { s.unary(sqrt) }

// Rndint is FRNDINT.
func (s *State) Rndint() { s.unary(rndint) }

// Abs is FABS.
func (s *State) Abs() {
	s.unary(func(a F80, _ uint16) (F80, uint16) { return F80{a.Mant, a.SE &^ signBit}, 0 })
}

// Chs is FCHS.
func (s *State) Chs() {
	s.unary(func(a F80, _ uint16) (F80, uint16) { return F80{a.Mant, a.SE ^ signBit}, 0 })
}

// Scale is FSCALE.
func (s *State) Scale() {
	if s.empty(0) || s.empty(1) {
		s.underflow(0)
		return
	}
	r, ex := scale(s.st(0), s.st(1), s.CW)
	if !s.raise(ex) {
		s.set(0, r)
	}
}

// Xtract is FXTRACT: the exponent replaces ST(0), the significand is pushed.
func (s *State) Xtract() {
	switch {
	case s.empty(0):
		s.pushBoth(indefinite, indefinite, IE|SF)
	case !s.empty(7):
		s.pushBoth(indefinite, indefinite, IE|SF|C1)
	default:
		s.pushBoth(xtract(s.st(0), s.CW))
	}
}

// Prem is FPREM, or FPREM1 with nearest set.
func (s *State) Prem(nearest bool) {
	// C2 is written whatever happens, the others only with a quotient.
	s.SW &^= C2
	if s.empty(0) || s.empty(1) {
		s.underflow(0)
		return
	}
	r, cc, ex := prem(s.st(0), s.st(1), nearest, s.CW)
	if s.raise(ex &^ C1) {
		return
	}
	if r.SE&expMask != expMax {
		s.SW = s.SW&^(C0|C1|C2|C3) | cc
	}
	s.set(0, r)
}

// Xch is FXCH.
func (s *State) Xch(i int) {
	if s.empty(0) || s.empty(i) {
		if s.raise(IE | SF) {
			return
		}
		if s.empty(0) {
			s.set(0, indefinite)
		}
		if s.empty(i) {
			s.set(i, indefinite)
		}
	}
	s.SW &^= C1
	a, b := s.phys(0), s.phys(i)
	s.R[a], s.R[b] = s.R[b], s.R[a]
}

// CMov is FCMOVcc with the condition taken.
func (s *State) CMov(i int, cond bool) {
	if s.empty(0) || s.empty(i) {
		s.underflow(0)
		return
	}
	if cond {
		s.set(0, s.st(i))
	}
}

// Free is FFREE, and FFREEP with pop.
func (s *State) Free(i int, pop bool) {
	s.SW &^= C1
	s.TW &^= 1 << s.phys(i)
	if pop {
		s.pop()
	}
}

// IncTop is FINCSTP, DecTop is FDECSTP. Tags stay.
func (s *State) IncTop() {
	s.SW &^= C1
	s.setTop(s.Top() + 1)
}

// DecTop is FDECSTP.
func (s *State) DecTop() {
	s.SW &^= C1
	s.setTop(s.Top() - 1)
}

// LoadCW is FLDCW.
func (s *State) LoadCW(v uint16) {
	s.CW = v&cwBits | cwOnes
	s.updatePending()
}

// Clex is FNCLEX.
func (s *State) Clex() { s.SW &^= exceptions | SF | ES | B }

// Init is FNINIT. Unlike Reset it leaves the contents of the registers.
func (s *State) Init() {
	r := s.R
	s.Reset()
	s.R = r
}

// EnterMMX is what every MMX instruction but EMMS does first: all registers
// are in use and TOP is zero.
func (s *State) EnterMMX() {
	s.setTop(0)
	s.TW = 0xff
}

// SetMMX writes an MMX register; the exponent field above it becomes ones.
func (s *State) SetMMX(i int, v uint64) { s.R[i] = F80{v, 0xffff} }

// EMMS marks all registers empty.
func (s *State) EMMS() {
	s.setTop(0)
	s.TW = 0
}
