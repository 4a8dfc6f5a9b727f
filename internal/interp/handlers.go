package interp

import (
	"sync"
	"sync/atomic"

	"github.com/tinevm/tine/internal/x86"
)

// handlers has the handler of each operation, once know has been asked for it.
var handlers [x86.NumOps]handler

// set registers handlers.
func set(m map[x86.Op]handler) {
	for op, fn := range m {
		handlers[op] = fn
	}
}

// parts are the parts of the instruction set: each partSize operations, and all
// with VEX. The chapters of a part register its handlers when the first of its
// instructions is decoded: most programs need few parts, and the other engine
// needs few handlers.
var parts [x86.VEX/partSize + 1]part

const partSize = 1 << 9

type part struct {
	known    atomic.Bool
	mu       sync.Mutex
	chapters []func()
}

func partOf(op x86.Op) *part { return &parts[min(op, x86.VEX)/partSize] }

// The chapters refer to all that this package does, so the list is not to be
// initialized before that.
func init() {
	partOf(0).chapters = []func(){
		setArith, setMove, setStack, setControl, setShift, setBits, setMulDiv, setStrings, setAtomic,
		setSegments, setSystem,
	}
	partOf(x86.FirstExt).chapters = []func(){setBMI, setCrypto, setXsave}
	partOf(x86.FirstSSE).chapters = []func(){setSSE, setSSEMove, setSSEInteger, setSSEFloat}
	partOf(x86.FirstX87).chapters = []func(){setX87, setX87Move, setX87Control}
	partOf(x86.FirstMMX).chapters = []func(){setMMX, setMMXConvert}
	partOf(x86.VEX).chapters = []func(){setAVX, setFMA, setAVXOps}
}

// know makes sure that an operation's handler is registered.
func know(op x86.Op) {
	if p := partOf(op); !p.known.Load() {
		p.learn()
	}
}

func (p *part) learn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known.Load() {
		return
	}
	for _, fill := range p.chapters {
		fill()
	}
	p.known.Store(true)
}

// Terminal reports whether an operation may go elsewhere than to the next
// instruction, or changes how the next one is executed. It ends a block.
func Terminal(op x86.Op) bool {
	switch op {
	case x86.JMP, x86.JMPIND, x86.CALL, x86.CALLIND, x86.RET, x86.RETN, x86.JCC,
		x86.LOOP, x86.LOOPE, x86.LOOPNE, x86.JRCXZ, x86.RETF, x86.IRET,
		x86.SYSCALL, x86.INT, x86.INT3, x86.INT1, x86.UD, x86.PRIV, x86.IOPRIV, x86.BAD, badLength,
		x86.POPF: // it may set TF
		return true
	}
	return false
}
