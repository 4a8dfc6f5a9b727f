package kernel

import (
	"github.com/tinevm/tine/internal/fs/anon"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

func sysEventfd(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.eventfd(a[0], 0) }

func sysEventfd2(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.eventfd(a[0], a[1]) }

func (t *Task) eventfd(initial, flags uint64) (uint64, linux.Errno) {
	if flags&^(linux.EFD_CLOEXEC|linux.EFD_NONBLOCK|linux.EFD_SEMAPHORE) != 0 {
		return 0, linux.EINVAL
	}
	e := anon.NewEventfd(uint64(uint32(initial)), flags&linux.EFD_SEMAPHORE != 0)
	f := vfs.NewFile(e, linux.O_RDWR|uint32(flags)&linux.O_NONBLOCK)
	return t.installFD(f, flags&linux.EFD_CLOEXEC != 0)
}

func sysEpollCreate(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if int32(a[0]) <= 0 {
		return 0, linux.EINVAL
	}
	return t.installFD(vfs.NewFile(anon.NewEpoll(), linux.O_RDWR), false)
}

func sysEpollCreate1(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[0]&^linux.EPOLL_CLOEXEC != 0 {
		return 0, linux.EINVAL
	}
	return t.installFD(vfs.NewFile(anon.NewEpoll(), linux.O_RDWR), a[0] != 0)
}

// epoll finds the instance of a descriptor.
func (t *Task) epoll(fd uint64) (*anon.Epoll, *vfs.File, linux.Errno) {
	f, errno := t.file(fd)
	if errno != 0 {
		return nil, nil, errno
	}
	ep, ok := f.Ops.(*anon.Epoll)
	if !ok {
		return nil, nil, linux.EINVAL
	}
	return ep, f, 0
}

func sysEpollCtl(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	var ev linux.EpollEvent
	if int32(a[1]) != linux.EPOLL_CTL_DEL {
		if errno := t.getStruct(a[3], &ev, linux.SizeofEpollEvent); errno != 0 {
			return 0, errno
		}
	}
	if _, errno := t.file(a[0]); errno != 0 {
		return 0, errno
	}
	target, errno := t.file(a[2])
	if errno != 0 {
		return 0, errno
	}
	if target.Ops.Queue(target) == nil {
		return 0, linux.EPERM
	}
	ep, f, errno := t.epoll(a[0])
	if errno != 0 {
		return 0, errno
	}
	if f == target {
		return 0, linux.EINVAL
	}
	return 0, ep.Control(int(int32(a[1])), int(int32(a[2])), target, ev)
}

func sysEpollWait(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	ms := int64(int32(a[3]))
	if ms >= 0 {
		ms *= 1e6
	}
	t.setTimeout(ms)
	return t.epollWait(a)
}

func sysEpollPwait(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if errno := t.maskArg(a[4], a[5]); errno != 0 {
		return 0, errno
	}
	return sysEpollWait(t, a)
}

func sysEpollPwait2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if errno := t.timeoutArg(a[3]); errno != 0 {
		return 0, errno
	}
	if errno := t.maskArg(a[4], a[5]); errno != 0 {
		return 0, errno
	}
	return t.epollWait(a)
}

func (t *Task) epollWait(a *[6]uint64) (uint64, linux.Errno) {
	n := int(int32(a[2]))
	if n <= 0 || n > 1<<31/linux.SizeofEpollEvent {
		return 0, linux.EINVAL
	}
	ep, f, errno := t.epoll(a[0])
	if errno != 0 {
		return 0, errno
	}
	events := ep.Collect(n)
	if len(events) == 0 {
		if t.timedOut() {
			return 0, 0
		}
		return t.blockOn(ep.Queue(f), linux.EINTR)
	}
	for i := range events {
		if errno := t.putStruct(a[1]+uint64(i)*linux.SizeofEpollEvent, &events[i], linux.SizeofEpollEvent); errno != 0 {
			return 0, errno
		}
	}
	return uint64(len(events)), 0
}

func sysInotifyInit(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	return t.installFD(vfs.NewInotify(0), false)
}

func sysInotifyInit1(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[0]&^(linux.IN_CLOEXEC|linux.IN_NONBLOCK) != 0 {
		return 0, linux.EINVAL
	}
	return t.installFD(vfs.NewInotify(uint32(a[0])&linux.IN_NONBLOCK), a[0]&linux.IN_CLOEXEC != 0)
}

// inotify finds the instance of a descriptor.
func (t *Task) inotify(fd uint64) (*vfs.Inotify, linux.Errno) {
	f, errno := t.file(fd)
	if errno != 0 {
		return nil, errno
	}
	in, ok := f.Ops.(*vfs.Inotify)
	if !ok {
		return nil, linux.EINVAL
	}
	return in, 0
}

func sysInotifyAddWatch(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	in, errno := t.inotify(a[0])
	if errno != 0 {
		return 0, errno
	}
	path, errno := t.path(a[1])
	if errno != 0 {
		return 0, errno
	}
	wd, errno := in.AddWatch(t.ctx(), path, uint32(a[2]))
	return uint64(wd), errno
}

func sysInotifyRmWatch(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	in, errno := t.inotify(a[0])
	if errno != 0 {
		return 0, errno
	}
	return 0, in.RemoveWatch(int32(a[1]))
}
