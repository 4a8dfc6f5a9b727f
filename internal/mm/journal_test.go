package mm

import "testing"

// What has been written is taken back where it is, private or shared, and whoever
// writes the same again makes no difference.
func TestJournal(t *testing.T) {
	as := newSpace(t, 0)
	const private, shared = 0x10000, 0x20000
	mustMap(t, as, MapRequest{Addr: private, Len: 2 * PageSize, Prot: rw, Fixed: true})
	obj := &testObject{cache: NewPageCache(as.acct, nil)}
	obj.cache.SetSize(PageSize)
	t.Cleanup(obj.cache.Release) // before the address space's
	mustMap(t, as, MapRequest{Addr: shared, Len: PageSize, Prot: rw, Flags: MapShared, Obj: obj, Fixed: true})
	for _, va := range []uint64{private, private + PageSize, shared} {
		as.CopyOut(va, []byte("old"))
	}
	used := as.Account().Used()
	write := func(va uint64, text string) {
		t.Helper()
		f, ok := as.Lookup(va, AccessRead|AccessWrite)
		if !ok {
			t.Fatalf("%#x cannot be written", va)
		}
		copy(f.Bytes(), text)
	}
	contains := func(va uint64, want string) {
		t.Helper()
		if got, _ := as.CopyInString(va, 10); got != want {
			t.Errorf("%#x contains %q, want %q", va, got, want)
		}
	}
	var j Journal
	as.Record(&j)
	write(private, "new")
	write(shared, "new")
	write(private, "new 2") // once is noted
	j.Swap()
	contains(private, "old")
	contains(shared, "old")
	if d := j.Different(); len(j.Pages()) != 2 || len(d) != 2 {
		t.Fatalf("%d pages noted, %d differ", len(j.Pages()), len(d))
	}
	write(private, "new 2")
	write(shared, "else")
	write(private+PageSize, "more")
	as.Record(nil)
	d := j.Different()
	if len(d) != 2 || d[0].VA != shared || d[1].VA != private+PageSize || string(d[0].Other[:3]) != "new" || string(d[1].Other[:3]) != "old" {
		t.Errorf("%d pages differ", len(d))
	}
	j.Undo()
	for _, va := range []uint64{private, private + PageSize, shared} {
		contains(va, "old")
	}
	if n := as.Account().Used(); n != used {
		t.Errorf("%d bytes used, %d before", n, used)
	}
	j.Reset()
	write(private, "now") // is not noted any more
	if j.Undo(); len(j.Pages()) != 0 {
		t.Error("noted after the end")
	}
	contains(private, "now")
}

// A journal says when it is full, once, and goes on.
func TestJournalFull(t *testing.T) {
	as := newSpace(t, 0)
	const n = MaxPages + 2
	mustMap(t, as, MapRequest{Addr: 0x10000, Len: n * PageSize, Prot: rw, Fixed: true})
	full := 0
	j := Journal{Full: func() { full++ }}
	as.Record(&j)
	for i := range uint64(n) {
		as.CopyOut(0x10000+i*PageSize, []byte{1})
		if want := max(int(i)+1-MaxPages, 0); full != min(want, 1) {
			t.Fatalf("told %d times after %d pages", full, i+1)
		}
	}
	as.Record(nil)
	if len(j.Pages()) != n {
		t.Errorf("%d pages", len(j.Pages()))
	}
}
