package vfs

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// maxQueuedEvents is /proc/sys/fs/inotify/max_queued_events.
const maxQueuedEvents = 16384

// maxWatches limits the watches of one instance, as max_user_watches does
// those of one user.
const maxWatches = 1 << 16

// Inotify is an inotify instance (inotify(7)). It is the FileOps of its
// descriptor.
type Inotify struct {
	NoOps
	InodeCommon // for locks on the descriptor

	watches []*watch // by wd
	lastWD  int32
	events  []event
	queue   WaitQueue
}

// event is a struct inotify_event that waits to be read.
type event struct {
	wd           int32
	mask, cookie uint32
	name         string
}

// NewInotify makes an instance without watches; flags are linux.O_NONBLOCK.
func NewInotify(flags uint32) *File {
	return NewFile(&Inotify{}, linux.O_RDONLY|flags&linux.O_NONBLOCK)
}

// AddWatch watches the file with a name (inotify_add_watch(2)) and returns the
// watch descriptor.
func (in *Inotify) AddWatch(c *Context, name string, mask uint32) (int32, linux.Errno) {
	if mask&linux.IN_ALL_EVENTS == 0 || mask&linux.IN_MASK_ADD != 0 && mask&linux.IN_MASK_CREATE != 0 {
		return 0, linux.EINVAL
	}
	flags := uint64(0)
	if mask&linux.IN_DONT_FOLLOW != 0 {
		flags = linux.AT_SYMLINK_NOFOLLOW
	}
	p, errno := Lookup(c, c.Cwd, name, flags)
	if errno != 0 {
		return 0, errno
	}
	defer p.Put()
	if mask&linux.IN_ONLYDIR != 0 && !isDir(p.Dentry) {
		return 0, linux.ENOTDIR
	}
	if errno := c.permission(p.Dentry.inode, MayRead); errno != 0 {
		return 0, errno
	}
	return in.add(p.Dentry.inode, mask)
}

func (in *Inotify) add(i Inode, mask uint32) (int32, linux.Errno) {
	keep := mask & (linux.IN_ALL_EVENTS | linux.IN_ONESHOT | linux.IN_EXCL_UNLINK)
	for _, w := range i.Common().watches {
		if w.in != in {
			continue
		}
		if mask&linux.IN_MASK_CREATE != 0 {
			return 0, linux.EEXIST
		}
		if mask&linux.IN_MASK_ADD != 0 {
			keep |= w.mask
		}
		w.mask = keep
		return w.wd, 0
	}
	if len(in.watches) >= maxWatches {
		return 0, linux.ENOSPC
	}
	in.lastWD++
	w := &watch{in: in, inode: i, wd: in.lastWD, mask: keep}
	HoldInode(i)
	i.Common().watches = append(i.Common().watches, w)
	in.watches = append(in.watches, w)
	return w.wd, 0
}

// RemoveWatch ends a watch (inotify_rm_watch(2)).
func (in *Inotify) RemoveWatch(wd int32) linux.Errno {
	for _, w := range in.watches {
		if w.wd == wd {
			in.remove(w)
			return 0
		}
	}
	return linux.EINVAL
}

// remove ends a watch and says so with IN_IGNORED.
func (in *Inotify) remove(w *watch) {
	if k := slices.Index(in.watches, w); k >= 0 {
		in.watches = slices.Delete(in.watches, k, k+1)
		in.push(event{wd: w.wd, mask: linux.IN_IGNORED})
		w.unlink()
	}
}

// unlink takes w off its inode.
func (w *watch) unlink() {
	n := w.inode.Common()
	if k := slices.Index(n.watches, w); k >= 0 {
		n.watches = slices.Delete(n.watches, k, k+1)
	}
	DropInode(w.inode)
}

// push queues an event. One that equals the last is dropped, and when the queue
// is full an overflow event takes its place.
func (in *Inotify) push(e event) {
	if n := len(in.events); n > 0 && in.events[n-1] == e {
		return
	}
	if len(in.events) >= maxQueuedEvents {
		if in.events[len(in.events)-1].mask != linux.IN_Q_OVERFLOW {
			in.events = append(in.events, event{wd: -1, mask: linux.IN_Q_OVERFLOW})
		}
		return
	}
	in.events = append(in.events, e)
	in.queue.Wake(PollIn | PollRdNorm)
}

const inotifyEventSize = 16

// size is the length of the event as it is read: the name is padded with
// zeros to a multiple of the header's size.
func (e *event) size() int {
	if e.name == "" {
		return inotifyEventSize
	}
	return inotifyEventSize + (len(e.name)+inotifyEventSize)&^(inotifyEventSize-1)
}

func (e *event) encode(p []byte) {
	n := e.size()
	clear(p[:n])
	binary.LittleEndian.PutUint32(p, uint32(e.wd))
	binary.LittleEndian.PutUint32(p[4:], e.mask)
	binary.LittleEndian.PutUint32(p[8:], e.cookie)
	binary.LittleEndian.PutUint32(p[12:], uint32(n-inotifyEventSize))
	copy(p[inotifyEventSize:], e.name)
}

// Read implements FileOps: whole events, as many as fit.
func (in *Inotify) Read(_ *File, p []byte, _ int64) (int, linux.Errno) {
	if len(in.events) == 0 {
		return 0, linux.EAGAIN
	}
	n := 0
	for len(in.events) > 0 && in.events[0].size() <= len(p)-n {
		in.events[0].encode(p[n:])
		n += in.events[0].size()
		in.events = in.events[1:]
	}
	if n == 0 {
		return 0, linux.EINVAL
	}
	return n, 0
}

// Poll implements FileOps.
func (in *Inotify) Poll(*File) PollMask {
	if len(in.events) > 0 {
		return PollIn | PollRdNorm
	}
	return 0
}

// Queue implements FileOps.
func (in *Inotify) Queue(*File) *WaitQueue { return &in.queue }

// Ioctl implements FileOps: FIONREAD.
func (in *Inotify) Ioctl(_ *File, c *IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	if req != linux.FIONREAD {
		return 0, linux.ENOTTY
	}
	n := 0
	for i := range in.events {
		n += in.events[i].size()
	}
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(n))
	return 0, c.CopyOut(arg, b[:])
}

// Stat implements FileOps.
func (in *Inotify) Stat(*File) (linux.Stat, linux.Errno) {
	return AnonStat(), 0
}

// FDInfo is what /proc/PID/fdinfo shows: the watches.
func (in *Inotify) FDInfo() string {
	var b strings.Builder
	for _, w := range in.watches {
		a, _ := w.inode.Attr()
		fmt.Fprintf(&b, "inotify wd:%x ino:%x sdev:%x mask:%x ignored_mask:0\n", w.wd, a.Ino, a.Dev, w.mask)
	}
	return b.String()
}

// Release implements FileOps.
func (in *Inotify) Release(*File) {
	watches := in.watches
	in.watches = nil
	for _, w := range watches {
		w.unlink()
	}
	in.events = nil
}
