package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

func setStack() {
	set(map[x86.Op]handler{
		x86.PUSH: push, x86.POP: pop, x86.PUSHF: pushf, x86.POPF: popf,
		x86.ENTER: enter, x86.LEAVE: leave,
	})
}

func (c *core) push(size uint8, v uint64) bool {
	sp := c.r[cpu.RSP] - uint64(size)
	if !c.store(sp, size, v) {
		return false
	}
	c.r[cpu.RSP] = sp
	return true
}

func push(c *core, o *op) bool {
	v := uint64(o.imm)
	if o.form != formI {
		var ok bool
		if v, ok = c.dstRead(o); !ok {
			return false
		}
	}
	return c.push(o.size, v)
}

// pop to memory computes the address with RSP already incremented.
func pop(c *core, o *op) bool {
	sp := c.r[cpu.RSP]
	v, ok := c.load(sp, o.size)
	if !ok {
		return false
	}
	c.r[cpu.RSP] = sp + uint64(o.size)
	if !c.dstWrite(o, v) {
		c.r[cpu.RSP] = sp
		return false
	}
	return true
}

// popfMask has the flags that POPF changes in user mode; IF and IOPL it leaves
// alone (SDM vol. 2, POPF).
const popfMask = arithFlags | cpu.FlagTF | cpu.FlagDF | flagNT | cpu.FlagAC | cpu.FlagID

// flagNT is the nested task flag: kept, and refused by IRET.
const flagNT = 1 << 14

func pushf(c *core, o *op) bool { return c.push(o.size, c.rflags()) }

func popf(c *core, o *op) bool {
	v, ok := c.load(c.r[cpu.RSP], o.size)
	if !ok {
		return false
	}
	c.r[cpu.RSP] += uint64(o.size)
	mask := uint64(popfMask)
	if o.size == 2 {
		mask &= 0xffff
	}
	c.fl = c.rflags()&^mask | v&mask
	return true
}

// enter makes a frame of imm bytes with up to 31 pointers to outer frames.
func enter(c *core, o *op) bool {
	size := uint64(o.size)
	level := uint64(o.cc & 31)
	sp, bp := c.r[cpu.RSP], c.r[cpu.RBP]
	if !c.aligned(sp, size) || !c.probeStack(sp-size*(level+1), sp) {
		return false
	}
	c.store(sp-size, o.size, bp)
	sp -= size
	frame := sp
	for i := uint64(1); i < level; i++ {
		v, ok := c.load(bp-size*i, o.size)
		if !ok {
			return false
		}
		sp -= size
		c.store(sp, o.size, v)
	}
	if level > 0 {
		sp -= size
		c.store(sp, o.size, frame)
	}
	sp -= uint64(o.imm)
	// The processor checks that the new top of the stack can be written.
	if !c.aligned(sp, size) || !c.probeWrite(sp, size) {
		return false
	}
	c.setGPR(cpu.RBP, o.size, frame)
	c.r[cpu.RSP] = sp
	return true
}

// probeStack makes sure that [lo, hi), less than a page, can be written.
func (c *core) probeStack(lo, hi uint64) bool { return c.probeWrite(lo, hi-lo) }

func leave(c *core, o *op) bool {
	bp := c.r[cpu.RBP]
	v, ok := c.load(bp, o.size)
	if !ok {
		return false
	}
	c.r[cpu.RSP] = bp + uint64(o.size)
	c.setGPR(cpu.RBP, o.size, v)
	return true
}
