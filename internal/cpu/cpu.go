// Package cpu describes the guest processor as the kernel sees it: the
// architectural register file, the reasons a processor stops running guest
// code, and the Engine interface that runs it.
//
// An Engine knows memory (package mm) and nothing of the kernel.
package cpu

import (
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x87"
)

// Indices of the general registers in Regs.GPR, in the order the instruction
// encoding numbers them (Intel SDM vol. 2, table 2-2).
const (
	RAX = iota
	RCX
	RDX
	RBX
	RSP
	RBP
	RSI
	RDI
	R8
	R9
	R10
	R11
	R12
	R13
	R14
	R15
)

// Bits of RFLAGS that user code can see (Intel SDM vol. 1, 3.4.3).
const (
	FlagCF = 1 << 0
	FlagOn = 1 << 1 // always set
	FlagPF = 1 << 2
	FlagAF = 1 << 4
	FlagZF = 1 << 6
	FlagSF = 1 << 7
	FlagTF = 1 << 8
	FlagIF = 1 << 9 // always set in user mode
	FlagDF = 1 << 10
	FlagOF = 1 << 11
	FlagAC = 1 << 18
	FlagID = 1 << 21
)

// Regs is the register file of one task. It is plain data: copying it copies
// the task's processor state, which is all that fork needs.
//
// Whenever no engine is running it, every field is architecturally exact, but for
// those from MXCSR on: an engine may keep them from one run to the next, and they
// are exact after Recall only. Methods that use them see to that.
type Regs struct {
	GPR    [16]uint64
	RIP    uint64
	Flags  uint64
	FSBase uint64
	GSBase uint64
	Segs   [6]uint16 // selectors in ES, DS, FS, GS, numbered as the encoding does; CS and SS are what Linux makes them

	MXCSR uint32
	XMM   [16][2]uint64 // low and high quadword
	X87   x87.State     // also the MMX registers
	Upper [16][2]uint64 // the upper halves of the YMM registers, if they are in use
	// UpperUsed: some upper half may not be zero. Otherwise what Upper has means
	// nothing.
	UpperUsed bool

	// Keeper is the engine that keeps the fields from MXCSR on, or nil.
	Keeper Keeper
}

// Keeper is an engine that has what some fields of registers should be.
type Keeper interface {
	// Recall stores them in r and keeps them no longer.
	Recall(r *Regs)
	// Forget keeps them no longer.
	Forget(r *Regs)
}

// Recall makes all fields exact. It must be called before r is used by another
// engine than the last one, by that one's goroutine.
func (r *Regs) Recall() {
	if r.Keeper != nil {
		r.Keeper.Recall(r)
	}
}

// Forget is Recall for who is about to change all the fields that engines keep.
func (r *Regs) Forget() {
	if r.Keeper != nil {
		r.Keeper.Forget(r)
	}
}

// Copy returns a copy, which no engine keeps.
func (r *Regs) Copy() Regs {
	r.Recall()
	return *r
}

// Reset gives the state a program starts with (System V ABI, AMD64
// supplement, 3.4.1): everything zero but the control words.
func (r *Regs) Reset() {
	r.Forget()
	*r = Regs{Flags: FlagOn | FlagIF, MXCSR: 0x1f80}
	r.X87.Reset()
}

// LoadGeneral makes the fields before MXCSR those of s. The general registers are
// copied one by one: an engine has just stored them so, and the processor forwards
// such stores only to loads that are no wider.
func (r *Regs) LoadGeneral(s *Regs) {
	to, from := &r.GPR, &s.GPR
	to[0], to[1], to[2], to[3] = from[0], from[1], from[2], from[3]
	to[4], to[5], to[6], to[7] = from[4], from[5], from[6], from[7]
	to[8], to[9], to[10], to[11] = from[8], from[9], from[10], from[11]
	to[12], to[13], to[14], to[15] = from[12], from[13], from[14], from[15]
	r.RIP, r.Flags = s.RIP, s.Flags
	r.FSBase, r.GSBase = s.FSBase, s.GSBase
	r.Segs = s.Segs
}

// LoadRest makes the fields from MXCSR on those of s, but for what has no meaning.
func (r *Regs) LoadRest(s *Regs) {
	r.MXCSR = s.MXCSR
	r.XMM = s.XMM
	r.X87 = s.X87
	if r.UpperUsed = s.UpperUsed; r.UpperUsed {
		r.Upper = s.Upper
	}
}

// TrapKind says why an engine returned.
type TrapKind uint8

const (
	// TrapNone is the zero value; an engine never returns it.
	TrapNone TrapKind = iota
	// TrapSyscall: a SYSCALL instruction was executed. RIP is after it, RCX
	// and R11 hold RIP and RFLAGS as the instruction leaves them.
	TrapSyscall
	// TrapInt80: INT 0x80 was executed. RIP is after it.
	TrapInt80
	// TrapPageFault: Addr could not be accessed as Access asks. All state is
	// as before the instruction; RIP points to it.
	TrapPageFault
	// TrapException: the processor exception in Vector. For faults RIP points
	// to the instruction, for the traps #BP and #OF after it, as on hardware.
	TrapException
	// TrapInterrupt: VCPU.Stop was asked for.
	TrapInterrupt
	// TrapBudget: the instruction budget is spent.
	TrapBudget
)

// Exception vectors (Intel SDM vol. 3, table 6-1).
const (
	VectorDE = 0  // divide error
	VectorDB = 1  // single step (TF)
	VectorBP = 3  // int3
	VectorOF = 4  // into
	VectorBR = 5  // bound
	VectorUD = 6  // invalid opcode
	VectorNM = 7  // device not available
	VectorSS = 12 // stack segment
	VectorGP = 13 // general protection: privileged instruction, non-canonical address, misaligned SSE operand
	VectorPF = 14 // page fault, reported as TrapPageFault
	VectorMF = 16 // x87 error
	VectorAC = 17 // alignment check
	VectorXM = 19 // SIMD floating point error
)

// Trap tells why guest execution stopped.
type Trap struct {
	Kind   TrapKind
	Access mm.Access // page faults: what was tried
	Vector uint8     // exceptions
	Addr   uint64    // page faults: the first inaccessible address
}

// Engine runs guest code.
//
// An Engine value belongs to one virtual processor and is used by one
// goroutine at a time; caches shared between processors are the engine
// implementation's affair.
type Engine interface {
	// Run executes guest code in as, starting from r, until a trap, until v is
	// asked to stop, or until exactly budget instructions have been executed
	// (budget > 0). It returns the trap and the number of instructions
	// completed: an instruction that faults is not counted, SYSCALL is. A
	// repeated string instruction counts as one, when it completes; if it is
	// interrupted in the middle its registers tell how far it came.
	Run(v *VCPU, r *Regs, as *mm.AddressSpace, budget int64) (Trap, int64)
}
