package interp

import (
	"encoding/binary"
	"math/bits"

	"github.com/tinevm/tine/internal/x86"
)

// PCLMULQDQ, AES and SHA (SDM vol. 2; FIPS 197 and 180-4).

func setCrypto() {
	set(map[x86.Op]handler{
		x86.PCLMULQDQ: wholeImm(pclmul),
		x86.AESENC:    whole(aesenc), x86.AESENCLAST: whole(aesenclast),
		x86.AESDEC: whole(aesdec), x86.AESDECLAST: whole(aesdeclast),
		x86.AESIMC:          whole(func(_, s xmm) xmm { return aesimc(s) }),
		x86.AESKEYGENASSIST: wholeImm(aeskeygen),
		x86.SHA1MSG1:        whole(sha1msg1), x86.SHA1MSG2: whole(sha1msg2),
		x86.SHA1NEXTE: whole(sha1nexte), x86.SHA1RNDS4: wholeImm(sha1rnds4),
		x86.SHA256MSG1: whole(sha256msg1), x86.SHA256MSG2: whole(sha256msg2),
		x86.SHA256RNDS2: sha256rnds2,
	})
	initAES()
}

// pclmul multiplies one quadword of each operand without carries.
func pclmul(d, s xmm, imm uint8) (r xmm) {
	a, b := d.lo, s.lo
	if imm&1 != 0 {
		a = d.hi
	}
	if imm&16 != 0 {
		b = s.hi
	}
	// Four bits of b at a time: t has a times each value of them.
	var t [16]xmm
	t[1].lo = a
	for i := 2; i < 16; i += 2 {
		h := t[i/2]
		t[i] = xmm{h.lo << 1, h.hi<<1 | h.lo>>63}
		t[i+1] = xmm{t[i].lo ^ a, t[i].hi}
	}
	for i := 60; i >= 0; i -= 4 {
		p := &t[b>>i&15]
		r.lo, r.hi = r.lo<<4^p.lo, (r.hi<<4|r.lo>>60)^p.hi
	}
	return r
}

// The tables of AES: the substitution, its inverse, and both with MixColumns
// of a byte in the first row.
var (
	aesS, aesInvS     [256]byte
	aesMix, aesInvMix [256]uint32 // the second of the byte itself
	aesRound          [256]uint32 // aesMix of the substituted byte
	aesInvRound       [256]uint32
)

// xtime multiplies by x in the field of AES.
func xtime(a byte) byte { return a<<1 ^ 0x1b&-(a>>7) }

func aesMul(a, b byte) (r byte) {
	for ; b != 0; b >>= 1 {
		r ^= a & -(b & 1)
		a = xtime(a)
	}
	return r
}

func initAES() {
	// 3 generates the field; p and q run through inverses.
	p, q := byte(1), byte(1)
	for {
		p ^= xtime(p)
		q ^= q << 1
		q ^= q << 2
		q ^= q << 4
		q ^= 0x09 & -(q >> 7)
		aesS[p] = q ^ bits.RotateLeft8(q, 1) ^ bits.RotateLeft8(q, 2) ^ bits.RotateLeft8(q, 3) ^ bits.RotateLeft8(q, 4) ^ 0x63
		if p == 1 {
			break
		}
	}
	aesS[0] = 0x63
	for i, s := range aesS {
		aesInvS[s] = byte(i)
	}
	for i := range 256 {
		b := byte(i)
		aesMix[i] = uint32(xtime(b)) | uint32(b)<<8 | uint32(b)<<16 | uint32(xtime(b)^b)<<24
		aesInvMix[i] = uint32(aesMul(b, 14)) | uint32(aesMul(b, 9))<<8 | uint32(aesMul(b, 13))<<16 | uint32(aesMul(b, 11))<<24
	}
	for i := range 256 {
		aesRound[i] = aesMix[aesS[i]]
		aesInvRound[i] = aesInvMix[aesInvS[i]]
	}
}

// A state is four columns of four bytes, the first lowest.
type columns [4]uint32

func columnsOf(x xmm) columns {
	return columns{uint32(x.lo), uint32(x.lo >> 32), uint32(x.hi), uint32(x.hi >> 32)}
}

func (w columns) xmm() xmm {
	return xmm{uint64(w[0]) | uint64(w[1])<<32, uint64(w[2]) | uint64(w[3])<<32}
}

func (x xmm) xor(y xmm) xmm { return xmm{x.lo ^ y.lo, x.hi ^ y.hi} }

func aesenc(d, key xmm) xmm {
	s := columnsOf(d)
	var r columns
	for i := range 4 {
		// ShiftRows takes row k from column i+k.
		r[i] = aesRound[uint8(s[i])] ^ bits.RotateLeft32(aesRound[uint8(s[(i+1)&3]>>8)], 8) ^
			bits.RotateLeft32(aesRound[uint8(s[(i+2)&3]>>16)], 16) ^ bits.RotateLeft32(aesRound[uint8(s[(i+3)&3]>>24)], 24)
	}
	return r.xmm().xor(key)
}

func aesenclast(d, key xmm) xmm {
	s := columnsOf(d)
	var r columns
	for i := range 4 {
		r[i] = uint32(aesS[uint8(s[i])]) | uint32(aesS[uint8(s[(i+1)&3]>>8)])<<8 |
			uint32(aesS[uint8(s[(i+2)&3]>>16)])<<16 | uint32(aesS[uint8(s[(i+3)&3]>>24)])<<24
	}
	return r.xmm().xor(key)
}

func aesdec(d, key xmm) xmm {
	s := columnsOf(d)
	var r columns
	for i := range 4 {
		r[i] = aesInvRound[uint8(s[i])] ^ bits.RotateLeft32(aesInvRound[uint8(s[(i+3)&3]>>8)], 8) ^
			bits.RotateLeft32(aesInvRound[uint8(s[(i+2)&3]>>16)], 16) ^ bits.RotateLeft32(aesInvRound[uint8(s[(i+1)&3]>>24)], 24)
	}
	return r.xmm().xor(key)
}

func aesdeclast(d, key xmm) xmm {
	s := columnsOf(d)
	var r columns
	for i := range 4 {
		r[i] = uint32(aesInvS[uint8(s[i])]) | uint32(aesInvS[uint8(s[(i+3)&3]>>8)])<<8 |
			uint32(aesInvS[uint8(s[(i+2)&3]>>16)])<<16 | uint32(aesInvS[uint8(s[(i+1)&3]>>24)])<<24
	}
	return r.xmm().xor(key)
}

// aesimc is InvMixColumns.
func aesimc(x xmm) xmm {
	s := columnsOf(x)
	for i, w := range s {
		s[i] = aesInvMix[uint8(w)] ^ bits.RotateLeft32(aesInvMix[uint8(w>>8)], 8) ^
			bits.RotateLeft32(aesInvMix[uint8(w>>16)], 16) ^ bits.RotateLeft32(aesInvMix[uint8(w>>24)], 24)
	}
	return s.xmm()
}

func aesSubWord(w uint32) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], w)
	for i := range b {
		b[i] = aesS[b[i]]
	}
	return binary.LittleEndian.Uint32(b[:])
}

func aeskeygen(_, x xmm, rcon uint8) xmm {
	s := columnsOf(x)
	a, b := aesSubWord(s[1]), aesSubWord(s[3])
	return columns{a, bits.RotateLeft32(a, -8) ^ uint32(rcon), b, bits.RotateLeft32(b, -8) ^ uint32(rcon)}.xmm()
}

// The SHA instructions number words from the top: w[3] is the first.

func sha1msg1(d, s xmm) xmm {
	a, b := columnsOf(d), columnsOf(s)
	return columns{b[2] ^ a[0], b[3] ^ a[1], a[0] ^ a[2], a[1] ^ a[3]}.xmm()
}

func sha1msg2(d, s xmm) xmm {
	a, b := columnsOf(d), columnsOf(s)
	var r columns
	r[3] = bits.RotateLeft32(a[3]^b[2], 1)
	r[2] = bits.RotateLeft32(a[2]^b[1], 1)
	r[1] = bits.RotateLeft32(a[1]^b[0], 1)
	r[0] = bits.RotateLeft32(a[0]^r[3], 1)
	return r.xmm()
}

func sha1nexte(d, s xmm) xmm {
	a, b := columnsOf(d), columnsOf(s)
	b[3] += bits.RotateLeft32(a[3], 30)
	return b.xmm()
}

// sha1rnds4 does four rounds; the words of s are the message, the first with E
// added already.
func sha1rnds4(d, s xmm, imm uint8) xmm {
	state, w := columnsOf(d), columnsOf(s)
	a, b, c, e, dd := state[3], state[2], state[1], uint32(0), state[0]
	for i := range 4 {
		var f, k uint32
		switch imm & 3 {
		case 0:
			f, k = b&c^^b&dd, 0x5a827999
		case 1:
			f, k = b^c^dd, 0x6ed9eba1
		case 2:
			f, k = b&c^b&dd^c&dd, 0x8f1bbcdc
		case 3:
			f, k = b^c^dd, 0xca62c1d6
		}
		a, b, c, dd, e = f+bits.RotateLeft32(a, 5)+w[3-i]+e+k, a, bits.RotateLeft32(b, 30), c, dd
	}
	return columns{dd, c, b, a}.xmm()
}

func sha256sigma0(x uint32) uint32 {
	return bits.RotateLeft32(x, -7) ^ bits.RotateLeft32(x, -18) ^ x>>3
}

func sha256sigma1(x uint32) uint32 {
	return bits.RotateLeft32(x, -17) ^ bits.RotateLeft32(x, -19) ^ x>>10
}

func sha256msg1(d, s xmm) xmm {
	a, b := columnsOf(d), columnsOf(s)
	return columns{a[0] + sha256sigma0(a[1]), a[1] + sha256sigma0(a[2]), a[2] + sha256sigma0(a[3]), a[3] + sha256sigma0(b[0])}.xmm()
}

func sha256msg2(d, s xmm) xmm {
	a, b := columnsOf(d), columnsOf(s)
	a[0] += sha256sigma1(b[2])
	a[1] += sha256sigma1(b[3])
	a[2] += sha256sigma1(a[0])
	a[3] += sha256sigma1(a[1])
	return a.xmm()
}

// sha256rnds2 does two rounds on CDGH and ABEF; XMM0 has two words of the
// message with the constants added.
func sha256rnds2(c *core, o *op) bool {
	x, ok := c.source(o)
	if !ok {
		return false
	}
	c.setXMM(o.dst, sha256rounds(c.getXMM(o.dst), x, c.getXMM(0).lo))
	return true
}

func sha256rounds(dst, src xmm, wk uint64) xmm {
	cdgh, abef := columnsOf(dst), columnsOf(src)
	a, b, cc, d := abef[3], abef[2], cdgh[3], cdgh[2]
	e, f, g, h := abef[1], abef[0], cdgh[1], cdgh[0]
	for range 2 {
		s1 := bits.RotateLeft32(e, -6) ^ bits.RotateLeft32(e, -11) ^ bits.RotateLeft32(e, -25)
		s0 := bits.RotateLeft32(a, -2) ^ bits.RotateLeft32(a, -13) ^ bits.RotateLeft32(a, -22)
		t := h + s1 + (e&f ^ ^e&g) + uint32(wk)
		a, b, cc, d, e, f, g, h = t+s0+(a&b^a&cc^b&cc), a, b, cc, d+t, e, f, g
		wk >>= 32
	}
	return columns{f, e, b, a}.xmm()
}
