package mm

import (
	"github.com/tidwall/btree"

	"github.com/tinevm/tine/internal/linux"
)

// Prot is a set of PROT_ bits (mmap(2)).
type Prot uint8

// Memory protections; the values are those of the ABI.
const (
	ProtRead  Prot = linux.PROT_READ
	ProtWrite Prot = linux.PROT_WRITE
	ProtExec  Prot = linux.PROT_EXEC
)

// pteBits gives the protection as page table bits. On x86-64 writable and
// executable pages can also be read.
func (p Prot) pteBits() (b pte) {
	if p&(ProtRead|ProtWrite|ProtExec) != 0 {
		b |= pteRead
	}
	if p&ProtWrite != 0 {
		b |= pteWrite
	}
	if p&ProtExec != 0 {
		b |= pteExec
	}
	return b
}

// MapFlags are the properties of a mapping that outlive the call that made it.
type MapFlags uint16

// Properties of mappings.
const (
	MapShared    MapFlags = 1 << iota // writes are seen by all and reach the file
	MapGrowsDown                      // a stack: extends downwards on faults
	MapDontFork                       // madvise(MADV_DONTFORK)
	MapWipeFork                       // madvise(MADV_WIPEONFORK)
	MapNoReserve
	MapLocked
	MapDontDump
)

// Object is what a file mapping maps. Values are compared as map keys, so they
// must be comparable; equal values are the same object.
type Object interface {
	// Cache is the page cache that provides the pages.
	Cache() *PageCache
	// Hold and Drop keep the object alive.
	Hold()
	Drop()
	// Describe gives what /proc/PID/maps shows.
	Describe() (path string, dev, ino uint64)
}

// VMA is a virtual memory area: one mapping of an address space.
type VMA struct {
	Start, End uint64
	Prot       Prot
	MaxProt    Prot // mprotect may not go beyond
	Flags      MapFlags
	Obj        Object // nil: anonymous private memory
	Off        uint64 // offset of Start in Obj, in bytes
	Name       string // "[heap]", "[stack]", or empty
}

// Len returns the size in bytes.
func (v *VMA) Len() uint64 { return v.End - v.Start }

// private reports whether pages written become the mapping's own.
func (v *VMA) private() bool { return v.Flags&MapShared == 0 }

// cut returns the part of v in [start, end).
func (v VMA) cut(start, end uint64) VMA {
	if start > v.Start {
		v.Off += start - v.Start
		v.Start = start
	}
	v.End = min(v.End, end)
	return v
}

// joins reports whether w continues v, so that both can be one area.
func (v *VMA) joins(w *VMA) bool {
	return v.End == w.Start && v.Prot == w.Prot && v.MaxProt == w.MaxProt && v.Flags == w.Flags &&
		v.Obj == w.Obj && v.Name == w.Name && (v.Obj == nil || v.Off+v.Len() == w.Off)
}

// vmaSet is the list of mappings. Address spaces share it after a fork until
// one of them changes it.
type vmaSet struct {
	refs  int32
	tree  btree.Map[uint64, VMA] // by Start
	pages uint64                 // total size
	data  uint64                 // pages of it that RLIMIT_DATA counts
	hot   VMA                    // the area that was found last, or an empty one
	// objs counts the areas of each object, in order of first use: the set
	// holds one reference on each object.
	objs []objCount
}

type objCount struct {
	obj Object
	n   int
}

func newVMASet() *vmaSet { return &vmaSet{refs: 1} }

// own returns a version of s with one owner.
func (s *vmaSet) own() *vmaSet {
	if s.refs == 1 {
		return s
	}
	s.refs--
	c := &vmaSet{refs: 1, tree: *s.tree.Copy(), pages: s.pages, data: s.data}
	c.objs = append(c.objs, s.objs...)
	for _, o := range c.objs {
		o.obj.Hold()
	}
	return c
}

func (s *vmaSet) put() {
	if s.refs--; s.refs > 0 {
		return
	}
	for _, o := range s.objs {
		o.obj.Drop()
	}
	*s = vmaSet{}
}

// find returns the area that contains va or, if there is none, the next above.
func (s *vmaSet) find(va uint64) (v VMA, ok bool) {
	if s.hot.Start <= va && va < s.hot.End {
		return s.hot, true
	}
	s.tree.Descend(va, func(_ uint64, w VMA) bool {
		v, ok = w, va < w.End
		return false
	})
	if ok {
		s.hot = v
		return v, true
	}
	s.tree.Ascend(va, func(_ uint64, w VMA) bool {
		v, ok = w, true
		return false
	})
	return v, ok
}

// prev returns the last area that starts below va.
func (s *vmaSet) prev(va uint64) (v VMA, ok bool) {
	if va == 0 {
		return v, false
	}
	s.tree.Descend(va-1, func(_ uint64, w VMA) bool {
		v, ok = w, true
		return false
	})
	return v, ok
}

// overlap calls fn for the areas that meet [start, end), in order, until it
// returns false. fn must not change the set.
func (s *vmaSet) overlap(start, end uint64, fn func(v VMA) bool) {
	if start >= end {
		return
	}
	if v, ok := s.prev(start); ok && v.End > start && !fn(v) {
		return
	}
	s.tree.Ascend(start, func(_ uint64, v VMA) bool {
		return v.Start < end && fn(v)
	})
}

// counts reports whether RLIMIT_DATA counts v: private, writable, no stack
// (getrlimit(2)).
func (v *VMA) counts() bool {
	return v.private() && v.Prot&ProtWrite != 0 && v.Flags&MapGrowsDown == 0
}

// insert adds v, merging it with its neighbours where they are alike. The set
// is owned and has nothing there.
func (s *vmaSet) insert(v VMA) {
	s.hot = VMA{}
	s.pages += v.Len() >> PageShift
	if v.counts() {
		s.data += v.Len() >> PageShift
	}
	s.hold(v.Obj)
	if w, ok := s.prev(v.Start); ok && w.joins(&v) {
		v.Start, v.Off = w.Start, w.Off
		s.release(v.Obj)
	}
	if w, ok := s.tree.Get(v.End); ok && v.joins(&w) {
		s.tree.Delete(w.Start)
		v.End = w.End
		s.release(v.Obj)
	}
	s.tree.Set(v.Start, v)
}

// remove takes [start, end) out of the set and returns the pieces, in order.
func (s *vmaSet) remove(start, end uint64) (cut []VMA) {
	s.hot = VMA{}
	var hit []VMA
	s.overlap(start, end, func(v VMA) bool {
		hit = append(hit, v)
		return true
	})
	for _, v := range hit {
		s.tree.Delete(v.Start)
		s.release(v.Obj)
		if v.Start < start {
			w := v.cut(v.Start, start)
			s.hold(w.Obj)
			s.tree.Set(w.Start, w)
		}
		if v.End > end {
			w := v.cut(end, v.End)
			s.hold(w.Obj)
			s.tree.Set(w.Start, w)
		}
		w := v.cut(start, end)
		s.pages -= w.Len() >> PageShift
		if w.counts() {
			s.data -= w.Len() >> PageShift
		}
		cut = append(cut, w)
	}
	return cut
}

// hold and release count areas per object.
func (s *vmaSet) hold(obj Object) {
	if obj == nil {
		return
	}
	for i := range s.objs {
		if s.objs[i].obj == obj {
			s.objs[i].n++
			return
		}
	}
	obj.Hold()
	s.objs = append(s.objs, objCount{obj, 1})
}

func (s *vmaSet) release(obj Object) {
	if obj == nil {
		return
	}
	for i := range s.objs {
		if s.objs[i].obj != obj {
			continue
		}
		if s.objs[i].n--; s.objs[i].n == 0 {
			s.objs = append(s.objs[:i], s.objs[i+1:]...)
			obj.Drop()
		}
		return
	}
}
