package x87

import "math/bits"

const (
	bias     = 0x3fff
	expMax   = 0x7fff // infinities and NaNs
	expMask  = 0x7fff
	signBit  = 0x8000
	intBit   = 1 << 63 // the explicit integer bit of a significand
	quietBit = 1 << 62
	half     = 1 << 63 // of the bits that are rounded away

	// wrap is what the exponent is moved by when an overflow or underflow is
	// unmasked (Intel SDM vol. 1, 8.5.4).
	wrap = 0x6000
)

// kind classifies a value for the special cases of the operations.
type kind uint8

const (
	finite kind = iota // normal or denormal, not zero
	zero
	infinite
	nan
	unsupported // pseudo-NaN, pseudo-infinity, unnormal (SDM vol. 1, 8.2.2)
)

// number is an F80 taken apart. For finite values mant is normalised and exp
// is the biased exponent, zero or negative for denormals.
type number struct {
	mant     uint64
	exp      int
	sign     uint16 // 0 or signBit
	kind     kind
	denormal bool
}

func (f F80) unpack() number {
	n := number{mant: f.Mant, exp: int(f.SE & expMask), sign: f.SE & signBit}
	switch {
	case n.exp == 0:
		if f.Mant == 0 {
			n.kind = zero
			return n
		}
		// A pseudo-denormal has its integer bit set: no shift then.
		lead := bits.LeadingZeros64(f.Mant)
		n.mant <<= lead
		n.exp = 1 - lead
		n.denormal = true
	case f.Mant&intBit == 0:
		n.kind = unsupported
	case n.exp == expMax:
		n.kind = nan
		if f.Mant == intBit {
			n.kind = infinite
		}
	}
	return n
}

// isNormal reports whether f is a normal number, for which the operations
// have a short way.
func (f F80) isNormal() bool {
	return f.Mant >= intBit && f.SE&expMask-1 < expMax-1
}

func (f F80) isSignaling() bool {
	return f.SE&expMask == expMax && f.Mant&(intBit|quietBit) == intBit && f.Mant != intBit
}

func zeroOf(sign uint16) F80     { return F80{0, sign} }
func infinityOf(sign uint16) F80 { return F80{intBit, sign | expMax} }

// unit is a one in the last place of a significand rounded to the precision
// that cw selects. The reserved setting behaves as 64 bits.
func unit(cw uint16) uint64 {
	switch cw & pcMask {
	case pc24:
		return 1 << 40
	case pc53:
		return 1 << 11
	}
	return 1
}

// roundsUp decides whether a significand whose last kept bit is odd or not,
// with tail cut off (half is a half of the last place; the lowest bit stands
// for everything below), is rounded away from zero.
func roundsUp(cw, sign uint16, odd bool, tail uint64) bool {
	switch cw & rcMask {
	case rcNearest:
		return tail > half || tail == half && odd
	case rcDown:
		return sign != 0 && tail != 0
	case rcUp:
		return sign == 0 && tail != 0
	}
	return false
}

// shiftRight shifts hi:lo right by n; what falls out is kept as a set lowest
// bit.
func shiftRight(hi, lo uint64, n int) (uint64, uint64) {
	switch {
	case n == 0:
		return hi, lo
	case n < 64:
		sticky := lo << (64 - n)
		lo = hi<<(64-n) | lo>>n
		if sticky != 0 {
			lo |= 1
		}
		return hi >> n, lo
	case n < 128:
		sticky := lo
		if n > 64 {
			sticky |= hi << (128 - n)
		}
		lo = hi >> (n - 64)
		if sticky != 0 {
			lo |= 1
		}
		return 0, lo
	}
	if hi|lo != 0 {
		return 0, 1
	}
	return 0, 0
}

// round makes an F80 of a result with the significand hi:lo, hi normalised
// and lo the bits below it, and the biased exponent exp of any size. It
// returns the exceptions OE UE PE, and C1 if it rounded away from zero.
// Tininess is detected after rounding (SDM vol. 1, 4.9.1.5).
func round(sign uint16, exp int, hi, lo uint64, cw uint16, ulp uint64) (F80, uint16) {
	if exp <= 0 {
		return roundTiny(sign, exp, hi, lo, cw, ulp)
	}
	var ex uint16
	mant, tail := cut(hi, lo, ulp)
	if tail != 0 {
		ex = PE
		if roundsUp(cw, sign, mant&ulp != 0, tail) {
			ex |= C1
			mant += ulp
			if mant == 0 {
				mant = intBit
				exp++
			}
		}
	}
	if exp >= expMax {
		return overflow(sign, exp, mant, ex, cw, ulp)
	}
	return F80{mant, sign | uint16(exp)}, ex
}

// cut splits hi:lo into the significand to keep and the tail to round by.
func cut(hi, lo, ulp uint64) (mant, tail uint64) {
	if ulp == 1 {
		return hi, lo
	}
	rest := hi & (ulp - 1)
	tail = rest << bits.LeadingZeros64(ulp-1)
	if lo != 0 {
		tail |= 1
	}
	return hi &^ (ulp - 1), tail
}

// overflow gives the result of a rounding whose exponent is too large.
func overflow(sign uint16, exp int, mant uint64, ex, cw uint16, ulp uint64) (F80, uint16) {
	if cw&OE == 0 {
		exp -= wrap
		if exp >= expMax { // only FSCALE gets that far
			return infinityOf(sign), OE | PE | C1
		}
		return F80{mant, sign | uint16(exp)}, ex | OE
	}
	toInfinity := true
	switch cw & rcMask {
	case rcDown:
		toInfinity = sign != 0
	case rcUp:
		toInfinity = sign == 0
	case rcZero:
		toInfinity = false
	}
	if toInfinity {
		return infinityOf(sign), OE | PE | C1
	}
	return F80{-ulp, sign | (expMax - 1)}, OE | PE
}

// roundTiny is round for results below the smallest normal number.
func roundTiny(sign uint16, exp int, hi, lo uint64, cw uint16, ulp uint64) (F80, uint16) {
	mant, tail := cut(hi, lo, ulp)
	up := roundsUp(cw, sign, mant&ulp != 0, tail)
	carries := exp == 0 && up && mant+ulp == 0
	tiny := !carries
	if tiny && cw&UE == 0 {
		if exp+wrap <= 0 { // only FSCALE gets that far
			return zeroOf(sign), UE | PE
		}
		f, ex := round(sign, exp+wrap, hi, lo, cw, ulp)
		return f, ex | UE
	}
	hi, lo = shiftRight(hi, lo, 1-exp)
	mant, tail = cut(hi, lo, ulp)
	var ex uint16
	if tail != 0 {
		ex = PE
		if tiny {
			ex |= UE
		}
		if roundsUp(cw, sign, mant&ulp != 0, tail) {
			ex |= C1
			mant += ulp
		}
	}
	// Rounding may have made it the smallest normal number.
	return F80{mant, sign | uint16(mant>>63)}, ex
}

// chooseNaN gives the result of an operation on two operands at least one of
// which is a NaN and none unsupported (Intel SDM vol. 1, table 4-7).
func chooseNaN(a, b F80) (F80, uint16) {
	var ex uint16
	aSig, bSig := a.isSignaling(), b.isSignaling()
	if aSig || bSig {
		ex = IE
	}
	aNaN, bNaN := a.unpack().kind == nan, b.unpack().kind == nan
	switch {
	case !aNaN, bNaN && aSig && !bSig:
		a = b
	case !bNaN, bSig && !aSig:
	case a.Mant < b.Mant, a.Mant == b.Mant && a.SE > b.SE:
		a = b
	}
	a.Mant |= quietBit
	return a, ex
}
