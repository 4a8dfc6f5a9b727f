package x87

import "encoding/binary"

// Sizes of the images in memory: environment and whole state, each in the
// 16-bit form that an operand size prefix selects and in the 32-bit form
// (Intel SDM vol. 1, figures 8-9 and 8-11; 64-bit mode uses the protected
// mode forms).
const (
	EnvSize16   = 14
	EnvSize32   = 28
	StateSize16 = EnvSize16 + 80
	StateSize32 = EnvSize32 + 80
)

// PutEnv writes the image of FNSTENV: 14 or 28 bytes, by len(b). The
// instruction also masks all exceptions, which MaskAll does.
func (s *State) PutEnv(b []byte) {
	le := binary.LittleEndian
	if len(b) < EnvSize32 {
		for i, v := range [7]uint16{s.CW, s.SW, s.fullTags(), uint16(s.FIP), 0, uint16(s.FDP), 0} {
			le.PutUint16(b[2*i:], v)
		}
		return
	}
	const reserved = 0xffff0000
	for i, v := range [7]uint32{
		uint32(s.CW) | reserved, uint32(s.SW) | reserved, uint32(s.fullTags()) | reserved,
		uint32(s.FIP), uint32(s.FOP) << 16, uint32(s.FDP), reserved,
	} {
		le.PutUint32(b[4*i:], v)
	}
}

// MaskAll masks all exceptions.
func (s *State) MaskAll() {
	s.CW |= exceptions
	s.updatePending()
}

// SetEnv loads an image of FLDENV of 14 or 28 bytes.
func (s *State) SetEnv(b []byte) {
	le := binary.LittleEndian
	var w [7]uint32
	for i := range w {
		if len(b) < EnvSize32 {
			w[i] = uint32(le.Uint16(b[2*i:]))
		} else {
			w[i] = le.Uint32(b[4*i:])
		}
	}
	s.CW = uint16(w[0])&cwBits | cwOnes
	s.SW = uint16(w[1])
	s.TW = 0
	for i := range 8 {
		if w[2]>>(2*i)&3 != 3 {
			s.TW |= 1 << i
		}
	}
	s.FIP, s.FDP = uint64(w[3]), uint64(w[5])
	s.FOP = uint16(w[4]>>16) & 0x7ff
	s.updatePending()
}

// fullTags is the tag word as FSTENV stores it.
func (s *State) fullTags() uint16 {
	var w uint16
	for i := range 8 {
		t := uint16(3)
		if s.TW>>i&1 != 0 {
			t = tag(s.R[i])
		}
		w |= t << (2 * i)
	}
	return w
}

// PutState writes the image of FNSAVE: 94 or 108 bytes, by len(b). The
// instruction then initialises the unit (Init).
func (s *State) PutState(b []byte) {
	env := len(b) - 80
	s.PutEnv(b[:env])
	for i := range 8 {
		PutF80(b[env+10*i:], s.st(i))
	}
}

// SetState loads an image of FRSTOR of 94 or 108 bytes.
func (s *State) SetState(b []byte) {
	env := len(b) - 80
	s.SetEnv(b[:env])
	for i := range 8 {
		s.R[s.phys(i)] = GetF80(b[env+10*i:])
	}
}

// PutF80 writes the ten bytes of f.
func PutF80(b []byte, f F80) {
	binary.LittleEndian.PutUint64(b, f.Mant)
	binary.LittleEndian.PutUint16(b[8:], f.SE)
}

// GetF80 reads ten bytes.
func GetF80(b []byte) F80 {
	return F80{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint16(b[8:])}
}

// Offsets in the image of FXSAVE64 (Intel SDM vol. 1, table 10-2).
const (
	fxFCW = 0
	fxFSW = 2
	fxFTW = 4
	fxFOP = 6
	fxFIP = 8
	fxFDP = 16
	fxST  = 32
)

// FXSave writes the unit's part of the image of FXSAVE64 and clears what is
// reserved in it. The registers lie there in the order of the stack.
func (s *State) FXSave(b *[512]byte) {
	clear(b[:24])
	clear(b[fxST : fxST+8*16])
	le := binary.LittleEndian
	le.PutUint16(b[fxFCW:], s.CW)
	le.PutUint16(b[fxFSW:], s.SW)
	b[fxFTW] = byte(s.TW)
	le.PutUint16(b[fxFOP:], s.FOP)
	le.PutUint64(b[fxFIP:], s.FIP)
	le.PutUint64(b[fxFDP:], s.FDP)
	for i := range 8 {
		PutF80(b[fxST+16*i:], s.st(i))
	}
}

// FXRestore loads the unit's part of the image of FXRSTOR64.
func (s *State) FXRestore(b *[512]byte) {
	le := binary.LittleEndian
	s.CW = le.Uint16(b[fxFCW:])&cwBits | cwOnes
	s.SW = le.Uint16(b[fxFSW:])
	s.TW = uint16(b[fxFTW])
	s.FOP = le.Uint16(b[fxFOP:]) & 0x7ff
	s.FIP = le.Uint64(b[fxFIP:])
	s.FDP = le.Uint64(b[fxFDP:])
	for i := range 8 {
		s.R[s.phys(i)] = GetF80(b[fxST+16*i:])
	}
	s.updatePending()
}
