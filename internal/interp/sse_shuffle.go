package interp

import "encoding/binary"

// Data movement between lanes: unpack, pack, shuffle, blend, insert, extract.

// spreadB puts the four low bytes of x into the low bytes of four words.
func spreadB(x uint64) uint64 {
	x &= 0xffffffff
	x = (x | x<<16) & 0x0000ffff0000ffff
	return (x | x<<8) & 0x00ff00ff00ff00ff
}

// spreadW puts the two low words of x into the low words of two doublewords.
func spreadW(x uint64) uint64 {
	x &= 0xffffffff
	return (x | x<<16) & 0x0000ffff0000ffff
}

func interleaveB(a, b uint64) uint64 { return spreadB(a) | spreadB(b)<<8 }
func interleaveW(a, b uint64) uint64 { return spreadW(a) | spreadW(b)<<16 }
func interleaveD(a, b uint64) uint64 { return a&0xffffffff | b<<32 }

// highD pairs the high doublewords of a and b.
func highD(a, b uint64) uint64 { return a>>32 | b&^0xffffffff }

func punpcklbw(d, s xmm) xmm {
	return xmm{interleaveB(d.lo, s.lo), interleaveB(d.lo>>32, s.lo>>32)}
}

func punpckhbw(d, s xmm) xmm {
	return xmm{interleaveB(d.hi, s.hi), interleaveB(d.hi>>32, s.hi>>32)}
}

func punpcklwd(d, s xmm) xmm {
	return xmm{interleaveW(d.lo, s.lo), interleaveW(d.lo>>32, s.lo>>32)}
}

func punpckhwd(d, s xmm) xmm {
	return xmm{interleaveW(d.hi, s.hi), interleaveW(d.hi>>32, s.hi>>32)}
}

func punpckldq(d, s xmm) xmm  { return xmm{interleaveD(d.lo, s.lo), highD(d.lo, s.lo)} }
func punpckhdq(d, s xmm) xmm  { return xmm{interleaveD(d.hi, s.hi), highD(d.hi, s.hi)} }
func punpckhqdq(d, s xmm) xmm { return xmm{d.hi, s.hi} }

// packW narrows the eight words of lo and hi to bytes with f.
func packW(lo, hi uint64, f func(int16) uint8) uint64 {
	var r uint64
	for i := 0; i < 4; i++ {
		r |= uint64(f(int16(lo>>(16*i))))<<(8*i) | uint64(f(int16(hi>>(16*i))))<<(8*i+32)
	}
	return r
}

// packD narrows the four doublewords of lo and hi to words with f.
func packD(lo, hi uint64, f func(int32) uint16) uint64 {
	return uint64(f(int32(lo))) | uint64(f(int32(lo>>32)))<<16 |
		uint64(f(int32(hi)))<<32 | uint64(f(int32(hi>>32)))<<48
}

func clampSB(v int16) uint8  { return uint8(int8(min(max(v, -0x80), 0x7f))) }
func clampUB(v int16) uint8  { return uint8(min(max(v, 0), 0xff)) }
func clampSW(v int32) uint16 { return uint16(int16(min(max(v, -0x8000), 0x7fff))) }
func clampUW(v int32) uint16 { return uint16(min(max(v, 0), 0xffff)) }

func packsswb(d, s xmm) xmm {
	return xmm{packW(d.lo, d.hi, clampSB), packW(s.lo, s.hi, clampSB)}
}

func packuswb(d, s xmm) xmm {
	return xmm{packW(d.lo, d.hi, clampUB), packW(s.lo, s.hi, clampUB)}
}

func packssdw(d, s xmm) xmm {
	return xmm{packD(d.lo, d.hi, clampSW), packD(s.lo, s.hi, clampSW)}
}

func packusdw(d, s xmm) xmm {
	return xmm{packD(d.lo, d.hi, clampUW), packD(s.lo, s.hi, clampUW)}
}

// dword gives doubleword i (modulo 4) of x.
func (x xmm) dword(i uint8) uint64 {
	q := x.lo
	if i&2 != 0 {
		q = x.hi
	}
	return q >> (32 * (i & 1)) & 0xffffffff
}

// quad gives quadword i (modulo 2) of x.
func (x xmm) quad(i uint8) uint64 {
	if i&1 != 0 {
		return x.hi
	}
	return x.lo
}

// withDword replaces doubleword i (modulo 4).
func (x xmm) withDword(i uint8, v uint64) xmm {
	shift := 32 * (i & 1)
	if i&2 == 0 {
		x.lo = x.lo&^(0xffffffff<<shift) | v<<shift
	} else {
		x.hi = x.hi&^(0xffffffff<<shift) | v<<shift
	}
	return x
}

func pshufd(_, s xmm, imm uint8) xmm {
	return xmm{
		s.dword(imm) | s.dword(imm>>2)<<32,
		s.dword(imm>>4) | s.dword(imm>>6)<<32,
	}
}

// shuffleW permutes the four words of q; pshufw of MMX.
func shuffleW(q uint64, imm uint8) uint64 {
	w := func(i uint8) uint64 { return q >> (16 * (i & 3)) & 0xffff }
	return w(imm) | w(imm>>2)<<16 | w(imm>>4)<<32 | w(imm>>6)<<48
}

func pshuflw(_, s xmm, imm uint8) xmm { return xmm{shuffleW(s.lo, imm), s.hi} }
func pshufhw(_, s xmm, imm uint8) xmm { return xmm{s.lo, shuffleW(s.hi, imm)} }

func shufps(d, s xmm, imm uint8) xmm {
	return xmm{
		d.dword(imm) | d.dword(imm>>2)<<32,
		s.dword(imm>>4) | s.dword(imm>>6)<<32,
	}
}

func shufpd(d, s xmm, imm uint8) xmm { return xmm{d.quad(imm), s.quad(imm >> 1)} }

// bytes is x in memory.
func (x xmm) bytes() (b [16]byte) {
	binary.LittleEndian.PutUint64(b[:8], x.lo)
	binary.LittleEndian.PutUint64(b[8:], x.hi)
	return b
}

// lookUp gives, for each byte of control, the byte of table it numbers (modulo
// 16), or zero where its top bit is set.
func lookUp(table *[16]byte, control uint64) uint64 {
	r := uint64(table[control&15]) | uint64(table[control>>8&15])<<8 |
		uint64(table[control>>16&15])<<16 | uint64(table[control>>24&15])<<24 |
		uint64(table[control>>32&15])<<32 | uint64(table[control>>40&15])<<40 |
		uint64(table[control>>48&15])<<48 | uint64(table[control>>56&15])<<56
	return r &^ swarSpread(control&topB, 8)
}

func pshufb(d, s xmm) xmm {
	b := d.bytes()
	return xmm{lookUp(&b, s.lo), lookUp(&b, s.hi)}
}

func movsldup(_, s xmm) xmm { return xmm{interleaveD(s.lo, s.lo), interleaveD(s.hi, s.hi)} }
func movshdup(_, s xmm) xmm { return xmm{highD(s.lo, s.lo), highD(s.hi, s.hi)} }

// blendB takes the byte of s where the control byte has its top bit set.
func blendB(d, s, control uint64) uint64 {
	return swarSelect(swarSpread(control&topB, 8), s, d)
}

func blendD(d, s, control uint64) uint64 {
	return swarSelect(swarSpread(control&topD, 32), s, d)
}

func blendQ(d, s, control uint64) uint64 {
	return swarSelect(uint64(int64(control)>>63), s, d)
}

func pblendw(d, s xmm, imm uint8) xmm {
	mask := func(bits uint8) uint64 {
		return uint64(bits&1)*0xffff | uint64(bits>>1&1)*0xffff<<16 |
			uint64(bits>>2&1)*0xffff<<32 | uint64(bits>>3&1)*0xffff<<48
	}
	return xmm{swarSelect(mask(imm), s.lo, d.lo), swarSelect(mask(imm>>4), s.hi, d.hi)}
}

func blendps(d, s xmm, imm uint8) xmm {
	mask := func(bits uint8) uint64 {
		return uint64(bits&1)*0xffffffff | uint64(bits>>1&1)*0xffffffff<<32
	}
	return xmm{swarSelect(mask(imm), s.lo, d.lo), swarSelect(mask(imm>>2), s.hi, d.hi)}
}

func blendpd(d, s xmm, imm uint8) xmm {
	if imm&1 != 0 {
		d.lo = s.lo
	}
	if imm&2 != 0 {
		d.hi = s.hi
	}
	return d
}

// insertps puts v into the doubleword that imm numbers, then clears the
// doublewords of its low four bits. For a register source v is the doubleword
// that imm's two top bits number.
func insertps(d xmm, v uint64, imm uint8) xmm {
	d = d.withDword(imm>>4, v)
	zero := uint64(imm&1)*0xffffffff | uint64(imm>>1&1)*0xffffffff<<32
	d.lo &^= zero
	zero = uint64(imm>>2&1)*0xffffffff | uint64(imm>>3&1)*0xffffffff<<32
	d.hi &^= zero
	return d
}

// insertField replaces the field of n bits number i, counted modulo the
// number of fields.
func insertField(d xmm, v uint64, i uint8, n uint) xmm {
	bit := uint(i) * n & 127
	mask := ^uint64(0) >> (64 - n) << (bit & 63)
	if bit < 64 {
		d.lo = d.lo&^mask | v<<(bit&63)&mask
	} else {
		d.hi = d.hi&^mask | v<<(bit&63)&mask
	}
	return d
}

// extractField is the inverse of insertField.
func extractField(x xmm, i uint8, n uint) uint64 {
	bit := uint(i) * n & 127
	return x.quad(uint8(bit>>6)) >> (bit & 63) & (^uint64(0) >> (64 - n))
}

// widen extends fields of from bits, taken from the low end of s, to to bits.
func widen(s uint64, from, to uint, signed bool) xmm {
	one := func(s uint64) uint64 {
		var r uint64
		for i := uint(0); i*to < 64; i++ {
			v := s >> (i * from) << (64 - from)
			if signed {
				v = uint64(int64(v) >> (64 - from))
			} else {
				v >>= 64 - from
			}
			r |= v << (64 - to) >> (64 - to) << (i * to)
		}
		return r
	}
	return xmm{one(s), one(s >> (64 / to * from))}
}

// movmskB collects the top bits of the eight bytes of q.
func movmskB(q uint64) uint64 { return (q & topB) >> 7 * 0x0102040810204080 >> 56 }

func pmovmskb(s xmm) uint64 { return movmskB(s.lo) | movmskB(s.hi)<<8 }

func movmskps(s xmm) uint64 {
	return s.lo>>31&1 | s.lo>>63<<1 | s.hi>>31&1<<2 | s.hi>>63<<3
}

func movmskpd(s xmm) uint64 { return s.lo>>63 | s.hi>>63<<1 }

// pairsW adds, or combines with f, neighbouring words of the two quadwords.
func pairsW(lo, hi uint64, f func(x, y int32) int32) uint64 {
	p := func(q uint64, i uint) uint64 {
		return uint64(uint16(f(int32(int16(q>>i)), int32(int16(q>>(i+16))))))
	}
	return p(lo, 0) | p(lo, 32)<<16 | p(hi, 0)<<32 | p(hi, 32)<<48
}

func pairsD(lo, hi uint64, f func(x, y int32) int32) uint64 {
	p := func(q uint64) uint64 { return uint64(uint32(f(int32(q), int32(q>>32)))) }
	return p(lo) | p(hi)<<32
}

func sum32(x, y int32) int32     { return x + y }
func diff32(x, y int32) int32    { return x - y }
func satSum16(x, y int32) int32  { return clampW(x + y) }
func satDiff16(x, y int32) int32 { return clampW(x - y) }

func phaddw(d, s xmm) xmm  { return xmm{pairsW(d.lo, d.hi, sum32), pairsW(s.lo, s.hi, sum32)} }
func phsubw(d, s xmm) xmm  { return xmm{pairsW(d.lo, d.hi, diff32), pairsW(s.lo, s.hi, diff32)} }
func phaddd(d, s xmm) xmm  { return xmm{pairsD(d.lo, d.hi, sum32), pairsD(s.lo, s.hi, sum32)} }
func phsubd(d, s xmm) xmm  { return xmm{pairsD(d.lo, d.hi, diff32), pairsD(s.lo, s.hi, diff32)} }
func phaddsw(d, s xmm) xmm { return xmm{pairsW(d.lo, d.hi, satSum16), pairsW(s.lo, s.hi, satSum16)} }
func phsubsw(d, s xmm) xmm { return xmm{pairsW(d.lo, d.hi, satDiff16), pairsW(s.lo, s.hi, satDiff16)} }

// phminposuw finds the least of the eight words and the first place it is at.
func phminposuw(_, s xmm) xmm {
	least, at := uint64(0xffff), uint64(0)
	for i := uint8(0); i < 8; i++ {
		if w := extractField(s, i, 16); w < least {
			least, at = w, uint64(i)
		}
	}
	return xmm{least | at<<16, 0}
}

// mpsadbw sums the absolute differences of one group of four bytes of s and
// eight overlapping groups of d.
func mpsadbw(d, s xmm, imm uint8) xmm {
	block := uint32(s.dword(imm))
	from := psrldq(d, imm>>2&1*4)
	var r xmm
	for i := uint8(0); i < 8; i++ {
		v := psadbw(psrldq(from, i).lo&0xffffffff, uint64(block))
		r = insertField(r, v, i, 16)
	}
	return r
}

// ptest gives ZF and CF of PTEST.
func ptest(d, s xmm) (zf, cf bool) {
	return d.lo&s.lo|d.hi&s.hi == 0, s.lo&^d.lo|s.hi&^d.hi == 0
}
