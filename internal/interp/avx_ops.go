package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// Operations that there are with VEX only, and those that are frequent enough
// not to be done by halves.

// vexMove makes a handler of a move of whole vectors.
func vexMove(aligned bool) handler {
	return func(c *core, o *op) bool {
		if o.form == formRR {
			c.setVector(o.dst, c.getYMM(o.src), o.wide())
			return true
		}
		va := c.ea(o)
		if size := uint64(16) << (o.imm >> 16 & 1); aligned && va&(size-1) != 0 {
			return c.exception(cpu.VectorGP)
		}
		if o.form == formMR {
			return c.storeVector(va, c.getYMM(o.src), o.wide())
		}
		v, ok := c.loadVector(va, o.wide())
		if ok {
			c.setVector(o.dst, v, o.wide())
		}
		return ok
	}
}

// vexQuads makes a handler of a function of the quadwords of both sources.
func vexQuads(f func(a, b uint64) uint64) handler {
	return func(c *core, o *op) bool {
		s, ok := c.vexSource(o)
		if !ok {
			return false
		}
		d := c.getYMM(o.vvvv())
		d[0] = xmm{f(d[0].lo, s[0].lo), f(d[0].hi, s[0].hi)}
		if o.wide() {
			d[1] = xmm{f(d[1].lo, s[1].lo), f(d[1].hi, s[1].hi)}
		}
		c.setVector(o.dst, d, o.wide())
		return true
	}
}

// vexWhole makes a handler of a function of both sources.
func vexWhole(f func(a, b ymm, imm uint8) ymm) handler {
	return func(c *core, o *op) bool {
		s, ok := c.vexSource(o)
		if ok {
			c.setVector(o.dst, f(c.getYMM(o.vvvv()), s, uint8(o.imm)), o.wide())
		}
		return ok
	}
}

// vexMasks makes a handler of an instruction that collects bits in a general
// register: n from each half.
func vexMasks(f func(xmm) uint64, n uint) handler {
	return func(c *core, o *op) bool {
		v := f(c.getXMM(o.src))
		if o.wide() {
			v |= f(c.upper(o.src)) << n
		}
		c.r[o.dst] = v
		return true
	}
}

// vexTest makes a handler of a test of both operands for the bits of mask.
func vexTest(mask uint64) handler {
	return func(c *core, o *op) bool {
		s, ok := c.vexSource(o)
		if !ok {
			return false
		}
		d := c.getYMM(o.dst)
		if !o.wide() {
			d[1] = xmm{}
		}
		var both, only uint64
		for i := range d {
			both |= d[i].lo&s[i].lo | d[i].hi&s[i].hi
			only |= s[i].lo&^d[i].lo | s[i].hi&^d[i].hi
			if !o.wide() {
				break
			}
		}
		c.setFlagBits(bit(both&mask == 0)*cpu.FlagZF | bit(only&mask == 0)*cpu.FlagCF)
		return true
	}
}

// vexDup is VMOVDDUP, which reads a whole vector only if it is of 256 bits.
func vexDup(c *core, o *op) bool {
	if !o.wide() {
		return broadcasts(8)(c, o)
	}
	s, ok := c.vexSource(o)
	if ok {
		c.setVector(o.dst, ymm{{s[0].lo, s[0].lo}, {s[1].lo, s[1].lo}}, true)
	}
	return ok
}

func zeroUpper(c *core, _ *op) bool {
	c.regs.UpperUsed = false
	return true
}

func zeroAll(c *core, _ *op) bool {
	c.regs.UpperUsed = false
	*c.xmm = [16][2]uint64{}
	return true
}

// broadcasts makes a handler that fills a register with an element of n bytes.
func broadcasts(n uint8) handler {
	times := ^uint64(0) / (^uint64(0) >> (64 - 8*n)) // 1 in each element
	return func(c *core, o *op) bool {
		v, ok := c.sourceLow(o, n)
		if ok {
			x := xmm{v * times, v * times}
			c.setVector(o.dst, ymm{x, x}, o.wide())
		}
		return ok
	}
}

func broadcast128(c *core, o *op) bool {
	x, ok := c.loadXMMu(c.ea(o))
	if ok {
		c.setVector(o.dst, ymm{x, x}, true)
	}
	return ok
}

func insert128(c *core, o *op) bool {
	x := c.getXMM(o.src)
	if o.form == formRM {
		var ok bool
		if x, ok = c.loadXMMu(c.ea(o)); !ok {
			return false
		}
	}
	d := c.getYMM(o.vvvv())
	d[o.imm&1] = x
	c.setVector(o.dst, d, true)
	return true
}

func extract128(c *core, o *op) bool {
	x := c.getYMM(o.src)[o.imm&1]
	if o.form == formMR {
		return c.store128(c.ea(o), x.lo, x.hi)
	}
	c.setVector(o.dst, ymm{x}, false)
	return true
}

// perm2x128 takes for each half one of the four halves, or zero.
func perm2x128(a, b ymm, imm uint8) (r ymm) {
	halves := [4]xmm{a[0], a[1], b[0], b[1]}
	for i := range r {
		if imm&8 == 0 {
			r[i] = halves[imm&3]
		}
		imm >>= 4
	}
	return r
}

func permq(_, s ymm, imm uint8) ymm {
	q := func(i uint8) uint64 { return s[i>>1&1].quad(i) }
	return ymm{{q(imm), q(imm >> 2)}, {q(imm >> 4), q(imm >> 6)}}
}

// permd takes for each doubleword the one of s that a numbers.
func permd(a, s ymm, _ uint8) (r ymm) {
	for i := range uint8(8) {
		k := uint8(a[i>>2].dword(i))
		r[i>>2] = r[i>>2].withDword(i, s[k>>2&1].dword(k))
	}
	return r
}

func permilpsImm(_, s ymm, imm uint8) ymm {
	return ymm{pshufd(s[0], s[0], imm), pshufd(s[1], s[1], imm)}
}

func permilpdImm(_, s ymm, imm uint8) ymm {
	return ymm{shufpd(s[0], s[0], imm), shufpd(s[1], s[1], imm>>2)}
}

func permilps(a, control ymm, _ uint8) (r ymm) {
	for i := range uint8(8) {
		h := i >> 2
		r[h] = r[h].withDword(i, a[h].dword(uint8(control[h].dword(i)&3)))
	}
	return r
}

func permilpd(a, control ymm, _ uint8) (r ymm) {
	for i := range r {
		r[i] = xmm{a[i].quad(uint8(control[i].lo >> 1 & 1)), a[i].quad(uint8(control[i].hi >> 1 & 1))}
	}
	return r
}

func blendd(a, b ymm, imm uint8) ymm {
	return ymm{blendps(a[0], b[0], imm), blendps(a[1], b[1], imm>>4)}
}

// Shifts by a count for each element.

func sllvq(a, n uint64) uint64 { return a << n }
func srlvq(a, n uint64) uint64 { return a >> n }

func sllvd(a, n uint64) uint64 {
	return uint64(uint32(a)<<uint32(n)) | uint64(uint32(a>>32)<<(n>>32))<<32
}

func srlvd(a, n uint64) uint64 {
	return uint64(uint32(a)>>uint32(n)) | uint64(uint32(a>>32)>>(n>>32))<<32
}

func sravd(a, n uint64) uint64 {
	return uint64(uint32(int32(a)>>uint32(n))) | uint64(uint32(int32(a>>32)>>(n>>32)))<<32
}

// elements are those of a vector of 128 or 256 bits, of n bytes each.
type elements struct {
	y ymm
	n uint8
}

func (e *elements) get(i uint8) uint64 {
	if e.n == 8 {
		return e.y[i>>1].quad(i)
	}
	return e.y[i>>2].dword(i)
}

func (e *elements) set(i uint8, v uint64) {
	h := &e.y[i/(16/e.n)]
	*h = insertField(*h, v, i%(16/e.n), 8*uint(e.n))
}

// negative reports the top bit of element i.
func (e *elements) negative(i uint8) bool { return e.get(i)>>(8*e.n-1) != 0 }

// maskedMove makes a handler that moves the elements, of n bytes, whose element
// of the mask is negative. Nothing else is accessed.
func maskedMove(n uint8) handler {
	return unchecked(func(c *core, o *op) bool {
		va := c.ea(o)
		mask := elements{c.getYMM(o.vvvv()), n}
		count := uint8(16) << (o.imm >> 16 & 1) / n
		if o.form == formMR {
			return c.maskedStore(va, &mask, count, elements{c.getYMM(o.src), n})
		}
		v := elements{n: n}
		for i := range count {
			if mask.negative(i) {
				x, ok := c.load(va+uint64(i*n), n)
				if !ok {
					return false
				}
				v.set(i, x)
			}
		}
		c.setVector(o.dst, v.y, o.wide())
		return true
	})
}

// unchecked makes the alignment check not apply to a handler.
func unchecked(f handler) handler {
	return func(c *core, o *op) bool {
		c.align = false // until the next instruction
		return f(c, o)
	}
}

func (c *core) maskedStore(va uint64, mask *elements, count uint8, v elements) bool {
	for i := range count {
		if a := va + uint64(i*v.n); mask.negative(i) && !c.probeWrite(a, uint64(v.n)) {
			return false
		}
	}
	for i := range count {
		if mask.negative(i) && !c.store(va+uint64(i*v.n), v.n, v.get(i)) {
			return false
		}
	}
	return true
}

// gathers makes a handler that loads elements of n bytes from where indices of
// size bytes lead. What is done is taken off the mask, so that a fault in the
// middle leaves the rest to do.
func gathers(size, n uint8) handler {
	return unchecked(func(c *core, o *op) bool {
		if o.dst == o.index || o.dst == o.vvvv() || o.index == o.vvvv() {
			return c.exception(cpu.VectorUD)
		}
		index := elements{c.getYMM(o.index), size}
		mask, v := elements{c.getYMM(o.vvvv()), n}, elements{c.getYMM(o.dst), n}
		count := uint8(16) << (o.imm >> 16 & 1) / max(size, n)
		wide := o.wide() && n >= size
		for i := range count {
			if !mask.negative(i) {
				mask.set(i, 0)
				continue
			}
			a := c.r[o.base] + sext(index.get(i), size)<<o.scale + o.disp
			if o.flags&opAddr32 != 0 {
				a = uint64(uint32(a))
			}
			x, ok := c.load(a+c.r[o.seg], n)
			if !ok {
				c.setXMM(o.dst, v.y[0])
				c.setXMM(o.vvvv(), mask.y[0])
				if o.wide() {
					c.setUpper(o.dst, v.y[1])
					c.setUpper(o.vvvv(), mask.y[1])
				}
				return false
			}
			v.set(i, x)
			mask.set(i, 0)
		}
		if count*n < 16 {
			v.y[0].hi = 0
		}
		c.setVector(o.dst, v.y, wide)
		c.setVector(o.vvvv(), ymm{}, true)
		return true
	})
}

func setAVXOps() {
	set(map[x86.Op]handler{
		x86.VEX + x86.MOVUPS: vexMove(false), x86.VEX + x86.MOVUPD: vexMove(false),
		x86.VEX + x86.MOVDQU: vexMove(false), x86.VEX + x86.LDDQU: vexMove(false),
		x86.VEX + x86.MOVAPS: vexMove(true), x86.VEX + x86.MOVAPD: vexMove(true), x86.VEX + x86.MOVDQA: vexMove(true),
		x86.VEX + x86.MOVNTPS: vexMove(true), x86.VEX + x86.MOVNTPD: vexMove(true),
		x86.VEX + x86.MOVNTDQ: vexMove(true), x86.VEX + x86.MOVNTDQA: vexMove(true),
		x86.VEX + x86.MOVDDUP: vexDup, x86.VEX + x86.PMOVMSKB: vexMasks(pmovmskb, 16),
		x86.VEX + x86.MOVMSKPS: vexMasks(movmskps, 4), x86.VEX + x86.MOVMSKPD: vexMasks(movmskpd, 2),
		x86.VEX + x86.PTEST: vexTest(^uint64(0)), x86.VTESTPS: vexTest(topD), x86.VTESTPD: vexTest(1 << 63),
		x86.VEX + x86.PXOR: vexQuads(pxor), x86.VEX + x86.POR: vexQuads(por),
		x86.VEX + x86.PAND: vexQuads(pand), x86.VEX + x86.PANDN: vexQuads(pandn),
		x86.VEX + x86.PCMPEQB: vexQuads(pcmpeqb), x86.VEX + x86.PCMPEQD: vexQuads(pcmpeqd),
		x86.VEX + x86.PMINUB: vexQuads(pminub), x86.VEX + x86.PMAXUB: vexQuads(pmaxub),
		x86.VEX + x86.PADDB: vexQuads(paddb), x86.VEX + x86.PADDD: vexQuads(paddd), x86.VEX + x86.PADDQ: vexQuads(paddq),
		x86.VEX + x86.PSUBB: vexQuads(psubb), x86.VEX + x86.PCMPGTB: vexQuads(pcmpgtb),

		x86.VZEROUPPER: zeroUpper, x86.VZEROALL: zeroAll,
		x86.VPBROADCASTB: broadcasts(1), x86.VPBROADCASTW: broadcasts(2),
		x86.VPBROADCASTD: broadcasts(4), x86.VPBROADCASTQ: broadcasts(8), x86.VBROADCAST128: broadcast128,
		x86.VINSERT128: insert128, x86.VEXTRACT128: extract128, x86.VPERM2X128: vexWhole(perm2x128),
		x86.VPERMQ: vexWhole(permq), x86.VPERMD: vexWhole(permd),
		x86.VPERMILPSI: vexWhole(permilpsImm), x86.VPERMILPDI: vexWhole(permilpdImm),
		x86.VPERMILPS: vexWhole(permilps), x86.VPERMILPD: vexWhole(permilpd), x86.VPBLENDD: vexWhole(blendd),
		x86.VPSLLVD: vexQuads(sllvd), x86.VPSLLVQ: vexQuads(sllvq),
		x86.VPSRLVD: vexQuads(srlvd), x86.VPSRLVQ: vexQuads(srlvq), x86.VPSRAVD: vexQuads(sravd),
		x86.VPMASKMOVD: maskedMove(4), x86.VPMASKMOVQ: maskedMove(8),
		x86.VPGATHERDD: gathers(4, 4), x86.VPGATHERDQ: gathers(4, 8),
		x86.VPGATHERQD: gathers(8, 4), x86.VPGATHERQQ: gathers(8, 8),
	})
}
