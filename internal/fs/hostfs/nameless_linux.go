package hostfs

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// A file without a name, because it never had one (O_TMPFILE) or because it has
// been removed, is reached through an open descriptor: by the name that /proc
// has for that.

// namelessHandle is what can be reached of an open file.
func namelessHandle(f *os.File) handle { return unixDir{fd: int(f.Fd()), file: true} }

// tmpfile makes a file without a name in the directory.
func (d unixDir) tmpfile(mode uint32) (*os.File, linux.Errno) {
	fd, err := openat(d.fd, ".", unix.O_RDWR|unix.O_TMPFILE, mode)
	if err != nil {
		return nil, toErrno(err)
	}
	if err := unix.Fchmod(fd, mode); err != nil { // without the host's umask
		unix.Close(fd)
		return nil, toErrno(err)
	}
	return os.NewFile(uintptr(fd), "."), 0
}

// reopen opens the file once more. The rights to it have been checked by those
// that the guest sees: that of tine itself, which may be none on a file that it
// has made, is not asked for if the descriptor will do.
func (d unixDir) reopen(write bool) (*os.File, linux.Errno) {
	flags := unix.O_RDONLY
	if write {
		flags = unix.O_RDWR
	}
	have, err := unix.FcntlInt(uintptr(d.fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, toErrno(err)
	}
	var fd int
	if have&unix.O_ACCMODE == unix.O_RDWR || !write && have&unix.O_ACCMODE == unix.O_RDONLY {
		fd, err = unix.FcntlInt(uintptr(d.fd), unix.F_DUPFD_CLOEXEC, 0)
	} else {
		fd, err = openat(unix.AT_FDCWD, fdPath(d.fd), flags, 0)
	}
	if err != nil {
		return nil, toErrno(err)
	}
	return os.NewFile(uintptr(fd), "."), 0
}

// linkFile gives the file a name.
func (d unixDir) linkFile(to unixDir, name string) linux.Errno {
	return toErrno(unix.Linkat(unix.AT_FDCWD, fdPath(d.fd), to.fd, name, unix.AT_SYMLINK_FOLLOW))
}

func (d unixDir) setTimes(atime, mtime vfs.Time) linux.Errno {
	ts := []unix.Timespec{timespec(atime), timespec(mtime)}
	return toErrno(unix.UtimesNanoAt(unix.AT_FDCWD, fdPath(d.fd), ts, 0))
}
