// Package pipefs has pipes and named pipes (pipe(7), fifo(7)).
package pipefs

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Sizes of pipe(7), in bytes.
const (
	defaultCapacity = 64 << 10
	pageSize        = 4096
	maxCapacity     = 1 << 20 // /proc/sys/fs/pipe-max-size
	atomicWrite     = linux.PIPE_BUF
)

// Pipe is the buffer between readers and writers. Its memory grows with its
// contents, so that an idle pipe costs little.
type Pipe struct {
	buf      []byte // contents: buf[start:]
	start    int
	packets  []int // lengths of the packets in buf, in O_DIRECT mode
	capacity int
	readers  int
	writers  int
	// Counts of openings, by which an opener of a FIFO notices that the other
	// side has come and gone.
	readOpens, writeOpens int

	queue vfs.WaitQueue
	stat  linux.Stat
}

// New makes a pipe; it has neither readers nor writers yet.
func New(ino uint64, now linux.Timespec, uid, gid uint32) *Pipe {
	return &Pipe{capacity: defaultCapacity, stat: linux.Stat{
		Dev: vfs.MakeDev(0, vfs.PipeMinor), Ino: ino, Mode: linux.S_IFIFO | 0o600, Nlink: 1, Uid: uid, Gid: gid, Blksize: pageSize,
		Atim: now, Mtim: now, Ctim: now,
	}}
}

// Open makes both ends of an anonymous pipe. flags may have O_NONBLOCK and
// O_DIRECT.
func (p *Pipe) Open(flags uint32) (r, w *vfs.File) {
	p.readers, p.writers = 1, 1
	flags &= linux.O_NONBLOCK | linux.O_DIRECT
	r = vfs.NewFile(&end{pipe: p, read: true}, flags&^linux.O_DIRECT|linux.O_RDONLY)
	w = vfs.NewFile(&end{pipe: p, write: true}, flags|linux.O_WRONLY)
	return r, w
}

// Readers is how many openings can read from the pipe.
func (p *Pipe) Readers() int { return p.readers }

// Queue is where changes of the pipe are announced.
func (p *Pipe) Queue() *vfs.WaitQueue { return &p.queue }

func (p *Pipe) len() int { return len(p.buf) - p.start }

// end is one opening of a pipe: the FileOps of its descriptors.
type end struct {
	vfs.NoOps
	pipe        *Pipe
	read, write bool
}

// Stream tells that reads and writes have no message boundaries.
func (e *end) Stream() bool { return len(e.pipe.packets) == 0 }

// Read implements vfs.FileOps.
func (e *end) Read(_ *vfs.File, b []byte, _ int64) (int, linux.Errno) {
	p := e.pipe
	if len(b) == 0 {
		return 0, 0
	}
	if p.len() == 0 {
		if p.writers == 0 {
			return 0, 0
		}
		return 0, linux.EAGAIN
	}
	n := copy(b, p.next())
	if len(p.packets) > 0 {
		p.take(p.packets[0]) // the rest of a packet is lost
	} else {
		p.take(n)
	}
	return n, 0
}

// next is what a read gets at most: everything, or one packet.
func (p *Pipe) next() []byte {
	if len(p.packets) > 0 {
		return p.buf[p.start:][:p.packets[0]]
	}
	return p.buf[p.start:]
}

// take removes n bytes, which next has.
func (p *Pipe) take(n int) {
	if p.start += n; len(p.packets) > 0 {
		if p.packets[0] -= n; p.packets[0] == 0 {
			p.packets = p.packets[1:]
		}
	}
	if p.len() == 0 {
		p.start, p.buf = 0, p.buf[:0]
		if cap(p.buf) > 4*pageSize {
			p.buf = nil
		}
	}
	p.queue.Wake(vfs.PollOut | vfs.PollWrNorm)
}

// Write implements vfs.FileOps. Up to PIPE_BUF bytes are written whole or not
// at all.
func (e *end) Write(f *vfs.File, b []byte, _ int64) (int, linux.Errno) {
	p := e.pipe
	if p.readers == 0 {
		return 0, linux.EPIPE
	}
	if len(b) == 0 {
		return 0, 0
	}
	room := p.capacity - p.len()
	if f.Flags&linux.O_DIRECT != 0 {
		b = b[:min(len(b), pageSize)]
	}
	if room <= 0 || len(b) <= atomicWrite && room < len(b) {
		return 0, linux.EAGAIN
	}
	n := min(len(b), room)
	if p.start > 0 && len(p.buf)+n > cap(p.buf) {
		p.buf = append(p.buf[:0], p.buf[p.start:]...)
		p.start = 0
	}
	p.buf = append(p.buf, b[:n]...)
	if f.Flags&linux.O_DIRECT != 0 {
		p.packets = append(p.packets, n)
	}
	p.queue.Wake(vfs.PollIn | vfs.PollRdNorm)
	return n, 0
}

// Poll implements vfs.FileOps.
func (e *end) Poll(*vfs.File) (m vfs.PollMask) {
	p := e.pipe
	if e.read {
		if p.len() > 0 {
			m |= vfs.PollIn | vfs.PollRdNorm
		}
		if p.writers == 0 && p.writeOpens >= 0 {
			m |= vfs.PollHup
		}
	}
	if e.write {
		if p.capacity-p.len() >= atomicWrite {
			m |= vfs.PollOut | vfs.PollWrNorm
		}
		if p.readers == 0 {
			m |= vfs.PollErr
		}
	}
	return m
}

// Queue implements vfs.FileOps.
func (e *end) Queue(*vfs.File) *vfs.WaitQueue { return &e.pipe.queue }

// Stat implements vfs.FileOps.
func (e *end) Stat(*vfs.File) (linux.Stat, linux.Errno) { return e.pipe.stat, 0 }

// Ioctl implements vfs.FileOps.
func (e *end) Ioctl(_ *vfs.File, c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	if req != linux.FIONREAD {
		return 0, linux.ENOTTY
	}
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(e.pipe.len()))
	return 0, c.CopyOut(arg, b[:])
}

// Reopen implements vfs.Reopener, by the rules of FIFOs.
func (e *end) Reopen(_ *vfs.Context, flags uint32) (vfs.FileOps, linux.Errno) {
	n := &end{pipe: e.pipe}
	mode := flags & linux.O_ACCMODE
	n.read, n.write = mode != linux.O_WRONLY, mode != linux.O_RDONLY
	if n.write && !n.read && e.pipe.readers == 0 {
		return nil, linux.ENXIO
	}
	if n.read {
		e.pipe.readers++
	}
	if n.write {
		e.pipe.writers++
	}
	return n, 0
}

// Capacity is F_GETPIPE_SZ.
func (e *end) Capacity() int { return e.pipe.capacity }

// SetCapacity is F_SETPIPE_SZ: the size is rounded up to a power of two pages.
func (e *end) SetCapacity(n int) (int, linux.Errno) {
	if n < 0 {
		return 0, linux.EINVAL
	}
	size := pageSize
	for size < n {
		size *= 2
	}
	if size > maxCapacity {
		return 0, linux.EPERM
	}
	if e.pipe.len() > size {
		return 0, linux.EBUSY
	}
	e.pipe.capacity = size
	e.pipe.queue.Wake(vfs.PollOut)
	return size, 0
}

// Release implements vfs.FileOps.
func (e *end) Release(*vfs.File) {
	p := e.pipe
	if e.read {
		p.readers--
	}
	if e.write {
		p.writers--
	}
	if p.readers+p.writers == 0 {
		p.buf, p.start, p.packets = nil, 0, nil
	}
	p.queue.Wake(vfs.PollHup | vfs.PollErr)
}

// OpenFIFO opens a named pipe (fifo(7)). Opening one side waits for the other,
// unless O_NONBLOCK or O_RDWR is given.
func OpenFIFO(c *vfs.Context, i vfs.Inode, flags uint32) (vfs.FileOps, linux.Errno) {
	common := i.Common()
	p, _ := common.FIFO.(*Pipe)
	if p == nil {
		p = &Pipe{capacity: defaultCapacity}
		common.FIFO = p
	}
	e := &fifoEnd{end: end{pipe: p}, inode: i}
	nonblock := flags&linux.O_NONBLOCK != 0
	switch flags & linux.O_ACCMODE {
	case linux.O_RDONLY:
		e.read = true
		if p.writers == 0 && !nonblock && !p.peerCame(c, &p.writeOpens) {
			return nil, p.await(c, &p.readers, &p.readOpens, &p.writeOpens)
		}
	case linux.O_WRONLY:
		e.write = true
		if p.readers == 0 && nonblock {
			return nil, linux.ENXIO
		}
		if p.readers == 0 && !p.peerCame(c, &p.readOpens) {
			return nil, p.await(c, &p.writers, &p.writeOpens, &p.readOpens)
		}
	default:
		e.read, e.write = true, true
	}
	p.arrive(c, e)
	return e, 0
}

// Waiter is implemented by the calling task: it remembers, across the
// repetitions of a blocking open, that it has announced itself.
type Waiter interface {
	// Progress is a word that is zero when the call begins.
	Progress() *int
	// OnAbandon sets what is done if a signal ends the call; nil forgets it.
	OnAbandon(fn func())
}

// await counts one side of a FIFO as open, so that the opener of the other goes
// on, and waits for it.
func (p *Pipe) await(c *vfs.Context, mine, myOpens, peerOpens *int) linux.Errno {
	w, ok := c.Task.(Waiter)
	if !ok {
		return linux.EAGAIN
	}
	if s := w.Progress(); *s == 0 {
		*s = *peerOpens + 1
		*mine++
		*myOpens++
		p.queue.Wake(0)
		w.OnAbandon(func() {
			*mine--
			p.queue.Wake(vfs.PollHup | vfs.PollErr)
		})
	}
	return c.Wait(&p.queue)
}

// peerCame reports whether the other side has opened the FIFO since the caller
// began to wait.
func (p *Pipe) peerCame(c *vfs.Context, peerOpens *int) bool {
	w, ok := c.Task.(Waiter)
	return ok && *w.Progress() != 0 && *peerOpens >= *w.Progress()
}

// arrive counts the opened end, unless await has, and lets the other side go
// on.
func (p *Pipe) arrive(c *vfs.Context, e *fifoEnd) {
	if w, ok := c.Task.(Waiter); ok && *w.Progress() != 0 {
		w.OnAbandon(nil)
	} else {
		if e.read {
			p.readers++
			p.readOpens++
		}
		if e.write {
			p.writers++
			p.writeOpens++
		}
	}
	p.queue.Wake(0)
}

// fifoEnd is an opening of a named pipe: what it is comes from the inode.
type fifoEnd struct {
	end
	inode vfs.Inode
}

// Stat implements vfs.FileOps.
func (e *fifoEnd) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }
