package interp

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

const (
	maxBlock  = 64              // instructions in a block
	opBytes   = unsafe.Sizeof(op{})
	maxCached = 64 << 20 / int64(opBytes) // ops in all blocks; beyond it everything is dropped
)

// block is a sequence of instructions with one entry. It belongs to the frame
// its first byte is in, and is good for one virtual address: its ops contain
// absolute addresses.
type block struct {
	first  *op // the last one ends the block
	pc     uint64
	fall   uint64 // address after the block
	target uint64 // of the direct branch that ends it
	n      int32  // instructions
	dead   atomic.Bool
	// second is the frame of the next page if the block is one instruction
	// that crosses into it.
	second mm.Frame
	ops    []op
}

// framePage has the blocks of one frame by address.
type framePage struct {
	mu     sync.Mutex
	blocks map[uint64]*block
}

// cache is shared by all processors of the host process: two levels of arrays,
// indexed by frame.
var cache struct {
	top [1 << 16]atomic.Pointer[[1 << 10]atomic.Pointer[framePage]]
	ops atomic.Int64 // in all blocks
	mu  sync.Mutex   // dropAll
}

// codeEpoch counts the frames that became code. Processors that see it move
// give up their write translations, see pollCode.
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
	n := 0
	for _, b := range p.blocks {
		b.dead.Store(true)
		n += len(b.ops)
	}
	clear(p.blocks)
	cache.ops.Add(int64(-n))
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

// lookup finds or makes the block at pc, whose frame is f.
func (c *core) lookup(f mm.Frame, pc uint64) *block {
	p := pageOf(f, true)
	p.mu.Lock()
	b := p.blocks[pc]
	p.mu.Unlock()
	if b != nil && b.second != 0 {
		g, ok := c.fetchPage(pc&^pageMask + mm.PageSize)
		if !ok {
			return nil
		}
		if g != b.second {
			b = nil
		}
	}
	if b != nil {
		return b
	}
	return c.build(p, f, pc)
}

// build decodes a block and publishes it.
func (c *core) build(p *framePage, f mm.Frame, pc uint64) *block {
	if cache.ops.Load() > maxCached {
		dropAll()
	}
	// Marked before the bytes are read: whoever writes them from here on drops
	// the block.
	c.markCode(f)
	b := c.decodeBlock(f, pc)
	if b == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !f.HasCode() {
		// Somebody wrote the frame meanwhile. The block runs once.
		b.dead.Store(true)
		return b
	}
	if b.second != 0 {
		return c.publishCrossing(p, b)
	}
	if old := p.blocks[pc]; old != nil {
		return old
	}
	p.blocks[pc] = b
	cache.ops.Add(int64(len(b.ops)))
	return b
}

// publishCrossing publishes a block that crosses into another frame. A write
// to the second frame must drop it as well, so it is not kept at all unless...
// it is simplest never to keep it: such instructions are 0.02 % of all.
func (c *core) publishCrossing(_ *framePage, b *block) *block {
	b.dead.Store(true)
	return b
}

// markCode notes that f has blocks. Write translations of f must go: our own at
// once, those of other processors when they see codeEpoch.
func (c *core) markCode(f mm.Frame) {
	if f.HasCode() {
		return
	}
	f.MarkCode()
	codeEpoch.Add(1)
	c.pollCode()
}

// pollCode gives up the write translations of frames that became code on some
// processor. What was written through them until now may have come after the
// code was read, so the blocks go as well, unless they are of this moment.
func (c *core) pollCode() {
	e := codeEpoch.Load()
	if e == c.epoch {
		return
	}
	c.epoch = e
	for i := range c.wt {
		t := &c.wt[i]
		if t.tag == 0 {
			continue
		}
		f := mm.FrameAt(at(t.tag&^pageMask + t.delta))
		if f.HasCode() {
			*t = tlbEntry{}
			c.recheck(f)
		}
	}
}

// decodeBlock decodes from pc to the first instruction that ends a block.
func (c *core) decodeBlock(f mm.Frame, pc uint64) *block {
	page := f.Bytes()
	var ops [maxBlock + 1]op
	n, at := 0, pc
	off := pc & pageMask
	for n < maxBlock && off < mm.PageSize {
		err := x86.DecodeInto(&c.in, page[off:])
		if err == x86.ErrShort {
			break // crosses the end of the page
		}
		o := &ops[n]
		o.decoded(&c.in, err, at)
		o.idx, o.off = uint8(n), uint16(at-pc)
		n++
		at += uint64(o.len)
		off += uint64(o.len)
		if o.flags&opTerm != 0 {
			break
		}
	}
	if n == 0 {
		return c.decodeCrossing(pc)
	}
	return newBlock(pc, at, ops[:n+1], n)
}

// decodeCrossing makes a block of an instruction that crosses into the next
// page.
func (c *core) decodeCrossing(pc uint64) *block {
	var ops [2]op
	if !c.fetchOne(&ops[0], pc) {
		return nil
	}
	b := newBlock(pc, pc+uint64(ops[0].len), ops[:], 1)
	b.second, _ = c.fetchPage(pc&^pageMask + mm.PageSize)
	return b
}
