//go:build unix

package mm

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hostReserve takes address space without memory.
func hostReserve(n uintptr) (unsafe.Pointer, error) {
	flags := unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE
	return unix.MmapPtr(-1, 0, nil, n, unix.PROT_NONE, flags)
}

// hostCommit makes zeroed memory of reserved address space.
func hostCommit(p unsafe.Pointer, n uintptr) error {
	return unix.Mprotect(unsafe.Slice((*byte)(p), n), unix.PROT_READ|unix.PROT_WRITE)
}

// hostDiscard gives memory back and reports whether it now reads zero.
func hostDiscard(p unsafe.Pointer, n uintptr) bool {
	b := unsafe.Slice((*byte)(p), n)
	if runtime.GOOS == "linux" {
		return unix.Madvise(b, unix.MADV_DONTNEED) == nil
	}
	// Elsewhere MADV_DONTNEED is a hint that may keep the contents.
	unix.Madvise(b, unix.MADV_FREE)
	return false
}
