package cpu

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/x87"
)

// State components of XSAVE (Intel SDM vol. 1, 13.1). All of them are enabled:
// XCR0 is XFeatures.
const (
	XFeatureX87 = 1 << iota
	XFeatureSSE
	XFeatureAVX

	XFeatures = XFeatureX87 | XFeatureSSE | XFeatureAVX
)

// Offsets in the XSAVE area (SDM vol. 1, 13.4): behind the image of FXSAVE the
// header, then the upper halves of the YMM registers.
const (
	XStateBV = 512
	XCompBV  = 520
	XYMM     = 576
	XSize    = 832

	// XCompact, in XCOMP_BV, tells the compacted format, in which the components
	// there are follow each other. With only one after the first two they are
	// where they always are.
	XCompact = 1 << 63

	initialMXCSR = 0x1f80
)

var initialX87 = func() (s x87.State) {
	s.Reset()
	return s
}()

// XInUse has the components that are not in their initial state. MXCSR does not count.
func (r *Regs) XInUse() (set uint64) {
	if r.X87 != initialX87 {
		set |= XFeatureX87
	}
	if r.XMM != [16][2]uint64{} {
		set |= XFeatureSSE
	}
	if r.UpperUsed && r.Upper != [16][2]uint64{} {
		set |= XFeatureAVX
	}
	return set
}

// XSave writes an XSAVE area with all components, as the kernel wants it.
func (r *Regs) XSave(b *[XSize]byte) {
	r.FXSave((*[512]byte)(b[:512]))
	clear(b[512:])
	binary.LittleEndian.PutUint64(b[XStateBV:], r.XInUse())
	r.SaveUpper(b[XYMM:])
}

// SaveUpper writes the upper halves of the YMM registers.
func (r *Regs) SaveUpper(b []byte) {
	if !r.UpperUsed {
		clear(b[:256])
		return
	}
	for i, x := range r.Upper {
		binary.LittleEndian.PutUint64(b[16*i:], x[0])
		binary.LittleEndian.PutUint64(b[16*i+8:], x[1])
	}
}

// XRestore loads the components of mask from an area that XRSTOR would take, and puts
// those that it does not have into their initial state. It returns false, having
// changed nothing, where XRSTOR raises #GP.
func (r *Regs) XRestore(b *[XSize]byte, mask uint64) bool {
	le := binary.LittleEndian
	have, form := le.Uint64(b[XStateBV:]), le.Uint64(b[XCompBV:])
	compact := form&XCompact != 0
	switch {
	case compact && (form&^XCompact&^XFeatures != 0 || have&^form != 0):
		return false
	case !compact && (form != 0 || have&^XFeatures != 0):
		return false
	}
	reserved := b[XCompBV+8 : XYMM]
	if !compact {
		reserved = reserved[:8]
	}
	for i := 0; i < len(reserved); i += 8 {
		if le.Uint64(reserved[i:]) != 0 {
			return false
		}
	}
	mxcsr := le.Uint32(b[fxMXCSR:])
	if compact && have&XFeatureSSE == 0 {
		mxcsr = initialMXCSR
	}
	takes := mask&XFeatureSSE != 0 || !compact && mask&XFeatureAVX != 0
	if takes && mxcsr&^mxcsrMask != 0 {
		return false
	}
	if mask == XFeatures {
		r.Forget()
	} else {
		r.Recall()
	}
	if takes {
		r.MXCSR = mxcsr
	}
	fx := (*[512]byte)(b[:512])
	switch {
	case mask&XFeatureX87 == 0:
	case have&XFeatureX87 != 0:
		r.X87.FXRestore(fx)
	default:
		r.X87 = initialX87
	}
	switch {
	case mask&XFeatureSSE == 0:
	case have&XFeatureSSE != 0:
		load(&r.XMM, b[fxXMM:])
	default:
		r.XMM = [16][2]uint64{}
	}
	if mask&XFeatureAVX != 0 {
		if r.UpperUsed = have&XFeatureAVX != 0; r.UpperUsed {
			load(&r.Upper, b[XYMM:])
		}
	}
	return true
}

func load(x *[16][2]uint64, b []byte) {
	for i := range x {
		x[i][0] = binary.LittleEndian.Uint64(b[16*i:])
		x[i][1] = binary.LittleEndian.Uint64(b[16*i+8:])
	}
}
