package mm

import (
	"sync"

	"github.com/tinevm/tine/internal/linux"
)

// PageCache holds the pages of one file in frames. It is the memory of files
// that live in memory, the cache of files that live elsewhere, and what
// mappings of both map. Several machines may share one.
type PageCache struct {
	mu    sync.Mutex
	acct  *Account
	fill  func(index uint64, p []byte) linux.Errno
	size  int64
	pages cachePages
	kept  map[keptRange]node
	ahead readAhead
}

type cachePage struct {
	frame Frame
	dirty bool
	// mapped: a writable mapping may write without our knowing, so the page
	// counts as dirty for good.
	mapped bool
	// reserved: fallocate has taken the memory, and nothing has been written.
	reserved bool
}

// NewPageCache makes an empty cache charged to acct. fill reads what p has room
// for, from a page on, from the backing file; what that has not it makes zero.
// Without fill pages start zero and are never lost.
func NewPageCache(acct *Account, fill func(index uint64, p []byte) linux.Errno) *PageCache {
	return &PageCache{acct: acct, fill: fill, pages: newCachePages()}
}

// Size returns the size of the file in bytes.
func (c *PageCache) Size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// Resident returns the number of pages held.
func (c *PageCache) Resident() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pages.len()
}

// SetSize truncates or extends the file. Pages beyond a smaller size are
// dropped; those still mapped keep their frame, but new accesses find none.
func (c *PageCache) SetSize(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.size
	if n > old {
		c.clearTail()
	}
	c.size = n
	if n >= old {
		return
	}
	first := uint64(n+PageSize-1) >> PageShift
	if uint64(old)>>PageShift-first < uint64(c.pages.len()) {
		for i := first; i <= uint64(old)>>PageShift; i++ {
			c.drop(i)
		}
	} else {
		for i := range c.pages.all() {
			if i >= first {
				c.drop(i)
			}
		}
	}
	c.clearTail()
}

// clearTail clears what a mapping has written behind the end of the file, so
// that it does not appear when the file grows.
func (c *PageCache) clearTail() {
	if p, ok := c.pages.get(uint64(c.size) >> PageShift); ok && c.size&pageMask != 0 {
		p.frame.willWrite()
		clear(p.frame.Bytes()[c.size&pageMask:])
	}
}

func (c *PageCache) drop(i uint64) {
	if p, ok := c.pages.get(i); ok {
		c.changed()
		if p.frame.Refs() > 1 {
			p.frame.meta().flags.Or(frameGone)
			truncations.Add(1)
		}
		p.frame.Put()
		c.pages.delete(i)
	}
}

// Punch makes [off, off+n) a hole that reads zero.
func (c *PageCache) Punch(off, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed()
	for end := off + n; off < end; {
		i, in := uint64(off)>>PageShift, off&pageMask
		k := min(end-off, PageSize-in)
		if p, ok := c.pages.get(i); ok {
			if k == PageSize && c.fill == nil && p.frame.Refs() == 1 {
				c.drop(i)
			} else {
				p.frame.willWrite()
				clear(p.frame.Bytes()[in : in+k])
			}
		}
		off += k
	}
}

// has reports whether page i is held.
func (c *PageCache) has(i uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.pages.get(i)
	return ok || c.fill == nil
}

// Data reports whether page i is held in memory and not only reserved
// (SEEK_DATA).
func (c *PageCache) Data(i uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.pages.get(i)
	return ok && !p.reserved
}

// Reserve makes sure that there is memory for page i of a file that lives in
// memory.
func (c *PageCache) Reserve(i uint64) linux.Errno {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.pages.get(i); ok {
		return 0
	}
	p, errno := c.load(i)
	if errno == 0 {
		p.reserved = true
		c.pages.set(i, p)
	}
	return errno
}

// Reload reads the pages from page first on anew, those that are mapped in
// place: the file behind has changed.
func (c *PageCache) Reload(first uint64) linux.Errno {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed()
	for i, p := range c.pages.all() {
		if i < first {
			continue
		}
		f := p.frame
		if f.Refs() == 1 {
			c.drop(i)
			continue
		}
		f.willWrite()
		if errno := c.fill(i, f.Bytes()); errno != 0 {
			return errno
		}
	}
	return 0
}

// Has reports whether page i is held in memory (mincore).
func (c *PageCache) Has(i uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.pages.get(i)
	return ok
}

// around calls fn with those of the n pages from first that are held and inside
// the file. With read, those that are not held are read.
func (c *PageCache) around(first, n uint64, read bool, fn func(i uint64, f Frame)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var in *cluster
	for i := range min(n, max(uint64(c.size+pageMask)>>PageShift, first)-first) {
		at := first + i
		if i == 0 || at%(1<<clusterShift) == 0 {
			in = c.pages.cluster(at)
		}
		p, ok := in.get(at)
		if !ok && read {
			var errno linux.Errno
			p, errno = c.load(at)
			ok, in = errno == 0, c.pages.cluster(at)
		}
		if ok {
			fn(i, p.frame)
		}
	}
}

// Page returns page i with a reference for the caller, reading it if need be.
// With write it is dirty from now on. ENXIO means beyond the end, ENOMEM that
// the account is full; others come from the backing file.
func (c *PageCache) Page(i uint64, write bool) (Frame, linux.Errno) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if int64(i)<<PageShift >= c.size {
		return 0, linux.ENXIO
	}
	p, errno := c.load(i)
	if errno != 0 {
		return 0, errno
	}
	if write && !p.mapped {
		p.dirty, p.mapped = true, true
		c.pages.set(i, p)
	}
	return p.frame.Get(), 0
}

// load makes sure that page i is held.
func (c *PageCache) load(i uint64) (cachePage, linux.Errno) {
	if p, ok := c.pages.get(i); ok {
		if p.reserved {
			p.reserved = false
			c.pages.set(i, p)
		}
		return p, 0
	}
	f, ok := c.acct.allocCache(c.fill == nil)
	if !ok {
		return cachePage{}, linux.ENOMEM
	}
	if c.fill != nil {
		if errno := c.read(i, f); errno != 0 {
			return cachePage{}, errno
		}
		p, _ := c.pages.get(i)
		return p, 0
	}
	p := cachePage{frame: f}
	c.changed()
	c.pages.set(i, p)
	return p, 0
}

// ReadAt fills p with the file's bytes at off. The caller has clipped p to
// Size.
func (c *PageCache) ReadAt(p []byte, off int64) linux.Errno {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(p) > 0 {
		i, in := uint64(off)>>PageShift, off&pageMask
		n := min(len(p), int(PageSize-in))
		if e, ok := c.pages.get(i); ok {
			copy(p[:n], e.frame.Bytes()[in:])
		} else if c.fill == nil {
			clear(p[:n])
		} else {
			e, errno := c.load(i)
			if errno != 0 {
				return errno
			}
			copy(p[:n], e.frame.Bytes()[in:])
		}
		p, off = p[n:], off+int64(n)
	}
	return 0
}

// WriteAt writes p at off, growing the file. It returns the number of bytes
// written, and ENOSPC if that is short because the account is full.
func (c *PageCache) WriteAt(p []byte, off int64) (int, linux.Errno) {
	c.mu.Lock()
	defer c.mu.Unlock()
	done := 0
	if off > c.size {
		c.clearTail()
	}
	for done < len(p) {
		i, in := uint64(off)>>PageShift, off&pageMask
		n := min(len(p)-done, int(PageSize-in))
		e, errno := c.load(i)
		if errno != 0 {
			if errno == linux.ENOMEM {
				errno = linux.ENOSPC
			}
			return done, errno
		}
		e.frame.willWrite()
		copy(e.frame.Bytes()[in:], p[done:done+n])
		if !e.dirty {
			e.dirty = true
			c.pages.set(i, e)
		}
		done, off = done+n, off+int64(n)
		c.size = max(c.size, off)
	}
	return done, 0
}

// Dirty calls each for the dirty pages in order and marks them clean, unless a
// writable mapping has them. It stops at the first error.
func (c *PageCache) Dirty(each func(i uint64, page []byte) linux.Errno) linux.Errno {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range c.pages.all() {
		if !p.dirty {
			continue
		}
		if errno := each(i, p.frame.Bytes()); errno != 0 {
			return errno
		}
		p.dirty = p.mapped
		c.pages.set(i, p)
	}
	return 0
}

// Release drops all pages.
func (c *PageCache) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed()
	for _, p := range c.pages.all() {
		p.frame.Put()
	}
	c.pages = newCachePages()
}
