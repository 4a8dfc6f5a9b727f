package kernel

import (
	"encoding/binary"
	"slices"

	"github.com/tinevm/tine/internal/fs/anon"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// timerfd is a timer as a file (timerfd_create(2)): a read gives the number of
// expirations since the last one.
type timerfd struct {
	vfs.NoOps
	timer
	k        *Kernel
	clock    int32
	interval int64
	count    uint64
	absolute bool // set for a time, not for a span
	canceled bool // the clock was set (TFD_TIMER_CANCEL_ON_SET)
	queue    vfs.WaitQueue
}

// expire implements timerTarget.
func (f *timerfd) expire(*timer) {
	f.count++
	if f.interval > 0 {
		missed := max((f.k.now()-f.when)/f.interval, 0)
		f.count += uint64(missed)
		f.k.startTimer(&f.timer, f.when+(missed+1)*f.interval, f)
	}
	f.queue.Wake(vfs.PollIn | vfs.PollRdNorm)
}

// onWallClock implements wallTimer.
func (f *timerfd) onWallClock() bool {
	return f.absolute && (f.clock == linux.CLOCK_REALTIME || f.clock == linux.CLOCK_REALTIME_ALARM)
}

// clockWasSet tells a timer that waits for it that CLOCK_REALTIME was set.
func (f *timerfd) clockWasSet() {
	f.canceled = true
	f.count++
	f.queue.Wake(vfs.PollIn | vfs.PollRdNorm)
}

// setCancelable says whether clockWasSet is to be called.
func (f *timerfd) setCancelable(on bool) {
	s := &f.k.sys
	if i := slices.Index(s.cancelable, f); i >= 0 && !on {
		s.cancelable = slices.Delete(s.cancelable, i, i+1)
	} else if i < 0 && on {
		s.cancelable = append(s.cancelable, f)
	}
	f.canceled = false
}

// Read implements vfs.FileOps.
func (f *timerfd) Read(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	if len(p) < 8 {
		return 0, linux.EINVAL
	}
	if f.canceled {
		f.canceled, f.count = false, 0
		return 0, linux.ECANCELED
	}
	if f.count == 0 {
		return 0, linux.EAGAIN
	}
	binary.LittleEndian.PutUint64(p, f.count)
	f.count = 0
	return 8, 0
}

// Poll implements vfs.FileOps.
func (f *timerfd) Poll(*vfs.File) vfs.PollMask {
	if f.count > 0 {
		return vfs.PollIn
	}
	return 0
}

// Queue implements vfs.FileOps.
func (f *timerfd) Queue(*vfs.File) *vfs.WaitQueue { return &f.queue }

// Stat implements vfs.FileOps.
func (f *timerfd) Stat(*vfs.File) (linux.Stat, linux.Errno) { return anon.Stat(), 0 }

// Release implements vfs.FileOps.
func (f *timerfd) Release(*vfs.File) {
	f.k.stopTimer(&f.timer)
	f.setCancelable(false)
}

// spec is the setting as timerfd_gettime reports it.
func (f *timerfd) spec() linux.Itimerspec {
	s := linux.Itimerspec{Interval: nsTimespec(f.interval)}
	if f.index != 0 {
		s.Value = nsTimespec(max(f.when-f.k.now(), 1))
	}
	return s
}

func sysTimerfdCreate(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	switch int32(a[0]) {
	case linux.CLOCK_REALTIME, linux.CLOCK_MONOTONIC, linux.CLOCK_BOOTTIME,
		linux.CLOCK_REALTIME_ALARM, linux.CLOCK_BOOTTIME_ALARM:
	default:
		return 0, linux.EINVAL
	}
	if a[1]&^(linux.TFD_CLOEXEC|linux.TFD_NONBLOCK) != 0 {
		return 0, linux.EINVAL
	}
	f := vfs.NewFile(&timerfd{k: t.k, clock: int32(a[0])}, linux.O_RDWR|uint32(a[1])&linux.O_NONBLOCK)
	return t.installFD(f, a[1]&linux.TFD_CLOEXEC != 0)
}

func (t *Task) timerfd(fd uint64) (*timerfd, linux.Errno) {
	f, errno := t.file(fd)
	if errno != 0 {
		return nil, errno
	}
	tf, ok := f.Ops.(*timerfd)
	if !ok {
		return nil, linux.EINVAL
	}
	return tf, 0
}

func sysTimerfdSettime(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[1]&^(linux.TFD_TIMER_ABSTIME|linux.TFD_TIMER_CANCEL_ON_SET) != 0 {
		return 0, linux.EINVAL
	}
	var v linux.Itimerspec
	if errno := t.getStruct(a[2], &v, linux.SizeofItimerspec); errno != 0 {
		return 0, errno
	}
	value, e1 := timespecNS(v.Value)
	interval, e2 := timespecNS(v.Interval)
	if e1 != 0 || e2 != 0 {
		return 0, linux.EINVAL
	}
	f, errno := t.timerfd(a[0])
	if errno != 0 {
		return 0, errno
	}
	old := f.spec()
	f.interval, f.count = interval, 0
	f.absolute = a[1]&linux.TFD_TIMER_ABSTIME != 0
	f.setCancelable(a[1]&linux.TFD_TIMER_CANCEL_ON_SET != 0 && f.onWallClock())
	t.k.stopTimer(&f.timer)
	if value != 0 {
		if f.absolute {
			now, _ := t.clock(f.clock)
			value = max(value-now, 0)
		}
		t.k.startTimer(&f.timer, t.k.now()+min(value, noDeadline/2), f)
	}
	if a[3] != 0 {
		return 0, t.putStruct(a[3], &old, linux.SizeofItimerspec)
	}
	return 0, 0
}

func sysTimerfdGettime(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.timerfd(a[0])
	if errno != 0 {
		return 0, errno
	}
	s := f.spec()
	return 0, t.putStruct(a[1], &s, linux.SizeofItimerspec)
}
