package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/net"
	"github.com/tinevm/tine/internal/vfs"
)

func sysAccept(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.accept(a[0], a[1], a[2], 0)
}

func sysAccept4(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.accept(a[0], a[1], a[2], uint32(a[3]))
}

// newStack makes a network of its own: the loopback interface, up or down.
func (s *systemObjects) newStack(owner *userNamespace, up bool) *net.Stack {
	return net.New(net.Config{
		NextIno: s.nextIno,
		Dev:     vfs.MakeDev(0, vfs.SocketMinor),
		Random:  s.randomUint32,
		Down:    !up,
		Admin: func(c *vfs.Context) bool {
			t, ok := c.Task.(*Task)
			return ok && t.capableIn(owner, linux.CAP_NET_ADMIN)
		},
	})
}

// randomUint32 takes a number from the machine's entropy.
func (s *systemObjects) randomUint32() uint32 {
	var b [4]byte
	if s.k.cfg.Entropy != nil {
		s.k.cfg.Entropy(b[:])
	}
	return binary.LittleEndian.Uint32(b[:])
}

// socket finds the socket of a descriptor argument.
func (t *Task) socket(fd uint64) (net.Socket, *vfs.File, linux.Errno) {
	f, errno := t.file(fd)
	switch {
	case errno != 0:
		return nil, nil, errno
	case f.Flags&linux.O_PATH != 0:
		return nil, nil, linux.EBADF
	}
	k, ok := f.Ops.(net.Socket)
	if !ok {
		return nil, nil, linux.ENOTSOCK
	}
	return k, f, 0
}

// caller is the task as the network sees it.
func (t *Task) caller(nonBlock bool) *net.Caller {
	c := t.cred
	return &net.Caller{
		FS: t.ctx(), PID: t.group.nr(), Proc: t.group, Show: t.showCred, Capable: t.capableNet,
		UID: c.UID, EUID: c.EUID, SUID: c.SUID, GID: c.GID, EGID: c.EGID, SGID: c.SGID,
		MaxFiles: t.rlimit(linux.RLIMIT_NOFILE), NonBlock: nonBlock,
	}
}

// showCred is the identity of another as t sees it: by the numbers of its own
// namespaces.
func (t *Task) showCred(u net.Ucred) net.Ucred {
	if g, ok := u.Proc.(*Group); ok {
		u.PID = g.leader.id.in(t.pidNS())
	}
	u.UID, u.GID = t.cred.user.uidOut(u.UID), t.cred.user.gidOut(u.GID)
	return u
}

// credArg is the identity in a message to send. The process is nil if there is
// none of that number.
func (t *Task) credArg(b []byte) (net.Ucred, linux.Errno) {
	u := net.DecodeUcred(b)
	if p := t.pidNS().find(u.PID); p != nil && p.task != nil {
		u.Proc = p.task.group
	}
	var ok, ok2 bool
	u.UID, ok = t.cred.user.uids.in(u.UID)
	u.GID, ok2 = t.cred.user.gids.in(u.GID)
	if !ok || !ok2 {
		return u, linux.EINVAL
	}
	return u, 0
}

// peerPidfd is SO_PEERPIDFD.
func (t *Task) peerPidfd(k net.Socket, a *[6]uint64, size uint32) (uint64, linux.Errno) {
	g, ok := net.PeerProcess(k).(*Group)
	switch {
	case !ok:
		return 0, linux.ENODATA
	case g.leader.state == TaskDead:
		return 0, linux.ESRCH
	}
	f := t.k.newPidfd()
	t.k.bindPidfd(f, g)
	fd, errno := t.installFD(f, true)
	if errno != 0 {
		return 0, errno
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(fd))
	b = b[:min(len(b), int(size))]
	if errno = t.copyOut(a[3], b); errno == 0 {
		errno = t.putUint32(a[4], uint32(len(b)))
	}
	if errno != 0 {
		t.files.close(int(fd))
	}
	return 0, errno
}

// capableNet reports whether the caller has a capability over its network.
func (t *Task) capableNet(capability int) bool { return t.capableIn(t.ns.net.owner, capability) }

// waitSocket lets the call wait for the socket, or for what the network named,
// until the time limit of the socket has passed; expired is the result then.
// With a time limit a signal ends the call for good (signal(7)).
func (t *Task) waitSocket(c *net.Caller, f *vfs.File, limit int64, expired linux.Errno) (uint64, linux.Errno) {
	intr := linux.ERESTARTSYS
	if limit != 0 {
		t.setTimeout(limit)
		intr = linux.EINTR
	}
	if t.timedOut() {
		return 0, expired
	}
	q := f.Ops.Queue(f)
	if c.WaitOn != nil {
		q = c.WaitOn
	}
	return t.blockOn(q, intr)
}

// socketType splits the type argument of socket and socketpair into type and
// file flags.
func socketType(arg uint64) (typ int, flags uint32, errno linux.Errno) {
	const typeMask = 0xf
	flags = uint32(arg) &^ typeMask
	if flags&^(linux.SOCK_CLOEXEC|linux.SOCK_NONBLOCK) != 0 {
		return 0, 0, linux.EINVAL
	}
	return int(arg & typeMask), flags, 0
}

// installSocket gives a new socket a descriptor.
func (t *Task) installSocket(k net.Socket, flags uint32) (uint64, linux.Errno) {
	f := vfs.NewFile(k, linux.O_RDWR|flags&linux.SOCK_NONBLOCK)
	return t.installFD(f, flags&linux.SOCK_CLOEXEC != 0)
}

// sysSocket is socket(2): family, type, protocol.
func sysSocket(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	typ, flags, errno := socketType(a[1])
	if errno != 0 {
		return 0, errno
	}
	family := int(int32(a[0]))
	k, errno := t.ns.net.Socket(t.caller(false), family, typ, int(int32(a[2])))
	if errno != 0 {
		return 0, errno
	}
	return t.installSocket(k, flags)
}

// sysSocketpair is socketpair(2): family, type, protocol, two descriptors.
func sysSocketpair(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	typ, flags, errno := socketType(a[1])
	if errno != 0 {
		return 0, errno
	}
	x, y, errno := t.ns.net.Pair(t.caller(false), int(int32(a[0])), typ, int(int32(a[2])))
	if errno != 0 {
		return 0, errno
	}
	fd1, errno := t.installSocket(x, flags)
	if errno != 0 {
		y.Release(nil)
		return 0, errno
	}
	fd2, errno := t.installSocket(y, flags)
	if errno != 0 {
		t.files.close(int(fd1))
		return 0, errno
	}
	if errno := t.copyOut(a[3], binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(fd1)), uint32(fd2))); errno != 0 {
		t.files.close(int(fd1))
		t.files.close(int(fd2))
		return 0, errno
	}
	return 0, 0
}

// sizeofSockaddr is struct sockaddr_storage, the longest address.
const sizeofSockaddr = 128

// sockaddr reads an address argument.
func (t *Task) sockaddr(addr, n uint64) ([]byte, linux.Errno) {
	if size := int32(n); size < 0 || size > sizeofSockaddr {
		return nil, linux.EINVAL
	}
	name := make([]byte, uint32(n))
	if len(name) == 0 {
		return name, 0
	}
	return name, t.copyIn(addr, name)
}

// putSockaddr stores an address where there is room for as much as the int at
// sizeAddr says, and its full length in that int.
func (t *Task) putSockaddr(addr, sizeAddr uint64, name []byte) linux.Errno {
	size, errno := t.getUint32(sizeAddr)
	if errno != 0 {
		return errno
	}
	if int32(size) < 0 {
		return linux.EINVAL
	}
	if errno := t.copyOut(addr, name[:min(int(size), len(name))]); errno != 0 {
		return errno
	}
	return t.putUint32(sizeAddr, uint32(len(name)))
}

func sysBind(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, f, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	name, errno := t.sockaddr(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	return 0, k.Bind(t.caller(f.NonBlock()), name)
}

func sysListen(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, f, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	return 0, k.Listen(t.caller(f.NonBlock()), int(int32(a[1])))
}

// hasFreeFD reports whether a descriptor can be had, for calls that must not
// lose what they would have to put there.
func (t *Task) hasFreeFD() bool {
	fd := t.files.low
	for fd < len(t.files.slots) && t.files.slots[fd].file != nil {
		fd++
	}
	return uint64(fd) < t.rlimit(linux.RLIMIT_NOFILE)
}

// accept is accept4(2).
func (t *Task) accept(fd, addr, sizeAddr uint64, flags uint32) (uint64, linux.Errno) {
	if flags&^(linux.SOCK_CLOEXEC|linux.SOCK_NONBLOCK) != 0 {
		return 0, linux.EINVAL
	}
	k, f, errno := t.socket(fd)
	if errno != 0 {
		return 0, errno
	}
	if !t.hasFreeFD() {
		return 0, linux.EMFILE
	}
	c := t.caller(f.NonBlock())
	n, errno := k.Accept(c)
	if errno == linux.EAGAIN && !f.NonBlock() {
		return t.waitSocket(c, f, k.Common().RcvTimeo, linux.EAGAIN)
	}
	if errno != 0 {
		return 0, errno
	}
	nfd, errno := t.installSocket(n, flags)
	if errno != 0 || addr == 0 {
		return nfd, errno
	}
	name, errno := n.PeerName()
	if errno != 0 {
		errno = linux.ECONNABORTED // the far end has gone again
	} else {
		errno = t.putSockaddr(addr, sizeAddr, name)
	}
	if errno != 0 {
		t.files.close(int(nfd))
		return 0, errno
	}
	return nfd, 0
}

// sysConnect is connect(2). A call that waits continues the connection it has
// begun when it runs again.
func sysConnect(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, f, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	name, errno := t.sockaddr(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	c := t.caller(f.NonBlock())
	errno = k.Connect(c, name)
	if f.NonBlock() {
		return 0, errno
	}
	if errno == linux.EINPROGRESS {
		// Most connections are made or refused at once.
		errno = k.Connect(c, name)
	}
	switch errno {
	case linux.EALREADY:
		return t.waitSocket(c, f, k.Common().SndTimeo, linux.EINPROGRESS)
	case linux.EAGAIN:
		return t.waitSocket(c, f, k.Common().SndTimeo, linux.EAGAIN)
	}
	return 0, errno
}

func sysGetsockname(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, _, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	name, errno := k.LocalName()
	if errno != 0 {
		return 0, errno
	}
	return 0, t.putSockaddr(a[1], a[2], name)
}

func sysGetpeername(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, _, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	name, errno := k.PeerName()
	if errno != 0 {
		return 0, errno
	}
	return 0, t.putSockaddr(a[1], a[2], name)
}

func sysShutdown(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, f, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	return 0, k.Shutdown(t.caller(f.NonBlock()), int(int32(a[1])))
}

// maxSockopt bounds how much of an option is read or returned.
const maxSockopt = 64 << 10

// sysGetsockopt is getsockopt(2): fd, level, name, value, length.
func sysGetsockopt(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, f, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	size, errno := t.getUint32(a[4])
	if errno != 0 {
		return 0, errno
	}
	if int32(size) < 0 {
		return 0, linux.EINVAL
	}
	const peerPidfd = 77 // SO_PEERPIDFD
	if int32(a[1]) == linux.SOL_SOCKET && int32(a[2]) == peerPidfd {
		return t.peerPidfd(k, a, size)
	}
	v, errno := k.GetSockOpt(t.caller(f.NonBlock()), int(int32(a[1])), int(int32(a[2])), int(min(size, maxSockopt)))
	if errno == linux.ERANGE {
		// SO_PEERGROUPS tells how much room it needs.
		t.putUint32(a[4], uint32(len(v)))
	}
	if errno != 0 {
		return 0, errno
	}
	if errno := t.copyOut(a[3], v); errno != 0 {
		return 0, errno
	}
	return 0, t.putUint32(a[4], uint32(len(v)))
}

// sysSetsockopt is setsockopt(2): fd, level, name, value, length.
func sysSetsockopt(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, f, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	size := int32(a[4])
	if size < 0 {
		return 0, linux.EINVAL
	}
	v := make([]byte, min(size, maxSockopt))
	if errno := t.copyIn(a[3], v); errno != 0 {
		return 0, errno
	}
	return 0, k.SetSockOpt(t.caller(f.NonBlock()), int(int32(a[1])), int(int32(a[2])), v)
}
