package vfs

import "github.com/tinevm/tine/internal/linux"

// Inode is a file of a file system. The caller has made all checks of
// permission, kind and name length, and has applied the umask; an
// implementation stores. Implementations embed NoInode and define what they
// support.
type Inode interface {
	// Common is the part of the state that is the same for all kinds.
	Common() *InodeCommon
	Attr() (Attr, linux.Errno)
	SetAttr(c *Context, s *SetAttr) linux.Errno

	// Lookup finds a name in a directory: ENOENT if it has none.
	Lookup(c *Context, name string) (Inode, linux.Errno)
	// Create makes a regular file; mode is permissions only here and below.
	Create(c *Context, name string, mode uint32) (Inode, linux.Errno)
	Mkdir(c *Context, name string, mode uint32) (Inode, linux.Errno)
	// Mknod makes any other kind; mode includes the type.
	Mknod(c *Context, name string, mode uint32, rdev uint64) (Inode, linux.Errno)
	Symlink(c *Context, name, target string) (Inode, linux.Errno)
	// Tmpfile makes a regular file without a name (O_TMPFILE).
	Tmpfile(c *Context, mode uint32) (Inode, linux.Errno)
	// Link gives target, of the same file system, another name.
	Link(c *Context, name string, target Inode) linux.Errno
	// Unlink and Rmdir remove the name of child.
	Unlink(c *Context, name string, child Inode) linux.Errno
	Rmdir(c *Context, name string, child Inode) linux.Errno
	// Rename moves a name.
	Rename(c *Context, r *Rename) linux.Errno

	// Readlink is the target of a symbolic link.
	Readlink(c *Context) (string, linux.Errno)
	// Open makes the operations of a new open file. Devices that are not in
	// the System's table are opened with it too.
	Open(c *Context, flags uint32) (FileOps, linux.Errno)

	// Extended attributes, by full name.
	GetXattr(name string) ([]byte, linux.Errno)
	SetXattr(c *Context, name string, value []byte, flags int) linux.Errno
	ListXattr() ([]string, linux.Errno)
	RemoveXattr(c *Context, name string) linux.Errno

	// Evict is called when nothing refers to the inode any more. It can be
	// found again by Lookup later.
	Evict()
}

// Rename is a request to Inode.Rename, which is called on the old directory.
type Rename struct {
	OldName string
	Child   Inode // what is moved
	NewDir  Inode
	NewName string
	Target  Inode  // what NewName is now, or nil
	Flags   uint32 // linux.RENAME_EXCHANGE; RENAME_NOREPLACE has been checked
}

// MagicLink is implemented by symbolic links that lead to a place rather than
// to a name, as those of /proc/PID/fd do.
type MagicLink interface {
	// Follow returns the place, with a reference.
	Follow(c *Context) (Path, linux.Errno)
}

// Foreign is implemented by inodes whose device nodes and named pipes may
// belong to the host: they can be seen, but opening them is ENXIO.
type Foreign interface{ Foreign() bool }

// Revalidator is implemented by directories whose entries change without the
// file tree's doing. It reports whether a cached entry (nil for a name that did
// not exist) still holds.
type Revalidator interface {
	Revalidate(c *Context, name string, child Inode) bool
}

// Vanisher is implemented by inodes whose name can go without the file tree's
// doing. It reports whether it has gone.
type Vanisher interface{ Vanished() bool }

// InodeCommon is the state of an inode that the kernel keeps whatever the file
// system. Implementations of Inode embed it.
type InodeCommon struct {
	// FIFO is the pipe behind a named pipe, Socket the socket bound to a
	// socket node; they belong to those packages.
	FIFO   any
	Socket any

	refs     int         // dentries, watches, holders
	writers  int         // open for writing; negative: executing, writing is denied
	readers  int         // open for reading only, executions included
	linkable bool        // an O_TMPFILE file that linkat may name
	orphanOf *Superblock // has no name, but is in use
	locks    *lockTable
	lifetime uint8 // what F_SET_RW_HINT has said
	watches  []*watch
}

// Common implements Inode.
func (n *InodeCommon) Common() *InodeCommon { return n }

// InUse reports whether anything in the file tree refers to the inode.
func (n *InodeCommon) InUse() bool { return n.refs > 0 }

// HoldInode keeps an inode from being evicted; DropInode undoes it.
func HoldInode(i Inode) { i.Common().refs++ }

// DropInode drops a reference on an inode.
func DropInode(i Inode) {
	n := i.Common()
	if n.refs--; n.refs == 0 {
		n.adopted()
		i.Evict()
	}
}

// getWrite counts one more opening for writing: ETXTBSY while the file is
// being executed.
func (n *InodeCommon) getWrite() linux.Errno {
	if n.writers < 0 {
		return linux.ETXTBSY
	}
	n.writers++
	return 0
}

// denyWrite counts one more execution: ETXTBSY while the file is open for
// writing.
func (n *InodeCommon) denyWrite() linux.Errno {
	if n.writers > 0 {
		return linux.ETXTBSY
	}
	n.writers--
	return 0
}

// Closed is implemented by directories in which no name can be made: already
// the look for one that does not exist fails, as in /proc.
type Closed interface{ Closed() bool }

func closed(i Inode) bool {
	c, ok := i.(Closed)
	return ok && c.Closed()
}

// NoInode refuses everything the way Linux refuses it for an inode without the
// operation. It is embedded by implementations, together with InodeCommon.
type NoInode struct{}

func (NoInode) SetAttr(*Context, *SetAttr) linux.Errno       { return linux.EPERM }
func (NoInode) Lookup(*Context, string) (Inode, linux.Errno) { return nil, linux.ENOTDIR }
func (NoInode) Create(*Context, string, uint32) (Inode, linux.Errno) {
	return nil, linux.EACCES
}
func (NoInode) Mkdir(*Context, string, uint32) (Inode, linux.Errno) { return nil, linux.EPERM }
func (NoInode) Mknod(*Context, string, uint32, uint64) (Inode, linux.Errno) {
	return nil, linux.EPERM
}
func (NoInode) Symlink(*Context, string, string) (Inode, linux.Errno) { return nil, linux.EPERM }
func (NoInode) Tmpfile(*Context, uint32) (Inode, linux.Errno)         { return nil, linux.EOPNOTSUPP }
func (NoInode) Link(*Context, string, Inode) linux.Errno              { return linux.EPERM }
func (NoInode) Unlink(*Context, string, Inode) linux.Errno            { return linux.EPERM }
func (NoInode) Rmdir(*Context, string, Inode) linux.Errno             { return linux.EPERM }
func (NoInode) Rename(*Context, *Rename) linux.Errno                  { return linux.EPERM }
func (NoInode) Readlink(*Context) (string, linux.Errno)               { return "", linux.EINVAL }
func (NoInode) Open(*Context, uint32) (FileOps, linux.Errno)          { return nil, linux.ENXIO }
func (NoInode) GetXattr(string) ([]byte, linux.Errno)                 { return nil, linux.EOPNOTSUPP }
func (NoInode) SetXattr(*Context, string, []byte, int) linux.Errno    { return linux.EOPNOTSUPP }
func (NoInode) ListXattr() ([]string, linux.Errno)                    { return nil, 0 }
func (NoInode) RemoveXattr(*Context, string) linux.Errno              { return linux.EOPNOTSUPP }
func (NoInode) Evict()                                                {}
