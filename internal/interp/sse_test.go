package interp

import (
	"math"
	"math/rand"
	"testing"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

// lane takes field i of n bits, sign-extended or not.
func lane(q uint64, i, n uint, signed bool) int64 {
	v := int64(q << (64 - n*(i+1)))
	if signed {
		return v >> (64 - n)
	}
	return int64(uint64(v) >> (64 - n))
}

func clamp(v, least, most int64) int64 { return min(max(v, least), most) }

func truth(b bool) int64 {
	if b {
		return -1
	}
	return 0
}

// TestPackedIntegers compares the functions on whole words with lane by lane
// definitions.
func TestPackedIntegers(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for _, tc := range []struct {
		name   string
		n      uint
		signed bool
		got    func(a, b uint64) uint64
		want   func(x, y int64) int64
	}{
		{"paddb", 8, true, paddb, func(x, y int64) int64 { return x + y }},
		{"psubw", 16, true, psubw, func(x, y int64) int64 { return x - y }},
		{"paddd", 32, true, paddd, func(x, y int64) int64 { return x + y }},
		{"paddsb", 8, true, paddsb, func(x, y int64) int64 { return clamp(x+y, -128, 127) }},
		{"psubsw", 16, true, psubsw, func(x, y int64) int64 { return clamp(x-y, -32768, 32767) }},
		{"paddusb", 8, false, paddusb, func(x, y int64) int64 { return clamp(x+y, 0, 255) }},
		{"psubusw", 16, false, psubusw, func(x, y int64) int64 { return clamp(x-y, 0, 65535) }},
		{"pavgb", 8, false, pavgb, func(x, y int64) int64 { return (x + y + 1) / 2 }},
		{"pavgw", 16, false, pavgw, func(x, y int64) int64 { return (x + y + 1) / 2 }},
		{"pcmpeqb", 8, true, pcmpeqb, func(x, y int64) int64 { return truth(x == y) }},
		{"pcmpgtb", 8, true, pcmpgtb, func(x, y int64) int64 { return truth(x > y) }},
		{"pcmpgtd", 32, true, pcmpgtd, func(x, y int64) int64 { return truth(x > y) }},
		{"pminsw", 16, true, pminsw, func(x, y int64) int64 { return min(x, y) }},
		{"pmaxub", 8, false, pmaxub, func(x, y int64) int64 { return max(x, y) }},
		{"pminud", 32, false, pminud, func(x, y int64) int64 { return min(x, y) }},
		{"pmulhuw", 16, false, pmulhuw, func(x, y int64) int64 { return x * y >> 16 }},
		{"pmulhrsw", 16, true, pmulhrsw, func(x, y int64) int64 { return (x*y + 0x4000) >> 15 }},
		{"pabsw", 16, true, pabsw, func(_, y int64) int64 { return max(y, -y) }},
	} {
		for range 2000 {
			a, b := rng.Uint64(), rng.Uint64()
			if rng.Intn(4) == 0 {
				b = a ^ 1<<rng.Intn(64)
			}
			got := tc.got(a, b)
			for i := uint(0); i < 64/tc.n; i++ {
				want := tc.want(lane(a, i, tc.n, tc.signed), lane(b, i, tc.n, tc.signed))
				if lane(got, i, tc.n, false) != lane(uint64(want), 0, tc.n, false) {
					t.Fatalf("%s(%016x, %016x) = %016x: lane %d is not %#x", tc.name, a, b, got, i, want)
				}
			}
		}
	}
}

// TestSoftFloatNearest compares the integer arithmetic with the host's, which
// rounds to nearest.
func TestSoftFloatNearest(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	number := func() uint64 {
		if rng.Intn(3) == 0 {
			return uint64(rng.Intn(3))<<62 | rng.Uint64()>>(12+rng.Intn(50))
		}
		return rng.Uint64()
	}
	for range 100000 {
		a, b := number(), number()
		x, y := math.Float64frombits(a), math.Float64frombits(b)
		for name, pair := range map[string][2]float64{
			"add":  {result(formatD.add(a, b, mxDefault)), x + y},
			"sub":  {result(formatD.sub(a, b, mxDefault)), x - y},
			"mul":  {result(formatD.mul(a, b, mxDefault)), x * y},
			"div":  {result(formatD.div(a, b, mxDefault)), x / y},
			"sqrt": {result(formatD.sqrt(a, mxDefault)), math.Sqrt(x)},
		} {
			if pair[0] != pair[1] && (pair[0] == pair[0] || pair[1] == pair[1]) {
				t.Fatalf("%s of %x and %x: %x, want %x", name, a, b, math.Float64bits(pair[0]), math.Float64bits(pair[1]))
			}
		}
	}
}

func result(r uint64, _ uint32) float64 { return math.Float64frombits(r) }

// TestFloatExceptions has a case for each exception and control bit.
func TestFloatExceptions(t *testing.T) {
	const (
		one      = 0x3ff0000000000000
		three    = 0x4008000000000000
		inf      = 0x7ff0000000000000
		most     = 0x7fefffffffffffff
		least    = 0x0010000000000000 // normal
		denormal = 0x0000000000000001
		snan     = 0x7ff0000000000001
		negative = 1 << 63
	)
	const up, down, zero = mxDefault | roundUp<<mxRCShift, mxDefault | roundDown<<mxRCShift, mxDefault | roundZero<<mxRCShift
	for _, tc := range []struct {
		name string
		op   floatOp
		a, b uint64
		mx   uint32
		want uint64
		ex   uint32
	}{
		{"exact", addD, one, one, mxDefault, 0x4000000000000000, 0},
		{"inexact", divD, one, three, mxDefault, 0x3fd5555555555555, mxPE},
		{"inexact, up", divD, one, three, up, 0x3fd5555555555556, mxPE},
		{"inexact, down", divD, one | negative, three, down, 0xbfd5555555555556, mxPE},
		{"invalid", subD, inf, inf, mxDefault, 0xfff8000000000000, mxIE},
		{"signalling NaN", addD, one, snan, mxDefault, 0x7ff8000000000001, mxIE},
		{"first of two NaNs", mulD, 0x7ff8000000000002, snan, mxDefault, 0x7ff8000000000002, mxIE},
		{"divide by zero", divD, one, negative, mxDefault, inf | negative, mxZE},
		{"denormal operand", addD, one, denormal, mxDefault, one, mxDE | mxPE},
		{"denormals are zeros", addD, one, denormal, mxDefault | mxDAZ, one, 0},
		{"overflow", mulD, most, most, mxDefault, inf, mxOE | mxPE},
		{"overflow to zero", mulD, most, most, zero, most, mxOE | mxPE},
		{"underflow", divD, least, three, mxDefault, 0x0005555555555555, mxUE | mxPE},
		{"tiny and exact", divD, least, 0x4000000000000000, mxDefault, 0x0008000000000000, 0},
		{"tiny and exact, unmasked", divD, least, 0x4000000000000000, mxDefault &^ mxUM, 0, mxUE},
		{"flush to zero", divD, least | negative, three, mxDefault | mxFTZ, negative, mxUE | mxPE},
		{"minimum with NaN", minD, snan, one, mxDefault, one, mxIE},
		{"maximum of zeros", maxD, 0, negative, mxDefault, negative, 0},
		{"x-x, down", subD, one, one, down, negative, 0},
	} {
		got, ex := tc.op(tc.a, tc.b, tc.mx)
		if got != tc.want || ex != tc.ex {
			t.Errorf("%s: %x flags %02x, want %x flags %02x", tc.name, got, ex, tc.want, tc.ex)
		}
	}
}

// TestConversions has the edges of the conversions to integers.
func TestConversions(t *testing.T) {
	for _, tc := range []struct {
		x     float64
		width uint
		rc    uint32
		want  uint64
		ex    uint32
	}{
		{2.5, 32, roundNearest, 2, mxPE},
		{2.5, 32, roundUp, 3, mxPE},
		{-2.5, 32, roundZero, 0xfffffffe, mxPE},
		{-0.25, 64, roundDown, math.MaxUint64, mxPE},
		{2147483647, 32, roundZero, 0x7fffffff, 0},
		{2147483647.5, 32, roundZero, 0x7fffffff, mxPE},
		{2147483647.5, 32, roundNearest, 0x80000000, mxIE},
		{-2147483648, 32, roundZero, 0x80000000, 0},
		{1 << 63, 64, roundZero, 1 << 63, mxIE},
		{-1 << 63, 64, roundZero, 1 << 63, 0},
		{math.NaN(), 64, roundZero, 1 << 63, mxIE},
		{math.Inf(-1), 32, roundZero, 1 << 31, mxIE},
	} {
		got, ex := formatD.toInt(math.Float64bits(tc.x), tc.width, tc.rc, mxDefault)
		if got != tc.want || ex != tc.ex {
			t.Errorf("%v to %d bits, mode %d: %x flags %02x, want %x flags %02x", tc.x, tc.width, tc.rc, got, ex, tc.want, tc.ex)
		}
	}
}

func text(s string) xmm {
	var b [16]byte
	copy(b[:], s)
	var x xmm
	for i := range uint(8) {
		x.lo |= uint64(b[i]) << (8 * i)
		x.hi |= uint64(b[i+8]) << (8 * i)
	}
	return x
}

// TestStringCompare has one case for each way to aggregate.
func TestStringCompare(t *testing.T) {
	for _, tc := range []struct {
		name, a, b string
		imm        uint8
		want       uint64
	}{
		{"any", "xyz", "ab zc", strEqualAny, 3},
		{"any, none", "q", "abc", strEqualAny, 16},
		{"ranges", "09AF", "ghB7", strRanges, 2},
		{"not in ranges", "az", "word!", strRanges | strNegate | strMasked, 4},
		{"differ at", "compare", "compute", strEach | strNegate, 4},
		{"first shorter", "comp", "compute", strEach | strNegate, 4},
		{"equal", "same", "same", strEach | strNegate, 16},
		{"substring", "need", "find the needle.", strOrdered, 9},
		{"substring cut off", "end", "0123456789 the e", strOrdered, 15},
		{"last of any", "a", "banana", strEqualAny | strLast, 5},
	} {
		a, b := text(tc.a), text(tc.b)
		r := strCompare(a, b, implicitLength(a, tc.imm), implicitLength(b, tc.imm), tc.imm)
		if got := strIndex(r, tc.imm); got != tc.want {
			t.Errorf("%s: index %d of %016b, want %d", tc.name, got, r, tc.want)
		}
	}
}

// TestSSEFaults: what faults leaves registers alone.
func TestSSEFaults(t *testing.T) {
	const base = 0x10000000
	as := mm.NewAddressSpace(nil, nil)
	defer as.Put()
	if _, errno := as.Map(mm.MapRequest{Addr: base, Len: mm.PageSize, Prot: mm.ProtRead | mm.ProtWrite | mm.ProtExec, Fixed: true}); errno != 0 {
		t.Fatal(errno)
	}
	eng := New()
	var v cpu.VCPU
	for _, tc := range []struct {
		name, code string
		mxcsr      uint32
		vector     uint8
		after      uint32 // MXCSR
	}{
		{"addps xmm0,[rsi+8]", "\x0f\x58\x46\x08", mxDefault, cpu.VectorGP, mxDefault},
		{"movaps [rsi+1],xmm0", "\x0f\x29\x46\x01", mxDefault, cpu.VectorGP, mxDefault},
		{"ldmxcsr [rsi], reserved bits", "\x0f\xae\x16", mxDefault, cpu.VectorGP, mxDefault},
		{"divsd xmm0,xmm1, by zero", "\xf2\x0f\x5e\xc1", mxDefault &^ (mxZE << mxMaskShift), cpu.VectorXM, mxDefault&^(mxZE<<mxMaskShift) | mxZE},
	} {
		if _, errno := as.CopyOut(base, []byte(tc.code)); errno != 0 {
			t.Fatal(errno)
		}
		if _, errno := as.CopyOut(base+256, []byte{0, 0, 1, 0}); errno != 0 {
			t.Fatal(errno)
		}
		var r cpu.Regs
		r.Reset()
		r.RIP, r.MXCSR, r.GPR[cpu.RSI], r.XMM[0] = base, tc.mxcsr, base+256, [2]uint64{0x3ff0000000000000, 5}
		trap, _ := eng.Run(&v, &r, as, 1)
		if trap.Kind != cpu.TrapException || trap.Vector != tc.vector {
			t.Errorf("%s: trap %+v", tc.name, trap)
		}
		if r.MXCSR != tc.after || r.XMM[0] != [2]uint64{0x3ff0000000000000, 5} || r.RIP != base {
			t.Errorf("%s: mxcsr %04x, xmm0 %x, rip %x", tc.name, r.MXCSR, r.XMM[0], r.RIP)
		}
	}
}

// TestHandlers: what the decoder knows is executed, whichever part of the
// instruction set is needed first.
func TestHandlers(t *testing.T) {
	for i := range parts {
		handlers = [x86.NumOps]handler{}
		for j := range parts {
			parts[j].known.Store(false)
		}
		for _, row := range x86.Rows() {
			if partOf(row.Op) != &parts[i] {
				continue
			}
			if know(row.Op); handlers[row.Op] == nil {
				t.Errorf("%s %s has no handler", row.Enc, row.Args)
			}
		}
	}
	know(0)
}

// TestApproximations checks RCPSS and RSQRTSS against the error that the manual
// allows, 1.5 * 2^-12, on four operands of each interval of the tables.
func TestApproximations(t *testing.T) {
	for a := uint64(0x3f800000); a < 0x40800000; a += 1 << 9 {
		x := float64(math.Float32frombits(uint32(a)))
		r, _ := rcpS(0, a, 0)
		q, _ := rsqrtS(0, a, 0)
		for _, e := range []float64{
			float64(math.Float32frombits(uint32(r)))*x - 1,
			float64(math.Float32frombits(uint32(q)))*math.Sqrt(x) - 1,
		} {
			if math.Abs(e) > 1.5/4096 {
				t.Errorf("%v: error %v", x, e)
			}
		}
	}
}
