// Package iofs shows any io/fs.FS, read-only.
package iofs

import (
	"errors"
	"hash/fnv"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// FS shows an io/fs.FS. Its owner is root.
type FS struct {
	src    fs.FS
	acct   *mm.Account
	inodes map[string]*Inode // those in use, by name
}

// New shows src. File contents are charged to acct while files are open.
func New(src fs.FS, acct *mm.Account) *FS {
	return &FS{src: src, acct: acct, inodes: make(map[string]*Inode)}
}

// Type implements vfs.FileSystem.
func (f *FS) Type() string { return "iofs" }

// Root implements vfs.FileSystem.
func (f *FS) Root() vfs.Inode { return f.inode(".") }

// Statfs implements vfs.FileSystem.
func (f *FS) Statfs() (vfs.StatFS, linux.Errno) {
	return vfs.StatFS{Magic: linux.V9FS_MAGIC, Blksize: mm.PageSize, NameLen: linux.NAME_MAX}, 0
}

// Close implements vfs.FileSystem.
func (f *FS) Close() {}

// Inode is a file of the io/fs.FS.
type Inode struct {
	vfs.InodeCommon
	vfs.NoInode
	fs   *FS
	name string // for io/fs

	// While the file is open.
	opens int
	file  fs.File
	data  []byte // all of it, if file is no io.ReaderAt
	pages *mm.PageCache
}

func (f *FS) inode(name string) *Inode {
	if i := f.inodes[name]; i != nil {
		return i
	}
	i := &Inode{fs: f, name: name}
	f.inodes[name] = i
	return i
}

// Evict implements vfs.Inode.
func (i *Inode) Evict() { delete(i.fs.inodes, i.name) }

// ino makes an inode number of a name.
func ino(name string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, name)
	return h.Sum64()>>16 | 1
}

// Attr implements vfs.Inode.
func (i *Inode) Attr() (vfs.Attr, linux.Errno) {
	st, err := i.stat()
	if err != nil {
		return vfs.Attr{}, toErrno(err)
	}
	t := vfs.Time{Sec: st.ModTime().Unix(), Nsec: int64(st.ModTime().Nanosecond())}
	if st.ModTime().IsZero() {
		t = vfs.Time{}
	}
	return vfs.Attr{
		Ino: ino(i.name), Mode: mode(st.Mode()), Nlink: 1, Size: st.Size(), Blocks: (st.Size() + 511) / 512,
		Atime: t, Mtime: t, Ctime: t, Btime: t,
	}, 0
}

// stat does not follow symbolic links if the source has them.
func (i *Inode) stat() (fs.FileInfo, error) {
	return fs.Lstat(i.fs.src, i.name)
}

// mode turns Go's mode bits into Linux's. Read permission is given to all: what
// an io/fs.FS shows is there to be read.
func mode(m fs.FileMode) uint32 {
	bits := uint32(m.Perm()) | 0o444
	for _, b := range []struct {
		from fs.FileMode
		to   uint32
	}{{fs.ModeSetuid, linux.S_ISUID}, {fs.ModeSetgid, linux.S_ISGID}, {fs.ModeSticky, linux.S_ISVTX}} {
		if m&b.from != 0 {
			bits |= b.to
		}
	}
	switch {
	case m.IsDir():
		return linux.S_IFDIR | bits | 0o111
	case m&fs.ModeSymlink != 0:
		return linux.S_IFLNK | 0o777
	case m.IsRegular():
		return linux.S_IFREG | bits
	case m&fs.ModeNamedPipe != 0:
		return linux.S_IFIFO | bits
	case m&fs.ModeSocket != 0:
		return linux.S_IFSOCK | bits
	}
	return linux.S_IFCHR | bits
}

// Foreign implements vfs.Foreign.
func (i *Inode) Foreign() bool { return true }

// SetAttr implements vfs.Inode.
func (i *Inode) SetAttr(*vfs.Context, *vfs.SetAttr) linux.Errno { return linux.EROFS }

// Create implements vfs.Inode.
func (i *Inode) Create(*vfs.Context, string, uint32) (vfs.Inode, linux.Errno) {
	return nil, linux.EROFS
}

// Lookup implements vfs.Inode.
func (i *Inode) Lookup(_ *vfs.Context, name string) (vfs.Inode, linux.Errno) {
	full := path.Join(i.name, name)
	if !fs.ValidPath(full) {
		return nil, linux.ENOENT
	}
	if _, err := fs.Lstat(i.fs.src, full); err != nil {
		return nil, toErrno(err)
	}
	return i.fs.inode(full), 0
}

// Readlink implements vfs.Inode.
func (i *Inode) Readlink(*vfs.Context) (string, linux.Errno) {
	s, err := fs.ReadLink(i.fs.src, i.name)
	return s, toErrno(err)
}

// toErrno is the errno of an io/fs error.
func toErrno(err error) linux.Errno {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, fs.ErrNotExist):
		return linux.ENOENT
	case errors.Is(err, fs.ErrPermission):
		return linux.EACCES
	case errors.Is(err, fs.ErrInvalid):
		return linux.EINVAL
	}
	return linux.EIO
}

// Open implements vfs.Inode.
func (i *Inode) Open(_ *vfs.Context, flags uint32) (vfs.FileOps, linux.Errno) {
	st, err := i.stat()
	switch {
	case err != nil:
		return nil, toErrno(err)
	case flags&linux.O_ACCMODE != linux.O_RDONLY:
		return nil, linux.EROFS
	case st.IsDir():
		return &dirOps{i: i}, 0
	case !st.Mode().IsRegular():
		return nil, linux.ENXIO
	}
	if i.opens == 0 {
		if errno := i.load(); errno != 0 {
			return nil, errno
		}
	}
	i.opens++
	return regular{i: i}, 0
}

// load opens the source's file.
func (i *Inode) load() linux.Errno {
	f, err := i.fs.src.Open(i.name)
	if err != nil {
		return toErrno(err)
	}
	size := int64(0)
	if _, ok := f.(io.ReaderAt); ok {
		st, err := f.Stat()
		if err != nil {
			f.Close()
			return toErrno(err)
		}
		i.file, size = f, st.Size()
	} else {
		i.data, err = io.ReadAll(f)
		f.Close()
		if err != nil {
			return toErrno(err)
		}
		size = int64(len(i.data))
	}
	i.pages = mm.NewPageCache(i.fs.acct, i.fill)
	i.pages.SetSize(size)
	return 0
}

// fill reads a page.
func (i *Inode) fill(index uint64, page []byte) linux.Errno {
	off := int64(index) << mm.PageShift
	n := 0
	if i.file == nil {
		n = copy(page, i.data[min(off, int64(len(i.data))):])
	} else {
		var err error
		if n, err = i.file.(io.ReaderAt).ReadAt(page, off); err != nil && err != io.EOF {
			return linux.EIO
		}
	}
	clear(page[n:])
	return 0
}

// regular are the operations of an open file.
type regular struct {
	vfs.NoOps
	i *Inode
}

// Seekable implements vfs.FileOps.
func (regular) Seekable() bool { return true }

// Read implements vfs.FileOps.
func (o regular) Read(_ *vfs.File, p []byte, off int64) (int, linux.Errno) {
	n := min(int64(len(p)), o.i.pages.Size()-off)
	if n <= 0 {
		return 0, 0
	}
	return int(n), o.i.pages.ReadAt(p[:n], off)
}

// Stat implements vfs.FileOps.
func (o regular) Stat(f *vfs.File) (linux.Stat, linux.Errno) {
	if f.Path.Dentry != nil {
		return f.Path.Stat()
	}
	a, errno := o.i.Attr()
	return a.Stat(0), errno
}

// Pages implements vfs.FileOps.
func (o regular) Pages(*vfs.File) (*mm.PageCache, linux.Errno) { return o.i.pages, 0 }

// Sync implements vfs.FileOps.
func (regular) Sync(*vfs.File) linux.Errno { return 0 }

// Release implements vfs.FileOps.
func (o regular) Release(*vfs.File) {
	i := o.i
	if i.opens--; i.opens > 0 {
		return
	}
	i.pages.Release()
	if i.file != nil {
		i.file.Close()
	}
	i.pages, i.file, i.data = nil, nil, nil
}

// dirOps are the operations of an open directory.
type dirOps struct {
	vfs.NoOps
	i    *Inode
	list []fs.DirEntry // sorted by name
}

// Read implements vfs.FileOps.
func (*dirOps) Read(*vfs.File, []byte, int64) (int, linux.Errno) { return 0, linux.EISDIR }

// Seekable implements vfs.FileOps.
func (*dirOps) Seekable() bool { return true }

// Sync implements vfs.FileOps.
func (*dirOps) Sync(*vfs.File) linux.Errno { return 0 }

// Stat implements vfs.FileOps.
func (*dirOps) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }

// ReadDir implements vfs.FileOps. Position 0 is ".", 1 "..", and n+2 entry n.
func (o *dirOps) ReadDir(_ *vfs.File, _ *vfs.Context, pos int64, emit func(string, uint64, uint8, int64) bool) linux.Errno {
	const dtDir = linux.S_IFDIR >> 12
	if o.list == nil || pos == 0 {
		list, err := fs.ReadDir(o.i.fs.src, o.i.name)
		if err != nil {
			return toErrno(err)
		}
		slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		o.list = list
	}
	if pos == 0 && !emit(".", ino(o.i.name), dtDir, 1) {
		return 0
	}
	if pos <= 1 && !emit("..", ino(path.Dir(o.i.name)), dtDir, 2) {
		return 0
	}
	for k := max(pos-2, 0); k < int64(len(o.list)); k++ {
		e := o.list[k]
		if !emit(e.Name(), ino(path.Join(o.i.name, e.Name())), vfs.DirentType(mode(e.Type())), k+3) {
			break
		}
	}
	return 0
}
