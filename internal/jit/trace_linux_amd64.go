package jit

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tinevm/tine/internal/x86"
)

// maxInsts is the number of instructions in a block. The head of a block takes
// them all off the budget.
const maxInsts = 64

// maxPlain is the number of instructions in a block without groups: enough to get
// past what could not be shared.
const maxPlain = 8

// onceJumps is how many conditional jumps a block of tierOnce has. It may be left at
// each of them: of what comes later much never runs.
const onceJumps = 3

// Loops of up to maxRound instructions are repeated.
const maxRound = 8

// inst is one instruction of a block.
type inst struct {
	x86.Inst
	pc  uint64
	raw []byte // its encoding
	eff effect
	// live is what is wanted of the flags after it, in the block or, all of
	// them, where the block may be left.
	live uint8
	kind kind
	// taken: the block goes on where this jump leads; returns: to which address.
	taken bool
	back  uint64

	writes uint32 // the general registers that it may write, a set
	usesT1 bool   // its translation may need T1 beside its memory operands
	// What it accesses in memory, in order.
	naccess  uint8
	aligned  bool // the first, see accessOf
	accesses [2]access
}

// kind is how an instruction is translated.
type kind uint8

const (
	kindStep kind = iota // not: the interpreter does it
	kindPass             // assembled again with other operands
	kindNop
	kindPush
	kindPop
	kindLeave
	kindLea
	kindDivide
	kindGather
	kindCallOn // a call to what follows
	kindRetOn  // a return, probably to what follows
	kindJcc
	kindJmp // direct
	kindCall
	kindJmpInd
	kindCallInd
	kindRet
	kindSyscall
	kindStepEnd // by the interpreter, and ends the block
)

// ends reports whether a block ends with the instruction.
func (k kind) ends() bool { return k >= kindJmp }

func (in *inst) next() uint64 { return in.pc + uint64(in.Len) }

// target is where a direct branch goes.
func (in *inst) target() uint64 { return in.next() + uint64(in.Imm) }

// follow is where the block goes on after it.
func (in *inst) follow() uint64 {
	switch {
	case in.kind == kindRetOn:
		return in.back
	case in.taken:
		return in.target()
	}
	return in.next()
}

// loopsTo reports whether it is a conditional jump to an address.
func (in *inst) loopsTo(pc uint64) bool { return in.kind == kindJcc && in.target() == pc }

// tier says how much is made of a block.
type tier uint8

const (
	// tierOnce is for what may run once: the way without conditional jumps that
	// are taken.
	tierOnce tier = iota
	// tierCold is for what is part of a loop: a short way to a conditional jump,
	// with a count of how often it runs.
	tierCold
	// tierHot is for what has: it goes on through jumps, the way that the
	// program took.
	tierHot
	// tierPlain is a few instructions without groups.
	tierPlain
)

// remade reports whether another block may take the place of one.
func (t tier) remade() bool { return t <= tierHot }

// decode makes the list of the instructions of the block at t.pc, which begins in t.cf.
// A short loop that is one block is put there several times: its rounds then
// share checks of memory operands.
func (t *translator) decode(tier tier) {
	list, pc, limit, jumps := t.list[:0], t.pc, maxInsts, 0
	var calls callStack
	if tier == tierPlain {
		limit = maxPlain
	}
	for len(list) < limit {
		at := t.codeOf(pc)
		if at == nil {
			break
		}
		list = list[:len(list)+1]
		in := &list[len(list)-1]
		if err := in.decode(at.frame.Bytes()[pc&pageMask:], pc); err != nil {
			if err == x86.ErrShort {
				list = list[:len(list)-1] // continues in the next page
				break
			}
			in.kind = kindStepEnd
			break
		}
		if in.kind == kindJcc {
			if jumps++; !t.goOn(in, tier) || tier == tierOnce && jumps == onceJumps && !in.taken {
				break
			}
		}
		if tier == tierHot && in.kind.ends() {
			t.goThrough(in, &calls)
		}
		if in.kind.ends() {
			break
		}
		if pc = in.follow(); !in.taken || in.kind == kindRetOn {
			continue
		}
		if pc == t.pc {
			list = repeat(list, limit)
			break
		}
		if in.kind == kindCallOn && !calls.recursive(pc) {
			continue
		}
		if holds(list, pc) {
			break
		}
	}
	liveness(list)
	t.list = list
}

// callStack has where the calls that a block goes through return to.
type callStack struct {
	back, entry [8]uint64
	n           int
}

// recursive reports whether the last call, to pc, is one of a function that has not
// returned yet.
func (c *callStack) recursive(pc uint64) bool {
	return slices.Contains(c.entry[:c.n-1], pc)
}

// beside is a page beside its own in which a hot block is.
type beside struct {
	page uint64
	cf   *codeFrame
	n    int32 // its number in context.pages
}

const maxLooks = 2 // see block

// maxBeside is how many of them a block may have: it looks for each at its head.
const maxBeside = 3

// goThrough has a hot block go on after a direct jump or call, and after the
// return from such a call.
func (t *translator) goThrough(in *inst, calls *callStack) {
	switch {
	case in.kind == kindJmp && t.reaches(in.target()):
		in.kind, in.taken = kindNop, true
	case in.kind == kindCall && t.looks > 0 && calls.n < len(calls.back) && (in.next()^in.pc)&^pageMask == 0 &&
		t.reaches(in.target()):
		in.kind, in.taken = kindCallOn, true
		calls.back[calls.n], calls.entry[calls.n] = in.next(), in.target()
		calls.n++
	case in.kind == kindRet && calls.n > 0:
		calls.n--
		in.kind, in.taken, in.back = kindRetOn, true, calls.back[calls.n]
	}
}

// reaches reports whether an address is in a page of the block. If it may be in
// others, and it is known what is there, its page becomes one of them.
func (t *translator) reaches(pc uint64) bool {
	if t.near(pc) {
		return true
	}
	cf := t.met(pc)
	if cf == nil || len(t.beside) == maxBeside {
		return false
	}
	t.beside = append(t.beside, beside{pc &^ pageMask, cf, cf.number(pc &^ pageMask)})
	return true
}

// met is the frame of an address to whose page the block may go on, if it is known.
func (t *translator) met(pc uint64) *codeFrame {
	if t.looks == 0 || t.alone || t.c == nil {
		return nil
	}
	if f := t.c.codeMet(pc); f != 0 {
		return frameOf(f)
	}
	return nil
}

// codeOf is the frame of an address in a page of the block; nil if it is not in one.
func (t *translator) codeOf(pc uint64) *codeFrame {
	if (pc^t.pc)&^pageMask == 0 {
		return t.cf
	}
	for i := range t.beside {
		if b := &t.beside[i]; b.page == pc&^pageMask {
			return b.cf
		}
	}
	return nil
}

// goOn decides which way the block goes on at in, a
// conditional jump, if it does.
func (t *translator) goOn(in *inst, tier tier) bool {
	switch tier {
	case tierPlain:
		return in.target() > in.pc
	case tierOnce:
		in.taken = in.target() == t.pc
		return in.taken || in.target() > in.pc
	case tierCold:
		return false
	}
	runs := func(pc uint64) (n, samples int32) {
		at := t.codeOf(pc)
		if at == nil {
			at = t.met(pc)
		}
		if at == nil {
			return 0, 0
		}
		return at.runs(pc)
	}
	taken, often := runs(in.target())
	not, notOften := runs(in.next())
	// If both are hot it was not taken, mostly: unless more than half as much time as
	// in this block was found to be spent beyond that way out.
	more := taken > not || taken == not && t.looks > 0 && often > max(notOften, sampledAfter/2)
	if more && t.reaches(in.target()) {
		in.taken = true
		return true
	}
	return not > 0
}

// runs is how often the block at pc ran, as far as that is known, and how many chunks
// ended in it.
func (cf *codeFrame) runs(pc uint64) (n, samples int32) {
	at := uint32(*cf.slot(pc, false) & numberMask)
	if at == 0 {
		return 0, 0
	}
	b := numbered(at)
	switch n = hotAfter; {
	case b.pc != pc:
		return 0, 0
	case b.tier == tierOnce: // it did, that is all
		n = hotAfter / 2
	case b.tier == tierCold:
		n = max(hotAfter-atomic.LoadInt32(&cache.mem.counts[at]), 0)
	}
	return n, b.samples.Load()
}

// holds reports whether the instruction at pc is in list.
func holds(list []inst, pc uint64) bool {
	for i := range list {
		if list[i].pc == pc {
			return true
		}
	}
	return false
}

// repeat has the loop that is list go through more rounds, if it is short. The
// last jump of the last round is an end.
func repeat(list []inst, limit int) []inst {
	n := len(list)
	for n <= maxRound && len(list)+n <= limit {
		list = append(list, list[:n]...)
	}
	if last := &list[len(list)-1]; last.kind == kindJcc {
		last.taken = false
	}
	return list
}

// decode decodes the instruction at pc.
func (in *inst) decode(b []byte, pc uint64) error {
	in.pc, in.taken = pc, false
	in.eff, in.writes, in.naccess = effect{}, 0, 0
	if err := x86.DecodeInto(&in.Inst, b); err != nil {
		return err
	}
	in.raw = b[:in.Len]
	in.classify()
	return nil
}

// liveness computes what is wanted of the flags, backwards. Memory operands
// that fault do not count, nor does the end of the budget: what nothing reads before
// it is overwritten may be out of date there, if that is within reserve instructions.
func liveness(list []inst) {
	live := uint8(fAll)
	writer := len(list) // the next instruction that writes all flags
	for i := len(list) - 1; i >= 0; i-- {
		in := &list[i]
		if in.kind == kindJcc || in.kind == kindRetOn || writer-i >= reserve {
			live = fAll
		}
		in.live = live
		if in.kind == kindStep || in.kind.ends() {
			in.eff.reads = fAll
			live = fAll
			continue
		}
		live = in.eff.before(live)
		if in.eff.must == fAll {
			writer = i
		}
	}
}

// passed reports whether an operation can be assembled again.
func passed(op x86.Op) bool {
	switch op {
	case x86.ADD, x86.OR, x86.ADC, x86.SBB, x86.AND, x86.SUB, x86.XOR, x86.CMP, x86.TEST, x86.INC, x86.DEC,
		x86.NEG, x86.NOT, x86.MUL, x86.IMUL1, x86.IMUL2, x86.IMUL3,
		x86.ROL, x86.ROR, x86.RCL, x86.RCR, x86.SHL, x86.SHR, x86.SAR, x86.SHLD, x86.SHRD,
		x86.MOV, x86.MOVZX, x86.MOVSX, x86.MOVSXD, x86.XCHG, x86.XADD,
		x86.CMPXCHG, x86.CMPXCHG8B, x86.CMPXCHG16B, x86.SETCC, x86.CMOVCC, x86.CBW, x86.CWD, x86.BSWAP,
		x86.BT, x86.BTS, x86.BTR, x86.BTC, x86.BSF, x86.BSR, x86.POPCNT, x86.CRC32,
		x86.PAUSE, x86.FENCE, x86.LAHF, x86.SAHF, x86.CLC, x86.STC, x86.CMC:
		return true
	}
	return optional(op) || sse(op) || passedFPU(op)
}

// rowInfo is what the translation of a row of the instruction table needs.
type rowInfo struct {
	known  bool // the rest is filled in
	rep    bool // F2 or F3 is part of the opcode
	kind   kind // if nothing speaks against it
	step   kind // otherwise
	high   bool // an operand may be AH, CH, DH or BH
	varies bool // the effect depends on operands
	eff    effect
	first  bool // the first operand is written
	second bool // see writesUnnamed
	simple bool // the operands always allow the usual translation

	implied uint32
}

// rows are filled in by classify, for most programs need few. cache.mu is held
// then; who translates an instruction has had it classified.
var rows [x86.NumRows]rowInfo

func (row *rowInfo) fill(r *x86.Row) {
	in := x86.Inst{Op: r.Op}
	eff, varies := effectOf(&in)
	second, implied := writesUnnamed(r.Op)
	*row = rowInfo{
		known: true,
		rep:   strings.HasPrefix(r.Enc, "F2 ") || strings.HasPrefix(r.Enc, "F3 "),
		kind:  kindOfOp(r.Op), step: stepOf(r.Op),
		high: strings.Contains(r.Args, "b"),
		eff:  eff, varies: varies, first: writesFirst(r.Op), second: second, implied: implied,
		simple: alwaysSuits(r),
	}
}

// stepOf is how an operation is left to the interpreter.
func stepOf(op x86.Op) kind {
	if terminal(op) {
		return kindStepEnd
	}
	return kindStep
}

func kindOfOp(op x86.Op) kind {
	switch op {
	case x86.NOP, x86.PREFETCH:
		return kindNop
	case x86.FWAIT, x86.FNSETPM:
		return kindNop // no exception is pending as long as all are masked
	case x86.PUSH:
		return kindPush
	case x86.POP:
		return kindPop
	case x86.LEAVE:
		return kindLeave
	case x86.LEA:
		return kindLea
	case x86.DIV, x86.IDIV:
		return kindDivide
	case x86.JCC:
		return kindJcc
	case x86.JMP:
		return kindJmp
	case x86.CALL:
		return kindCall
	case x86.JMPIND:
		return kindJmpInd
	case x86.CALLIND:
		return kindCallInd
	case x86.RET, x86.RETN:
		return kindRet
	case x86.SYSCALL:
		return kindSyscall
	}
	if passed(op) {
		return kindPass
	}
	if _, _, ok := gathers(op); ok {
		return kindGather
	}
	return stepOf(op)
}

// classify chooses how to translate the instruction.
func (in *inst) classify() {
	row := &rows[in.Row]
	if !row.known {
		row.fill(x86.Rows()[in.Row])
	}
	if in.kind = row.kind; !in.suits(row) {
		in.kind = row.step
	}
	if in.kind == kindStep || in.kind == kindStepEnd {
		in.writes = in.written()
		return
	}
	if in.eff = row.eff; row.varies {
		in.eff, _ = effectOf(&in.Inst)
	}
	in.writes = in.written()
	in.usesT1 = in.kind == kindDivide || in.kind == kindGather || in.usesSpilled()
	if in.Mem || in.kind >= kindPush {
		in.findAccesses()
	}
}

// alwaysSuits reports whether all operands of a row allow it.
func alwaysSuits(r *x86.Row) bool {
	switch r.Op {
	case x86.BT, x86.BTS, x86.BTR, x86.BTC, x86.MULX:
		return false
	}
	k := kindOfOp(r.Op)
	return k == kindPass && !strings.Contains(r.Args, "b") || k >= kindJcc || k == kindLea || k == kindNop
}

// suits reports whether the operands allow the usual translation.
func (in *inst) suits(row *rowInfo) bool {
	if in.Addr32 && in.Op != x86.NOP && in.kind != kindCall { // linkers fill up calls with it
		return false
	}
	if row.simple {
		return true
	}
	switch in.kind {
	case kindPush, kindLeave:
		return in.Size == 8
	case kindPop:
		return in.Size == 8 && !in.Mem
	case kindDivide:
		return in.Size >= 4
	case kindGather:
		return in.plainGather()
	case kindPass:
		switch in.Op {
		case x86.BT, x86.BTS, x86.BTR, x86.BTC:
			// A bit string: the address depends on the number.
			return !in.Mem || in.Places[1] != 'G'
		case x86.MULX:
			return !in.tooMany()
		}
		return !row.high || in.Rex != 0 || in.canBeHigh()
	}
	return true
}

// canBeHigh reports whether the operands can be had together: AH, CH, DH and BH
// are not to be had with registers that need a REX prefix.
func (in *inst) canBeHigh() bool {
	high, rex := false, in.Mem
	for i := range in.Args[:in.NArgs] {
		a := &in.Args[i]
		if a.Kind != x86.ArgReg {
			continue
		}
		if a.Size == 1 && a.Reg&x86.High != 0 {
			high = true
		} else if h := hostOf[a.Reg&15]; h == spilled || h >= 8 {
			rex = true
		}
	}
	return !high || !rex
}
