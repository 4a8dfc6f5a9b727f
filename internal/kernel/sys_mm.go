package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

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
	if pages := (a[1] + mm.PageSize - 1) >> mm.PageShift; a[5]>>mm.PageShift+pages < a[5]>>mm.PageShift {
		return 0, linux.EOVERFLOW
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
		if flags&linux.MAP_ANONYMOUS == 0 || flags&linux.MAP_TYPE == linux.MAP_SHARED {
			return 0, linux.EINVAL
		}
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
	if errno := t.lockNew(&r, flags&linux.MAP_LOCKED != 0); errno != 0 {
		return 0, errno
	}
	addr, errno := t.as.Map(r)
	if s, ok := r.Obj.(*sharedMemory); ok {
		s.Drop() // the mapping holds it now
	}
	if errno == 0 && (flags&linux.MAP_POPULATE != 0 || r.Flags&mm.MapLocked != 0 && !t.as.LockOnFault) {
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
	if r.Len == 0 {
		return linux.EINVAL
	}
	if r.Off+r.Len < r.Off || r.Off+r.Len > maxFileSize {
		return linux.EOVERFLOW
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
	if f.Path.NoExec() {
		if r.Prot&mm.ProtExec != 0 {
			return linux.EPERM
		}
		if r.MaxProt == 0 {
			r.MaxProt = mm.ProtRead | mm.ProtWrite
		}
		r.MaxProt &^= mm.ProtExec
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

// The processor has no protection keys, so none can be had, not even key 0, and
// pkeys(7) tells programs to do without.

// sysPkeyAlloc is pkey_alloc(2): flags, access rights.
func sysPkeyAlloc(_ *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[0] != 0 || a[1]&^(linux.PKEY_DISABLE_ACCESS|linux.PKEY_DISABLE_WRITE) != 0 {
		return 0, linux.EINVAL
	}
	return 0, linux.ENOSPC
}

func sysPkeyFree(*Task, *[6]uint64) (uint64, linux.Errno) { return 0, linux.EINVAL }

// sysPkeyMprotect is pkey_mprotect(2): address, length, protection, key. With
// key -1 it is mprotect.
func sysPkeyMprotect(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if int32(a[3]) != -1 {
		return 0, linux.EINVAL
	}
	return sysMprotect(t, a)
}

// sysRemapFilePages is remap_file_pages(2): address, size, protection, page
// offset, flags. It maps other pages of the file that is mapped there.
func sysRemapFilePages(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	start, n, off := a[0]&^(mm.PageSize-1), a[1]&^(mm.PageSize-1), a[3]
	if a[2] != 0 || start+n <= start || off+n>>mm.PageShift < off {
		return 0, linux.EINVAL
	}
	first, ok := t.as.FindVMA(start)
	if !ok || first.Flags&mm.MapShared == 0 || first.Obj == nil {
		return 0, linux.EINVAL
	}
	for v := first; v.End < start+n; {
		next, ok := t.as.FindVMA(v.End)
		if !ok || next.Obj != first.Obj || next.Flags != first.Flags {
			return 0, linux.EINVAL
		}
		v = next
	}
	_, errno := t.as.Map(mm.MapRequest{
		Addr: start, Len: n, Prot: first.Prot, MaxProt: first.MaxProt, Flags: first.Flags,
		Fixed: true, Obj: first.Obj, Off: off << mm.PageShift, Name: first.Name,
	})
	if errno == 0 {
		t.populate(start, n, mm.ProtRead)
	}
	return 0, errno
}

func sysMremap(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.as.Remap(a[0], a[1], a[2], a[3], a[4])
}

func sysBrk(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	old := t.as.Brk
	if t.as.LockFuture && a[0] > old && t.mayLock(a[0]-old) != 0 {
		return old, 0
	}
	now := t.as.SetBrk(a[0])
	if t.as.LockFuture && !t.as.LockOnFault && now > old {
		t.populate(old, now-old, mm.ProtRead|mm.ProtWrite)
	}
	return now, 0
}

// otherMemory finds the memory of another process that the caller may access
// (the ptrace access check: same user, or CAP_SYS_PTRACE).
func (t *Task) otherMemory(pid int) (*mm.AddressSpace, linux.Errno) {
	u := t.pidNS().task(pid)
	if u == nil || u.as == nil {
		return nil, linux.ESRCH
	}
	if !t.mayInspect(u) {
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
