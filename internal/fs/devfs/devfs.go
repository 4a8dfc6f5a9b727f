// Package devfs makes /dev: device nodes in memory, and the devices that are
// only memory or chance (null(4), random(4)).
package devfs

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// Options are what the devices need. Devices without an opener get a node that
// cannot be opened (ENXIO).
type Options struct {
	Account *mm.Account
	Now     func() (sec, nsec int64)
	Entropy func(p []byte) // fills p with random bytes

	TTY, Console, Ptmx, Kmsg vfs.DeviceOpener
}

// Device numbers of the kernel's devices.txt.
const (
	memMajor = 1
	ttyMajor = 5
)

// New registers the devices and makes the file system for /dev. devpts is to be
// mounted on pts, tmpfs on shm.
func New(sys *vfs.System, o Options) (*memfs.FS, linux.Errno) {
	fs := memfs.New(memfs.Options{Account: o.Account, Now: o.Now, Mode: 0o755, Type: "devtmpfs"})
	random := opener(func() vfs.FileOps { return randomOps{entropy: o.Entropy} })
	for _, d := range []struct {
		name         string
		major, minor int
		mode         uint32
		open         vfs.DeviceOpener
	}{
		{"null", memMajor, 3, 0o666, opener(func() vfs.FileOps { return nullOps{} })},
		{"zero", memMajor, 5, 0o666, opener(func() vfs.FileOps { return zeroOps{} })},
		{"full", memMajor, 7, 0o666, opener(func() vfs.FileOps { return zeroOps{full: true} })},
		{"random", memMajor, 8, 0o666, random},
		{"urandom", memMajor, 9, 0o666, random},
		{"kmsg", memMajor, 11, 0o644, o.Kmsg},
		{"tty", ttyMajor, 0, 0o666, o.TTY},
		{"console", ttyMajor, 1, 0o600, o.Console},
		{"ptmx", ttyMajor, 2, 0o666, o.Ptmx},
	} {
		if d.open != nil {
			sys.RegisterDevice(linux.S_IFCHR, d.major, d.minor, d.open)
		}
		rdev := vfs.MakeDev(uint32(d.major), uint32(d.minor))
		if errno := fs.Mknod(d.name, linux.S_IFCHR|d.mode, rdev); errno != 0 {
			return nil, errno
		}
	}
	return fs, links(fs)
}

// links makes the directories and symbolic links of /dev.
func links(fs *memfs.FS) linux.Errno {
	for _, l := range [][2]string{
		{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
		{"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},
	} {
		if errno := fs.Symlink(l[1], l[0]); errno != 0 {
			return errno
		}
	}
	if _, errno := fs.Mkdir("shm", linux.S_ISVTX|0o777); errno != 0 {
		return errno
	}
	_, errno := fs.Mkdir("pts", 0o755)
	return errno
}

func opener(ops func() vfs.FileOps) vfs.DeviceOpener {
	return func(*vfs.Context, uint64, uint32) (vfs.FileOps, linux.Errno) { return ops(), 0 }
}

// memOps is what the memory devices have in common. They can be sought, to no
// effect.
type memOps struct{ vfs.NoOps }

// Seekable implements vfs.FileOps.
func (memOps) Seekable() bool { return true }

// Stat implements vfs.FileOps.
func (memOps) Stat(f *vfs.File) (linux.Stat, linux.Errno) { return f.Path.Stat() }

// Null makes what /dev/null is, for a file without a name.
func Null() vfs.FileOps { return nullOps{} }

// nullOps is /dev/null.
type nullOps struct{ memOps }

// Read implements vfs.FileOps.
func (nullOps) Read(*vfs.File, []byte, int64) (int, linux.Errno) { return 0, 0 }

// Write implements vfs.FileOps.
func (nullOps) Write(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) { return len(p), 0 }

// WriteUnseen is Write by a caller whose memory is not looked at.
func (nullOps) WriteUnseen(n int) (int, linux.Errno) { return n, 0 }

// zeroOps is /dev/zero, and /dev/full.
type zeroOps struct {
	memOps
	full bool
}

// Read implements vfs.FileOps.
func (zeroOps) Read(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	clear(p)
	return len(p), 0
}

// Write implements vfs.FileOps.
func (o zeroOps) Write(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	if o.full {
		return 0, linux.ENOSPC
	}
	return len(p), 0
}

// WriteUnseen is Write by a caller whose memory is not looked at.
func (o zeroOps) WriteUnseen(n int) (int, linux.Errno) {
	if o.full {
		return 0, linux.ENOSPC
	}
	return n, 0
}

// MapsAnonymous tells mmap(2) that a mapping of /dev/zero is anonymous memory.
func (o zeroOps) MapsAnonymous() bool { return !o.full }

// randomOps is /dev/random and /dev/urandom.
type randomOps struct {
	memOps
	entropy func(p []byte)
}

// Read implements vfs.FileOps.
func (o randomOps) Read(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) {
	if o.entropy == nil {
		return 0, linux.EIO
	}
	o.entropy(p)
	return len(p), 0
}

// Write implements vfs.FileOps: it is accepted and adds nothing.
func (randomOps) Write(_ *vfs.File, p []byte, _ int64) (int, linux.Errno) { return len(p), 0 }

// The requests of random(4).
const (
	rndGetEntCnt   = 0x80045200
	rndAddToEntCnt = 0x40045201
)

// Ioctl implements vfs.FileOps.
func (randomOps) Ioctl(_ *vfs.File, c *vfs.IoctlContext, req uint32, arg uint64) (uint64, linux.Errno) {
	switch req {
	case rndGetEntCnt:
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], 256)
		return 0, c.CopyOut(arg, b[:])
	case rndAddToEntCnt:
		if !c.Context.Cred.Capable(linux.CAP_SYS_ADMIN) {
			return 0, linux.EPERM
		}
		return 0, 0
	}
	return 0, linux.EINVAL
}
