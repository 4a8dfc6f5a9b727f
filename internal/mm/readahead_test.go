package mm

import (
	"testing"

	"github.com/tinevm/tine/internal/linux"
)

// TestReadAhead reads a file here and there and in order, with frames that are
// not in order and with a part that cannot be read.
func TestReadAhead(t *testing.T) {
	const size, bad = 100*PageSize + 10, 37
	var calls int
	c := NewPageCache(nil, func(i uint64, p []byte) linux.Errno {
		calls++
		for k := range p {
			at := i<<PageShift + uint64(k)
			switch {
			case at>>PageShift == bad:
				return linux.EIO
			case at < size:
				p[k] = byte(at>>PageShift) + byte(at)
			default:
				p[k] = 0
			}
		}
		return 0
	})
	defer c.Release()
	c.ReadAhead()
	c.SetSize(size)
	check := func(i uint64) {
		t.Helper()
		f, errno := c.Page(i, false)
		if want := map[bool]linux.Errno{true: linux.EIO}[i == bad]; errno != want {
			t.Fatalf("page %d: %v", i, errno)
		} else if errno != 0 {
			return
		}
		defer f.Put()
		for k, b := range f.Bytes() {
			want := byte(i) + byte(k)
			if i<<PageShift+uint64(k) >= size {
				want = 0
			}
			if b != want {
				t.Fatalf("page %d, byte %d: %d, want %d", i, k, b, want)
			}
		}
	}
	// Frames that come back do so in the order of this list.
	var frames []Frame
	for range 40 {
		f, ok := (*Account)(nil).alloc(false)
		if !ok {
			t.Fatal("no memory")
		}
		f.Bytes()[5] = 1
		frames = append(frames, f)
	}
	for i := range frames {
		frames[i*7%40].Put()
	}
	for _, i := range []uint64{50, 51, 3, 34, bad, 36, 100} {
		check(i)
	}
	if n := c.Resident(); n < 5 || n > 40 {
		t.Errorf("%d pages are there after 7 were asked for", n)
	}
	c.Release()
	calls = 0
	for i := range uint64(101) {
		check(i)
	}
	if calls > 30 {
		t.Errorf("reading 101 pages in order took %d calls", calls)
	}
	if c.Resident() != 100 {
		t.Errorf("%d pages are there, not 100", c.Resident())
	}
}
