package interp

import "math/bits"

// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM vol. 2, 4.1). Sets of
// elements are bit masks, bit i for element i, so that each aggregation is a
// few operations on words.

// Fields of the immediate.
const (
	strWords    = 1 << 0 // elements are words, not bytes
	strSigned   = 1 << 1
	strNegate   = 1 << 4
	strMasked   = 1 << 5 // negate only valid elements of the second operand
	strLast     = 1 << 6 // index of the last element; or a mask of elements
	strEqualAny = 0 << 2
	strRanges   = 1 << 2
	strEach     = 2 << 2
	strOrdered  = 3 << 2
	strAggMask  = 3 << 2
)

// strElems is the number of elements of an operand.
func strElems(imm uint8) int { return 16 >> (imm & strWords) }

// equalMask gives the elements of a and b that are equal.
func equalMask(a, b xmm, words bool) uint32 {
	if !words {
		return uint32(movmskB(swarZero(a.lo^b.lo, topB)) | movmskB(swarZero(a.hi^b.hi, topB))<<8)
	}
	return movmskW(swarZero(a.lo^b.lo, topW)) | movmskW(swarZero(a.hi^b.hi, topW))<<4
}

// movmskW collects the top bits of the four words of q.
func movmskW(q uint64) uint32 {
	q = q & topW >> 15
	return uint32(q|q>>15|q>>30|q>>45) & 15
}

// strElem gives element i, replicated to all places if copies is the
// appropriate one of oneB and oneW.
func strElem(x xmm, i int, words bool) uint64 {
	if words {
		return extractField(x, uint8(i), 16)
	}
	return extractField(x, uint8(i), 8)
}

func strSplat(v uint64, words bool) xmm {
	if words {
		v *= oneW
	} else {
		v *= oneB
	}
	return xmm{v, v}
}

// implicitLength is the number of elements before the first that is zero.
func implicitLength(x xmm, imm uint8) int {
	zeros := equalMask(x, xmm{}, imm&strWords != 0)
	return min(bits.TrailingZeros32(zeros), strElems(imm))
}

// explicitLength is the absolute value of a length register, saturated.
func explicitLength(v int64, imm uint8) int {
	n := strElems(imm)
	if v > int64(n) || v < -int64(n) {
		return n
	}
	return int(max(v, -v))
}

// strCompare computes what the manual calls IntRes2: a is the first operand
// with na valid elements, b the second.
func strCompare(a, b xmm, na, nb int, imm uint8) uint32 {
	words := imm&strWords != 0
	n := strElems(imm)
	all := uint32(1)<<n - 1
	validA, validB := uint32(1)<<na-1, uint32(1)<<nb-1
	var r uint32
	switch imm & strAggMask {
	case strEqualAny:
		for j := range na {
			r |= equalMask(strSplat(strElem(a, j, words), words), b, words)
		}
		r &= validB
	case strRanges:
		r = rangesMask(a, b, na, imm) & validB
	case strEach:
		// Elements both beyond the end count as equal, one beyond does not.
		r = equalMask(a, b, words)&validA&validB | ^(validA|validB)&all
	case strOrdered:
		r = all
		for j := range na {
			m := equalMask(strSplat(strElem(a, j, words), words), b, words) & validB
			r &= m>>j | all&^(all>>j)
		}
	}
	if imm&strNegate != 0 {
		if imm&strMasked != 0 {
			r ^= validB
		} else {
			r ^= all
		}
	}
	return r
}

// rangesMask gives the elements of b that lie in one of the ranges of a, whose
// even elements are lower and odd ones upper bounds, both inclusive.
func rangesMask(a, b xmm, na int, imm uint8) uint32 {
	words := imm&strWords != 0
	h, n := uint64(topB), uint(8)
	if words {
		h, n = topW, 16
	}
	if imm&strSigned != 0 {
		flip := xmm{h, h}
		a, b = xmm{a.lo ^ flip.lo, a.hi ^ flip.hi}, xmm{b.lo ^ flip.lo, b.hi ^ flip.hi}
	}
	outside := func(q, low, high uint64) uint64 {
		return swarSpread(swarBelow(q, low, h)|swarBelow(high, q, h), n)
	}
	var r uint32
	for j := 0; j+1 < na; j += 2 {
		low := strSplat(strElem(a, j, words), words)
		high := strSplat(strElem(a, j+1, words), words)
		r |= equalMask(xmm{outside(b.lo, low.lo, high.lo), outside(b.hi, low.hi, high.hi)}, xmm{}, words)
	}
	return r
}

// strIndex is the result of the I forms.
func strIndex(r uint32, imm uint8) uint64 {
	switch {
	case r == 0:
		return uint64(strElems(imm))
	case imm&strLast != 0:
		return uint64(bits.Len32(r) - 1)
	}
	return uint64(bits.TrailingZeros32(r))
}

// strMask is the result of the M forms: bits, or elements all ones.
func strMask(r uint32, imm uint8) xmm {
	if imm&strLast == 0 {
		return xmm{uint64(r), 0}
	}
	if imm&strWords != 0 {
		return xmm{spreadBits(r&15, 4, 16), spreadBits(r>>4, 4, 16)}
	}
	return xmm{spreadBits(r&0xff, 8, 8), spreadBits(r>>8, 8, 8)}
}

// spreadBits makes an all-ones field of n bits of each of count bits.
func spreadBits(r uint32, count, n int) uint64 {
	var q uint64
	for i := range count {
		if r>>i&1 != 0 {
			q |= (1<<n - 1) << (i * n)
		}
	}
	return q
}
