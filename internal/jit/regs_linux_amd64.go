package jit

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/interp"
	"github.com/tinevm/tine/internal/x86"
)

// spilled marks guest registers that are in the context.
const spilled = 0xff

// hostOf has the host register of each guest register; enter loads them. Those
// that instructions use without naming them are where they always are. The
// least used ones are not in registers: in the code of Debian's programs R10,
// R11 and R9, in this order, and then R8 or R15.
var hostOf = [16]uint8{
	cpu.RAX: 0, cpu.RCX: 1, cpu.RDX: 2, cpu.RBX: 3, cpu.RSP: 15, cpu.RBP: 5, cpu.RSI: 6, cpu.RDI: 7,
	cpu.R8: 8, cpu.R9: spilled, cpu.R10: spilled, cpu.R11: spilled,
	cpu.R12: 9, cpu.R13: 10, cpu.R14: 11, cpu.R15: spilled,
}

const hostRSP = 15 // where the guest's RSP is

// home is where the context has a guest register.
func home(g uint8) mem { return field(offGPR + 8*int32(g&15)) }

func terminal(op x86.Op) bool { return interp.Terminal(op) }
