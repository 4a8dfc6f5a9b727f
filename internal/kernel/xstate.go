package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// The floating point state in a signal frame (arch/x86/kernel/fpu/signal.c): an
// area of XSAVE, between two magic words that tell programs so. The first is in
// struct _fpx_sw_bytes, in bytes of the FXSAVE image that software may use.
const (
	xstateMagic1 = 0x46505853 // "FPXS"
	xstateMagic2 = 0x46505845

	xstateSoftware = 464 // struct _fpx_sw_bytes
	xstateExtended = xstateSoftware + 4
	xstateFeatures = xstateSoftware + 8
	xstateSizeAt   = xstateSoftware + 16

	xstateFrameSize = cpu.XSize + 4
	xstateMinSize   = cpu.XYMM // image and header
)

// putXState writes the state to b, xstateFrameSize bytes at a multiple of 64.
func (t *Task) putXState(b []byte) {
	x := (*[cpu.XSize]byte)(b)
	t.Regs.XSave(x)
	le := binary.LittleEndian
	// Old programs change registers and do not know of the header.
	le.PutUint64(x[cpu.XStateBV:], le.Uint64(x[cpu.XStateBV:])|cpu.XFeatureX87|cpu.XFeatureSSE)
	le.PutUint32(x[xstateSoftware:], xstateMagic1)
	le.PutUint32(x[xstateExtended:], xstateFrameSize)
	le.PutUint64(x[xstateFeatures:], cpu.XFeatures)
	le.PutUint32(x[xstateSizeAt:], cpu.XSize)
	le.PutUint32(b[cpu.XSize:], xstateMagic2)
}

// popXState loads the state at fp. It is false, and nothing changes, if that
// cannot be.
func (t *Task) popXState(fp uint64) bool {
	// Other threads may change it meanwhile: all is read once, in one piece as far
	// as it lies in one page.
	b := t.k.xstate[:]
	n := uint32(copy(b, t.as.Slice(fp, len(b), mm.AccessRead)))
	have := func(end uint32) bool {
		if n < end && t.copyIn(fp+uint64(n), b[n:end]) != 0 {
			return false
		}
		n = max(n, end)
		return true
	}
	if !have(fxsaveSize) {
		return false
	}
	le := binary.LittleEndian
	if size := le.Uint32(b[xstateSizeAt:]); le.Uint32(b[xstateSoftware:]) == xstateMagic1 &&
		size >= xstateMinSize && size <= cpu.XSize && size <= le.Uint32(b[xstateExtended:]) {
		if have(size+4) && le.Uint32(b[size:]) == xstateMagic2 {
			clear(b[size:])
			// What is not asked for gets its initial state.
			features := le.Uint64(b[xstateFeatures:])
			le.PutUint64(b[cpu.XStateBV:], le.Uint64(b[cpu.XStateBV:])&(features|^uint64(cpu.XFeatures)))
			return t.Regs.XRestore((*[cpu.XSize]byte)(b), cpu.XFeatures)
		}
	}
	if !t.Regs.FXRestore((*[fxsaveSize]byte)(b[:fxsaveSize])) {
		return false
	}
	t.Regs.UpperUsed = false
	return true
}

// xstateRegset is NT_X86_XSTATE of u: the area, with XCR0 in the software's bytes.
func (u *Task) xstateRegset() []byte {
	var x [cpu.XSize]byte
	u.Regs.XSave(&x)
	binary.LittleEndian.PutUint64(x[xstateSoftware:], cpu.XFeatures)
	return x[:]
}

// setXStateRegset changes it.
func (t *Task) setXStateRegset(u *Task, addr, size uint64) linux.Errno {
	if size != cpu.XSize {
		return linux.EFAULT
	}
	var x [cpu.XSize]byte
	if errno := t.copyIn(addr, x[:]); errno != 0 {
		return errno
	}
	if !u.Regs.XRestore(&x, cpu.XFeatures) {
		return linux.EINVAL
	}
	return 0
}
