// Package hostfs shows a folder of the host.
//
// Nothing outside the folder can be reached: every access to the host names
// one component below an open directory and follows no symbolic link. Links
// appear as links, and the guest resolves them inside its own tree.
//
// The pages of host files are shared by all machines of the process (cache.go).
// Changes go to the host at once; what a shared mapping has written goes there
// at msync and when the mapping is gone.
package hostfs

import (
	"fmt"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Options say how a folder is shown.
type Options struct {
	// ReadOnly refuses all changes with EROFS.
	ReadOnly bool
	// Stable promises that the folder does not change while it is shown:
	// names and attributes are remembered.
	Stable bool
	// Moment, if it is not nil, is a number that changes whenever the guest may
	// see changes that the host has made since. In one moment attributes are asked
	// for once, unless the guest makes changes itself.
	Moment *uint64
	// Owner maps the host's owners to those the guest sees; nil shows them as
	// they are.
	Owner func(uid, gid uint32) (guestUID, guestGID uint32)
}

// FS is a folder of the host, or a single file.
type FS struct {
	o      Options
	root   *Inode
	inodes map[fileID]*Inode // those in use
	dirs   dirList           // directories with an open handle
	closed bool

	writers int    // files open for writing
	changed uint64 // the moment of the guest's last change other than by writing
}

// fileID identifies a host file.
type fileID struct{ dev, ino uint64 }

// New shows the folder, or the file, with a host path name.
func New(path string, o Options) (*FS, error) {
	fs := &FS{o: o, inodes: make(map[fileID]*Inode)}
	top, name, err := openTop(path)
	if err != nil {
		return nil, fmt.Errorf("hostfs: %w", err)
	}
	st, errno := top.stat(name)
	if errno != 0 {
		top.close()
		return nil, fmt.Errorf("hostfs: %s: %v", path, errno)
	}
	fs.root = &Inode{fs: fs, name: name, id: st.id, st: st}
	if name == "" {
		fs.root.h = top
	} else {
		fs.root.parent = &Inode{fs: fs, h: top}
	}
	fs.inodes[st.id] = fs.root
	return fs, nil
}

// Type implements vfs.FileSystem.
func (fs *FS) Type() string { return "hostfs" }

// Root implements vfs.FileSystem.
func (fs *FS) Root() vfs.Inode { return fs.root }

// Statfs implements vfs.FileSystem.
func (fs *FS) Statfs() (vfs.StatFS, linux.Errno) {
	i := fs.root
	if i.parent != nil {
		i = i.parent
	}
	h, errno := i.handle()
	if errno != 0 {
		return vfs.StatFS{}, errno
	}
	st, errno := h.statfs()
	if st.Magic == 0 {
		st.Magic = linux.V9FS_MAGIC // also files of a host seen by a guest
	}
	return st, errno
}

// Close implements vfs.FileSystem.
func (fs *FS) Close() {
	fs.closed = true
	for fs.dirs.head != nil {
		fs.dirs.remove(fs.dirs.head)
	}
	top := fs.root
	if top.parent != nil {
		top = top.parent
	}
	if top.h != nil {
		top.h.close()
		top.h = nil
	}
}

// dirList is the list of directories that have a handle, most recently used
// last. The root is never on it.
type dirList struct {
	head, tail *Inode
	n          int
}

// maxHandles limits the host descriptors one FS keeps for directories.
const maxHandles = 128

func (l *dirList) add(i *Inode) {
	i.prev, i.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = i
	} else {
		l.head = i
	}
	l.tail = i
	l.n++
}

func (l *dirList) unlink(i *Inode) {
	if i.prev != nil {
		i.prev.next = i.next
	} else {
		l.head = i.next
	}
	if i.next != nil {
		i.next.prev = i.prev
	} else {
		l.tail = i.prev
	}
	i.prev, i.next = nil, nil
	l.n--
}

// remove closes the handle of a directory.
func (l *dirList) remove(i *Inode) {
	l.unlink(i)
	i.h.close()
	i.h, i.listed = nil, false
}

// handle returns the open host directory of a directory inode.
func (i *Inode) handle() (handle, linux.Errno) {
	l := &i.fs.dirs
	if i.h != nil {
		if i.listed && l.tail != i {
			l.unlink(i)
			l.add(i)
		}
		return i.h, 0
	}
	if i.fs.closed {
		return nil, linux.EIO
	}
	if i.parent == nil || i.nameless {
		return nil, linux.ENOENT
	}
	ph, errno := i.parent.handle()
	if errno != 0 {
		return nil, errno
	}
	h, errno := ph.openDir(i.name)
	if errno != 0 {
		return nil, errno
	}
	i.h, i.listed = h, true
	l.add(i)
	if l.n > maxHandles {
		l.remove(l.head)
	}
	return h, 0
}
