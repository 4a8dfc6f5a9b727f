package mm

import (
	"slices"
	"sync"
	"unsafe"

	"github.com/tinevm/tine/internal/linux"
)

// Who touches the pages of a file here and there, as a program does with its
// libraries, wants few of their neighbours; who reads it from one end to the other
// wants them all. So a miss reads the minAhead pages of a block, and one where the
// last reading ended twice as many as that.
const (
	minAhead = 8
	maxAhead = 16
)

// readAhead is how a cache reads from its backing file.
type readAhead struct {
	on   bool
	next uint64 // page after those that were read last
	n    uint64 // and how many those were
}

// ReadAhead makes misses read neighbours as well.
func (c *PageCache) ReadAhead() { c.ahead.on = true }

// window returns the pages that a miss of page i reads.
func (c *PageCache) window(i uint64) (first, end uint64) {
	a := &c.ahead
	first = i
	switch {
	case !a.on:
		return i, i + 1
	case i == a.next && i != 0:
		a.n = min(2*a.n, maxAhead)
	default:
		a.n = minAhead
		first = i &^ (minAhead - 1)
	}
	a.next = max(min(first+a.n, uint64(c.size+pageMask)>>PageShift), i+1)
	return first, a.next
}

// bounce has room for what one miss reads.
var bounce = sync.Pool{New: func() any { return new([maxAhead << PageShift]byte) }}

// read reads page i into f, which it keeps or puts, and of the pages around it
// those that are missing and for which there is memory.
func (c *PageCache) read(i uint64, f Frame) linux.Errno {
	var pages [maxAhead]uint64
	var frames [maxAhead]Frame
	n := 0
	for first, end := c.window(i); first < end; first++ {
		g, ok := f, true
		if first != i {
			if _, has := c.pages.get(first); has {
				continue
			}
			if g, ok = c.acct.allocCache(false); !ok {
				continue
			}
		}
		pages[n], frames[n] = first, g
		n++
	}
	slices.Sort(frames[:n])
	errno := c.readPages(pages[:n], frames[:n])
	if errno != 0 && n > 1 {
		// Perhaps it was one of the others.
		for _, g := range frames[1:n] {
			g.Put()
		}
		n = 1
		pages[0] = i
		errno = c.fill(i, frames[0].Bytes())
	}
	if errno != 0 {
		frames[0].Put()
		return errno
	}
	c.changed()
	for k, g := range frames[:n] {
		c.pages.set(pages[k], cachePage{frame: g})
	}
	return 0
}

// readPages reads pages into frames, both in order, at once: directly if both are
// neighbours.
func (c *PageCache) readPages(pages []uint64, frames []Frame) linux.Errno {
	last := len(pages) - 1
	span := pages[last] - pages[0]
	if int(span) == last && int(frames[last]-frames[0]) == last {
		return c.fill(pages[0], unsafe.Slice((*byte)(frames[0].Addr()), len(frames)<<PageShift))
	}
	buf := bounce.Get().(*[maxAhead << PageShift]byte)
	defer bounce.Put(buf)
	if errno := c.fill(pages[0], buf[:(span+1)<<PageShift]); errno != 0 {
		return errno
	}
	for k, f := range frames {
		copy(f.Bytes(), buf[(pages[k]-pages[0])<<PageShift:])
	}
	return 0
}
