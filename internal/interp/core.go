// Package interp is the portable engine: it decodes guest code once into basic
// blocks of compact operations and interprets those.
//
// # Operations
//
// An op is one decoded instruction (or a fused pair). Every op has a handler
// function, which does it completely and precisely for any form of operands.
// The most frequent forms also have a code, which the run loop (zrun.go)
// executes inline; when the inline form meets something unusual, a translation
// it does not have above all, it calls the handler. Single instructions are
// always executed by their handler.
//
// # Blocks
//
// Blocks belong to frames and are shared by all processors (block.go). Each
// processor finds them by its jump cache.
//
// # Faults
//
// A handler that cannot complete changes nothing, notes the trap in the core
// and returns false; the run loop then leaves with RIP at the instruction.
package interp

import (
	"unsafe"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

// Indices in core.r beyond the general registers.
const (
	regZero = 16 // always zero: the base or index that is not there
	regFS   = 17 // segment bases
	regGS   = 18
)

// handler executes o. It returns false if the run loop must stop: c.trap says
// why, and unless c.after is set all state is as before the instruction.
type handler func(c *core, o *op) bool

// form says where the first two operands are.
type form uint8

const (
	formNone form = iota
	formR         // one register: dst
	formM         // one memory operand
	formI         // one immediate
	formRR        // dst, src registers (of any kind: the handler knows)
	formRM        // dst register, source memory
	formMR        // destination memory, src register
	formRI        // dst register, immediate
	formMI        // destination memory, immediate
)

// hasMem reports whether there is a memory operand.
func (f form) hasMem() bool {
	return f == formM || f == formRM || f == formMR || f == formMI
}

// Bits of op.flags.
const (
	opAddr32 = 1 << iota // the address is truncated to 32 bits
	opLock
	opTerm    // ends its block: the handler sets c.pc
	opRepNE   // F2
	opRep     // F3
	opFused   // two instructions, the second at off2
	opStackSS // a memory operand relative to RSP or RBP: non-canonical is #SS
	opRex     // REX.W was set
	opCL      // the last operand is CL
)

// op is one operation. Register numbers of byte registers may carry x86.High.
// It has no pointers, and two of them fill a cache line.
type op struct {
	disp uint64 // displacement, RIP-relative ones made absolute; the target of a direct branch; the value of MOV register, immediate
	imm  int32  // any other immediate, extended
	code uint16 // case in the run loop
	x    x86.Op // names the handler

	dst, src    uint8 // registers of the first and the second operand
	base, index uint8 // indices in core.r
	scale       uint8 // shift of the index
	seg         uint8 // index in core.r of the segment base
	size        uint8 // operand size in bytes, that of the first operand
	srcSize     uint8 // that of the second
	form        form
	cc          uint8 // condition; otherwise the last opcode byte
	len         uint8
	idx         uint8 // number of instructions before it in the block
	flags       uint16
	off         uint16 // from the start of the block
}

// core is the state of one engine.
type core struct {
	known [32]known // see fetchOne

	// r has the general registers and what address computation needs. A byte
	// as index needs no bounds check.
	r [256]uint64

	// The arithmetic flags, lazily: see flags.go. fl has the other flags, and
	// the arithmetic ones too if fk is fkNone.
	fk     uint8
	fa, fb uint64
	fl     uint64

	ctx uint64 // tag of the current address space in TLB entries
	pc  uint64 // terminal handlers: where to go on; preset to the next instruction
	bpc uint64 // address of the block that is running

	trap    cpu.Trap
	after   bool       // the trapping instruction is complete; RIP is c.pc
	addr    uint64     // of the memory operand, between dstUpdate and result
	leave   bool       // leave the block after this instruction: code was written
	badAddr bool       // trap is about a non-canonical address
	align   bool       // the alignment check is on, see align.go
	slow    bool       // all accesses are looked at
	watch   *cpu.Watch // what they are compared with

	as   *mm.AddressSpace
	v    *cpu.VCPU
	regs *cpu.Regs
	xmm  *[16][2]uint64 // in regs

	rt [tlbSize]tlbEntry // reads
	wt [tlbSize]tlbEntry // writes

	runner
}

// rip is the address of the instruction of o.
func (c *core) rip(o *op) uint64 { return c.bpc + uint64(o.off) }

// ea computes the address of o's memory operand.
func (c *core) ea(o *op) uint64 {
	a := c.r[o.base] + c.r[o.index]<<(o.scale&63) + o.disp
	if o.flags&opAddr32 != 0 {
		a = uint64(uint32(a))
	}
	return a + c.r[o.seg]
}

// exception notes a processor exception. It returns false, for handlers to
// return.
func (c *core) exception(vector uint8) bool {
	c.trap = cpu.Trap{Kind: cpu.TrapException, Vector: vector}
	return false
}

// gpr returns a general register's low size bytes, zero-extended.
func (c *core) gpr(reg, size uint8) uint64 {
	switch size {
	case 8:
		return c.r[reg]
	case 4:
		return uint64(uint32(c.r[reg]))
	case 2:
		return uint64(uint16(c.r[reg]))
	}
	if reg&x86.High != 0 {
		return uint64(uint8(c.r[reg&3] >> 8))
	}
	return uint64(uint8(c.r[reg]))
}

// setGPR writes a general register: 32 bits clear the upper half, 16 and 8
// bits leave the rest.
func (c *core) setGPR(reg, size uint8, v uint64) {
	switch size {
	case 8:
		c.r[reg] = v
	case 4:
		c.r[reg] = uint64(uint32(v))
	case 2:
		c.r[reg] = c.r[reg]&^0xffff | v&0xffff
	default:
		if reg&x86.High != 0 {
			c.r[reg&3] = c.r[reg&3]&^0xff00 | v&0xff<<8
			return
		}
		c.r[reg] = c.r[reg]&^0xff | v&0xff
	}
}

// at turns a host address into a pointer. Guest memory is off the Go heap.
func at(host uint64) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(nil), uintptr(host)) }
