package jit

import (
	"encoding/binary"
	"slices"
)

// Machine code of a block is good elsewhere, too, in another process for another frame,
// if what it says of its own place is changed. References are noted while code is
// emitted, for the archive; a block in which all are as if it were number 0 at position
// 0 for page 0, with the first entries of context.rl and wl, is neutral.

// ref is a displacement or constant of four bytes that depends on where the block is:
// its position in the block, and from refShift on what it refers to.
type ref uint32

const refShift = 16

// What references refer to.
const (
	toRoutine = iota // a common routine, from here
	toCount          // the block's count, from here
	toNumber         // it is the block's number
	toPage           // an element of context.pages
	toLast           // a lastEntry of context.rl or wl, or its page
	numRefs
)

// Blocks with more references than maxBlockRefs, of which there are hardly any, have
// memory of their own for them.
const (
	maxBlockRefs = 1 << 8
	refPiece     = 1 << 13
)

func (r ref) at() int32 { return int32(r & (1<<refShift - 1)) }
func (r ref) to() int   { return int(r >> refShift) }

// refers notes a reference.
func (t *translator) refers(to int, at int32) {
	if cache.archive != nil {
		t.refs = append(t.refs, ref(at)|ref(to)<<refShift)
	}
}

// lastOp is memOp with a field of a lastEntry, or its page.
func (t *translator) lastOp(w bool, reg uint8, off int32, opcode byte) {
	t.memOp(w, reg, field(off), opcode)
	if off >= offRL {
		t.refers(toLast, t.pos()-4)
	}
}

// place is where a block is, as far as its code depends on it.
type place struct {
	base   int32 // position in the code memory
	number uint32
	page   int32
}

// adds is by how much each kind of reference but toLast is greater in a block at p
// than in one that is neutral.
func (p *place) adds() [numRefs]uint32 {
	return [numRefs]uint32{
		toRoutine: uint32(-p.base), toCount: 4*p.number - uint32(p.base), toNumber: p.number, toPage: uint32(p.page),
	}
}

// settle makes neutral code that of a block at p, which has these entries in context.rl
// and wl.
func (p *place) settle(code []byte, refs []ref, lasts *[2][]uint16) {
	move(code, refs, p.adds(), func(which int, n uint16) int { return int(lasts[which][n]) })
}

// neutral is the inverse.
func (p *place) neutral(code []byte, refs []ref, lasts *[2][]uint16) {
	adds := p.adds()
	for i := range adds {
		adds[i] = -adds[i]
	}
	move(code, refs, adds, func(which int, n uint16) int { return slices.Index(lasts[which], n) })
}

// move adds to what references say, and gives those to a lastEntry the one whose number
// last finds.
func move(code []byte, refs []ref, adds [numRefs]uint32, last func(which int, n uint16) int) {
	for _, r := range refs {
		b := code[r.at():]
		v := binary.LittleEndian.Uint32(b)
		if to := r.to(); to != toLast {
			v += adds[to%numRefs]
		} else {
			v = moveLast(v, last)
		}
		binary.LittleEndian.PutUint32(b, v)
	}
}

// moveLast gives a displacement into context.rl (0) or wl (1) another entry, whose number
// to finds.
func moveLast(v uint32, to func(which int, n uint16) int) uint32 {
	which, list := 0, uint32(offRL)
	if v-list >= uint32(lastTableSize) {
		which, list = 1, uint32(offWL)
	}
	in, size := v-list, uint32(8)
	if in >= uint32(lastEntries) {
		list += uint32(lastEntries)
		in, size = v-list, uint32(lastBytes)
	}
	n := to(which, uint16(in/size))
	return list + uint32(n)*size + in%size
}

// appendNeutral appends a copy of a block's code: as it was before jumps were linked, and
// neutral. cache.mu is held.
func (b *block) appendNeutral(to []byte, number uint32) []byte {
	all := append(to, cache.mem.w[b.start:b.end]...)
	code := all[len(to):]
	for i := range b.sites {
		if s := &b.sites[i]; s.kind == siteEdge {
			binary.LittleEndian.PutUint32(code[s.arg:], uint32(int32(s.retry)-(s.arg+4)))
		}
	}
	p := place{b.start, number, b.page}
	p.neutral(code, b.refs, &b.lasts)
	return all
}
