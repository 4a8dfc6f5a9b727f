package interp

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

func setAtomic() {
	set(map[x86.Op]handler{
		x86.XCHG: xchg, x86.XADD: xadd, x86.CMPXCHG: cmpxchg,
		x86.CMPXCHG8B: cmpxchg8b, x86.CMPXCHG16B: cmpxchg16b, x86.FENCE: fence,
	})
	for op, fn := range map[x86.Op]handler{
		x86.ADD: lockAdd, x86.ADC: lockAdc, x86.SUB: lockSub, x86.SBB: lockSbb,
		x86.AND: lockAnd, x86.OR: lockOr, x86.XOR: lockXor,
		x86.INC: lockInc, x86.DEC: lockDec, x86.NEG: lockNeg, x86.NOT: lockNot,
	} {
		handlers[firstLocked+op] = fn
	}
}

// Operations with LOCK that have a handler of their own.
const (
	firstLocked = x86.Op(3840)
	numLocked   = 128
)

// splitLock serialises locked accesses that no host instruction covers: those
// across an 8-byte boundary. They are atomic among themselves, not against
// locked accesses to parts of the same memory that are aligned.
var splitLock sync.Mutex

// The functions that locked computes.
func fnAdd(a, b uint64) uint64    { return a + b }
func fnSub(a, b uint64) uint64    { return a - b }
func fnAnd(a, b uint64) uint64    { return a & b }
func fnAndNot(a, b uint64) uint64 { return a &^ b }
func fnOr(a, b uint64) uint64     { return a | b }
func fnXor(a, b uint64) uint64    { return a ^ b }
func fnSet(_, b uint64) uint64    { return b }
func fnNeg(a, _ uint64) uint64    { return -a }
func fnNot(a, _ uint64) uint64    { return ^a }

// locked replaces the n bytes at va by f(them, b), atomically, and returns what
// they were.
func (c *core) locked(va uint64, n uint8, b uint64, f func(a, b uint64) uint64) (a uint64, ok bool) {
	w, shift, ok := c.lockWord(va, n)
	if !ok {
		return 0, false
	}
	if w == nil {
		splitLock.Lock()
		defer splitLock.Unlock()
		if a, ok = c.load(va, n); ok {
			c.store(va, n, f(a, b))
		}
		return a, ok
	}
	mask := ^uint64(0) >> (64 - 8*n) << shift
	for {
		old := atomic.LoadUint64(w)
		a = old & mask >> shift
		v := old&^mask | f(a, b)<<shift&mask
		if atomic.CompareAndSwapUint64(w, old, v) {
			return a, true
		}
	}
}

// lockWord returns the aligned host word that contains the n bytes at va and
// their position in it, after making sure they can be written. w is nil if no
// word contains them all.
func (c *core) lockWord(va uint64, n uint8) (w *uint64, shift uint, ok bool) {
	if !c.aligned(va, uint64(n)) {
		return nil, 0, false
	}
	c.watchWrite(va, uint64(n))
	if va&7+uint64(n) > 8 {
		return nil, 0, c.probeWrite(va, uint64(n))
	}
	e := &c.wt[va>>mm.PageShift&tlbMask]
	if e.tag != va&^pageMask|c.ctx && !c.fillWrite(va) {
		return nil, 0, false
	}
	return (*uint64)(at(va&^7 + e.delta)), uint(va&7) * 8, true
}

// lockedOp does a locked instruction with a memory destination.
func (c *core) lockedOp(o *op, b uint64, f func(a, b uint64) uint64) (a uint64, ok bool) {
	return c.locked(c.ea(o), o.size, b, f)
}

func (c *core) lockSrc(o *op) uint64 {
	if o.form == formMR {
		return c.gpr(o.src, o.srcSize)
	}
	return uint64(o.imm)
}

func lockAdd(c *core, o *op) bool {
	b := c.lockSrc(o)
	a, ok := c.lockedOp(o, b, fnAdd)
	if ok {
		c.setFlags(fkAdd, o.size, a, b)
	}
	return ok
}

func lockAdc(c *core, o *op) bool {
	b, cf := c.lockSrc(o), c.carry()
	a, ok := c.lockedOp(o, b+cf, fnAdd)
	if ok {
		c.setFlags(fkAdd+4*uint8(cf), o.size, a, b)
	}
	return ok
}

func lockSub(c *core, o *op) bool {
	b := c.lockSrc(o)
	a, ok := c.lockedOp(o, b, fnSub)
	if ok {
		c.setFlags(fkSub, o.size, a, b)
	}
	return ok
}

func lockSbb(c *core, o *op) bool {
	b, cf := c.lockSrc(o), c.carry()
	a, ok := c.lockedOp(o, b+cf, fnSub)
	if ok {
		c.setFlags(fkSub+4*uint8(cf), o.size, a, b)
	}
	return ok
}

func (c *core) lockLogic(o *op, f func(a, b uint64) uint64) bool {
	b := c.lockSrc(o)
	a, ok := c.lockedOp(o, b, f)
	if ok {
		c.setFlags(fkLogic, o.size, f(a, b), 0)
	}
	return ok
}

func lockAnd(c *core, o *op) bool { return c.lockLogic(o, fnAnd) }
func lockOr(c *core, o *op) bool  { return c.lockLogic(o, fnOr) }
func lockXor(c *core, o *op) bool { return c.lockLogic(o, fnXor) }

func lockInc(c *core, o *op) bool {
	a, ok := c.lockedOp(o, 1, fnAdd)
	if ok {
		c.setFlags(fkInc, o.size, a, c.carry())
	}
	return ok
}

func lockDec(c *core, o *op) bool {
	a, ok := c.lockedOp(o, 1, fnSub)
	if ok {
		c.setFlags(fkDec, o.size, a, c.carry())
	}
	return ok
}

func lockNeg(c *core, o *op) bool {
	a, ok := c.lockedOp(o, 0, fnNeg)
	if ok {
		c.setFlags(fkSub, o.size, 0, a)
	}
	return ok
}

func lockNot(c *core, o *op) bool {
	_, ok := c.lockedOp(o, 0, fnNot)
	return ok
}

// xchg with memory is locked with or without the prefix.
func xchg(c *core, o *op) bool {
	switch o.form {
	case formMR:
		a, ok := c.lockedOp(o, c.gpr(o.src, o.size), fnSet)
		if ok {
			c.setGPR(o.src, o.size, a)
		}
		return ok
	}
	a, b := c.gpr(o.dst, o.size), c.gpr(o.src, o.size)
	c.setGPR(o.dst, o.size, b)
	c.setGPR(o.src, o.size, a)
	return true
}

func xadd(c *core, o *op) bool {
	b := c.gpr(o.src, o.size)
	if o.flags&opLock != 0 {
		a, ok := c.lockedOp(o, b, fnAdd)
		if ok {
			c.setGPR(o.src, o.size, a)
			c.setFlags(fkAdd, o.size, a, b)
		}
		return ok
	}
	a, ok := c.dstUpdate(o)
	if !ok {
		return false
	}
	c.setFlags(fkAdd, o.size, a, b)
	c.setGPR(o.src, o.size, a)
	return c.result(o, a+b)
}

// cmpxchg needs to be allowed to write its destination in any case.
func cmpxchg(c *core, o *op) bool {
	old, v := c.gpr(cpu.RAX, o.size), c.gpr(o.src, o.size)
	var a uint64
	var ok bool
	if o.flags&opLock != 0 {
		a, ok = c.compareAndSwap(c.ea(o), o.size, old, v)
		if !ok {
			return false
		}
	} else {
		if a, ok = c.dstUpdate(o); !ok {
			return false
		}
		if a == old {
			c.result(o, v)
		}
	}
	c.setFlags(fkSub, o.size, old, a)
	if a != old {
		c.setGPR(cpu.RAX, o.size, a)
	}
	return true
}

// compareAndSwap replaces the n bytes at va by v if they are old, atomically,
// and returns what they were.
func (c *core) compareAndSwap(va uint64, n uint8, old, v uint64) (a uint64, ok bool) {
	w, shift, ok := c.lockWord(va, n)
	if !ok {
		return 0, false
	}
	if w == nil {
		splitLock.Lock()
		defer splitLock.Unlock()
		if a, ok = c.load(va, n); ok && a == old {
			c.store(va, n, v)
		}
		return a, ok
	}
	mask := ^uint64(0) >> (64 - 8*n) << shift
	for {
		word := atomic.LoadUint64(w)
		a = word & mask >> shift
		if a != old || atomic.CompareAndSwapUint64(w, word, word&^mask|v<<shift&mask) {
			return a, true
		}
	}
}

func cmpxchg8b(c *core, o *op) bool {
	va := c.ea(o)
	old := c.r[cpu.RDX]<<32 | c.r[cpu.RAX]&0xffffffff
	v := c.r[cpu.RCX]<<32 | c.r[cpu.RBX]&0xffffffff
	a, ok := c.compareAndSwap(va, 8, old, v)
	if !ok {
		return false
	}
	c.setZero(a == old)
	if a != old {
		c.r[cpu.RAX], c.r[cpu.RDX] = a&0xffffffff, a>>32
	}
	return true
}

// cmpxchg16b: pairs of words have no compare-and-swap in Go. Those of the
// guest exclude each other by a lock; each half is replaced by a host
// compare-and-swap, so that a locked access to one half is never lost.
func cmpxchg16b(c *core, o *op) bool {
	va := c.ea(o)
	if va&15 != 0 {
		return c.exception(cpu.VectorGP)
	}
	w, _, ok := c.lockWord(va, 8)
	if !ok {
		return false
	}
	splitLock.Lock()
	defer splitLock.Unlock()
	hi := (*uint64)(unsafe.Add(unsafe.Pointer(w), 8))
	for {
		a, b := atomic.LoadUint64(w), atomic.LoadUint64(hi)
		if a != c.r[cpu.RAX] || b != c.r[cpu.RDX] {
			c.r[cpu.RAX], c.r[cpu.RDX] = a, b
			c.setZero(false)
			return true
		}
		if !atomic.CompareAndSwapUint64(w, a, c.r[cpu.RBX]) {
			continue
		}
		if atomic.CompareAndSwapUint64(hi, b, c.r[cpu.RCX]) {
			c.setZero(true)
			return true
		}
		atomic.CompareAndSwapUint64(w, c.r[cpu.RBX], a)
	}
}

// fence is any of the fences: an atomic operation of the host orders all
// accesses before it with all after it.
func fence(c *core, _ *op) bool {
	c.fenced.Add(1)
	return true
}

func (c *core) setZero(z bool) {
	c.sync()
	c.fl = c.fl&^cpu.FlagZF | bit(z)*cpu.FlagZF
}
