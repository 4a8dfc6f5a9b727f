//go:build !amd64 || race

package mm

import "sync/atomic"

// ReleaseUint64 and ReleasePointer store what others load with the methods of
// package atomic. Who sees the value sees all that was stored before it.

func ReleaseUint64(p *atomic.Uint64, v uint64) { p.Store(v) }

func ReleasePointer[T any](p *atomic.Pointer[T], v *T) { p.Store(v) }
