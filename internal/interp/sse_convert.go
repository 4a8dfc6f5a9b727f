package interp

import (
	"math"
	"math/bits"
)

// integer rounds n, which is finite, to an integer.
func (n number) integer(rc uint32) (r uint64, inexact bool) {
	drop := 63 - n.exp
	if drop == 0 {
		return n.sig, false
	}
	if drop > 63 {
		return roundOff(shiftRightJam(n.sig, uint(drop-63)), 63, n.neg, rc)
	}
	return roundOff(n.sig, uint(drop), n.neg, rc)
}

// toInt converts to a signed integer of width bits. What does not fit becomes
// the integer indefinite, 1 and zeros, and is an invalid operation. Denormal
// operands are not reported.
func (t *floatFormat) toInt(a uint64, width uint, rc, mx uint32) (uint64, uint32) {
	n := t.unpack(t.flush(a, mx))
	limit := uint64(1) << (width - 1)
	if n.kind == kindZero {
		return 0, 0
	}
	if n.kind != kindFinite || n.exp > 63 {
		return limit, mxIE
	}
	r, inexact := n.integer(rc)
	if r > limit || r == limit && !n.neg {
		return limit, mxIE
	}
	if n.neg {
		r = -r & (limit<<1 - 1)
	}
	return r, precision(!inexact)
}

// cvttD is CVTTSD2SI to 64 bits.
func cvttD(a uint64, mx uint32) (uint64, uint32) {
	x := math.Float64frombits(a)
	if x > -1<<63 && x < 1<<63 && plainD(a) {
		i := int64(x)
		return uint64(i), precision(float64(i) == x)
	}
	return formatD.toInt(a, 64, roundZero, mx)
}

// cvttD32 is CVTTSD2SI to 32 bits.
func cvttD32(a uint64, mx uint32) (uint64, uint32) {
	x := math.Float64frombits(a)
	if x > -1<<31 && x < 1<<31 && plainD(a) {
		i := int32(x)
		return uint64(uint32(i)), precision(float64(i) == x)
	}
	return formatD.toInt(a, 32, roundZero, mx)
}

func (t *floatFormat) fromInt(v int64, mx uint32) (uint64, uint32) {
	if v == 0 {
		return 0, 0
	}
	sig := uint64(v)
	if v < 0 {
		sig = -sig
	}
	shift := bits.LeadingZeros64(sig)
	return t.pack(v < 0, 63-shift, sig<<shift, mx)
}

func intToD(v int64, mx uint32) (uint64, uint32) {
	if v >= -1<<53 && v <= 1<<53 {
		return math.Float64bits(float64(v)), 0
	}
	return formatD.fromInt(v, mx)
}

func intToS(v int64, mx uint32) (uint64, uint32) {
	if v >= -1<<24 && v <= 1<<24 {
		return bits32of(float32(v)), 0
	}
	return formatS.fromInt(v, mx)
}

// narrow is CVTSD2SS.
func narrow(a uint64, mx uint32) (uint64, uint32) {
	x := math.Float64frombits(a)
	s := float32(x)
	r := bits32of(s)
	if mx&mxControl == mxDefault && plainD(a) && expS(r)-leastNormalS <= mostS-1-leastNormalS {
		return r, precision(float64(s) == x)
	}
	if formatD.isNaN(a) {
		q, ex := formatD.nan2(a, a)
		return q>>63<<31 | formatS.infinity() | q>>29&(1<<23-1), ex
	}
	return formatD.narrowTo(&formatS, a, mx)
}

// narrowTo converts what is not a NaN to a smaller format.
func (t *floatFormat) narrowTo(to *floatFormat, a uint64, mx uint32) (uint64, uint32) {
	a, _, ex := t.operands(a, a, mx)
	n := t.unpack(a)
	switch n.kind {
	case kindZero:
		return to.signOf(n.neg), ex
	case kindInf:
		return to.signOf(n.neg) | to.infinity(), ex
	}
	r, ex2 := to.pack(n.neg, n.exp, n.sig, mx)
	return r, ex | ex2
}

// widenS is CVTSS2SD, which is exact.
func widenS(a uint64, mx uint32) (uint64, uint32) {
	a &= 0xffffffff
	if formatS.isNaN(a) {
		q, ex := formatS.nan2(a, a)
		return q>>31<<63 | formatD.infinity() | q&(1<<23-1)<<29, ex
	}
	a, _, ex := formatS.operands(a, a, mx)
	return math.Float64bits(float64(float32of(a))), ex
}

// roundInt is ROUNDSD and its relatives. Bit 3 of imm hides inexactness, bit 2
// takes the mode from MXCSR.
func (t *floatFormat) roundInt(a uint64, imm uint8, mx uint32) (uint64, uint32) {
	if t.isNaN(a) {
		return t.nan2(a, a)
	}
	a = t.flush(a, mx)
	n := t.unpack(a)
	if n.kind != kindFinite || n.exp >= int(t.frac) {
		return a, 0
	}
	rc := uint32(imm & 3)
	if imm&4 != 0 {
		rc = rounding(mx)
	}
	r, inexact := n.integer(rc)
	if !inexact {
		return a, 0
	}
	var ex uint32
	if imm&8 == 0 {
		ex = mxPE
	}
	if r == 0 {
		return t.signOf(n.neg), ex
	}
	shift := bits.LeadingZeros64(r)
	v, _ := t.pack(n.neg, 63-shift, r<<shift, mxDefault)
	return v, ex
}

// Packed conversions.

type packedOp func(d, s xmm, mx uint32) (xmm, uint32)

func cvtdq2pd(_, s xmm, _ uint32) (xmm, uint32) {
	return xmm{
		math.Float64bits(float64(int32(s.lo))),
		math.Float64bits(float64(int32(s.lo >> 32))),
	}, 0
}

func cvtps2pd(_, s xmm, mx uint32) (xmm, uint32) {
	lo, ex := widenS(s.lo, mx)
	hi, ex2 := widenS(s.lo>>32, mx)
	return xmm{lo, hi}, ex | ex2
}

func cvtpd2ps(_, s xmm, mx uint32) (xmm, uint32) {
	lo, ex := narrow(s.lo, mx)
	hi, ex2 := narrow(s.hi, mx)
	return xmm{lo | hi<<32, 0}, ex | ex2
}

// pdToInts makes two doublewords, in the low quadword.
func pdToInts(s xmm, rc, mx uint32) (xmm, uint32) {
	lo, ex := formatD.toInt(s.lo, 32, rc, mx)
	hi, ex2 := formatD.toInt(s.hi, 32, rc, mx)
	return xmm{lo | hi<<32, 0}, ex | ex2
}

func cvtpd2dq(_, s xmm, mx uint32) (xmm, uint32)  { return pdToInts(s, rounding(mx), mx) }
func cvttpd2dq(_, s xmm, mx uint32) (xmm, uint32) { return pdToInts(s, roundZero, mx) }

// psToInts makes two doublewords of two single numbers.
func psToInts(s uint64, rc, mx uint32) (uint64, uint32) {
	lo, ex := formatS.toInt(s&0xffffffff, 32, rc, mx)
	hi, ex2 := formatS.toInt(s>>32, 32, rc, mx)
	return lo | hi<<32, ex | ex2
}

func cvtps2dq(_, s xmm, mx uint32) (xmm, uint32) {
	lo, ex := psToInts(s.lo, rounding(mx), mx)
	hi, ex2 := psToInts(s.hi, rounding(mx), mx)
	return xmm{lo, hi}, ex | ex2
}

func cvttps2dq(_, s xmm, mx uint32) (xmm, uint32) {
	lo, ex := psToInts(s.lo, roundZero, mx)
	hi, ex2 := psToInts(s.hi, roundZero, mx)
	return xmm{lo, hi}, ex | ex2
}

// intsToPS converts two doublewords to two single numbers.
func intsToPS(s uint64, mx uint32) (uint64, uint32) {
	lo, ex := intToS(int64(int32(s)), mx)
	hi, ex2 := intToS(int64(int32(s>>32)), mx)
	return lo | hi<<32, ex | ex2
}

func cvtdq2ps(_, s xmm, mx uint32) (xmm, uint32) {
	lo, ex := intsToPS(s.lo, mx)
	hi, ex2 := intsToPS(s.hi, mx)
	return xmm{lo, hi}, ex | ex2
}
