package trace

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// netKinds are the kinds of sockets.
func netKinds() map[string]kind {
	return map[string]kind{
		"sockdata":     {print: func(d *decoder, i int) { d.socketData(int32(d.args[0]), d.args[i], d.args[i+1]) }},
		"sockbuf>":     later(func(d *decoder, a uint64) { d.socketData(int32(d.args[0]), a, uint64(d.ret)) }),
		"family":       one(families, "AF_???"),
		"socktype":     now(printSockType),
		"protocol":     {print: printProtocol},
		"sockflags":    set(sockFlags, "SOCK_???"),
		"msgflags":     set(msgFlags, "MSG_???"),
		"shutdown":     one(shutdownHow, "SHUT_???"),
		"sockaddr":     {print: func(d *decoder, i int) { d.sockaddr(d.args[i], int64(int32(d.args[i+1]))) }},
		"sockaddr>":    {late: true, enter: keepSockLen, print: printSockaddrOut},
		"sockaddrlen>": {late: true, print: printSockLen},
		"sockopt":      {print: printSockopt},
		"optval":       {print: printOptval},
		"optval>":      {late: true, enter: keepOptLen, print: printOptvalOut},
		"msghdr": {print: func(d *decoder, i int) {
			if b := d.peek(d.args[i], msghdrSize); b != nil {
				d.msghdr(b, -1, -1)
			} else {
				d.ptr(d.args[i])
			}
		}},
		"msghdr>":  {late: true, enter: keepNameLen, print: printMsghdrOut},
		"mmsghdr":  {print: printMmsghdr, late: true},
		"mmsghdr>": {late: true, print: printMmsghdr},
	}
}

func printSockType(d *decoder, a uint64) {
	const typeMask = 0xf
	if lookup(sockTypes, a&typeMask) == "" {
		d.value(nil, uint64(uint32(a)), "SOCK_???")
		return
	}
	d.value(sockTypes, a&typeMask, "")
	if a = uint64(uint32(a)) &^ typeMask; a != 0 {
		d.str("|")
		d.flags(sockFlags, a, "")
	}
}

func printProtocol(d *decoder, i int) {
	a := uint64(uint32(d.args[i]))
	switch {
	case d.nr == linux.SYS_socketpair:
		d.uint(a)
	case d.args[0] == linux.AF_INET || d.args[0] == linux.AF_INET6:
		d.value(inetProtocols, a, "IPPROTO_???")
	case d.args[0] == linux.AF_NETLINK:
		d.value(netlinkProtocols, a, "NETLINK_???")
	case d.args[0] == linux.AF_PACKET:
		d.f("htons(%#x)", a>>8&0xff|a&0xff<<8)
	default:
		d.uint(a)
	}
}

// keepSockLen keeps the size of the caller's buffer for an address.
func keepSockLen(d *decoder, i int) {
	if v, ok := d.peek32(d.args[i+1]); ok && d.args[i] != 0 {
		d.saved, d.saved2 = uint64(v), 1
	}
}

func printSockaddrOut(d *decoder, i int) {
	n, ok := d.peek32(d.args[i+1])
	if d.failed() || d.saved2 == 0 || !ok {
		d.ptr(d.args[i])
		return
	}
	d.sockaddr(d.args[i], int64(min(int32(n), int32(d.saved))))
}

func printSockLen(d *decoder, i int) {
	n, ok := d.peek32(d.args[i])
	switch {
	case d.saved2 == 0 || !ok:
		d.ptr(d.args[i])
	case d.failed() || n == uint32(d.saved):
		d.f("[%d]", int32(d.saved))
	default:
		d.f("[%d => %d]", int32(d.saved), int32(n))
	}
}

// sockaddr writes an address of n bytes.
func (d *decoder) sockaddr(addr uint64, n int64) {
	const maxAddr = 128 // struct sockaddr_storage
	if n < 2 {
		d.ptr(addr)
		return
	}
	b := d.mem(addr, int(min(n, maxAddr)))
	if b != nil {
		d.sockaddrBytes(b)
	}
}

func port(b []byte) uint64 { return u16([]byte{b[3], b[2]}, 0) }

func (d *decoder) sockaddrBytes(b []byte) {
	family := u16(b, 0)
	d.str("{sa_family=")
	d.value(families, family, "AF_???")
	switch {
	case len(b) == 2:
	case family == linux.AF_UNIX:
		d.str(", sun_path=")
		path := b[2:]
		if path[0] == 0 {
			d.str("@")
			d.b = appendQuoted(d.b, path[1:])
		} else {
			path, _, _ := strings.Cut(string(path), "\x00")
			d.b = appendQuoted(d.b, []byte(path))
		}
	case family == linux.AF_INET && len(b) >= 16:
		d.f(", sin_port=htons(%d), sin_addr=inet_addr(%q)", port(b), netip.AddrFrom4([4]byte(b[4:8])))
	case family == linux.AF_INET6 && len(b) >= 24:
		flow := uint64(b[4])<<24 | uint64(b[5])<<16 | uint64(b[6])<<8 | uint64(b[7])
		d.f(", sin6_port=htons(%d), sin6_flowinfo=htonl(%d), inet_pton(AF_INET6, %q, &sin6_addr)", port(b), flow, netip.AddrFrom16([16]byte(b[8:24])))
		if len(b) >= 28 {
			d.f(", sin6_scope_id=%d", u32(b, 24))
		}
	case family == linux.AF_NETLINK && len(b) >= 12:
		d.f(", nl_pid=%d, nl_groups=%s", u32(b, 4), padHex(u32(b, 8), 8))
	default:
		d.str(", sa_data=")
		d.b = appendQuoted(d.b, b[2:])
	}
	d.str("}")
}

// padHex is C's %#08x and the like: zero has no prefix.
func padHex(v uint64, width int) string {
	if v == 0 {
		return strings.Repeat("0", width)
	}
	return fmt.Sprintf("%#0*x", width-2, v)
}

// optionTables are the names of socket options by level.
func optionTable(level uint64) ([]symbol, string) {
	switch level {
	case linux.SOL_SOCKET:
		return sockOptions, "SO_???"
	case linux.IPPROTO_IP:
		return ipOptions, "IP_???"
	case linux.IPPROTO_IPV6:
		return ipv6Options, "IPV6_???"
	case linux.IPPROTO_TCP:
		return tcpOptions, "TCP_???"
	case linux.SOL_NETLINK:
		return netlinkOptions, "NETLINK_???"
	}
	return nil, ""
}

// printSockopt writes level and name of a socket option.
func printSockopt(d *decoder, i int) {
	level, name := uint64(uint32(d.args[i])), uint64(uint32(d.args[i+1]))
	d.value(sockLevels, level, "SOL_??")
	d.next()
	if table, what := optionTable(level); table != nil {
		d.value(table, name, what)
	} else {
		d.uint(name)
	}
}

// printOptval writes the value of setsockopt(2) and its length.
func printOptval(d *decoder, _ int) {
	level, name, addr, n := d.args[1], d.args[2], d.args[3], int32(d.args[4])
	switch {
	case addr == 0 || n < 0:
		d.ptr(addr)
	case level == linux.SOL_SOCKET && name == linux.SO_LINGER:
		d.linger(addr, int64(n))
	case level == linux.SOL_SOCKET && isTimeout(name) && n >= 16:
		d.timevalBytes(addr)
	case level == linux.IPPROTO_IP && (name == linux.IP_ADD_MEMBERSHIP || name == linux.IP_DROP_MEMBERSHIP) && n >= 8:
		if b := d.mem(addr, 8); b != nil {
			d.f("{imr_multiaddr=inet_addr(%q), imr_interface=inet_addr(%q)}", netip.AddrFrom4([4]byte(b[:4])), netip.AddrFrom4([4]byte(b[4:8])))
		}
	case isIntOption(level, name) && n >= 4 || n == 4:
		d.indirect(addr, 4, func(b []byte) { d.int(i32(b, 0)) })
	case isIntOption(level, name):
		d.ptr(addr)
	default:
		d.data(addr, uint64(n))
	}
	d.f(", %d", n)
}

func isTimeout(name uint64) bool {
	return name == linux.SO_RCVTIMEO || name == linux.SO_SNDTIMEO
}

// timevalBytes writes a timeout as the bytes it is: strace has no format for it.
func (d *decoder) timevalBytes(addr uint64) { d.data(addr, 16) }

// isIntOption reports whether an option is always an int.
func isIntOption(level, name uint64) bool {
	if level == linux.SOL_NETLINK {
		return true
	}
	if level != linux.SOL_SOCKET {
		return false
	}
	switch name {
	case linux.SO_LINGER, linux.SO_PEERCRED, linux.SO_RCVTIMEO, linux.SO_SNDTIMEO, linux.SO_BINDTODEVICE, linux.SO_ATTACH_FILTER,
		linux.SO_PEERNAME, linux.SO_PEERSEC, linux.SO_COOKIE, linux.SO_PEERGROUPS, linux.SO_MEMINFO, linux.SO_ERROR, linux.SO_TYPE,
		linux.SO_PROTOCOL, linux.SO_DOMAIN:
		return false
	}
	return true
}

func (d *decoder) linger(addr uint64, n int64) {
	if n < 8 {
		d.ptr(addr)
	} else if b := d.mem(addr, 8); b != nil {
		d.f("{l_onoff=%d, l_linger=%d}", i32(b, 0), i32(b, 4))
	}
}

func keepOptLen(d *decoder, _ int) {
	if v, ok := d.peek32(d.args[4]); ok {
		d.saved, d.saved2 = uint64(v), 1
	}
}

// printOptvalOut writes the value of getsockopt(2) and its length.
func printOptvalOut(d *decoder, _ int) {
	level, name, addr := d.args[1], d.args[2], d.args[3]
	n, ok := d.peek32(d.args[4])
	if d.saved2 == 0 || !ok {
		d.ptr(addr)
		d.next()
		d.ptr(d.args[4])
		return
	}
	size := int64(int32(n))
	switch {
	case d.failed() || size <= 0:
		d.ptr(addr)
	case level == linux.SOL_SOCKET && name == linux.SO_LINGER:
		d.linger(addr, size)
	case level == linux.SOL_SOCKET && name == linux.SO_PEERCRED && size >= 12:
		if b := d.mem(addr, 12); b != nil {
			d.ucred(b)
		}
	case level == linux.SOL_SOCKET && name == linux.SO_ERROR && size >= 4:
		d.indirect(addr, 4, func(b []byte) {
			if e := linux.Errno(u32(b, 0)); e == 0 {
				d.str("0")
			} else {
				d.str(e.String())
			}
		})
	case size == 4:
		d.indirect(addr, 4, func(b []byte) { d.int(i32(b, 0)) })
	default:
		d.data(addr, uint64(size))
	}
	d.str(", [")
	if uint64(n) != d.saved && !d.failed() {
		d.f("%d => ", int32(d.saved))
	}
	if d.failed() {
		n = uint32(d.saved)
	}
	d.f("%d]", int32(n))
}

func (d *decoder) ucred(b []byte) {
	d.f("{pid=%d, uid=%d, gid=%d}", i32(b, 0), u32(b, 4), u32(b, 8))
}

const (
	msghdrSize  = 56
	mmsghdrSize = 64
)

// keepNameLen keeps the size of the buffer for the sender's address.
func keepNameLen(d *decoder, i int) {
	if b := d.peek(d.args[i], msghdrSize); b != nil {
		d.saved, d.saved2 = u32(b, 8), 1
	}
}

func printMsghdrOut(d *decoder, i int) {
	b := d.peek(d.args[i], msghdrSize)
	switch {
	case b == nil:
		d.ptr(d.args[i])
	case d.failed():
		if d.saved2 != 0 {
			d.f("{msg_namelen=%d}", int32(d.saved))
		} else {
			d.ptr(d.args[i])
		}
	default:
		d.msghdr(b, int64(int32(d.saved)), d.ret)
	}
}

// msghdr writes struct msghdr: nameLen is the size of the caller's buffer for
// the address, upto how many bytes were received; -1 when sending.
func (d *decoder) msghdr(b []byte, nameLen, upto int64) {
	n := i32(b, 8)
	d.str("{msg_name=")
	if size := n; nameLen >= 0 && size > nameLen {
		d.sockaddr(u64(b, 0), nameLen)
	} else {
		d.sockaddr(u64(b, 0), size)
	}
	d.str(", msg_namelen=")
	if nameLen >= 0 && nameLen != n {
		d.f("%d => ", nameLen)
	}
	d.f("%d, msg_iov=", n)
	d.iovecOf(u64(b, 16), u64(b, 24), upto, func(addr, n uint64) { d.socketData(int32(d.args[0]), addr, n) })
	d.f(", msg_iovlen=%d", u64(b, 24))
	if size := u64(b, 40); size != 0 {
		d.str(", msg_control=")
		d.control(u64(b, 32), size)
	}
	d.f(", msg_controllen=%d, msg_flags=", u64(b, 40))
	d.flags(msgFlags, u32(b, 48), "MSG_???")
	d.str("}")
}

// control writes control messages (cmsg(3)).
func (d *decoder) control(addr, size uint64) {
	const header, maxControl = 16, 20480
	b := d.peek(addr, int(min(size, maxControl)))
	if len(b) < header {
		d.ptr(addr)
		return
	}
	d.str("[")
	for first := true; len(b) >= header; first = false {
		if !first {
			d.next()
		}
		n, level, typ := u64(b, 0), u32(b, 8), u32(b, 12)
		d.f("{cmsg_len=%d, cmsg_level=", n)
		d.value(sockLevels, level, "SOL_???")
		d.str(", cmsg_type=")
		body := b[header:max(min(n, uint64(len(b))), header)]
		d.controlBody(level, typ, body)
		d.str("}")
		if n < header {
			break
		}
		b = b[min((n+7)&^7, uint64(len(b))):]
	}
	d.str("]")
}

func (d *decoder) controlBody(level, typ uint64, b []byte) {
	if level != linux.SOL_SOCKET {
		if table, what := optionTable(level); table != nil {
			d.value(table, typ, what)
		} else {
			d.x(typ)
		}
	} else {
		d.value(scmTypes, typ, "SCM_???")
	}
	if len(b) == 0 {
		return
	}
	d.str(", cmsg_data=")
	switch {
	case level == linux.SOL_SOCKET && typ == linux.SCM_RIGHTS:
		d.str("[")
		for i := 0; i+4 <= len(b); i += 4 {
			if i > 0 {
				d.next()
			}
			d.fd(int32(i32(b, i)))
		}
		d.str("]")
	case level == linux.SOL_SOCKET && typ == linux.SCM_CREDENTIALS && len(b) >= 12:
		d.ucred(b)
	default:
		d.b = appendQuoted(d.b, b)
	}
}

// printMmsghdr writes the messages of sendmmsg(2) and recvmmsg(2); those that
// were moved with their length.
func printMmsghdr(d *decoder, i int) {
	n, moved := uint64(uint32(d.args[i+1])), int64(0)
	if !d.failed() {
		moved = d.ret
	}
	receive := d.nr == linux.SYS_recvmmsg
	if receive {
		if d.failed() {
			d.ptr(d.args[i])
			return
		}
		n = min(n, uint64(moved))
	}
	failed := d.ret
	d.ret = max(d.ret, 0) // the messages are the caller's even if none was sent
	d.array(d.args[i], n, mmsghdrSize, func(b []byte) {
		d.str("{msg_hdr=")
		if receive {
			d.msghdr(b, -1, int64(u32(b, 56)))
		} else {
			d.msghdr(b, -1, -1)
		}
		if moved > 0 {
			d.f(", msg_len=%d", u32(b, 56))
			moved--
		}
		d.str("}")
	})
	d.ret = failed
}
