// Package cgroupfs is the file system of control groups (cgroups(7)): a
// directory for each group, in it a directory for each group below and a number
// of control files. What the files do is the kernel's affair; this package
// keeps the names, owners and permissions, and tells those who watch a file
// that it has changed.
package cgroupfs

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Group is the control group behind a directory.
type Group interface {
	// Files are the control files that the group has now.
	Files() []*File
	// Mkdir makes a group below this one, whose directory is d.
	Mkdir(d *Dir) (Group, linux.Errno)
	// Rmdir removes the group.
	Rmdir() linux.Errno
	// Opened is called when a control file is opened; its result goes with the
	// reads and writes through that opening.
	Opened(c *vfs.Context) any
}

// File is a kind of control file.
type File struct {
	Name string
	Mode uint32 // permissions
	// Read makes the contents, Write takes what is written, without blanks at
	// its ends; nil is EINVAL.
	Read  func(g Group, opener any) (string, linux.Errno)
	Write func(g Group, opener any, text string) linux.Errno
}

// Tree is a hierarchy of groups.
type Tree struct {
	root *Dir
	ino  uint64
	now  func() (sec, nsec int64)
}

// NewTree makes a hierarchy of the root group alone.
func NewTree(now func() (sec, nsec int64)) *Tree {
	t := &Tree{now: now}
	t.root = t.newDir(nil, "", 0o555, 0, 0)
	return t
}

// Root is the root's directory.
func (t *Tree) Root() *Dir { return t.root }

// FS is the hierarchy as a file system, as seen from the group root on.
type FS struct {
	root    *Dir
	options func() string
}

// New makes a file system; options gives its mount options.
func New(root *Dir, options func() string) *FS { return &FS{root, options} }

// Type implements vfs.FileSystem.
func (fs *FS) Type() string { return "cgroup2" }

// Root implements vfs.FileSystem.
func (fs *FS) Root() vfs.Inode { return fs.root }

// Options implements vfs.Optioned.
func (fs *FS) Options() string { return fs.options() }

// Statfs implements vfs.FileSystem.
func (fs *FS) Statfs() (vfs.StatFS, linux.Errno) {
	return vfs.StatFS{Magic: linux.CGROUP2_SUPER_MAGIC, Blksize: 4096, NameLen: 255}, 0
}

// Close implements vfs.FileSystem: the groups stay.
func (fs *FS) Close() {}

// Dir is the directory of a group.
type Dir struct {
	vfs.InodeCommon
	vfs.NoInode
	tree   *Tree
	parent *Dir // nil for the root
	name   string
	group  Group
	attr   vfs.Attr
	files  map[string]*file // those that have been looked up
	subs   map[string]*Dir
	order  []*Dir // subs in order of seq
	seq    int64  // its place in the parent's directory
	last   int64  // the seq of the newest of subs
	dead   bool
}

func (t *Tree) newDir(parent *Dir, name string, mode, uid, gid uint32) *Dir {
	return &Dir{tree: t, parent: parent, name: name, attr: t.newAttr(linux.S_IFDIR|mode, uid, gid)}
}

func (t *Tree) newAttr(mode, uid, gid uint32) vfs.Attr {
	t.ino++
	sec, nsec := t.now()
	at := vfs.Time{Sec: sec, Nsec: nsec}
	a := vfs.Attr{Ino: t.ino, Mode: mode, Nlink: 1, UID: uid, GID: gid, Blksize: 4096, Atime: at, Mtime: at, Ctime: at}
	if a.IsDir() {
		a.Nlink = 2
	}
	return a
}

// SetGroup says whose directory the root's is; others learn it by Mkdir.
func (d *Dir) SetGroup(g Group) { d.group = g }

// Group is whose directory it is.
func (d *Dir) Group() Group { return d.group }

// Ino is the inode number, which is the group's number as well.
func (d *Dir) Ino() uint64 { return d.attr.Ino }

// Path is the name of the group from the root; "/" for the root itself.
func (d *Dir) Path() string {
	if d.parent == nil {
		return "/"
	}
	s := ""
	for ; d.parent != nil; d = d.parent {
		s = "/" + d.name + s
	}
	return s
}

// Attr implements vfs.Inode.
func (d *Dir) Attr() (vfs.Attr, linux.Errno) { return d.attr, 0 }

// SetAttr implements vfs.Inode.
func (d *Dir) SetAttr(_ *vfs.Context, s *vfs.SetAttr) linux.Errno {
	d.tree.setAttr(&d.attr, s)
	return 0
}

func (t *Tree) setAttr(a *vfs.Attr, s *vfs.SetAttr) {
	sec, nsec := t.now()
	s.Apply(a, vfs.Time{Sec: sec, Nsec: nsec})
}

// Lookup implements vfs.Inode.
func (d *Dir) Lookup(_ *vfs.Context, name string) (vfs.Inode, linux.Errno) {
	if i := d.find(name); i != nil {
		return i, 0
	}
	return nil, linux.ENOENT
}

// find returns the file or the directory of a name, nil if there is none.
func (d *Dir) find(name string) vfs.Inode {
	if sub := d.subs[name]; sub != nil {
		return sub
	}
	if f := d.file(name); f != nil {
		return f
	}
	return nil
}

// file returns a control file of the group. Files that controllers bring come
// and go with them.
func (d *Dir) file(name string) *file {
	if d.dead {
		return nil
	}
	for _, kind := range d.group.Files() {
		if kind.Name != name {
			continue
		}
		f := d.files[name]
		if f == nil {
			f = &file{dir: d, kind: kind, attr: d.tree.newAttr(linux.S_IFREG|kind.Mode, d.attr.UID, d.attr.GID)}
			if d.files == nil {
				d.files = make(map[string]*file)
			}
			d.files[name] = f
		}
		return f
	}
	return nil
}

// FileAttr gives the attributes of a control file.
func (d *Dir) FileAttr(name string) (vfs.Attr, linux.Errno) {
	f := d.file(name)
	if f == nil {
		return vfs.Attr{}, linux.ENODEV
	}
	return f.attr, 0
}

// Forget drops what is known of files that the group has no longer.
func (d *Dir) Forget() {
	for name, f := range d.files {
		if !slices.Contains(d.group.Files(), f.kind) {
			delete(d.files, name)
		}
	}
}

// Revalidate implements vfs.Revalidator: the tree may be mounted in several
// places, and files come and go.
func (d *Dir) Revalidate(_ *vfs.Context, name string, child vfs.Inode) bool {
	return child != nil && d.find(name) == child
}

// Mkdir implements vfs.Inode.
func (d *Dir) Mkdir(c *vfs.Context, name string, mode uint32) (vfs.Inode, linux.Errno) {
	switch {
	case d.dead:
		return nil, linux.ENODEV
	case slices.Contains([]byte(name), '\n'):
		return nil, linux.EINVAL
	}
	sub := d.tree.newDir(d, name, mode, c.Cred.FSUID, c.Cred.FSGID)
	g, errno := d.group.Mkdir(sub)
	if errno != 0 {
		return nil, errno
	}
	sub.group = g
	d.last++
	sub.seq = d.last
	if d.subs == nil {
		d.subs = make(map[string]*Dir)
	}
	d.subs[name] = sub
	d.order = append(d.order, sub)
	d.attr.Nlink++
	return sub, 0
}

// Rmdir implements vfs.Inode.
func (d *Dir) Rmdir(_ *vfs.Context, name string, _ vfs.Inode) linux.Errno {
	sub := d.subs[name]
	if sub == nil {
		return linux.ENOENT
	}
	if errno := sub.group.Rmdir(); errno != 0 {
		return errno
	}
	sub.dead, sub.attr.Nlink = true, 0
	for _, kind := range sub.group.Files() {
		if f := sub.files[kind.Name]; f != nil {
			f.attr.Nlink = 0
		}
	}
	delete(d.subs, name)
	i, _ := slices.BinarySearchFunc(d.order, sub.seq, func(s *Dir, seq int64) int { return int(s.seq - seq) })
	d.order = slices.Delete(d.order, i, i+1)
	d.attr.Nlink--
	return 0
}

// Open implements vfs.Inode.
func (d *Dir) Open(*vfs.Context, uint32) (vfs.FileOps, linux.Errno) { return &dirOps{d: d}, 0 }

// dirOps is an open directory.
type dirOps struct {
	vfs.NoOps
	d *Dir
}

// DirOf returns the directory that an open file is; nil if it is none of
// control groups.
func DirOf(f *vfs.File) *Dir {
	d, _ := f.Path.Inode().(*Dir)
	return d
}

// Seekable implements vfs.FileOps.
func (o *dirOps) Seekable() bool { return true }

// Read implements vfs.FileOps.
func (o *dirOps) Read(*vfs.File, []byte, int64) (int, linux.Errno) { return 0, linux.EISDIR }

// Stat implements vfs.FileOps.
func (o *dirOps) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }

// firstSub is the position at which groups begin in a directory; that of a
// group does not depend on others.
const firstSub = 1 << 10

// ReadDir implements vfs.FileOps.
func (o *dirOps) ReadDir(_ *vfs.File, _ *vfs.Context, pos int64, emit func(string, uint64, uint8, int64) bool) linux.Errno {
	d := o.d
	const dir, reg = uint8(linux.S_IFDIR >> 12), uint8(linux.S_IFREG >> 12)
	up := d
	if d.parent != nil {
		up = d.parent
	}
	if pos < 1 && !emit(".", d.attr.Ino, dir, 1) || pos < 2 && !emit("..", up.attr.Ino, dir, 2) || d.dead {
		return 0
	}
	for i, kind := range d.group.Files() {
		if at := int64(i) + 2; at >= pos && !emit(kind.Name, d.file(kind.Name).attr.Ino, reg, at+1) {
			return 0
		}
	}
	i, _ := slices.BinarySearchFunc(d.order, pos-firstSub, func(s *Dir, seq int64) int { return int(s.seq - seq) })
	for _, sub := range d.order[i:] {
		if !emit(sub.name, sub.attr.Ino, dir, firstSub+sub.seq+1) {
			return 0
		}
	}
	return 0
}
