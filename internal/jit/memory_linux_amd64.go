package jit

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/mm"
)

// codeSize is the room for machine code of the whole host process. When it is
// full everything is thrown away.
const codeSize = 64 << 20

// codeMemory is mapped twice, so that no address is both writable and
// executable.
type codeMemory struct {
	w []byte  // to be written
	x uintptr // to be executed: where w[0] is
	// counts, by the number of a block, are in reach of the code: how often it
	// may still run before it is hot.
	counts []int32

	// What is below used is in use, and what is below ready somebody makes or has
	// made ready: what the host makes at once is cheaper than page by page.
	used  int32
	ready atomic.Int32
}

// Memory for code is made ready in steps. That for the first code, of which a
// small program needs most, is made in smaller ones while the machine is being set
// up.
const (
	codeStep  = 1 << 18
	firstCode = 2 * codeStep
	firstStep = 1 << 16
)

func (m *codeMemory) open() error {
	fd, err := unix.MemfdCreate("tine-jit", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("jit: no memory for code: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, codeSize); err != nil {
		return fmt.Errorf("jit: no memory for code: %w", err)
	}
	if m.w, err = unix.Mmap(fd, 0, codeSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("jit: no memory for code: %w", err)
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
		return fmt.Errorf("jit: no executable memory: %w", err)
	}
	m.x = uintptr(x)
	return nil
}

// countFrom is the displacement of the count of block n from a position.
func (m *codeMemory) countFrom(pos int32, n uint32) int32 { return codeSize + 4*int32(n) - pos }

// word returns the aligned word at an offset, to be patched while others
// execute it: the displacement of a jump or of a memory operand.
func (m *codeMemory) word(off int32) *uint32 {
	return (*uint32)(unsafe.Pointer(&m.w[off]))
}

// prepare makes memory of the next n bytes. What will be needed next is made
// meanwhile: on another processor, if there is one.
func (m *codeMemory) prepare(n int32) {
	m.readyUpTo(m.used + n)
	at := m.ready.Load()
	if at >= firstCode && at < codeSize && m.used+n > at-codeStep/2 && m.ready.CompareAndSwap(at, at+codeStep) {
		go m.populate(at, codeStep)
	}
}

// readyUpTo makes what is below end ready, but for what somebody else is about to.
func (m *codeMemory) readyUpTo(end int32) {
	for {
		at := m.ready.Load()
		if at >= min(end, codeSize) {
			return
		}
		step := int32(firstStep)
		if at >= firstCode {
			step = codeStep
		}
		if m.ready.CompareAndSwap(at, at+step) {
			m.populate(at, step)
		}
	}
}

// populate makes memory of a part. It is only to save time: older kernels do not
// know it.
func (m *codeMemory) populate(at, n int32) {
	mm.Populate(unsafe.Pointer(&m.w[at]), uintptr(n), unix.MADV_POPULATE_WRITE)
	mm.Populate(unsafe.Add(unsafe.Pointer(nil), m.x+uintptr(at)), uintptr(n), unix.MADV_POPULATE_READ)
}

// full reports whether a block may not find room.
func (m *codeMemory) full() bool { return m.used+codeMargin > codeSize }
