package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
	"github.com/tinevm/tine/internal/x87"
)

// Handlers of the x87 operations. What they compute is in package x87; here
// are operands, pending exceptions and the instruction pointers.

// fpu returns the unit for a waiting instruction, or nil after noting #MF if
// an earlier instruction left an unmasked exception (SDM vol. 1, 8.7).
func (c *core) fpu() *x87.State {
	s := &c.regs.X87
	if s.Pending() {
		c.exception(cpu.VectorMF)
		return nil
	}
	return s
}

// retire notes a completed instruction for FSTENV and signal frames. It
// returns true, for handlers to return.
func (c *core) retire(s *x87.State, o *op) bool {
	s.FIP = c.rip(o)
	if s.Pending() {
		c.noteOperand(s, o)
	}
	return true
}

// noteOperand updates what the processor updates only for an unmasked
// exception: opcode and operand address.
func (c *core) noteOperand(s *x87.State, o *op) {
	if o.form.hasMem() {
		s.FDP = c.ea(o)
	}
	var code [x86.MaxLen]byte
	trap, bad := c.trap, c.badAddr
	if !c.loadBytes(s.FIP, code[:o.len]) {
		// Code that cannot be read as data: the opcode stays unknown.
		c.trap, c.badAddr = trap, bad
		return
	}
	for i, b := range code[:o.len-1] {
		if b&0xf8 == 0xd8 {
			s.FOP = uint16(b&7)<<8 | uint16(code[i+1])
			return
		}
	}
}

// fpuLoad reads a floating point memory operand of 4 or 8 bytes.
func (c *core) fpuLoad(o *op) (v x87.F80, de uint16, ok bool) {
	if o.size == 4 {
		b, ok := c.load32(c.ea(o))
		if !ok {
			return v, 0, false
		}
		v, de = x87.FromF32(b)
		return v, de, true
	}
	b, ok := c.load64(c.ea(o))
	if !ok {
		return v, 0, false
	}
	v, de = x87.FromF64(b)
	return v, de, true
}

// fpuLoadInt reads an integer memory operand.
func (c *core) fpuLoadInt(o *op) (x87.F80, bool) {
	b, ok := c.load(c.ea(o), o.size)
	return x87.FromInt(int64(sext(b, o.size))), ok
}

// fpuArith makes a handler of FADD and its kin.
func fpuArith(f x87.Op, pop bool) handler {
	return func(c *core, o *op) bool {
		s := c.fpu()
		if s == nil {
			return false
		}
		if o.form == formRR {
			s.Arith(f, int(o.dst), int(o.src), pop)
			return c.retire(s, o)
		}
		v, de, ok := c.fpuLoad(o)
		if !ok {
			return false
		}
		s.ArithMem(f, v, de)
		return c.retire(s, o)
	}
}

// fpuArithInt makes a handler of FIADD and its kin.
func fpuArithInt(f x87.Op) handler {
	return func(c *core, o *op) bool {
		s := c.fpu()
		if s == nil {
			return false
		}
		v, ok := c.fpuLoadInt(o)
		if !ok {
			return false
		}
		s.ArithMem(f, v, 0)
		return c.retire(s, o)
	}
}

// fpuCompare makes a handler of FCOM, or FUCOM with quiet.
func fpuCompare(quiet bool, pops int) handler {
	return func(c *core, o *op) bool {
		s := c.fpu()
		if s == nil {
			return false
		}
		if o.form == formM {
			v, de, ok := c.fpuLoad(o)
			if !ok {
				return false
			}
			s.CompareMem(v, de, pops)
			return c.retire(s, o)
		}
		i := int(o.src)
		if pops == 2 {
			i = 1 // FCOMPP and FUCOMPP have no operands
		}
		s.Compare(i, quiet, pops)
		return c.retire(s, o)
	}
}

// fpuCompareInt makes a handler of FICOM.
func fpuCompareInt(pops int) handler {
	return func(c *core, o *op) bool {
		s := c.fpu()
		if s == nil {
			return false
		}
		v, ok := c.fpuLoadInt(o)
		if !ok {
			return false
		}
		s.CompareMem(v, 0, pops)
		return c.retire(s, o)
	}
}

// fpuCompareFlags makes a handler of FCOMI, or FUCOMI with quiet.
func fpuCompareFlags(quiet, pop bool) handler {
	return func(c *core, o *op) bool {
		s := c.fpu()
		if s == nil {
			return false
		}
		c.setFlagBits(s.CompareFlags(int(o.src), quiet, pop))
		return c.retire(s, o)
	}
}

// fpuCMov makes a handler of FCMOVcc.
func fpuCMov(cc uint8) handler {
	return func(c *core, o *op) bool {
		s := c.fpu()
		if s == nil {
			return false
		}
		s.CMov(int(o.src), c.cond(cc))
		return c.retire(s, o)
	}
}

// fpuStack makes a handler of an operation without operands.
func fpuStack(f func(s *x87.State)) handler {
	return func(c *core, o *op) bool {
		s := c.fpu()
		if s == nil {
			return false
		}
		f(s)
		return c.retire(s, o)
	}
}

// fpuConst makes a handler of FLD1 and its kin.
func fpuConst(i int) handler { return fpuStack(func(s *x87.State) { s.LoadConst(i) }) }

func setX87() {
	set(map[x86.Op]handler{
		x86.FADD: fpuArith(x87.Add, false), x86.FADDP: fpuArith(x87.Add, true), x86.FIADD: fpuArithInt(x87.Add),
		x86.FMUL: fpuArith(x87.Mul, false), x86.FMULP: fpuArith(x87.Mul, true), x86.FIMUL: fpuArithInt(x87.Mul),
		x86.FSUB: fpuArith(x87.Sub, false), x86.FSUBP: fpuArith(x87.Sub, true), x86.FISUB: fpuArithInt(x87.Sub),
		x86.FSUBR: fpuArith(x87.Subr, false), x86.FSUBRP: fpuArith(x87.Subr, true), x86.FISUBR: fpuArithInt(x87.Subr),
		x86.FDIV: fpuArith(x87.Div, false), x86.FDIVP: fpuArith(x87.Div, true), x86.FIDIV: fpuArithInt(x87.Div),
		x86.FDIVR: fpuArith(x87.Divr, false), x86.FDIVRP: fpuArith(x87.Divr, true), x86.FIDIVR: fpuArithInt(x87.Divr),

		x86.FCOM: fpuCompare(false, 0), x86.FCOMP: fpuCompare(false, 1), x86.FCOMPP: fpuCompare(false, 2),
		x86.FUCOM: fpuCompare(true, 0), x86.FUCOMP: fpuCompare(true, 1), x86.FUCOMPP: fpuCompare(true, 2),
		x86.FICOM: fpuCompareInt(0), x86.FICOMP: fpuCompareInt(1),
		x86.FCOMI: fpuCompareFlags(false, false), x86.FCOMIP: fpuCompareFlags(false, true),
		x86.FUCOMI: fpuCompareFlags(true, false), x86.FUCOMIP: fpuCompareFlags(true, true),
		x86.FTST: fpuStack((*x87.State).Test), x86.FXAM: fpuStack((*x87.State).Examine),

		x86.FCMOVB: fpuCMov(2), x86.FCMOVE: fpuCMov(4), x86.FCMOVBE: fpuCMov(6), x86.FCMOVU: fpuCMov(10),
		x86.FCMOVNB: fpuCMov(3), x86.FCMOVNE: fpuCMov(5), x86.FCMOVNBE: fpuCMov(7), x86.FCMOVNU: fpuCMov(11),

		x86.FLD1: fpuConst(0), x86.FLDL2T: fpuConst(1), x86.FLDL2E: fpuConst(2), x86.FLDPI: fpuConst(3),
		x86.FLDLG2: fpuConst(4), x86.FLDLN2: fpuConst(5), x86.FLDZ: fpuConst(6),

		x86.FCHS: fpuStack((*x87.State).Chs), x86.FABS: fpuStack((*x87.State).Abs),
		x86.FSQRT: fpuStack((*x87.State).Sqrt), x86.FRNDINT: fpuStack((*x87.State).Rndint),
		x86.FSCALE: fpuStack((*x87.State).Scale), x86.FXTRACT: fpuStack((*x87.State).Xtract),
		x86.FPREM:  fpuStack(func(s *x87.State) { s.Prem(false) }),
		x86.FPREM1: fpuStack(func(s *x87.State) { s.Prem(true) }),
		x86.F2XM1:  fpuStack((*x87.State).F2xm1), x86.FYL2X: fpuStack((*x87.State).Yl2x),
		x86.FYL2XP1: fpuStack((*x87.State).Yl2xp1), x86.FPATAN: fpuStack((*x87.State).Patan),
		x86.FPTAN: fpuStack((*x87.State).Ptan), x86.FSIN: fpuStack((*x87.State).Sin),
		x86.FCOS: fpuStack((*x87.State).Cos), x86.FSINCOS: fpuStack((*x87.State).Sincos),
	})
}
