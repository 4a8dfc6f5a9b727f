//go:build !unix

package hostfs

import (
	"errors"
	"hash/fnv"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

const canChown = false

// rootDir is a directory below an os.Root, which keeps every access inside.
// Inode numbers are made from names, so hard links are separate files.
type rootDir struct {
	root *os.Root
	dir  string // "." or a name with slashes
}

func openTop(name string) (handle, string, error) {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil, "", err
	}
	base := ""
	if st, err := os.Stat(name); err == nil && !st.IsDir() {
		name, base = filepath.Split(name)
	}
	r, err := os.OpenRoot(name)
	if err != nil {
		return nil, "", err
	}
	return rootDir{r, "."}, base, nil
}

func (d rootDir) at(name string) string { return path.Join(d.dir, name) }

func (d rootDir) close() {
	if d.dir == "." {
		d.root.Close()
	}
}

func (d rootDir) stat(name string) (hostStat, linux.Errno) {
	if strings.ContainsAny(name, `\:`) {
		return hostStat{}, linux.ENOENT
	}
	st, err := d.root.Lstat(d.at(name))
	if err != nil {
		return hostStat{}, toErrno(err)
	}
	return fromInfo(st, d.at(name)), 0
}

// statFile is stat for an open file, which is known as id.
func statFile(f *os.File, id fileID) (hostStat, linux.Errno) {
	st, err := f.Stat()
	if err != nil {
		return hostStat{}, toErrno(err)
	}
	hs := fromInfo(st, f.Name())
	hs.id, hs.attr.Ino = id, id.ino
	return hs, 0
}

func namelessHandle(*os.File) handle { return nil }

func (rootDir) tmpfile(uint32) (*os.File, linux.Errno) { return nil, linux.EOPNOTSUPP }

// seekData tells no holes.
func seekData(f *os.File, off int64, whence int) (int64, linux.Errno) {
	if whence != linux.SEEK_HOLE {
		return off, 0
	}
	st, err := f.Stat()
	if err != nil {
		return 0, toErrno(err)
	}
	return st.Size(), 0
}

func fromInfo(st fs.FileInfo, name string) hostStat {
	h := fnv.New64a()
	h.Write([]byte(path.Clean(filepath.ToSlash(name))))
	t := vfs.Time{Sec: st.ModTime().Unix(), Nsec: int64(st.ModTime().Nanosecond())}
	a := vfs.Attr{
		Ino: h.Sum64() >> 16, Dev: 1, Mode: uint32(st.Mode().Perm()), Nlink: 1,
		Size: st.Size(), Blocks: (st.Size() + 511) / 512, Atime: t, Mtime: t, Ctime: t, Btime: t,
	}
	switch {
	case st.IsDir():
		a.Mode, a.Nlink = linux.S_IFDIR|0o755, 2
	case st.Mode()&fs.ModeSymlink != 0:
		a.Mode = linux.S_IFLNK | 0o777
	case st.Mode().IsRegular():
		a.Mode |= linux.S_IFREG | 0o111 // there is no execute permission to show
	default:
		a.Mode |= linux.S_IFCHR
	}
	return hostStat{fileID{1, a.Ino}, a}
}

func (d rootDir) openDir(name string) (handle, linux.Errno) {
	return rootDir{d.root, d.at(name)}, 0
}

func (d rootDir) openFile(name string, write bool) (*os.File, linux.Errno) {
	st, errno := d.stat(name)
	if errno != 0 {
		return nil, errno
	}
	if st.attr.IsSymlink() {
		return nil, linux.ELOOP
	}
	flags := os.O_RDONLY
	if write {
		flags = os.O_RDWR
	}
	f, err := d.root.OpenFile(d.at(name), flags, 0)
	return f, toErrno(err)
}

func (d rootDir) list() ([]hostEntry, linux.Errno) {
	f, err := d.root.Open(d.dir)
	if err != nil {
		return nil, toErrno(err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, toErrno(err)
	}
	var list []hostEntry
	for _, e := range entries {
		if st, errno := d.stat(e.Name()); errno == 0 {
			list = append(list, hostEntry{e.Name(), st.attr.Ino, vfs.DirentType(st.attr.Mode)})
		}
	}
	slices.SortFunc(list, func(a, b hostEntry) int { return strings.Compare(a.name, b.name) })
	return list, 0
}

func (d rootDir) readlink(name string) (string, linux.Errno) {
	s, err := d.root.Readlink(d.at(name))
	return filepath.ToSlash(s), toErrno(err)
}

func (d rootDir) create(name string, mode uint32) linux.Errno {
	f, err := d.root.OpenFile(d.at(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, fs.FileMode(mode&0o777))
	if err != nil {
		return toErrno(err)
	}
	return toErrno(f.Close())
}

func (d rootDir) mkdir(name string, mode uint32) linux.Errno {
	return toErrno(d.root.Mkdir(d.at(name), fs.FileMode(mode&0o777)))
}

func (rootDir) mknod(string, uint32) linux.Errno { return linux.EPERM }

func (d rootDir) symlink(target, name string) linux.Errno {
	return toErrno(d.root.Symlink(target, d.at(name)))
}

func (d rootDir) link(name string, to handle, newName string) linux.Errno {
	return toErrno(d.root.Link(d.at(name), to.(rootDir).at(newName)))
}

func (d rootDir) unlink(name string, dir bool) linux.Errno {
	return toErrno(d.root.Remove(d.at(name)))
}

func (d rootDir) rename(name string, to handle, newName string, flags uint32) linux.Errno {
	if flags != 0 {
		return linux.EINVAL
	}
	return toErrno(d.root.Rename(d.at(name), to.(rootDir).at(newName)))
}

func (d rootDir) chmod(name string, mode uint32) linux.Errno {
	return toErrno(d.root.Chmod(d.at(name), fs.FileMode(mode&0o777)))
}

func (rootDir) chown(string, int, int) linux.Errno { return 0 }

func (d rootDir) utimes(name string, atime, mtime vfs.Time) linux.Errno {
	return toErrno(d.root.Chtimes(d.at(name), time.Unix(atime.Sec, atime.Nsec), time.Unix(mtime.Sec, mtime.Nsec)))
}

func (rootDir) getXattr(string, string) ([]byte, linux.Errno)    { return nil, linux.EOPNOTSUPP }
func (rootDir) setXattr(string, string, []byte, int) linux.Errno { return linux.EOPNOTSUPP }
func (rootDir) listXattr(string) ([]string, linux.Errno)         { return nil, 0 }
func (rootDir) removeXattr(string, string) linux.Errno           { return linux.EOPNOTSUPP }
func (rootDir) statfs() (vfs.StatFS, linux.Errno) {
	return vfs.StatFS{Blksize: 4096, NameLen: linux.NAME_MAX}, 0
}

// toErrno is the errno of a host error.
func toErrno(err error) linux.Errno {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, fs.ErrNotExist):
		return linux.ENOENT
	case errors.Is(err, fs.ErrExist):
		return linux.EEXIST
	case errors.Is(err, fs.ErrPermission):
		return linux.EACCES
	case errors.Is(err, fs.ErrClosed):
		return linux.EBADF
	case strings.Contains(err.Error(), "not empty"):
		return linux.ENOTEMPTY
	}
	return linux.EIO
}
