package net

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Config is what a Stack needs from the kernel.
type Config struct {
	// NextIno numbers sockets; Dev is the device number stat(2) shows.
	NextIno func() uint64
	Dev     uint64
	// Random chooses ephemeral ports and automatic names. Successive values
	// must be reproducible on a deterministic machine.
	Random func() uint32
	// Writer tells who performs the write(2) in progress; it is what
	// SO_PASSCRED shows of data not sent with sendmsg. Optional.
	Writer func() Ucred
	// MaxQueued limits the bytes in all queues together; 0 means 256 MiB.
	MaxQueued int64
	// Down leaves the loopback interface down, as in a new namespace.
	Down bool
	// Admin reports whether a caller may change the interface.
	Admin func(c *vfs.Context) bool
}

// Stack is one network namespace.
type Stack struct {
	cfg Config

	sockets SocketCommon // head of the ring of sockets, in order of creation
	queued  int64        // bytes charged by packets

	// The loopback interface.
	up     bool
	wasUp  bool // it has had a queue since
	mtu    uint32
	txqlen uint32
	addrs  [2][]ifAddr // of IPv4, of IPv6
	moved  traffic

	abstract map[abstractKey]*unixSocket // bound names without a file
	autobind uint32

	ports      [2]portTable                  // by transport: TCP, UDP
	netlink    map[netlinkKey]*netlinkSocket // by port id
	inFlight   map[uint32]int                // files in messages, by the sender's user
	flying     int                           // of them, AF_UNIX sockets
	count      int                           // sockets in the ring
	closes     int                           // of sockets since collect has looked
	collecting bool
	cookies    uint64
}

// New makes a network namespace with nothing but the loopback interface.
func New(cfg Config) *Stack {
	if cfg.MaxQueued == 0 {
		cfg.MaxQueued = 256 << 20
	}
	s := &Stack{
		cfg:      cfg,
		mtu:      loMTU,
		txqlen:   loTxqlen,
		abstract: make(map[abstractKey]*unixSocket),
		ports:    [2]portTable{newPortTable(), newPortTable()},
		inFlight: make(map[uint32]int),
		netlink:  make(map[netlinkKey]*netlinkSocket),
	}
	s.sockets.prev, s.sockets.next = &s.sockets, &s.sockets
	s.setUp(!cfg.Down)
	return s
}

// Socket makes a socket (socket(2)). typ is without SOCK_NONBLOCK and
// SOCK_CLOEXEC.
func (s *Stack) Socket(c *Caller, family, typ, protocol int) (Socket, linux.Errno) {
	if family < 0 || family >= afMax {
		return nil, linux.EAFNOSUPPORT
	}
	if typ < 0 || typ >= sockMax {
		return nil, linux.EINVAL
	}
	switch family {
	case linux.AF_UNIX:
		return s.newUnixSocket(c, typ, protocol)
	case linux.AF_INET, linux.AF_INET6:
		return s.newInetSocket(c, family, typ, protocol)
	case linux.AF_NETLINK:
		return s.newNetlinkSocket(c, typ, protocol)
	case linux.AF_PACKET:
		if !c.capable(linux.CAP_NET_RAW) {
			return nil, linux.EPERM
		}
	}
	return nil, linux.EAFNOSUPPORT
}

const (
	afMax   = 46 // AF_MAX
	sockMax = 11 // SOCK_MAX
)

// Pair makes two sockets connected to each other (socketpair(2)).
func (s *Stack) Pair(c *Caller, family, typ, protocol int) (Socket, Socket, linux.Errno) {
	a, errno := s.Socket(c, family, typ, protocol)
	if errno != 0 {
		return nil, nil, errno
	}
	ua, ok := a.(*unixSocket)
	if !ok {
		a.Release(nil)
		return nil, nil, linux.EOPNOTSUPP
	}
	b, errno := s.Socket(c, family, typ, protocol)
	if errno != 0 {
		a.Release(nil)
		return nil, nil, errno
	}
	ub := b.(*unixSocket)
	ua.peer, ub.peer = ub, ua
	ua.peerCred, ub.peerCred = c.effective(), c.effective()
	ua.peerGroups, ub.peerGroups = c.groups(), c.groups()
	ua.state, ub.state = stateEstablished, stateEstablished
	return a, b, 0
}

// Close releases the files that are in flight between sockets. The machine
// calls it when all tasks have ended; sockets that only messages in a cycle
// refer to go with it.
func (s *Stack) Close() {
	for s.sockets.next != &s.sockets {
		// Dropping the queues may release sockets and shorten the list.
		k := s.sockets.next
		s.remove(k)
		if u, ok := k.self.(*unixSocket); ok {
			u.purge()
		}
	}
}

// each calls fn for every socket, in order of creation.
func (s *Stack) each(fn func(Socket)) {
	for b := s.sockets.next; b != &s.sockets; b = b.next {
		fn(b.self)
	}
}

// add enters a new socket into the namespace.
func (s *Stack) add(k Socket, b *SocketCommon) {
	b.stack = s
	b.ino = s.cfg.NextIno()
	s.cookies++
	s.count++
	b.cookie = s.cookies
	b.self = k
	last := s.sockets.prev
	b.prev, b.next = last, &s.sockets
	last.next, s.sockets.prev = b, b
}

// remove takes a closed socket off the list.
func (s *Stack) remove(b *SocketCommon) {
	if b.prev == nil {
		return
	}
	b.prev.next, b.next.prev = b.next, b.prev
	b.prev, b.next = nil, nil
	s.count--
}

// charge accounts for n more queued bytes: ENOBUFS if there are too many in
// the whole namespace.
func (s *Stack) charge(n int) linux.Errno {
	if s.queued+int64(n) > s.cfg.MaxQueued {
		return linux.ENOBUFS
	}
	s.queued += int64(n)
	return 0
}

func (s *Stack) uncharge(n int) { s.queued -= int64(n) }

// Queued returns the number of bytes charged to queues.
func (s *Stack) Queued() int64 { return s.queued }

// Caller is the task that makes a call.
type Caller struct {
	// FS resolves path names and has the capabilities.
	FS *vfs.Context

	PID             int
	Proc            any // the process, as the kernel knows it
	UID, EUID, SUID uint32
	GID, EGID, SGID uint32
	MaxFiles        uint64 // RLIMIT_NOFILE, which bounds files in flight
	NonBlock        bool   // the file is O_NONBLOCK

	// Show translates an identity to what the caller is to see of it; nil
	// leaves it as it is.
	Show func(u Ucred) Ucred

	// Capable reports whether the caller has a capability over the network.
	Capable func(capability int) bool

	// WaitOn is set by a call that must wait for something else than its own
	// socket's queue.
	WaitOn *vfs.WaitQueue
}

func (c *Caller) capable(capability int) bool { return c.Capable(capability) }

// effective is what SO_PEERCRED shows of the caller.
func (c *Caller) effective() Ucred { return Ucred{c.PID, c.EUID, c.EGID, c.Proc} }

// real is what SCM_CREDENTIALS says of a sender who does not say it himself.
func (c *Caller) real() Ucred { return Ucred{c.PID, c.UID, c.GID, c.Proc} }

func (c *Caller) groups() []uint32 { return c.FS.Cred.Groups }

// Ucred is struct ucred.
type Ucred struct {
	PID      int // as the process itself sees it
	UID, GID uint32
	Proc     any // the process; nil if it is not known
}

// SizeofUcred is its size in the ABI.
const SizeofUcred = 12

// noCred is what a receiver sees if the sender is not known.
var noCred = Ucred{0, 65534, 65534, nil}

// Encode writes the structure.
func (u Ucred) Encode(b []byte) {
	le.PutUint32(b, uint32(u.PID))
	le.PutUint32(b[4:], u.UID)
	le.PutUint32(b[8:], u.GID)
}

// DecodeUcred reads the structure.
func DecodeUcred(b []byte) Ucred {
	return Ucred{int(int32(le.Uint32(b))), le.Uint32(b[4:]), le.Uint32(b[8:]), nil}
}
