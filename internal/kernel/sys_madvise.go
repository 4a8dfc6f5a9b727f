package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

func sysMadvise(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	addr := a[0]
	n := (a[1] + mm.PageSize - 1) &^ (mm.PageSize - 1)
	if addr&(mm.PageSize-1) != 0 || addr+n < addr || a[1] != 0 && n == 0 || addr+n > mm.UserTop {
		return 0, linux.EINVAL
	}
	var errno linux.Errno
	switch int32(a[2]) {
	case linux.MADV_NORMAL, linux.MADV_RANDOM, linux.MADV_SEQUENTIAL, linux.MADV_WILLNEED,
		linux.MADV_HUGEPAGE, linux.MADV_NOHUGEPAGE, linux.MADV_MERGEABLE, linux.MADV_UNMERGEABLE,
		linux.MADV_COLD, linux.MADV_PAGEOUT, linux.MADV_COLLAPSE:
		errno = t.as.SetFlags(addr, n, 0, 0) // hints: only the range is checked
	case linux.MADV_DONTNEED, linux.MADV_DONTNEED_LOCKED:
		if n > 0 {
			errno = t.as.Discard(addr, n)
		}
	case linux.MADV_FREE:
		// Freeing at once is allowed: the contents are undefined until written.
		if n > 0 {
			errno = t.adviseFree(addr, n)
		}
	case linux.MADV_REMOVE:
		errno = t.adviseRemove(addr, n)
	case linux.MADV_DONTFORK:
		errno = t.as.SetFlags(addr, n, mm.MapDontFork, 0)
	case linux.MADV_DOFORK:
		errno = t.as.SetFlags(addr, n, 0, mm.MapDontFork)
	case linux.MADV_WIPEONFORK:
		if v, ok := t.as.FindVMA(addr); ok && (v.Obj != nil || v.Flags&mm.MapShared != 0) {
			return 0, linux.EINVAL
		}
		errno = t.as.SetFlags(addr, n, mm.MapWipeFork, 0)
	case linux.MADV_KEEPONFORK:
		errno = t.as.SetFlags(addr, n, 0, mm.MapWipeFork)
	case linux.MADV_DONTDUMP:
		errno = t.as.SetFlags(addr, n, mm.MapDontDump, 0)
	case linux.MADV_DODUMP:
		errno = t.as.SetFlags(addr, n, 0, mm.MapDontDump)
	case linux.MADV_POPULATE_READ:
		t.populate(addr, n, mm.ProtRead)
	case linux.MADV_POPULATE_WRITE:
		t.populate(addr, n, mm.ProtWrite)
	default:
		return 0, linux.EINVAL
	}
	return 0, errno
}

// sysProcessMadvise is process_madvise(2): a pidfd, a vector, its length, the
// advice, flags. What it may advise are hints, and here they change nothing.
func sysProcessMadvise(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[4] != 0 {
		return 0, linux.EINVAL
	}
	v, errno := t.iovecs(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	g, _, errno := t.pidfdGroup(a[0])
	if errno != 0 {
		return 0, errno
	}
	switch int32(a[3]) {
	case linux.MADV_COLD, linux.MADV_PAGEOUT, linux.MADV_WILLNEED, linux.MADV_COLLAPSE:
	default:
		return 0, linux.EINVAL
	}
	as, errno := t.otherMemory(g.nrFor(t))
	if errno != 0 {
		return 0, errno
	}
	if as != t.as && !t.capable(linux.CAP_SYS_NICE) {
		return 0, linux.EPERM
	}
	done := uint64(0)
	for _, e := range v {
		if errno := adviseHint(as, e.Base, e.Len); errno != 0 {
			if done > 0 {
				return done, 0
			}
			return 0, errno
		}
		done += e.Len
	}
	return done, 0
}

// adviseHint checks the range of an advice.
func adviseHint(as *mm.AddressSpace, addr, length uint64) linux.Errno {
	n := (length + mm.PageSize - 1) &^ (mm.PageSize - 1)
	if addr&(mm.PageSize-1) != 0 || addr+n < addr || length != 0 && n == 0 || addr+n > mm.UserTop {
		return linux.EINVAL
	}
	return as.SetFlags(addr, n, 0, 0)
}

func (t *Task) adviseFree(addr, n uint64) linux.Errno {
	if v, ok := t.as.FindVMA(addr); ok && v.Obj != nil {
		return linux.EINVAL // only anonymous memory
	}
	return t.as.Discard(addr, n)
}

// adviseRemove makes a hole in the object of a shared mapping.
func (t *Task) adviseRemove(addr, n uint64) linux.Errno {
	v, ok := t.as.FindVMA(addr)
	switch {
	case !ok:
		return linux.ENOMEM
	case v.Flags&mm.MapLocked != 0 || v.Obj == nil:
		return linux.EINVAL
	case v.Flags&mm.MapShared == 0 || v.Prot&mm.ProtWrite == 0:
		return linux.EACCES
	}
	v.Obj.Cache().Punch(int64(v.Off+addr-v.Start), int64(min(n, v.End-addr)))
	return 0
}

func sysMsync(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const known = linux.MS_ASYNC | linux.MS_INVALIDATE | linux.MS_SYNC
	addr, n := a[0], (a[1]+mm.PageSize-1)&^(mm.PageSize-1)
	if a[2]&^known != 0 || a[2]&(linux.MS_ASYNC|linux.MS_SYNC) == linux.MS_ASYNC|linux.MS_SYNC || addr&(mm.PageSize-1) != 0 {
		return 0, linux.EINVAL
	}
	end, next := addr+n, addr
	var errno linux.Errno
	t.as.VMAs(func(v mm.VMA) bool {
		if v.End <= addr || v.Start >= end {
			return true
		}
		if v.Start > next {
			errno = linux.ENOMEM
		}
		next = v.End
		if o, ok := v.Obj.(fileObject); ok && v.Flags&mm.MapShared != 0 && a[2]&linux.MS_SYNC != 0 {
			if e := o.f.Ops.Sync(o.f); e != 0 && e != linux.EINVAL {
				errno = e
			}
		}
		return true
	})
	if next < end {
		errno = linux.ENOMEM
	}
	return 0, errno
}

func sysMincore(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	addr, n := a[0], (a[1]+mm.PageSize-1)&^(mm.PageSize-1)
	if addr&(mm.PageSize-1) != 0 {
		return 0, linux.EINVAL
	}
	if n > mm.UserTop || addr > mm.UserTop-n || !t.mapped(addr, n) {
		return 0, linux.ENOMEM
	}
	const step = 1 << 30 // what one look covers, so that a huge range costs no huge memory
	for done := uint64(0); done < n; done += step {
		vec := t.as.Present(addr+done, min(n-done, step))
		if errno := t.copyOut(a[2]+done>>mm.PageShift, vec); errno != 0 {
			return 0, errno
		}
	}
	return 0, 0
}

// mapped reports whether there are no holes in [addr, addr+n).
func (t *Task) mapped(addr, n uint64) bool {
	for at := addr; at < addr+n; {
		v, ok := t.as.FindVMA(at)
		if !ok {
			return false
		}
		at = v.End
	}
	return true
}
