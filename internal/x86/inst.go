// Package x86 decodes the instructions of 64-bit mode. It knows encodings and
// operands, and nothing of what instructions do.
//
// The instruction set is one list of rows in the manual's notation (table.go
// and table_*.go), so that it can be read against Intel SDM vol. 2, appendix A.
package x86

import "errors"

// Op names an operation. One Op may have many encodings.
type Op uint16

// First operation number of each group of instructions.
const (
	FirstExt Op = 512 // what is optional beyond SSE4.2
	FirstSSE Op = 1024
	FirstX87 Op = 2048
	FirstMMX Op = 3072
	// VEX plus an operation is what that is with a VEX prefix.
	VEX      Op = 4096
	FirstAVX    = VEX + FirstX87 // what there is with VEX only
	NumOps      = 8192
)

// Registers in operands and addresses. General registers are numbered as the
// encoding numbers them (SDM vol. 2, table 2-2).
const (
	// High is set in the number of a byte register that is bits 15:8 of
	// register number&3: AH, CH, DH, BH.
	High = 0x40
	// NoReg in Base or Index says there is none.
	NoReg = 16
)

// Seg is a segment override that matters in 64-bit mode.
type Seg uint8

// Only FS and GS have a base (SDM vol. 1, 3.4.4).
const (
	SegNone Seg = iota
	SegFS
	SegGS
)

// ArgKind says what an operand is.
type ArgKind uint8

// Kinds of operands.
const (
	ArgNone ArgKind = iota
	ArgReg          // general register Reg; byte registers may carry High
	ArgMem          // the memory operand; Inst.Base and so on say where
	ArgImm          // Inst.Imm
	ArgRel          // branch target: Inst.Imm is relative to the next instruction
	ArgXMM          // XMM register Reg, or with Size 32 YMM register Reg
	ArgMMX          // MMX register Reg
	ArgST           // x87 register ST(Reg)
	ArgSreg         // segment register Reg: ES CS SS DS FS GS
	ArgStr          // implicit operand of a string instruction
)

// Arg is one operand. Size is its width in bytes: of a memory operand what is
// accessed, of an immediate the width it is extended to.
type Arg struct {
	Kind ArgKind
	Reg  uint8
	Size uint8
}

// Form says what the operands of an instruction are that has no prefix but REX.
type Form uint8

// Forms.
const (
	FormOther   Form = iota
	FormNone         // none
	FormEG           // r/m, reg field, of one size
	FormGE           // reg field, r/m, of one size
	FormGEOther      // the same of two sizes
	FormEI           // r/m, immediate
	FormE            // r/m
	FormZ            // register in the opcode
	FormJ            // branch offset
)

// Inst is one decoded instruction.
type Inst struct {
	Op   Op
	Len  uint8
	Size uint8 // operand size in bytes: that of the first operand, or of the instruction if it has none
	// Row is the index in the table, for tests and messages.
	Row uint16

	Form Form // may be FormOther where another would do

	Opcode byte // last opcode byte; its low four bits are the condition of Jcc, SETcc, CMOVcc
	ModRM  byte
	Rex    byte // 0 if absent
	Rep    byte // 0, 0xf2 or 0xf3, whichever came last
	Vex    bool // has a VEX prefix, whose R, X, B and W are in Rex
	VReg   byte // the register in its vvvv field
	VL     byte // its L field: 1 means vectors of 256 bits
	Lock   bool
	Addr32 bool // address size prefix

	// Where the opcode, the ModRM byte and the immediates begin, for those who
	// assemble the instruction again with other operands.
	OpcodeAt, ModRMAt, ImmAt uint8

	NArgs uint8
	Args  [4]Arg
	// Places has the letters by which Row says where the operands are encoded,
	// 0 for those that the instruction implies.
	Places [4]byte

	// The memory operand: Seg.base + Base + Index<<Scale + Disp. RIPRel adds
	// the address of the next instruction. With VSIB Index is a vector register.
	Mem         bool
	VSIB        bool
	RIPRel      bool
	Seg         Seg
	Base, Index uint8
	Scale       uint8
	Disp        int64

	Imm  int64 // immediate, extended as the instruction extends it
	Imm2 uint8 // second immediate of ENTER
}

// Errors of Decode.
var (
	ErrInvalid = errors.New("invalid instruction")             // #UD
	ErrTooLong = errors.New("instruction longer than 15")      // #GP
	ErrShort   = errors.New("instruction continues after end") // more bytes are needed
)

// MaxLen is the length of the longest instruction (SDM vol. 2, 2.3.11).
const MaxLen = 15
