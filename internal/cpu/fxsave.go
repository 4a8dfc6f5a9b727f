package cpu

import "encoding/binary"

// mxcsrMask has the bits that MXCSR can hold (Intel SDM vol. 1, 11.6.6).
const mxcsrMask = 0xffff

// Offsets in the FXSAVE image (Intel SDM vol. 1, table 10-2).
const (
	fxMXCSR     = 24
	fxMXCSRMask = 28
	fxXMM       = 160
)

// FXSave writes the image that FXSAVE64 writes; reserved bytes are zero.
func (r *Regs) FXSave(b *[512]byte) {
	r.Recall()
	r.X87.FXSave(b)
	le := binary.LittleEndian
	le.PutUint32(b[fxMXCSR:], r.MXCSR)
	le.PutUint32(b[fxMXCSRMask:], mxcsrMask)
	for i := range r.XMM {
		le.PutUint64(b[fxXMM+16*i:], r.XMM[i][0])
		le.PutUint64(b[fxXMM+16*i+8:], r.XMM[i][1])
	}
}

// FXRestore loads the state from an image. It returns false, having changed
// nothing, if MXCSR has reserved bits (#GP).
func (r *Regs) FXRestore(b *[512]byte) bool {
	le := binary.LittleEndian
	mxcsr := le.Uint32(b[fxMXCSR:])
	if mxcsr&^mxcsrMask != 0 {
		return false
	}
	r.Recall()
	r.MXCSR = mxcsr
	r.X87.FXRestore(b)
	for i := range r.XMM {
		r.XMM[i][0] = le.Uint64(b[fxXMM+16*i:])
		r.XMM[i][1] = le.Uint64(b[fxXMM+16*i+8:])
	}
	return true
}
