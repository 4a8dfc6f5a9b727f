package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
)

// Stepper is the interpreter as another engine uses it: for one instruction at
// a time, on registers that this engine owns.
type Stepper struct{ c *core }

// NewStepper makes a Stepper. Like an engine it belongs to one processor.
func NewStepper() *Stepper { return &Stepper{newCore()} }

// Run is cpu.Engine.Run.
func (s *Stepper) Run(v *cpu.VCPU, r *cpu.Regs, as *mm.AddressSpace, budget int64) (cpu.Trap, int64) {
	return s.c.Run(v, r, as, budget)
}

// Step executes up to n instructions from r.RIP on. It returns a trap of kind
// TrapNone if the program goes on, and how many instructions are complete: fewer
// than n without a trap if the flags, or exceptions that are not masked, ask for
// Run. With block it ends after an instruction that ends a block. done is the number
// of instructions executed since v.TSC was brought up to date. TF is not looked at
// before the first.
func (s *Stepper) Step(v *cpu.VCPU, r *cpu.Regs, as *mm.AddressSpace, done, n int64, block bool) (cpu.Trap, int64) {
	c := s.c
	c.restore(v, r, as)
	c.budget, c.left = done+n, n
	c.trap, c.after, c.badAddr = cpu.Trap{}, false, false
	if codeEpoch.Load() != c.epoch {
		c.dropWrites(0)
	}
	for {
		c.step()
		if c.left == 0 || c.trap.Kind != cpu.TrapNone || block && c.one.flags&opTerm != 0 || Special(c.fl, r.MXCSR) {
			break
		}
	}
	c.save(r)
	return c.trap, n - c.left
}

// ForgetWrites is that of the engine.
func (s *Stepper) ForgetWrites() { s.c.ForgetWrites() }

// Special reports whether flags and MXCSR are such that only Run can go on: single
// steps, alignment checks, or floating point exceptions that are not masked.
func Special(flags uint64, mxcsr uint32) bool {
	const masks = 0x1f80
	return flags&stepFlags != 0 || mxcsr&masks != masks
}

// CPUID does what that instruction does, but for RIP.
func (s *Stepper) CPUID(v *cpu.VCPU, r *cpu.Regs) {
	g := &r.GPR
	identify(v, &g[cpu.RAX], &g[cpu.RBX], &g[cpu.RCX], &g[cpu.RDX])
}

// MarkCode notes that another engine is about to translate the code in f: no
// processor keeps a write translation of f for longer than until it next looks
// at CodeEpoch.
func (s *Stepper) MarkCode(f mm.Frame) { s.c.markCode(f) }

// CodeEpoch changes whenever a frame becomes code. Who has write translations
// must then give up those of frames that are code, and call DropCode for them.
func CodeEpoch() uint64 { return codeEpoch.Load() }

// DropCode drops the translations of f that any engine has.
func DropCode(f mm.Frame) { dropFrame(f) }

// OnDropCode, if not nil, is called when the translations of a frame are
// dropped. It is set before any engine runs.
var OnDropCode func(f mm.Frame)
