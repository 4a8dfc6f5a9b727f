package mm

import (
	"fmt"
	"slices"
	"sync"
	"unsafe"
)

// The arena reserves address space for maxFrames frames and makes memory of it
// in steps of growFrames.
const (
	maxFrames  = 1 << 26 // 256 GiB
	minFrames  = 1 << 18 // 1 GiB: less is refused
	growFrames = 1 << 12 // 16 MiB
	// hugeSize is the alignment that the host's huge pages need.
	hugeSize = 2 << 20
	// populateFrames are made ready at a time.
	populateFrames = 1 << 6
	// warmFrames is about what a small program needs with its libraries.
	warmFrames = 4 * populateFrames
	// keptFrames is how many are not worth the trouble of giving them back.
	keptFrames = 1 << 10
	// spareFrames are left to page tables of processes that give memory back.
	spareFrames = 1 << 10
)

// arena is the memory of all machines of the host process.
var arena frameArena

type frameArena struct {
	base unsafe.Pointer // frame n is at base + n*PageSize
	meta unsafe.Pointer // array of frameMeta

	mu        sync.Mutex
	reserved  int     // frames of address space
	committed int     // frames made of it
	next      int     // first frame never handed out
	ready     int     // first frame that nobody makes or has made ready
	freeList  []Frame // freed frames, last in first out
	trimmed   []Frame // freed frames that Trim has seen
	live      int     // frames handed out now
	small     int     // see populate
}

func init() {
	if err := arena.reserve(); err != nil {
		panic(fmt.Sprintf("mm: cannot reserve address space for guest memory: %v", err))
	}
}

// reserve takes the address space, less of it if the host is limited.
func (a *frameArena) reserve() error {
	const metaSize = unsafe.Sizeof(frameMeta{})
	var err error
	for n := maxFrames; n >= minFrames; n /= 2 {
		var p unsafe.Pointer
		if p, err = hostReserve(uintptr(n)*(PageSize+metaSize) + hugeSize); err != nil {
			continue
		}
		p = unsafe.Add(p, -uintptr(p)%hugeSize)
		a.base, a.meta, a.reserved = p, unsafe.Add(p, uintptr(n)<<PageShift), n
		a.next = populateFrames // before it are no frame and zeroFrame
		a.ready = a.next
		return a.grow()
	}
	return err
}

// grow makes memory of the next piece of address space.
func (a *frameArena) grow() error {
	n := min(growFrames, a.reserved-a.committed)
	if n == 0 {
		return fmt.Errorf("all %d frames of the arena are in use", a.reserved)
	}
	const metaSize = unsafe.Sizeof(frameMeta{})
	at := uintptr(a.committed)
	if err := hostCommit(unsafe.Add(a.base, at<<PageShift), uintptr(n)<<PageShift); err != nil {
		return err
	}
	if err := hostCommit(unsafe.Add(a.meta, at*metaSize), uintptr(n)*metaSize); err != nil {
		return err
	}
	a.committed += n
	return nil
}

// get hands out a frame. The last ones there could be are for who cannot do
// without.
func (a *frameArena) get(force bool) (Frame, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.live >= a.reserved-spareFrames && !force {
		return 0, false
	}
	for _, list := range []*[]Frame{&a.freeList, &a.trimmed} {
		if n := len(*list); n > 0 {
			f := (*list)[n-1]
			*list = (*list)[:n-1]
			a.live++
			return f, true
		}
	}
	if a.next == a.committed && a.grow() != nil {
		return 0, false
	}
	f := Frame(a.next)
	if a.next == a.ready {
		a.populate(f)
		a.ready += populateFrames
	}
	a.next++
	a.live++
	f.meta().flags.Store(frameZeroed)
	return f, true
}

// Warm has the host make memory for the first machine of the process. It is to run
// while that is being set up; who needs a frame meanwhile waits for no more than a
// step.
func Warm() {
	for a := &arena; ; {
		a.mu.Lock()
		f := Frame(a.ready)
		if f > warmFrames {
			a.mu.Unlock()
			return
		}
		a.ready += populateFrames
		a.mu.Unlock()
		hostPopulate(f.Addr(), populateFrames<<PageShift)
	}
}

// put takes frames back.
func (a *frameArena) put(f ...Frame) {
	a.mu.Lock()
	a.freeList = append(a.freeList, f...)
	a.live -= len(f)
	a.mu.Unlock()
}

// Live returns the number of frames in use in the whole host process.
func Live() int {
	arena.mu.Lock()
	defer arena.mu.Unlock()
	return arena.live
}

// Trim gives the memory of the frames that were freed since the last time back
// to the host, unless they are few: the next machine will take them, or there is
// none and all goes back at once. It is called when a machine closes.
func Trim() {
	a := &arena
	a.mu.Lock()
	list := a.freeList
	if len(list) < keptFrames {
		a.mu.Unlock()
		return
	}
	a.freeList = nil
	a.mu.Unlock()
	// Other machines need not wait while the host works.
	slices.Sort(list)
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j] == list[j-1]+1 {
			j++
		}
		run := list[i:j]
		if hostDiscard(run[0].Addr(), uintptr(len(run))<<PageShift) {
			for _, f := range run {
				f.meta().flags.Store(frameZeroed)
			}
		}
		i = j
	}
	a.mu.Lock()
	a.trimmed = append(a.trimmed, list...)
	a.mu.Unlock()
}
