package jit

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
	"weak"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/interp"
	"github.com/tinevm/tine/internal/mm"
)

// chunk is how many instructions machine code may execute before it returns to
// Go: ten to twenty microseconds, for which the Go scheduler, its collector and
// who calls VCPU.Stop have to wait.
const chunk = 1 << 15

// reserve is the end of the budget that is left to the interpreter. Where machine
// code exits, flags may be out of date that the next instructions write, reserve at
// most (see liveness): when these have been executed all is exact.
const reserve = 16

// hotAfter is how often a block runs before it is worth more effort.
var hotAfter int32 = 1000

// sampledAfter is how many chunks end in a block before it is worth a second look:
// it has then taken ten times what that costs.
var sampledAfter int32 = 8

// lookAfter is how many chunks end in a block before it has its first look (0) or its
// second, which takes eight times as many.
func lookAfter(looks int32) int32 { return sampledAfter << (3 * looks) }

// A hot block in which farAfter accesses, less than farCost instructions apart,
// were to another page than the last one of the same instruction, is made anew: the
// instruction of the last of them, or if that is so of more than maxFar, each
// instruction, then does not expect the same page. Such an access costs some 50
// instructions.
const (
	farAfter = 2000
	farCost  = 1000
	maxFar   = 16
)

// spaces is the number of address spaces of which an engine keeps translations.
const spaces = 8

// engine is the JIT of one virtual processor.
type engine struct {
	step *interp.Stepper
	t    translator

	contexts [spaces]*context
	used     [spaces]uint64 // when each was used last
	clock    uint64

	// kept are the registers some of which are in keptIn, the context that ran
	// last: see Recall.
	kept   *cpu.Regs
	keptIn *context

	// fault is the page fault with which the last Run ended, faultIn where, and
	// faultGen the generation of the address space then.
	fault    cpu.Trap
	faultIn  *context
	faultGen uint64

	// Of the current Run.
	c      *context
	v      *cpu.VCPU
	head   site // see siteAt
	as     *mm.AddressSpace
	budget int64
	left   int64 // exact when Go runs

	total int64 // instructions executed in former Runs
	// quota is what is left of a chunk: its end comes after so many instructions
	// whatever else machine code exits for, and takes a sample; see sampled.
	quota  int64
	chunks uint32

	epoch uint64 // of interp.CodeEpoch, when this engine last looked
	// busy is odd while machine code runs or its sites are being looked at:
	// then code and sites stay where they are.
	busy atomic.Uint64
}

// engines has all engines that there are, for waitForOthers.
var engines struct {
	mu   sync.Mutex
	list []weak.Pointer[engine]
}

func init() { interp.OnDropCode = drop }

// Available says why there is no JIT on this host; nil means that New works.
func Available() error {
	if err := supported(); err != nil {
		return err
	}
	return openCache()
}

// New makes an engine for one virtual processor, after Available has said yes.
func New() cpu.Engine { return newEngine() }

// NewEager is New for who compares engines: it translates what runs once, too.
func NewEager() cpu.Engine {
	e := newEngine()
	e.t.eager = true
	return e
}

func newEngine() *engine {
	e := &engine{step: interp.NewStepper()}
	e.t.list = make([]inst, 0, maxInsts)
	engines.mu.Lock()
	defer engines.mu.Unlock()
	kept := engines.list[:0]
	for _, w := range engines.list {
		if w.Value() != nil {
			kept = append(kept, w)
		}
	}
	engines.list = append(kept, weak.Make(e))
	return e
}

// ForgetWrites gives up all translations for writing, so that memory management
// is asked for each page once more. It is called after each Run or after none:
// only the address space of the last one has any.
func (e *engine) ForgetWrites() {
	e.step.ForgetWrites()
	if e.c != nil {
		e.c.clearWrites()
	}
}

// waitForOthers waits until every other engine has been out of machine code.
func (e *engine) waitForOthers() {
	engines.mu.Lock()
	defer engines.mu.Unlock()
	for _, w := range engines.list {
		o := w.Value()
		if o == nil || o == e {
			continue
		}
		if n := o.busy.Load(); n&1 != 0 {
			for o.busy.Load() == n {
				runtime.Gosched()
			}
		}
	}
}

// special reports whether the registers are in a state in which only the
// interpreter can run: exceptions that are not masked would be the host's.
func special(r *cpu.Regs) bool {
	return interp.Special(r.Flags, r.MXCSR) || r.X87.CW&fpuMasks != fpuMasks
}

// Run implements cpu.Engine.
func (e *engine) Run(v *cpu.VCPU, r *cpu.Regs, as *mm.AddressSpace, budget int64) (cpu.Trap, int64) {
	if v.Watch != nil {
		r.Recall()
		return e.step.Run(v, r, as, budget)
	}
	e.v, e.as, e.budget, e.left = v, as, budget, budget
	e.c = e.contextOf(as)
	e.t.c = e.c
	e.keep(r)
	e.c.regs.LoadGeneral(r)
	e.c.flags = packFlags(r.Flags)
	if e.fault.Kind != cpu.TrapNone {
		e.fillFaulted()
	}
	trap := e.run()
	e.c.syncFlags()
	r.LoadGeneral(&e.c.regs)
	n := budget - e.left
	e.total += n
	v.TSC += uint64(n)
	if trap.Kind == cpu.TrapNone { // special
		r.Recall()
		t, k := e.step.Run(v, r, as, e.left)
		return t, n + k
	}
	if trap.Kind == cpu.TrapPageFault {
		e.fault, e.faultIn, e.faultGen = trap, e.c, as.Version().Gen
	}
	return trap, n
}

// keep makes the current context the one that has what Regs.Recall recalls. A
// system call uses none of it, so that most times it is there already.
func (e *engine) keep(r *cpu.Regs) {
	if e.kept == r && e.keptIn == e.c {
		return
	}
	if e.kept != nil {
		e.Recall(e.kept)
	}
	e.c.regs.LoadRest(r)
	e.kept, e.keptIn, r.Keeper = r, e.c, e
}

// Recall implements cpu.Keeper.
func (e *engine) Recall(r *cpu.Regs) {
	if e.kept != r {
		panic("jit: registers are recalled that another engine keeps")
	}
	e.keptIn.leaveImage()
	r.LoadRest(&e.keptIn.regs)
	e.kept, e.keptIn, r.Keeper = nil, nil, nil
}

// Forget implements cpu.Keeper.
func (e *engine) Forget(r *cpu.Regs) {
	if e.kept != r {
		panic("jit: registers are forgotten that another engine keeps")
	}
	e.keptIn.fpuLive = false
	e.kept, e.keptIn, r.Keeper = nil, nil, nil
}

// contextOf returns the context of an address space, without what is no longer
// true of it.
func (e *engine) contextOf(as *mm.AddressSpace) *context {
	space := uintptr(unsafe.Pointer(as))
	e.clock++
	oldest := 0
	for i, c := range &e.contexts {
		if c != nil && c.space == space {
			e.used[i] = e.clock
			c.update(as)
			return c
		}
		if e.used[i] < e.used[oldest] {
			oldest = i
		}
	}
	c := e.contexts[oldest]
	if c == nil {
		if c = firstContext.Swap(nil); c == nil {
			c = newContext()
		}
		c.warm()
		e.contexts[oldest] = c
	}
	e.used[oldest] = e.clock
	c.met = 0
	c.space, c.seen = space, mm.Version{} // no address space has this version
	if v, parent := as.Origin(); parent.Gen != 0 {
		for _, p := range e.contexts {
			if p != nil && p != c && p.seen == parent {
				c.inherit(p, v)
				break
			}
		}
	}
	c.update(as)
	return c
}

// dropWrites gives up the write translations of frames that have become code
// on some processor, in all address spaces. What was written through them may
// have come after the code was read, so the code goes as well; not that of own,
// which this engine is about to make.
func (e *engine) dropWrites(own mm.Frame) {
	e.epoch = interp.CodeEpoch()
	for _, c := range &e.contexts {
		if c == nil {
			continue
		}
		for i, f := range &c.wf {
			if f == 0 || !f.HasCode() {
				continue
			}
			c.dropWrite(uint64(i))
			if f != own {
				interp.DropCode(f)
			}
		}
	}
}

// find returns the block at pc, nil if it cannot be had (what the interpreter makes
// of the instruction there tells why), or unseen.
func (e *engine) find(pc uint64, tier tier) *block {
	for {
		p := e.codeAt(pc)
		if p == nil {
			return nil
		}
		generation := cache.flushes.Load()
		b, full := e.t.lookup(p, pc, tier)
		if f := p.frame; b == nil && !full && f.HasCode() {
			q := e.codeAt(pc&^pageMask + mm.PageSize)
			if q == nil {
				return nil
			}
			b, full = e.t.crossing(f, q.frame, pc)
			if b == nil && !full && f.HasCode() && q.frame.HasCode() {
				return nil
			}
		}
		switch {
		case full:
			e.flush(generation)
		case b == unseen:
			return b
		case b != nil:
			e.mapped(b.page)
			e.mapped(b.other)
			return b
		}
	}
}

// codeAt returns where the code at pc is, after marking it as such, or nil if
// nothing can be executed there.
func (e *engine) codeAt(pc uint64) *codeEntry {
	p, page := e.c.codeSlot(pc)
	if p.page == page && p.frame.HasCode() {
		return p
	}
	f, ok := e.as.Lookup(pc, mm.AccessExec)
	if !ok {
		return nil
	}
	e.markCode(f)
	p.set(page, f)
	if e.c.met++; e.c.met <= metAround {
		e.mappedAround(pc)
	}
	return p
}

// metAround is how many new pages an engine meets in an address space before it looks
// no more at those around: a large program comes to few of them.
const metAround = 32

// mappedAround notes the pages around pc that have been executed before, perhaps
// by other processes: a program that has just begun comes to most of them.
func (e *engine) mappedAround(pc uint64) {
	const n = 64 // as many as a page fault brings
	var list [n]*codeEntry
	found := list[:0]
	e.as.Around(pc, n, mm.AccessExec, func(va uint64, f mm.Frame) {
		if p, page := e.c.codeSlot(va); p.page != page && f.HasCode() && !f.Gone() {
			p.set(page, f)
			found = append(found, p)
		}
	})
	cache.mu.Lock()
	defer cache.mu.Unlock()
	if p := e.c.flushed; len(found) == 0 || p != cache.flushes.Load() {
		return
	}
	for _, p := range found {
		if p.code == nil || p.flushed != e.c.flushed {
			p.code, p.flushed = cache.frames[p.frame], e.c.flushed
		}
		if p.code != nil {
			if n := p.code.numberAt(p.page &^ pageMask); n != 0 {
				e.mapped(n)
			}
		}
	}
}

// unfetchable reports whether there is nothing to execute at pc, which is said
// sooner without the interpreter.
func (e *engine) unfetchable(pc uint64) bool {
	if pc >= mm.UserTop {
		return false // perhaps it is not canonical
	}
	_, ok := e.as.Lookup(pc, mm.AccessExec)
	return !ok
}

// markCode makes f a frame with code: no engine writes it unnoticed any more.
func (e *engine) markCode(f mm.Frame) {
	if f.HasCode() {
		return
	}
	before := interp.CodeEpoch()
	e.step.MarkCode(f)
	if f.MayStore() {
		e.dropWrites(f)
		e.waitForOthers()
	} else if e.epoch == before && interp.CodeEpoch() == before+1 {
		e.epoch++ // it was only this, and there is nothing to drop
	}
}

// mapped notes that a code page is mapped where it should be.
func (e *engine) mapped(page int32) {
	if page != 0 && e.c.pages[page] == 0 {
		e.c.pages[page] = 1
		e.c.noteRead(0, page)
	}
}

// where says where machine code is to be entered.
type where struct {
	pos  int32 // in the code memory; 0 is nowhere: look for RIP
	take int64 // instructions of the block that are still to be done
	// tier is that of the block, if one is made: tierPlain because of what is at
	// RIP.
	tier   tier
	fpu    bool // with the x87 registers in the host's
	unseen bool // what is at RIP is to be interpreted first
	// loaded: T0 and T1 shall lead to context.vectors, or T1 and what is at if that is
	// not 0.
	loaded bool
	at     uint64
}

// run runs from c.regs.RIP until a trap; TrapNone says that the interpreter has
// to go on.
func (e *engine) run() cpu.Trap {
	c := e.c
	var w where
	ran := false // machine code, so that reserve matters
	for {
		switch {
		case e.left <= 0:
			return cpu.Trap{Kind: cpu.TrapBudget}
		case e.v.Stopped():
			if ran {
				if t := e.stepSome(min(e.left, reserve)); t.Kind != cpu.TrapNone {
					return t
				}
			}
			return cpu.Trap{Kind: cpu.TrapInterrupt}
		case special(&c.regs):
			return cpu.Trap{}
		case e.left <= reserve:
			if t := e.stepSome(e.left); t.Kind != cpu.TrapNone {
				return t
			}
			w = where{}
			continue
		}
		generation := cache.flushes.Load()
		if c.flushed != generation {
			c.clearJumps()
			c.clearTLB()
			c.flushed = generation
			w = where{}
		}
		if i := c.regs.RIP % jumpSize; w.pos == 0 && w.tier != tierPlain && c.jumps[i].pc == c.regs.RIP {
			w.pos = position(c.jumps[i].code)
		}
		if w.pos == 0 {
			b := unseen
			if !w.unseen {
				b = e.find(c.regs.RIP, w.tier)
			}
			if b == unseen {
				w = where{}
				if t := e.stepBlock(); t.Kind != cpu.TrapNone {
					return t
				}
				continue
			}
			if b == nil && e.unfetchable(c.regs.RIP) {
				return cpu.Trap{Kind: cpu.TrapPageFault, Access: mm.AccessExec, Addr: c.regs.RIP}
			}
			if b == nil {
				if t := e.stepOne(); t.Kind != cpu.TrapNone {
					return t
				}
				continue
			}
			if cache.flushes.Load() != generation {
				continue
			}
			if w.tier != tierPlain {
				c.setJump(c.regs.RIP, host(b.entry.checked))
			}
			w = where{pos: b.entry.mem}
		}
		from, s := e.machine(w, generation)
		ran, w = true, where{}
		if s == nil {
			continue
		}
		if s.kind == siteSyscall {
			c.syscall(s)
			return cpu.Trap{Kind: cpu.TrapSyscall}
		}
		var t cpu.Trap
		if w, t = e.exited(from, s, generation); t.Kind != cpu.TrapNone {
			return t
		}
	}
}

// machine runs machine code and returns where it exits: the block and the site
// in it, or nil if something happened that has to be looked at first.
func (e *engine) machine(w where, generation uint64) (from *block, s *site) {
	c := e.c
	e.busy.Add(1)
	if cache.flushes.Load() != generation || interp.CodeEpoch() != e.epoch {
		e.busy.Add(1)
		if interp.CodeEpoch() != e.epoch {
			e.dropWrites(0)
		}
		return nil, nil
	}
	if e.quota <= 0 {
		// Not always the same number, which a loop might divide.
		e.chunks += 0x9e3779b9
		e.quota = chunk - int64(e.chunks>>20)
	}
	given := min(e.left-reserve, e.quota)
	c.left = int32(given - w.take)
	c.entry = host(w.pos)
	if w.fpu {
		c.loadImage()
		c.resume, c.entry = c.entry, host(cache.fpuEnter)
	}
	if w.loaded {
		at := w.at
		if at == 0 {
			at = c.entry // which T0 has
		}
		c.t1 = uint64(uintptr(unsafe.Pointer(&c.vectors))) - at
	}
	enter(c)
	switch c.block {
	case exitJump, exitReturn:
		// Where it comes from matters only if it cannot be.
		if s = &indirectSites[c.block-exitReturn]; c.t0 >= mm.UserTop {
			from, s = called(position(c.site))
		}
	case exitCalled, exitCrossing:
		from, s = called(position(c.site))
	default:
		from = blockAt(c.block)
		s = from.siteAt(c.site, &e.head)
	}
	left := int64(c.left)
	if left < -deadCount/2 {
		left += deadCount - int64(from.n)
	}
	e.left -= given - left
	e.quota -= given - left
	mm.ReleaseUint64(&e.busy, e.busy.Load()+1)
	return from, s
}

// indirectSites are what is to be known of a return or call, and of a jump, that leads to
// where something can be.
var indirectSites = [...]site{{kind: siteIndirect, arg: 8}, {kind: siteIndirect}}

// syscall does what SYSCALL does to the registers.
func (c *context) syscall(s *site) {
	next := s.pc + 2
	c.syncFlags()
	c.regs.GPR[cpu.RCX], c.regs.GPR[cpu.R11], c.regs.RIP = next, c.regs.Flags, next
}

// exited does what an exit asks for and says where to go on.
func (e *engine) exited(from *block, s *site, generation uint64) (where, cpu.Trap) {
	c := e.c
	switch s.kind {
	case siteEdge:
		c.regs.RIP = s.pc
		if s.host {
			c.flags = c.hostFlags
		}
		tier := tierOnce
		switch {
		case s.plain:
			tier = tierPlain
		case s.loop || from.tier == tierCold && (s.pc^from.pc)&^pageMask == 0:
			tier = tierCold
		}
		b := e.find(s.pc, tier)
		if b != nil && b != unseen {
			connect(from, s, b, generation)
		}
		return where{tier: tier, unseen: b == unseen}, cpu.Trap{}
	case siteIndirect:
		return e.indirect(s)
	case siteMiss:
		c.regs.RIP = s.pc
		c.dropJump(s.pc) // perhaps it led here, to a block that is dead
	default:
		return e.inside(from, s, generation)
	}
	return where{}, cpu.Trap{}
}
