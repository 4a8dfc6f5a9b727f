package kernel

import (
	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/ipc"
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
	net     *net.Stack
	ipc     *ipc.Namespace
	tty     *tty.System
}

func (s *systemObjects) init(k *Kernel) {
	s.k = k
	s.initNet()
	s.ipc = ipc.New()
	s.tty = tty.New(terminals{k})
}

// close frees them, when the machine closes.
func (s *systemObjects) close() {
	s.net.Close()
	s.ipc.Close()
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

// netFiles are the files of /proc/net.
func (s *systemObjects) netFiles() (files []synthfs.Entry) {
	for _, name := range net.ProcFiles() {
		files = append(files, synthfs.Entry{Name: name, Node: synthfs.File(func() string {
			text, _ := s.net.ProcFile(name)
			return string(text)
		})})
	}
	return files
}
