package jit

import (
	"encoding/binary"
	"unsafe"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)

// maxString is how many bytes are done at once; more are left to the interpreter,
// which looks whether it must stop.
const maxString = 1 << 16

// isString reports whether in is REP STOS or REP MOVS, of which compilers make short
// ones: most of what a compiler leaves to the interpreter.
func (in *inst) isString() bool {
	return (in.Op == x86.STOS || in.Op == x86.MOVS) && in.Rep == 0xf3 && !in.Addr32 && in.Seg == x86.SegNone
}

// emitString emits a routine that does REP STOS or REP MOVS of elements of 1<<log
// bytes, unless an operand is in two pages or in one that the TLB does not have, or they
// are gone through backwards: then it exits. The host's instruction does what the
// guest's would, for operands that overlap too.
func (t *translator) emitString(stos bool, log uint8, called int32) {
	t.memOp(false, 0, field(offRFlags), 0xf7) // test
	t.put32(cpu.FlagDF)
	t.jccBack(ccNE, called)
	t.aluImm(true, 7, hCX, mm.PageSize>>log)
	t.jccBack(ccA, called)
	// apart loads T1 with how far the host's address of what reg points to is from
	// the guest's.
	apart := func(reg uint8, tlb int32) {
		t.move(hT0, reg)
		t.probe(tlb)
		t.aluImm(true, 7, hT0, pageMask)
		t.jccBack(ccA, called)
		t.lea(hT0, mem{hT0, hCX, log, 0})
		t.aluImm(true, 7, hT0, mm.PageSize)
		t.jccBack(ccA, called)
		t.load(hT0, mem{hB, hT1, 0, tlb})
		t.load(hT1, mem{hB, hT1, 0, tlb + 8})
		t.regOp(true, hT1, hT0, 0x2b)
	}
	// move adds to both pointers (03), or subtracts from them (2b).
	move := func(opcode byte) {
		if !stos {
			t.memOp(true, hSI, field(offTarget), opcode)
		}
		t.regOp(true, hDI, hT1, opcode)
	}
	if !stos {
		apart(hSI, offRT)
		t.store(field(offTarget), hT1)
	}
	apart(hDI, offWT)
	move(0x03)
	opcode := byte(0xa4) // movsb
	if stos {
		opcode = 0xaa
	}
	switch log {
	case 0:
		t.put2(0xf3, opcode)
	case 1:
		t.put3(0x66, 0xf3, opcode+1)
	case 2:
		t.put2(0xf3, opcode+1)
	case 3:
		t.put3(0xf3, 0x48, opcode+1)
	}
	move(0x2b)
	t.put1(0xc3)
}

// stringOp does what is at a site of REP STOS or REP MOVS, page by page. done is
// false if the interpreter has to go on from where it has come.
func (e *engine) stringOp(s *site) (done bool) {
	r, size := &e.c.regs, uint64(s.size)
	g := &r.GPR
	if r.Flags&cpu.FlagDF != 0 || g[cpu.RCX] > maxString/size {
		return false
	}
	for g[cpu.RCX] != 0 {
		dst := e.writable(g[cpu.RDI])
		n := min(g[cpu.RCX]*size, uint64(len(dst)))
		var src []byte
		if !s.write { // MOVS
			src = e.readable(g[cpu.RSI])
			n = min(n, uint64(len(src)))
		}
		if n &^= size - 1; n == 0 {
			return false
		}
		switch dst = dst[:n]; {
		case s.write:
			fill(dst, g[cpu.RAX], size)
		case ahead(src, dst):
			return false // it repeats what it has just written
		default:
			copy(dst, src)
			g[cpu.RSI] += n
		}
		g[cpu.RDI] += n
		g[cpu.RCX] -= n / size
	}
	r.RIP += uint64(s.arg)
	e.left--
	return true
}

// ahead reports whether dst begins inside of what is copied to it.
func ahead(src, dst []byte) bool {
	from, to := uintptr(unsafe.Pointer(&src[0])), uintptr(unsafe.Pointer(&dst[0]))
	return from < to && to-from < uintptr(len(dst))
}

// fill fills b with elements of so many bytes.
func fill(b []byte, v, size uint64) {
	if v<<(64-8*size) == 0 {
		clear(b)
		return
	}
	var e [8]byte
	binary.LittleEndian.PutUint64(e[:], v)
	for n := copy(b, e[:size]); n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

// readable is the guest's memory from va to the end of its page, nil if it cannot be
// read as it stands.
func (e *engine) readable(va uint64) []byte {
	t := &e.c.rt[va>>mm.PageShift%tlbSize]
	if va >= mm.UserTop || t.page != va&^pageMask && !e.fillRead(va) {
		return nil
	}
	return t.from(va)
}

// writable is the same for writing.
func (e *engine) writable(va uint64) []byte {
	t := &e.c.wt[va>>mm.PageShift%tlbSize]
	if va >= mm.UserTop {
		return nil
	}
	if t.page != va&^pageMask {
		if filled, _ := e.fillWrite(va); !filled {
			return nil
		}
	}
	return t.from(va)
}

// from is what the entry maps from va on.
func (t *tlbEntry) from(va uint64) []byte {
	in := va & pageMask
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(nil), t.host+in)), mm.PageSize-in)
}
