package vfs

import "github.com/tinevm/tine/internal/linux"

// FileSystem is one instance of a file system.
type FileSystem interface {
	// Type is its name in /proc/filesystems.
	Type() string
	// Root is the root directory.
	Root() Inode
	// Statfs describes space and kind.
	Statfs() (StatFS, linux.Errno)
	// Close is called when the last mount is gone.
	Close()
}

// Optioned is implemented by file systems with mount options; they are shown
// in /proc/mounts, separated and preceded by nothing ("size=1024k,mode=755").
type Optioned interface{ Options() string }

// Remounter is implemented by file systems whose options can be changed.
type Remounter interface {
	Remount(c *Context, data string) linux.Errno
}

// StatFS is what statfs(2) tells of a file system.
type StatFS struct {
	Magic               int64 // linux.TMPFS_MAGIC ...
	Blksize             int64
	Blocks, Free, Avail uint64 // in units of Blksize
	Files, FilesFree    uint64
	NameLen             int64
	Flags               int64 // linux.ST_..., of the mount
	FSID                uint64
}

// DeviceOpener makes the operations of an open device.
type DeviceOpener func(c *Context, rdev uint64, flags uint32) (FileOps, linux.Errno)

// DeviceInode is implemented by devices that are more than their number.
type DeviceInode interface {
	OpenDevice(c *Context, flags uint32) (FileOps, linux.Errno)
}

// Mounter makes an instance of a kind of file system for mount(2).
type Mounter func(c *Context, source string, flags uint64, data string) (FileSystem, linux.Errno)

// FSType is a kind of file system that mount(2) knows.
type FSType struct {
	Name  string
	NoDev bool // needs no block device, as /proc/filesystems tells
	// UserNS: the owner of a user namespace may mount it (FS_USERNS_MOUNT).
	UserNS bool
	Mount  Mounter
}

// System is what all mount namespaces of one machine have in common: devices,
// kinds of file systems, and the numbers handed out.
type System struct {
	// OpenFIFO opens a named pipe; package pipefs sets it.
	OpenFIFO func(c *Context, i Inode, flags uint32) (FileOps, linux.Errno)

	// ProtectedHardlinks is the sysctl fs.protected_hardlinks (proc(5)).
	ProtectedHardlinks bool

	devices map[deviceKey]DeviceOpener
	fstypes []FSType

	nextDev    uint32 // minor numbers of file systems without a device
	nextMount  int
	namespaces int    // made so far
	nextCookie uint32 // of renames, for inotify

	mounts    int         // that exist
	groups    []bool      // numbers of peer groups in use, counted from 0
	freeGroup int         // those below are in use
	lockWaits map[any]any // see Context.lockWaits
	lru       dentryList
	lruMax    int
}

type deviceKey struct {
	block bool
	rdev  uint64
}

const anyMinor = 1 << 63

// NewSystem makes the file tree's state of one machine.
func NewSystem() *System {
	return &System{devices: make(map[deviceKey]DeviceOpener), lruMax: 16384, ProtectedHardlinks: true}
}

// RegisterDevice says how a device is opened. typ is linux.S_IFCHR or
// linux.S_IFBLK; minor -1 means all of the major number that are not
// registered one by one.
func (s *System) RegisterDevice(typ uint32, major, minor int, open DeviceOpener) {
	s.devices[makeDeviceKey(typ, major, minor)] = open
}

func makeDeviceKey(typ uint32, major, minor int) deviceKey {
	k := deviceKey{block: typ == linux.S_IFBLK}
	if minor < 0 {
		k.rdev = MakeDev(uint32(major), 0) | anyMinor
	} else {
		k.rdev = MakeDev(uint32(major), uint32(minor))
	}
	return k
}

// device finds the opener of a device node; nil if there is none.
func (s *System) device(a *Attr) DeviceOpener {
	typ, major := a.Type(), int(Major(a.Rdev))
	if open := s.devices[makeDeviceKey(typ, major, int(Minor(a.Rdev)))]; open != nil {
		return open
	}
	return s.devices[makeDeviceKey(typ, major, -1)]
}

// RegisterFilesystem makes a kind of file system known to mount(2).
func (s *System) RegisterFilesystem(t FSType) { s.fstypes = append(s.fstypes, t) }

// Filesystems lists the kinds of file systems in order of registration.
func (s *System) Filesystems() []FSType { return s.fstypes }

// fstype finds a kind of file system by name.
func (s *System) fstype(name string) (FSType, bool) {
	for _, t := range s.fstypes {
		if t.Name == name {
			return t, true
		}
	}
	return FSType{}, false
}

// The minor numbers of the kernel's own file systems, whose files have no
// names. AnonDev hands out those that follow.
const (
	ShmemMinor = 1 + iota
	PipeMinor
	SocketMinor
	AnonMinor
	NamespaceMinor
	StreamMinor // the standard streams of programs started from outside
	firstMinor  = 20
)

func (s *System) nextSeq() int {
	s.namespaces++
	return s.namespaces
}

// AnonDev hands out the device number of a file system without a device.
func (s *System) AnonDev() uint64 {
	dev := MakeDev(0, firstMinor+s.nextDev)
	s.nextDev++
	return dev
}

// Superblock is a file system in use.
type Superblock struct {
	FS       FileSystem
	Dev      uint64
	ReadOnly bool

	sys  *System
	refs int // mounts
	root *Dentry

	writers int // files open for writing
	orphans int // files without a name that are in use
}

// NewSuperblock takes a file system into use. Its reference belongs to the
// caller.
func (s *System) NewSuperblock(fs FileSystem) *Superblock {
	sb := &Superblock{FS: fs, Dev: s.AnonDev(), sys: s, refs: 1}
	sb.root = &Dentry{sb: sb, refs: 1, hashed: true}
	sb.root.setInode(fs.Root())
	return sb
}

// put drops a reference; the last one closes the file system.
func (sb *Superblock) put() {
	if sb.refs--; sb.refs > 0 {
		return
	}
	sb.root.noteUnmount()
	sb.root.shrink()
	sb.root.put()
	sb.FS.Close()
}
