//go:build !linux

package mm

import "unsafe"

// The hints of arena_linux.go.

func hostHuge(unsafe.Pointer, uintptr)     {}
func hostPopulate(unsafe.Pointer, uintptr) {}
