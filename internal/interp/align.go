package interp

import "github.com/tinevm/tine/internal/cpu"

// The alignment check (SDM vol. 3, 7.15, interrupt 17): with AC set, a misaligned
// data access of user code is an exception. CR0.AM is on under Linux.
//
// With AC set the engine executes single instructions by their handlers, and
// while one runs no translation matches and none is kept. So every access takes
// its slow path, and only that looks at the alignment.

// checkAlignment turns the check on or off.
func (c *core) checkAlignment(on bool) {
	c.align = on
	c.ctx = c.current.id
	if on {
		c.ctx = alignContext
	}
}

// tag is the tag of a new TLB entry of a page.
func (c *core) tag(page uint64) uint64 {
	if c.align {
		return 0 // matches nothing
	}
	return page | c.ctx
}

// aligned reports whether an access of n bytes, a power of two, passes the
// check; if not the exception is noted. It comes before page faults and after
// the exception for addresses that are not canonical, as on AMD's processors:
// their order is not architectural (SDM vol. 3, 7.9).
func (c *core) aligned(va, n uint64) bool {
	if c.align && va&(n-1) != 0 && canonical(va) {
		return c.exception(cpu.VectorAC)
	}
	return true
}
