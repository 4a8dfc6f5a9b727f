package jit

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/tinevm/tine/internal/mm"
)

// block is the machine code of one stretch of guest code. It belongs to the
// frame its bytes are in, and is good for one virtual address.
type block struct {
	key
	n     int32 // instructions
	page  int32 // number in context.pages
	dead  atomic.Bool
	in    []link // jumps from other pages
	entry layout // positions in the code memory
}

// key names a block.
type key struct {
	frame mm.Frame
	pc    uint64
}

// link is a displacement that was made to lead to a block, and what it was.
type link struct {
	at  int32
	was uint32
}

// codePage is a frame with code, where it is mapped.
type codePage struct {
	frame mm.Frame
	page  uint64
}

// Sites are numbered in the order they are made; they are in pieces, so that
// they can be read while others are added.
const (
	sitePiece  = 1 << 12
	maxSites   = 1 << 21
	codeMargin = 1 << 16 // more than any block needs
)

// cache has the machine code of the host process, shared by all engines. What
// is not atomic is under mu. Machine code reads it all the time, so what is
// published stays until flush has seen every engine outside.
var cache struct {
	mu     sync.Mutex
	mem    codeMemory
	err    error // why there is no code memory
	used   int32 // bytes of code memory
	nsites uint32

	blocks  map[key]*block
	list    []*block // by number
	frames  map[mm.Frame][]*block
	pages   map[codePage]int32
	flushes atomic.Uint64 // generation; changes when all code is thrown away
	sites   [maxSites / sitePiece]*[sitePiece]site

	// published changes with every block: an engine that loads it sees the
	// sites of all code it can have run.
	published atomic.Uint64
}

var cacheOnce sync.Once

// openCache makes the code memory, once.
func openCache() error {
	cacheOnce.Do(func() {
		cache.mem, cache.err = newCodeMemory()
		reset()
	})
	return cache.err
}

// reset makes the cache empty.
func reset() {
	cache.used, cache.nsites = 0, 0
	cache.blocks, cache.frames = make(map[key]*block), make(map[mm.Frame][]*block)
	cache.pages, cache.list = make(map[codePage]int32), nil
}

// siteAt returns a copy of a site.
func siteAt(n uint32) site {
	cache.published.Load()
	return cache.sites[n/sitePiece][n%sitePiece]
}

// host gives the address of a position in the code memory.
func host(pos int32) uint64 { return uint64(cache.mem.x) + uint64(pos) }

// drop makes all blocks of a frame invalid. Engines that are in one of them
// leave it within a chunk of their budget; the one that wrote the frame leaves
// it at once.
func drop(f mm.Frame) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	for _, b := range cache.frames[f] {
		b.kill()
		delete(cache.blocks, b.key)
	}
	delete(cache.frames, f)
}

// kill closes the checked entry, and undoes the jumps that lead there. Jumps
// from the same page lead past it, but they die with it.
func (b *block) kill() {
	b.dead.Store(true)
	atomic.StoreUint32(cache.mem.word(b.entry.checked+3), uint32(offPages)) // page 0 is never mapped
	for _, l := range b.in {
		atomic.StoreUint32(cache.mem.word(l.at), l.was)
	}
	b.in = nil
}

// lookup finds or makes the block at pc, whose frame is f and is marked as code.
// It returns nil if the frame is not so any more, or if the instruction at pc
// ends in the next page. If there is no room it returns full.
func (t *translator) lookup(f mm.Frame, pc uint64) (b *block, full bool) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	k := key{f, pc}
	if b := cache.blocks[k]; b != nil {
		return b, false
	}
	if !f.HasCode() {
		return nil, false
	}
	page, ok := cache.pages[codePage{f, pc &^ pageMask}]
	if !ok {
		page = int32(len(cache.pages)) + 1
	}
	if page >= maxPages || cache.used+codeMargin > codeSize || cache.nsites+4*maxInsts > maxSites {
		return nil, true
	}
	t.buf = decode(t.buf[:0], f.Bytes(), pc)
	if len(t.buf) == 0 {
		return nil, false
	}
	cache.pages[codePage{f, pc &^ pageMask}] = page
	t.translate(t.buf, page)
	return t.publish(k, page), false
}

// publish copies the code to where it will run.
func (t *translator) publish(k key, page int32) *block {
	b := &block{key: k, n: int32(len(t.list)), page: page}
	pos, first := cache.used, cache.nsites
	b.entry = layout{pos + t.out.checked, pos + t.out.mem, pos + t.out.host}
	for _, at := range t.exits {
		t.set32(at, int32(binary.LittleEndian.Uint32(t.b[at:])+first))
	}
	copy(cache.mem.w[pos:], t.b)
	cache.used = (pos + t.pos() + 15) &^ 15
	for i := range t.sites {
		s := &t.sites[i]
		s.block = uint32(len(cache.list))
		for _, at := range []*int32{&s.retry, &s.next, &s.link} {
			if *at != 0 {
				*at += pos
			}
		}
		piece := &cache.sites[cache.nsites/sitePiece]
		if *piece == nil {
			*piece = new([sitePiece]site)
		}
		(*piece)[cache.nsites%sitePiece] = *s
		cache.nsites++
	}
	cache.list = append(cache.list, b)
	cache.blocks[k] = b
	cache.frames[k.frame] = append(cache.frames[k.frame], b)
	cache.published.Add(1)
	return b
}

// connect makes the edge s lead to b, which is what it looked for. generation
// is that of the cache when s was met.
func connect(s *site, b *block, generation uint64) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	from := cache.list
	if generation != cache.flushes.Load() || b.dead.Load() || from[s.block].dead.Load() {
		return
	}
	to := b.entry.checked
	if src := from[s.block]; src.frame == b.frame && src.page == b.page {
		if to = b.entry.mem; s.host {
			to = b.entry.host
		}
	} else {
		b.in = append(b.in, link{s.link, uint32(atomic.LoadUint32(cache.mem.word(s.link)))})
	}
	atomic.StoreUint32(cache.mem.word(s.link), uint32(to-(s.link+4)))
}

// alive reports whether the block of a site is still good.
func alive(s *site, generation uint64) bool {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	return generation == cache.flushes.Load() && !cache.list[s.block].dead.Load()
}

// flush throws all code away. It waits until no engine but e, who is not in
// machine code, can be using it.
func (e *engine) flush(generation uint64) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	if cache.flushes.Load() != generation {
		return // somebody else did
	}
	cache.flushes.Add(1)
	e.waitForOthers()
	reset()
}
