package jit

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

// block is the machine code of one stretch of guest code. It belongs to the
// frame its bytes are in, and is good for one virtual address.
type block struct {
	pc    uint64
	frame mm.Frame
	tier  tier
	n     int32 // instructions
	page  int32 // number in context.pages
	other int32 // that of the page in which the instruction ends, or 0
	// The pages beside its own that a hot block is in. alone says that there shall be
	// none: they are not always together.
	beside []beside
	lasts  [2][]uint16 // hot blocks: which entries of context.rl and wl they have
	alone  bool
	// Hot blocks: how often much time was found to be spent in it. If it was, it goes
	// through calls and to other pages.
	looks    int32
	start    int32  // position in the code memory
	end      int32  // where it ends
	since    int64  // total of the engine that came to far last
	far      uint64 // hot blocks: the instructions that often access another page, a set
	dead     atomic.Bool
	links    uint32 // jumps that lead here and may have to be undone: the first in cache.links
	entry    layout // positions in the code memory
	sites    []site
	refs     []ref // unless it is from the archive
	archived bool  // it is

	samples atomic.Int32 // chunks that ended here
}

// link is a displacement that was made to lead to a block, and what it was.
type link struct {
	at   int32
	was  uint32
	next uint32 // in cache.links, 0 if it is the last
}

// linked notes that the displacement at a position leads to b, before it does.
func (b *block) linked(at int32, was uint32) {
	n := cache.freeLink
	if n == 0 {
		n = uint32(len(cache.links))
		cache.links = append(cache.links, link{})
	} else {
		cache.freeLink = cache.links[n].next
	}
	cache.links[n] = link{at, was, b.links}
	b.links = n
}

// unlink undoes the jumps that lead to b.
func (b *block) unlink() {
	for b.links != 0 {
		l := &cache.links[b.links]
		atomic.StoreUint32(cache.mem.word(l.at), l.was)
		b.links, l.next, cache.freeLink = l.next, cache.freeLink, b.links
	}
}

// codeFrame is a frame with code.
type codeFrame struct {
	frame mm.Frame
	table []entry    // a hash table of the blocks that begin here
	n     int        // blocks in it
	pages []codePage // where it is mapped
	kept  keptCode   // what the archive has of it
	// Blocks of one instruction that begins in one frame and ends in another:
	// those that begin here, by address and number of the other page, and those
	// that end here; and the blocks beside whose own page this is.
	begin map[codePage]*block
	end   []*block
}

// entry is a block in the table of a frame: its number, and in the other bits what
// it is looked up by, so that only the right block is touched. 0 is empty.
type entry uint64

const (
	numberBits = 20 // maxBlocks fits
	numberMask = 1<<numberBits - 1
	keyMask    = 1<<(64-numberBits) - 1
)

// keyOf is what the block at pc is looked up by. What it leaves out are high bits:
// of two addresses 8 TB apart a frame has one.
func keyOf(pc uint64, plain bool) entry {
	k := entry(pc<<1) & keyMask
	if plain {
		k |= 1
	}
	return k << numberBits
}

// slot is where in the table the block is, or may be put.
func (cf *codeFrame) slot(pc uint64, plain bool) *entry {
	k, mask := keyOf(pc, plain), uint64(len(cf.table)-1)
	for i := pc ^ pc>>6; ; i++ {
		if e := &cf.table[i&mask]; *e == 0 || *e&^numberMask == k {
			return e
		}
	}
}

// find returns a block, or nil.
func (cf *codeFrame) find(pc uint64, plain bool) *block {
	if n := *cf.slot(pc, plain) & numberMask; n != 0 {
		if b := numbered(uint32(n)); b.pc == pc && !b.dead.Load() {
			return b
		}
	}
	return nil
}

// enter enters the block with number n, instead of what is there.
func (cf *codeFrame) enter(b *block, n uint32) {
	at := cf.slot(b.pc, b.tier == tierPlain)
	if old := uint32(*at & numberMask); old != 0 {
		numbered(old).kill()
	} else if cf.n++; 4*cf.n > 3*len(cf.table) {
		cf.grow()
		at = cf.slot(b.pc, b.tier == tierPlain)
	}
	*at = keyOf(b.pc, b.tier == tierPlain) | entry(n)
}

// grow makes the table larger.
func (cf *codeFrame) grow() {
	old := cf.table
	cf.table = make([]entry, 4*len(old))
	for _, e := range old {
		if e != 0 {
			k := e >> numberBits
			*cf.slot(uint64(k>>1), k&1 != 0) = e
		}
	}
}

// all calls fn for every block that is in the table.
func (cf *codeFrame) all(fn func(b *block)) {
	for _, e := range cf.table {
		if e != 0 {
			fn(numbered(uint32(e & numberMask)))
		}
	}
}

// codePage is one of the addresses of a frame with code, and its number in
// context.pages.
type codePage struct {
	page uint64
	n    int32
}

// Blocks are numbered from 1 in the order they are made; they are in pieces, so
// that they can be read while others are added.
const (
	blockPiece = 1 << 9
	maxBlocks  = 1 << 19
	codeMargin = 1 << 16 // more than any block needs
	firstShift = 8
)

// cache has the machine code of the host process, shared by all engines. What
// is not atomic is under mu. Machine code reads it all the time, so what is
// published stays until flush has seen every engine outside.
var cache struct {
	mu  sync.Mutex
	mem codeMemory
	err error // why there is no code memory

	frames  map[mm.Frame]*codeFrame
	nblocks uint32 // the number of the next
	// By position shifted by firstShift: the number of the first block that ends after it.
	first  [codeSize >> firstShift]uint32
	blocks [maxBlocks / blockPiece]*[blockPiece]block
	lasts  [2]lasts // of context.rl and wl
	// The elements of links from freeLink on are not used; the first never is.
	links    []link
	freeLink uint32
	visits   visits
	pages    int32 // used numbers in context.pages
	common   common
	archive  *archive // nil: there is none
	// More common routines; see fpu_linux_amd64.go.
	fpuLoad, fpuUnload, fpuEnter int32
	flushes                      atomic.Uint64 // generation; changes when all code is thrown away

	// published changes with every block: an engine that loads it sees all
	// blocks that it can have run.
	published atomic.Uint64
}

var cacheOnce sync.Once

// openCache makes the code memory, once.
func openCache() error {
	cacheOnce.Do(func() {
		if cache.err = cache.mem.open(); cache.err == nil {
			c := newContext()
			firstContext.Store(c)
			go func() {
				c.warm()
				cache.mem.readyUpTo(firstCode)
			}()
		}
		reset()
	})
	return cache.err
}

// reset makes the cache empty.
func reset() {
	if cache.err == nil {
		cache.mem.used = 0
		emitCommon()
	}
	cache.frames, cache.pages = make(map[mm.Frame]*codeFrame), 0
	// Others may still hold blocks, so the memory is not used again.
	clear(cache.blocks[:])
	for i := range cache.lasts {
		clear(cache.lasts[i].uses[:])
	}
	cache.nblocks, cache.links, cache.freeLink = 1, make([]link, 1), 0
	if cache.err == nil {
		cache.first[cache.mem.used>>firstShift] = 1
	}
}

// blockAt returns a block by its number.
func blockAt(n uint32) *block {
	cache.published.Load()
	return numbered(n)
}

// numbered is blockAt for who holds mu.
func numbered(n uint32) *block { return &cache.blocks[n/blockPiece][n%blockPiece] }

// host gives the address of a position in the code memory.
func host(pos int32) uint64 { return uint64(cache.mem.x) + uint64(pos) }

// position is the inverse of host.
func position(host uint64) int32 { return int32(host - uint64(cache.mem.x)) }

// drop makes all blocks of a frame invalid. Engines that are in one of them
// leave it when they come to the head of the next; the one that wrote the frame
// leaves it at once.
func drop(f mm.Frame) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	cf := cache.frames[f]
	if cf == nil {
		return
	}
	cf.all((*block).kill)
	for _, b := range cf.begin {
		b.kill()
	}
	for _, b := range cf.end {
		b.kill()
	}
	clear(cf.table)
	clear(cf.begin)
	cf.n, cf.end, cf.kept = 0, nil, keptCode{}
}

// kill makes whoever enters the block leave it again at its head, and undoes the
// jumps that lead there; those from the same page may be left if they die with it.
func (b *block) kill() {
	b.dead.Store(true)
	for i := range b.lasts {
		cache.lasts[i].give(b.lasts[i])
		b.lasts[i] = nil
	}
	atomic.StoreUint32(cache.mem.word(b.entry.mem+4), deadCount)
	atomic.StoreUint32(cache.mem.word(b.entry.checked+3), uint32(offPages)) // page 0 is never mapped
	b.unlink()
}

// frameOf returns what there is about a frame.
func frameOf(f mm.Frame) *codeFrame {
	cf := cache.frames[f]
	if cf == nil {
		cf = &codeFrame{frame: f, table: make([]entry, 64)}
		cache.frames[f] = cf
	}
	return cf
}

// noRoom reports whether the cache is full.
func noRoom() bool {
	return cache.pages+2+maxBeside > maxPages || cache.mem.full() || cache.nblocks == maxBlocks
}

// lookup finds or makes the block at pc, whose page p is; its frame is marked as
// code. It returns nil if the frame is not so any more, or if the instruction at
// pc ends in the next page, and unseen if it is to be interpreted first. If there is
// no room it returns full.
func (t *translator) lookup(p *codeEntry, pc uint64, tier tier) (b *block, full bool) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	f := p.frame
	if g := cache.flushes.Load(); p.code == nil || p.flushed != g {
		p.code, p.flushed = frameOf(f), g
	}
	cf := p.code
	old := cf.find(pc, tier == tierPlain)
	if old != nil && (old.tier != tierOnce || tier != tierCold) {
		return old, false
	}
	if !f.HasCode() {
		return nil, false
	}
	if noRoom() {
		return nil, true
	}
	if old == nil && !t.eager && cache.archive != nil {
		if b := t.recall(cf, pc, tier); b != nil {
			return b, false
		}
	}
	if old == nil && tier == tierOnce && !t.eager && cache.visits.first(pc) {
		return unseen, false
	}
	if tier != tierPlain && hotAfter == 0 {
		tier = tierHot
	}
	return t.make(cf, pc, tier, old), false
}

// make makes the block at pc and enters it, instead of old unless that is nil. It
// returns nil if the instruction at pc ends in the next page.
func (t *translator) make(cf *codeFrame, pc uint64, tier tier, old *block) *block {
	t.beside, t.alone, t.looks, t.far = t.beside[:0], false, 0, 0
	if sampledAfter == 0 {
		t.looks = 1
	}
	if old != nil {
		t.alone, t.looks, t.far = old.alone, max(old.looks, t.looks), old.far
	}
	t.cf, t.pc = cf, pc
	t.decode(tier)
	if len(t.list) == 0 {
		return nil
	}
	if tier == tierOnce && t.list[len(t.list)-1].loopsTo(pc) {
		tier = tierCold
	}
	t.tier, t.page, t.other = tier, cf.number(pc&^pageMask), 0
	t.open(cf)
	b := t.translate()
	if cache.archive != nil {
		cache.archive.made++
	}
	cf.enter(b, t.number)
	for i := range b.beside {
		to := b.beside[i].cf
		to.end = append(to.end, b)
	}
	return b
}

// remake makes another block of what b is of.
func (t *translator) remake(b *block, tier tier, generation uint64) (full bool) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	return t.again(b, tier, generation)
}

// remakeThrough makes another hot block, which goes through calls and to other pages.
// It is done again later (lookAfter): the blocks around are hot as well then.
func (t *translator) remakeThrough(b *block, chunks int32, generation uint64) (full bool) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	if b.looks == maxLooks || chunks != lookAfter(b.looks) {
		return false
	}
	b.looks++
	return t.again(b, tierHot, generation)
}

// remakeAlone makes another hot block, in one page.
func (t *translator) remakeAlone(b *block, generation uint64) (full bool) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	b.alone = true
	return t.again(b, tierHot, generation)
}

func (t *translator) again(b *block, tier tier, generation uint64) (full bool) {
	if !b.alive(generation) || !b.frame.HasCode() {
		return false
	}
	if noRoom() {
		return true
	}
	t.make(frameOf(b.frame), b.pc, tier, b)
	return false
}

// recount makes a block that counts of the one at pc, whose page p is, if that
// was thought to run once.
func (t *translator) recount(p *codeEntry, pc uint64) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	if cf := cache.frames[p.frame]; cf != nil && p.frame.HasCode() && !noRoom() {
		if b := cf.find(pc, false); b != nil && b.tier == tierOnce {
			t.make(cf, pc, tierCold, b)
		}
	}
}

// tolerate reports whether it is long since it was asked for b, by the total of
// instructions now. Then b may go on to access other pages; otherwise the
// instruction of s, which is probably the one that does so most, is noted.
func (b *block) tolerate(number uint32, s *site, now int64) bool {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	ago := now - b.since
	b.since = now
	if ago < 0 || ago > farAfter*farCost {
		atomic.StoreInt32(&cache.mem.counts[number], farAfter)
		return true
	}
	for i := range b.sites {
		if o := &b.sites[i]; o.pc == s.pc && o.kind == s.kind { // also in other rounds
			b.far |= 1 << o.idx
		}
	}
	if bits.OnesCount64(b.far) > maxFar {
		b.far = ^uint64(0)
	}
	return false
}

// crossing finds or makes the block of the one instruction at pc, which begins
// in f and ends in g; both are marked as code.
func (t *translator) crossing(f, g mm.Frame, pc uint64) (b *block, full bool) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	if noRoom() {
		return nil, true
	}
	from, to := frameOf(f), frameOf(g)
	k := codePage{pc, to.number(pc&^pageMask + mm.PageSize)}
	if b := from.begin[k]; b != nil && !b.dead.Load() {
		return b, false
	}
	if !f.HasCode() || !g.HasCode() {
		return nil, false
	}
	n := copy(t.both[:x86.MaxLen], f.Bytes()[pc&pageMask:])
	copy(t.both[n:], g.Bytes())
	t.list = append(t.list[:0], inst{})
	if err := t.list[0].decode(t.both[:], pc); err != nil {
		return nil, false
	}
	liveness(t.list)
	t.tier, t.page, t.other, t.far, t.beside = tierPlain, from.number(pc&^pageMask), k.n, 0, t.beside[:0]
	t.open(from)
	b = t.translate()
	if from.begin == nil {
		from.begin = make(map[codePage]*block)
	}
	from.begin[k] = b
	to.end = append(to.end, b)
	return b, false
}

// numberAt returns the number of the frame at a page, 0 if it has none.
func (cf *codeFrame) numberAt(page uint64) int32 {
	for _, p := range cf.pages {
		if p.page == page {
			return p.n
		}
	}
	return 0
}

// number returns the number of the frame at a page.
func (cf *codeFrame) number(page uint64) int32 {
	if n := cf.numberAt(page); n != 0 {
		return n
	}
	cache.pages++
	cf.pages = append(cf.pages, codePage{page, cache.pages})
	return cache.pages
}

// open takes the number and the place of the next block.
func (t *translator) open(cf *codeFrame) {
	piece := &cache.blocks[cache.nblocks/blockPiece]
	if *piece == nil {
		*piece = new([blockPiece]block)
		populate(unsafe.Pointer(*piece), unsafe.Sizeof(**piece))
	}
	t.blk, t.number = &(*piece)[cache.nblocks%blockPiece], cache.nblocks
	m := &cache.mem
	m.prepare(codeMargin)
	t.cf, t.base = cf, m.used
	t.b, t.n = m.w[t.base:], 0
	if cap(t.sites)-len(t.sites) < maxBlockSites {
		t.sites = make([]site, 0, sitePiece)
		populate(unsafe.Pointer(unsafe.SliceData(t.sites)), sitePiece*unsafe.Sizeof(site{}))
	}
	t.sites = t.sites[len(t.sites):]
	if cap(t.refs)-len(t.refs) < maxBlockRefs && cache.archive != nil {
		t.refs = make([]ref, 0, refPiece)
	}
	t.refs = t.refs[len(t.refs):]
	t.lasts = [2][]uint16{t.lasts[0][:0], t.lasts[1][:0]}
	cache.mem.counts[t.number] = hotAfter
	if t.tier == tierHot {
		cache.mem.counts[t.number] = farAfter
	}
}

// populate has the host make memory of what is new and will all be written, at once:
// page by page it takes several times as long. What is so large begins a page.
func populate(p unsafe.Pointer, n uintptr) { mm.Populate(p, n, unix.MADV_POPULATE_WRITE) }

// publish makes what has been emitted a block.
func (t *translator) publish() *block {
	b := t.blk
	b.pc, b.tier, b.frame, b.n, b.page, b.other = t.pc, t.tier, t.cf.frame, int32(len(t.list)), t.page, t.other
	b.far, b.alone, b.looks = t.far, t.alone, t.looks
	b.beside, b.lasts = slices.Clone(t.beside), [2][]uint16{slices.Clone(t.lasts[0]), slices.Clone(t.lasts[1])}
	b.start, b.sites = t.base, t.sites[:len(t.sites):len(t.sites)]
	b.refs = t.refs[:len(t.refs):len(t.refs)]
	b.entry = layout{t.base + t.out.checked, t.base + t.out.mem, t.base + t.out.host}
	for i := range b.sites {
		s := &b.sites[i]
		if s.kind != siteEdge || (s.pc^b.pc)&^pageMask != 0 {
			continue
		}
		to := t.cf.find(s.pc, s.plain)
		if s.pc == b.pc && s.plain == (b.tier == tierPlain) && b.other == 0 {
			to = b
		}
		if to != nil && (!s.loop || to.tier != tierOnce) {
			if to.tier.remade() {
				to.linked(t.base+s.arg, binary.LittleEndian.Uint32(t.b[s.arg:]))
			}
			t.set32(s.arg, to.way(s.host)-(t.base+s.arg+4))
		}
	}
	used := &cache.mem.used
	b.end = (t.base + t.pos() + 15) &^ 15
	clear(t.b[t.pos() : b.end-t.base]) // what was there before the cache was emptied
	for i := (*used + 1<<firstShift - 1) >> firstShift; i<<firstShift < b.end; i++ {
		cache.first[i] = t.number
	}
	*used = b.end
	cache.nblocks++
	cache.published.Add(1)
	return b
}

// in reports whether the block looks at its head whether a page is mapped.
func (b *block) in(page int32) bool {
	return page == b.page || slices.ContainsFunc(b.beside, func(o beside) bool { return page == o.n })
}

// way is where a jump from a block that is in its page leads.
func (b *block) way(host bool) int32 {
	if host {
		return b.entry.host
	}
	return b.entry.mem
}

// connect makes the edge s of from lead to b, which is what it looked for.
// generation is that of the cache when s was met.
func connect(from *block, s *site, b *block, generation uint64) {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	if generation != cache.flushes.Load() || b.dead.Load() || from.dead.Load() {
		return
	}
	to, at := b.way(s.host), from.start+s.arg
	if !from.in(b.page) {
		if s.host { // the page was another when from was entered
			return
		}
		to = b.entry.checked
	}
	if from.page != b.page || b.tier.remade() {
		b.linked(at, atomic.LoadUint32(cache.mem.word(at)))
	}
	atomic.StoreUint32(cache.mem.word(at), uint32(to-(at+4)))
}

// alive reports whether a block is still good.
func (b *block) alive(generation uint64) bool {
	return generation == cache.flushes.Load() && !b.dead.Load()
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
