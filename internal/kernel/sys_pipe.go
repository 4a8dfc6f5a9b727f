package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/fs/pipefs"
	"github.com/tinevm/tine/internal/linux"
)

func sysPipe(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.pipe(a[0], 0) }

func sysPipe2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[1]&^(linux.O_CLOEXEC|linux.O_NONBLOCK|linux.O_DIRECT) != 0 {
		return 0, linux.EINVAL
	}
	return t.pipe(a[0], uint32(a[1]))
}

func (t *Task) pipe(addr uint64, flags uint32) (uint64, linux.Errno) {
	sec, nsec := t.k.realtime()
	p := pipefs.New(t.k.sys.nextIno(), linux.Timespec{Sec: sec, Nsec: nsec}, t.cred.FSUID, t.cred.FSGID)
	r, w := p.Open(flags)
	cloexec := flags&linux.O_CLOEXEC != 0
	rfd, errno := t.installFD(r, cloexec)
	if errno != 0 {
		w.Put()
		return 0, errno
	}
	wfd, errno := t.installFD(w, cloexec)
	if errno != 0 {
		t.files.close(int(rfd))
		return 0, errno
	}
	var b [8]byte
	binary.LittleEndian.PutUint32(b[:], uint32(rfd))
	binary.LittleEndian.PutUint32(b[4:], uint32(wfd))
	if errno := t.copyOut(addr, b[:]); errno != 0 {
		t.files.close(int(rfd))
		t.files.close(int(wfd))
		return 0, errno
	}
	return 0, 0
}

// Progress implements pipefs.Waiter.
func (t *Task) Progress() *int { return &t.sc.step }

// OnAbandon implements pipefs.Waiter.
func (t *Task) OnAbandon(fn func()) { t.sc.abandon = fn }
