package kernel

import (
	"github.com/tinevm/tine/internal/fs/anon"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// The kinds of kcmp(2).
const (
	kcmpFile = iota
	kcmpVM
	kcmpFiles
	kcmpFS
	kcmpSighand
	kcmpIO
	kcmpSysvsem
	kcmpEpollTFD
)

// sysKcmp is kcmp(2): two pids, the kind, two descriptors. It tells whether two
// processes share something, and orders what they do not.
func sysKcmp(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	u, v := t.pidNS().task(int(int32(a[0]))), t.pidNS().task(int(int32(a[1])))
	if u == nil || v == nil {
		return 0, linux.ESRCH
	}
	if !t.mayInspect(u) || !t.mayInspect(v) {
		return 0, linux.EPERM
	}
	switch int32(a[2]) {
	case kcmpFile:
		f, e1 := u.kcmpFile(a[3])
		g, e2 := v.kcmpFile(a[4])
		if e1 != 0 || e2 != 0 {
			return 0, linux.EBADF
		}
		return t.k.order(f, g, (*Task).eachFile), 0
	case kcmpEpollTFD:
		return t.kcmpEpoll(u, v, a)
	case kcmpVM:
		return t.k.order(u.as, v.as, func(w *Task, fn func(any)) { fn(w.as) }), 0
	case kcmpFiles:
		return t.k.order(u.files, v.files, func(w *Task, fn func(any)) { fn(w.files) }), 0
	case kcmpFS:
		return t.k.order(u.fs, v.fs, func(w *Task, fn func(any)) { fn(w.fs) }), 0
	case kcmpSighand:
		return t.k.order(u.sighand, v.sighand, func(w *Task, fn func(any)) { fn(w.sighand) }), 0
	case kcmpIO:
		return 0, 0 // nobody has an I/O context
	case kcmpSysvsem:
		return t.k.order(u.undo, v.undo, func(w *Task, fn func(any)) { fn(w.undo) }), 0
	}
	return 0, linux.EINVAL
}

// kcmpFile finds a descriptor of another task.
func (t *Task) kcmpFile(fd uint64) (*vfs.File, linux.Errno) {
	if t.files == nil {
		return nil, linux.EBADF
	}
	return t.files.lookup(int(int32(fd)))
}

func (t *Task) eachFile(fn func(any)) {
	if t.files == nil {
		return
	}
	for _, s := range t.files.slots {
		if s.file != nil {
			fn(s.file)
		}
	}
}

// order compares two objects: 0 if they are one, 1 if a comes first, otherwise
// 2. That one comes first which a task with a lower number has, so that the
// order is the same in every run.
func (k *Kernel) order(a, b any, each func(t *Task, fn func(any))) uint64 {
	if a == b {
		return 0
	}
	first := uint64(0)
	k.pids.each(func(t *Task) {
		each(t, func(x any) {
			switch {
			case first != 0:
			case x == a:
				first = 1
			case x == b:
				first = 2
			}
		})
	})
	return first
}

// kcmpEpoll compares a file of u with one that an epoll instance of v watches:
// struct kcmp_epoll_slot names the instance, the number and which of those
// added under that number.
func (t *Task) kcmpEpoll(u, v *Task, a *[6]uint64) (uint64, linux.Errno) {
	var slot [3]uint32
	for i := range slot {
		var errno linux.Errno
		if slot[i], errno = t.getUint32(a[4] + 4*uint64(i)); errno != 0 {
			return 0, errno
		}
	}
	f, e1 := u.kcmpFile(a[3])
	g, e2 := v.kcmpFile(uint64(slot[0]))
	if e1 != 0 || e2 != 0 {
		return 0, linux.EBADF
	}
	ep, ok := g.Ops.(*anon.Epoll)
	if !ok {
		return 0, linux.EINVAL
	}
	target, ok := ep.Target(int(int32(slot[1])), int(slot[2]))
	if !ok {
		return 0, linux.ENOENT
	}
	return t.k.order(f, target, (*Task).eachFile), 0
}
