// Package memfs is a file system in memory: tmpfs, and as the upper layer over
// another file system what overlay is.
//
// The contents of files are page caches charged to the machine's account;
// names and attributes live on the Go heap, within a limit on the number of
// inodes.
//
// # Lower layers
//
// A directory may have a lower layer: a directory of another file system that
// supplies what has not been changed here. Its files become inodes here when
// they are looked up (lower.go); they keep a reference to the lower file and
// take attributes and data from it until they are changed. A removed name that
// the lower layer has leaves a whiteout. As inodes carry their lower file with
// them, renames need no copying.
package memfs

import (
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// Options say how a file system is made. The zero value is usable.
type Options struct {
	Account *mm.Account // charged for the contents
	// Now is CLOCK_REALTIME, for time stamps.
	Now func() (sec, nsec int64)

	Size   int64 // limit on the contents in bytes; 0 = half of the account's, if that has one
	Inodes int64 // limit on the number of inodes; 0 = derived from the account

	Mode     uint32 // of the root directory; 0 = 01777
	UID, GID uint32

	Type  string // "" = tmpfs
	Magic int64  // 0 = TMPFS_MAGIC

	// FirstIno is where inode numbers of files made here begin; 0 = 1. With
	// lower layers it must be beyond theirs.
	FirstIno uint64
}

// FS is a file system in memory.
type FS struct {
	o       Options
	shown   int64 // the limit that was asked for, for /proc/mounts
	root    *Inode
	nextIno uint64
	pages   int64 // held by all files
	inodes  int64

	xattrBytes int64                // names and values of all extended attributes
	lowers     map[vfs.Inode]*Inode // of lower files with several names
	devs       []uint64             // devices of lower files
	all        *Inode               // list of the inodes with contents
}

// New makes an empty file system.
func New(o Options) *FS {
	if o.Type == "" {
		o.Type = "tmpfs"
	}
	if o.Magic == 0 {
		o.Magic = linux.TMPFS_MAGIC
	}
	if o.Mode == 0 {
		o.Mode = 0o1777
	}
	if o.Inodes == 0 && o.Account != nil && o.Account.Limit() != 0 {
		// tmpfs's default: an inode for two pages of memory.
		o.Inodes = max(o.Account.Limit()/(2*mm.PageSize), 4096)
	}
	shown := o.Size
	if o.Size == 0 && o.Account != nil {
		// tmpfs's default too. Programs get ENOSPC before memory is full.
		o.Size = o.Account.Limit() / 2
	}
	fs := &FS{o: o, shown: shown, nextIno: max(o.FirstIno, 1) - 1, lowers: make(map[vfs.Inode]*Inode)}
	fs.root, _ = fs.newInode(linux.S_IFDIR|o.Mode&0o7777, o.UID, o.GID)
	fs.root.dir.parent = fs.root
	return fs
}

// Type implements vfs.FileSystem.
func (fs *FS) Type() string { return fs.o.Type }

// Root implements vfs.FileSystem.
func (fs *FS) Root() vfs.Inode { return fs.root }

// Options implements vfs.Optioned.
func (fs *FS) Options() string {
	var list []string
	if fs.shown != 0 {
		list = append(list, "size="+strconv.FormatInt(fs.shown>>10, 10)+"k")
	}
	if m := fs.root.attr.Mode & 0o7777; m != 0o1777 && fs.o.Type == "tmpfs" {
		list = append(list, "mode="+strconv.FormatUint(uint64(m), 8))
	}
	if fs.o.UID != 0 {
		list = append(list, "uid="+strconv.FormatUint(uint64(fs.o.UID), 10))
	}
	if fs.o.GID != 0 {
		list = append(list, "gid="+strconv.FormatUint(uint64(fs.o.GID), 10))
	}
	return strings.Join(list, ",")
}

// unlimited is the size an overlay without a limit shows.
const unlimited = 1 << 40

// Statfs implements vfs.FileSystem. Like tmpfs, what has no limit shows size 0.
func (fs *FS) Statfs() (vfs.StatFS, linux.Errno) {
	st := vfs.StatFS{Magic: fs.o.Magic, Blksize: mm.PageSize, NameLen: linux.NAME_MAX}
	limit := fs.o.Size
	if limit == 0 && fs.o.Type == "overlay" {
		limit = unlimited // programs look whether a disk has room
	}
	if limit == 0 {
		return st, 0
	}
	used := uint64(fs.pages)
	st.Blocks = uint64(limit) >> mm.PageShift
	st.Free = st.Blocks - min(used, st.Blocks)
	if a := fs.o.Account; a != nil && a.Limit() != 0 {
		st.Free = min(st.Free, uint64(max(a.Limit()-a.Used(), 0))>>mm.PageShift)
	}
	st.Avail = st.Free
	st.Files = uint64(fs.o.Inodes)
	st.FilesFree = uint64(max(fs.o.Inodes-fs.inodes, 0))
	return st, 0
}

// Close implements vfs.FileSystem: it frees all contents.
func (fs *FS) Close() {
	for i := fs.all; i != nil; i = i.next {
		i.dropData()
	}
	fs.all = nil
}

func (fs *FS) now() vfs.Time {
	if fs.o.Now == nil {
		return vfs.Time{}
	}
	sec, nsec := fs.o.Now()
	return vfs.Time{Sec: sec, Nsec: nsec}
}

// Mount is the vfs.Mounter of tmpfs and ramfs for mount(2); o gives what does
// not come from the mount options.
func Mount(o Options) vfs.Mounter {
	return func(c *vfs.Context, _ string, _ uint64, data string) (vfs.FileSystem, linux.Errno) {
		o := o
		o.UID, o.GID = c.Cred.FSUID, c.Cred.FSGID
		if errno := o.parse(c, data); errno != 0 {
			return nil, errno
		}
		return New(o), 0
	}
}

// Remount implements vfs.Remounter.
func (fs *FS) Remount(c *vfs.Context, data string) linux.Errno {
	o := fs.o
	o.Size = 0
	if errno := o.parse(c, data); errno != 0 {
		return errno
	}
	if o.Size != 0 && o.Size>>mm.PageShift < fs.pages {
		return linux.EINVAL
	}
	if fs.shown = o.Size; o.Size == 0 {
		o.Size = fs.o.Size
	}
	fs.o = o
	return 0
}
