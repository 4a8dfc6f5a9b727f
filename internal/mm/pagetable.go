package mm

import "math/bits"

// A page table has six levels of nodes with 64 entries: 6*6+12 = 48 bits. Small
// nodes keep the copying of a path cheap: about 1 KiB after a fork, instead of
// 16 KiB with 512 entries of 64 bits.
const (
	nodeBits = 6
	nodeSize = 1 << nodeBits
	nodeMask = nodeSize - 1

	levels    = 6
	leafLevel = levels - 1
	leafShift = PageShift + nodeBits // what a leaf maps, 256 KiB
)

// UserTop is the end of the user half of the address space.
const UserTop = 1 << 47

// shiftOf gives the number of address bits below the index of a level.
func shiftOf(level int) uint { return PageShift + nodeBits*uint(leafLevel-level) }

func index(va uint64, level int) uint64 { return va >> shiftOf(level) & nodeMask }

// pte is a leaf entry: a frame and what may be done with it. Zero is absent. A
// PROT_NONE page keeps its entry, and so its contents.
type pte uint32

const (
	pteRead   pte = 1 << 0
	pteWrite  pte = 1 << 1
	pteExec   pte = 1 << 2
	pteShared pte = 1 << 3 // MAP_SHARED: written in place, never copied
	pteFile   pte = 1 << 4 // the frame is a page cache's
	pteProt       = pteRead | pteWrite | pteExec
	pteShift      = 6 // of the frame: 26 bits, see maxFrames
)

func makePTE(f Frame, bits pte) pte { return pte(f)<<pteShift | bits }

func (p pte) frame() Frame { return Frame(p >> pteShift) }

// allows reports whether the entry's protection permits acc.
func (p pte) allows(acc Access) bool {
	// The bits of Access and of the protection are the same.
	return p&pte(acc) == pte(acc)
}

// path is the way from the root to the leaf of an address.
type path [levels]node

func (p *path) leaf() *nodeHeader { return p[leafLevel].header() }

// get is the entry of va, 0 if it is absent.
func (p *path) get(va uint64) pte { return pte(p.leaf().get(index(va, leafLevel))) }

// find walks to va's leaf without changing anything; 0 means there is none.
// owned reports whether every node on the way has one owner.
func (as *AddressSpace) find(va uint64) (leaf node, owned bool) {
	n, owned := as.root, true
	for level := 0; ; level++ {
		h := n.header()
		owned = owned && h.refs.Load() == 1
		if level == leafLevel {
			return n, owned
		}
		if n = node(h.get(index(va, level))); n == 0 {
			return 0, false
		}
	}
}

// recent remembers the leaf of the last address in each of a few regions, and
// the path that the last fault has owned. What is remembered as owned stays so
// until the next fork; what is not may have become owned since. Nodes leave the
// page table only where forget is called or the entry is replaced.
type recent struct {
	leaves [16]recentLeaf
	path   path
	pathOf uint32 // of which leaf; 0: none
}

type recentLeaf struct {
	of    uint32 // of which leaf; 0: none
	leaf  node
	owned bool
}

// leafID numbers leaves by address, from 1.
func leafID(va uint64) uint32 { return uint32(va>>leafShift) + 1 }

func (r *recent) leafOf(va uint64) *recentLeaf { return &r.leaves[leafID(va)%uint32(len(r.leaves))] }

func (as *AddressSpace) forget() { as.recent = recent{} }

// leafOf is find with a memory, which must not be seen: what is not owned is
// looked at again by who wants to write. as.mu is held.
func (as *AddressSpace) leafOf(va uint64, write bool) (leaf node, owned bool) {
	r, of := as.recent.leafOf(va), leafID(va)
	if r.of != of || write && !r.owned {
		leaf, owned = as.find(va)
		if leaf == 0 {
			return 0, false
		}
		*r = recentLeaf{of, leaf, owned}
	}
	return r.leaf, r.owned
}

// ownedNow is whether the path to va has one owner, for a leaf that is remembered
// without: what an engine may write must not depend on when it last looked.
func (as *AddressSpace) ownedNow(va uint64) bool {
	leaf, owned := as.find(va)
	*as.recent.leafOf(va) = recentLeaf{leafID(va), leaf, owned}
	return owned
}

// own returns a version of n that has one owner: n itself, or a copy that takes
// a reference on each child and leaves n to its other owners. The reference on
// n goes last: an engine that sees n with one owner may take the counts below
// it for final. ok is false as for newNode.
func (as *AddressSpace) own(n node, level int, force bool) (_ node, ok bool) {
	h := n.header()
	if h.refs.Load() == 1 {
		return n, true
	}
	c, ok := as.acct.newNode(h.len(), force)
	if !ok {
		return 0, false
	}
	ch := c.header()
	ch.pages, ch.bits = h.pages, h.bits
	copy(ch.entries(), h.entries())
	for _, e := range ch.entries() {
		if level == leafLevel {
			pte(e).frame().Get()
		} else {
			node(e).header().refs.Add(1)
		}
	}
	n.leave(level, 1) // the last reference, if a page cache has given it up meanwhile
	return c, true
}

// ownPath makes every node on the way to va exist and have one owner, and
// returns the path, which is good until the next call. as.mu is held. ok is
// false as for newNode; nodes that were made by then do no harm.
func (as *AddressSpace) ownPath(va uint64, force bool) (p *path, ok bool) {
	p = &as.recent.path
	of := leafID(va)
	if as.recent.pathOf == of {
		return p, true
	}
	as.recent.pathOf = 0
	if p[0], ok = as.own(as.root, 0, force); !ok {
		return nil, false
	}
	as.root = p[0]
	for level := range leafLevel {
		i := index(va, level)
		var child node
		if slot := p[level].header().slot(i); slot != nil {
			if child, ok = as.own(node(*slot), level+1, force); !ok {
				return nil, false
			}
			*slot = uint32(child)
		} else {
			if child, ok = as.acct.newNode(1, force); !ok {
				return nil, false
			}
			if !as.addEntry(p, level, i, uint32(child), force) {
				child.free()
				return nil, false
			}
		}
		p[level+1] = child
	}
	p.leaf().meet(as.epoch)
	as.recent.pathOf = of
	*as.recent.leafOf(va) = recentLeaf{of, p[leafLevel], true}
	return p, true
}

// addEntry adds entry i to the node of a level of p, which moves to a larger
// place if it is full. The path is owned down to there.
func (as *AddressSpace) addEntry(p *path, level int, i uint64, v uint32, force bool) bool {
	if p[level].header().full() && !as.enlarge(p, level, 1, force) {
		return false
	}
	p[level].header().insert(i, v)
	return true
}

// enlarge moves the node of a level of p, which is owned down to there, to a place
// that has room for n more entries. ok is false as for newNode.
func (as *AddressSpace) enlarge(p *path, level, n int, force bool) (ok bool) {
	old := p[level]
	h := old.header()
	c, ok := as.acct.newNode(h.len()+n, force)
	if !ok {
		return false
	}
	ch := c.header()
	ch.pages, ch.bits, ch.old, ch.epoch = h.pages, h.bits, h.old, h.epoch
	copy(ch.entries(), h.entries())
	if level == 0 {
		as.root = c
	} else {
		up := p[level-1].header()
		for k, e := range up.entries() {
			if e == uint32(old) {
				*up.at(k) = uint32(c)
			}
		}
	}
	old.free()
	p[level] = c
	return true
}

// makeRoom makes the leaf of va, whose path p is owned, have room for n more
// entries. ok is false as for newNode.
func (as *AddressSpace) makeRoom(p *path, va uint64, n int) (ok bool) {
	n = min(n, nodeSize-p.leaf().len())
	if p.leaf().len()+n <= p.leaf().capacity() {
		return true
	}
	if !as.enlarge(p, leafLevel, n, false) {
		return false
	}
	*as.recent.leafOf(va) = recentLeaf{leafID(va), p[leafLevel], true}
	return true
}

// set stores an entry that takes over the caller's reference on its frame, and
// drops the reference of the entry it replaces. p is the owned path of va. ok is
// false as for newNode, in which case the caller keeps its reference.
func (as *AddressSpace) set(p *path, va uint64, e pte, force bool) (ok bool) {
	i := index(va, leafLevel)
	h := p.leaf()
	h.old &^= 1 << i
	if slot := h.slot(i); slot != nil {
		old := pte(*slot)
		*slot = uint32(e)
		old.frame().Put()
		return true
	}
	if !as.addEntry(p, leafLevel, i, uint32(e), force) {
		return false
	}
	*as.recent.leafOf(va) = recentLeaf{leafID(va), p[leafLevel], true}
	for _, n := range p {
		n.header().pages++
	}
	return true
}

// meet brings old up to date. The path of h is owned.
func (h *nodeHeader) meet(epoch uint32) {
	if h.epoch != epoch {
		h.epoch, h.old = epoch, ^uint64(0)
	}
}

// put drops a reference on the tree below n; the last one lets its pages go.
func (n node) put(level int, b *freeBatch) {
	if n.header().refs.Add(-1) == 0 {
		n.release(level, b)
	}
}

// leave is put for a single tree, and any number of references.
func (n node) leave(level int, refs int32) {
	if n.header().refs.Add(-refs) == 0 {
		var b freeBatch
		n.release(level, &b)
		b.flush()
	}
}

// release lets go what nobody has any more.
func (n node) release(level int, b *freeBatch) {
	for _, e := range n.header().entries() {
		if level == leafLevel {
			b.put(pte(e).frame())
		} else {
			node(e).put(level+1, b)
		}
	}
	n.free()
}

// anyPresent reports whether a page of [start, end) is present.
func (as *AddressSpace) anyPresent(start, end uint64) (found bool) {
	as.present(start, end, func(uint64, pte, bool, bool) bool {
		found = true
		return false
	})
	return found
}

// clearRange removes all entries of [start, end), whole subtrees at a time
// where they lie inside, and nodes that have become empty. There are some.
// as.mu is held.
func (as *AddressSpace) clearRange(start, end uint64) {
	as.forget()
	as.root, _ = as.own(as.root, 0, true)
	var b freeBatch
	as.clear(as.root, 0, 0, start, end, &b)
	b.flush()
}

// clear removes the entries of [start, end) below n, which is owned and whose
// first address is base. It returns the number of pages removed.
func (as *AddressSpace) clear(n node, level int, base, start, end uint64, b *freeBatch) (pages uint32) {
	h := n.header()
	var gone uint64
	shift := shiftOf(level)
	for i := range h.within(base, shift, start, end) {
		slot := h.slot(i)
		if level == leafLevel {
			b.put(pte(*slot).frame())
			gone |= 1 << i
			pages++
			continue
		}
		child, at := node(*slot), base+i<<shift
		if start > at || end < at+1<<shift {
			child, _ = as.own(child, level+1, true)
			*slot = uint32(child)
			pages += as.clear(child, level+1, at, start, end, b)
			if child.header().bits != 0 {
				continue
			}
		} else {
			pages += child.header().pages
		}
		child.put(level+1, b)
		gone |= 1 << i
	}
	h.remove(gone)
	h.pages -= pages
	return pages
}

// within gives the indices of the entries that are there and that [start, end)
// touches, in order. base is the first address of the node.
func (h *nodeHeader) within(base uint64, shift uint, start, end uint64) func(func(uint64) bool) {
	lo, hi := slots(base, shift, start, end)
	set := h.bits >> lo << lo & (2<<hi - 1)
	return func(yield func(uint64) bool) {
		for ; set != 0; set &= set - 1 {
			if !yield(uint64(bits.TrailingZeros64(set))) {
				return
			}
		}
	}
}

// slots gives the first and last index of the node at base that [start, end)
// touches.
func slots(base uint64, shift uint, start, end uint64) (lo, hi uint64) {
	if start > base {
		lo = (start - base) >> shift
	}
	return lo, min((end-1-base)>>shift, nodeMask)
}

// present calls fn for every present entry in [start, end) in order of address,
// until it returns false. owned means that its path has one owner, and kept that it is
// in a leaf that a page cache keeps.
func (as *AddressSpace) present(start, end uint64, fn func(va uint64, e pte, owned, kept bool) bool) {
	if start < end {
		as.root.present(0, 0, start, end, true, fn)
	}
}

func (n node) present(level int, base, start, end uint64, owned bool, fn func(uint64, pte, bool, bool) bool) bool {
	h := n.header()
	owned = owned && h.owners() == 1
	shift := shiftOf(level)
	for i := range h.within(base, shift, start, end) {
		at := base + i<<shift
		if level == leafLevel {
			if !fn(at, pte(h.get(i)), owned, h.kept()) {
				return false
			}
		} else if !node(h.get(i)).present(level+1, at, start, end, owned, fn) {
			return false
		}
	}
	return true
}

// change replaces every present entry of [start, end) by what fn makes of it,
// which must not be 0 nor name another frame. as.mu is held.
func (as *AddressSpace) change(start, end uint64, fn func(e pte) pte) {
	as.forget()
	as.root, _ = as.own(as.root, 0, true)
	as.changeBelow(as.root, 0, 0, start, end, fn)
}

func (as *AddressSpace) changeBelow(n node, level int, base, start, end uint64, fn func(e pte) pte) {
	h := n.header()
	shift := shiftOf(level)
	for i := range h.within(base, shift, start, end) {
		slot := h.slot(i)
		if level == leafLevel {
			*slot = uint32(fn(pte(*slot)))
			continue
		}
		child, _ := as.own(node(*slot), level+1, true)
		*slot = uint32(child)
		as.changeBelow(child, level+1, base+i<<shift, start, end, fn)
	}
}

// size is the number of bytes that n and the nodes below it take.
func (n node) size(level int) uint64 {
	h := n.header()
	size := uint64(nodeClasses[h.class] * unitSize)
	if level < leafLevel {
		for _, e := range h.entries() {
			size += node(e).size(level + 1)
		}
	}
	return size
}

// private is the number of pages below n that nobody else has. Nodes with another owner are not entered.
func (n node) private(level int) (pages uint64) {
	h := n.header()
	if h.owners() > 1 {
		return 0
	}
	for _, e := range h.entries() {
		if level < leafLevel {
			pages += node(e).private(level + 1)
		} else if pte(e).alone(h.kept()) {
			pages++
		}
	}
	return pages
}

// alone reports whether the entry, perhaps of a kept leaf, is the only one of its frame,
// which is no mere zeros. A page cache does not count.
func (p pte) alone(kept bool) bool {
	return p.owners(kept) == 1 && p.frame() != zeroFrame
}

// owners is the number of page tables that the entry's frame is in, as far as its
// references tell: not by how many the entry's own leaf is shared.
func (p pte) owners(kept bool) int {
	n := p.frame().Refs()
	if p&pteFile != 0 && !kept {
		n-- // the page cache's own; it is the only one that a kept leaf has
	}
	return n
}
