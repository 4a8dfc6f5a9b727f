package kernel

import (
	"fmt"

	"github.com/tinevm/tine/internal/fs/pipefs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/net"
	"github.com/tinevm/tine/internal/vfs"
)

// position says where a transfer takes place: at the file's offset, which it
// moves, or at a given one.
type position struct {
	file *vfs.File
	at   int64
	own  bool // at is the caller's, the file's offset stays
}

func (p *position) get() int64 {
	if p.own {
		return p.at
	}
	return p.file.Pos
}

func (p *position) advance(n int) {
	if p.own {
		p.at += int64(n)
	} else if p.file.Ops.Seekable() {
		p.file.Pos += int64(n)
	}
}

// readable finds a file that can be read.
func (t *Task) readable(fd uint64) (*vfs.File, linux.Errno) {
	f, errno := t.file(fd)
	if errno == 0 && !f.Readable() {
		errno = linux.EBADF
	}
	return f, errno
}

// writable finds a file that can be written.
func (t *Task) writable(fd uint64) (*vfs.File, linux.Errno) {
	f, errno := t.file(fd)
	if errno == 0 && !f.Writable() {
		errno = linux.EBADF
	}
	return f, errno
}

func sysRead(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.readable(a[0])
	if errno != 0 {
		return 0, errno
	}
	v, errno := oneVector(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	return t.readFile(f, v[:], position{file: f})
}

func sysWrite(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.writable(a[0])
	if errno != 0 {
		return 0, errno
	}
	v, errno := oneVector(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	return t.writeFile(f, v[:], position{file: f})
}

// oneVector makes a vector of a single piece.
func oneVector(addr, n uint64) (v [1]linux.Iovec, errno linux.Errno) {
	if !userRange(addr, n) {
		return v, linux.EFAULT
	}
	v[0] = linux.Iovec{Base: addr, Len: min(n, linux.MAX_RW_COUNT)}
	return v, 0
}

func sysPread(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, pos, errno := t.placed(a[0], int64(a[3]), t.readable)
	if errno != 0 {
		return 0, errno
	}
	v, errno := oneVector(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	return t.readFile(f, v[:], pos)
}

func sysPwrite(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, pos, errno := t.placed(a[0], int64(a[3]), t.writable)
	if errno != 0 {
		return 0, errno
	}
	v, errno := oneVector(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	return t.writeFile(f, v[:], pos)
}

// placed finds the file of a call that says where in it to read or write.
func (t *Task) placed(fd uint64, off int64, find func(fd uint64) (*vfs.File, linux.Errno)) (*vfs.File, position, linux.Errno) {
	if off < 0 {
		return nil, position{}, linux.EINVAL
	}
	f, errno := t.file(fd)
	if errno == 0 && !f.Ops.Seekable() {
		errno = linux.ESPIPE
	}
	if errno == 0 {
		_, errno = find(fd)
	}
	return f, position{file: f, at: off, own: true}, errno
}

func sysReadv(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.readv(a, -1, 0) }

func sysWritev(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.writev(a, -1, 0) }

func sysPreadv(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if int64(a[3]) < 0 {
		return 0, linux.EINVAL
	}
	return t.readv(a, int64(a[3]), 0)
}

func sysPwritev(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if int64(a[3]) < 0 {
		return 0, linux.EINVAL
	}
	return t.writev(a, int64(a[3]), 0)
}

// sysPreadv2 is preadv2(2): an offset of -1 is the file's own.
func sysPreadv2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.readv(a, int64(a[3]), a[5])
}

func sysPwritev2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.writev(a, int64(a[3]), a[5])
}

// rwfKnown are the flags of preadv2 and pwritev2. Those that ask for the disk
// change nothing: writing back is the machine's affair.
const rwfKnown = linux.RWF_HIPRI | linux.RWF_DSYNC | linux.RWF_SYNC | linux.RWF_NOWAIT | linux.RWF_APPEND

// vectorCall finds the file, the vector and the place of a call with a vector.
func (t *Task) vectorCall(a *[6]uint64, off int64, flags uint64, find func(fd uint64) (*vfs.File, linux.Errno)) (f *vfs.File, v []linux.Iovec, pos position, errno linux.Errno) {
	if off == -1 {
		f, errno = find(a[0])
		pos.file = f
	} else {
		f, pos, errno = t.placed(a[0], off, find)
	}
	if errno == 0 {
		v, errno = t.iovecs(a[1], a[2])
	}
	if errno == 0 && flags&^rwfKnown != 0 {
		errno = linux.EOPNOTSUPP
	}
	return f, v, pos, errno
}

func (t *Task) readv(a *[6]uint64, off int64, flags uint64) (uint64, linux.Errno) {
	f, v, pos, errno := t.vectorCall(a, off, flags, t.readable)
	if errno != 0 {
		return 0, errno
	}
	n, errno := t.readFile(f, v, pos)
	if errno == eBlock && flags&linux.RWF_NOWAIT != 0 {
		return 0, linux.EAGAIN
	}
	return n, errno
}

func (t *Task) writev(a *[6]uint64, off int64, flags uint64) (uint64, linux.Errno) {
	f, v, pos, errno := t.vectorCall(a, off, flags, t.writable)
	if errno != 0 {
		return 0, errno
	}
	if flags&linux.RWF_APPEND != 0 && f.Ops.Seekable() && t.sc.done == 0 {
		t.seekEnd(f, &pos)
	}
	n, errno := t.writeFile(f, v, pos)
	if errno == eBlock && flags&linux.RWF_NOWAIT != 0 {
		if t.sc.done > 0 {
			return t.sc.done, 0
		}
		return 0, linux.EAGAIN
	}
	return n, errno
}

// skip drops the first n bytes of a vector.
func skip(v []linux.Iovec, n uint64) []linux.Iovec {
	for len(v) > 0 && n >= v[0].Len {
		n -= v[0].Len
		v = v[1:]
	}
	if len(v) > 0 && n > 0 {
		rest := append([]linux.Iovec(nil), v...)
		rest[0].Base += n
		rest[0].Len -= n
		return rest
	}
	return v
}

// readFile reads into a vector. Files without an offset return what one read
// gives; others are read until the vector is full or the file ends.
func (t *Task) readFile(f *vfs.File, v []linux.Iovec, pos position) (uint64, linux.Errno) {
	if k, ok := f.Ops.(net.Socket); ok {
		return t.socketRead(k, f, v)
	}
	total := uint64(0)
	for len(v) > 0 {
		if v[0].Len == 0 && len(v) > 1 {
			v = v[1:]
			continue
		}
		u, errno := t.readBuf(v[0].Base, int(v[0].Len))
		if errno != 0 {
			errno = nothingToRead(f, pos.get())
			if errno == 0 {
				return total, 0
			}
		} else {
			var n int
			n, errno = f.Ops.Read(f, u.b, pos.get())
			if errno == 0 {
				asked := n
				n, errno = u.commit(n)
				if n > 0 && f.Ops.Seekable() {
					errno = 0 // what could not be stored is still in the file
				}
				if errno == 0 {
					pos.advance(n)
					total += uint64(n)
					vfs.NotifyAccess(f)
					if n < len(u.b) || n < asked || n == 0 || !f.Ops.Seekable() && !t.moreToRead(f) {
						return total, 0
					}
					v = skip(v, uint64(n))
					continue
				}
			}
		}
		if total > 0 {
			return total, 0
		}
		return t.fileWait(f, 0, errno)
	}
	return total, 0
}

// nothingToRead is the result of a read into memory that is not there: it
// matters only if there is something to put into it.
func nothingToRead(f *vfs.File, off int64) linux.Errno {
	if f.Ops.Seekable() {
		var one [1]byte
		if n, errno := f.Ops.Read(f, one[:], off); n == 0 {
			return errno
		}
		return linux.EFAULT
	}
	if b, errno, ok := pipefs.Peek(f, 1); ok && len(b) == 0 {
		return errno
	}
	if f.Ops.Poll(f)&vfs.PollIn == 0 {
		return linux.EAGAIN
	}
	return linux.EFAULT
}

// moreToRead reports whether another read of a stream would give more at once.
func (t *Task) moreToRead(f *vfs.File) bool {
	s, ok := f.Ops.(interface{ Stream() bool })
	return ok && s.Stream() && f.Ops.Poll(f)&vfs.PollIn != 0
}

// writeFile writes a vector. A write to a stream that would have to wait in
// the middle goes on when there is room; t.sc.done counts what is written.
func (t *Task) writeFile(f *vfs.File, v []linux.Iovec, pos position) (uint64, linux.Errno) {
	if k, ok := f.Ops.(net.Socket); ok {
		return t.socketWrite(k, f, v)
	}
	v = skip(v, t.sc.done)
	if f.Path.Dentry != nil && f.Ops.Seekable() {
		if errno := vfs.RemovePriv(t.ctx(), f.Path); errno != 0 {
			return 0, errno
		}
		if f.Flags&linux.O_APPEND != 0 {
			t.seekEnd(f, &pos)
		}
	}
	if len(v) == 0 {
		v = []linux.Iovec{{}}
	}
	if f.Ops.Seekable() {
		var errno linux.Errno
		if v, errno = t.limitFileSize(v, pos.get()); errno != 0 {
			return 0, errno
		}
	}
	for len(v) > 0 {
		if v[0].Len == 0 && len(v) > 1 {
			v = v[1:]
			continue
		}
		n, errno := t.writeOnce(f, &v[0], &pos)
		t.sc.done += uint64(n)
		if errno != 0 {
			return t.writeFailed(f, errno)
		}
		if n == 0 {
			break
		}
		v = skip(v, uint64(n))
	}
	return t.sc.done, 0
}

// seekEnd moves the position to the end of the file, for O_APPEND.
func (t *Task) seekEnd(f *vfs.File, pos *position) {
	if st, errno := f.Ops.Stat(f); errno == 0 {
		pos.at = st.Size
		if !pos.own {
			f.Pos = st.Size
		}
	}
}

// unseenWriter is implemented by devices that do not look at what is written.
type unseenWriter interface {
	WriteUnseen(n int) (int, linux.Errno)
}

// writeOnce moves one piece.
func (t *Task) writeOnce(f *vfs.File, v *linux.Iovec, pos *position) (int, linux.Errno) {
	if d, ok := f.Ops.(unseenWriter); ok {
		return d.WriteUnseen(int(v.Len))
	}
	u, errno := t.writeBuf(v.Base, int(v.Len))
	if errno != 0 {
		return 0, errno
	}
	n, errno := f.Ops.Write(f, u.b, pos.get())
	if n > 0 {
		pos.advance(n)
		vfs.NotifyModify(f)
	}
	return n, errno
}

// limitFileSize cuts off what a vector would write at off beyond what
// fileRoom allows.
func (t *Task) limitFileSize(v []linux.Iovec, off int64) ([]linux.Iovec, linux.Errno) {
	total := uint64(0)
	for _, e := range v {
		total += e.Len
	}
	room, errno := t.fileRoom(off, total)
	if errno != 0 || room == total {
		return v, errno
	}
	cut := make([]linux.Iovec, 0, len(v))
	for _, e := range v {
		e.Len = min(e.Len, room)
		room -= e.Len
		cut = append(cut, e)
	}
	return cut, 0
}

// maxFileSize is the end of the largest file (s_maxbytes).
const maxFileSize = 1<<63 - 1

// fileRoom is how many of n bytes may be written at off: RLIMIT_FSIZE and the
// largest size there is cut the rest off, unless that is everything.
func (t *Task) fileRoom(off int64, n uint64) (uint64, linux.Errno) {
	if n == 0 {
		return 0, 0
	}
	if limit := t.rlimit(linux.RLIMIT_FSIZE); limit < maxFileSize {
		if off >= int64(limit) {
			t.sendSignalSelf(linux.SIGXFSZ)
			return 0, linux.EFBIG
		}
		n = min(n, limit-uint64(off))
	}
	if off >= maxFileSize {
		return 0, linux.EFBIG
	}
	return min(n, maxFileSize-uint64(off)), 0
}

// writeFailed ends a write, or lets it wait.
func (t *Task) writeFailed(f *vfs.File, errno linux.Errno) (uint64, linux.Errno) {
	if errno == linux.EAGAIN && !f.NonBlock() && f.Ops.Queue(f) != nil {
		return t.blockOn(f.Ops.Queue(f), linux.ERESTARTSYS)
	}
	if t.sc.done > 0 && errno != linux.EPIPE {
		return t.sc.done, 0
	}
	if errno == linux.EPIPE {
		t.sendSignalSelf(linux.SIGPIPE)
		if t.sc.done > 0 {
			return t.sc.done, 0
		}
	}
	return t.fileWait(f, 0, errno)
}

// seeker is implemented by files that answer SEEK_DATA and SEEK_HOLE.
type seeker interface {
	Seek(f *vfs.File, off int64, whence int) (int64, linux.Errno)
}

func sysLseek(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.file(a[0])
	if errno != 0 {
		return 0, errno
	}
	off, whence := int64(a[1]), int(int32(a[2]))
	if whence < 0 || whence > linux.SEEK_HOLE {
		return 0, linux.EINVAL
	}
	if !f.Ops.Seekable() {
		return 0, linux.ESPIPE
	}
	if _, ok := f.Ops.(unseenWriter); ok {
		f.Pos = 0 // /dev/null and /dev/zero have one place only
		return 0, 0
	}
	switch whence {
	case linux.SEEK_CUR:
		off += f.Pos
	case linux.SEEK_END, linux.SEEK_DATA, linux.SEEK_HOLE:
		if off, errno = seekFrom(f, off, whence); errno != 0 {
			return 0, errno
		}
	}
	if off < 0 {
		return 0, linux.EINVAL
	}
	f.Pos = off
	return uint64(off), 0
}

// seekFrom resolves the positions that depend on the file's contents.
func seekFrom(f *vfs.File, off int64, whence int) (int64, linux.Errno) {
	if s, ok := f.Ops.(seeker); ok && whence != linux.SEEK_END {
		return s.Seek(f, off, whence)
	}
	st, errno := f.Ops.Stat(f)
	if errno != 0 {
		return 0, errno
	}
	if whence == linux.SEEK_END {
		return off + st.Size, 0
	}
	if off < 0 || off >= st.Size {
		return 0, linux.ENXIO
	}
	if whence == linux.SEEK_HOLE {
		return st.Size, 0
	}
	return off, 0
}

// countIO counts a finished call for /proc/PID/io.
func (t *Task) countIO(ret uint64, errno linux.Errno) {
	moved, u := int64(0), &t.usage.io
	if errno == 0 {
		moved = int64(ret)
	}
	switch t.sc.nr {
	case linux.SYS_read, linux.SYS_pread64, linux.SYS_readv, linux.SYS_preadv, linux.SYS_preadv2:
		u.syscr++
		u.rchar += moved
	case linux.SYS_write, linux.SYS_pwrite64, linux.SYS_writev, linux.SYS_pwritev, linux.SYS_pwritev2:
		u.syscw++
		u.wchar += moved
	case linux.SYS_sendfile, linux.SYS_copy_file_range:
		u.syscr++
		u.syscw++
		u.rchar += moved
		u.wchar += moved
	}
}

// procIO is /proc/PID/io; that of a process includes what its threads and its
// reaped children did. Nothing here goes to a disk.
func (t *Task) procIO() string {
	u := t.usage
	if t.isLeader() {
		u = t.group.ownUsage()
		u.add(&t.group.childUse)
	}
	return fmt.Sprintf("rchar: %d\nwchar: %d\nsyscr: %d\nsyscw: %d\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
		u.io.rchar, u.io.wchar, u.io.syscr, u.io.syscw)
}
