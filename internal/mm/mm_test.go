package mm

import (
	"bytes"
	"math/rand"
	"slices"
	"strconv"
	"testing"

	"github.com/tinevm/tine/internal/linux"
)

const rw = ProtRead | ProtWrite

// newSpace makes an address space that must be gone, with all its frames, when
// the test ends.
func newSpace(t *testing.T, limit int64) *AddressSpace {
	t.Helper()
	before := Live()
	acct := NewAccount(limit)
	as := NewAddressSpace(acct, nil)
	t.Cleanup(func() {
		as.Put()
		if !acct.Close() {
			t.Errorf("%d bytes still charged at the end", acct.Used())
		}
		if n := Live(); n != before {
			t.Errorf("%d frames live at the end, %d before", n, before)
		}
	})
	return as
}

func mustMap(t *testing.T, as *AddressSpace, r MapRequest) uint64 {
	t.Helper()
	addr, errno := as.Map(r)
	if errno != 0 {
		t.Fatalf("map: %v", errno)
	}
	return addr
}

func (as *AddressSpace) mustWrite(t *testing.T, va uint64, s string) {
	t.Helper()
	if _, errno := as.CopyOut(va, []byte(s)); errno != 0 {
		t.Fatalf("write at %#x: %v", va, errno)
	}
}

func (as *AddressSpace) mustRead(t *testing.T, va uint64, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, errno := as.CopyIn(va, b); errno != 0 {
		t.Fatalf("read at %#x: %v", va, errno)
	}
	return string(b)
}

func TestForkCopiesOnWriteOnly(t *testing.T) {
	const pages = 4096
	as := newSpace(t, 0)
	addr := mustMap(t, as, MapRequest{Len: pages * PageSize, Prot: rw})
	for i := range uint64(pages) {
		as.mustWrite(t, addr+i*PageSize, "parent")
	}
	before := Live()
	child := as.Fork()
	if n := Live() - before; n != 0 {
		t.Errorf("fork allocated %d frames", n)
	}
	if _, ok := as.Lookup(addr, AccessWrite); ok {
		t.Error("the parent can write a shared page after fork")
	}
	child.mustWrite(t, addr, "child!")
	if n := Live() - before; n != 1 {
		t.Errorf("one write in the child took %d frames", n)
	}
	if got := as.mustRead(t, addr, 6); got != "parent" {
		t.Errorf("parent reads %q after the child's write", got)
	}
	as.mustWrite(t, addr+PageSize, "PARENT")
	if got := child.mustRead(t, addr+PageSize, 6); got != "parent" {
		t.Errorf("child reads %q after the parent's write", got)
	}
	child.Put()
	// The last owner writes in place.
	n := Live()
	as.mustWrite(t, addr+2*PageSize, "again")
	if Live() != n {
		t.Error("the last owner's write copied the page")
	}
}

// TestLastOwnerFaults: the last owner's first write to each page after a fork
// counts as a fault, whoever of the two it is, and only that one.
func TestLastOwnerFaults(t *testing.T) {
	const pages = 100
	as := newSpace(t, 0)
	addr := mustMap(t, as, MapRequest{Len: pages * PageSize, Prot: rw})
	write := func(as *AddressSpace, from, to uint64) (told int64) {
		as.TakeFaults()
		for i := from; i < to; i++ {
			if _, ok := as.Lookup(addr+i*PageSize, AccessWrite); !ok {
				if res, _ := as.Fault(addr+i*PageSize, AccessWrite); res != FaultOK {
					t.Fatal(res)
				}
			}
		}
		return as.TakeFaults()
	}
	check := func(what string, got, want int64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d faults of the last owner, want %d", what, got, want)
		}
	}
	check("first touch", write(as, 0, pages), 0)
	check("again", write(as, 0, pages), 0)
	child := as.Fork()
	check("the parent copies half", write(as, 0, pages/2), 0)
	check("the child has that half", write(child, 0, pages/2), pages/2)
	check("again", write(child, 0, pages/2), 0)
	child.Put()
	check("the parent has the rest", write(as, 0, pages), pages/2)
	check("again", write(as, 0, pages), 0)

	// What was looked at while it was shared makes no difference.
	child = as.Fork()
	as.Lookup(addr, AccessRead)
	child.Put()
	if _, ok := as.Lookup(addr, AccessWrite); !ok {
		t.Error("the last owner cannot write to a page that it has read before")
	}
}

// TestPrivatePages: the quick count of private pages is that of smaps, and each
// copied page is told.
func TestPrivatePages(t *testing.T) {
	const pages = 200
	as := newSpace(t, 0)
	var told []uint64
	as.acct.OnCopy = func(_ *AddressSpace, page uint64, file bool) {
		if !file {
			told = append(told, page)
		}
	}
	addr := mustMap(t, as, MapRequest{Len: pages * PageSize, Prot: rw})
	for i := range uint64(pages - 1) {
		as.mustWrite(t, addr+i*PageSize, "x")
	}
	as.mustRead(t, addr+(pages-1)*PageSize, 1) // nobody's: the page of zeros
	check := func(what string, as *AddressSpace, want uint64) {
		t.Helper()
		u := as.Usage(0, UserTop)
		if n := as.PrivatePages(); n != want || n<<PageShift != u.PrivateClean+u.PrivateDirty {
			t.Errorf("%s: %d private pages, want %d; smaps counts %d bytes", what, n, want, u.PrivateClean+u.PrivateDirty)
		}
	}
	check("alone", as, pages-1)
	child := as.Fork()
	defer child.Put()
	check("parent after fork", as, 0)
	check("child after fork", child, 0)
	child.mustWrite(t, addr, "y")
	child.mustWrite(t, addr+70*PageSize, "y")
	check("child after two writes", child, 2)
	check("parent after the child's writes", as, 2)
	as.mustWrite(t, addr, "z") // the last owner
	if len(told) != 2 || told[0] != addr || told[1] != addr+70*PageSize {
		t.Errorf("copies told: %#x", told)
	}
}

func TestSharedMappingStaysShared(t *testing.T) {
	as := newSpace(t, 0)
	obj := &testObject{cache: NewPageCache(as.acct, nil), refs: 0}
	obj.cache.SetSize(2 * PageSize)
	addr := mustMap(t, as, MapRequest{Len: 3 * PageSize, Prot: rw, Flags: MapShared, Obj: obj})
	child := as.Fork()
	child.mustWrite(t, addr, "both")
	if got := as.mustRead(t, addr, 4); got != "both" {
		t.Errorf("parent reads %q of shared memory", got)
	}
	if res, _ := as.Fault(addr+2*PageSize, AccessRead); res != FaultBus {
		t.Errorf("access beyond the object: %v, want a bus error", res)
	}
	child.Put()
	as.Unmap(addr, 3*PageSize)
	if obj.refs != 0 {
		t.Errorf("object has %d references after unmap", obj.refs)
	}
	obj.cache.Release()
}

func TestPrivateFileMapping(t *testing.T) {
	as := newSpace(t, 0)
	fills := 0
	obj := &testObject{cache: NewPageCache(nil, func(i uint64, p []byte) linux.Errno {
		fills++
		copy(p, "file")
		return 0
	})}
	obj.cache.SetSize(PageSize)
	addr := mustMap(t, as, MapRequest{Len: PageSize, Prot: rw, Obj: obj})
	if got := as.mustRead(t, addr, 4); got != "file" {
		t.Errorf("read %q", got)
	}
	as.mustWrite(t, addr, "mine")
	b := make([]byte, 4)
	obj.cache.ReadAt(b, 0)
	if string(b) != "file" || fills != 1 {
		t.Errorf("the file reads %q after a private write, filled %d times", b, fills)
	}
	as.Discard(addr, PageSize)
	if got := as.mustRead(t, addr, 4); got != "file" {
		t.Errorf("after MADV_DONTNEED: %q", got)
	}
	as.Unmap(addr, PageSize)
	obj.cache.Release()
}

// A read fault maps what is held around it, counts it, and leaves what is there;
// Around shows it.
func TestFaultAround(t *testing.T) {
	const n = 80 // in two leaves
	as := newSpace(t, 0)
	obj := &testObject{cache: NewPageCache(nil, func(i uint64, p []byte) linux.Errno {
		p[0] = byte(i)
		return 0
	})}
	obj.cache.SetSize(n * PageSize)
	const addr = 1 << 30
	mustMap(t, as, MapRequest{Addr: addr, Len: n * PageSize, Prot: rw, Obj: obj, Fixed: true})
	for i := range uint64(n) {
		if i != 3 { // one is not held
			f, _ := obj.cache.Page(i, false)
			f.Put()
		}
	}
	as.mustWrite(t, addr+5<<PageShift, "mine")
	shown := func(va, n uint64, acc Access) (pages []uint64) {
		var frames []Frame
		as.Around(va, n, acc, func(page uint64, f Frame) {
			pages, frames = append(pages, (page-addr)>>PageShift), append(frames, f)
		})
		for i, page := range pages {
			if f, ok := as.Lookup(addr+page<<PageShift, acc); !ok || f != frames[i] {
				t.Errorf("page %d: frame %d, want %d", page, frames[i], f)
			}
		}
		return pages
	}
	if got := shown(addr, 64, AccessRead); !slices.Equal(got, []uint64{5}) {
		t.Errorf("after a write there are %v", got)
	}
	as.mustRead(t, addr+PageSize, 1)
	var want []uint64
	for i := range uint64(64) {
		if i != 3 {
			want = append(want, i)
		}
	}
	if got := shown(addr, 64, AccessRead); !slices.Equal(got, want) {
		t.Errorf("after a read there are %v, want %v", got, want)
	}
	if got := shown(addr+9<<PageShift, 8, AccessRead); !slices.Equal(got, []uint64{8, 9, 10, 11, 12, 13, 14, 15}) {
		t.Errorf("in a group of eight there are %v", got)
	}
	if got := shown(addr, 64, AccessExec); got != nil || as.pages() != 63 {
		t.Errorf("%v may be executed, %d pages are counted", got, as.pages())
	}
	if got := as.mustRead(t, addr+5<<PageShift, 4); got != "mine" {
		t.Errorf("the private page reads %q", got)
	}
	for i := range uint64(n) {
		if got := as.mustRead(t, addr+i<<PageShift, 1); i != 5 && got != string(rune(i)) {
			t.Errorf("page %d reads %q", i, got)
		}
	}
	as.Unmap(addr, n*PageSize)
	obj.cache.Release()
}

// Where few pages change, engines are told which; otherwise to forget everything.
func TestFlush(t *testing.T) {
	as := newSpace(t, 0)
	const n = 2 * flushRing
	addr := mustMap(t, as, MapRequest{Len: n * PageSize, Prot: ProtRead | ProtWrite | ProtExec})
	for i := range uint64(n) {
		if i != 1 { // one is absent
			as.mustWrite(t, addr+i<<PageShift, "x")
		}
	}
	before := as.Version()
	flushed := func() (pages []uint64) {
		if !as.Flushed(before.Flushes, func(va uint64) { pages = append(pages, va-addr) }) {
			t.Error("more pages were flushed than are remembered")
		}
		before.Flushes = as.Flushes()
		return pages
	}
	as.Protect(addr, 3*PageSize, ProtRead)
	if got := flushed(); !slices.Equal(got, []uint64{1, 2<<PageShift | 1}) {
		t.Errorf("mprotect flushed %x", got)
	}
	as.Unmap(addr+2*PageSize, 2*PageSize)
	if got := flushed(); !slices.Equal(got, []uint64{2 << PageShift, 3<<PageShift | 1}) {
		t.Errorf("munmap flushed %x", got)
	}
	if now := as.Version(); now.Gen != before.Gen || now.Reads != before.Reads {
		t.Error("everything was flushed for four pages")
	}
	as.Unmap(addr+4*PageSize, (flushRing+1)*PageSize)
	if now := as.Version(); now.Gen == before.Gen || now.Reads == before.Reads {
		t.Error("nothing was flushed for many pages")
	}
}

func TestProtection(t *testing.T) {
	as := newSpace(t, 0)
	addr := mustMap(t, as, MapRequest{Len: 3 * PageSize, Prot: rw})
	as.mustWrite(t, addr+PageSize, "x")
	if errno := as.Protect(addr+PageSize, PageSize, ProtRead); errno != 0 {
		t.Fatal(errno)
	}
	if res, _ := as.Fault(addr+PageSize, AccessWrite); res != FaultAccErr {
		t.Errorf("write to a read-only page: %v", res)
	}
	if res, _ := as.Fault(addr+3*PageSize, AccessRead); res != FaultMapErr {
		t.Errorf("access to nothing: %v", res)
	}
	as.Protect(addr+PageSize, PageSize, 0)
	if _, ok := as.Lookup(addr+PageSize, AccessRead); ok {
		t.Error("a PROT_NONE page can be read")
	}
	as.Protect(addr+PageSize, PageSize, rw)
	if got := as.mustRead(t, addr+PageSize, 1); got != "x" {
		t.Errorf("contents lost by mprotect: %q", got)
	}
	n := 0
	as.VMAs(func(VMA) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d areas after protections became equal again, want 1", n)
	}
}

func TestMemoryLimit(t *testing.T) {
	as := newSpace(t, (16+2)*PageSize) // two for the page table: small and larger nodes
	addr := mustMap(t, as, MapRequest{Len: 16 * PageSize, Prot: rw})
	for i := range uint64(16) {
		as.mustWrite(t, addr+i*PageSize, "x")
	}
	more := mustMap(t, as, MapRequest{Len: PageSize, Prot: rw})
	if res, _ := as.Fault(more, AccessWrite); res != FaultOOM {
		t.Errorf("write beyond the limit: %v", res)
	}
	as.Unmap(addr, PageSize)
	if res, _ := as.Fault(more, AccessWrite); res != FaultOK {
		t.Errorf("write after memory was freed: %v", res)
	}
}

// TestMemoryLimitInCall: a system call may exceed the machine's limit by a little
// and says so, for files there is no more.
func TestMemoryLimitInCall(t *testing.T) {
	as := newSpace(t, 8*PageSize)
	addr := mustMap(t, as, MapRequest{Len: 2 * slack * PageSize, Prot: rw, Flags: MapNoReserve})
	as.acct.Enter(nil, true)
	n, errno := as.CopyOut(addr, make([]byte, 2*slack*PageSize))
	if errno != linux.EFAULT || n < slack*PageSize*9/10 || as.acct.Used() != (8+slack)*PageSize {
		t.Errorf("copied %d bytes, %v; %d in use", n, errno, as.acct.Used())
	}
	if as.acct.Full() != as.acct || as.acct.Full() != nil {
		t.Error("that the machine is full was not told, or not once")
	}
	c := NewPageCache(as.acct, nil)
	if n, errno := c.WriteAt([]byte("file"), 0); n != 0 || errno != linux.ENOSPC {
		t.Errorf("wrote %d bytes to a file, %v", n, errno)
	}
	as.acct.Enter(nil, false)
	if res, _ := as.Fault(addr+2*slack*PageSize-1, AccessWrite); res != FaultOOM || as.acct.Full() != nil {
		t.Errorf("a fault gives %v", res)
	}
}

func TestRemapMovesPages(t *testing.T) {
	as := newSpace(t, 0)
	addr := mustMap(t, as, MapRequest{Len: 4 * PageSize, Prot: rw})
	as.mustWrite(t, addr+3*PageSize, "tail")
	mustMap(t, as, MapRequest{Addr: addr + 4*PageSize, Len: PageSize, Fixed: true})
	to, errno := as.Remap(addr, 4*PageSize, 64*PageSize, linux.MREMAP_MAYMOVE, 0)
	if errno != 0 || to == addr {
		t.Fatalf("mremap: %#x, %v", to, errno)
	}
	if got := as.mustRead(t, to+3*PageSize, 4); got != "tail" {
		t.Errorf("moved page reads %q", got)
	}
	if _, ok := as.FindVMA(addr); ok {
		t.Error("the old mapping is still there")
	}
}

// TestRandomAgainstModel runs random mapping calls, of nothing or of a file that is read
// anew now and then, writes and forks on several address spaces and compares every byte
// with plain copies.
func TestRandomAgainstModel(t *testing.T) {
	const base, pages = 0x10_0000, 300
	rnd := rand.New(rand.NewSource(1))
	before := Live()
	type space struct {
		as   *AddressSpace
		data map[uint64]byte // first byte of each mapped page
	}
	acct := NewAccount(0)
	obj := numbered(pages)
	spaces := []*space{{NewAddressSpace(acct, nil), map[uint64]byte{}}}
	for step := range 20000 {
		s := spaces[rnd.Intn(len(spaces))]
		page := uint64(rnd.Intn(pages))
		n := uint64(rnd.Intn(20) + 1)
		va := base + page*PageSize
		switch op := rnd.Intn(24); {
		case op == 0 && len(spaces) < 6:
			c := &space{s.as.Fork(), map[uint64]byte{}}
			for k, v := range s.data {
				c.data[k] = v
			}
			spaces = append(spaces, c)
		case op == 1 && len(spaces) > 1:
			i := rnd.Intn(len(spaces))
			spaces[i].as.Put()
			spaces = append(spaces[:i], spaces[i+1:]...)
		case op < 5:
			s.as.Map(MapRequest{Addr: va, Len: n * PageSize, Prot: rw, Fixed: true})
			for i := range n {
				s.data[va+i*PageSize] = 0
			}
		case op > 19:
			s.as.Map(MapRequest{Addr: va, Len: n * PageSize, Prot: rw, Fixed: true, Obj: obj, Off: page * PageSize})
			if op == 23 {
				s.as.Prefault(va, va+n*PageSize)
			}
			for i := range n {
				s.data[va+i*PageSize] = byte(page + i)
			}
		case op == 7 && step%10 == 0:
			obj.cache.Reload(uint64(rnd.Intn(pages)))
		case op < 7:
			s.as.Unmap(va, n*PageSize)
			for i := range n {
				delete(s.data, va+i*PageSize)
			}
		default:
			want, mapped := s.data[va]
			var b [1]byte
			_, errno := s.as.CopyIn(va, b[:])
			if mapped != (errno == 0) || mapped && b[0] != want {
				t.Fatalf("step %d: page %#x reads %d, %v; want %d, mapped %v", step, va, b[0], errno, want, mapped)
			}
			if mapped && op > 12 {
				v := byte(rnd.Int())
				s.as.CopyOut(va, []byte{v})
				s.data[va] = v
			}
		}
	}
	for _, s := range spaces {
		if got, want := s.as.RSSPages() <= uint64(len(s.data)), true; got != want {
			t.Errorf("RSS of %d pages with %d mapped", s.as.RSSPages(), len(s.data))
		}
		s.as.Put()
	}
	obj.cache.Release()
	if n := Live(); n != before || !acct.Close() {
		t.Errorf("%d frames live at the end, %d before", n, before)
	}
}

func TestHostileRanges(t *testing.T) {
	as := newSpace(t, 0)
	for _, r := range []MapRequest{
		{Len: ^uint64(0)}, {Len: UserTop}, {Addr: UserTop - PageSize, Len: 2 * PageSize, Fixed: true},
		{Addr: 1, Len: PageSize, Fixed: true}, {Addr: 0, Len: PageSize, Fixed: true}, {Len: 0},
		{Addr: ^uint64(0) &^ pageMask, Len: PageSize, Fixed: true},
	} {
		if addr, errno := as.Map(r); errno == 0 {
			t.Errorf("Map(%+v) gave %#x", r, addr)
		}
	}
	for _, va := range []uint64{UserTop, UserTop - 1, ^uint64(0), 1 << 63} {
		if _, errno := as.CopyIn(va, make([]byte, 8)); errno != linux.EFAULT {
			t.Errorf("CopyIn(%#x): %v", va, errno)
		}
	}
	if errno := as.Unmap(UserTop-PageSize, ^uint64(0)); errno != linux.EINVAL {
		t.Errorf("unmap beyond the end: %v", errno)
	}
}

func TestPageCacheTruncate(t *testing.T) {
	c := NewPageCache(nil, nil)
	c.WriteAt(bytes.Repeat([]byte{7}, 3*PageSize), 0)
	c.SetSize(PageSize + 10)
	c.SetSize(3 * PageSize)
	b := make([]byte, 3*PageSize)
	c.ReadAt(b, 0)
	for i, v := range b {
		if want := byte(7); i >= PageSize+10 && v != 0 || i < PageSize+10 && v != want {
			t.Fatalf("byte %d is %d", i, v)
		}
	}
	c.Release()
}

type testObject struct {
	cache *PageCache
	refs  int
}

func (o *testObject) Cache() *PageCache                  { return o.cache }
func (o *testObject) Hold()                              { o.refs++ }
func (o *testObject) Drop()                              { o.refs-- }
func (o *testObject) Describe() (string, uint64, uint64) { return "test", 0, 0 }

// BenchmarkFork shows that the cost of fork does not depend on the size.
func BenchmarkFork(b *testing.B) {
	for _, mb := range []uint64{1, 64, 1024} {
		b.Run(strconv.FormatUint(mb, 10)+"MB", func(b *testing.B) {
			as := NewAddressSpace(NewAccount(0), nil)
			addr, _ := as.Map(MapRequest{Len: mb << 20, Prot: rw})
			for va := addr; va < addr+mb<<20; va += PageSize {
				as.Fault(va, AccessWrite)
			}
			b.ResetTimer()
			for range b.N {
				as.Fork().Put()
			}
			b.StopTimer()
			as.Put()
		})
	}
}

// BenchmarkCopyOnWrite is what a page costs that is written after a fork, and
// what it costs to free it.
func BenchmarkCopyOnWrite(b *testing.B) {
	const pages = 256
	as := NewAddressSpace(NewAccount(0), nil)
	addr, _ := as.Map(MapRequest{Len: pages * PageSize, Prot: rw})
	touch := func(as *AddressSpace) {
		for i := range uint64(pages) {
			as.Fault(addr+i*PageSize, AccessWrite)
		}
	}
	touch(as)
	b.ResetTimer()
	for range b.N {
		child := as.Fork()
		touch(child)
		child.Put()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*pages), "ns/page")
	as.Put()
}
