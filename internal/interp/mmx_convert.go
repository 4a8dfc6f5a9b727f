package interp

import "github.com/tinevm/tine/internal/x86"

// Conversions between MMX and XMM registers. They raise the exceptions of
// MXCSR, and #MF before those.

// opCVTPI2PS converts two doublewords into the low half of an XMM register.
func opCVTPI2PS(c *core, o *op) bool {
	v, ok := c.mmxSource(o)
	if !ok {
		return false
	}
	r, ex := intsToPS(v, c.regs.MXCSR)
	if !c.settle(ex) {
		return false
	}
	c.xmm[o.dst&15][0] = r
	c.mmx()
	return true
}

// opCVTPI2PD is exact. With a memory operand it leaves the x87 state alone
// (SDM vol. 2, CVTPI2PD).
func opCVTPI2PD(c *core, o *op) bool {
	if o.form == formRM {
		v, ok := c.load64(c.ea(o))
		if !ok {
			return false
		}
		r, _ := cvtdq2pd(xmm{}, xmm{v, 0}, 0)
		c.setXMM(o.dst, r)
		return true
	}
	v, ok := c.mmxSource(o)
	if !ok {
		return false
	}
	r, _ := cvtdq2pd(xmm{}, xmm{v, 0}, 0)
	c.setXMM(o.dst, r)
	c.mmx()
	return true
}

// toMMX makes a handler of a conversion of n bytes to two doublewords.
func toMMX(n uint8, f packedOp) handler {
	return func(c *core, o *op) bool {
		if c.fpu() == nil {
			return false
		}
		var s xmm
		var ok bool
		if n == 8 {
			s.lo, ok = c.sourceLow(o, 8)
		} else {
			s, ok = c.source(o)
		}
		if !ok {
			return false
		}
		r, ex := f(xmm{}, s, c.regs.MXCSR)
		if !c.settle(ex) {
			return false
		}
		c.mmx().SetMMX(int(o.dst), r.lo)
		return true
	}
}

func init() {
	set(map[x86.Op]handler{
		x86.CVTPI2PS: opCVTPI2PS, x86.CVTPI2PD: opCVTPI2PD,
		x86.CVTPS2PI: toMMX(8, cvtps2dq), x86.CVTTPS2PI: toMMX(8, cvttps2dq),
		x86.CVTPD2PI: toMMX(16, cvtpd2dq), x86.CVTTPD2PI: toMMX(16, cvttpd2dq),
	})
}
