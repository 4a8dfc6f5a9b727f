package hostfs

import (
	"os"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// handle is an open directory of the host. Names are single components, and
// symbolic links are never followed. An empty name is the directory itself.
type handle interface {
	stat(name string) (hostStat, linux.Errno)
	openDir(name string) (handle, linux.Errno)
	openFile(name string, write bool) (*os.File, linux.Errno)
	// list returns the entries in order of their names.
	list() ([]hostEntry, linux.Errno)
	readlink(name string) (string, linux.Errno)

	create(name string, mode uint32) linux.Errno
	// tmpfile makes a file without a name in the directory and opens it for
	// reading and writing.
	tmpfile(mode uint32) (*os.File, linux.Errno)
	mkdir(name string, mode uint32) linux.Errno
	// mknod makes a named pipe or a socket node.
	mknod(name string, mode uint32) linux.Errno
	symlink(target, name string) linux.Errno
	link(name string, to handle, newName string) linux.Errno
	unlink(name string, dir bool) linux.Errno
	// rename supports linux.RENAME_EXCHANGE if the host does (else EINVAL).
	rename(name string, to handle, newName string, flags uint32) linux.Errno
	chmod(name string, mode uint32) linux.Errno
	chown(name string, uid, gid int) linux.Errno // -1 leaves one as it is
	utimes(name string, atime, mtime vfs.Time) linux.Errno

	getXattr(name, attr string) ([]byte, linux.Errno)
	setXattr(name, attr string, value []byte, flags int) linux.Errno
	listXattr(name string) ([]string, linux.Errno)
	removeXattr(name, attr string) linux.Errno

	statfs() (vfs.StatFS, linux.Errno)
	close()
}

// hostStat is what the host tells of a file.
type hostStat struct {
	id   fileID
	attr vfs.Attr
}

// same reports whether the contents are as they were at o.
func (s *hostStat) same(o *hostStat) bool {
	return s.id == o.id && s.attr.Mtime == o.attr.Mtime && s.attr.Size == o.attr.Size
}

// hostEntry is an entry of a host directory.
type hostEntry struct {
	name string
	ino  uint64
	typ  uint8
}
