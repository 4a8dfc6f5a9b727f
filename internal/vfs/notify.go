package vfs

import (
	"maps"
	"slices"

	"github.com/tinevm/tine/internal/linux"
)

// watch is one inode watched by one inotify instance.
type watch struct {
	in    *Inotify
	inode Inode // holds a reference
	wd    int32
	mask  uint32
}

// isDirBit is IN_ISDIR for directories.
func isDirBit(i Inode) uint32 {
	if a, errno := i.Attr(); errno == 0 && a.IsDir() {
		return linux.IN_ISDIR
	}
	return 0
}

// notifySelf tells the watchers of an inode.
func notifySelf(i Inode, mask, cookie uint32) {
	if len(i.Common().watches) != 0 {
		send(i, mask|isDirBit(i), cookie, "")
	}
}

// notifyName tells the watchers of a directory about the entry name, which is
// or was child.
func notifyName(dir, child Inode, mask, cookie uint32, name string) {
	if len(dir.Common().watches) != 0 {
		send(dir, mask|isDirBit(child), cookie, name)
	}
}

// notifyDir is notifyName for a dentry.
func notifyDir(dir, d *Dentry, mask, cookie uint32) {
	notifyName(dir.inode, d.inode, mask, cookie, d.name)
}

// notify tells the watchers of a file and of the directory it is in.
func notify(d *Dentry, mask uint32) {
	if d.inode == nil {
		return
	}
	if p := d.parent; p != nil && p.inode != nil && len(p.inode.Common().watches) != 0 {
		sendFrom(p.inode, mask|isDirBit(d.inode), d.name, !d.hashed)
	}
	notifySelf(d.inode, mask, 0)
}

// NotifyAccess is called after a read from f.
func NotifyAccess(f *File) {
	if d := f.Path.Dentry; d != nil {
		notify(d, linux.IN_ACCESS)
	}
}

// NotifyModify is called after a write to f.
func NotifyModify(f *File) {
	if d := f.Path.Dentry; d != nil {
		notify(d, linux.IN_MODIFY)
	}
}

// NotifyInode tells the watchers of an inode, and of the directory in which it
// has a name, of a change that did not come through an open file.
func NotifyInode(dir, i Inode, name string, mask uint32) {
	notifyName(dir, i, mask, 0, name)
	notifySelf(i, mask, 0)
}

// send queues an event with every watcher of i that asked for it.
func send(i Inode, mask, cookie uint32, name string) {
	for _, w := range slices.Clone(i.Common().watches) {
		w.send(mask, cookie, name)
	}
}

// sendFrom is send for events of a directory's child; unlinked tells that the
// name is gone, for IN_EXCL_UNLINK.
func sendFrom(i Inode, mask uint32, name string, unlinked bool) {
	for _, w := range slices.Clone(i.Common().watches) {
		if !unlinked || w.mask&linux.IN_EXCL_UNLINK == 0 {
			w.send(mask, 0, name)
		}
	}
}

func (w *watch) send(mask, cookie uint32, name string) {
	if w.mask&mask&linux.IN_ALL_EVENTS == 0 {
		return
	}
	w.in.push(event{wd: w.wd, mask: mask, cookie: cookie, name: name})
	if w.mask&linux.IN_ONESHOT != 0 {
		w.in.remove(w)
	}
}

// noteDeleted is called when the last dentry of an inode goes. If the file has
// no name left it is deleted: its watches end.
func noteDeleted(i Inode) {
	if a, errno := i.Attr(); errno == 0 && a.Nlink != 0 {
		return
	}
	for _, w := range slices.Clone(i.Common().watches) {
		if w.mask&linux.IN_DELETE_SELF != 0 {
			w.in.push(event{wd: w.wd, mask: linux.IN_DELETE_SELF})
		}
		w.in.remove(w)
	}
}

// noteUnmount ends the watches below d, whose file system goes away.
func (d *Dentry) noteUnmount() {
	if d.inode != nil {
		for _, w := range slices.Clone(d.inode.Common().watches) {
			w.in.push(event{wd: w.wd, mask: linux.IN_UNMOUNT})
			w.in.remove(w)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.children)) {
		d.children[name].noteUnmount()
	}
}
