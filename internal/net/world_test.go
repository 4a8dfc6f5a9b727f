//go:build linux

package net

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// A world is something that has sockets: this package, or the host's kernel.
// All sockets are non-blocking.
type world interface {
	socket(family, typ, protocol int) (int, linux.Errno)
	pair(family, typ int) (int, int, linux.Errno)
	bind(fd int, name []byte) linux.Errno
	listen(fd, backlog int) linux.Errno
	connect(fd int, name []byte) linux.Errno
	accept(fd int) (int, linux.Errno)
	send(fd int, m *Msg, files []int) (int, linux.Errno)
	recv(fd int, m *Msg) (n int, files []int, errno linux.Errno)
	shutdown(fd, how int) linux.Errno
	local(fd int) ([]byte, linux.Errno)
	remote(fd int) ([]byte, linux.Errno)
	getopt(fd, level, name, size int) ([]byte, linux.Errno)
	setopt(fd, level, name int, v []byte) linux.Errno
	poll(fd int) vfs.PollMask
	ioctl(fd int, req uint32) (int, linux.Errno)
	file(path string) linux.Errno
	unlink(path string) linux.Errno
	close(fd int)
	me() Ucred
}

// host is the kernel the test runs on.
type host struct{}

func errnoOf(e unix.Errno) linux.Errno { return linux.Errno(e) }

func call(nr uintptr, a ...uintptr) (int, linux.Errno) {
	var x [6]uintptr
	copy(x[:], a)
	r, _, e := unix.RawSyscall6(nr, x[0], x[1], x[2], x[3], x[4], x[5])
	return int(r), errnoOf(e)
}

func ptr(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

func (host) socket(family, typ, protocol int) (int, linux.Errno) {
	return call(unix.SYS_SOCKET, uintptr(family), uintptr(typ|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC), uintptr(protocol))
}

func (host) pair(family, typ int) (int, int, linux.Errno) {
	var fds [2]int32
	_, errno := call(unix.SYS_SOCKETPAIR, uintptr(family), uintptr(typ|unix.SOCK_NONBLOCK), 0, uintptr(unsafe.Pointer(&fds)))
	return int(fds[0]), int(fds[1]), errno
}

func (host) bind(fd int, name []byte) linux.Errno {
	_, errno := call(unix.SYS_BIND, uintptr(fd), ptr(name), uintptr(len(name)))
	return errno
}

func (host) listen(fd, backlog int) linux.Errno {
	_, errno := call(unix.SYS_LISTEN, uintptr(fd), uintptr(backlog))
	return errno
}

func (host) connect(fd int, name []byte) linux.Errno {
	_, errno := call(unix.SYS_CONNECT, uintptr(fd), ptr(name), uintptr(len(name)))
	return errno
}

func (host) accept(fd int) (int, linux.Errno) {
	return call(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK)
}

func (host) send(fd int, m *Msg, files []int) (int, linux.Errno) {
	var oob []byte
	if len(files) > 0 {
		oob = append(oob, unix.UnixRights(files...)...)
	}
	if m.Cred != nil {
		oob = append(oob, unix.UnixCredentials(&unix.Ucred{Pid: int32(m.Cred.PID), Uid: m.Cred.UID, Gid: m.Cred.GID})...)
	}
	h, iov := hostMsghdr(m.Data, m.Name, oob)
	h.Iov = iov
	return call(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(h)), uintptr(m.Flags|unix.MSG_NOSIGNAL))
}

func hostMsghdr(data, name, oob []byte) (*unix.Msghdr, *unix.Iovec) {
	h := &unix.Msghdr{}
	iov := &unix.Iovec{Base: unsafe.SliceData(data)}
	iov.SetLen(len(data))
	h.SetIovlen(1)
	if name != nil {
		h.Name, h.Namelen = unsafe.SliceData(name), uint32(len(name))
	}
	if oob != nil {
		h.Control = unsafe.SliceData(oob)
		h.SetControllen(len(oob))
	}
	return h, iov
}

func (host) recv(fd int, m *Msg) (int, []int, linux.Errno) {
	name, oob := make([]byte, 128), make([]byte, 512)
	h, iov := hostMsghdr(m.Data, name, oob)
	h.Iov = iov
	n, errno := call(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(h)), uintptr(m.Flags))
	if errno != 0 {
		return 0, nil, errno
	}
	m.Copied = min(n, len(m.Data))
	m.OutFlags = uint32(h.Flags) &^ unix.MSG_CMSG_CLOEXEC
	if h.Namelen > 0 {
		m.Name = name[:h.Namelen]
	}
	var files []int
	list, _ := unix.ParseSocketControlMessage(oob[:h.Controllen])
	for i := range list {
		c := &list[i]
		switch {
		case c.Header.Level == unix.SOL_SOCKET && c.Header.Type == unix.SCM_RIGHTS:
			files, _ = unix.ParseUnixRights(c)
		case c.Header.Level == unix.SOL_SOCKET && c.Header.Type == unix.SCM_CREDENTIALS:
			u, _ := unix.ParseUnixCredentials(c)
			m.Cred = &Ucred{int(u.Pid), u.Uid, u.Gid, nil}
		default:
			m.Control = append(m.Control, Cmsg{int(c.Header.Level), int(c.Header.Type), c.Data})
		}
	}
	return n, files, 0
}

func (host) shutdown(fd, how int) linux.Errno {
	_, errno := call(unix.SYS_SHUTDOWN, uintptr(fd), uintptr(how))
	return errno
}

func hostName(nr uintptr, fd int) ([]byte, linux.Errno) {
	b, n := make([]byte, 128), uint32(128)
	_, errno := call(nr, uintptr(fd), ptr(b), uintptr(unsafe.Pointer(&n)))
	if errno != 0 {
		return nil, errno
	}
	return b[:n], 0
}

func (host) local(fd int) ([]byte, linux.Errno)  { return hostName(unix.SYS_GETSOCKNAME, fd) }
func (host) remote(fd int) ([]byte, linux.Errno) { return hostName(unix.SYS_GETPEERNAME, fd) }

func (host) getopt(fd, level, name, size int) ([]byte, linux.Errno) {
	b, n := make([]byte, max(size, 1)), uint32(size)
	_, errno := call(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), ptr(b), uintptr(unsafe.Pointer(&n)))
	if errno != 0 {
		return nil, errno
	}
	return b[:n], 0
}

func (host) setopt(fd, level, name int, v []byte) linux.Errno {
	_, errno := call(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), ptr(v), uintptr(len(v)))
	return errno
}

func (host) poll(fd int) vfs.PollMask {
	p := []unix.PollFd{{Fd: int32(fd), Events: 0x23ff &^ 0x38}}
	_, _ = unix.Poll(p, 0)
	return vfs.PollMask(uint16(p[0].Revents))
}

func (host) ioctl(fd int, req uint32) (int, linux.Errno) {
	var v int32
	_, errno := call(unix.SYS_IOCTL, uintptr(fd), uintptr(req), uintptr(unsafe.Pointer(&v)))
	return int(v), errno
}

func (host) file(path string) linux.Errno {
	fd, errno := unix.Open(path, unix.O_CREAT|unix.O_WRONLY, 0o644)
	_ = unix.Close(fd)
	return hostErrno(errno)
}

func (host) unlink(path string) linux.Errno { return hostErrno(unix.Unlink(path)) }

func hostErrno(err error) linux.Errno {
	if err == nil {
		return 0
	}
	return errnoOf(err.(unix.Errno))
}

func (host) close(fd int) { _ = unix.Close(fd) }

func (host) me() Ucred {
	return Ucred{unix.Getpid(), uint32(unix.Getuid()), uint32(unix.Getgid()), nil}
}

// tine is this package.
type tine struct {
	s    *Stack
	c    *Caller
	fds  map[int]*vfs.File
	next int
}

func newTine(t *testing.T) *tine {
	w := &tine{fds: make(map[int]*vfs.File), next: 3}
	w.s, w.c = testStack(t)
	w.s.cfg.Writer = w.me
	if uid := uint32(unix.Getuid()); uid != 0 {
		w.c.UID, w.c.EUID, w.c.SUID = uid, uid, uid
		w.c.GID, w.c.EGID, w.c.SGID = uint32(unix.Getgid()), uint32(unix.Getegid()), uint32(unix.Getegid())
		w.c.FS.Cred = &vfs.Cred{}
	}
	return w
}

func (w *tine) add(k Socket) int {
	w.next++
	w.fds[w.next] = vfs.NewFile(k, linux.O_RDWR|linux.O_NONBLOCK)
	return w.next
}

func (w *tine) sock(fd int) (Socket, linux.Errno) {
	f := w.fds[fd]
	if f == nil {
		return nil, linux.EBADF
	}
	return f.Ops.(Socket), 0
}

func (w *tine) socket(family, typ, protocol int) (int, linux.Errno) {
	k, errno := w.s.Socket(w.c, family, typ, protocol)
	if errno != 0 {
		return -1, errno
	}
	return w.add(k), 0
}

func (w *tine) pair(family, typ int) (int, int, linux.Errno) {
	a, b, errno := w.s.Pair(w.c, family, typ, 0)
	if errno != 0 {
		return 0, 0, errno
	}
	return w.add(a), w.add(b), 0
}

func (w *tine) bind(fd int, name []byte) linux.Errno {
	k, errno := w.sock(fd)
	if errno != 0 {
		return errno
	}
	return k.Bind(w.c, name)
}

func (w *tine) listen(fd, backlog int) linux.Errno {
	k, errno := w.sock(fd)
	if errno != 0 {
		return errno
	}
	return k.Listen(w.c, backlog)
}

func (w *tine) connect(fd int, name []byte) linux.Errno {
	k, errno := w.sock(fd)
	if errno != 0 {
		return errno
	}
	return k.Connect(w.c, name)
}

func (w *tine) accept(fd int) (int, linux.Errno) {
	k, errno := w.sock(fd)
	if errno != 0 {
		return -1, errno
	}
	n, errno := k.Accept(w.c)
	if errno != 0 {
		return -1, errno
	}
	return w.add(n), 0
}

func (w *tine) send(fd int, m *Msg, files []int) (int, linux.Errno) {
	k, errno := w.sock(fd)
	if errno != 0 {
		return -1, errno
	}
	c := *m
	c.Flags |= linux.MSG_DONTWAIT
	if len(c.Name) == 0 {
		c.Name = nil
	}
	for _, f := range files {
		c.Files = append(c.Files, w.fds[f])
	}
	return k.SendMsg(w.c, &c)
}

func (w *tine) recv(fd int, m *Msg) (int, []int, linux.Errno) {
	k, errno := w.sock(fd)
	if errno != 0 {
		return -1, nil, errno
	}
	m.Flags |= linux.MSG_DONTWAIT
	n, errno := k.RecvMsg(w.c, m)
	if errno != 0 {
		return 0, nil, errno
	}
	var files []int
	for _, f := range m.Files {
		w.next++
		w.fds[w.next] = f
		files = append(files, w.next)
	}
	return n, files, 0
}

func (w *tine) shutdown(fd, how int) linux.Errno {
	k, errno := w.sock(fd)
	if errno != 0 {
		return errno
	}
	return k.Shutdown(w.c, how)
}

func (w *tine) local(fd int) ([]byte, linux.Errno) {
	k, errno := w.sock(fd)
	if errno != 0 {
		return nil, errno
	}
	return k.LocalName()
}

func (w *tine) remote(fd int) ([]byte, linux.Errno) {
	k, errno := w.sock(fd)
	if errno != 0 {
		return nil, errno
	}
	return k.PeerName()
}

func (w *tine) getopt(fd, level, name, size int) ([]byte, linux.Errno) {
	k, errno := w.sock(fd)
	if errno != 0 {
		return nil, errno
	}
	return k.GetSockOpt(w.c, level, name, size)
}

func (w *tine) setopt(fd, level, name int, v []byte) linux.Errno {
	k, errno := w.sock(fd)
	if errno != 0 {
		return errno
	}
	return k.SetSockOpt(w.c, level, name, v)
}

func (w *tine) poll(fd int) vfs.PollMask {
	f := w.fds[fd]
	if f == nil {
		return vfs.PollNval
	}
	return f.Ops.Poll(f)
}

func (w *tine) ioctl(fd int, req uint32) (int, linux.Errno) {
	f := w.fds[fd]
	var v int
	c := &vfs.IoctlContext{
		CopyIn:  func(uint64, []byte) linux.Errno { return 0 },
		CopyOut: func(_ uint64, p []byte) linux.Errno { v = int(int32(le.Uint32(p))); return 0 },
	}
	_, errno := f.Ops.Ioctl(f, c, req, 0)
	return v, errno
}

func (w *tine) file(path string) linux.Errno {
	f, errno := vfs.Open(w.c.FS, w.c.FS.Cwd, path, linux.O_CREAT|linux.O_WRONLY, 0o644)
	if errno == 0 {
		f.Put()
	}
	return errno
}

func (w *tine) unlink(path string) linux.Errno { return vfs.Unlink(w.c.FS, w.c.FS.Cwd, path) }

func (w *tine) close(fd int) {
	if f := w.fds[fd]; f != nil {
		f.Put()
		delete(w.fds, fd)
	}
}

func (w *tine) me() Ucred { return w.c.real() }
