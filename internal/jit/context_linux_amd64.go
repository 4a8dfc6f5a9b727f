package jit

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x87"
)

// Sizes of the arrays in a context.
const (
	tlbBits   = 11
	tlbSize   = 1 << tlbBits
	lastSize  = 1024
	largeBits = 13
	largeSize = 1 << largeBits
	jumpBits  = 14
	jumpSize  = 1 << jumpBits
	keptBits  = 15
	keptSize  = 1 << keptBits
	codeSlots = 1024
	maxReads  = 1024    // bash and its libraries are 550 pages
	maxPages  = 1 << 14 // code pages between two flushes of the code cache

	pageMask = mm.PageSize - 1
)

// tlbEntry maps a page. An access to va is good if va-page is an offset that
// leaves room for it; host is where the page is.
type tlbEntry struct{ page, host uint64 }

// lastEntry is the page that something accessed last: RSP, or an instruction of
// a hot block. Any address may be compared with it while it is empty, so that is
// told by limits: offsets in the page must be below small for operands of up to
// smallSpan bytes, and below large for up to maxSpan. The page's address is beside it.
type lastEntry struct {
	host         uint64
	small, large uint64
	apart        uint64 // host - page, but for that of RSP
}

// lastTable has such entries, and their pages together: Go looks for those that have a
// page.
type lastTable struct {
	pages   [lastSize]uint64
	entries [lastSize]lastEntry
}

// context is what machine code sees of an engine: one for each of the address
// spaces that the engine ran last. Machine code reaches it through register B,
// which points bias bytes into it, so that what is used most has one-byte
// displacements.
//
// It is on the Go heap. The engine that runs the machine code holds on to it.
type context struct {
	image fpuImage // see loadFPU; first, because it must be aligned

	flags  uint64            // arithmetic flags as LAHF and SETO AL leave them in AX
	target uint64            // scratch
	site   uint64            // exits: which one of the block
	block  uint32            // and which block
	left   int32             // instructions until machine code must return to Go
	groups [maxGroups]uint64 // see group

	stackPage uint64
	stack     lastEntry // of wt

	regs cpu.Regs

	entry     uint64 // where enter enters
	t0, t1    uint64 // the temporaries, at an exit
	resume    uint64 // where fpuEnter goes
	largeTag  uint64 // 1 to pageMask
	missing   uint64 // scratch: the address that loadMiss looks for
	hostFlags uint64 // the host's flags, at an exit, like flags

	vectors [96]byte // see gather and loadAcross

	cross [crossSize]crossing

	fpuLive bool   // image has the state of x87
	control uint16 // the host's control word
	hostMX  uint32 // MXCSR as Go has it

	rt, wt [tlbSize]tlbEntry
	// What is in rt and what was; see loadMiss. The low bits of a page are largeTag if it
	// is not out of date.
	large [largeSize]tlbEntry
	// What instructions of hot blocks found last in rt and in wt: nothing is in wl
	// that is not in wt.
	_      [24]byte // an entry is in one cache line
	rl, wl lastTable
	jumps  [jumpSize]jump  // where indirect jumps lead
	kept   [keptSize]jump  // the same, to be asked next; see emitAgain
	pages  [maxPages]uint8 // code pages that are mapped where their code believes

	// The entry of a leaf and a subleaf, see translator.cpuid.
	cpuid [cpuidSlots]cpuidEntry

	// Not for machine code.
	space   uintptr // the address space, only to be compared
	seen    mm.Version
	flushed uint64            // generation of the code cache that jumps are of
	wf      [tlbSize]mm.Frame // frames of wt
	// Unless they are full, all that is not empty.
	reads   []readEntry
	crowded bool // reads is full, and would be if it were made anew
	writes  []uint32
	code    []codeEntry
	codeTag uint64 // 1 to pageMask
	warmed  atomic.Bool
	met     int // pages that codeAt met in the address space
}

// jump is where an indirect jump to a guest address leads.
type jump struct{ pc, code uint64 }

// codeEntry is an element of a TLB for code.
type codeEntry struct {
	page    uint64 // and in its low bits codeTag, if it is not out of date
	frame   mm.Frame
	flushed uint64     // generation of the code cache that code is of
	code    *codeFrame // if it has been looked for
}

// set makes the entry that of a page. What is known of the frame remains if it had the
// same: another process of the program has often been there.
func (p *codeEntry) set(page uint64, f mm.Frame) {
	if p.page = page; p.frame != f {
		p.frame, p.code = f, nil
	}
}

// cpuidEntry is what CPUID said about a leaf: EAX, EBX, ECX and EDX.
type cpuidEntry struct {
	leaf, sub uint32
	said      [4]uint32
	_         [2]uint32
}

const (
	cpuidLen   = 2 // of the instruction without prefixes
	cpuidSlots = 64
	cpuidShift = 5 // of the size of an entry
)

// Where things are from register B.
const (
	bias = 128 + int32(unsafe.Sizeof(fpuImage{}))

	offLeft       = int32(unsafe.Offsetof(context{}.left)) - bias
	offFlags      = int32(unsafe.Offsetof(context{}.flags)) - bias
	offGroups     = int32(unsafe.Offsetof(context{}.groups)) - bias
	offStack      = int32(unsafe.Offsetof(context{}.stack)) - bias
	offStackPage  = int32(unsafe.Offsetof(context{}.stackPage)) - bias
	offStackLarge = offStack + lastLarge
	offT0         = int32(unsafe.Offsetof(context{}.t0)) - bias
	offHostFlags  = int32(unsafe.Offsetof(context{}.hostFlags)) - bias
	offT1         = int32(unsafe.Offsetof(context{}.t1)) - bias
	offTarget     = int32(unsafe.Offsetof(context{}.target)) - bias
	offResume     = int32(unsafe.Offsetof(context{}.resume)) - bias
	offEntry      = int32(unsafe.Offsetof(context{}.entry)) - bias
	offSite       = int32(unsafe.Offsetof(context{}.site)) - bias
	offBlock      = int32(unsafe.Offsetof(context{}.block)) - bias
	offHostMX     = int32(unsafe.Offsetof(context{}.hostMX)) - bias
	offRegs       = int32(unsafe.Offsetof(context{}.regs)) - bias
	offGPR        = offRegs + int32(unsafe.Offsetof(cpu.Regs{}.GPR))
	offRFlags     = offRegs + int32(unsafe.Offsetof(cpu.Regs{}.Flags)) // but for arithmetic flags
	offFSBase     = offRegs + int32(unsafe.Offsetof(cpu.Regs{}.FSBase))
	offGSBase     = offRegs + int32(unsafe.Offsetof(cpu.Regs{}.GSBase))
	offMXCSR      = offRegs + int32(unsafe.Offsetof(cpu.Regs{}.MXCSR))
	offXMM        = offRegs + int32(unsafe.Offsetof(cpu.Regs{}.XMM))
	offUpper      = offRegs + int32(unsafe.Offsetof(cpu.Regs{}.Upper))
	offUpperUsed  = offRegs + int32(unsafe.Offsetof(cpu.Regs{}.UpperUsed))
	offFIP        = offRegs + int32(unsafe.Offsetof(cpu.Regs{}.X87)) + int32(unsafe.Offsetof(x87.State{}.FIP))
	offImage      = int32(unsafe.Offsetof(context{}.image)) - bias
	offVectors    = int32(unsafe.Offsetof(context{}.vectors)) - bias
	offFPULive    = int32(unsafe.Offsetof(context{}.fpuLive)) - bias
	offControl    = int32(unsafe.Offsetof(context{}.control)) - bias
	offRT         = int32(unsafe.Offsetof(context{}.rt)) - bias
	offWT         = int32(unsafe.Offsetof(context{}.wt)) - bias
	offLarge      = int32(unsafe.Offsetof(context{}.large)) - bias
	offLargeTag   = int32(unsafe.Offsetof(context{}.largeTag)) - bias
	offMissing    = int32(unsafe.Offsetof(context{}.missing)) - bias
	offRL         = int32(unsafe.Offsetof(context{}.rl)) - bias
	offWL         = int32(unsafe.Offsetof(context{}.wl)) - bias
	offJumps      = int32(unsafe.Offsetof(context{}.jumps)) - bias
	offKept       = int32(unsafe.Offsetof(context{}.kept)) - bias
	offCross      = int32(unsafe.Offsetof(context{}.cross)) - bias
	offCPUID      = int32(unsafe.Offsetof(context{}.cpuid)) - bias
	offPages      = int32(unsafe.Offsetof(context{}.pages)) - bias
)

// Where things are in a lastTable and a lastEntry.
const (
	lastEntries   = int32(unsafe.Offsetof(lastTable{}.entries))
	lastTableSize = int32(unsafe.Sizeof(lastTable{}))

	lastHost  = int32(unsafe.Offsetof(lastEntry{}.host))
	lastSmall = int32(unsafe.Offsetof(lastEntry{}.small))
	lastApart = int32(unsafe.Offsetof(lastEntry{}.apart))
	lastLarge = int32(unsafe.Offsetof(lastEntry{}.large))
	lastBytes = int32(unsafe.Sizeof(lastEntry{}))
)

// deadCount is what a block that is not to be executed takes off the budget: it
// is then not enough.
const deadCount = 1 << 30

func newContext() *context {
	c := new(context)
	c.control, c.hostMX = 0x037f, 0x1f80 // as they are after FNINIT and a reset
	if uintptr(unsafe.Pointer(c))%64 != 0 {
		panic("jit: a context is not aligned") // one so large begins a page
	}
	// What is nothing but zero is not written: the memory is new, and most of it
	// will not be needed soon.
	c.jumps[0].pc, c.kept[0].pc = noJump(0), noJump(0)
	c.cpuid[0].sub = 1 // which belongs elsewhere
	c.rt[0].page, c.wt[0].page = noPage(0), noPage(0)
	c.reads, c.writes = make([]readEntry, 0, maxReads), make([]uint32, 0, 512)
	c.code = make([]codeEntry, codeSlots)
	c.clearCode()
	c.clearLarge()
	return c
}

// codeSlot is where the page of pc is in the TLB for code if its field page is page.
func (c *context) codeSlot(pc uint64) (p *codeEntry, page uint64) {
	page = pc&^pageMask | c.codeTag
	return &c.code[page>>mm.PageShift%codeSlots], page
}

// codeMet is the frame of the code at pc, if it is one that the engine has met, or 0.
func (c *context) codeMet(pc uint64) mm.Frame {
	if p, page := c.codeSlot(pc); p.page == page && p.frame.HasCode() {
		return p.frame
	}
	return 0
}

// firstContext is for the first engine that runs something. It is made ready while
// the machine is being set up.
var firstContext atomic.Pointer[context]

// warm has the host make memory of all of it, if nobody does or has done so: nearly
// all will be looked at, and most of that written later, which would be two page
// faults for each page.
func (c *context) warm() {
	if c.warmed.CompareAndSwap(false, true) {
		mm.Populate(unsafe.Pointer(c), unsafe.Sizeof(*c), unix.MADV_POPULATE_WRITE)
		runtime.KeepAlive(c)
	}
}

// clearCode forgets where code is.
func (c *context) clearCode() {
	if c.codeTag++; c.codeTag > pageMask {
		clear(c.code)
		c.codeTag = 1
	}
}

// clearJumps forgets where indirect jumps go. An empty entry has an address that
// is looked for in another.
func (c *context) clearJumps() {
	clear(c.jumps[:])
	clear(c.kept[:])
	clear(c.cross[:])
	c.jumps[0].pc, c.kept[0].pc = noJump(0), noJump(0)
}

// keptHash is odd: what the low half of an address is multiplied by, so that the
// first keptBits of the product tell where it is in kept.
const keptHash = 0x9e3779b1

func keptSlot(pc uint64) uint32 { return uint32(pc) * keptHash >> (32 - keptBits) }

// setJump has indirect jumps to pc lead to code.
func (c *context) setJump(pc, code uint64) {
	j := jump{pc, code}
	c.jumps[pc%jumpSize], c.kept[keptSlot(pc)] = j, j
}

// dropJump has indirect jumps to pc come to Go.
func (c *context) dropJump(pc uint64) {
	if i := pc % jumpSize; c.jumps[i].pc == pc {
		c.jumps[i].pc = noJump(i)
	}
	if i := keptSlot(pc); c.kept[i].pc == pc {
		c.kept[i].pc = noJump(uint64(i))
	}
}

func noJump(i uint64) uint64 {
	if i == 0 {
		return 1
	}
	return 0
}

// Arithmetic flags in AX: SF, ZF, AF, PF and CF are where RFLAGS has them, but
// in AH, and OF is all of AL.
const ahFlags = cpu.FlagSF | cpu.FlagZF | cpu.FlagAF | cpu.FlagPF | cpu.FlagCF

const arithFlags = ahFlags | cpu.FlagOF

func packFlags(f uint64) uint64 { return f&ahFlags<<8 | f>>11&1 }

func unpackFlags(ax uint64) uint64 { return ax>>8&ahFlags | ax&1<<11 }

// syncFlags makes regs.Flags right.
func (c *context) syncFlags() {
	c.regs.Flags = c.regs.Flags&^arithFlags | unpackFlags(c.flags)
}

// enter runs machine code at c.entry until it exits.
//
//go:noescape
func enter(c *context)
