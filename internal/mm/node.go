package mm

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A node of a page table stands for 64 entries and has room for those that are
// there: most nodes near the root have one or two. Entries are 32 bits wide:
// the number of a child, or a pte in a leaf.
//
// Nodes live in frames of the arena, called slabs, so that the Go collector
// neither doubles nor reads them, and so that an account pays for them like for
// any memory. A node is named by where it is: in units of 64 bytes from the
// start of the arena, which 32 bits can tell as long as frames take 26. Unit 0
// of a slab is the slab's own header.
type node uint32

const (
	unitShift = 6
	unitSize  = 1 << unitShift
	slabShift = PageShift - unitShift // from a node to its frame
)

type nodeHeader struct {
	refs  atomic.Int32 // keptRef is that of a page cache
	pages uint32       // present pages below
	bits  uint64       // which of the 64 entries are there
	// old are the entries of a leaf that have not been written since the last
	// fork, if epoch is that of the address space; otherwise none has been.
	old   uint64
	epoch uint32
	class uint8
	_     [3]byte
	// The entries follow, in order, without gaps.
}

const headerSize = unsafe.Sizeof(nodeHeader{})

// nodeClasses are the sizes of nodes, in units. The largest has room for all
// entries, the smallest for what the upper levels need.
var nodeClasses = [...]int{1, 2, 5}

const (
	numClasses = len(nodeClasses)
	classCap0  = (1*unitSize - int(headerSize)) / 4
	classCap1  = (2*unitSize - int(headerSize)) / 4
)

// classFor is the smallest class with room for n entries.
func classFor(n int) uint8 {
	switch {
	case n <= classCap0:
		return 0
	case n <= classCap1:
		return 1
	}
	return 2
}

func (h *nodeHeader) capacity() int {
	return min((nodeClasses[h.class]*unitSize-int(headerSize))/4, nodeSize)
}

func (n node) header() *nodeHeader {
	return (*nodeHeader)(unsafe.Add(arena.base, uintptr(n)<<unitShift))
}

// len is the number of entries.
func (h *nodeHeader) len() int { return bits.OnesCount64(h.bits) }

// at is the k-th of the entries that are there.
func (h *nodeHeader) at(k int) *uint32 {
	return (*uint32)(unsafe.Add(unsafe.Pointer(h), headerSize+uintptr(k)*4))
}

// entries are the entries that are there.
func (h *nodeHeader) entries() []uint32 { return unsafe.Slice(h.at(0), h.len()) }

// slot is entry i, or nil if it is not there.
func (h *nodeHeader) slot(i uint64) *uint32 {
	if h.bits>>i&1 == 0 {
		return nil
	}
	return h.at(bits.OnesCount64(h.bits & (1<<i - 1)))
}

// get is entry i, or 0.
func (h *nodeHeader) get(i uint64) uint32 {
	if p := h.slot(i); p != nil {
		return *p
	}
	return 0
}

// full reports whether there is no room for another entry.
func (h *nodeHeader) full() bool { return h.len() == h.capacity() }

// insert adds entry i, which is not there. There is room for it.
func (h *nodeHeader) insert(i uint64, v uint32) {
	k, n := bits.OnesCount64(h.bits&(1<<i-1)), h.len()
	h.bits |= 1 << i
	e := unsafe.Slice(h.at(0), n+1)
	copy(e[k+1:], e[k:n])
	e[k] = v
}

// remove takes out the entries of gone.
func (h *nodeHeader) remove(gone uint64) {
	e, k := h.entries(), 0
	for b, j := h.bits, 0; b != 0; b, j = b&(b-1), j+1 {
		if b&-b&gone == 0 {
			e[k] = e[j]
			k++
		}
	}
	h.bits &^= gone
}

// A nodePool hands out nodes from slabs that one account pays for.
type nodePool struct {
	mu    sync.Mutex
	slabs [numClasses]Frame // those with room, a list for each class
}

// freePool is the pool of nodes that no account pays for.
var freePool nodePool

type slabHeader struct {
	free       uint64 // which nodes are free
	next, prev Frame
	class      uint8
}

func (f Frame) slab() *slabHeader { return (*slabHeader)(f.Addr()) }

// wholeSlab is the set of all nodes of a slab.
func wholeSlab(class uint8) uint64 {
	return 1<<((PageSize-unitSize)/(unitSize*nodeClasses[class])) - 1
}

func (a *Account) pool() *nodePool {
	if a == nil {
		return &freePool
	}
	return &a.nodes
}

// newNode makes an empty node with one owner and room for n entries. ok is false
// if the account is full, which force ignores, or the host has no more memory.
func (a *Account) newNode(n int, force bool) (_ node, ok bool) {
	class := classFor(n)
	a = a.payer()
	p := a.pool()
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.slabs[class]
	if f == 0 {
		if f, ok = a.allocSlab(force); !ok {
			return 0, false
		}
		*f.slab() = slabHeader{free: wholeSlab(class), class: class}
		p.link(f)
	}
	s := f.slab()
	i := bits.TrailingZeros64(s.free)
	if s.free &= s.free - 1; s.free == 0 {
		p.unlink(f)
	}
	c := node(uint32(f)<<slabShift + uint32(1+i*nodeClasses[class]))
	h := c.header()
	h.pages, h.bits, h.old, h.epoch, h.class = 0, 0, 0, 0, class
	h.refs.Store(1)
	return c, true
}

// free gives the memory of a node back.
func (n node) free() {
	f := Frame(n >> slabShift)
	a := f.account()
	p, s := a.pool(), f.slab()
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.free == 0 {
		p.link(f)
	}
	s.free |= 1 << ((int(n)&(1<<slabShift-1) - 1) / nodeClasses[s.class])
	if s.free == wholeSlab(s.class) {
		p.unlink(f)
		f.Put()
	}
}

func (p *nodePool) link(f Frame) {
	s := f.slab()
	s.prev, s.next = 0, p.slabs[s.class]
	if s.next != 0 {
		s.next.slab().prev = f
	}
	p.slabs[s.class] = f
}

func (p *nodePool) unlink(f Frame) {
	s := f.slab()
	if s.prev != 0 {
		s.prev.slab().next = s.next
	} else {
		p.slabs[s.class] = s.next
	}
	if s.next != 0 {
		s.next.slab().prev = s.prev
	}
}
