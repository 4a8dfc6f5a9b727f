package vfs

import "github.com/tinevm/tine/internal/linux"

// change applies s to the file at p, for the callers below that have checked
// permission, and tells watchers.
func change(c *Context, p Path, s *SetAttr, events uint32) linux.Errno {
	if errno := p.Dentry.inode.SetAttr(c, s); errno != 0 {
		return errno
	}
	notify(p.Dentry, events)
	return 0
}

// settable fetches the attributes of a file that is to be changed.
func settable(p Path) (Attr, linux.Errno) {
	if p.Dentry == nil {
		return Attr{}, linux.EPERM
	}
	if p.ReadOnly() {
		return Attr{}, linux.EROFS
	}
	return p.Attr()
}

// Chmod sets the permissions of the file at p (fchmodat(2)).
func Chmod(c *Context, p Path, mode uint32) linux.Errno {
	a, errno := settable(p)
	if errno != 0 {
		return errno
	}
	if a.IsSymlink() {
		return linux.EOPNOTSUPP
	}
	if !c.owns(&a) {
		return linux.EPERM
	}
	mode &= 0o7777
	if !c.Cred.InGroup(a.GID) && !c.capable(linux.CAP_FSETID) {
		mode &^= linux.S_ISGID
	}
	return change(c, p, &SetAttr{Mask: SetMode, Mode: mode}, linux.IN_ATTRIB)
}

// noID is the id that leaves owner or group as it is.
const noID = ^uint32(0)

// Chown sets owner and group of the file at p; all ones leaves one as it is
// (fchownat(2)).
func Chown(c *Context, p Path, uid, gid uint32) linux.Errno {
	a, errno := settable(p)
	if errno != 0 {
		return errno
	}
	s := SetAttr{UID: uid, GID: gid}
	if uid != noID {
		s.Mask |= SetUID
		if (c.Cred.FSUID != a.UID || uid != a.UID) && !c.capable(linux.CAP_CHOWN) {
			return linux.EPERM
		}
	}
	if gid != noID {
		s.Mask |= SetGID
		if (c.Cred.FSUID != a.UID || gid != a.GID && !c.Cred.InGroup(gid)) && !c.capable(linux.CAP_CHOWN) {
			return linux.EPERM
		}
	}
	if mode := withoutPriv(c, &a); !a.IsDir() && mode != a.Mode {
		s.Mask |= SetMode
		s.Mode = mode & 0o7777
	}
	return change(c, p, &s, linux.IN_ATTRIB)
}

// withoutPriv is the mode without the set-id bits that a change of owner or
// contents takes away (inode(7)): a set-group-ID bit without group execute
// stays if the caller is in the group.
func withoutPriv(c *Context, a *Attr) uint32 {
	mode := a.Mode &^ linux.S_ISUID
	if mode&linux.S_ISGID != 0 && (mode&0o010 != 0 || !c.Cred.InGroup(a.GID) && !c.capable(linux.CAP_FSETID)) {
		mode &^= linux.S_ISGID
	}
	return mode
}

// RemovePriv takes the set-id bits from a file whose contents the caller is
// about to change. It is called before a write.
func RemovePriv(c *Context, p Path) linux.Errno {
	if p.Dentry == nil || c.capable(linux.CAP_FSETID) {
		return 0
	}
	a, errno := p.Attr()
	if errno != 0 || !a.IsRegular() || a.Mode&(linux.S_ISUID|linux.S_ISGID) == 0 {
		return 0
	}
	mode := withoutPriv(c, &a)
	if mode == a.Mode {
		return 0
	}
	return change(c, p, &SetAttr{Mask: SetMode, Mode: mode & 0o7777}, linux.IN_ATTRIB)
}

// Utimes sets the time stamps of the file at p (utimensat(2)). The nanoseconds
// may be linux.UTIME_NOW and linux.UTIME_OMIT; times nil means now for both.
func Utimes(c *Context, p Path, times *[2]Time) linux.Errno {
	now := c.now()
	s := SetAttr{Mask: SetAtime | SetMtime, Atime: now, Mtime: now}
	explicit := false
	if times != nil {
		explicit = !(times[0].Nsec == linux.UTIME_NOW && times[1].Nsec == linux.UTIME_NOW)
		if !setTime(&s, SetAtime, &s.Atime, times[0]) || !setTime(&s, SetMtime, &s.Mtime, times[1]) {
			return linux.EINVAL
		}
		if s.Mask == 0 {
			return 0
		}
	}
	a, errno := settable(p)
	if errno != 0 {
		return errno
	}
	if !c.owns(&a) {
		if explicit {
			return linux.EPERM
		}
		if errno := c.permission(p.Dentry.inode, MayWrite); errno != 0 {
			return errno
		}
	}
	return change(c, p, &s, linux.IN_ATTRIB)
}

// setTime puts one time of utimensat into s.
func setTime(s *SetAttr, bit AttrMask, dst *Time, t Time) bool {
	switch {
	case t.Nsec == linux.UTIME_OMIT:
		s.Mask &^= bit
	case t.Nsec == linux.UTIME_NOW:
	case t.Nsec < 0 || t.Nsec > 999_999_999:
		return false
	default:
		*dst = t
	}
	return true
}

// Truncate sets the size of the file with a name (truncate(2)).
func Truncate(c *Context, start Path, name string, size int64) linux.Errno {
	if size < 0 {
		return linux.EINVAL
	}
	p, errno := Lookup(c, start, name, 0)
	if errno != 0 {
		return errno
	}
	defer p.Put()
	a, errno := p.Attr()
	switch {
	case errno != 0:
		return errno
	case a.IsDir():
		return linux.EISDIR
	case !a.IsRegular():
		return linux.EINVAL
	case p.ReadOnly():
		return linux.EROFS
	}
	if errno := c.permission(p.Dentry.inode, MayWrite); errno != 0 {
		return errno
	}
	n := p.Dentry.inode.Common()
	if errno := c.breakLeases(n, true, false); errno != 0 {
		return errno
	}
	if errno := n.getWrite(); errno != 0 {
		return errno
	}
	defer func() { n.writers-- }()
	return truncateInode(c, p, &a, size)
}

// truncateInode sets the size, without checks.
func truncateInode(c *Context, p Path, a *Attr, size int64) linux.Errno {
	s := SetAttr{Mask: SetSize, Size: size}
	if mode := withoutPriv(c, a); mode != a.Mode && !c.capable(linux.CAP_FSETID) {
		s.Mask |= SetMode
		s.Mode = mode & 0o7777
	}
	return change(c, p, &s, linux.IN_MODIFY)
}

// Ftruncate sets the size of an open file (ftruncate(2)).
func Ftruncate(c *Context, f *File, size int64) linux.Errno {
	if size < 0 || !f.Writable() {
		return linux.EINVAL
	}
	if errno := RemovePriv(c, f.Path); errno != 0 {
		return errno
	}
	if errno := f.Ops.Truncate(f, size); errno != 0 {
		return errno
	}
	NotifyModify(f)
	return 0
}

// Statfs describes the file system at p as statfs(2) does.
func Statfs(p Path) (StatFS, linux.Errno) {
	st, errno := p.Dentry.sb.FS.Statfs()
	if errno != 0 {
		return st, errno
	}
	if st.FSID == 0 {
		st.FSID = p.Dentry.sb.Dev
	}
	st.Flags |= stValid | statfsFlags(p.Mount)
	return st, 0
}

// stValid is ST_VALID: the flags are meaningful.
const stValid = 0x20

// statfsFlags are the mount's flags; the values of ST_... agree with those of
// MS_... but for the last three.
func statfsFlags(m *Mount) (flags int64) {
	flags = int64(m.Flags & (linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC))
	if m.ReadOnly() {
		flags |= linux.MS_RDONLY
	}
	for _, f := range []struct{ ms, st uint64 }{
		{linux.MS_NOATIME, 0x400}, {linux.MS_NODIRATIME, 0x800}, {linux.MS_RELATIME, 0x1000}, {msNoSymfollow, 0x2000},
	} {
		if m.Flags&f.ms != 0 {
			flags |= int64(f.st)
		}
	}
	return flags
}
