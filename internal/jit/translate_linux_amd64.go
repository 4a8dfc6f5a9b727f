package jit

import (
	"encoding/binary"
	"math/bits"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// translator makes the machine code of one block. Positions are relative to the
// block's first byte, which is at a multiple of 16.
type translator struct {
	asm
	eager       bool                 // nothing is interpreted first
	list        []inst               // the block's instructions
	both        [2 * x86.MaxLen]byte // one that is in two pages
	pc          uint64
	page, other int32    // see block
	c           *context // of the engine
	beside      []beside // the other pages that the block is in
	alone       bool     // see block
	looks       int32    // see block
	cur         int      // index of the instruction being translated

	// Where the guest's flags are, as far as they are live: in the host's
	// flags, in the context, or both.
	inHost, inMem bool

	// At position heldAt T0 has guest register held as well, which is spilled.
	held   uint8
	heldAt int32

	tier    tier
	lasts   [2][]uint16 // see block
	far     uint64      // see block
	groups  [maxGroups]group
	grouped bool  // there may be some
	began   bool  // by the current instruction
	upper   bool  // cpu.Regs.UpperUsed is set
	moved   int32 // what RSP is short of; see moveRSP

	fpu   bool   // the guest's x87 registers are in the host's
	fpuPC uint64 // the last instruction that used them, 0 if none has yet

	cold  []cold
	sites []site // the rest of it is room for those of other blocks
	ways  []ways // by site
	refs  []ref  // like sites
	out   layout

	blk    *block // to be made
	number uint32 // of it
	cf     *codeFrame
	base   int32 // position of the block in the code memory
	tail   int32 // what the exits share
	// headExits are the displacements of the jumps to the exits of the head.
	headExits [len(headSites)]int32
}

const (
	maxBlockSites = 10 * maxInsts
	sitePiece     = 1 << 12
)

// layout is where the entries of the block are.
type layout struct {
	checked int32 // for all: looks whether the page is mapped
	mem     int32 // from the same page, flags in the context
	host    int32 // from the same page, flags in the host's
}

// translate makes the block of list.
func (t *translator) translate() *block {
	t.pc = t.list[0].pc
	t.cold, t.ways, t.heldAt = t.cold[:0], t.ways[:0], 0
	t.dropGroups()
	t.upper, t.fpu, t.fpuPC = false, false, 0
	t.head()
	for t.cur = range t.list {
		in := &t.list[t.cur]
		first := len(t.sites)
		t.began = false
		t.inst(in)
		t.follow(in)
		if !in.kind.ends() && in.kind != kindRetOn && !t.began {
			t.resumable(t.sites[first:])
		}
	}
	if last := &t.list[len(t.list)-1]; !last.kind.ends() {
		t.unloadFPU()
		t.edge(last.follow())
	}
	t.emitCold()
	t.emitExits()
	return t.publish()
}

// resumable lets the interpreter execute the current instruction, at the sites
// that it has, and go on after it: with nothing in T1.
func (t *translator) resumable(sites []site) {
	for i := range sites {
		if s := &sites[i]; s.kind >= siteLoad {
			s.next = uint16(t.pos())
			t.lostT1()
			t.heldAt = 0
		}
	}
}

// loadHome loads a temporary with a spilled register; storeHome is the inverse.
// The value that was stored last need not be loaded again: that would take five
// cycles.
func (t *translator) loadHome(d, g uint8) {
	if d != hT0 || !t.holds(g) {
		t.load(d, home(g))
	}
}

func (t *translator) storeHome(g, s uint8) {
	t.store(home(g), s)
	if s == hT0 {
		t.held, t.heldAt = g, t.pos()
	}
}

// holds reports whether T0 has a guest register.
func (t *translator) holds(g uint8) bool { return t.heldAt == t.pos() && t.held == g }

// head is the code at the head of all blocks that count how often they run, or of all
// that do not, and where it is not the same in each.
type head struct {
	code  [64]byte
	n     int32
	out   layout
	exits [len(headSites)]int32 // displacements of the jumps to its exits, 0 if there is none
	// Where it says which page, how many instructions the block has, and where its count is.
	page, insts, left int32
}

// newHead assembles the entries and what they check: that the page is mapped, that the
// budget is enough, and that the block is not hot.
func newHead(counts bool) (h head) {
	var t translator
	t.b = make([]byte, 2*len(h.code))
	t.alignNext(3)
	h.out.checked = t.pos()
	t.testPage(0)
	h.page = t.pos() - 5
	h.exits[0] = t.jcc(ccE)
	t.alignNext(4)
	h.out.mem = t.pos()
	h.out.host = h.out.mem
	t.leftOp(5, 0x81) // sub
	t.put32(0)
	h.insts = t.pos() - 4
	h.exits[1] = t.jcc(ccS)
	if counts {
		t.countDown()
		h.left = t.pos() - 5
		h.exits[2] = t.jcc(ccS)
	}
	if h.n = t.pos(); int(h.n) > len(h.code) {
		panic("jit: a head is too long")
	}
	copy(h.code[:], t.b)
	return h
}

// head emits the head of the block.
func (t *translator) head() {
	t.cur = 0
	h := &cache.common.heads[bit(t.tier == tierCold)]
	*(*[len(h.code)]byte)(t.b) = h.code
	t.n, t.out, t.headExits = h.n, h.out, h.exits
	t.set32(h.page, offPages+t.page)
	t.set32(h.insts, int32(len(t.list)))
	t.refers(toPage, h.page)
	if t.tier == tierCold {
		t.set32(h.left, cache.mem.countFrom(t.base+h.left+5, t.number))
		t.refers(toCount, h.left)
	}
	t.inHost, t.inMem = false, true
	if t.liveIn() != 0 {
		t.later(cold{kind: coldHost})
	}
	if t.other != 0 {
		t.testPage(t.other)
		t.exitFrom(t.site(site{kind: siteStep}), t.jcc(ccE))
	}
	for i := range t.beside {
		t.testPage(t.beside[i].n)
		t.exitFrom(t.site(site{kind: siteBeside, retry: uint16(t.out.mem)}), t.jcc(ccE))
	}
}

// countDown takes one off the block's count, with the sign of the rest in the
// flags.
func (t *translator) countDown() {
	t.put2(0x83, 0x2d) // sub
	t.refers(toCount, t.pos())
	t.put32(cache.mem.countFrom(t.base+t.pos()+5, t.number))
	t.put1(1)
}

// testPage emits CMP of an element of context.pages, whose displacement is at the
// third byte, and 0.
func (t *translator) testPage(page int32) {
	t.put3(0x41, 0x80, 0xb8|hB&7)
	t.put32(offPages + page)
	t.put1(0)
}

// leftOp emits an instruction on what is left of the count of instructions, in enter's
// frame below the return address; with a register or a digit of the opcode.
func (t *translator) leftOp(reg, opcode byte) {
	if reg >= 8 {
		t.put1(0x44)
	}
	t.put(opcode, 0x44|reg&7<<3, 0x24, 8)
}

// liveIn is what the block wants of the flags at its head.
func (t *translator) liveIn() uint8 {
	in := &t.list[0]
	return in.eff.before(in.live)
}

// saveFlags stores the host's flags in the context. It needs T0.
func (t *translator) saveFlags() { t.saveFlagsBy(hT0) }

// saveFlagsBy does so by way of another temporary.
func (t *translator) saveFlagsBy(tmp uint8) {
	t.move(tmp, hAX)
	t.put(0x9f, 0x0f, 0x90, 0xc0) // lahf; seto al
	t.put1(0x66)
	t.memOp(false, hAX, field(offFlags), 0x89)
	t.move(hAX, tmp)
}

// restoreFlags loads them, by way of a temporary.
func (t *translator) restoreFlags(tmp uint8) {
	t.move(tmp, hAX)
	t.memOp2(false, hAX, field(offFlags), 0xb7)
	t.put3(0x04, 0x7f, 0x9e) // add al, 0x7f; sahf
	t.move(hAX, tmp)
}

// clobber prepares for code that destroys the host's flags before in is
// executed.
func (t *translator) clobber(in *inst) {
	if t.inHost && !t.inMem && in.eff.before(in.live) != 0 {
		t.saveFlags()
		t.inMem = true
	}
	t.inHost = false
}

// need makes the host's flags right for in, if it depends on them. With a
// memory operand they are loaded after its check.
func (t *translator) need(in *inst, m *mem) {
	if in.eff.passes(in.live) == 0 || t.inHost {
		return
	}
	t.restoreFlags(t.spare(m))
	t.inHost = true
}

// wrote notes what in does to the flags.
func (t *translator) wrote(in *inst) {
	if in.eff.may != 0 {
		t.inHost, t.inMem = true, false
	}
}

// inst translates one instruction.
func (t *translator) inst(in *inst) {
	if in.kind.ends() || in.kind == kindJcc && t.cur == len(t.list)-1 {
		t.unloadFPU()
	}
	switch in.kind {
	case kindNop:
	case kindPass:
		switch {
		case in.Vex:
			t.passVEX(in)
		case passedFPU(in.Op):
			t.passFPU(in)
		default:
			t.pass(in)
		}
	case kindLea:
		t.leaInst(in)
	case kindDivide:
		t.divide(in)
	case kindGather:
		t.gather(in)
	case kindPush:
		t.push(in)
	case kindPop:
		t.pop(in)
	case kindLeave:
		t.leave(in)
	case kindCallOn:
		t.pushConst(in, in.next())
	case kindRetOn:
		t.returnOn(in)
	case kindJcc:
		t.conditional(in)
	case kindJmp:
		t.edge(in.target())
	case kindCall:
		t.call(in)
	case kindJmpInd:
		t.jumpIndirect(in)
	case kindCallInd:
		t.callIndirect(in)
	case kindRet:
		t.ret(in)
	case kindSyscall:
		t.clobber(in)
		t.exit(t.site(site{kind: siteSyscall}))
	default:
		switch {
		case in.Op == x86.CPUID && in.Len == cpuidLen:
			t.cpuid(in)
		case in.Op == x86.XGETBV:
			t.xgetbv(in)
		default:
			t.step(in)
		}
	}
}

// step leaves the instruction to the interpreter.
func (t *translator) step(in *inst) {
	t.unloadFPU()
	t.clobber(in)
	t.dropGroups()
	t.upper = false
	if in.isString() {
		s := site{kind: siteString, write: in.Op == x86.STOS, size: in.Args[0].Size, arg: int32(in.Len)}
		t.callCommon(cache.common.strings[bit(s.write)][bits.TrailingZeros8(s.size)])
		t.site(s) // where the routine returns, its field next will have
		t.inHost, t.inMem = false, true
		return
	}
	t.exit(t.site(site{kind: siteStep}))
	t.inHost, t.inMem = true, true // enter loads the flags
}

// cpuid is CPUID: programs start with dozens of them. What was asked before is in
// a table; Go adds what was not. RDX and RBX, of which nothing will be left, are
// free.
func (t *translator) cpuid(in *inst) {
	t.unloadFPU()
	t.clobber(in)
	t.dropGroups()
	t.memOp(false, hDX, mem{base: hAX, index: hCX, scale: 3}, 0x8d) // lea edx, [rax+rcx*8]
	t.aluImm(false, 4, hDX, cpuidSlots-1)
	t.put3(0xc1, 0xe2, cpuidShift) // shl edx
	t.lea(hDX, mem{base: hB, index: hDX, disp: offCPUID})
	t.memOp(false, hAX, at(hDX, 0), 0x3b) // cmp
	other := t.jcc(ccNE)
	t.memOp(false, hCX, at(hDX, 4), 0x3b)
	t.exitFrom(t.site(site{kind: siteCPUID}), other, t.jcc(ccNE))
	for i, r := range [...]uint8{hAX, hBX, hCX, hDX} {
		t.memOp(false, r, at(hDX, int32(8+4*i)), 0x8b)
	}
	t.upper = false
}

// xgetbv is XGETBV of XCR0, which programs read when they begin. What else there may be
// is the interpreter's.
func (t *translator) xgetbv(in *inst) {
	t.unloadFPU()
	t.clobber(in)
	t.dropGroups()
	t.regOp(false, hCX, hCX, 0x85) // test ecx, ecx
	t.exitFrom(t.site(site{kind: siteStep}), t.jcc(ccNE))
	t.moveImm(hAX, cpu.XFeatures)
	t.moveImm(hDX, 0)
}

// writesFirst reports whether an operation writes its first operand.
func writesFirst(op x86.Op) bool {
	if op >= x86.FirstX87 && op < x86.FirstMMX {
		return storesFPU(op)
	}
	switch withoutVEX(op) {
	case x86.CMP, x86.TEST, x86.BT, x86.MUL, x86.IMUL1, x86.DIV, x86.IDIV, x86.PUSH,
		x86.UCOMISS, x86.COMISS, x86.UCOMISD, x86.COMISD, x86.PTEST, x86.VTESTPS, x86.VTESTPD,
		x86.PCMPESTRI, x86.PCMPISTRI:
		return false
	}
	return true
}

// onlyWrites reports whether in writes the whole of its first operand, a
// general register, without reading it.
func onlyWrites(in *inst) bool {
	if in.Args[0].Size < 4 {
		return false
	}
	switch in.Op {
	case x86.MOV, x86.MOVZX, x86.MOVSX, x86.MOVSXD, x86.LEA, x86.POPCNT, x86.IMUL3, x86.MOVD,
		x86.CVTTSS2SI, x86.CVTTSD2SI, x86.CVTSS2SI, x86.CVTSD2SI,
		x86.MOVMSKPS, x86.MOVMSKPD, x86.PMOVMSKB, x86.PEXTRW, x86.PEXTRB, x86.PEXTRD, x86.EXTRACTPS:
		return true
	}
	return false
}

// accessOf says how in uses its memory operand: its size, whether it is
// written, and whether it must be aligned, because the processor demands it or
// because it is accessed at once.
func accessOf(in *inst) (size uint8, write, aligned bool) {
	for i := range in.Args[:in.NArgs] {
		if in.Args[i].Kind != x86.ArgMem {
			continue
		}
		size = in.Args[i].Size
		write = i == 0 && rows[in.Row].first
		break
	}
	if in.Vex {
		return size, write, alignedVEX(in.Op)
	}
	aligned = in.Lock
	switch in.Op {
	case x86.XCHG, x86.XADD:
		write, aligned = true, aligned || in.Op == x86.XCHG
	case x86.MOVUPS, x86.MOVUPD, x86.MOVDQU, x86.LDDQU, x86.PCMPESTRI, x86.PCMPESTRM, x86.PCMPISTRI, x86.PCMPISTRM:
	default:
		aligned = aligned || size == 16
	}
	return size, write, aligned
}

// moveSpilled translates MOV of 32 or 64 bits to or from a register that is not
// in one, with a register or a constant, and reports whether in is that.
func (t *translator) moveSpilled(in *inst) bool {
	a, b := &in.Args[0], &in.Args[1]
	if in.Op != x86.MOV || in.Mem || a.Size < 4 {
		return false
	}
	w := a.Size == 8
	d := hostOf[a.Reg]
	if b.Kind == x86.ArgImm {
		v := uint64(in.Imm)
		if !w {
			v = uint64(uint32(v))
		}
		switch {
		case d != spilled:
			return false
		case v == uint64(int32(v)):
			t.memOp(true, 0, home(a.Reg), 0xc7)
			t.put32(int32(v))
		default:
			t.moveImm(hT0, v)
			t.storeHome(a.Reg, hT0)
		}
		return true
	}
	s := hostOf[b.Reg]
	switch {
	case d != spilled && s != spilled:
		return false
	case d != spilled:
		t.memOp(w, d, home(b.Reg), 0x8b)
	case w && s != spilled:
		t.store(home(a.Reg), s)
	default:
		switch {
		case s != spilled:
			t.regOp(w, hT0, s, 0x8b)
		case w:
			t.loadHome(hT0, b.Reg)
		default:
			t.memOp(w, hT0, home(b.Reg), 0x8b)
		}
		t.storeHome(a.Reg, hT0)
	}
	return true
}

// passQuick is pass for the commonest instructions, and reports whether in is one: a
// register and a register, memory or a constant, all registers being in one.
func (t *translator) passQuick(in *inst) bool {
	e, reg := &in.Args[0], in.ModRM>>3&7
	switch in.Form {
	case x86.FormEG, x86.FormGE, x86.FormGEOther:
		g := &in.Args[1]
		if in.Form != x86.FormEG {
			e, g = g, e
		}
		if g.Reg&x86.High != 0 {
			return false
		}
		if reg = hostOf[g.Reg]; reg == spilled {
			return false
		}
	case x86.FormEI, x86.FormE:
	default:
		return false
	}
	m := mem{base: none, index: none}
	if !in.Mem {
		if e.Reg&x86.High != 0 {
			return false
		}
		if m.base = hostOf[e.Reg]; m.base == spilled {
			return false
		}
		t.need(in, &m)
	} else {
		a := &in.accesses[0]
		m = t.check(in, a.operand, a.size, a.write, in.aligned)
		t.need(in, &m)
	}
	raw := in.raw[:x86.MaxLen]
	v, n := uint64(in.Opcode), int32(1)
	if raw[in.OpcodeAt] == 0x0f {
		v, n = v<<8|0x0f, 2
	}
	if r := rexByte(in.Rex&8 != 0, reg, m.index, m.base); r != 0x40 || in.Rex != 0 {
		v, n = v<<8|uint64(r), n+1
	}
	if in.Mem {
		t.emit(v, n)
		t.modMem(reg, m)
	} else {
		t.emit(v|uint64(0xc0|reg&7<<3|m.base&7)<<(8*n), n+1)
	}
	t.emit(uint64(binary.LittleEndian.Uint32(raw[in.ImmAt:])), int32(in.Len-in.ImmAt))
	t.wrote(in)
	return true
}

// pass assembles the instruction again with the host's operands.
func (t *translator) pass(in *inst) {
	if t.passQuick(in) || t.moveSpilled(in) {
		return
	}
	m := mem{base: none, index: none}
	hasMem := in.Mem
	if hasMem {
		m = t.access(in, operandOf(in))
	}
	t.need(in, &m)
	rf := in.ModRM>>3&7 | in.Rex&4<<1 // the reg field
	rm := in.ModRM&7 | in.Rex&1<<3
	zr := uint8(0) // in the opcode
	var back [2]struct{ home, temp uint8 }
	n := 0
	// A register that is not in one goes through a temporary.
	temp := func(g uint8, load, store bool) uint8 {
		tmp := uint8(hT0)
		if in.Mem {
			tmp = t.spare(&m)
		} else if n > 0 {
			t.lostT1()
			tmp = hT1
		}
		if load {
			t.loadHome(tmp, g)
		}
		back[n].temp, back[n].home = tmp, none
		if store {
			back[n].home = g
		}
		n++
		return tmp
	}
	for i := range in.Args[:in.NArgs] {
		a := &in.Args[i]
		if a.Kind != x86.ArgReg || in.Places[i] == 0 {
			continue
		}
		g := a.Reg
		var h uint8
		if a.Size == 1 && g&x86.High != 0 {
			h = g&3 | 4
		} else if h = hostOf[g]; h == spilled {
			writes := i == 0 && rows[in.Row].first || in.Op == x86.XCHG || in.Op == x86.XADD
			// BT would take memory for a string of bits.
			if in.Places[i] == 'E' && !hasMem && !writes && in.Op != x86.BT && !t.holds(g) {
				m, hasMem = home(g), true
				continue
			}
			h = temp(g, !writes || i > 0 || !onlyWrites(in), writes)
		}
		switch in.Places[i] {
		case 'G':
			rf = h
		case 'E', 'R':
			rm = h
		case 'Z':
			zr = h
		}
	}
	t.assemble(in, rf, rm, zr, m, hasMem)
	// The first operand last: XADD of a register with itself leaves the sum.
	for n--; n >= 0; n-- {
		if b := back[n]; b.home != none {
			t.storeHome(b.home, b.temp)
		}
	}
	t.wrote(in)
}

// assemble emits the instruction with other registers and memory operand.
func (t *translator) assemble(in *inst, rf, rm, zr uint8, m mem, hasMem bool) {
	for _, p := range in.raw[:in.OpcodeAt] {
		if p == 0x66 {
			t.put(p)
			break
		}
	}
	if in.Lock {
		t.put(0xf0)
	}
	if rows[in.Row].rep {
		t.put(in.Rep)
	}
	opEnd := in.ImmAt
	if in.ModRMAt != 0 {
		opEnd = in.ModRMAt
	}
	opcode := in.raw[in.OpcodeAt:opEnd]
	w := in.Rex&8 != 0
	force := in.Rex != 0
	switch {
	case in.ModRMAt == 0:
		// The register is in the opcode, or implied; or the address is a
		// constant (MOV with moffs), for which there is a form with ModRM.
		if in.Mem {
			t.moffs(in, w, m)
			return
		}
		t.rex(w, 0, none, zr, force)
		last := opcode[len(opcode)-1]
		for i := range in.Places {
			if in.Places[i] == 'Z' {
				last = last&^7 | zr&7
			}
		}
		t.put(opcode[:len(opcode)-1]...)
		t.put(last)
	case hasMem:
		t.rex(w, rf, m.index, m.base, force)
		t.put(opcode...)
		t.modMem(rf, m)
	default:
		t.rex(w, rf, none, rm, force)
		t.put(opcode...)
		t.put(0xc0 | rf&7<<3 | rm&7)
	}
	t.put(in.raw[in.ImmAt:]...)
}

// moffs emits MOV between rAX and memory at a constant address.
func (t *translator) moffs(in *inst, w bool, m mem) {
	t.rex(w, hAX, m.index, m.base, false)
	t.put([4]byte{0x8a, 0x8b, 0x88, 0x89}[in.Opcode&3])
	t.modMem(hAX, m)
}

// leaInst translates LEA.
func (t *translator) leaInst(in *inst) {
	g := in.Args[0].Reg
	d := hostOf[g]
	if d == spilled || in.Size == 2 {
		d = hT0
	}
	o := operandOf(in)
	o.seg = x86.SegNone
	if o.base == none && o.index == none {
		v := uint64(o.disp)
		if in.Size == 4 {
			v = uint64(uint32(v))
		}
		t.moveImm(d, v)
	} else {
		m := t.hostOperand(o)
		t.memOp(in.Size == 8, d, m, 0x8d)
	}
	switch {
	case in.Size == 2 && hostOf[g] == spilled:
		t.put(0x66)
		t.memOp(false, d, home(g), 0x89)
	case in.Size == 2:
		t.put(0x66)
		t.regOp(false, d, hostOf[g], 0x89)
	case d == hT0:
		t.storeHome(g, d)
	}
}

// divide translates DIV and IDIV of 32 and 64 bits after making sure that they
// cannot fault: what a simple test cannot tell is left to the interpreter.
func (t *translator) divide(in *inst) {
	w := in.Size == 8
	m := mem{}
	if in.Mem {
		m = t.access(in, operandOf(in))
	}
	t.clobber(in)
	t.lostT1()
	if in.Mem {
		t.memOp(w, hT1, m, 0x8b)
	} else if h := hostOf[in.Args[0].Reg]; h == spilled {
		t.load(hT1, home(in.Args[0].Reg))
	} else {
		t.move(hT1, h)
	}
	var slow [2]int32
	if in.Op == x86.DIV {
		t.regOp(w, hT1, hDX, 0x39) // cmp rDX, divisor
		slow[0] = t.jcc(ccAE)
	} else {
		// The dividend must be rAX extended, the divisor neither 0 nor -1.
		t.regOp(w, hT0, hAX, 0x8b)
		t.rex(w, 0, none, hT0, false)
		t.put(0xc1, 0xf8|hT0&7, in.Size*8-1) // sar T0, 31 or 63
		t.regOp(w, hT0, hDX, 0x39)
		slow[0] = t.jcc(ccNE)
		t.memOp(w, hT0, at(hT1, 1), 0x8d)
		t.aluImm(w, 7, hT0, 1)
		slow[1] = t.jcc(ccBE)
	}
	t.exitFrom(t.site(site{kind: siteStep}), slow[:]...)
	t.rex(w, 0, none, hT1, false)
	t.put(0xf7, 0xc0|in.ModRM&0x38|hT1&7)
}
