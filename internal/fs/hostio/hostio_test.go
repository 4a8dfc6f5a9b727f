package hostio

import (
	"testing"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

func TestInputAsksOnlyWhenRead(t *testing.T) {
	asked := 0
	in := NewInput(linux.S_IFIFO|0o600, 1, func() { asked++ })
	if asked != 0 {
		t.Fatal("input asked for before anybody read")
	}
	var b [8]byte
	if _, errno := in.Read(nil, b[:], 0); errno != linux.EAGAIN || asked != 1 {
		t.Fatalf("empty input: %v, asked %d times; want EAGAIN, once", errno, asked)
	}
	in.Feed([]byte("hello, world"))
	in.Close()
	for _, want := range []string{"hello, w", "orld", ""} {
		n, errno := in.Read(nil, b[:], 0)
		if errno != 0 || string(b[:n]) != want {
			t.Errorf("read %q, %v; want %q", b[:n], errno, want)
		}
	}
	if in.Poll(nil)&vfs.PollHup == 0 {
		t.Error("no POLLHUP after the end")
	}
}

func TestOutputBoundsAndBreaks(t *testing.T) {
	out := NewOutput(linux.S_IFIFO|0o600, 1, func() {})
	big := make([]byte, capacity+10)
	if n, errno := out.Write(nil, big, 0); n != capacity || errno != 0 {
		t.Fatalf("wrote %d, %v; want %d", n, errno, capacity)
	}
	if _, errno := out.Write(nil, big, 0); errno != linux.EAGAIN {
		t.Fatalf("write to a full stream: %v; want EAGAIN", errno)
	}
	if p, done := out.Take(); len(p) != capacity || done {
		t.Fatalf("took %d bytes, done %v", len(p), done)
	}
	out.Break()
	if _, errno := out.Write(nil, big, 0); errno != linux.EPIPE {
		t.Fatalf("write to a broken stream: %v; want EPIPE", errno)
	}
}
