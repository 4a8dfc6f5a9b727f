package interp

// Packed floating point built from the scalar operations. The flags of one
// lane are handed on to the next, which spares it the test for precision.

// lanesD applies f to both lanes.
func lanesD(f floatOp) packedOp {
	return func(d, s xmm, mx uint32) (xmm, uint32) {
		lo, ex := f(d.lo, s.lo, mx)
		hi, ex2 := f(d.hi, s.hi, mx|ex)
		return xmm{lo, hi}, ex | ex2
	}
}

// pairS applies f to the two single numbers of a quadword, g to the upper one.
func pairS(f, g floatOp, d, s uint64, mx uint32) (uint64, uint32) {
	lo, ex := f(d&0xffffffff, s&0xffffffff, mx)
	hi, ex2 := g(d>>32, s>>32, mx|ex)
	return lo | hi<<32, ex | ex2
}

// lanesS applies f to all four lanes.
func lanesS(f floatOp) packedOp { return alternateS(f, f) }

// alternateS applies f to the even lanes and g to the odd ones.
func alternateS(f, g floatOp) packedOp {
	return func(d, s xmm, mx uint32) (xmm, uint32) {
		lo, ex := pairS(f, g, d.lo, s.lo, mx)
		hi, ex2 := pairS(f, g, d.hi, s.hi, mx|ex)
		return xmm{lo, hi}, ex | ex2
	}
}

func addsubpd(d, s xmm, mx uint32) (xmm, uint32) {
	lo, ex := subD(d.lo, s.lo, mx)
	hi, ex2 := addD(d.hi, s.hi, mx|ex)
	return xmm{lo, hi}, ex | ex2
}

// horizontalD combines the two numbers of each operand.
func horizontalD(f floatOp) packedOp {
	return func(d, s xmm, mx uint32) (xmm, uint32) {
		lo, ex := f(d.lo, d.hi, mx)
		hi, ex2 := f(s.lo, s.hi, mx|ex)
		return xmm{lo, hi}, ex | ex2
	}
}

// horizontalS combines neighbours.
func horizontalS(f floatOp) packedOp {
	return func(d, s xmm, mx uint32) (xmm, uint32) {
		even := xmm{interleaveD(d.lo, d.hi), interleaveD(s.lo, s.hi)}
		odd := xmm{highD(d.lo, d.hi), highD(s.lo, s.hi)}
		return lanesS(f)(even, odd, mx)
	}
}

// Operations with an immediate.
type (
	floatImmOp  func(a, b uint64, imm uint8, mx uint32) (uint64, uint32)
	packedImmOp func(d, s xmm, imm uint8, mx uint32) (xmm, uint32)
)

// lanesImmD applies f to both lanes.
func lanesImmD(f floatImmOp) packedImmOp {
	return func(d, s xmm, imm uint8, mx uint32) (xmm, uint32) {
		lo, ex := f(d.lo, s.lo, imm, mx)
		hi, ex2 := f(d.hi, s.hi, imm, mx)
		return xmm{lo, hi}, ex | ex2
	}
}

// lanesImmS applies f to all four lanes.
func lanesImmS(f floatImmOp) packedImmOp {
	return func(d, s xmm, imm uint8, mx uint32) (r xmm, ex uint32) {
		for i := uint8(0); i < 4; i++ {
			v, e := f(d.dword(i), s.dword(i), imm, mx)
			r = r.withDword(i, v&0xffffffff)
			ex |= e
		}
		return r, ex
	}
}

// unmasked are the exceptions of ex that MXCSR does not mask.
func unmasked(ex, mx uint32) uint32 { return ex &^ (mx >> mxMaskShift) & mxFlags }

// report leaves out the exceptions that the processor does not come to report:
// those of results, if one of the operands is not masked.
func report(ex, mx uint32) uint32 {
	if unmasked(ex, mx)&mxBefore != 0 {
		return ex & mxBefore
	}
	return ex
}

// maskD gives an all-ones doubleword for each of the two low bits.
func maskD(two uint8) uint64 {
	return uint64(two&1)*0xffffffff | uint64(two>>1&1)*0xffffffff<<32
}

// dpps multiplies the lanes that imm's high half selects, adds the products
// pairwise, and writes the sum to the lanes of the low half. An unmasked
// exception ends it at the step that raises it.
func dpps(d, s xmm, imm uint8, mx uint32) (xmm, uint32) {
	var p [4]uint64
	var ex uint32
	for i := range uint8(4) {
		if imm>>(4+i)&1 != 0 {
			v, e := mulS(d.dword(i), s.dword(i), mx)
			p[i] = v
			ex |= e
		}
	}
	if ex = report(ex, mx); unmasked(ex, mx) != 0 {
		return d, ex | mxReported
	}
	sum, e := dotLane(&p, 0, mx)
	ex |= e | mxReported
	r := xmm{sum | sum<<32, sum | sum<<32}
	if formatS.isNaN(sum) {
		for i := range uint8(4) {
			sum, _ = dotLane(&p, i, mx)
			r = r.withDword(i, sum)
		}
	}
	return xmm{r.lo & maskD(imm), r.hi & maskD(imm>>2)}, ex
}

// dotLane adds the products in the order that lane i does on Intel's
// processors; the order decides which of several NaNs comes out.
func dotLane(p *[4]uint64, i uint8, mx uint32) (uint64, uint32) {
	first := 1 - i&1
	lo, ex := addS(p[first], p[first^1], mx)
	hi, ex2 := addS(p[2+first], p[3-first], mx)
	if ex = report(ex|ex2, mx); unmasked(ex, mx) != 0 {
		return 0, ex
	}
	if i > 1 {
		lo, hi = hi, lo
	}
	sum, ex2 := addS(lo, hi, mx)
	return sum, ex | report(ex2, mx)
}

func dppd(d, s xmm, imm uint8, mx uint32) (xmm, uint32) {
	var p xmm
	var ex, e uint32
	if imm&0x10 != 0 {
		p.lo, ex = mulD(d.lo, s.lo, mx)
	}
	if imm&0x20 != 0 {
		p.hi, e = mulD(d.hi, s.hi, mx)
		ex |= e
	}
	if ex = report(ex, mx); unmasked(ex, mx) != 0 {
		return d, ex | mxReported
	}
	lo, e := addD(p.lo, p.hi, mx)
	hi, _ := addD(p.hi, p.lo, mx) // another NaN, if both are
	return xmm{lo * uint64(imm&1), hi * uint64(imm>>1&1)}, ex | report(e, mx) | mxReported
}
