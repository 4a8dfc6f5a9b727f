package mm

import "sync/atomic"

// A page table has six levels of 64 entries: four of tables, one of leaf
// directories, one of leaves; 6*6+12 = 48 bits. Small nodes keep the copying of
// a path cheap: about 3 KiB after a fork, instead of 16 KiB with 512 entries.
const (
	nodeBits    = 6
	nodeSize    = 1 << nodeBits
	nodeMask    = nodeSize - 1
	leafShift   = PageShift            // bits below a leaf's index
	dirShift    = leafShift + nodeBits // 18
	tableShift  = dirShift + nodeBits  // 24: the lowest level of tables
	rootShift   = tableShift + 3*nodeBits
	tableLevels = 4
)

// UserTop is the end of the user half of the address space.
const UserTop = 1 << 47

// pte is a leaf entry: a frame and what may be done with it. Zero is absent.
type pte uint64

const (
	pteRead   pte = 1 << 0
	pteWrite  pte = 1 << 1
	pteExec   pte = 1 << 2
	pteShared pte = 1 << 3 // MAP_SHARED: written in place, never copied
	pteFile   pte = 1 << 4 // the frame is a page cache's
	// ptePresent is set in every entry that names a frame: a PROT_NONE page
	// keeps its contents.
	ptePresent pte = 1 << 5
	pteProt        = pteRead | pteWrite | pteExec
)

func makePTE(f Frame, bits pte) pte { return pte(f)<<PageShift | bits | ptePresent }

func (p pte) frame() Frame { return Frame(p >> PageShift) }

// allows reports whether the entry's protection permits acc.
func (p pte) allows(acc Access) bool {
	// The bits of Access and of the protection are the same.
	return p&pte(acc) == pte(acc)
}

// leaf maps 64 pages.
type leaf struct {
	refs  atomic.Int32
	pages int32 // present entries
	pte   [nodeSize]pte
}

// dir maps 64 leaves.
type dir struct {
	refs  atomic.Int32
	pages int32
	kids  [nodeSize]*leaf
}

// table maps 64 tables, or 64 dirs on the lowest of its levels.
type table struct {
	refs  atomic.Int32
	pages int32
	kids  [nodeSize]*table
	dirs  *[nodeSize]*dir // lowest level only
}

func index(va uint64, shift uint) uint64 { return va >> shift & nodeMask }

// path is the way from the root to the leaf of an address. Levels that do not
// exist are nil.
type path struct {
	tables [tableLevels]*table
	dir    *dir
	leaf   *leaf
}

// find walks to va's leaf without changing anything. owned reports whether
// every node on the way has one owner.
func (t *table) find(va uint64) (l *leaf, owned bool) {
	owned = true
	shift := uint(rootShift)
	for {
		if t.refs.Load() != 1 {
			owned = false
		}
		if shift == tableShift {
			break
		}
		if t = t.kids[index(va, shift)]; t == nil {
			return nil, false
		}
		shift -= nodeBits
	}
	d := t.dirs[index(va, tableShift)]
	if d == nil {
		return nil, false
	}
	l = d.kids[index(va, dirShift)]
	if l == nil {
		return nil, false
	}
	return l, owned && d.refs.Load() == 1 && l.refs.Load() == 1
}

func newTable(lowest bool) *table {
	t := new(table)
	t.refs.Store(1)
	if lowest {
		t.dirs = new([nodeSize]*dir)
	}
	return t
}

// own returns a version of t that has one owner: t itself, or a copy that takes
// a reference on each child and leaves t to its other owners. The reference on
// t goes last: an engine that sees t with one owner may take the counts below
// it for final.
func (t *table) own() *table {
	if t.refs.Load() == 1 {
		return t
	}
	c := &table{pages: t.pages, kids: t.kids}
	c.refs.Store(1)
	for _, k := range c.kids {
		if k != nil {
			k.refs.Add(1)
		}
	}
	if t.dirs != nil {
		dirs := *t.dirs
		c.dirs = &dirs
		for _, d := range dirs {
			if d != nil {
				d.refs.Add(1)
			}
		}
	}
	t.refs.Add(-1)
	return c
}

func (d *dir) own() *dir {
	if d.refs.Load() == 1 {
		return d
	}
	c := &dir{pages: d.pages, kids: d.kids}
	c.refs.Store(1)
	for _, l := range c.kids {
		if l != nil {
			l.refs.Add(1)
		}
	}
	d.refs.Add(-1)
	return c
}

func (l *leaf) own() *leaf {
	if l.refs.Load() == 1 {
		return l
	}
	c := &leaf{pages: l.pages, pte: l.pte}
	c.refs.Store(1)
	for _, p := range c.pte {
		if p != 0 {
			p.frame().Get()
		}
	}
	l.refs.Add(-1)
	return c
}

// ownPath makes every node on the way to va exist and have one owner.
func (as *AddressSpace) ownPath(va uint64) (p path) {
	as.root = as.root.own()
	t := as.root
	p.tables[0] = t
	for i, shift := 1, uint(rootShift); i < tableLevels; i, shift = i+1, shift-nodeBits {
		slot := &t.kids[index(va, shift)]
		if *slot == nil {
			*slot = newTable(i == tableLevels-1)
		} else {
			*slot = (*slot).own()
		}
		t = *slot
		p.tables[i] = t
	}
	dslot := &t.dirs[index(va, tableShift)]
	if *dslot == nil {
		*dslot = new(dir)
		(*dslot).refs.Store(1)
	} else {
		*dslot = (*dslot).own()
	}
	p.dir = *dslot
	lslot := &p.dir.kids[index(va, dirShift)]
	if *lslot == nil {
		*lslot = new(leaf)
		(*lslot).refs.Store(1)
	} else {
		*lslot = (*lslot).own()
	}
	p.leaf = *lslot
	return p
}

// count adds n present pages to every node of the path.
func (p *path) count(n int32) {
	for _, t := range p.tables {
		t.pages += n
	}
	p.dir.pages += n
	p.leaf.pages += n
}

// set stores an entry that takes over the caller's reference on its frame, and
// drops the reference of the entry it replaces.
func (p *path) set(va uint64, e pte) {
	slot := &p.leaf.pte[index(va, leafShift)]
	old := *slot
	*slot = e
	switch {
	case old == 0 && e != 0:
		p.count(1)
	case old != 0 && e == 0:
		p.count(-1)
	}
	if old != 0 {
		old.frame().Put()
	}
}

// put drops a reference on the tree below t; the last one lets its pages go.
func (t *table) put() {
	if t.refs.Add(-1) > 0 {
		return
	}
	if t.dirs != nil {
		for _, d := range t.dirs {
			if d != nil {
				d.put()
			}
		}
		return
	}
	for _, k := range t.kids {
		if k != nil {
			k.put()
		}
	}
}

func (d *dir) put() {
	if d.refs.Add(-1) > 0 {
		return
	}
	for _, l := range d.kids {
		if l != nil {
			l.put()
		}
	}
}

func (l *leaf) put() {
	if l.refs.Add(-1) > 0 || l.pages == 0 {
		return
	}
	for _, p := range l.pte {
		if p != 0 {
			p.frame().Put()
		}
	}
}

// clearRange removes all entries of [start, end), whole subtrees at a time
// where they lie inside. Nodes above the range are owned first.
func (as *AddressSpace) clearRange(start, end uint64) {
	if as.root.pages == 0 || start >= end {
		return
	}
	as.root = as.root.own()
	as.root.clear(0, rootShift, start, end)
}

// clear removes the entries of [start, end) below t, which is owned and whose
// first address is base. It returns the number of pages removed.
func (t *table) clear(base uint64, shift uint, start, end uint64) (n int32) {
	lo, hi := slots(base, shift, start, end)
	for i := lo; i <= hi; i++ {
		at := base + i<<shift
		whole := start <= at && at+1<<shift <= end
		if shift > tableShift {
			n += t.clearTable(&t.kids[i], whole, at, shift-nodeBits, start, end)
		} else {
			n += clearDir(&t.dirs[i], whole, at, start, end)
		}
	}
	t.pages -= n
	return n
}

func (t *table) clearTable(slot **table, whole bool, at uint64, shift uint, start, end uint64) (n int32) {
	k := *slot
	if k == nil || k.pages == 0 && !whole {
		return 0
	}
	if whole {
		n = k.pages
		k.put()
		*slot = nil
		return n
	}
	*slot = k.own()
	return (*slot).clear(at, shift, start, end)
}

func clearDir(slot **dir, whole bool, at, start, end uint64) (n int32) {
	d := *slot
	if d == nil || d.pages == 0 && !whole {
		return 0
	}
	if whole {
		n = d.pages
		d.put()
		*slot = nil
		return n
	}
	d = d.own()
	*slot = d
	lo, hi := slots(at, dirShift, start, end)
	for i := lo; i <= hi; i++ {
		n += clearLeaf(&d.kids[i], at+i<<dirShift, start, end)
	}
	d.pages -= n
	return n
}

func clearLeaf(slot **leaf, at, start, end uint64) (n int32) {
	l := *slot
	if l == nil {
		return 0
	}
	if start <= at && at+1<<dirShift <= end {
		n = l.pages
		l.put()
		*slot = nil
		return n
	}
	if l.pages == 0 {
		return 0
	}
	l = l.own()
	*slot = l
	lo, hi := slots(at, leafShift, start, end)
	for i := lo; i <= hi; i++ {
		if e := l.pte[i]; e != 0 {
			l.pte[i] = 0
			e.frame().Put()
			n++
		}
	}
	l.pages -= n
	return n
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
// until it returns false.
func (as *AddressSpace) present(start, end uint64, fn func(va uint64, e pte, owned bool) bool) {
	if start < end {
		as.root.present(0, rootShift, start, end, true, fn)
	}
}

func (t *table) present(base uint64, shift uint, start, end uint64, owned bool, fn func(uint64, pte, bool) bool) bool {
	owned = owned && t.refs.Load() == 1
	lo, hi := slots(base, shift, start, end)
	for i := lo; i <= hi; i++ {
		at := base + i<<shift
		if shift > tableShift {
			if k := t.kids[i]; k != nil && k.pages > 0 && !k.present(at, shift-nodeBits, start, end, owned, fn) {
				return false
			}
		} else if d := t.dirs[i]; d != nil && d.pages > 0 && !d.present(at, start, end, owned, fn) {
			return false
		}
	}
	return true
}

func (d *dir) present(base, start, end uint64, owned bool, fn func(uint64, pte, bool) bool) bool {
	owned = owned && d.refs.Load() == 1
	lo, hi := slots(base, dirShift, start, end)
	for i := lo; i <= hi; i++ {
		l := d.kids[i]
		if l == nil || l.pages == 0 {
			continue
		}
		at := base + i<<dirShift
		first, last := slots(at, leafShift, start, end)
		for j := first; j <= last; j++ {
			if e := l.pte[j]; e != 0 && !fn(at+j<<leafShift, e, owned && l.refs.Load() == 1) {
				return false
			}
		}
	}
	return true
}
