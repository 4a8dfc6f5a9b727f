package mm

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/tinevm/tine/internal/linux"
)

// Slice returns the host memory of the guest's [va, va+n), as far as it lies
// in the page of va, usable for acc; it is faulted in if need be. The slice is
// valid until the kernel lock is released. An empty result means EFAULT.
func (as *AddressSpace) Slice(va uint64, n int, acc Access) []byte {
	f, ok := as.Lookup(va, acc)
	if !ok {
		if res, _ := as.Fault(va, acc); res != FaultOK {
			return nil
		}
		as.faults.Add(1)
		if f, ok = as.Lookup(va, acc); !ok {
			return nil
		}
	}
	if acc&AccessWrite != 0 {
		f.willWrite()
	}
	in := int(va & pageMask)
	return f.Bytes()[in:min(in+n, PageSize)]
}

// CopyIn copies the guest's memory at va to p. n is how much could be copied.
func (as *AddressSpace) CopyIn(va uint64, p []byte) (n int, errno linux.Errno) {
	for n < len(p) {
		s := as.Slice(va+uint64(n), len(p)-n, AccessRead)
		if len(s) == 0 {
			return n, linux.EFAULT
		}
		n += copy(p[n:], s)
	}
	return n, 0
}

// CopyOut copies p to the guest's memory at va. n is how much could be copied.
func (as *AddressSpace) CopyOut(va uint64, p []byte) (n int, errno linux.Errno) {
	for n < len(p) {
		s := as.Slice(va+uint64(n), len(p)-n, AccessWrite)
		if len(s) == 0 {
			return n, linux.EFAULT
		}
		n += copy(s, p[n:])
	}
	return n, 0
}

// CopyInString copies the NUL-terminated string at va. It returns
// ENAMETOOLONG if it is longer than limit bytes, without the NUL.
func (as *AddressSpace) CopyInString(va uint64, limit int) (string, linux.Errno) {
	var buf []byte
	for len(buf) <= limit {
		s := as.Slice(va+uint64(len(buf)), PageSize, AccessRead)
		if len(s) == 0 {
			return "", linux.EFAULT
		}
		for i, b := range s {
			if b != 0 {
				continue
			}
			if len(buf)+i > limit {
				return "", linux.ENAMETOOLONG
			}
			if buf == nil {
				return string(s[:i]), 0
			}
			return string(append(buf, s[:i]...)), 0
		}
		buf = append(buf, s...)
	}
	return "", linux.ENAMETOOLONG
}

// Zero clears the guest's [va, va+n).
func (as *AddressSpace) Zero(va, n uint64) linux.Errno {
	for n > 0 {
		s := as.Slice(va, int(min(n, PageSize)), AccessWrite)
		if len(s) == 0 {
			return linux.EFAULT
		}
		clear(s)
		va, n = va+uint64(len(s)), n-uint64(len(s))
	}
	return 0
}

// Uint32 and PutUint32 access one aligned word atomically with respect to
// guest code on other processors.
func (as *AddressSpace) Uint32(va uint64) (uint32, linux.Errno) {
	p, errno := as.word(va, AccessRead)
	if errno != 0 {
		return 0, errno
	}
	return toLittle(atomic.LoadUint32(p)), 0
}

// PutUint32 stores one aligned word.
func (as *AddressSpace) PutUint32(va uint64, v uint32) linux.Errno {
	p, errno := as.word(va, AccessRead|AccessWrite)
	if errno != 0 {
		return errno
	}
	atomic.StoreUint32(p, toLittle(v))
	return 0
}

// CompareAndSwap32 replaces the aligned word at va if it is old.
func (as *AddressSpace) CompareAndSwap32(va uint64, old, v uint32) (bool, linux.Errno) {
	p, errno := as.word(va, AccessRead|AccessWrite)
	if errno != 0 {
		return false, errno
	}
	return atomic.CompareAndSwapUint32(p, toLittle(old), toLittle(v)), 0
}

func (as *AddressSpace) word(va uint64, acc Access) (*uint32, linux.Errno) {
	if va&3 != 0 {
		return nil, linux.EINVAL
	}
	s := as.Slice(va, 4, acc)
	if len(s) < 4 {
		return nil, linux.EFAULT
	}
	return (*uint32)(unsafe.Pointer(&s[0])), 0
}

// toLittle converts between the host's order and the guest's.
func toLittle(v uint32) uint32 {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], v)
	return binary.LittleEndian.Uint32(b[:])
}

// Key identifies a word of memory for futexes: the same word of shared memory
// has the same key in every address space (futex(2)).
type Key struct {
	Obj  any // the address space of private memory, the object of shared memory
	Addr uint64
}

// FutexKey returns the key of the word at va.
func (as *AddressSpace) FutexKey(va uint64, private bool) (Key, linux.Errno) {
	if va&3 != 0 {
		return Key{}, linux.EINVAL
	}
	if va >= UserTop {
		return Key{}, linux.EFAULT
	}
	if private {
		return Key{as, va}, 0
	}
	v, ok := as.FindVMA(va)
	if !ok {
		return Key{}, linux.EFAULT
	}
	if v.private() || v.Obj == nil {
		return Key{as, va}, 0
	}
	return Key{v.Obj.Cache(), v.Off + va - v.Start}, 0
}
