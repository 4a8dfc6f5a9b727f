package jit

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

// x87 and MMX. The guest's registers are in the
// host's only where a block uses them: from its first such instruction to its end.
// Every way out of there leaves them in the context's image, an area of XSAVE
// (unload). As long as context.fpuLive is set the
// image has the guest's state, and not regs.X87; Go sees to that at an exit, which
// the first instruction takes if it is not set.
//
// The unit's instruction pointer would be the host's: the guest's is noted where
// the registers are left. The pointers to operand and opcode change with unmasked
// exceptions only, and while there are some everything is the interpreter's.

// fpuImage is the area, but for the parts that are not used.
type fpuImage [cpu.XYMM]byte

// passedFPU reports whether an operation is one on x87 or MMX registers that is
// passed. Without AVX there may be no XSAVE.
func passedFPU(op x86.Op) bool {
	return op >= x86.FirstX87 && op < x86.VEX && hostHas.avx && !keptFPU(op)
}

// keptFPU has those that are not: the transcendental functions, which differ from
// processor to processor, and what loads or stores the whole state.
func keptFPU(op x86.Op) bool {
	switch op {
	case x86.F2XM1, x86.FYL2X, x86.FYL2XP1, x86.FPATAN, x86.FPTAN, x86.FSIN, x86.FCOS, x86.FSINCOS,
		x86.FLDENV, x86.FNSTENV, x86.FRSTOR, x86.FNSAVE, x86.FNINIT, x86.FXSAVE, x86.FXRSTOR,
		x86.FSTPNCE,
		x86.MMXMASKMOVQ: // has an implicit operand
		return true
	}
	return false
}

// controlsFPU reports whether an instruction leaves the instruction pointer alone.
func controlsFPU(op x86.Op) bool {
	return op >= x86.FWAIT && op <= x86.FNSETPM || op >= x86.FirstMMX
}

// storesFPU reports whether an x87 instruction writes its first operand, if that
// is in memory.
func storesFPU(op x86.Op) bool {
	switch op {
	case x86.FST, x86.FSTP, x86.FIST, x86.FISTP, x86.FISTTP, x86.FBSTP, x86.FNSTCW, x86.FNSTSW:
		return true
	}
	return false
}

// passFPU passes an instruction on x87 or MMX registers.
func (t *translator) passFPU(in *inst) {
	if !t.fpu {
		t.loadFPU(in)
	}
	if in.Op == x86.FLDCW {
		t.loadControl(in)
		return
	}
	t.pass(in)
	if !controlsFPU(in.Op) {
		t.fpuPC = in.pc
	}
}

// loadFPU loads the registers.
func (t *translator) loadFPU(in *inst) {
	t.clobber(in)
	start := t.pos()
	t.rex(false, 0, none, hB, false)
	t.put1(0x80) // cmp byte
	t.modMem(7, field(offFPULive))
	t.put1(0)
	t.exitFrom(t.site(site{kind: siteFPU, retry: uint16(start)}), t.jcc(ccE))
	t.callCommon(cache.fpuLoad)
	t.fpu, t.fpuPC = true, 0
}

// unloadFPU leaves the registers in the image, if they are in the host's. It
// changes no other register, and no flag.
func (t *translator) unloadFPU() {
	if t.fpu {
		t.noteFPU(t.fpuPC)
		t.callCommon(cache.fpuUnload)
		t.fpu = false
	}
}

// noteFPU notes that pc is the last instruction, if it is not 0.
func (t *translator) noteFPU(pc uint64) {
	if pc != 0 {
		t.store32(field(offFIP), uint32(pc))
		t.store32(field(offFIP+4), uint32(pc>>32))
	}
}

// loadControl is FLDCW. A word that unmasks an exception is the interpreter's.
func (t *translator) loadControl(in *inst) {
	m := t.access(in, operandOf(in))
	t.clobber(in)
	tmp := t.spare(&m)
	t.memOp2(false, tmp, m, 0xb7) // movzx
	t.aluImm(false, 4, tmp, fpuMasks)
	t.aluImm(false, 7, tmp, fpuMasks)
	t.exitFrom(t.site(site{kind: siteStep}), t.jcc(ccNE))
	t.memOp(false, 5, m, 0xd9)
}

// fpuMasks are the exception masks in the control word.
const fpuMasks = 0x3f

// emitFPU emits the routines that load and unload the registers, and one that
// loads them and goes to context.resume.
func (t *translator) emitFPU() {
	move := func(opcode byte) { // XRSTOR or XSAVE of x87
		t.store(field(offT0), 0)
		t.store(field(offT1), hDX)
		t.moveImm(0, cpu.XFeatureX87)
		t.moveImm(hDX, 0)
		t.memOp2(true, opcode, field(offImage), 0xae)
		t.load(0, field(offT0))
		t.load(hDX, field(offT1))
	}
	cache.fpuLoad = t.pos()
	move(5)
	t.put1(0xc3)
	cache.fpuUnload = t.pos()
	move(4)
	t.put2(0x0f, 0x77)                         // emms, as Go has them
	t.memOp(false, 5, field(offControl), 0xd9) // fldcw: the host's
	t.put1(0xc3)
	cache.fpuEnter = t.pos()
	move(5)
	t.memOp(false, 4, field(offResume), 0xff) // jmp
}

// loadImage makes the image the guest's state.
func (c *context) loadImage() {
	if !c.fpuLive {
		c.regs.X87.FXSave((*[512]byte)(c.image[:512]))
		binary.LittleEndian.PutUint64(c.image[cpu.XStateBV:], cpu.XFeatureX87)
		c.fpuLive = true
	}
}

// leaveImage makes regs.X87 the guest's state.
func (c *context) leaveImage() {
	if !c.fpuLive {
		return
	}
	c.fpuLive = false
	s := &c.regs.X87
	fop, fip, fdp := s.FOP, s.FIP, s.FDP
	if c.image[cpu.XStateBV]&cpu.XFeatureX87 != 0 {
		s.FXRestore((*[512]byte)(c.image[:512]))
	} else {
		s.Reset()
	}
	s.FOP, s.FIP, s.FDP = fop, fip, fdp
}
