package interp

import (
	"math"
	"math/bits"

	"github.com/tinevm/tine/internal/x86"
)

// FMA and F16C.

// fmaD is x*y+z, rounded once: by the host where that cannot differ.
func fmaD(a, b, z uint64, mx uint32) (uint64, uint32) {
	r := math.Float64bits(math.FMA(math.Float64frombits(a), math.Float64frombits(b), math.Float64frombits(z)))
	if mx&mxControl != mxDefault || mx&mxPE == 0 || expD(r)-leastNormalD > mostD-1-leastNormalD ||
		!plainD(a) || !plainD(b) || !plainD(z) {
		return formatD.fma(a, b, z, mx)
	}
	return r, 0
}

func fmaS(a, b, z uint64, mx uint32) (uint64, uint32) { return formatS.fma(a, b, z, mx) }

// fma is a*b+z. The first NaN of the three becomes the result.
func (t *floatFormat) fma(a, b, z uint64, mx uint32) (uint64, uint32) {
	if t.isNaN(a) || t.isNaN(b) || t.isNaN(z) {
		return t.nan3(a, b, z)
	}
	a, b, ex := t.operands(a, b, mx)
	z, _, ex2 := t.operands(z, z, mx)
	ex |= ex2
	x, y, w := t.unpack(a), t.unpack(b), t.unpack(z)
	neg := x.neg != y.neg
	switch {
	case x.kind == kindInf && y.kind == kindZero, x.kind == kindZero && y.kind == kindInf:
		return t.defaultNaN(), mxIE
	case x.kind == kindInf || y.kind == kindInf:
		if w.kind == kindInf && w.neg != neg {
			return t.defaultNaN(), mxIE
		}
		return t.signOf(neg) | t.infinity(), ex
	case w.kind == kindInf:
		return z, ex
	case x.kind == kindZero || y.kind == kindZero:
		if w.kind == kindZero {
			if w.neg != neg {
				return t.exactZero(mx), ex
			}
			return z, ex
		}
		r, ex2 := t.pack(w.neg, w.exp, w.sig, mx)
		return r, ex | ex2
	}
	p := wideNumber{neg: neg, exp: x.exp + y.exp + 1}
	p.hi, p.lo = bits.Mul64(x.sig, y.sig)
	p.normalize()
	if w.kind != kindZero {
		p = p.add(wideNumber{w.neg, w.exp, w.sig, 0})
	}
	if p.hi == 0 {
		return t.exactZero(mx), ex
	}
	if p.lo != 0 {
		p.hi |= 1
	}
	r, ex2 := t.pack(p.neg, p.exp, p.hi, mx)
	return r, ex | ex2
}

// nan3 is the result if one of the operands is a NaN.
func (t *floatFormat) nan3(a, b, z uint64) (uint64, uint32) {
	var ex uint32
	if t.isSNaN(a) || t.isSNaN(b) || t.isSNaN(z) {
		ex = mxIE
	}
	switch {
	case t.isNaN(a):
		return a | t.quietBit(), ex
	case t.isNaN(b):
		return b | t.quietBit(), ex
	}
	return z | t.quietBit(), ex
}

// wideNumber is hi:lo/2^127 * 2^exp.
type wideNumber struct {
	neg    bool
	exp    int
	hi, lo uint64
}

// normalize sets the top bit, unless the number is zero.
func (n *wideNumber) normalize() {
	if n.hi == 0 {
		n.hi, n.lo = n.lo, 0
		n.exp -= 64
	}
	if s := bits.LeadingZeros64(n.hi); s < 64 {
		n.hi, n.lo = n.hi<<s|n.lo>>(64-s), n.lo<<s
		n.exp -= s
	}
}

// shiftRight shifts right and ors what falls out into the last bit.
func (n *wideNumber) shiftRight(by uint) {
	if by >= 64 {
		low := n.lo
		n.hi, n.lo = 0, n.hi
		if low != 0 {
			n.lo |= 1
		}
		if by -= 64; by >= 64 {
			by = 63
		}
	}
	lost := n.lo << (64 - by)
	n.hi, n.lo = n.hi>>by, n.lo>>by|n.hi<<(64-by)
	if lost != 0 {
		n.lo |= 1
	}
}

// add adds normalized numbers. The last 22 bits of both are zero, so that what
// one of them loses in the beginning is nothing, and later no more than a bit
// that sticks.
func (n wideNumber) add(m wideNumber) wideNumber {
	if n.exp < m.exp || n.exp == m.exp && (n.hi < m.hi || n.hi == m.hi && n.lo < m.lo) {
		n, m = m, n
	}
	m.shiftRight(uint(n.exp-m.exp) + 1)
	n.shiftRight(1)
	n.exp++
	var carry uint64
	if n.neg == m.neg {
		n.lo, carry = bits.Add64(n.lo, m.lo, 0)
		n.hi, _ = bits.Add64(n.hi, m.hi, carry)
	} else {
		n.lo, carry = bits.Sub64(n.lo, m.lo, 0)
		n.hi, _ = bits.Sub64(n.hi, m.hi, carry)
	}
	n.normalize()
	return n
}

// fmaKind says what is done with the product and the addend: the signs that
// change in the even and in the odd elements.
type fmaKind struct{ product, even, odd bool }

var (
	fmaAdd    = fmaKind{}
	fmaSub    = fmaKind{even: true, odd: true}
	fmaNegAdd = fmaKind{product: true}
	fmaNegSub = fmaKind{product: true, even: true, odd: true}
	fmaAddSub = fmaKind{even: true}
	fmaSubAdd = fmaKind{odd: true}
)

// fmas makes a handler of an FMA instruction on elements of n bytes.
func fmas(k fmaKind, n uint8, scalar bool) handler {
	t, f := &formatD, fmaD
	if n == 4 {
		t, f = &formatS, fmaS
	}
	change := func(x uint64, yes bool) uint64 {
		if yes && !t.isNaN(x) {
			x ^= t.sign
		}
		return x
	}
	return func(c *core, o *op) bool {
		var s ymm
		ok := true
		if scalar {
			s[0].lo, ok = c.sourceLow(o, n)
		} else {
			s, ok = c.vexSource(o)
		}
		if !ok {
			return false
		}
		r := elements{c.getYMM(o.dst), n}
		one, two, three := r, elements{c.getYMM(o.vvvv()), n}, elements{s, n}
		x, y, z := &two, &three, &one // 231
		switch o.cc >> 4 {
		case 9:
			x, y, z = &one, &three, &two
		case 0xa:
			x, y, z = &two, &one, &three
		}
		count := uint8(16) << (o.imm >> 16 & 1) / n
		if scalar {
			count = 1
		}
		var ex uint32
		for i := range count {
			sub := k.even
			if i&1 != 0 {
				sub = k.odd
			}
			v, e := f(change(x.get(i), k.product), y.get(i), change(z.get(i), sub), c.regs.MXCSR)
			r.set(i, v)
			ex |= e
		}
		if !c.settle(ex) {
			return false
		}
		c.setVector(o.dst, r.y, o.wide() && !scalar)
		return true
	}
}

var formatH = floatFormat{10, 15, 0x1f, 1 << 15}

// widenH converts from half to single precision, which is exact. Denormals are
// numbers like others.
func widenH(a uint64) (uint64, uint32) {
	if formatH.isNaN(a) {
		q, ex := formatH.nan2(a, a)
		return q>>15<<31 | formatS.infinity() | q&(1<<10-1)<<13, ex
	}
	n := formatH.unpack(a)
	switch n.kind {
	case kindZero:
		return formatS.signOf(n.neg), 0
	case kindInf:
		return formatS.signOf(n.neg) | formatS.infinity(), 0
	}
	return formatS.pack(n.neg, n.exp, n.sig, mxDefault)
}

// narrowH converts from single to half precision. Denormal results stay.
func narrowH(a uint64, imm uint8, mx uint32) (uint64, uint32) {
	if formatS.isNaN(a) {
		q, ex := formatS.nan2(a, a)
		return q>>31<<15 | formatH.infinity() | q>>13&(1<<10-1), ex
	}
	mx &^= mxFTZ
	if imm&4 == 0 {
		mx = mx&^(3<<mxRCShift) | uint32(imm&3)<<mxRCShift
	}
	return formatS.narrowTo(&formatH, a, mx)
}

func cvtph2ps(c *core, o *op) bool {
	s, ok := lanes{}.sources(c, o)
	if !ok {
		return false
	}
	r := elements{n: 4}
	var ex uint32
	for i := range uint8(4) << (o.imm >> 16 & 1) {
		v, e := widenH(extractField(s[0], i, 16))
		r.set(i, v)
		ex |= e
	}
	if !c.settle(ex) {
		return false
	}
	c.setVector(o.dst, r.y, o.wide())
	return true
}

func cvtps2ph(c *core, o *op) bool {
	s := elements{c.getYMM(o.src), 4}
	var r xmm
	var ex uint32
	for i := range uint8(4) << (o.imm >> 16 & 1) {
		v, e := narrowH(s.get(i), uint8(o.imm), c.regs.MXCSR)
		r = insertField(r, v, i, 16)
		ex |= e
	}
	if o.form != formMR {
		if !c.settle(ex) {
			return false
		}
		c.setVector(o.dst, ymm{r}, false)
		return true
	}
	// The store comes first: if it faults there are no exceptions.
	va := c.ea(o)
	if !c.aligned(va, uint64(o.size)) || !c.probeWrite(va, uint64(o.size)) || !c.settle(ex) {
		return false
	}
	if o.wide() {
		return c.store128(va, r.lo, r.hi)
	}
	return c.store64(va, r.lo)
}

func setFMA() {
	set(map[x86.Op]handler{
		x86.VFMADDPS: fmas(fmaAdd, 4, false), x86.VFMADDPD: fmas(fmaAdd, 8, false),
		x86.VFMADDSS: fmas(fmaAdd, 4, true), x86.VFMADDSD: fmas(fmaAdd, 8, true),
		x86.VFMSUBPS: fmas(fmaSub, 4, false), x86.VFMSUBPD: fmas(fmaSub, 8, false),
		x86.VFMSUBSS: fmas(fmaSub, 4, true), x86.VFMSUBSD: fmas(fmaSub, 8, true),
		x86.VFNMADDPS: fmas(fmaNegAdd, 4, false), x86.VFNMADDPD: fmas(fmaNegAdd, 8, false),
		x86.VFNMADDSS: fmas(fmaNegAdd, 4, true), x86.VFNMADDSD: fmas(fmaNegAdd, 8, true),
		x86.VFNMSUBPS: fmas(fmaNegSub, 4, false), x86.VFNMSUBPD: fmas(fmaNegSub, 8, false),
		x86.VFNMSUBSS: fmas(fmaNegSub, 4, true), x86.VFNMSUBSD: fmas(fmaNegSub, 8, true),
		x86.VFMADDSUBPS: fmas(fmaAddSub, 4, false), x86.VFMADDSUBPD: fmas(fmaAddSub, 8, false),
		x86.VFMSUBADDPS: fmas(fmaSubAdd, 4, false), x86.VFMSUBADDPD: fmas(fmaSubAdd, 8, false),
		x86.VCVTPH2PS: cvtph2ps, x86.VCVTPS2PH: cvtps2ph,
	})
}
