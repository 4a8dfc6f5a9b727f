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

// sinCos returns sine and cosine of x, below 2^63.
func sinCos(x *number) (sin, cos wide) {
	r, quadrant := reduce(x)
	sin, cos = sinWide(r), cosWide(r)
	switch quadrant {
	case 1:
		sin, cos = cos, sin.negate()
	case 2:
		sin, cos = sin.negate(), cos.negate()
	case 3:
		sin, cos = cos.negate(), sin
	}
	if x.sign != 0 {
		sin = sin.negate()
	}
	return sin, cos
}

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
	s, _ := sinCos(&x)
	r, exr := s.round(cw)
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
	_, c := sinCos(&x)
	r, exr := c.round(cw)
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
	ws, wc := sinCos(&x)
	s, exs := ws.round(cw)
	c, exc := wc.round(cw)
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
	s, c := sinCos(&x)
	r, exr := s.div(c).round(cw)
	return r, ex | exr, false
}
