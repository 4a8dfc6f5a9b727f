package x87

import "math/bits"

// wide is a floating point number with a significand of 128 bits, enough to
// carry the transcendental functions to their last rounding: hi:lo with the
// top bit set is in [1,2), scaled by 2^exp. Zero has hi zero.
type wide struct {
	neg    bool
	exp    int
	hi, lo uint64
}

func (n *number) wide() wide {
	if n.kind == zero {
		return wide{}
	}
	return wide{neg: n.sign != 0, exp: n.exp - bias, hi: n.mant}
}

// round makes an F80 of w. A transcendental function is inexact whatever
// comes out, but a result that does not show it is not rounded.
func (w wide) round(cw uint16) (F80, uint16) {
	var sign uint16
	if w.neg {
		sign = signBit
	}
	if w.hi == 0 {
		return zeroOf(sign), 0
	}
	f, ex := round(sign, w.exp+bias, w.hi, w.lo, cw, 1)
	if f.SE&expMask == 0 {
		ex |= UE
	}
	return f, ex | PE
}

func (w wide) negate() wide {
	w.neg = !w.neg
	return w
}

// mul128 returns the upper half of the product of two 128-bit numbers.
func mul128(ah, al, bh, bl uint64) (hi, lo uint64) {
	hi, lo = bits.Mul64(ah, bh)
	xh, xl := bits.Mul64(ah, bl)
	yh, yl := bits.Mul64(al, bh)
	zh, _ := bits.Mul64(al, bl)
	mid, c1 := bits.Add64(xl, yl, 0)
	_, c2 := bits.Add64(mid, zh, 0)
	lo, c := bits.Add64(lo, xh, c1)
	hi += c
	lo, c = bits.Add64(lo, yh, c2)
	hi += c
	return hi, lo
}

func (w wide) mul(v wide) wide {
	if w.hi == 0 || v.hi == 0 {
		return wide{neg: w.neg != v.neg}
	}
	hi, lo := mul128(w.hi, w.lo, v.hi, v.lo)
	r := wide{neg: w.neg != v.neg}
	r.hi, r.lo, r.exp = normalise(hi, lo, w.exp+v.exp+1)
	return r
}

func (w wide) add(v wide) wide {
	if w.hi == 0 {
		return v
	}
	if v.hi == 0 {
		return w
	}
	if w.exp < v.exp || w.exp == v.exp && (w.hi < v.hi || w.hi == v.hi && w.lo < v.lo) {
		w, v = v, w
	}
	d := w.exp - v.exp
	if w.neg == v.neg {
		hi, lo := shiftRight(v.hi, v.lo, d)
		lo, c := bits.Add64(w.lo, lo, 0)
		hi, c = bits.Add64(w.hi, hi, c)
		if c != 0 {
			hi, lo = shiftRight(hi, lo, 1)
			hi |= intBit
			w.exp++
		}
		w.hi, w.lo = hi, lo
		return w
	}
	hi, lo := shiftRight(v.hi, v.lo, d)
	lo, c := bits.Sub64(w.lo, lo, 0)
	hi, _ = bits.Sub64(w.hi, hi, c)
	if hi|lo == 0 {
		return wide{}
	}
	w.hi, w.lo, w.exp = normalise(hi, lo, w.exp)
	return w
}

func (w wide) sub(v wide) wide { return w.add(v.negate()) }

// div divides by v, not zero. The quotient may be one unit too small.
func (w wide) div(v wide) wide {
	if w.hi == 0 {
		return wide{neg: w.neg != v.neg}
	}
	r := wide{neg: w.neg != v.neg, exp: w.exp - v.exp}
	nh, nl := w.hi, w.lo
	if nh > v.hi || nh == v.hi && nl >= v.lo {
		nh, nl = nh>>1, nl>>1|nh<<63
	} else {
		r.exp--
	}
	r.hi, nh, nl = divDigit(nh, nl, v.hi, v.lo)
	r.lo, _, _ = divDigit(nh, nl, v.hi, v.lo)
	return r
}

// divDigit divides nh:nl:0 by dh:dl, which is larger than nh:nl and has its
// top bit set. It returns a quotient of 64 bits and the remainder.
func divDigit(nh, nl, dh, dl uint64) (q, rh, rl uint64) {
	carry := uint64(0)
	if nh >= dh {
		q, rh = ^uint64(0), nl
		rh, carry = bits.Add64(rh, dh, 0)
	} else {
		q, rh = bits.Div64(nh, nl, dh)
	}
	// The remainder so far is carry:rh:0 less q*dl.
	ph, pl := bits.Mul64(q, dl)
	rl, borrow := bits.Sub64(0, pl, 0)
	rh, borrow = bits.Sub64(rh, ph, borrow)
	carry -= borrow
	for carry>>63 != 0 {
		q--
		var c uint64
		rl, c = bits.Add64(rl, dl, 0)
		rh, c = bits.Add64(rh, dh, c)
		carry += c
	}
	return q, rh, rl
}

// The power series run in fixed point: the variable below one as hi:lo/2^128,
// the sums, between a half and two, as hi:lo/2^127.
type fixed struct{ hi, lo uint64 }

// fixed cuts the magnitude of w, less than one, to a fixed point variable.
func (w wide) fixed() fixed {
	hi, lo := w.hi, w.lo
	if n := -1 - w.exp; n > 0 {
		hi, lo = shiftRight(hi, lo, n)
	}
	return fixed{hi, lo}
}

// wide makes a number of a sum.
func (f fixed) wide() wide {
	var w wide
	w.hi, w.lo, w.exp = normalise(f.hi, f.lo, 0)
	return w
}

func (f fixed) times(v fixed) fixed {
	hi, lo := mul128(f.hi, f.lo, v.hi, v.lo)
	return fixed{hi, lo}
}

func (f fixed) over(k uint64) fixed {
	hi, r := f.hi/k, f.hi%k
	lo, _ := bits.Div64(r, f.lo, k)
	return fixed{hi, lo}
}

func (f fixed) plus(v fixed) fixed {
	lo, c := bits.Add64(f.lo, v.lo, 0)
	return fixed{f.hi + v.hi + c, lo}
}

func (f fixed) minus(v fixed) fixed {
	lo, c := bits.Sub64(f.lo, v.lo, 0)
	return fixed{f.hi - v.hi - c, lo}
}

var fixedOne = fixed{intBit, 0}

// horner returns 1 ± u/d(n)·(1 ± u/d(n-1)·(...)): a series whose terms have
// the ratios u/d(1), u/d(2) ..., d(1) being that of the first.
func horner(u fixed, minus bool, n uint64, d func(i uint64) uint64) wide {
	sum := fixedOne
	for i := n; i > 0; i-- {
		t := sum.times(u).over(d(i))
		if minus {
			sum = fixedOne.minus(t)
		} else {
			sum = fixedOne.plus(t)
		}
	}
	return sum.wide()
}

// odds returns 1 ± u/3 + u²/5 ± ... to n terms.
func odds(u fixed, minus bool, n uint64) wide {
	sum := fixedOne.over(2*n + 1)
	for ; n > 0; n-- {
		t := sum.times(u)
		c := fixedOne.over(2*n - 1)
		if minus {
			sum = c.minus(t)
		} else {
			sum = c.plus(t)
		}
	}
	return sum.wide()
}
