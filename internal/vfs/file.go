package vfs

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// PollMask is a set of poll(2) events; the bits are those of POLLIN and so on,
// which EPOLLIN and so on share.
type PollMask uint32

// The events of poll(2).
const (
	PollIn     PollMask = 0x001
	PollPri    PollMask = 0x002
	PollOut    PollMask = 0x004
	PollErr    PollMask = 0x008
	PollHup    PollMask = 0x010
	PollNval   PollMask = 0x020
	PollRdNorm PollMask = 0x040
	PollRdBand PollMask = 0x080
	PollWrNorm PollMask = 0x100
	PollWrBand PollMask = 0x200
	PollRdHup  PollMask = 0x2000
)

// File is an open file description (open(2)): what descriptors refer to, and
// what fork and dup share.
type File struct {
	Ops FileOps

	// Flags are the access mode and the status flags (O_APPEND, O_NONBLOCK,
	// ...); the creation flags and O_CLOEXEC are not kept here.
	Flags uint32

	// Pos is the file offset. Only meaningful if Ops.Seekable().
	Pos int64

	// Path is where it was opened; its Dentry is nil for pipes, sockets and
	// other anonymous files.
	Path Path

	// Async belongs to the kernel: who is signalled of input and output
	// (F_SETOWN, O_ASYNC); nil until somebody asks for it.
	Async any

	refs       int
	reader     bool         // counts in InodeCommon.readers
	inodeCount int          // its part of InodeCommon.writers: 1, 0 or -1; see writers.go
	anon       *InodeCommon // holds the locks of a file without an inode
	onRelease  []func()
}

// NewFile makes a description with one reference.
func NewFile(ops FileOps, flags uint32) *File {
	return &File{Ops: ops, Flags: flags, refs: 1}
}

// Get takes another reference and returns f.
func (f *File) Get() *File {
	f.refs++
	return f
}

// Refs is the number of references.
func (f *File) Refs() int { return f.refs }

// Put drops a reference; the last one releases the file.
func (f *File) Put() {
	f.refs--
	if f.refs == 0 {
		f.release()
	}
}

// OnRelease has fn called when the last reference goes, before the file is
// released. Epoll instances forget the file then.
func (f *File) OnRelease(fn func()) { f.onRelease = append(f.onRelease, fn) }

// release undoes the opening.
func (f *File) release() {
	for _, fn := range f.onRelease {
		fn()
	}
	f.onRelease = nil
	releaseFileLocks(f)
	dropLease(f)
	if d := f.Path.Dentry; d != nil && f.Flags&linux.O_PATH == 0 {
		event := uint32(linux.IN_CLOSE_NOWRITE)
		if f.Writable() {
			event = linux.IN_CLOSE_WRITE
		}
		notify(d, event)
	}
	f.Ops.Release(f)
	f.closeCounts(f.Path)
	f.Path.Put()
}

// Readable reports whether the access mode allows reading.
func (f *File) Readable() bool {
	return f.Flags&linux.O_ACCMODE != linux.O_WRONLY && f.Flags&linux.O_PATH == 0
}

// Writable reports whether the access mode allows writing.
func (f *File) Writable() bool {
	return f.Flags&linux.O_ACCMODE != linux.O_RDONLY && f.Flags&linux.O_PATH == 0
}

// NonBlock reports O_NONBLOCK.
func (f *File) NonBlock() bool { return f.Flags&linux.O_NONBLOCK != 0 }

// FileOps is what the kind of a file decides. Implementations embed NoOps and
// define what they support.
//
// None of them blocks: an operation that would have to wait returns EAGAIN,
// and the kernel, unless the file is O_NONBLOCK, lets the task wait on Queue
// and calls again. All are called with the kernel lock held.
type FileOps interface {
	// Read reads at off. Files that are not seekable ignore off. It returns 0
	// and no error at end of file.
	Read(f *File, p []byte, off int64) (int, linux.Errno)
	// Write writes at off (which the kernel has set to the end for O_APPEND
	// through Size). A partial count is possible. EPIPE is returned without
	// sending SIGPIPE: the kernel does that.
	Write(f *File, p []byte, off int64) (int, linux.Errno)
	// Seekable reports whether the file has an offset (false: ESPIPE).
	Seekable() bool
	// Poll returns the events that are true now.
	Poll(f *File) PollMask
	// Queue is where changes of Poll are announced; nil means that the file
	// is always ready (regular files), which epoll refuses with EPERM.
	Queue(f *File) *WaitQueue
	// Ioctl performs a request the kernel does not handle generically.
	Ioctl(f *File, c *IoctlContext, req uint32, arg uint64) (uint64, linux.Errno)
	// ReadDir calls emit for the entries after position pos, "." and ".."
	// included, until emit returns false; next is the position that continues
	// after that entry (d_off). ENOTDIR if it is no directory.
	ReadDir(f *File, c *Context, pos int64, emit func(name string, ino uint64, typ uint8, next int64) bool) linux.Errno
	// Stat describes the file.
	Stat(f *File) (linux.Stat, linux.Errno)
	// Pages is the page cache that a mapping uses; nil and ENODEV if it cannot
	// be mapped.
	Pages(f *File) (*mm.PageCache, linux.Errno)
	// Truncate sets the size (ftruncate), Allocate is fallocate, Sync fsync.
	Truncate(f *File, size int64) linux.Errno
	Allocate(f *File, mode uint32, off, length int64) linux.Errno
	Sync(f *File) linux.Errno
	// Flush is called at each close of a descriptor.
	Flush(f *File)
	// Release is called when the last reference goes.
	Release(f *File)
}

// IoctlContext gives an ioctl access to its caller.
type IoctlContext struct {
	Context *Context
	// CopyIn and CopyOut move bytes from and to the caller's memory.
	CopyIn  func(addr uint64, p []byte) linux.Errno
	CopyOut func(addr uint64, p []byte) linux.Errno
	// Task is the caller as the terminal layer needs it; see package tty.
	Task any
}

// NoOps refuses everything the way Linux refuses it for a file kind that does
// not define the operation. It is embedded by implementations.
type NoOps struct{}

func (NoOps) Read(*File, []byte, int64) (int, linux.Errno)  { return 0, linux.EINVAL }
func (NoOps) Write(*File, []byte, int64) (int, linux.Errno) { return 0, linux.EINVAL }
func (NoOps) Seekable() bool                                { return false }
func (NoOps) Poll(*File) PollMask                           { return PollIn | PollOut | PollRdNorm | PollWrNorm }
func (NoOps) Queue(*File) *WaitQueue                        { return nil }
func (NoOps) Ioctl(*File, *IoctlContext, uint32, uint64) (uint64, linux.Errno) {
	return 0, linux.ENOTTY
}
func (NoOps) ReadDir(*File, *Context, int64, func(string, uint64, uint8, int64) bool) linux.Errno {
	return linux.ENOTDIR
}
func (NoOps) Stat(*File) (linux.Stat, linux.Errno)             { return linux.Stat{}, 0 }
func (NoOps) Pages(*File) (*mm.PageCache, linux.Errno)         { return nil, linux.ENODEV }
func (NoOps) Truncate(*File, int64) linux.Errno                { return linux.EINVAL }
func (NoOps) Allocate(*File, uint32, int64, int64) linux.Errno { return linux.ENODEV }
func (NoOps) Sync(*File) linux.Errno                           { return linux.EINVAL }
func (NoOps) Flush(*File)                                      {}
func (NoOps) Release(*File)                                    {}
