package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// Segments as user code sees them. In 64-bit mode only FS and GS have a base,
// and nothing else depends on what is loaded; but selectors can be loaded, read
// and asked about (SDM vol. 3, 3.4 and 5.8).

func setSegments() {
	set(map[x86.Op]handler{
		x86.RETF: retf, x86.IRET: iret,
		x86.MOVSEG: movFromSeg, x86.LDSEG: movToSeg, x86.PUSHSEG: pushSeg, x86.POPSEG: popSeg,
		x86.LFS: loadFar, x86.LAR: lar, x86.LSL: lsl, x86.VERR: verr, x86.VERW: verw,
		x86.SLDT: sldt, x86.STR: str, x86.SMSW: smsw, x86.SGDT: sgdt, x86.SIDT: sidt,
		x86.RDFSBASE: readBase(regFS), x86.RDGSBASE: readBase(regGS),
		x86.WRFSBASE: writeBase(regFS), x86.WRGSBASE: writeBase(regGS),
	})
}

// Numbers of the segment registers.
const (
	segCS = 1
	segSS = 2
	segFS = 4
	segGS = 5
)

// Selectors in CS and SS of a 64-bit process (arch/x86/include/asm/segment.h).
const (
	userCS = 0x33
	userSS = 0x2b
)

// descriptor is what a process can learn of an entry of the global descriptor
// table: its access rights as LAR gives them, and what it may be used for.
type descriptor struct {
	rights   uint32
	readable bool
	writable bool
}

// gdt has the entries that user code may use, by index: code of 32 bits, data,
// code of 64 bits, and the one whose limit is the number of the processor. No
// code of 32 bits can be entered: there is no such mode here.
var gdt = map[uint64]descriptor{
	4:  {0xcffb00, true, false},
	5:  {0xcff300, true, true},
	6:  {0xaffb00, true, false},
	15: {0x40f500, true, false},
}

const gdtProcessor = 15

// describe finds the entry of a selector. All are open to user code, whatever
// the selector's low bits ask for, and no local table exists.
func describe(sel uint64) (d descriptor, ok bool) {
	if sel&4 == 0 {
		d, ok = gdt[sel>>3]
	}
	return d, ok
}

// selector is what is in a segment register.
func (c *core) selector(seg uint8) uint64 {
	switch seg {
	case segCS:
		return userCS
	case segSS:
		return userSS
	}
	return uint64(c.regs.Segs[seg])
}

// loadSeg loads any segment register but CS. For FS and GS that sets the base,
// which is zero in all descriptors, and for a null selector.
func (c *core) loadSeg(seg uint8, sel uint64) bool {
	_, ok := describe(sel)
	if seg == segSS && sel != userSS || seg != segSS && sel > 3 && !ok {
		return c.exception(cpu.VectorGP)
	}
	c.regs.Segs[seg] = uint16(sel)
	switch seg {
	case segFS:
		c.r[regFS] = 0
	case segGS:
		c.r[regGS] = 0
	}
	return true
}

func movFromSeg(c *core, o *op) bool {
	if o.src > segGS {
		return c.exception(cpu.VectorUD)
	}
	if o.form == formMR {
		return c.store16(c.ea(o), uint16(c.selector(o.src)))
	}
	c.setGPR(o.dst, o.size, c.selector(o.src))
	return true
}

func movToSeg(c *core, o *op) bool {
	if o.dst > segGS || o.dst == segCS {
		return c.exception(cpu.VectorUD)
	}
	v, ok := c.srcVal(o)
	return ok && c.loadSeg(o.dst, v)
}

func pushSeg(c *core, o *op) bool { return c.push(o.size, c.selector(o.dst)) }

func popSeg(c *core, o *op) bool {
	v, ok := c.load(c.r[cpu.RSP], o.size)
	if !ok || !c.loadSeg(o.dst, v&0xffff) {
		return false
	}
	c.r[cpu.RSP] += uint64(o.size)
	return true
}

// loadFar is LSS, LFS and LGS: an offset and, behind it, a selector.
func loadFar(c *core, o *op) bool {
	va := c.ea(o)
	off, ok := c.load(va, o.size)
	if !ok {
		return false
	}
	sel, ok := c.load16(va + uint64(o.size))
	if !ok || !c.loadSeg(o.cc&7, uint64(sel)) {
		return false
	}
	c.setGPR(o.dst, o.size, off)
	return true
}

// retf returns to the same privilege level, which is to the same segment.
func retf(c *core, o *op) bool {
	sp, size := c.r[cpu.RSP], uint64(o.size)
	rip, ok := c.load(sp, o.size)
	if !ok {
		return false
	}
	cs, ok := c.load(sp+size, o.size)
	if !ok {
		return false
	}
	if cs&0xffff != userCS {
		return c.exception(cpu.VectorGP)
	}
	if !c.goTo(rip) {
		return false
	}
	c.r[cpu.RSP] = sp + 2*size + uint64(o.imm)
	return true
}

// iret in 64-bit mode always loads the stack pointer too. In user mode it
// changes the flags that POPF changes.
func iret(c *core, o *op) bool {
	if c.fl&flagNT != 0 { // a task switch, which 64-bit mode does not have

		return c.exception(cpu.VectorGP)
	}
	var v [5]uint64 // RIP, CS, RFLAGS, RSP, SS
	for i := range v {
		var ok bool
		if v[i], ok = c.load(c.r[cpu.RSP]+uint64(i)*uint64(o.size), o.size); !ok {
			return false
		}
	}
	if v[1]&0xffff != userCS || v[4]&0xffff != userSS {
		return c.exception(cpu.VectorGP)
	}
	if !c.goTo(v[0]) {
		return false
	}
	mask := uint64(popfMask)
	if o.size == 2 {
		mask &= 0xffff
	}
	c.fl = c.rflags()&^mask | v[2]&mask
	c.r[cpu.RSP] = v[3]
	return true
}

// question is what LAR, LSL, VERR and VERW have in common: ZF is the answer.
func (c *core) question(o *op, ask func(d descriptor, index uint64) bool) bool {
	var sel uint64
	var ok bool
	switch o.form {
	case formRR, formRM:
		sel, ok = c.srcVal(o)
	default:
		sel, ok = c.dstRead(o)
	}
	if !ok {
		return false
	}
	d, ok := describe(sel)
	c.setZero(ok && ask(d, sel>>3))
	return true
}

func lar(c *core, o *op) bool {
	return c.question(o, func(d descriptor, _ uint64) bool {
		c.setGPR(o.dst, o.size, uint64(d.rights))
		return true
	})
}

// lsl: the limit of everything is 4 GiB, but for one entry that tells the
// processor.
func lsl(c *core, o *op) bool {
	return c.question(o, func(_ descriptor, index uint64) bool {
		limit := uint64(0xffffffff)
		if index == gdtProcessor {
			limit = uint64(c.v.ID)
		}
		c.setGPR(o.dst, o.size, limit)
		return true
	})
}

func verr(c *core, o *op) bool {
	return c.question(o, func(d descriptor, _ uint64) bool { return d.readable })
}

func verw(c *core, o *op) bool {
	return c.question(o, func(d descriptor, _ uint64) bool { return d.writable })
}

// The instructions that show the kernel's tables are privileged where the
// processor has UMIP; Linux then answers for them, with constants
// (arch/x86/kernel/umip.c). A register keeps what is above the operand.
func (c *core) spoof(o *op, v uint64) bool {
	if o.form == formM {
		return c.store16(c.ea(o), uint16(v))
	}
	mask := ^uint64(0) >> (64 - 8*o.size)
	c.r[o.dst] = c.r[o.dst]&^mask | v&mask
	return true
}

func smsw(c *core, o *op) bool { return c.spoof(o, 0x80050033) } // PE MP ET NE WP AM PG
func sldt(c *core, o *op) bool { return c.spoof(o, 0) }
func str(c *core, o *op) bool  { return c.spoof(o, 8<<3) }

// spoofTable stores a limit of zero and a base.
func (c *core) spoofTable(o *op, base uint64) bool {
	var b [10]byte
	for i := range 8 {
		b[2+i] = byte(base >> (8 * i))
	}
	return c.storeBytes(c.ea(o), b[:])
}

func sgdt(c *core, o *op) bool { return c.spoofTable(o, 0xfffffffffffe0000) }
func sidt(c *core, o *op) bool { return c.spoofTable(o, 0xffffffffffff0000) }

func readBase(reg uint8) handler {
	return func(c *core, o *op) bool {
		c.setGPR(o.dst, o.size, c.r[reg])
		return true
	}
}

func writeBase(reg uint8) handler {
	return func(c *core, o *op) bool {
		v := c.gpr(o.dst, o.size)
		if !canonical(v) {
			return c.exception(cpu.VectorGP)
		}
		c.r[reg] = v
		return true
	}
}
