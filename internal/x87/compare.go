package x87

import "math/bits"

// compare returns C3 C2 C0 as FCOM sets them. A quiet NaN is invalid unless
// quiet is set (FUCOM).
func compare(a, b F80, quiet bool, de uint16) (cc, ex uint16) {
	x, y := a.unpack(), b.unpack()
	if x.kind > infinite || y.kind > infinite {
		if !quiet || x.kind == unsupported || y.kind == unsupported || a.isSignaling() || b.isSignaling() {
			ex = IE
		}
		return C0 | C2 | C3, ex
	}
	ex = denormals(&x, &y, de)
	switch c := order(&x, &y); {
	case c < 0:
		return C0, ex
	case c == 0:
		return C3, ex
	}
	return 0, ex
}

// order compares two numbers that are no NaNs.
func order(x, y *number) int {
	if x.kind == zero && y.kind == zero {
		return 0
	}
	if x.sign != y.sign {
		if x.sign != 0 {
			return -1
		}
		return 1
	}
	c := magnitude(x, y)
	if x.sign != 0 {
		return -c
	}
	return c
}

func magnitude(x, y *number) int {
	switch {
	case x.kind == zero:
		if y.kind == zero {
			return 0
		}
		return -1
	case y.kind == zero:
		return 1
	case x.exp != y.exp:
		if x.exp < y.exp {
			return -1
		}
		return 1
	case x.mant < y.mant:
		return -1
	case x.mant > y.mant:
		return 1
	}
	return 0
}

// examine returns the class of a and its sign as FXAM reports them (Intel
// SDM vol. 2, FXAM).
func examine(a F80, empty bool) uint16 {
	var cc uint16
	if a.SE&signBit != 0 {
		cc = C1
	}
	if empty {
		return cc | C3 | C0
	}
	x := a.unpack()
	switch {
	case x.kind == unsupported:
	case x.kind == nan:
		cc |= C0
	case x.kind == infinite:
		cc |= C2 | C0
	case x.kind == zero:
		cc |= C3
	case x.denormal:
		cc |= C3 | C2
	default:
		cc |= C2
	}
	return cc
}

// tag is the two-bit tag of a register in use (Intel SDM vol. 1, 8.1.7).
func tag(f F80) uint16 {
	switch e := f.SE & expMask; {
	case e == 0 && f.Mant == 0:
		return 1
	case e == 0, e == expMax, f.Mant&intBit == 0:
		return 2
	}
	return 0
}

// fromInt converts exactly.
func fromInt(v int64) F80 {
	if v == 0 {
		return F80{}
	}
	var sign uint16
	m := uint64(v)
	if v < 0 {
		sign = signBit
		m = -m
	}
	lead := bits.LeadingZeros64(m)
	return F80{m << lead, sign | uint16(bias+63-lead)}
}
