package memfs

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// directory is the part of an inode that only directories have.
type directory struct {
	parent  *Inode
	entries map[string]*dirent
	order   []*dirent // by seq, with removed ones in between
	removed int       // removed entries in order
	nextSeq int64
	visible int // entries that are neither removed nor whiteouts
}

// dirent is a name in a directory. Its sequence number is its position for
// getdents, so positions stay valid when others come and go.
type dirent struct {
	name  string
	inode *Inode // nil: a whiteout, or a lower file not looked up yet
	seq   int64
	white bool   // removed here, but the lower layer has it
	lower bool   // the lower layer has the name
	gone  bool   // no longer in the directory
	typ   uint8  // of a lower file not looked up yet
	ino   uint64 // likewise
}

// Positions of "." and ".." come before those of entries.
const firstSeq = 2

const dtDir = linux.S_IFDIR >> 12 // DT_DIR

// add enters a name; i may be nil for a lower file.
func (d *directory) add(name string, i *Inode) *dirent {
	e := d.entries[name]
	if e == nil || !e.white {
		e = &dirent{name: name}
		d.entries[name] = e
		e.seq = firstSeq + d.nextSeq
		d.nextSeq++
		d.order = append(d.order, e)
	}
	e.white, e.inode = false, i
	d.visible++
	return e
}

// remove takes e out; white leaves a whiteout in its place.
func (d *directory) remove(e *dirent, white bool) {
	d.visible--
	e.inode = nil
	if white {
		e.white = true
		return
	}
	e.gone = true
	delete(d.entries, e.name)
	d.removed++
	if d.removed > 32 && d.removed > len(d.order)/2 {
		d.order = slices.DeleteFunc(d.order, func(e *dirent) bool { return e.gone })
		d.removed = 0
	}
}

// clear breaks the links from a removed directory.
func (d *directory) clear() {
	d.entries, d.order, d.removed, d.visible = nil, nil, 0, 0
}

// dead reports whether the directory has been removed.
func (i *Inode) dead() bool { return i.attr.Nlink == 0 }

// Lookup implements vfs.Inode.
func (i *Inode) Lookup(c *vfs.Context, name string) (vfs.Inode, linux.Errno) {
	e, errno := i.entry(c, name)
	if errno != 0 {
		return nil, errno
	}
	return e.inode, 0
}

// entry finds a name, in the lower layer too, and makes sure that it has an
// inode.
func (i *Inode) entry(c *vfs.Context, name string) (*dirent, linux.Errno) {
	if i.dir == nil {
		return nil, linux.ENOTDIR
	}
	e := i.dir.entries[name]
	switch {
	case e != nil && e.white:
		return nil, linux.ENOENT
	case e != nil && e.inode != nil:
		return e, 0
	case i.low == nil:
		return nil, linux.ENOENT
	}
	return i.lookupLower(c, name, e)
}

// newChild makes an inode owned by the caller for the new name of a directory.
func (i *Inode) newChild(c *vfs.Context, name string, mode uint32) (*Inode, linux.Errno) {
	if i.dir == nil {
		return nil, linux.ENOTDIR
	}
	if i.dead() {
		return nil, linux.ENOENT
	}
	uid, gid, mode := vfs.NewOwner(c, &i.attr, mode)
	n, errno := i.fs.newInode(mode, uid, gid)
	if errno != 0 {
		return nil, errno
	}
	if n.dir != nil {
		n.dir.parent = i
		i.attr.Nlink++
	}
	i.link(c, name, n)
	return n, 0
}

// link enters the name of n, whose link count includes it.
func (i *Inode) link(c *vfs.Context, name string, n *Inode) {
	e := i.dir.add(name, n)
	e.lower = e.lower || i.lowerHas(c, name)
	i.touch()
}

// Create implements vfs.Inode.
func (i *Inode) Create(c *vfs.Context, name string, mode uint32) (vfs.Inode, linux.Errno) {
	return wrap(i.newChild(c, name, linux.S_IFREG|mode))
}

// Mkdir implements vfs.Inode.
func (i *Inode) Mkdir(c *vfs.Context, name string, mode uint32) (vfs.Inode, linux.Errno) {
	return wrap(i.newChild(c, name, linux.S_IFDIR|mode))
}

// Mknod implements vfs.Inode.
func (i *Inode) Mknod(c *vfs.Context, name string, mode uint32, rdev uint64) (vfs.Inode, linux.Errno) {
	n, errno := i.newChild(c, name, mode)
	if errno == 0 {
		n.attr.Rdev = rdev
	}
	return wrap(n, errno)
}

// Symlink implements vfs.Inode.
func (i *Inode) Symlink(c *vfs.Context, name, target string) (vfs.Inode, linux.Errno) {
	n, errno := i.newChild(c, name, linux.S_IFLNK|0o777)
	if errno == 0 {
		n.target, n.attr.Size = target, int64(len(target))
	}
	return wrap(n, errno)
}

// Tmpfile implements vfs.Inode.
func (i *Inode) Tmpfile(c *vfs.Context, mode uint32) (vfs.Inode, linux.Errno) {
	if i.dead() {
		return nil, linux.ENOENT
	}
	uid, gid, mode := vfs.NewOwner(c, &i.attr, linux.S_IFREG|mode)
	n, errno := i.fs.newInode(mode, uid, gid)
	if errno == 0 {
		n.attr.Nlink = 0
	}
	return wrap(n, errno)
}

// wrap avoids an interface that holds a nil pointer.
func wrap(n *Inode, errno linux.Errno) (vfs.Inode, linux.Errno) {
	if errno != 0 {
		return nil, errno
	}
	return n, 0
}

// Link implements vfs.Inode.
func (i *Inode) Link(c *vfs.Context, name string, target vfs.Inode) linux.Errno {
	if i.dead() {
		return linux.ENOENT
	}
	n := target.(*Inode)
	n.changed()
	n.attr.Nlink++
	n.attr.Ctime = i.fs.now()
	i.link(c, name, n)
	return 0
}

// Unlink implements vfs.Inode.
func (i *Inode) Unlink(c *vfs.Context, name string, _ vfs.Inode) linux.Errno {
	e, errno := i.entry(c, name)
	if errno != 0 {
		return errno
	}
	i.unlink(e)
	return 0
}

// unlink removes the name of a file or of an empty directory.
func (i *Inode) unlink(e *dirent) {
	n := e.inode
	if n.dir != nil {
		i.attr.Nlink--
	}
	i.dir.remove(e, e.lower)
	i.touch()
	n.unlinked()
}

// Rmdir implements vfs.Inode.
func (i *Inode) Rmdir(c *vfs.Context, name string, _ vfs.Inode) linux.Errno {
	e, errno := i.entry(c, name)
	if errno != 0 {
		return errno
	}
	if errno := e.inode.mustBeEmpty(c); errno != 0 {
		return errno
	}
	i.unlink(e)
	return 0
}

// mustBeEmpty checks that a directory can be removed.
func (i *Inode) mustBeEmpty(c *vfs.Context) linux.Errno {
	if i.dir == nil {
		return linux.ENOTDIR
	}
	if errno := i.importNames(c); errno != 0 {
		return errno
	}
	if i.dir.visible > 0 {
		return linux.ENOTEMPTY
	}
	return 0
}

// Rename implements vfs.Inode.
func (i *Inode) Rename(c *vfs.Context, r *vfs.Rename) linux.Errno {
	to := r.NewDir.(*Inode)
	if to.dead() {
		return linux.ENOENT
	}
	e, errno := i.entry(c, r.OldName)
	if errno != 0 {
		return errno
	}
	t, errno := to.entry(c, r.NewName)
	if errno != 0 && errno != linux.ENOENT {
		return errno
	}
	if r.Flags&linux.RENAME_EXCHANGE != 0 {
		if t == nil {
			return linux.ENOENT
		}
		i.exchange(e, to, t)
		return 0
	}
	if t != nil {
		if t.inode.dir != nil {
			if errno := t.inode.mustBeEmpty(c); errno != 0 {
				return errno
			}
		}
		to.unlink(t)
	}
	n := e.inode
	i.dir.remove(e, e.lower)
	to.link(c, r.NewName, n)
	if n.dir != nil {
		i.attr.Nlink--
		to.attr.Nlink++
		n.dir.parent = to
	}
	i.touch()
	n.moved()
	return 0
}

// moved notes a change of name.
func (i *Inode) moved() {
	i.changed()
	i.attr.Ctime = i.fs.now()
}

// exchange swaps two entries.
func (i *Inode) exchange(e *dirent, to *Inode, t *dirent) {
	a, b := e.inode, t.inode
	e.inode, t.inode = b, a
	if a.dir != nil {
		i.attr.Nlink--
		to.attr.Nlink++
		a.dir.parent = to
	}
	if b.dir != nil {
		to.attr.Nlink--
		i.attr.Nlink++
		b.dir.parent = i
	}
	a.moved()
	b.moved()
	i.touch()
	to.touch()
}

// dirOps are the operations of an open directory.
type dirOps struct {
	vfs.NoOps
	i   *Inode
	low *vfs.File // the lower directory, if there is one
}

// Read implements vfs.FileOps.
func (dirOps) Read(*vfs.File, []byte, int64) (int, linux.Errno) { return 0, linux.EISDIR }

// Seekable implements vfs.FileOps.
func (dirOps) Seekable() bool { return true }

// Sync implements vfs.FileOps.
func (dirOps) Sync(*vfs.File) linux.Errno { return 0 }

// Release implements vfs.FileOps.
func (o dirOps) Release(*vfs.File) {
	if o.low != nil {
		o.low.Put()
	}
}

// Stat implements vfs.FileOps.
func (o dirOps) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }

// ReadDir implements vfs.FileOps.
func (o dirOps) ReadDir(f *vfs.File, c *vfs.Context, pos int64, emit func(string, uint64, uint8, int64) bool) linux.Errno {
	i := o.i
	if i.dead() {
		return linux.ENOENT
	}
	if pos == 0 {
		if errno := i.importFrom(c, o.low); errno != 0 {
			return errno
		}
		if now := i.fs.now(); vfs.WantsAtime(f, &i.attr, now) {
			i.attr.Atime = now
		}
		if !emit(".", i.attr.Ino, dtDir, 1) {
			return 0
		}
	}
	if pos <= 1 && !emit("..", i.dir.parent.attr.Ino, dtDir, firstSeq) {
		return 0
	}
	k, _ := slices.BinarySearchFunc(i.dir.order, pos, func(e *dirent, pos int64) int { return int(e.seq - pos) })
	for _, e := range i.dir.order[k:] {
		if e.gone || e.white {
			continue
		}
		ino, typ := e.ino, e.typ
		if e.inode != nil {
			ino, typ = e.inode.attr.Ino, vfs.DirentType(e.inode.attr.Mode)
		}
		if !emit(e.name, ino, typ, e.seq+1) {
			break
		}
	}
	return 0
}
