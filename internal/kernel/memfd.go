package kernel

import (
	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// memfd is a file of memfd_create(2): a file of a memory file system that has
// no name there, with seals.
type memfd struct {
	vfs.FileOps
	name  string // as /proc/PID/fd shows it
	seals *uint32
}

func sysMemfdCreate(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const maxName = 249
	flags := a[1]
	if flags&^(linux.MFD_CLOEXEC|linux.MFD_ALLOW_SEALING) != 0 {
		return 0, linux.EINVAL
	}
	name, errno := t.as.CopyInString(a[0], maxName)
	if errno == linux.ENAMETOOLONG {
		errno = linux.EINVAL
	}
	if errno != 0 {
		return 0, errno
	}
	f, errno := t.k.sys.shmem().OpenUnnamed(0o777, t.cred.FSUID, t.cred.FSGID)
	if errno != 0 {
		return 0, errno
	}
	seals := uint32(linux.F_SEAL_SEAL)
	if flags&linux.MFD_ALLOW_SEALING != 0 {
		seals = 0
	}
	f.Flags |= oLargefile
	f.Ops = &memfd{FileOps: f.Ops, name: "/memfd:" + name, seals: &seals}
	return t.installFD(f, flags&linux.MFD_CLOEXEC != 0)
}

// shmem is the file system of files without a name.
func (s *systemObjects) shmem() *memfs.FS {
	if s.unnamed == nil {
		s.unnamed = memfs.New(memfs.Options{Account: s.k.acct, Now: s.k.realtime})
	}
	return s.unnamed
}

// Reopen implements vfs.Reopener: the seals are the file's, whoever opens it.
func (m *memfd) Reopen(c *vfs.Context, flags uint32) (vfs.FileOps, linux.Errno) {
	ops, errno := m.FileOps.(vfs.Reopener).Reopen(c, flags)
	if errno != 0 {
		return nil, errno
	}
	n := &memfd{FileOps: ops, name: m.name, seals: m.seals}
	if flags&linux.O_TRUNC != 0 {
		if errno := n.Truncate(&vfs.File{}, 0); errno != 0 {
			ops.Release(nil)
			return nil, errno
		}
	}
	return n, 0
}

// addSeals is F_ADD_SEALS. mapped reports whether a shared mapping could still
// write; then F_SEAL_WRITE is refused.
func (m *memfd) addSeals(seals uint32, mapped func(m *memfd) bool) linux.Errno {
	const known = linux.F_SEAL_SEAL | linux.F_SEAL_SHRINK | linux.F_SEAL_GROW | linux.F_SEAL_WRITE | linux.F_SEAL_FUTURE_WRITE
	if seals&^known != 0 {
		return linux.EINVAL
	}
	if *m.seals&linux.F_SEAL_SEAL != 0 {
		return linux.EPERM
	}
	if seals&linux.F_SEAL_WRITE != 0 && !m.sealed(linux.F_SEAL_WRITE) && mapped(m) {
		return linux.EBUSY
	}
	*m.seals |= seals
	return 0
}

func (m *memfd) sealed(s uint32) bool { return *m.seals&s != 0 }

// Write implements vfs.FileOps.
func (m *memfd) Write(f *vfs.File, p []byte, off int64) (int, linux.Errno) {
	if m.sealed(linux.F_SEAL_WRITE | linux.F_SEAL_FUTURE_WRITE) {
		return 0, linux.EPERM
	}
	if st, _ := m.Stat(f); m.sealed(linux.F_SEAL_GROW) && off+int64(len(p)) > st.Size {
		return 0, linux.EPERM
	}
	return m.FileOps.Write(f, p, off)
}

// Truncate implements vfs.FileOps.
func (m *memfd) Truncate(f *vfs.File, size int64) linux.Errno {
	st, _ := m.Stat(f)
	if size < st.Size && m.sealed(linux.F_SEAL_SHRINK) || size > st.Size && m.sealed(linux.F_SEAL_GROW) {
		return linux.EPERM
	}
	return m.FileOps.Truncate(f, size)
}

// Allocate implements vfs.FileOps.
func (m *memfd) Allocate(f *vfs.File, mode uint32, off, n int64) linux.Errno {
	st, _ := m.Stat(f)
	if mode&linux.FALLOC_FL_PUNCH_HOLE != 0 && m.sealed(linux.F_SEAL_WRITE) || off+n > st.Size && m.sealed(linux.F_SEAL_GROW) {
		return linux.EPERM
	}
	return m.FileOps.Allocate(f, mode, off, n)
}

// MayMapShared reports whether a writable shared mapping may be made.
func (m *memfd) MayMapShared() bool {
	return !m.sealed(linux.F_SEAL_WRITE | linux.F_SEAL_FUTURE_WRITE)
}
