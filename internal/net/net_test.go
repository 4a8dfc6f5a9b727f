package net

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

func mustAddr(ip string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(ip), port)
}

// testContext is root in an empty file tree.
func testContext(t *testing.T) *vfs.Context {
	t.Helper()
	now := func() (int64, int64) { return 1000, 5 }
	ns := vfs.NewNamespace(vfs.NewSystem(), memfs.New(memfs.Options{Now: now}), "none", 0)
	c := &vfs.Context{Mounts: ns, Cred: &vfs.Cred{Caps: 1<<(linux.CAP_LAST_CAP+1) - 1}, Now: now}
	c.Root = ns.Root()
	c.Cwd = c.Root.Get()
	return c
}

// testStack makes a network with a caller and reproducible numbers.
func testStack(t *testing.T) (*Stack, *Caller) {
	t.Helper()
	ino, rnd := uint64(0), uint32(7)
	s := New(Config{
		Admin:   func(c *vfs.Context) bool { return c.Cred.Capable(linux.CAP_NET_ADMIN) },
		NextIno: func() uint64 { ino++; return ino },
		Random:  func() uint32 { rnd = rnd*1664525 + 1013904223; return rnd >> 8 },
	})
	c := &Caller{FS: testContext(t), PID: 42, MaxFiles: 1024, NonBlock: true}
	c.Capable = func(capability int) bool { return c.FS.Cred.Capable(capability) }
	return s, c
}

func must(t *testing.T, errno linux.Errno) {
	t.Helper()
	if errno != 0 {
		t.Fatalf("unexpected %v", errno)
	}
}

// open makes a socket and its open file.
func open(t *testing.T, s *Stack, c *Caller, family, typ int) (Socket, *vfs.File) {
	t.Helper()
	k, errno := s.Socket(c, family, typ, 0)
	must(t, errno)
	return k, vfs.NewFile(k, linux.O_RDWR)
}

// TestCycle sends a socket through itself, so that only a message in flight
// refers to it: closing the machine must free it and what it holds.
func TestCycle(t *testing.T) {
	s, c := testStack(t)
	a, b, errno := s.Pair(c, linux.AF_UNIX, linux.SOCK_STREAM, 0)
	must(t, errno)
	fa, fb := vfs.NewFile(a, linux.O_RDWR), vfs.NewFile(b, linux.O_RDWR)
	x, fx := open(t, s, c, linux.AF_UNIX, linux.SOCK_DGRAM)
	released := false
	fx.OnRelease(func() { released = true })
	_, errno = a.SendMsg(c, &Msg{Data: []byte("x"), Files: []*vfs.File{fa, fb, fx}})
	must(t, errno)
	fa.Put()
	fb.Put()
	fx.Put()
	if released || s.inFlight[0] != 3 || s.Queued() == 0 {
		t.Fatalf("in flight: released %v, %d files, %d bytes", released, s.inFlight[0], s.Queued())
	}
	_ = x
	s.Close()
	if !released || len(s.inFlight) != 0 || s.Queued() != 0 {
		t.Errorf("closed: released %v, %v in flight, %d bytes", released, s.inFlight, s.Queued())
	}
}

// TestInFlightLimit finds ETOOMANYREFS for a user without privileges.
func TestInFlightLimit(t *testing.T) {
	s, c := testStack(t)
	c.MaxFiles = 2
	c.FS.Cred = &vfs.Cred{}
	a, b, errno := s.Pair(c, linux.AF_UNIX, linux.SOCK_STREAM, 0)
	must(t, errno)
	_, f := open(t, s, c, linux.AF_UNIX, linux.SOCK_DGRAM)
	send := func() linux.Errno {
		_, errno := a.SendMsg(c, &Msg{Data: []byte("x"), Files: []*vfs.File{f, f, f}})
		return errno
	}
	must(t, send())
	if errno := send(); errno != linux.ETOOMANYREFS {
		t.Errorf("second message: %v", errno)
	}
	m := &Msg{Data: make([]byte, 1)}
	_, errno = b.RecvMsg(c, m)
	must(t, errno)
	must(t, send())
}

// TestNothingLeft closes sockets of all kinds with data in them.
func TestNothingLeft(t *testing.T) {
	s, c := testStack(t)
	l, fl := open(t, s, c, linux.AF_INET, linux.SOCK_STREAM)
	must(t, l.Listen(c, 1))
	name, _ := l.LocalName()
	k, fk := open(t, s, c, linux.AF_INET, linux.SOCK_STREAM)
	if errno := k.Connect(c, name); errno != linux.EINPROGRESS {
		t.Fatal(errno)
	}
	must(t, k.Connect(c, name))
	_, errno := k.SendMsg(c, &Msg{Data: make([]byte, 100000)})
	must(t, errno)
	u, fu := open(t, s, c, linux.AF_INET6, linux.SOCK_DGRAM)
	must(t, u.Bind(c, inet6Name(mustAddr("::1", 5353))))
	_, errno = u.SendMsg(c, &Msg{Data: []byte("x"), Name: inet6Name(mustAddr("::1", 5353))})
	must(t, errno)
	r, fr := open(t, s, c, linux.AF_NETLINK, linux.SOCK_RAW)
	_, errno = r.SendMsg(c, &Msg{Data: dumpRequest(linux.RTM_GETADDR)})
	must(t, errno)
	if s.Queued() < 100000 {
		t.Errorf("%d bytes queued", s.Queued())
	}
	for _, f := range []*vfs.File{fl, fk, fu, fr} {
		f.Put()
	}
	if s.Queued() != 0 || s.sockets.next != &s.sockets || len(s.ports[0].port)+len(s.ports[1].port)+len(s.netlink) != 0 {
		t.Errorf("left: %d bytes, sockets %v, ports %v %v", s.Queued(), s.sockets.next != &s.sockets, s.ports[0].port, s.ports[1].port)
	}
}

// TestQueueLimit fills all queues together up to the machine's limit.
func TestQueueLimit(t *testing.T) {
	s, c := testStack(t)
	s.cfg.MaxQueued = 1 << 20
	var errno linux.Errno
	for range 10 {
		var a Socket
		a, _, _ = s.Pair(c, linux.AF_UNIX, linux.SOCK_DGRAM, 0)
		if _, errno = a.SendMsg(c, &Msg{Data: make([]byte, 150000)}); errno != 0 {
			break
		}
	}
	if errno != linux.ENOBUFS || s.Queued() > s.cfg.MaxQueued {
		t.Errorf("%v at %d bytes", errno, s.Queued())
	}
}

// counter counts wake-ups.
type counter struct {
	entry vfs.WaitEntry
	n     int
}

func (c *counter) Wake(*vfs.WaitEntry, vfs.PollMask) { c.n++ }

func watch(q *vfs.WaitQueue) *counter {
	c := &counter{}
	c.entry.Waiter = c
	q.Add(&c.entry)
	return c
}

// TestWakeUps checks that whoever waits hears of what he waits for.
func TestWakeUps(t *testing.T) {
	s, c := testStack(t)
	a, b, _ := s.Pair(c, linux.AF_UNIX, linux.SOCK_STREAM, 0)
	reader, writer := watch(b.Queue(nil)), watch(a.Queue(nil))
	for errno := linux.Errno(0); errno == 0; {
		_, errno = a.SendMsg(c, &Msg{Data: make([]byte, 4096)})
	}
	if reader.n == 0 || writer.n != 0 {
		t.Errorf("after sending: reader %d, writer %d", reader.n, writer.n)
	}
	for errno := linux.Errno(0); errno == 0; {
		_, errno = b.RecvMsg(c, &Msg{Data: make([]byte, 4096)})
	}
	if writer.n == 0 {
		t.Error("the writer was not told of room")
	}
	writer.n = 0
	b.Release(nil)
	if writer.n == 0 {
		t.Error("the writer was not told of the end")
	}
}

// TestDatagramWait checks both ways to wait for a full receiver: on the queue
// that the call names, and, for pollers, on the socket's own.
func TestDatagramWait(t *testing.T) {
	s, c := testStack(t)
	r, _ := open(t, s, c, linux.AF_UNIX, linux.SOCK_DGRAM)
	name := append(le.AppendUint16(nil, linux.AF_UNIX), "\x00r"...)
	must(t, r.Bind(c, name))
	k, f := open(t, s, c, linux.AF_UNIX, linux.SOCK_DGRAM)
	must(t, k.Connect(c, name))
	var errno linux.Errno
	for errno == 0 {
		_, errno = k.SendMsg(c, &Msg{Data: []byte("x")})
	}
	if errno != linux.EAGAIN || c.WaitOn == nil {
		t.Fatalf("%v, wait on %v", errno, c.WaitOn)
	}
	if k.Poll(f)&vfs.PollOut != 0 {
		t.Error("writable while the receiver is full")
	}
	named, own := watch(c.WaitOn), watch(k.Queue(f))
	_, errno = r.RecvMsg(c, &Msg{Data: make([]byte, 1)})
	must(t, errno)
	if named.n == 0 || own.n == 0 {
		t.Errorf("woken: named queue %d, own queue %d", named.n, own.n)
	}
}

// dumpRequest is a netlink request for a list of everything.
func dumpRequest(typ uint16) []byte {
	b := le.AppendUint32(nil, sizeofNlmsghdr+16)
	b = le.AppendUint16(b, typ)
	b = le.AppendUint16(b, linux.NLM_F_REQUEST|linux.NLM_F_DUMP)
	b = le.AppendUint32(b, 77)
	return append(b, make([]byte, 4+16)...)
}

// TestNetlinkDumps checks that dumps describe lo, repeat the request's
// sequence number and end with NLMSG_DONE.
func TestNetlinkDumps(t *testing.T) {
	s, c := testStack(t)
	for typ, want := range map[uint16]int{linux.RTM_GETLINK: 1, linux.RTM_GETADDR: 2, linux.RTM_GETROUTE: 4, linux.RTM_GETRULE: 5, linux.RTM_GETQDISC: 1, linux.RTM_GETNEIGH: 0} {
		k, _ := open(t, s, c, linux.AF_NETLINK, linux.SOCK_DGRAM)
		_, errno := k.SendMsg(c, &Msg{Data: dumpRequest(typ)})
		must(t, errno)
		m := &Msg{Data: make([]byte, 8192)}
		n, errno := k.RecvMsg(c, m)
		must(t, errno)
		var types []uint16
		for b := m.Data[:n]; len(b) >= sizeofNlmsghdr; b = b[(le.Uint32(b)+3)&^3:] {
			types = append(types, le.Uint16(b[4:]))
			if le.Uint32(b[8:]) != 77 || le.Uint16(b[6:])&linux.NLM_F_MULTI == 0 {
				t.Errorf("request %d: header % x", typ, b[:sizeofNlmsghdr])
			}
		}
		if len(types) != want+1 || types[want] != linux.NLMSG_DONE || want > 0 && types[0] != typ-2 {
			t.Errorf("request %d: answers %v", typ, types)
		}
	}
}

// TestNetlinkRefusals checks requests that cannot be granted, to those who may
// change the interface and to others.
func TestNetlinkRefusals(t *testing.T) {
	s, c := testStack(t)
	refused := func(want map[uint16]linux.Errno) {
		t.Helper()
		netlinkRefuses(t, s, c, want)
	}
	refused(map[uint16]linux.Errno{linux.RTM_NEWADDR: linux.EOPNOTSUPP, linux.RTM_DELROUTE: linux.ESRCH, linux.RTM_NEWROUTE: linux.EOPNOTSUPP,
		linux.RTM_DELLINK: linux.ENODEV, linux.RTM_GETNSID: linux.EOPNOTSUPP})
	plain := *c
	plain.Capable = func(int) bool { return false }
	c = &plain
	refused(map[uint16]linux.Errno{linux.RTM_NEWADDR: linux.EPERM, linux.RTM_DELROUTE: linux.EPERM, linux.RTM_DELLINK: linux.EPERM, linux.RTM_GETNSID: linux.EOPNOTSUPP})
}

func netlinkRefuses(t *testing.T, s *Stack, c *Caller, wants map[uint16]linux.Errno) {
	t.Helper()
	for typ, want := range wants {
		k, _ := open(t, s, c, linux.AF_NETLINK, linux.SOCK_RAW)
		req := dumpRequest(typ)
		le.PutUint16(req[6:], linux.NLM_F_REQUEST)
		_, errno := k.SendMsg(c, &Msg{Data: req})
		must(t, errno)
		m := &Msg{Data: make([]byte, 200)}
		_, errno = k.RecvMsg(c, m)
		must(t, errno)
		if got := -int32(le.Uint32(m.Data[16:])); le.Uint16(m.Data[4:]) != linux.NLMSG_ERROR || got != int32(want) {
			t.Errorf("request %d: type %d, %v", typ, le.Uint16(m.Data[4:]), linux.Errno(got))
		}
	}
}

// TestProcFiles checks the lines that netstat and ss read.
func TestProcFiles(t *testing.T) {
	s, c := testStack(t)
	l, _ := open(t, s, c, linux.AF_INET, linux.SOCK_STREAM)
	must(t, l.Bind(c, inetName(mustAddr("127.0.0.1", 8080))))
	must(t, l.Listen(c, 5))
	u, _ := open(t, s, c, linux.AF_INET6, linux.SOCK_DGRAM)
	must(t, u.Bind(c, inet6Name(mustAddr("::1", 53))))
	x, _ := open(t, s, c, linux.AF_UNIX, linux.SOCK_STREAM)
	must(t, x.Bind(c, append(le.AppendUint16(nil, linux.AF_UNIX), "\x00name"...)))
	for name, want := range map[string]string{
		"tcp":  "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 ",
		"udp6": "    0: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 ",
		"unix": "0000000000000000: 00000002 00000000 00000000 0001 01     3 @name\n",
	} {
		text, ok := s.ProcFile(name)
		if !ok || !strings.Contains(string(text), want) {
			t.Errorf("%s:\n%swant %q", name, text, want)
		}
	}
	for _, name := range ProcFiles() {
		if _, ok := s.ProcFile(name); !ok {
			t.Errorf("no %s", name)
		}
	}
}

// TestInterface asks for lo as ifconfig does.
func TestInterface(t *testing.T) {
	s, c := testStack(t)
	k, f := open(t, s, c, linux.AF_INET, linux.SOCK_DGRAM)
	ask := func(name string, req uint32) (string, linux.Errno) {
		ifr := make([]byte, sizeofIfreq)
		copy(ifr, name)
		_, errno := k.Ioctl(f, &vfs.IoctlContext{
			Context: &vfs.Context{Cred: &vfs.Cred{}},
			CopyIn:  func(_ uint64, p []byte) linux.Errno { copy(p, ifr); return 0 },
			CopyOut: func(_ uint64, p []byte) linux.Errno { copy(ifr, p); return 0 },
		}, req, 0)
		return fmt.Sprintf("%x", ifr[16:24]), errno
	}
	for _, test := range []struct {
		name  string
		req   uint32
		want  string
		errno linux.Errno
	}{
		{"lo", linux.SIOCGIFFLAGS, "4900000000000000", 0},
		{"lo", linux.SIOCGIFADDR, "020000007f000001", 0},
		{"lo", linux.SIOCGIFNETMASK, "02000000ff000000", 0},
		{"lo", linux.SIOCGIFINDEX, "0100000000000000", 0},
		{"lo", linux.SIOCGIFMTU, "0000010000000000", 0},
		{"lo", linux.SIOCGIFHWADDR, "0403000000000000", 0},
		{"eth0", linux.SIOCGIFADDR, "", linux.ENODEV},
		{"lo", linux.SIOCSIFFLAGS, "", linux.EPERM},
		{"lo", linux.TCGETS, "", linux.ENOTTY},
	} {
		got, errno := ask(test.name, test.req)
		if errno != test.errno || errno == 0 && got != test.want {
			t.Errorf("%s %#x: %s, %v", test.name, test.req, got, errno)
		}
	}
}

// TestPrivileges checks what only a privileged caller may do.
func TestPrivileges(t *testing.T) {
	s, c := testStack(t)
	c.FS.Cred = &vfs.Cred{FSUID: 1000}
	k, _ := open(t, s, c, linux.AF_INET, linux.SOCK_STREAM)
	if errno := k.Bind(c, inetName(mustAddr("127.0.0.1", 80))); errno != linux.EACCES {
		t.Errorf("bind to port 80: %v", errno)
	}
	if errno := k.SetSockOpt(c, linux.SOL_SOCKET, linux.SO_MARK, make([]byte, 4)); errno != linux.EPERM {
		t.Errorf("SO_MARK: %v", errno)
	}
	if _, errno := s.Socket(c, linux.AF_INET, linux.SOCK_RAW, linux.IPPROTO_ICMP); errno != linux.EPERM {
		t.Errorf("raw socket: %v", errno)
	}
	if _, errno := s.Socket(c, linux.AF_PACKET, linux.SOCK_RAW, 0); errno != linux.EPERM {
		t.Errorf("packet socket: %v", errno)
	}
	if _, errno := s.Socket(c, linux.AF_NETLINK, linux.SOCK_RAW, linux.NETLINK_NETFILTER); errno != linux.EPROTONOSUPPORT {
		t.Errorf("netfilter: %v", errno)
	}
}

// TestNoRoute checks that nothing but the machine itself can be reached.
func TestNoRoute(t *testing.T) {
	s, c := testStack(t)
	k, _ := open(t, s, c, linux.AF_INET, linux.SOCK_STREAM)
	if errno := k.Connect(c, inetName(mustAddr("8.8.8.8", 53))); errno != linux.ENETUNREACH {
		t.Errorf("tcp: %v", errno)
	}
	u, _ := open(t, s, c, linux.AF_INET6, linux.SOCK_DGRAM)
	if _, errno := u.SendMsg(c, &Msg{Data: []byte("x"), Name: inet6Name(mustAddr("2001:db8::1", 53))}); errno != linux.ENETUNREACH {
		t.Errorf("udp: %v", errno)
	}
	if errno := k.Bind(c, inetName(mustAddr("10.0.0.1", 0))); errno != linux.EADDRNOTAVAIL {
		t.Errorf("bind: %v", errno)
	}
}

// TestReusePort spreads connections over a group, always in the same way.
func TestReusePort(t *testing.T) {
	run := func() (counts [2]int) {
		s, c := testStack(t)
		var group [2]Socket
		for i := range group {
			group[i], _ = open(t, s, c, linux.AF_INET, linux.SOCK_DGRAM)
			must(t, group[i].SetSockOpt(c, linux.SOL_SOCKET, linux.SO_REUSEPORT, []byte{1, 0, 0, 0}))
			must(t, group[i].Bind(c, inetName(mustAddr("127.0.0.1", 9999))))
		}
		for range 64 {
			k, _ := open(t, s, c, linux.AF_INET, linux.SOCK_DGRAM)
			_, errno := k.SendMsg(c, &Msg{Data: []byte("x"), Name: inetName(mustAddr("127.0.0.1", 9999))})
			must(t, errno)
		}
		for i := range group {
			counts[i] = group[i].(*udpSocket).recv.len()
		}
		return counts
	}
	first := run()
	if first[0] < 10 || first[1] < 10 || first != run() {
		t.Errorf("%v, then %v", first, run())
	}
}
