package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// FDTable is a table of file descriptors (files_struct). Tasks share it with
// CLONE_FILES; fork copies it, and the descriptions it names are shared.
type FDTable struct {
	refs  int
	slots []fdSlot
	low   int // no free slot below
}

type fdSlot struct {
	file    *vfs.File
	cloexec bool
}

func newFDTable() *FDTable { return &FDTable{refs: 1} }

func (ft *FDTable) get() *FDTable {
	ft.refs++
	return ft
}

// copy makes the child's table.
func (ft *FDTable) copy() *FDTable {
	c := &FDTable{refs: 1, slots: append([]fdSlot(nil), ft.slots...), low: ft.low}
	for _, s := range c.slots {
		if s.file != nil {
			s.file.Get()
		}
	}
	return c
}

// put drops a reference; the last one closes everything.
func (ft *FDTable) put() {
	if ft.refs--; ft.refs > 0 {
		return
	}
	for fd := range ft.slots {
		ft.close(fd)
	}
}

// closeOnExec closes the descriptors that execve(2) closes.
func (ft *FDTable) closeOnExec() {
	for fd := range ft.slots {
		if ft.slots[fd].cloexec {
			ft.close(fd)
		}
	}
}

// lookup returns the file of fd without a new reference.
func (ft *FDTable) lookup(fd int) (*vfs.File, linux.Errno) {
	if fd < 0 || fd >= len(ft.slots) || ft.slots[fd].file == nil {
		return nil, linux.EBADF
	}
	return ft.slots[fd].file, 0
}

// free is the lowest free slot that is at least least.
func (ft *FDTable) free(least int) int {
	fd := max(least, ft.low)
	for fd < len(ft.slots) && ft.slots[fd].file != nil {
		fd++
	}
	return fd
}

// install puts f, whose reference it takes over, in the lowest free slot that
// is at least least and below limit (EMFILE).
func (ft *FDTable) install(f *vfs.File, least int, limit uint64, cloexec bool) (int, linux.Errno) {
	fd := ft.free(least)
	if uint64(fd) >= limit {
		return 0, linux.EMFILE
	}
	ft.set(fd, f, cloexec)
	if least <= ft.low {
		ft.low = fd + 1
	}
	return fd, 0
}

// set puts f in slot fd, which must be free, and takes over the reference.
func (ft *FDTable) set(fd int, f *vfs.File, cloexec bool) {
	for fd >= len(ft.slots) {
		ft.slots = append(ft.slots, fdSlot{})
	}
	ft.slots[fd] = fdSlot{f, cloexec}
}

// close empties slot fd.
func (ft *FDTable) close(fd int) linux.Errno {
	f, errno := ft.lookup(fd)
	if errno != 0 {
		return errno
	}
	ft.slots[fd] = fdSlot{}
	ft.low = min(ft.low, fd)
	f.Ops.Flush(f)
	vfs.ReleasePosixLocks(f, ft)
	f.Put()
	return 0
}

// file returns the open file of a descriptor argument. Those opened with O_PATH
// are not open to most calls (open(2)).
func (t *Task) file(fd uint64) (*vfs.File, linux.Errno) {
	f, errno := t.anyFile(fd)
	if errno == 0 && f.Flags&linux.O_PATH != 0 {
		return nil, linux.EBADF
	}
	return f, errno
}

// anyFile is file for the calls that take a descriptor opened with O_PATH.
func (t *Task) anyFile(fd uint64) (*vfs.File, linux.Errno) {
	return t.files.lookup(int(int32(fd)))
}

// roomForFD reports EMFILE if the caller cannot have one more descriptor: open
// takes it before it looks for the file.
func (t *Task) roomForFD() linux.Errno {
	if uint64(t.files.free(0)) >= t.rlimit(linux.RLIMIT_NOFILE) {
		return linux.EMFILE
	}
	return 0
}

// installFD gives f a descriptor of the caller. It takes over the reference
// on f, also when it fails.
func (t *Task) installFD(f *vfs.File, cloexec bool) (uint64, linux.Errno) {
	fd, errno := t.files.install(f, 0, t.rlimit(linux.RLIMIT_NOFILE), cloexec)
	if errno != 0 {
		f.Put()
		return 0, errno
	}
	return uint64(fd), 0
}
