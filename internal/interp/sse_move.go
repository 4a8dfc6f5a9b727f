package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// opMoveAligned is MOVAPS, MOVDQA and the non-temporal moves of 16 bytes.
func opMoveAligned(c *core, o *op) bool {
	if o.form == formRR {
		c.xmm[o.dst&15] = c.xmm[o.src&15]
		return true
	}
	if va := c.ea(o); c.misaligned(va) {
		return false
	}
	return opMoveUnaligned(c, o)
}

// opMoveUnaligned is MOVUPS, MOVDQU, LDDQU.
func opMoveUnaligned(c *core, o *op) bool {
	switch o.form {
	case formRM:
		lo, hi, ok := c.load128(c.ea(o))
		if ok {
			c.xmm[o.dst&15] = [2]uint64{lo, hi}
		}
		return ok
	case formMR:
		x := &c.xmm[o.src&15]
		return c.store128(c.ea(o), x[0], x[1])
	}
	c.xmm[o.dst&15] = c.xmm[o.src&15]
	return true
}

// opMoveSS is MOVSS: between registers it leaves the rest, from memory it
// clears it.
func opMoveSS(c *core, o *op) bool {
	switch o.form {
	case formRM:
		v, ok := c.load32(c.ea(o))
		if ok {
			c.xmm[o.dst&15] = [2]uint64{uint64(v), 0}
		}
		return ok
	case formMR:
		return c.store32(c.ea(o), uint32(c.xmm[o.src&15][0]))
	}
	d := &c.xmm[o.dst&15]
	d[0] = interleaveD(c.xmm[o.src&15][0], d[0]>>32)
	return true
}

// opMoveSD is MOVSD, likewise.
func opMoveSD(c *core, o *op) bool {
	switch o.form {
	case formRM:
		v, ok := c.load64(c.ea(o))
		if ok {
			c.xmm[o.dst&15] = [2]uint64{v, 0}
		}
		return ok
	case formMR:
		return c.store64(c.ea(o), c.xmm[o.src&15][0])
	}
	c.xmm[o.dst&15][0] = c.xmm[o.src&15][0]
	return true
}

// opMoveQ is MOVQ between XMM registers and memory; registers are
// zero-extended.
func opMoveQ(c *core, o *op) bool {
	if o.form == formMR {
		return c.store64(c.ea(o), c.xmm[o.src&15][0])
	}
	v, ok := c.sourceLow(o, 8)
	if ok {
		c.xmm[o.dst&15] = [2]uint64{v, 0}
	}
	return ok
}

// opMoveD is MOVD and MOVQ between XMM registers and general registers or
// memory. The direction is in the opcode: 6E loads, 7E stores.
func opMoveD(c *core, o *op) bool {
	if o.cc == 0x6e {
		return c.moveDIn(o)
	}
	v := c.xmm[o.src&15][0]
	if o.form == formMR {
		return c.store(c.ea(o), o.size, v)
	}
	c.setGPR(o.dst, o.size, v)
	return true
}

func (c *core) moveDIn(o *op) bool {
	v, ok := c.gpr(o.src, o.srcSize), true
	if o.form == formRM {
		v, ok = c.load(c.ea(o), o.srcSize)
	}
	if ok {
		c.xmm[o.dst&15] = [2]uint64{v, 0}
	}
	return ok
}

// halfMove makes a handler of MOVLPS (half 0) or MOVHPS (half 1).
func halfMove(half int) handler {
	return func(c *core, o *op) bool {
		if o.form == formMR {
			return c.store64(c.ea(o), c.xmm[o.src&15][half])
		}
		v, ok := c.load64(c.ea(o))
		if ok {
			c.xmm[o.dst&15][half] = v
		}
		return ok
	}
}

func opMoveHLPS(c *core, o *op) bool {
	c.xmm[o.dst&15][0] = c.xmm[o.src&15][1]
	return true
}

func opMoveLHPS(c *core, o *op) bool {
	c.xmm[o.dst&15][1] = c.xmm[o.src&15][0]
	return true
}

func opMoveDDup(c *core, o *op) bool {
	v, ok := c.sourceLow(o, 8)
	if ok {
		c.xmm[o.dst&15] = [2]uint64{v, v}
	}
	return ok
}

// opMaskMove is MASKMOVDQU: it stores the bytes whose mask byte has its top
// bit set at DS:RDI. Like the processors it was compared with it faults for all
// sixteen bytes, whatever the mask.
func opMaskMove(c *core, o *op) bool {
	va := c.r[cpu.RDI]
	if o.flags&opAddr32 != 0 {
		va = uint64(uint32(va))
	}
	va += c.r[o.seg]
	mask := pmovmskb(c.getXMM(o.src))
	if !c.aligned(va, 8) || !c.probeWrite(va, 16) {
		return false
	}
	d := c.getXMM(o.dst)
	for i := range uint64(16) {
		if mask>>i&1 != 0 && !c.store8(va+i, uint8(extractField(d, uint8(i), 8))) {
			return false
		}
	}
	return true
}

// opLDMXCSR faults on reserved bits (SDM vol. 1, 10.2.3).
func opLDMXCSR(c *core, o *op) bool {
	v, ok := c.load32(c.ea(o))
	if !ok {
		return false
	}
	if v>>16 != 0 {
		return c.exception(cpu.VectorGP)
	}
	c.regs.MXCSR = v
	return true
}

func opSTMXCSR(c *core, o *op) bool { return c.store32(c.ea(o), c.regs.MXCSR) }

func setSSEMove() {
	set(map[x86.Op]handler{
		x86.MOVUPS: opMoveUnaligned, x86.MOVUPD: opMoveUnaligned,
		x86.MOVDQU: opMoveUnaligned, x86.LDDQU: opMoveUnaligned,
		x86.MOVAPS: opMoveAligned, x86.MOVAPD: opMoveAligned, x86.MOVDQA: opMoveAligned,
		x86.MOVNTPS: opMoveAligned, x86.MOVNTPD: opMoveAligned,
		x86.MOVNTDQ: opMoveAligned, x86.MOVNTDQA: opMoveAligned,
		x86.MOVSS: opMoveSS, x86.MOVSD: opMoveSD, x86.MOVQ: opMoveQ, x86.MOVD: opMoveD,
		x86.MOVLPS: halfMove(0), x86.MOVHPS: halfMove(1),
		x86.MOVHLPS: opMoveHLPS, x86.MOVLHPS: opMoveLHPS, x86.MOVDDUP: opMoveDDup,
		x86.MOVSLDUP: whole(movsldup), x86.MOVSHDUP: whole(movshdup),
		x86.MASKMOVDQU: opMaskMove,
		x86.LDMXCSR:    opLDMXCSR, x86.STMXCSR: opSTMXCSR,
		x86.PMOVMSKB: masks(pmovmskb), x86.MOVMSKPS: masks(movmskps), x86.MOVMSKPD: masks(movmskpd),
	})
}
