package hostfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// dirFlags open a directory to reach what is in it.
const dirFlags = unix.O_PATH | unix.O_DIRECTORY

// toErrno is the errno of a host error: the numbers are the same.
func toErrno(err error) linux.Errno {
	var errno syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &errno):
		if errno >= 4096 {
			return linux.EIO
		}
		// MIPS and others number differently; hosts here do not.
		return linux.Errno(errno)
	case errors.Is(err, fs.ErrNotExist):
		return linux.ENOENT
	case errors.Is(err, fs.ErrClosed):
		return linux.EBADF
	}
	return linux.EIO
}

// readEntries reads the entries of an open directory (struct linux_dirent64).
func readEntries(fd int) (list []hostEntry, errno linux.Errno) {
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return nil, toErrno(err)
		}
		if n == 0 {
			return list, 0
		}
		for b := buf[:n]; len(b) > 19; {
			size := binary.NativeEndian.Uint16(b[16:])
			name, _, _ := bytes.Cut(b[19:size], []byte{0})
			if s := string(name); s != "." && s != ".." {
				list = append(list, hostEntry{s, binary.NativeEndian.Uint64(b), b[18]})
			}
			b = b[size:]
		}
	}
}

func renameat(dir int, name string, toDir int, newName string, flags uint32) error {
	return unix.Renameat2(dir, name, toDir, newName, uint(flags))
}

func mknodat(dir int, name string, mode uint32) error {
	return unix.Mknodat(dir, name, mode, 0)
}

// chmodat is fchmodat without following a link: through the name that /proc
// has for a descriptor of the file.
func chmodat(dir int, name string, mode uint32) error {
	fd, err := openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Chmod(fdPath(fd), mode)
}

func fdPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// withPath calls fn with a host path name that leads to the entry.
func (d unixDir) withPath(name string, fn func(path string) error) linux.Errno {
	if d.file {
		return toErrno(fn(fdPath(d.fd)))
	}
	if name == "" {
		name = "."
	}
	fd, err := openat(d.fd, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return toErrno(err)
	}
	defer unix.Close(fd)
	return toErrno(fn(fdPath(fd)))
}

// shownXattr reports whether the guest may see and set an attribute: only
// those of users.
func shownXattr(attr string) bool { return strings.HasPrefix(attr, "user.") }

func (d unixDir) getXattr(name, attr string) (value []byte, errno linux.Errno) {
	if !shownXattr(attr) {
		return nil, linux.EOPNOTSUPP
	}
	errno = d.withPath(name, func(path string) error {
		value = make([]byte, 65536)
		n, err := unix.Getxattr(path, attr, value)
		value = value[:max(n, 0)]
		return err
	})
	return value, errno
}

func (d unixDir) setXattr(name, attr string, value []byte, flags int) linux.Errno {
	if !shownXattr(attr) {
		return linux.EOPNOTSUPP
	}
	return d.withPath(name, func(path string) error { return unix.Setxattr(path, attr, value, flags) })
}

func (d unixDir) listXattr(name string) (names []string, errno linux.Errno) {
	errno = d.withPath(name, func(path string) error {
		buf := make([]byte, 65536)
		n, err := unix.Listxattr(path, buf)
		if err != nil {
			return err
		}
		for _, s := range strings.Split(string(buf[:n]), "\x00") {
			if shownXattr(s) {
				names = append(names, s)
			}
		}
		return nil
	})
	return names, errno
}

func (d unixDir) removeXattr(name, attr string) linux.Errno {
	if !shownXattr(attr) {
		return linux.EOPNOTSUPP
	}
	return d.withPath(name, func(path string) error { return unix.Removexattr(path, attr) })
}

func (d unixDir) statfs() (vfs.StatFS, linux.Errno) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(d.fd, &st); err != nil {
		return vfs.StatFS{}, toErrno(err)
	}
	return vfs.StatFS{
		Magic: int64(st.Type), Blksize: int64(st.Bsize), Blocks: st.Blocks, Free: st.Bfree, Avail: st.Bavail,
		Files: st.Files, FilesFree: st.Ffree, NameLen: linux.NAME_MAX,
	}, 0
}
