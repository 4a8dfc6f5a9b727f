package interp

import (
	"math/bits"

	"github.com/tinevm/tine/internal/cpu"
)

// The arithmetic flags are kept as the operation and operands that set them
// and are computed when something asks. fk is the kind of operation shifted
// left by two, plus the logarithm of the operand size; fa and fb are operands,
// whose bits above the operand size have no meaning.
const (
	fkNone  = 0  // the flags are in c.fl
	fkAdd   = 4  // fa + fb
	fkAdc   = 8  // fa + fb + 1
	fkSub   = 12 // fa - fb
	fkSbb   = 16 // fa - fb - 1
	fkLogic = 20 // result fa
	fkInc   = 24 // fa + 1; fb is CF from before
	fkDec   = 28 // fa - 1; fb is CF from before
	fkShl   = 32 // fa << fb, fb not zero
	fkShr   = 36 // fa >> fb
	fkSar   = 40 // fa >> fb, signed
	fkImul  = 44 // 64 bits: fa * fb; 32 bits: the whole product is fa
)

const (
	sizeB = iota // logarithms of operand sizes
	sizeW
	sizeD
	sizeQ
)

// arithFlags are the flags that arithmetic sets.
const arithFlags = cpu.FlagCF | cpu.FlagPF | cpu.FlagAF | cpu.FlagZF | cpu.FlagSF | cpu.FlagOF

// setFlags notes the operation that defines the flags from here on.
func (c *core) setFlags(kind, size uint8, a, b uint64) {
	c.fk = kind + uint8(bits.TrailingZeros8(size))
	c.fa, c.fb = a, b
}

// setFlagBits sets the arithmetic flags to the given bits.
func (c *core) setFlagBits(f uint64) {
	c.fk = fkNone
	c.fl = c.fl&^arithFlags | f
}

// sync computes the flags into fl.
func (c *core) sync() {
	if c.fk != fkNone {
		c.fl = c.fl&^arithFlags | computeFlags(c.fk, c.fa, c.fb)
		c.fk = fkNone
	}
}

// rflags returns the whole register.
func (c *core) rflags() uint64 {
	c.sync()
	return c.fl
}

// szp is ZF, SF and PF of a result that is in the upper bits of top; low is
// its lowest byte.
func szp(top uint64, low uint8) (f uint64) {
	if top == 0 {
		f = cpu.FlagZF
	}
	f |= top >> 63 << 7
	return f | parity(low)
}

func parity(low uint8) uint64 {
	return uint64(^bits.OnesCount8(low)&1) << 2
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// computeFlags evaluates a kind. Operands are moved to the top of a word, so
// that one width serves all.
func computeFlags(k uint8, a, b uint64) uint64 {
	s := 64 - 8<<(k&3)
	at, bt := a<<s, b<<s
	switch k &^ 3 {
	case fkAdd:
		r := a + b
		return szp(r<<s, uint8(r)) | bit(r<<s < at) | (a^b^r)&0x10 | (^(at^bt)&(at^r<<s))>>63<<11
	case fkAdc:
		r := a + b + 1
		return szp(r<<s, uint8(r)) | bit(r<<s <= at) | (a^b^r)&0x10 | (^(at^bt)&(at^r<<s))>>63<<11
	case fkSub:
		r := a - b
		return szp(r<<s, uint8(r)) | bit(at < bt) | (a^b^r)&0x10 | ((at^bt)&(at^r<<s))>>63<<11
	case fkSbb:
		r := a - b - 1
		return szp(r<<s, uint8(r)) | bit(at <= bt) | (a^b^r)&0x10 | ((at^bt)&(at^r<<s))>>63<<11
	case fkLogic:
		return szp(at, uint8(a))
	case fkInc:
		r := a + 1
		return szp(r<<s, uint8(r)) | b | (a^r)&0x10 | bit(r<<s == 1<<63)<<11
	case fkDec:
		r := a - 1
		return szp(r<<s, uint8(r)) | b | (a^r)&0x10 | bit(at == 1<<63)<<11
	}
	return shiftFlags(k, a, b, s)
}

// shiftFlags: OF is defined for a shift by one only; with other counts it is
// on processors as if it were the first of so many shifts by one.
func shiftFlags(k uint8, a, n uint64, s int) uint64 {
	size := uint64(64 - s)
	switch k &^ 3 {
	case fkShl:
		cf := uint64(0)
		if n <= size {
			cf = a >> (size - n) & 1
		}
		return szp(a<<n<<s, uint8(a<<n)) | cf | (a>>(size-1)^a>>(size-2))&1<<11
	case fkShr:
		a = a << s >> s
		r := a >> n
		return szp(r<<s, uint8(r)) | a>>(n-1)&1 | a>>(size-1)<<11
	case fkImul:
		return imulFlags(k, a, n)
	default:
		v := int64(a<<s) >> s
		r := uint64(v >> n)
		return szp(r<<s, uint8(r)) | uint64(v>>(n-1))&1
	}
}

// carry is CF, as 0 or 1.
func (c *core) carry() uint64 {
	s := 64 - 8<<(c.fk&3)
	switch c.fk &^ 3 {
	case fkAdd:
		return bit((c.fa+c.fb)<<s < c.fa<<s)
	case fkSub:
		return bit(c.fa<<s < c.fb<<s)
	case fkLogic:
		return 0
	case fkInc, fkDec:
		return c.fb
	case fkAdc:
		return bit((c.fa+c.fb+1)<<s <= c.fa<<s)
	case fkSbb:
		return bit(c.fa<<s <= c.fb<<s)
	}
	c.sync()
	return c.fl & 1
}

// cond evaluates a condition code (SDM vol. 2, appendix B, table B-10).
func (c *core) cond(cc uint8) bool {
	s := 64 - 8<<(c.fk&3)
	switch c.fk &^ 3 {
	case fkSub:
		a, b := c.fa<<s, c.fb<<s
		switch cc & 15 {
		case 2:
			return a < b
		case 3:
			return a >= b
		case 4:
			return a == b
		case 5:
			return a != b
		case 6:
			return a <= b
		case 7:
			return a > b
		case 8:
			return int64(a-b) < 0
		case 9:
			return int64(a-b) >= 0
		case 12:
			return int64(a) < int64(b)
		case 13:
			return int64(a) >= int64(b)
		case 14:
			return int64(a) <= int64(b)
		case 15:
			return int64(a) > int64(b)
		}
	case fkLogic:
		a := int64(c.fa << s)
		switch cc & 15 {
		case 0, 2:
			return false
		case 1, 3:
			return true
		case 4, 6:
			return a == 0
		case 5, 7:
			return a != 0
		case 8, 12:
			return a < 0
		case 9, 13:
			return a >= 0
		case 14:
			return a <= 0
		case 15:
			return a > 0
		}
	}
	c.sync()
	return testFlags(c.fl, cc)
}

// testFlags evaluates a condition code on flag bits.
func testFlags(f uint64, cc uint8) bool {
	var r bool
	switch cc & 15 >> 1 {
	case 0:
		r = f&cpu.FlagOF != 0
	case 1:
		r = f&cpu.FlagCF != 0
	case 2:
		r = f&cpu.FlagZF != 0
	case 3:
		r = f&(cpu.FlagCF|cpu.FlagZF) != 0
	case 4:
		r = f&cpu.FlagSF != 0
	case 5:
		r = f&cpu.FlagPF != 0
	case 6:
		r = f>>7&1 != f>>11&1
	case 7:
		r = f&cpu.FlagZF != 0 || f>>7&1 != f>>11&1
	}
	return r != (cc&1 != 0)
}
