package interp

import "math"

// RCPSS and RSQRTSS. The manual allows an error of 1.5 * 2^-12; these give what
// Intel's processors give: the function's value in the middle of the interval
// that the leading bits of the operand name, rounded to thirteen bits.
// Denormals are zero always, and nothing raises an exception.

const approxSteps = 1 << 13

// approxS assembles a single number of q in (1/2, 1) and a power of two.
func approxS(sign uint64, q float64, exp int) uint64 {
	q = math.Floor(q*approxSteps+0.5) / approxSteps
	field := exp + formatS.bias - 1
	if field <= 0 {
		return sign
	}
	return sign | uint64(field)<<23 | bits32of(float32(q))&(1<<23-1)
}

// middle is the middle of the interval of operands, 1 to 2, that share n bits
// of fraction.
func middle(a uint64, n uint) float64 {
	return 1 + (float64(a&(1<<23-1)>>(23-n))+0.5)/float64(uint64(1)<<n)
}

func rcpS(_, a uint64, _ uint32) (uint64, uint32) {
	sign := a & formatS.sign
	switch field := expS(a); {
	case formatS.isNaN(a):
		return a | formatS.quietBit(), 0
	case field == 0:
		return sign | formatS.infinity(), 0
	case field > mostS:
		return sign, 0
	default:
		return approxS(sign, 1/middle(a, 11), formatS.bias-int(field)), 0
	}
}

func rsqrtS(_, a uint64, _ uint32) (uint64, uint32) {
	sign := a & formatS.sign
	switch field := expS(a); {
	case formatS.isNaN(a):
		return a | formatS.quietBit(), 0
	case field == 0:
		return sign | formatS.infinity(), 0
	case sign != 0:
		return formatS.defaultNaN(), 0
	case field > mostS:
		return 0, 0
	default:
		exp := int(field) - formatS.bias
		x := middle(a, 10) * float64(1+exp&1)
		return approxS(0, 1/math.Sqrt(x), -(exp >> 1)), 0
	}
}
