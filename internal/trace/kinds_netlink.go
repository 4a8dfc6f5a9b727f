package trace

import "github.com/tinevm/tine/internal/linux"

const (
	nlmsgHeader = 16
	firstType   = 16 // of a protocol's messages: NLMSG_MIN_TYPE
)

// socketData writes n bytes that go through a descriptor: messages, if it is a
// netlink socket.
func (d *decoder) socketData(fd int32, addr, n uint64) {
	protocol, ok := d.task.Netlink(int(fd))
	if !ok || n < nlmsgHeader || d.peek(addr, nlmsgHeader) == nil {
		d.data(addr, n)
		return
	}
	// A message alone stands for itself, several are an array.
	several := false
	if b := d.peek(addr, 4); u32(b, 0) >= nlmsgHeader {
		several = (u32(b, 0)+3)&^3+nlmsgHeader <= n
	}
	if several {
		d.str("[")
	}
	for i := 0; n >= nlmsgHeader; i++ {
		b := d.peek(addr, nlmsgHeader)
		if b == nil {
			break
		}
		if i > 0 {
			d.next()
		}
		if i == d.limit {
			d.str("...")
			break
		}
		d.netlinkMessage(protocol, addr, min(u32(b, 0), n), b)
		size := (u32(b, 0) + 3) &^ 3
		if u32(b, 0) < nlmsgHeader || size > n || !several {
			break
		}
		addr, n = addr+size, n-size
	}
	if several {
		d.str("]")
	}
}

// netlinkMessage writes a header and what follows it (netlink(7)).
func (d *decoder) netlinkMessage(protocol int, addr, n uint64, b []byte) {
	typ, flags := u16(b, 4), u16(b, 6)
	if n > nlmsgHeader {
		d.str("[")
	}
	d.f("{nlmsg_len=%d, nlmsg_type=", u32(b, 0))
	const byFamily = 20
	switch {
	case typ < firstType:
		d.value(netlinkTypes, typ, "NLMSG_???")
	case protocol == linux.NETLINK_ROUTE:
		d.value(routeTypes, typ, "RTM_???")
	case protocol == linux.NETLINK_SOCK_DIAG && typ == byFamily:
		d.str("SOCK_DIAG_BY_FAMILY")
	default:
		d.x(typ)
	}
	d.str(", nlmsg_flags=")
	table := netlinkFlags
	if protocol == linux.NETLINK_SOCK_DIAG || typ&3 == 2 { // what gets something has flags of its own
		table = append(append([]symbol(nil), netlinkFlags...), netlinkGetFlags...)
	}
	d.flags(table, flags, "NLM_F_???")
	d.f(", nlmsg_seq=%d, nlmsg_pid=%d}", u32(b, 8), i32(b, 12))
	if n > nlmsgHeader {
		d.next()
		d.netlinkPayload(protocol, typ, addr+nlmsgHeader, n-nlmsgHeader)
		d.str("]")
	}
}

// netlinkPayload writes what follows the header. The attributes of a protocol
// are not taken apart.
func (d *decoder) netlinkPayload(protocol int, typ, addr, n uint64) {
	switch {
	case typ == linux.NLMSG_ERROR && n >= 4+nlmsgHeader:
		b := d.peek(addr, 4+nlmsgHeader)
		if b == nil {
			break
		}
		d.str("{error=")
		if e := i32(b, 0); e < 0 {
			d.str("-" + linux.Errno(-e).String())
		} else {
			d.int(e)
		}
		d.str(", msg=")
		d.netlinkMessage(protocol, addr+4, min(max(u32(b, 4), nlmsgHeader), n-4), b[4:])
		d.str("}")
		return
	case typ == linux.NLMSG_DONE && n == 4:
		if b := d.peek(addr, 4); b != nil {
			d.int(i32(b, 0))
			return
		}
	}
	if protocol != linux.NETLINK_ROUTE || typ < firstType || n < 1 {
		d.hexData(addr, n)
		return
	}
	b := d.peek(addr, 1)
	if b == nil {
		d.ptr(addr)
		return
	}
	d.str("{family=")
	d.value(families, uint64(b[0]), "AF_???")
	if n > 1 {
		d.str(", data=")
		d.hexData(addr+1, n-1)
	}
	d.str("}")
}

// hexData writes bytes that nobody is to read as text.
func (d *decoder) hexData(addr, n uint64) {
	b := d.peek(addr, int(min(n, uint64(d.limit))))
	if b == nil {
		d.ptr(addr)
		return
	}
	d.str(`"`)
	for _, c := range b {
		d.f(`\x%02x`, c)
	}
	d.str(`"`)
	if n > uint64(d.limit) {
		d.str("...")
	}
}
