package memfs

import (
	"maps"
	"slices"
	"strings"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// Inode is a file of any kind.
type Inode struct {
	vfs.InodeCommon
	fs     *FS
	attr   vfs.Attr // Size and Blocks only as far as data does not tell
	dir    *directory
	target string // of a symbolic link
	xattrs map[string][]byte

	// Regular files.
	pages   *mm.PageCache // nil: empty so far, or all data is the lower file's
	charged int64         // pages counted in fs.pages

	low *lower // what it was looked up as; nil if made here

	prev, next *Inode // list of those with contents
}

// newInode makes an inode without a name, with link count 1 (2 for
// directories). ENOSPC if there are too many.
func (fs *FS) newInode(mode, uid, gid uint32) (*Inode, linux.Errno) {
	if fs.o.Inodes != 0 && fs.inodes >= fs.o.Inodes {
		return nil, linux.ENOSPC
	}
	fs.inodes++
	fs.nextIno++
	now := fs.now()
	i := &Inode{fs: fs}
	i.attr = vfs.Attr{
		Ino: fs.nextIno, Mode: mode, Nlink: 1, UID: uid, GID: gid,
		Atime: now, Mtime: now, Ctime: now, Btime: now,
	}
	if i.attr.IsDir() {
		i.attr.Nlink = 2
		i.dir = &directory{entries: make(map[string]*dirent)}
	}
	return i, 0
}

// Attr implements vfs.Inode.
func (i *Inode) Attr() (vfs.Attr, linux.Errno) {
	a := i.attr
	switch {
	case i.pages != nil:
		a.Size, a.Blocks = i.pages.Size(), int64(i.pages.Resident())*(mm.PageSize/512)
		if i.low != nil && i.low.limit > 0 {
			a.Blocks = max(a.Blocks, (a.Size+511)/512)
		}
	case a.IsDir():
		const perEntry = 20 // BOGO_DIRENT_SIZE of tmpfs
		a.Size = int64(i.dir.visible+2) * perEntry
		if i.fs.o.Type != "tmpfs" {
			a.Size = mm.PageSize
		}
	}
	return a, 0
}

// SetAttr implements vfs.Inode.
func (i *Inode) SetAttr(_ *vfs.Context, s *vfs.SetAttr) linux.Errno {
	if s.Mask&vfs.SetSize != 0 {
		if errno := i.setSize(s.Size); errno != 0 {
			return errno
		}
	}
	i.changed()
	s.Apply(&i.attr, i.fs.now())
	return 0
}

// changed notes that the inode differs from its lower file, if it has one.
func (i *Inode) changed() {
	if i.low != nil {
		i.low.dirty = true
	}
}

// touch sets change and modification time.
func (i *Inode) touch() {
	i.changed()
	now := i.fs.now()
	i.attr.Mtime, i.attr.Ctime = now, now
}

// unlinked takes one link away.
func (i *Inode) unlinked() {
	i.changed()
	i.attr.Ctime = i.fs.now()
	if i.attr.Nlink > 0 {
		i.attr.Nlink--
	}
	if i.attr.IsDir() {
		i.attr.Nlink = 0
	}
	if i.attr.Nlink == 0 && !i.InUse() {
		i.Evict()
	}
}

// Evict implements vfs.Inode: a file without names is freed, and one that is as
// its lower file is forgotten.
func (i *Inode) Evict() {
	if i.attr.Nlink != 0 {
		i.forget()
		return
	}
	if i.attr.Ino == 0 {
		return // evicted before
	}
	i.attr.Ino = 0
	i.fs.inodes--
	i.dropXattrs()
	i.dropData()
	i.unlist()
	i.dropLower()
	if i.dir != nil {
		i.dir.clear()
	}
}

// list puts the inode on the list of those with contents.
func (i *Inode) list() {
	fs := i.fs
	if i.prev != nil || fs.all == i {
		return
	}
	i.next = fs.all
	if i.next != nil {
		i.next.prev = i
	}
	fs.all = i
}

func (i *Inode) unlist() {
	switch {
	case i.prev != nil:
		i.prev.next = i.next
	case i.fs.all == i:
		i.fs.all = i.next
	default:
		return
	}
	if i.next != nil {
		i.next.prev = i.prev
	}
	i.prev, i.next = nil, nil
}

// Readlink implements vfs.Inode.
func (i *Inode) Readlink(c *vfs.Context) (string, linux.Errno) {
	if !i.attr.IsSymlink() {
		return "", linux.EINVAL
	}
	if i.target == "" && i.low != nil {
		return i.low.inode.Readlink(c)
	}
	return i.target, 0
}

// maxXattrBytes limits the attributes of the whole file system in proportion to
// the number of inodes it may have: they are not in accounted memory.
func (fs *FS) maxXattrBytes() int64 {
	if fs.o.Inodes == 0 {
		return 1 << 30
	}
	return max(fs.o.Inodes*128, 1<<20)
}

// maxXattrs limits the attributes of one inode, names included, in bytes.
const maxXattrs = 128 << 10

// loadXattrs fetches the attributes of the lower file once.
func (i *Inode) loadXattrs() {
	if i.low == nil || i.low.xattrs {
		return
	}
	i.low.xattrs = true
	names, _ := i.low.inode.ListXattr()
	for _, n := range names {
		if v, errno := i.low.inode.GetXattr(n); errno == 0 {
			i.fs.xattrBytes += int64(len(n) + len(v))
			i.putXattr(n, v)
		}
	}
}

func (i *Inode) putXattr(name string, value []byte) {
	if i.xattrs == nil {
		i.xattrs = make(map[string][]byte)
	}
	i.xattrs[name] = slices.Clone(value)
}

// dropXattrs forgets all attributes.
func (i *Inode) dropXattrs() {
	for name, v := range i.xattrs {
		i.fs.xattrBytes -= int64(len(name) + len(v))
	}
	i.xattrs = nil
}

// storable reports whether the name space is one that is kept.
func storable(name string) bool {
	for _, prefix := range []string{"user.", "trusted.", "security."} {
		if strings.HasPrefix(name, prefix) && len(name) > len(prefix) {
			return true
		}
	}
	return false
}

// GetXattr implements vfs.Inode.
func (i *Inode) GetXattr(name string) ([]byte, linux.Errno) {
	if !storable(name) {
		return nil, linux.EOPNOTSUPP
	}
	i.loadXattrs()
	v, ok := i.xattrs[name]
	if !ok {
		return nil, linux.ENODATA
	}
	return v, 0
}

// SetXattr implements vfs.Inode.
func (i *Inode) SetXattr(_ *vfs.Context, name string, value []byte, flags int) linux.Errno {
	if !storable(name) {
		return linux.EOPNOTSUPP
	}
	i.loadXattrs()
	_, exists := i.xattrs[name]
	switch {
	case exists && flags&linux.XATTR_CREATE != 0:
		return linux.EEXIST
	case !exists && flags&linux.XATTR_REPLACE != 0:
		return linux.ENODATA
	}
	total := len(name) + len(value)
	for n, v := range i.xattrs {
		if n != name {
			total += len(n) + len(v)
		}
	}
	grow := int64(len(name) + len(value))
	if exists {
		grow = int64(len(value) - len(i.xattrs[name]))
	}
	if total > maxXattrs || i.fs.xattrBytes+grow > i.fs.maxXattrBytes() {
		return linux.ENOSPC
	}
	i.fs.xattrBytes += grow
	i.putXattr(name, value)
	i.changed()
	i.attr.Ctime = i.fs.now()
	return 0
}

// ListXattr implements vfs.Inode.
func (i *Inode) ListXattr() ([]string, linux.Errno) {
	i.loadXattrs()
	return slices.Sorted(maps.Keys(i.xattrs)), 0
}

// RemoveXattr implements vfs.Inode.
func (i *Inode) RemoveXattr(_ *vfs.Context, name string) linux.Errno {
	if !storable(name) {
		return linux.EOPNOTSUPP
	}
	i.loadXattrs()
	if _, ok := i.xattrs[name]; !ok {
		return linux.ENODATA
	}
	i.fs.xattrBytes -= int64(len(name) + len(i.xattrs[name]))
	delete(i.xattrs, name)
	i.changed()
	i.attr.Ctime = i.fs.now()
	return 0
}
