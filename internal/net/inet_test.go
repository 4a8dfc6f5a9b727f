//go:build linux

package net

import (
	"fmt"
	"testing"

	"github.com/tinevm/tine/internal/linux"
)

// connection makes a listener l, a client c and its far end s.
func connection(s *script, family int) {
	listener(s, "l", family, 5)
	s.socket("c", family, linux.SOCK_STREAM, 0)
	s.connectTo("c", "l")
	s.connectTo("c", "l")
	s.accept("s", "l")
}

func listener(s *script, k string, family, backlog int) {
	s.socket(k, family, linux.SOCK_STREAM, 0)
	if family == linux.AF_INET {
		s.bind(k, inet("127.0.0.1", 0))
	} else {
		s.bind(k, inet6("::1", 0))
	}
	s.listen(k, backlog)
}

// inetScripts run on the host's kernel and here.
var inetScripts = []struct {
	name string
	run  func(s *script)
}{
	{"create", func(s *script) {
		for _, family := range []int{linux.AF_INET, linux.AF_INET6} {
			for _, typ := range []int{0, 1, 2, 4, 5, 6, 11} {
				for _, protocol := range []int{0, 1, 6, 17, 58, -1, 300} {
					if protocol == 1 && typ == 2 || protocol == 58 && typ == 2 {
						continue // depends on ping_group_range
					}
					s.socket("a", family, typ, protocol)
				}
			}
			s.socket("a", family, linux.SOCK_RAW, 0)
		}
	}},
	{"tcp", func(s *script) {
		for _, family := range []int{linux.AF_INET, linux.AF_INET6} {
			listener(s, "l", family, 5)
			s.names("l")
			s.poll("l")
			s.accept("s", "l")
			s.socket("c", family, linux.SOCK_STREAM, 0)
			s.names("c")
			s.poll("c")
			s.recv("c", 1)
			s.send("c", "x")
			s.connectTo("c", "l")
			s.poll("c", "l")
			s.soerror("c")
			s.connectTo("c", "l")
			s.connectTo("c", "l")
			s.names("c")
			s.accept("s", "l")
			s.names("s")
			s.poll("c", "s", "l")
			s.recv("s", 10)
			s.send("c", "hello")
			s.ioctl("s", linux.FIONREAD)
			s.recvFlags("s", 3, linux.MSG_PEEK)
			s.recvFlags("s", 2, linux.MSG_TRUNC)
			s.poll("s")
			s.recv("s", 10)
			s.send("c", "")
			s.recv("s", 0)
			s.recvFlags("s", 1, linux.MSG_ERRQUEUE)
			s.recvFlags("s", 1, linux.MSG_OOB)
			s.sendMsg("c", Msg{Data: []byte("named"), Name: inet("127.0.0.9", 99)})
			s.recv("s", 10)
			s.listen("c", 1)
			s.bind("c", inet("127.0.0.1", 0))
			s.send("l", "x")
			s.recv("l", 1)
			s.ioctl("l", linux.FIONREAD)
			s.getopt("l", linux.SOL_SOCKET, linux.SO_ACCEPTCONN)
			s.close("c", "s", "l")
		}
	}},
	{"tcp close", func(s *script) {
		connection(s, linux.AF_INET)
		s.send("c", "last")
		s.close("c")
		s.poll("s")
		s.recv("s", 10)
		s.recv("s", 10)
		s.names("s")
		s.send("s", "into the void")
		s.poll("s")
		s.recv("s", 10)
		s.send("s", "again")
		s.soerror("s")
		s.names("s")
		connection(s, linux.AF_INET)
		s.send("c", "unread")
		s.close("s")
		s.poll("c")
		s.send("c", "x")
		s.send("c", "x")
		s.recv("c", 10)
		s.names("c")
		connection(s, linux.AF_INET)
		s.send("c", "unread")
		s.close("s")
		s.recv("c", 10)
		s.recv("c", 10)
		s.soerror("c")
	}},
	{"tcp shutdown", func(s *script) {
		for how := 0; how <= 3; how++ {
			connection(s, linux.AF_INET)
			s.send("s", "before")
			s.shutdown("c", how)
			s.poll("c", "s")
			s.names("c")
			s.send("c", "x")
			s.recv("c", 10)
			s.recv("c", 10)
			s.recv("s", 10)
			s.recv("s", 10)
			s.send("s", "y")
			s.poll("c", "s")
			s.recv("c", 10)
			s.send("s", "y")
			s.shutdown("s", 1)
			s.poll("c", "s")
			s.names("c")
			s.names("s")
			s.shutdown("c", 2)
			s.recv("c", 10)
			s.recv("s", 10)
			s.close("c", "s", "l")
		}
		s.socket("u", linux.AF_INET, linux.SOCK_STREAM, 0)
		s.shutdown("u", 2)
		s.poll("u")
		s.recv("u", 1)
		s.send("u", "x")
		s.shutdown("u", 7)
		listener(s, "l", linux.AF_INET, 1)
		s.shutdown("l", 1)
		s.poll("l")
		s.shutdown("l", 0)
		s.poll("l")
		s.accept("x", "l")
		s.names("l")
		s.listen("l", 1)
	}},
	{"tcp refused", func(s *script) {
		listener(s, "l", linux.AF_INET, 1)
		name, _ := s.w.local(s.fd("l"))
		s.close("l")
		s.socket("c", linux.AF_INET, linux.SOCK_STREAM, 0)
		s.connect("c", name)
		s.poll("c")
		s.names("c")
		s.soerror("c")
		s.poll("c")
		s.connect("c", name)
		s.poll("c")
		s.connect("c", name)
		s.connect("c", name)
		s.recv("c", 1)
		s.connect("c", name)
		s.recv("c", 1)
		s.recv("c", 1)
		s.send("c", "x")
		s.connect("c", name)
		s.connect("c", name)
		s.send("c", "x")
		s.shutdown("c", 2)
	}},
	{"tcp backlog", func(s *script) {
		listener(s, "l", linux.AF_INET, 0)
		for _, k := range []string{"a", "b"} {
			s.socket(k, linux.AF_INET, linux.SOCK_STREAM, 0)
			s.connectTo(k, "l")
			s.poll(k, "l")
			s.connectTo(k, "l")
		}
		s.send("a", "early")
		s.accept("s", "l")
		s.recv("s", 10)
		s.close("l")
		s.poll("s")
		s.send("s", "still there")
		s.recv("a", 20)
	}},
	{"tcp listener closed", func(s *script) {
		listener(s, "l", linux.AF_INET, 5)
		s.socket("c", linux.AF_INET, linux.SOCK_STREAM, 0)
		s.connectTo("c", "l")
		s.send("c", "hello")
		s.close("l")
		s.poll("c")
		s.recv("c", 1)
		s.recv("c", 1)
		s.send("c", "x")
	}},
	{"tcp reset", func(s *script) {
		connection(s, linux.AF_INET)
		s.send("c", "queued")
		linger := append(le.AppendUint32(nil, 1), 0, 0, 0, 0)
		s.sayf("linger %v", s.w.setopt(s.fd("c"), linux.SOL_SOCKET, linux.SO_LINGER, linger))
		s.close("c")
		s.poll("s")
		s.recv("s", 3)
		s.recv("s", 10)
		s.recv("s", 10)
		s.recv("s", 10)
		connection(s, linux.AF_INET)
		s.connect("c", unspec(16))
		s.poll("c", "s")
		s.names("c")
		s.names("s")
		s.soerror("s")
		s.connectTo("c", "l")
		s.connectTo("c", "l")
		s.accept("t", "l")
		s.send("t", "anew")
		s.recv("c", 10)
		s.connect("l", unspec(16))
		s.poll("l")
		s.names("l")
	}},
	{"tcp addresses", func(s *script) {
		s.socket("a", linux.AF_INET, linux.SOCK_STREAM, 0)
		s.socket("b", linux.AF_INET6, linux.SOCK_STREAM, 0)
		for _, name := range [][]byte{{}, {2}, {2, 0}, inet("127.0.0.1", 9)[:15], inet("8.8.8.8", 0), inet6("2001:db8::1", 0), inet6("fe80::1", 0), inet6("ff02::1", 0),
			{1, 0, 'x', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, inet6("::1", 9)[:23]} {
			s.bind("a", name)
			s.bind("b", name)
		}
		s.socket("a", linux.AF_INET, linux.SOCK_STREAM, 0)
		s.socket("b", linux.AF_INET6, linux.SOCK_STREAM, 0)
		for _, name := range [][]byte{{}, {2}, inet("127.0.0.1", 9)[:15], inet6("::1", 9)[:23], {1, 0, 'x', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}} {
			s.connect("a", name)
			s.connect("b", name)
		}
		s.connect("b", inet("127.0.0.1", 9))
		s.bind("a", inet("127.1.2.3", 0))
		s.names("a")
		s.listen("a", 1)
		s.socket("c", linux.AF_INET, linux.SOCK_STREAM, 0)
		s.connectTo("c", "a")
		s.names("c")
	}},
	{"tcp mapped", func(s *script) {
		s.socket("l", linux.AF_INET6, linux.SOCK_STREAM, 0)
		s.listen("l", 5)
		s.names("l")
		name, _ := s.w.local(s.fd("l"))
		port := parseInet6(name).Port()
		s.socket("c", linux.AF_INET, linux.SOCK_STREAM, 0)
		s.connect("c", inet("127.0.0.1", port))
		s.names("c")
		s.accept("s", "l")
		s.names("s")
		s.socket("d", linux.AF_INET6, linux.SOCK_STREAM, 0)
		s.connect("d", inet6("::ffff:127.0.0.1", port))
		s.names("d")
		s.accept("t", "l")
		s.names("t")
		s.socket("e", linux.AF_INET6, linux.SOCK_STREAM, 0)
		s.setopt("e", linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, 1)
		s.connect("e", inet6("::ffff:127.0.0.1", port))
		s.connect("e", inet6("::", port))
		s.names("e")
		s.socket("m", linux.AF_INET6, linux.SOCK_STREAM, 0)
		s.bind("m", inet6("::ffff:127.0.0.1", 0))
		s.names("m")
		s.setopt("m", linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, 1)
		s.socket("n", linux.AF_INET6, linux.SOCK_STREAM, 0)
		s.bind("n", inet6("::1", 0))
		s.connect("n", inet6("::ffff:127.0.0.1", port))
		s.socket("o", linux.AF_INET, linux.SOCK_STREAM, 0)
		s.connect("o", inet("0.0.0.0", port))
		s.names("o")
	}},
	{"udp", func(s *script) {
		for _, family := range []int{linux.AF_INET, linux.AF_INET6} {
			lo := inet("127.0.0.1", 0)
			if family == linux.AF_INET6 {
				lo = inet6("::1", 0)
			}
			s.socket("a", family, linux.SOCK_DGRAM, 0)
			s.socket("b", family, linux.SOCK_DGRAM, 0)
			s.names("a")
			s.poll("a")
			s.send("a", "x")
			s.recv("a", 1)
			s.listen("a", 1)
			s.accept("x", "a")
			s.bind("b", lo)
			s.sendTo("a", "hello", "b")
			s.names("a")
			s.poll("b")
			s.ioctl("b", linux.FIONREAD)
			s.recvFlags("b", 2, linux.MSG_PEEK)
			s.recvFlags("b", 2, linux.MSG_TRUNC|linux.MSG_PEEK)
			s.recv("b", 2)
			s.sendTo("a", "", "b")
			s.poll("b")
			s.recv("b", 2)
			s.connectTo("a", "b")
			s.names("a")
			s.send("a", "connected")
			s.recv("b", 20)
			s.socket("c", family, linux.SOCK_DGRAM, 0)
			s.sendTo("c", "stranger", "a")
			s.recv("a", 20)
			s.close("b")
			s.send("a", "x")
			s.poll("a")
			s.send("a", "x")
			s.send("a", "x")
			s.recv("a", 1)
			s.recv("a", 1)
			s.connect("a", unspec(28))
			s.names("a")
			s.sendMsg("a", Msg{Data: []byte("x"), Name: s.noPort(family)})
			s.connect("a", s.noPort(family))
			s.names("a")
			s.send("a", "x")
			s.shutdown("a", 1)
			s.poll("a")
			s.send("a", "x")
			s.shutdown("a", 0)
			s.poll("a")
			s.recv("a", 1)
			s.shutdown("c", 2)
			s.poll("c")
			s.sendMsg("c", Msg{Data: make([]byte, 65508), Name: lo})
			s.close("a", "c")
		}
	}},
	{"udp addresses", func(s *script) {
		s.socket("a", linux.AF_INET, linux.SOCK_DGRAM, 0)
		s.socket("b", linux.AF_INET6, linux.SOCK_DGRAM, 0)
		s.bind("a", inet("127.0.0.1", 0))
		for _, name := range [][]byte{{}, {2, 0}, inet6("::1", 9), {1, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}} {
			s.sendMsg("a", Msg{Data: []byte("x"), Name: name})
			s.connect("a", name)
		}
		n, _ := s.w.local(s.fd("a"))
		s.sendMsg("b", Msg{Data: []byte("v4"), Name: n})
		s.recv("a", 10)
		s.connect("b", n)
		s.names("b")
		s.send("b", "connected")
		s.recv("a", 10)
		s.socket("c", linux.AF_INET6, linux.SOCK_DGRAM, 0)
		s.bind("c", inet6("::", 0))
		m, _ := s.w.local(s.fd("c"))
		s.sendMsg("a", Msg{Data: []byte("to v6"), Name: inet("127.0.0.1", be.Uint16(m[2:]))})
		s.recv("c", 10)
		s.sendMsg("a", Msg{Data: []byte("any"), Name: inet("0.0.0.0", be.Uint16(m[2:]))})
		s.recv("c", 10)
	}},
	{"udp control", func(s *script) {
		s.socket("a", linux.AF_INET, linux.SOCK_DGRAM, 0)
		s.bind("a", inet("127.0.0.1", 0))
		for _, o := range []int{linux.IP_PKTINFO, linux.IP_RECVTTL, linux.IP_RECVTOS, linux.IP_RECVORIGDSTADDR} {
			s.setopt("a", linux.IPPROTO_IP, o, 1)
			s.sendTo("a", "x", "a")
			s.recv("a", 1)
		}
		s.setopt("a", linux.SOL_SOCKET, linux.SO_TIMESTAMP, 1)
		s.sendTo("a", "x", "a")
		s.recv("a", 1)
		s.socket("b", linux.AF_INET6, linux.SOCK_DGRAM, 0)
		s.bind("b", inet6("::1", 0))
		for _, o := range []int{linux.IPV6_RECVPKTINFO, linux.IPV6_RECVHOPLIMIT, linux.IPV6_RECVTCLASS} {
			s.setopt("b", linux.IPPROTO_IPV6, o, 1)
			s.sendTo("b", "x", "b")
			s.recv("b", 1)
		}
		s.socket("c", linux.AF_INET, linux.SOCK_DGRAM, 0)
		s.setopt("c", linux.IPPROTO_IP, linux.IP_RECVERR, 1)
		n, _ := s.w.local(s.fd("a"))
		s.close("a")
		s.sendMsg("c", Msg{Data: []byte("lost"), Name: n})
		s.poll("c")
		s.recv("c", 10)
		s.poll("c")
		s.recvFlags("c", 10, linux.MSG_ERRQUEUE)
		s.recvFlags("c", 10, linux.MSG_ERRQUEUE)
		s.poll("c")
	}},
	{"udp limits", func(s *script) {
		for _, n := range []int{1, 100, 1000, 20000, 60000} {
			s.socket("a", linux.AF_INET, linux.SOCK_DGRAM, 0)
			s.bind("a", inet("127.0.0.1", 0))
			for range 400 {
				name, _ := s.w.local(s.fd("a"))
				_, _ = s.w.send(s.fd("a"), &Msg{Data: make([]byte, n), Name: name}, nil)
			}
			got := 0
			for {
				if _, _, errno := s.w.recv(s.fd("a"), &Msg{Data: make([]byte, 10)}); errno != 0 {
					break
				}
				got++
			}
			s.sayf("%d datagrams of %d bytes", got, n)
		}
	}},
	{"options", func(s *script) {
		for _, typ := range []int{linux.SOCK_STREAM, linux.SOCK_DGRAM} {
			for _, family := range []int{linux.AF_INET, linux.AF_INET6} {
				s.socket("a", family, typ, 0)
				for name := 1; name < 76; name++ {
					if !skipOption[name] {
						s.getopt("a", linux.SOL_SOCKET, name)
					}
				}
				for _, name := range ipNames {
					s.getopt("a", linux.IPPROTO_IP, name)
					for _, v := range []int32{0, 1, 3, 64, 255, 256, -1, 70000} {
						s.setopt("a", linux.IPPROTO_IP, name, v)
						s.getopt("a", linux.IPPROTO_IP, name)
					}
				}
				for _, name := range ipv6Names {
					s.getopt("a", linux.IPPROTO_IPV6, name)
					for _, v := range []int32{0, 1, 3, 64, 255, 256, -1, -2, 70000} {
						s.setopt("a", linux.IPPROTO_IPV6, name, v)
						s.getopt("a", linux.IPPROTO_IPV6, name)
					}
				}
				for _, name := range tcpNames {
					s.getopt("a", linux.IPPROTO_TCP, name)
					for _, v := range []int32{0, 1, 3, 100, 128, 32767, 32768, -1} {
						s.setopt("a", linux.IPPROTO_TCP, name, v)
						s.getopt("a", linux.IPPROTO_TCP, name)
					}
				}
				s.getopt("a", 999, 1)
				s.setopt("a", 999, 1, 1)
			}
		}
	}},
}

var (
	ipNames   = []int{linux.IP_TOS, linux.IP_TTL, linux.IP_PKTINFO, linux.IP_MTU_DISCOVER, linux.IP_RECVERR, linux.IP_RECVTTL, linux.IP_RECVTOS, linux.IP_FREEBIND, linux.IP_MULTICAST_TTL, linux.IP_MULTICAST_LOOP, linux.IP_MULTICAST_ALL, linux.IP_BIND_ADDRESS_NO_PORT, linux.IP_MINTTL, linux.IP_MTU}
	ipv6Names = []int{linux.IPV6_UNICAST_HOPS, linux.IPV6_MULTICAST_HOPS, linux.IPV6_MULTICAST_LOOP, linux.IPV6_RECVPKTINFO, linux.IPV6_RECVHOPLIMIT, linux.IPV6_RECVTCLASS, linux.IPV6_TCLASS, linux.IPV6_MTU_DISCOVER, linux.IPV6_RECVERR, linux.IPV6_DONTFRAG, linux.IPV6_V6ONLY}
	tcpNames  = []int{linux.TCP_NODELAY, linux.TCP_CORK, linux.TCP_KEEPIDLE, linux.TCP_KEEPINTVL, linux.TCP_KEEPCNT, linux.TCP_SYNCNT, linux.TCP_USER_TIMEOUT, linux.TCP_NOTSENT_LOWAT, linux.TCP_MAXSEG, 99}
)

// noPort is the loopback address without a port.
func (s *script) noPort(family int) []byte {
	if family == linux.AF_INET {
		return inet("127.0.0.1", 0)
	}
	return inet6("::1", 0)
}

func TestInetLikeLinux(t *testing.T) {
	for _, test := range inetScripts {
		t.Run(test.name, func(t *testing.T) { compare(t, test.run) })
	}
}

// TestBindConflicts tries which addresses can be used beside each other, with
// which options.
func TestBindConflicts(t *testing.T) {
	firsts := map[string][]byte{"127.0.0.1": inet("127.0.0.1", 0), "0.0.0.0": inet("0.0.0.0", 0), "::": inet6("::", 0), "::1": inet6("::1", 0)}
	for _, typ := range []int{linux.SOCK_STREAM, linux.SOCK_DGRAM} {
		for _, option := range []int{0, linux.SO_REUSEADDR, linux.SO_REUSEPORT} {
			for name, first := range firsts {
				for _, listening := range []bool{false, true} {
					if listening && typ == linux.SOCK_DGRAM {
						continue
					}
					t.Run(fmt.Sprint(name, typ, option, listening), func(t *testing.T) {
						compare(t, func(s *script) { bindConflicts(s, typ, option, first, listening) })
					})
				}
			}
		}
	}
}

// bindConflicts binds one socket, then tries others on the same port. Linux
// caches decisions about a port, so that the order of attempts matters: each
// gets a port of its own.
func bindConflicts(s *script, typ, option int, first []byte, listening bool) {
	for _, second := range [][]byte{inet("127.0.0.1", 0), inet("127.0.0.2", 0), inet("0.0.0.0", 0), inet6("::", 0), inet6("::1", 0), inet6("::ffff:127.0.0.1", 0)} {
		for _, o := range []int{0, linux.SO_REUSEADDR, linux.SO_REUSEPORT, -1} {
			s.ports = make(map[uint16]int)
			s.socket("a", nameFamily(first), typ, 0)
			if option != 0 {
				s.setopt("a", linux.SOL_SOCKET, option, 1)
			}
			s.bind("a", first)
			if listening {
				s.listen("a", 1)
			}
			bound, _ := s.w.local(s.fd("a"))
			copy(second[2:4], bound[2:4])
			s.socket("b", nameFamily(second), typ, 0)
			switch {
			case o > 0:
				s.setopt("b", linux.SOL_SOCKET, o, 1)
			case o < 0 && nameFamily(second) == linux.AF_INET6:
				s.setopt("b", linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, 1)
			}
			s.bind("b", second)
			if typ == linux.SOCK_STREAM {
				s.listen("b", 1)
			}
			s.close("b", "a")
		}
	}
}
