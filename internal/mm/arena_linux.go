package mm

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hostHuge asks for huge pages: a fault of the host costs more than all else
// that a first touch by the guest does, and so there is one for 512 frames.
func hostHuge(p unsafe.Pointer, n uintptr) {
	unix.Madvise(unsafe.Slice((*byte)(p), n), unix.MADV_HUGEPAGE)
}

// hostPopulate takes the faults of memory that is about to be used all at once
// (Linux 5.14). It helps where there are no huge pages; elsewhere it does
// nothing, and neither does its failing.
func hostPopulate(p unsafe.Pointer, n uintptr) {
	unix.Madvise(unsafe.Slice((*byte)(p), n), unix.MADV_POPULATE_WRITE)
}
