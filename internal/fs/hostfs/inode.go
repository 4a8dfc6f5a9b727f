package hostfs

import (
	"os"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Inode is a file of the host. It is known by a name in a parent directory;
// if it has several, by the one looked up last.
type Inode struct {
	vfs.InodeCommon
	vfs.NoInode
	fs       *FS
	parent   *Inode // holds a reference; nil for the top
	name     string
	nameless bool // the name has been removed
	id       fileID
	st       hostStat // what the host told last
	seen     uint64   // and in which moment, see Options

	h          handle // of a directory
	listed     bool   // h is on the list
	prev, next *Inode

	file  *sharedFile // while it is open
	born  *os.File    // of a file that was made without a name
	opens int
}

// at returns the directory and the name to reach the file by.
func (i *Inode) at() (handle, string, linux.Errno) {
	if i.nameless {
		if f := i.open(); f != nil {
			if h := namelessHandle(f); h != nil {
				return h, "", 0
			}
		}
		return nil, "", linux.ENOENT
	}
	if i.parent == nil {
		h, errno := i.handle()
		return h, "", errno
	}
	h, errno := i.parent.handle()
	return h, i.name, errno
}

// open is an open descriptor of the file; nil if there is none.
func (i *Inode) open() *os.File {
	switch {
	case i.born != nil:
		return i.born
	case i.file != nil:
		return i.file.reader
	}
	return nil
}

// stat asks the host for the attributes.
func (i *Inode) stat() linux.Errno {
	if i.fs.o.Stable && i.st.id == i.id || i.fs.now() != 0 && i.seen == i.fs.now() {
		return 0
	}
	if i.nameless {
		if f := i.open(); f != nil {
			if st, errno := statFile(f, i.id); errno == 0 {
				i.st = st
				return 0
			}
		}
		i.st.attr.Nlink = 0
		return 0
	}
	h, name, errno := i.at()
	if errno != 0 {
		return errno
	}
	st, errno := h.stat(name)
	if errno == linux.ENOENT {
		// Removed by the host under our hands.
		i.st.attr.Nlink = 0
		return 0
	}
	if errno == 0 {
		i.see(st)
	}
	return errno
}

// now is the moment, or 0 if attributes may not be remembered.
func (fs *FS) now() uint64 {
	if fs.o.Moment == nil || fs.writers > 0 || fs.changed == *fs.o.Moment {
		return 0
	}
	return *fs.o.Moment
}

// changes notes that the guest changes something.
func (fs *FS) changes() {
	if fs.o.Moment != nil {
		fs.changed = *fs.o.Moment
	}
}

// mayChange is for a change that the guest is about to make.
func (fs *FS) mayChange() linux.Errno {
	if fs.o.ReadOnly {
		return linux.EROFS
	}
	fs.changes()
	return 0
}

// see notes what the host has just told.
func (i *Inode) see(st hostStat) { i.st, i.seen = st, i.fs.now() }

// Attr implements vfs.Inode.
func (i *Inode) Attr() (vfs.Attr, linux.Errno) {
	if errno := i.stat(); errno != 0 {
		return vfs.Attr{}, errno
	}
	a := i.st.attr
	if i.fs.o.Owner != nil {
		a.UID, a.GID = i.fs.o.Owner(a.UID, a.GID)
	}
	return a, 0
}

// Foreign implements vfs.Foreign. The named pipes of a writable folder connect
// guests of one machine; whatever the host does with them is separate.
func (i *Inode) Foreign() bool {
	return i.fs.o.ReadOnly || i.st.attr.Type() != linux.S_IFIFO
}

// Evict implements vfs.Inode.
func (i *Inode) Evict() {
	if i == i.fs.root {
		return
	}
	if i.fs.inodes[i.id] == i {
		delete(i.fs.inodes, i.id)
	}
	if i.listed {
		i.fs.dirs.remove(i)
	}
	if i.born != nil {
		i.born.Close()
		i.born = nil
	}
	if i.parent != nil {
		p := i.parent
		i.parent, i.nameless = nil, true
		vfs.DropInode(p)
	}
}

// known returns the inode of a host file that has just been found as name.
func (i *Inode) known(name string, st hostStat) *Inode {
	n := i.fs.inodes[st.id]
	if n == nil || n.st.attr.Type() != st.attr.Type() {
		n = &Inode{fs: i.fs, id: st.id}
		i.fs.inodes[st.id] = n
	}
	n.see(st)
	n.setName(i, name)
	return n
}

// setName notes the name by which the file is reached from now on.
func (i *Inode) setName(parent *Inode, name string) {
	if i == i.fs.root || i.parent == parent && i.name == name && !i.nameless {
		return
	}
	vfs.HoldInode(parent)
	old := i.parent
	i.parent, i.name, i.nameless = parent, name, false
	if old != nil {
		vfs.DropInode(old)
	}
}

// Lookup implements vfs.Inode.
func (i *Inode) Lookup(_ *vfs.Context, name string) (vfs.Inode, linux.Errno) {
	h, errno := i.handle()
	if errno != 0 {
		return nil, errno
	}
	st, errno := h.stat(name)
	if errno != 0 {
		return nil, errno
	}
	return i.known(name, st), 0
}

// Revalidate implements vfs.Revalidator: unless the folder is stable, the name
// must still lead to the same file.
func (i *Inode) Revalidate(_ *vfs.Context, name string, child vfs.Inode) bool {
	if i.fs.o.Stable {
		return true
	}
	if child == nil {
		return false
	}
	h, errno := i.handle()
	if errno != 0 {
		return false
	}
	st, errno := h.stat(name)
	n := child.(*Inode)
	if errno != 0 || st.id != n.id || st.attr.Type() != n.st.attr.Type() {
		return false
	}
	n.see(st)
	n.setName(i, name)
	return true
}

// Readlink implements vfs.Inode.
func (i *Inode) Readlink(*vfs.Context) (string, linux.Errno) {
	h, name, errno := i.at()
	if errno != 0 {
		return "", errno
	}
	return h.readlink(name)
}

// writable returns the directory handle for a change.
func (i *Inode) writable() (handle, linux.Errno) {
	if errno := i.fs.mayChange(); errno != 0 {
		return nil, errno
	}
	return i.handle()
}

// made finds the inode of a name that has just been made, and gives it the
// owner the guest expects if the host lets us.
func (i *Inode) made(c *vfs.Context, name string, errno linux.Errno) (vfs.Inode, linux.Errno) {
	if errno != 0 {
		return nil, errno
	}
	h, errno := i.handle()
	if errno != 0 {
		return nil, errno
	}
	if i.fs.o.Owner == nil && canChown {
		a, _ := i.Attr()
		uid, gid, _ := vfs.NewOwner(c, &a, 0)
		h.chown(name, int(uid), int(gid))
	}
	st, errno := h.stat(name)
	if errno != 0 {
		return nil, errno
	}
	return i.known(name, st), 0
}

// Create implements vfs.Inode.
func (i *Inode) Create(c *vfs.Context, name string, mode uint32) (vfs.Inode, linux.Errno) {
	h, errno := i.writable()
	if errno == 0 {
		errno = h.create(name, mode)
	}
	return i.made(c, name, errno)
}

// Tmpfile implements vfs.Inode.
func (i *Inode) Tmpfile(c *vfs.Context, mode uint32) (vfs.Inode, linux.Errno) {
	h, errno := i.writable()
	if errno != 0 {
		return nil, errno
	}
	f, errno := h.tmpfile(mode)
	if errno != 0 {
		return nil, errno
	}
	if i.fs.o.Owner == nil && canChown {
		a, _ := i.Attr()
		uid, gid, _ := vfs.NewOwner(c, &a, 0)
		f.Chown(int(uid), int(gid))
	}
	st, errno := statFile(f, fileID{})
	if errno != 0 {
		f.Close()
		return nil, errno
	}
	n := &Inode{fs: i.fs, id: st.id, st: st, nameless: true, born: f}
	i.fs.inodes[st.id] = n
	return n, 0
}

// Mkdir implements vfs.Inode.
func (i *Inode) Mkdir(c *vfs.Context, name string, mode uint32) (vfs.Inode, linux.Errno) {
	h, errno := i.writable()
	if errno == 0 {
		if i.st.attr.Mode&linux.S_ISGID != 0 {
			mode |= linux.S_ISGID
		}
		errno = h.mkdir(name, mode)
	}
	return i.made(c, name, errno)
}

// Mknod implements vfs.Inode: named pipes and sockets, of which the host has
// only the node.
func (i *Inode) Mknod(c *vfs.Context, name string, mode uint32, _ uint64) (vfs.Inode, linux.Errno) {
	if t := mode & linux.S_IFMT; t != linux.S_IFIFO && t != linux.S_IFSOCK {
		return nil, linux.EPERM
	}
	h, errno := i.writable()
	if errno == 0 {
		errno = h.mknod(name, mode)
	}
	return i.made(c, name, errno)
}

// Symlink implements vfs.Inode.
func (i *Inode) Symlink(c *vfs.Context, name, target string) (vfs.Inode, linux.Errno) {
	h, errno := i.writable()
	if errno == 0 {
		errno = h.symlink(target, name)
	}
	return i.made(c, name, errno)
}

// Link implements vfs.Inode.
func (i *Inode) Link(_ *vfs.Context, name string, target vfs.Inode) linux.Errno {
	h, errno := i.writable()
	if errno != 0 {
		return errno
	}
	t := target.(*Inode)
	from, old, errno := t.at()
	if errno != 0 {
		return errno
	}
	if errno = from.link(old, h, name); errno == 0 && t.nameless {
		t.setName(i, name)
	}
	return errno
}

// Unlink implements vfs.Inode.
func (i *Inode) Unlink(_ *vfs.Context, name string, child vfs.Inode) linux.Errno {
	return i.remove(name, child.(*Inode), false)
}

// Rmdir implements vfs.Inode.
func (i *Inode) Rmdir(_ *vfs.Context, name string, child vfs.Inode) linux.Errno {
	return i.remove(name, child.(*Inode), true)
}

func (i *Inode) remove(name string, n *Inode, dir bool) linux.Errno {
	h, errno := i.writable()
	if errno != 0 {
		return errno
	}
	if errno := h.unlink(name, dir); errno != 0 {
		return errno
	}
	n.unnamed(i, name)
	return 0
}

// unnamed notes that a name of the file is gone.
func (i *Inode) unnamed(parent *Inode, name string) {
	if i.parent == parent && i.name == name {
		i.nameless = true
		if i.st.attr.Nlink--; i.st.attr.IsDir() {
			i.st.attr.Nlink = 0
		}
	}
}

// Rename implements vfs.Inode.
func (i *Inode) Rename(_ *vfs.Context, r *vfs.Rename) linux.Errno {
	if _, errno := i.writable(); errno != 0 {
		return errno
	}
	to := r.NewDir.(*Inode)
	th, errno := to.handle()
	if errno != 0 {
		return errno
	}
	h, errno := i.handle()
	if errno != 0 { // opening the other may have closed it
		return errno
	}
	if errno := h.rename(r.OldName, th, r.NewName, r.Flags); errno != 0 {
		return errno
	}
	if r.Target != nil {
		t := r.Target.(*Inode)
		if r.Flags&linux.RENAME_EXCHANGE != 0 {
			t.setName(i, r.OldName)
		} else {
			t.unnamed(to, r.NewName)
		}
	}
	r.Child.(*Inode).setName(to, r.NewName)
	return 0
}

// SetAttr implements vfs.Inode.
func (i *Inode) SetAttr(_ *vfs.Context, s *vfs.SetAttr) linux.Errno {
	if errno := i.fs.mayChange(); errno != 0 {
		return errno
	}
	if s.Mask&vfs.SetSize != 0 {
		if errno := i.truncate(s.Size); errno != 0 {
			return errno
		}
	}
	h, name, errno := i.at()
	if errno != 0 {
		if s.Mask == vfs.SetSize {
			return 0
		}
		return errno
	}
	if errno := i.setOwner(h, name, s); errno != 0 {
		return errno
	}
	if s.Mask&vfs.SetMode != 0 {
		if errno := h.chmod(name, s.Mode&0o7777); errno != 0 {
			return errno
		}
	}
	if s.Mask&(vfs.SetAtime|vfs.SetMtime) != 0 {
		return i.setTimes(h, name, s)
	}
	return 0
}

// setOwner changes the owner. Where owners are mapped only the one that is
// shown can be set, to no effect.
func (i *Inode) setOwner(h handle, name string, s *vfs.SetAttr) linux.Errno {
	if s.Mask&(vfs.SetUID|vfs.SetGID) == 0 {
		return 0
	}
	uid, gid := -1, -1
	if s.Mask&vfs.SetUID != 0 {
		uid = int(s.UID)
	}
	if s.Mask&vfs.SetGID != 0 {
		gid = int(s.GID)
	}
	if i.fs.o.Owner == nil {
		return h.chown(name, uid, gid)
	}
	a, errno := i.Attr()
	if errno == 0 && (uid >= 0 && s.UID != a.UID || gid >= 0 && s.GID != a.GID) {
		errno = linux.EPERM
	}
	return errno
}

func (i *Inode) setTimes(h handle, name string, s *vfs.SetAttr) linux.Errno {
	if errno := i.stat(); errno != 0 {
		return errno
	}
	atime, mtime := i.st.attr.Atime, i.st.attr.Mtime
	if s.Mask&vfs.SetAtime != 0 {
		atime = s.Atime
	}
	if s.Mask&vfs.SetMtime != 0 {
		mtime = s.Mtime
	}
	if errno := h.utimes(name, atime, mtime); errno != 0 {
		return errno
	}
	i.touched()
	return 0
}

// GetXattr implements vfs.Inode.
func (i *Inode) GetXattr(attr string) ([]byte, linux.Errno) {
	h, name, errno := i.at()
	if errno != 0 {
		return nil, errno
	}
	return h.getXattr(name, attr)
}

// SetXattr implements vfs.Inode.
func (i *Inode) SetXattr(_ *vfs.Context, attr string, value []byte, flags int) linux.Errno {
	if errno := i.fs.mayChange(); errno != 0 {
		return errno
	}
	h, name, errno := i.at()
	if errno != 0 {
		return errno
	}
	return h.setXattr(name, attr, value, flags)
}

// ListXattr implements vfs.Inode.
func (i *Inode) ListXattr() ([]string, linux.Errno) {
	h, name, errno := i.at()
	if errno != 0 {
		return nil, errno
	}
	return h.listXattr(name)
}

// RemoveXattr implements vfs.Inode.
func (i *Inode) RemoveXattr(_ *vfs.Context, attr string) linux.Errno {
	if errno := i.fs.mayChange(); errno != 0 {
		return errno
	}
	h, name, errno := i.at()
	if errno != 0 {
		return errno
	}
	return h.removeXattr(name, attr)
}
