package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

func setMove() {
	set(map[x86.Op]handler{
		x86.MOV: mov, x86.MOVZX: mov, x86.MOVSX: movsx, x86.MOVSXD: movsx,
		x86.LEA: lea, x86.CMOVCC: cmov, x86.SETCC: setcc, x86.XLAT: xlat,
		x86.NOP: nop, x86.PAUSE: nop, x86.PREFETCH: nop,
	})
}

func mov(c *core, o *op) bool {
	v, ok := c.srcVal(o)
	return ok && c.dstWrite(o, v)
}

func movsx(c *core, o *op) bool {
	v, ok := c.srcVal(o)
	if ok {
		c.setGPR(o.dst, o.size, sext(v, o.srcSize))
	}
	return ok
}

// lea ignores the segment.
func lea(c *core, o *op) bool {
	a := c.r[o.base] + c.r[o.index]<<(o.scale&63) + o.disp
	if o.flags&opAddr32 != 0 {
		a = uint64(uint32(a))
	}
	c.setGPR(o.dst, o.size, a)
	return true
}

// cmov reads its source in any case, and clears the upper half of a 32-bit
// destination in any case.
func cmov(c *core, o *op) bool {
	v, ok := c.srcVal(o)
	if !ok {
		return false
	}
	if !c.cond(o.cc) {
		v = c.gpr(o.dst, o.size)
	}
	c.setGPR(o.dst, o.size, v)
	return true
}

func setcc(c *core, o *op) bool { return c.dstWrite(o, bit(c.cond(o.cc))) }

func xlat(c *core, o *op) bool {
	a := c.r[cpu.RBX] + uint64(uint8(c.r[cpu.RAX]))
	if o.flags&opAddr32 != 0 {
		a = uint64(uint32(a))
	}
	v, ok := c.load8(a + c.r[o.seg])
	if ok {
		c.setGPR(cpu.RAX, 1, uint64(v))
	}
	return ok
}

func nop(*core, *op) bool { return true }
