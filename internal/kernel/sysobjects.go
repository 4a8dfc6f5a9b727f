package kernel

import (
	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/net"
	"github.com/tinevm/tine/internal/tty"
	"github.com/tinevm/tine/internal/vfs"
)

// systemObjects are the machine's objects that belong to no process.
type systemObjects struct {
	k       *Kernel
	lastIno uint64
	unnamed *memfs.FS // of memfd_create
	tty     *tty.System
	// cancelable are the timerfds that a change of CLOCK_REALTIME cancels.
	cancelable []*timerfd
}

// close frees them, when the machine closes.
func (s *systemObjects) close() {
	if s.unnamed != nil {
		s.unnamed.Close()
	}
}

// nextIno numbers objects that have no file system, as sockets and pipes.
func (s *systemObjects) nextIno() uint64 {
	s.lastIno++
	return s.lastIno
}

// anonPath gives a place to an open file that has no name, so that
// /proc/PID/fd/N can be opened.
func (s *systemObjects) anonPath(c *vfs.Context, f *vfs.File) (vfs.Path, linux.Errno) {
	return vfs.AnonPath(s.k.cfg.Root, f)
}

// procFiles are the files of /proc/net.
func (s *netNamespace) procFiles() (files []synthfs.Entry) {
	for _, name := range net.ProcFiles() {
		files = append(files, synthfs.Entry{Name: name, Node: synthfs.File(func() string {
			text, _ := s.ProcFile(name)
			return string(text)
		})})
	}
	return files
}
