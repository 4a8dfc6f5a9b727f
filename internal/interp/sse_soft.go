package interp

import (
	"math"
	"math/bits"
)

// Arithmetic of binary32 and binary64 in integers, for everything that the
// host's floating point cannot be asked without looking at its status: other
// rounding modes, denormals, NaNs, overflow and underflow, and exact exception
// flags. sse_float.go has the fast paths in front of it.
//
// A function takes operands as bit patterns and MXCSR, and returns the result
// and the exception flags it raises. If a raised exception is unmasked the
// result has no meaning.

// Bits of MXCSR (SDM vol. 1, 10.2.3).
const (
	mxIE = 1 << iota // invalid operation
	mxDE             // denormal operand
	mxZE             // divide by zero
	mxOE             // overflow
	mxUE             // underflow
	mxPE             // precision: the result is rounded
	mxDAZ

	// mxReported, not a bit of MXCSR, marks exceptions to which report has
	// been applied step by step.
	mxReported = 1 << 16

	mxFlags     = 0x3f
	mxBefore    = mxIE | mxDE | mxZE // found before the result is computed
	mxMaskShift = 7
	mxOM        = mxOE << mxMaskShift
	mxUM        = mxUE << mxMaskShift
	mxRCShift   = 13
	mxFTZ       = 1 << 15

	// mxControl are the bits that change results; mxDefault is their state
	// at program start: all exceptions masked, round to nearest.
	mxControl = 0xffc0
	mxDefault = 0x1f80
)

// Rounding modes in MXCSR's field.
const (
	roundNearest = iota
	roundDown
	roundUp
	roundZero
)

func rounding(mx uint32) uint32 { return mx >> mxRCShift & 3 }

// floatFormat is an IEEE 754 interchange format.
type floatFormat struct {
	frac   uint // bits of fraction
	bias   int
	maxExp int // exponent field of infinities and NaNs
	sign   uint64
}

var (
	formatD = floatFormat{52, 1023, 0x7ff, 1 << 63}
	formatS = floatFormat{23, 127, 0xff, 1 << 31}
)

func (t *floatFormat) infinity() uint64 { return uint64(t.maxExp) << t.frac }
func (t *floatFormat) quietBit() uint64 { return 1 << (t.frac - 1) }

// defaultNaN is the real indefinite: quiet, negative, no payload.
func (t *floatFormat) defaultNaN() uint64 { return t.sign | t.infinity() | t.quietBit() }

func (t *floatFormat) isNaN(x uint64) bool { return x&^t.sign > t.infinity() }
func (t *floatFormat) isSNaN(x uint64) bool {
	return t.isNaN(x) && x&t.quietBit() == 0
}

func (t *floatFormat) isDenormal(x uint64) bool {
	return x&^t.sign-1 < 1<<t.frac-1
}

// flush applies denormals-are-zeros to an operand.
func (t *floatFormat) flush(x uint64, mx uint32) uint64 {
	if mx&mxDAZ != 0 && t.isDenormal(x) {
		return x & t.sign
	}
	return x
}

type numberKind uint8

const (
	kindFinite numberKind = iota // and not zero
	kindZero
	kindInf
	kindNaN
)

// number is an unpacked operand: sig has its top bit set, and the value is
// sig/2^63 * 2^exp.
type number struct {
	kind numberKind
	neg  bool
	exp  int
	sig  uint64
}

func (t *floatFormat) unpack(x uint64) number {
	n := number{neg: x&t.sign != 0}
	frac := x & (1<<t.frac - 1)
	field := int(x>>t.frac) & t.maxExp
	switch {
	case field == t.maxExp && frac != 0:
		n.kind = kindNaN
	case field == t.maxExp:
		n.kind = kindInf
	case field != 0:
		n.sig = (1<<t.frac | frac) << (63 - t.frac)
		n.exp = field - t.bias
	case frac == 0:
		n.kind = kindZero
	default:
		shift := bits.LeadingZeros64(frac)
		n.sig = frac << shift
		n.exp = 64 - shift - t.bias - int(t.frac)
	}
	return n
}

func (t *floatFormat) signOf(neg bool) uint64 {
	if neg {
		return t.sign
	}
	return 0
}

// shiftRightJam shifts right and ors what falls out into the last bit.
func shiftRightJam(x uint64, n uint) uint64 {
	if n > 63 {
		n = 63
		if x != 0 {
			return 1
		}
	}
	r := x >> n
	if r<<n != x {
		r |= 1
	}
	return r
}

// roundOff drops the last bits of sig, rounding by rc.
func roundOff(sig uint64, drop uint, neg bool, rc uint32) (r uint64, inexact bool) {
	r = sig >> drop
	rest := sig & (1<<drop - 1)
	half := uint64(1) << (drop - 1)
	switch rc {
	case roundNearest:
		if rest > half || rest == half && r&1 != 0 {
			r++
		}
	case roundDown:
		if neg && rest != 0 {
			r++
		}
	case roundUp:
		if !neg && rest != 0 {
			r++
		}
	}
	return r, rest != 0
}

// pack rounds sig/2^63 * 2^exp, whose last bit may be sticky, to the format.
// Underflow is detected after rounding (SDM vol. 1, 4.9.1.5).
func (t *floatFormat) pack(neg bool, exp int, sig uint64, mx uint32) (uint64, uint32) {
	var ex uint32
	rc := rounding(mx)
	sign := t.signOf(neg)
	field := exp + t.bias
	r, inexact := roundOff(sig, 63-t.frac, neg, rc)
	if inexact {
		ex = mxPE
	}
	carry := r >> (t.frac + 1)
	if field < 0 || field == 0 && carry == 0 {
		switch {
		case mx&mxUM == 0:
			return 0, ex | mxUE
		case mx&mxFTZ != 0:
			return sign, mxUE | mxPE
		}
		r, inexact = roundOff(shiftRightJam(sig, uint(1-field)), 63-t.frac, neg, rc)
		if inexact {
			return sign | r, mxUE | mxPE
		}
		return sign | r, 0
	}
	field += int(carry)
	switch {
	case field < t.maxExp:
		return sign | uint64(field)<<t.frac | r>>carry&(1<<t.frac-1), ex
	case mx&mxOM == 0:
		return 0, ex | mxOE
	}
	return t.overflow(neg, rc), mxOE | mxPE
}

// overflow is infinity, or the greatest finite number where the rounding mode
// does not lead away from zero.
func (t *floatFormat) overflow(neg bool, rc uint32) uint64 {
	r := t.signOf(neg) | t.infinity()
	if rc == roundZero || rc == roundDown && !neg || rc == roundUp && neg {
		r--
	}
	return r
}

// nan2 is the result of a two-operand instruction one of whose operands is a
// NaN: the first NaN, made quiet (SDM vol. 1, table 4-7).
func (t *floatFormat) nan2(a, b uint64) (uint64, uint32) {
	var ex uint32
	if t.isSNaN(a) || t.isSNaN(b) {
		ex = mxIE
	}
	if t.isNaN(a) {
		return a | t.quietBit(), ex
	}
	return b | t.quietBit(), ex
}

// operands flushes a and b if MXCSR says so, else reports denormals.
func (t *floatFormat) operands(a, b uint64, mx uint32) (x, y uint64, ex uint32) {
	if !t.isDenormal(a) && !t.isDenormal(b) {
		return a, b, 0
	}
	if mx&mxDAZ == 0 {
		return a, b, mxDE
	}
	return t.flush(a, mx), t.flush(b, mx), 0
}

func (t *floatFormat) add(a, b uint64, mx uint32) (uint64, uint32) {
	if t.isNaN(a) || t.isNaN(b) {
		return t.nan2(a, b)
	}
	a, b, ex := t.operands(a, b, mx)
	x, y := t.unpack(a), t.unpack(b)
	switch {
	case x.kind == kindInf && y.kind == kindInf && x.neg != y.neg:
		return t.defaultNaN(), mxIE
	case x.kind == kindInf:
		return a, ex
	case y.kind == kindInf:
		return b, ex
	case x.kind == kindZero && y.kind == kindZero:
		if x.neg != y.neg {
			return t.exactZero(mx), ex
		}
		return a, ex
	case x.kind == kindZero:
		x = y
	case y.kind != kindZero:
		sum := addNumbers(x, y)
		if sum.kind == kindZero {
			return t.exactZero(mx), ex
		}
		x = sum
	}
	r, ex2 := t.pack(x.neg, x.exp, x.sig, mx)
	return r, ex | ex2
}

// exactZero is the zero of x-x: negative when rounding down.
func (t *floatFormat) exactZero(mx uint32) uint64 {
	return t.signOf(rounding(mx) == roundDown)
}

// addNumbers adds finite numbers. Operands have at most 53 bits, so that ten
// bits below them keep the sum's rounding right.
func addNumbers(x, y number) number {
	if x.exp < y.exp || x.exp == y.exp && x.sig < y.sig {
		x, y = y, x
	}
	x.sig >>= 1
	y.sig = shiftRightJam(y.sig, uint(x.exp-y.exp)+1)
	x.exp++
	if x.neg == y.neg {
		x.sig += y.sig
	} else {
		x.sig -= y.sig
	}
	if x.sig == 0 {
		return number{kind: kindZero}
	}
	shift := bits.LeadingZeros64(x.sig)
	x.sig <<= shift
	x.exp -= shift
	return x
}

// sub is add with b's sign changed, except that NaNs keep theirs.
func (t *floatFormat) sub(a, b uint64, mx uint32) (uint64, uint32) {
	if !t.isNaN(b) {
		b ^= t.sign
	}
	return t.add(a, b, mx)
}

func (t *floatFormat) mul(a, b uint64, mx uint32) (uint64, uint32) {
	if t.isNaN(a) || t.isNaN(b) {
		return t.nan2(a, b)
	}
	a, b, ex := t.operands(a, b, mx)
	x, y := t.unpack(a), t.unpack(b)
	neg := x.neg != y.neg
	switch {
	case x.kind == kindInf && y.kind == kindZero, x.kind == kindZero && y.kind == kindInf:
		return t.defaultNaN(), mxIE
	case x.kind == kindInf || y.kind == kindInf:
		return t.signOf(neg) | t.infinity(), ex
	case x.kind == kindZero || y.kind == kindZero:
		return t.signOf(neg), ex
	}
	exp := x.exp + y.exp + 1
	hi, lo := bits.Mul64(x.sig, y.sig)
	if hi>>63 == 0 {
		hi, lo = hi<<1|lo>>63, lo<<1
		exp--
	}
	if lo != 0 {
		hi |= 1
	}
	r, ex2 := t.pack(neg, exp, hi, mx)
	return r, ex | ex2
}

func (t *floatFormat) div(a, b uint64, mx uint32) (uint64, uint32) {
	if t.isNaN(a) || t.isNaN(b) {
		return t.nan2(a, b)
	}
	a, b, ex := t.operands(a, b, mx)
	x, y := t.unpack(a), t.unpack(b)
	neg := x.neg != y.neg
	switch {
	case x.kind == y.kind && x.kind != kindFinite:
		return t.defaultNaN(), mxIE
	case x.kind == kindInf:
		return t.signOf(neg) | t.infinity(), ex
	case y.kind == kindZero:
		return t.signOf(neg) | t.infinity(), mxZE
	case x.kind == kindZero || y.kind == kindInf:
		return t.signOf(neg), ex
	}
	exp := x.exp - y.exp
	q, rest := bits.Div64(x.sig>>1, x.sig<<63, y.sig)
	if q>>63 == 0 {
		q <<= 1
		exp--
	}
	if rest != 0 {
		q |= 1
	}
	r, ex2 := t.pack(neg, exp, q, mx)
	return r, ex | ex2
}

func (t *floatFormat) sqrt(a uint64, mx uint32) (uint64, uint32) {
	if t.isNaN(a) {
		return t.nan2(a, a)
	}
	a, _, ex := t.operands(a, a, mx)
	x := t.unpack(a)
	switch {
	case x.kind == kindZero:
		return a, ex
	case x.neg:
		return t.defaultNaN(), mxIE
	case x.kind == kindInf:
		return a, ex
	}
	r, ex2 := t.pack(false, x.exp>>1, rootSig(x.sig, x.exp&1), mx)
	return r, ex | ex2
}

// rootSig is the significand of the square root of sig/2^63 * 2^odd, with a
// sticky last bit. The host's square root is right to the nearest of 53 bits;
// comparing its square tells on which side of the true root it lies.
func rootSig(sig uint64, odd int) uint64 {
	m := sig >> 11
	f := math.Float64frombits(m&(1<<52-1) | uint64(1023+odd)<<52)
	root := math.Float64bits(math.Sqrt(f))&(1<<52-1) | 1<<52
	hi, lo := bits.Mul64(root, root)
	wantHi, wantLo := m>>(12-odd), m<<(52+odd)
	switch {
	case hi == wantHi && lo == wantLo:
		return root << 11
	case hi < wantHi || hi == wantHi && lo < wantLo:
		return root<<11 | 1
	}
	return root<<11 - 1
}
