package interp

import "github.com/tinevm/tine/internal/x86"

func setArith() {
	set(map[x86.Op]handler{
		x86.ADD: add, x86.ADC: adc, x86.SUB: sub, x86.SBB: sbb, x86.CMP: cmp,
		x86.INC: inc, x86.DEC: dec, x86.NEG: neg,
		x86.AND: and, x86.OR: or, x86.XOR: xor, x86.TEST: test, x86.NOT: not,
	})
}

func add(c *core, o *op) bool {
	a, b, ok := c.update(o)
	if !ok {
		return false
	}
	c.setFlags(fkAdd, o.size, a, b)
	return c.result(o, a+b)
}

func adc(c *core, o *op) bool {
	a, b, ok := c.update(o)
	if !ok {
		return false
	}
	cf := c.carry()
	c.setFlags(fkAdd+4*uint8(cf), o.size, a, b)
	return c.result(o, a+b+cf)
}

func sub(c *core, o *op) bool {
	a, b, ok := c.update(o)
	if !ok {
		return false
	}
	c.setFlags(fkSub, o.size, a, b)
	return c.result(o, a-b)
}

func sbb(c *core, o *op) bool {
	a, b, ok := c.update(o)
	if !ok {
		return false
	}
	cf := c.carry()
	c.setFlags(fkSub+4*uint8(cf), o.size, a, b)
	return c.result(o, a-b-cf)
}

func cmp(c *core, o *op) bool {
	a, b, ok := c.compare(o)
	if ok {
		c.setFlags(fkSub, o.size, a, b)
	}
	return ok
}

func inc(c *core, o *op) bool {
	a, ok := c.dstUpdate(o)
	if !ok {
		return false
	}
	c.setFlags(fkInc, o.size, a, c.carry())
	return c.result(o, a+1)
}

func dec(c *core, o *op) bool {
	a, ok := c.dstUpdate(o)
	if !ok {
		return false
	}
	c.setFlags(fkDec, o.size, a, c.carry())
	return c.result(o, a-1)
}

func neg(c *core, o *op) bool {
	a, ok := c.dstUpdate(o)
	if !ok {
		return false
	}
	c.setFlags(fkSub, o.size, 0, a)
	return c.result(o, -a)
}

func and(c *core, o *op) bool {
	a, b, ok := c.update(o)
	if !ok {
		return false
	}
	c.setFlags(fkLogic, o.size, a&b, 0)
	return c.result(o, a&b)
}

func or(c *core, o *op) bool {
	a, b, ok := c.update(o)
	if !ok {
		return false
	}
	c.setFlags(fkLogic, o.size, a|b, 0)
	return c.result(o, a|b)
}

func xor(c *core, o *op) bool {
	a, b, ok := c.update(o)
	if !ok {
		return false
	}
	c.setFlags(fkLogic, o.size, a^b, 0)
	return c.result(o, a^b)
}

func test(c *core, o *op) bool {
	a, b, ok := c.compare(o)
	if ok {
		c.setFlags(fkLogic, o.size, a&b, 0)
	}
	return ok
}

func not(c *core, o *op) bool {
	a, ok := c.dstUpdate(o)
	return ok && c.result(o, ^a)
}
