package tty

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// fakeKernel has one caller at a time.
type fakeKernel struct {
	current *fakeProcess
	log     []string
}

func (k *fakeKernel) Current() Process {
	if k.current == nil {
		return nil
	}
	return k.current
}

func (k *fakeKernel) Realtime() (sec, nsec int64) { return 1000, 0 }

// signals returns what was sent since it was last called.
func (k *fakeKernel) signals() []string {
	l := k.log
	k.log = nil
	return l
}

type fakeSession struct {
	k      *fakeKernel
	groups []*fakeGroup
	procs  []*fakeProcess
}

func (s *fakeSession) ID() int { return 10 }

func (s *fakeSession) ForgetTerminal(t *TTY) {
	for _, p := range s.procs {
		if p.tty == t {
			p.tty = nil
		}
	}
}

func (s *fakeSession) HungUp(g Group) {
	s.k.log = append(s.k.log, fmt.Sprintf("leader hung up, group %d", g.ID()))
}

func (s *fakeSession) Group(id int) Group {
	for _, g := range s.groups {
		if g.id == id {
			return g
		}
	}
	return nil
}

type fakeGroup struct {
	id       int
	s        *fakeSession
	orphaned bool
}

func (g *fakeGroup) ID() int        { return g.id }
func (g *fakeGroup) Orphaned() bool { return g.orphaned }
func (g *fakeGroup) Signal(sig linux.Signal) {
	g.s.k.log = append(g.s.k.log, fmt.Sprint(g.id, " ")+sig.String())
}

type fakeProcess struct {
	g       *fakeGroup
	tty     *TTY
	leads   bool
	shuns   bool
	stage   int
	timeout int64 // ns, since stage began
	late    bool  // the timeout is over
}

func (p *fakeProcess) Session() Session        { return p.g.s }
func (p *fakeProcess) Group() Group            { return p.g }
func (p *fakeProcess) Leads() bool             { return p.leads }
func (p *fakeProcess) Shuns(linux.Signal) bool { return p.shuns }
func (p *fakeProcess) Terminal() *TTY          { return p.tty }
func (p *fakeProcess) SetTerminal(t *TTY)      { p.tty = t }
func (p *fakeProcess) Interrupted() bool       { return false }

func (p *fakeProcess) Overdue(stage int, ns int64) bool {
	if stage != p.stage {
		p.stage, p.timeout, p.late = stage, ns, false
	}
	return p.late
}

func (p *fakeProcess) Install(f *vfs.File, _ bool) (int, linux.Errno) {
	f.Put()
	return 7, 0
}

// Local implements Process.
func (p *fakeProcess) Local(id int) int { return id }

func (p *fakeProcess) SessionOf(id int) (Session, int) {
	switch {
	case p.g.s.Group(id) != nil:
		return p.g.s, id
	case id == 3:
		return &fakeSession{k: p.g.s.k}, id
	}
	return nil, 0
}

// pair is a terminal with both sides open.
type pair struct {
	t         *testing.T
	k         *fakeKernel
	sys       *System
	c         *vfs.Context
	m, s      *vfs.File
	mem       [64]byte // what ioctl arguments point to
	shell, bg *fakeProcess
}

func newPair(t *testing.T, flags uint32) *pair {
	k := &fakeKernel{}
	p := &pair{t: t, k: k, sys: New(k), c: &vfs.Context{Cred: &vfs.Cred{FSUID: 1}}}
	s := &fakeSession{k: k}
	p.shell = &fakeProcess{g: &fakeGroup{id: 1, s: s}, leads: true}
	p.bg = &fakeProcess{g: &fakeGroup{id: 2, s: s}}
	s.groups, s.procs = []*fakeGroup{p.shell.g, p.bg.g}, []*fakeProcess{p.shell, p.bg}
	k.current = p.shell
	m, errno := p.sys.own.openPtmx(p.c)
	if errno != 0 {
		t.Fatal(errno)
	}
	p.m = vfs.NewFile(m, linux.O_RDWR)
	if _, errno := p.sys.own.ttys[0].node.OpenDevice(p.c, flags); errno != linux.EIO {
		t.Errorf("open of a locked slave: %v", errno)
	}
	p.ioctl(p.m, linux.TIOCSPTLCK, 0)
	p.s = p.open(flags)
	p.bg.tty = p.shell.tty // as after fork
	return p
}

func (p *pair) open(flags uint32) *vfs.File {
	p.t.Helper()
	s, errno := p.sys.own.ttys[0].node.OpenDevice(p.c, flags)
	if errno != 0 {
		p.t.Fatal(errno)
	}
	return vfs.NewFile(s, flags)
}

func (p *pair) context() *vfs.IoctlContext {
	return &vfs.IoctlContext{
		Context: p.c,
		CopyIn:  func(_ uint64, b []byte) linux.Errno { copy(b, p.mem[:]); return 0 },
		CopyOut: func(_ uint64, b []byte) linux.Errno { copy(p.mem[:], b); return 0 },
	}
}

// ioctl makes a request with a pointer to v, and returns what v is then.
func (p *pair) ioctl(f *vfs.File, req uint32, v int) (int, linux.Errno) {
	binary.LittleEndian.PutUint32(p.mem[:], uint32(v))
	_, errno := f.Ops.Ioctl(f, p.context(), req, 1)
	return int(int32(binary.LittleEndian.Uint32(p.mem[:]))), errno
}

// attributes changes the terminal's attributes.
func (p *pair) attributes(change func(*linux.Termios)) {
	p.t.Helper()
	p.s.Ops.Ioctl(p.s, p.context(), linux.TCGETS, 1)
	var a linux.Termios
	a.Decode(p.mem[:])
	change(&a)
	a.Encode(p.mem[:])
	if _, errno := p.s.Ops.Ioctl(p.s, p.context(), linux.TCSETS, 1); errno != 0 {
		p.t.Errorf("TCSETS: %v", errno)
	}
}

func (p *pair) typed(s string) { p.m.Ops.Write(p.m, []byte(s), 0) }

func read(f *vfs.File, size int) (string, linux.Errno) {
	b := make([]byte, size)
	n, errno := f.Ops.Read(f, b, 0)
	return string(b[:n]), errno
}

// expect reads f and compares.
func (p *pair) expect(f *vfs.File, want string, wantErrno linux.Errno) {
	p.t.Helper()
	if got, errno := read(f, 1000); got != want || errno != wantErrno {
		p.t.Errorf("read %q, %v; want %q, %v", got, errno, want, wantErrno)
	}
}

func (p *pair) expectSignals(want ...string) {
	p.t.Helper()
	if got := p.k.signals(); !slices.Equal(got, want) {
		p.t.Errorf("signals %q, want %q", got, want)
	}
}

func TestJobControl(t *testing.T) {
	p := newPair(t, linux.O_RDWR)
	if p.shell.Terminal() == nil {
		t.Fatal("the session leader did not get a controlling terminal")
	}
	if v, errno := p.ioctl(p.s, linux.TIOCGSID, 0); v != 10 || errno != 0 {
		t.Errorf("TIOCGSID: %d, %v", v, errno)
	}
	p.typed("\x03")
	p.expectSignals("1 SIGINT")
	if _, errno := p.ioctl(p.s, linux.TIOCSPGRP, 2); errno != 0 {
		t.Errorf("TIOCSPGRP: %v", errno)
	}
	p.typed("\x1a\x1c")
	p.expectSignals("2 SIGTSTP", "2 SIGQUIT")

	// The shell is now in the background.
	p.typed("x\n")
	p.expect(p.s, "", linux.ERESTARTSYS)
	p.expectSignals("1 SIGTTIN")
	p.shell.shuns = true
	p.expect(p.s, "", linux.EIO)
	p.shell.shuns, p.shell.g.orphaned = false, true
	p.expect(p.s, "", linux.EIO)
	p.expectSignals()
	p.shell.g.orphaned = false
	if _, errno := p.s.Ops.Write(p.s, []byte("x"), 0); errno != 0 {
		t.Errorf("write from the background: %v", errno)
	}
	p.shell.shuns = true
	p.attributes(func(a *linux.Termios) { a.Lflag |= linux.TOSTOP })
	p.shell.shuns = false
	if _, errno := p.s.Ops.Write(p.s, []byte("x"), 0); errno != linux.ERESTARTSYS {
		t.Errorf("write from the background with TOSTOP: %v", errno)
	}
	p.expectSignals("1 SIGTTOU")
	p.k.current = p.bg
	p.expect(p.s, "x\n", 0)
	for pgid, want := range map[int]linux.Errno{-1: linux.EINVAL, 5: linux.ESRCH, 3: linux.EPERM} {
		if _, errno := p.ioctl(p.s, linux.TIOCSPGRP, pgid); errno != want {
			t.Errorf("TIOCSPGRP %d: %v, want %v", pgid, errno, want)
		}
	}
	p.ioctl(p.m, linux.TIOCSWINSZ, 0x00500018)
	p.expectSignals("2 SIGWINCH")
}

func TestHangup(t *testing.T) {
	p := newPair(t, linux.O_RDWR)
	p.m.Put()
	p.expectSignals("leader hung up, group 1")
	if p.shell.Terminal() != nil {
		t.Error("the session kept its terminal")
	}
	p.expect(p.s, "", 0)
	if _, errno := p.s.Ops.Write(p.s, []byte("x"), 0); errno != linux.EIO {
		t.Errorf("write: %v", errno)
	}
	if _, errno := p.ioctl(p.s, linux.TCGETS, 0); errno != linux.EIO {
		t.Errorf("ioctl: %v", errno)
	}
	if got := p.s.Ops.Poll(p.s); got != 0x15d {
		t.Errorf("poll %#x", got)
	}
	if p.sys.Count() != 1 {
		t.Error("the number is free while the terminal is open")
	}
	p.s.Put()
	if p.sys.Count() != 0 {
		t.Error("the number is not free")
	}
}

func TestSlaveClosed(t *testing.T) {
	p := newPair(t, linux.O_RDWR|linux.O_NOCTTY)
	if p.shell.Terminal() != nil {
		t.Error("O_NOCTTY made a controlling terminal")
	}
	p.s.Ops.Write(p.s, []byte("bye\n"), 0)
	p.s.Put()
	p.expect(p.m, "bye\r\n", 0)
	p.expect(p.m, "", linux.EIO)
	if got := p.m.Ops.Poll(p.m); got != vfs.PollOut|vfs.PollWrNorm|vfs.PollHup {
		t.Errorf("poll %#x", got)
	}
	s := p.open(linux.O_RDWR)
	p.expect(p.m, "", linux.EAGAIN)
	s.Put()
}

func TestLeaderEnds(t *testing.T) {
	p := newPair(t, linux.O_RDWR)
	tty := p.shell.Terminal()
	p.ioctl(p.s, linux.TIOCSPGRP, 2)
	tty.SessionEnded()
	p.expectSignals("2 SIGHUP")
	if tty.Foreground() != -1 || p.bg.Terminal() != nil {
		t.Error("a foreground group remained")
	}
}

func TestGiveUpTerminal(t *testing.T) {
	p := newPair(t, linux.O_RDWR)
	p.k.current = p.bg
	if _, errno := p.ioctl(p.s, linux.TIOCNOTTY, 0); errno != 0 || p.bg.Terminal() != nil || p.shell.Terminal() == nil {
		t.Errorf("TIOCNOTTY of a member: %v", errno)
	}
	p.k.current = p.shell
	p.ioctl(p.s, linux.TIOCNOTTY, 0)
	p.expectSignals("1 SIGHUP", "1 SIGCONT")
	if _, errno := p.sys.OpenTTY(p.c, 0, 0); errno != linux.ENXIO {
		t.Errorf("/dev/tty without a terminal: %v", errno)
	}
	if _, errno := p.ioctl(p.s, linux.TIOCSCTTY, 0); errno != 0 || p.shell.Terminal() == nil {
		t.Errorf("TIOCSCTTY: %v", errno)
	}
}

func TestTimedRead(t *testing.T) {
	p := newPair(t, linux.O_RDWR)
	raw := func(vmin, vtime uint8) {
		p.attributes(func(a *linux.Termios) {
			a.Lflag, a.Iflag = 0, 0
			a.CC[linux.VMIN], a.CC[linux.VTIME] = vmin, vtime
		})
		p.shell.stage = 0
	}
	raw(0, 5)
	p.expect(p.s, "", linux.EAGAIN)
	p.expect(p.s, "", linux.EAGAIN)
	if p.shell.timeout != 5e8 {
		t.Fatalf("a timeout of %d ns", p.shell.timeout)
	}
	p.shell.late = true
	p.expect(p.s, "", 0)

	raw(3, 2)
	p.expect(p.s, "", linux.EAGAIN)
	if p.shell.stage != 0 {
		t.Error("the time runs before the first byte")
	}
	p.typed("a")
	p.expect(p.s, "", linux.EAGAIN)
	p.shell.late = true
	p.typed("b")
	p.expect(p.s, "", linux.EAGAIN) // the time begins anew
	p.shell.late = true
	p.expect(p.s, "ab", 0)

	raw(3, 0)
	p.typed("cd")
	p.expect(p.s, "", linux.EAGAIN)
	p.typed("ef")
	p.expect(p.s, "cdef", 0)
}

func TestStop(t *testing.T) {
	p := newPair(t, linux.O_RDWR)
	p.typed("\x13")
	if _, errno := p.s.Ops.Write(p.s, []byte("x"), 0); errno != linux.EAGAIN {
		t.Errorf("write while stopped: %v", errno)
	}
	p.typed("abc")
	p.expect(p.m, "", linux.EAGAIN)
	p.typed("\x11")
	p.expect(p.m, "abc", 0)
	p.s.Ops.Ioctl(p.s, p.context(), linux.TCXONC, linux.TCOOFF)
	p.typed("\x11")
	if p.s.Ops.Poll(p.s)&vfs.PollOut != 0 {
		t.Error("^Q undid TCOOFF")
	}
	p.s.Ops.Ioctl(p.s, p.context(), linux.TCXONC, linux.TCOON)
	if p.s.Ops.Poll(p.s)&vfs.PollOut == 0 {
		t.Error("TCOON did not start output")
	}
}

func TestPacketMode(t *testing.T) {
	p := newPair(t, linux.O_RDWR)
	p.ioctl(p.m, linux.TIOCPKT, 1)
	p.s.Ops.Write(p.s, []byte("x"), 0)
	p.typed("\x13")
	if got := p.m.Ops.Poll(p.m); got&vfs.PollPri == 0 {
		t.Errorf("poll %#x", got)
	}
	p.expect(p.m, string([]byte{linux.TIOCPKT_STOP}), 0)
	p.expect(p.m, "\x00x", 0)
	p.attributes(func(a *linux.Termios) { a.Iflag &^= linux.IXON })
	p.expect(p.m, string([]byte{linux.TIOCPKT_NOSTOP | linux.TIOCPKT_START}), 0)
}

func TestHostSide(t *testing.T) {
	k := &fakeKernel{}
	sys := New(k)
	calls := 0
	h, errno := sys.NewHostTTY(0, func() { calls++ })
	if errno != 0 || h.Name() != "/dev/pts/0" {
		t.Fatalf("%v %s", errno, h.Name())
	}
	c := &vfs.Context{Cred: &vfs.Cred{}}
	ops, errno := sys.OpenConsole(c, 0, linux.O_RDWR)
	if errno != 0 {
		t.Fatal(errno)
	}
	f := vfs.NewFile(ops, linux.O_RDWR)
	h.Input([]byte("hi\n"))
	if got, _ := read(f, 100); got != "hi\n" {
		t.Errorf("read %q", got)
	}
	f.Ops.Write(f, []byte("out\n"), 0)
	if p := h.Output(); string(p) != "hi\r\nout\r\n" || calls == 0 {
		t.Errorf("output %q after %d calls", p, calls)
	}
	big := make([]byte, 64<<10)
	f.Ops.Write(f, []byte("x"), 0)
	if n := h.Input(big); n >= len(big) {
		t.Error("input is not bounded")
	}
	f.Put()
	h.Hangup()
	if sys.Count() != 0 {
		t.Error("the terminal stayed")
	}
}

func TestDevpts(t *testing.T) {
	p := newPair(t, linux.O_RDWR)
	root := p.sys.DevptsFS().Root().(*directory)
	i, errno := root.Lookup(p.c, "0")
	if errno != 0 {
		t.Fatal(errno)
	}
	if a, _ := i.Attr(); a.Mode != linux.S_IFCHR|0o620 || a.UID != 1 || a.GID != 5 || a.Rdev != vfs.MakeDev(136, 0) {
		t.Errorf("attributes %+v", a)
	}
	names := func() (l []string) {
		d, _ := root.Open(p.c, 0)
		d.ReadDir(nil, p.c, 0, func(name string, _ uint64, _ uint8, _ int64) bool {
			l = append(l, name)
			return true
		})
		return l
	}
	if got := names(); !slices.Equal(got, []string{".", "..", "ptmx", "0"}) {
		t.Errorf("names %q", got)
	}
	p.m.Put()
	if root.Revalidate(p.c, "0", i) || len(names()) != 3 {
		t.Error("the name outlived the master")
	}
}
