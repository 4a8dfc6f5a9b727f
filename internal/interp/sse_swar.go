package interp

// Packed integers are computed eight bytes at a time in general registers.
// Each helper takes h, the word with only the top bit of every lane set; with
// a constant h the compiler folds everything to a handful of instructions.
// The names below describe the lane: B, W, D, Q are 8, 16, 32 and 64 bits.
const (
	topB = 0x8080808080808080
	topW = 0x8000800080008000
	topD = 0x8000000080000000
)

// xmm is one 128-bit value. A struct and not an array: the compiler keeps it
// in registers.
type xmm struct{ lo, hi uint64 }

// swarAdd adds lanes: the top bits are added without their carry.
func swarAdd(a, b, h uint64) uint64 { return (a&^h + b&^h) ^ (a^b)&h }

// swarSub subtracts lanes: a borrow out of the low bits stops at the set top
// bit.
func swarSub(a, b, h uint64) uint64 { return ((a | h) - b&^h) ^ (a^^b)&h }

// swarSpread makes an all-ones lane of each lane of n bits whose top bit is
// set in z; z has no other bits.
func swarSpread(z uint64, n uint) uint64 { return z | (z - z>>(n-1)) }

// swarZero gives the top bits of the lanes of x that are zero.
func swarZero(x, h uint64) uint64 { return ^((x&^h + ^h) | x) & h }

// swarBelow gives the top bits of the lanes where a < b, unsigned.
func swarBelow(a, b, h uint64) uint64 {
	return (^a&b | (^a|b)&swarSub(a, b, h)) & h
}

// swarSelect takes a where the mask m is set, else b.
func swarSelect(m, a, b uint64) uint64 { return b ^ m&(a^b) }

func swarEqual(a, b, h uint64, n uint) uint64 {
	return swarSpread(swarZero(a^b, h), n)
}

// swarGreater compares signed lanes: with the sign bits flipped the order is
// the unsigned one.
func swarGreater(a, b, h uint64, n uint) uint64 {
	return swarSpread(swarBelow(b^h, a^h, h), n)
}

// swarSatLimit is what a signed operation with left operand a saturates to:
// the greatest value of the lane, plus one (the least) where a is negative.
func swarSatLimit(a, h uint64, n uint) uint64 { return ^h + (a&h)>>(n-1) }

func swarAddSigned(a, b, h uint64, n uint) uint64 {
	s := swarAdd(a, b, h)
	overflow := swarSpread((a^s)&(b^s)&h, n)
	return swarSelect(overflow, swarSatLimit(a, h, n), s)
}

func swarSubSigned(a, b, h uint64, n uint) uint64 {
	d := swarSub(a, b, h)
	overflow := swarSpread((a^b)&(a^d)&h, n)
	return swarSelect(overflow, swarSatLimit(a, h, n), d)
}

func swarAddUnsigned(a, b, h uint64, n uint) uint64 {
	s := swarAdd(a, b, h)
	return s | swarSpread((a&b|(a|b)&^s)&h, n)
}

func swarSubUnsigned(a, b, h uint64, n uint) uint64 {
	return swarSub(a, b, h) &^ swarSpread(swarBelow(a, b, h), n)
}

func paddb(a, b uint64) uint64   { return swarAdd(a, b, topB) }
func paddw(a, b uint64) uint64   { return swarAdd(a, b, topW) }
func paddd(a, b uint64) uint64   { return swarAdd(a, b, topD) }
func paddq(a, b uint64) uint64   { return a + b }
func psubb(a, b uint64) uint64   { return swarSub(a, b, topB) }
func psubw(a, b uint64) uint64   { return swarSub(a, b, topW) }
func psubd(a, b uint64) uint64   { return swarSub(a, b, topD) }
func psubq(a, b uint64) uint64   { return a - b }
func paddsb(a, b uint64) uint64  { return swarAddSigned(a, b, topB, 8) }
func paddsw(a, b uint64) uint64  { return swarAddSigned(a, b, topW, 16) }
func psubsb(a, b uint64) uint64  { return swarSubSigned(a, b, topB, 8) }
func psubsw(a, b uint64) uint64  { return swarSubSigned(a, b, topW, 16) }
func paddusb(a, b uint64) uint64 { return swarAddUnsigned(a, b, topB, 8) }
func paddusw(a, b uint64) uint64 { return swarAddUnsigned(a, b, topW, 16) }
func psubusb(a, b uint64) uint64 { return swarSubUnsigned(a, b, topB, 8) }
func psubusw(a, b uint64) uint64 { return swarSubUnsigned(a, b, topW, 16) }

func pcmpeqb(a, b uint64) uint64 { return swarEqual(a, b, topB, 8) }
func pcmpeqw(a, b uint64) uint64 { return swarEqual(a, b, topW, 16) }
func pcmpeqd(a, b uint64) uint64 { return swarEqual(a, b, topD, 32) }
func pcmpgtb(a, b uint64) uint64 { return swarGreater(a, b, topB, 8) }
func pcmpgtw(a, b uint64) uint64 { return swarGreater(a, b, topW, 16) }
func pcmpgtd(a, b uint64) uint64 { return swarGreater(a, b, topD, 32) }

func pcmpeqq(a, b uint64) uint64 {
	if a == b {
		return ^uint64(0)
	}
	return 0
}

func pcmpgtq(a, b uint64) uint64 {
	if int64(a) > int64(b) {
		return ^uint64(0)
	}
	return 0
}

func swarMinUnsigned(a, b, h uint64, n uint) uint64 {
	return swarSelect(swarSpread(swarBelow(a, b, h), n), a, b)
}

func swarMaxUnsigned(a, b, h uint64, n uint) uint64 {
	return swarSelect(swarSpread(swarBelow(a, b, h), n), b, a)
}

func pminub(a, b uint64) uint64 { return swarMinUnsigned(a, b, topB, 8) }
func pminuw(a, b uint64) uint64 { return swarMinUnsigned(a, b, topW, 16) }
func pminud(a, b uint64) uint64 { return swarMinUnsigned(a, b, topD, 32) }
func pmaxub(a, b uint64) uint64 { return swarMaxUnsigned(a, b, topB, 8) }
func pmaxuw(a, b uint64) uint64 { return swarMaxUnsigned(a, b, topW, 16) }
func pmaxud(a, b uint64) uint64 { return swarMaxUnsigned(a, b, topD, 32) }
func pminsb(a, b uint64) uint64 { return swarSelect(pcmpgtb(b, a), a, b) }
func pminsw(a, b uint64) uint64 { return swarSelect(pcmpgtw(b, a), a, b) }
func pminsd(a, b uint64) uint64 { return swarSelect(pcmpgtd(b, a), a, b) }
func pmaxsb(a, b uint64) uint64 { return swarSelect(pcmpgtb(a, b), a, b) }
func pmaxsw(a, b uint64) uint64 { return swarSelect(pcmpgtw(a, b), a, b) }
func pmaxsd(a, b uint64) uint64 { return swarSelect(pcmpgtd(a, b), a, b) }

// pavgb is the average rounded up: a|b is half the sum plus half the
// difference.
func pavgb(a, b uint64) uint64 { return (a | b) - ((a^b)&0xfefefefefefefefe)>>1 }
func pavgw(a, b uint64) uint64 { return (a | b) - ((a^b)&0xfffefffefffefffe)>>1 }

func pand(a, b uint64) uint64  { return a & b }
func pandn(a, b uint64) uint64 { return ^a & b }
func por(a, b uint64) uint64   { return a | b }
func pxor(a, b uint64) uint64  { return a ^ b }

// swarNegate negates the lanes that the mask m selects.
func swarNegate(x, m, h uint64) uint64 { return swarSub(x^m, m, h) }

func pabsb(_, s uint64) uint64 { return swarNegate(s, swarSpread(s&topB, 8), topB) }
func pabsw(_, s uint64) uint64 { return swarNegate(s, swarSpread(s&topW, 16), topW) }
func pabsd(_, s uint64) uint64 { return swarNegate(s, swarSpread(s&topD, 32), topD) }

func swarSign(a, b, h uint64, n uint) uint64 {
	r := swarNegate(a, swarSpread(b&h, n), h)
	return r &^ swarSpread(swarZero(b, h), n)
}

func psignb(a, b uint64) uint64 { return swarSign(a, b, topB, 8) }
func psignw(a, b uint64) uint64 { return swarSign(a, b, topW, 16) }
func psignd(a, b uint64) uint64 { return swarSign(a, b, topD, 32) }

// eachW applies f to the four words of a and b, sign-extended.
func eachW(a, b uint64, f func(x, y int32) int32) uint64 {
	var r uint64
	for i := 0; i < 64; i += 16 {
		r |= uint64(uint16(f(int32(int16(a>>i)), int32(int16(b>>i))))) << i
	}
	return r
}

func pmullw(a, b uint64) uint64 {
	return eachW(a, b, func(x, y int32) int32 { return x * y })
}

func pmulhw(a, b uint64) uint64 {
	return eachW(a, b, func(x, y int32) int32 { return x * y >> 16 })
}

func pmulhuw(a, b uint64) uint64 {
	return eachW(a, b, func(x, y int32) int32 {
		return int32(uint32(uint16(x)) * uint32(uint16(y)) >> 16)
	})
}

func pmulhrsw(a, b uint64) uint64 {
	return eachW(a, b, func(x, y int32) int32 { return (x*y>>14 + 1) >> 1 })
}

func pmulld(a, b uint64) uint64 {
	return uint64(uint32(a)*uint32(b)) | uint64(uint32(a>>32)*uint32(b>>32))<<32
}

func pmuludq(a, b uint64) uint64 { return uint64(uint32(a)) * uint64(uint32(b)) }
func pmuldq(a, b uint64) uint64  { return uint64(int64(int32(a)) * int64(int32(b))) }

func pmaddwd(a, b uint64) uint64 {
	var r uint64
	for i := 0; i < 64; i += 32 {
		lo := int32(int16(a>>i)) * int32(int16(b>>i))
		hi := int32(int16(a>>(i+16))) * int32(int16(b>>(i+16)))
		r |= uint64(uint32(lo+hi)) << i
	}
	return r
}

// pmaddubsw multiplies unsigned bytes of a with signed bytes of b.
func pmaddubsw(a, b uint64) uint64 {
	var r uint64
	for i := 0; i < 64; i += 16 {
		lo := int32(uint8(a>>i)) * int32(int8(b>>i))
		hi := int32(uint8(a>>(i+8))) * int32(int8(b>>(i+8)))
		r |= uint64(uint16(clampW(lo+hi))) << i
	}
	return r
}

// psadbw sums the absolute differences of the eight bytes.
func psadbw(a, b uint64) uint64 {
	d := psubusb(a, b) | psubusb(b, a)
	pairs := d&0x00ff00ff00ff00ff + d>>8&0x00ff00ff00ff00ff
	return pairs * 0x0001000100010001 >> 48
}

func clampW(v int32) int32 { return min(max(v, -0x8000), 0x7fff) }
