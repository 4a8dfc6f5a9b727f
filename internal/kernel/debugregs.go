package kernel

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// The debug registers of a task, which its tracer sets through struct user
// (ptrace(2), PTRACE_POKEUSER). A task without any has none of this. What the
// kernel itself does with the task's memory is not watched.
type debugRegs struct {
	watch cpu.Watch
	addr  [4]uint64
	dr6   uint64
	dr7   uint64
}

// Bits of DR6 and DR7 (SDM vol. 3, 18.2).
const (
	dr6Step     = 1 << 14
	dr7Reserved = 0xffffffff0000fc00 // as ptrace masks what it is given
)

// points is what the processor is to watch for; nil if there is nothing.
func (d *debugRegs) points() *cpu.Watch {
	if d == nil || d.dr7&0xff == 0 {
		return nil
	}
	return &d.watch
}

// debugReg reads a register.
func (t *Task) debugReg(n int) uint64 {
	switch d := t.debug; {
	case d == nil:
		return 0
	case n < len(d.addr):
		return d.addr[n]
	case n == 6:
		return d.dr6
	case n == 7:
		return d.dr7
	}
	return 0
}

// setDebugReg writes one.
func (t *Task) setDebugReg(n int, v uint64) linux.Errno {
	if t.debug == nil {
		if v == 0 && n != 4 && n != 5 {
			return 0
		}
		t.debug = &debugRegs{}
	}
	d, was := t.debug, *t.debug
	switch {
	case n < len(d.addr):
		if v >= mm.UserTop {
			return linux.EINVAL
		}
		d.addr[n] = v
	case n == 6:
		d.dr6 = v
	case n == 7:
		d.dr7 = v &^ dr7Reserved
	default:
		return linux.EIO
	}
	if !d.decode() {
		*d = was
		return linux.EINVAL
	}
	return 0
}

// decode sets the points by DR7; false if a combination does not exist.
func (d *debugRegs) decode() bool {
	lengths := [4]uint64{1, 2, 8, 4}
	for i := range d.watch.Points {
		p := &d.watch.Points[i]
		*p = cpu.WatchPoint{Kind: cpu.WatchOff}
		if d.dr7>>(2*i)&3 == 0 {
			continue
		}
		bits := d.dr7 >> (16 + 4*i) & 0xf
		kind, n := cpu.WatchKind(bits&3), lengths[bits>>2]
		if kind == 2 || kind == cpu.WatchExec && n != 1 || d.addr[i]&(n-1) != 0 {
			return false
		}
		*p = cpu.WatchPoint{Kind: kind, Addr: d.addr[i], Len: n}
	}
	return true
}

// debugTrap is the exception that a point or a single step has caused: what DR6
// tells, and the signal's code.
func (t *Task) debugTrap() int32 {
	d := t.debug
	if d == nil {
		return linux.TRAP_TRACE
	}
	w := &d.watch
	d.dr6 = uint64(w.Hits)
	for i, p := range w.Points {
		if w.Hits>>i&1 != 0 && p.Kind == cpu.WatchExec {
			w.Resume = true // the instruction is still to be executed
		}
	}
	w.Hits = 0
	if t.Regs.Flags&cpu.FlagTF != 0 && !w.Resume {
		d.dr6 |= dr6Step
	}
	if d.dr6&^dr6Step != 0 && d.dr6&dr6Step == 0 {
		return linux.TRAP_HWBKPT
	}
	return linux.TRAP_TRACE
}
