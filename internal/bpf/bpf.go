// Package bpf checks and runs programs of the classic BSD packet filter, which
// seccomp(2) and SO_ATTACH_FILTER take.
//
// Jumps only go forward, so a program ends after at most as many steps as it
// has instructions. What loads read is the caller's affair: seccomp programs
// read a structure, socket filters a packet.
package bpf

import (
	"encoding/binary"
)

// Insn is one instruction (struct sock_filter).
type Insn struct {
	Code   uint16
	JT, JF uint8 // instructions to skip if a comparison holds, and if not
	K      uint32
}

// SizeofInsn is the size of the structure.
const SizeofInsn = 8

// MaxInsns is the longest program (BPF_MAXINSNS).
const MaxInsns = 4096

// Decode reads a program from memory.
func Decode(b []byte) []Insn {
	prog := make([]Insn, len(b)/SizeofInsn)
	for i := range prog {
		p := b[i*SizeofInsn:]
		prog[i] = Insn{Code: binary.LittleEndian.Uint16(p), JT: p[2], JF: p[3], K: binary.LittleEndian.Uint32(p[4:])}
	}
	return prog
}

// Encode is the reverse.
func Encode(prog []Insn) []byte {
	b := make([]byte, 0, len(prog)*SizeofInsn)
	for _, in := range prog {
		b = binary.LittleEndian.AppendUint16(b, in.Code)
		b = binary.LittleEndian.AppendUint32(append(b, in.JT, in.JF), in.K)
	}
	return b
}

// The parts of an instruction's code (linux/bpf_common.h).
const (
	classMask = 0x07
	LD        = 0x00
	LDX       = 0x01
	ST        = 0x02
	STX       = 0x03
	ALU       = 0x04
	JMP       = 0x05
	RET       = 0x06
	MISC      = 0x07

	sizeMask = 0x18
	W        = 0x00 // four bytes
	H        = 0x08
	B        = 0x10

	modeMask = 0xe0
	IMM      = 0x00
	ABS      = 0x20
	IND      = 0x40
	MEM      = 0x60
	LEN      = 0x80
	MSH      = 0xa0

	opMask = 0xf0
	ADD    = 0x00
	SUB    = 0x10
	MUL    = 0x20
	DIV    = 0x30
	OR     = 0x40
	AND    = 0x50
	LSH    = 0x60
	RSH    = 0x70
	NEG    = 0x80
	MOD    = 0x90
	XOR    = 0xa0

	JA   = 0x00
	JEQ  = 0x10
	JGT  = 0x20
	JGE  = 0x30
	JSET = 0x40

	K = 0x00 // the operand is in the instruction
	X = 0x08 // it is the index register
	A = 0x10 // RET: the accumulator

	TAX = 0x00
	TXA = 0x80
)

// memWords is the number of words of scratch memory (BPF_MEMWORDS).
const memWords = 16

// ancillary is where the offsets begin that mean what is known of a packet and
// is not in it (SKF_AD_OFF), of which there is nothing here.
const ancillary = 0xfffff000

// Valid reports whether a program may run (bpf_check_classic): all
// instructions exist, jumps and scratch memory stay inside, nothing divides by
// a constant zero, no scratch word is read before it is written, and the last
// instruction returns.
func Valid(prog []Insn) bool {
	if len(prog) == 0 || len(prog) > MaxInsns {
		return false
	}
	for pc, in := range prog {
		if !in.exists() {
			return false
		}
		left := uint32(len(prog) - pc - 1)
		switch in.Code {
		case ALU | DIV | K, ALU | MOD | K:
			if in.K == 0 {
				return false
			}
		case ALU | LSH | K, ALU | RSH | K:
			if in.K >= 32 {
				return false
			}
		case LD | W | ABS, LD | H | ABS, LD | B | ABS:
			if in.K >= ancillary {
				return false
			}
		case LD | MEM, LDX | MEM, ST, STX:
			if in.K >= memWords {
				return false
			}
		case JMP | JA:
			if in.K >= left {
				return false
			}
		default:
			if in.Code&classMask == JMP && (uint32(in.JT) >= left || uint32(in.JF) >= left) {
				return false
			}
		}
	}
	last := prog[len(prog)-1].Code
	return (last == RET|K || last == RET|A) && scratchWritten(prog)
}

// exists reports whether there is an instruction of that code
// (chk_code_allowed).
func (in Insn) exists() bool {
	if in.Code > 0xff {
		return false
	}
	switch in.Code & classMask {
	case LD:
		switch in.Code &^ sizeMask {
		case LD | ABS, LD | IND:
			return in.Code&sizeMask != sizeMask
		}
		return in.Code == LD|W|LEN || in.Code == LD|IMM || in.Code == LD|MEM
	case LDX:
		return in.Code == LDX|W|LEN || in.Code == LDX|B|MSH || in.Code == LDX|IMM || in.Code == LDX|MEM
	case ALU:
		op := in.Code & opMask
		return in.Code == ALU|NEG || op <= XOR && op != NEG
	case JMP:
		op := in.Code & opMask
		return in.Code == JMP|JA || op >= JEQ && op <= JSET
	}
	switch in.Code {
	case ST, STX, RET | K, RET | A, MISC | TAX, MISC | TXA:
		return true
	}
	return false
}

// scratchWritten reports whether each word of scratch memory that is read has
// been written on all ways that lead there (check_load_and_stores).
func scratchWritten(prog []Insn) bool {
	ways := make([]uint16, len(prog)) // words written on every way to here
	for i := range ways {
		ways[i] = 0xffff
	}
	written := uint16(0)
	for pc, in := range prog {
		written &= ways[pc]
		switch in.Code {
		case ST, STX:
			written |= 1 << in.K
		case LD | MEM, LDX | MEM:
			if written>>in.K&1 == 0 {
				return false
			}
		case JMP | JA:
			ways[pc+1+int(in.K)] &= written
			written = 0xffff
		default:
			if in.Code&classMask == JMP {
				ways[pc+1+int(in.JT)] &= written
				ways[pc+1+int(in.JF)] &= written
				written = 0xffff
			}
		}
	}
	return true
}

// Data is what a program reads from.
type Data interface {
	// Load returns size (1, 2 or 4) bytes at off as a number; ok is false
	// outside, which ends the program with 0.
	Load(off uint32, size int) (v uint32, ok bool)
	// Len is what the length instructions give.
	Len() uint32
}

// Run runs a valid program and returns what it returns.
func Run(prog []Insn, data Data) uint32 {
	var a, x uint32
	var mem [memWords]uint32
	for pc := 0; ; pc++ {
		in := &prog[pc]
		// What filters mostly consist of comes first.
		switch in.Code {
		case JMP | JEQ | K:
			if a == in.K {
				pc += int(in.JT)
			} else {
				pc += int(in.JF)
			}
			continue
		case RET | K:
			return in.K
		}
		switch in.Code & classMask {
		case LD:
			switch in.Code & modeMask {
			case ABS, IND:
				off := in.K
				if in.Code&modeMask == IND {
					off += x
				}
				v, ok := data.Load(off, in.size())
				if !ok {
					return 0
				}
				a = v
			case IMM:
				a = in.K
			case MEM:
				a = mem[in.K]
			case LEN:
				a = data.Len()
			}
		case LDX:
			switch in.Code & modeMask {
			case IMM:
				x = in.K
			case MEM:
				x = mem[in.K]
			case LEN:
				x = data.Len()
			case MSH: // four times the low half of a byte: an IP header's length
				v, ok := data.Load(in.K, 1)
				if !ok {
					return 0
				}
				x = v & 0xf << 2
			}
		case ST:
			mem[in.K] = a
		case STX:
			mem[in.K] = x
		case ALU:
			operand := in.operand(x)
			if op := in.Code & opMask; operand == 0 && (op == DIV || op == MOD) {
				return 0
			}
			a = in.compute(a, operand)
		case JMP:
			switch {
			case in.Code == JMP|JA:
				pc += int(in.K)
			case in.compare(a, in.operand(x)):
				pc += int(in.JT)
			default:
				pc += int(in.JF)
			}
		case RET:
			return a // RET|A
		case MISC:
			if in.Code == MISC|TAX {
				x = a
			} else {
				a = x
			}
		}
	}
}

// size is the number of bytes that a load reads.
func (in *Insn) size() int {
	switch in.Code & sizeMask {
	case H:
		return 2
	case B:
		return 1
	}
	return 4
}

// operand is the second operand of arithmetic and comparisons.
func (in *Insn) operand(x uint32) uint32 {
	if in.Code&X != 0 {
		return x
	}
	return in.K
}

// compute does the arithmetic of an ALU instruction; b is not 0 for divisions.
func (in *Insn) compute(a, b uint32) uint32 {
	switch in.Code & opMask {
	case ADD:
		return a + b
	case SUB:
		return a - b
	case MUL:
		return a * b
	case DIV:
		return a / b
	case MOD:
		return a % b
	case OR:
		return a | b
	case AND:
		return a & b
	case XOR:
		return a ^ b
	case LSH: // by register: modulo the width, as the translated program does
		return a << (b & 31)
	case RSH:
		return a >> (b & 31)
	}
	return -a // NEG
}

// compare is the condition of a jump.
func (in *Insn) compare(a, b uint32) bool {
	switch in.Code & opMask {
	case JEQ:
		return a == b
	case JGT:
		return a > b
	case JGE:
		return a >= b
	}
	return a&b != 0 // JSET
}

// Packet is the data of a socket filter: numbers are in network byte order.
type Packet []byte

// Load implements Data.
func (p Packet) Load(off uint32, size int) (uint32, bool) {
	if uint64(off)+uint64(size) > uint64(len(p)) {
		return 0, false
	}
	var v uint32
	for _, c := range p[off : int(off)+size] {
		v = v<<8 | uint32(c)
	}
	return v, true
}

// Len implements Data.
func (p Packet) Len() uint32 { return uint32(len(p)) }
