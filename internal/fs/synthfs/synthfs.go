// Package synthfs is a file system whose files are computed when they are
// opened, such as /proc and /sys: a tree of nodes, each with functions that
// make its contents.
package synthfs

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Node is a file of the tree. The fields that are set decide its kind: Lookup
// or Entries make it a directory, Link or Follow a symbolic link, otherwise it
// is a regular file.
type Node struct {
	Ino      uint64
	Mode     uint32 // permissions
	UID, GID uint32

	// Read makes the contents when the file is read from its start.
	Read func(c *vfs.Context) ([]byte, linux.Errno)
	// Write takes what is written, a write at a time.
	Write func(c *vfs.Context, p []byte) linux.Errno

	// Entries are the names of a directory that never changes, List those of
	// one that does; Lookup finds a name that is not in Entries.
	Entries []Entry
	List    func(c *vfs.Context, from int64) []Entry
	Lookup  func(c *vfs.Context, name string) *Node

	// Links, if set, is the number of links of a directory.
	Links func() uint32

	// Open makes the operations of a file that is more than a text.
	Open func(c *vfs.Context) (vfs.FileOps, linux.Errno)

	// Permit, if set, refuses callers that may not open the file, follow the
	// link or look into the directory.
	Permit func(c *vfs.Context) linux.Errno

	// Link is the target of a symbolic link; Follow, if set, leads there.
	Link   func(c *vfs.Context) (string, linux.Errno)
	Follow func(c *vfs.Context) (vfs.Path, linux.Errno)

	// Object is what the node shows, for those who find it by an open file.
	Object any
}

// Entry is a name in a directory.
type Entry struct {
	Name string
	Node *Node
	// Make makes the node if it is nil.
	Make func() *Node
	// Pos is where the entry is in its directory, if that must not depend on
	// the other entries; 0 counts.
	Pos int64
}

// File makes a read-only file with contents computed by read.
func File(read func() string) *Node {
	return &Node{Mode: 0o444, Read: func(*vfs.Context) ([]byte, linux.Errno) { return []byte(read()), 0 }}
}

// Text makes a read-only file with constant contents.
func Text(s string) *Node { return File(func() string { return s }) }

// Dir makes a directory with fixed entries.
func Dir(entries ...Entry) *Node {
	return &Node{Mode: 0o555, Entries: append([]Entry{}, entries...)} // a directory also without any
}

// Symlink makes a symbolic link.
func Symlink(target string) *Node {
	return &Node{Mode: 0o777, Link: func(*vfs.Context) (string, linux.Errno) { return target, 0 }}
}

func (n *Node) isDir() bool { return n.Entries != nil || n.List != nil || n.Lookup != nil }

func (n *Node) typ() uint32 {
	switch {
	case n.isDir():
		return linux.S_IFDIR
	case n.Link != nil:
		return linux.S_IFLNK
	}
	return linux.S_IFREG
}

// FS is a tree of nodes.
type FS struct {
	name  string
	magic int64
	root  *inode
	ino   uint64
	now   func() (sec, nsec int64)
}

// New makes a file system of a kind, such as "proc".
func New(name string, magic int64, root *Node, now func() (sec, nsec int64)) *FS {
	fs := &FS{name: name, magic: magic, now: now}
	fs.root = fs.inode(root)
	return fs
}

// Type implements vfs.FileSystem.
func (fs *FS) Type() string { return fs.name }

// Root implements vfs.FileSystem.
func (fs *FS) Root() vfs.Inode { return fs.root }

// Statfs implements vfs.FileSystem.
func (fs *FS) Statfs() (vfs.StatFS, linux.Errno) {
	return vfs.StatFS{Magic: fs.magic, Blksize: 4096, NameLen: 255}, 0
}

// Close implements vfs.FileSystem.
func (fs *FS) Close() {}

// inode is a node in use.
type inode struct {
	vfs.InodeCommon
	vfs.NoInode
	fs *FS
	n  *Node
	at vfs.Time
}

// link is an inode whose symbolic link leads to a place rather than a name.
type link struct{ *inode }

// Follow implements vfs.MagicLink.
func (l link) Follow(c *vfs.Context) (vfs.Path, linux.Errno) {
	if errno := l.n.permit(c); errno != 0 {
		return vfs.Path{}, errno
	}
	return l.n.Follow(c)
}

func (n *Node) permit(c *vfs.Context) linux.Errno {
	if n.Permit == nil {
		return 0
	}
	return n.Permit(c)
}

func (fs *FS) inode(n *Node) *inode {
	if n.Ino == 0 {
		fs.ino++
		n.Ino = fs.ino
	}
	sec, nsec := fs.now()
	return &inode{fs: fs, n: n, at: vfs.Time{Sec: sec, Nsec: nsec}}
}

// Attr implements vfs.Inode.
func (i *inode) Attr() (vfs.Attr, linux.Errno) {
	n := i.n
	a := vfs.Attr{
		Ino: n.Ino, Mode: n.typ() | n.Mode, Nlink: 1, UID: n.UID, GID: n.GID, Blksize: 1024,
		Atime: i.at, Mtime: i.at, Ctime: i.at,
	}
	if n.isDir() {
		a.Nlink = 2
	}
	if n.Links != nil {
		a.Nlink = n.Links()
	}
	return a, 0
}

// SetAttr implements vfs.Inode: truncating to nothing is what opening for
// writing does.
func (i *inode) SetAttr(_ *vfs.Context, s *vfs.SetAttr) linux.Errno {
	if s.Mask&^vfs.SetSize == 0 {
		return 0
	}
	return linux.EPERM
}

// find returns the node of a name.
func (i *inode) find(c *vfs.Context, name string) *Node {
	for _, e := range i.n.Entries {
		if e.Name == name {
			if e.Node == nil {
				return e.Make()
			}
			return e.Node
		}
	}
	if i.n.Lookup != nil {
		return i.n.Lookup(c, name)
	}
	return nil
}

// Lookup implements vfs.Inode.
func (i *inode) Lookup(c *vfs.Context, name string) (vfs.Inode, linux.Errno) {
	if !i.n.isDir() {
		return nil, linux.ENOTDIR
	}
	if errno := i.n.permit(c); errno != 0 {
		return nil, errno
	}
	n := i.find(c, name)
	if n == nil {
		return nil, linux.ENOENT
	}
	child := i.fs.inode(n)
	if n.Follow != nil {
		return link{child}, 0
	}
	return child, 0
}

// Closed implements vfs.Closed. Lookups in sysfs succeed where those in proc
// fail, and then no name can be made.
func (i *inode) Closed() bool { return i.fs.name == "proc" }

// Revalidate implements vfs.Revalidator: names that are computed are looked up
// each time.
func (i *inode) Revalidate(c *vfs.Context, name string, child vfs.Inode) bool {
	if child == nil {
		return false
	}
	for _, e := range i.n.Entries {
		if e.Name == name {
			return true
		}
	}
	return false
}

// Readlink implements vfs.Inode.
func (i *inode) Readlink(c *vfs.Context) (string, linux.Errno) {
	if i.n.Link == nil {
		return "", linux.EINVAL
	}
	if errno := i.n.permit(c); errno != 0 {
		return "", errno
	}
	return i.n.Link(c)
}

// Open implements vfs.Inode.
func (i *inode) Open(c *vfs.Context, flags uint32) (vfs.FileOps, linux.Errno) {
	if errno := i.n.permit(c); errno != 0 {
		return nil, errno
	}
	if i.n.isDir() {
		return &dirOps{i: i}, 0
	}
	if i.n.Open != nil {
		return i.n.Open(c)
	}
	acc := flags & linux.O_ACCMODE
	if acc != linux.O_RDONLY && i.n.Write == nil || acc != linux.O_WRONLY && i.n.Read == nil {
		return nil, linux.EACCES
	}
	return &fileOps{i: i, task: c.Task, cred: c.Cred}, 0
}

// fileOps is an open file. What it shows is of the moment it was read from the
// start.
type fileOps struct {
	vfs.NoOps
	i    *inode
	data []byte
	task any
	cred *vfs.Cred
	seen bool
}

// context is the opener's, as far as contents depend on it.
func (o *fileOps) context() *vfs.Context {
	return &vfs.Context{Task: o.task, Cred: o.cred, Now: o.i.fs.now}
}

// Seekable implements vfs.FileOps.
func (o *fileOps) Seekable() bool { return true }

// Read implements vfs.FileOps.
func (o *fileOps) Read(_ *vfs.File, p []byte, off int64) (int, linux.Errno) {
	if off == 0 || !o.seen {
		b, errno := o.i.n.Read(o.context())
		if errno != 0 {
			return 0, errno
		}
		o.data = b
	}
	o.seen = true
	if off >= int64(len(o.data)) {
		return 0, 0
	}
	return copy(p, o.data[off:]), 0
}

// Write implements vfs.FileOps.
func (o *fileOps) Write(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	if errno := o.i.n.Write(o.context(), p); errno != 0 {
		return 0, errno
	}
	return len(p), 0
}

// Truncate implements vfs.FileOps: as with SetAttr, nothing is lost.
func (o *fileOps) Truncate(*vfs.File, int64) linux.Errno { return 0 }

// Stat implements vfs.FileOps.
func (o *fileOps) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }

// dirOps is an open directory.
type dirOps struct {
	vfs.NoOps
	i *inode
}

// Seekable implements vfs.FileOps.
func (d *dirOps) Seekable() bool { return true }

// Read implements vfs.FileOps.
func (d *dirOps) Read(*vfs.File, []byte, int64) (int, linux.Errno) { return 0, linux.EISDIR }

// Stat implements vfs.FileOps.
func (d *dirOps) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }

// ReadDir implements vfs.FileOps.
func (d *dirOps) ReadDir(_ *vfs.File, c *vfs.Context, pos int64, emit func(string, uint64, uint8, int64) bool) linux.Errno {
	dir := uint8(linux.S_IFDIR >> 12)
	list := []Entry{{Name: ".", Node: d.i.n}, {Name: "..", Node: d.i.n}}
	list = append(list, d.i.n.Entries...)
	if d.i.n.List != nil {
		list = append(list, d.i.n.List(c, pos)...)
	}
	for i, e := range list {
		at := int64(i)
		if e.Pos != 0 {
			at = e.Pos
		}
		if at < pos {
			continue
		}
		typ, ino := dir, d.i.n.Ino
		if e.Node == nil && e.Make != nil {
			e.Node = e.Make()
		}
		if e.Node != nil {
			typ = uint8(e.Node.typ() >> 12)
			if e.Node.Ino == 0 {
				d.i.fs.ino++
				e.Node.Ino = d.i.fs.ino
			}
			ino = e.Node.Ino
		}
		if !emit(e.Name, ino, typ, at+1) {
			break
		}
	}
	return 0
}

// ObjectOf is the Object of an inode's node; nil if it has none, or is of
// another file system.
func ObjectOf(i vfs.Inode) any {
	if n, ok := i.(*inode); ok {
		return n.n.Object
	}
	return nil
}
