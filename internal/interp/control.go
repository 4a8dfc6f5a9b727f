package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

func setControl() {
	set(map[x86.Op]handler{
		x86.JMP: jmp, x86.JMPIND: jmpInd, x86.CALL: call, x86.CALLIND: callInd,
		x86.RET: ret, x86.RETN: ret, x86.JCC: jcc,
		x86.LOOP: loop, x86.LOOPE: loop, x86.LOOPNE: loop, x86.JRCXZ: jrcxz,
	})
}

// canonical reports whether an address has the upper bits of a 48-bit one.
func canonical(a uint64) bool { return a+1<<47 < 1<<48 }

// goTo makes a the next instruction.
func (c *core) goTo(a uint64) bool {
	if !canonical(a) {
		return c.exception(cpu.VectorGP)
	}
	c.pc = a
	return true
}

func jmp(c *core, o *op) bool {
	c.pc = o.disp
	return true
}

func jcc(c *core, o *op) bool {
	if c.cond(o.cc) {
		c.pc = o.disp
	}
	return true
}

func jmpInd(c *core, o *op) bool {
	a, ok := c.dstRead(o)
	return ok && c.goTo(a)
}

func call(c *core, o *op) bool {
	if !c.push(8, c.pc) {
		return false
	}
	c.pc = o.disp
	return true
}

func callInd(c *core, o *op) bool {
	a, ok := c.dstRead(o)
	if !ok {
		return false
	}
	// Processors write the return address before they look at the target.
	sp := c.r[cpu.RSP]
	if !c.push(8, c.pc) {
		return false
	}
	if !c.goTo(a) {
		c.r[cpu.RSP] = sp
		return false
	}
	return true
}

// ret releases imm bytes of arguments, none in the usual form.
func ret(c *core, o *op) bool {
	a, ok := c.load64(c.r[cpu.RSP])
	if !ok || !c.goTo(a) {
		return false
	}
	c.r[cpu.RSP] += 8 + uint64(o.imm)
	return true
}

// countDown decrements RCX, or ECX with an address size prefix.
func (c *core) countDown(o *op) uint64 {
	c.r[cpu.RCX]--
	if o.flags&opAddr32 != 0 {
		c.r[cpu.RCX] = uint64(uint32(c.r[cpu.RCX]))
	}
	return c.r[cpu.RCX]
}

func loop(c *core, o *op) bool {
	again := c.countDown(o) != 0
	switch o.x {
	case x86.LOOPE:
		again = again && c.cond(4)
	case x86.LOOPNE:
		again = again && c.cond(5)
	}
	if again {
		c.pc = o.disp
	}
	return true
}

func jrcxz(c *core, o *op) bool {
	n := c.r[cpu.RCX]
	if o.flags&opAddr32 != 0 {
		n = uint64(uint32(n))
	}
	if n == 0 {
		c.pc = o.disp
	}
	return true
}
