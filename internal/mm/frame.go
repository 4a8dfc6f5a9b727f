package mm

import (
	"sync/atomic"
	"unsafe"
)

// PageSize is the size of a frame and of a page, in bytes.
const (
	PageShift = 12
	PageSize  = 1 << PageShift
	pageMask  = PageSize - 1
)

// Access says how memory is to be used.
type Access uint8

// The kinds of access; they can be combined.
const (
	AccessRead Access = 1 << iota
	AccessWrite
	AccessExec
)

// Frame names a 4 KiB frame of the process-wide arena; 0 is no frame.
type Frame uint32

// frameMeta is the bookkeeping beside each frame.
type frameMeta struct {
	refs  atomic.Int32
	flags atomic.Uint32 // frameCode, frameZeroed; the account's id from acctShift on
}

const (
	frameCode   = 1 << 0 // an engine holds translations of this frame
	frameZeroed = 1 << 1 // free, and known to be all zero
	frameGone   = 1 << 2 // its file was truncated: mappings get a bus error
	frameStores = 1 << 3 // an engine has had a write translation of this frame
	frameCached = 1 << 4 // counted as a page cache's by its account
	frameTable  = 1 << 5 // a slab of page table nodes
	acctShift   = 6
)

// zeroFrame is the frame that untouched anonymous memory shows when read. Its
// reference count is not kept.
const zeroFrame Frame = 1

func (f Frame) meta() *frameMeta {
	return (*frameMeta)(unsafe.Add(arena.meta, uintptr(f)*unsafe.Sizeof(frameMeta{})))
}

// Addr returns the host address of the frame's first byte. It is off the Go
// heap and does not move.
func (f Frame) Addr() unsafe.Pointer {
	return unsafe.Add(arena.base, uintptr(f)<<PageShift)
}

// Bytes returns the frame's memory.
func (f Frame) Bytes() []byte {
	return unsafe.Slice((*byte)(f.Addr()), PageSize)
}

// Refs returns the number of references to f.
func (f Frame) Refs() int {
	if f == zeroFrame {
		return 1 << 30
	}
	return int(f.meta().refs.Load())
}

// Get takes a reference.
func (f Frame) Get() Frame {
	if f != zeroFrame {
		f.meta().refs.Add(1)
	}
	return f
}

// Put drops a reference; the last one frees the frame.
func (f Frame) Put() {
	if f == zeroFrame {
		return
	}
	m := f.meta()
	if n := m.refs.Add(-1); n == 0 {
		f.free(m)
	} else if n < 0 {
		panic("mm: frame released more often than taken")
	}
}

func (f Frame) free(m *frameMeta) {
	flags := m.flags.Load()
	if flags&frameCode != 0 {
		f.dropCode()
	}
	accountOf(flags>>acctShift).uncharge(1, flags)
	m.flags.Store(0)
	arena.put(f)
}

// account is who pays for f, nil if nobody does.
func (f Frame) account() *Account { return accountOf(f.meta().flags.Load() >> acctShift) }

// freeBatch drops references on many frames, and frees those that had no other
// together: the end of a large process would otherwise take as many locks as it
// has pages. The zero value is empty; flush must be called at the end.
type freeBatch struct {
	flags  uint32 // what the frames have in common: account and kind
	n      int
	frames [nodeSize]Frame
}

func (b *freeBatch) put(f Frame) {
	if f == zeroFrame {
		return
	}
	m := f.meta()
	// Nobody can take a reference while we have the only one.
	if m.refs.Load() > 1 {
		if n := m.refs.Add(-1); n > 0 {
			return
		} else if n < 0 {
			panic("mm: frame released more often than taken")
		}
	}
	flags := m.flags.Load()
	if flags&frameCode != 0 {
		f.dropCode()
	}
	const kind = (1<<acctBits-1)<<acctShift | frameCached | frameTable
	if b.n == len(b.frames) || b.n > 0 && flags&kind != b.flags {
		b.flush()
	}
	b.flags = flags & kind
	m.refs.Store(0)
	m.flags.Store(0)
	b.frames[b.n] = f
	b.n++
}

func (b *freeBatch) flush() {
	if b.n > 0 {
		accountOf(b.flags>>acctShift).uncharge(int64(b.n), b.flags)
		arena.put(b.frames[:b.n]...)
		b.n = 0
	}
}

// truncations counts the frames that files lost while they were mapped.
var truncations atomic.Uint64

// Gone reports whether f was part of a file that has become shorter.
func (f Frame) Gone() bool { return f.meta().flags.Load()&frameGone != 0 }

// HasCode reports whether an engine holds translations of f.
func (f Frame) HasCode() bool { return f.meta().flags.Load()&frameCode != 0 }

// MarkCode notes that an engine holds translations of f.
func (f Frame) MarkCode() { f.meta().flags.Or(frameCode) }

// ClearCode notes that no engine holds translations of f any more.
func (f Frame) ClearCode() { f.meta().flags.And(^uint32(frameCode)) }

// MarkStores notes that an engine is about to have a write translation of f.
func (f Frame) MarkStores() { f.meta().flags.Or(frameStores) }

// MayStore reports whether an engine may have a write translation of f.
func (f Frame) MayStore() bool { return f.meta().flags.Load()&frameStores != 0 }

var codeDropper func(Frame)

// SetCodeDropper registers the function that drops an engine's translations of
// a frame. It is called when a frame that HasCode is freed or is written by the
// kernel. Called once, while the program starts.
func SetCodeDropper(fn func(Frame)) { codeDropper = fn }

func (f Frame) dropCode() {
	if codeDropper != nil {
		codeDropper(f)
	}
	f.ClearCode()
}

// willWrite must be called before the kernel writes into f.
func (f Frame) willWrite() {
	if f.HasCode() {
		f.dropCode()
	}
}

// FrameAt returns the frame whose memory p points into.
func FrameAt(p unsafe.Pointer) Frame {
	return Frame((uintptr(p) - uintptr(arena.base)) >> PageShift)
}
