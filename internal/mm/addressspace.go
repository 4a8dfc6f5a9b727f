package mm

import (
	"sync"
	"sync/atomic"

	"github.com/tinevm/tine/internal/linux"
)

// Limits are the resource limits that memory calls enforce, in bytes.
type Limits struct {
	AS, Data, Stack, Memlock uint64
}

// AddressSpace is the memory of a process (mm_struct): its mappings and its
// page table. Threads share one; tasks hold references.
type AddressSpace struct {
	mu   sync.Mutex // the page table, against Lookup from guest mode
	root node
	recent

	gen     atomic.Uint64 // see Gen
	reads   uint64        // see Version
	origin  struct{ child, parent Version }
	flushes atomic.Uint64 // see Flushed
	flushed [flushRing]uint64
	faults  atomic.Int64 // see TakeFaults
	epoch   uint32       // changes with each fork; no other address space has it
	journal *Journal     // see Record

	vmas  *vmaSet
	acct  *Account
	peers []*Runner
	refs  int

	// Limits are those of the calling process; the kernel keeps them current.
	Limits Limits

	// Where things are, for brk and /proc/PID/stat.
	CodeStart, CodeEnd, DataStart, DataEnd uint64
	BrkStart, Brk                          uint64
	StackTop, StackBase                    uint64
	ArgStart, ArgEnd, EnvStart, EnvEnd     uint64
	MmapBase                               uint64
	// Exe is the program file, for /proc/PID/exe; held like a mapping.
	Exe Object
	// Auxv is what /proc/PID/auxv shows.
	Auxv []byte

	// hint: every hole between hint and MmapBase is smaller than hintHole.
	hint, hintHole uint64
	peakPages      uint32
	dontFork       bool   // some area has MapDontFork, MapWipeFork or MapLocked
	truncSeen      uint64 // truncations when the engines were last told
	// LockFuture: new mappings are locked (mlockall(MCL_FUTURE)); LockOnFault
	// leaves their pages out until they are used. A child has neither.
	LockFuture, LockOnFault bool
	dead                    bool // the last user has gone
}

const flushRing = 32

// generations and epochs are unique over all address spaces of the host process.
var (
	lastGen   atomic.Uint64
	lastEpoch atomic.Uint32
)

// NewAddressSpace makes an empty address space with one reference, whose
// memory is charged to acct and whose users run on peers.
func NewAddressSpace(acct *Account, peers []*Runner) *AddressSpace {
	as := &AddressSpace{vmas: newVMASet(), acct: acct, peers: peers, refs: 1}
	as.epoch = lastEpoch.Add(1)
	as.root, _ = acct.newNode(1, true)
	as.MmapBase = defaultMmapBase
	as.hint = as.MmapBase
	as.Limits = Limits{AS: ^uint64(0), Data: ^uint64(0), Stack: 8 << 20, Memlock: ^uint64(0)}
	as.newGen()
	return as
}

// defaultMmapBase leaves room for a large stack below the end of user space. The
// first mappings, among them the stacks of threads, are not at a multiple of 8 MiB
// from that stack: a direct-mapped TLB has one entry for such pages.
const defaultMmapBase = 0x7fff_f7bf_f000

// Gen changes whenever present translations of the address space may have
// changed or lost rights, so that all an engine has cached of it is void. No
// two address spaces ever have the same value.
func (as *AddressSpace) Gen() uint64 { return as.gen.Load() }

func (as *AddressSpace) newGen() {
	as.reads = lastGen.Add(1)
	as.gen.Store(as.reads)
}

// Version says more exactly than Gen what an engine has to forget. It does not
// change while an engine runs in the address space.
type Version struct {
	Gen     uint64 // see AddressSpace.Gen
	Reads   uint64 // changes with Gen, but for forks: they leave what is read where it is
	Flushes uint64 // see AddressSpace.Flushed
}

// Version is the present one. Called on entry to guest mode.
func (as *AddressSpace) Version() Version {
	return Version{as.gen.Load(), as.reads, as.flushes.Load()}
}

// Origin tells an engine that begins with the address space where it comes from:
// when its version was the first, all could be read as in the address space whose
// version was the second. That is zero if there is none.
func (as *AddressSpace) Origin() (child, parent Version) { return as.origin.child, as.origin.parent }

// Flushes counts the single pages whose translation changed; see Flushed.
func (as *AddressSpace) Flushes() uint64 { return as.flushes.Load() }

// Flushed calls fn with the address of each page whose translation changed
// since Flushes was since, and reports whether it could: false means that more
// changed than is remembered, and everything cached is void. Bit 0 of the
// address is set if the page was executable. Called on entry to guest mode.
func (as *AddressSpace) Flushed(since uint64, fn func(va uint64)) bool {
	now := as.flushes.Load()
	if now-since > flushRing {
		return false
	}
	for ; since != now; since++ {
		fn(as.flushed[since%flushRing])
	}
	return true
}

// flushPage tells engines that one present translation changed. Nobody is in
// guest mode in this address space.
func (as *AddressSpace) flushPage(va uint64, exec bool) {
	if exec {
		va |= 1
	}
	n := as.flushes.Load()
	as.flushed[n%flushRing] = va
	as.flushes.Store(n + 1)
}

// translations are the present pages of a range, as flushPage wants them, unless
// they are too many: then engines may as well forget everything.
type translations struct {
	pages [flushRing]uint64
	n     int
	many  bool
}

// translated finds the translations of [start, end).
func (as *AddressSpace) translated(start, end uint64) (c translations) {
	as.present(start, end, func(va uint64, e pte, _, _ bool) bool {
		if c.many = c.n == len(c.pages); c.many {
			return false
		}
		if e&pteExec != 0 {
			va |= 1
		}
		c.pages[c.n] = va
		c.n++
		return true
	})
	return c
}

// flush tells engines that translations changed: a program that begins protects and
// unmaps a few pages at a time. Nobody is in guest mode in this address space.
func (as *AddressSpace) flush(c *translations) {
	if c.many {
		as.newGen()
		return
	}
	for _, va := range c.pages[:c.n] {
		as.flushPage(va&^1, va&1 != 0)
	}
}

// Get takes a reference for another task.
func (as *AddressSpace) Get() *AddressSpace {
	as.refs++
	return as
}

// Dead reports whether the last user has gone.
func (as *AddressSpace) Dead() bool { return as.dead }

// Users returns the number of references.
func (as *AddressSpace) Users() int { return as.refs }

// Put drops a reference; the last one frees all memory.
func (as *AddressSpace) Put() {
	if as.refs--; as.refs > 0 {
		return
	}
	as.quiesce()
	as.dead = true
	as.forget()
	as.root.leave(0, 1)
	as.root = 0
	as.vmas.put()
	if as.Exe != nil {
		as.Exe.Drop()
	}
	as.newGen()
}

// Fork makes the child's address space: one reference on the page table and
// one on the list of mappings, whatever their size. From here on parent and
// child own their private pages together, and the first to write copies.
func (as *AddressSpace) Fork() *AddressSpace {
	as.quiesce()
	child := &AddressSpace{
		root: as.root, vmas: as.vmas, acct: as.acct, peers: as.peers, refs: 1,
		Limits:    as.Limits,
		CodeStart: as.CodeStart, CodeEnd: as.CodeEnd, DataStart: as.DataStart, DataEnd: as.DataEnd,
		BrkStart: as.BrkStart, Brk: as.Brk, StackTop: as.StackTop, StackBase: as.StackBase,
		ArgStart: as.ArgStart, ArgEnd: as.ArgEnd, EnvStart: as.EnvStart, EnvEnd: as.EnvEnd,
		MmapBase: as.MmapBase, Exe: as.Exe, Auxv: as.Auxv,
		hint: as.hint, hintHole: as.hintHole, peakPages: as.peakPages, dontFork: as.dontFork, truncSeen: as.truncSeen,
	}
	as.mu.Lock()
	as.root.header().refs.Add(1)
	as.forget() // nothing is owned any more
	as.epoch, child.epoch = lastEpoch.Add(1), lastEpoch.Add(1)
	as.mu.Unlock()
	as.vmas.refs++
	if child.Exe != nil {
		child.Exe.Hold()
	}
	before := as.Version()
	as.gen.Store(lastGen.Add(1)) // the parent's write translations are void
	child.newGen()
	if as.dontFork {
		child.dropUnforked()
	} else {
		child.origin.child, child.origin.parent = child.Version(), before
	}
	return child
}

// dropUnforked removes what madvise said the child shall not have.
func (as *AddressSpace) dropUnforked() {
	var drop, wipe []VMA
	as.vmas.overlap(0, UserTop, func(v VMA) bool {
		if v.Flags&MapDontFork != 0 {
			drop = append(drop, v)
		} else if v.Flags&MapWipeFork != 0 {
			wipe = append(wipe, v)
		}
		return true
	})
	for _, v := range drop {
		as.unmap(v.Start, v.End)
	}
	for _, v := range wipe {
		if as.anyPresent(v.Start, v.End) {
			as.clearRange(v.Start, v.End)
		}
	}
	as.SetFlags(0, UserTop, 0, MapLocked)
}

// Lookup translates va for an engine in guest mode. ok is false if the page is
// absent or does not allow acc as it stands, in which case Fault decides.
func (as *AddressSpace) Lookup(va uint64, acc Access) (f Frame, ok bool) {
	if va >= UserTop {
		return 0, false
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	leaf, owned := as.leafOf(va, acc&AccessWrite != 0)
	if leaf == 0 {
		return 0, false
	}
	h, i := leaf.header(), index(va, leafLevel)
	e := pte(h.get(i))
	if e == 0 || !e.allows(acc) {
		return 0, false
	}
	f = e.frame()
	if f.Gone() {
		return 0, false
	}
	if acc&AccessWrite == 0 {
		return f, true
	}
	if e&pteShared == 0 {
		if f.Refs() != 1 || !owned && !as.ownedNow(va) {
			return 0, false
		}
		if h.meet(as.epoch); h.old>>i&1 != 0 {
			// Linux takes a fault here: fork has made the page read-only, and for its
			// last owner it is made writable again (wp_page_reuse).
			h.old &^= 1 << i
			as.faults.Add(1)
		}
	}
	if as.journal != nil {
		as.journal.note(f, va)
	}
	return f, true
}

// Around calls fn for the pages that allow acc in the aligned group of n pages with
// va, n being a power of two up to 64. An engine may access a page if its frame is
// not Gone. acc is not AccessWrite.
func (as *AddressSpace) Around(va, n uint64, acc Access, fn func(page uint64, f Frame)) {
	if va >= UserTop {
		return
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	leaf, _ := as.leafOf(va, false)
	if leaf == 0 {
		return
	}
	h, start := leaf.header(), va&^(n<<PageShift-1)
	for i := range h.within(va&^(1<<leafShift-1), PageShift, start, start+n<<PageShift) {
		if e := pte(h.get(i)); e.allows(acc) {
			fn(va&^(1<<leafShift-1)+i<<PageShift, e.frame())
		}
	}
}

// TakeFaults returns the number of minor page faults since the last time that
// Fault does not tell: the last owner's first write to a page after a fork, and
// those of the kernel on behalf of the process.
func (as *AddressSpace) TakeFaults() int64 {
	if as.faults.Load() == 0 {
		return 0
	}
	return as.faults.Swap(0)
}

// FindVMA returns the mapping that contains va.
func (as *AddressSpace) FindVMA(va uint64) (VMA, bool) {
	v, ok := as.vmas.find(va)
	return v, ok && v.Start <= va
}

// VMAs calls fn for every mapping in order of address.
func (as *AddressSpace) VMAs(fn func(v VMA) bool) { as.vmas.overlap(0, UserTop, fn) }

// TotalPages and RSSPages are the size of all mappings and the number of
// pages present, as /proc/PID/statm has them; PeakPages is the largest RSS.
func (as *AddressSpace) TotalPages() uint64 { return as.vmas.pages }

// DataPages is the part of TotalPages that RLIMIT_DATA counts.
func (as *AddressSpace) DataPages() uint64 { return as.vmas.data }

// LockedPages is the size of all mappings that mlock(2) has locked.
func (as *AddressSpace) LockedPages() (n uint64) {
	as.VMAs(func(v VMA) bool {
		if v.Flags&MapLocked != 0 {
			n += v.Len() >> PageShift
		}
		return true
	})
	return n
}

func (as *AddressSpace) pages() uint32 { return as.root.header().pages }

// RSSPages is the number of pages present.
func (as *AddressSpace) RSSPages() uint64 { return uint64(as.pages()) }

// TableBytes is the size of the page table, with the nodes that it shares.
func (as *AddressSpace) TableBytes() uint64 { return as.root.size(0) }

// PeakPages is the largest value RSSPages has had.
func (as *AddressSpace) PeakPages() uint64 { return uint64(max(as.peakPages, as.pages())) }

// Account is the account that new pages are charged to.
func (as *AddressSpace) Account() *Account { return as.acct }

// SetAccount makes acct pay for new pages.
func (as *AddressSpace) SetAccount(acct *Account) { as.acct = acct }

// Usage is what /proc/PID/smaps counts for one mapping, in bytes.
type Usage struct {
	RSS, PSS, PSSDirty, SharedClean, SharedDirty, PrivateClean, PrivateDirty, Anonymous uint64
}

// Usage counts the pages of [start, end).
func (as *AddressSpace) Usage(start, end uint64) (u Usage) {
	as.present(start, end, func(_ uint64, e pte, owned, kept bool) bool {
		f := e.frame()
		if f == zeroFrame {
			return true
		}
		owners := uint64(e.owners(kept))
		if !owned {
			owners = max(owners, 2)
		}
		u.RSS += PageSize
		u.PSS += PageSize / max(owners, 1)
		anon := e&pteFile == 0
		if anon {
			u.Anonymous += PageSize
		}
		switch {
		case owners > 1 && anon:
			u.SharedDirty += PageSize
			u.PSSDirty += PageSize / owners
		case owners > 1:
			u.SharedClean += PageSize
		case anon || e&(pteShared|pteWrite) == pteShared|pteWrite:
			u.PrivateDirty += PageSize
			u.PSSDirty += PageSize
		default:
			u.PrivateClean += PageSize
		}
		return true
	})
	return u
}

// PrivatePages is the number of pages that nobody else has, as the Private_
// lines of smaps count them. Nodes that have another owner are not entered, so
// that the cost is that of what has been written since the last fork.
func (as *AddressSpace) PrivatePages() uint64 { return as.root.private(0) }

// nomem is the errno for what exceeds a limit.
const nomem = linux.ENOMEM
