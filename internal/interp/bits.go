package interp

import (
	"math/bits"
	"sync"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

func setBits() {
	set(map[x86.Op]handler{
		x86.BT: bt, x86.BTS: bts, x86.BTR: btr, x86.BTC: btc,
		x86.BSF: bsf, x86.BSR: bsr, x86.POPCNT: popcnt, x86.CRC32: crc,
		x86.BSWAP: bswap,
	})
}

// bitOperand returns the bit number within the first operand. With a register
// as bit number a memory operand is a bit string: bits beyond the operand are
// reached by moving its address, left in c.addr.
func (c *core) bitOperand(o *op) uint64 {
	n := uint64(o.imm)
	if o.form == formRR || o.form == formMR {
		n = c.gpr(o.src, o.srcSize)
	}
	if o.form == formMR || o.form == formMI {
		c.addr = c.ea(o)
		if o.form == formMR {
			i := int64(sext(n, o.srcSize)) >> (bits.TrailingZeros8(o.size) + 3)
			c.addr += uint64(i * int64(o.size))
			if o.flags&opAddr32 != 0 {
				c.addr = uint64(uint32(c.addr-c.r[o.seg])) + c.r[o.seg]
			}
		}
	}
	return n & (uint64(o.size)*8 - 1)
}

func (c *core) setCarry(cf uint64) {
	c.sync()
	c.fl = c.fl&^cpu.FlagCF | cf
}

func bt(c *core, o *op) bool {
	n := c.bitOperand(o)
	var a uint64
	if o.form.hasMem() {
		var ok bool
		if a, ok = c.load(c.addr, o.size); !ok {
			return false
		}
	} else {
		a = c.gpr(o.dst, o.size)
	}
	c.setCarry(a >> n & 1)
	return true
}

// bitUpdate does what BTS, BTR and BTC have in common.
func (c *core) bitUpdate(o *op, f func(a, b uint64) uint64) bool {
	n := c.bitOperand(o)
	var a uint64
	switch {
	case o.flags&opLock != 0:
		var ok bool
		if a, ok = c.locked(c.addr, o.size, 1<<n, f); !ok {
			return false
		}
	case o.form.hasMem():
		if !c.aligned(c.addr, uint64(o.size)) || !c.probeWrite(c.addr, uint64(o.size)) {
			return false
		}
		var ok bool
		if a, ok = c.load(c.addr, o.size); !ok {
			return false
		}
		c.store(c.addr, o.size, f(a, 1<<n))
	default:
		a = c.gpr(o.dst, o.size)
		c.setGPR(o.dst, o.size, f(a, 1<<n))
	}
	c.setCarry(a >> n & 1)
	return true
}

func bts(c *core, o *op) bool { return c.bitUpdate(o, fnOr) }
func btr(c *core, o *op) bool { return c.bitUpdate(o, fnAndNot) }
func btc(c *core, o *op) bool { return c.bitUpdate(o, fnXor) }

// scanFlags: ZF says that the source is zero. The others are undefined;
// processors clear them but for PF, which is that of the result.
func (c *core) scanFlags(src, r uint64) {
	if src == 0 {
		c.setFlagBits(cpu.FlagZF | cpu.FlagPF)
		return
	}
	c.setFlagBits(parity(uint8(r)))
}

// bsf leaves the destination alone if the source is zero.
func bsf(c *core, o *op) bool {
	a, ok := c.srcVal(o)
	if !ok {
		return false
	}
	r := uint64(bits.TrailingZeros64(a))
	if a != 0 {
		c.setGPR(o.dst, o.size, r)
	}
	c.scanFlags(a, r)
	return true
}

func bsr(c *core, o *op) bool {
	a, ok := c.srcVal(o)
	if !ok {
		return false
	}
	r := uint64(bits.Len64(a) - 1)
	if a != 0 {
		c.setGPR(o.dst, o.size, r)
	}
	c.scanFlags(a, r)
	return true
}

func popcnt(c *core, o *op) bool {
	a, ok := c.srcVal(o)
	if !ok {
		return false
	}
	c.setGPR(o.dst, o.size, uint64(bits.OnesCount64(a)))
	c.setFlagBits(bit(a == 0) * cpu.FlagZF)
	return true
}

// castagnoli has the remainders of bytes by the polynomial of CRC32, whose bits are
// in reverse.
var castagnoli = sync.OnceValue(func() *[256]uint32 {
	var t [256]uint32
	for i := range t {
		r := uint32(i)
		for range 8 {
			r = r>>1 ^ 0x82f63b78&-(r&1)
		}
		t[i] = r
	}
	return &t
})

// crc accumulates without the inversions that the Go function does.
func crc(c *core, o *op) bool {
	a, ok := c.srcVal(o)
	if !ok {
		return false
	}
	sum, table := uint32(c.r[o.dst]), castagnoli()
	for range o.srcSize {
		sum = table[uint8(sum)^uint8(a)] ^ sum>>8
		a >>= 8
	}
	c.r[o.dst] = uint64(sum)
	return true
}

// bswap of 16 bits is undefined; processors clear them.
func bswap(c *core, o *op) bool {
	switch o.size {
	case 8:
		c.r[o.dst] = bits.ReverseBytes64(c.r[o.dst])
	case 4:
		c.r[o.dst] = uint64(bits.ReverseBytes32(uint32(c.r[o.dst])))
	default:
		c.setGPR(o.dst, 2, 0)
	}
	return true
}
