package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
	"github.com/tinevm/tine/internal/x87"
)

// Control instructions do not touch the instruction pointers. Those whose
// name begins with FN do not wait.

func opFWAIT(c *core, o *op) bool { return c.fpu() != nil }

// opFNSETPM is what the 8087 and 80287 needed and later units ignore.
func opFNSETPM(*core, *op) bool { return true }

func opFLDCW(c *core, o *op) bool {
	s := c.fpu()
	if s == nil {
		return false
	}
	v, ok := c.load16(c.ea(o))
	if ok {
		s.LoadCW(v)
	}
	return ok
}

func opFNSTCW(c *core, o *op) bool { return c.store16(c.ea(o), c.regs.X87.CW) }

// opFNSTSW stores to memory or AX.
func opFNSTSW(c *core, o *op) bool { return c.dstWrite(o, uint64(c.regs.X87.SW)) }

func opFNCLEX(c *core, o *op) bool {
	c.regs.X87.Clex()
	return true
}

func opFNINIT(c *core, o *op) bool {
	c.regs.X87.Init()
	return true
}

// imageSize picks the size of an image by operand size: 16 bits, or 32.
func (o *op) imageSize(size16, size32 int) int {
	if o.size == 2 {
		return size16
	}
	return size32
}

// imageAlign is the size of an image's words.
func (o *op) imageAlign() uint64 { return uint64(min(o.size, 4)) }

func opFLDENV(c *core, o *op) bool {
	s := c.fpu()
	if s == nil {
		return false
	}
	var b [x87.EnvSize32]byte
	p := b[:o.imageSize(x87.EnvSize16, x87.EnvSize32)]
	va := c.ea(o)
	if !c.aligned(va, o.imageAlign()) || !c.loadBytes(va, p) {
		return false
	}
	s.SetEnv(p)
	return true
}

func opFNSTENV(c *core, o *op) bool {
	s := &c.regs.X87
	var b [x87.EnvSize32]byte
	p := b[:o.imageSize(x87.EnvSize16, x87.EnvSize32)]
	s.PutEnv(p)
	va := c.ea(o)
	if !c.aligned(va, o.imageAlign()) || !c.storeBytes(va, p) {
		return false
	}
	s.MaskAll()
	return true
}

func opFRSTOR(c *core, o *op) bool {
	s := c.fpu()
	if s == nil {
		return false
	}
	var b [x87.StateSize32]byte
	p := b[:o.imageSize(x87.StateSize16, x87.StateSize32)]
	va := c.ea(o)
	if !c.aligned(va, o.imageAlign()) || !c.loadBytes(va, p) {
		return false
	}
	s.SetState(p)
	return true
}

func opFNSAVE(c *core, o *op) bool {
	s := &c.regs.X87
	var b [x87.StateSize32]byte
	p := b[:o.imageSize(x87.StateSize16, x87.StateSize32)]
	s.PutState(p)
	va := c.ea(o)
	if !c.aligned(va, o.imageAlign()) || !c.storeBytes(va, p) {
		return false
	}
	s.Init()
	return true
}

// fxUsed is how much of the FXSAVE image the processor writes; the rest is
// left to software (SDM vol. 1, 10.5.1).
const fxUsed = 416

// opFXSAVE writes FIP and FDP whole with REX.W, else as offsets of 32 bits
// with selectors that are zero.
func opFXSAVE(c *core, o *op) bool {
	va := c.ea(o)
	if !c.aligned(va, 4) || c.misaligned(va) {
		return false
	}
	var b [512]byte
	if !c.probeWrite(va, uint64(len(b))) {
		return false
	}
	c.regs.FXSave(&b)
	if o.flags&opRex == 0 {
		clear(b[12:16])
		clear(b[20:24])
	}
	return c.storeBytes(va, b[:fxUsed])
}

func opFXRSTOR(c *core, o *op) bool {
	va := c.ea(o)
	if !c.aligned(va, 4) || c.misaligned(va) {
		return false
	}
	var b [512]byte
	if !c.loadBytes(va, b[:]) {
		return false
	}
	if o.flags&opRex == 0 {
		clear(b[12:16])
		clear(b[20:24])
	}
	if !c.regs.FXRestore(&b) {
		return c.exception(cpu.VectorGP)
	}
	return true
}

func setX87Control() {
	set(map[x86.Op]handler{
		x86.FWAIT: opFWAIT, x86.FNOP: fpuStack(func(*x87.State) {}), x86.FNSETPM: opFNSETPM,
		x86.FLDCW: opFLDCW, x86.FNSTCW: opFNSTCW, x86.FNSTSW: opFNSTSW,
		x86.FNCLEX: opFNCLEX, x86.FNINIT: opFNINIT,
		x86.FLDENV: opFLDENV, x86.FNSTENV: opFNSTENV, x86.FRSTOR: opFRSTOR, x86.FNSAVE: opFNSAVE,
		x86.FXSAVE: opFXSAVE, x86.FXRSTOR: opFXRSTOR,
	})
}
