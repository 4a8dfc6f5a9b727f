package interp

import "github.com/tinevm/tine/internal/x86"

// Conversions between MMX and XMM registers. They raise the exceptions of
// MXCSR, and #MF before those.

// fromMMX reads the operand of CVTPI2PS and CVTPI2PD. With memory these leave
// the x87 state alone, as the manual says of the latter (SDM vol. 2,
// CVTPI2PD) and processors do for both.
func (c *core) fromMMX(o *op) (uint64, bool) {
	if o.form == formRM {
		return c.load64(c.ea(o))
	}
	return c.mmxSource(o)
}

// enterMMX makes the transition that a register operand demands.
func (c *core) enterMMX(o *op) bool {
	if o.form != formRM {
		c.mmx()
	}
	return true
}

// opCVTPI2PS converts two doublewords into the low half of an XMM register.
func opCVTPI2PS(c *core, o *op) bool {
	v, ok := c.fromMMX(o)
	if !ok {
		return false
	}
	r, ex := intsToPS(v, c.regs.MXCSR)
	if !c.settle(ex) {
		return false
	}
	c.xmm[o.dst&15][0] = r
	return c.enterMMX(o)
}

// opCVTPI2PD is exact.
func opCVTPI2PD(c *core, o *op) bool {
	v, ok := c.fromMMX(o)
	if !ok {
		return false
	}
	r, _ := cvtdq2pd(xmm{}, xmm{v, 0}, 0)
	c.setXMM(o.dst, r)
	return c.enterMMX(o)
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

func setMMXConvert() {
	set(map[x86.Op]handler{
		x86.CVTPI2PS: opCVTPI2PS, x86.CVTPI2PD: opCVTPI2PD,
		x86.CVTPS2PI: toMMX(8, cvtps2dq), x86.CVTTPS2PI: toMMX(8, cvttps2dq),
		x86.CVTPD2PI: toMMX(16, cvtpd2dq), x86.CVTTPD2PI: toMMX(16, cvttpd2dq),
	})
}
