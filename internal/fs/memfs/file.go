package memfs

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// Open implements vfs.Inode.
func (i *Inode) Open(c *vfs.Context, flags uint32) (vfs.FileOps, linux.Errno) {
	switch i.attr.Type() {
	case linux.S_IFDIR:
		low, errno := i.openLowerDir(c)
		return dirOps{i: i, low: low}, errno
	case linux.S_IFREG:
	default:
		return nil, linux.ENXIO
	}
	if i.low != nil && i.pages == nil {
		errno := i.openLower(c)
		if errno == 0 && flags&linux.O_ACCMODE != linux.O_RDONLY {
			errno = i.copyUp(c)
		}
		if errno != 0 {
			return nil, errno
		}
	}
	return regular{i: i}, 0
}

// OpenUnnamed makes and opens a regular file that has never had a name, as
// memfd_create does. Its contents go with the last reference.
func (fs *FS) OpenUnnamed(mode, uid, gid uint32) (*vfs.File, linux.Errno) {
	i, errno := fs.newInode(linux.S_IFREG|mode, uid, gid)
	if errno != 0 {
		return nil, errno
	}
	i.attr.Nlink = 0
	vfs.HoldInode(i)
	return vfs.NewFile(unnamed{regular{i: i}}, linux.O_RDWR), 0
}

// unnamed is a file without a path to hold its inode.
type unnamed struct{ regular }

// Release implements vfs.FileOps.
func (o unnamed) Release(*vfs.File) { vfs.DropInode(o.i) }

// Reopen implements vfs.Reopener.
func (o unnamed) Reopen(*vfs.Context, uint32) (vfs.FileOps, linux.Errno) {
	vfs.HoldInode(o.i)
	return o, 0
}

// cache returns the page cache of a file's own data, making it if need be.
func (i *Inode) cache() *mm.PageCache {
	if i.pages == nil {
		i.pages = mm.NewPageCache(i.fs.o.Account, nil)
		i.list()
	}
	return i.pages
}

// dropData frees the contents.
func (i *Inode) dropData() {
	if i.pages != nil {
		i.pages.SetSize(0)
		i.pages.Release()
		i.recount()
	}
	if i.low != nil {
		i.closeLower()
	}
}

// recount brings the file system's count of pages up to date.
func (i *Inode) recount() {
	n := int64(0)
	if i.pages != nil {
		n = int64(i.pages.Resident())
	}
	i.fs.pages += n - i.charged
	i.charged = n
}

// room returns how many of the n bytes at off fit under the size limit.
func (i *Inode) room(off, n int64) int64 {
	fs := i.fs
	if fs.o.Size == 0 {
		return n
	}
	i.recount()
	free := fs.o.Size>>mm.PageShift - fs.pages
	for p := off >> mm.PageShift; p<<mm.PageShift < off+n; p++ {
		if i.cache().Has(uint64(p)) {
			continue
		}
		if free--; free < 0 {
			return max(p<<mm.PageShift-off, 0)
		}
	}
	return n
}

// setSize truncates or extends.
func (i *Inode) setSize(n int64) linux.Errno {
	if !i.attr.IsRegular() {
		return linux.EINVAL
	}
	if i.low != nil && n == 0 {
		i.low.limit, i.low.dirty = 0, true // nothing of the lower file is left
	} else if i.low != nil {
		if errno := i.copyUp(nil); errno != 0 {
			return errno
		}
		i.low.limit = min(i.low.limit, n)
	}
	i.cache().SetSize(n)
	i.recount()
	return 0
}

// regular are the operations of an open regular file.
type regular struct {
	vfs.NoOps
	i *Inode
}

// Common lets locks of files without a path live on the inode.
func (o regular) Common() *vfs.InodeCommon { return o.i.Common() }

// Seekable implements vfs.FileOps.
func (regular) Seekable() bool { return true }

// Read implements vfs.FileOps.
func (o regular) Read(f *vfs.File, p []byte, off int64) (int, linux.Errno) {
	i := o.i
	if now := i.fs.now(); vfs.WantsAtime(f, &i.attr, now) {
		i.attr.Atime = now
	}
	if i.pages == nil {
		if i.low == nil {
			return 0, 0
		}
		return i.low.file.Ops.Read(i.low.file, p, off)
	}
	n := min(int64(len(p)), i.pages.Size()-off)
	if n <= 0 {
		return 0, 0
	}
	return int(n), i.pages.ReadAt(p[:n], off)
}

// Write implements vfs.FileOps.
func (o regular) Write(_ *vfs.File, p []byte, off int64) (int, linux.Errno) {
	i := o.i
	if len(p) == 0 {
		return 0, 0
	}
	n := i.room(off, int64(len(p)))
	if n == 0 {
		return 0, linux.ENOSPC
	}
	done, errno := i.cache().WriteAt(p[:n], off)
	i.recount()
	if done > 0 {
		i.touch()
		errno = 0
	}
	return done, errno
}

// Stat implements vfs.FileOps.
func (o regular) Stat(f *vfs.File) (linux.Stat, linux.Errno) {
	if f.Path.Dentry != nil {
		return f.Path.Stat()
	}
	a, _ := o.i.Attr()
	return a.Stat(vfs.MakeDev(0, vfs.ShmemMinor)), 0
}

// Pages implements vfs.FileOps.
func (o regular) Pages(*vfs.File) (*mm.PageCache, linux.Errno) {
	if o.i.pages == nil && o.i.low != nil {
		return o.i.low.file.Ops.Pages(o.i.low.file)
	}
	return o.i.cache(), 0
}

// Truncate implements vfs.FileOps.
func (o regular) Truncate(_ *vfs.File, size int64) linux.Errno {
	errno := o.i.setSize(size)
	if errno == 0 {
		o.i.touch()
	}
	return errno
}

// Sync implements vfs.FileOps.
func (regular) Sync(*vfs.File) linux.Errno { return 0 }

// Allocate implements vfs.FileOps: reserving space and punching holes, which
// is what tmpfs has.
func (o regular) Allocate(_ *vfs.File, mode uint32, off, length int64) linux.Errno {
	i := o.i
	if mode&^(linux.FALLOC_FL_KEEP_SIZE|linux.FALLOC_FL_PUNCH_HOLE) != 0 {
		return linux.EOPNOTSUPP
	}
	c := i.cache()
	if mode&linux.FALLOC_FL_PUNCH_HOLE != 0 {
		return i.punch(off, length)
	}
	old, end := c.Size(), off+length
	if a := i.fs.o.Account; a != nil && a.Limit() != 0 && length > a.Limit() || i.room(off, length) < length {
		return linux.ENOSPC
	}
	c.SetSize(max(old, end))
	var errno linux.Errno
	for p := off >> mm.PageShift; p<<mm.PageShift < end && errno == 0; p++ {
		if errno = c.Reserve(uint64(p)); errno == linux.ENOMEM {
			errno = linux.ENOSPC
		}
	}
	if errno != 0 || mode&linux.FALLOC_FL_KEEP_SIZE != 0 {
		c.SetSize(old)
	}
	i.recount()
	if errno == 0 {
		i.touch()
	}
	return errno
}

// touchPage makes sure that memory for a page is there.
func touchPage(c *mm.PageCache, p uint64) linux.Errno {
	f, errno := c.Page(p, false)
	if errno == linux.ENOMEM {
		return linux.ENOSPC
	}
	if errno == 0 {
		f.Put()
	}
	return errno
}

// punch makes a hole.
func (i *Inode) punch(off, length int64) linux.Errno {
	c := i.cache()
	length = min(length, c.Size()-off)
	if length <= 0 {
		return 0
	}
	if i.low != nil && off < i.low.limit {
		// Pages that are not here yet would come back from the lower file.
		for p := off >> mm.PageShift; p<<mm.PageShift < off+length; p++ {
			if errno := touchPage(c, uint64(p)); errno != 0 {
				return errno
			}
		}
	}
	c.Punch(off, length)
	i.recount()
	i.touch()
	return 0
}

// maxHole limits, in pages, how far one call looks for the end of a hole. To
// call a piece of a larger one data is allowed (lseek(2)).
const maxHole = 1 << 20

// seeker is a lower file that knows its holes.
type seeker interface {
	Seek(f *vfs.File, off int64, whence int) (int64, linux.Errno)
}

// Seek finds the next data or hole at or after off: whence is linux.SEEK_DATA
// or linux.SEEK_HOLE.
func (o regular) Seek(_ *vfs.File, off int64, whence int) (int64, linux.Errno) {
	i := o.i
	a, _ := i.Attr()
	if off < 0 || off >= a.Size {
		return 0, linux.ENXIO
	}
	if i.pages == nil && i.low != nil {
		if s, ok := i.low.file.Ops.(seeker); ok {
			return s.Seek(i.low.file, off, whence)
		}
	}
	hole := whence == linux.SEEK_HOLE
	first := off >> mm.PageShift
	for p := first; p<<mm.PageShift < a.Size; p++ {
		if i.hasData(p) != hole {
			return max(off, p<<mm.PageShift), 0
		}
		if p-first == maxHole && !hole {
			return p << mm.PageShift, 0
		}
	}
	if hole {
		return a.Size, 0
	}
	return 0, linux.ENXIO
}

// hasData reports whether page p is not a hole.
func (i *Inode) hasData(p int64) bool {
	if i.low != nil && (i.pages == nil || p<<mm.PageShift < i.low.limit) {
		return true
	}
	return i.pages != nil && i.pages.Data(uint64(p))
}
