//go:build !race

package mm

import (
	"sync/atomic"
	"unsafe"
)

// ReleaseUint64 and ReleasePointer store what others load with the methods of
// package atomic. Who sees the value sees all that was stored before it; unlike
// after Store, loads that follow may be done earlier. It is a store like any other
// on this processor (Intel SDM vol. 3, 9.2.2), whereas Store waits until all
// earlier ones are done, which takes as long as some twenty instructions.

func ReleaseUint64(p *atomic.Uint64, v uint64) { *(*uint64)(unsafe.Pointer(p)) = v }

func ReleasePointer[T any](p *atomic.Pointer[T], v *T) { *(**T)(unsafe.Pointer(p)) = v }
