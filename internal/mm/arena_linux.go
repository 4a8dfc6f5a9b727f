package mm

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// A page fault of the host costs more than all else that a first touch by the
// guest does. So memory is made ready in steps, of huge pages where the host has
// them: one for 512 frames.
const (
	hugeFrames = hugeSize >> PageShift
	// slowHuge is how long a huge page may take, in ns: as long as small ones do.
	slowHuge = 1_000_000
	// smallBlocks is how many blocks are made of small pages after a slow one.
	smallBlocks = 15
)

// hostPopulate makes memory ready (Linux 5.14; before that it does nothing, and
// neither does its failing).
func hostPopulate(p unsafe.Pointer, n uintptr) { Populate(p, n, unix.MADV_POPULATE_WRITE) }

// Populate is madvise(2) for a part of memory that takes some 100 us. Go's
// scheduler is not told: it would give the processor to another thread, often a
// new one, which costs as much.
func Populate(p unsafe.Pointer, n uintptr, advice int) {
	unix.RawSyscall(unix.SYS_MADVISE, uintptr(p), n, uintptr(advice))
}

// populate makes a step of memory ready, which begins at frame f.
//
// In a virtual machine a huge page can be the slowest way to memory: the ones
// that are free may be those that its host has taken back, each small page of
// which must be fetched again, whereas small pages come from what was in use a
// moment ago. So the time is looked at. It is no business of the guest's.
func (a *frameArena) populate(f Frame) {
	const step = populateFrames << PageShift
	if f%hugeFrames != 0 {
		hostPopulate(f.Addr(), step)
		return
	}
	if a.small > 0 {
		a.small--
		hostPopulate(f.Addr(), step)
		return
	}
	before := threadTime()
	unix.Madvise(unsafe.Slice((*byte)(f.Addr()), hugeSize), unix.MADV_HUGEPAGE)
	hostPopulate(f.Addr(), step)
	if threadTime()-before > slowHuge {
		a.small = smallBlocks
	}
}

// threadTime is the processor time of this thread, in ns: time for which it did
// not run because the host has other work does not count.
func threadTime() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return ts.Nano()
}
