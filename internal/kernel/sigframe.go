package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// The signal frame (struct rt_sigframe, arch/x86): the return address, the
// ucontext, the siginfo; the floating point state (xstate.go) lies above it.
// Offsets are from the start of the frame.
const (
	frameUcontext = 8
	frameStack    = frameUcontext + 16 // uc_stack
	frameContext  = frameUcontext + 40 // uc_mcontext
	frameMask     = frameUcontext + 296
	frameInfo     = frameUcontext + 304
	frameSize     = frameInfo + linux.SizeofSiginfo

	// Offsets in struct sigcontext after the 18 quadwords of registers.
	contextSegs    = 18 * 8
	contextErr     = contextSegs + 8
	contextTrapNo  = contextErr + 8
	contextOldMask = contextTrapNo + 8
	contextCR2     = contextOldMask + 8
	contextFP      = contextCR2 + 8

	fxsaveSize = 512
	redZone    = 128

	// UC_FP_XSTATE: there is an area of XSAVE. UC_SIGCONTEXT_SS and
	// UC_STRICT_RESTORE_SS: the frame holds SS.
	ucFlags = 0x1 | 0x2 | 0x4
)

// contextRegs is the order of the general registers in struct sigcontext; RIP
// and RFLAGS follow.
var contextRegs = [16]int{
	cpu.R8, cpu.R9, cpu.R10, cpu.R11, cpu.R12, cpu.R13, cpu.R14, cpu.R15,
	cpu.RDI, cpu.RSI, cpu.RBP, cpu.RBX, cpu.RDX, cpu.RAX, cpu.RCX, cpu.RSP,
}

// User segment selectors.
const (
	userCS = 0x33
	userSS = 0x2b
)

// flagsFixable are the flags that rt_sigreturn may change (FIX_EFLAGS).
const flagsFixable = cpu.FlagAC | cpu.FlagOF | cpu.FlagDF | cpu.FlagTF | cpu.FlagSF | cpu.FlagZF |
	cpu.FlagAF | cpu.FlagPF | cpu.FlagCF

// setupHandler makes the task run the handler of act: it saves its state in a
// frame on the stack, which rt_sigreturn restores.
func (t *Task) setupHandler(act *linux.Sigaction, info *linux.Siginfo) {
	sig := info.Signo
	usable := t.rseq.addr == 0 || t.updateRseq()
	sp, errno := t.pushFrame(act, info)
	if errno != 0 || !usable {
		// The stack or the area of rseq(2) is not usable: that is fatal, whatever the handler.
		t.sighand.set(linux.SIGSEGV, linux.Sigaction{})
		t.exitSignaled(kernelSignal(linux.SIGSEGV))
		return
	}
	g := &t.Regs.GPR
	g[cpu.RDI] = uint64(sig)
	g[cpu.RSI] = sp + frameInfo
	g[cpu.RDX] = sp + frameUcontext
	g[cpu.RAX] = 0
	g[cpu.RSP] = sp
	t.Regs.RIP = act.Handler
	t.Regs.Flags &^= cpu.FlagDF | cpu.FlagTF
	t.restoreMask = false
	mask := t.sigmask | act.Mask
	if act.Flags&linux.SA_NODEFER == 0 {
		mask.Add(sig)
	}
	t.setSigmask(mask)
}

// pushFrame writes the frame and returns its address.
func (t *Task) pushFrame(act *linux.Sigaction, info *linux.Siginfo) (uint64, linux.Errno) {
	sp := t.frameStackTop(act)
	fp := (sp - xstateFrameSize) &^ 63
	sp = (fp-frameSize)&^15 - 8
	if t.onAltstack(t.Regs.GPR[cpu.RSP]) && !t.onAltstack(sp) && act.Flags&linux.SA_ONSTACK != 0 {
		return 0, linux.EFAULT // the alternate stack has overflowed
	}
	if act.Flags&linux.SA_RESTORER == 0 {
		return 0, linux.EFAULT // there is no other way back on x86-64
	}
	n := int(fp + xstateFrameSize - sp)
	b := t.as.Slice(sp, n, mm.AccessWrite)
	inPlace := len(b) == n
	if !inPlace { // it does not lie in one page
		b = make([]byte, n)
	}
	st := t.altstackNow()
	t.putFrame(b[:frameSize], act, info, &st, fp)
	t.putXState(b[fp-sp:])
	if st.Flags&linux.SS_AUTODISARM != 0 {
		t.altstack = linux.StackT{Flags: linux.SS_DISABLE}
	}
	if inPlace {
		return sp, 0
	}
	if errno := t.copyOut(fp, b[fp-sp:]); errno != 0 {
		return 0, errno
	}
	return sp, t.copyOut(sp, b[:frameSize])
}

// putFrame writes the frame to b. The floating point state is at fp.
func (t *Task) putFrame(b []byte, act *linux.Sigaction, info *linux.Siginfo, st *linux.StackT, fp uint64) {
	clear(b)
	le := binary.LittleEndian
	le.PutUint64(b[0:], act.Restorer)
	le.PutUint64(b[frameUcontext:], ucFlags)
	st.Encode(b[frameStack:])
	ctx := b[frameContext:]
	for i, r := range contextRegs {
		le.PutUint64(ctx[8*i:], t.Regs.GPR[r])
	}
	le.PutUint64(ctx[16*8:], t.Regs.RIP)
	le.PutUint64(ctx[17*8:], t.Regs.Flags)
	le.PutUint16(ctx[contextSegs:], userCS)
	le.PutUint16(ctx[contextSegs+6:], userSS)
	le.PutUint64(ctx[contextErr:], t.fault.err)
	le.PutUint64(ctx[contextTrapNo:], t.fault.trapNo)
	le.PutUint64(ctx[contextCR2:], t.fault.addr)
	mask := t.sigmask
	if t.restoreMask {
		mask = t.savedMask
	}
	le.PutUint64(ctx[contextOldMask:], uint64(mask))
	le.PutUint64(ctx[contextFP:], fp)
	le.PutUint64(b[frameMask:], uint64(mask))
	info.Encode(b[frameInfo:])
}

// frameStackTop is where the frame may begin: below the red zone, or on the
// alternate stack.
func (t *Task) frameStackTop(act *linux.Sigaction) uint64 {
	sp := t.Regs.GPR[cpu.RSP]
	if act.Flags&linux.SA_ONSTACK != 0 && t.altstack.Size != 0 && !t.onAltstack(sp) {
		return t.altstack.SP + t.altstack.Size
	}
	return sp - redZone
}

// onAltstack reports whether sp lies on the alternate stack.
func (t *Task) onAltstack(sp uint64) bool {
	if t.altstack.Flags&linux.SS_AUTODISARM != 0 {
		return false
	}
	return sp > t.altstack.SP && sp-t.altstack.SP <= t.altstack.Size
}

// altstackNow is the alternate stack as sigaltstack(2) reports it.
func (t *Task) altstackNow() linux.StackT {
	st := t.altstack
	st.Flags &= linux.SS_AUTODISARM
	switch {
	case st.Size == 0:
		st.Flags |= linux.SS_DISABLE
	case t.onAltstack(t.Regs.GPR[cpu.RSP]):
		st.Flags |= linux.SS_ONSTACK
	}
	return st
}

// sysSigreturn restores the state that the frame at RSP holds, whatever the
// handler has made of it.
func sysSigreturn(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	sp := t.Regs.GPR[cpu.RSP] - 8 // the handler's RET has popped the restorer
	// Other threads may change it meanwhile: where it lies, each field is read once.
	// A copy would wait for the stores that wrote it.
	b := t.as.Slice(sp, frameSize, mm.AccessRead)
	if len(b) != frameSize { // it does not lie in one page
		b = make([]byte, frameSize)
		if errno := t.copyIn(sp, b); errno != 0 {
			return t.badFrame()
		}
	}
	le := binary.LittleEndian
	ctx := b[frameContext:]
	regs := &t.Regs
	if fp := le.Uint64(ctx[contextFP:]); fp != 0 && !t.popXState(fp) {
		return t.badFrame()
	}
	for i, r := range contextRegs {
		regs.GPR[r] = le.Uint64(ctx[8*i:])
	}
	regs.RIP = le.Uint64(ctx[16*8:])
	regs.Flags = regs.Flags&^flagsFixable | le.Uint64(ctx[17*8:])&flagsFixable
	t.setSigmask(linux.Sigset(le.Uint64(b[frameMask:])))
	var st linux.StackT
	st.Decode(b[frameStack:])
	if !t.onAltstack(sp) { // otherwise sigaltstack refuses
		t.setAltstack(st)
	}
	// The registers are complete: no result may overwrite RAX.
	t.traceExit(regs.GPR[cpu.RAX])
	t.sc.active, t.sc.entered = false, false
	t.sc.restart = 0
	return 0, 0
}

// badFrame is rt_sigreturn without a frame: SIGSEGV.
func (t *Task) badFrame() (uint64, linux.Errno) {
	t.sc.active = false
	t.forceSignal(kernelSignal(linux.SIGSEGV))
	return 0, 0
}

// setAltstack is sigaltstack without the check that the stack is in use.
func (t *Task) setAltstack(st linux.StackT) linux.Errno {
	switch st.Flags &^ linux.SS_AUTODISARM {
	case linux.SS_DISABLE:
		t.altstack = linux.StackT{Flags: linux.SS_DISABLE}
		return 0
	case 0, linux.SS_ONSTACK:
	default:
		return linux.EINVAL
	}
	if st.Size < linux.MINSIGSTKSZ {
		return linux.ENOMEM
	}
	t.altstack = linux.StackT{SP: st.SP, Size: st.Size, Flags: st.Flags & linux.SS_AUTODISARM}
	return 0
}
