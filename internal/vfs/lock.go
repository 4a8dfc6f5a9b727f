package vfs

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
)

// lockTable holds the advisory locks of one file: record locks (fcntl(2)) and
// whole-file locks (flock(2)), which do not see each other.
type lockTable struct {
	records []record // by start
	flocks  []flock
	leases  []*lease
	queue   WaitQueue // those waiting for a lock of either kind
}

// maxRecords limits the record locks of one file: every call looks at all.
const maxRecords = 1 << 14

// record is a record lock. Owner is the table of descriptors for classic
// locks, the File for open file description locks.
type record struct {
	owner any
	RecordLock
}

// RecordLock is a locked range of bytes.
type RecordLock struct {
	Type  int16 // linux.F_RDLCK, F_WRLCK or F_UNLCK
	Start int64
	End   int64 // the last byte; math.MaxInt64 is the end of the file, wherever
	PID   int   // of the process that took it; -1 for open file description locks
}

type flock struct {
	owner     *File
	exclusive bool
	pid       int // of the process that took it
}

// common is where the locks of a file are kept.
func (f *File) common() *InodeCommon {
	if i := f.Path.Inode(); i != nil {
		return i.Common()
	}
	if i, ok := f.Ops.(interface{ Common() *InodeCommon }); ok {
		return i.Common()
	}
	if f.anon == nil {
		f.anon = &InodeCommon{}
	}
	return f.anon
}

// Lifetime is where the write hint of a file is kept (fcntl(2), "File
// read/write hints").
func (f *File) Lifetime() *uint8 { return &f.common().lifetime }

func (n *InodeCommon) lockTable() *lockTable {
	if n.locks == nil {
		n.locks = &lockTable{}
	}
	return n.locks
}

func (r *RecordLock) overlaps(o *RecordLock) bool { return r.Start <= o.End && o.Start <= r.End }

// conflict finds a lock of somebody else that excludes l.
func (t *lockTable) conflict(owner any, l *RecordLock) (RecordLock, bool) {
	for i := range t.records {
		r := &t.records[i]
		if r.owner != owner && r.overlaps(l) && (r.Type == linux.F_WRLCK || l.Type == linux.F_WRLCK) {
			return r.RecordLock, true
		}
	}
	return RecordLock{}, false
}

// GetLock finds what would keep owner from taking l (F_GETLK).
func GetLock(f *File, owner any, l RecordLock) (RecordLock, bool) {
	return f.common().lockTable().conflict(owner, &l)
}

// SetLock takes or releases a record lock for owner (F_SETLK, F_SETLKW). If
// somebody else's lock is in the way: EAGAIN, or EWAIT with wait.
func SetLock(c *Context, f *File, owner any, l RecordLock, wait bool) linux.Errno {
	t := f.common().lockTable()
	delete(c.lockWaits(), owner)
	if l.Type != linux.F_UNLCK {
		if _, ok := t.conflict(owner, &l); ok {
			if !wait {
				return linux.EAGAIN
			}
			return c.waitForLock(t, owner, &l)
		}
	}
	if len(t.records) >= maxRecords && l.Type != linux.F_UNLCK {
		return linux.ENOLCK
	}
	t.set(owner, l)
	return 0
}

// lockWaits says for each owner that waits for a record lock whose lock that is.
func (c *Context) lockWaits() map[any]any {
	if c.Mounts == nil {
		return nil
	}
	sys := c.Mounts.Sys
	if sys.lockWaits == nil {
		sys.lockWaits = make(map[any]any)
	}
	return sys.lockWaits
}

// waitForLock makes owner wait for whoever is in its way, unless that one waits
// for owner, directly or through others: EDEADLK.
func (c *Context) waitForLock(t *lockTable, owner any, l *RecordLock) linux.Errno {
	var holder any
	for i := range t.records {
		r := &t.records[i]
		if r.owner != owner && r.overlaps(l) && (r.Type == linux.F_WRLCK || l.Type == linux.F_WRLCK) {
			holder = r.owner
			break
		}
	}
	waits := c.lockWaits()
	if waits == nil {
		return c.Wait(&t.queue)
	}
	const longest = 1000
	for o, n := holder, 0; o != nil && n < longest; o, n = waits[o], n+1 {
		if o == owner {
			return linux.EDEADLK
		}
	}
	waits[owner] = holder
	if w, ok := c.Task.(interface{ OnAbandon(fn func()) }); ok {
		w.OnAbandon(func() { delete(waits, owner) })
	}
	return c.Wait(&t.queue)
}

// set replaces what owner has in the range of l by l.
func (t *lockTable) set(owner any, l RecordLock) {
	freed := false
	var out []record
	for _, r := range t.records {
		if r.owner != owner || !r.overlaps(&l) && !(r.Type == l.Type && r.adjoins(&l)) {
			out = append(out, r)
			continue
		}
		if r.Type == l.Type {
			l.Start, l.End = min(l.Start, r.Start), max(l.End, r.End)
			continue
		}
		freed = true
		if r.Start < l.Start {
			left := r
			left.End = l.Start - 1
			out = append(out, left)
		}
		if r.End > l.End {
			r.Start = l.End + 1
			out = append(out, r)
		}
	}
	if l.Type != linux.F_UNLCK {
		out = append(out, record{owner, l})
	}
	slices.SortStableFunc(out, func(a, b record) int {
		switch {
		case a.Start < b.Start:
			return -1
		case a.Start > b.Start:
			return 1
		}
		return 0
	})
	t.records = out
	if freed {
		t.queue.Wake(0)
	}
}

// adjoins reports whether o begins right behind r or the other way round.
func (r *RecordLock) adjoins(o *RecordLock) bool {
	return r.Start > 0 && r.Start-1 == o.End || o.Start > 0 && o.Start-1 == r.End
}

// ReleasePosixLocks drops the record locks that owner, a table of descriptors,
// has on f's file: closing any descriptor of a file does that.
func ReleasePosixLocks(f *File, owner any) {
	n := f.locked()
	if n == nil {
		return
	}
	before := len(n.locks.records)
	n.locks.records = slices.DeleteFunc(n.locks.records, func(r record) bool { return r.owner == owner })
	if len(n.locks.records) != before {
		n.locks.queue.Wake(0)
	}
}

// locked returns where f's locks are, or nil if there never were any.
func (f *File) locked() *InodeCommon {
	n := f.anon
	if i := f.Path.Inode(); i != nil {
		n = i.Common()
	} else if i, ok := f.Ops.(interface{ Common() *InodeCommon }); ok {
		n = i.Common()
	}
	if n == nil || n.locks == nil {
		return nil
	}
	return n
}

// releaseFileLocks drops the locks that belong to the open file itself.
func releaseFileLocks(f *File) {
	n := f.locked()
	if n == nil {
		return
	}
	ReleasePosixLocks(f, f)
	n.locks.unflock(f)
}

// Flock is flock(2); op is linux.LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB.
// pid is the caller's process.
func Flock(c *Context, f *File, op, pid int) linux.Errno {
	nonblock := op&linux.LOCK_NB != 0
	op &^= linux.LOCK_NB
	t := f.common().lockTable()
	switch op {
	case linux.LOCK_UN:
		t.unflock(f)
		return 0
	case linux.LOCK_SH, linux.LOCK_EX:
	default:
		return linux.EINVAL
	}
	exclusive := op == linux.LOCK_EX
	for _, l := range t.flocks {
		if l.owner == f && l.exclusive == exclusive {
			return 0
		}
	}
	// A conversion drops the old lock first (flock(2)): it is not atomic.
	t.unflock(f)
	for _, l := range t.flocks {
		if l.exclusive || exclusive {
			if nonblock {
				return linux.EAGAIN
			}
			return c.Wait(&t.queue)
		}
	}
	t.flocks = append(t.flocks, flock{f, exclusive, pid})
	return 0
}

func (t *lockTable) unflock(f *File) {
	before := len(t.flocks)
	t.flocks = slices.DeleteFunc(t.flocks, func(l flock) bool { return l.owner == f })
	if len(t.flocks) != before {
		t.queue.Wake(0)
	}
}

// LockInfo is one lock as /proc/locks lists it.
type LockInfo struct {
	Kind       string // "POSIX", "OFDLCK", "FLOCK" or "LEASE"
	Exclusive  bool
	PID        int
	Dev, Ino   uint64
	Start, End int64
	State      string // of a lease: "ACTIVE" or "BREAKING"
	Mode       string // of a lease: what it is or is about to be
}

// Blocks reports whether a lock that is held is one that l waits for.
func (l *LockInfo) Blocks(held *LockInfo) bool {
	return l.State == "" && held.State == "" && (l.Kind == "FLOCK") == (held.Kind == "FLOCK") && (l.Exclusive || held.Exclusive) &&
		l.Start <= held.End && held.Start <= l.End
}

// LockPlace is the device and the number of a file that has locks.
func LockPlace(f *File) (dev, ino uint64) {
	st, _ := Fstat(f)
	return st.Dev, st.Ino
}

// SharesLocks reports whether two open files are locked together.
func SharesLocks(f, g *File) bool { return f.locked() != nil && f.locked() == g.locked() }

// FileLocks lists the locks of an open file's file.
func FileLocks(f *File) (list []LockInfo) {
	n := f.locked()
	if n == nil {
		return nil
	}
	dev, ino := LockPlace(f)
	for _, l := range n.locks.flocks {
		list = append(list, LockInfo{Kind: "FLOCK", Exclusive: l.exclusive, PID: l.pid, Dev: dev, Ino: ino, End: 1<<63 - 1})
	}
	for _, r := range n.locks.records {
		kind := "POSIX"
		if _, ok := r.owner.(*File); ok {
			kind = "OFDLCK"
		}
		list = append(list, LockInfo{Kind: kind, Exclusive: r.Type == linux.F_WRLCK, PID: r.PID, Dev: dev, Ino: ino, Start: r.Start, End: r.End})
	}
	return append(list, n.locks.leaseInfo(dev, ino)...)
}

// LockSet remembers files whose locks have been listed.
type LockSet struct{ seen []*InodeCommon }

// Add reports whether f has locks that have not been listed yet.
func (s *LockSet) Add(f *File) bool {
	n := f.locked()
	if n == nil || slices.Contains(s.seen, n) {
		return false
	}
	s.seen = append(s.seen, n)
	return true
}
