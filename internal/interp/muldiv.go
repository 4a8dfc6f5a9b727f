package interp

import (
	"math/bits"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

func setMulDiv() {
	set(map[x86.Op]handler{
		x86.MUL: mul, x86.IMUL1: imul1, x86.IMUL2: imul2, x86.IMUL3: imul3,
		x86.DIV: div, x86.IDIV: idiv, x86.CBW: cbw, x86.CWD: cwd,
	})
}

// wide writes a double-width result: AX, or rDX:rAX.
func (c *core) wide(size uint8, lo, hi uint64) {
	if size == 1 {
		c.setGPR(cpu.RAX, 2, lo&0xff|hi<<8)
		return
	}
	c.setGPR(cpu.RAX, size, lo)
	c.setGPR(cpu.RDX, size, hi)
}

// mulFlags: CF and OF say that the upper half matters. The others are
// undefined; processors set SF and PF of the lower half and clear ZF and AF.
func mulFlags(lo uint64, size uint8, over bool) uint64 {
	s := 64 - 8*uint(size)
	return szp(lo<<s, uint8(lo))&^cpu.FlagZF | bit(over)*(cpu.FlagCF|cpu.FlagOF)
}

// imulFlags evaluates fkImul.
func imulFlags(k uint8, a, b uint64) uint64 {
	if k&3 == sizeD {
		return mulFlags(a, 4, a != sext(a, 4))
	}
	hi, lo := mulSigned(a, b)
	return mulFlags(lo, 8, hi != uint64(int64(lo)>>63))
}

func mul(c *core, o *op) bool {
	b, ok := c.dstRead(o)
	if !ok {
		return false
	}
	hi, lo := bits.Mul64(c.gpr(cpu.RAX, o.size), b)
	if o.size < 8 {
		hi = lo >> (8 * o.size)
	}
	c.wide(o.size, lo, hi)
	c.setFlagBits(mulFlags(lo, o.size, hi != 0))
	return true
}

// mulSigned returns the 128-bit signed product.
func mulSigned(a, b uint64) (hi, lo uint64) {
	hi, lo = bits.Mul64(a, b)
	hi -= uint64(int64(a)>>63)&b + uint64(int64(b)>>63)&a
	return hi, lo
}

func imul1(c *core, o *op) bool {
	b, ok := c.dstRead(o)
	if !ok {
		return false
	}
	hi, lo := mulSigned(sext(c.gpr(cpu.RAX, o.size), o.size), sext(b, o.size))
	over := hi != uint64(int64(lo)>>63)
	if o.size < 8 {
		over = lo != sext(lo, o.size)
		hi = lo >> (8 * o.size)
	}
	c.wide(o.size, lo, hi)
	c.setFlagBits(mulFlags(lo, o.size, over))
	return true
}

func (c *core) imulTo(o *op, a, b uint64) {
	hi, lo := mulSigned(sext(a, o.size), sext(b, o.size))
	over := hi != uint64(int64(lo)>>63)
	if o.size < 8 {
		over = lo != sext(lo, o.size)
	}
	c.setGPR(o.dst, o.size, lo)
	c.setFlagBits(mulFlags(lo, o.size, over))
}

func imul2(c *core, o *op) bool {
	b, ok := c.srcVal(o)
	if ok {
		c.imulTo(o, c.gpr(o.dst, o.size), b)
	}
	return ok
}

func imul3(c *core, o *op) bool {
	b, ok := c.srcVal(o)
	if ok {
		c.imulTo(o, b, uint64(o.imm))
	}
	return ok
}

func div(c *core, o *op) bool {
	d, ok := c.dstRead(o)
	if !ok {
		return false
	}
	if d == 0 {
		return c.exception(cpu.VectorDE)
	}
	lo, hi := c.gpr(cpu.RAX, o.size), c.gpr(cpu.RDX, o.size)
	switch o.size {
	case 8:
		if hi >= d {
			return c.exception(cpu.VectorDE)
		}
		if hi == 0 {
			c.r[cpu.RAX], c.r[cpu.RDX] = lo/d, lo%d
		} else {
			c.r[cpu.RAX], c.r[cpu.RDX] = bits.Div64(hi, lo, d)
		}
		return true
	case 1:
		lo = c.gpr(cpu.RAX, 2)
	default:
		lo |= hi << (8 * o.size)
	}
	q := lo / d
	if q>>(8*o.size) != 0 {
		return c.exception(cpu.VectorDE)
	}
	c.wide(o.size, q, lo%d)
	return true
}

func idiv(c *core, o *op) bool {
	v, ok := c.dstRead(o)
	if !ok {
		return false
	}
	d := int64(sext(v, o.size))
	if d == 0 {
		return c.exception(cpu.VectorDE)
	}
	if o.size == 8 {
		return c.idiv128(d)
	}
	var n int64
	if o.size == 1 {
		n = int64(int16(c.r[cpu.RAX]))
	} else {
		n = int64(sext(c.gpr(cpu.RAX, o.size)|c.gpr(cpu.RDX, o.size)<<(8*o.size), 2*o.size))
	}
	if n == -1<<63 && d == -1 {
		return c.exception(cpu.VectorDE)
	}
	q := n / d
	if q != int64(sext(uint64(q), o.size)) {
		return c.exception(cpu.VectorDE)
	}
	c.wide(o.size, uint64(q), uint64(n%d))
	return true
}

// idiv128 divides RDX:RAX by d, on magnitudes.
func (c *core) idiv128(d int64) bool {
	hi, lo := c.r[cpu.RDX], c.r[cpu.RAX]
	if hi == uint64(int64(lo)>>63) && d != -1 {
		n := int64(lo)
		c.r[cpu.RAX], c.r[cpu.RDX] = uint64(n/d), uint64(n%d)
		return true
	}
	neg := int64(hi) < 0
	if neg {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	m := uint64(d)
	if d < 0 {
		m = -m
	}
	if hi >= m {
		return c.exception(cpu.VectorDE)
	}
	q, r := bits.Div64(hi, lo, m)
	if neg != (d < 0) {
		if q > 1<<63 {
			return c.exception(cpu.VectorDE)
		}
		q = -q
	} else if q > 1<<63-1 {
		return c.exception(cpu.VectorDE)
	}
	if neg {
		r = -r
	}
	c.r[cpu.RAX], c.r[cpu.RDX] = q, r
	return true
}

// cbw is CBW, CWDE, CDQE.
func cbw(c *core, o *op) bool {
	c.setGPR(cpu.RAX, o.size, sext(c.r[cpu.RAX], o.size/2))
	return true
}

// cwd is CWD, CDQ, CQO.
func cwd(c *core, o *op) bool {
	c.setGPR(cpu.RDX, o.size, uint64(int64(sext(c.r[cpu.RAX], o.size))>>63))
	return true
}
