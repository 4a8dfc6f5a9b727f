package interp

import "github.com/tinevm/tine/internal/cpu"

// The alignment check (SDM vol. 3, 7.15, interrupt 17): with AC set, a misaligned
// data access of user code is an exception. CR0.AM is on under Linux.
//
// With AC set the engine executes single instructions by their handlers, and
// while one runs no translation matches and none is kept. So every access takes
// its slow path, and only that looks at the alignment.

// In the same way accesses are compared with what the debug registers watch.

// checkAccess turns the checks on or off.
func (c *core) checkAccess(alignment bool, w *cpu.Watch) {
	c.align, c.watch = alignment, w
	c.slow = alignment || w != nil
	c.ctx = c.current.id
	if c.slow {
		c.ctx = alignContext
	}
}

// watched reports whether the instruction that was executed has met a point.
func (c *core) watched() bool { return c.v.Watch != nil && c.v.Watch.Hits != 0 }

// tag is the tag of a new TLB entry of a page.
func (c *core) tag(page uint64) uint64 {
	if c.slow {
		return 0 // matches nothing
	}
	return page | c.ctx
}

// aligned checks an access: it reports whether one of n bytes, a power of two, passes the
// check; if not the exception is noted. It comes before page faults and after
// the exception for addresses that are not canonical, as on AMD's processors:
// their order is not architectural (SDM vol. 3, 7.9).
func (c *core) aligned(va, n uint64) bool {
	if c.watch != nil {
		c.watch.Use(va, n, false)
	}
	if c.align && va&(n-1) != 0 && canonical(va) {
		return c.exception(cpu.VectorAC)
	}
	return true
}
