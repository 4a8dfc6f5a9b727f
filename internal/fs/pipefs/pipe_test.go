package pipefs

import (
	"bytes"
	"testing"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

func TestPipe(t *testing.T) {
	r, w := New(1, linux.Timespec{}, 0, 0).Open(0)
	b := make([]byte, 100<<10)
	if _, errno := r.Ops.Read(r, b, 0); errno != linux.EAGAIN {
		t.Errorf("read of an empty pipe: %v", errno)
	}
	if n, errno := w.Ops.Write(w, b, 0); n != defaultCapacity || errno != 0 {
		t.Errorf("large write: %d, %v; want it cut to the capacity", n, errno)
	}
	if _, errno := w.Ops.Write(w, b[:1], 0); errno != linux.EAGAIN {
		t.Errorf("write to a full pipe: %v", errno)
	}
	r.Ops.Read(r, b[:100], 0)
	if _, errno := w.Ops.Write(w, b[:101], 0); errno != linux.EAGAIN {
		t.Errorf("a small write was not atomic: %v", errno)
	}
	if got := w.Ops.Poll(w); got != 0 {
		t.Errorf("poll of a nearly full pipe: %#x", got)
	}
	w.Put()
	if got := r.Ops.Poll(r); got != vfs.PollIn|vfs.PollRdNorm|vfs.PollHup {
		t.Errorf("poll after the writer has gone: %#x", got)
	}
	if n, errno := r.Ops.Read(r, b, 0); n != defaultCapacity-100 || errno != 0 {
		t.Errorf("rest: %d, %v", n, errno)
	}
	if n, errno := r.Ops.Read(r, b, 0); n != 0 || errno != 0 {
		t.Errorf("end of file: %d, %v", n, errno)
	}
}

func TestBrokenPipe(t *testing.T) {
	r, w := New(1, linux.Timespec{}, 0, 0).Open(0)
	r.Put()
	if _, errno := w.Ops.Write(w, []byte("x"), 0); errno != linux.EPIPE {
		t.Errorf("write without readers: %v", errno)
	}
	if got := w.Ops.Poll(w); got&vfs.PollErr == 0 {
		t.Errorf("poll without readers: %#x", got)
	}
}

func TestPackets(t *testing.T) {
	r, w := New(1, linux.Timespec{}, 0, 0).Open(linux.O_DIRECT)
	w.Ops.Write(w, []byte("first"), 0)
	w.Ops.Write(w, []byte("second"), 0)
	b := make([]byte, 3)
	for _, want := range []string{"fir", "sec"} {
		n, _ := r.Ops.Read(r, b, 0)
		if !bytes.Equal(b[:n], []byte(want)) {
			t.Errorf("packet %q, want %q", b[:n], want)
		}
	}
}
