package x87

import (
	"math"
	"math/bits"
)

// The binary operations take their operands, the control word, and the
// exceptions de (DE or none) that reading an operand from memory brought
// along: like that of a denormal register it counts only if no exception of
// higher priority occurs. They return the result and the exceptions.

// special handles operands that are no numbers. Only if done is false the
// operation has to look at the operands itself.
func special(a, b F80, x, y *number) (r F80, ex uint16, done bool) {
	if x.kind <= infinite && y.kind <= infinite {
		return F80{}, 0, false
	}
	if x.kind == unsupported || y.kind == unsupported {
		return indefinite, IE, true
	}
	r, ex = chooseNaN(a, b)
	return r, ex, true
}

// denormals returns DE if an operand is denormal.
func denormals(x, y *number, de uint16) uint16 {
	if x.denormal || y.denormal {
		return DE
	}
	return de
}

// stopsAt reports whether the exceptions of the operands already end the
// operation, so that no further flags may be raised.
func stopsAt(ex, cw uint16) bool { return ex&^cw&preops != 0 }

func add(a, b F80, cw, de uint16) (F80, uint16)  { return addSigned(a, b, 0, cw, de) }
func sub(a, b F80, cw, de uint16) (F80, uint16)  { return addSigned(a, b, signBit, cw, de) }
func subr(a, b F80, cw, de uint16) (F80, uint16) { return addSigned(b, a, signBit, cw, de) }

// addSigned adds a and b, the sign of b flipped by flip.
func addSigned(a, b F80, flip, cw, de uint16) (F80, uint16) {
	if a.isNormal() && b.isNormal() && de == 0 {
		b.SE ^= flip
		return addNormal(a.SE, int(a.SE&expMask), a.Mant, b.SE, int(b.SE&expMask), b.Mant, cw)
	}
	x, y := a.unpack(), b.unpack()
	if r, ex, done := special(a, b, &x, &y); done {
		return r, ex
	}
	y.sign ^= flip
	if x.kind == infinite || y.kind == infinite {
		if x.kind == y.kind && x.sign != y.sign {
			return indefinite, IE
		}
		de = denormals(&x, &y, de)
		if x.kind == infinite {
			return infinityOf(x.sign), de
		}
		return infinityOf(y.sign), de
	}
	ex := denormals(&x, &y, de)
	if stopsAt(ex, cw) {
		return a, ex
	}
	r, exr := addFinite(&x, &y, cw)
	return r, ex | exr
}

func addFinite(x, y *number, cw uint16) (F80, uint16) {
	switch {
	case x.kind == zero && y.kind == zero:
		if x.sign == y.sign {
			return zeroOf(x.sign), 0
		}
		return zeroOf(cancelSign(cw)), 0
	case x.kind == zero:
		return round(y.sign, y.exp, y.mant, 0, cw, unit(cw))
	case y.kind == zero:
		return round(x.sign, x.exp, x.mant, 0, cw, unit(cw))
	}
	return addNormal(x.sign, x.exp, x.mant, y.sign, y.exp, y.mant, cw)
}

// addNormal adds two numbers with normalised significands. Of the signs only
// the sign bit counts.
func addNormal(sx uint16, ex int, mx uint64, sy uint16, ey int, my uint64, cw uint16) (F80, uint16) {
	if ex < ey || ex == ey && mx < my {
		sx, ex, mx, sy, ey, my = sy, ey, my, sx, ex, mx
	}
	hi, lo := shiftRight(my, 0, ex-ey)
	sign := sx & signBit
	if (sx^sy)&signBit == 0 {
		sum, carry := bits.Add64(mx, hi, 0)
		if carry != 0 {
			lo = lo>>1 | sum<<63 | lo&1
			sum = sum>>1 | intBit
			ex++
		}
		return round(sign, ex, sum, lo, cw, unit(cw))
	}
	lo, borrow := bits.Sub64(0, lo, 0)
	hi, _ = bits.Sub64(mx, hi, borrow)
	if hi|lo == 0 {
		return zeroOf(cancelSign(cw)), 0
	}
	hi, lo, ex = normalise(hi, lo, ex)
	return round(sign, ex, hi, lo, cw, unit(cw))
}

// cancelSign is the sign of an exact zero difference.
func cancelSign(cw uint16) uint16 {
	if cw&rcMask == rcDown {
		return signBit
	}
	return 0
}

// normalise shifts hi:lo, not zero, left until the top bit is set.
func normalise(hi, lo uint64, exp int) (uint64, uint64, int) {
	if hi == 0 {
		hi, lo = lo, 0
		exp -= 64
	}
	n := bits.LeadingZeros64(hi)
	if n == 0 {
		return hi, lo, exp
	}
	return hi<<n | lo>>(64-n), lo << n, exp - n
}

func mul(a, b F80, cw, de uint16) (F80, uint16) {
	if a.isNormal() && b.isNormal() && de == 0 {
		return mulNormal((a.SE^b.SE)&signBit, int(a.SE&expMask)+int(b.SE&expMask), a.Mant, b.Mant, cw)
	}
	x, y := a.unpack(), b.unpack()
	if r, ex, done := special(a, b, &x, &y); done {
		return r, ex
	}
	sign := x.sign ^ y.sign
	if x.kind == infinite || y.kind == infinite {
		if x.kind == zero || y.kind == zero {
			return indefinite, IE
		}
		return infinityOf(sign), denormals(&x, &y, de)
	}
	ex := denormals(&x, &y, de)
	if x.kind == zero || y.kind == zero {
		return zeroOf(sign), ex
	}
	if stopsAt(ex, cw) {
		return a, ex
	}
	r, exr := mulNormal(sign, x.exp+y.exp, x.mant, y.mant, cw)
	return r, ex | exr
}

// mulNormal multiplies normalised significands; exp is the sum of the biased
// exponents.
func mulNormal(sign uint16, exp int, mx, my uint64, cw uint16) (F80, uint16) {
	hi, lo := bits.Mul64(mx, my)
	exp -= bias - 1
	if hi < intBit {
		hi, lo, exp = hi<<1|lo>>63, lo<<1, exp-1
	}
	return round(sign, exp, hi, lo, cw, unit(cw))
}

func divr(a, b F80, cw, de uint16) (F80, uint16) { return div(b, a, cw, de) }

func div(a, b F80, cw, de uint16) (F80, uint16) {
	if a.isNormal() && b.isNormal() && de == 0 {
		hi, lo, exp := divMant(a.Mant, b.Mant, int(a.SE&expMask)-int(b.SE&expMask)+bias)
		return round((a.SE^b.SE)&signBit, exp, hi, lo, cw, unit(cw))
	}
	x, y := a.unpack(), b.unpack()
	if r, ex, done := special(a, b, &x, &y); done {
		return r, ex
	}
	sign := x.sign ^ y.sign
	ex := denormals(&x, &y, de)
	switch {
	case x.kind == infinite && y.kind == infinite, x.kind == zero && y.kind == zero:
		return indefinite, IE
	case x.kind == infinite:
		return infinityOf(sign), ex
	case y.kind == zero:
		return infinityOf(sign), ZE
	case x.kind == zero, y.kind == infinite:
		return zeroOf(sign), ex
	case stopsAt(ex, cw):
		return a, ex
	}
	hi, lo, exp := divMant(x.mant, y.mant, x.exp-y.exp+bias)
	r, exr := round(sign, exp, hi, lo, cw, unit(cw))
	return r, ex | exr
}

// divMant divides normalised significands; the lowest bit of lo is sticky.
func divMant(m, d uint64, exp int) (hi, lo uint64, e int) {
	var rem uint64
	if m >= d {
		hi, rem = bits.Div64(m>>1, m<<63, d)
	} else {
		hi, rem = bits.Div64(m, 0, d)
		exp--
	}
	lo, rem = bits.Div64(rem, 0, d)
	if rem != 0 {
		lo |= 1
	}
	return hi, lo, exp
}

func sqrt(a F80, cw uint16) (F80, uint16) {
	x := a.unpack()
	switch {
	case x.kind == unsupported:
		return indefinite, IE
	case x.kind == nan:
		return chooseNaN(a, a)
	case x.kind == zero:
		return a, 0
	case x.sign != 0:
		return indefinite, IE
	case x.kind == infinite:
		return a, 0
	}
	ex := denormals(&x, &x, 0)
	if stopsAt(ex, cw) {
		return a, ex
	}
	hi, lo := x.mant>>1, x.mant<<63
	e := x.exp - bias
	if e&1 != 0 {
		hi, lo = x.mant, 0
		e--
	}
	root, tail := sqrt128(hi, lo)
	r, exr := round(0, e/2+bias, root, tail, cw, unit(cw))
	return r, ex | exr
}

// sqrt128 returns the integer square root of hi:lo, hi at least 2^62, and a
// tail to round by: the root is never exactly half-way.
func sqrt128(hi, lo uint64) (root, tail uint64) {
	// The estimate is good to 50 bits, a Newton step makes it good to the
	// last place or so, the loops correct that.
	est := math.Sqrt(float64(hi)) * (1 << 32)
	root = math.MaxUint64
	if est < 1<<64 {
		root = uint64(est)
	}
	if root > hi {
		q, _ := bits.Div64(hi, lo, root)
		sum, carry := bits.Add64(root, q, 0)
		root = sum>>1 | carry<<63
	}
	for {
		ph, pl := bits.Mul64(root, root)
		rl, borrow := bits.Sub64(lo, pl, 0)
		rh, borrow := bits.Sub64(hi, ph, borrow)
		if borrow != 0 {
			root--
			continue
		}
		// The remainder must not exceed 2*root, which has 65 bits; above
		// root, the fraction that is cut off is more than a half.
		if rh > 1 || rh == 1 && rl > root<<1 {
			root++
			continue
		}
		switch {
		case rh != 0 || rl > root:
			return root, half | 1
		case rl != 0:
			return root, 1
		}
		return root, 0
	}
}
