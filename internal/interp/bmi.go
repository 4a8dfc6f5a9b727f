package interp

import (
	"math/bits"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// MOVBE, LZCNT, ADX, BMI1 and BMI2 (SDM vol. 2). Instructions with VEX have the
// register of its vvvv field in op.imm.

func setBMI() {
	set(map[x86.Op]handler{
		x86.MOVBE: movbe, x86.LZCNT: lzcnt, x86.TZCNT: tzcnt,
		x86.ADCX: adx(cpu.FlagCF), x86.ADOX: adx(cpu.FlagOF),
		x86.ANDN: andn, x86.BEXTR: bextr, x86.BZHI: bzhi,
		x86.BLSR:   lowestBit(func(a uint64) uint64 { return a & (a - 1) }, func(a uint64) bool { return a == 0 }),
		x86.BLSMSK: lowestBit(func(a uint64) uint64 { return a ^ (a - 1) }, func(a uint64) bool { return a == 0 }),
		x86.BLSI:   lowestBit(func(a uint64) uint64 { return a & -a }, func(a uint64) bool { return a != 0 }),
		x86.MULX:   mulx, x86.RORX: rorx,
		x86.PDEP: picked(pdep), x86.PEXT: picked(pext),
		x86.SHLX: shiftX(func(a uint64, n uint, _ uint8) uint64 { return a << n }),
		x86.SHRX: shiftX(func(a uint64, n uint, _ uint8) uint64 { return a >> n }),
		x86.SARX: shiftX(func(a uint64, n uint, size uint8) uint64 { return uint64(int64(sext(a, size)) >> n) }),
	})
}

func movbe(c *core, o *op) bool {
	v, ok := c.srcVal(o)
	return ok && c.dstWrite(o, bits.ReverseBytes64(v)>>(64-8*o.size))
}

// countFlags: CF says that the source is zero, ZF that the result is; the
// others are undefined.
func countFlags(src, r uint64) uint64 {
	return bit(src == 0)*cpu.FlagCF | bit(r == 0)*cpu.FlagZF
}

func lzcnt(c *core, o *op) bool {
	a, ok := c.srcVal(o)
	if ok {
		r := uint64(bits.LeadingZeros64(a)) - (64 - 8*uint64(o.size))
		c.setGPR(o.dst, o.size, r)
		c.setFlagBits(countFlags(a, r))
	}
	return ok
}

func tzcnt(c *core, o *op) bool {
	a, ok := c.srcVal(o)
	if ok {
		r := uint64(min(bits.TrailingZeros64(a), 8*int(o.size)))
		c.setGPR(o.dst, o.size, r)
		c.setFlagBits(countFlags(a, r))
	}
	return ok
}

// adx makes the handler of ADCX or ADOX: an addition that takes its carry from
// one flag, puts it there, and leaves the others alone.
func adx(flag uint64) handler {
	return func(c *core, o *op) bool {
		b, ok := c.srcVal(o)
		if !ok {
			return false
		}
		c.sync()
		a, in := c.gpr(o.dst, o.size), bit(c.fl&flag != 0)
		sum, carry := bits.Add64(a, b, in)
		if o.size == 4 {
			carry = sum >> 32
		}
		c.setGPR(o.dst, o.size, sum)
		c.fl = c.fl&^flag | carry*flag
		return true
	}
}

// sizedFlags are SF and ZF of a result; OF and CF are clear, and AF and PF
// undefined.
func sizedFlags(r uint64, size uint8) uint64 {
	r = zext(r, size)
	return bit(r == 0)*cpu.FlagZF | bit(r>>(8*size-1) != 0)*cpu.FlagSF
}

func andn(c *core, o *op) bool {
	b, ok := c.srcVal(o)
	if ok {
		r := ^c.gpr(uint8(o.imm), o.size) & b
		c.setGPR(o.dst, o.size, r)
		c.setFlagBits(sizedFlags(r, o.size))
	}
	return ok
}

// bextr extracts bits: the start and the number of them are the lower bytes of
// the third operand. Flags but ZF are clear or undefined.
func bextr(c *core, o *op) bool {
	a, ok := c.srcVal(o)
	if !ok {
		return false
	}
	ctl := c.r[uint8(o.imm)]
	start, n := ctl&0xff, ctl>>8&0xff
	r := a >> start // zero if it is too far
	if n < 64 {
		r &= 1<<n - 1
	}
	c.setGPR(o.dst, o.size, r)
	c.setFlagBits(bit(r == 0) * cpu.FlagZF)
	return true
}

func bzhi(c *core, o *op) bool {
	a, ok := c.srcVal(o)
	if !ok {
		return false
	}
	n, r, cf := c.r[uint8(o.imm)]&0xff, a, uint64(0)
	if n < 8*uint64(o.size) {
		r &= 1<<n - 1
	} else {
		cf = cpu.FlagCF
	}
	c.setGPR(o.dst, o.size, r)
	c.setFlagBits(sizedFlags(r, o.size) | cf)
	return true
}

// lowestBit makes a handler of BLSR, BLSMSK or BLSI.
func lowestBit(f func(a uint64) uint64, carry func(a uint64) bool) handler {
	return func(c *core, o *op) bool {
		a, ok := c.srcVal(o)
		if ok {
			r := f(a)
			c.setGPR(o.dst, o.size, r)
			c.setFlagBits(sizedFlags(r, o.size) | bit(carry(a))*cpu.FlagCF)
		}
		return ok
	}
}

// mulx multiplies by RDX; if both halves go to one register it has the upper.
func mulx(c *core, o *op) bool {
	b, ok := c.srcVal(o)
	if !ok {
		return false
	}
	hi, lo := bits.Mul64(c.gpr(cpu.RDX, o.size), b)
	if o.size == 4 {
		hi = lo >> 32
	}
	c.setGPR(uint8(o.imm), o.size, lo)
	c.setGPR(o.dst, o.size, hi)
	return true
}

func rorx(c *core, o *op) bool {
	a, ok := c.srcVal(o)
	if ok {
		w := uint64(o.size) * 8
		c.setGPR(o.dst, o.size, rotl(a, w-uint64(o.imm)&(w-1), w))
	}
	return ok
}

func shiftX(f func(a uint64, n uint, size uint8) uint64) handler {
	return func(c *core, o *op) bool {
		a, ok := c.srcVal(o)
		if ok {
			n := uint(c.r[uint8(o.imm)]) & (8*uint(o.size) - 1)
			c.setGPR(o.dst, o.size, f(a, n, o.size))
		}
		return ok
	}
}

// picked makes the handler of PDEP or PEXT: the mask is the last operand.
func picked(f func(a, mask uint64) uint64) handler {
	return func(c *core, o *op) bool {
		mask, ok := c.srcVal(o)
		if ok {
			c.setGPR(o.dst, o.size, f(c.gpr(uint8(o.imm), o.size), mask))
		}
		return ok
	}
}

// pdep puts the low bits of a where mask has ones.
func pdep(a, mask uint64) (r uint64) {
	for ; mask != 0; mask &= mask - 1 {
		r |= mask & -mask & -(a & 1)
		a >>= 1
	}
	return r
}

// pext collects the bits of a where mask has ones.
func pext(a, mask uint64) (r uint64) {
	for i := 0; mask != 0; mask &= mask - 1 {
		r |= a >> bits.TrailingZeros64(mask) & 1 << i
		i++
	}
	return r
}
