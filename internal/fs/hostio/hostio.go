// Package hostio has the open files that connect a guest's standard streams
// with the world outside: an input that is fed, and an output that is drained.
//
// Both belong to the machine and are protected by its kernel lock. Whoever
// serves them from outside takes that lock for each call and waits without it.
package hostio

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// capacity is how much an output holds before writers must wait: that of a
// pipe.
const capacity = 64 << 10

// Input is the reading end of a stream from outside.
type Input struct {
	vfs.NoOps
	// Want is called when a reader finds the stream empty, so that input is
	// taken from outside only when it is needed. It must not block.
	Want func()

	stat  linux.Stat
	buf   []byte
	eof   bool
	queue vfs.WaitQueue
}

// NewInput makes an input that looks like a file of the given mode and inode
// number.
func NewInput(mode uint32, ino uint64, want func()) *Input {
	return &Input{Want: want, stat: streamStat(mode, ino)}
}

func streamStat(mode uint32, ino uint64) linux.Stat {
	return linux.Stat{Dev: vfs.MakeDev(0, vfs.StreamMinor), Ino: ino, Mode: mode, Nlink: 1, Blksize: 4096}
}

// Feed adds bytes; the slice is copied.
func (in *Input) Feed(p []byte) {
	in.buf = append(in.buf, p...)
	in.queue.Wake(vfs.PollIn)
}

// Close ends the stream: readers get what is left, then end of file.
func (in *Input) Close() {
	in.eof = true
	in.queue.Wake(vfs.PollIn | vfs.PollHup)
}

// Read implements vfs.FileOps.
func (in *Input) Read(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	if len(in.buf) == 0 {
		if in.eof || len(p) == 0 {
			return 0, 0
		}
		in.Want()
		return 0, linux.EAGAIN
	}
	n := copy(p, in.buf)
	in.buf = in.buf[n:]
	if len(in.buf) == 0 {
		in.buf = nil
	}
	return n, 0
}

// Poll implements vfs.FileOps.
func (in *Input) Poll(*vfs.File) (m vfs.PollMask) {
	if len(in.buf) > 0 {
		m |= vfs.PollIn | vfs.PollRdNorm
	}
	if in.eof {
		m |= vfs.PollHup
	}
	if m == 0 {
		in.Want()
	}
	return m
}

// Queue implements vfs.FileOps.
func (in *Input) Queue(*vfs.File) *vfs.WaitQueue { return &in.queue }

// Stat implements vfs.FileOps.
func (in *Input) Stat(*vfs.File) (linux.Stat, linux.Errno) { return in.stat, 0 }

// Reopen implements vfs.Reopener.
func (in *Input) Reopen(_ *vfs.Context, flags uint32) (vfs.FileOps, linux.Errno) {
	if flags&linux.O_ACCMODE != linux.O_RDONLY {
		return nil, linux.EACCES
	}
	return in, 0
}

// Ioctl implements vfs.FileOps.
func (in *Input) Ioctl(_ *vfs.File, c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	if req != linux.FIONREAD {
		return 0, linux.ENOTTY
	}
	n := len(in.buf)
	return 0, c.CopyOut(arg, []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
}

// Output is the writing end of a stream to the outside.
type Output struct {
	vfs.NoOps
	// Ready is called when there are bytes to take, and when the last
	// descriptor is closed. It must not block.
	Ready func()
	// Gone, if not nil, reports whether nobody reads the stream any more. It is
	// asked before each write, since what is written here is passed on only
	// later.
	Gone func() bool
	// Flood, if not nil, lifts the limit on what the output holds; it is called
	// when there is more than that, once until it is taken.
	Flood func()

	stat   linux.Stat
	opens  int // besides the first
	buf    []byte
	broken bool // the outside does not take any more
	closed bool // the guest has closed it
	queue  vfs.WaitQueue
}

// NewOutput makes an output that looks like a file of the given mode and inode
// number.
func NewOutput(mode uint32, ino uint64, ready func()) *Output {
	return &Output{Ready: ready, stat: streamStat(mode, ino)}
}

// Take removes and returns what has been written. done reports that nothing
// more will come.
func (out *Output) Take() (p []byte, done bool) {
	p, out.buf = out.buf, nil
	if len(p) > 0 {
		out.queue.Wake(vfs.PollOut)
	}
	return p, out.closed
}

// Break tells the guest that the outside has closed the stream: EPIPE.
func (out *Output) Break() {
	out.broken, out.buf = true, nil
	out.queue.Wake(vfs.PollOut | vfs.PollErr)
}

// Write implements vfs.FileOps.
func (out *Output) Write(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	if !out.broken && out.Gone != nil && out.Gone() {
		out.Break()
	}
	if out.broken {
		return 0, linux.EPIPE
	}
	n := min(len(p), capacity-len(out.buf))
	if out.Flood != nil {
		if n < len(p) && len(out.buf) <= capacity {
			out.Flood()
		}
		n = len(p)
	}
	if n <= 0 && len(p) > 0 {
		return 0, linux.EAGAIN
	}
	out.buf = append(out.buf, p[:n]...)
	out.Ready()
	return n, 0
}

// Poll implements vfs.FileOps.
func (out *Output) Poll(*vfs.File) (m vfs.PollMask) {
	if len(out.buf) < capacity || out.Flood != nil {
		m |= vfs.PollOut | vfs.PollWrNorm
	}
	if out.broken {
		m |= vfs.PollErr
	}
	return m
}

// Queue implements vfs.FileOps.
func (out *Output) Queue(*vfs.File) *vfs.WaitQueue { return &out.queue }

// Stat implements vfs.FileOps.
func (out *Output) Stat(*vfs.File) (linux.Stat, linux.Errno) { return out.stat, 0 }

// Reopen implements vfs.Reopener.
func (out *Output) Reopen(_ *vfs.Context, flags uint32) (vfs.FileOps, linux.Errno) {
	if flags&linux.O_ACCMODE != linux.O_WRONLY {
		return nil, linux.EACCES
	}
	out.opens++
	return out, 0
}

// Release implements vfs.FileOps.
func (out *Output) Release(*vfs.File) {
	if out.opens--; out.opens >= 0 {
		return
	}
	out.closed = true
	out.Ready()
}
