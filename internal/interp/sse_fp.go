package interp

import (
	"math"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// packed makes a handler of a packed floating point operation.
func packed(f packedOp) handler {
	return func(c *core, o *op) bool {
		s, ok := c.source(o)
		if !ok {
			return false
		}
		r, ex := f(c.getXMM(o.dst), s, c.regs.MXCSR)
		if !c.settle(ex) {
			return false
		}
		c.setXMM(o.dst, r)
		return true
	}
}

// packedImm is packed with an immediate byte.
func packedImm(f packedImmOp) handler {
	return func(c *core, o *op) bool {
		s, ok := c.source(o)
		if !ok {
			return false
		}
		r, ex := f(c.getXMM(o.dst), s, uint8(o.imm), c.regs.MXCSR)
		if !c.settle(ex) {
			return false
		}
		c.setXMM(o.dst, r)
		return true
	}
}

// packedHalf is packed for operations that read eight bytes.
func packedHalf(f packedOp) handler {
	return func(c *core, o *op) bool {
		s, ok := c.sourceLow(o, 8)
		if !ok {
			return false
		}
		r, ex := f(xmm{}, xmm{s, 0}, c.regs.MXCSR)
		if !c.settle(ex) {
			return false
		}
		c.setXMM(o.dst, r)
		return true
	}
}

// scalarD makes a handler of an operation on the low double of both operands.
func scalarD(f floatOp) handler {
	return func(c *core, o *op) bool {
		s, ok := c.sourceLow(o, 8)
		if !ok {
			return false
		}
		d := &c.xmm[o.dst&15]
		r, ex := f(d[0], s, c.regs.MXCSR)
		if ex != 0 && !c.settle(ex) {
			return false
		}
		d[0] = r
		return true
	}
}

// scalarS is the same for singles.
func scalarS(f floatOp) handler {
	return func(c *core, o *op) bool {
		s, ok := c.sourceLow(o, 4)
		if !ok {
			return false
		}
		d := &c.xmm[o.dst&15]
		r, ex := f(d[0]&0xffffffff, s, c.regs.MXCSR)
		if ex != 0 && !c.settle(ex) {
			return false
		}
		d[0] = d[0]&^0xffffffff | r&0xffffffff
		return true
	}
}

// scalarImmD is scalarD with an immediate byte.
func scalarImmD(f floatImmOp) handler {
	return func(c *core, o *op) bool {
		s, ok := c.sourceLow(o, 8)
		if !ok {
			return false
		}
		d := &c.xmm[o.dst&15]
		r, ex := f(d[0], s, uint8(o.imm), c.regs.MXCSR)
		if !c.settle(ex) {
			return false
		}
		d[0] = r
		return true
	}
}

// scalarImmS is scalarS with an immediate byte.
func scalarImmS(f floatImmOp) handler {
	return func(c *core, o *op) bool {
		s, ok := c.sourceLow(o, 4)
		if !ok {
			return false
		}
		d := &c.xmm[o.dst&15]
		r, ex := f(d[0]&0xffffffff, s, uint8(o.imm), c.regs.MXCSR)
		if !c.settle(ex) {
			return false
		}
		d[0] = d[0]&^0xffffffff | r&0xffffffff
		return true
	}
}

// The scalar doubles that programs use most have handlers without an indirect
// call.

func opADDSD(c *core, o *op) bool {
	s, ok := c.sourceLow(o, 8)
	if !ok {
		return false
	}
	d := &c.xmm[o.dst&15]
	r, ex := addD(d[0], s, c.regs.MXCSR)
	if ex != 0 && !c.settle(ex) {
		return false
	}
	d[0] = r
	return true
}

func opSUBSD(c *core, o *op) bool {
	s, ok := c.sourceLow(o, 8)
	if !ok {
		return false
	}
	d := &c.xmm[o.dst&15]
	r, ex := subD(d[0], s, c.regs.MXCSR)
	if ex != 0 && !c.settle(ex) {
		return false
	}
	d[0] = r
	return true
}

func opMULSD(c *core, o *op) bool {
	s, ok := c.sourceLow(o, 8)
	if !ok {
		return false
	}
	d := &c.xmm[o.dst&15]
	r, ex := mulD(d[0], s, c.regs.MXCSR)
	if ex != 0 && !c.settle(ex) {
		return false
	}
	d[0] = r
	return true
}

func opDIVSD(c *core, o *op) bool {
	s, ok := c.sourceLow(o, 8)
	if !ok {
		return false
	}
	d := &c.xmm[o.dst&15]
	r, ex := divD(d[0], s, c.regs.MXCSR)
	if ex != 0 && !c.settle(ex) {
		return false
	}
	d[0] = r
	return true
}

// relationFlags are the flags COMISD sets for each relation.
func relationFlags(rel uint32) uint64 {
	switch rel {
	case isBelow:
		return cpu.FlagCF
	case isEqual:
		return cpu.FlagZF
	case isAbove:
		return 0
	}
	return cpu.FlagZF | cpu.FlagPF | cpu.FlagCF
}

// comparesS makes a handler of COMISS or UCOMISS.
func comparesS(signal bool) handler {
	return func(c *core, o *op) bool {
		s, ok := c.sourceLow(o, 4)
		if !ok {
			return false
		}
		d := c.xmm[o.dst&15][0] & 0xffffffff
		rel, ex := formatS.compare(d, s, c.regs.MXCSR, signal)
		if !c.settle(ex) {
			return false
		}
		c.setFlagBits(relationFlags(rel))
		return true
	}
}

// opCOMISD is COMISD and UCOMISD, with the comparison of ordinary doubles first.
func opCOMISD(c *core, o *op) bool {
	s, ok := c.sourceLow(o, 8)
	if !ok {
		return false
	}
	d := c.xmm[o.dst&15][0]
	x, y := math.Float64frombits(d), math.Float64frombits(s)
	switch {
	case !plainD(d) || !plainD(s):
	case x > y:
		c.setFlagBits(0)
		return true
	case x < y:
		c.setFlagBits(cpu.FlagCF)
		return true
	case x == y:
		c.setFlagBits(cpu.FlagZF)
		return true
	}
	return c.compareD(d, s, o.x == x86.COMISD)
}

func (c *core) compareD(a, b uint64, signal bool) bool {
	rel, ex := formatD.compare(a, b, c.regs.MXCSR, signal)
	if !c.settle(ex) {
		return false
	}
	c.setFlagBits(relationFlags(rel))
	return true
}

// toIntegers makes a handler of a conversion to a general register. A negative
// rc means MXCSR's.
func toIntegers(t *floatFormat, n uint8, rc int) handler {
	return func(c *core, o *op) bool {
		s, ok := c.sourceLow(o, n)
		if !ok {
			return false
		}
		mx := c.regs.MXCSR
		mode := uint32(rc)
		if rc < 0 {
			mode = rounding(mx)
		}
		r, ex := t.toInt(s, 8*uint(o.size), mode, mx)
		if !c.settle(ex) {
			return false
		}
		c.r[o.dst] = r
		return true
	}
}

func opCVTTSD2SI(c *core, o *op) bool {
	s, ok := c.sourceLow(o, 8)
	if !ok {
		return false
	}
	var r uint64
	var ex uint32
	if o.size == 8 {
		r, ex = cvttD(s, c.regs.MXCSR)
	} else {
		r, ex = cvttD32(s, c.regs.MXCSR)
	}
	if ex != 0 && !c.settle(ex) {
		return false
	}
	c.r[o.dst] = r
	return true
}

// integerSource is the second operand of CVTSI2SD: a general register or
// memory, sign-extended.
func (c *core) integerSource(o *op) (int64, bool) {
	v, ok := c.r[o.src], true
	if o.form == formRM {
		v, ok = c.load(c.ea(o), o.srcSize)
	}
	if o.srcSize == 4 {
		return int64(int32(v)), ok
	}
	return int64(v), ok
}

func opCVTSI2SD(c *core, o *op) bool {
	v, ok := c.integerSource(o)
	if !ok {
		return false
	}
	r, ex := intToD(v, c.regs.MXCSR)
	if ex != 0 && !c.settle(ex) {
		return false
	}
	c.xmm[o.dst&15][0] = r
	return true
}

func opCVTSI2SS(c *core, o *op) bool {
	v, ok := c.integerSource(o)
	if !ok {
		return false
	}
	r, ex := intToS(v, c.regs.MXCSR)
	if ex != 0 && !c.settle(ex) {
		return false
	}
	d := &c.xmm[o.dst&15]
	d[0] = d[0]&^0xffffffff | r
	return true
}

func opCVTSD2SS(c *core, o *op) bool {
	s, ok := c.sourceLow(o, 8)
	if !ok {
		return false
	}
	r, ex := narrow(s, c.regs.MXCSR)
	if !c.settle(ex) {
		return false
	}
	d := &c.xmm[o.dst&15]
	d[0] = d[0]&^0xffffffff | r
	return true
}

func opCVTSS2SD(c *core, o *op) bool {
	s, ok := c.sourceLow(o, 4)
	if !ok {
		return false
	}
	r, ex := widenS(s, c.regs.MXCSR)
	if !c.settle(ex) {
		return false
	}
	c.xmm[o.dst&15][0] = r
	return true
}

func roundD(_, b uint64, imm uint8, mx uint32) (uint64, uint32) { return formatD.roundInt(b, imm, mx) }
func roundS(_, b uint64, imm uint8, mx uint32) (uint64, uint32) { return formatS.roundInt(b, imm, mx) }

func setSSEFloat() {
	set(map[x86.Op]handler{
		x86.ADDSD: opADDSD, x86.SUBSD: opSUBSD, x86.MULSD: opMULSD, x86.DIVSD: opDIVSD,
		x86.SQRTSD: scalarD(sqrtD), x86.MINSD: scalarD(minD), x86.MAXSD: scalarD(maxD),
		x86.ADDSS: scalarS(addS), x86.SUBSS: scalarS(subS), x86.MULSS: scalarS(mulS), x86.DIVSS: scalarS(divS),
		x86.SQRTSS: scalarS(sqrtS), x86.MINSS: scalarS(minS), x86.MAXSS: scalarS(maxS),
		x86.RCPSS: scalarS(rcpS), x86.RSQRTSS: scalarS(rsqrtS),
		x86.ADDPD: packed(lanesD(addD)), x86.SUBPD: packed(lanesD(subD)),
		x86.MULPD: packed(lanesD(mulD)), x86.DIVPD: packed(lanesD(divD)),
		x86.SQRTPD: packed(lanesD(sqrtD)), x86.MINPD: packed(lanesD(minD)), x86.MAXPD: packed(lanesD(maxD)),
		x86.ADDPS: packed(lanesS(addS)), x86.SUBPS: packed(lanesS(subS)),
		x86.MULPS: packed(lanesS(mulS)), x86.DIVPS: packed(lanesS(divS)),
		x86.SQRTPS: packed(lanesS(sqrtS)), x86.MINPS: packed(lanesS(minS)), x86.MAXPS: packed(lanesS(maxS)),
		x86.RCPPS: packed(lanesS(rcpS)), x86.RSQRTPS: packed(lanesS(rsqrtS)),
		x86.ADDSUBPD: packed(addsubpd), x86.ADDSUBPS: packed(alternateS(subS, addS)),
		x86.HADDPD: packed(horizontalD(addD)), x86.HSUBPD: packed(horizontalD(subD)),
		x86.HADDPS: packed(horizontalS(addS)), x86.HSUBPS: packed(horizontalS(subS)),
		x86.DPPS: packedImm(dpps), x86.DPPD: packedImm(dppd),
		x86.ROUNDPS: packedImm(lanesImmS(roundS)), x86.ROUNDPD: packedImm(lanesImmD(roundD)),
		x86.ROUNDSS: scalarImmS(roundS), x86.ROUNDSD: scalarImmD(roundD),
		x86.CMPPS: packedImm(lanesImmS(formatS.cmp)), x86.CMPPD: packedImm(lanesImmD(formatD.cmp)),
		x86.CMPSS: scalarImmS(formatS.cmp), x86.CMPSD: scalarImmD(formatD.cmp),
		x86.COMISD: opCOMISD, x86.UCOMISD: opCOMISD,
		x86.COMISS: comparesS(true), x86.UCOMISS: comparesS(false),

		x86.CVTSI2SD: opCVTSI2SD, x86.CVTSI2SS: opCVTSI2SS,
		x86.CVTTSD2SI: opCVTTSD2SI, x86.CVTSD2SI: toIntegers(&formatD, 8, -1),
		x86.CVTTSS2SI: toIntegers(&formatS, 4, roundZero), x86.CVTSS2SI: toIntegers(&formatS, 4, -1),
		x86.CVTSD2SS: opCVTSD2SS, x86.CVTSS2SD: opCVTSS2SD,
		x86.CVTPS2PD: packedHalf(cvtps2pd), x86.CVTDQ2PD: packedHalf(cvtdq2pd),
		x86.CVTPD2PS: packed(cvtpd2ps), x86.CVTDQ2PS: packed(cvtdq2ps),
		x86.CVTPS2DQ: packed(cvtps2dq), x86.CVTTPS2DQ: packed(cvttps2dq),
		x86.CVTPD2DQ: packed(cvtpd2dq), x86.CVTTPD2DQ: packed(cvttpd2dq),
	})
}
