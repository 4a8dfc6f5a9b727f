package cgroupfs

import (
	"strings"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// file is a control file of one group.
type file struct {
	vfs.InodeCommon
	vfs.NoInode
	dir     *Dir
	kind    *File
	attr    vfs.Attr
	changes uint64 // that watchers have been told of
	queue   vfs.WaitQueue
}

// Attr implements vfs.Inode.
func (f *file) Attr() (vfs.Attr, linux.Errno) { return f.attr, 0 }

// SetAttr implements vfs.Inode. The size is always 0.
func (f *file) SetAttr(_ *vfs.Context, s *vfs.SetAttr) linux.Errno {
	f.dir.tree.setAttr(&f.attr, s)
	return 0
}

// Lookup implements vfs.Inode.
func (f *file) Lookup(*vfs.Context, string) (vfs.Inode, linux.Errno) { return nil, linux.ENOTDIR }

// Open implements vfs.Inode.
func (f *file) Open(c *vfs.Context, _ uint32) (vfs.FileOps, linux.Errno) {
	if f.gone() {
		return nil, linux.ENODEV
	}
	return &fileOps{f: f, opener: f.dir.group.Opened(c), seen: f.changes}, 0
}

// gone reports whether the group or the controller of the file is no more.
func (f *file) gone() bool { return f.dir.file(f.kind.Name) != f }

// Changed tells those who wait for a control file or watch it that what it
// shows is different now (cgroup_file_notify).
func (d *Dir) Changed(name string) {
	f := d.files[name]
	if f == nil {
		return // nobody has looked for it
	}
	f.changes++
	f.queue.Wake(vfs.PollPri | vfs.PollErr)
	vfs.NotifyInode(d, f, name, linux.IN_MODIFY)
}

// fileOps is an open control file.
type fileOps struct {
	vfs.NoOps
	f      *file
	opener any
	data   string // what the last read from the start has shown
	read   bool
	seen   uint64 // file.changes at that time
}

// Seekable implements vfs.FileOps.
func (o *fileOps) Seekable() bool { return true }

// Read implements vfs.FileOps.
func (o *fileOps) Read(_ *vfs.File, p []byte, off int64) (int, linux.Errno) {
	if off == 0 || !o.read {
		if o.f.gone() {
			return 0, linux.ENODEV
		}
		o.seen = o.f.changes
		if o.f.kind.Read == nil {
			return 0, linux.EINVAL
		}
		text, errno := o.f.kind.Read(o.f.dir.group, o.opener)
		if errno != 0 {
			return 0, errno
		}
		o.data, o.read = text, true
	}
	if off >= int64(len(o.data)) {
		return 0, 0
	}
	return copy(p, o.data[off:]), 0
}

// Write implements vfs.FileOps. Each write is a command of its own, of at most
// a page.
func (o *fileOps) Write(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	if o.f.gone() {
		return 0, linux.ENODEV
	}
	if o.f.kind.Write == nil {
		return 0, linux.EINVAL
	}
	p = p[:min(len(p), 4096)]
	if len(p) == 0 {
		return 0, 0
	}
	text, _, _ := strings.Cut(string(p), "\x00")
	if errno := o.f.kind.Write(o.f.dir.group, o.opener, strings.Trim(text, " \t\n\v\f\r")); errno != 0 {
		return 0, errno
	}
	return len(p), 0
}

// Poll implements vfs.FileOps: POLLPRI and POLLERR tell of changes since the
// file was read last.
func (o *fileOps) Poll(*vfs.File) vfs.PollMask {
	m := vfs.PollIn | vfs.PollOut | vfs.PollRdNorm | vfs.PollWrNorm
	if o.f.gone() || o.seen != o.f.changes {
		m |= vfs.PollPri | vfs.PollErr
	}
	return m
}

// Queue implements vfs.FileOps.
func (o *fileOps) Queue(*vfs.File) *vfs.WaitQueue { return &o.f.queue }

// Stat implements vfs.FileOps.
func (o *fileOps) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }
