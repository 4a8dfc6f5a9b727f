package pipefs

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// What splice(2) and its relatives do with pipes.

// Is reports whether f is a pipe.
func Is(f *vfs.File) bool {
	_, ok := endOf(f)
	return ok
}

// Same reports whether two files are the same pipe.
func Same(f, g *vfs.File) bool {
	e1, ok1 := endOf(f)
	e2, ok2 := endOf(g)
	return ok1 && ok2 && e1.pipe == e2.pipe
}

// Room is how many bytes fit into f, none if nobody reads it; ok is false if it
// is no pipe.
func Room(f *vfs.File) (n int, ok bool) {
	e, ok := endOf(f)
	if !ok || e.pipe.readers == 0 {
		return 0, ok
	}
	return e.pipe.capacity - e.pipe.len(), true
}

// Peek returns up to n bytes that a read of f would get, without taking them;
// ok is false if f is no pipe. EAGAIN: there are none yet.
func Peek(f *vfs.File, n int) (b []byte, errno linux.Errno, ok bool) {
	e, ok := endOf(f)
	if !ok {
		return nil, 0, false
	}
	if e.pipe.len() == 0 && e.pipe.writers > 0 {
		return nil, linux.EAGAIN, true
	}
	b = e.pipe.next()
	return b[:min(n, len(b))], 0, true
}

// Taken removes n bytes that Peek has shown, if f is a pipe.
func Taken(f *vfs.File, n int) {
	if e, ok := endOf(f); ok && n > 0 {
		e.pipe.take(n)
	}
}

// Tee copies up to n bytes from one pipe to another without taking them
// (tee(2)).
func Tee(in, out *vfs.File, n int) (int, linux.Errno) {
	from, ok1 := endOf(in)
	to, ok2 := endOf(out)
	if !ok1 || !ok2 || from.pipe == to.pipe {
		return 0, linux.EINVAL
	}
	if to.pipe.readers == 0 {
		return 0, linux.EPIPE
	}
	b, errno, _ := Peek(in, n)
	if len(b) == 0 {
		return 0, errno
	}
	return to.Write(out, b, 0)
}

func endOf(f *vfs.File) (*end, bool) {
	switch e := f.Ops.(type) {
	case *end:
		return e, true
	case *fifoEnd:
		return &e.end, true
	}
	return nil, false
}
