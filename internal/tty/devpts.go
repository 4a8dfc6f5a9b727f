package tty

import (
	"strconv"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// What the mount options gid=5,mode=620,ptmxmode=666 of devpts say; 5 is the
// group tty.
const (
	ttyGID    = 5
	slaveMode = 0o620
	ptmxMode  = 0o666
)

// Inode numbers of devpts.
const (
	rootIno  = 1
	ptmxIno  = 2
	firstIno = 3 // of /dev/pts/0
)

const devptsMagic = 0x1cd1 // DEVPTS_SUPER_MAGIC

// devpts is the file system of /dev/pts. All instances show the same terminals.
type devpts struct{ sys *System }

// DevptsFS makes a file system for /dev/pts.
func (s *System) DevptsFS() vfs.FileSystem { return devpts{s} }

// Type implements vfs.FileSystem.
func (devpts) Type() string { return "devpts" }

// Options implements vfs.Optioned.
func (devpts) Options() string { return "gid=5,mode=620,ptmxmode=666" }

// Root implements vfs.FileSystem.
func (d devpts) Root() vfs.Inode { return d.sys.root }

// Statfs implements vfs.FileSystem.
func (devpts) Statfs() (vfs.StatFS, linux.Errno) {
	return vfs.StatFS{Magic: devptsMagic, Blksize: 4096, NameLen: 255}, 0
}

// Close implements vfs.FileSystem.
func (devpts) Close() {}

// node is the inode of a terminal, or of ptmx.
type node struct {
	vfs.InodeCommon
	vfs.NoInode
	sys  *System
	attr vfs.Attr
}

func (s *System) newNode(ino uint64, mode uint32, rdev uint64) *node {
	if ino == ptmxIno {
		mode |= ptmxMode
	}
	now := s.now()
	return &node{sys: s, attr: vfs.Attr{
		Ino: ino, Mode: mode, Nlink: 1, Rdev: rdev, Blksize: 1024, Atime: now, Mtime: now, Ctime: now,
	}}
}

func (s *System) now() vfs.Time {
	sec, nsec := s.kernel.Realtime()
	return vfs.Time{Sec: sec, Nsec: nsec}
}

// read and written note the use of a terminal, coarsely, so that the times of
// its node tell how long it has been idle but not when keys were pressed.
func (n *node) read()    { n.touch(&n.attr.Atime) }
func (n *node) written() { n.touch(&n.attr.Mtime) }

func (n *node) touch(at *vfs.Time) {
	const coarse = 8 // seconds
	if sec, _ := n.sys.kernel.Realtime(); sec/coarse != at.Sec/coarse {
		*at = vfs.Time{Sec: sec}
	}
}

// Attr implements vfs.Inode.
func (n *node) Attr() (vfs.Attr, linux.Errno) { return n.attr, 0 }

// Vanished implements vfs.Vanisher.
func (n *node) Vanished() bool { return n.attr.Nlink == 0 }

// SetAttr implements vfs.Inode.
func (n *node) SetAttr(_ *vfs.Context, s *vfs.SetAttr) linux.Errno {
	now := n.sys.now()
	s.Apply(&n.attr, now)
	n.attr.Ctime = now
	return 0
}

// directory is the root of devpts.
type directory struct{ node }

func newDirectory(s *System) *directory {
	d := &directory{*s.newNode(rootIno, linux.S_IFDIR|0o755, 0)}
	d.attr.Nlink = 2
	return d
}

// find returns the node of a name; nil if there is none.
func (d *directory) find(name string) vfs.Inode {
	if name == "ptmx" {
		return d.sys.ptmx
	}
	n, err := strconv.Atoi(name)
	if err != nil || strconv.Itoa(n) != name {
		return nil
	}
	if t := d.sys.find(n); t != nil {
		return t.node
	}
	return nil
}

// Lookup implements vfs.Inode.
func (d *directory) Lookup(_ *vfs.Context, name string) (vfs.Inode, linux.Errno) {
	if i := d.find(name); i != nil {
		return i, 0
	}
	return nil, linux.ENOENT
}

// Revalidate implements vfs.Revalidator: terminals come and go.
func (d *directory) Revalidate(_ *vfs.Context, name string, child vfs.Inode) bool {
	return d.find(name) == child
}

// Open implements vfs.Inode.
func (d *directory) Open(*vfs.Context, uint32) (vfs.FileOps, linux.Errno) {
	return &listing{d: d}, 0
}

// listing is the open directory.
type listing struct {
	vfs.NoOps
	d *directory
}

// Seekable implements vfs.FileOps.
func (*listing) Seekable() bool { return true }

// Read implements vfs.FileOps.
func (*listing) Read(*vfs.File, []byte, int64) (int, linux.Errno) { return 0, linux.EISDIR }

// Stat implements vfs.FileOps.
func (*listing) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }

// ReadDir implements vfs.FileOps. The position of a terminal is its inode
// number, whatever else exists.
func (l *listing) ReadDir(_ *vfs.File, _ *vfs.Context, pos int64, emit func(string, uint64, uint8, int64) bool) linux.Errno {
	const dir, chr = linux.S_IFDIR >> 12, linux.S_IFCHR >> 12
	for i, name := range []string{".", "..", "ptmx"} {
		ino, typ := uint64(rootIno), uint8(dir)
		if name == "ptmx" {
			ino, typ = ptmxIno, chr
		}
		if int64(i) >= pos && !emit(name, ino, typ, int64(i)+1) {
			return 0
		}
	}
	for n := range l.d.sys.ttys {
		at := int64(firstIno + n)
		if at >= pos && l.d.sys.find(n) != nil && !emit(strconv.Itoa(n), uint64(at), chr, at+1) {
			break
		}
	}
	return 0
}
