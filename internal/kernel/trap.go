package kernel

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// faultInfo is what a signal frame tells about the last exception: sigcontext's
// err, trapno and cr2.
type faultInfo struct{ err, trapNo, addr uint64 }

// Bits of the page fault error code (Intel SDM vol. 3, 4.7).
const (
	faultPresent = 1 << 0
	faultWrite   = 1 << 1
	faultUser    = 1 << 2
	faultFetch   = 1 << 4
)

// pageFault resolves a fault, or sends the signal that Linux would send.
func (t *Task) pageFault(addr uint64, acc mm.Access) {
	t.k.current = t
	t.enterMemory(false)
	res, major := t.as.Fault(addr, acc)
	full := t.settleMemory()
	if major && t.k.seeded == nil { // what the host has read already must not show
		t.countFaults(0, 1)
	} else {
		t.countFaults(1, 0)
	}
	if res == mm.FaultOK {
		return
	}
	t.fault = faultInfo{err: faultUser, trapNo: cpu.VectorPF, addr: addr}
	if acc&mm.AccessWrite != 0 {
		t.fault.err |= faultWrite
	}
	if acc&mm.AccessExec != 0 {
		t.fault.err |= faultFetch
	}
	info := linux.Siginfo{Signo: linux.SIGSEGV, Addr: addr}
	switch res {
	case mm.FaultMapErr:
		info.Code = linux.SEGV_MAPERR
	case mm.FaultAccErr:
		info.Code = linux.SEGV_ACCERR
		t.fault.err |= faultPresent
	case mm.FaultBus:
		info.Signo, info.Code = linux.SIGBUS, linux.BUS_ADRERR
	case mm.FaultOOM:
		if !full {
			t.k.outOfMemory(t.k.cgroups.root)
		}
		t.awaitMemory()
		return
	}
	t.forceSignal(info)
}

func (t *Task) countFaults(minor, major int64) {
	t.usage.minflt += minor
	t.usage.majflt += major
	t.group.cgroup.countFaults(minor+major, major)
}

// exception sends the signal of a processor exception (Intel SDM vol. 3,
// table 6-1; arch/x86 traps).
func (t *Task) exception(vector uint8, addr uint64) {
	t.fault = faultInfo{trapNo: uint64(vector)}
	info := linux.Siginfo{Addr: t.Regs.RIP}
	switch vector {
	case cpu.VectorDE:
		info.Signo, info.Code = linux.SIGFPE, linux.FPE_INTDIV
	case cpu.VectorDB:
		info.Signo, info.Code = linux.SIGTRAP, t.debugTrap()
	case cpu.VectorBP:
		info.Signo, info.Code, info.Addr = linux.SIGTRAP, linux.SI_KERNEL, 0
	case cpu.VectorUD:
		info.Signo, info.Code = linux.SIGILL, linux.ILL_ILLOPN
	case cpu.VectorMF, cpu.VectorXM:
		info.Signo, info.Code = linux.SIGFPE, t.floatCode(vector)
	case cpu.VectorSS:
		info.Signo, info.Code, info.Addr = linux.SIGBUS, linux.SI_KERNEL, 0
	case cpu.VectorAC:
		info.Signo, info.Code, info.Addr = linux.SIGBUS, linux.BUS_ADRALN, 0
	default: // #GP and the like
		info.Signo, info.Code, info.Addr = linux.SIGSEGV, linux.SI_KERNEL, 0
	}
	t.forceSignal(info)
}

// floatCode is the si_code of a floating point exception: the first unmasked
// flag in the order Linux looks (fpu__exception_code).
func (t *Task) floatCode(vector uint8) int32 {
	t.Regs.Recall()
	flags := uint32(t.Regs.X87.SW) &^ uint32(t.Regs.X87.CW) & 0x3f
	if vector == cpu.VectorXM {
		flags = t.Regs.MXCSR &^ (t.Regs.MXCSR >> 7) & 0x3f
	}
	switch {
	case flags&0x01 != 0:
		return linux.FPE_FLTINV
	case flags&0x04 != 0:
		return linux.FPE_FLTDIV
	case flags&0x08 != 0:
		return linux.FPE_FLTOVF
	case flags&0x12 != 0:
		return linux.FPE_FLTUND
	case flags&0x20 != 0:
		return linux.FPE_FLTRES
	}
	return 0
}

// addressSpace returns the memory of a process, which any of its threads that
// has not ended has.
func (g *Group) addressSpace() *mm.AddressSpace {
	for _, t := range g.threads {
		if t.as != nil {
			return t.as
		}
	}
	return nil
}
