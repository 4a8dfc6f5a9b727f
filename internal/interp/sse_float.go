package interp

import "math"

// Scalar arithmetic: the host's floating point where MXCSR has its default
// control bits and operands and result are ordinary, sse_soft.go elsewhere.
//
// The only exception of an ordinary operation is precision. Its flag is sticky
// and set nearly always, so that the test for it is nearly never made.
// Products, quotients and sums are converted explicitly to keep the Go
// compiler from fusing them.

// floatOp is a scalar operation on bit patterns: result and exceptions.
type floatOp func(a, b uint64, mx uint32) (uint64, uint32)

// plainD tells that a is not denormal.
func plainD(a uint64) bool { return a<<1-1 >= 1<<53-1 }
func plainS(a uint64) bool { return uint32(a)<<1-1 >= 1<<24-1 }

// The exponent fields of results for which the residual of a product or
// quotient can be represented, and so tells whether the result is exact.
const (
	leastResidualD = 110
	mostD, mostS   = 0x7fe, 0xfe // greatest field of a finite number
	expMaskD       = 0x7ff
	expMaskS       = 0xff
	leastNormalD   = 2 // field 1 may have been tiny before rounding
	leastNormalS   = 2
)

func expD(a uint64) uint64 { return a >> 52 & expMaskD }
func expS(a uint64) uint64 { return a >> 23 & expMaskS }

// precision is the flag of an ordinary operation.
func precision(exact bool) uint32 {
	if exact {
		return 0
	}
	return mxPE
}

// sumExactD tells whether x+y = s without rounding (Knuth's two-sum).
func sumExactD(x, y, s float64) bool {
	back := float64(s - x)
	return float64(x-float64(s-back)) == 0 && float64(y-back) == 0
}

func sumExactS(x, y, s float32) bool {
	back := float32(s - x)
	return float32(x-float32(s-back)) == 0 && float32(y-back) == 0
}

func addD(a, b uint64, mx uint32) (uint64, uint32) {
	x, y := math.Float64frombits(a), math.Float64frombits(b)
	s := float64(x + y)
	r := math.Float64bits(s)
	if mx&mxControl != mxDefault || expD(r) >= mostD || !plainD(a) || !plainD(b) || !plainD(r) {
		return formatD.add(a, b, mx)
	}
	if mx&mxPE != 0 {
		return r, 0
	}
	return r, precision(sumExactD(x, y, s))
}

func subD(a, b uint64, mx uint32) (uint64, uint32) {
	x, y := math.Float64frombits(a), math.Float64frombits(b)
	s := float64(x - y)
	r := math.Float64bits(s)
	if mx&mxControl != mxDefault || expD(r) >= mostD || !plainD(a) || !plainD(b) || !plainD(r) {
		return formatD.sub(a, b, mx)
	}
	if mx&mxPE != 0 {
		return r, 0
	}
	return r, precision(sumExactD(x, -y, s))
}

func mulD(a, b uint64, mx uint32) (uint64, uint32) {
	x, y := math.Float64frombits(a), math.Float64frombits(b)
	s := float64(x * y)
	r := math.Float64bits(s)
	if mx&mxControl != mxDefault || expD(r)-leastNormalD > mostD-1-leastNormalD || !plainD(a) || !plainD(b) {
		return formatD.mul(a, b, mx)
	}
	if mx&mxPE != 0 {
		return r, 0
	}
	if expD(r) < leastResidualD {
		return formatD.mul(a, b, mx)
	}
	return r, precision(math.FMA(x, y, -s) == 0)
}

func divD(a, b uint64, mx uint32) (uint64, uint32) {
	x, y := math.Float64frombits(a), math.Float64frombits(b)
	s := float64(x / y)
	r := math.Float64bits(s)
	if mx&mxControl != mxDefault || expD(r)-leastNormalD > mostD-1-leastNormalD || !plainD(a) || !plainD(b) {
		return formatD.div(a, b, mx)
	}
	if mx&mxPE != 0 {
		return r, 0
	}
	if expD(a) < leastResidualD {
		return formatD.div(a, b, mx)
	}
	return r, precision(math.FMA(s, y, -x) == 0)
}

func sqrtD(_, a uint64, mx uint32) (uint64, uint32) {
	x := math.Float64frombits(a)
	s := math.Sqrt(x)
	if mx&mxControl != mxDefault || !(s > 0 && x <= math.MaxFloat64) || expD(a) < leastResidualD {
		return formatD.sqrt(a, mx)
	}
	if mx&mxPE != 0 {
		return math.Float64bits(s), 0
	}
	return math.Float64bits(s), precision(math.FMA(s, s, -x) == 0)
}

func float32of(a uint64) float32 { return math.Float32frombits(uint32(a)) }
func bits32of(x float32) uint64  { return uint64(math.Float32bits(x)) }

func addS(a, b uint64, mx uint32) (uint64, uint32) {
	x, y := float32of(a), float32of(b)
	s := float32(x + y)
	r := bits32of(s)
	if mx&mxControl != mxDefault || expS(r) >= mostS || !plainS(a) || !plainS(b) || !plainS(r) {
		return formatS.add(a, b, mx)
	}
	if mx&mxPE != 0 {
		return r, 0
	}
	return r, precision(sumExactS(x, y, s))
}

func subS(a, b uint64, mx uint32) (uint64, uint32) {
	x, y := float32of(a), float32of(b)
	s := float32(x - y)
	r := bits32of(s)
	if mx&mxControl != mxDefault || expS(r) >= mostS || !plainS(a) || !plainS(b) || !plainS(r) {
		return formatS.sub(a, b, mx)
	}
	if mx&mxPE != 0 {
		return r, 0
	}
	return r, precision(sumExactS(x, -y, s))
}

// The products below are exact in 53 bits.

func mulS(a, b uint64, mx uint32) (uint64, uint32) {
	x, y := float32of(a), float32of(b)
	s := float32(x * y)
	r := bits32of(s)
	if mx&mxControl != mxDefault || expS(r)-leastNormalS > mostS-1-leastNormalS || !plainS(a) || !plainS(b) {
		return formatS.mul(a, b, mx)
	}
	if mx&mxPE != 0 {
		return r, 0
	}
	return r, precision(float64(x)*float64(y) == float64(s))
}

func divS(a, b uint64, mx uint32) (uint64, uint32) {
	x, y := float32of(a), float32of(b)
	s := float32(x / y)
	r := bits32of(s)
	if mx&mxControl != mxDefault || expS(r)-leastNormalS > mostS-1-leastNormalS || !plainS(a) || !plainS(b) {
		return formatS.div(a, b, mx)
	}
	if mx&mxPE != 0 {
		return r, 0
	}
	return r, precision(float64(s)*float64(y) == float64(x))
}

func sqrtS(_, a uint64, mx uint32) (uint64, uint32) {
	x := float32of(a)
	// Rounding the root to 53 and then to 24 bits rounds it rightly.
	s := float32(math.Sqrt(float64(x)))
	if mx&mxControl != mxDefault || !(s > 0 && x <= math.MaxFloat32) || !plainS(a) {
		return formatS.sqrt(a, mx)
	}
	return bits32of(s), precision(float64(s)*float64(s) == float64(x))
}

// minMax is MIN and MAX: the second operand if either is a NaN or both are
// zero, so that they are the C expressions a<b?a:b and a>b?a:b.
func (t *floatFormat) minMax(a, b uint64, mx uint32, greater bool) (uint64, uint32) {
	if t.isNaN(a) || t.isNaN(b) {
		return t.flush(b, mx), mxIE
	}
	a, b, ex := t.operands(a, b, mx)
	if below := t.below(a, b); below && !greater {
		return a, ex
	}
	if greater && t.below(b, a) {
		return a, ex
	}
	return b, ex
}

func minD(a, b uint64, mx uint32) (uint64, uint32) { return formatD.minMax(a, b, mx, false) }
func maxD(a, b uint64, mx uint32) (uint64, uint32) { return formatD.minMax(a, b, mx, true) }
func minS(a, b uint64, mx uint32) (uint64, uint32) { return formatS.minMax(a, b, mx, false) }
func maxS(a, b uint64, mx uint32) (uint64, uint32) { return formatS.minMax(a, b, mx, true) }

// ordered maps numbers that are not NaN to integers of the same order; both
// zeros become 0.
func (t *floatFormat) ordered(a uint64) int64 {
	if a&t.sign != 0 {
		return -int64(a &^ t.sign)
	}
	return int64(a)
}

func (t *floatFormat) below(a, b uint64) bool { return t.ordered(a) < t.ordered(b) }

// Relations of two numbers.
const (
	isBelow = 1 << iota
	isEqual
	isAbove
	isUnordered
)

// compare relates a and b. Quiet NaNs are an invalid operation only if signal
// is set.
func (t *floatFormat) compare(a, b uint64, mx uint32, signal bool) (rel, ex uint32) {
	if t.isNaN(a) || t.isNaN(b) {
		if signal || t.isSNaN(a) || t.isSNaN(b) {
			return isUnordered, mxIE
		}
		return isUnordered, 0
	}
	a, b, ex = t.operands(a, b, mx)
	x, y := t.ordered(a), t.ordered(b)
	switch {
	case x < y:
		return isBelow, ex
	case x > y:
		return isAbove, ex
	}
	return isEqual, ex
}

// predicates has the relations for which each predicate of CMPPS and its
// relatives holds (SDM vol. 2, table 3-1), numbered by the immediate. Only with
// VEX are there the second eight.
var predicates = [16]uint32{
	isEqual,
	isBelow,
	isBelow | isEqual,
	isUnordered,
	isBelow | isAbove | isUnordered,
	isAbove | isEqual | isUnordered,
	isAbove | isUnordered,
	isBelow | isAbove | isEqual,
	isEqual | isUnordered,
	isBelow | isUnordered,
	isBelow | isEqual | isUnordered,
	0,
	isBelow | isAbove,
	isAbove | isEqual,
	isAbove,
	isBelow | isAbove | isEqual | isUnordered,
}

// cmp is a lane of CMPPS: all ones or zero, in 64 bits. The predicates less
// and less-or-equal and their negations signal for quiet NaNs, or with bit 4 set
// all the others.
func (t *floatFormat) cmp(a, b uint64, imm uint8, mx uint32) (uint64, uint32) {
	signals := imm&3 == 1 || imm&3 == 2
	rel, ex := t.compare(a, b, mx, signals != (imm&16 != 0))
	if rel&predicates[imm&15] != 0 {
		return ^uint64(0), ex
	}
	return 0, ex
}
