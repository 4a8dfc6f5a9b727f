//go:build linux

package net

import (
	"strings"
	"testing"

	"github.com/tinevm/tine/internal/linux"
)

// unixScripts run on the host's kernel and here.
var unixScripts = []struct {
	name string
	run  func(s *script)
}{
	{"create", func(s *script) {
		for _, typ := range []int{0, 1, 2, 3, 4, 5, 6, 10, 11, -1} {
			s.socket("a", linux.AF_UNIX, typ, 0)
		}
		s.socket("a", linux.AF_UNIX, 1, 1)
		s.socket("a", linux.AF_UNIX, 1, 2)
		s.socket("a", linux.AF_UNIX, 1, -1)
		s.socket("a", 46, 1, 0)
		s.socket("a", -1, 1, 0)
		s.socket("a", 3, 1, 0)
		s.socket("a", 0, 1, 0)
	}},
	{"stream pair", func(s *script) {
		s.pair("a", "b", linux.SOCK_STREAM)
		s.names("a")
		s.poll("a", "b")
		s.recv("a", 10)
		s.send("a", "hello")
		s.poll("a", "b")
		s.ioctl("b", linux.FIONREAD)
		s.ioctl("a", linux.SIOCOUTQ)
		s.recvFlags("b", 3, linux.MSG_PEEK)
		s.recv("b", 3)
		s.send("a", "more")
		s.ioctl("b", linux.FIONREAD)
		s.recvFlags("b", 100, linux.MSG_TRUNC)
		s.send("a", "")
		s.poll("b")
		s.recv("b", 10)
		s.recv("b", 0)
		s.send("a", "x")
		s.recv("b", 0)
		s.ioctl("b", linux.FIONREAD)
		s.recvFlags("b", 1, linux.MSG_OOB|linux.MSG_PEEK)
		s.sendMsg("a", Msg{Data: []byte("to"), Name: s.abstract("nowhere")})
		s.connect("a", s.abstract("nowhere"))
		s.listen("a", 1)
	}},
	{"stream close", func(s *script) {
		s.pair("a", "b", linux.SOCK_STREAM)
		s.send("a", "last")
		s.close("a")
		s.poll("b")
		s.send("b", "x")
		s.soerror("b")
		s.names("b")
		s.recv("b", 10)
		s.recv("b", 10)
		s.poll("b")
		s.pair("a", "b", linux.SOCK_STREAM)
		s.send("a", "unread")
		s.close("b")
		s.poll("a")
		s.recv("a", 10)
		s.recv("a", 10)
		s.send("a", "x")
		s.pair("a", "b", linux.SOCK_STREAM)
		s.send("a", "unread")
		s.close("b")
		s.send("a", "x")
		s.soerror("a")
		s.soerror("a")
	}},
	{"stream shutdown", func(s *script) {
		for how := 0; how <= 3; how++ {
			s.pair("a", "b", linux.SOCK_STREAM)
			s.send("b", "before")
			s.shutdown("a", how)
			s.poll("a", "b")
			s.send("a", "x")
			s.send("b", "y")
			s.recv("a", 10)
			s.recv("a", 10)
			s.recv("b", 10)
			s.close("b")
			s.poll("a")
			s.recv("a", 10)
		}
		s.shutdown("a", -1)
		s.socket("u", linux.AF_UNIX, linux.SOCK_STREAM, 0)
		s.poll("u")
		s.recv("u", 1)
		s.send("u", "x")
		s.shutdown("u", 1)
		s.poll("u")
		s.send("u", "x")
		s.shutdown("u", 2)
		s.poll("u")
	}},
	{"stream limits", func(s *script) {
		for _, n := range []int{1, 100, 500, 1000, 1729, 4096, 16064, 20000, 50000, 1 << 20} {
			s.pair("a", "b", linux.SOCK_STREAM)
			fill(s, "a", n)
			s.poll("a")
			s.ioctl("a", linux.SIOCOUTQ)
			s.recv("b", n)
			s.poll("a")
			for range 200 {
				s.recv("b", 4096)
			}
			s.poll("a")
			s.close("a", "b")
		}
		s.pair("a", "b", linux.SOCK_STREAM)
		s.setopt("a", 1, linux.SO_SNDBUF, 1)
		s.getopt("a", 1, linux.SO_SNDBUF)
		fill(s, "a", 1000)
		s.pair("a", "b", linux.SOCK_DGRAM)
		for _, n := range []int{1, 1000, 4096, 16064, 20000, 65536, 212000} {
			s.pair("a", "b", linux.SOCK_DGRAM)
			fill(s, "a", n)
			s.ioctl("a", linux.SIOCOUTQ)
		}
		s.sendMsg("a", Msg{Data: make([]byte, 212992)})
	}},
	{"listen and connect", func(s *script) {
		s.socket("l", linux.AF_UNIX, linux.SOCK_STREAM, 0)
		s.listen("l", 1)
		s.accept("x", "l")
		s.bind("l", s.abstract("l"))
		s.bind("l", s.abstract("m"))
		s.poll("l")
		s.socket("c", linux.AF_UNIX, linux.SOCK_STREAM, 0)
		s.connect("c", s.abstract("l"))
		s.connect("c", s.abstract("none"))
		s.listen("l", 1)
		s.getopt("l", 1, linux.SO_ACCEPTCONN)
		s.poll("l")
		s.connect("l", s.abstract("l"))
		s.send("l", "x")
		s.recv("l", 1)
		s.ioctl("l", linux.FIONREAD)
		s.accept("x", "l")
		for _, k := range []string{"c", "d", "e", "f"} {
			s.socket(k, linux.AF_UNIX, linux.SOCK_STREAM, 0)
			s.connect(k, s.abstract("l"))
			s.names(k)
			s.poll(k, "l")
		}
		s.send("c", "early")
		s.connect("c", s.abstract("l"))
		s.accept("x", "l")
		s.names("x")
		s.recv("x", 10)
		s.connect("f", s.abstract("l"))
		s.close("l")
		s.poll("x", "d", "e")
		s.recv("d", 1)
		s.recv("d", 1)
		s.recv("e", 1)
		s.send("x", "y")
		s.recv("c", 1)
		s.connect("f", s.abstract("l"))
		s.connect("f", unspec(2))
		s.socket("g", linux.AF_UNIX, linux.SOCK_SEQPACKET, 0)
		s.bind("g", s.abstract("g"))
		s.listen("g", -1)
		s.connect("f", s.abstract("g"))
		s.shutdown("g", 0)
		s.poll("g")
		s.accept("x", "g")
	}},
	{"bad addresses", func(s *script) {
		s.socket("a", linux.AF_UNIX, linux.SOCK_STREAM, 0)
		s.socket("d", linux.AF_UNIX, linux.SOCK_DGRAM, 0)
		long := append(le.AppendUint16(nil, linux.AF_UNIX), strings.Repeat("x", 109)...)
		for _, name := range [][]byte{{}, {1}, {2, 0}, {2, 0, 'x'}, {0, 0, 'x'}, long, {1, 0, 0}} {
			s.connect("a", name)
			s.connect("d", name)
			s.sendMsg("d", Msg{Data: []byte("x"), Name: name})
			if len(name) != 3 || name[0] != 1 {
				s.bind("a", name)
			}
		}
		s.bind("a", []byte{1, 0})
		s.names("a")
		s.bind("a", []byte{1, 0})
		s.bind("a", s.abstract("x"))
		s.bind("d", s.abstract("x"))
		s.socket("e", linux.AF_UNIX, linux.SOCK_DGRAM, 0)
		s.bind("e", s.abstract("x"))
		s.connect("a", s.abstract("x"))
		s.close("d")
		s.bind("e", s.abstract("x"))
	}},
	{"dgram", func(s *script) {
		s.socket("a", linux.AF_UNIX, linux.SOCK_DGRAM, 0)
		s.socket("b", linux.AF_UNIX, linux.SOCK_DGRAM, 0)
		s.poll("a")
		s.send("a", "x")
		s.listen("a", 1)
		s.accept("x", "a")
		s.bind("b", s.abstract("b"))
		s.sendTo("a", "hello", "b")
		s.poll("b")
		s.sendTo("a", "", "b")
		s.ioctl("b", linux.FIONREAD)
		s.recvFlags("b", 2, linux.MSG_PEEK)
		s.recvFlags("b", 2, linux.MSG_PEEK|linux.MSG_TRUNC)
		s.recv("b", 2)
		s.recv("b", 2)
		s.recv("b", 2)
		s.bind("a", s.abstract("a"))
		s.connectTo("a", "b")
		s.names("a")
		s.send("a", "from a")
		s.recv("b", 10)
		s.connectTo("b", "a")
		s.socket("c", linux.AF_UNIX, linux.SOCK_DGRAM, 0)
		s.sendTo("c", "x", "b")
		s.connectTo("c", "b")
		s.connect("b", unspec(2))
		s.connectTo("c", "b")
		s.close("b")
		s.poll("c")
		s.send("c", "x")
		s.send("c", "x")
		s.names("c")
		s.sendMsg("c", Msg{Data: []byte("x"), Flags: linux.MSG_OOB})
	}},
	{"dgram queue", func(s *script) {
		s.socket("a", linux.AF_UNIX, linux.SOCK_DGRAM, 0)
		s.socket("b", linux.AF_UNIX, linux.SOCK_DGRAM, 0)
		s.bind("b", s.abstract("b"))
		s.connectTo("a", "b")
		for range 12 {
			s.send("a", "x")
			s.poll("a")
		}
		s.recv("b", 1)
		s.poll("a")
		s.send("a", "y")
		s.shutdown("b", 0)
		s.poll("a", "b")
		s.send("a", "z")
		for range 13 {
			s.recv("b", 1)
		}
		s.shutdown("a", 1)
		s.send("a", "z")
		s.poll("a")
		s.shutdown("a", 0)
		s.poll("a")
		s.recv("a", 1)
	}},
	{"dgram disconnect", func(s *script) {
		s.pair("a", "b", linux.SOCK_DGRAM)
		s.names("a")
		s.send("b", "queued")
		s.connect("a", unspec(2))
		s.poll("a", "b")
		s.recv("a", 10)
		s.soerror("b")
		s.send("b", "x")
		s.recv("a", 10)
		s.names("a")
		s.close("a")
		s.poll("b")
		s.send("b", "x")
		s.send("b", "x")
		s.pair("a", "b", linux.SOCK_DGRAM)
		s.shutdown("a", 2)
		s.poll("a", "b")
		s.send("b", "x")
		s.send("a", "x")
		s.recv("a", 1)
		s.recv("b", 1)
	}},
	{"seqpacket", func(s *script) {
		s.pair("a", "b", linux.SOCK_SEQPACKET)
		s.poll("a")
		s.send("a", "one")
		s.send("a", "second")
		s.send("a", "")
		s.ioctl("b", linux.FIONREAD)
		s.recv("b", 10)
		s.recvFlags("b", 3, linux.MSG_TRUNC)
		s.recv("b", 3)
		s.recv("b", 3)
		s.sendMsg("a", Msg{Data: []byte("x"), Name: s.abstract("ignored")})
		s.recv("b", 3)
		s.shutdown("a", 1)
		s.poll("a", "b")
		s.recv("b", 3)
		s.send("b", "unread")
		s.close("a")
		s.poll("b")
		s.recv("b", 3)
		s.send("b", "x")
		s.pair("a", "b", linux.SOCK_SEQPACKET)
		s.send("a", "unread")
		s.close("b")
		s.poll("a")
		s.send("a", "x")
		s.send("a", "x")
		s.recv("a", 1)
		s.socket("c", linux.AF_UNIX, linux.SOCK_SEQPACKET, 0)
		s.poll("c")
		s.send("c", "x")
		s.recv("c", 1)
	}},
	{"rights", func(s *script) {
		s.pair("a", "b", linux.SOCK_STREAM)
		s.pair("x", "y", linux.SOCK_STREAM)
		s.send("a", "plain")
		s.sendMsg("a", Msg{Data: []byte("files")}, "x", "y")
		s.send("a", "after")
		s.close("x")
		s.recvFlags("b", 100, linux.MSG_PEEK)
		s.recvFlags("b", 7, 0, "x2", "y2")
		s.recv("b", 100)
		s.recv("b", 100)
		s.send("x2", "through")
		s.recv("y", 10)
		s.sendMsg("a", Msg{}, "y")
		s.recv("b", 10)
		s.sendMsg("a", Msg{Data: []byte("lost")}, "y2")
		s.close("b", "y", "y2")
		s.poll("x2")
		s.pair("a", "b", linux.SOCK_DGRAM)
		s.pair("x", "y", linux.SOCK_STREAM)
		s.sendMsg("a", Msg{}, "x")
		s.close("x")
		s.recvFlags("b", 10, linux.MSG_PEEK, "p")
		s.recvFlags("b", 10, 0, "x")
		s.send("x", "alive")
		s.recv("y", 10)
		s.close("x")
		s.poll("y")
		s.close("p")
		s.poll("y")
	}},
	{"credentials", func(s *script) {
		me := s.w.me()
		s.pair("a", "b", linux.SOCK_STREAM)
		s.setopt("b", 1, linux.SO_PASSCRED, 1)
		s.getopt("b", 1, linux.SO_PASSCRED)
		s.send("a", "x")
		s.recv("b", 10)
		s.sendMsg("a", Msg{Data: []byte("mine"), Cred: &me})
		s.recv("b", 10)
		other := me
		other.PID = 1
		s.send("a", "mine")
		s.sendMsg("a", Msg{Data: []byte("other"), Cred: &other})
		s.recv("b", 100)
		s.recv("b", 100)
		s.pair("a", "b", linux.SOCK_DGRAM)
		s.setopt("b", 1, linux.SO_PASSCRED, 1)
		s.send("a", "x")
		s.recv("b", 10)
		s.socket("d", linux.AF_UNIX, linux.SOCK_DGRAM, 0)
		s.setopt("d", 1, linux.SO_PASSCRED, 1)
		s.sendTo("d", "x", "b")
		s.socket("e", linux.AF_UNIX, linux.SOCK_DGRAM, 0)
		s.bind("e", s.abstract("e"))
		s.sendTo("d", "x", "e")
		s.recv("e", 10)
		s.connectTo("d", "e")
		s.names("d")
	}},
	{"peek offset", func(s *script) {
		s.pair("a", "b", linux.SOCK_STREAM)
		s.getopt("b", 1, linux.SO_PEEK_OFF)
		s.setopt("b", 1, linux.SO_PEEK_OFF, 0)
		s.send("a", "abcd")
		s.send("a", "efgh")
		s.recvFlags("b", 3, linux.MSG_PEEK)
		s.recvFlags("b", 3, linux.MSG_PEEK)
		s.recvFlags("b", 30, linux.MSG_PEEK)
		s.getopt("b", 1, linux.SO_PEEK_OFF)
		s.recv("b", 5)
		s.getopt("b", 1, linux.SO_PEEK_OFF)
		s.setopt("b", 1, linux.SO_PEEK_OFF, 1)
		s.recvFlags("b", 30, linux.MSG_PEEK)
	}},
	{"path names", func(s *script) {
		s.socket("l", linux.AF_UNIX, linux.SOCK_STREAM, 0)
		s.bind("l", path("sock\x00junk"))
		s.names("l")
		s.bind("l", path("sock"))
		s.bind("l", path("other"))
		s.unlink("other")
		s.bind("l", path("none/sock"))
		s.bind("l", s.abstract("x"))
		s.socket("c", linux.AF_UNIX, linux.SOCK_STREAM, 0)
		s.bind("c", path("sock"))
		s.connect("c", path("sock"))
		s.listen("l", 5)
		s.connect("c", path("none"))
		s.connect("c", path("sock/x"))
		s.file("file")
		s.connect("c", path("file"))
		s.bind("c", path("file"))
		s.socket("d", linux.AF_UNIX, linux.SOCK_DGRAM, 0)
		s.connect("d", path("sock"))
		s.connect("d", path("file"))
		s.sendMsg("d", Msg{Data: []byte("x"), Name: path("sock")})
		s.connect("c", path("./sock"))
		s.names("c")
		s.accept("s", "l")
		s.names("s")
		s.unlink("sock")
		s.socket("e", linux.AF_UNIX, linux.SOCK_STREAM, 0)
		s.connect("e", path("sock"))
		s.bind("e", path("sock"))
		s.close("e")
		s.socket("e", linux.AF_UNIX, linux.SOCK_STREAM, 0)
		s.connect("e", path("sock"))
		s.send("c", "still there")
		s.recv("s", 20)
		s.bind("e", path(strings.Repeat("n", 108)))
		s.names("e")
		s.socket("f", linux.AF_UNIX, linux.SOCK_STREAM, 0)
		s.connect("f", path(strings.Repeat("n", 108)))
		s.unlink(strings.Repeat("n", 108))
		s.unlink("sock")
		s.unlink("file")
	}},
	{"options", func(s *script) {
		for _, typ := range []int{linux.SOCK_STREAM, linux.SOCK_DGRAM, linux.SOCK_SEQPACKET} {
			s.socket("a", linux.AF_UNIX, typ, 0)
			for name := 1; name < 80; name++ {
				if !skipOption[name] {
					s.getopt("a", linux.SOL_SOCKET, name)
				}
			}
		}
		for _, name := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 18, 19, 29, 30, 35, 38, 39, 40, 42} {
			for _, v := range []int32{0, 1, 2, 5, 100, 5000, -1, 1 << 30} {
				s.setopt("a", linux.SOL_SOCKET, name, v)
				s.getopt("a", linux.SOL_SOCKET, name)
			}
		}
		s.getopt("a", linux.IPPROTO_TCP, 1)
		s.setopt("a", linux.IPPROTO_IP, 1, 1)
	}},
}

// skipOption has the options whose values differ between machines, or that
// need hardware.
var skipOption = map[int]bool{
	linux.SO_PEERCRED: true, linux.SO_PEERSEC: true, linux.SO_COOKIE: true, linux.SO_MEMINFO: true, linux.SO_NETNS_COOKIE: true,
	linux.SO_GET_FILTER: true, linux.SO_LOCK_FILTER: true, linux.SO_BPF_EXTENSIONS: true, linux.SO_MAX_PACING_RATE: true,
	linux.SO_BUF_LOCK: true, linux.SO_RESERVE_MEM: true, linux.SO_TXREHASH: true, linux.SO_PREFER_BUSY_POLL: true, linux.SO_RCVMARK: true,
	linux.SO_BUSY_POLL: true, linux.SO_TXTIME: true, linux.SO_PEERGROUPS: true, linux.SO_PASSSEC: true, linux.SO_WIFI_STATUS: true, linux.SO_NOFCS: true,
	linux.SO_PEERNAME: true, linux.SO_TIMESTAMPING_NEW: true, linux.SO_TIMESTAMPING: true, linux.SO_INCOMING_NAPI_ID: true, linux.SO_ZEROCOPY: true, linux.SO_BSDCOMPAT: true,
	76: true, 77: true, 78: true, 79: true, linux.SO_BINDTODEVICE: true,
}

// fill sends messages of n bytes until there is no room.
func fill(s *script, k string, n int) {
	total, count := 0, 0
	for {
		m := Msg{Data: make([]byte, n)}
		sent, errno := s.w.send(s.fd(k), &m, nil)
		if errno != 0 {
			s.sayf("fill(%s, %d): %d messages, %d bytes, %v", k, n, count, total, errno)
			return
		}
		total += sent
		count++
	}
}

func TestUnixLikeLinux(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range unixScripts {
		t.Run(test.name, func(t *testing.T) { compare(t, test.run) })
	}
}
