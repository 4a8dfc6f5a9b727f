package x87

import "math/bits"

// format describes the two interchange formats of IEEE 754 that memory
// operands have.
type format struct {
	frac int // bits of fraction
	bias int
	top  int // the exponent of infinities
}

var (
	single = format{23, 127, 255}
	double = format{52, 1023, 2047}
)

// FromF32 and FromF64 widen memory operands. They are exact and leave
// signaling NaNs signaling: it is for the operation to complain. The second
// result is DE for a denormal.
func FromF32(b uint32) (F80, uint16) {
	return single.widen(uint64(b)&0x7fffffff, uint16(b>>16)&signBit)
}

func FromF64(b uint64) (F80, uint16) {
	// The common case first.
	if e := b >> 52 & 0x7ff; e-1 < 0x7fe {
		return F80{intBit | b<<11, uint16(b>>48)&signBit | uint16(e+bias-1023)}, 0
	}
	return double.widen(b&^(1<<63), uint16(b>>48)&signBit)
}

func (f format) widen(b uint64, sign uint16) (F80, uint16) {
	exp := int(b >> f.frac)
	mant := b << (63 - f.frac)
	switch {
	case exp == f.top:
		return F80{mant | intBit, sign | expMax}, 0
	case exp != 0:
		return F80{mant | intBit, sign | uint16(exp-f.bias+bias)}, 0
	case b == 0:
		return F80{0, sign}, 0
	}
	mant &^= intBit
	lead := bits.LeadingZeros64(mant)
	return F80{mant << lead, sign | uint16(1-f.bias+bias-lead)}, DE
}

// ToF32 and ToF64 round to a memory operand. store is false if an unmasked
// exception keeps the processor from storing it.
func ToF32(a F80, cw uint16) (b uint32, ex uint16, store bool) {
	v, ex, store := single.narrow(a, cw)
	return uint32(v), ex, store
}

func ToF64(a F80, cw uint16) (b uint64, ex uint16, store bool) {
	if e := int(a.SE&expMask) - bias + 1023; a.Mant&(intBit|0x7ff) == intBit && e > 0 && e < 0x7ff {
		return uint64(a.SE&signBit)<<48 | uint64(e)<<52 | a.Mant<<1>>12, 0, true
	}
	return double.narrow(a, cw)
}

func (f format) narrow(a F80, cw uint16) (b uint64, ex uint16, store bool) {
	x := a.unpack()
	width := f.frac + bits.Len(uint(f.top)) // where the sign goes
	sign := uint64(x.sign>>15) << width
	infinity := sign | uint64(f.top)<<f.frac
	switch x.kind {
	case zero:
		return sign, 0, true
	case infinite:
		return infinity, 0, true
	case unsupported:
		return 1<<width | uint64(f.top)<<f.frac | 1<<(f.frac-1), IE, cw&IE != 0
	case nan:
		r, ex := chooseNaN(a, a)
		return infinity | r.Mant<<1>>(64-f.frac), ex, cw&IE != 0 || ex == 0
	}
	ulp := uint64(1) << (63 - f.frac)
	exp := x.exp - bias + f.bias
	tiny := exp <= 0
	if tiny {
		// Tiny is what stays so after rounding to full precision.
		if m, tail := cut(x.mant, 0, ulp); exp == 0 && roundsUp(cw, x.sign, m&ulp != 0, tail) && m+ulp == 0 {
			tiny = false
		}
		if tiny && cw&UE == 0 {
			return 0, UE, false
		}
	}
	hi, lo := x.mant, uint64(0)
	if exp <= 0 {
		hi, lo = shiftRight(hi, 0, 1-exp)
	}
	mant, tail := cut(hi, lo, ulp)
	carry := false
	if tail != 0 {
		ex = PE
		if tiny {
			ex |= UE
		}
		if roundsUp(cw, x.sign, mant&ulp != 0, tail) {
			ex |= C1
			mant += ulp
			carry = mant == 0
		}
	}
	frac := mant << 1 >> (64 - f.frac)
	if exp <= 0 {
		// A set integer bit makes it the smallest normal number.
		return sign | mant>>63<<f.frac | frac, ex, true
	}
	if carry {
		exp++
	}
	if exp >= f.top {
		return f.overflow(x.sign, sign, cw)
	}
	return sign | uint64(exp)<<f.frac | frac, ex, true
}

func (f format) overflow(sign uint16, signAt uint64, cw uint16) (uint64, uint16, bool) {
	if cw&OE == 0 {
		return 0, OE, false
	}
	infinity := signAt | uint64(f.top)<<f.frac
	// With half a unit to round away, directed modes decide as for any other
	// inexact number and nearest rounds up.
	if cw&rcMask == rcNearest || roundsUp(cw, sign, true, half) {
		return infinity, OE | PE | C1, true
	}
	return infinity - 1, OE | PE, true
}

// ToInt rounds to a signed integer of size bits as RC in cw says. What does
// not fit is invalid and gives the most negative integer.
func ToInt(a F80, size int, cw uint16) (v int64, ex uint16, store bool) {
	indefinite := int64(-1) << (size - 1)
	x := a.unpack()
	if x.kind == zero {
		return 0, 0, true
	}
	if x.kind == finite && x.exp < bias+64 {
		n, up, inexact := toInteger(&x, cw)
		limit := uint64(1) << (size - 1) // of the magnitude; one less if positive
		if x.sign == 0 {
			limit--
		}
		if n <= limit && !(up && n == 0) {
			if inexact {
				ex = PE
			}
			if up {
				ex |= C1
			}
			if x.sign != 0 {
				n = -n
			}
			return int64(n), ex, true
		}
	}
	return indefinite, IE, cw&IE != 0
}
