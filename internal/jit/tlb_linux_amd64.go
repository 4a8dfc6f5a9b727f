package jit

import (
	"sync/atomic"

	"github.com/tinevm/tine/internal/mm"
)

// Host memory of guest pages, as machine code looks it up: rt for reading, wt for
// writing, pages for code; and large, where loads look for what others took the place
// of in rt. All is lost when the mappings of the address space
// change. A fork takes the right to write away and leaves the rest, and the child
// begins with what its parent has.

// noPage is what entry i of a TLB has if it is empty: a page that no address
// looks for there.
func noPage(i uint64) uint64 {
	if i == 0 {
		return mm.PageSize
	}
	return 0
}

// emptyTLB empties a TLB.
func emptyTLB(t *[tlbSize]tlbEntry) {
	clear(t[:])
	t[0].page = noPage(0)
}

// largeShift is how far the bits of an address are apart that are combined to tell
// where its page is in large: programs have what they need at distances of powers of 2.
const largeShift = 14

func largeSlot(va uint64) uint64 {
	return (va ^ va>>largeShift) >> mm.PageShift % largeSize
}

// clearLarge empties large.
func (c *context) clearLarge() {
	if c.largeTag++; c.largeTag > pageMask {
		clear(c.large[:])
		c.largeTag = 1
	}
}

// setRead enters a page in rt and large.
func (c *context) setRead(va, host uint64) {
	i, page := va>>mm.PageShift%tlbSize, va&^pageMask
	c.rt[i], c.large[largeSlot(va)] = tlbEntry{page, host}, tlbEntry{page | c.largeTag, host}
	c.noteRead(i, 0)
}

// update brings the translations up to date.
func (c *context) update(as *mm.AddressSpace) {
	now := as.Version()
	switch {
	case now == c.seen:
		return
	case now.Reads != c.seen.Reads || now.Flushes != c.seen.Flushes && !as.Flushed(c.seen.Flushes, c.evict):
		c.clearTLB()
	case now.Gen != c.seen.Gen:
		c.clearWrites()
	}
	c.seen = now
}

// inherit takes over what the parent's context p, which is as it was at the fork,
// knows of reading, unless that is too much: most children of a large process read
// little of it. v is the child's version at the fork.
func (c *context) inherit(p *context, v mm.Version) {
	p.compactReads()
	if len(p.reads) == cap(p.reads) {
		return
	}
	c.clearTLB()
	if c.flushed != p.flushed {
		c.clearJumps()
		c.flushed = p.flushed
	}
	for _, r := range p.reads {
		i := r.n % tlbSize
		c.rt[i] = p.rt[i]
		c.pages[r.page] = p.pages[r.page]
	}
	c.reads = append(c.reads, p.reads...)
	c.seen, c.met = v, metAround // it need not look around for what its parent has executed
}

// evict forgets one page; bit 0 of its address says that it was executable.
func (c *context) evict(va uint64) {
	page := va &^ pageMask
	i := page >> mm.PageShift % tlbSize
	if c.rt[i].page == page {
		c.rt[i] = tlbEntry{page: noPage(i)}
	}
	if l := &c.large[largeSlot(va)]; l.page == page|c.largeTag {
		l.page = 0
	}
	c.forget(0, page)
	if c.wt[i].page == page {
		c.dropWrite(uint64(i))
	}
	if va&1 != 0 {
		clear(c.pages[:])
		c.clearCode()
	}
}

// dropWrite empties an entry of wt.
func (c *context) dropWrite(i uint64) {
	if c.stackPage == c.wt[i].page {
		c.stack = lastEntry{}
	}
	if c.wf[i] != 0 {
		c.forget(1, c.wt[i].page)
	}
	c.wt[i], c.wf[i] = tlbEntry{page: noPage(i)}, 0
}

// lasts says who has the entries of context.rl or wl. There are not enough for all
// instructions of hot blocks, so some have one together.
type lasts struct {
	uses  [lastSize]uint16 // of the entry, by blocks that are not dead
	next  uint32           // where to look for one
	given atomic.Int32     // those behind have never been given out: in short programs most
}

// take gives out an entry: of the next few the one that is used least.
func (l *lasts) take() uint16 {
	const few = 8
	best := l.next % lastSize
	for i := range uint32(few) {
		if n := (l.next + i) % lastSize; l.uses[n] < l.uses[best] {
			best = n
		}
	}
	l.next = best + 1
	l.uses[best]++
	if l.given.Load() <= int32(best) {
		l.given.Store(int32(best) + 1)
	}
	return uint16(best)
}

// give gives entries back.
func (l *lasts) give(list []uint16) {
	for _, n := range list {
		l.uses[n]--
	}
}

// given are the entries of rl (0) or wl (1) that have been given out, and their pages.
func (c *context) given(which int) (pages []uint64, entries []lastEntry) {
	t, n := [...]*lastTable{&c.rl, &c.wl}[which], cache.lasts[which].given.Load()
	return t.pages[:n], t.entries[:n]
}

// forget empties the entries of a page.
func (c *context) forget(which int, page uint64) {
	pages, entries := c.given(which)
	for ; len(pages) >= 8; pages, entries = pages[8:], entries[8:] {
		p := (*[8]uint64)(pages) // one by one would take three times as long
		if p[0] == page || p[1] == page || p[2] == page || p[3] == page || p[4] == page || p[5] == page || p[6] == page || p[7] == page {
			forget(p[:], entries, page)
		}
	}
	forget(pages, entries, page)
}

func forget(pages []uint64, entries []lastEntry, page uint64) {
	for i, p := range pages {
		if p == page {
			entries[i].small, entries[i].large = 0, 0
		}
	}
}

// clearLast empties all entries.
func (c *context) clearLast(which int) {
	_, entries := c.given(which)
	clear(entries)
}

// clearTLB forgets all translations: one by one if they are few.
func (c *context) clearTLB() {
	c.clearWrites()
	c.clearCode()
	c.clearLarge()
	c.clearLast(0)
	if len(c.reads) == cap(c.reads) {
		emptyTLB(&c.rt)
		clear(c.pages[:])
	} else {
		for _, r := range c.reads {
			i := uint64(r.n % tlbSize)
			c.rt[i] = tlbEntry{page: noPage(i)}
			c.pages[r.page] = 0
		}
	}
	c.reads, c.crowded = c.reads[:0], false
}

// clearWrites forgets what may be written.
func (c *context) clearWrites() {
	c.stack = lastEntry{}
	c.clearLast(1)
	if len(c.writes) == cap(c.writes) {
		emptyTLB(&c.wt)
		clear(c.wf[:])
	} else {
		for _, n := range c.writes {
			i := uint64(n % tlbSize)
			c.wt[i], c.wf[i] = tlbEntry{page: noPage(i)}, 0
		}
	}
	c.writes = c.writes[:0]
}

// compactReads makes a full list of reads anew: much of it may be out of date, or there
// twice.
func (c *context) compactReads() {
	if len(c.reads) < cap(c.reads) || c.crowded {
		return
	}
	c.reads = c.reads[:0]
	c.clearLarge() // machine code fills with it what is not in the list
	for i := range c.rt {
		if c.rt[i].page != noPage(uint64(i)) {
			c.noteRead(uint64(i), 0)
		}
	}
	for i, mapped := range c.pages {
		if mapped != 0 {
			c.noteRead(0, int32(i))
		}
	}
	c.crowded = len(c.reads) == cap(c.reads)
}

// readEntry is an entry of rt and one of pages that are in use.
type readEntry struct {
	n    uint32
	page int32
}

// noteRead and noteWrite remember what was filled.
func (c *context) noteRead(n uint64, page int32) {
	if len(c.reads) < cap(c.reads) {
		c.reads = append(c.reads, readEntry{uint32(n), page})
	}
}

func (c *context) noteWrite(n uint64) {
	if len(c.writes) < cap(c.writes) {
		c.writes = append(c.writes, uint32(n))
	}
}
