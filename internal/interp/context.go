package interp

import (
	"github.com/tinevm/tine/internal/mm"
)

// The jump cache finds the block at an address of the current address space.
const (
	jumpBits = 14
	jumpSize = 1 << jumpBits
	itlbSize = 64

	maxContext   = 1<<mm.PageShift - 2
	alignContext = maxContext + 1 // no translation has it, see align.go
)

// jumpEntry: tag is the address with the context in the bits above it. Only
// canonical user addresses may be looked up.
type jumpEntry struct {
	tag uint64
	b   *block
}

type itlbEntry struct {
	tag uint64 // as in tlbEntry
	f   mm.Frame
}

// context is one state of the translations of an address space. Its number
// tags what is cached of it, so that changing address spaces flushes nothing.
type context struct {
	gen     uint64 // mm's name for the state
	id      uint64
	flushes uint64 // changes of single pages, as far as seen
}

func jumpSlot(pc uint64) uint64 { return (pc ^ pc>>jumpBits) % jumpSize }

// switchTo makes as current and forgets what is no longer true of it.
func (c *core) switchTo(as *mm.AddressSpace) {
	gen := as.Gen()
	x := c.current
	if x == nil || x.gen != gen {
		if x = c.contexts[gen]; x == nil {
			x = c.newContext(gen, as.Flushes())
		}
	}
	if n := as.Flushes(); n != x.flushes {
		c.setContext(x)
		if as.Flushed(x.flushes, c.evict) {
			x.flushes = n
		} else {
			x = c.newContext(gen, n)
		}
	}
	c.setContext(x)
}

func (c *core) setContext(x *context) {
	c.current = x
	c.ctx, c.jctx = x.id, x.id<<48
}

// newContext allots a number; when they are used up all start again.
func (c *core) newContext(gen, flushes uint64) *context {
	if c.lastCtx == maxContext {
		c.lastCtx = 0
		clear(c.contexts)
		clear(c.rt[:])
		clear(c.wt[:])
		clear(c.wf[:])
		clear(c.jump[:])
		clear(c.itlb[:])
	}
	c.lastCtx++
	x := &context{gen: gen, id: c.lastCtx, flushes: flushes}
	c.contexts[gen] = x
	return x
}

// evict forgets one page; bit 0 of its address says that it was executable.
func (c *core) evict(va uint64) {
	page := va &^ pageMask
	i := page >> mm.PageShift & tlbMask
	if c.rt[i].tag == page|c.ctx {
		c.rt[i] = tlbEntry{}
	}
	if c.wt[i].tag == page|c.ctx {
		c.wt[i], c.wf[i] = tlbEntry{}, 0
	}
	if va&1 != 0 {
		clear(c.jump[:])
		clear(c.itlb[:])
	}
}

// fetchPage translates pc for execution.
func (c *core) fetchPage(pc uint64) (mm.Frame, bool) {
	tag := pc&^pageMask | c.ctx
	e := &c.itlb[pc>>mm.PageShift%itlbSize]
	if e.tag == tag {
		return e.f, true
	}
	f, ok := c.translate(pc, mm.AccessExec)
	if ok {
		*e = itlbEntry{tag, f}
	}
	return f, ok
}

// find returns the block at pc, or nil after noting a fault.
func (c *core) find(pc uint64) *block {
	j := &c.jump[jumpSlot(pc)]
	if j.tag == pc|c.jctx && pc < mm.UserTop && !j.b.dead.Load() {
		return j.b
	}
	f, ok := c.fetchPage(pc)
	if !ok {
		return nil
	}
	b := c.lookup(f, pc)
	if b != nil && !b.dead.Load() {
		*j = jumpEntry{pc | c.jctx, b}
	}
	return b
}
