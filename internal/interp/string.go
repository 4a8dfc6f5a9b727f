package interp

import (
	"bytes"
	"unsafe"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

func setStrings() {
	set(map[x86.Op]handler{
		x86.MOVS: movs, x86.STOS: stos, x86.LODS: lods, x86.CMPS: cmps, x86.SCAS: scas,
	})
}

// isString reports whether repeat prefixes repeat op.
func isString(op x86.Op) bool {
	switch op {
	case x86.MOVS, x86.STOS, x86.LODS, x86.CMPS, x86.SCAS:
		return true
	}
	return false
}

// pollEvery is how many elements are done one by one between two looks at
// whether the processor was asked to stop.
const pollEvery = 4096

// strReg reads an address or count register of a string instruction.
func (c *core) strReg(o *op, reg uint8) uint64 {
	if o.flags&opAddr32 != 0 {
		return uint64(uint32(c.r[reg]))
	}
	return c.r[reg]
}

// advance moves an address or count register on by n.
func (c *core) advance(o *op, reg uint8, n uint64) {
	c.r[reg] += n
	if o.flags&opAddr32 != 0 {
		c.r[reg] = uint64(uint32(c.r[reg]))
	}
}

// stride is the signed size of an element.
func (c *core) stride(o *op) uint64 {
	if c.fl&cpu.FlagDF != 0 {
		return -uint64(o.size)
	}
	return uint64(o.size)
}

// forward reports whether whole pages can be done at a time.
func (c *core) forward(o *op) bool {
	return c.fl&cpu.FlagDF == 0 && o.flags&opAddr32 == 0 && !c.slow
}

// repeat calls step, which does one element, or bulk, which does as many as it
// can and returns their number, until the count is zero. done lets CMPS and
// SCAS end earlier. The registers are exact after every element.
func (c *core) repeat(o *op, step func(*core, *op) bool, bulk func(*core, *op, uint64) (uint64, bool), done func(*core) bool) bool {
	if o.flags&(opRep|opRepNE) == 0 {
		return step(c, o)
	}
	poll := 0
	for {
		n := c.strReg(o, cpu.RCX)
		if n == 0 {
			return true
		}
		if poll++; poll%pollEvery == 0 && c.v.Stopped() {
			c.trap = cpu.Trap{Kind: cpu.TrapInterrupt}
			return false
		}
		k := uint64(0)
		if bulk != nil {
			var ok bool
			if k, ok = bulk(c, o, n); !ok {
				return false
			}
			poll |= pollEvery - 1
		}
		if k == 0 {
			if !step(c, o) {
				return false
			}
			k = 1
		}
		c.advance(o, cpu.RCX, -k)
		if done != nil && done(c) {
			return true
		}
		if c.watch != nil && c.watch.Hits != 0 && n > k {
			return false // a debug exception between elements
		}
	}
}

func movs(c *core, o *op) bool {
	if c.forward(o) {
		return c.repeat(o, movsStep, movsBulk, nil)
	}
	return c.repeat(o, movsStep, nil, nil)
}

func movsStep(c *core, o *op) bool {
	v, ok := c.load(c.strReg(o, cpu.RSI)+c.r[o.seg], o.size)
	if !ok || !c.store(c.strReg(o, cpu.RDI), o.size, v) {
		return false
	}
	c.advance(o, cpu.RSI, c.stride(o))
	c.advance(o, cpu.RDI, c.stride(o))
	return true
}

// movsBulk copies up to the end of a page. Elements are copied in order, so a
// destination just above its source repeats it.
func movsBulk(c *core, o *op, n uint64) (uint64, bool) {
	size := uint64(o.size)
	sva, dva := c.r[cpu.RSI]+c.r[o.seg], c.r[cpu.RDI]
	room := min(mm.PageSize-sva&pageMask, mm.PageSize-dva&pageMask)
	n = min(n, room/size)
	if n == 0 {
		return 0, true
	}
	src := c.readable(sva)
	if src == nil {
		return 0, false
	}
	dst := c.writable(dva)
	if dst == nil {
		return 0, false
	}
	src, dst = src[:n*size], dst[:n*size]
	gap := uint64(uintptr(unsafe.Pointer(&dst[0])) - uintptr(unsafe.Pointer(&src[0])))
	switch {
	case gap == 0 || gap >= n*size:
		copy(dst, src)
	case gap < size:
		return 0, true // elements overlap themselves
	default:
		for i := uint64(0); i < n*size; i += gap {
			copy(dst[i:min(i+gap, n*size)], src[i:])
		}
	}
	c.r[cpu.RSI] += n * size
	c.r[cpu.RDI] += n * size
	return n, true
}

func stos(c *core, o *op) bool {
	if c.forward(o) {
		return c.repeat(o, stosStep, stosBulk, nil)
	}
	return c.repeat(o, stosStep, nil, nil)
}

func stosStep(c *core, o *op) bool {
	if !c.store(c.strReg(o, cpu.RDI), o.size, c.r[cpu.RAX]) {
		return false
	}
	c.advance(o, cpu.RDI, c.stride(o))
	return true
}

func stosBulk(c *core, o *op, n uint64) (uint64, bool) {
	size, va := uint64(o.size), c.r[cpu.RDI]
	n = min(n, (mm.PageSize-va&pageMask)/size)
	if n == 0 {
		return 0, true
	}
	dst := c.writable(va)
	if dst == nil {
		return 0, false
	}
	dst = dst[:n*size]
	if c.gpr(cpu.RAX, o.size) == 0 {
		clear(dst)
	} else {
		for i := range size {
			dst[i] = byte(c.r[cpu.RAX] >> (8 * i))
		}
		for i := size; i < n*size; i *= 2 {
			copy(dst[i:], dst[:i])
		}
	}
	c.r[cpu.RDI] += n * size
	return n, true
}

func lods(c *core, o *op) bool { return c.repeat(o, lodsStep, nil, nil) }

func lodsStep(c *core, o *op) bool {
	v, ok := c.load(c.strReg(o, cpu.RSI)+c.r[o.seg], o.size)
	if !ok {
		return false
	}
	c.setGPR(cpu.RAX, o.size, v)
	c.advance(o, cpu.RSI, c.stride(o))
	return true
}

// until returns what ends a repeated comparison: ZF clear with F3, set with F2.
func until(o *op) func(*core) bool {
	if o.flags&opRepNE != 0 {
		return func(c *core) bool { return c.cond(4) }
	}
	return func(c *core) bool { return c.cond(5) }
}

// comparing runs a repeated comparison. If it faults the flags are as before
// the instruction (SDM vol. 2, REP).
func (c *core) comparing(o *op, step func(*core, *op) bool, bulk func(*core, *op, uint64) (uint64, bool)) bool {
	if o.flags&(opRep|opRepNE) == 0 {
		return step(c, o)
	}
	fl := c.rflags()
	if !c.forward(o) {
		bulk = nil
	}
	if c.repeat(o, step, bulk, until(o)) {
		return true
	}
	c.fk, c.fl = fkNone, fl
	return false
}

func scas(c *core, o *op) bool { return c.comparing(o, scasStep, scasBulk) }

func scasStep(c *core, o *op) bool {
	v, ok := c.load(c.strReg(o, cpu.RDI), o.size)
	if !ok {
		return false
	}
	c.setFlags(fkSub, o.size, c.gpr(cpu.RAX, o.size), v)
	c.advance(o, cpu.RDI, c.stride(o))
	return true
}

// scasBulk skips, for REPNE SCASB, the bytes before the one looked for.
func scasBulk(c *core, o *op, n uint64) (uint64, bool) {
	if o.size != 1 || o.flags&opRepNE == 0 {
		return 0, true
	}
	p := c.readable(c.r[cpu.RDI])
	if p == nil {
		return 0, false
	}
	p = p[:min(n, uint64(len(p)))]
	i := bytes.IndexByte(p, byte(c.r[cpu.RAX]))
	if i < 0 {
		i = len(p) - 1
	}
	c.setFlags(fkSub, 1, c.gpr(cpu.RAX, 1), uint64(p[i]))
	c.r[cpu.RDI] += uint64(i) + 1
	return uint64(i) + 1, true
}

func cmps(c *core, o *op) bool { return c.comparing(o, cmpsStep, cmpsBulk) }

func cmpsStep(c *core, o *op) bool {
	a, ok := c.load(c.strReg(o, cpu.RSI)+c.r[o.seg], o.size)
	if !ok {
		return false
	}
	b, ok := c.load(c.strReg(o, cpu.RDI), o.size)
	if !ok {
		return false
	}
	c.setFlags(fkSub, o.size, a, b)
	c.advance(o, cpu.RSI, c.stride(o))
	c.advance(o, cpu.RDI, c.stride(o))
	return true
}

// cmpsBulk compares, for REPE CMPSB, up to the end of a page.
func cmpsBulk(c *core, o *op, n uint64) (uint64, bool) {
	if o.size != 1 || o.flags&opRep == 0 {
		return 0, true
	}
	a := c.readable(c.r[cpu.RSI] + c.r[o.seg])
	if a == nil {
		return 0, false
	}
	b := c.readable(c.r[cpu.RDI])
	if b == nil {
		return 0, false
	}
	k := min(n, uint64(len(a)), uint64(len(b)))
	i := uint64(0)
	for i < k-1 && a[i] == b[i] {
		i++
	}
	c.setFlags(fkSub, 1, uint64(a[i]), uint64(b[i]))
	c.r[cpu.RSI] += i + 1
	c.r[cpu.RDI] += i + 1
	return i + 1, true
}
