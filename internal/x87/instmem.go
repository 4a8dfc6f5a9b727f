package x87

// Load pushes a memory operand as FromF32, FromF64 or FromInt gives it. A
// signaling NaN of the two short formats is made quiet.
func (s *State) Load(v F80, ex uint16) {
	if v.isSignaling() {
		v.Mant |= quietBit
		ex |= IE
	}
	s.push(v, ex)
}

// LoadF80 is FLD m80 and also serves FBLD: the bits are taken as they are.
func (s *State) LoadF80(v F80) { s.push(v, 0) }

// LoadST is FLD ST(i).
func (s *State) LoadST(i int) {
	if s.empty(i) {
		s.push(indefinite, IE|SF)
		return
	}
	s.push(s.st(i), 0)
}

// The constants of FLD1 FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2 FLDZ in the order
// of their encoding, cut to 64 bits; up says in which modes the next larger
// significand is nearer (bit RC).
var constants = [7]struct {
	f  F80
	up uint8
}{
	{F80{intBit, bias}, 0},
	{F80{0xd49a784bcd1b8afe, bias + 1}, 1 << 2},
	{F80{0xb8aa3b295c17f0bb, bias}, 1<<0 | 1<<2},
	{F80{0xc90fdaa22168c234, bias + 1}, 1<<0 | 1<<2},
	{F80{0x9a209a84fbcff798, bias - 2}, 1<<0 | 1<<2},
	{F80{0xb17217f7d1cf79ab, bias - 1}, 1<<0 | 1<<2},
	{F80{}, 0},
}

// LoadConst pushes constant number i, rounded as RC says.
func (s *State) LoadConst(i int) {
	c := &constants[i]
	f := c.f
	f.Mant += uint64(c.up >> (s.CW & rcMask >> 10) & 1)
	s.push(f, 0)
}

// The stores return the bits for memory and whether to write them. State is
// updated as if the write had succeeded: if it faults, the caller must put
// back SW and TW, which is all they change.

// stored ends a store whose conversion raised ex and said whether to store.
func (s *State) stored(ex uint16, store, pop bool) bool {
	if s.empty(0) {
		ex, store = IE|SF, s.CW&IE != 0
	}
	s.raise(ex)
	if store && pop {
		s.pop()
	}
	return store
}

// StoreF32 is FST m32 or FSTP m32.
func (s *State) StoreF32(pop bool) (uint32, bool) {
	v, ex, store := ToF32(s.source())
	return v, s.stored(ex, store, pop)
}

// StoreF64 is FST m64 or FSTP m64.
func (s *State) StoreF64(pop bool) (uint64, bool) {
	v, ex, store := ToF64(s.source())
	return v, s.stored(ex, store, pop)
}

// StoreF80 is FSTP m80.
func (s *State) StoreF80() (F80, bool) {
	v, _ := s.source()
	return v, s.stored(0, true, true)
}

// StoreInt is FIST or FISTP of an integer of size bits, and FISTTP with
// truncate.
func (s *State) StoreInt(size int, truncate, pop bool) (int64, bool) {
	a, cw := s.source()
	if truncate {
		cw |= rcZero
	}
	v, ex, store := ToInt(a, size, cw)
	return v, s.stored(ex, store, pop)
}

// StoreBCD is FBSTP.
func (s *State) StoreBCD() (BCD, bool) {
	v, ex, store := ToBCD(s.source())
	return v, s.stored(ex, store, true)
}

// source is the operand of a store and the control word. An empty register
// counts as indefinite.
func (s *State) source() (F80, uint16) {
	if s.empty(0) {
		return indefinite, s.CW
	}
	return s.st(0), s.CW
}

// StorePopST is the undocumented second encoding of FSTP ST(i), which merely
// pops an empty register.
func (s *State) StorePopST(i int) {
	s.SW &^= C1
	if !s.empty(0) {
		s.set(i, s.st(0))
	}
	s.pop()
}

// StoreST is FST ST(i) or FSTP ST(i).
func (s *State) StoreST(i int, pop bool) {
	if s.empty(0) {
		if s.underflow(i) && pop {
			s.pop()
		}
		return
	}
	s.SW &^= C1
	s.set(i, s.st(0))
	if pop {
		s.pop()
	}
}
