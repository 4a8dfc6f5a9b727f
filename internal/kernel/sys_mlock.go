package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// Frames are never paged out, so that all locking does is to fault pages in and
// to count them (mlock(2)).

// mayLock checks that the caller may lock n bytes more: EPERM if it may lock
// nothing at all, ENOMEM if that exceeds RLIMIT_MEMLOCK.
func (t *Task) mayLock(n uint64) linux.Errno {
	limit := t.rlimit(linux.RLIMIT_MEMLOCK)
	switch {
	case limit == ^uint64(0), t.capable(linux.CAP_IPC_LOCK):
		return 0
	case limit == 0:
		return linux.EPERM
	case n > limit, t.as.LockedPages()<<mm.PageShift > limit-n:
		return linux.ENOMEM
	}
	return 0
}

// lockNew makes a new mapping a locked one, if the caller asks for it or
// mlockall has.
func (t *Task) lockNew(r *mm.MapRequest, asked bool) linux.Errno {
	if !asked && !t.as.LockFuture {
		return 0
	}
	errno := t.mayLock(r.Len)
	switch {
	case errno == linux.EPERM && asked:
		return errno
	case errno != 0:
		return linux.EAGAIN
	}
	r.Flags |= mm.MapLocked
	return 0
}

// pageRange is the range of pages that a call locks or unlocks.
func pageRange(a *[6]uint64) (addr, n uint64, errno linux.Errno) {
	addr = a[0] &^ (mm.PageSize - 1)
	n = (a[1] + a[0] - addr + mm.PageSize - 1) &^ (mm.PageSize - 1)
	if addr+n < addr {
		errno = linux.EINVAL
	}
	return addr, n, errno
}

func sysMlock(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.mlock(a, false) }

func sysMlock2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[2]&^linux.MLOCK_ONFAULT != 0 {
		return 0, linux.EINVAL
	}
	return t.mlock(a, a[2] != 0)
}

func (t *Task) mlock(a *[6]uint64, onFault bool) (uint64, linux.Errno) {
	addr, n, bad := pageRange(a)
	if errno := t.mayLock(n - t.lockedIn(addr, n)); errno != 0 {
		return 0, errno
	}
	if bad != 0 {
		return 0, bad
	}
	if errno := t.as.SetFlags(addr, n, mm.MapLocked, 0); errno != 0 {
		return 0, errno
	}
	if !onFault {
		t.populateLocked(addr, addr+n)
	}
	return 0, 0
}

// lockedIn is how much of a range is locked already.
func (t *Task) lockedIn(addr, n uint64) (locked uint64) {
	t.as.VMAs(func(v mm.VMA) bool {
		if v.Flags&mm.MapLocked != 0 && v.Start < addr+n && v.End > addr {
			locked += min(v.End, addr+n) - max(v.Start, addr)
		}
		return true
	})
	return locked
}

// populateLocked faults the pages of [start, end) in. Private pages that can be
// written get memory of their own at once.
func (t *Task) populateLocked(start, end uint64) {
	var parts []mm.VMA
	t.as.VMAs(func(v mm.VMA) bool {
		if v.Start < end && v.End > start && v.Prot != 0 {
			parts = append(parts, v)
		}
		return true
	})
	for _, v := range parts {
		prot := v.Prot
		if v.Flags&mm.MapShared != 0 {
			prot &^= mm.ProtWrite
		}
		from := max(v.Start, start)
		t.populate(from, min(v.End, end)-from, prot)
	}
}

func sysMunlock(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	addr, n, errno := pageRange(a)
	if errno != 0 {
		return 0, errno
	}
	return 0, t.as.SetFlags(addr, n, 0, mm.MapLocked)
}

func sysMlockall(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const current, future, onFault = linux.MCL_CURRENT, linux.MCL_FUTURE, linux.MCL_ONFAULT
	if a[0] == 0 || a[0]&^(current|future|onFault) != 0 || a[0] == onFault {
		return 0, linux.EINVAL
	}
	more := uint64(0)
	if a[0]&current != 0 {
		more = (t.as.TotalPages() - t.as.LockedPages()) << mm.PageShift
	}
	if errno := t.mayLock(more); errno != 0 {
		return 0, errno
	}
	t.as.LockFuture = a[0]&future != 0
	t.as.LockOnFault = t.as.LockFuture && a[0]&onFault != 0
	if a[0]&current != 0 {
		t.as.SetFlags(0, mm.UserTop, mm.MapLocked, 0)
		if a[0]&onFault == 0 {
			t.populateLocked(0, mm.UserTop)
		}
	}
	return 0, 0
}

func sysMunlockall(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	t.as.LockFuture, t.as.LockOnFault = false, false
	t.as.SetFlags(0, mm.UserTop, 0, mm.MapLocked)
	return 0, 0
}
