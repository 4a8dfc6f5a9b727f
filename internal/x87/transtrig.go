package x87

import "math/bits"

// π/2 as the processor knows it: 66 bits (Intel SDM vol. 1, 8.3.8), an
// integer over 2^65.
const (
	halfPiHigh = 0x3
	halfPiLow  = 0x243f6a8885a308d3
)

// reduce returns x less the nearest multiple of π/2, and the last two bits of
// that multiple. x is below 2^63.
func reduce(x *number) (r wide, quadrant int) {
	r = x.wide()
	r.neg = false
	e := x.exp - bias
	if e < -1 {
		return r, 0
	}
	// In units of 2^-65, x is mant<<(e+2): divide by shifting bits in.
	hi, lo := uint64(0), x.mant
	q := uint64(0)
	for range e + 2 {
		hi, lo = hi<<1|lo>>63, lo<<1
		q <<= 1
		if hi > halfPiHigh || hi == halfPiHigh && lo >= halfPiLow {
			q |= 1
			hi, lo = lessHalfPi(hi, lo)
		}
	}
	// Twice the remainder against the divisor: it is never the half.
	if th, tl := hi<<1|lo>>63, lo<<1; th > halfPiHigh || th == halfPiHigh && tl > halfPiLow {
		q++
		hi, lo = lessHalfPi(hi, lo)
		lo = -lo
		hi = ^hi
		if lo == 0 {
			hi++
		}
		r.neg = true
	}
	if hi|lo == 0 {
		return wide{}, int(q & 3)
	}
	// hi:lo/2^127 with exponent 62 is hi:lo/2^65.
	r.hi, r.lo, r.exp = normalise(hi, lo, 62)
	return r, int(q & 3)
}

func lessHalfPi(hi, lo uint64) (uint64, uint64) {
	lo, borrow := bits.Sub64(lo, halfPiLow, 0)
	hi, _ = bits.Sub64(hi, halfPiHigh, borrow)
	return hi, lo
}

// sinWide and cosWide take arguments up to π/4.
func sinWide(r wide) wide {
	return r.mul(horner(r.mul(r).fixed(), true, 16, func(i uint64) uint64 { return 2 * i * (2*i + 1) }))
}

func cosWide(r wide) wide {
	return horner(r.mul(r).fixed(), true, 16, func(i uint64) uint64 { return 2 * i * (2*i - 1) })
}

// sinAt returns the sine of r and that many right angles more.
func sinAt(r wide, quadrant int) wide {
	var w wide
	if quadrant&1 == 0 {
		w = sinWide(r)
	} else {
		w = cosWide(r)
	}
	if quadrant&2 != 0 {
		w = w.negate()
	}
	return w
}

// sinOf and cosOf take arguments below 2^63, as reduce leaves them.
func sinOf(x *number, r wide, quadrant int) wide {
	w := sinAt(r, quadrant)
	if x.sign != 0 {
		w = w.negate()
	}
	return w
}

func cosOf(r wide, quadrant int) wide { return sinAt(r, quadrant+1) }

// trig handles what FSIN, FCOS, FSINCOS and FPTAN do alike. far is the
// answer to an argument of 2^63 or more, which sets C2 and changes nothing;
// done says that r is the result, or both results.
func trig(a F80, x *number, cw uint16) (r F80, ex uint16, done, far bool) {
	r, ex, done = specialOne(a, x)
	switch {
	case done:
	case x.kind == infinite:
		return indefinite, IE, true, false
	case x.kind == finite && x.exp >= bias+63:
		return a, 0, true, true
	default:
		ex = denormals(x, x, 0)
		done = stopsAt(ex, cw)
	}
	return r, ex, done, false
}

func sin(a F80, cw uint16) (r F80, ex uint16, far bool) {
	x := a.unpack()
	r, ex, done, far := trig(a, &x, cw)
	if done {
		return r, ex, far
	}
	if x.kind == zero {
		return a, 0, false
	}
	w, quadrant := reduce(&x)
	r, exr := sinOf(&x, w, quadrant).round(cw)
	return r, ex | exr, false
}

var one = F80{intBit, bias}

func cos(a F80, cw uint16) (r F80, ex uint16, far bool) {
	x := a.unpack()
	r, ex, done, far := trig(a, &x, cw)
	if done {
		return r, ex, far
	}
	if x.kind == zero {
		return one, 0, false
	}
	w, quadrant := reduce(&x)
	r, exr := cosOf(w, quadrant).round(cw)
	return r, ex | exr, false
}

// sincos is both. Each result has its own rounding, C1 is that of the sine.
func sincos(a F80, cw uint16) (s, c F80, ex uint16, far bool) {
	x := a.unpack()
	r, ex, done, far := trig(a, &x, cw)
	if done {
		return r, r, ex, far
	}
	if x.kind == zero {
		return a, one, 0, false
	}
	w, quadrant := reduce(&x)
	s, exs := sinOf(&x, w, quadrant).round(cw)
	c, exc := cosOf(w, quadrant).round(cw)
	return s, c, ex | exs | exc&^C1, false
}

func tan(a F80, cw uint16) (r F80, ex uint16, far bool) {
	x := a.unpack()
	r, ex, done, far := trig(a, &x, cw)
	if done {
		return r, ex, far
	}
	if x.kind == zero {
		return a, 0, false
	}
	w, quadrant := reduce(&x)
	r, exr := sinOf(&x, w, quadrant).div(cosOf(w, quadrant)).round(cw)
	return r, ex | exr, false
}
