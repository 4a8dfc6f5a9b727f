package kernel

import (
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
	v := [1]linux.Iovec{{Base: a[1], Len: min(a[2], linux.MAX_RW_COUNT)}}
	return t.readFile(f, v[:], position{file: f})
}

func sysWrite(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.writable(a[0])
	if errno != 0 {
		return 0, errno
	}
	v := [1]linux.Iovec{{Base: a[1], Len: min(a[2], linux.MAX_RW_COUNT)}}
	return t.writeFile(f, v[:], position{file: f})
}

func sysPread(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	v := [1]linux.Iovec{{Base: a[1], Len: min(a[2], linux.MAX_RW_COUNT)}}
	return t.preadv(a[0], v[:], int64(a[3]))
}

func sysPwrite(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	v := [1]linux.Iovec{{Base: a[1], Len: min(a[2], linux.MAX_RW_COUNT)}}
	return t.pwritev(a[0], v[:], int64(a[3]))
}

func (t *Task) preadv(fd uint64, v []linux.Iovec, off int64) (uint64, linux.Errno) {
	if off < 0 {
		return 0, linux.EINVAL
	}
	f, errno := t.readable(fd)
	if errno != 0 {
		return 0, errno
	}
	if !f.Ops.Seekable() {
		return 0, linux.ESPIPE
	}
	return t.readFile(f, v, position{file: f, at: off, own: true})
}

func (t *Task) pwritev(fd uint64, v []linux.Iovec, off int64) (uint64, linux.Errno) {
	if off < 0 {
		return 0, linux.EINVAL
	}
	f, errno := t.writable(fd)
	if errno != 0 {
		return 0, errno
	}
	if !f.Ops.Seekable() {
		return 0, linux.ESPIPE
	}
	return t.writeFile(f, v, position{file: f, at: off, own: true})
}

func sysReadv(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.readable(a[0])
	if errno != 0 {
		return 0, errno
	}
	v, errno := t.iovecs(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	return t.readFile(f, v, position{file: f})
}

func sysWritev(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	f, errno := t.writable(a[0])
	if errno != 0 {
		return 0, errno
	}
	v, errno := t.iovecs(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	return t.writeFile(f, v, position{file: f})
}

func sysPreadv(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	v, errno := t.iovecs(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	return t.preadv(a[0], v, int64(a[3]))
}

func sysPwritev(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	v, errno := t.iovecs(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	return t.pwritev(a[0], v, int64(a[3]))
}

// rwfKnown are the flags of preadv2 and pwritev2 that change nothing here:
// everything is in memory, so nothing waits for a disk.
const rwfKnown = linux.RWF_HIPRI | linux.RWF_DSYNC | linux.RWF_SYNC

func sysPreadv2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[5]&^rwfKnown != 0 {
		return 0, linux.EOPNOTSUPP
	}
	if int64(a[3]) == -1 {
		return sysReadv(t, a)
	}
	return sysPreadv(t, a)
}

func sysPwritev2(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[5]&^rwfKnown != 0 {
		return 0, linux.EOPNOTSUPP
	}
	if int64(a[3]) == -1 {
		return sysWritev(t, a)
	}
	return sysPwritev(t, a)
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
		if errno == 0 {
			var n int
			n, errno = f.Ops.Read(f, u.b, pos.get())
			if errno == 0 {
				if errno = u.commit(n); errno == 0 {
					pos.advance(n)
					total += uint64(n)
					vfs.NotifyAccess(f)
					if n < len(u.b) || n == 0 || !f.Ops.Seekable() && !t.moreToRead(f) {
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

// writeOnce moves one piece.
func (t *Task) writeOnce(f *vfs.File, v *linux.Iovec, pos *position) (int, linux.Errno) {
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

// limitFileSize applies RLIMIT_FSIZE to a write at off: what would go beyond is
// cut off, unless that is everything.
func (t *Task) limitFileSize(v []linux.Iovec, off int64) ([]linux.Iovec, linux.Errno) {
	limit := t.rlimit(linux.RLIMIT_FSIZE)
	if limit >= 1<<63-1 || v[0].Len == 0 && len(v) == 1 {
		return v, 0
	}
	if off >= int64(limit) {
		t.sendSignalSelf(linux.SIGXFSZ)
		return nil, linux.EFBIG
	}
	room := limit - uint64(off)
	cut := make([]linux.Iovec, 0, len(v))
	for _, e := range v {
		e.Len = min(e.Len, room)
		room -= e.Len
		cut = append(cut, e)
	}
	return cut, 0
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
	if f.Flags&linux.O_PATH != 0 {
		return 0, linux.EBADF
	}
	off, whence := int64(a[1]), int(int32(a[2]))
	if whence < 0 || whence > linux.SEEK_HOLE {
		return 0, linux.EINVAL
	}
	if !f.Ops.Seekable() {
		return 0, linux.ESPIPE
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

// copyBetween moves up to n bytes from one file to another, through a buffer.
// It stops where either would have to wait.
func (t *Task) copyBetween(in, out *vfs.File, from, to *position, n uint64) (uint64, linux.Errno) {
	buf := make([]byte, min(n, 64<<10))
	done := uint64(0)
	for done < n {
		got, errno := in.Ops.Read(in, buf[:min(uint64(len(buf)), n-done)], from.get())
		if errno != 0 || got == 0 {
			return done, errno
		}
		put, errno := out.Ops.Write(out, buf[:got], to.get())
		from.advance(put)
		to.advance(put)
		done += uint64(put)
		if errno != 0 || put < got {
			return done, errno
		}
	}
	return done, 0
}

// offsetArg reads the offset that an argument points to, if it does.
func (t *Task) offsetArg(f *vfs.File, addr uint64) (position, linux.Errno) {
	p := position{file: f}
	if addr == 0 {
		return p, 0
	}
	if !f.Ops.Seekable() {
		return p, linux.ESPIPE
	}
	v, errno := t.getUint64(addr)
	if errno == 0 && int64(v) < 0 {
		errno = linux.EINVAL
	}
	p.at, p.own = int64(v), true
	return p, errno
}

// putOffset stores an offset back.
func (t *Task) putOffset(p *position, addr uint64) linux.Errno {
	if addr == 0 {
		return 0
	}
	return t.putUint64(addr, uint64(p.at))
}

// sysSendfile is sendfile(2): out, in, offset, count.
func sysSendfile(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.transfer(a[1], a[2], a[0], 0, min(a[3], linux.MAX_RW_COUNT), true)
}

// transfer is what sendfile, copy_file_range and splice have in common.
func (t *Task) transfer(inFD, inOff, outFD, outOff, n uint64, fromFile bool) (uint64, linux.Errno) {
	in, errno := t.readable(inFD)
	if errno != 0 {
		return 0, errno
	}
	out, errno := t.writable(outFD)
	if errno != 0 {
		return 0, errno
	}
	if fromFile && !in.Ops.Seekable() {
		return 0, linux.EINVAL
	}
	if out.Flags&linux.O_APPEND != 0 && fromFile {
		return 0, linux.EINVAL
	}
	from, errno := t.offsetArg(in, inOff)
	if errno != 0 {
		return 0, errno
	}
	to, errno := t.offsetArg(out, outOff)
	if errno != 0 {
		return 0, errno
	}
	done, errno := t.copyBetween(in, out, &from, &to, n)
	if done == 0 && errno != 0 {
		wait := out
		if errno == linux.EAGAIN && in.Ops.Poll(in)&vfs.PollIn == 0 {
			wait = in
		}
		if errno == linux.EPIPE {
			t.sendSignalSelf(linux.SIGPIPE)
		}
		return t.fileWait(wait, 0, errno)
	}
	if errno := t.putOffset(&from, inOff); errno != 0 {
		return 0, errno
	}
	return done, t.putOffset(&to, outOff)
}

func sysCopyFileRange(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[5] != 0 {
		return 0, linux.EINVAL
	}
	for _, fd := range []uint64{a[0], a[2]} {
		f, errno := t.file(fd)
		if errno != 0 {
			return 0, errno
		}
		st, errno := vfs.Fstat(f)
		switch {
		case errno != 0:
			return 0, errno
		case st.Mode&linux.S_IFMT == linux.S_IFDIR:
			return 0, linux.EISDIR
		case st.Mode&linux.S_IFMT != linux.S_IFREG:
			return 0, linux.EINVAL
		}
	}
	if out, errno := t.writable(a[2]); errno == 0 && out.Flags&linux.O_APPEND != 0 {
		return 0, linux.EBADF
	}
	return t.transfer(a[0], a[1], a[2], a[3], min(a[4], linux.MAX_RW_COUNT), true)
}

// sysSplice is splice(2): one of the two files must be a pipe.
func sysSplice(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const known = linux.SPLICE_F_MOVE | linux.SPLICE_F_NONBLOCK | linux.SPLICE_F_MORE | linux.SPLICE_F_GIFT
	if a[5]&^known != 0 {
		return 0, linux.EINVAL
	}
	in, errno := t.file(a[0])
	if errno != 0 {
		return 0, errno
	}
	out, errno := t.file(a[2])
	if errno != 0 {
		return 0, errno
	}
	if !isPipe(in) && !isPipe(out) {
		return 0, linux.EINVAL
	}
	if isPipe(in) && a[1] != 0 || isPipe(out) && a[3] != 0 {
		return 0, linux.ESPIPE
	}
	ret, errno := t.transfer(a[0], a[1], a[2], a[3], min(a[4], 64<<10), false)
	if errno == eBlock && a[5]&linux.SPLICE_F_NONBLOCK != 0 {
		return 0, linux.EAGAIN
	}
	return ret, errno
}

// sysTee is tee(2): copy between pipes without taking.
func sysTee(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const known = linux.SPLICE_F_MOVE | linux.SPLICE_F_NONBLOCK | linux.SPLICE_F_MORE | linux.SPLICE_F_GIFT
	if a[3]&^known != 0 {
		return 0, linux.EINVAL
	}
	in, errno := t.readable(a[0])
	if errno != 0 {
		return 0, errno
	}
	out, errno := t.writable(a[1])
	if errno != 0 {
		return 0, errno
	}
	n, errno := pipefs.Tee(in, out, int(min(a[2], 1<<20)))
	if errno != linux.EAGAIN || a[3]&linux.SPLICE_F_NONBLOCK != 0 {
		if errno == linux.EPIPE {
			t.sendSignalSelf(linux.SIGPIPE)
		}
		return uint64(n), errno
	}
	if in.Ops.Poll(in)&vfs.PollIn == 0 {
		return t.fileWait(in, 0, errno)
	}
	return t.fileWait(out, 0, errno)
}

func isPipe(f *vfs.File) bool {
	st, errno := f.Ops.Stat(f)
	return errno == 0 && st.Mode&linux.S_IFMT == linux.S_IFIFO
}
