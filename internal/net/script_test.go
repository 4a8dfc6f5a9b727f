//go:build linux

package net

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// script runs calls in one world and writes down what they do. Sockets have
// letters, in order of creation, and ephemeral ports numbers, so that the
// transcripts of two worlds can be compared.
type script struct {
	w      world
	log    strings.Builder
	fds    map[string]int
	ports  map[uint16]int
	prefix string // of abstract names
}

func (s *script) sayf(format string, args ...any) { fmt.Fprintf(&s.log, format+"\n", args...) }

func (s *script) result(what string, n int, errno linux.Errno) {
	if errno != 0 {
		s.sayf("%s = %v", what, errno)
	} else {
		s.sayf("%s = %d", what, n)
	}
}

func (s *script) fd(k string) int {
	if fd, ok := s.fds[k]; ok {
		return fd
	}
	return -1
}

func (s *script) socket(k string, family, typ, protocol int) {
	fd, errno := s.w.socket(family, typ, protocol)
	if errno == 0 {
		s.fds[k] = fd
	}
	s.result(fmt.Sprintf("%s = socket(%d, %d, %d)", k, family, typ, protocol), 0, errno)
}

func (s *script) pair(a, b string, typ int) {
	x, y, errno := s.w.pair(linux.AF_UNIX, typ)
	s.fds[a], s.fds[b] = x, y
	s.result(fmt.Sprintf("%s, %s = socketpair(%d)", a, b, typ), 0, errno)
}

func (s *script) bind(k string, name []byte) {
	s.result(fmt.Sprintf("bind(%s, %s)", k, s.name(name)), 0, s.w.bind(s.fd(k), name))
}

func (s *script) listen(k string, backlog int) {
	s.result(fmt.Sprintf("listen(%s, %d)", k, backlog), 0, s.w.listen(s.fd(k), backlog))
}

func (s *script) connect(k string, name []byte) {
	s.result(fmt.Sprintf("connect(%s, %s)", k, s.name(name)), 0, s.w.connect(s.fd(k), name))
}

// connectTo connects to the address another socket is bound to.
func (s *script) connectTo(k, to string) {
	name, _ := s.w.local(s.fd(to))
	s.connect(k, name)
}

func (s *script) accept(k, from string) {
	fd, errno := s.w.accept(s.fd(from))
	if errno == 0 {
		s.fds[k] = fd
	}
	s.result(fmt.Sprintf("%s = accept(%s)", k, from), 0, errno)
}

func (s *script) sendMsg(k string, m Msg, files ...string) {
	var fds []int
	for _, f := range files {
		fds = append(fds, s.fd(f))
	}
	n, errno := s.w.send(s.fd(k), &m, fds)
	s.result(fmt.Sprintf("send(%s, %d bytes, %#x, %s, %v)", k, len(m.Data), m.Flags, s.name(m.Name), files), n, errno)
}

func (s *script) send(k, data string) { s.sendMsg(k, Msg{Data: []byte(data)}) }

func (s *script) sendTo(k, data, to string) {
	name, _ := s.w.local(s.fd(to))
	s.sendMsg(k, Msg{Data: []byte(data), Name: name})
}

func (s *script) recv(k string, n int) { s.recvFlags(k, n, 0) }

func (s *script) recvFlags(k string, n int, flags uint32, files ...string) {
	m := Msg{Data: make([]byte, n), Flags: flags}
	n, fds, errno := s.w.recv(s.fd(k), &m)
	for i, fd := range fds {
		if i < len(files) {
			s.fds[files[i]] = fd
		} else {
			s.w.close(fd)
		}
	}
	what := fmt.Sprintf("recv(%s, %d, %#x)", k, len(m.Data), flags)
	if errno != 0 {
		s.sayf("%s = %v", what, errno)
		return
	}
	data := m.Data[:min(m.Copied, 40)]
	if flags&linux.MSG_TRUNC != 0 && m.OutFlags&linux.MSG_TRUNC == 0 {
		data = nil // TCP discards
	}
	s.sayf("%s = %d %q from %s flags %#x files %d", what, n, data, s.name(m.Name), m.OutFlags, len(fds))
	if m.Cred != nil {
		s.sayf("\tcred %v", *m.Cred == s.w.me())
	}
	for _, c := range m.Control {
		s.sayf("\tcontrol %d %d %d bytes", c.Level, c.Type, len(c.Data))
	}
}

func (s *script) shutdown(k string, how int) {
	s.result(fmt.Sprintf("shutdown(%s, %d)", k, how), 0, s.w.shutdown(s.fd(k), how))
}

func (s *script) names(k string) {
	l, e1 := s.w.local(s.fd(k))
	r, e2 := s.w.remote(s.fd(k))
	s.sayf("names(%s): %s %v, %s %v", k, s.name(l), e1, s.name(r), e2)
}

func (s *script) getopt(k string, level, name int) {
	v, errno := s.w.getopt(s.fd(k), level, name, 4)
	s.sayf("getsockopt(%s, %d, %d) = %x %v", k, level, name, v, errno)
}

func (s *script) setopt(k string, level, name int, v int32) {
	b := le.AppendUint32(nil, uint32(v))
	s.result(fmt.Sprintf("setsockopt(%s, %d, %d, %d)", k, level, name, v), 0, s.w.setopt(s.fd(k), level, name, b))
}

func (s *script) soerror(k string) { s.getopt(k, linux.SOL_SOCKET, linux.SO_ERROR) }

func (s *script) poll(ks ...string) {
	for _, k := range ks {
		if s.fd(k) < 0 {
			continue
		}
		s.sayf("poll(%s) = %s", k, pollNames(s.w.poll(s.fd(k))))
	}
}

func (s *script) ioctl(k string, req uint32) {
	v, errno := s.w.ioctl(s.fd(k), req)
	s.result(fmt.Sprintf("ioctl(%s, %#x)", k, req), v, errno)
}

func (s *script) close(ks ...string) {
	for _, k := range ks {
		s.w.close(s.fd(k))
		delete(s.fds, k)
		s.sayf("close(%s)", k)
	}
}

func pollNames(m vfs.PollMask) string {
	var out []string
	for i, n := range []string{"IN", "PRI", "OUT", "ERR", "HUP", "NVAL", "RDNORM", "RDBAND", "WRNORM", "WRBAND"} {
		if m>>i&1 != 0 {
			out = append(out, n)
		}
	}
	if m&vfs.PollRdHup != 0 {
		out = append(out, "RDHUP")
	}
	return strings.Join(out, "|")
}

// name shows a socket address with what differs between worlds replaced.
func (s *script) name(b []byte) string {
	switch {
	case b == nil:
		return "-"
	case len(b) < 2:
		return fmt.Sprintf("%x", b)
	case nameFamily(b) == linux.AF_UNIX:
		p := b[2:]
		if len(p) == 6 && p[0] == 0 {
			return "autobound"
		}
		return fmt.Sprintf("%q", bytes.Replace(p, []byte(s.prefix), []byte("@"), 1))
	case nameFamily(b) == linux.AF_INET && len(b) >= 16:
		a := parseInet(b)
		return fmt.Sprintf("%v port %s", a.Addr(), s.port(a.Port()))
	case nameFamily(b) == linux.AF_INET6 && len(b) >= 24:
		a := parseInet6(b)
		return fmt.Sprintf("%v port %s", a.Addr(), s.port(a.Port()))
	}
	return fmt.Sprintf("%x", b)
}

func (s *script) port(p uint16) string {
	if p < ephemeralFirst {
		return fmt.Sprint(p)
	}
	if _, ok := s.ports[p]; !ok {
		s.ports[p] = len(s.ports) + 1
	}
	return fmt.Sprintf("P%d", s.ports[p])
}

// abstract is an abstract name that no other process uses.
func (s *script) abstract(name string) []byte {
	return append(append(le.AppendUint16(nil, linux.AF_UNIX), 0), s.prefix+name...)
}

func inet(ip string, port uint16) []byte { return inetName(mustAddr(ip, port)) }

func inet6(ip string, port uint16) []byte { return inet6Name(mustAddr(ip, port)) }

func unspec(n int) []byte { return make([]byte, n) }

// compare runs a script in both worlds.
func compare(t *testing.T, run func(s *script)) {
	t.Helper()
	var u unix.Utsname
	if _ = unix.Uname(&u); !modern(unix.ByteSliceToString(u.Release[:])) {
		t.Skip("the rules are those of Linux 6.17 and later")
	}
	play := func(w world, prefix string) string {
		s := &script{w: w, fds: make(map[string]int), ports: make(map[uint16]int), prefix: prefix}
		run(s)
		for _, fd := range s.fds {
			w.close(fd)
		}
		return s.log.String()
	}
	var want string
	got := play(newTine(t), "tine-test")
	// The host's network takes its time now and then.
	for range 8 {
		want = play(host{}, fmt.Sprintf("tine-test-%d-%s", unix.Getpid(), t.Name()))
		if got == want {
			return
		}
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	bad := 0
	for i := range w {
		if bad > 2 {
			break
		}
		if i >= len(g) || w[i] != g[i] {
			from := max(i-25, 0)
			if bad++; bad > 1 {
				from = max(i-1, 0)
			}
			t.Errorf("after\n%s\nLinux: %s\ntine:  %s", strings.Join(w[from:i], "\n"), w[i], strings.Join(g[i:min(i+1, len(g))], "\n"))
		}
	}
}

// modern reports whether a kernel release has the rules that this package
// follows where releases differ.
func modern(release string) bool {
	var major, minor int
	_, _ = fmt.Sscanf(release, "%d.%d", &major, &minor)
	return major > 6 || major == 6 && minor >= 17
}

func (s *script) file(path string) { s.result("create "+path, 0, s.w.file(path)) }

func (s *script) unlink(path string) { s.result("unlink "+path, 0, s.w.unlink(path)) }

// path is the address of a path name.
func path(name string) []byte { return append(le.AppendUint16(nil, linux.AF_UNIX), name...) }
