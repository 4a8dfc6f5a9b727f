package mm

// FaultResult says how a page fault ended.
type FaultResult uint8

const (
	// FaultOK: the access can be tried again.
	FaultOK FaultResult = iota
	// FaultMapErr: nothing is mapped there (SIGSEGV, SEGV_MAPERR).
	FaultMapErr
	// FaultAccErr: the mapping does not allow it (SIGSEGV, SEGV_ACCERR).
	FaultAccErr
	// FaultBus: beyond the end of the mapped file (SIGBUS, BUS_ADRERR).
	FaultBus
	// FaultOOM: the machine's memory limit is reached.
	FaultOOM
)

// Fault makes the page at va usable for acc: fills it, copies it if it is
// shared, or extends a stack. major reports whether the page had to be read
// from its file.
func (as *AddressSpace) Fault(va uint64, acc Access) (res FaultResult, major bool) {
	if va >= UserTop {
		return FaultMapErr, false
	}
	v, ok := as.vmas.find(va)
	if ok && va < v.Start {
		v, ok = as.growStack(v, va)
	}
	if !ok {
		return FaultMapErr, false
	}
	if !v.Prot.pteBits().allowsAll(acc) {
		return FaultAccErr, false
	}
	page := va &^ pageMask
	if acc&AccessWrite != 0 && v.private() && as.elsewhere() && as.wouldCopy(page) {
		as.quiesce()
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	p, ok := as.ownPath(page, false)
	if !ok {
		return FaultOOM, false
	}
	e := p.get(page)
	if e != 0 && e.frame().Gone() {
		// The file was cut off here; it may have grown again.
		as.mu.Unlock()
		as.dropPages(page, page+PageSize)
		as.mu.Lock()
		if p, ok = as.ownPath(page, false); !ok {
			return FaultOOM, false
		}
		e = 0
	}
	if e != 0 {
		return as.upgrade(p, page, e, &v, acc), false
	}
	return as.fill(p, page, &v, acc)
}

// allowsAll is allows for bits that are not an entry.
func (p pte) allowsAll(acc Access) bool { return p&pte(acc) == pte(acc) }

// wouldCopy reports whether a present translation of page will change when it
// is written.
func (as *AddressSpace) wouldCopy(page uint64) bool {
	leaf, owned := as.find(page)
	if leaf == 0 {
		return false
	}
	e := pte(leaf.header().get(index(page, leafLevel)))
	return e != 0 && !(owned && e.frame().Refs() == 1)
}

// upgrade handles a fault on a present page, whose path is owned.
func (as *AddressSpace) upgrade(p *path, page uint64, e pte, v *VMA, acc Access) FaultResult {
	bits := e&(pteShared|pteFile) | v.Prot.pteBits()
	switch {
	case acc&AccessWrite == 0:
		// Another thread was faster, or the entry's protection is stale.
	case !v.private():
		if _, err := as.dirtyShared(v, page); err {
			return FaultBus
		}
	case e.frame().Refs() > 1:
		// Copy-on-write: the frame has other owners.
		return as.copyPage(p, page, e, v)
	}
	h, i := p.leaf(), index(page, leafLevel)
	*h.slot(i) = uint32(makePTE(e.frame(), bits))
	if acc&AccessWrite != 0 {
		h.old &^= 1 << i // this fault is told
	}
	return FaultOK
}

// copyPage gives the address space its own copy of a page.
func (as *AddressSpace) copyPage(p *path, page uint64, e pte, v *VMA) FaultResult {
	f, ok := as.copyFrame(page, e.frame(), e&pteFile != 0)
	if !ok {
		return FaultOOM
	}
	as.set(p, page, makePTE(f, v.Prot.pteBits()), false) // in the entry's place
	as.flushPage(page, e&pteExec != 0)
	return FaultOK
}

// copyFrame makes a copy of the frame of a page; file means that the frame is a
// page cache's.
func (as *AddressSpace) copyFrame(page uint64, from Frame, file bool) (f Frame, ok bool) {
	if f, ok = as.acct.alloc(from == zeroFrame); !ok || from == zeroFrame {
		return f, ok
	}
	copy(f.Bytes(), from.Bytes())
	if as.acct != nil && as.acct.OnCopy != nil {
		as.acct.OnCopy(as, page, file)
	}
	return f, true
}

// dirtyShared tells the page cache that a shared page is about to be written.
func (as *AddressSpace) dirtyShared(v *VMA, page uint64) (Frame, bool) {
	f, errno := v.Obj.Cache().Page((v.Off+page-v.Start)>>PageShift, true)
	if errno != 0 {
		return 0, true
	}
	f.Put() // the entry has its own reference
	return f, false
}

// fill handles a fault on an absent page.
func (as *AddressSpace) fill(p *path, page uint64, v *VMA, acc Access) (FaultResult, bool) {
	bits := v.Prot.pteBits()
	write := acc&AccessWrite != 0
	if v.Obj == nil {
		f, ok := zeroFrame, true
		if write {
			f, ok = as.acct.alloc(true)
		}
		return as.install(p, page, f, bits, ok), false
	}
	cache := v.Obj.Cache()
	idx := (v.Off + page - v.Start) >> PageShift
	r := keptRangeOf(v, page, idx, bits|pteFile)
	keeps := !write && as.mayKeep(v) && p.leaf().bits == 0
	if keeps && as.takeLeaf(p, page, cache, r) {
		return FaultOK, false
	}
	major := !cache.has(idx)
	f, errno := cache.Page(idx, write && !v.private())
	switch {
	case errno == nomem:
		return FaultOOM, false
	case errno != 0:
		return FaultBus, false
	}
	ok := true
	switch {
	case write && v.private():
		cached := f
		f, ok = as.copyFrame(page, cached, true)
		cached.Put()
	case write:
		bits |= pteFile | pteShared
	case v.private():
		bits |= pteFile
	default:
		bits = bits&^pteWrite | pteFile | pteShared // the first write makes it dirty
	}
	res := as.install(p, page, f, bits, ok)
	if res == FaultOK && !write {
		as.fillAround(p, page, v, cache, idx)
		as.notePeak()
		if keeps {
			as.keepLeaf(p, page, cache, r)
		}
	}
	return res, major
}

// install makes f, if it could be had, the frame of an absent page.
func (as *AddressSpace) install(p *path, page uint64, f Frame, bits pte, had bool) FaultResult {
	if !had {
		return FaultOOM
	}
	if !as.set(p, page, makePTE(f, bits), false) {
		f.Put()
		return FaultOOM
	}
	as.notePeak()
	return FaultOK
}

// fillAround maps the neighbours that the page cache has anyway, so that a
// program's start takes fewer faults: all that are in the same leaf. Linux maps
// those in the same 64 KiB (fault_around_bytes).
func (as *AddressSpace) fillAround(p *path, page uint64, v *VMA, cache *PageCache, idx uint64) {
	const around = 1 << leafShift
	bits := v.Prot.pteBits() | pteFile
	if !v.private() {
		bits = bits&^pteWrite | pteShared
	}
	base := page &^ (around - 1)
	first, end := max(base, v.Start), min(base+around, v.End)
	read := as.acct != nil && as.acct.ReadAround
	if n := int(end-first) >> PageShift; !as.makeRoom(p, page, n) {
		return // it is only to save time
	}
	h, before := p.leaf(), p.leaf().len()
	cache.around(idx-(page-first)>>PageShift, (end-first)>>PageShift, read, func(i uint64, f Frame) {
		if at := index(first+i<<PageShift, leafLevel); h.slot(at) == nil {
			h.old &^= 1 << at
			h.insert(at, uint32(makePTE(f.Get(), bits)))
		}
	})
	for _, n := range p {
		n.header().pages += uint32(h.len() - before)
	}
}

// growStack extends the stack v, the first area above va, down to va if it is
// one and RLIMIT_STACK and the gap below allow it.
func (as *AddressSpace) growStack(v VMA, va uint64) (VMA, bool) {
	const guardGap = 256 << PageShift // stack_guard_gap
	start := va &^ pageMask
	if v.Flags&MapGrowsDown == 0 || v.End-start > as.Limits.Stack {
		return v, false
	}
	if below, ok := as.vmas.prev(v.Start); ok && below.End+guardGap > start && below.Flags&MapGrowsDown == 0 {
		return v, false
	}
	grow := v.Start - start
	if as.overAS(grow) {
		return v, false
	}
	as.vmas = as.vmas.own()
	as.vmas.insert(VMA{Start: start, End: v.Start, Prot: v.Prot, MaxProt: v.MaxProt, Flags: v.Flags, Name: v.Name})
	return as.vmas.find(va)
}

func (as *AddressSpace) notePeak() { as.peakPages = max(as.peakPages, as.pages()) }
