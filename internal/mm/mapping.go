package mm

import "github.com/tinevm/tine/internal/linux"

// MapRequest is what mmap asks for.
type MapRequest struct {
	Addr      uint64 // where, if Fixed; otherwise a wish
	Len       uint64 // bytes, rounded up to pages
	Prot      Prot
	MaxProt   Prot // 0 means everything
	Flags     MapFlags
	Fixed     bool // MAP_FIXED: replaces what is there
	NoReplace bool // MAP_FIXED_NOREPLACE
	Low32     bool // MAP_32BIT
	Obj       Object
	Off       uint64
	Name      string
}

// maxMappings is vm.max_map_count: a guest cannot fill the host with areas.
const maxMappings = 1 << 20

// mmapMin is vm.mmap_min_addr.
const mmapMin = 1 << 16

func pageUp(n uint64) uint64 { return (n + pageMask) &^ pageMask }

// Map makes a mapping and returns its address (mmap(2)).
func (as *AddressSpace) Map(r MapRequest) (uint64, linux.Errno) {
	n := pageUp(r.Len)
	if r.Len == 0 {
		return 0, linux.EINVAL
	}
	if n == 0 || n > UserTop {
		return 0, linux.ENOMEM
	}
	addr, errno := as.place(&r, n)
	if errno != 0 {
		return 0, errno
	}
	if as.overAS(n) || as.vmas.tree.Len() >= maxMappings {
		return 0, linux.ENOMEM
	}
	v := VMA{Start: addr, End: addr + n, Prot: r.Prot, MaxProt: r.MaxProt, Flags: r.Flags, Obj: r.Obj, Off: r.Off, Name: r.Name}
	if v.MaxProt == 0 {
		v.MaxProt = ProtRead | ProtWrite | ProtExec
	}
	if v.counts() && (as.overData(n) || as.overcommit(&v)) {
		return 0, linux.ENOMEM
	}
	if r.Fixed {
		as.unmap(v.Start, v.End)
	}
	as.vmas = as.vmas.own()
	as.vmas.insert(v)
	return addr, 0
}

// place decides where a mapping of n bytes goes.
func (as *AddressSpace) place(r *MapRequest, n uint64) (uint64, linux.Errno) {
	if r.Fixed || r.NoReplace {
		switch {
		case r.Addr&pageMask != 0:
			return 0, linux.EINVAL
		case r.Addr > UserTop-n:
			return 0, linux.ENOMEM
		case r.Addr < mmapMin:
			return 0, linux.EPERM
		case r.NoReplace && !as.isFree(r.Addr, r.Addr+n):
			return 0, linux.EEXIST
		}
		return r.Addr, 0
	}
	if want := r.Addr &^ pageMask; want >= mmapMin && want <= UserTop-n && as.isFree(want, want+n) {
		return want, 0
	}
	if r.Low32 {
		return as.findHole(n, 0x8000_0000)
	}
	if as.hint > as.MmapBase || as.hintHole >= n {
		as.hint, as.hintHole = as.MmapBase, 0
	}
	addr, errno := as.findHole(n, as.hint)
	if errno == 0 {
		as.hint = addr
	}
	return addr, errno
}

// findHole finds the highest hole of n bytes that ends at or below top.
func (as *AddressSpace) findHole(n, top uint64) (addr uint64, errno linux.Errno) {
	end := top
	found := false
	as.vmas.tree.Descend(top-1, func(_ uint64, v VMA) bool {
		start := v.End
		if v.Start < end && start > end {
			start = end // v reaches over end
		}
		if end-start >= n && end >= start {
			found = true
			return false
		}
		if end > start {
			as.hintHole = max(as.hintHole, end-start)
		}
		end = min(end, stackGuard(&v))
		return true
	})
	if !found && (end < n || end-n < mmapMin) {
		return 0, linux.ENOMEM
	}
	return end - n, 0
}

// stackGuard is where space below v ends: stacks keep a gap to grow into.
func stackGuard(v *VMA) uint64 {
	const gap = 256 << PageShift
	if v.Flags&MapGrowsDown != 0 && v.Start > gap {
		return v.Start - gap
	}
	return v.Start
}

func (as *AddressSpace) isFree(start, end uint64) bool {
	free := true
	as.vmas.overlap(start, end, func(VMA) bool {
		free = false
		return false
	})
	return free
}

func (as *AddressSpace) overAS(n uint64) bool {
	return as.Limits.AS != ^uint64(0) && as.vmas.pages<<PageShift+n > as.Limits.AS
}

func (as *AddressSpace) overData(n uint64) bool {
	return as.Limits.Data != ^uint64(0) && as.vmas.data<<PageShift+n > as.Limits.Data
}

// overcommit is Linux's heuristic (vm.overcommit_memory=0): a single request
// that exceeds the machine's whole memory is refused.
func (as *AddressSpace) overcommit(v *VMA) bool {
	return v.Flags&MapNoReserve == 0 && as.acct != nil && int64(v.Len()>>PageShift) > as.acct.top().limit
}

// Unmap removes all mappings of [addr, addr+n) (munmap(2)).
func (as *AddressSpace) Unmap(addr, n uint64) linux.Errno {
	n = pageUp(n)
	if addr&pageMask != 0 || n == 0 || addr > UserTop || n > UserTop-addr {
		return linux.EINVAL
	}
	as.unmap(addr, addr+n)
	return 0
}

// unmap removes the mappings and the pages of [start, end).
func (as *AddressSpace) unmap(start, end uint64) {
	if as.isFree(start, end) {
		return
	}
	as.vmas = as.vmas.own()
	// The pages go before the areas: an area may hold the last reference on
	// the object whose frames the page table names.
	as.dropPages(start, end)
	as.vmas.remove(start, end)
	if end > as.hint {
		as.hint, as.hintHole = max(as.hint, end), 0
	}
}

// dropPages forgets all translations of [start, end).
func (as *AddressSpace) dropPages(start, end uint64) {
	c := as.translated(start, end)
	if c.n == 0 {
		return
	}
	as.quiesce()
	as.mu.Lock()
	defer as.mu.Unlock()
	as.clearRange(start, end)
	as.flush(&c)
}

// Protect changes the protection of [addr, addr+n) (mprotect(2)).
func (as *AddressSpace) Protect(addr, n uint64, prot Prot) linux.Errno {
	if addr&pageMask != 0 {
		return linux.EINVAL
	}
	n = pageUp(n)
	if n == 0 {
		return 0
	}
	end := addr + n
	if end > UserTop || end < addr {
		return linux.ENOMEM
	}
	// Linux changes what comes before the first problem, then reports it.
	stop, errno := as.checkProtect(addr, end, prot)
	if stop > addr {
		as.protect(addr, stop, prot)
	}
	return errno
}

// checkProtect finds how far a change of protection is possible.
func (as *AddressSpace) checkProtect(start, end uint64, prot Prot) (stop uint64, errno linux.Errno) {
	if as.vmas.tree.Len() >= maxMappings {
		return start, linux.ENOMEM
	}
	stop = start
	var grow uint64
	as.vmas.overlap(start, end, func(v VMA) bool {
		if v.Start > stop {
			return false // a hole
		}
		if prot&^v.MaxProt != 0 {
			errno = linux.EACCES
			return false
		}
		if v.private() && v.Prot&ProtWrite == 0 && prot&ProtWrite != 0 {
			grow += min(v.End, end) - stop
			if as.overData(grow) {
				errno = linux.ENOMEM
				return false
			}
		}
		stop = min(v.End, end)
		return true
	})
	if errno == 0 && stop < end {
		errno = linux.ENOMEM
	}
	return stop, errno
}

func (as *AddressSpace) protect(start, end uint64, prot Prot) {
	same := true
	as.vmas.overlap(start, end, func(v VMA) bool {
		same = same && v.Prot == prot
		return same
	})
	if same {
		return
	}
	as.vmas = as.vmas.own()
	for _, v := range as.vmas.remove(start, end) {
		v.Prot = prot
		as.vmas.insert(v)
	}
	c := as.translated(start, end)
	if c.n == 0 {
		return
	}
	as.quiesce()
	as.mu.Lock()
	defer as.mu.Unlock()
	bits := prot.pteBits()
	as.change(start, end, func(e pte) pte {
		nb := bits
		if e&(pteShared|pteFile) == pteShared|pteFile {
			nb &^= pteWrite // the next write makes it dirty
		}
		return e&^pteProt | nb
	})
	as.flush(&c)
}

// SetBrk moves the end of the heap and returns where it is then (brk(2)).
func (as *AddressSpace) SetBrk(to uint64) uint64 {
	if to < as.BrkStart || to > UserTop {
		return as.Brk
	}
	old, next := pageUp(as.Brk), pageUp(to)
	switch {
	case next < old:
		as.unmap(next, old)
	case next > old:
		n := next - old
		if !as.isFree(old, next+PageSize) || as.overAS(n) || as.overData(n) {
			return as.Brk
		}
		v := VMA{Start: old, End: next, Prot: ProtRead | ProtWrite, MaxProt: ProtRead | ProtWrite | ProtExec, Name: "[heap]"}
		if as.overcommit(&v) {
			return as.Brk
		}
		if as.LockFuture {
			v.Flags |= MapLocked
		}
		as.vmas = as.vmas.own()
		as.vmas.insert(v)
	}
	as.Brk = to
	return to
}

// Remap resizes and possibly moves a mapping (mremap(2)).
func (as *AddressSpace) Remap(old, oldLen, newLen uint64, flags uint64, newAddr uint64) (uint64, linux.Errno) {
	const known = linux.MREMAP_MAYMOVE | linux.MREMAP_FIXED | linux.MREMAP_DONTUNMAP
	fixed, keep := flags&linux.MREMAP_FIXED != 0, flags&linux.MREMAP_DONTUNMAP != 0
	move := flags&linux.MREMAP_MAYMOVE != 0
	oldLen, newLen = pageUp(oldLen), pageUp(newLen)
	if flags&^known != 0 || old&pageMask != 0 || newLen == 0 || (fixed || keep) && !move || keep && oldLen != newLen {
		return 0, linux.EINVAL
	}
	if fixed && (newAddr&pageMask != 0 || newAddr > UserTop-newLen || old < newAddr+newLen && newAddr < old+oldLen) {
		return 0, linux.EINVAL
	}
	v, ok := as.FindVMA(old)
	if !ok {
		return 0, linux.EFAULT
	}
	if oldLen == 0 {
		// The classic way to map shared memory a second time.
		if v.private() || !move {
			return 0, linux.EINVAL
		}
	} else if v.End < old+oldLen {
		return 0, linux.EFAULT
	}
	if !fixed && !keep && newLen <= oldLen {
		if newLen < oldLen {
			as.unmap(old+newLen, old+oldLen)
		}
		return old, 0
	}
	if newLen > oldLen && (as.overAS(newLen-oldLen) || v.counts() && as.overData(newLen-oldLen)) {
		return 0, linux.ENOMEM
	}
	if !fixed && !keep && oldLen != 0 && v.End == old+oldLen && old+newLen <= UserTop && as.isFree(v.End, old+newLen) {
		w := v
		w.Start, w.End = v.End, old+newLen
		w.Off = v.Off + v.Len()
		as.vmas = as.vmas.own()
		as.vmas.insert(w)
		return old, 0
	}
	if !move {
		return 0, linux.ENOMEM
	}
	return as.moveMapping(v.cut(old, old+max(oldLen, PageSize)), oldLen, newLen, fixed, keep, newAddr)
}

// moveMapping moves src, which starts where the old mapping does, to a new
// place with its pages.
func (as *AddressSpace) moveMapping(src VMA, oldLen, newLen uint64, fixed, keep bool, to uint64) (uint64, linux.Errno) {
	r := MapRequest{Addr: to, Len: newLen, Prot: src.Prot, MaxProt: src.MaxProt, Flags: src.Flags, Fixed: fixed, Obj: src.Obj, Off: src.Off, Name: src.Name}
	to, errno := as.Map(r)
	if errno != 0 {
		return 0, errno
	}
	as.movePages(src.Start, to, min(oldLen, newLen))
	if oldLen != 0 && !keep {
		as.unmap(src.Start, src.Start+oldLen)
	}
	return to, 0
}

// movePages moves the translations of n bytes.
func (as *AddressSpace) movePages(from, to, n uint64) {
	if n == 0 {
		return
	}
	type moved struct {
		va uint64
		e  pte
	}
	var list []moved
	as.present(from, from+n, func(va uint64, e pte, _, _ bool) bool {
		list = append(list, moved{va, e})
		return true
	})
	if len(list) == 0 {
		return
	}
	as.quiesce()
	as.mu.Lock()
	defer as.mu.Unlock()
	// The references are taken before they are dropped: a frame with one must
	// not be freed in between.
	for _, m := range list {
		m.e.frame().Get()
		at := m.va - from + to
		p, _ := as.ownPath(at, true)
		as.set(p, at, m.e, true)
	}
	as.clearRange(from, from+n)
	as.newGen()
}

// Discard drops the pages of [addr, addr+n): private memory reads as zero or
// as the file again (madvise(MADV_DONTNEED)). ENOMEM tells of holes.
func (as *AddressSpace) Discard(addr, n uint64) linux.Errno {
	end := addr + n
	next, holes := addr, false
	as.vmas.overlap(addr, end, func(v VMA) bool {
		holes = holes || v.Start > next
		next = v.End
		return true
	})
	as.dropPages(addr, end)
	if holes || next < end {
		return linux.ENOMEM
	}
	return 0
}

// SetFlags sets and clears flags of the mappings of [addr, addr+n).
func (as *AddressSpace) SetFlags(addr, n uint64, set, clear MapFlags) linux.Errno {
	if as.vmas.tree.Len() >= maxMappings && set|clear != 0 {
		return linux.ENOMEM
	}
	end := addr + n
	next, holes := addr, false
	as.vmas = as.vmas.own()
	for _, v := range as.vmas.remove(addr, end) {
		holes = holes || v.Start > next
		next = v.End
		v.Flags = v.Flags&^clear | set
		as.vmas.insert(v)
	}
	as.dontFork = as.dontFork || set&(MapDontFork|MapWipeFork|MapLocked) != 0
	if holes || next < end {
		return linux.ENOMEM
	}
	return 0
}

// Rename names the anonymous mappings of [addr, addr+n) as PR_SET_VMA does.
func (as *AddressSpace) Rename(addr, n uint64, name string) {
	as.vmas = as.vmas.own()
	for _, v := range as.vmas.remove(addr, addr+n) {
		if v.Obj == nil {
			v.Name = name
		}
		as.vmas.insert(v)
	}
}

// Present reports for each page of [addr, addr+n) whether it is in memory
// (mincore(2)).
func (as *AddressSpace) Present(addr, n uint64) []byte {
	vec := make([]byte, n>>PageShift)
	as.present(addr, addr+n, func(va uint64, _ pte, _, _ bool) bool {
		vec[(va-addr)>>PageShift] = 1
		return true
	})
	as.vmas.overlap(addr, addr+n, func(v VMA) bool {
		if v.Obj == nil {
			return true
		}
		for va := max(v.Start, addr); va < min(v.End, addr+n); va += PageSize {
			if v.Obj.Cache().Has((v.Off + va - v.Start) >> PageShift) {
				vec[(va-addr)>>PageShift] = 1
			}
		}
		return true
	})
	return vec
}
