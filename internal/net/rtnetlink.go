package net

import "github.com/tinevm/tine/internal/linux"

// Attributes and values of rtnetlink(7) that the C library's headers have as
// enumerations only.
const (
	iflaAddress   = 1
	iflaBroadcast = 2
	iflaIfname    = 3
	iflaMTU       = 4
	iflaQdisc     = 6
	iflaTxqlen    = 13
	iflaOperstate = 16
	iflaLinkmode  = 17
	iflaGroup     = 27
	iflaNumTx     = 31
	iflaNumRx     = 32
	iflaCarrier   = 33

	ifaAddress = 1
	ifaLocal   = 2
	ifaLabel   = 3
	ifaCache   = 6
	ifaFlags   = 8

	rtaDst      = 1
	rtaOif      = 4
	rtaPriority = 6
	rtaPrefsrc  = 7
	rtaTable    = 15

	rtTableMain  = 254
	rtTableLocal = 255
	rtprotKernel = 2
	rtScopeHost  = 254
	rtScopeWorld = 0
	rtnUnicast   = 1
	rtnLocal     = 2
	rtnBroadcast = 3
)

// attribute appends a struct rtattr, padded to four bytes.
func attribute(b []byte, typ uint16, data []byte) []byte {
	b = le.AppendUint16(b, uint16(4+len(data)))
	b = le.AppendUint16(b, typ)
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func attribute32(b []byte, typ uint16, v uint32) []byte {
	return attribute(b, typ, le.AppendUint32(nil, v))
}

// route answers a request of NETLINK_ROUTE about the interface. Requests for
// change are refused for want of privilege, the rest is not supported.
func (r *netlinkReply) route(typ, flags uint16, body []byte) linux.Errno {
	dump := flags&linux.NLM_F_DUMP == linux.NLM_F_DUMP
	multi := uint16(0)
	if dump {
		multi = linux.NLM_F_MULTI
	}
	family := byte(0)
	if len(body) > 0 {
		family = body[0]
	}
	switch typ {
	case linux.RTM_GETLINK:
		if !dump && !wantsLo(body) {
			return linux.ENODEV
		}
		r.message(linux.RTM_NEWLINK, multi, r.linkMessage())
		return 0
	case linux.RTM_NEWLINK, linux.RTM_SETLINK:
		return r.setLink(body)
	case linux.RTM_GETADDR:
		if !dump {
			return linux.EOPNOTSUPP
		}
		r.addresses(family, multi)
		return 0
	case linux.RTM_GETROUTE:
		if !dump {
			return r.routeTo(family, body)
		}
		r.routes(family, multi)
		return 0
	case linux.RTM_GETRULE, linux.RTM_GETNEIGH, linux.RTM_GETNEIGHTBL, linux.RTM_GETQDISC:
		if dump {
			return 0 // there are none
		}
		return linux.EOPNOTSUPP
	}
	// The kinds come in groups of four: new, delete, get, set.
	if typ&3 != 2 {
		return linux.EPERM
	}
	return linux.EOPNOTSUPP
}

// setLink sets the interface up or down; nothing else of it can be changed.
func (r *netlinkReply) setLink(body []byte) linux.Errno {
	switch {
	case !r.admin:
		return linux.EPERM
	case !wantsLo(body):
		return linux.EOPNOTSUPP
	}
	flags, change := le.Uint32(body[8:]), le.Uint32(body[12:])
	if change&iffUp != 0 {
		r.k.stack.up = flags&iffUp != 0
	}
	return 0
}

// wantsLo reports whether a struct ifinfomsg with attributes names lo.
func wantsLo(body []byte) bool {
	if len(body) < 16 {
		return false
	}
	if index := le.Uint32(body[4:]); index != 0 {
		return index == loIndex
	}
	for b := body[16:]; len(b) >= 4; {
		n := int(le.Uint16(b))
		if n < 4 || n > len(b) {
			break
		}
		if le.Uint16(b[2:]) == iflaIfname {
			return cString(b[4:n]) == loName
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return false
}

// linkMessage is struct ifinfomsg for lo.
func (r *netlinkReply) linkMessage() []byte {
	b := make([]byte, 16)
	le.PutUint16(b[2:], arphrdLoopback)
	le.PutUint32(b[4:], loIndex)
	const operUnknown, operDown = 0, 2 // IF_OPER_...
	flags, state, qdisc := r.k.stack.flags(), byte(operDown), "noop\x00"
	if flags&iffUp != 0 {
		flags, state, qdisc = flags|loLowerUp, operUnknown, "noqueue\x00"
	}
	le.PutUint32(b[8:], flags)
	b = attribute(b, iflaIfname, []byte(loName+"\x00"))
	b = attribute32(b, iflaTxqlen, loTxqlen)
	b = attribute(b, iflaOperstate, []byte{state})
	b = attribute(b, iflaLinkmode, []byte{0})
	b = attribute32(b, iflaMTU, loMTU)
	b = attribute32(b, iflaGroup, 0)
	b = attribute32(b, iflaNumTx, 1)
	b = attribute32(b, iflaNumRx, 1)
	b = attribute(b, iflaCarrier, []byte{1})
	b = attribute(b, iflaQdisc, []byte(qdisc))
	b = attribute(b, iflaAddress, make([]byte, 6))
	return attribute(b, iflaBroadcast, make([]byte, 6))
}

// addresses lists the addresses of lo: struct ifaddrmsg.
func (r *netlinkReply) addresses(family byte, flags uint16) {
	const permanent = 0x80 // IFA_F_PERMANENT
	forever := le.AppendUint64(nil, ^uint64(0))
	forever = append(forever, make([]byte, 8)...)
	add := func(fam, prefix byte, ip []byte, v4 bool) {
		b := []byte{fam, prefix, permanent, rtScopeHost}
		b = le.AppendUint32(b, loIndex)
		b = attribute(b, ifaAddress, ip)
		if v4 {
			b = attribute(b, ifaLocal, ip)
			b = attribute(b, ifaLabel, []byte(loName+"\x00"))
		}
		b = attribute32(b, ifaFlags, permanent)
		r.message(linux.RTM_NEWADDR, flags, attribute(b, ifaCache, forever))
	}
	if family == linux.AF_UNSPEC || family == linux.AF_INET {
		ip := loopbackIPv4.As4()
		add(linux.AF_INET, 8, ip[:], true)
	}
	if family == linux.AF_UNSPEC || family == linux.AF_INET6 {
		ip := loopbackIPv6.As16()
		add(linux.AF_INET6, 128, ip[:], false)
	}
}

// routeMessage is struct rtmsg.
func routeMessage(family, bits, table, scope, kind byte, dst, src []byte) []byte {
	b := []byte{family, bits, 0, 0, table, rtprotKernel, scope, kind, 0, 0, 0, 0}
	b = attribute32(b, rtaTable, uint32(table))
	b = attribute(b, rtaDst, dst)
	if src != nil {
		b = attribute(b, rtaPrefsrc, src)
	}
	return b
}

// routes lists the routes: all of them lead to lo.
func (r *netlinkReply) routes(family byte, flags uint16) {
	if family == linux.AF_UNSPEC || family == linux.AF_INET {
		lo := []byte{127, 0, 0, 1}
		for _, e := range []struct {
			bits, kind byte
			dst        []byte
		}{
			{8, rtnLocal, []byte{127, 0, 0, 0}},
			{32, rtnLocal, lo},
			{32, rtnBroadcast, []byte{127, 255, 255, 255}},
		} {
			scope := byte(rtScopeHost)
			if e.kind == rtnBroadcast {
				scope = 253 // RT_SCOPE_LINK
			}
			b := routeMessage(linux.AF_INET, e.bits, rtTableLocal, scope, e.kind, e.dst, lo)
			r.message(linux.RTM_NEWROUTE, flags, attribute32(b, rtaOif, loIndex))
		}
	}
	if family == linux.AF_UNSPEC || family == linux.AF_INET6 {
		ip := loopbackIPv6.As16()
		b := routeMessage(linux.AF_INET6, 128, rtTableLocal, rtScopeWorld, rtnLocal, ip[:], nil)
		b = attribute32(b, rtaPriority, 0)
		r.message(linux.RTM_NEWROUTE, flags, attribute32(b, rtaOif, loIndex))
	}
}

// routeTo answers which way leads to an address.
func (r *netlinkReply) routeTo(family byte, body []byte) linux.Errno {
	if len(body) < 12 {
		return linux.EINVAL
	}
	var dst []byte
	for b := body[12:]; len(b) >= 4; {
		n := int(le.Uint16(b))
		if n < 4 || n > len(b) {
			break
		}
		if le.Uint16(b[2:]) == rtaDst {
			dst = b[4:n]
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	switch {
	case family == linux.AF_INET && len(dst) == 4 && dst[0] == 127:
		b := routeMessage(family, 32, rtTableLocal, rtScopeWorld, rtnLocal, dst, []byte{127, 0, 0, 1})
		r.message(linux.RTM_NEWROUTE, 0, attribute32(b, rtaOif, loIndex))
		return 0
	case family == linux.AF_INET6 && len(dst) == 16 && string(dst) == string(loopbackIPv6.AsSlice()):
		b := routeMessage(family, 128, rtTableLocal, rtScopeWorld, rtnLocal, dst, dst)
		r.message(linux.RTM_NEWROUTE, 0, attribute32(b, rtaOif, loIndex))
		return 0
	}
	return linux.ENETUNREACH
}
