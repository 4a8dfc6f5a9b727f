// Package overlay shows other file systems with all changes kept in memory.
//
// It is a memfs whose directories have lower layers. A file that is opened for
// writing is copied up page by page, as pages are touched; changes of mode,
// owner or name copy nothing; directories can be renamed. Until it is changed a
// file shares the pages of the lower one.
//
// Several folders can be put together: the directories above them are made as
// needed ("skeleton").
package overlay

import (
	"fmt"
	"os"

	"github.com/tinevm/tine/internal/fs/hostfs"
	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

const overlayfsMagic = 0x794c7630 // OVERLAYFS_SUPER_MAGIC

// firstIno is beyond the inode numbers of lower files (memfs, lowerIno).
const firstIno = 1 << 48

// FS is an overlay. The methods of memfs that fill a file system add to it.
type FS struct {
	*memfs.FS
	lowers []vfs.FileSystem
}

// New makes an empty overlay; Add and AddHost give it something to show.
// Type, Magic and FirstIno of the options are set here.
func New(o memfs.Options) *FS {
	o.Type, o.Magic, o.FirstIno = "overlay", overlayfsMagic, firstIno
	if o.Mode == 0 {
		o.Mode = 0o755
	}
	if o.Size == 0 && o.Account != nil {
		o.Size = o.Account.Limit() / 4 * 3 // it is most of a machine's disk
	}
	return &FS{FS: memfs.New(o)}
}

// Add shows the root of a file system at path. It belongs to the overlay from
// now on and is closed with it.
func (fs *FS) Add(path string, low vfs.FileSystem) linux.Errno {
	fs.lowers = append(fs.lowers, low)
	return fs.Attach(path, low.Root())
}

// AddHost shows a folder or file of the host at path. If the host has a
// symbolic link there, the overlay gets the same link.
func (fs *FS) AddHost(path, host string, o hostfs.Options) error {
	st, err := os.Lstat(host)
	if err != nil {
		return err
	}
	if st.Mode()&os.ModeSymlink != 0 {
		target, err := os.Readlink(host)
		if err != nil {
			return err
		}
		return asError("symlink", path, fs.Symlink(target, path))
	}
	o.ReadOnly = true
	low, err := hostfs.New(host, o)
	if err != nil {
		return err
	}
	return asError("attach", path, fs.Add(path, low))
}

func asError(op, path string, errno linux.Errno) error {
	if errno == 0 {
		return nil
	}
	return fmt.Errorf("overlay: %s %s: %v", op, path, errno)
}

// Close implements vfs.FileSystem.
func (fs *FS) Close() {
	fs.FS.Close()
	for _, l := range fs.lowers {
		l.Close()
	}
}
