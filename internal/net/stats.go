package net

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// traffic counts what has passed through the loopback interface. A packet is
// what one call sends: segments of a stream have no other size here.
type traffic struct {
	packets, bytes                 uint64
	opens, accepts, fails, resets  uint64 // of TCP
	segments                       uint64
	datagrams, noPorts, lost, read uint64 // of UDP
}

// Sizes of headers, which the interface counts as well.
const (
	ip4Header = 20
	ip6Header = 40
	tcpHeader = 32 // with time stamps
	udpHeader = 8
)

// sent counts a packet of n bytes behind the header of a protocol.
func (k *inetSocket) sent(header, n int) {
	t := &k.stack.moved
	t.packets++
	t.bytes += uint64(ip4Header + header + n)
	if k.local.Addr().Is6() {
		t.bytes += ip6Header - ip4Header
	}
	if header == tcpHeader {
		t.segments++
	} else {
		t.datagrams++
	}
}

// linkStats64 is struct rtnl_link_stats64: what is received is what was sent.
func (t *traffic) linkStats64() []byte {
	const words = 25
	b := make([]byte, 8*words)
	for i, v := range []uint64{t.packets, t.packets, t.bytes, t.bytes} {
		le.PutUint64(b[8*i:], v)
	}
	return b
}

// linkStats is struct rtnl_link_stats, the same in 32 bits.
func (t *traffic) linkStats() []byte {
	const words = 24
	b := make([]byte, 4*words)
	for i, v := range []uint64{t.packets, t.packets, t.bytes, t.bytes} {
		le.PutUint32(b[4*i:], uint32(v))
	}
	return b
}

// procDev is /proc/net/dev.
func (s *Stack) procDev() []byte {
	const head = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
`
	t := &s.moved
	return fmt.Appendf(nil, head+"%6s: %7d %7d %4d %4d %4d %5d %10d %9d %8d %7d %4d %4d %4d %5d %7d %10d\n",
		loName, t.bytes, t.packets, 0, 0, 0, 0, 0, 0, t.bytes, t.packets, 0, 0, 0, 0, 0, 0)
}

// procIfInet6 is /proc/net/if_inet6.
func (s *Stack) procIfInet6() []byte {
	var b []byte
	for _, a := range s.addrs[1] {
		scope := 0x10 // IPV6_ADDR_LOOPBACK
		if a.prefix.Addr() != loopbackIPv6 {
			scope = 0
		}
		b = fmt.Appendf(b, "%x %02x %02x %02x %02x %8s\n", a.prefix.Addr().AsSlice(), loIndex, a.prefix.Bits(), scope, 0x80, loName)
	}
	return b
}

// inUse counts the sockets of a namespace by what /proc/net/sockstat asks.
type inUse struct {
	all, orphans, tw int
	tcp, tcp6        int // that have a port
	udp, udp6        int
	alloc, mem       int
	established      int
}

func (s *Stack) inUse() (u inUse) {
	s.each(func(k Socket) {
		i := inetOf(k)
		u.all++
		switch {
		case i == nil:
			return
		case i.Protocol == linux.IPPROTO_UDP && i.bound && i.Family == linux.AF_INET6:
			u.udp6++
		case i.Protocol == linux.IPPROTO_UDP && i.bound:
			u.udp++
		case i.Protocol != linux.IPPROTO_TCP:
		default:
			u.alloc++
			if i.state == stateEstablished || i.state == stateCloseWait {
				u.established++
			}
			if i.state != stateClose && i.Family == linux.AF_INET6 {
				u.tcp6++
			} else if i.state != stateClose {
				u.tcp++
			}
		}
		rx, _ := i.queues()
		if i.state != stateListen {
			u.mem += (rx + 4095) / 4096
		}
	})
	return u
}

// procSockstat is /proc/net/sockstat.
func (s *Stack) procSockstat() []byte {
	u := s.inUse()
	return fmt.Appendf(nil, "sockets: used %d\nTCP: inuse %d orphan %d tw %d alloc %d mem %d\nUDP: inuse %d mem %d\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n",
		u.all, u.tcp, u.orphans, u.tw, u.alloc, u.mem, u.udp, 0)
}

// procSockstat6 is /proc/net/sockstat6.
func (s *Stack) procSockstat6() []byte {
	u := s.inUse()
	return fmt.Appendf(nil, "TCP6: inuse %d\nUDP6: inuse %d\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n", u.tcp6, u.udp6)
}

// mib is a number of /proc/net/snmp and its name there.
type mib struct {
	name  string
	value any
}

// counterLines are the two lines of a protocol: names, then numbers.
func counterLines(b *bytes.Buffer, proto string, list []mib) {
	b.WriteString(proto + ":")
	for _, c := range list {
		b.WriteString(" " + c.name)
	}
	b.WriteString("\n" + proto + ":")
	for _, c := range list {
		fmt.Fprintf(b, " %v", c.value)
	}
	b.WriteString("\n")
}

// zeros are counters of what does not happen here.
func zeros(names string) (list []mib) {
	for name := range strings.FieldsSeq(names) {
		list = append(list, mib{name, 0})
	}
	return list
}

// procSNMP is /proc/net/snmp (RFC 1213 and others).
func (s *Stack) procSNMP() []byte {
	var b bytes.Buffer
	t := &s.moved
	ip := []mib{{"Forwarding", 2}, {"DefaultTTL", 64}, {"InReceives", t.packets}, {"InHdrErrors", 0}, {"InAddrErrors", 0}, {"ForwDatagrams", 0},
		{"InUnknownProtos", 0}, {"InDiscards", 0}, {"InDelivers", t.packets}, {"OutRequests", t.packets}}
	counterLines(&b, "Ip", append(ip, zeros("OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates OutTransmits")...))
	icmp := zeros("InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps InTimestampReps InAddrMasks InAddrMaskReps " +
		"OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps")
	for i := range icmp {
		switch icmp[i].name { // the only message there is
		case "InMsgs", "InDestUnreachs", "OutMsgs", "OutDestUnreachs":
			icmp[i].value = t.noPorts
		}
	}
	counterLines(&b, "Icmp", icmp)
	counterLines(&b, "Tcp", []mib{{"RtoAlgorithm", 1}, {"RtoMin", 200}, {"RtoMax", 120000}, {"MaxConn", -1}, {"ActiveOpens", t.opens}, {"PassiveOpens", t.accepts},
		{"AttemptFails", t.fails}, {"EstabResets", t.resets}, {"CurrEstab", s.inUse().established}, {"InSegs", t.segments}, {"OutSegs", t.segments},
		{"RetransSegs", 0}, {"InErrs", 0}, {"OutRsts", t.fails + t.resets}, {"InCsumErrors", 0}})
	udp := []mib{{"InDatagrams", t.read}, {"NoPorts", t.noPorts}, {"InErrors", t.lost}, {"OutDatagrams", t.datagrams}, {"RcvbufErrors", t.lost}}
	counterLines(&b, "Udp", append(udp, zeros("SndbufErrors InCsumErrors IgnoredMulti MemErrors")...))
	counterLines(&b, "UdpLite", zeros("InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors"))
	return b.Bytes()
}

// procNetstat is /proc/net/netstat: what goes wrong in networks does not happen
// here, so only the bytes count.
func (s *Stack) procNetstat() []byte {
	var b bytes.Buffer
	counterLines(&b, "TcpExt", zeros("SyncookiesSent SyncookiesRecv SyncookiesFailed EmbryonicRsts PruneCalled RcvPruned OfoPruned OutOfWindowIcmps LockDroppedIcmps ArpFilter "+
		"TW TWRecycled TWKilled PAWSActive PAWSEstab DelayedACKs DelayedACKLocked DelayedACKLost ListenOverflows ListenDrops"))
	ext := zeros("InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts InBcastPkts OutBcastPkts InOctets OutOctets InMcastOctets OutMcastOctets InBcastOctets OutBcastOctets InCsumErrors InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts ReasmOverlaps")
	for i := range ext {
		switch ext[i].name {
		case "InOctets", "OutOctets":
			ext[i].value = s.moved.bytes
		case "InNoECTPkts":
			ext[i].value = s.moved.packets
		}
	}
	counterLines(&b, "IpExt", ext)
	return b.Bytes()
}
