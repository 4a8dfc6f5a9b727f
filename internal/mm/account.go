package mm

import (
	"sync"
	"sync/atomic"
)

// Account is the memory of one machine: how many frames it uses, and how many
// it may. A nil *Account is unlimited and not charged.
type Account struct {
	id    uint32
	limit int64 // frames; 0 = no limit
	used  atomic.Int64
	peak  int64
	// cached are the frames of used that page caches hold.
	cached atomic.Int64

	// OnCopy, if not nil, is told of each page that is copied on a write; file
	// means that it was the page cache's. It is set before the first use.
	OnCopy func(as *AddressSpace, page uint64, file bool)

	// ReadAround reads the neighbours of a file page that is mapped from the
	// file, so that what is mapped does not depend on what other machines have
	// read before. It is set before the first use.
	ReadAround bool
}

var (
	accountsMu sync.Mutex
	accounts   [1 << acctShift]atomic.Pointer[Account]
)

// NewAccount makes an account with a limit in bytes; 0 means none. It returns
// nil if the host process already has 65,535 accounts.
func NewAccount(limit int64) *Account {
	accountsMu.Lock()
	defer accountsMu.Unlock()
	for id := 1; id < len(accounts); id++ {
		if accounts[id].Load() == nil {
			a := &Account{id: uint32(id), limit: limit >> PageShift}
			accounts[id].Store(a)
			return a
		}
	}
	return nil
}

// Close gives the account's number back. All its frames must have been freed;
// it reports whether that was so.
func (a *Account) Close() bool {
	accountsMu.Lock()
	defer accountsMu.Unlock()
	if a.used.Load() != 0 {
		return false
	}
	accounts[a.id].CompareAndSwap(a, nil)
	return true
}

// Used returns the memory in use, in bytes.
func (a *Account) Used() int64 { return a.used.Load() << PageShift }

// Cached is the part of Used that page caches hold, in bytes: the contents of
// memory files and shared memory.
func (a *Account) Cached() int64 { return a.cached.Load() << PageShift }

// cache counts n frames more, or less, as a page cache's.
func (a *Account) cache(n int) {
	if a != nil {
		a.cached.Add(int64(n))
	}
}

// Peak returns the largest value Used has had.
func (a *Account) Peak() int64 { return max(a.peak, a.used.Load()) << PageShift }

// Limit returns the limit in bytes; 0 means none.
func (a *Account) Limit() int64 { return a.limit << PageShift }

// charge counts one frame, unless the account is full.
func (a *Account) charge() bool {
	if a == nil {
		return true
	}
	n := a.used.Add(1)
	if a.limit != 0 && n > a.limit {
		a.used.Add(-1)
		return false
	}
	a.peak = max(a.peak, n)
	return true
}

// alloc returns a frame with one reference, charged to a. Its contents are
// zero if zero is set, otherwise arbitrary. ok is false if the account is full
// or the host has no more memory.
func (a *Account) alloc(zero bool) (f Frame, ok bool) {
	if !a.charge() {
		return 0, false
	}
	f, ok = arena.get()
	if !ok {
		if a != nil {
			a.used.Add(-1)
		}
		return 0, false
	}
	m := f.meta()
	if zero && m.flags.Load()&frameZeroed == 0 {
		clear(f.Bytes())
	}
	var id uint32
	if a != nil {
		id = a.id
	}
	m.flags.Store(id << acctShift)
	m.refs.Store(1)
	return f, true
}

// Alloc returns a zeroed frame with one reference, charged to a.
func (a *Account) Alloc() (Frame, bool) { return a.alloc(true) }
