package vfs

import "github.com/tinevm/tine/internal/linux"

// AnonStat is what fstat(2) tells of an object without an inode of its own.
func AnonStat() linux.Stat {
	return linux.Stat{Dev: MakeDev(0, AnonMinor), Ino: 1, Mode: 0o600, Nlink: 1, Blksize: 4096}
}

// Reopener is implemented by files without a name that can be opened again
// through /proc/PID/fd, as pipes can.
type Reopener interface {
	Reopen(c *Context, flags uint32) (FileOps, linux.Errno)
}

// Bindable is implemented by files without a name that a bind mount can give one:
// namespaces.
type Bindable interface {
	// BindName is what mountinfo shows as root of the mount.
	BindName() string
	// Mounts is the file's own mount namespace, if it is one.
	Mounts() *Namespace
}

// anonFS is a file system with nothing but one open file in it.
type anonFS struct {
	inode *anonInode
	owned bool // the file goes with the file system
}

func (a anonFS) Type() string {
	if _, ok := a.inode.f.Ops.(Bindable); ok {
		return "nsfs"
	}
	return "anon"
}

func (a anonFS) Root() Inode                 { return a.inode }
func (anonFS) Statfs() (StatFS, linux.Errno) { return StatFS{Blksize: 4096, NameLen: 255}, 0 }

func (a anonFS) Close() {
	if a.owned {
		a.inode.f.Put()
	}
}

// anonInode stands for an open file that has no inode of its own.
type anonInode struct {
	InodeCommon
	NoInode
	f *File
}

// Attr implements Inode.
func (i *anonInode) Attr() (Attr, linux.Errno) {
	st, errno := i.f.Ops.Stat(i.f)
	return Attr{
		Dev: st.Dev, Ino: st.Ino, Mode: st.Mode, Rdev: st.Rdev, Nlink: uint32(st.Nlink), UID: st.Uid, GID: st.Gid, Size: st.Size,
		Blksize: uint32(st.Blksize),
		Atime:   Time{st.Atim.Sec, st.Atim.Nsec}, Mtime: Time{st.Mtim.Sec, st.Mtim.Nsec}, Ctime: Time{st.Ctim.Sec, st.Ctim.Nsec},
	}, errno
}

// SetAttr implements Inode: truncating a pipe or a device does nothing.
func (i *anonInode) SetAttr(_ *Context, s *SetAttr) linux.Errno {
	if s.Mask&^SetSize == 0 {
		return 0
	}
	return linux.EPERM
}

// reopen makes another open file of the same object. Like the first it has no
// place in the tree.
func (i *anonInode) reopen(c *Context, flags uint32) (*File, linux.Errno) {
	r, ok := i.f.Ops.(Reopener)
	if !ok {
		return nil, linux.ENXIO
	}
	ops, errno := r.Reopen(c, flags)
	if errno != 0 {
		return nil, errno
	}
	return NewFile(ops, flags&^creationFlags), 0
}

// AnonPath gives a place to an open file without a name, with a reference.
func AnonPath(ns *Namespace, f *File) (Path, linux.Errno) { return anonPath(ns, f, false) }

// AnonPathOwning is AnonPath for a file that nobody else has: it is closed when
// the place is given up.
func AnonPathOwning(ns *Namespace, f *File) (Path, linux.Errno) { return anonPath(ns, f, true) }

// bindable returns the file at p as one that can be bound.
func (p Path) bindable() (f *File, b Bindable) {
	if i, ok := p.Dentry.inode.(*anonInode); ok {
		f = i.f
		b, _ = i.f.Ops.(Bindable)
	}
	return f, b
}

// isMounts reports whether m is a bind mount of a mount namespace.
func (m *Mount) isMounts() bool {
	_, b := Path{m, m.root}.bindable()
	return b != nil && b.Mounts() != nil
}

// holds reports whether m is a bind mount of a mount namespace that is not newer
// than ns: in there it could keep itself alive.
func (m *Mount) holds(ns *Namespace) bool {
	_, b := Path{m, m.root}.bindable()
	return b != nil && b.Mounts() != nil && b.Mounts().seq <= ns.seq
}

func anonPath(ns *Namespace, f *File, owned bool) (Path, linux.Errno) {
	sb := ns.Sys.NewSuperblock(anonFS{&anonInode{f: f}, owned})
	m := ns.Sys.newMount(sb, sb.root.get(), "anon", 0)
	return Path{m, sb.root.get()}, 0
}
