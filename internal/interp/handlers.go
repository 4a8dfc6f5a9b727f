package interp

import "github.com/tinevm/tine/internal/x86"

// handlers has the handler of each operation. Chapters fill it in their init
// functions, with set.
var handlers [x86.NumOps]handler

// set registers handlers.
func set(m map[x86.Op]handler) {
	for op, fn := range m {
		handlers[op] = fn
	}
}

// terminal marks operations that end a block, because they go elsewhere, or
// because what they change matters to how the next instruction is executed.
var terminal [x86.NumOps]bool
