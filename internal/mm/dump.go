package mm

// What a core file needs to know of memory. Protections do not count, and
// nothing is faulted in.

// Resident finds the first page of [va, end) that has contents in memory: its
// address and the contents, valid until the kernel lock is released. A page that
// has only been read, and so is zero, does not count.
func (as *AddressSpace) Resident(va, end uint64) (at uint64, page []byte, ok bool) {
	as.present(va, end, func(p uint64, e pte, _, _ bool) bool {
		if f := e.frame(); f != zeroFrame && !f.Gone() {
			at, page, ok = p, f.Bytes(), true
		}
		return !ok
	})
	return at, page, ok
}

// Written reports whether [start, end) has pages of its own: anonymous memory
// that was written to, or copies of a file's pages.
func (as *AddressSpace) Written(start, end uint64) (written bool) {
	as.present(start, end, func(_ uint64, e pte, _, _ bool) bool {
		written = e&pteFile == 0 && e.frame() != zeroFrame
		return !written
	})
	return written
}

// Quiesce makes all processors leave the address space, so that the registers
// of the tasks that were there are up to date. The kernel lock is held.
func (as *AddressSpace) Quiesce() { as.quiesce() }
