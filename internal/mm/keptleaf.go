package mm

import "math/bits"

// A page cache keeps leaves of page tables that map nothing but its pages, so that who
// maps the same pages in the same way, as the next process of a program does, takes the
// leaf and not its entries one by one. What is in a kept leaf is what the cache has of
// its range: when pages come or go the leaves are given up.
//
// The entries of a kept leaf have no references on their frames: those of the cache do.
// Nobody writes through them, since a leaf with more than one owner is copied first.

// keptRange is what a kept leaf maps.
type keptRange struct {
	first  uint64 // page of the file at entry lo
	lo, hi uint8  // entries of the leaf; hi is not among them
	bits   pte
}

// keptAlways is how many leaves are kept even of a small file. A guest may map it in many
// ways.
const keptAlways = 4

// keptRangeOf is the part of the leaf of page that v maps; idx is the file's page there.
func keptRangeOf(v *VMA, page, idx uint64, bits pte) keptRange {
	base := page >> leafShift << leafShift
	start, end := max(base, v.Start), min(base+1<<leafShift, v.End)
	lo, hi := (start-base)>>PageShift, (end-base)>>PageShift
	return keptRange{idx - (page-start)>>PageShift, uint8(lo), uint8(hi), bits}
}

// mayKeep reports whether leaves of v may be kept ones: v is private, and it does not
// matter what others have mapped before (Account.ReadAround).
func (as *AddressSpace) mayKeep(v *VMA) bool {
	return v.private() && (as.acct == nil || !as.acct.ReadAround)
}

// keptRef is the reference of a cache on a leaf that it keeps. It may go at any time:
// caches of files of the host are those of all machines.
const keptRef = 1 << 30

func (h *nodeHeader) kept() bool { return h.refs.Load() >= keptRef }

// owners is the number of page tables that have the node, if their paths have one owner
// each. A page cache does not count.
func (h *nodeHeader) owners() int32 { return h.refs.Load() % keptRef }

// keep makes the cache keep a copy of h, which maps the range. It returns that with a
// reference for the caller, or 0. No account pays for it: the cache may be that of more
// machines than one, and its files have far more pages than leaves.
func (c *PageCache) keep(r keptRange, h *nodeHeader) node {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept[r] != 0 || len(c.kept) >= keptAlways+c.pages.len()/nodeSize*2 || !c.hasAll(r, h) {
		return 0
	}
	leaf, ok := (*Account)(nil).newNode(h.len(), false)
	if !ok {
		return 0
	}
	k := leaf.header()
	k.pages, k.bits = h.pages, h.bits
	copy(k.entries(), h.entries())
	k.refs.Store(keptRef + 1)
	if c.kept == nil {
		c.kept = make(map[keptRange]node)
	}
	c.kept[r] = leaf
	return leaf
}

// hasAll reports whether the pages in a leaf are still those of the cache.
func (c *PageCache) hasAll(r keptRange, h *nodeHeader) bool {
	for b, e := h.bits, h.entries(); b != 0; b, e = b&(b-1), e[1:] {
		at := r.first + uint64(bits.TrailingZeros64(b)) - uint64(r.lo)
		if p, _ := c.pages.get(at); p.frame != pte(e[0]).frame() {
			return false
		}
	}
	return true
}

// take returns the leaf that is kept of a range, with a reference on it for the caller,
// or 0.
func (c *PageCache) take(r keptRange) node {
	c.mu.Lock()
	defer c.mu.Unlock()
	leaf := c.kept[r]
	if leaf != 0 {
		leaf.header().refs.Add(1)
	}
	return leaf
}

// changed gives up the leaves, because pages come or go.
func (c *PageCache) changed() {
	if len(c.kept) == 0 {
		return
	}
	for _, leaf := range c.kept {
		for _, e := range leaf.header().entries() {
			pte(e).frame().Get()
		}
		leaf.leave(leafLevel, keptRef)
	}
	clear(c.kept)
}

// keepLeaf has a cache keep a copy of the leaf of page, which takes its place. p is the
// owned path, and in the leaf is nothing but pages of the cache.
func (as *AddressSpace) keepLeaf(p *path, page uint64, cache *PageCache, r keptRange) {
	leaf := cache.keep(r, p.leaf())
	if leaf == 0 {
		return
	}
	for _, e := range p.leaf().entries() {
		pte(e).frame().Put()
	}
	as.replaceLeaf(p, page, leaf)
}

// Prefault maps the leaves that the page cache keeps of [start, end), which has just been
// mapped: what its first faults would bring.
func (as *AddressSpace) Prefault(start, end uint64) {
	v, ok := as.vmas.find(start)
	if !ok || v.Obj == nil || !as.mayKeep(&v) {
		return
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	cache, bits := v.Obj.Cache(), v.Prot.pteBits()|pteFile
	for page := start; page < end; page = (page>>leafShift + 1) << leafShift {
		r := keptRangeOf(&v, page, (v.Off+page-v.Start)>>PageShift, bits)
		leaf := cache.take(r)
		if leaf == 0 {
			continue
		}
		if p, ok := as.ownPath(page, false); ok && p.leaf().bits == 0 {
			as.link(p, page, leaf)
		} else {
			leaf.leave(leafLevel, 1)
		}
	}
}

// takeLeaf makes a kept leaf that of page, if there is one with it. p is the owned path,
// whose leaf is empty.
func (as *AddressSpace) takeLeaf(p *path, page uint64, cache *PageCache, r keptRange) bool {
	leaf := cache.take(r)
	if leaf == 0 {
		return false
	}
	if leaf.header().slot(index(page, leafLevel)) == nil {
		leaf.leave(leafLevel, 1)
		return false
	}
	as.link(p, page, leaf)
	return true
}

// link makes a kept leaf the one of page, whose owned path is p and whose leaf is empty.
func (as *AddressSpace) link(p *path, page uint64, leaf node) {
	for _, n := range p[:leafLevel] {
		n.header().pages += leaf.header().pages
	}
	as.replaceLeaf(p, page, leaf)
	as.notePeak()
}

// replaceLeaf puts a kept leaf, which has a reference for that, in the place of the one
// of page, whose owned path is p and whose entries have no references.
func (as *AddressSpace) replaceLeaf(p *path, page uint64, leaf node) {
	*p[leafLevel-1].header().slot(index(page, leafLevel-1)) = uint32(leaf)
	p[leafLevel].free()
	as.recent.pathOf = 0
	*as.recent.leafOf(page) = recentLeaf{leafID(page), leaf, false}
}
