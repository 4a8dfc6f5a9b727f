package mm

import (
	"sync"
	"sync/atomic"
)

// Account is the memory of one machine, or of a control group in it: how many
// frames it uses, and how many it may. What an account uses counts for those
// above it as well. A nil *Account is unlimited and not charged.
type Account struct {
	id     uint32
	limit  int64 // frames; noLimit = none
	used   atomic.Int64
	cached atomic.Int64 // of them, those of page caches
	tables atomic.Int64 // of them, those of page tables
	nodes  nodePool
	peak   int64
	parent *Account // nil for a machine's
	machine

	// High is a limit, in frames, beyond which who charges is to be slowed
	// down; it is counted in OverHigh.
	High int64
	// Owner is whose account it is.
	Owner any

	closing atomic.Bool // goes when its last frame does

	// OnCopy, if not nil, is told of each page that is copied on a write; file
	// means that it was the page cache's. It is set before the first use.
	OnCopy func(as *AddressSpace, page uint64, file bool)

	// ReadAround reads the neighbours of a file page that is mapped from the
	// file, so that what is mapped does not depend on what other machines have
	// read before. It is set before the first use.
	ReadAround bool
}

// machine is the part of an account that only a machine's has.
type machine struct {
	current  *Account // charged for page caches; nil: the machine's own
	lenient  bool     // see Enter
	full     *Account // what has reached its limit
	overHigh int64    // frames charged to groups beyond High
	open     int64    // accounts below it that have a number
}

const (
	noLimit = 1<<63 - 1
	// slack is by how many frames a system call may exceed a limit.
	slack = 1024
	// maxGroups is how many accounts a machine can have below its own
	// (MEM_CGROUP_ID_MAX).
	maxGroups = 1<<16 - 1
)

// The numbers of accounts, which frames carry: a table in two steps, so that it
// takes no room before it is needed.
const (
	acctBits  = 32 - acctShift
	acctChunk = 1 << (acctBits / 2)
)

type accountChunk [acctChunk]atomic.Pointer[Account]

var (
	accountsMu  sync.Mutex
	accounts    [1 << (acctBits - acctBits/2)]atomic.Pointer[accountChunk]
	freeAccount uint32 = 1 // no lower number is free
)

// accountOf is the account of a number, nil for 0.
func accountOf(id uint32) *Account {
	if id == 0 {
		return nil
	}
	return accounts[id/acctChunk].Load()[id%acctChunk].Load()
}

// NewAccount makes an account with a limit in bytes; 0 means none. It returns
// nil if the host process has no number left for one.
func NewAccount(limit int64) *Account {
	a := &Account{limit: limit >> PageShift, High: noLimit}
	if limit == 0 {
		a.limit = noLimit
	}
	return a.register()
}

// NewGroup makes an account below a without a limit; nil if there are too many.
func (a *Account) NewGroup(owner any) *Account {
	a = a.payer()
	if a == nil {
		return nil
	}
	if a.top().open >= maxGroups {
		return nil
	}
	g := &Account{limit: noLimit, High: noLimit, parent: a, Owner: owner, OnCopy: a.OnCopy, ReadAround: a.ReadAround}
	return g.register()
}

// register gives the account the lowest free number.
func (a *Account) register() *Account {
	accountsMu.Lock()
	defer accountsMu.Unlock()
	for id := freeAccount; id < 1<<acctBits; id++ {
		c := accounts[id/acctChunk].Load()
		if c == nil {
			c = new(accountChunk)
			accounts[id/acctChunk].Store(c)
		}
		if c[id%acctChunk].Load() == nil {
			a.id, freeAccount = id, id+1
			c[id%acctChunk].Store(a)
			if a.parent != nil {
				a.top().open++
			}
			return a
		}
	}
	return nil
}

// unregister gives the number back.
func (a *Account) unregister() {
	accountsMu.Lock()
	defer accountsMu.Unlock()
	if accounts[a.id/acctChunk].Load()[a.id%acctChunk].CompareAndSwap(a, nil) {
		freeAccount = min(freeAccount, a.id)
		if a.parent != nil {
			a.top().open--
		}
	}
}

// top is the machine's account.
func (a *Account) top() *Account {
	for a.parent != nil {
		a = a.parent
	}
	return a
}

// Close gives the account's number back. All its frames must have been freed;
// it reports whether that was so. That of a group is given back later if not.
func (a *Account) Close() bool {
	a.closing.Store(true)
	if a.used.Load() != 0 {
		return false
	}
	a.unregister()
	return true
}

// Used returns the memory in use, in bytes.
func (a *Account) Used() int64 { return a.used.Load() << PageShift }

// Cached is the part of Used that page caches have.
func (a *Account) Cached() int64 { return a.cached.Load() << PageShift }

// Tables is the part of Used that page tables take.
func (a *Account) Tables() int64 { return a.tables.Load() << PageShift }

// Peak returns the largest value Used has had.
func (a *Account) Peak() int64 { return max(a.peak, a.used.Load()) << PageShift }

// Limit returns the limit in bytes; 0 means none.
func (a *Account) Limit() int64 {
	if a.limit == noLimit {
		return 0
	}
	return a.limit << PageShift
}

// SetLimit changes the limit to a number of frames; less than 0 means none.
func (a *Account) SetLimit(frames int64) {
	if a.limit = frames; frames < 0 {
		a.limit = noLimit
	}
}

// Over reports whether more is used than the limit allows.
func (a *Account) Over() bool { return a.used.Load() > a.limit }

// Enter says, of a machine's account, whom page caches charge from now on. A
// system call may exceed a limit a little, so that it need not stop halfway: who
// comes back from it asks Full.
func (a *Account) Enter(who *Account, call bool) {
	if a != nil {
		a.current, a.lenient = who, call
	}
}

// Full returns the group of the machine, or the machine itself, that has
// reached its limit since the last time, nil if none has. A page fault that
// reaches the machine's limit does not count: it fails.
func (a *Account) Full() *Account {
	if a == nil {
		return nil
	}
	g := a.full
	a.full = nil
	return g
}

// OverHigh returns how many frames have been charged beyond High since the last
// time.
func (a *Account) OverHigh() int64 {
	if a == nil {
		return 0
	}
	n := a.overHigh
	a.overHigh = 0
	return n
}

// charge counts one frame with the given flags, unless the account or one above
// it is full, which force ignores.
func (a *Account) charge(force bool, flags uint32) bool {
	high := false
	for c := a; c != nil; c = c.parent {
		n := c.used.Add(1)
		if n > c.limit && !c.exceed(a, n, flags) && !force {
			for u := a; u != c.parent; u = u.parent {
				u.used.Add(-1)
			}
			return false
		}
		c.peak = max(c.peak, n)
		high = high || n > c.High
	}
	if high {
		a.top().overHigh++
	}
	return true
}

// exceed decides what becomes of a charge to a that makes n frames of c, more
// than its limit. Files are told when the machine is full; the memory of
// processes is had by ending one of them.
func (c *Account) exceed(a *Account, n int64, flags uint32) bool {
	top := a.top()
	if c == top && (!top.lenient || flags&frameCached != 0) {
		return false
	}
	if top.full == nil {
		top.full = c
	}
	return top.lenient && n <= c.limit+slack
}

// uncharge undoes charge for n frames with the same flags.
func (a *Account) uncharge(n int64, flags uint32) {
	for c := a; c != nil; c = c.parent {
		if flags&frameCached != 0 {
			c.cached.Add(-n)
		}
		if flags&frameTable != 0 {
			c.tables.Add(-n)
		}
		if c.used.Add(-n) == 0 && c.parent != nil && c.closing.Load() {
			c.unregister()
		}
	}
}

// payer is a, or the first above it that is not about to go.
func (a *Account) payer() *Account {
	for a != nil && a.parent != nil && a.closing.Load() {
		a = a.parent
	}
	return a
}

// alloc returns a frame with one reference, charged to a. Its contents are
// zero if zero is set, otherwise arbitrary. ok is false if the account is full
// or the host has no more memory.
func (a *Account) alloc(zero bool) (f Frame, ok bool) { return a.payer().allocFrame(zero, false, 0) }

// allocFrame is alloc for a frame with the given flags. With force the account
// may be full.
func (a *Account) allocFrame(zero, force bool, flags uint32) (f Frame, ok bool) {
	if !a.charge(force, flags) {
		return 0, false
	}
	f, ok = arena.get(force)
	if !ok {
		a.uncharge(1, 0)
		return 0, false
	}
	m := f.meta()
	if zero && m.flags.Load()&frameZeroed == 0 {
		clear(f.Bytes())
	}
	if a != nil {
		flags |= a.id << acctShift
	}
	m.flags.Store(flags)
	m.refs.Store(1)
	return f, true
}

// allocCache is alloc for a page cache: who uses it first pays.
func (a *Account) allocCache(zero bool) (f Frame, ok bool) {
	if a != nil && a.current != nil {
		a = a.current
	}
	a = a.payer()
	if f, ok = a.allocFrame(zero, false, frameCached); ok {
		for c := a; c != nil; c = c.parent {
			c.cached.Add(1)
		}
	}
	return f, ok
}

// allocSlab is alloc for the nodes of page tables. Where the kernel cannot do
// without, force takes what limits would refuse: a process that unmaps memory
// may need a node to do so.
func (a *Account) allocSlab(force bool) (f Frame, ok bool) {
	if f, ok = a.allocFrame(false, force, frameTable); ok {
		for c := a; c != nil; c = c.parent {
			c.tables.Add(1)
		}
	} else if force {
		panic("mm: the host has no memory for a page table")
	}
	return f, ok
}

// Alloc returns a zeroed frame with one reference, charged to a.
func (a *Account) Alloc() (Frame, bool) { return a.alloc(true) }
