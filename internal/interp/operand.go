package interp

import "github.com/tinevm/tine/internal/x86"

// Handlers of general instructions reach their operands through these, for any
// form and size.

// src returns the second operand, zero-extended; immediates are as extended.
func (c *core) srcVal(o *op) (uint64, bool) {
	switch o.form {
	case formRR, formMR:
		return c.gpr(o.src, o.srcSize), true
	case formRM:
		return c.load(c.ea(o), o.srcSize)
	}
	return o.immediate(), true
}

// immediate returns the immediate operand.
func (o *op) immediate() uint64 {
	if o.x == x86.MOV && o.form == formRI {
		return o.disp
	}
	return uint64(o.imm)
}

// dstRead returns the first operand of an instruction that only reads it.
func (c *core) dstRead(o *op) (uint64, bool) {
	switch o.form {
	case formM, formMR, formMI:
		return c.load(c.ea(o), o.size)
	}
	return c.gpr(o.dst, o.size), true
}

// dstUpdate returns the first operand of an instruction that is going to write
// it: what faults, faults here.
func (c *core) dstUpdate(o *op) (uint64, bool) {
	switch o.form {
	case formM, formMR, formMI:
		c.addr = c.ea(o)
		if !c.aligned(c.addr, uint64(o.size)) || !c.probeWrite(c.addr, uint64(o.size)) {
			return 0, false
		}
		return c.load(c.addr, o.size)
	}
	return c.gpr(o.dst, o.size), true
}

// result writes the first operand after dstUpdate.
func (c *core) result(o *op, v uint64) bool {
	switch o.form {
	case formM, formMR, formMI:
		return c.store(c.addr, o.size, v)
	}
	c.setGPR(o.dst, o.size, v)
	return true
}

// dstWrite writes the first operand of an instruction that does not read it.
func (c *core) dstWrite(o *op, v uint64) bool {
	switch o.form {
	case formM, formMR, formMI:
		return c.store(c.ea(o), o.size, v)
	}
	c.setGPR(o.dst, o.size, v)
	return true
}

// update returns both operands for an instruction that writes the first.
func (c *core) update(o *op) (a, b uint64, ok bool) {
	if a, ok = c.dstUpdate(o); !ok {
		return
	}
	b, ok = c.srcVal(o)
	return
}

// compare returns both operands for an instruction that writes neither.
func (c *core) compare(o *op) (a, b uint64, ok bool) {
	if a, ok = c.dstRead(o); !ok {
		return
	}
	b, ok = c.srcVal(o)
	return
}

// sext sign-extends the low n bytes of v.
func sext(v uint64, n uint8) uint64 {
	s := 64 - 8*uint(n)
	return uint64(int64(v<<s) >> s)
}

// zext zero-extends the low n bytes of v.
func zext(v uint64, n uint8) uint64 {
	s := 64 - 8*uint(n)
	return v << s >> s
}
