package interp

import (
	"encoding/binary"
	"strings"

	"github.com/tinevm/tine/internal/x86"
)

// AVX (SDM vol. 1, chapter 14). What SSE has too is done by the handlers of SSE,
// for one half of the registers after the other, on registers of their own: the
// destination, of which the instruction's first source is a copy, the last
// source, and the control of blends, which is in XMM0.
//
// An op with VEX has in imm what the encoding has beside its operands: the
// immediate, the register in vvvv, and some bits.
const (
	vexReg     = 8       // shift of vvvv
	vex256     = 1 << 16 // vectors of 256 bits
	vexToXMM   = 1 << 17 // the first operand is a vector register
	vexFromXMM = 1 << 18 // so is src
)

// Registers in core.lane.
const (
	laneControl = 0
	laneSource  = 1
	laneDest    = 2
)

// ymm is a vector of 256 bits, by halves.
type ymm [2]xmm

// fillVEX sets the operands of an instruction on vector registers.
func (o *op) fillVEX(in *x86.Inst) {
	a := &in.Args[0]
	o.dst = a.Reg
	o.imm = int32(uint8(in.Imm)) | int32(in.VReg)<<vexReg | int32(in.VL)*vex256
	switch a.Kind {
	case x86.ArgNone:
		o.form = formNone
		return
	case x86.ArgMem:
		o.form = formMR
	case x86.ArgXMM:
		o.form = formRR
		o.imm |= vexToXMM
	default:
		o.form = formRR
	}
	for i := 1; i < int(in.NArgs); i++ {
		b := &in.Args[i]
		switch {
		case in.Places[i] == 'H' || in.Places[i] == 'L':
		case b.Kind == x86.ArgMem:
			o.form, o.srcSize = formRM, b.Size
		case b.Kind != x86.ArgImm:
			o.src, o.srcSize = b.Reg, b.Size
			if b.Kind == x86.ArgXMM {
				o.imm |= vexFromXMM
			}
		case in.Places[0] == 'H':
			o.form = formRI // a shift
		}
	}
}

func (o *op) wide() bool { return o.imm&vex256 != 0 }

// vvvv is the register in VEX.vvvv.
func (o *op) vvvv() uint8 { return uint8(o.imm>>vexReg) & 15 }

// upper is the upper half of a register.
func (c *core) upper(reg uint8) xmm {
	if !c.regs.UpperUsed {
		return xmm{}
	}
	x := &c.regs.Upper[reg&15]
	return xmm{x[0], x[1]}
}

func (c *core) setUpper(reg uint8, v xmm) {
	r := c.regs
	if !r.UpperUsed {
		if v == (xmm{}) {
			return
		}
		r.Upper, r.UpperUsed = [16][2]uint64{}, true
	}
	r.Upper[reg&15] = [2]uint64{v.lo, v.hi}
}

func (c *core) getYMM(reg uint8) ymm { return ymm{c.getXMM(reg), c.upper(reg)} }

// setVector writes a register; of 128 bits the others become zero.
func (c *core) setVector(reg uint8, v ymm, wide bool) {
	c.setXMM(reg, v[0])
	if !wide {
		v[1] = xmm{}
	}
	c.setUpper(reg, v[1])
}

// loadVector reads 16 or 32 bytes from anywhere.
func (c *core) loadVector(va uint64, wide bool) (y ymm, ok bool) {
	if y[0], ok = c.loadXMMu(va); ok && wide {
		y[1], ok = c.loadXMMu(va + 16)
	}
	return y, ok
}

// storeVector writes 16 or 32 bytes, all or nothing.
func (c *core) storeVector(va uint64, y ymm, wide bool) bool {
	if !wide {
		return c.store128(va, y[0].lo, y[0].hi)
	}
	if va&pageMask <= pageMask-31 {
		return c.store128(va, y[0].lo, y[0].hi) && c.store128(va+16, y[1].lo, y[1].hi)
	}
	var b [32]byte
	for i, x := range y {
		binary.LittleEndian.PutUint64(b[16*i:], x.lo)
		binary.LittleEndian.PutUint64(b[16*i+8:], x.hi)
	}
	return c.aligned(va, 16) && c.storeBytes(va, b[:])
}

// vexSource is the last operand of an instruction on whole vectors. In memory
// it need not be aligned.
func (c *core) vexSource(o *op) (ymm, bool) {
	if o.form == formRM {
		return c.loadVector(c.ea(o), o.srcSize == 32)
	}
	return c.getYMM(o.src), true
}

// lanes says how an operation of SSE becomes one on vectors of 256 bits.
type lanes struct {
	step    uint8 // bytes of the last operand that each half takes; 0: both take all
	imm     uint8 // how much further on in the immediate is that of the second half
	control bool  // the immediate names the register that controls a blend
	narrows bool  // a half becomes a quarter
}

// sources gives the last operand for both halves.
func (l lanes) sources(c *core, o *op) (y ymm, ok bool) {
	if l.step == 16 || o.form == formRI {
		return c.vexSource(o)
	}
	x, ok := c.getXMM(o.src), true
	switch {
	case o.form != formRM:
	case o.srcSize == 16:
		x, ok = c.loadXMMu(c.ea(o))
	default:
		x.lo, ok = c.load(c.ea(o), o.srcSize)
	}
	return ymm{x, psrldq(x, l.step)}, ok
}

// handler is that of VEX plus x.
func (l lanes) handler(x x86.Op) handler {
	return func(c *core, o *op) bool {
		s, ok := l.sources(c, o)
		if !ok {
			return false
		}
		sub := op{x: x, form: formRR, dst: laneDest, src: laneSource, imm: o.imm & 0xff, size: 16, srcSize: 16}
		d := c.getYMM(o.vvvv())
		if o.form == formRI {
			sub.form, d = formRI, s
		}
		var control ymm
		if l.control {
			control = c.getYMM(uint8(o.imm) >> 4)
		}
		n := 1
		if o.wide() {
			n = 2
		}
		// Exceptions are of the whole vector.
		c.gather, c.gathered = true, 0
		saved := c.xmm
		c.xmm = &c.lane
		for i := range n {
			c.lane[laneControl] = [2]uint64{control[i].lo, control[i].hi}
			c.setXMM(laneSource, s[i])
			c.setXMM(laneDest, d[i])
			handlers[x%x86.NumOps](c, &sub)
			d[i] = c.getXMM(laneDest)
			sub.imm >>= l.imm
		}
		c.xmm, c.gather = saved, false
		if !c.settle(c.gathered) {
			return false
		}
		if l.narrows {
			if o.wide() {
				d[0].hi = d[1].lo
			}
			d[1] = xmm{}
		}
		c.setVector(o.dst, d, o.wide())
		return true
	}
}

// direct makes the handler of VEX plus x of that of x, which has nothing to do
// with the differences.
func direct(x x86.Op) handler {
	return func(c *core, o *op) bool {
		sub := *o
		sub.x, sub.imm = x, o.imm&0xff
		return handlers[x%x86.NumOps](c, &sub)
	}
}

// low makes the handler of VEX plus x, which is about 128 bits or fewer. Memory
// operands of 16 bytes need no alignment.
func low(x x86.Op) handler {
	plain := direct(x)
	return func(c *core, o *op) bool {
		if o.form == formMR || o.imm&vexToXMM == 0 {
			return plain(c, o)
		}
		sub := *o
		sub.x, sub.dst, sub.imm = x, laneDest, o.imm&0xff
		s := xmm{}
		switch {
		case o.form == formRM && o.srcSize == 16:
			var ok bool
			if s, ok = c.loadXMMu(c.ea(o)); !ok {
				return false
			}
			sub.form, sub.src = formRR, laneSource
		case o.imm&vexFromXMM != 0:
			s, sub.src = c.getXMM(o.src), laneSource
		}
		d := c.getXMM(o.vvvv())
		saved := c.xmm
		c.xmm = &c.lane
		c.setXMM(laneSource, s)
		c.setXMM(laneDest, d)
		ok := handlers[x%x86.NumOps](c, &sub)
		d = c.getXMM(laneDest)
		c.xmm = saved
		if ok {
			c.setVector(o.dst, ymm{d}, false)
		}
		return ok
	}
}

// immStep has the operations whose immediate is not the same for both halves.
var immStep = map[x86.Op]uint8{x86.BLENDPS: 4, x86.BLENDPD: 2, x86.SHUFPD: 2, x86.MPSADBW: 3}

// handlerVEX makes the handler of a row whose operation SSE has too.
func handlerVEX(r *x86.Row) handler {
	x := r.Op - x86.VEX
	first, rest, _ := strings.Cut(r.Args, ",")
	l := lanes{step: 16, imm: immStep[x], control: strings.Contains(rest, "L")}
	switch {
	case first != "Vx" && first != "Hx":
		l.narrows = strings.HasSuffix(rest, "Wx")
		if first != "Vdq" || !l.narrows {
			return low(x)
		}
	case strings.HasSuffix(rest, "Wxh"):
		l.step = 8
	case strings.HasSuffix(rest, "Wxf"):
		l.step = 4
	case strings.HasSuffix(rest, "Wxe"):
		l.step = 2
	case strings.HasSuffix(rest, "Wdq"):
		l.step = 0
	}
	return l.handler(x)
}

func setAVX() {
	// Most are made of those without VEX.
	know(x86.FirstSSE)
	know(x86.FirstExt)
	for _, r := range x86.Rows() {
		// Of two rows for a shift the one without an immediate tells more.
		if r.Op >= x86.VEX && r.Op < x86.FirstAVX && (handlers[r.Op] == nil || r.Args == "Vx,Hx,Wdq") {
			handlers[r.Op] = handlerVEX(r)
		}
	}
	for _, x := range []x86.Op{
		x86.COMISS, x86.UCOMISS, x86.COMISD, x86.UCOMISD, x86.MASKMOVDQU,
		x86.PCMPESTRI, x86.PCMPISTRI, x86.LDMXCSR, x86.STMXCSR,
	} {
		handlers[x86.VEX+x] = direct(x)
	}
	for _, x := range []x86.Op{x86.PCMPESTRM, x86.PCMPISTRM} {
		mask := direct(x)
		handlers[x86.VEX+x] = func(c *core, o *op) bool {
			ok := mask(c, o)
			if ok {
				c.setUpper(0, xmm{})
			}
			return ok
		}
	}
}
