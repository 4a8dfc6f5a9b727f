package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

func sysMunlockall(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	t.as.SetFlags(0, mm.UserTop, 0, mm.MapLocked)
	return 0, 0
}

// memLimits are the resource limits that memory calls enforce.
func (t *Task) memLimits() mm.Limits {
	return mm.Limits{
		AS: t.rlimit(linux.RLIMIT_AS), Data: t.rlimit(linux.RLIMIT_DATA),
		Stack: t.rlimit(linux.RLIMIT_STACK), Memlock: t.rlimit(linux.RLIMIT_MEMLOCK),
	}
}

// sysMmap is mmap(2): addr, length, prot, flags, fd, offset.
func sysMmap(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	flags := a[3]
	if a[5]&(mm.PageSize-1) != 0 {
		return 0, linux.EINVAL
	}
	r := mm.MapRequest{
		Addr: a[0], Len: a[1], Prot: mm.Prot(a[2] & 7), Off: a[5],
		Fixed:     flags&linux.MAP_FIXED != 0,
		NoReplace: flags&linux.MAP_FIXED_NOREPLACE != 0,
		Low32:     flags&linux.MAP_32BIT != 0,
	}
	if flags&linux.MAP_NORESERVE != 0 {
		r.Flags |= mm.MapNoReserve
	}
	if flags&linux.MAP_GROWSDOWN != 0 {
		r.Flags |= mm.MapGrowsDown
	}
	if r.NoReplace {
		r.Fixed = false
	}
	if flags&linux.MAP_ANONYMOUS != 0 {
		if errno := t.mapAnonymous(&r, flags); errno != 0 {
			return 0, errno
		}
	} else if errno := t.mapFile(&r, a[4], flags); errno != 0 {
		return 0, errno
	}
	addr, errno := t.as.Map(r)
	if s, ok := r.Obj.(*sharedMemory); ok {
		s.Drop() // the mapping holds it now
	}
	if errno == 0 && flags&(linux.MAP_POPULATE|linux.MAP_LOCKED) != 0 {
		t.populate(addr, a[1], r.Prot)
	}
	return addr, errno
}

// mapAnonymous prepares a mapping without a file.
func (t *Task) mapAnonymous(r *mm.MapRequest, flags uint64) linux.Errno {
	r.Off = 0
	if flags&linux.MAP_HUGETLB != 0 {
		return linux.ENOMEM // the pool of huge pages is empty
	}
	switch flags & linux.MAP_TYPE {
	case linux.MAP_PRIVATE:
	case linux.MAP_SHARED:
		if r.Len == 0 {
			return linux.EINVAL
		}
		r.Flags |= mm.MapShared
		r.Obj = t.k.newSharedMemory(int64(r.Len), "/dev/zero (deleted)")
	default:
		return linux.EINVAL
	}
	return 0
}

// mapFile prepares a mapping of a file.
func (t *Task) mapFile(r *mm.MapRequest, fd, flags uint64) linux.Errno {
	f, errno := t.file(fd)
	if errno != 0 {
		return errno
	}
	if f.Flags&linux.O_PATH != 0 {
		return linux.EBADF
	}
	if r.Len == 0 {
		return linux.EINVAL
	}
	switch flags & linux.MAP_TYPE {
	case linux.MAP_SHARED_VALIDATE, linux.MAP_SHARED:
		r.Flags |= mm.MapShared
		if !f.Writable() {
			if r.Prot&mm.ProtWrite != 0 {
				return linux.EACCES
			}
			r.MaxProt = mm.ProtRead | mm.ProtExec
		}
		if m, ok := f.Ops.(*memfd); ok && !m.MayMapShared() && f.Writable() {
			if r.Prot&mm.ProtWrite != 0 {
				return linux.EPERM
			}
			r.MaxProt = mm.ProtRead | mm.ProtExec
		}
	case linux.MAP_PRIVATE:
	default:
		return linux.EINVAL
	}
	if !f.Readable() {
		return linux.EACCES
	}
	if r.Off+r.Len < r.Off {
		return linux.EOVERFLOW
	}
	if f.Path.NoExec() && r.Prot&mm.ProtExec != 0 {
		return linux.EPERM
	}
	if z, ok := f.Ops.(anonymousMapper); ok && z.MapsAnonymous() {
		// A mapping of /dev/zero is anonymous memory.
		return t.mapAnonymous(r, flags)
	}
	if _, errno := f.Ops.Pages(f); errno != 0 {
		return errno
	}
	r.Obj = fileObject{f}
	return 0
}

// anonymousMapper is implemented by /dev/zero.
type anonymousMapper interface{ MapsAnonymous() bool }

// populate faults pages in ahead of use; its failing does not matter.
func (t *Task) populate(addr, n uint64, prot mm.Prot) {
	acc := mm.AccessRead
	if prot&mm.ProtWrite != 0 {
		acc = mm.AccessWrite
	}
	for end := addr + n; addr < end; addr += mm.PageSize {
		if res, _ := t.as.Fault(addr, acc); res != mm.FaultOK {
			return
		}
	}
}

func sysMunmap(t *Task, a *[6]uint64) (uint64, linux.Errno) { return 0, t.as.Unmap(a[0], a[1]) }

func sysMprotect(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const known = linux.PROT_READ | linux.PROT_WRITE | linux.PROT_EXEC | linux.PROT_SEM |
		linux.PROT_GROWSDOWN | linux.PROT_GROWSUP
	if a[2]&^known != 0 || a[2]&linux.PROT_GROWSUP != 0 {
		return 0, linux.EINVAL
	}
	addr, n := a[0], a[1]
	if a[2]&linux.PROT_GROWSDOWN != 0 {
		v, ok := t.as.FindVMA(addr)
		if !ok || v.Flags&mm.MapGrowsDown == 0 {
			return 0, linux.EINVAL
		}
		addr, n = v.Start, n+addr-v.Start
	}
	return 0, t.as.Protect(addr, n, mm.Prot(a[2]&7))
}

func sysMremap(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.as.Remap(a[0], a[1], a[2], a[3], a[4])
}

func sysBrk(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.as.SetBrk(a[0]), 0 }

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

// sysMlock faults the pages in; frames are never paged out, so that is all
// locking needs.
func sysMlock(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	addr := a[0] &^ (mm.PageSize - 1)
	n := (a[0] + a[1] + mm.PageSize - 1 - addr) &^ (mm.PageSize - 1)
	limit := t.rlimit(linux.RLIMIT_MEMLOCK)
	if !t.capable(linux.CAP_IPC_LOCK) {
		if limit == 0 {
			return 0, linux.EPERM
		}
		if n > limit {
			return 0, linux.ENOMEM
		}
	}
	if errno := t.as.SetFlags(addr, n, mm.MapLocked, 0); errno != 0 {
		return 0, errno
	}
	t.populate(addr, n, mm.ProtRead)
	return 0, 0
}

func sysMunlock(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	addr := a[0] &^ (mm.PageSize - 1)
	n := (a[0] + a[1] + mm.PageSize - 1 - addr) &^ (mm.PageSize - 1)
	return 0, t.as.SetFlags(addr, n, 0, mm.MapLocked)
}

func sysMlockall(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const current, future, onfault = 1, 2, 4
	if a[0] == 0 || a[0]&^(current|future|onfault) != 0 || a[0] == onfault {
		return 0, linux.EINVAL
	}
	if !t.capable(linux.CAP_IPC_LOCK) {
		if t.rlimit(linux.RLIMIT_MEMLOCK) == 0 {
			return 0, linux.EPERM
		}
		if a[0]&current != 0 && t.as.TotalPages()<<mm.PageShift > t.rlimit(linux.RLIMIT_MEMLOCK) {
			return 0, linux.ENOMEM
		}
	}
	if a[0]&current != 0 {
		t.as.SetFlags(0, mm.UserTop, mm.MapLocked, 0)
	}
	return 0, 0
}

// otherMemory finds the memory of another process that the caller may access
// (the ptrace access check: same user, or CAP_SYS_PTRACE).
func (t *Task) otherMemory(pid int) (*mm.AddressSpace, linux.Errno) {
	u := t.pidNS().task(pid)
	if u == nil || u.as == nil {
		return nil, linux.ESRCH
	}
	c, o := t.cred, u.cred
	same := c.UID == o.UID && c.UID == o.EUID && c.UID == o.SUID && c.GID == o.GID && c.GID == o.EGID && c.GID == o.SGID
	if !(same && u.group.dumpable == 1) && u.group != t.group && !t.capableIn(u.cred.user, linux.CAP_SYS_PTRACE) {
		return nil, linux.EPERM
	}
	return u.as, 0
}

func sysProcessVMReadv(t *Task, a *[6]uint64) (uint64, linux.Errno)  { return t.processVM(a, false) }
func sysProcessVMWritev(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.processVM(a, true) }

// processVM copies between the caller's and another process's memory.
func (t *Task) processVM(a *[6]uint64, write bool) (uint64, linux.Errno) {
	if a[5] != 0 {
		return 0, linux.EINVAL
	}
	local, errno := t.iovecs(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	remote, errno := t.iovecs(a[3], a[4])
	if errno != 0 {
		return 0, errno
	}
	as, errno := t.otherMemory(int(int32(a[0])))
	if errno != 0 {
		return 0, errno
	}
	from, to, src, dst := as, t.as, remote, local
	if write {
		from, to, src, dst = t.as, as, local, remote
	}
	var done uint64
	for len(src) > 0 && len(dst) > 0 {
		n := min(src[0].Len, dst[0].Len, maxTransfer)
		buf := t.k.bounceBuf(int(n))
		got, e1 := from.CopyIn(src[0].Base, buf)
		put, e2 := to.CopyOut(dst[0].Base, buf[:got])
		done += uint64(put)
		if e1 != 0 || e2 != 0 {
			break
		}
		src, dst = advance(src, n), advance(dst, n)
	}
	if done == 0 && len(src) > 0 && len(dst) > 0 {
		return 0, linux.EFAULT
	}
	return done, 0
}

// advance skips n bytes of a vector.
func advance(v []linux.Iovec, n uint64) []linux.Iovec {
	v[0].Base += n
	v[0].Len -= n
	for len(v) > 0 && v[0].Len == 0 {
		v = v[1:]
	}
	return v
}

// sysMembarrier: entering the kernel on every processor of the machine is the
// barrier, and address space changes do that anyway.
func sysMembarrier(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const query, supported = 0, 1<<0 | 1<<3 | 1<<4 // GLOBAL, PRIVATE_EXPEDITED, REGISTER_PRIVATE_EXPEDITED
	if a[1] != 0 {
		return 0, linux.EINVAL
	}
	if a[0] == query {
		return supported, 0
	}
	if a[0]&(a[0]-1) != 0 || a[0]&^supported != 0 {
		return 0, linux.EINVAL
	}
	for _, p := range t.k.cpus {
		p.v.Stop()
	}
	return 0, 0
}

// sharedMemory is an object without a file: shared anonymous memory and System
// V segments.
type sharedMemory struct {
	cache *mm.PageCache
	name  string
	ino   uint64
	refs  int
}

func (k *Kernel) newSharedMemory(size int64, name string) *sharedMemory {
	s := &sharedMemory{cache: mm.NewPageCache(k.acct, nil), name: name, ino: k.sys.nextIno(), refs: 1}
	s.cache.SetSize((size + mm.PageSize - 1) &^ (mm.PageSize - 1))
	return s
}

// Cache implements mm.Object.
func (s *sharedMemory) Cache() *mm.PageCache { return s.cache }

// Hold implements mm.Object.
func (s *sharedMemory) Hold() { s.refs++ }

// Drop implements mm.Object.
func (s *sharedMemory) Drop() {
	if s.refs--; s.refs == 0 {
		s.cache.Release()
	}
}

// Describe implements mm.Object.
func (s *sharedMemory) Describe() (path string, dev, ino uint64) { return s.name, 1, s.ino }
