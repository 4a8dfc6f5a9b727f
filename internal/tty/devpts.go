package tty

import (
	"slices"
	"strconv"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Inode numbers of devpts.
const (
	rootIno  = 1
	ptmxIno  = 2
	firstIno = 3 // of /dev/pts/0
)

const devptsMagic = 0x1cd1 // DEVPTS_SUPER_MAGIC

// devpts is the file system of /dev/pts. Each mount of it is an instance with
// terminals of its own, numbered from 0: a container sees none but its own.
type devpts struct {
	sys  *System
	o    ptsOptions
	ttys []*TTY // by index; nil where none is
	root *directory
	ptmx *node // makes terminals of this instance
}

func (s *System) newDevpts(o ptsOptions, uid, gid uint32) *devpts {
	d := &devpts{sys: s, o: o}
	d.root = newDirectory(d)
	d.ptmx = d.newNode(ptmxIno, linux.S_IFCHR|o.ptmxMode, vfs.MakeDev(auxMajor, ptmxMinor))
	d.ptmx.attr.UID, d.ptmx.attr.GID = uid, gid
	return d
}

// DevptsFS is the machine's own instance, for /dev/pts.
func (s *System) DevptsFS() vfs.FileSystem { return s.own }

// MountDevpts makes another instance, for mount(2).
func (s *System) MountDevpts(c *vfs.Context, _ string, _ uint64, data string) (vfs.FileSystem, linux.Errno) {
	o, errno := parsePtsOptions(c, data)
	if errno != 0 {
		return nil, errno
	}
	return s.newDevpts(o, c.Cred.FSUID, c.Cred.FSGID), 0
}

// Type implements vfs.FileSystem.
func (*devpts) Type() string { return "devpts" }

// Options implements vfs.Optioned.
func (d *devpts) Options() string { return d.o.String() }

// Remount implements vfs.Remounter. What is not named becomes the default.
func (d *devpts) Remount(c *vfs.Context, data string) linux.Errno {
	o, errno := parsePtsOptions(c, data)
	if errno == 0 {
		d.o = o
		d.ptmx.attr.Mode = linux.S_IFCHR | o.ptmxMode
	}
	return errno
}

// Root implements vfs.FileSystem.
func (d *devpts) Root() vfs.Inode { return d.root }

// Statfs implements vfs.FileSystem.
func (*devpts) Statfs() (vfs.StatFS, linux.Errno) {
	return vfs.StatFS{Magic: devptsMagic, Blksize: 4096, NameLen: 255}, 0
}

// Close implements vfs.FileSystem.
func (*devpts) Close() {}

// newTTY makes a terminal with the lowest free number for a user and group.
func (d *devpts) newTTY(uid, gid uint32) (*TTY, linux.Errno) {
	if d.sys.count == MaxTTYs {
		return nil, linux.ENOSPC
	}
	n := slices.Index(d.ttys, nil)
	if n < 0 {
		if n = len(d.ttys); n >= d.o.most {
			return nil, linux.ENOSPC
		}
		d.ttys = append(d.ttys, nil)
	}
	t := &TTY{sys: d.sys, pts: d, index: n, termios: initialTermios()}
	t.master = &master{tty: t}
	t.node = d.newNode(firstIno+uint64(n), linux.S_IFCHR|d.o.mode, ptsDevice(n))
	t.node.attr.UID, t.node.attr.GID = uid, gid
	if d.o.setUID {
		t.node.attr.UID = d.o.uid
	}
	if d.o.setGID {
		t.node.attr.GID = d.o.gid
	}
	t.node.tty = t
	d.ttys[n] = t
	d.sys.count++
	return t, 0
}

// free makes the number of a terminal free that nobody has open.
func (d *devpts) free(t *TTY) {
	d.ttys[t.index] = nil
	d.sys.count--
}

// find returns the terminal with number n, unless its master is gone.
func (d *devpts) find(n int) *TTY {
	if n < 0 || n >= len(d.ttys) || d.ttys[n] == nil || d.ttys[n].closed {
		return nil
	}
	return d.ttys[n]
}

// openPtmx makes a new terminal and gives its master side.
func (d *devpts) openPtmx(c *vfs.Context) (vfs.FileOps, linux.Errno) {
	t, errno := d.newTTY(c.Cred.FSUID, c.Cred.FSGID)
	if errno != 0 {
		return nil, errno
	}
	t.locked = true
	return t.master, 0
}

// node is the inode of a terminal, or of ptmx.
type node struct {
	vfs.InodeCommon
	vfs.NoInode
	sys  *System
	pts  *devpts
	tty  *TTY // nil: ptmx, or the directory
	attr vfs.Attr
}

func (d *devpts) newNode(ino uint64, mode uint32, rdev uint64) *node {
	now := d.sys.now()
	return &node{sys: d.sys, pts: d, attr: vfs.Attr{
		Ino: ino, Mode: mode, Nlink: 1, Rdev: rdev, Blksize: 1024, Atime: now, Mtime: now, Ctime: now,
	}}
}

// OpenDevice implements vfs.DeviceInode: the number of a device does not say
// which instance's it is.
func (n *node) OpenDevice(c *vfs.Context, flags uint32) (vfs.FileOps, linux.Errno) {
	switch {
	case n.tty == nil:
		return n.pts.openPtmx(c)
	case n.tty.closed:
		return nil, linux.EIO
	}
	return n.tty.open(c, flags)
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

func newDirectory(pts *devpts) *directory {
	d := &directory{*pts.newNode(rootIno, linux.S_IFDIR|0o755, 0)}
	d.attr.Nlink = 2
	return d
}

// find returns the node of a name; nil if there is none.
func (d *directory) find(name string) vfs.Inode {
	if name == "ptmx" {
		return d.pts.ptmx
	}
	n, err := strconv.Atoi(name)
	if err != nil || strconv.Itoa(n) != name {
		return nil
	}
	if t := d.pts.find(n); t != nil {
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
	for n := range l.d.pts.ttys {
		at := int64(firstIno + n)
		if at >= pos && l.d.pts.find(n) != nil && !emit(strconv.Itoa(n), uint64(at), chr, at+1) {
			break
		}
	}
	return 0
}
