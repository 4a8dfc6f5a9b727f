package net

import (
	"net/netip"

	"github.com/tinevm/tine/internal/linux"
)

// Attributes and values of rtnetlink(7) that the C library's headers have as
// enumerations only.
const (
	sizeofIfinfomsg = 16

	iflaAddress      = 1
	iflaBroadcast    = 2
	iflaIfname       = 3
	iflaMTU          = 4
	iflaQdisc        = 6
	iflaStats        = 7
	iflaTxqlen       = 13
	iflaOperstate    = 16
	iflaLinkinfo     = 18
	iflaStats64      = 23
	iflaAFSpec       = 26
	inet6AddrGenMode = 8
	iflaLinkmode     = 17
	iflaGroup        = 27
	iflaNumTx        = 31
	iflaNumRx        = 32
	iflaCarrier      = 33

	ifaAddress = 1
	ifaLocal   = 2
	ifaLabel   = 3
	ifaCache   = 6
	ifaFlags   = 8

	rtaDst       = 1
	rtaOif       = 4
	rtaPriority  = 6
	rtaPrefsrc   = 7
	rtaCacheinfo = 12
	rtaTable     = 15
	rtaPref      = 20
	rtaUID       = 25

	rtTableDefault = 253
	rtTableMain    = 254
	rtTableLocal   = 255
	rtprotKernel   = 2
	rtScopeLink    = 253
	rtScopeHost    = 254
	rtScopeWorld   = 0
	rtnUnicast     = 1
	rtnLocal       = 2
	rtnBroadcast   = 3
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

// route answers a request of NETLINK_ROUTE. What it makes of more than the one
// interface and its addresses is not supported.
func (r *netlinkReply) route(typ, flags uint16, body []byte) linux.Errno {
	// The kinds come in groups of four: new, delete, get, set. All but reading
	// takes a privilege.
	if typ&3 != 2 && !r.admin {
		return linux.EPERM
	}
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
		return r.setLink(flags, body)
	case linux.RTM_DELLINK:
		if !wantsLo(body) {
			return linux.ENODEV
		}
		return linux.EOPNOTSUPP
	case linux.RTM_NEWADDR, linux.RTM_DELADDR:
		return r.changeAddress(typ, flags, body)
	case linux.RTM_DELROUTE:
		return linux.ESRCH
	}
	if !dump {
		if typ == linux.RTM_GETROUTE {
			return r.routeTo(family, body)
		}
		return linux.EOPNOTSUPP
	}
	switch typ {
	case linux.RTM_GETADDR:
		r.addresses(family, multi)
	case linux.RTM_GETROUTE:
		r.routes(family, multi)
	case linux.RTM_GETRULE:
		r.rules(family, multi)
	case linux.RTM_GETQDISC:
		r.queues(multi)
	case linux.RTM_GETNEIGH, linux.RTM_GETNEIGHTBL: // there are none
	default:
		return linux.EOPNOTSUPP
	}
	return 0
}

// setLink sets the interface up or down, and its numbers. There is no other
// interface and none can be made.
func (r *netlinkReply) setLink(flags uint16, body []byte) linux.Errno {
	if len(body) < sizeofIfinfomsg {
		return linux.EINVAL
	}
	attrs := body[sizeofIfinfomsg:]
	if !wantsLo(body) {
		if flags&nlmCreate == 0 {
			return linux.ENODEV
		}
		if findAttribute(attrs, iflaLinkinfo) != nil {
			r.extack = "Unknown device type"
		}
		return linux.EOPNOTSUPP
	}
	if flags&nlmExcl != 0 {
		return linux.EEXIST
	}
	s := r.k.stack
	if b := findAttribute(attrs, iflaMTU); len(b) == 4 {
		s.mtu = le.Uint32(b)
	}
	if b := findAttribute(attrs, iflaTxqlen); len(b) == 4 {
		s.txqlen = le.Uint32(b)
	}
	if on, change := le.Uint32(body[8:]), le.Uint32(body[12:]); change&iffUp != 0 {
		s.setUp(on&iffUp != 0)
	}
	return 0
}

// wantsLo reports whether a struct ifinfomsg with attributes names lo.
func wantsLo(body []byte) bool {
	if len(body) < sizeofIfinfomsg {
		return false
	}
	if index := le.Uint32(body[4:]); index != 0 {
		return index == loIndex
	}
	return cString(append(findAttribute(body[sizeofIfinfomsg:], iflaIfname), 0)) == loName
}

// linkNumbers are properties of lo that nothing changes.
var linkNumbers = []struct {
	typ   uint16
	value uint32
}{
	{30, 0},          // IFLA_PROMISCUITY
	{40, 65535},      // IFLA_GSO_MAX_SEGS
	{41, loMTU},      // IFLA_GSO_MAX_SIZE
	{50, 0}, {51, 0}, // IFLA_MIN_MTU, MAX_MTU: none
	{58, loMTU},               // IFLA_GRO_MAX_SIZE
	{59, 524280}, {60, 65535}, // IFLA_TSO_MAX_SIZE, SEGS
	{61, 0}, // IFLA_ALLMULTI
}

// linkMessage is struct ifinfomsg for lo.
func (r *netlinkReply) linkMessage() []byte {
	b := make([]byte, 16)
	le.PutUint16(b[2:], arphrdLoopback)
	le.PutUint32(b[4:], loIndex)
	const operUnknown, operDown = 0, 2 // IF_OPER_...
	flags, state, qdisc := r.k.stack.flags(), byte(operDown), "noop\x00"
	if r.k.stack.wasUp {
		qdisc = "noqueue\x00"
	}
	if flags&iffUp != 0 {
		flags, state = flags|loLowerUp, operUnknown
	}
	le.PutUint32(b[8:], flags)
	b = attribute(b, iflaIfname, []byte(loName+"\x00"))
	b = attribute32(b, iflaTxqlen, r.k.stack.txqlen)
	b = attribute(b, iflaOperstate, []byte{state})
	b = attribute(b, iflaLinkmode, []byte{0})
	b = attribute32(b, iflaMTU, r.k.stack.mtu)
	b = attribute32(b, iflaGroup, 0)
	b = attribute32(b, iflaNumTx, 1)
	b = attribute32(b, iflaNumRx, 1)
	b = attribute(b, iflaCarrier, []byte{1})
	b = attribute(b, iflaQdisc, []byte(qdisc))
	for _, a := range linkNumbers {
		b = attribute32(b, a.typ, a.value)
	}
	b = attribute(b, iflaAddress, make([]byte, 6))
	b = attribute(b, iflaBroadcast, make([]byte, 6))
	b = attribute(b, iflaStats64, r.k.stack.moved.linkStats64())
	b = attribute(b, iflaStats, r.k.stack.moved.linkStats())
	// How IPv6 addresses are made: by the hardware's.
	mode := attribute(nil, inet6AddrGenMode, []byte{0})
	return attribute(b, iflaAFSpec, attribute(nil, linux.AF_INET6, mode))
}

// addresses lists the addresses of lo: struct ifaddrmsg.
func (r *netlinkReply) addresses(family byte, flags uint16) {
	const permanent, secondary = 0x80, 0x01 // IFA_F_...
	forever := le.AppendUint64(nil, ^uint64(0))
	forever = append(forever, make([]byte, 8)...)
	s := r.k.stack
	for v, fam := range []byte{linux.AF_INET, linux.AF_INET6} {
		if family != linux.AF_UNSPEC && family != fam {
			continue
		}
		for i, a := range s.addrs[v] {
			ip, state := a.prefix.Addr().AsSlice(), uint32(permanent)
			if v == 0 && s.secondary(i) {
				state |= secondary
			}
			b := []byte{fam, byte(a.prefix.Bits()), byte(state), a.scope}
			b = le.AppendUint32(b, loIndex)
			b = attribute(b, ifaAddress, ip)
			if v == 0 {
				b = attribute(b, ifaLocal, ip)
				b = attribute(b, ifaLabel, []byte(loName+"\x00"))
			}
			b = attribute32(b, ifaFlags, state)
			r.message(linux.RTM_NEWADDR, flags, attribute(b, ifaCache, forever))
		}
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
	add := func(fam, bits, scope, kind byte, dst, src netip.Addr) {
		b := routeMessage(fam, bits, rtTableLocal, scope, kind, dst.AsSlice(), nil)
		if src.IsValid() {
			b = attribute(b, rtaPrefsrc, src.AsSlice())
		} else {
			b = attribute32(b, rtaPriority, 0)
			b = attribute(b, rtaPref, []byte{0})
		}
		r.message(linux.RTM_NEWROUTE, flags, attribute32(b, rtaOif, loIndex))
	}
	s := r.k.stack
	for _, i := range s.byPrefix() {
		a := s.addrs[0][i]
		if family != linux.AF_UNSPEC && family != linux.AF_INET {
			break
		}
		ip, first := a.prefix.Addr(), !s.secondary(i)
		if first && a.prefix.Bits() < 32 {
			add(linux.AF_INET, byte(a.prefix.Bits()), rtScopeHost, rtnLocal, a.prefix.Masked().Addr(), ip)
		}
		add(linux.AF_INET, 32, rtScopeHost, rtnLocal, ip, ip)
		if first && a.prefix.Bits() < 31 && s.up {
			add(linux.AF_INET, 32, rtScopeLink, rtnBroadcast, broadcast(a.prefix), ip)
		}
	}
	for _, a := range s.addrs[1] {
		if family == linux.AF_UNSPEC || family == linux.AF_INET6 {
			add(linux.AF_INET6, 128, rtScopeWorld, rtnLocal, a.prefix.Addr(), netip.Addr{})
		}
	}
}

// rules lists the rules by which tables of routes are looked at: struct
// fib_rule_hdr.
func (r *netlinkReply) rules(family byte, flags uint16) {
	const newRule, toTable = 32, 1 // RTM_NEWRULE, FR_ACT_TO_TBL
	const fraPriority, fraSuppress, fraTable, fraProtocol = 6, 14, 15, 21
	for _, fam := range []byte{linux.AF_INET, linux.AF_INET6} {
		if family != linux.AF_UNSPEC && family != fam {
			continue
		}
		for _, rule := range []struct {
			table byte
			prio  uint32
		}{{rtTableLocal, 0}, {rtTableMain, 32766}, {rtTableDefault, 32767}} {
			if fam == linux.AF_INET6 && rule.table == rtTableDefault {
				continue
			}
			b := []byte{fam, 0, 0, 0, rule.table, 0, 0, toTable, 0, 0, 0, 0}
			b = attribute32(b, fraTable, uint32(rule.table))
			b = attribute32(b, fraSuppress, ^uint32(0))
			b = attribute(b, fraProtocol, []byte{rtprotKernel})
			if rule.prio != 0 {
				b = attribute32(b, fraPriority, rule.prio)
			}
			r.message(newRule, flags, b)
		}
	}
}

// queues lists the one queueing discipline: lo has no queue. struct tcmsg.
func (r *netlinkReply) queues(flags uint16) {
	const newQdisc, tcaKind, root = 36, 1, 0xffffffff
	if !r.k.stack.up {
		return
	}
	b := make([]byte, 4, 64)
	b = le.AppendUint32(b, loIndex)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, root)
	b = le.AppendUint32(b, 2) // references
	r.message(newQdisc, flags, attribute(b, tcaKind, []byte("noqueue\x00")))
}

// routeTo answers which way leads to an address.
func (r *netlinkReply) routeTo(family byte, body []byte) linux.Errno {
	const sizeofRtmsg = 12
	if len(body) < sizeofRtmsg {
		return linux.EINVAL
	}
	dst, ok := netip.AddrFromSlice(findAttribute(body[sizeofRtmsg:], rtaDst))
	if !ok || dst.Is4() != (family == linux.AF_INET) {
		return linux.ENETUNREACH
	}
	src, ok := r.k.stack.local(dst)
	if !ok || !r.k.stack.up {
		return linux.ENETUNREACH
	}
	const cloned, local = 0x200, 0x80000000 // RTM_F_CLONED, RTCF_LOCAL
	b := routeMessage(family, byte(dst.BitLen()), rtTableMain, rtScopeWorld, rtnLocal, dst.AsSlice(), src.AsSlice())
	if dst.Is4() {
		le.PutUint32(b[8:], cloned|local)
		b = attribute32(b, rtaUID, r.k.uid)
	} else {
		b = attribute32(b, rtaPriority, 0)
		b = attribute(b, rtaPref, []byte{0})
	}
	b = attribute(b, rtaCacheinfo, make([]byte, 32))
	r.message(linux.RTM_NEWROUTE, 0, attribute32(b, rtaOif, loIndex))
	return 0
}
