package jit

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// codeSize is the room for machine code of the whole host process. When it is
// full everything is thrown away. The ways of hot blocks are by themselves, in the
// first hotSize bytes: what runs all the time then is dense in the host's caches.
const (
	codeSize = 64 << 20
	hotSize  = 16 << 20
)

// region is a part of the code memory: what is below used is in use, and what is
// below ready the host has made memory of. What it makes at once is cheaper than
// page by page.
type region struct{ used, ready, end int32 }

// codeMemory is mapped twice, so that no address is both writable and
// executable.
type codeMemory struct {
	w []byte  // to be written
	x uintptr // to be executed: where w[0] is
	// counts, by the number of a block, are in reach of the code: how often it
	// may still run before it is hot.
	counts []int32

	hot, rest region
}

// Memory for code is made in steps. That for the first code, of which a small
// program needs most, is made in smaller ones while the machine is being set up.
const (
	codeStep  = 1 << 18
	firstCode = 2 * codeStep
	firstStep = 1 << 16
)

func newCodeMemory() (m codeMemory, err error) {
	fd, err := unix.MemfdCreate("tine-jit", unix.MFD_CLOEXEC)
	if err != nil {
		return m, fmt.Errorf("jit: no memory for code: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, codeSize); err != nil {
		return m, fmt.Errorf("jit: no memory for code: %w", err)
	}
	if m.w, err = unix.Mmap(fd, 0, codeSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return m, fmt.Errorf("jit: no memory for code: %w", err)
	}
	// The counts come after the code.
	const countSize = 4 * maxBlocks
	x, err := unix.MmapPtr(-1, 0, nil, codeSize+countSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err == nil {
		m.counts = unsafe.Slice((*int32)(unsafe.Add(x, codeSize)), maxBlocks)
		x, err = unix.MmapPtr(fd, 0, x, codeSize, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_SHARED|unix.MAP_FIXED)
	}
	if err != nil {
		unix.Munmap(m.w)
		return m, fmt.Errorf("jit: no executable memory: %w", err)
	}
	m.x = uintptr(x)
	m.hot, m.rest = region{end: hotSize}, region{used: hotSize, ready: hotSize + firstCode, end: codeSize}
	go func() {
		for at := int32(0); at < firstCode; at += firstStep {
			m.populate(hotSize+at, firstStep)
		}
	}()
	return m, nil
}

// countFrom is the displacement of the count of block n from a position.
func (m *codeMemory) countFrom(pos int32, n uint32) int32 { return codeSize + 4*int32(n) - pos }

// word returns the aligned word at an offset, to be patched while others
// execute it: the displacement of a jump or of a memory operand.
func (m *codeMemory) word(off int32) *uint32 {
	return (*uint32)(unsafe.Pointer(&m.w[off]))
}

// prepare makes memory of the next n bytes of a region. What will be needed next is
// made meanwhile: on another processor, if there is one.
func (m *codeMemory) prepare(r *region, n int32) {
	if r.used+n > r.ready {
		m.populate(r.ready, codeStep)
		r.ready += codeStep
	}
	if at := r.ready; r.used+n > at-codeStep/2 && at < r.end {
		r.ready += codeStep
		go m.populate(at, codeStep)
	}
}

// populate makes memory of a part. It is only to save time: older kernels do not
// know it.
func (m *codeMemory) populate(at, n int32) {
	unix.Madvise(m.w[at:at+n], unix.MADV_POPULATE_WRITE)
	unix.Madvise(unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(nil), m.x+uintptr(at))), n), unix.MADV_POPULATE_READ)
}

// full reports whether a block may not find room.
func (r *region) full() bool { return r.used+codeMargin > r.end }
