package kernel

import (
	"github.com/tinevm/tine/internal/fs/pipefs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// The calls that move data between two files without showing it to the caller:
// sendfile(2), copy_file_range(2), splice(2), tee(2), and vmsplice(2) between a
// pipe and the caller's memory.

// pieceSize is how much is moved at a time.
const pieceSize = 64 << 10

// offsetArg reads the offset that an argument points to, if it does.
func (t *Task) offsetArg(f *vfs.File, addr uint64) (position, linux.Errno) {
	p := position{file: f}
	if addr == 0 {
		return p, 0
	}
	v, errno := t.getUint64(addr)
	p.at, p.own = int64(v), true
	return p, errno
}

// filePair are the files of two descriptors.
func (t *Task) filePair(in, out uint64) (f, g *vfs.File, errno linux.Errno) {
	if f, errno = t.file(in); errno == 0 {
		g, errno = t.file(out)
	}
	return f, g, errno
}

// awaitEither waits for what a transfer that moved nothing lacks: something to
// read, or room.
func (t *Task) awaitEither(in, out *vfs.File, errno linux.Errno) (uint64, linux.Errno) {
	if errno == linux.EAGAIN && in.Ops.Poll(in)&vfs.PollIn == 0 {
		return t.fileWait(in, 0, errno)
	}
	return t.fileWait(out, 0, errno)
}

// putOffset stores an offset back.
func (t *Task) putOffset(p *position, addr uint64) linux.Errno {
	if addr == 0 {
		return 0
	}
	return t.putUint64(addr, uint64(p.at))
}

// copyBetween moves up to n bytes from one file to another. It stops where
// either would have to wait. What is read of a pipe is taken out of it only as
// far as it could be written, and what would not fit into a pipe is not read.
func (t *Task) copyBetween(in, out *vfs.File, from, to *position, n uint64) (uint64, linux.Errno) {
	done := uint64(0)
	for done < n {
		want := min(n-done, pieceSize)
		if room, ok := pipefs.Room(out); ok {
			if want = min(want, uint64(max(room, 0))); want == 0 {
				// Of a full pipe and one without readers the write tells.
				_, errno := out.Ops.Write(out, []byte{0}, 0)
				return done, errno
			}
		}
		b, errno := t.peek(in, from, want)
		if errno != 0 || len(b) == 0 {
			return done, errno
		}
		put, errno := t.writeAt(out, b, to)
		if pipefs.Taken(in, put); put > 0 {
			from.advance(put)
			done += uint64(put)
			vfs.NotifyAccess(in)
		}
		if errno != 0 || put < len(b) {
			return done, errno
		}
	}
	return done, 0
}

// peek reads up to n bytes. Those of a pipe stay in it.
func (t *Task) peek(in *vfs.File, from *position, n uint64) ([]byte, linux.Errno) {
	if b, errno, ok := pipefs.Peek(in, int(n)); ok {
		return b, errno
	}
	b := t.k.bounceBuf(int(n))
	got, errno := in.Ops.Read(in, b, from.get())
	return b[:got], errno
}

// writeAt writes kernel memory to a file, by the rules of write(2).
func (t *Task) writeAt(out *vfs.File, b []byte, to *position) (int, linux.Errno) {
	if out.Path.Dentry != nil && out.Ops.Seekable() {
		if errno := vfs.RemovePriv(t.ctx(), out.Path); errno != 0 {
			return 0, errno
		}
		room, errno := t.fileRoom(to.get(), uint64(len(b)))
		if errno != 0 {
			return 0, errno
		}
		b = b[:room]
	}
	n, errno := out.Ops.Write(out, b, to.get())
	if n > 0 {
		to.advance(n)
		vfs.NotifyModify(out)
	}
	return n, errno
}

// moving is one transfer between two files.
type moving struct {
	from, to         position
	fromAddr, toAddr uint64 // where the caller's offsets are; 0: nowhere
	n                uint64
	nonblock         bool // return EAGAIN rather than wait
	all              bool // wait until everything is moved, not just something
}

// move makes a transfer, waits if it cannot go on, and stores the offsets
// back.
func (t *Task) move(m *moving) (uint64, linux.Errno) {
	if m.from.own {
		m.from.at += int64(t.sc.done)
	}
	in, out := m.from.file, m.to.file
	done, errno := t.copyBetween(in, out, &m.from, &m.to, m.n-t.sc.done)
	t.sc.done += done
	if errno == linux.EPIPE {
		t.sendSignalSelf(linux.SIGPIPE)
	}
	if t.sc.done > 0 {
		if errno := t.putOffset(&m.from, m.fromAddr); errno != 0 {
			return 0, errno
		}
		if errno := t.putOffset(&m.to, m.toAddr); errno != 0 {
			return 0, errno
		}
		if errno == linux.EAGAIN && m.all && !out.NonBlock() {
			return t.fileWait(out, 0, errno)
		}
		return t.sc.done, 0
	}
	if errno == linux.EAGAIN && m.nonblock {
		return 0, errno
	}
	return t.awaitEither(in, out, errno)
}

// sysSendfile is sendfile(2): out, in, offset, count.
func sysSendfile(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	in, errno := t.readable(a[1])
	if errno != 0 {
		return 0, errno
	}
	from, errno := t.offsetArg(in, a[2])
	if errno != 0 {
		return 0, errno
	}
	if from.own && !in.Ops.Seekable() {
		return 0, linux.ESPIPE
	}
	if from.own && from.at < 0 {
		return 0, linux.EINVAL
	}
	out, errno := t.writable(a[0])
	if errno != 0 {
		return 0, errno
	}
	if out.Flags&linux.O_APPEND != 0 || !in.Ops.Seekable() {
		return 0, linux.EINVAL
	}
	return t.move(&moving{
		from: from, to: position{file: out}, fromAddr: a[2], n: min(a[3], linux.MAX_RW_COUNT), all: !pipefs.Is(out),
	})
}

// sysCopyFileRange is copy_file_range(2): in, its offset, out, its offset,
// length, flags.
func sysCopyFileRange(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	in, out, errno := t.filePair(a[0], a[2])
	if errno != 0 {
		return 0, errno
	}
	from, errno := t.offsetArg(in, a[1])
	if errno != 0 {
		return 0, errno
	}
	to, errno := t.offsetArg(out, a[3])
	if errno != 0 {
		return 0, errno
	}
	if a[5] != 0 {
		return 0, linux.EINVAL
	}
	n, errno := t.copyRange(in, out, from.get(), to.get(), min(a[4], linux.MAX_RW_COUNT))
	if errno != 0 || n == 0 {
		return 0, errno
	}
	return t.move(&moving{from: from, to: to, fromAddr: a[1], toAddr: a[3], n: n})
}

// cloneFile is ioctl_ficlone(2), of a whole file or of a range: struct
// file_clone_range begins with the source. No file system here can share blocks
// between files.
func (t *Task) cloneFile(out *vfs.File, req uint32, arg uint64) linux.Errno {
	src := arg
	if req == linux.FICLONERANGE {
		var errno linux.Errno
		if src, errno = t.getUint64(arg); errno != 0 {
			return errno
		}
	}
	in, errno := t.file(src)
	if errno != 0 {
		return errno
	}
	var st [2]linux.Stat
	for i, f := range []*vfs.File{in, out} {
		if st[i], errno = vfs.Fstat(f); errno != 0 {
			return errno
		}
	}
	typ := func(i int) uint32 { return st[i].Mode & linux.S_IFMT }
	switch {
	case st[0].Dev != st[1].Dev:
		return linux.EXDEV
	case typ(0) == linux.S_IFDIR, typ(1) == linux.S_IFDIR:
		return linux.EISDIR
	case typ(0) != linux.S_IFREG, typ(1) != linux.S_IFREG:
		return linux.EINVAL
	case !in.Readable(), !out.Writable(), out.Flags&linux.O_APPEND != 0:
		return linux.EBADF
	}
	return linux.EOPNOTSUPP
}

// copyRange checks the ranges of copy_file_range and cuts n off at the end of
// the source.
func (t *Task) copyRange(in, out *vfs.File, from, to int64, n uint64) (uint64, linux.Errno) {
	var st [2]linux.Stat
	for i, f := range []*vfs.File{in, out} {
		var errno linux.Errno
		if st[i], errno = vfs.Fstat(f); errno != 0 {
			return 0, errno
		}
		if st[i].Mode&linux.S_IFMT == linux.S_IFDIR {
			return 0, linux.EISDIR
		}
	}
	switch {
	case st[0].Mode&linux.S_IFMT != linux.S_IFREG, st[1].Mode&linux.S_IFMT != linux.S_IFREG:
		return 0, linux.EINVAL
	case !in.Readable(), !out.Writable(), out.Flags&linux.O_APPEND != 0:
		return 0, linux.EBADF
	case st[0].Dev != st[1].Dev:
		return 0, linux.EXDEV
	case from < 0, to < 0:
		return 0, linux.EINVAL
	case from+int64(n) < from, to+int64(n) < to:
		return 0, linux.EOVERFLOW
	}
	n = min(n, uint64(max(st[0].Size-from, 0)))
	if st[0].Ino == st[1].Ino && from < to+int64(n) && to < from+int64(n) {
		return 0, linux.EINVAL
	}
	return n, 0
}

const spliceFlags = linux.SPLICE_F_MOVE | linux.SPLICE_F_NONBLOCK | linux.SPLICE_F_MORE | linux.SPLICE_F_GIFT

// sysSplice is splice(2): in, its offset, out, its offset, length, flags. One
// of the two must be a pipe.
func sysSplice(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[4] == 0 {
		return 0, 0
	}
	if a[5]&^spliceFlags != 0 {
		return 0, linux.EINVAL
	}
	in, out, errno := t.filePair(a[0], a[2])
	if errno != 0 {
		return 0, errno
	}
	fromPipe, toPipe := pipefs.Is(in), pipefs.Is(out)
	if fromPipe && a[1] != 0 || toPipe && a[3] != 0 {
		return 0, linux.ESPIPE
	}
	to, errno := t.offsetArg(out, a[3])
	if errno != 0 {
		return 0, errno
	}
	from, errno := t.offsetArg(in, a[1])
	if errno != 0 {
		return 0, errno
	}
	if !in.Readable() || !out.Writable() {
		return 0, linux.EBADF
	}
	nonblock := a[5]&linux.SPLICE_F_NONBLOCK != 0
	switch {
	case fromPipe && toPipe:
		if pipefs.Same(in, out) {
			return 0, linux.EINVAL
		}
		nonblock = nonblock || in.NonBlock() || out.NonBlock()
	case fromPipe:
		if out.Flags&linux.O_APPEND != 0 || to.own && (to.at < 0 || !out.Ops.Seekable()) {
			return 0, linux.EINVAL
		}
		nonblock = nonblock || in.NonBlock()
	case toPipe:
		if from.own && (from.at < 0 || !in.Ops.Seekable()) {
			return 0, linux.EINVAL
		}
		nonblock = nonblock || out.NonBlock()
	default:
		return 0, linux.EINVAL
	}
	return t.move(&moving{
		from: from, to: to, fromAddr: a[1], toAddr: a[3], n: min(a[4], linux.MAX_RW_COUNT), nonblock: nonblock,
	})
}

// sysTee is tee(2): copy between pipes without taking.
func sysTee(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[3]&^spliceFlags != 0 {
		return 0, linux.EINVAL
	}
	if a[2] == 0 {
		return 0, 0
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
	if errno == linux.EPIPE {
		t.sendSignalSelf(linux.SIGPIPE)
	}
	if errno != linux.EAGAIN || a[3]&linux.SPLICE_F_NONBLOCK != 0 {
		return uint64(n), errno
	}
	return t.awaitEither(in, out, errno)
}

// sysVmsplice is vmsplice(2): the pipe, a vector, its length, flags. Pages that
// Linux would share with the pipe are copied, as if the caller had kept its
// promise not to touch them.
func sysVmsplice(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[3]&^spliceFlags != 0 {
		return 0, linux.EINVAL
	}
	f, errno := t.file(a[0])
	if errno != 0 {
		return 0, errno
	}
	v, errno := t.iovecs(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	if vectorLen(v) == 0 {
		return 0, 0
	}
	if !pipefs.Is(f) {
		return 0, linux.EBADF
	}
	done, errno := t.vmspliceOnce(f, v)
	switch {
	case done > 0:
		return done, 0
	case errno == linux.EPIPE:
		t.sendSignalSelf(linux.SIGPIPE)
	case errno == linux.EAGAIN && a[3]&linux.SPLICE_F_NONBLOCK == 0:
		return t.blockOn(f.Ops.Queue(f), linux.ERESTARTSYS)
	}
	return 0, errno
}

// vmspliceOnce moves what can be moved without waiting.
func (t *Task) vmspliceOnce(f *vfs.File, v []linux.Iovec) (done uint64, errno linux.Errno) {
	for len(v) > 0 {
		if v[0].Len == 0 {
			v = v[1:]
			continue
		}
		var n int
		if f.Writable() {
			n, errno = t.vmspliceIn(f, &v[0])
		} else {
			n, errno = t.vmspliceOut(f, &v[0])
		}
		if errno != 0 || n == 0 {
			return done, errno
		}
		done += uint64(n)
		v = skip(v, uint64(n))
	}
	return done, 0
}

// vmspliceIn puts memory into a pipe.
func (t *Task) vmspliceIn(f *vfs.File, v *linux.Iovec) (int, linux.Errno) {
	n := int(min(v.Len, maxTransfer))
	if room, _ := pipefs.Room(f); room > 0 {
		n = min(n, room)
	}
	u, errno := t.writeBuf(v.Base, n)
	if errno != 0 {
		return 0, errno
	}
	return f.Ops.Write(f, u.b, 0)
}

// vmspliceOut takes a pipe's contents into memory.
func (t *Task) vmspliceOut(f *vfs.File, v *linux.Iovec) (int, linux.Errno) {
	u, errno := t.readBuf(v.Base, int(v.Len))
	if errno != 0 {
		return 0, errno
	}
	n, errno := f.Ops.Read(f, u.b, 0)
	if errno != 0 {
		return 0, errno
	}
	return u.commit(n)
}
