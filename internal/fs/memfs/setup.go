package memfs

import (
	"strings"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// The functions here fill a file system before it is in use. Path names start
// at its root and have no symbolic links in them.

// Mkdir makes a directory and those above it that do not exist.
func (fs *FS) Mkdir(path string, mode uint32) (*Inode, linux.Errno) {
	dir := fs.root
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for k, name := range parts {
		e, errno := dir.entry(nil, name)
		if errno == 0 {
			if dir = e.inode; dir.dir == nil {
				return nil, linux.ENOTDIR
			}
			continue
		}
		if errno != linux.ENOENT {
			return nil, errno
		}
		m := uint32(0o755)
		if k == len(parts)-1 {
			m = mode
		}
		n, errno := dir.put(name, linux.S_IFDIR|m)
		if errno != 0 {
			return nil, errno
		}
		dir = n
	}
	return dir, 0
}

// put makes an inode for a new name, or in place of an old one, owned as the
// root directory.
func (i *Inode) put(name string, mode uint32) (*Inode, linux.Errno) {
	if e := i.dir.entries[name]; e != nil && !e.white {
		if e.inode != nil && e.inode.dir != nil {
			i.attr.Nlink--
		}
		i.dir.remove(e, true)
	}
	n, errno := i.fs.newInode(mode, i.fs.root.attr.UID, i.fs.root.attr.GID)
	if errno != 0 {
		return nil, errno
	}
	if n.dir != nil {
		n.dir.parent = i
		i.attr.Nlink++
	}
	i.dir.add(name, n).lower = i.low != nil
	i.changed()
	return n, 0
}

// parentOf makes the directories above a name.
func (fs *FS) parentOf(path string) (*Inode, string, linux.Errno) {
	path = strings.TrimRight(path, "/")
	k := strings.LastIndexByte(path, '/')
	dir, errno := fs.Mkdir(path[:k+1], 0o755)
	return dir, path[k+1:], errno
}

// WriteFile makes a regular file with contents.
func (fs *FS) WriteFile(path string, data []byte, mode uint32) linux.Errno {
	dir, name, errno := fs.parentOf(path)
	if errno != 0 {
		return errno
	}
	n, errno := dir.put(name, linux.S_IFREG|mode)
	if errno == 0 {
		_, errno = n.cache().WriteAt(data, 0)
		n.recount()
	}
	return errno
}

// Symlink makes a symbolic link.
func (fs *FS) Symlink(target, path string) linux.Errno {
	dir, name, errno := fs.parentOf(path)
	if errno != 0 {
		return errno
	}
	n, errno := dir.put(name, linux.S_IFLNK|0o777)
	if errno == 0 {
		n.target, n.attr.Size = target, int64(len(target))
	}
	return errno
}

// Mknod makes a device node or another special file.
func (fs *FS) Mknod(path string, mode uint32, rdev uint64) linux.Errno {
	dir, name, errno := fs.parentOf(path)
	if errno != 0 {
		return errno
	}
	n, errno := dir.put(name, mode)
	if errno == 0 {
		n.attr.Rdev = rdev
	}
	return errno
}

// Attach makes a directory or file of another file system the lower layer at
// path, in place of what is there. The caller keeps that file system open.
func (fs *FS) Attach(path string, low vfs.Inode) linux.Errno {
	a, errno := low.Attr()
	if errno != 0 {
		return errno
	}
	if strings.Trim(path, "/") == "" {
		return fs.root.attach(low, &a)
	}
	dir, name, errno := fs.parentOf(path)
	if errno != 0 {
		return errno
	}
	if a.IsDir() {
		n, errno := dir.put(name, linux.S_IFDIR)
		if errno != 0 {
			return errno
		}
		return n.attach(low, &a)
	}
	n, errno := fs.fromLower(low, dir)
	if errno == 0 {
		dir.dir.add(name, n).lower = dir.low != nil
	}
	return errno
}

func (i *Inode) attach(low vfs.Inode, a *vfs.Attr) linux.Errno {
	if !a.IsDir() {
		return linux.ENOTDIR
	}
	i.low = &lower{inode: low, dirty: true}
	vfs.HoldInode(low)
	ino := i.attr.Ino
	i.attr = *a
	i.attr.Ino, i.attr.Dev = ino, 0
	return 0
}
