package kernel

import (
	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// systemObjects are the machine's objects that belong to no process.
type systemObjects struct {
	k       *Kernel
	lastIno uint64
}

func (s *systemObjects) init(k *Kernel) { s.k = k }

// close frees them, when the machine closes.
func (s *systemObjects) close() {}

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
func (s *systemObjects) netFiles() []synthfs.Entry {
	return []synthfs.Entry{
		{Name: "dev", Node: synthfs.Text("Inter-|   Receive                                                |  Transmit\n" +
			" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n" +
			"    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n")},
		{Name: "if_inet6", Node: synthfs.Text("00000000000000000000000000000001 01 80 10 80       lo\n")},
	}
}

// semUndoList is what CLONE_SYSVSEM shares: adjustments of System V semaphores
// to be undone at exit.
type semUndoList struct{ refs int }

// exitSemaphores undoes the task's semaphore adjustments.
func (t *Task) exitSemaphores() {
	if t.undo != nil {
		t.undo.refs--
		t.undo = nil
	}
}
