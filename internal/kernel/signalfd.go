package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// signalfd is a file from which pending signals are read (signalfd(2)). It
// shows the signals of whoever reads.
type signalfd struct {
	vfs.NoOps
	k    *Kernel
	mask linux.Sigset
}

const signalfdInfoSize = 128

// Read implements vfs.FileOps.
func (s *signalfd) Read(_ *vfs.File, p []byte, _ int64) (n int, errno linux.Errno) {
	if len(p) < signalfdInfoSize {
		return 0, linux.EINVAL
	}
	t := s.k.current
	for len(p)-n >= signalfdInfoSize {
		var info linux.Siginfo
		if !t.takeSignal(^s.mask, &info) {
			break
		}
		encodeSignalfd(p[n:n+signalfdInfoSize], &info)
		n += signalfdInfoSize
	}
	if n == 0 {
		return 0, linux.EAGAIN
	}
	return n, 0
}

// encodeSignalfd writes a struct signalfd_siginfo.
func encodeSignalfd(b []byte, s *linux.Siginfo) {
	clear(b)
	le := binary.LittleEndian
	le.PutUint32(b[0:], uint32(s.Signo))
	le.PutUint32(b[4:], uint32(s.Errno))
	le.PutUint32(b[8:], uint32(s.Code))
	le.PutUint32(b[12:], uint32(s.PID))
	le.PutUint32(b[16:], s.UID)
	le.PutUint32(b[20:], uint32(s.FD))
	le.PutUint32(b[24:], uint32(s.TimerID))
	le.PutUint32(b[28:], uint32(s.Band))
	le.PutUint32(b[32:], uint32(s.Overrun))
	le.PutUint32(b[40:], uint32(s.Status))
	le.PutUint32(b[44:], uint32(s.Value))
	le.PutUint64(b[48:], s.Value)
	le.PutUint64(b[56:], uint64(s.Utime))
	le.PutUint64(b[64:], uint64(s.Stime))
	le.PutUint64(b[72:], s.Addr)
}

// FDInfo is what /proc/PID/fdinfo shows.
func (s *signalfd) FDInfo() string { return "sigmask:\t" + sigLine(s.mask) + "\n" }

// Poll implements vfs.FileOps.
func (s *signalfd) Poll(*vfs.File) vfs.PollMask {
	t := s.k.current
	if (t.pending.set|t.group.pending.set)&s.mask != 0 {
		return vfs.PollIn | vfs.PollRdNorm
	}
	return 0
}

// Queue implements vfs.FileOps: signals sent to the caller's process are
// announced there.
func (s *signalfd) Queue(*vfs.File) *vfs.WaitQueue { return &s.k.current.group.sigq }

// Stat implements vfs.FileOps.
func (s *signalfd) Stat(*vfs.File) (linux.Stat, linux.Errno) { return vfs.AnonStat(), 0 }

func sysSignalfd(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.signalfd(a, 0) }

func sysSignalfd4(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.signalfd(a, a[3]) }

func (t *Task) signalfd(a *[6]uint64, flags uint64) (uint64, linux.Errno) {
	if a[2] != sigsetSize || flags&^(linux.SFD_CLOEXEC|linux.SFD_NONBLOCK) != 0 {
		return 0, linux.EINVAL
	}
	mask, errno := t.getSigset(a[1])
	if errno != 0 {
		return 0, errno
	}
	mask &^= unblockable
	if int32(a[0]) == -1 {
		f := vfs.NewFile(&signalfd{k: t.k, mask: mask}, linux.O_RDWR|uint32(flags)&linux.O_NONBLOCK)
		return t.installFD(f, flags&linux.SFD_CLOEXEC != 0)
	}
	f, errno := t.file(a[0])
	if errno != 0 {
		return 0, errno
	}
	s, ok := f.Ops.(*signalfd)
	if !ok {
		return 0, linux.EINVAL
	}
	s.mask = mask
	t.group.sigq.Wake(0)
	return uint64(uint32(a[0])), 0
}
