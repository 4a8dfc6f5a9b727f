package kernel

import (
	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// procMem is an open /proc/PID/mem: the memory of a process, by address. It
// shows the memory that the process had when it was opened, until that goes.
type procMem struct {
	vfs.NoOps
	as *mm.AddressSpace
}

func (k *Kernel) procMem(t *Task) *synthfs.Node {
	return &synthfs.Node{
		Mode: 0o600,
		Open: func(*vfs.Context) (vfs.FileOps, linux.Errno) { return &procMem{as: t.as}, 0 },
	}
}

// gone reports whether the process has left this memory, by exec or exit.
func (m *procMem) gone() bool { return m.as == nil || m.as.Dead() }

// Read implements vfs.FileOps.
func (m *procMem) Read(_ *vfs.File, p []byte, off int64) (int, linux.Errno) {
	if m.gone() || len(p) == 0 {
		return 0, 0
	}
	n, _ := m.as.ForceCopyIn(uint64(off), p)
	if n == 0 {
		return 0, linux.EIO
	}
	return n, 0
}

// Write implements vfs.FileOps.
func (m *procMem) Write(_ *vfs.File, p []byte, off int64) (int, linux.Errno) {
	if m.gone() || len(p) == 0 {
		return 0, 0
	}
	n, _ := m.as.ForceCopyOut(uint64(off), p)
	if n == 0 {
		return 0, linux.EIO
	}
	return n, 0
}

// Seekable implements vfs.FileOps.
func (*procMem) Seekable() bool { return true }

// Stat implements vfs.FileOps.
func (*procMem) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }
