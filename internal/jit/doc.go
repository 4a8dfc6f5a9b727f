// Package jit is the engine for amd64 hosts: it translates guest code to machine
// code of the same instruction set. Arithmetic, SSE and most other instructions
// are assembled again with other registers; only memory operands, control flow
// and system instructions become something else. What it does not know, one
// instruction at a time is left to the interpreter (interp.Stepper), so that the
// set of what is translated is a matter of speed alone.
//
// # Registers
//
// Twelve of the guest's general registers are in the host's, as
// enter_linux_amd64.s lists them: those that instructions use without naming
// them are where they always are. Four are in memory. R14 (B) points to the
// context, R12 and R13 (T0, T1) are temporaries, MM0 counts instructions. RSP is
// the host's: machine code runs on the goroutine's stack and needs three words of
// it. XMM registers and MXCSR are the guest's, and so are the upper
// halves of the YMM registers, which go into the context and back only while one
// of them is in use (noteUpper). A block that uses x87 or MMX registers loads all
// of them and leaves them at each of its ends (loadFPU). Everything is the
// interpreter's while the guest has floating point exceptions unmasked.
//
// What only some hosts have (optional) is passed there, and the interpreter's
// elsewhere.
//
// # Contexts
//
// A context is what machine code sees of its engine: registers, TLBs, the jump
// cache. An engine has one for each of the address spaces that it ran last, so
// that nothing needs a tag: what is in a context is true in its address space, and
// update removes what no longer is.
//
// # Blocks
//
// A block (trace) is the straight way from an address to the first jump that is
// not conditional, inside one page; conditional jumps are ways out. A short loop
// is repeated in its block. Blocks belong to frames (cache), like those of the
// interpreter, and are shared by all engines. A block looks like this:
//
//	checked:  is the page mapped where this code believes? otherwise exit
//	mem:      take all n instructions off MM0; if it is negative, exit
//	          the instructions
//	          edges
//	cold:     exits and what else is rare
//	host:     store the flags; go to mem
//
// Addresses are absolute in it, so a block is good for one address only; the
// element of context.pages with the number of its frame at its page says whether
// this address space has it there. Jumps inside the page need not look: they lead
// to mem or host. An instruction in two pages is a block of its own that looks for
// both.
//
// # Flags
//
// The guest's flags are in the host's as long as nothing destroys them. Before
// something does, they are stored (LAHF and SETO, four instructions) if they are
// live: if an instruction of the block reads them before they are written, or the
// block may be left. Faults and the end of the budget do not count: there,
// arithmetic flags that the next instructions write before any reads them may be
// out of date. All else is exact, and at system calls, traps and in what the
// interpreter executes the flags are as well. Jumps lead to mem if the flags are
// stored and to host if they are not.
//
// # Memory
//
// An operand is looked up in a direct-mapped TLB (check): T0 becomes the offset
// in the page, T1 the host's address of the page. What is not there, crosses a
// page, or is not aligned exits; Go fills the TLB and tries again, or leaves the
// instruction to the interpreter, which also finds out what fault it is. Machine
// code itself never faults. Operands around the same registers share one check
// (group), and RSP has an entry of its own.
//
// # Exits and edges
//
// An exit writes the number of its site and returns to enter. The site tells Go
// what is wanted. Jumps to blocks that are not known exit; the first time that Go
// finds the block it patches the jump (connect). Indirect jumps and returns look
// into the jump cache, whose entries lead to checked. At the latest after chunk
// instructions machine code returns, so that stops, the Go scheduler and the
// collector wait some twenty microseconds at most.
//
// # Code that changes
//
// Write translations exist only for frames without code. A frame that becomes
// code loses those of this engine at once (markCode); if others may have some, it
// waits until each of them has left machine code, and on the way back they look at
// interp.CodeEpoch. A store to a frame with code comes to fill, which drops its
// blocks: their heads are patched so that whoever enters them leaves, and the
// store itself is left to the interpreter.
//
// # Who may touch what
//
// cache is under its mutex. Code is written through one mapping of its memory and
// executed through another. What is published is changed only by aligned stores of
// one displacement. Code and sites stay where they are until flush, which starts
// again when the memory is full: it changes cache.flushes and waits until all
// engines have left machine code (engine.busy); an engine that comes back sees the
// change and starts from RIP. Nobody waits for another engine with busy odd, nor
// for cache.mu.
//
// Signals that arrive in machine code are no problem: handlers have their own
// stack and take g from thread-local storage, and the runtime does not preempt
// a goroutine whose PC it does not know.
//
// # What was measured
//
// On an EPYC of the third generation, user time against native, start of tine
// included:
//
//	hash 1.2  sort 2.7  matrix 1.8  mandelbrot 1.2  chase 2.0  strings 3.7
//	bytecode 1.6  calls 2.5  geometric mean 2.0
//	python3, two million rounds of a loop 6, of which the loop itself 5
//	gcc -O1 -c of 200 lines 15: half of it is translation
//
// What helped, in order: repeating short loops, so that checks are shared between
// rounds (matrix 4 to 2); counting in MM0 instead of memory, where the count was a
// chain of store forwardings that every block waited for; TLBs of 2048 entries
// instead of 512 (a quarter of gcc); sharing checks; the entry for the stack.
// LAHF with SETO costs little more than a cycle, PUSHF five, POPF twenty.
//
// What did not: ending blocks where others begin; it saves 7 percent of the code
// and loses more.
//
// Translation costs about a microsecond an instruction, of which a fifth is the
// host's: new memory. gcc translates a million instructions to run 300 million; a fifth of them is
// executed once, 40 percent fewer than eight times.
package jit
