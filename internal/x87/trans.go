package x87

// The transcendental instructions are correct to 64 bits but for one case in
// some 2^50, where the processor promises less than one unit in the last
// place (Intel SDM vol. 1, 8.3.10). They use the processor's value of π, so
// that large arguments give what it gives (8.3.8).

// specialOne handles an operand that is no number; done says that it was one.
func specialOne(a F80, x *number) (r F80, ex uint16, done bool) {
	switch x.kind {
	case unsupported:
		return indefinite, IE, true
	case nan:
		r, ex = chooseNaN(a, a)
		return r, ex, true
	}
	return F80{}, 0, false
}

// exp2m1 returns 2^w - 1 for w between -1 and 1.
func exp2m1(w wide) wide {
	y := w.mul(wideLn2)
	u := y.fixed()
	s := horner(u, y.neg, 31, func(i uint64) uint64 { return i + 1 })
	return y.mul(s)
}

// f2xm1 is 2^a - 1, for a between -1 and 1; outside the manual leaves it
// undefined and the processor returns a.
func f2xm1(a F80, cw uint16) (F80, uint16) {
	x := a.unpack()
	if r, ex, done := specialOne(a, &x); done {
		return r, ex
	}
	switch x.kind {
	case zero:
		return a, 0
	case infinite:
		if x.sign != 0 {
			return F80{intBit, signBit | bias}, 0
		}
		return a, 0
	}
	ex := denormals(&x, &x, 0)
	if stopsAt(ex, cw) {
		return a, ex
	}
	if x.exp >= bias {
		if a == (F80{intBit, signBit | bias}) {
			return F80{intBit, signBit | bias - 1}, ex | PE
		}
		return a, ex | PE
	}
	r, exr := exp2m1(x.wide()).round(cw)
	return r, ex | exr
}

// log2 returns the logarithm to base 2 of w, positive.
func log2(w wide) wide {
	// 2^k·m with m between 1/√2 and √2, so that nothing cancels.
	k := w.exp
	w.exp = 0
	if w.hi > 0xb504f333f9de6484 {
		w.exp = -1
		k++
	}
	l := log2m(w.sub(wideOne), w.add(wideOne))
	if k == 0 {
		return l
	}
	n := fromInt(int64(k)).unpack()
	return n.wide().add(l)
}

// log2m returns log2 of (1+z)/(1-z), z being a quotient.
func log2m(num, den wide) wide {
	if num.hi == 0 {
		return wide{}
	}
	z := num.div(den)
	l := z.mul(odds(z.mul(z).fixed(), false, 25)).mul(wideLog2e)
	l.exp++
	return l
}

// yl2x is b times the logarithm to base 2 of a.
func yl2x(a, b F80, cw uint16) (F80, uint16) {
	x, y := a.unpack(), b.unpack()
	if r, ex, done := special(a, b, &x, &y); done {
		return r, ex
	}
	ex := denormals(&x, &y, 0)
	switch {
	case x.kind == zero:
		switch y.kind {
		case zero:
			return indefinite, IE
		case infinite:
			return infinityOf(y.sign ^ signBit), ex
		}
		return infinityOf(y.sign ^ signBit), ZE
	case x.sign != 0:
		return indefinite, IE
	}
	one := x.exp == bias && x.mant == intBit
	sign := y.sign // of the result
	if x.exp < bias {
		sign ^= signBit
	}
	switch {
	case y.kind == infinite && one, x.kind == infinite && y.kind == zero:
		return indefinite, IE
	case y.kind == infinite, x.kind == infinite:
		return infinityOf(sign), ex
	case y.kind == zero, one:
		return zeroOf(sign), ex
	case stopsAt(ex, cw):
		return a, ex
	}
	r, exr := y.wide().mul(log2(x.wide())).round(cw)
	return r, ex | exr
}

// yl2xp1 is b times the logarithm to base 2 of a+1.
func yl2xp1(a, b F80, cw uint16) (F80, uint16) {
	x, y := a.unpack(), b.unpack()
	if r, ex, done := special(a, b, &x, &y); done {
		return r, ex
	}
	ex := denormals(&x, &y, 0)
	sign := x.sign ^ y.sign
	switch {
	case x.kind == infinite && x.sign != 0:
		return indefinite, IE
	case y.kind == infinite && x.kind == zero, x.kind == infinite && y.kind == zero:
		return indefinite, IE
	case x.kind == infinite, y.kind == infinite:
		return infinityOf(sign), ex
	case x.kind == zero, y.kind == zero:
		return zeroOf(sign), ex
	case stopsAt(ex, cw):
		return a, ex
	}
	w := x.wide()
	if x.sign != 0 && x.exp >= bias {
		return a, ex | PE // out of the range that the manual defines
	}
	var l wide
	if x.exp < bias-2 {
		two := wide{exp: 1, hi: intBit}
		l = log2m(w, two.add(w))
	} else {
		l = log2(w.add(wideOne))
	}
	r, exr := y.wide().mul(l).round(cw)
	return r, ex | exr
}

// patan is the angle of the point (a, b): the arc tangent of b/a.
func patan(a, b F80, cw uint16) (F80, uint16) {
	x, y := a.unpack(), b.unpack()
	if r, ex, done := special(a, b, &x, &y); done {
		return r, ex
	}
	ex := denormals(&x, &y, 0)
	if stopsAt(ex, cw) {
		return a, ex
	}
	var w wide
	switch {
	case y.kind == zero || x.kind == infinite && y.kind != infinite:
		if x.sign == 0 {
			return zeroOf(y.sign), ex
		}
		w = widePi
	case x.kind == infinite: // both
		w = widePi
		w.exp -= 2
		if x.sign != 0 {
			w = widePi.sub(w)
		}
	case x.kind == zero, y.kind == infinite:
		w = wideHalfPi
	default:
		w = angle(x.wide(), y.wide())
	}
	w.neg = y.sign != 0
	r, exr := w.round(cw)
	return r, ex | exr
}

// angle returns the magnitude of the angle of (x, y), neither zero.
func angle(x, y wide) wide {
	left := x.neg
	x.neg, y.neg = false, false
	steep := y.exp > x.exp || y.exp == x.exp && y.hi > x.hi
	if steep {
		x, y = y, x
	}
	a := atanRatio(x, y)
	switch {
	case steep && left:
		return wideHalfPi.add(a)
	case steep:
		return wideHalfPi.sub(a)
	case left:
		return widePi.sub(a)
	}
	return a
}

// atanRatio returns the arc tangent of y/x, at most one.
func atanRatio(x, y wide) wide {
	// With c the nearest sixteenth of q = y/x,
	// atan q = atan c + atan (q-c)/(1+q·c), and the latter is below 1/32.
	var i int
	if x.exp-y.exp < 6 {
		q := y.div(x)
		q.exp += 4
		n := F80{q.hi, uint16(q.exp + bias)}.unpack()
		k, _, _ := toInteger(&n, rcNearest)
		i = int(k)
	}
	if i > 0 {
		n := fromInt(int64(i)).unpack()
		c := n.wide()
		c.exp -= 4
		x, y = x.add(c.mul(y)), y.sub(c.mul(x))
	}
	if y.hi == 0 {
		return wideAtan[i]
	}
	t := y.div(x)
	a := t.mul(odds(t.mul(t).fixed(), true, 13))
	return wideAtan[i].add(a)
}
