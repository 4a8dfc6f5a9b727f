package kernel

import (
	"strings"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// at is the place where a relative path of an ...at call begins. An absolute
// path needs none, so a bad descriptor does not matter then.
func (t *Task) at(dirfd uint64, path string) (vfs.Path, linux.Errno) {
	if int32(dirfd) == linux.AT_FDCWD || strings.HasPrefix(path, "/") {
		return t.fs.Cwd, 0
	}
	f, errno := t.anyFile(dirfd)
	if errno != 0 {
		return vfs.Path{}, errno
	}
	if f.Path.Dentry == nil && path != "" {
		return vfs.Path{}, linux.ENOTDIR
	}
	return f.Path, 0
}

// pathAt reads a path argument and finds where it begins.
func (t *Task) pathAt(dirfd, addr uint64) (vfs.Path, string, linux.Errno) {
	path, errno := t.path(addr)
	if errno != 0 {
		return vfs.Path{}, "", errno
	}
	start, errno := t.at(dirfd, path)
	return start, path, errno
}

// cwdFD is AT_FDCWD as an argument.
const cwdFD = uint64(1<<64 + linux.AT_FDCWD)

// openFlags are the flags that open(2) knows; others are ignored, as Linux
// does there.
const openFlags = linux.O_ACCMODE | linux.O_CREAT | linux.O_EXCL | linux.O_NOCTTY | linux.O_TRUNC | linux.O_APPEND |
	linux.O_NONBLOCK | linux.O_DSYNC | linux.O_ASYNC | linux.O_DIRECT | oLargefile | linux.O_DIRECTORY |
	linux.O_NOFOLLOW | linux.O_NOATIME | linux.O_CLOEXEC | linux.O_SYNC | linux.O_PATH | linux.O_TMPFILE

func sysOpen(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.open(cwdFD, a[0], a[1], a[2]) }

func sysCreat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.open(cwdFD, a[0], linux.O_CREAT|linux.O_WRONLY|linux.O_TRUNC, a[1])
}

func sysOpenat(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.open(a[0], a[1], a[2], a[3]) }

func (t *Task) open(dirfd, addr, flags, mode uint64) (uint64, linux.Errno) {
	path, errno := t.path(addr)
	if errno == 0 {
		errno = t.roomForFD()
	}
	if errno != 0 {
		return 0, errno
	}
	start, errno := t.at(dirfd, path)
	if errno != 0 {
		return 0, errno
	}
	f, errno := vfs.Open(t.ctx(), start, path, uint32(flags)&openFlags|oLargefile, uint32(mode))
	if errno != 0 {
		return t.fileWait(nil, 0, errno)
	}
	return t.installFD(f, flags&linux.O_CLOEXEC != 0)
}

func sysOpenat2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[3] < openHowSize {
		return 0, linux.EINVAL
	}
	if a[3] > 4096 {
		return 0, linux.E2BIG
	}
	buf := make([]byte, a[3])
	if errno := t.copyIn(a[2], buf); errno != 0 {
		return 0, errno
	}
	for _, b := range buf[openHowSize:] {
		if b != 0 {
			return 0, linux.E2BIG
		}
	}
	how := decodeOpenHow(buf)
	const resolve = linux.RESOLVE_NO_XDEV | linux.RESOLVE_NO_MAGICLINKS | linux.RESOLVE_NO_SYMLINKS |
		linux.RESOLVE_BENEATH | linux.RESOLVE_IN_ROOT | linux.RESOLVE_CACHED
	const both = linux.RESOLVE_BENEATH | linux.RESOLVE_IN_ROOT
	if how.Flags&^openFlags != 0 || how.Resolve&^resolve != 0 || how.Resolve&both == both || how.Mode&^0o7777 != 0 ||
		how.Flags&linux.O_PATH != 0 && how.Flags&^(linux.O_PATH|linux.O_DIRECTORY|linux.O_NOFOLLOW|linux.O_CLOEXEC) != 0 ||
		how.Mode != 0 && how.Flags&(linux.O_CREAT|linux.O_TMPFILE&^linux.O_DIRECTORY) == 0 {
		return 0, linux.EINVAL
	}
	path, errno := t.path(a[1])
	if errno == 0 {
		errno = t.roomForFD()
	}
	if errno != 0 {
		return 0, errno
	}
	start, errno := t.at(a[0], path)
	if errno != 0 {
		return 0, errno
	}
	how.Flags |= oLargefile
	f, errno := vfs.OpenHow(t.ctx(), start, path, how)
	if errno != 0 {
		return t.fileWait(nil, 0, errno)
	}
	return t.installFD(f, how.Flags&linux.O_CLOEXEC != 0)
}

func sysChdir(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	path, errno := t.path(a[0])
	if errno != 0 {
		return 0, errno
	}
	p, errno := vfs.Chdir(t.ctx(), path)
	if errno != 0 {
		return 0, errno
	}
	t.fs.Cwd.Put()
	t.fs.Cwd = p
	return 0, 0
}

func sysFchdir(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.anyFile(a[0])
	if errno != 0 {
		return 0, errno
	}
	if f.Path.Dentry == nil {
		return 0, linux.ENOTDIR
	}
	if errno := vfs.MayEnter(t.ctx(), f.Path); errno != 0 {
		return 0, errno
	}
	old := t.fs.Cwd
	t.fs.Cwd = f.Path.Get()
	old.Put()
	return 0, 0
}

func sysChroot(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	path, errno := t.path(a[0])
	if errno != 0 {
		return 0, errno
	}
	p, errno := vfs.Chdir(t.ctx(), path)
	if errno != 0 {
		return 0, errno
	}
	if !t.capableIn(t.cred.user, linux.CAP_SYS_CHROOT) {
		p.Put()
		return 0, linux.EPERM
	}
	t.fs.Root.Put()
	t.fs.Root = p
	return 0, 0
}

func sysGetcwd(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	name, errno := vfs.Getcwd(t.ctx())
	if errno != 0 {
		return 0, errno
	}
	b := append([]byte(name), 0)
	if uint64(len(b)) > a[1] {
		return 0, linux.ERANGE
	}
	return uint64(len(b)), t.copyOut(a[0], b)
}

func sysUmask(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	old := t.fs.Umask
	t.fs.Umask = uint32(a[0]) & 0o777
	return uint64(old), 0
}

func sysMkdir(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.mkdir(cwdFD, a[0], a[1]) }

func sysMkdirat(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.mkdir(a[0], a[1], a[2]) }

func (t *Task) mkdir(dirfd, addr, mode uint64) (uint64, linux.Errno) {
	start, path, errno := t.pathAt(dirfd, addr)
	if errno != 0 {
		return 0, errno
	}
	return 0, vfs.Mkdir(t.ctx(), start, path, uint32(mode))
}

func sysMknod(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.mknod(cwdFD, a[0], a[1], a[2]) }

func sysMknodat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.mknod(a[0], a[1], a[2], a[3])
}

func (t *Task) mknod(dirfd, addr, mode, dev uint64) (uint64, linux.Errno) {
	start, path, errno := t.pathAt(dirfd, addr)
	if errno != 0 {
		return 0, errno
	}
	return 0, vfs.Mknod(t.ctx(), start, path, uint32(mode), dev)
}

func sysSymlink(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.symlink(a[0], cwdFD, a[1])
}

func sysSymlinkat(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.symlink(a[0], a[1], a[2]) }

func (t *Task) symlink(targetAddr, dirfd, addr uint64) (uint64, linux.Errno) {
	target, errno := t.path(targetAddr)
	if errno != 0 {
		return 0, errno
	}
	start, path, errno := t.pathAt(dirfd, addr)
	if errno != 0 {
		return 0, errno
	}
	return 0, vfs.Symlink(t.ctx(), target, start, path)
}

func sysLink(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.link(cwdFD, a[0], cwdFD, a[1], 0)
}

func sysLinkat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.link(a[0], a[1], a[2], a[3], a[4])
}

func (t *Task) link(oldFD, oldAddr, newFD, newAddr, flags uint64) (uint64, linux.Errno) {
	if flags&^(linux.AT_SYMLINK_FOLLOW|linux.AT_EMPTY_PATH) != 0 {
		return 0, linux.EINVAL
	}
	oldStart, oldPath, errno := t.pathAt(oldFD, oldAddr)
	if errno != 0 {
		return 0, errno
	}
	start, path, errno := t.pathAt(newFD, newAddr)
	if errno != 0 {
		return 0, errno
	}
	return 0, vfs.Link(t.ctx(), oldStart, oldPath, start, path, flags)
}

func sysUnlink(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.unlink(cwdFD, a[0], 0) }
func sysRmdir(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.unlink(cwdFD, a[0], linux.AT_REMOVEDIR)
}

func sysUnlinkat(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.unlink(a[0], a[1], a[2]) }

func (t *Task) unlink(dirfd, addr, flags uint64) (uint64, linux.Errno) {
	if flags&^linux.AT_REMOVEDIR != 0 {
		return 0, linux.EINVAL
	}
	start, path, errno := t.pathAt(dirfd, addr)
	if errno != 0 {
		return 0, errno
	}
	if flags != 0 {
		return 0, vfs.Rmdir(t.ctx(), start, path)
	}
	return 0, vfs.Unlink(t.ctx(), start, path)
}

func sysRename(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.rename(cwdFD, a[0], cwdFD, a[1], 0)
}

func sysRenameat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.rename(a[0], a[1], a[2], a[3], 0)
}

func sysRenameat2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.rename(a[0], a[1], a[2], a[3], a[4])
}

func (t *Task) rename(oldFD, oldAddr, newFD, newAddr, flags uint64) (uint64, linux.Errno) {
	oldStart, oldPath, errno := t.pathAt(oldFD, oldAddr)
	if errno != 0 {
		return 0, errno
	}
	start, path, errno := t.pathAt(newFD, newAddr)
	if errno != 0 {
		return 0, errno
	}
	return 0, vfs.RenameAt(t.ctx(), oldStart, oldPath, start, path, uint32(flags))
}

func sysReadlink(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.readlink(cwdFD, a[0], a[1], a[2])
}

func sysReadlinkat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.readlink(a[0], a[1], a[2], a[3])
}

func (t *Task) readlink(dirfd, addr, buf, size uint64) (uint64, linux.Errno) {
	if int32(size) <= 0 {
		return 0, linux.EINVAL
	}
	start, path, errno := t.pathAt(dirfd, addr)
	if errno != 0 {
		return 0, errno
	}
	target, errno := vfs.Readlink(t.ctx(), start, path)
	if errno != 0 {
		return 0, errno
	}
	b := []byte(target[:min(uint64(len(target)), size)])
	return uint64(len(b)), t.copyOut(buf, b)
}

// mountCtx is ctx for the calls that change the tree of mounts.
func (t *Task) mountCtx() *vfs.Context {
	c := t.ctx()
	c.MayMount = t.capableIn(t.ns.mntOwner(), linux.CAP_SYS_ADMIN)
	return c
}

func sysMount(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	args := vfs.MountArgs{Flags: a[3], NoType: a[2] == 0}
	for i, p := range []*string{&args.Source, &args.Target, &args.FSType} {
		if a[i] == 0 && i != 1 {
			continue
		}
		s, errno := t.path(a[i])
		if errno != 0 {
			return 0, errno
		}
		*p = s
	}
	if a[4] != 0 {
		s, errno := t.as.CopyInString(a[4], 4095)
		if errno != 0 {
			return 0, errno
		}
		args.Data = s
	}
	return 0, vfs.DoMount(t.mountCtx(), &args)
}

func sysUmount2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	path, errno := t.path(a[0])
	if errno != 0 {
		return 0, errno
	}
	return 0, vfs.Umount(t.mountCtx(), path, a[1])
}

func sysPivotRoot(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	newRoot, errno := t.path(a[0])
	if errno != 0 {
		return 0, errno
	}
	putOld, errno := t.path(a[1])
	if errno != 0 {
		return 0, errno
	}
	var move []*vfs.Path
	seen := map[*FSInfo]bool{}
	t.k.pids.each(func(u *Task) {
		if u.fs != nil && u.ns.mnt == t.ns.mnt && !seen[u.fs] {
			seen[u.fs] = true
			move = append(move, &u.fs.Root, &u.fs.Cwd)
		}
	})
	return 0, vfs.PivotRoot(t.mountCtx(), newRoot, putOld, move)
}
