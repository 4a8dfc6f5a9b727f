//go:build !linux

package mm

import "unsafe"

// There is no way to make memory ready.

func hostPopulate(unsafe.Pointer, uintptr) {}

func (a *frameArena) populate(Frame) {}
