package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// Handlers of the SSE operations. The computing functions are pure and stand
// in the other sse files; here are operands, alignment and exceptions.

func (c *core) getXMM(reg uint8) xmm {
	x := &c.xmm[reg&15]
	return xmm{x[0], x[1]}
}

func (c *core) setXMM(reg uint8, v xmm) { c.xmm[reg&15] = [2]uint64{v.lo, v.hi} }

// misaligned faults if a 16-byte operand is not aligned.
func (c *core) misaligned(va uint64) bool {
	if va&15 == 0 {
		return false
	}
	c.exception(cpu.VectorGP)
	return true
}

// loadXMM reads 16 bytes that must be aligned.
func (c *core) loadXMM(va uint64) (x xmm, ok bool) {
	if c.misaligned(va) {
		return x, false
	}
	return c.loadXMMu(va)
}

// loadXMMu reads 16 bytes from anywhere.
func (c *core) loadXMMu(va uint64) (x xmm, ok bool) {
	x.lo, x.hi, ok = c.load128(va)
	return x, ok
}

// source is the second operand, sixteen bytes: a register, or aligned memory.
func (c *core) source(o *op) (xmm, bool) {
	if o.form == formRM {
		return c.loadXMM(c.ea(o))
	}
	return c.getXMM(o.src), true
}

// sourceLow is the second operand of an instruction that uses the low n bytes
// of a register, and of memory only those.
func (c *core) sourceLow(o *op, n uint8) (uint64, bool) {
	if o.form == formRM {
		return c.load(c.ea(o), n)
	}
	return c.xmm[o.src&15][0] & (^uint64(0) >> (64 - 8*n)), true
}

// settle enters floating point exceptions into MXCSR. It returns false, with
// the trap noted, if one is not masked.
func (c *core) settle(ex uint32) bool {
	if ex == 0 {
		return true
	}
	if c.gather {
		c.gathered |= ex
		return true
	}
	mx := c.regs.MXCSR
	stop := unmasked(ex, mx)
	if stop != 0 && ex&mxReported == 0 {
		ex = report(ex, mx)
	}
	c.regs.MXCSR = mx | ex&mxFlags
	if stop != 0 {
		return c.exception(cpu.VectorXM)
	}
	return true
}

// quads makes a handler of a function of the quadwords of both operands.
func quads(f func(a, b uint64) uint64) handler {
	return func(c *core, o *op) bool {
		s, ok := c.source(o)
		if !ok {
			return false
		}
		d := &c.xmm[o.dst&15]
		d[0], d[1] = f(d[0], s.lo), f(d[1], s.hi)
		return true
	}
}

// whole makes a handler of a function of both operands.
func whole(f func(d, s xmm) xmm) handler {
	return func(c *core, o *op) bool {
		s, ok := c.source(o)
		if ok {
			c.setXMM(o.dst, f(c.getXMM(o.dst), s))
		}
		return ok
	}
}

// wholeImm is whole with an immediate byte.
func wholeImm(f func(d, s xmm, imm uint8) xmm) handler {
	return func(c *core, o *op) bool {
		s, ok := c.source(o)
		if ok {
			c.setXMM(o.dst, f(c.getXMM(o.dst), s, uint8(o.imm)))
		}
		return ok
	}
}

// shifts makes a handler of a shift: the count is an immediate, or the low
// quadword of the second operand.
func shifts(f func(a, n uint64) uint64) handler {
	return func(c *core, o *op) bool {
		n := uint64(o.imm)
		if o.form != formRI {
			s, ok := c.source(o)
			if !ok {
				return false
			}
			n = s.lo
		}
		d := &c.xmm[o.dst&15]
		d[0], d[1] = f(d[0], n), f(d[1], n)
		return true
	}
}

// byteShift makes a handler of PSLLDQ or PSRLDQ.
func byteShift(f func(d xmm, n uint8) xmm) handler {
	return func(c *core, o *op) bool {
		c.setXMM(o.dst, f(c.getXMM(o.dst), uint8(o.imm)))
		return true
	}
}

// variableBlend makes a handler of a blend that XMM0 controls.
func variableBlend(f func(d, s, control uint64) uint64) handler {
	return func(c *core, o *op) bool {
		s, ok := c.source(o)
		if !ok {
			return false
		}
		control := c.xmm[0]
		d := &c.xmm[o.dst&15]
		d[0], d[1] = f(d[0], s.lo, control[0]), f(d[1], s.hi, control[1])
		return true
	}
}

// widens makes a handler of PMOVSX or PMOVZX, which reads n bytes.
func widens(from, to uint, signed bool) handler {
	n := uint8(128 / to * from / 8)
	return func(c *core, o *op) bool {
		s, ok := c.sourceLow(o, n)
		if ok {
			c.setXMM(o.dst, widen(s, from, to, signed))
		}
		return ok
	}
}

// masks makes a handler of an instruction that collects bits of a register in
// a general register.
func masks(f func(s xmm) uint64) handler {
	return func(c *core, o *op) bool {
		c.r[o.dst] = f(c.getXMM(o.src))
		return true
	}
}

// inserts makes a handler that puts the low n bytes of the second operand, a
// general register or memory, into the field that the immediate numbers. n is
// 0 if the operand size tells.
func inserts(n uint8) handler {
	return func(c *core, o *op) bool {
		size := n
		if size == 0 {
			size = o.srcSize
		}
		v := c.r[o.src]
		if o.form == formRM {
			var ok bool
			if v, ok = c.load(c.ea(o), size); !ok {
				return false
			}
		}
		c.setXMM(o.dst, insertField(c.getXMM(o.dst), v, uint8(o.imm), 8*uint(size)))
		return true
	}
}

// extracts is the inverse of inserts. Registers are zero-extended.
func extracts(n uint8) handler {
	return func(c *core, o *op) bool {
		size := n
		if size == 0 {
			size = o.size
		}
		v := extractField(c.getXMM(o.src), uint8(o.imm), 8*uint(size))
		if o.form == formMR {
			return c.store(c.ea(o), size, v)
		}
		c.r[o.dst] = v
		return true
	}
}

func opInsertPS(c *core, o *op) bool {
	var v uint64
	if o.form == formRM {
		var ok bool
		if v, ok = c.load(c.ea(o), 4); !ok {
			return false
		}
	} else {
		v = c.getXMM(o.src).dword(uint8(o.imm >> 6))
	}
	c.setXMM(o.dst, insertps(c.getXMM(o.dst), v, uint8(o.imm)))
	return true
}

func opPTest(c *core, o *op) bool {
	s, ok := c.source(o)
	if !ok {
		return false
	}
	var flags uint64
	zf, cf := ptest(c.getXMM(o.dst), s)
	if zf {
		flags |= cpu.FlagZF
	}
	if cf {
		flags |= cpu.FlagCF
	}
	c.setFlagBits(flags)
	return true
}

// stringOp makes a handler of the PCMPxSTRx family. Their memory operand needs
// no alignment.
func stringOp(explicit, index bool) handler {
	return func(c *core, o *op) bool {
		a, b := c.getXMM(o.dst), xmm{}
		if o.form == formRM {
			var ok bool
			if b, ok = c.loadXMMu(c.ea(o)); !ok {
				return false
			}
		} else {
			b = c.getXMM(o.src)
		}
		imm := uint8(o.imm)
		na, nb := 0, 0
		if explicit {
			na, nb = c.stringLength(o, cpu.RAX), c.stringLength(o, cpu.RDX)
		} else {
			na, nb = implicitLength(a, imm), implicitLength(b, imm)
		}
		r := strCompare(a, b, na, nb, imm)
		c.setStringFlags(r, na, nb, strElems(imm))
		if index {
			c.r[cpu.RCX] = strIndex(r, imm)
		} else {
			c.setXMM(0, strMask(r, imm))
		}
		return true
	}
}

// stringLength reads EAX or EDX, or the whole register with REX.W.
func (c *core) stringLength(o *op, reg uint8) int {
	v := int64(c.r[reg])
	if o.flags&opRex == 0 {
		v = int64(int32(v))
	}
	return explicitLength(v, uint8(o.imm))
}

func (c *core) setStringFlags(r uint32, na, nb, n int) {
	var flags uint64
	if r != 0 {
		flags |= cpu.FlagCF
	}
	if nb < n {
		flags |= cpu.FlagZF
	}
	if na < n {
		flags |= cpu.FlagSF
	}
	if r&1 != 0 {
		flags |= cpu.FlagOF
	}
	c.setFlagBits(flags)
}

func setSSE() {
	set(map[x86.Op]handler{
		x86.PTEST:     opPTest,
		x86.INSERTPS:  opInsertPS,
		x86.PCMPESTRM: stringOp(true, false),
		x86.PCMPESTRI: stringOp(true, true),
		x86.PCMPISTRM: stringOp(false, false),
		x86.PCMPISTRI: stringOp(false, true),
	})
}
