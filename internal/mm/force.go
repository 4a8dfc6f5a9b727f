package mm

import "github.com/tinevm/tine/internal/linux"

// A debugger's access ignores the protection of a page as long as the mapping
// could be given another: it reads what is PROT_NONE, and what it writes into
// private memory becomes that process's own (ptrace(2), proc(5)).

// ForceCopyIn is CopyIn for a debugger.
func (as *AddressSpace) ForceCopyIn(va uint64, p []byte) (n int, errno linux.Errno) {
	return as.forceCopy(va, len(p), AccessRead, func(at int, s []byte) int { return copy(p[at:], s) })
}

// ForceCopyOut is CopyOut for a debugger.
func (as *AddressSpace) ForceCopyOut(va uint64, p []byte) (n int, errno linux.Errno) {
	return as.forceCopy(va, len(p), AccessWrite, func(at int, s []byte) int { return copy(s, p[at:]) })
}

func (as *AddressSpace) forceCopy(va uint64, n int, acc Access, move func(at int, s []byte) int) (done int, errno linux.Errno) {
	for done < n {
		at := va + uint64(done)
		restore, ok := as.lift(at, acc)
		if !ok {
			return done, linux.EFAULT
		}
		s := as.Slice(at, n-done, acc)
		k := move(done, s)
		restore()
		if k == 0 {
			return done, linux.EFAULT
		}
		done += k
	}
	return done, 0
}

// lift gives the page of va the protection that acc needs, if it lacks it, until
// restore is called.
func (as *AddressSpace) lift(va uint64, acc Access) (restore func(), ok bool) {
	v, found := as.FindVMA(va)
	if !found {
		return nil, false
	}
	if v.Prot.pteBits().allowsAll(acc) {
		return func() {}, true
	}
	need := ProtRead
	if acc&AccessWrite != 0 {
		need |= ProtWrite
		if !v.private() {
			return nil, false
		}
	}
	if v.MaxProt&need != need {
		return nil, false
	}
	page := va &^ pageMask
	as.protect(page, page+PageSize, v.Prot|need)
	return func() { as.protect(page, page+PageSize, v.Prot) }, true
}
