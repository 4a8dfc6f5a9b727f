package x87

import (
	"math"
	"math/big"
	"math/rand"
	"testing"
)

// These tests need no processor to compare with: they run on every host.

func fromFloat(x float64) F80 {
	f, _ := FromF64(math.Float64bits(x))
	return f
}

// big returns the exact value of a finite f.
func (f F80) big() *big.Float {
	x := f.unpack()
	v := new(big.Float).SetPrec(400)
	if x.kind == zero {
		return v
	}
	v.SetUint64(x.mant)
	v.SetMantExp(v, x.exp-bias-63)
	if x.sign != 0 {
		v.Neg(v)
	}
	return v
}

func (w wide) big() *big.Float {
	v := new(big.Float).SetPrec(400).SetUint64(w.hi)
	v.SetMantExp(v, 64)
	v.Add(v, new(big.Float).SetUint64(w.lo))
	v.SetMantExp(v, w.exp-127)
	if w.neg {
		v.Neg(v)
	}
	return v
}

// TestArithAgainstBig checks the four operations in all rounding modes and
// precisions against math/big.
func TestArithAgainstBig(t *testing.T) {
	modes := [4]big.RoundingMode{big.ToNearestEven, big.ToNegativeInf, big.ToPositiveInf, big.ToZero}
	precisions := map[uint16]uint{pc24: 24, pc53: 53, pc64: 64}
	r := rand.New(rand.NewSource(1))
	for range 20000 {
		a := F80{r.Uint64() | intBit, uint16(bias + r.Intn(80) - 40 | r.Intn(2)<<15)}
		b := F80{r.Uint64() | intBit, uint16(bias + r.Intn(80) - 40 | r.Intn(2)<<15)}
		if r.Intn(3) == 0 {
			b.Mant &^= 1<<40 - 1
		}
		rc := r.Intn(4)
		for pc, prec := range precisions {
			cw := uint16(rc)<<10 | pc | exceptions
			z := func() *big.Float { return new(big.Float).SetPrec(prec).SetMode(modes[rc]) }
			x, y := a.big(), b.big()
			for op, want := range map[Op]*big.Float{Add: z().Add(x, y), Sub: z().Sub(x, y), Mul: z().Mul(x, y), Div: z().Quo(x, y)} {
				got, ex := arith[op](a, b, cw, 0)
				if got.big().Cmp(want) != 0 {
					t.Fatalf("op %d of %v and %v, cw %#x: got %v, want %v", op, a, b, cw, got, want)
				}
				if inexact := want.Acc() != big.Exact; inexact != (ex&PE != 0) {
					t.Fatalf("op %d of %v and %v: exceptions %#x, inexact %v", op, a, b, ex, inexact)
				}
			}
			if a.SE&signBit == 0 {
				got, _ := sqrt(a, pc|exceptions)
				if want := new(big.Float).SetPrec(prec).Sqrt(x); got.big().Cmp(want) != 0 {
					t.Fatalf("sqrt %v: got %v, want %v", a, got, want)
				}
			}
		}
	}
}

// bigAtan returns the arc tangent of n/d by Euler's series.
func bigAtan(n, d int64) *big.Float {
	num := func(v int64) *big.Float { return new(big.Float).SetPrec(400).SetInt64(v) }
	q := new(big.Float).SetPrec(400).Quo(num(n*n), num(n*n+d*d))
	term := new(big.Float).SetPrec(400).Quo(num(n*d), num(n*n+d*d))
	sum := num(0)
	for k := int64(1); k < 700; k++ {
		sum.Add(sum, term)
		term.Mul(term, q)
		term.Mul(term, new(big.Float).SetPrec(400).Quo(num(2*k), num(2*k+1)))
	}
	return sum
}

// bigLn2 is the sum of 1/(k·2^k).
func bigLn2() *big.Float {
	sum := new(big.Float).SetPrec(400)
	for k := int64(1); k < 400; k++ {
		t := new(big.Float).SetPrec(400).SetInt64(1)
		t.Quo(t, new(big.Float).SetInt64(k))
		sum.Add(sum, t.SetMantExp(t, -int(k)))
	}
	return sum
}

// TestWideConstants computes the tables anew.
func TestWideConstants(t *testing.T) {
	check := func(name string, got wide, want *big.Float) {
		d := new(big.Float).SetPrec(400).Sub(got.big(), want)
		if d.Sign() != 0 && d.MantExp(nil) > got.exp-127 {
			t.Errorf("%s is off by %v", name, d)
		}
	}
	pi := bigAtan(1, 1)
	check("pi/2", wideHalfPi, new(big.Float).SetMantExp(pi, 1))
	check("pi", widePi, new(big.Float).SetMantExp(pi, 2))
	check("ln 2", wideLn2, bigLn2())
	check("log2 e", wideLog2e, new(big.Float).SetPrec(400).Quo(new(big.Float).SetInt64(1), bigLn2()))
	for i := 1; i <= 16; i++ {
		check("atan", wideAtan[i], bigAtan(int64(i), 16))
	}
}

// TestTranscendentalAgainstMath checks the functions to the precision of
// float64 on every host; the processor is compared with elsewhere.
func TestTranscendentalAgainstMath(t *testing.T) {
	const cw = cwReset
	near := func(name string, got F80, want float64) {
		b, _, _ := ToF64(got, cw)
		g := math.Float64frombits(b)
		if math.Abs(g-want) > 1e-15*math.Max(math.Abs(want), 1e-3) {
			t.Errorf("%s: got %v, want %v", name, g, want)
		}
	}
	for i := -200; i <= 200; i++ {
		x := float64(i) / 201
		a := fromFloat(x)
		r, _ := f2xm1(a, cw)
		near("f2xm1", r, math.Expm1(x*math.Ln2))
		r, _, _ = sin(fromFloat(10*x), cw)
		near("sin", r, math.Sin(10*x))
		r, _, _ = cos(fromFloat(10*x), cw)
		near("cos", r, math.Cos(10*x))
		r, _, _ = tan(a, cw)
		near("tan", r, math.Tan(x))
		r, _ = patan(fromFloat(0.7-x), a, cw)
		near("atan", r, math.Atan2(x, 0.7-x))
		r, _ = yl2x(fromFloat(math.Abs(5*x)+0.01), fromFloat(3), cw)
		near("yl2x", r, 3*math.Log(math.Abs(5*x)+0.01)/math.Ln2)
		r, _ = yl2xp1(fromFloat(x/4), fromFloat(1), cw)
		near("yl2xp1", r, math.Log1p(x/4)/math.Ln2)
	}
	if _, _, far := sin(fromFloat(1<<63), cw); !far {
		t.Error("sine of 2^63 was computed")
	}
}

func TestStackOverflowAndUnderflow(t *testing.T) {
	var s State
	s.Reset()
	for i := range 8 {
		s.Load(fromFloat(float64(i)), 0)
	}
	if s.SW&(IE|SF) != 0 || s.Top() != 0 {
		t.Fatalf("eight loads: status %#x", s.SW)
	}
	s.Load(fromFloat(9), 0)
	if s.SW&(IE|SF|C1) != IE|SF|C1 || s.st(0) != indefinite {
		t.Fatalf("overflow: status %#x, ST(0) %v", s.SW, s.st(0))
	}
	s.Init()
	s.Arith(Add, 0, 1, false)
	if s.SW&(IE|SF|C1) != IE|SF || s.st(0) != indefinite {
		t.Fatalf("underflow: status %#x, ST(0) %v", s.SW, s.st(0))
	}
}

func TestUnmaskedExceptionIsPending(t *testing.T) {
	var s State
	s.Reset()
	s.LoadCW(cwReset &^ ZE)
	s.LoadConst(6)
	s.LoadConst(0)
	s.Arith(Div, 0, 1, true)
	if !s.Pending() || s.SW&ZE == 0 || s.st(0) != one || s.Top() != 6 {
		t.Fatalf("1/0: status %#x, ST(0) %v", s.SW, s.st(0))
	}
	s.Clex()
	if s.Pending() {
		t.Error("pending after FNCLEX")
	}
}

// TestImages moves a state through every image.
func TestImages(t *testing.T) {
	var s State
	s.Reset()
	s.LoadConst(3)
	s.Load(fromFloat(-2.5), 0)
	s.LoadConst(6)
	s.Free(1, false)
	s.FIP, s.FDP, s.FOP = 0x1234, 0x5678, 0x123
	for _, n := range []int{StateSize16, StateSize32} {
		b := make([]byte, n)
		s.PutState(b)
		var r State
		r.SetState(b)
		if n == StateSize16 {
			r.FOP = s.FOP // the 16-bit form has none
		}
		if r != s {
			t.Errorf("%d bytes: got %+v, want %+v", n, r, s)
		}
	}
	var fx [512]byte
	s.FXSave(&fx)
	var r State
	r.FXRestore(&fx)
	if r != s {
		t.Errorf("FXSAVE: got %+v, want %+v", r, s)
	}
	if got := s.fullTags(); got != 0b00_11_01<<10|0x3ff {
		t.Errorf("full tags %016b", got)
	}
}

func BenchmarkArith(b *testing.B) {
	var s State
	s.Reset()
	s.LoadConst(3)
	s.LoadConst(1)
	for b.Loop() {
		s.Arith(Mul, 0, 1, false)
		s.Arith(Div, 0, 1, false)
		s.Arith(Add, 0, 1, false)
		s.Arith(Sub, 0, 1, false)
	}
}

func BenchmarkLoadStore(b *testing.B) {
	var s State
	s.Reset()
	bits := math.Float64bits(1.5)
	for b.Loop() {
		s.Load(FromF64(bits))
		bits, _ = s.StoreF64(true)
	}
}

func BenchmarkSin(b *testing.B) {
	var s State
	s.Reset()
	s.LoadConst(0)
	for b.Loop() {
		s.Sin()
	}
}

func BenchmarkYl2x(b *testing.B) {
	x, y := fromFloat(1.3), fromFloat(2.5)
	for b.Loop() {
		yl2x(x, y, cwReset)
	}
}
