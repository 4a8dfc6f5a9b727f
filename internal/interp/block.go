package interp

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

const (
	maxBlock  = 64 // instructions in a block
	opBytes   = unsafe.Sizeof(op{})
	maxCached = 64 << 20 / int64(opBytes) // beyond it everything is dropped
)

// block is a sequence of instructions with one entry. It belongs to the frame
// its first byte is in, and is good for one virtual address: its ops contain
// absolute addresses.
type block struct {
	first  *op // the last one ends the block
	pc     uint64
	fall   uint64                   // address after the block
	target uint64                   // of the direct branch that ends it
	n      int32                    // instructions
	dead   atomic.Bool              // do not enter it any more
	links  [2]atomic.Pointer[block] // fall and target, if in the same page
	ops    []op
}

// cost is the memory the block takes, in ops.
func (b *block) cost() int64 { return int64(len(b.ops)) + 5 }

// framePage has the blocks of one frame by address.
type framePage struct {
	mu     sync.Mutex
	blocks map[uint64]*block
}

// cache is shared by all processors of the host process: two levels of arrays,
// indexed by frame.
var cache struct {
	top [1 << 16]atomic.Pointer[[1 << 10]atomic.Pointer[framePage]]
	ops atomic.Int64 // cost of all blocks
	mu  sync.Mutex   // dropAll
}

// codeEpoch counts the frames that became code. Processors that see it move
// give up their write translations, see dropWrites.
var codeEpoch atomic.Uint64

func init() { mm.SetCodeDropper(dropFrame) }

// pageOf returns the blocks of f, making the place if asked to.
func pageOf(f mm.Frame, create bool) *framePage {
	top := &cache.top[f>>10&(1<<16-1)]
	t := top.Load()
	if t == nil {
		if !create {
			return nil
		}
		top.CompareAndSwap(nil, new([1 << 10]atomic.Pointer[framePage]))
		t = top.Load()
	}
	slot := &t[f&(1<<10-1)]
	p := slot.Load()
	if p == nil && create {
		slot.CompareAndSwap(nil, &framePage{blocks: make(map[uint64]*block)})
		p = slot.Load()
	}
	return p
}

// dropFrame makes all blocks of f invalid. Processors that are in one of them
// finish it, but for the one that wrote the code, which leaves it.
func dropFrame(f mm.Frame) {
	if OnDropCode != nil {
		defer OnDropCode(f)
	}
	p := pageOf(f, false)
	if p == nil {
		f.ClearCode()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f.ClearCode()
	p.drop()
}

func (p *framePage) drop() {
	n := int64(0)
	for _, b := range p.blocks {
		b.dead.Store(true)
		n += b.cost()
	}
	clear(p.blocks)
	cache.ops.Add(-n)
}

// dropAll empties the cache when it has grown too large.
func dropAll() {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	if cache.ops.Load() <= maxCached {
		return
	}
	for i := range cache.top {
		t := cache.top[i].Load()
		if t == nil {
			continue
		}
		for j := range t {
			if p := t[j].Load(); p != nil {
				p.mu.Lock()
				p.drop()
				p.mu.Unlock()
			}
		}
	}
}

// lookup finds or makes the block at pc, whose frame is f. It returns nil if
// the instruction at pc cannot be fetched.
func (c *core) lookup(f mm.Frame, pc uint64) *block {
	p := pageOf(f, true)
	p.mu.Lock()
	b := p.blocks[pc]
	p.mu.Unlock()
	if b != nil {
		return b
	}
	if cache.ops.Load() > maxCached {
		dropAll()
	}
	// Marked before the bytes are read: whoever writes them from here on drops
	// the block.
	c.markCode(f)
	b = c.decodeBlock(f, pc)
	if b == nil {
		return c.crossing(f, pc)
	}
	p.publish(f, b)
	return b
}

// publish enters a block, unless somebody wrote the frame while it was being
// made: then it runs once.
func (p *framePage) publish(f mm.Frame, b *block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !f.HasCode() || p.blocks[b.pc] != nil {
		b.dead.Store(true)
		return
	}
	p.blocks[b.pc] = b
	cache.ops.Add(b.cost())
}

// markCode notes that f has blocks. Write translations of f must go: our own at
// once, those of other processors when they see codeEpoch.
func (c *core) markCode(f mm.Frame) {
	if f.HasCode() {
		return
	}
	f.MarkCode()
	codeEpoch.Add(1)
	c.dropWrites(f)
}

// dropWrites gives up the write translations of frames that have become code
// on some processor. What this one has written until now may have come after
// the other read the code, so the blocks go as well; not those of own, which
// this processor is about to make.
func (c *core) dropWrites(own mm.Frame) {
	c.epoch = codeEpoch.Load()
	for i, f := range c.wf {
		if f == 0 || !f.HasCode() {
			continue
		}
		c.wt[i], c.wf[i] = tlbEntry{}, 0
		if f != own {
			dropFrame(f)
		}
	}
}

// decodeBlock decodes from pc to the first instruction that ends a block. It
// returns nil if the first instruction crosses the end of the page.
func (c *core) decodeBlock(f mm.Frame, pc uint64) *block {
	page := f.Bytes()
	ops := c.scratch[:0]
	next := pc
	for off := pc & pageMask; off < mm.PageSize && len(ops) < maxBlock; off = next - pc + pc&pageMask {
		err := x86.DecodeInto(&c.in, page[off:])
		if err == x86.ErrShort {
			break
		}
		ops = append(ops, op{})
		o := &ops[len(ops)-1]
		o.decoded(&c.in, err, next)
		o.idx, o.off = uint8(len(ops)-1), uint16(next-pc)
		next += uint64(o.len)
		if o.flags&opTerm != 0 {
			break
		}
	}
	if len(ops) == 0 {
		return nil
	}
	return newBlock(pc, next, ops)
}

// newBlock makes a block of ops, which it changes: the inline codes are chosen,
// a comparison and the branch after it become one op, and a block that ends
// without a branch gets an op that goes on at fall.
func newBlock(pc, fall uint64, ops []op) *block {
	hotOnce.Do(fillHot)
	b := &block{pc: pc, fall: fall, n: int32(len(ops))}
	for i := range ops {
		ops[i].code = codeOf(&ops[i])
	}
	last := &ops[len(ops)-1]
	switch {
	case last.flags&opTerm == 0:
		ops = append(ops, op{x: blockEnd, code: codeEnd, flags: opTerm, idx: uint8(len(ops))})
	case last.form == formI:
		b.target = last.disp
		if last.x == x86.JCC && len(ops) > 1 {
			ops = fuse(ops)
		}
	}
	quiet(ops)
	join(ops)
	b.ops = append([]op(nil), ops...)
	b.first = &b.ops[0]
	return b
}

// fuse joins a conditional branch to the op before it if there is a code for
// the pair.
func fuse(ops []op) []op {
	n := len(ops)
	a, j := &ops[n-2], &ops[n-1]
	code := fusedCode(a, j.cc&15)
	if code == 0 {
		return ops
	}
	a.code, a.cc = code, j.cc
	a.flags |= opTerm
	return ops[:n-1]
}

// Instructions that cross into the next page are not kept with the frames, for
// then either frame would have to know of them. Each processor has a few, and
// compares the bytes before it uses one.
const crossSize = 64

type crossEntry struct {
	b     *block
	bytes [x86.MaxLen]byte
}

// crossing finds or makes the block of the one instruction at pc, which begins
// in f and ends in the next page.
func (c *core) crossing(f mm.Frame, pc uint64) *block {
	g, ok := c.fetchPage(pc&^pageMask + mm.PageSize)
	if !ok {
		return nil
	}
	e := &c.cross[pc>>mm.PageShift%crossSize]
	var now [x86.MaxLen]byte
	n := copy(now[:], f.Bytes()[pc&pageMask:])
	copy(now[n:], g.Bytes())
	if e.b != nil && e.b.pc == pc && string(e.bytes[:e.b.fall-pc]) == string(now[:e.b.fall-pc]) {
		return e.b
	}
	ops := c.scratch[:1]
	if !c.fetchOne(&ops[0], pc) {
		return nil
	}
	e.b, e.bytes = newBlock(pc, pc+uint64(ops[0].len), ops), now
	e.b.dead.Store(true) // keeps it out of the jump cache
	return e.b
}
