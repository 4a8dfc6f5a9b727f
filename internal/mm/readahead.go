package mm

import (
	"slices"
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

// read reads page i into f, which it keeps or puts, and of the pages around it
// those that are missing and for which there is memory.
func (c *PageCache) read(i uint64, f Frame) linux.Errno {
	var pages [maxAhead]uint64
	var frames [maxAhead]Frame
	n := 0
	for first, end := c.window(i); first < end; first++ {
		g, ok := f, true
		if first != i {
			if _, has := c.pages[first]; has {
				continue
			}
			if g, ok = c.acct.allocCache(false); !ok {
				continue
			}
		}
		pages[n], frames[n] = first, g
		n++
	}
	// Neighbours that are neighbours in memory, too, are read at once.
	slices.Sort(frames[:n])
	var failed linux.Errno
	for k := 0; k < n; {
		j := k + 1
		for j < n && pages[j] == pages[j-1]+1 && frames[j] == frames[j-1]+1 {
			j++
		}
		if errno := c.readRun(pages[k:j], frames[k:j], i); errno != 0 {
			failed = errno
		}
		k = j
	}
	return failed
}

// readRun reads neighbours into neighbours, and keeps what it could read. It is an
// error if page i is among them and cannot be read.
func (c *PageCache) readRun(pages []uint64, frames []Frame, i uint64) (failed linux.Errno) {
	errno := c.fill(pages[0], unsafe.Slice((*byte)(frames[0].Addr()), len(frames)<<PageShift))
	for k, f := range frames {
		bad := errno
		if bad != 0 && pages[k] == i {
			bad = c.fill(i, f.Bytes()) // it may have been one of the others
			failed = bad
		}
		if bad != 0 {
			f.Put()
			continue
		}
		c.pages[pages[k]] = cachePage{frame: f}
	}
	return failed
}
