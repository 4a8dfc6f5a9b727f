package x87

import "math/bits"

// rndint rounds to an integer as RC says.
func rndint(a F80, cw uint16) (F80, uint16) {
	x := a.unpack()
	switch x.kind {
	case unsupported:
		return indefinite, IE
	case nan:
		return chooseNaN(a, a)
	case zero, infinite:
		return a, 0
	}
	ex := denormals(&x, &x, 0)
	if stopsAt(ex, cw) {
		return a, ex
	}
	if x.exp >= bias+63 {
		return a, ex
	}
	n, up, inexact := toInteger(&x, cw)
	if inexact {
		ex |= PE
	}
	if up {
		ex |= C1
	}
	if n == 0 {
		return zeroOf(x.sign), ex
	}
	lead := bits.LeadingZeros64(n)
	return F80{n << lead, x.sign | uint16(bias+63-lead)}, ex
}

// toInteger rounds the magnitude of x, less than 2^64 (exp < bias+64), to an
// integer. A result of zero with up set is 2^64.
func toInteger(x *number, cw uint16) (n uint64, up, inexact bool) {
	hi, lo := shiftRight(x.mant, 0, bias+63-x.exp)
	if lo == 0 {
		return hi, false, false
	}
	up = roundsUp(cw, x.sign, hi&1 != 0, lo)
	if up {
		hi++
	}
	return hi, up, true
}

// scale multiplies a by two to the power of b, cut to an integer.
func scale(a, b F80, cw uint16) (F80, uint16) {
	x, y := a.unpack(), b.unpack()
	if r, ex, done := special(a, b, &x, &y); done {
		return r, ex
	}
	ex := denormals(&x, &y, 0)
	switch {
	case y.kind == infinite && y.sign == 0:
		if x.kind == zero {
			return indefinite, IE
		}
		return infinityOf(x.sign), ex
	case y.kind == infinite:
		if x.kind == infinite {
			return indefinite, IE
		}
		return zeroOf(x.sign), ex
	case x.kind == infinite, x.kind == zero:
		return a, ex
	case stopsAt(ex, cw):
		return a, ex
	}
	// Beyond 2^16 every finite number over- or underflows, whatever the
	// exact power.
	n := 0
	if y.exp >= bias+17 {
		n = 1 << 17
	} else if y.exp >= bias {
		n = int(y.mant >> (bias + 63 - y.exp))
	}
	if y.sign != 0 {
		n = -n
	}
	r, exr := round(x.sign, x.exp+n, x.mant, 0, cw, 1)
	return r, ex | exr
}

// xtract splits a into exponent and significand.
func xtract(a F80, cw uint16) (exponent, significand F80, ex uint16) {
	x := a.unpack()
	switch x.kind {
	case unsupported:
		return indefinite, indefinite, IE
	case nan:
		r, ex := chooseNaN(a, a)
		return r, r, ex
	case infinite:
		return infinityOf(0), a, 0
	case zero:
		return infinityOf(signBit), a, ZE
	}
	ex = denormals(&x, &x, 0)
	return fromInt(int64(x.exp - bias)), F80{x.mant, x.sign | bias}, ex
}

// prem computes a partial remainder: of the truncating division (FPREM), or
// with nearest set of the rounding division (FPREM1). The condition codes
// returned are C2 if the reduction is incomplete, else C0 C3 C1 with the last
// three bits of the quotient.
func prem(a, b F80, nearest bool, cw uint16) (r F80, cc, ex uint16) {
	x, y := a.unpack(), b.unpack()
	if r, ex, done := special(a, b, &x, &y); done {
		return r, 0, ex
	}
	ex = denormals(&x, &y, 0)
	switch {
	case x.kind == infinite, y.kind == zero:
		return indefinite, 0, IE
	case x.kind == zero:
		return a, 0, ex
	case stopsAt(ex, cw):
		return a, 0, ex
	case y.kind == infinite:
		r, exr := round(x.sign, x.exp, x.mant, 0, cw, 1)
		return r, 0, ex | exr
	}
	d := x.exp - y.exp
	if d >= 64 {
		// Take off as much as leaves the rest with the same exponent
		// difference modulo 32 that the processor leaves.
		n := d&31 | 32
		rem := bits.Rem64(x.mant>>(64-n), x.mant<<n, y.mant)
		r, exr := packRemainder(x.sign, x.exp-n, rem, 0, cw)
		return r, C2, ex | exr
	}
	q, rhi, rlo, exp := divideWhole(&x, &y, d)
	if nearest && d >= -1 && moreThanHalf(rhi, rlo, y.mant, q) {
		q++
		var borrow uint64
		rlo, borrow = bits.Sub64(0, rlo, 0)
		rhi, _ = bits.Sub64(y.mant, rhi, borrow)
		x.sign ^= signBit
	}
	r, exr := packRemainder(x.sign, exp, rhi, rlo, cw)
	return r, quotientBits(q), ex | exr
}

// divideWhole divides x by y, whose exponents differ by d < 64, to the whole
// quotient q (its low bits) and the remainder rhi:rlo, whose scale is exp.
// The low word is used only if x is the smaller, by one place.
func divideWhole(x, y *number, d int) (q, rhi, rlo uint64, exp int) {
	switch {
	case d < -1:
		// So much smaller that even FPREM1 has quotient zero.
		return 0, x.mant, 0, x.exp
	case d == -1:
		return 0, x.mant >> 1, x.mant << 63, y.exp
	case d == 0:
		if x.mant >= y.mant {
			return 1, x.mant - y.mant, 0, y.exp
		}
		return 0, x.mant, 0, y.exp
	}
	hi, lo := x.mant>>(64-d), x.mant<<d
	q, rem := bits.Div64(hi%y.mant, lo, y.mant)
	return q, rem, 0, y.exp
}

// moreThanHalf reports whether the remainder of a division by d with the
// quotient q rounds q up to the nearest, or to even.
func moreThanHalf(rhi, rlo, d, q uint64) bool {
	if rhi >= half {
		return true
	}
	twice, rest := rhi<<1|rlo>>63, rlo<<1
	return twice > d || twice == d && (rest != 0 || q&1 != 0)
}

func packRemainder(sign uint16, exp int, hi, lo uint64, cw uint16) (F80, uint16) {
	if hi|lo == 0 {
		return zeroOf(sign), 0
	}
	hi, lo, exp = normalise(hi, lo, exp)
	return round(sign, exp, hi, lo, cw, 1)
}

// quotientBits puts the low three bits of a quotient where FPREM reports
// them (Intel SDM vol. 2, FPREM).
func quotientBits(q uint64) uint16 {
	var cc uint16
	if q&1 != 0 {
		cc |= C1
	}
	if q&2 != 0 {
		cc |= C3
	}
	if q&4 != 0 {
		cc |= C0
	}
	return cc
}
