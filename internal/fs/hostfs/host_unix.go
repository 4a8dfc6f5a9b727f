//go:build unix

package hostfs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// canChown tells whether files can be given the owner the guest expects.
var canChown = unix.Geteuid() == 0

// unixDir is a directory of a Unix host, open as a descriptor; or a file that has
// no name to reach it by, see nameless_linux.go.
type unixDir struct {
	fd   int
	file bool
}

// openTop opens the exported folder. For a file it opens the folder it is in
// and returns its name there.
func openTop(path string) (handle, string, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, "", err
	}
	name := ""
	if st, err := os.Stat(path); err == nil && !st.IsDir() {
		path, name = filepath.Split(path)
	}
	fd, err := unix.Open(path, dirFlags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	return unixDir{fd: fd}, name, nil
}

func (d unixDir) close() { unix.Close(d.fd) }

func (d unixDir) stat(name string) (hostStat, linux.Errno) {
	var st unix.Stat_t
	var err error
	if name == "" {
		err = unix.Fstat(d.fd, &st)
	} else {
		err = unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return hostStat{}, toErrno(err)
	}
	return fromStat(&st), 0
}

// statFile is stat for an open file.
func statFile(f *os.File, _ fileID) (hostStat, linux.Errno) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return hostStat{}, toErrno(err)
	}
	return fromStat(&st), 0
}

func fromStat(st *unix.Stat_t) hostStat {
	a := vfs.Attr{
		Ino: uint64(st.Ino), Dev: hostDev(uint64(st.Dev)), Mode: uint32(st.Mode), Nlink: uint32(st.Nlink),
		UID: st.Uid, GID: st.Gid, Rdev: hostDev(uint64(st.Rdev)), Size: st.Size, Blocks: st.Blocks,
		Blksize: uint32(st.Blksize),
		Atime:   vfs.Time{Sec: int64(st.Atim.Sec), Nsec: int64(st.Atim.Nsec)},
		Mtime:   vfs.Time{Sec: int64(st.Mtim.Sec), Nsec: int64(st.Mtim.Nsec)},
		Ctime:   vfs.Time{Sec: int64(st.Ctim.Sec), Nsec: int64(st.Ctim.Nsec)},
	}
	a.Btime = a.Mtime
	return hostStat{fileID{uint64(st.Dev), a.Ino}, a}
}

// hostDev turns a device number of the host into Linux's form.
func hostDev(dev uint64) uint64 { return vfs.MakeDev(unix.Major(dev), unix.Minor(dev)) }

// seekData is lseek with SEEK_DATA or SEEK_HOLE. Nobody else uses the offset.
func seekData(f *os.File, off int64, whence int) (int64, linux.Errno) {
	host := unix.SEEK_DATA
	if whence == linux.SEEK_HOLE {
		host = unix.SEEK_HOLE
	}
	at, err := unix.Seek(int(f.Fd()), off, host)
	return at, toErrno(err)
}

func (d unixDir) openDir(name string) (handle, linux.Errno) {
	fd, err := openat(d.fd, name, dirFlags|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, toErrno(err)
	}
	return unixDir{fd: fd}, 0
}

func (d unixDir) openFile(name string, write bool) (*os.File, linux.Errno) {
	if d.file {
		return d.reopen(write)
	}
	flags := unix.O_RDONLY
	if write {
		flags = unix.O_RDWR
	}
	// O_NONBLOCK: should a named pipe have taken the file's place.
	const safe = unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	fd, err := openat(d.fd, name, flags|safe, 0)
	if write && err == unix.EACCES {
		fd, err = openat(d.fd, name, unix.O_WRONLY|safe, 0)
	}
	if err != nil {
		return nil, toErrno(err)
	}
	return os.NewFile(uintptr(fd), name), 0
}

// openat is openat(2), again if a signal of the Go runtime comes between.
func openat(dir int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags|unix.O_CLOEXEC, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func (d unixDir) list() ([]hostEntry, linux.Errno) {
	fd, err := openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, toErrno(err)
	}
	defer unix.Close(fd)
	list, errno := readEntries(fd)
	slices.SortFunc(list, func(a, b hostEntry) int { return strings.Compare(a.name, b.name) })
	return list, errno
}

func (d unixDir) readlink(name string) (string, linux.Errno) {
	var buf [linux.PATH_MAX]byte
	n, err := unix.Readlinkat(d.fd, name, buf[:])
	if err != nil {
		return "", toErrno(err)
	}
	return string(buf[:n]), 0
}

func (d unixDir) create(name string, mode uint32) linux.Errno {
	fd, err := openat(d.fd, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, mode)
	if err != nil {
		return toErrno(err)
	}
	defer unix.Close(fd)
	return toErrno(unix.Fchmod(fd, mode)) // without the host's umask
}

func (d unixDir) mkdir(name string, mode uint32) linux.Errno {
	if err := unix.Mkdirat(d.fd, name, mode); err != nil {
		return toErrno(err)
	}
	return d.chmod(name, mode)
}

func (d unixDir) mknod(name string, mode uint32) linux.Errno {
	if err := mknodat(d.fd, name, mode); err != nil {
		return toErrno(err)
	}
	return d.chmod(name, mode&0o7777)
}

func (d unixDir) symlink(target, name string) linux.Errno {
	return toErrno(unix.Symlinkat(target, d.fd, name))
}

func (d unixDir) link(name string, to handle, newName string) linux.Errno {
	if d.file {
		return d.linkFile(to.(unixDir), newName)
	}
	return toErrno(unix.Linkat(d.fd, name, to.(unixDir).fd, newName, 0))
}

func (d unixDir) unlink(name string, dir bool) linux.Errno {
	flags := 0
	if dir {
		flags = unix.AT_REMOVEDIR
	}
	return toErrno(unix.Unlinkat(d.fd, name, flags))
}

func (d unixDir) rename(name string, to handle, newName string, flags uint32) linux.Errno {
	return toErrno(renameat(d.fd, name, to.(unixDir).fd, newName, flags))
}

// chmod changes the mode of a file that is no symbolic link.
func (d unixDir) chmod(name string, mode uint32) linux.Errno {
	if d.file {
		return toErrno(unix.Fchmod(d.fd, mode))
	}
	if name == "" {
		name = "."
	}
	return toErrno(chmodat(d.fd, name, mode))
}

func (d unixDir) chown(name string, uid, gid int) linux.Errno {
	if d.file {
		return toErrno(unix.Fchown(d.fd, uid, gid))
	}
	if name == "" {
		name = "."
	}
	return toErrno(unix.Fchownat(d.fd, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW))
}

func (d unixDir) utimes(name string, atime, mtime vfs.Time) linux.Errno {
	if d.file {
		return d.setTimes(atime, mtime)
	}
	if name == "" {
		name = "."
	}
	ts := []unix.Timespec{timespec(atime), timespec(mtime)}
	return toErrno(unix.UtimesNanoAt(d.fd, name, ts, unix.AT_SYMLINK_NOFOLLOW))
}

func timespec(t vfs.Time) unix.Timespec { return unix.NsecToTimespec(t.Sec*1e9 + t.Nsec) }
