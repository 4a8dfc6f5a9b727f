package interp

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/x86"
)

func setSystem() {
	set(map[x86.Op]handler{
		x86.SYSCALL: syscall, x86.INT: interrupt, x86.INT3: int3, x86.INT1: int1,
		x86.UD: undefined, x86.PRIV: privileged, x86.IOPRIV: privileged,
		x86.BAD: unknown, badLength: privileged,
	})
	set(map[x86.Op]handler{
		x86.CLC: clc, x86.STC: stc, x86.CMC: cmc, x86.CLD: cld, x86.STD: std,
		x86.LAHF: lahf, x86.SAHF: sahf,
		x86.RDTSC: rdtsc, x86.CPUID: cpuid, x86.CLFLUSH: clflush,
		x86.RDTSCP: rdtscp, x86.RDPID: rdpid,
	})
}

// Operations that the engine makes up.
const (
	badLength = x86.NumOps - 1 - iota // longer than 15 bytes: #GP
	blockEnd                          // not an instruction: go on at imm
)

// OnUnknown, if not nil, is called with the bytes of every instruction that
// does not exist as far as the engine knows. It is set before any engine runs
// and is called on the engine's goroutine.
var OnUnknown func(bytes []byte)

func unknown(c *core, o *op) bool {
	if OnUnknown != nil {
		var b [x86.MaxLen]byte
		n := 0
		for n < len(b) {
			v, ok := c.load8(c.rip(o) + uint64(n))
			if !ok {
				break
			}
			b[n] = v
			n++
		}
		OnUnknown(b[:n])
	}
	return c.exception(cpu.VectorUD)
}

func undefined(c *core, _ *op) bool  { return c.exception(cpu.VectorUD) }
func privileged(c *core, _ *op) bool { return c.exception(cpu.VectorGP) }

// stop ends the run after an instruction that is complete.
func (c *core) stop(t cpu.Trap) bool {
	c.trap, c.after = t, true
	return false
}

func syscall(c *core, _ *op) bool {
	c.r[cpu.RCX] = c.pc
	c.r[cpu.R11] = c.rflags()
	return c.stop(cpu.Trap{Kind: cpu.TrapSyscall})
}

// interrupt: Linux lets user code reach vectors 3, 4 and 0x80 only.
func interrupt(c *core, o *op) bool {
	switch o.imm {
	case 0x80:
		return c.stop(cpu.Trap{Kind: cpu.TrapInt80})
	case cpu.VectorBP, cpu.VectorOF:
		return c.stop(cpu.Trap{Kind: cpu.TrapException, Vector: uint8(o.imm)})
	}
	return c.exception(cpu.VectorGP)
}

func int3(c *core, _ *op) bool {
	return c.stop(cpu.Trap{Kind: cpu.TrapException, Vector: cpu.VectorBP})
}

func int1(c *core, _ *op) bool {
	return c.stop(cpu.Trap{Kind: cpu.TrapException, Vector: cpu.VectorDB})
}

func clc(c *core, _ *op) bool {
	c.setCarry(0)
	return true
}

func stc(c *core, _ *op) bool {
	c.setCarry(1)
	return true
}

func cmc(c *core, _ *op) bool {
	c.setCarry(c.carry() ^ 1)
	return true
}

func cld(c *core, _ *op) bool {
	c.fl &^= cpu.FlagDF
	return true
}

func std(c *core, _ *op) bool {
	c.fl |= cpu.FlagDF
	return true
}

func lahf(c *core, _ *op) bool {
	c.setGPR(cpu.RAX|x86.High, 1, c.rflags())
	return true
}

func sahf(c *core, _ *op) bool {
	const mask = arithFlags &^ cpu.FlagOF
	c.fl = c.rflags()&^mask | c.r[cpu.RAX]>>8&mask
	return true
}

func rdtsc(c *core, o *op) bool {
	t := c.v.TSC + uint64(c.budget-c.left) + uint64(o.idx)
	c.r[cpu.RAX], c.r[cpu.RDX] = t&0xffffffff, t>>32
	return true
}

// rdtscp and rdpid tell the number of the processor, which Linux puts into
// TSC_AUX.
func rdtscp(c *core, o *op) bool {
	c.r[cpu.RCX] = uint64(c.v.ID)
	return rdtsc(c, o)
}

func rdpid(c *core, o *op) bool {
	c.r[o.dst] = uint64(c.v.ID)
	return true
}

// clflush touches its operand like a load.
func clflush(c *core, o *op) bool {
	_, ok := c.load8(c.ea(o))
	return ok
}
