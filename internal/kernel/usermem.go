package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// copyIn reads the caller's memory; EFAULT unless all of it can be read.
func (t *Task) copyIn(addr uint64, p []byte) linux.Errno {
	_, errno := t.as.CopyIn(addr, p)
	return errno
}

// copyOut writes the caller's memory; EFAULT unless all of it can be written.
func (t *Task) copyOut(addr uint64, p []byte) linux.Errno {
	_, errno := t.as.CopyOut(addr, p)
	return errno
}

// encoder is implemented by the ABI structures of package linux.
type encoder interface{ Encode(b []byte) }

// decoder is implemented by the ABI structures of package linux.
type decoder interface{ Decode(b []byte) }

// putStruct writes an ABI structure of n bytes to the caller.
func (t *Task) putStruct(addr uint64, s encoder, n int) linux.Errno {
	b := t.k.abi[:n]
	clear(b)
	s.Encode(b)
	return t.copyOut(addr, b)
}

// getStruct reads an ABI structure of n bytes from the caller.
func (t *Task) getStruct(addr uint64, s decoder, n int) linux.Errno {
	b, errno := t.rawStruct(addr, n)
	if errno == 0 {
		s.Decode(b)
	}
	return errno
}

// rawStruct reads n bytes, which are valid until the next structure is read or
// written. Decoding them without an interface leaves the structure on the stack.
func (t *Task) rawStruct(addr uint64, n int) ([]byte, linux.Errno) {
	b := t.k.abi[:n]
	return b, t.copyIn(addr, b)
}

func (t *Task) getUint32(addr uint64) (uint32, linux.Errno) {
	var b [4]byte
	errno := t.copyIn(addr, b[:])
	return binary.LittleEndian.Uint32(b[:]), errno
}

func (t *Task) putUint32(addr uint64, v uint32) linux.Errno {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	return t.copyOut(addr, b[:])
}

func (t *Task) getUint64(addr uint64) (uint64, linux.Errno) {
	var b [8]byte
	errno := t.copyIn(addr, b[:])
	return binary.LittleEndian.Uint64(b[:]), errno
}

func (t *Task) putUint64(addr uint64, v uint64) linux.Errno {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return t.copyOut(addr, b[:])
}

// path reads a path name argument.
func (t *Task) path(addr uint64) (string, linux.Errno) {
	return t.as.CopyInString(addr, linux.PATH_MAX-1)
}

// userBuf is a range of the caller's memory that a transfer reads or fills. If
// it lies in one page, b is that memory itself; otherwise b is the kernel's
// bounce buffer, which belongs to the caller until the kernel lock is released
// or the next userBuf is made.
type userBuf struct {
	t      *Task
	addr   uint64
	b      []byte
	direct bool
}

// maxTransfer is the most that one transfer moves; longer ones are made in
// steps.
const maxTransfer = 256 << 10

// readBuf prepares memory that a read will fill.
func (t *Task) readBuf(addr uint64, n int) (userBuf, linux.Errno) {
	u := userBuf{t: t, addr: addr}
	if n == 0 {
		return u, 0
	}
	s := t.as.Slice(addr, n, mm.AccessWrite)
	if len(s) == 0 {
		return u, linux.EFAULT
	}
	if len(s) == n {
		u.b, u.direct = s, true
		return u, 0
	}
	n = min(n, maxTransfer)
	u.b = t.k.bounceBuf(n)
	return u, 0
}

// writeBuf prepares memory that a write will read.
func (t *Task) writeBuf(addr uint64, n int) (userBuf, linux.Errno) {
	u := userBuf{t: t, addr: addr}
	if n == 0 {
		return u, 0
	}
	s := t.as.Slice(addr, n, mm.AccessRead)
	if len(s) == 0 {
		return u, linux.EFAULT
	}
	if len(s) == n {
		u.b, u.direct = s, true
		return u, 0
	}
	n = min(n, maxTransfer)
	u.b = t.k.bounceBuf(n)
	got, _ := t.as.CopyIn(addr, u.b)
	u.b = u.b[:got]
	return u, 0
}

// commit hands the first n bytes that a read put into b to the caller, and
// returns how many of them it could.
func (u *userBuf) commit(n int) (int, linux.Errno) {
	if u.direct || n == 0 {
		return n, 0
	}
	return u.t.as.CopyOut(u.addr, u.b[:n])
}

func (k *Kernel) bounceBuf(n int) []byte {
	if len(k.bounce) < n {
		k.bounce = make([]byte, max(n, 64<<10))
	}
	return k.bounce[:n]
}

// userRange reports whether n bytes at addr can belong to a program at all, be
// they mapped or not (access_ok).
func userRange(addr, n uint64) bool { return n <= mm.UserTop && addr <= mm.UserTop-n }

// iovecs reads an array of n struct iovec.
func (t *Task) iovecs(addr uint64, n uint64) ([]linux.Iovec, linux.Errno) {
	if n > linux.UIO_MAXIOV {
		return nil, linux.EINVAL
	}
	v := make([]linux.Iovec, n)
	var total uint64
	for i := range v {
		if errno := t.getStruct(addr+uint64(i)*16, &v[i], 16); errno != 0 {
			return nil, errno
		}
		if v[i].Len > 1<<63-1 {
			return nil, linux.EINVAL
		}
	}
	for i := range v {
		if !userRange(v[i].Base, v[i].Len) {
			return nil, linux.EFAULT
		}
		v[i].Len = min(v[i].Len, linux.MAX_RW_COUNT-total)
		total += v[i].Len
	}
	return v, 0
}
