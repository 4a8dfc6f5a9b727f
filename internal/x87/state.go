// Package x87 is the x87 floating point unit: its registers, and every
// instruction as a method on them, bit for bit as Intel processors since the
// Pentium 4 compute it.
//
// The unit knows neither memory nor instruction encoding. Operands that come
// from memory are handed in as bits and results that go to memory are
// returned as bits, so that the caller deals with faults.
//
// Chapters: state.go registers, stack and exceptions; round.go the one place
// where results are rounded; arith.go, rem.go, compare.go, convert.go and
// bcd.go the operations on values; wide.go and trans*.go the transcendental
// functions; inst.go and instmem.go the instructions; image.go the images
// that FSAVE and its kin exchange with memory.
package x87

// F80 is a number in double extended format (Intel SDM vol. 1, 4.2.2): the
// 64-bit significand with its explicit integer bit, and sign and biased
// exponent as they lie in the last two of the ten bytes.
type F80 struct {
	Mant uint64
	SE   uint16
}

// State is the register file of the unit. It is plain data.
type State struct {
	// R holds the registers by physical number: ST(i) is R[(TOP+i)&7].
	// MMX register i is R[i].Mant.
	R [8]F80
	// CW and SW are the control and the status word; TOP lives in SW.
	CW, SW uint16
	// TW is the tag word in FXSAVE's abridged form: bit i is set if R[i] is
	// in use. The processor keeps no more than that either; the two-bit tags
	// of FSTENV are derived from the register's contents when it is stored.
	TW uint16
	// FOP, FIP and FDP tell of the last instruction that was no control
	// instruction. FOP and FDP change only with an unmasked exception.
	FOP      uint16
	FIP, FDP uint64
}

// Bits of the status word (Intel SDM vol. 1, figure 8-4). The low six are
// the exceptions and have the same places as their masks in CW.
const (
	IE = 1 << 0 // invalid operation
	DE = 1 << 1 // denormal operand
	ZE = 1 << 2 // divide by zero
	OE = 1 << 3 // overflow
	UE = 1 << 4 // underflow
	PE = 1 << 5 // inexact
	SF = 1 << 6 // stack fault, with IE
	ES = 1 << 7 // an unmasked exception is pending
	C0 = 1 << 8
	C1 = 1 << 9 // rounded up; stack overflow rather than underflow
	C2 = 1 << 10
	C3 = 1 << 14
	B  = 1 << 15 // follows ES

	topShift   = 11
	topMask    = 7 << topShift
	exceptions = IE | DE | ZE | OE | UE | PE
	// preops are the exceptions found before a result exists: unmasked they
	// leave the operands alone.
	preops = IE | DE | ZE
)

// Bits of the control word (Intel SDM vol. 1, figure 8-6).
const (
	pcMask = 3 << 8
	pc24   = 0 << 8
	pc53   = 2 << 8
	pc64   = 3 << 8

	rcMask    = 3 << 10
	rcNearest = 0 << 10
	rcDown    = 1 << 10
	rcUp      = 2 << 10
	rcZero    = 3 << 10

	cwReset = 0x037f
	cwBits  = 0x1f3f // what can be loaded
	cwOnes  = 0x0040 // what always reads as one
)

// indefinite is the quiet NaN that masked invalid operations give.
var indefinite = F80{0xc000000000000000, 0xffff}

// Reset gives the state that FNINIT leaves, with all registers zero.
func (s *State) Reset() { *s = State{CW: cwReset} }

// Top returns the physical number of ST(0).
func (s *State) Top() int { return int(s.SW>>topShift) & 7 }

func (s *State) setTop(t int) { s.SW = s.SW&^topMask | uint16(t&7)<<topShift }

// phys returns the physical number of ST(i).
func (s *State) phys(i int) int { return (int(s.SW>>topShift) + i) & 7 }

func (s *State) st(i int) F80 { return s.R[s.phys(i)] }

// set writes ST(i), which is in use from now on.
func (s *State) set(i int, v F80) {
	p := s.phys(i)
	s.R[p] = v
	s.TW |= 1 << p
}

func (s *State) empty(i int) bool { return s.TW>>s.phys(i)&1 == 0 }

func (s *State) pop() {
	s.TW &^= 1 << s.phys(0)
	s.setTop(s.Top() + 1)
}

// Pending reports whether an unmasked exception waits for the next waiting
// instruction, which must raise #MF then.
func (s *State) Pending() bool { return s.SW&ES != 0 }

// raise records the exceptions ex and C1, which every computing instruction
// writes. It reports whether the instruction must leave its operands alone
// because an exception that precedes the result is unmasked.
func (s *State) raise(ex uint16) (stop bool) {
	s.SW = s.SW&^C1 | ex
	unmasked := ex &^ s.CW & exceptions
	if unmasked == 0 {
		return false
	}
	s.SW |= ES | B
	return unmasked&preops != 0
}

// updatePending derives ES and B from the exceptions and their masks, after
// either was loaded.
func (s *State) updatePending() {
	if s.SW&^s.CW&exceptions != 0 {
		s.SW |= ES | B
	} else {
		s.SW &^= ES | B
	}
}

// push pushes the result v of an instruction that raised ex. Overflow of the
// stack takes precedence over ex (Intel SDM vol. 1, 8.5.1.1), but for an empty
// source. An unmasked denormal operand does not keep a load from loading.
func (s *State) push(v F80, ex uint16) {
	if !s.empty(7) && ex&SF == 0 {
		v, ex = indefinite, IE|SF|C1
	}
	if s.raise(ex) && ex&IE != 0 {
		return
	}
	s.setTop(s.Top() - 1)
	s.set(0, v)
}

// underflow handles an empty source register: ST(dst) becomes indefinite, if
// the exception is masked. It reports whether the instruction may go on to
// pop the stack.
func (s *State) underflow(dst int) bool {
	if s.raise(IE | SF) {
		return false
	}
	s.set(dst, indefinite)
	return true
}
