package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

func init() {
	set(map[x86.Op]handler{
		x86.MOV: mov, x86.MOVZX: mov, x86.MOVSX: movsx, x86.MOVSXD: movsx,
		x86.LEA: lea, x86.CMOVCC: cmov, x86.SETCC: setcc, x86.XLAT: xlat,
		x86.MOVSEG: movFromSeg, x86.LDSEG: movToSeg,
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

// Segment selectors of a 64-bit Linux process: ES CS SS DS FS GS.
var selectors = [8]uint64{1: 0x33, 2: 0x2b}

func movFromSeg(c *core, o *op) bool {
	if o.src > 5 {
		return c.exception(cpu.VectorUD)
	}
	if o.form == formMR {
		return c.store16(c.ea(o), uint16(selectors[o.src]))
	}
	c.setGPR(o.dst, o.size, selectors[o.src])
	return true
}

// movToSeg accepts the selectors that are valid in a process, and forgets
// them: nothing in 64-bit mode depends on DS, ES and SS.
func movToSeg(c *core, o *op) bool {
	v, ok := c.srcVal(o)
	if !ok {
		return false
	}
	if o.dst > 5 || o.dst == 1 {
		return c.exception(cpu.VectorUD)
	}
	return c.loadSeg(o.dst, uint16(v))
}

// loadSeg: loading FS or GS with a null selector clears its base.
func (c *core) loadSeg(seg uint8, sel uint16) bool {
	if sel > 3 && sel != 0x2b || sel <= 3 && seg == 2 {
		return c.exception(cpu.VectorGP)
	}
	switch seg {
	case 4:
		c.r[regFS] = 0
	case 5:
		c.r[regGS] = 0
	}
	return true
}
