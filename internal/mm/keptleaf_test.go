package mm

import (
	"testing"

	"github.com/tinevm/tine/internal/linux"
)

// numbered is a file of n pages that begin with their numbers.
func numbered(n int64) *testObject {
	obj := &testObject{cache: NewPageCache(nil, func(i uint64, p []byte) linux.Errno {
		clear(p)
		p[0] = byte(i)
		return 0
	})}
	obj.cache.SetSize(n * PageSize)
	return obj
}

const keptAddr = 1 << 30

// mapped makes an address space with a file at keptAddr.
func mapped(t *testing.T, obj *testObject, pages uint64) *AddressSpace {
	acct := NewAccount(0)
	as := NewAddressSpace(acct, nil)
	t.Cleanup(func() {
		as.Put()
		if !acct.Close() {
			t.Errorf("%d bytes still charged at the end", acct.Used())
		}
	})
	mustMap(t, as, MapRequest{Addr: keptAddr, Len: pages * PageSize, Prot: rw, Obj: obj, Fixed: true})
	return as
}

// file is a file of n pages of which its cache has some. All is gone at the end.
func file(t *testing.T, n int64, has uint64) *testObject {
	before := Live()
	obj := numbered(n)
	t.Cleanup(func() {
		obj.cache.Release()
		if n := Live(); n != before {
			t.Errorf("%d frames live at the end, %d before", n, before)
		}
	})
	for i := range has {
		f, _ := obj.cache.Page(i, false)
		f.Put()
	}
	return obj
}

// Who maps a file as somebody has done before takes the leaves of that: with its first
// fault, or at once. What is written is one's own.
func TestKeptLeaf(t *testing.T) {
	const n = 80
	obj := file(t, n, n)
	first := mapped(t, obj, n)
	first.mustRead(t, keptAddr+3<<PageShift, 1)
	if u := first.Usage(keptAddr, keptAddr+64<<PageShift); u.PrivateClean != 64<<PageShift || u.RSS != u.PrivateClean || first.PrivatePages() != 64 {
		t.Errorf("of one process: %+v, %d private", u, first.PrivatePages())
	}
	second := mapped(t, obj, n)
	second.mustRead(t, keptAddr, 1)
	leaf := func(as *AddressSpace) node {
		l, owned := as.find(keptAddr)
		if owned {
			t.Errorf("a kept leaf is owned")
		}
		return l
	}
	if leaf(first) != leaf(second) || second.pages() != 64 {
		t.Errorf("leaves %d and %d, %d pages", leaf(first), leaf(second), second.pages())
	}
	for i, as := range []*AddressSpace{first, second} {
		if u := as.Usage(keptAddr, keptAddr+64<<PageShift); u.SharedClean != 64<<PageShift || as.PrivatePages() != 0 {
			t.Errorf("%d, of two processes: %+v, %d private", i, u, as.PrivatePages())
		}
	}
	second.mustRead(t, keptAddr+70<<PageShift, 1)
	third := mapped(t, obj, n)
	if third.Prefault(keptAddr, keptAddr+n<<PageShift); third.pages() != n || third.PeakPages() != n {
		t.Errorf("%d pages are there at once, at most %d were", third.pages(), third.PeakPages())
	}
	third.mustWrite(t, keptAddr+3<<PageShift, "mine")
	for i := range uint64(n) {
		for k, as := range []*AddressSpace{first, second, third} {
			if got := as.mustRead(t, keptAddr+i<<PageShift, 1)[0]; got != byte(i) && (k != 2 || i != 3) {
				t.Errorf("page %d reads %d in %d", i, got, k)
			}
		}
	}
	if got := third.mustRead(t, keptAddr+3<<PageShift, 4); got != "mine" {
		t.Errorf("the page that was written reads %q", got)
	}
}

// A page that comes later is in no leaf that was kept before, and one that is cut off
// leaves all that have taken one.
func TestKeptLeafChanges(t *testing.T) {
	const n = 64
	obj := file(t, n, n/2)
	first, second := mapped(t, obj, n), mapped(t, obj, n)
	first.mustRead(t, keptAddr, 1)
	second.mustRead(t, keptAddr, 1)
	if got := second.mustRead(t, keptAddr+40<<PageShift, 1)[0]; got != 40 {
		t.Errorf("page 40 reads %d", got)
	}
	third := mapped(t, obj, n)
	if third.mustRead(t, keptAddr+40<<PageShift, 1); third.pages() != n/2+1 {
		t.Errorf("%d pages", third.pages())
	}
	fourth := mapped(t, obj, n)
	fourth.Prefault(keptAddr, keptAddr+n<<PageShift)
	obj.cache.SetSize(10 * PageSize)
	for i, as := range []*AddressSpace{first, second, third, fourth} {
		if _, ok := as.Lookup(keptAddr+20<<PageShift, AccessRead); ok {
			t.Errorf("%d: a page that was cut off is there", i)
		}
		if res, _ := as.Fault(keptAddr+20<<PageShift, AccessRead); res != FaultBus {
			t.Errorf("%d: fault at a page that was cut off: %v", i, res)
		}
		if got := as.mustRead(t, keptAddr+9<<PageShift, 1)[0]; got != 9 {
			t.Errorf("%d: page 9 reads %d", i, got)
		}
	}
}

// A small file has few leaves, however it is mapped.
func TestKeptLeafLimit(t *testing.T) {
	obj := file(t, 64, 64)
	as := mapped(t, obj, 1)
	for i := range uint64(60) {
		at := keptAddr + (i+1)<<leafShift
		mustMap(t, as, MapRequest{Addr: at, Len: (i + 1) * PageSize, Prot: rw, Obj: obj, Fixed: true})
		as.mustRead(t, at, 1)
	}
	if n := len(obj.cache.kept); n != keptAlways+2 {
		t.Errorf("%d leaves are kept", n)
	}
}
