package interp

import (
	"encoding/binary"
	"unsafe"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
)

// The software TLB: direct-mapped, one array for reads and one for writes.
const (
	tlbBits  = 9
	tlbSize  = 1 << tlbBits
	tlbMask  = tlbSize - 1
	pageMask = mm.PageSize - 1
)

// tlbEntry maps a page. tag is the page's address with the context in the low
// twelve bits, so that one comparison checks both; contexts start at 1, so
// that a cleared entry matches nothing. An access of n bytes at va compares
// with the page of va+n-1 but looks in the slot of va: one that crosses a page
// never matches.
type tlbEntry struct {
	tag   uint64
	delta uint64 // host address minus guest address
}

// load reads n bytes (1, 2, 4, 8) at va, zero-extended. If that faults the trap
// is noted and ok is false.
func (c *core) load(va uint64, n uint8) (v uint64, ok bool) {
	switch n {
	case 8:
		return c.load64(va)
	case 4:
		w, ok := c.load32(va)
		return uint64(w), ok
	case 2:
		w, ok := c.load16(va)
		return uint64(w), ok
	}
	b, ok := c.load8(va)
	return uint64(b), ok
}

// store writes the low n bytes of v at va.
func (c *core) store(va uint64, n uint8, v uint64) bool {
	switch n {
	case 8:
		return c.store64(va, v)
	case 4:
		return c.store32(va, uint32(v))
	case 2:
		return c.store16(va, uint16(v))
	}
	return c.store8(va, uint8(v))
}

func (c *core) load8(va uint64) (uint8, bool) {
	if e := &c.rt[va>>mm.PageShift&tlbMask]; e.tag == va&^pageMask|c.ctx {
		return *(*uint8)(at(va + e.delta)), true
	}
	v, ok := c.loadSlow(va, 1)
	return uint8(v), ok
}

func (c *core) load16(va uint64) (uint16, bool) {
	if e := &c.rt[va>>mm.PageShift&tlbMask]; e.tag == (va+1)&^pageMask|c.ctx {
		return *(*uint16)(at(va + e.delta)), true
	}
	v, ok := c.loadSlow(va, 2)
	return uint16(v), ok
}

func (c *core) load32(va uint64) (uint32, bool) {
	if e := &c.rt[va>>mm.PageShift&tlbMask]; e.tag == (va+3)&^pageMask|c.ctx {
		return *(*uint32)(at(va + e.delta)), true
	}
	v, ok := c.loadSlow(va, 4)
	return uint32(v), ok
}

func (c *core) load64(va uint64) (uint64, bool) {
	if e := &c.rt[va>>mm.PageShift&tlbMask]; e.tag == (va+7)&^pageMask|c.ctx {
		return *(*uint64)(at(va + e.delta)), true
	}
	return c.loadSlow(va, 8)
}

// load128 reads 16 bytes, with no demand on alignment.
func (c *core) load128(va uint64) (lo, hi uint64, ok bool) {
	if e := &c.rt[va>>mm.PageShift&tlbMask]; e.tag == (va+15)&^pageMask|c.ctx {
		p := at(va + e.delta)
		return *(*uint64)(p), *(*uint64)(unsafe.Add(p, 8)), true
	}
	var b [16]byte
	if !c.aligned(va, 16) || !c.loadBytes(va, b[:]) {
		return 0, 0, false
	}
	return binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:]), true
}

func (c *core) store8(va uint64, v uint8) bool {
	if e := &c.wt[va>>mm.PageShift&tlbMask]; e.tag == va&^pageMask|c.ctx {
		*(*uint8)(at(va + e.delta)) = v
		return true
	}
	return c.storeSlow(va, 1, uint64(v))
}

func (c *core) store16(va uint64, v uint16) bool {
	if e := &c.wt[va>>mm.PageShift&tlbMask]; e.tag == (va+1)&^pageMask|c.ctx {
		*(*uint16)(at(va + e.delta)) = v
		return true
	}
	return c.storeSlow(va, 2, uint64(v))
}

func (c *core) store32(va uint64, v uint32) bool {
	if e := &c.wt[va>>mm.PageShift&tlbMask]; e.tag == (va+3)&^pageMask|c.ctx {
		*(*uint32)(at(va + e.delta)) = v
		return true
	}
	return c.storeSlow(va, 4, uint64(v))
}

func (c *core) store64(va uint64, v uint64) bool {
	if e := &c.wt[va>>mm.PageShift&tlbMask]; e.tag == (va+7)&^pageMask|c.ctx {
		*(*uint64)(at(va + e.delta)) = v
		return true
	}
	return c.storeSlow(va, 8, v)
}

// store128 writes 16 bytes, with no demand on alignment.
func (c *core) store128(va, lo, hi uint64) bool {
	if e := &c.wt[va>>mm.PageShift&tlbMask]; e.tag == (va+15)&^pageMask|c.ctx {
		p := at(va + e.delta)
		*(*uint64)(p), *(*uint64)(unsafe.Add(p, 8)) = lo, hi
		return true
	}
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], lo)
	binary.LittleEndian.PutUint64(b[8:], hi)
	return c.aligned(va, 16) && c.storeBytes(va, b[:])
}

// loadBytes reads len(p) bytes, at most a page.
func (c *core) loadBytes(va uint64, p []byte) bool {
	n := copy(p, c.readable(va))
	if n == 0 {
		return false
	}
	if n < len(p) {
		if copy(p[n:], c.readable(va+uint64(n))) == 0 {
			return false
		}
	}
	return true
}

// storeBytes writes len(p) bytes, at most a page, all of them or none.
func (c *core) storeBytes(va uint64, p []byte) bool {
	if !c.probeWrite(va, uint64(len(p))) {
		return false
	}
	n := copy(c.writable(va), p)
	if n < len(p) {
		copy(c.writable(va+uint64(n)), p[n:])
	}
	return true
}

// readable returns the guest memory from va to the end of its page, or nil
// after noting a fault.
func (c *core) readable(va uint64) []byte {
	e := &c.rt[va>>mm.PageShift&tlbMask]
	if e.tag != va&^pageMask|c.ctx && !c.fillRead(va) {
		return nil
	}
	return unsafe.Slice((*byte)(at(va+e.delta)), mm.PageSize-va&pageMask)
}

// writable is readable for writing.
func (c *core) writable(va uint64) []byte {
	e := &c.wt[va>>mm.PageShift&tlbMask]
	if e.tag != va&^pageMask|c.ctx && !c.fillWrite(va) {
		return nil
	}
	return unsafe.Slice((*byte)(at(va+e.delta)), mm.PageSize-va&pageMask)
}

// watchWrite compares a write with what is watched.
func (c *core) watchWrite(va, n uint64) {
	if c.watch != nil {
		c.watch.Use(va, n, true)
	}
}

// probeWrite makes sure that n bytes at va, at most a page, can be written.
func (c *core) probeWrite(va, n uint64) bool {
	c.watchWrite(va, n)
	return c.writable(va) != nil && ((va+n-1)^va < mm.PageSize && (va+n-1)&^pageMask == va&^pageMask || c.writable((va+n-1)&^pageMask) != nil)
}

// loadSlow reads n bytes that missed the TLB.
func (c *core) loadSlow(va uint64, n uint64) (uint64, bool) {
	var b [8]byte
	if !c.aligned(va, n) || !c.loadBytes(va, b[:n]) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[:]), true
}

// storeSlow writes n bytes that missed the TLB.
func (c *core) storeSlow(va uint64, n uint64, v uint64) bool {
	if !c.aligned(va, n) {
		return false
	}
	c.watchWrite(va, n)
	if va&pageMask+n <= mm.PageSize {
		// One page: a single host store, as atomic as the guest expects.
		if !c.fillWrite(va) {
			return false
		}
		p := at(va + c.wt[va>>mm.PageShift&tlbMask].delta)
		switch n {
		case 8:
			*(*uint64)(p) = v
		case 4:
			*(*uint32)(p) = uint32(v)
		case 2:
			*(*uint16)(p) = uint16(v)
		default:
			*(*uint8)(p) = uint8(v)
		}
		return true
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return c.storeBytes(va, b[:n])
}

// translate looks a page up, or notes the fault.
func (c *core) translate(va uint64, acc mm.Access) (mm.Frame, bool) {
	f, ok := c.as.Lookup(va, acc)
	if ok {
		return f, true
	}
	if va+1<<47 >= 1<<48 {
		c.badAddr = true
		c.exception(cpu.VectorGP)
		return 0, false
	}
	c.trap = cpu.Trap{Kind: cpu.TrapPageFault, Access: acc, Addr: va}
	return 0, false
}

// fillRead installs the page of va for reading.
func (c *core) fillRead(va uint64) bool {
	f, ok := c.translate(va, mm.AccessRead)
	if !ok {
		return false
	}
	page := va &^ pageMask
	c.rt[va>>mm.PageShift&tlbMask] = tlbEntry{c.tag(page), hostAddr(f) - page}
	return true
}

// fillWrite installs the page of va for writing. Translations of the frame are
// dropped first: entries for writing exist only for frames without.
func (c *core) fillWrite(va uint64) bool {
	f, ok := c.translate(va, mm.AccessWrite)
	if !ok {
		return false
	}
	if f.HasCode() {
		dropFrame(f)
		c.leave = true
	}
	page := va &^ pageMask
	i := va >> mm.PageShift & tlbMask
	c.wt[i], c.wf[i] = tlbEntry{c.tag(page), hostAddr(f) - page}, f
	return true
}

func hostAddr(f mm.Frame) uint64 { return uint64(uintptr(f.Addr())) }
