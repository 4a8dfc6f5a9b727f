package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
	"github.com/tinevm/tine/internal/x87"
)

// Handlers of the MMX operations. MMX registers are the significands of the
// x87 registers. Lane functions are those of SSE: a quadword has the place of
// the low or of both halves of an XMM register.

// mmx returns the unit for an MMX instruction that can no longer fault, in
// the state that all but EMMS leave it in (SDM vol. 1, 9.5.1).
func (c *core) mmx() *x87.State {
	s := &c.regs.X87
	s.EnterMMX()
	return s
}

// mmxSource is the second operand: an MMX register or srcSize bytes of
// memory, which need no alignment. It fails with #MF if an exception is
// pending.
func (c *core) mmxSource(o *op) (uint64, bool) {
	s := c.fpu()
	if s == nil {
		return 0, false
	}
	if o.form == formRM {
		return c.load(c.ea(o), o.srcSize)
	}
	return s.R[o.src&7].Mant, true
}

// mmxQuad makes a handler of a function of both operands.
func mmxQuad(f func(a, b uint64) uint64) handler {
	return func(c *core, o *op) bool {
		v, ok := c.mmxSource(o)
		if !ok {
			return false
		}
		s := c.mmx()
		s.SetMMX(int(o.dst), f(s.R[o.dst&7].Mant, v))
		return true
	}
}

// mmxLow and mmxHigh make handlers of the halves of a function that
// interleaves the low quadwords of its operands.
func mmxLow(f func(d, s xmm) xmm) handler {
	return mmxQuad(func(a, b uint64) uint64 { return f(xmm{a, 0}, xmm{b, 0}).lo })
}

func mmxHigh(f func(d, s xmm) xmm) handler {
	return mmxQuad(func(a, b uint64) uint64 { return f(xmm{a, 0}, xmm{b, 0}).hi })
}

// mmxPair makes a handler of a function that makes the low half of its result
// of both halves of one operand: of d and s here.
func mmxPair(f func(d, s xmm) xmm) handler {
	return mmxQuad(func(a, b uint64) uint64 { return f(xmm{a, b}, xmm{}).lo })
}

// mmxShift makes a handler of a shift by an immediate or by a quadword.
func mmxShift(f func(a, n uint64) uint64) handler {
	return func(c *core, o *op) bool {
		n := uint64(o.imm)
		if o.form == formRI {
			if c.fpu() == nil {
				return false
			}
		} else {
			var ok bool
			if n, ok = c.mmxSource(o); !ok {
				return false
			}
		}
		s := c.mmx()
		s.SetMMX(int(o.dst), f(s.R[o.dst&7].Mant, n))
		return true
	}
}

// mmxImm makes a handler of a function with an immediate byte.
func mmxImm(f func(a, b uint64, imm uint8) uint64) handler {
	return func(c *core, o *op) bool {
		v, ok := c.mmxSource(o)
		if !ok {
			return false
		}
		s := c.mmx()
		s.SetMMX(int(o.dst), f(s.R[o.dst&7].Mant, v, uint8(o.imm)))
		return true
	}
}

// pshufbMMX: of the control only bits 7 and 2:0 count.
func pshufbMMX(a, b uint64) uint64 {
	return pshufb(xmm{a, 0}, xmm{b & 0x8787878787878787, 0}).lo
}

// palignrMMX shifts a:b right by bytes.
func palignrMMX(a, b uint64, imm uint8) uint64 { return psrldq(xmm{b, a}, imm).lo }

func pinsrwMMX(a, v uint64, imm uint8) uint64 {
	return insertField(xmm{a, 0}, v, imm&3, 16).lo
}

func opPINSRWMMX(c *core, o *op) bool {
	if c.fpu() == nil {
		return false
	}
	v := c.r[o.src]
	if o.form == formRM {
		var ok bool
		if v, ok = c.load(c.ea(o), 2); !ok {
			return false
		}
	}
	s := c.mmx()
	s.SetMMX(int(o.dst), pinsrwMMX(s.R[o.dst&7].Mant, v, uint8(o.imm)))
	return true
}

// opMOVQMMX loads, stores and moves.
func opMOVQMMX(c *core, o *op) bool {
	if o.form != formMR {
		v, ok := c.mmxSource(o)
		if ok {
			c.mmx().SetMMX(int(o.dst), v)
		}
		return ok
	}
	s := c.fpu()
	if s == nil || !c.store64(c.ea(o), s.R[o.src&7].Mant) {
		return false
	}
	c.mmx()
	return true
}

// opMOVDMMX moves from (6E) and to (7E) a general register or memory.
func opMOVDMMX(c *core, o *op) bool {
	if c.fpu() == nil {
		return false
	}
	if o.cc == 0x6e {
		v, ok := c.srcVal(o)
		if ok {
			c.mmx().SetMMX(int(o.dst), v)
		}
		return ok
	}
	if !c.dstWrite(o, c.regs.X87.R[o.src&7].Mant) {
		return false
	}
	c.mmx()
	return true
}

func opMOVQ2DQ(c *core, o *op) bool {
	if c.fpu() == nil {
		return false
	}
	c.xmm[o.dst&15] = [2]uint64{c.mmx().R[o.src&7].Mant, 0}
	return true
}

func opMOVDQ2Q(c *core, o *op) bool {
	if c.fpu() == nil {
		return false
	}
	c.mmx().SetMMX(int(o.dst), c.xmm[o.src&15][0])
	return true
}

// mmxToGPR makes a handler that writes a general register.
func mmxToGPR(f func(v uint64, imm uint8) uint64) handler {
	return func(c *core, o *op) bool {
		if c.fpu() == nil {
			return false
		}
		c.r[o.dst] = f(c.mmx().R[o.src&7].Mant, uint8(o.imm))
		return true
	}
}

// opMASKMOVQ stores the bytes whose mask byte has its top bit set at DS:RDI.
func opMASKMOVQ(c *core, o *op) bool {
	s := c.fpu()
	if s == nil {
		return false
	}
	va := c.r[cpu.RDI]
	if o.flags&opAddr32 != 0 {
		va = uint64(uint32(va))
	}
	va += c.r[o.seg]
	if !c.aligned(va, 8) {
		return false
	}
	mask := movmskB(s.R[o.src&7].Mant)
	for i := range uint64(8) {
		if mask>>i&1 != 0 && c.writable(va+i) == nil {
			return false
		}
	}
	v := s.R[o.dst&7].Mant
	for i := range uint64(8) {
		if mask>>i&1 != 0 && !c.store8(va+i, uint8(v>>(8*i))) {
			return false
		}
	}
	c.mmx()
	return true
}

func opEMMS(c *core, o *op) bool {
	s := c.fpu()
	if s == nil {
		return false
	}
	s.EMMS()
	return true
}

func setMMX() {
	set(map[x86.Op]handler{
		x86.MMXMOVD: opMOVDMMX, x86.MMXMOVQ: opMOVQMMX, x86.MOVQ2DQ: opMOVQ2DQ, x86.MOVDQ2Q: opMOVDQ2Q,
		x86.MMXMASKMOVQ: opMASKMOVQ, x86.EMMS: opEMMS,
		x86.MMXPMOVMSKB: mmxToGPR(func(v uint64, _ uint8) uint64 { return movmskB(v) }),
		x86.MMXPEXTRW:   mmxToGPR(func(v uint64, imm uint8) uint64 { return v >> (16 * (imm & 3)) & 0xffff }),
		x86.MMXPINSRW:   opPINSRWMMX,
		x86.MMXPSHUFW:   mmxImm(func(_, b uint64, imm uint8) uint64 { return shuffleW(b, imm) }),
		x86.MMXPSHUFB:   mmxQuad(pshufbMMX), x86.MMXPALIGNR: mmxImm(palignrMMX),

		x86.MMXPUNPCKLBW: mmxLow(punpcklbw), x86.MMXPUNPCKHBW: mmxHigh(punpcklbw),
		x86.MMXPUNPCKLWD: mmxLow(punpcklwd), x86.MMXPUNPCKHWD: mmxHigh(punpcklwd),
		x86.MMXPUNPCKLDQ: mmxLow(punpckldq), x86.MMXPUNPCKHDQ: mmxHigh(punpckldq),
		x86.MMXPACKSSWB: mmxPair(packsswb), x86.MMXPACKUSWB: mmxPair(packuswb), x86.MMXPACKSSDW: mmxPair(packssdw),
		x86.MMXPHADDW: mmxPair(phaddw), x86.MMXPHADDD: mmxPair(phaddd), x86.MMXPHADDSW: mmxPair(phaddsw),
		x86.MMXPHSUBW: mmxPair(phsubw), x86.MMXPHSUBD: mmxPair(phsubd), x86.MMXPHSUBSW: mmxPair(phsubsw),

		x86.MMXPSRLW: mmxShift(psrlw), x86.MMXPSRLD: mmxShift(psrld), x86.MMXPSRLQ: mmxShift(psrlq),
		x86.MMXPSLLW: mmxShift(psllw), x86.MMXPSLLD: mmxShift(pslld), x86.MMXPSLLQ: mmxShift(psllq),
		x86.MMXPSRAW: mmxShift(psraw), x86.MMXPSRAD: mmxShift(psrad),

		x86.MMXPCMPGTB: mmxQuad(pcmpgtb), x86.MMXPCMPGTW: mmxQuad(pcmpgtw),
		x86.MMXPCMPGTD: mmxQuad(pcmpgtd), x86.MMXPCMPEQB: mmxQuad(pcmpeqb),
		x86.MMXPCMPEQW: mmxQuad(pcmpeqw), x86.MMXPCMPEQD: mmxQuad(pcmpeqd),
		x86.MMXPADDQ: mmxQuad(paddq), x86.MMXPMULLW: mmxQuad(pmullw),
		x86.MMXPSUBUSB: mmxQuad(psubusb), x86.MMXPSUBUSW: mmxQuad(psubusw),
		x86.MMXPMINUB: mmxQuad(pminub), x86.MMXPAND: mmxQuad(pand),
		x86.MMXPADDUSB: mmxQuad(paddusb), x86.MMXPADDUSW: mmxQuad(paddusw),
		x86.MMXPMAXUB: mmxQuad(pmaxub), x86.MMXPANDN: mmxQuad(pandn),
		x86.MMXPAVGB: mmxQuad(pavgb), x86.MMXPAVGW: mmxQuad(pavgw),
		x86.MMXPMULHUW: mmxQuad(pmulhuw), x86.MMXPMULHW: mmxQuad(pmulhw),
		x86.MMXPSUBSB: mmxQuad(psubsb), x86.MMXPSUBSW: mmxQuad(psubsw),
		x86.MMXPMINSW: mmxQuad(pminsw), x86.MMXPOR: mmxQuad(por),
		x86.MMXPADDSB: mmxQuad(paddsb), x86.MMXPADDSW: mmxQuad(paddsw),
		x86.MMXPMAXSW: mmxQuad(pmaxsw), x86.MMXPXOR: mmxQuad(pxor),
		x86.MMXPMULUDQ: mmxQuad(pmuludq), x86.MMXPMADDWD: mmxQuad(pmaddwd),
		x86.MMXPSADBW: mmxQuad(psadbw), x86.MMXPSUBB: mmxQuad(psubb),
		x86.MMXPSUBW: mmxQuad(psubw), x86.MMXPSUBD: mmxQuad(psubd),
		x86.MMXPSUBQ: mmxQuad(psubq), x86.MMXPADDB: mmxQuad(paddb),
		x86.MMXPADDW: mmxQuad(paddw), x86.MMXPADDD: mmxQuad(paddd),
		x86.MMXPMADDUBSW: mmxQuad(pmaddubsw), x86.MMXPSIGNB: mmxQuad(psignb),
		x86.MMXPSIGNW: mmxQuad(psignw), x86.MMXPSIGND: mmxQuad(psignd),
		x86.MMXPMULHRSW: mmxQuad(pmulhrsw), x86.MMXPABSB: mmxQuad(pabsb),
		x86.MMXPABSW: mmxQuad(pabsw), x86.MMXPABSD: mmxQuad(pabsd),
	})
}
