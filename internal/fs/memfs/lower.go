package memfs

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// lower is what an inode has of the lower layer.
type lower struct {
	inode  vfs.Inode // holds a reference
	dirty  bool      // something here differs from the lower file
	xattrs bool      // its extended attributes have been fetched
	home   *dirent   // the name it was looked up by, as long as it is clean

	file  *vfs.File // the lower file, opened to read its data
	limit int64     // bytes of the lower file that still count after copy-up
}

// fromLower makes the inode of a lower file.
func (fs *FS) fromLower(li vfs.Inode, parent *Inode) (*Inode, linux.Errno) {
	if i := fs.lowers[li]; i != nil {
		return i, 0
	}
	a, errno := li.Attr()
	if errno != 0 {
		return nil, errno
	}
	fs.inodes++
	i := &Inode{fs: fs, low: &lower{inode: li}}
	vfs.HoldInode(li)
	i.attr = a
	i.attr.Ino, i.attr.Dev = fs.lowerIno(a.Dev, a.Ino), 0
	switch {
	case a.IsDir():
		i.dir = &directory{entries: make(map[string]*dirent), parent: parent}
	case a.Nlink > 1:
		fs.lowers[li] = i
	}
	if a.IsRegular() {
		i.list()
	}
	return i, 0
}

// lowerIno is the inode number shown for a lower file: its own, with the
// number of its device in the upper bits so that those of several devices do
// not collide.
func (fs *FS) lowerIno(dev, ino uint64) uint64 {
	const bits = 48
	k := slices.Index(fs.devs, dev)
	if k < 0 {
		k = len(fs.devs)
		fs.devs = append(fs.devs, dev)
	}
	return uint64(k)<<(bits+1) ^ ino
}

// lookupLower finds a name in the lower layer; e is its entry if it was listed
// before.
func (i *Inode) lookupLower(c *vfs.Context, name string, e *dirent) (*dirent, linux.Errno) {
	li, errno := i.low.inode.Lookup(c, name)
	if errno == linux.ENOENT && e != nil {
		i.dir.remove(e, false) // it was there when the directory was listed
	}
	if errno != 0 {
		return nil, errno
	}
	n, errno := i.fs.fromLower(li, i)
	if errno != 0 {
		return nil, errno
	}
	if e == nil {
		e = i.dir.add(name, n)
	}
	e.inode, e.lower = n, true
	if n.low.home == nil {
		n.low.home = e
	}
	return e, 0
}

// lowerHas reports whether the lower layer has a name.
func (i *Inode) lowerHas(c *vfs.Context, name string) bool {
	if i.low == nil {
		return false
	}
	li, errno := i.low.inode.Lookup(c, name)
	if errno == 0 && !li.Common().InUse() {
		li.Evict()
	}
	return errno == 0
}

// openLowerDir opens the lower directory; nil if there is none.
func (i *Inode) openLowerDir(c *vfs.Context) (*vfs.File, linux.Errno) {
	if i.low == nil || i.dead() {
		return nil, 0
	}
	ops, errno := i.low.inode.Open(c, linux.O_RDONLY|linux.O_DIRECTORY)
	if errno != 0 {
		return nil, errno
	}
	return vfs.NewFile(ops, linux.O_RDONLY), 0
}

// importNames brings the names of the lower layer up to date.
func (i *Inode) importNames(c *vfs.Context) linux.Errno {
	f, errno := i.openLowerDir(c)
	if errno != 0 || f == nil {
		return errno
	}
	defer f.Put()
	return i.importFrom(c, f)
}

// importFrom brings the names up to date from the open lower directory, unless
// that is nil.
func (i *Inode) importFrom(c *vfs.Context, f *vfs.File) linux.Errno {
	if f == nil {
		return 0
	}
	la, _ := i.low.inode.Attr()
	seen := make(map[string]bool)
	errno := f.Ops.ReadDir(f, c, 0, func(name string, ino uint64, typ uint8, _ int64) bool {
		if name == "." || name == ".." {
			return true
		}
		seen[name] = true
		e := i.dir.entries[name]
		if e == nil {
			e = i.dir.add(name, nil)
		}
		if e.inode == nil {
			e.typ, e.ino = typ, i.fs.lowerIno(la.Dev, ino)
		}
		e.lower = true
		return true
	})
	if errno != 0 {
		return errno
	}
	for _, e := range slices.Clone(i.dir.order) {
		if !e.gone && e.inode == nil && !e.white && !seen[e.name] {
			i.dir.remove(e, false)
		}
	}
	return 0
}

// Revalidate implements vfs.Revalidator: names that come from a lower layer
// that changes by itself are asked for again.
func (i *Inode) Revalidate(c *vfs.Context, name string, child vfs.Inode) bool {
	if i.low == nil {
		return true
	}
	rv, ok := i.low.inode.(vfs.Revalidator)
	if !ok {
		return true
	}
	if child == nil {
		if e := i.dir.entries[name]; e != nil && e.white {
			return true
		}
		return rv.Revalidate(c, name, nil)
	}
	n := child.(*Inode)
	if n.low == nil || n.low.dirty || n.pages != nil {
		return true
	}
	if rv.Revalidate(c, name, n.low.inode) {
		n.refresh()
		return true
	}
	if e := i.dir.entries[name]; e != nil && e.inode == n && n.clean() {
		e.inode = nil // looked up anew
		if n.low.home == e {
			n.low.home = nil
		}
		return false
	}
	return true
}

// refresh takes over the attributes of a lower file that may have changed.
func (i *Inode) refresh() {
	if a, errno := i.low.inode.Attr(); errno == 0 && a.Type() == i.attr.Type() {
		a.Ino, a.Dev = i.attr.Ino, 0
		i.attr = a
	}
}

// clean reports whether nothing would be lost with the inode.
func (i *Inode) clean() bool {
	if i.low == nil || i.low.dirty || i.pages != nil {
		return false
	}
	if i.dir == nil {
		return true
	}
	for _, e := range i.dir.order {
		if !e.gone && (e.inode != nil || e.white || !e.lower) {
			return false
		}
	}
	return true
}

// forget lets the inode of an unchanged lower file go: nobody uses it.
func (i *Inode) forget() {
	if !i.clean() || i.low.home == nil || i.attr.Nlink > 1 && i.dir == nil {
		return
	}
	i.low.home.inode = nil
	i.low.home.typ, i.low.home.ino = vfs.DirentType(i.attr.Mode), i.attr.Ino
	i.fs.inodes--
	i.dropXattrs()
	i.unlist()
	i.dropLower()
}

// dropLower lets the lower file go.
func (i *Inode) dropLower() {
	l := i.low
	if l == nil {
		return
	}
	i.closeLower()
	if i.fs.lowers[l.inode] == i {
		delete(i.fs.lowers, l.inode)
	}
	i.low = nil
	vfs.DropInode(l.inode)
}

func (i *Inode) closeLower() {
	if i.low.file != nil {
		i.low.file.Put()
		i.low.file = nil
	}
}

// openLower opens the lower file to read its data.
func (i *Inode) openLower(c *vfs.Context) linux.Errno {
	if i.low.file != nil {
		return 0
	}
	ops, errno := i.low.inode.Open(c, linux.O_RDONLY)
	if errno != 0 {
		return errno
	}
	i.low.file = vfs.NewFile(ops, linux.O_RDONLY)
	return 0
}

// copyUp prepares a lower file for being written: its pages are copied one by
// one, when they are first touched.
func (i *Inode) copyUp(c *vfs.Context) linux.Errno {
	if i.pages != nil || i.low == nil {
		return 0
	}
	if errno := i.openLower(c); errno != 0 {
		return errno
	}
	l := i.low
	st, errno := l.file.Ops.Stat(l.file)
	if errno != 0 {
		return errno
	}
	l.limit, l.dirty = st.Size, true
	i.pages = mm.NewPageCache(i.fs.o.Account, func(index uint64, page []byte) linux.Errno {
		return l.fill(int64(index)<<mm.PageShift, page)
	})
	i.pages.SetSize(st.Size)
	return 0
}

// fill reads a page of the lower file; what is beyond the limit is zero.
func (l *lower) fill(off int64, page []byte) linux.Errno {
	n := 0
	for n < len(page) && off+int64(n) < l.limit {
		want := min(int64(len(page)-n), l.limit-off-int64(n))
		k, errno := l.file.Ops.Read(l.file, page[n:n+int(want)], off+int64(n))
		if errno != 0 {
			return errno
		}
		if k == 0 {
			break // the lower file has become shorter
		}
		n += k
	}
	clear(page[n:])
	return 0
}

// Foreign implements vfs.Foreign.
func (i *Inode) Foreign() bool {
	if i.low == nil {
		return false
	}
	f, ok := i.low.inode.(vfs.Foreign)
	return ok && f.Foreign()
}
