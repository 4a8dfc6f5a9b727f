package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

func sysStat(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.stat(cwdFD, a[0], a[1], 0) }

func sysLstat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.stat(cwdFD, a[0], a[1], linux.AT_SYMLINK_NOFOLLOW)
}

func sysFstat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.anyFile(a[0])
	if errno != 0 {
		return 0, errno
	}
	st, errno := vfs.Fstat(f)
	if errno != 0 {
		return 0, errno
	}
	t.cred.user.showOwner(&st)
	return 0, t.putStruct(a[1], &st, linux.SizeofStat)
}

func sysNewfstatat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.stat(a[0], a[1], a[2], a[3])
}

func (t *Task) stat(dirfd, addr, buf, flags uint64) (uint64, linux.Errno) {
	const known = linux.AT_EMPTY_PATH | linux.AT_SYMLINK_NOFOLLOW | linux.AT_NO_AUTOMOUNT
	if flags&^known != 0 {
		return 0, linux.EINVAL
	}
	st, errno := t.statAt(dirfd, addr, flags)
	if errno != 0 {
		return 0, errno
	}
	t.cred.user.showOwner(&st)
	return 0, t.putStruct(buf, &st, linux.SizeofStat)
}

// statAt describes a file by path, or with AT_EMPTY_PATH and "" an open one.
func (t *Task) statAt(dirfd, addr, flags uint64) (linux.Stat, linux.Errno) {
	path := ""
	if addr != 0 || flags&linux.AT_EMPTY_PATH == 0 {
		var errno linux.Errno
		if path, errno = t.path(addr); errno != 0 {
			return linux.Stat{}, errno
		}
	}
	if path == "" && flags&linux.AT_EMPTY_PATH != 0 && int32(dirfd) != linux.AT_FDCWD {
		f, errno := t.anyFile(dirfd)
		if errno != 0 {
			return linux.Stat{}, errno
		}
		return vfs.Fstat(f)
	}
	start, errno := t.at(dirfd, path)
	if errno != 0 {
		return linux.Stat{}, errno
	}
	return vfs.Stat(t.ctx(), start, path, flags)
}

func sysStatx(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const known = linux.AT_EMPTY_PATH | linux.AT_SYMLINK_NOFOLLOW | linux.AT_NO_AUTOMOUNT | linux.AT_STATX_SYNC_TYPE
	const reserved = 1 << 31
	flags := a[2]
	if flags&^known != 0 || a[3]&reserved != 0 || flags&linux.AT_STATX_SYNC_TYPE == linux.AT_STATX_SYNC_TYPE {
		return 0, linux.EINVAL
	}
	st, errno := t.statAt(a[0], a[1], flags)
	if errno != 0 {
		return 0, errno
	}
	t.cred.user.showOwner(&st)
	x := linux.Statx{Stat: st, Mask: linux.STATX_BASIC_STATS}
	if st.Btim != (linux.Timespec{}) {
		x.Mask |= linux.STATX_BTIME
	}
	return 0, t.putStruct(a[4], &x, linux.SizeofStatx)
}

// lookup resolves a path argument of an ...at call. The result has a
// reference.
func (t *Task) lookup(dirfd, addr, flags uint64) (vfs.Path, linux.Errno) {
	start, path, errno := t.pathAt(dirfd, addr)
	if errno != 0 {
		return vfs.Path{}, errno
	}
	return vfs.Lookup(t.ctx(), start, path, flags&(linux.AT_EMPTY_PATH|linux.AT_SYMLINK_NOFOLLOW))
}

// pathOf is the place of an open file; EBADF if it has none.
func (t *Task) pathOf(fd uint64) (vfs.Path, linux.Errno) {
	f, errno := t.file(fd)
	if errno != 0 {
		return vfs.Path{}, errno
	}
	return f.Path, 0
}

func sysStatfs(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	p, errno := t.lookup(cwdFD, a[0], 0)
	if errno != 0 {
		return 0, errno
	}
	defer p.Put()
	return t.statfs(p, a[1])
}

func sysFstatfs(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.anyFile(a[0])
	if errno != 0 {
		return 0, errno
	}
	return t.statfs(f.Path, a[1])
}

func (t *Task) statfs(p vfs.Path, addr uint64) (uint64, linux.Errno) {
	s := vfs.StatFS{Magic: linux.PIPEFS_MAGIC, Blksize: 4096, NameLen: 255}
	if p.Dentry != nil {
		var errno linux.Errno
		if s, errno = vfs.Statfs(p); errno != 0 {
			return 0, errno
		}
	}
	st := linux.Statfs{
		Type: s.Magic, Bsize: s.Blksize, Blocks: s.Blocks, Bfree: s.Free, Bavail: s.Avail, Files: s.Files,
		Ffree: s.FilesFree, Fsid: s.FSID, Namelen: s.NameLen, Frsize: s.Blksize, Flags: s.Flags,
	}
	return 0, t.putStruct(addr, &st, linux.SizeofStatfs)
}

func sysAccess(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.access(cwdFD, a[0], a[1], 0) }

func sysFaccessat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.access(a[0], a[1], a[2], 0)
}

func sysFaccessat2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.access(a[0], a[1], a[2], a[3])
}

// access checks permission for the real ids, or with AT_EACCESS for the
// effective ones.
func (t *Task) access(dirfd, addr, mode, flags uint64) (uint64, linux.Errno) {
	const known = linux.AT_EACCESS | linux.AT_SYMLINK_NOFOLLOW | linux.AT_EMPTY_PATH
	if mode&^(linux.R_OK|linux.W_OK|linux.X_OK) != 0 || flags&^known != 0 {
		return 0, linux.EINVAL
	}
	start, path, errno := t.pathAt(dirfd, addr)
	if errno != 0 {
		return 0, errno
	}
	c := t.ctx()
	if flags&linux.AT_EACCESS == 0 && (t.cred.UID != t.cred.FSUID || t.cred.GID != t.cred.FSGID) {
		real := t.cred.Cred
		real.FSUID, real.FSGID = t.cred.UID, t.cred.GID
		real.Caps = 0
		if t.cred.UID == 0 {
			real.Caps = t.cred.Permitted
		}
		c.Cred = &real
	}
	return 0, vfs.Access(c, start, path, uint32(mode), flags&^linux.AT_EACCESS)
}

func sysChmod(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.chmod(cwdFD, a[0], a[1]) }

func sysFchmodat(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.chmod(a[0], a[1], a[2]) }

func sysFchmodat2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[3]&^(linux.AT_SYMLINK_NOFOLLOW|linux.AT_EMPTY_PATH) != 0 {
		return 0, linux.EINVAL
	}
	return t.chmodAt(a[0], a[1], a[2], a[3])
}

func (t *Task) chmod(dirfd, addr, mode uint64) (uint64, linux.Errno) {
	return t.chmodAt(dirfd, addr, mode, 0)
}

func (t *Task) chmodAt(dirfd, addr, mode, flags uint64) (uint64, linux.Errno) {
	p, errno := t.lookup(dirfd, addr, flags)
	if errno != 0 {
		return 0, errno
	}
	defer p.Put()
	if a, errno := p.Attr(); errno == 0 && a.Mode&linux.S_IFMT == linux.S_IFLNK {
		return 0, linux.EOPNOTSUPP
	}
	return 0, vfs.Chmod(t.ctx(), p, uint32(mode))
}

func sysFchmod(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	p, errno := t.pathOf(a[0])
	if errno != 0 {
		return 0, errno
	}
	if p.Dentry == nil {
		return 0, linux.EINVAL
	}
	return 0, vfs.Chmod(t.ctx(), p, uint32(a[1]))
}

func sysChown(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.chown(cwdFD, a[0], a[1], a[2], 0)
}

func sysLchown(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.chown(cwdFD, a[0], a[1], a[2], linux.AT_SYMLINK_NOFOLLOW)
}

func sysFchownat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.chown(a[0], a[1], a[2], a[3], a[4])
}

func (t *Task) chown(dirfd, addr, uid, gid, flags uint64) (uint64, linux.Errno) {
	if flags&^(linux.AT_SYMLINK_NOFOLLOW|linux.AT_EMPTY_PATH) != 0 {
		return 0, linux.EINVAL
	}
	p, errno := t.lookup(dirfd, addr, flags)
	if errno != 0 {
		return 0, errno
	}
	defer p.Put()
	return t.chownPath(p, uid, gid)
}

// chownPath gives a file to a user and a group of the caller's namespace.
func (t *Task) chownPath(p vfs.Path, uid, gid uint64) (uint64, linux.Errno) {
	u, errno := t.cred.user.uids.idsIn(uid)
	if errno != 0 {
		return 0, errno
	}
	g, errno := t.cred.user.gids.idsIn(gid)
	if errno != 0 {
		return 0, errno
	}
	return 0, vfs.Chown(t.ctx(), p, u[0], g[0])
}

func sysFchown(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	p, errno := t.pathOf(a[0])
	if errno != 0 {
		return 0, errno
	}
	if p.Dentry == nil {
		return 0, linux.EINVAL
	}
	return t.chownPath(p, a[1], a[2])
}

func sysTruncate(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	start, path, errno := t.pathAt(cwdFD, a[0])
	if errno != 0 {
		return 0, errno
	}
	if int64(a[1]) < 0 {
		return 0, linux.EINVAL
	}
	if a[1] > t.rlimit(linux.RLIMIT_FSIZE) {
		t.sendSignalSelf(linux.SIGXFSZ)
		return 0, linux.EFBIG
	}
	return t.fileWait(nil, 0, vfs.Truncate(t.ctx(), start, path, int64(a[1])))
}

// utimes sets the time stamps of a path, or of the open file dirfd if there is
// no path.
func (t *Task) utimes(dirfd, addr uint64, times *[2]vfs.Time, flags uint64) (uint64, linux.Errno) {
	if addr == 0 && int32(dirfd) != linux.AT_FDCWD {
		if flags != 0 {
			return 0, linux.EINVAL
		}
		p, errno := t.pathOf(dirfd)
		if errno != 0 {
			return 0, errno
		}
		if p.Dentry == nil {
			return 0, linux.EINVAL
		}
		return 0, vfs.Utimes(t.ctx(), p, times)
	}
	p, errno := t.lookup(dirfd, addr, flags)
	if errno != 0 {
		return 0, errno
	}
	defer p.Put()
	return 0, vfs.Utimes(t.ctx(), p, times)
}

func sysUtimensat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[3]&^(linux.AT_SYMLINK_NOFOLLOW|linux.AT_EMPTY_PATH) != 0 {
		return 0, linux.EINVAL
	}
	if a[2] == 0 {
		return t.utimes(a[0], a[1], nil, a[3])
	}
	var times [2]vfs.Time
	for i := range times {
		var ts linux.Timespec
		if errno := t.getStruct(a[2]+uint64(i)*linux.SizeofTimespec, &ts, linux.SizeofTimespec); errno != 0 {
			return 0, errno
		}
		if ts.Nsec != linux.UTIME_NOW && ts.Nsec != linux.UTIME_OMIT && (ts.Nsec < 0 || ts.Nsec >= 1e9) {
			return 0, linux.EINVAL
		}
		times[i] = vfs.Time{Sec: ts.Sec, Nsec: ts.Nsec}
	}
	return t.utimes(a[0], a[1], &times, a[3])
}

func sysUtimes(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.utimesVal(cwdFD, a[0], a[1]) }

func sysFutimesat(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.utimesVal(a[0], a[1], a[2]) }

func (t *Task) utimesVal(dirfd, addr, tvs uint64) (uint64, linux.Errno) {
	if tvs == 0 {
		return t.utimes(dirfd, addr, nil, 0)
	}
	var times [2]vfs.Time
	for i := range times {
		var tv linux.Timeval
		if errno := t.getStruct(tvs+uint64(i)*linux.SizeofTimeval, &tv, linux.SizeofTimeval); errno != 0 {
			return 0, errno
		}
		if tv.Usec < 0 || tv.Usec >= 1e6 {
			return 0, linux.EINVAL
		}
		times[i] = vfs.Time{Sec: tv.Sec, Nsec: tv.Usec * 1000}
	}
	return t.utimes(dirfd, addr, &times, 0)
}

func sysUtime(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[1] == 0 {
		return t.utimes(cwdFD, a[0], nil, 0)
	}
	var times [2]vfs.Time
	for i := range times {
		sec, errno := t.getUint64(a[1] + 8*uint64(i))
		if errno != 0 {
			return 0, errno
		}
		times[i].Sec = int64(sec)
	}
	return t.utimes(cwdFD, a[0], &times, 0)
}

// xattrTarget is the file an xattr call works on: by path (with or without
// following a last symbolic link) or by descriptor. The Path has a reference.
func (t *Task) xattrTarget(arg uint64, byFD bool, flags uint64) (vfs.Path, linux.Errno) {
	if !byFD {
		return t.lookup(cwdFD, arg, flags)
	}
	p, errno := t.pathOf(arg)
	if errno == 0 && p.Dentry == nil {
		errno = linux.EOPNOTSUPP
	}
	if errno != 0 {
		return vfs.Path{}, errno
	}
	return p.Get(), 0
}

// xattrName reads the name of an attribute.
func (t *Task) xattrName(addr uint64) (string, linux.Errno) {
	s, errno := t.as.CopyInString(addr, linux.XATTR_NAME_MAX)
	if errno == linux.ENAMETOOLONG || errno == 0 && s == "" {
		return "", linux.ERANGE
	}
	return s, errno
}

// putXattr stores a value; with no room given it only tells the size.
func (t *Task) putXattr(v []byte, addr, size uint64) (uint64, linux.Errno) {
	if size == 0 {
		return uint64(len(v)), 0
	}
	if uint64(len(v)) > size {
		return 0, linux.ERANGE
	}
	return uint64(len(v)), t.copyOut(addr, v)
}

func (t *Task) getxattr(a *[6]uint64, byFD bool, flags uint64) (uint64, linux.Errno) {
	p, errno := t.xattrTarget(a[0], byFD, flags)
	if errno != 0 {
		return 0, errno
	}
	defer p.Put()
	name, errno := t.xattrName(a[1])
	if errno != 0 {
		return 0, errno
	}
	v, errno := vfs.GetXattr(t.ctx(), p, name)
	if errno != 0 {
		return 0, errno
	}
	return t.putXattr(v, a[2], a[3])
}

func (t *Task) setxattr(a *[6]uint64, byFD bool, flags uint64) (uint64, linux.Errno) {
	if a[4]&^(linux.XATTR_CREATE|linux.XATTR_REPLACE) != 0 {
		return 0, linux.EINVAL
	}
	if a[3] > linux.XATTR_SIZE_MAX {
		return 0, linux.E2BIG
	}
	name, errno := t.xattrName(a[1])
	if errno != 0 {
		return 0, errno
	}
	v := make([]byte, a[3])
	if errno := t.copyIn(a[2], v); errno != 0 {
		return 0, errno
	}
	p, errno := t.xattrTarget(a[0], byFD, flags)
	if errno != 0 {
		return 0, errno
	}
	defer p.Put()
	return 0, vfs.SetXattr(t.ctx(), p, name, v, int(a[4]))
}

func (t *Task) listxattr(a *[6]uint64, byFD bool, flags uint64) (uint64, linux.Errno) {
	p, errno := t.xattrTarget(a[0], byFD, flags)
	if errno != 0 {
		return 0, errno
	}
	defer p.Put()
	v, errno := vfs.ListXattr(t.ctx(), p)
	if errno != 0 {
		return 0, errno
	}
	return t.putXattr(v, a[1], a[2])
}

func (t *Task) removexattr(a *[6]uint64, byFD bool, flags uint64) (uint64, linux.Errno) {
	name, errno := t.xattrName(a[1])
	if errno != 0 {
		return 0, errno
	}
	p, errno := t.xattrTarget(a[0], byFD, flags)
	if errno != 0 {
		return 0, errno
	}
	defer p.Put()
	return 0, vfs.RemoveXattr(t.ctx(), p, name)
}

const noFollow = linux.AT_SYMLINK_NOFOLLOW

func sysGetxattr(t *Task, a *[6]uint64) (uint64, linux.Errno)  { return t.getxattr(a, false, 0) }
func sysLgetxattr(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.getxattr(a, false, noFollow) }
func sysFgetxattr(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.getxattr(a, true, 0) }
func sysSetxattr(t *Task, a *[6]uint64) (uint64, linux.Errno)  { return t.setxattr(a, false, 0) }
func sysLsetxattr(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.setxattr(a, false, noFollow) }
func sysFsetxattr(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.setxattr(a, true, 0) }
func sysListxattr(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.listxattr(a, false, 0) }
func sysLlistxattr(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.listxattr(a, false, noFollow)
}
func sysFlistxattr(t *Task, a *[6]uint64) (uint64, linux.Errno)  { return t.listxattr(a, true, 0) }
func sysRemovexattr(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.removexattr(a, false, 0) }
func sysLremovexattr(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.removexattr(a, false, noFollow)
}
func sysFremovexattr(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.removexattr(a, true, 0) }
