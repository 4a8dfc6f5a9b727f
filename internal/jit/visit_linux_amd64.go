package jit

import "github.com/tinevm/tine/internal/cpu"

// A program's start is for the most part code that runs once: two thirds of the
// instructions of /bin/true, three quarters if twice counts too. To decode and
// interpret an instruction takes half as long as to translate it, so what an engine
// comes to for the first time is interpreted to the end of its block, and
// translated the second time. What a jump backwards or an indirect jump leads to is
// translated at once.

// visits has the addresses that have been come to, as bits that may be those of
// other addresses: then code is translated sooner.
type visits struct {
	bits  [1 << 10]uint64
	marks int // about how many are set
}

// first reports whether pc is come to for the first time, and notes that it is no
// more.
func (v *visits) first(pc uint64) bool {
	const most = len(v.bits) * 16 // a quarter of them
	h := pc * 0x9e3779b97f4a7c15 >> 48
	word, bit := &v.bits[h>>6], uint64(1)<<(h&63)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	if v.marks++; v.marks > most {
		v.marks = 0
		clear(v.bits[:])
	}
	return true
}

// unseen stands for a block that is not to be made yet.
var unseen = new(block)

// maxSteps is how many instructions are interpreted before it is looked again
// whether the engine must stop.
const maxSteps = 64

// stepBlock has the interpreter execute instructions up to one that ends a block.
func (e *engine) stepBlock() cpu.Trap { return e.interpret(min(e.left, maxSteps), true) }
