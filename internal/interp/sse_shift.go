package interp

// Packed shifts. The count is a 64-bit number; counts of the lane width or
// more give zero, or the sign for arithmetic shifts (SDM vol. 2, PSLLW ff.).

// onesB.. replicate a lane when they multiply it.
const (
	oneB = 0x0101010101010101
	oneW = 0x0001000100010001
	oneD = 0x0000000100000001
)

func psllw(a, n uint64) uint64 {
	if n > 15 {
		return 0
	}
	return a << n & (0xffff << n & 0xffff * oneW)
}

func pslld(a, n uint64) uint64 {
	if n > 31 {
		return 0
	}
	return a << n & (0xffffffff << n & 0xffffffff * oneD)
}

// Go's shifts by 64 and more already give zero.
func psllq(a, n uint64) uint64 { return a << n }
func psrlq(a, n uint64) uint64 { return a >> n }

func psrlw(a, n uint64) uint64 {
	if n > 15 {
		return 0
	}
	return a >> n & (0xffff >> n * oneW)
}

func psrld(a, n uint64) uint64 {
	if n > 31 {
		return 0
	}
	return a >> n & (0xffffffff >> n * oneD)
}

func psraw(a, n uint64) uint64 {
	sign := swarSpread(a&topW, 16)
	if n > 15 {
		return sign
	}
	return psrlw(a, n) | sign&^(0xffff>>n*oneW)
}

func psrad(a, n uint64) uint64 {
	n = min(n, 31)
	return uint64(uint32(int32(a)>>n)) | uint64(int64(a)>>n)&^0xffffffff
}

// pslldq and psrldq shift the whole register by n bytes.
func pslldq(d xmm, n uint8) xmm {
	switch {
	case n > 15:
		return xmm{}
	case n > 7:
		return xmm{0, d.lo << (8 * (n - 8))}
	}
	return xmm{d.lo << (8 * n), d.hi<<(8*n) | d.lo>>(64-8*n)}
}

func psrldq(d xmm, n uint8) xmm {
	switch {
	case n > 15:
		return xmm{}
	case n > 7:
		return xmm{d.hi >> (8 * (n - 8)), 0}
	}
	return xmm{d.lo>>(8*n) | d.hi<<(64-8*n), d.hi >> (8 * n)}
}

// palignr takes sixteen bytes, from byte n on, of d:s.
func palignr(d, s xmm, n uint8) xmm {
	if n > 15 {
		return psrldq(d, n-16)
	}
	low, high := psrldq(s, n), pslldq(d, 16-n)
	return xmm{low.lo | high.lo, low.hi | high.hi}
}
