package interp

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// XSAVE and its kin (SDM vol. 1, chapter 13).

// xgetbv reads XCR0, or with ECX 1 those of its components that are in use.
func xgetbv(c *core, _ *op) bool {
	v := uint64(cpu.XFeatures)
	switch uint32(c.r[cpu.RCX]) {
	case 0:
	case 1:
		v = c.xInUse()
	default:
		return c.exception(cpu.VectorGP)
	}
	c.r[cpu.RAX], c.r[cpu.RDX] = v, 0
	return true
}

// xInUse is XINUSE; MXCSR is part of SSE.
func (c *core) xInUse() uint64 {
	v := c.regs.XInUse()
	if c.regs.MXCSR != mxDefault {
		v |= cpu.XFeatureSSE
	}
	return v
}

// xArea returns the area's address and the components that are asked for.
func (c *core) xArea(o *op) (va, mask uint64, ok bool) {
	va = c.ea(o)
	mask = c.r[cpu.RAX] & cpu.XFeatures
	if !c.aligned(va, 4) {
		return va, mask, false
	}
	if va&63 != 0 {
		return va, mask, c.exception(cpu.VectorGP)
	}
	return va, mask, true
}

// xSize is how much of an area the components take.
func xSize(mask uint64) uint64 {
	if mask&cpu.XFeatureAVX != 0 {
		return cpu.XSize
	}
	return cpu.XYMM
}

// Parts of the area. MXCSR and its mask are between those of x87.
const (
	xMXCSR = 24
	xST    = 32
	xXMM   = 160
	xUsed  = 416
)

// saves writes the components of a mask, and of x87 and SSE no more than their
// own bytes.
func (c *core) saves(o *op, va, mask uint64, mxcsr bool) bool {
	var b [cpu.XSize]byte
	c.regs.FXSave((*[512]byte)(b[:512]))
	if o.flags&opRex == 0 {
		clear(b[12:16])
		clear(b[20:24])
	}
	part := func(from, to uint64) bool { return c.storeBytes(va+from, b[from:to]) }
	if mask&cpu.XFeatureX87 != 0 && !(part(0, xMXCSR) && part(xST, xXMM)) ||
		mxcsr && !part(xMXCSR, xST) ||
		mask&cpu.XFeatureSSE != 0 && !part(xXMM, xUsed) {
		return false
	}
	if mask&cpu.XFeatureAVX != 0 {
		c.regs.SaveUpper(b[cpu.XYMM:])
		return part(cpu.XYMM, cpu.XSize)
	}
	return true
}

// xsave is XSAVE, and XSAVEOPT, which may write less.
func xsave(c *core, o *op) bool {
	va, mask, ok := c.xArea(o)
	if !ok || !c.probeWrite(va, xSize(mask)) {
		return false
	}
	have, ok := c.load64(va + cpu.XStateBV)
	if !ok {
		return false
	}
	have = have&^mask | c.xInUse()&mask
	return c.saves(o, va, mask, mask&(cpu.XFeatureSSE|cpu.XFeatureAVX) != 0) && c.store64(va+cpu.XStateBV, have)
}

// xsavec writes only what is in use.
func xsavec(c *core, o *op) bool {
	va, mask, ok := c.xArea(o)
	if !ok || !c.probeWrite(va, xSize(mask)) {
		return false
	}
	have := c.xInUse() & mask
	return c.saves(o, va, have, have&cpu.XFeatureSSE != 0) &&
		c.store64(va+cpu.XStateBV, have) && c.store64(va+cpu.XCompBV, cpu.XCompact|mask)
}

func xrstor(c *core, o *op) bool {
	va, mask, ok := c.xArea(o)
	if !ok {
		return false
	}
	var b [cpu.XSize]byte
	if !c.loadBytes(va, b[:cpu.XYMM]) {
		return false
	}
	have := binary.LittleEndian.Uint64(b[cpu.XStateBV:])
	if mask&have&cpu.XFeatureAVX != 0 && !c.loadBytes(va+cpu.XYMM, b[cpu.XYMM:]) {
		return false
	}
	if o.flags&opRex == 0 {
		clear(b[12:16])
		clear(b[20:24])
	}
	if !c.regs.XRestore(&b, mask) {
		return c.exception(cpu.VectorGP)
	}
	return true
}

func setXsave() {
	set(map[x86.Op]handler{
		x86.XGETBV: xgetbv, x86.XSAVE: xsave, x86.XSAVEC: xsavec, x86.XRSTOR: xrstor,
	})
}
