package vfs

import "github.com/tinevm/tine/internal/linux"

// Time is a time stamp: CLOCK_REALTIME.
type Time struct{ Sec, Nsec int64 }

// Attr are the attributes of an inode.
type Attr struct {
	Ino     uint64
	Dev     uint64 // 0: that of the superblock
	Mode    uint32 // type and permissions
	Nlink   uint32
	UID     uint32
	GID     uint32
	Rdev    uint64 // device number of a device node
	Size    int64
	Blocks  int64 // of 512 bytes
	Blksize uint32

	Atime, Mtime, Ctime, Btime Time
}

// Type is the file type, one of linux.S_IFREG and so on.
func (a *Attr) Type() uint32 { return a.Mode & linux.S_IFMT }

// IsDir reports whether it is a directory.
func (a *Attr) IsDir() bool { return a.Type() == linux.S_IFDIR }

// IsRegular reports whether it is a regular file.
func (a *Attr) IsRegular() bool { return a.Type() == linux.S_IFREG }

// IsSymlink reports whether it is a symbolic link.
func (a *Attr) IsSymlink() bool { return a.Type() == linux.S_IFLNK }

// DirentType is the d_type of a mode.
func DirentType(mode uint32) uint8 { return uint8(mode & linux.S_IFMT >> 12) }

// MakeDev composes a device number as stat(2) shows it.
func MakeDev(major, minor uint32) uint64 {
	return uint64(major)&0xfff<<8 | uint64(major)&^0xfff<<32 | uint64(minor)&0xff | uint64(minor)&^0xff<<12
}

// Major and Minor take a device number apart.
func Major(dev uint64) uint32 { return uint32(dev>>8&0xfff | dev>>32&^0xfff) }

// Minor is the other half of Major.
func Minor(dev uint64) uint32 { return uint32(dev&0xff | dev>>12&^0xff) }

// AttrMask says which fields of a SetAttr count.
type AttrMask uint8

// The attributes that can be set.
const (
	SetMode AttrMask = 1 << iota
	SetUID
	SetGID
	SetSize
	SetAtime
	SetMtime
)

// SetAttr is a change of attributes. The file system sets the change time to
// the caller's present time, and for SetSize the modification time too.
type SetAttr struct {
	Mask         AttrMask
	Mode         uint32 // permissions only
	UID, GID     uint32
	Size         int64
	Atime, Mtime Time
}

// Apply changes a as s says, except for the size.
func (s *SetAttr) Apply(a *Attr, now Time) {
	if s.Mask&SetMode != 0 {
		a.Mode = a.Mode&linux.S_IFMT | s.Mode&0o7777
	}
	if s.Mask&SetUID != 0 {
		a.UID = s.UID
	}
	if s.Mask&SetGID != 0 {
		a.GID = s.GID
	}
	if s.Mask&SetSize != 0 {
		a.Mtime = now
	}
	if s.Mask&SetAtime != 0 {
		a.Atime = s.Atime
	}
	if s.Mask&SetMtime != 0 {
		a.Mtime = s.Mtime
	}
	a.Ctime = now
}

// Stat converts to what stat(2) shows; dev is used if a has no device number.
func (a *Attr) Stat(dev uint64) linux.Stat {
	if a.Dev != 0 {
		dev = a.Dev
	}
	st := linux.Stat{
		Dev: dev, Ino: a.Ino, Mode: a.Mode, Uid: a.UID, Gid: a.GID,
		Rdev: a.Rdev, Size: a.Size, Blocks: a.Blocks, Blksize: 4096,
	}
	st.Nlink = uint64(a.Nlink)
	if a.Blksize != 0 {
		st.Blksize = int64(a.Blksize)
	}
	st.Atim = linux.Timespec{Sec: a.Atime.Sec, Nsec: a.Atime.Nsec}
	st.Mtim = linux.Timespec{Sec: a.Mtime.Sec, Nsec: a.Mtime.Nsec}
	st.Ctim = linux.Timespec{Sec: a.Ctime.Sec, Nsec: a.Ctime.Nsec}
	st.Btim = linux.Timespec{Sec: a.Btime.Sec, Nsec: a.Btime.Nsec}
	return st
}

// NewOwner gives owner and mode of a file that the caller creates in a
// directory: a set-group-ID directory hands on its group, and to directories
// the bit too (inode_init_owner).
func NewOwner(c *Context, dir *Attr, mode uint32) (uid, gid, newMode uint32) {
	uid, gid = c.Cred.FSUID, c.Cred.FSGID
	if dir.Mode&linux.S_ISGID == 0 {
		return uid, gid, mode
	}
	gid = dir.GID
	if mode&linux.S_IFMT == linux.S_IFDIR {
		mode |= linux.S_ISGID
	} else if mode&(linux.S_ISGID|0o010) == linux.S_ISGID|0o010 && !c.Cred.InGroup(gid) && !c.capable(linux.CAP_FSETID) {
		mode &^= linux.S_ISGID
	}
	return uid, gid, mode
}

// WantsAtime reports whether a read through f at the time now updates the
// access time: not with O_NOATIME or a noatime mount, and with relatime
// (mount(8)) only if it is older than the last change or than a day.
func WantsAtime(f *File, a *Attr, now Time) bool {
	if f.Flags&linux.O_NOATIME != 0 {
		return false
	}
	m := f.Path.Mount
	if m == nil {
		return true
	}
	if m.ReadOnly() || m.Flags&linux.MS_NOATIME != 0 || m.Flags&linux.MS_NODIRATIME != 0 && a.IsDir() {
		return false
	}
	return m.Flags&linux.MS_RELATIME == 0 || !a.Mtime.Before(a.Atime) || !a.Ctime.Before(a.Atime) || now.Sec-a.Atime.Sec >= 24*3600
}

// Before reports whether t is earlier than u.
func (t Time) Before(u Time) bool { return t.Sec < u.Sec || t.Sec == u.Sec && t.Nsec < u.Nsec }
