package interp

import (
	"sync/atomic"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

// New makes an engine for one virtual processor.
func New() cpu.Engine { return newCore() }

func newCore() *core {
	c := new(core)
	c.contexts = make(map[uint64]*context)
	know(0) // badLength, which no decoder returns, is among these
	return c
}

// runner is the part of a core that finds and runs blocks.
type runner struct {
	budget int64 // of this Run
	left   int64 // of the budget, as of the block that is running

	jump     [jumpSize]jumpEntry
	jctx     uint64 // context tag of jump entries
	itlb     [itlbSize]itlbEntry
	contexts map[uint64]*context
	current  *context
	lastCtx  uint64
	epoch    uint64 // of codeEpoch, when this processor last looked

	in    x86.Inst
	one   op // for single steps
	bytes [x86.MaxLen]byte

	// For operations on halves of vectors; see avx.go. While gather is set
	// floating point exceptions are only collected.
	lane     [16][2]uint64
	gather   bool
	gathered uint32

	fenced  atomic.Uint32
	wf      [tlbSize]mm.Frame // the frames of wt
	cross   [crossSize]crossEntry
	scratch [maxBlock + 1]op
}

// Run implements cpu.Engine.
func (c *core) Run(v *cpu.VCPU, r *cpu.Regs, as *mm.AddressSpace, budget int64) (cpu.Trap, int64) {
	c.restore(v, r, as)
	c.budget, c.left = budget, budget
	c.trap, c.after, c.badAddr = cpu.Trap{}, false, false
	for c.trap.Kind == cpu.TrapNone {
		c.runSome()
	}
	n := budget - c.left
	v.TSC += uint64(n)
	c.save(r)
	return c.trap, n
}

// ForgetWrites gives up all translations for writing, so that memory management
// is asked for each page once more.
func (c *core) ForgetWrites() {
	clear(c.wt[:])
	clear(c.wf[:])
}

// restore takes over the registers and the address space.
func (c *core) restore(v *cpu.VCPU, r *cpu.Regs, as *mm.AddressSpace) {
	c.v, c.regs, c.xmm, c.as = v, r, &r.XMM, as
	copy(c.r[:16], r.GPR[:])
	c.r[regFS], c.r[regGS] = r.FSBase, r.GSBase
	c.fk, c.fl = fkNone, r.Flags|cpu.FlagOn
	c.pc = r.RIP
	c.switchTo(as)
}

// save gives the registers back.
func (c *core) save(r *cpu.Regs) {
	copy(r.GPR[:], c.r[:16])
	r.FSBase, r.GSBase = c.r[regFS], c.r[regGS]
	r.Flags = c.rflags()
	r.RIP = c.pc
}

// stepFlags are the flags that are heeded between single instructions only.
const stepFlags = cpu.FlagTF | cpu.FlagAC

// runSome runs from c.pc until something has to be looked at.
func (c *core) runSome() {
	switch {
	case c.left <= 0:
		c.trap.Kind = cpu.TrapBudget
	case c.v.Stopped():
		c.trap.Kind = cpu.TrapInterrupt
	case c.fl&stepFlags != 0 || c.v.Watch != nil:
		trace := c.fl&cpu.FlagTF != 0
		if w := c.v.Watch; w != nil && w.Exec(c.pc) {
			c.exception(cpu.VectorDB)
			return
		}
		c.step()
		if c.trap.Kind == cpu.TrapNone && (trace || c.watched()) {
			c.exception(cpu.VectorDB)
		}
	default:
		if codeEpoch.Load() != c.epoch {
			c.dropWrites(0)
		}
		b := c.find(c.pc)
		if b == nil {
			return // a fault in fetching
		}
		if c.left < int64(b.n) {
			c.step()
			return
		}
		c.exec(b)
	}
}

// step executes the instruction at c.pc by its handler.
func (c *core) step() {
	pc := c.pc
	o := &c.one
	if !c.fetchOne(o, pc) {
		return
	}
	c.bpc = pc
	c.pc = pc + uint64(o.len)
	c.checkAccess(c.fl&cpu.FlagAC != 0, c.v.Watch)
	ok := handlers[o.x%x86.NumOps](c, o)
	c.checkAccess(false, nil)
	if !ok {
		c.stopped(o)
		return
	}
	c.left--
}

// stopped settles RIP and the count after the handler of o has returned false.
func (c *core) stopped(o *op) {
	c.left -= int64(o.idx)
	if c.after {
		c.left--
		return
	}
	c.pc = c.rip(o)
	if c.badAddr && o.flags&opStackSS != 0 {
		c.trap.Vector = cpu.VectorSS
	}
}

// fetchOne decodes the instruction at pc, which may cross into another page.
// An instruction that does not exist becomes an op that raises its exception.
func (c *core) fetchOne(o *op, pc uint64) bool {
	f, ok := c.fetchPage(pc)
	if !ok {
		return false
	}
	text := f.Bytes()[pc&pageMask:]
	var k *known
	if len(text) >= x86.MaxLen {
		if k = &c.known[pc%uint64(len(c.known))]; k.pc == pc && k.bytes == [x86.MaxLen]byte(text) {
			*o = k.op
			return true
		}
	}
	b := c.bytes[:copy(c.bytes[:], text)]
	err := x86.DecodeInto(&c.in, b)
	if err == x86.ErrShort {
		if f, ok = c.fetchPage(pc + uint64(len(b))); !ok {
			return false
		}
		n := copy(c.bytes[len(b):], f.Bytes())
		err = x86.DecodeInto(&c.in, c.bytes[:len(b)+n])
	}
	o.decoded(&c.in, err, pc)
	if k != nil {
		*k = known{pc: pc, bytes: [x86.MaxLen]byte(b), op: *o}
	}
	return true
}

// known is an instruction that was decoded by itself: the JIT leaves the same few
// to us again and again.
type known struct {
	pc    uint64
	bytes [x86.MaxLen]byte // there then
	op    op
}

// decoded fills o with an instruction, or with the exception for err.
func (o *op) decoded(in *x86.Inst, err error, pc uint64) {
	switch err {
	case nil:
		o.fill(in, pc)
	case x86.ErrTooLong:
		*o = op{x: badLength, flags: opTerm}
	default:
		*o = op{x: x86.BAD, flags: opTerm}
	}
}
