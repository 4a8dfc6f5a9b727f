package mm

// A page cache keeps leaves of page tables that map nothing but its pages, so that who
// maps the same pages in the same way, as the next process of a program does, takes the
// leaf and not its entries one by one. What is in a kept leaf is all that the cache had of
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

// maxKept limits the leaves that a cache keeps: a guest may map in many ways.
const maxKept = 256

// keptRangeOf is the part of the leaf of page that v maps; idx is the file's page there.
func keptRangeOf(v *VMA, page, idx uint64, bits pte) keptRange {
	base := page >> leafShift << leafShift
	start, end := max(base, v.Start), min(base+1<<leafShift, v.End)
	lo, hi := (start-base)>>PageShift, (end-base)>>PageShift
	return keptRange{idx - (page-start)>>PageShift, uint8(lo), uint8(hi), bits}
}

// owners is the number of page tables that have the node, if their paths have one owner
// each. A page cache does not count.
func (h *nodeHeader) owners() int32 {
	n := h.refs.Load()
	if h.kept {
		n--
	}
	return n
}

// keep makes the cache keep a leaf, which maps the range.
func (c *PageCache) keep(r keptRange, leaf node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept[r] != 0 || len(c.kept) >= maxKept {
		return
	}
	if c.kept == nil {
		c.kept = make(map[keptRange]node)
	}
	h := leaf.header()
	for _, e := range h.entries() {
		pte(e).frame().Put()
	}
	h.refs.Add(1)
	h.kept = true
	c.kept[r] = leaf
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
	var b freeBatch
	for _, leaf := range c.kept {
		h := leaf.header()
		for _, e := range h.entries() {
			pte(e).frame().Get()
		}
		h.kept = false
		leaf.put(leafLevel, &b)
	}
	b.flush()
	clear(c.kept)
}

// keepLeaf has a cache keep the leaf of page, whose path p is owned and which has nothing
// but pages of it.
func (as *AddressSpace) keepLeaf(p *path, page uint64, cache *PageCache, r keptRange) {
	cache.keep(r, p[leafLevel])
	as.recent.pathOf = 0
	*as.recent.leafOf(page) = recentLeaf{leafID(page), p[leafLevel], false}
}

// Prefault maps the leaves that the page cache keeps of [start, end), which is a private
// mapping just made and not of a fork's: what its first faults would bring.
func (as *AddressSpace) Prefault(start, end uint64) {
	v, ok := as.vmas.find(start)
	if !ok || v.Obj == nil || !v.private() {
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
			leaf.put(leafLevel, nil) // it is kept
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
		leaf.put(leafLevel, nil) // it is kept
		return false
	}
	as.link(p, page, leaf)
	return true
}

// link makes a kept leaf, which has a reference for that, the one of page. p is the owned
// path, whose leaf is empty.
func (as *AddressSpace) link(p *path, page uint64, leaf node) {
	*p[leafLevel-1].header().slot(index(page, leafLevel-1)) = uint32(leaf)
	p[leafLevel].free()
	for _, n := range p[:leafLevel] {
		n.header().pages += leaf.header().pages
	}
	as.recent.pathOf = 0
	*as.recent.leafOf(page) = recentLeaf{leafID(page), leaf, false}
	as.notePeak()
}
