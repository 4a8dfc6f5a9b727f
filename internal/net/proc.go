package net

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// ProcFile gives the text of a file of /proc/net; ok is false for a name that
// does not exist there.
func (s *Stack) ProcFile(name string) (text []byte, ok bool) {
	switch name {
	case "tcp":
		return s.procInet(linux.AF_INET, linux.SOCK_STREAM), true
	case "tcp6":
		return s.procInet(linux.AF_INET6, linux.SOCK_STREAM), true
	case "udp":
		return s.procInet(linux.AF_INET, linux.SOCK_DGRAM), true
	case "udp6":
		return s.procInet(linux.AF_INET6, linux.SOCK_DGRAM), true
	case "unix":
		return s.procUnix(), true
	case "netlink":
		return s.procNetlink(), true
	case "dev":
		return s.procDev(), true
	case "if_inet6":
		return s.procIfInet6(), true
	case "snmp":
		return s.procSNMP(), true
	case "netstat":
		return s.procNetstat(), true
	case "sockstat":
		return s.procSockstat(), true
	case "sockstat6":
		return s.procSockstat6(), true
	case "route":
		return []byte(procRoute), true
	case "arp":
		return []byte("IP address       HW type     Flags       HW address            Mask     Device\n"), true
	}
	return nil, false
}

// ProcFiles are the names that ProcFile knows.
func ProcFiles() []string {
	return []string{"arp", "dev", "if_inet6", "netlink", "netstat", "route", "snmp", "sockstat", "sockstat6", "tcp", "tcp6", "udp", "udp6", "unix"}
}

const procRoute = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       \n"

// The first lines of the tables of AF_INET and AF_INET6.
const (
	procTCPHead  = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
	procTCP6Head = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
	procUDPHead  = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops"
	procUDP6Head = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops"
)

// procInet is /proc/net/tcp and so on (proc_net(5)).
func (s *Stack) procInet(family, typ int) []byte {
	var b bytes.Buffer
	tcp, six := typ == linux.SOCK_STREAM, family == linux.AF_INET6
	head := procUDPHead
	switch {
	case tcp && six:
		head = procTCP6Head
	case tcp:
		head = procTCPHead
	case six:
		head = procUDP6Head
	}
	if six {
		b.WriteString(head + "\n")
	} else {
		fmt.Fprintf(&b, "%-*s\n", lineWidth(tcp), head)
	}
	n := 0
	s.each(func(k Socket) {
		i := inetOf(k)
		if i != nil && i.Family == family && i.Type == typ && i.bound && !(tcp && i.state == stateClose) {
			i.procLine(&b, n, tcp, six)
			n++
		}
	})
	return b.Bytes()
}

// lineWidth is to what lines of the IPv4 tables are padded.
func lineWidth(tcp bool) int {
	if tcp {
		return 149
	}
	return 127
}

func (i *inetSocket) procLine(b *bytes.Buffer, n int, tcp, six bool) {
	rx, tx := i.queues()
	if tcp && i.state == stateListen {
		tx = 0
	}
	width := 4
	if !tcp {
		width = 5
	}
	line := fmt.Sprintf("%*d: %s %s %02X %08X:%08X 00:00000000 00000000 %5d        0 %d", width, n,
		i.procAddr(i.local), i.procAddr(i.remote), uint8(i.state), tx, rx, i.uid, i.ino)
	if tcp {
		line += " 1 0000000000000000 100 0 0 10 0"
	} else {
		line += " 2 0000000000000000 0"
	}
	if !six {
		line = fmt.Sprintf("%-*s", lineWidth(tcp), line)
	}
	b.WriteString(line + "\n")
}

// procAddr is an address in hexadecimal, in words of the processor's byte
// order.
func (i *inetSocket) procAddr(a netip.AddrPort) string {
	ip := i.diagAddr(a)
	if i.Family == linux.AF_INET {
		return fmt.Sprintf("%08X:%04X", le.Uint32(ip), a.Port())
	}
	return fmt.Sprintf("%08X%08X%08X%08X:%04X", le.Uint32(ip), le.Uint32(ip[4:]), le.Uint32(ip[8:]), le.Uint32(ip[12:]), a.Port())
}

// procUnix is /proc/net/unix. Its states are those of enum socket_state.
func (s *Stack) procUnix() []byte {
	var b bytes.Buffer
	b.WriteString("Num       RefCount Protocol Flags    Type St Inode Path\n")
	s.each(func(k Socket) {
		if u, ok := k.(*unixSocket); ok {
			u.procLine(&b)
		}
	})
	return b.Bytes()
}

func (u *unixSocket) procLine(b *bytes.Buffer) {
	flags, state := 0, 1 // SS_UNCONNECTED
	switch u.state {
	case stateListen:
		flags = 0x10000 // __SO_ACCEPTCON
	case stateEstablished:
		state = 3
	}
	fmt.Fprintf(b, "%016x: %08X %08X %08X %04X %02X %5d", 0, 2, 0, flags, u.Type, state, u.ino)
	if u.name.bound {
		// The zero bytes of an abstract name are shown as @; a path name has
		// one at its end, which is not.
		name := strings.ReplaceAll(u.name.name, "\x00", "@")
		if u.name.name[0] != 0 {
			name = strings.TrimSuffix(u.name.name, "\x00")
		}
		b.WriteString(" " + name)
	}
	b.WriteByte('\n')
}

// procNetlink is /proc/net/netlink.
func (s *Stack) procNetlink() []byte {
	var b bytes.Buffer
	b.WriteString("sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n")
	s.each(func(k Socket) {
		if n, ok := k.(*netlinkSocket); ok {
			fmt.Fprintf(&b, "%016x %-3d %-10d %08x %-8d %-8d %-5d %-8d %-8d %-8d\n", 0, n.Protocol, n.port, n.groups, n.rmem, 0, 0, 2, 0, n.ino)
		}
	})
	return b.Bytes()
}
