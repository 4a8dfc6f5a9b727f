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
// context, R12 and R13 (T0, T1) are temporaries. RSP is the host's: machine code runs
// on the goroutine's stack and needs four words of it; the one above them counts
// instructions. XMM registers and MXCSR are the guest's, and so are the upper
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
// A block is a way through one page from an address on; the jumps that it does not
// follow are ways out. Blocks belong to frames (cache), like those of the
// interpreter, and are shared by all engines. A block looks like this:
//
//	checked:  is the page mapped where this code believes? otherwise exit
//	mem:      take all n instructions off the count; if it is negative, exit
//	          cold: count; if the block is hot, exit
//	          the instructions
//	          edges
//	          what is rare
//	host:     store the flags; go to mem
//	          exits
//
// Addresses are absolute in it, so a block is good for one address only; the
// element of context.pages with the number of its frame at its page says whether
// this address space has it there. Jumps inside the page need not look: they lead
// to mem or host. An instruction in two pages is a block of its own that looks for
// both.
//
// # Tiers
//
// What runs the first time becomes a block of the way that is taken if no
// conditional jump is, to the first other jump or the third of them (tierOnce). What a
// jump backwards or an indirect jump leads to, and what follows in the same page, may
// run often: it becomes blocks up to the next conditional jump that count how often
// they run (tierCold). So does what was thought to run once if chunks often end there,
// or in a block that leads there (sampled). After hotAfter times such a block is made
// anew: the counts tell which way the program takes at a conditional jump, so the block
// goes on there, goes through direct jumps, and ends where nothing is known (tierHot).
// A short loop is repeated in its block. The old block is dead like one whose code was
// written, and the jumps that led there find the new one.
//
// If much time is spent in a hot block (looks) it is made once more, and goes through
// direct calls, and after the return from one, too, if the return address is what the
// call pushed; and it goes on in up to three other pages (beside). It looks at its head
// whether they are there, and dies with the code of each. Its jumps to all of them are
// like those in its own page. If they are not always together it is made anew without
// (alone). Where both ways from a jump are hot by then, samples tell which is taken.
//
// An instruction that is decoded and interpreted once costs half of its translation,
// but what an engine comes to in straight ways mostly runs once, so all that tierOnce
// is for is interpreted first (visit_linux_amd64.go). An eager engine, as tests and the
// lock step use, does not.
//
// # Flags
//
// The guest's flags are in the host's as long as nothing destroys them. Before
// something does, they are stored (LAHF and SETO, four instructions) if they are
// live: if an instruction of the block reads them before they are written, or the
// block may be left. Faults do not count: there, arithmetic flags that the next
// instructions write before any reads them may be out of date. All else is exact, and
// at system calls, traps and in what the interpreter executes the flags are as well.
// So are they at the end of the budget, because the interpreter executes what comes
// last (reserve). Jumps lead to mem if the flags are stored and to host if they are
// not.
//
// # Memory
//
// An operand is looked up in a direct-mapped TLB (check): T0 becomes the offset
// in the page, T1 the host's address of the page. What is not there, crosses a
// page, or is not aligned exits; Go fills the TLB and tries again, or leaves the
// instruction to the interpreter, which also finds out what fault it is. Machine
// code itself never faults. Operands around the same registers share one check
// (group).
//
// The index in the TLB depends on the address, the host's address on what is
// there, and the access on that: some fourteen cycles from one pointer to the next
// instead of five. So RSP, and each instruction of a hot block, has an entry of
// its own (lastEntry) with the page that it accessed last, whose host address is
// there before the guest's is; the TLB is asked if it is another. If the operand is
// addressed by one register, that is added to how far the host's page is from the guest's
// (direct): then the access waits for nothing but the register. Where it is
// another too often (siteFar), the block is made anew, with an instruction less that
// has one (block.far). There are too few entries for a large program: some are those of
// two instructions (lasts).
//
// What is rare is in routines that blocks call: what is to be done where RSP is no
// longer in the page that it was in, or where a group is in two pages. That goes on in
// code without groups, which is found by the return address (cross). A load whose
// page has lost its place in the TLB finds it in a larger one (loadMiss), and an indirect
// jump that is not in the jump cache looks in a second one (again), which has the
// addresses in other places. Only what these do not have exits.
//
// T0 keeps the value of a spilled register that was just stored for the next
// instruction (loadHome).
//
// # Exits and edges
//
// An exit leaves the number of its site in the block on the stack and goes to what
// all exits of the block share: it notes block and site and returns to enter. The
// site tells Go what is wanted. A routine that exits leaves its return address instead
// (called). Jumps to blocks that are not known exit; the first time that Go
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
// # The archive
//
// What was translated can be kept in files (OpenArchive, SaveArchive), for the processes
// that come after: most of what a short program executes is code of libraries that ran a
// moment ago at the same address. What a block says of its own place is noted while it is
// emitted (refers), and changed where it is had back (recall). A block is had back when it
// is looked for, not before, and only for a page whose bytes are all the same. Blocks that
// are in two pages are not kept, nor those of pages that the guest has written.
//
// Eager engines neither ask the archive nor does a machine run from a seed with it: at a
// fault, flags could tell what has been translated how.
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
// On an EPYC, processor time against native, start of tine included; the machine
// was busy with other things, so that a tenth means nothing:
//
//	hash 1.3  sort 2.5  matrix 1.9  mandelbrot 1.3  chase 2.2  strings 4.3
//	bytecode 1.0  calls 2.4  geometric mean 1.9
//	python3, two million rounds of a loop 6.5
//	gcc -O1 -c of 150 lines 12 to 15: two fifths of it is translation
//
// What helped, in order: repeating short loops, so that checks are shared between
// rounds (matrix 4 to 2); TLBs of 2048 entries
// instead of 512 (a quarter of gcc); cheaper translation (a sixth of gcc);
// sharing checks; hot blocks that go the way the program goes; the entries for
// what was accessed last. LAHF with SETO costs little more than a cycle, PUSHF
// five, POPF twenty.
//
// Translation costs 230 nanoseconds an instruction when the translator's own code
// and data are in the caches, and about 350 in a program, where they are not. What
// made it cheaper: sites and code are written once, where they stay; exits of four
// bytes instead of nine; instructions are classified by row of the table; accesses
// and written registers are determined once and not in each look ahead; bytes that
// belong together are stored together; the commonest instructions are decoded by a
// table of their own, which takes a fourth of the time, and assembled without the
// general machinery; blocks are found without touching others; blocks that run once
// end at the third conditional jump, which saves a sixth of all instructions and makes
// 4 percent more blocks (at the second, a fifth and 10).
//
// Instructions are counted on the stack: where the processor renames memory, as a Zen 3
// does, a block does not wait for what the last one stored. MM0, which no processor lets
// wait, took ten bytes more a block and was no faster there; a field of the context is a
// hundredth or two slower. The exits of heads are behind the blocks, and not before them,
// where their bytes came into the caches with each block: a thirtieth of python3, a seventh
// of calls, a fiftieth of gcc.
//
// gcc's host code takes 34 bytes for an instruction of 4: 5 for heads, 17 for
// instructions, 6 for what is rare and 6 for exits. The time in machine code is a
// matter of the instruction cache: it is spent in 2,000 pages, half of it in blocks
// that were translated to run once, a quarter in hot ones, a fifth in the first 28
// bytes of one.
//
// A round of a loop of python3 (s += i*i % 7) is 750 instructions, which native takes at
// five a cycle. It was 2,900 of the host, half of them for memory operands, and 34 stores
// of flags at ends of blocks, and is 2,600; the time is a sixth less. Half of it was in
// blocks that were thought to run once: that these are found (sampled) is a twelfth. The
// way through calls and returns is a twentieth, and for functions that do little else,
// as those of printf, a third; that through other pages another thirtieth, which
// leaves 2,200 instructions. Addressing operands by their own registers, which saves none
// but a cycle or two before each access, is a twenty-fifth. The number of instructions is
// not all: a load that waits for a check that waits for a load holds up what comes behind.
//
// What did not help: ending blocks where others begin, which saves 7 percent of the
// code and loses more. Counting everywhere, with blocks of one basic block: gcc
// translates 40 percent fewer instructions, but the counts are as many cache lines
// more, and it takes a fifth longer in all. Looking addresses up by routines in
// blocks that may run once: a fourth less code, a fifth less translation, python
// starts a twentieth sooner, and gcc takes a tenth longer; the more places a
// processor must remember jumps of, the more of them it has forgotten. Huge pages for
// the code: the host must zero them, or copy what is in two mappings, and no time was
// saved. TLBs of 4096 entries: a tenth fewer misses. Making blocks hot after 16 or 64
// times. Flags that are exact at faults, too: storing them before each check costs
// bytecode two fifths, sort an eighth, mandelbrot a tenth.
//
// What else did not help: the ways of hot blocks in a region of their own: 2 percent of
// python3, but gcc took a tenth longer, for what is rare for one page is not for it.
// Aligned operands with entries of their own for the last page: they are those of loops
// through arrays, where the page is another soon; matrix took twice as long. Finding what
// is hot by one sample instead of eight, or by what hot blocks ever jump to: gcc
// translates a tenth more. All hot blocks going through calls: gcc a tenth slower.
// Guesses at indirect jumps of hot blocks, which compare with the address that was the
// first and jump to its block: they are right nearly always, but so is the host about what
// comes from the jump cache; a hundredth or two of python3. R15 in a register instead of R12:
// a hundredth of python3, where it points to what is interpreted. Keeping a group in T1
// while other operands are checked: a hundredth of python3, and gcc took as much longer.
// Blocks whose code begins with a cache line, which are in a sixth fewer of them: nothing.
//
// Entries for what was accessed last are 1,024 for loads and as many for stores; with 256
// together, gcc took a twentieth longer: two instructions with one entry often miss both,
// and are soon without. Their pages are in a table of their own, so that an entry is in one
// cache line, which is a twentieth of python3, and so that Go, which looks for those of
// each page that a fork's child copies, finds them in a third of the time.
//
// gcc's exits from machine code were one in 1,300 instructions, half of them for pages
// that had lost their place in the TLB, and a third for indirect jumps that had in the
// jump cache. That these are looked for by machine code, too, leaves one in 3,500 and
// saves a tenth of the time. Half of the rest was REP MOVS and REP STOS, which machine
// code does as well now (emitString): two fifths of a tenth more.
//
// To have a block back from the archive takes 0.3 microseconds if all is in the caches, and
// one where it is not, a third of which the host needs to make memory of what is written;
// to translate it takes 2 and 4. The start of /bin/true takes a sixth less time with an
// archive (2.5 ms), that of python3 a third, and gcc a quarter. To write it costs the first
// run 0.5 microseconds a block, and twice that where the host must make memory for the
// file, of 440 bytes a block. What did not help: to have back all that a block leads to in
// its page together with it; and to translate at once, because it will be kept, what is
// interpreted first otherwise: to have that back takes as long as to interpret it.
//
// gcc compiling 150 lines runs 300 million instructions, of which it executes
// 700,000 different ones; a fifth of them once, 40 percent fewer than eight times.
package jit
