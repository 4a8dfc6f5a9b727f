//go:build unix && !linux

package hostfs

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// dirFlags open a directory to reach what is in it.
const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY

// errnos are the host's errors that file operations give. Beyond these the
// numbers differ from Linux's without a counterpart.
var errnos = map[unix.Errno]linux.Errno{
	unix.EPERM: linux.EPERM, unix.ENOENT: linux.ENOENT, unix.EIO: linux.EIO, unix.ENXIO: linux.ENXIO,
	unix.EBADF: linux.EBADF, unix.ENOMEM: linux.ENOMEM, unix.EACCES: linux.EACCES, unix.EBUSY: linux.EBUSY,
	unix.EEXIST: linux.EEXIST, unix.EXDEV: linux.EXDEV, unix.ENODEV: linux.ENODEV, unix.ENOTDIR: linux.ENOTDIR,
	unix.EISDIR: linux.EISDIR, unix.EINVAL: linux.EINVAL, unix.ENFILE: linux.ENFILE, unix.EMFILE: linux.EMFILE,
	unix.ETXTBSY: linux.ETXTBSY, unix.EFBIG: linux.EFBIG, unix.ENOSPC: linux.ENOSPC, unix.EROFS: linux.EROFS,
	unix.EMLINK: linux.EMLINK, unix.ELOOP: linux.ELOOP, unix.ENAMETOOLONG: linux.ENAMETOOLONG,
	unix.ENOTEMPTY: linux.ENOTEMPTY, unix.EDQUOT: linux.EDQUOT, unix.ESTALE: linux.ESTALE,
	unix.EOPNOTSUPP: linux.EOPNOTSUPP, unix.ENOTSUP: linux.EOPNOTSUPP,
}

// toErrno is the errno of a host error.
func toErrno(err error) linux.Errno {
	var errno unix.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &errno):
		if e, ok := errnos[errno]; ok {
			return e
		}
	case errors.Is(err, fs.ErrNotExist):
		return linux.ENOENT
	}
	return linux.EIO
}

// readEntries reads the entries of an open directory.
func readEntries(fd int) ([]hostEntry, linux.Errno) {
	fd, err := unix.Dup(fd)
	if err != nil {
		return nil, toErrno(err)
	}
	f := os.NewFile(uintptr(fd), ".")
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, toErrno(err)
	}
	list := make([]hostEntry, 0, len(names))
	for _, name := range names {
		var st unix.Stat_t
		if unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			list = append(list, hostEntry{name, uint64(st.Ino), vfs.DirentType(uint32(st.Mode))})
		}
	}
	return list, 0
}

func renameat(dir int, name string, toDir int, newName string, flags uint32) error {
	if flags != 0 {
		return unix.EINVAL
	}
	return unix.Renameat(dir, name, toDir, newName)
}

func mknodat(int, string, uint32) error { return unix.EPERM }

func chmodat(dir int, name string, mode uint32) error {
	return unix.Fchmodat(dir, name, mode, unix.AT_SYMLINK_NOFOLLOW)
}

// Extended attributes of such hosts are not shown.

func (unixDir) getXattr(string, string) ([]byte, linux.Errno) { return nil, linux.EOPNOTSUPP }
func (unixDir) setXattr(string, string, []byte, int) linux.Errno {
	return linux.EOPNOTSUPP
}
func (unixDir) listXattr(string) ([]string, linux.Errno) { return nil, 0 }
func (unixDir) removeXattr(string, string) linux.Errno   { return linux.EOPNOTSUPP }

func (d unixDir) statfs() (vfs.StatFS, linux.Errno) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(d.fd, &st); err != nil {
		return vfs.StatFS{}, toErrno(err)
	}
	return vfs.StatFS{
		Blksize: int64(st.Bsize), Blocks: uint64(st.Blocks), Free: uint64(st.Bfree), Avail: uint64(st.Bavail),
		Files: uint64(st.Files), FilesFree: uint64(st.Ffree), NameLen: linux.NAME_MAX,
	}, 0
}
