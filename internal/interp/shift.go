package interp

import (
	"math/bits"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

func setShift() {
	set(map[x86.Op]handler{
		x86.SHL: shl, x86.SHR: shr, x86.SAR: sar,
		x86.ROL: rol, x86.ROR: ror, x86.RCL: rcl, x86.RCR: rcr,
		x86.SHLD: shld, x86.SHRD: shrd,
	})
}

// shiftCount is the masked count of a shift: an immediate or CL. All shifts
// have it as their last operand.
func (c *core) shiftCount(o *op) uint64 {
	n := uint64(o.imm)
	if o.flags&opCL != 0 {
		n = c.r[cpu.RCX]
	}
	if o.size == 8 {
		return n & 63
	}
	return n & 31
}

func shl(c *core, o *op) bool {
	a, ok := c.dstUpdate(o)
	if !ok {
		return false
	}
	n := c.shiftCount(o)
	if n != 0 {
		c.setFlags(fkShl, o.size, a, n)
	}
	return c.result(o, a<<n)
}

func shr(c *core, o *op) bool {
	a, ok := c.dstUpdate(o)
	if !ok {
		return false
	}
	n := c.shiftCount(o)
	if n != 0 {
		c.setFlags(fkShr, o.size, a, n)
	}
	return c.result(o, a>>n)
}

func sar(c *core, o *op) bool {
	a, ok := c.dstUpdate(o)
	if !ok {
		return false
	}
	n := c.shiftCount(o)
	if n != 0 {
		c.setFlags(fkSar, o.size, a, n)
	}
	return c.result(o, uint64(int64(sext(a, o.size))>>n))
}

// rotFlags sets CF, and OF as for the first of so many rotations by one. The other flags do not change, and OF does not when
// a register is rotated by an immediate that is not one: undefined, but so on
// processors.
func (c *core) rotFlags(keepOF bool, cf, of uint64) {
	c.sync()
	if keepOF {
		of = c.fl >> 11 & 1
	}
	c.fl = c.fl&^(cpu.FlagCF|cpu.FlagOF) | cf | of<<11
}

func rol(c *core, o *op) bool {
	a, ok := c.dstUpdate(o)
	if !ok {
		return false
	}
	n, w := c.shiftCount(o), uint64(o.size)*8
	r := rotl(a, n, w)
	if n != 0 {
		c.rotFlags(n != 1 && o.form == formRI, r&1, (a>>(w-1)^a>>(w-2))&1)
	}
	return c.result(o, r)
}

func ror(c *core, o *op) bool {
	a, ok := c.dstUpdate(o)
	if !ok {
		return false
	}
	n, w := c.shiftCount(o), uint64(o.size)*8
	r := rotl(a, w-n%w, w)
	if n != 0 {
		c.rotFlags(n != 1 && o.form == formRI, r>>(w-1), a>>(w-1)^a&1)
	}
	return c.result(o, r)
}

// rotl rotates the low w bits of a, the others being zero.
func rotl(a, n, w uint64) uint64 {
	n %= w
	if w == 64 {
		return bits.RotateLeft64(a, int(n))
	}
	return (a<<n | a>>(w-n)) & (1<<w - 1)
}

// rcl rotates through CF: w+1 bits.
func rcl(c *core, o *op) bool {
	a, ok := c.dstUpdate(o)
	if !ok {
		return false
	}
	n, w := c.shiftCount(o), uint64(o.size)*8
	count := n % (w + 1)
	cf := c.carry()
	r := a
	for range count {
		r, cf = r<<1|cf, r>>(w-1)&1
	}
	r = zext(r, o.size)
	if count != 0 {
		c.rotFlags(false, cf, (a>>(w-1)^a>>(w-2))&1)
	}
	return c.result(o, r)
}

func rcr(c *core, o *op) bool {
	a, ok := c.dstUpdate(o)
	if !ok {
		return false
	}
	n, w := c.shiftCount(o), uint64(o.size)*8
	count := n % (w + 1)
	cf := c.carry()
	of := a>>(w-1) ^ cf
	r := a
	for range count {
		r, cf = r>>1|cf<<(w-1), r&1
	}
	if count != 0 {
		c.rotFlags(false, cf, of)
	}
	return c.result(o, r)
}

// doubleCount is the count of SHLD and SHRD.
func (c *core) doubleCount(o *op) uint64 {
	n := uint64(o.imm)
	if o.flags&opCL != 0 {
		n = c.r[cpu.RCX]
	}
	if o.size == 8 {
		return n & 63
	}
	return n & 31
}

func shld(c *core, o *op) bool {
	a, b, ok := c.update(o)
	if !ok {
		return false
	}
	n, w := c.doubleCount(o), uint64(o.size)*8
	if n == 0 {
		return c.result(o, a)
	}
	var r, cf uint64
	if n <= w {
		r, cf = a<<n|b>>(w-n), a>>(w-n)&1
	} else { // 16 bits only: the processor goes on with the first operand
		r, cf = b<<(n-w)|a>>(2*w-n), b>>(2*w-n)&1
	}
	c.doubleFlags(o, r, cf, (a>>(w-1)^a>>(w-2))&1)
	return c.result(o, r)
}

func shrd(c *core, o *op) bool {
	a, b, ok := c.update(o)
	if !ok {
		return false
	}
	n, w := c.doubleCount(o), uint64(o.size)*8
	if n == 0 {
		return c.result(o, a)
	}
	var r, cf uint64
	if n <= w {
		r, cf = a>>n|b<<(w-n), a>>(n-1)&1
	} else {
		r, cf = b>>(n-w)|a<<(2*w-n), b>>(n-w-1)&1
	}
	c.doubleFlags(o, r, cf, (a>>(w-1)^b)&1)
	return c.result(o, r)
}

// doubleFlags: OF as for the first of so many shifts by one.
func (c *core) doubleFlags(o *op, r, cf, of uint64) {
	s := 64 - 8*uint(o.size)
	c.setFlagBits(szp(r<<s, uint8(r)) | cf | of<<11)
}
