package mm

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// hostReserve takes address space without memory.
func hostReserve(n uintptr) (unsafe.Pointer, error) {
	p, err := windows.VirtualAlloc(0, n, windows.MEM_RESERVE, windows.PAGE_NOACCESS)
	return toPointer(p), err
}

// hostCommit makes zeroed memory of reserved address space.
func hostCommit(p unsafe.Pointer, n uintptr) error {
	_, err := windows.VirtualAlloc(uintptr(p), n, windows.MEM_COMMIT, windows.PAGE_READWRITE)
	return err
}

// hostDiscard gives memory back and reports whether it now reads zero.
func hostDiscard(p unsafe.Pointer, n uintptr) bool {
	if windows.VirtualFree(uintptr(p), n, windows.MEM_DECOMMIT) != nil {
		return false
	}
	_, err := windows.VirtualAlloc(uintptr(p), n, windows.MEM_COMMIT, windows.PAGE_READWRITE)
	return err == nil
}

// toPointer converts an address the system gave; it is off the Go heap.
func toPointer(p uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&p))
}
