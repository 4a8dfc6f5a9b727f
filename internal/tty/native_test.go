//go:build linux

package tty

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/linux"
)

// hostPair is a pseudo-terminal of the host, without blocking.
type hostPair struct {
	m, s  int
	pause time.Duration // for the host's kernel to move what was written
}

func newHostPair(t *testing.T, pause time.Duration) *hostPair {
	m, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals on this host: %v", err)
	}
	n, err := unix.IoctlGetInt(m, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(m, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	s, err := unix.Open(fmt.Sprintf("/dev/pts/%d", n), unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("/dev/pts: %v", err)
	}
	return &hostPair{m: m, s: s, pause: pause}
}

func (h *hostPair) close() {
	unix.Close(h.s)
	unix.Close(h.m)
}

func ioctl(fd int, req uint, b []byte) linux.Errno {
	for {
		_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(req), uintptr(unsafe.Pointer(&b[0])))
		if e != unix.EINTR { // the Go runtime's own signals
			return linux.Errno(e)
		}
	}
}

// step is something that is done to both terminals; the result is text.
type step interface {
	host(h *hostPair) string
	tine(p *pair) string
}

func result(data []byte, err error) string {
	if e, ok := err.(unix.Errno); ok {
		return linux.Errno(e).String()
	}
	return fmt.Sprintf("%q", data)
}

// typed bytes go in at the master side.
type typed string

func (s typed) host(h *hostPair) string {
	n, err := unix.Write(h.m, []byte(s))
	time.Sleep(h.pause)
	return result(fmt.Append(nil, n), err)
}

func (s typed) tine(p *pair) string {
	n, errno := p.m.Ops.Write(p.m, []byte(s), 0)
	return tineResult(fmt.Append(nil, n), errno)
}

func tineResult(data []byte, errno linux.Errno) string {
	if errno != 0 {
		return errno.String()
	}
	return fmt.Sprintf("%q", data)
}

// printed bytes are written by a program.
type printed string

func (s printed) host(h *hostPair) string {
	n, err := unix.Write(h.s, []byte(s))
	time.Sleep(h.pause)
	return result(fmt.Append(nil, n), err)
}

func (s printed) tine(p *pair) string {
	n, errno := p.s.Ops.Write(p.s, []byte(s), 0)
	return tineResult(fmt.Append(nil, n), errno)
}

// programReads is a read of that size by a program, masterReads one of the
// master side.
type (
	programReads int
	masterReads  int
)

func (n programReads) host(h *hostPair) string {
	b := make([]byte, n)
	got, err := unix.Read(h.s, b)
	return result(b[:max(got, 0)], err)
}

func (n programReads) tine(p *pair) string {
	b := make([]byte, n)
	got, errno := p.s.Ops.Read(p.s, b, 0)
	return tineResult(b[:got], errno)
}

func (n masterReads) host(h *hostPair) string {
	b := make([]byte, n)
	got, err := unix.Read(h.m, b)
	return result(b[:max(got, 0)], err)
}

func (n masterReads) tine(p *pair) string {
	b := make([]byte, n)
	got, errno := p.m.Ops.Read(p.m, b, 0)
	return tineResult(b[:got], errno)
}

// change sets attributes.
type change struct {
	linux.Termios
	req uint32
}

func (a change) host(h *hostPair) string {
	var b [linux.SizeofTermios]byte
	a.Encode(b[:])
	errno := ioctl(h.s, uint(a.req), b[:])
	time.Sleep(h.pause)
	return errno.String()
}

func (a change) tine(p *pair) string {
	a.Encode(p.mem[:])
	_, errno := p.s.Ops.Ioctl(p.s, p.context(), a.req, 1)
	return errno.String()
}

// look asks both sides for everything that can be seen without changing it.
type look struct{}

var looks = []uint32{linux.FIONREAD, linux.TIOCOUTQ, linux.TCGETS, tcgets2, linux.TCGETA, linux.TIOCGWINSZ, linux.TIOCGETD, linux.TIOCGEXCL, linux.TIOCGSOFTCAR, linux.TIOCGPKT, linux.TIOCGPTLCK, linux.TIOCGPGRP, linux.TIOCGSID, linux.TIOCMGET, linux.TIOCGSERIAL, 0x54ff}

func (look) host(h *hostPair) string {
	var out strings.Builder
	for _, fd := range []int{h.s, h.m} {
		for _, req := range looks {
			var b [64]byte
			errno := ioctl(fd, uint(req), b[:])
			fmt.Fprintf(&out, "%#x: %x %v\n", req, bytes.TrimRight(b[:], "\x00"), errno)
		}
		pfd := []unix.PollFd{{Fd: int32(fd), Events: 0x7ff}}
		unix.Poll(pfd, 0)
		fmt.Fprintf(&out, "poll %#x\n", pfd[0].Revents)
	}
	return out.String()
}

func (look) tine(p *pair) string {
	var out strings.Builder
	for _, f := range []int{0, 1} {
		file := p.s
		if f == 1 {
			file = p.m
		}
		for _, req := range looks {
			p.mem = [64]byte{}
			_, errno := file.Ops.Ioctl(file, p.context(), req, 1)
			fmt.Fprintf(&out, "%#x: %x %v\n", req, bytes.TrimRight(p.mem[:], "\x00"), errno)
		}
		fmt.Fprintf(&out, "poll %#x\n", uint32(file.Ops.Poll(file)))
	}
	return out.String()
}

// plain is a request whose argument is a number.
type plain struct {
	req    uint32
	arg    uint64
	master bool
}

func (r plain) host(h *hostPair) string {
	fd := h.s
	if r.master {
		fd = h.m
	}
	e := unix.EINTR
	for e == unix.EINTR { // by the Go runtime's own signals
		_, _, e = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(r.req), uintptr(r.arg))
	}
	time.Sleep(h.pause)
	return linux.Errno(e).String()
}

func (r plain) tine(p *pair) string {
	f := p.s
	if r.master {
		f = p.m
	}
	_, errno := f.Ops.Ioctl(f, p.context(), r.req, r.arg)
	return errno.String()
}

// packet turns packet mode on or off.
type packet int

func (v packet) host(h *hostPair) string {
	return linux.Errno(0).String() + fmt.Sprint(unix.IoctlSetPointerInt(h.m, unix.TIOCPKT, int(v)))
}

func (v packet) tine(p *pair) string {
	_, errno := p.ioctl(p.m, linux.TIOCPKT, int(v))
	return errno.String() + "<nil>"
}

// compare does steps on a new terminal of the host and on one of tine. It
// returns the first difference.
func compare(t *testing.T, steps []step, pause time.Duration) string {
	h := newHostPair(t, pause)
	defer h.close()
	p := newPair(t, linux.O_RDWR|linux.O_NOCTTY)
	p.k.current = p.bg // has no controlling terminal
	p.s.Flags |= linux.O_NONBLOCK
	p.m.Flags |= linux.O_NONBLOCK
	for i, s := range steps {
		if want, got := s.host(h), s.tine(p); want != got {
			if stale(want) {
				return ""
			}
			g, w := differing(got, want)
			var b strings.Builder
			for _, s := range steps[max(0, i-20) : i+1] {
				fmt.Fprintf(&b, "%T %q\n", s, fmt.Sprintf("%+v", s))
			}
			return fmt.Sprintf("step %d, the last of these:\n%s got %s\nwant %s", i, b.String(), g, w)
		}
	}
	return ""
}

// stale recognizes what the host's kernel (seen with 6.18) gives when it has
// lost count after flushing its buffers: a full buffer of what was there before,
// or of nothing.
func stale(host string) bool {
	const full = "0x541b: ff0f "
	return strings.Contains(host, full) || strings.Contains(host, strings.Repeat(`\x00`, 64))
}

// differing returns the lines in which a and b differ.
func differing(a, b string) (x, y string) {
	l, m := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(l), len(m)) {
		if l[i] != m[i] {
			x += l[i] + "; "
			y += m[i] + "; "
		}
	}
	return x, y
}

// check compares, more slowly if it did not come out right: the host's kernel
// moves bytes in the background.
func check(t *testing.T, steps []step) {
	t.Helper()
	diff := ""
	for _, pause := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 200 * time.Millisecond} {
		if diff = compare(t, steps, pause); diff == "" {
			return
		}
	}
	t.Error(diff)
}

// keys are what is typed at random.
var keys = []string{
	"a", "b", "Z", "_", " ", ".", "\t", "\t", "\r", "\n", "\n", "\x7f", "\x7f", "\x7f", "\x15", "\x17", "\x16", "\x12", "\x04",
	"\x03", "\x1a", "\x1c", "\x13", "\x11", "\x01", "\b", "\xc3\xa4", "\xe2\x82\xac", "\xff", "\x00", "e", "k", "word two", "\x0f",
}

func randomChange(r *rand.Rand) change {
	a := initialTermios()
	toggle := func(p *uint32, bits ...uint32) {
		for _, b := range bits {
			if r.IntN(4) == 0 {
				*p ^= b
			}
		}
	}
	toggle(&a.Iflag, linux.ICRNL, linux.INLCR, linux.IGNCR, linux.ISTRIP, linux.IUCLC, linux.IXON, linux.IXANY, linux.PARMRK, linux.IUTF8)
	toggle(&a.Oflag, linux.OPOST, linux.ONLCR, linux.OCRNL, linux.ONOCR, linux.ONLRET, linux.OLCUC, linux.XTABS)
	toggle(&a.Lflag, linux.ISIG, linux.ICANON, linux.ECHO, linux.ECHOE, linux.ECHOK, linux.ECHOKE, linux.ECHOCTL, linux.ECHONL, linux.ECHOPRT, linux.NOFLSH, linux.IEXTEN)
	toggle(&a.Cflag, linux.CSIZE, linux.PARENB, linux.CLOCAL)
	a.CC[linux.VMIN] = byte(r.IntN(3))
	if r.IntN(3) == 0 {
		a.CC[linux.VEOL], a.CC[linux.VEOL2] = 'e', 'k'
	}
	if r.IntN(5) == 0 {
		a.CC[linux.VERASE] = '\b'
	}
	return change{a, []uint32{linux.TCSETS, linux.TCSETSW, linux.TCSETSF}[r.IntN(3)]}
}

func randomSteps(r *rand.Rand, n int) (steps []step) {
	for range n {
		var s step
		switch r.IntN(16) {
		case 0:
			s = randomChange(r)
		case 1:
			s = look{}
		case 2, 3:
			s = printed([]string{"out\n", "a\tb\rc", "\b\b", "lower UPPER\n", "\x01\xc3\xa4\t"}[r.IntN(5)])
		case 4:
			s = programReads(1 + r.IntN(6))
		case 5, 6:
			s = programReads(1000)
		case 7:
			s = masterReads(1 + r.IntN(20))
		case 8, 9:
			s = masterReads(1000)
		case 10:
			s = []step{
				plain{req: linux.TCFLSH, arg: uint64(r.IntN(4))}, plain{req: linux.TCXONC, arg: uint64(r.IntN(5))},
				plain{req: linux.TCSBRK, arg: 1}, plain{req: linux.TCFLSH, arg: uint64(r.IntN(4)), master: true},
				packet(r.IntN(2)), plain{req: linux.TIOCEXCL}, plain{req: linux.TIOCNXCL},
			}[r.IntN(7)]
		default:
			text := ""
			for range 1 + r.IntN(8) {
				key := keys[r.IntN(len(keys))]
				if strings.Contains("\x03\x1a\x1c\x13", key) && text != "" {
					// The host echoes in batches: whether a flush or a stop
					// reaches the echo of what was typed before is chance.
					steps = append(steps, typed(text))
					text = ""
				}
				text += key
			}
			s = typed(text)
		}
		steps = append(steps, s)
	}
	return steps
}

// likeHost says how many random runs TestLikeHost makes, and from which seed on.
// A hundred take a few seconds:
//
//	go test ./internal/tty -run TestLikeHost -likehost.runs 10000 -likehost.seed 1000
var (
	likeHostRuns = flag.Uint64("likehost.runs", 60, "random runs of TestLikeHost")
	likeHostSeed = flag.Uint64("likehost.seed", 0, "seed of the first")
)

// TestLikeHost types, prints, reads and changes attributes at random.
func TestLikeHost(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("not root: TIOCEXCL may differ")
	}
	for seed := *likeHostSeed; seed < *likeHostSeed+*likeHostRuns; seed++ {
		r := rand.New(rand.NewPCG(seed, 7))
		check(t, randomSteps(r, 60))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestLongInput is input beyond the size of the buffer.
func TestLongInput(t *testing.T) {
	long := typed(strings.Repeat("x", 5000))
	noEcho := initialTermios()
	noEcho.Lflag &^= linux.ECHO
	raw := initialTermios()
	raw.Lflag, raw.Iflag = 0, 0
	check(t, []step{
		change{noEcho, linux.TCSETS}, long, look{}, typed("y\n"), look{}, typed("next\n"),
		programReads(100), programReads(9000), programReads(9000), programReads(9000), look{},
	})
	check(t, []step{
		change{raw, linux.TCSETS}, long, look{}, programReads(9000), programReads(9000), look{},
	})
}

// TestCanonicalReads is the end of file in all places of a read.
func TestCanonicalReads(t *testing.T) {
	check(t, []step{
		typed("abc\x04\x04def\n\x04"), programReads(3), programReads(3), programReads(3), programReads(3), programReads(3), programReads(3),
		typed("abc\x04"), programReads(2), programReads(2), programReads(2),
		typed("ab\nc"), change{Termios: rawTermios(), req: linux.TCSETS}, programReads(10),
		typed("xy"), change{Termios: initialTermios(), req: linux.TCSETS}, programReads(1), programReads(10), programReads(10),
		typed("pa\x04rt"), change{Termios: rawTermios(), req: linux.TCSETS}, programReads(10),
	})
}

func rawTermios() linux.Termios {
	a := initialTermios()
	a.Lflag, a.Iflag, a.Oflag = 0, 0, 0
	return a
}
