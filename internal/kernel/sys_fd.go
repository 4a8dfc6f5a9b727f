package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/fs/pipefs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/net"
	"github.com/tinevm/tine/internal/vfs"
)

func sysClose(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return 0, t.files.close(int(int32(a[0])))
}

func sysCloseRange(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	first, last, flags := uint32(a[0]), uint32(a[1]), uint32(a[2])
	if flags&^(linux.CLOSE_RANGE_UNSHARE|linux.CLOSE_RANGE_CLOEXEC) != 0 || first > last {
		return 0, linux.EINVAL
	}
	if flags&linux.CLOSE_RANGE_UNSHARE != 0 {
		t.unshareFiles()
	}
	for fd := int(first); fd < len(t.files.slots) && uint32(fd) <= last; fd++ {
		if flags&linux.CLOSE_RANGE_CLOEXEC == 0 {
			t.files.close(fd)
		} else if t.files.slots[fd].file != nil {
			t.files.slots[fd].cloexec = true
		}
	}
	return 0, 0
}

func sysDup(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.anyFile(a[0])
	if errno != 0 {
		return 0, errno
	}
	return t.installFD(f.Get(), false)
}

func sysDup2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if int32(a[0]) == int32(a[1]) {
		_, errno := t.anyFile(a[0])
		return uint64(uint32(a[1])), errno
	}
	return t.dupTo(a[0], a[1], false)
}

func sysDup3(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[2]&^linux.O_CLOEXEC != 0 || int32(a[0]) == int32(a[1]) {
		return 0, linux.EINVAL
	}
	return t.dupTo(a[0], a[1], a[2] != 0)
}

// dupTo makes descriptor to refer to what from does, closing it first.
func (t *Task) dupTo(from, to uint64, cloexec bool) (uint64, linux.Errno) {
	f, errno := t.anyFile(from)
	fd := int(int32(to))
	if fd < 0 || uint64(fd) >= t.rlimit(linux.RLIMIT_NOFILE) || errno != 0 {
		return 0, linux.EBADF
	}
	f.Get()
	t.files.close(fd)
	t.files.set(fd, f, cloexec)
	return uint64(fd), 0
}

// statusFlags are the file status flags that F_SETFL changes.
const statusFlags = linux.O_APPEND | linux.O_NONBLOCK | linux.O_ASYNC | linux.O_DIRECT | linux.O_NOATIME

func sysFcntl(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.anyFile(a[0])
	if errno != 0 {
		return 0, errno
	}
	fd, cmd, arg := int(int32(a[0])), int(int32(a[1])), a[2]
	if f.Flags&linux.O_PATH != 0 && cmd != linux.F_DUPFD && cmd != linux.F_DUPFD_CLOEXEC &&
		cmd != linux.F_GETFD && cmd != linux.F_SETFD && cmd != linux.F_GETFL {
		return 0, linux.EBADF
	}
	switch cmd {
	case linux.F_DUPFD, linux.F_DUPFD_CLOEXEC:
		limit := t.rlimit(linux.RLIMIT_NOFILE)
		if int32(arg) < 0 || arg >= limit {
			return 0, linux.EINVAL
		}
		fd, errno := t.files.install(f.Get(), int(arg), limit, cmd == linux.F_DUPFD_CLOEXEC)
		if errno != 0 {
			f.Put()
		}
		return uint64(fd), errno
	case linux.F_GETFD:
		return uint64(b2u(t.files.slots[fd].cloexec)), 0
	case linux.F_SETFD:
		t.files.slots[fd].cloexec = arg&linux.FD_CLOEXEC != 0
		return 0, 0
	case linux.F_GETFL:
		return uint64(f.Flags), 0
	case linux.F_SETFL:
		return 0, t.setFlags(f, fd, uint32(arg))
	case linux.F_GETLK, linux.F_SETLK, linux.F_SETLKW, linux.F_OFD_GETLK, linux.F_OFD_SETLK, linux.F_OFD_SETLKW:
		return t.recordLock(f, cmd, arg)
	case linux.F_SETPIPE_SZ, linux.F_GETPIPE_SZ:
		return pipeSize(f, cmd, arg)
	case linux.F_ADD_SEALS, linux.F_GET_SEALS:
		return t.fileSeals(f, cmd, arg)
	case linux.F_GET_RW_HINT, linux.F_SET_RW_HINT:
		return 0, t.writeHint(f, cmd, arg)
	case linux.F_GETLEASE:
		return uint64(vfs.GetLease(f)), 0
	case linux.F_SETLEASE:
		return 0, t.setLease(f, fd, arg)
	}
	return t.ownerCommand(f, cmd, arg)
}

// writeHint tells or sets how long what is written to a file is expected to
// live, which is only remembered.
func (t *Task) writeHint(f *vfs.File, cmd int, addr uint64) linux.Errno {
	const extreme = 5 // RWH_WRITE_LIFE_EXTREME
	if cmd == linux.F_GET_RW_HINT {
		return t.putUint64(addr, uint64(*f.Lifetime()))
	}
	st, errno := vfs.Fstat(f)
	if errno == 0 && st.Uid != t.cred.FSUID && !t.capable(linux.CAP_FOWNER) {
		errno = linux.EPERM
	}
	hint, errno2 := t.getUint64(addr)
	switch {
	case errno != 0:
		return errno
	case errno2 != 0:
		return errno2
	case hint > extreme:
		return linux.EINVAL
	}
	*f.Lifetime() = uint8(hint)
	return 0
}

// setFlags is F_SETFL. O_NOATIME is for the file's owner.
func (t *Task) setFlags(f *vfs.File, fd int, flags uint32) linux.Errno {
	if flags&linux.O_NOATIME != 0 && f.Flags&linux.O_NOATIME == 0 {
		if errno := vfs.MayNoAtime(t.ctx(), f); errno != 0 {
			return errno
		}
	}
	if (f.Flags^flags)&linux.O_ASYNC != 0 {
		t.k.setAsync(f, fd, flags&linux.O_ASYNC != 0)
	}
	f.Flags = f.Flags&^statusFlags | flags&statusFlags
	return 0
}

// oLargefile is the kernel's value of O_LARGEFILE, which all that a 64-bit
// process opens has.
const oLargefile = 0o100000

// pipeSizer is implemented by pipes.
type pipeSizer interface {
	Capacity() int
	SetCapacity(n int) (int, linux.Errno)
}

func pipeSize(f *vfs.File, cmd int, arg uint64) (uint64, linux.Errno) {
	p, ok := f.Ops.(pipeSizer)
	if !ok {
		return 0, linux.EBADF
	}
	if cmd == linux.F_GETPIPE_SZ {
		return uint64(p.Capacity()), 0
	}
	n, errno := p.SetCapacity(int(int32(arg)))
	return uint64(n), errno
}

func (t *Task) fileSeals(f *vfs.File, cmd int, arg uint64) (uint64, linux.Errno) {
	m, ok := f.Ops.(*memfd)
	switch {
	case cmd == linux.F_ADD_SEALS && !f.Writable():
		return 0, linux.EPERM
	case !ok:
		return 0, linux.EINVAL
	case cmd == linux.F_GET_SEALS:
		return uint64(*m.seals), 0
	}
	return 0, m.addSeals(uint32(arg), t.k.mapsToWrite)
}

// mapsToWrite reports whether some process has a shared mapping of a memory
// file that is or can be made writable.
func (k *Kernel) mapsToWrite(m *memfd) (yes bool) {
	k.pids.each(func(u *Task) {
		if u.as == nil || yes {
			return
		}
		u.as.VMAs(func(v mm.VMA) bool {
			if o, ok := v.Obj.(fileObject); ok && v.Flags&mm.MapShared != 0 && v.MaxProt&mm.ProtWrite != 0 {
				w, ok := o.f.Ops.(*memfd)
				yes = ok && w.seals == m.seals
			}
			return !yes
		})
	})
	return yes
}

// recordLock performs the record lock commands of fcntl(2).
func (t *Task) recordLock(f *vfs.File, cmd int, addr uint64) (uint64, linux.Errno) {
	var fl linux.Flock
	if errno := t.getStruct(addr, &fl, linux.SizeofFlock); errno != 0 {
		return 0, errno
	}
	l, errno := t.lockRange(f, &fl)
	if errno != 0 {
		return 0, errno
	}
	var owner any = t.files
	if cmd >= linux.F_OFD_GETLK {
		if fl.PID != 0 {
			return 0, linux.EINVAL
		}
		owner, l.PID = f, -1
	}
	if cmd == linux.F_GETLK || cmd == linux.F_OFD_GETLK {
		return t.getLock(f, owner, l, &fl, addr)
	}
	if fl.Type == linux.F_RDLCK && !f.Readable() || fl.Type == linux.F_WRLCK && !f.Writable() {
		return 0, linux.EBADF
	}
	wait := cmd == linux.F_SETLKW || cmd == linux.F_OFD_SETLKW
	return t.fileWait(nil, 0, vfs.SetLock(t.ctx(), f, owner, l, wait))
}

// lockRange turns a struct flock into a range.
func (t *Task) lockRange(f *vfs.File, fl *linux.Flock) (l vfs.RecordLock, errno linux.Errno) {
	start := fl.Start
	switch fl.Whence {
	case linux.SEEK_SET:
	case linux.SEEK_CUR:
		start += f.Pos
	case linux.SEEK_END:
		st, errno := f.Ops.Stat(f)
		if errno != 0 {
			return l, errno
		}
		start += st.Size
	default:
		return l, linux.EINVAL
	}
	end := int64(1<<63 - 1)
	switch {
	case fl.Type != linux.F_RDLCK && fl.Type != linux.F_WRLCK && fl.Type != linux.F_UNLCK:
		return l, linux.EINVAL
	case fl.Len > 0:
		if end = start + fl.Len - 1; end < start {
			return l, linux.EOVERFLOW
		}
	case fl.Len < 0:
		start, end = start+fl.Len, start-1
	}
	if start < 0 {
		return l, linux.EINVAL
	}
	return vfs.RecordLock{Type: fl.Type, Start: start, End: end, PID: t.group.pid}, 0
}

// lockOwner is the number of a lock's owner as the caller knows it: 0 if it is
// out of sight or has ended; -1, which means an open file, stays.
func (t *Task) lockOwner(pid int) int32 {
	if pid < 0 {
		return int32(pid)
	}
	if p := t.k.pids.find(pid); p != nil {
		return int32(p.in(t.pidNS()))
	}
	return 0
}

// getLock reports the lock that is in the way, or that there is none.
func (t *Task) getLock(f *vfs.File, owner any, l vfs.RecordLock, fl *linux.Flock, addr uint64) (uint64, linux.Errno) {
	if fl.Type == linux.F_UNLCK {
		return 0, linux.EINVAL
	}
	if r, ok := vfs.GetLock(f, owner, l); ok {
		*fl = linux.Flock{Type: r.Type, Whence: linux.SEEK_SET, Start: r.Start, PID: t.lockOwner(r.PID)}
		if r.End != 1<<63-1 {
			fl.Len = r.End - r.Start + 1
		}
	} else {
		fl.Type = linux.F_UNLCK
	}
	return 0, t.putStruct(addr, fl, linux.SizeofFlock)
}

func sysFlock(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.file(a[0])
	if errno != 0 {
		return 0, errno
	}
	return t.fileWait(nil, 0, vfs.Flock(t.ctx(), f, int(int32(a[1])), t.group.pid))
}

func sysIoctl(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.file(a[0])
	if errno != 0 {
		return 0, errno
	}
	fd, req := int(int32(a[0])), uint32(a[1])
	switch req {
	case linux.FIOCLEX, linux.FIONCLEX:
		t.files.slots[fd].cloexec = req == linux.FIOCLEX
		return 0, 0
	case linux.FIONBIO, linux.FIOASYNC:
		on, errno := t.getUint32(a[2])
		if errno != 0 {
			return 0, errno
		}
		flag := uint32(linux.O_NONBLOCK)
		if req == linux.FIOASYNC {
			flag = linux.O_ASYNC
		}
		flags := f.Flags &^ flag
		if on != 0 {
			flags |= flag
		}
		return 0, t.setFlags(f, fd, flags)
	}
	if _, ok := f.Ops.(net.Socket); ok {
		switch req {
		case linux.FIOSETOWN, linux.SIOCSPGRP:
			nr, errno := t.getUint32(a[2])
			if errno == 0 {
				errno = t.setOwnerArg(f, int32(nr))
			}
			return 0, errno
		case linux.FIOGETOWN, linux.SIOCGPGRP:
			return 0, t.putUint32(a[2], uint32(t.ownerArg(f)))
		}
	}
	switch req {
	case linux.FICLONE, linux.FICLONERANGE:
		return 0, t.cloneFile(f, req, a[2])
	case linux.FIGETBSZ:
		if f.Path.Dentry != nil {
			st, _ := f.Path.Stat()
			return 0, t.putUint32(a[2], uint32(st.Blksize))
		}
	}
	ret, errno := f.Ops.Ioctl(f, &vfs.IoctlContext{Context: t.ctx(), CopyIn: t.copyIn, CopyOut: t.copyOut, Task: t}, req, a[2])
	if errno == linux.ENOTTY && req == linux.FIONREAD && f.Ops.Seekable() {
		st, _ := f.Ops.Stat(f)
		return 0, t.putUint32(a[2], uint32(max(st.Size-f.Pos, 0)))
	}
	return t.fileWait(f, ret, errno)
}

func sysFsync(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.file(a[0])
	if errno != 0 {
		return 0, errno
	}
	return 0, f.Ops.Sync(f)
}

// sysSync writes back every file that is open.
func sysSync(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	t.k.pids.each(func(u *Task) {
		if u.files == nil {
			return
		}
		for _, s := range u.files.slots {
			if s.file != nil && s.file.Writable() {
				s.file.Ops.Sync(s.file)
			}
		}
	})
	return 0, 0
}

func sysSyncfs(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if _, errno := t.file(a[0]); errno != 0 {
		return 0, errno
	}
	return sysSync(t, a)
}

func sysSyncFileRange(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const known = 1 | 2 | 4
	f, errno := t.file(a[0])
	if errno != 0 {
		return 0, errno
	}
	if a[3]&^known != 0 || int64(a[1]) < 0 || int64(a[2]) < 0 || int64(a[1]+a[2]) < 0 {
		return 0, linux.EINVAL
	}
	if !f.Ops.Seekable() {
		return 0, linux.ESPIPE
	}
	return 0, f.Ops.Sync(f)
}

func sysFtruncate(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.file(a[0])
	if errno != 0 {
		return 0, errno
	}
	if int64(a[1]) < 0 {
		return 0, linux.EINVAL
	}
	if a[1] > t.rlimit(linux.RLIMIT_FSIZE) {
		t.sendSignalSelf(linux.SIGXFSZ)
		return 0, linux.EFBIG
	}
	return 0, vfs.Ftruncate(t.ctx(), f, int64(a[1]))
}

// allocateModes are the modes of fallocate(2) that mean something to some file
// system.
var allocateModes = map[uint32]bool{
	0: true, linux.FALLOC_FL_KEEP_SIZE: true,
	linux.FALLOC_FL_PUNCH_HOLE | linux.FALLOC_FL_KEEP_SIZE: true,
	linux.FALLOC_FL_ZERO_RANGE:                             true,
	linux.FALLOC_FL_ZERO_RANGE | linux.FALLOC_FL_KEEP_SIZE: true,
	linux.FALLOC_FL_COLLAPSE_RANGE:                         true,
	linux.FALLOC_FL_INSERT_RANGE:                           true,
}

func sysFallocate(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.file(a[0])
	if errno != 0 {
		return 0, errno
	}
	off, n, mode := int64(a[2]), int64(a[3]), uint32(a[1])
	switch {
	case off < 0 || n <= 0:
		return 0, linux.EINVAL
	case !allocateModes[mode]:
		return 0, linux.EOPNOTSUPP
	case !f.Writable():
		return 0, linux.EBADF
	case off+n < 0:
		return 0, linux.EFBIG
	case pipefs.Is(f):
		return 0, linux.ESPIPE
	case mode&^linux.FALLOC_FL_KEEP_SIZE == 0 && uint64(off+n) > t.rlimit(linux.RLIMIT_FSIZE):
		t.sendSignalSelf(linux.SIGXFSZ)
		return 0, linux.EFBIG
	}
	errno = f.Ops.Allocate(f, mode, off, n)
	if errno == 0 {
		vfs.NotifyModify(f)
	}
	return 0, errno
}

// sysFadvise checks its arguments; reading ahead is the file system's own
// affair.
func sysFadvise(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.file(a[0])
	if errno != 0 {
		return 0, errno
	}
	if pipefs.Is(f) {
		return 0, linux.ESPIPE
	}
	if int32(a[3]) < 0 || int32(a[3]) > linux.POSIX_FADV_NOREUSE || int64(a[2]) < 0 {
		return 0, linux.EINVAL
	}
	return 0, 0
}

func sysReadahead(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.readable(a[0])
	if errno != 0 {
		return 0, errno
	}
	if _, errno := f.Ops.Pages(f); errno != 0 {
		return 0, linux.EINVAL
	}
	return 0, 0
}

func sysGetdents64(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.getdents(a, linux.AppendDirent)
}

func sysGetdents(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.getdents(a, linux.AppendOldDirent)
}

// getdents reads directory entries, which add encodes; the offset is the file
// system's cookie.
func (t *Task) getdents(a *[6]uint64, add func(b []byte, limit int, ino uint64, off int64, typ uint8, name string) ([]byte, bool)) (uint64, linux.Errno) {
	f, errno := t.readable(a[0])
	if errno != 0 {
		return 0, errno
	}
	limit := int(min(uint64(uint32(a[2])), 1<<20))
	var buf []byte
	var pos int64
	full := false
	errno = f.Ops.ReadDir(f, t.ctx(), f.Pos, func(name string, ino uint64, typ uint8, next int64) bool {
		var ok bool
		if buf, ok = add(buf, limit, ino, next, typ, name); !ok {
			full = true
			return false
		}
		pos = next
		return true
	})
	if errno != 0 {
		return 0, errno
	}
	if len(buf) == 0 {
		if full {
			return 0, linux.EINVAL // not even one fits
		}
		return 0, 0
	}
	if errno := t.copyOut(a[1], buf); errno != 0 {
		return 0, errno
	}
	f.Pos = pos
	return uint64(len(buf)), 0
}

// openHowSize is the size of struct open_how.
const openHowSize = 24

func decodeOpenHow(b []byte) vfs.How {
	le := binary.LittleEndian
	return vfs.How{Flags: le.Uint64(b), Mode: le.Uint64(b[8:]), Resolve: le.Uint64(b[16:])}
}
