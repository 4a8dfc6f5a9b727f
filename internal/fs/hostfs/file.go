package hostfs

import (
	"errors"
	"io"
	"os"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// Open implements vfs.Inode.
func (i *Inode) Open(_ *vfs.Context, flags uint32) (vfs.FileOps, linux.Errno) {
	switch {
	case i.st.attr.IsDir():
		return i.openDir()
	case !i.st.attr.IsRegular():
		return nil, linux.ENXIO
	}
	write := flags&linux.O_ACCMODE != linux.O_RDONLY
	if write && i.fs.o.ReadOnly {
		return nil, linux.EROFS
	}
	return i.openRegular(write)
}

func (i *Inode) openDir() (vfs.FileOps, linux.Errno) {
	h, errno := i.handle()
	if errno != 0 {
		return nil, errno
	}
	// The permission to list is checked now: the handle needs none.
	list, errno := h.list()
	if errno != 0 {
		return nil, errno
	}
	return &dirOps{i: i, list: list, fresh: true}, 0
}

func (i *Inode) openRegular(write bool) (vfs.FileOps, linux.Errno) {
	if errno := i.stat(); errno != 0 {
		return nil, errno
	}
	o := &regular{i: i}
	if write {
		h, name, errno := i.at()
		if errno != 0 {
			return nil, errno
		}
		if o.writer, errno = h.openFile(name, true); errno != 0 {
			return nil, errno
		}
		i.fs.writers++
	}
	s, errno := openShared(&i.st, func() (*os.File, linux.Errno) {
		h, name, errno := i.at()
		if errno != 0 {
			return nil, errno
		}
		return h.openFile(name, false)
	})
	if errno != 0 {
		o.Release(nil)
		return nil, errno
	}
	o.s = s
	i.file = s // if the host has changed the file, later than the first one's
	i.opens++
	return o, 0
}

// regular are the operations of an open regular file.
type regular struct {
	vfs.NoOps
	i      *Inode
	s      *sharedFile
	writer *os.File // nil if open for reading only
	mapped bool     // for writing, shared
}

// longRead is how long a read must be not to be kept.
const longRead = 64 << 10

// Seekable implements vfs.FileOps.
func (*regular) Seekable() bool { return true }

// Read implements vfs.FileOps.
func (o *regular) Read(_ *vfs.File, p []byte, off int64) (int, linux.Errno) {
	size := o.s.pages.Size()
	if off+int64(len(p)) > size && !o.i.fs.o.Stable {
		size = o.s.refresh()
	}
	if off >= size {
		return 0, 0
	}
	p = p[:min(int64(len(p)), size-off)]
	if len(p) >= longRead && !o.s.mapped.Load() && !o.s.pages.Has(uint64(off)>>mm.PageShift) {
		return readFull(o.s.reader, p, off)
	}
	return len(p), o.s.pages.ReadAt(p, off)
}

// refresh looks whether the host has changed the file while it is open, and
// returns its size.
func (s *sharedFile) refresh() int64 {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	st, errno := statFile(s.reader, s.id)
	if errno != 0 || st.same(&s.st) {
		return s.pages.Size()
	}
	s.pages.Release()
	s.pages.SetSize(st.attr.Size)
	s.st = st
	return st.attr.Size
}

// wrote takes note of our own change of the file.
func (s *sharedFile) wrote() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if st, errno := statFile(s.reader, s.id); errno == 0 {
		s.st = st
	}
}

// touched is wrote for a change through the inode.
func (i *Inode) touched() {
	if i.file != nil {
		i.file.wrote()
	}
}

// Write implements vfs.FileOps: the host first, then the pages that are cached.
func (o *regular) Write(_ *vfs.File, p []byte, off int64) (int, linux.Errno) {
	n, err := o.writer.WriteAt(p, off)
	if n == 0 && err != nil {
		return 0, toErrno(err)
	}
	pages := o.s.pages
	if end := off + int64(n); end > pages.Size() {
		pages.SetSize(end)
	}
	for done := 0; done < n; {
		at := off + int64(done)
		k := min(n-done, mm.PageSize-int(at&(mm.PageSize-1)))
		if pages.Has(uint64(at) >> mm.PageShift) {
			pages.WriteAt(p[done:done+k], at)
		}
		done += k
	}
	o.s.wrote()
	return n, 0
}

// Stat implements vfs.FileOps.
func (o *regular) Stat(f *vfs.File) (linux.Stat, linux.Errno) {
	if f != nil && f.Path.Dentry != nil {
		return f.Path.Stat()
	}
	a, errno := o.i.Attr()
	return a.Stat(0), errno
}

// Pages implements vfs.FileOps.
func (o *regular) Pages(*vfs.File) (*mm.PageCache, linux.Errno) {
	o.s.mapped.Store(true)
	if o.writer != nil {
		o.mapped = true
	}
	return o.s.pages, 0
}

// Truncate implements vfs.FileOps.
func (o *regular) Truncate(_ *vfs.File, size int64) linux.Errno {
	if err := o.writer.Truncate(size); err != nil {
		return toErrno(err)
	}
	o.s.pages.SetSize(size)
	o.s.wrote()
	return 0
}

// Allocate implements vfs.FileOps: what the host can do, it does.
func (o *regular) Allocate(f *vfs.File, mode uint32, off, length int64) linux.Errno {
	const shift = linux.FALLOC_FL_COLLAPSE_RANGE | linux.FALLOC_FL_INSERT_RANGE
	const zeros = linux.FALLOC_FL_PUNCH_HOLE | linux.FALLOC_FL_ZERO_RANGE
	if !canAllocate {
		return o.imitateAllocate(f, mode, off, length)
	}
	if errno := o.flush(); errno != 0 {
		return errno
	}
	if errno := allocate(o.writer, mode, off, length); errno != 0 {
		return errno
	}
	st, errno := statFile(o.s.reader, o.s.id)
	if errno != 0 {
		return errno
	}
	pages := o.s.pages
	if mode&zeros != 0 {
		pages.Punch(off, min(length, max(pages.Size()-off, 0)))
	}
	pages.SetSize(st.attr.Size)
	o.s.wrote()
	if mode&shift != 0 {
		return pages.Reload(uint64(off) >> mm.PageShift)
	}
	return 0
}

// imitateAllocate is Allocate on a host that has no such call: it is asked for
// the size only, and a hole is made of zeros.
func (o *regular) imitateAllocate(f *vfs.File, mode uint32, off, length int64) linux.Errno {
	const keep, punch, zero = linux.FALLOC_FL_KEEP_SIZE, linux.FALLOC_FL_PUNCH_HOLE, linux.FALLOC_FL_ZERO_RANGE
	if mode&^(keep|punch|zero) != 0 {
		return linux.EOPNOTSUPP
	}
	if mode&(punch|zero) != 0 {
		const most = 64 << 20 // a hole in a sparse file of terabytes would take them
		if length > most && o.s.pages.Size()-off > most {
			return linux.EOPNOTSUPP
		}
		if errno := o.zero(f, off, min(length, o.s.pages.Size()-off)); errno != 0 {
			return errno
		}
	}
	if mode&keep != 0 {
		return 0
	}
	if off+length > o.s.pages.Size() {
		return o.Truncate(f, off+length)
	}
	return 0
}

// zero overwrites a range with zeros.
func (o *regular) zero(f *vfs.File, off, length int64) linux.Errno {
	var zeros [64 << 10]byte
	for length > 0 {
		n, errno := o.Write(f, zeros[:min(length, int64(len(zeros)))], off)
		if errno != 0 {
			return errno
		}
		off, length = off+int64(n), length-int64(n)
	}
	return 0
}

// Seek finds the next data or hole, which only the host knows.
func (o *regular) Seek(_ *vfs.File, off int64, whence int) (int64, linux.Errno) {
	if off < 0 || off >= o.s.refresh() {
		return 0, linux.ENXIO
	}
	if errno := o.flush(); errno != 0 {
		return 0, errno
	}
	return seekData(o.s.reader, off, whence)
}

// flush writes to the host what any mapping has written, if it can.
func (o *regular) flush() linux.Errno {
	if o.writer == nil || !o.s.mapped.Load() {
		return 0
	}
	return o.writeDirty()
}

// Sync implements vfs.FileOps: what shared mappings have written goes to the
// host, and the host is asked to store it.
func (o *regular) Sync(*vfs.File) linux.Errno {
	if o.writer == nil {
		return 0
	}
	if errno := o.writeBack(); errno != 0 {
		return errno
	}
	if err := o.writer.Sync(); err != nil {
		return toErrno(err)
	}
	return 0
}

// writeBack writes dirty pages to the host.
func (o *regular) writeBack() linux.Errno {
	if !o.mapped {
		return 0
	}
	return o.writeDirty()
}

func (o *regular) writeDirty() linux.Errno {
	size := o.s.pages.Size()
	errno := o.s.pages.Dirty(func(index uint64, page []byte) linux.Errno {
		off := int64(index) << mm.PageShift
		if off >= size {
			return 0
		}
		if _, err := o.writer.WriteAt(page[:min(size-off, mm.PageSize)], off); err != nil {
			return toErrno(err)
		}
		return 0
	})
	o.s.wrote()
	return errno
}

// Release implements vfs.FileOps.
func (o *regular) Release(*vfs.File) {
	if o.s != nil {
		o.writeBack()
		o.s.put(o.i.nameless && o.i.st.attr.Nlink == 0)
		if o.i.opens--; o.i.opens == 0 {
			o.i.file = nil
		}
	}
	if o.writer != nil {
		o.writer.Close()
		o.i.fs.writers--
		o.i.fs.changes()
	}
}

// truncate sets the size of the file.
func (i *Inode) truncate(size int64) linux.Errno {
	h, name, errno := i.at()
	if errno != 0 {
		return errno
	}
	f, errno := h.openFile(name, true)
	if errno != 0 {
		return errno
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return toErrno(err)
	}
	if i.file != nil {
		i.file.pages.SetSize(size)
		i.file.wrote()
	}
	return 0
}

// dirOps are the operations of an open directory. It lists what was there when
// it was opened or rewound.
type dirOps struct {
	vfs.NoOps
	i     *Inode
	list  []hostEntry
	fresh bool
}

// Read implements vfs.FileOps.
func (*dirOps) Read(*vfs.File, []byte, int64) (int, linux.Errno) { return 0, linux.EISDIR }

// Seekable implements vfs.FileOps.
func (*dirOps) Seekable() bool { return true }

// Sync implements vfs.FileOps.
func (*dirOps) Sync(*vfs.File) linux.Errno { return 0 }

// Stat implements vfs.FileOps.
func (o *dirOps) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }

// ReadDir implements vfs.FileOps. Position 0 is ".", 1 "..", and n+2 entry n.
func (o *dirOps) ReadDir(_ *vfs.File, _ *vfs.Context, pos int64, emit func(string, uint64, uint8, int64) bool) linux.Errno {
	const dtDir = linux.S_IFDIR >> 12
	if o.i.nameless {
		return linux.ENOENT
	}
	if pos == 0 && !o.fresh {
		h, errno := o.i.handle()
		if errno != 0 {
			return errno
		}
		if o.list, errno = h.list(); errno != 0 {
			return errno
		}
	}
	o.fresh = false
	parent := o.i.parent
	if parent == nil {
		parent = o.i
	}
	if pos == 0 && !emit(".", o.i.id.ino, dtDir, 1) {
		return 0
	}
	if pos <= 1 && !emit("..", parent.id.ino, dtDir, 2) {
		return 0
	}
	for k := max(pos-2, 0); k < int64(len(o.list)); k++ {
		e := &o.list[k]
		if !emit(e.name, e.ino, e.typ, k+3) {
			break
		}
	}
	return 0
}
