package x87

// F2xm1 is F2XM1.
func (s *State) F2xm1() { s.unary(f2xm1) }

// binaryPop replaces ST(1) by f(ST(0), ST(1)) and pops.
func (s *State) binaryPop(f func(a, b F80, cw uint16) (F80, uint16)) {
	if s.empty(0) || s.empty(1) {
		if s.underflow(1) {
			s.pop()
		}
		return
	}
	r, ex := f(s.st(0), s.st(1), s.CW)
	if s.raise(ex) {
		return
	}
	s.set(1, r)
	s.pop()
}

// Yl2x is FYL2X.
func (s *State) Yl2x() { s.binaryPop(yl2x) }

// Yl2xp1 is FYL2XP1.
func (s *State) Yl2xp1() { s.binaryPop(yl2xp1) }

// Patan is FPATAN.
func (s *State) Patan() { s.binaryPop(patan) }

// trigOne is FSIN and FCOS.
func (s *State) trigOne(f func(a F80, cw uint16) (F80, uint16, bool)) {
	s.SW &^= C2
	if s.empty(0) {
		s.underflow(0)
		return
	}
	r, ex, far := f(s.st(0), s.CW)
	if s.raise(ex) {
		return
	}
	if far {
		s.SW |= C2
		return
	}
	s.set(0, r)
}

// Sin is FSIN.
func (s *State) Sin() { s.trigOne(sin) }

// Cos is FCOS.
func (s *State) Cos() { s.trigOne(cos) }

// trigPush ends an instruction that replaces ST(0) by first and pushes
// second.
func (s *State) trigPush(f func(a F80, cw uint16) (first, second F80, ex uint16, far bool)) {
	s.SW &^= C2
	switch {
	case s.empty(0):
		s.pushBoth(indefinite, indefinite, IE|SF)
		return
	case !s.empty(7):
		s.pushBoth(indefinite, indefinite, IE|SF|C1)
		return
	}
	first, second, ex, far := f(s.st(0), s.CW)
	if far {
		s.SW = s.SW&^C1 | C2
		return
	}
	s.pushBoth(first, second, ex)
}

func (s *State) pushBoth(first, second F80, ex uint16) {
	if s.raise(ex) {
		return
	}
	s.set(0, first)
	s.setTop(s.Top() - 1)
	s.set(0, second)
}

// Sincos is FSINCOS: the sine replaces ST(0), the cosine is pushed.
func (s *State) Sincos() { s.trigPush(sincos) }

// Ptan is FPTAN: the tangent replaces ST(0), a one is pushed, or a second NaN
// with a NaN.
func (s *State) Ptan() {
	s.trigPush(func(a F80, cw uint16) (F80, F80, uint16, bool) {
		r, ex, far := tan(a, cw)
		if r.SE&expMask == expMax {
			return r, r, ex, far
		}
		return r, one, ex, far
	})
}
