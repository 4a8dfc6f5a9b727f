package net

import (
	"github.com/tinevm/tine/internal/linux"
)

// ipOption describes a numeric option of level IPPROTO_IP or IPPROTO_IPV6.
type ipOption struct {
	def      int32
	min, max int32
	cap      int  // capability that setting a non-zero value needs, or 0
	reset    bool // -1 restores the default
	strict   bool // a boolean that accepts 0 and 1 only
}

const anyInt = 1<<31 - 1

// ipOptionTable has the options of ip(7) that are numbers, stored and returned
// as they are. Those that tell something about received datagrams are obeyed
// by udpSocket.controls.
var ipOptionTable = map[int]ipOption{
	linux.IP_TOS:                  {max: 255},
	linux.IP_TTL:                  {def: 64, min: 1, max: 255, reset: true},
	linux.IP_RECVOPTS:             {max: 1},
	linux.IP_RETOPTS:              {max: 1},
	linux.IP_PKTINFO:              {max: 1},
	linux.IP_MTU_DISCOVER:         {def: linux.IP_PMTUDISC_WANT, max: linux.IP_PMTUDISC_OMIT},
	linux.IP_RECVERR:              {max: 1},
	linux.IP_RECVTTL:              {max: 1},
	linux.IP_RECVTOS:              {max: 1},
	linux.IP_FREEBIND:             {max: 1},
	linux.IP_TRANSPARENT:          {max: 1, cap: linux.CAP_NET_ADMIN},
	linux.IP_RECVORIGDSTADDR:      {max: 1},
	linux.IP_MINTTL:               {max: 255},
	linux.IP_NODEFRAG:             {max: 1},
	linux.IP_CHECKSUM:             {max: 1},
	linux.IP_BIND_ADDRESS_NO_PORT: {max: 1},
	linux.IP_RECVFRAGSIZE:         {max: 1},
	linux.IP_MULTICAST_TTL:        {def: 1, max: 255, reset: true},
	linux.IP_MULTICAST_LOOP:       {def: 1, max: 1},
	linux.IP_MULTICAST_ALL:        {def: 1, max: 1, strict: true},
	linux.IP_UNICAST_IF:           {max: anyInt},
	linux.IP_PASSSEC:              {max: 1},
}

// ipv6OptionTable has those of ipv6(7).
var ipv6OptionTable = map[int]ipOption{
	linux.IPV6_UNICAST_HOPS:         {def: -1, min: -1, max: 255},
	linux.IPV6_MULTICAST_HOPS:       {def: -1, min: -1, max: 255},
	linux.IPV6_MULTICAST_LOOP:       {def: 1, max: 1, strict: true},
	linux.IPV6_MULTICAST_ALL:        {def: 1, max: 1, strict: true},
	linux.IPV6_MULTICAST_IF:         {max: 1},
	linux.IPV6_UNICAST_IF:           {max: anyInt},
	linux.IPV6_RECVPKTINFO:          {max: 1},
	linux.IPV6_2292PKTINFO:          {max: 1},
	linux.IPV6_RECVHOPLIMIT:         {max: 1},
	linux.IPV6_2292HOPLIMIT:         {max: 1},
	linux.IPV6_RECVRTHDR:            {max: 1},
	linux.IPV6_RECVHOPOPTS:          {max: 1},
	linux.IPV6_RECVDSTOPTS:          {max: 1},
	linux.IPV6_RECVTCLASS:           {max: 1},
	linux.IPV6_RECVPATHMTU:          {max: 1},
	linux.IPV6_RECVORIGDSTADDR:      {max: 1},
	linux.IPV6_RECVFRAGSIZE:         {max: 1},
	linux.IPV6_TCLASS:               {max: 255, reset: true},
	linux.IPV6_MTU_DISCOVER:         {def: linux.IPV6_PMTUDISC_WANT, max: linux.IPV6_PMTUDISC_OMIT},
	linux.IPV6_RECVERR:              {max: 1},
	linux.IPV6_DONTFRAG:             {max: 1},
	linux.IPV6_AUTOFLOWLABEL:        {def: 1, max: 1},
	linux.IPV6_FREEBIND:             {max: 1},
	linux.IPV6_TRANSPARENT:          {max: 1, cap: linux.CAP_NET_ADMIN},
	linux.IPV6_MINHOPCOUNT:          {max: 255},
	linux.IPV6_ADDR_PREFERENCES:     {max: 0xffff},
	linux.IPV6_ROUTER_ALERT_ISOLATE: {max: 1},
}

func findIPOption(level, name int) (ipOption, bool) {
	table := ipOptionTable
	if level == linux.IPPROTO_IPV6 {
		table = ipv6OptionTable
	}
	o, ok := table[name]
	return o, ok
}

// ipOptions are the values of IP options that have been set.
type ipOptions struct{ set map[[2]int]int32 }

// get returns an option by level and name: its value, or the default.
func (o *ipOptions) get(level, name int) int32 {
	if v, ok := o.set[[2]int{level, name}]; ok {
		return v
	}
	d, _ := findIPOption(level, name)
	return d.def
}

func (o *ipOptions) put(level, name int, v int32) {
	if o.set == nil {
		o.set = make(map[[2]int]int32)
	}
	o.set[[2]int{level, name}] = v
}

func (o *ipOptions) inherit(from *ipOptions) {
	for k, v := range from.set { // order does not matter: a copy
		o.put(k[0], k[1], v)
	}
}

// loMTU is the MTU of the loopback interface.
const loMTU = 65536

// getIPOption answers options of the levels IPPROTO_IP and IPPROTO_IPV6.
func (k *inetSocket) getIPOption(level, name, size int) ([]byte, linux.Errno) {
	v := 0
	switch {
	case level == linux.IPPROTO_IPV6 && k.Family != linux.AF_INET6:
		return nil, linux.EOPNOTSUPP
	case level == linux.IPPROTO_IP && name == linux.IP_OPTIONS:
		return nil, 0
	case level == linux.IPPROTO_IP && name == linux.IP_MULTICAST_IF:
		return clip(make([]byte, 4), size), 0
	case level == linux.IPPROTO_IPV6 && name == linux.IPV6_V6ONLY:
		v = boolInt(k.v6only)
	case level == linux.IPPROTO_IP && name == linux.IP_MTU, level == linux.IPPROTO_IPV6 && name == linux.IPV6_MTU:
		if !k.remote.IsValid() {
			return nil, linux.ENOTCONN
		}
		v = loMTU
	default:
		if _, ok := findIPOption(level, name); !ok {
			return nil, linux.ENOPROTOOPT
		}
		v = int(k.ip.get(level, name))
	}
	if level == linux.IPPROTO_IPV6 {
		switch {
		case name == linux.IPV6_UNICAST_HOPS && v < 0:
			v = 64
		case name == linux.IPV6_MULTICAST_HOPS && v < 0:
			v = 1
		}
	}
	if level == linux.IPPROTO_IP && size > 0 && size < 4 && v >= 0 && v <= 255 {
		return []byte{byte(v)}, 0 // compatibility with options of type char
	}
	return intBytes(v, size)
}

// setIPOption stores options of the levels IPPROTO_IP and IPPROTO_IPV6.
func (k *inetSocket) setIPOption(c *Caller, level, name int, value []byte) linux.Errno {
	v := int32(0)
	switch {
	case len(value) >= 4:
		v = int32(le.Uint32(value))
	case len(value) > 0 && level == linux.IPPROTO_IP:
		v = int32(value[0])
	}
	if level == linux.IPPROTO_IPV6 {
		if k.Family != linux.AF_INET6 {
			return linux.ENOPROTOOPT
		}
		if done, errno := k.setIPv6Special(name, v, value); done {
			return errno
		}
		if len(value) < 4 {
			return linux.EINVAL
		}
	} else if done, errno := setIPSpecial(name, value); done {
		return errno
	}
	o, ok := findIPOption(level, name)
	switch {
	case !ok:
		return linux.ENOPROTOOPT
	case len(value) == 0, k.Type == linux.SOCK_STREAM && level == linux.IPPROTO_IP && name == linux.IP_MULTICAST_TTL:
		return linux.EINVAL
	case o.cap != 0 && v != 0 && !c.capable(o.cap):
		return linux.EPERM
	case o.max == 1 && !o.strict:
		v = int32(boolInt(v != 0))
	case o.reset && v == -1:
		v = o.def
	case level == linux.IPPROTO_IP && name == linux.IP_TOS:
		v &= 0xff
	case v < o.min || v > o.max:
		return linux.EINVAL
	}
	if k.Type == linux.SOCK_STREAM && (level == linux.IPPROTO_IP && name == linux.IP_TOS || level == linux.IPPROTO_IPV6 && name == linux.IPV6_TCLASS) {
		v &^= 3 // the ECN bits belong to TCP
	}
	k.ip.put(level, name, v)
	return 0
}

// setIPSpecial handles the options of IPPROTO_IP that are not numbers.
func setIPSpecial(name int, value []byte) (bool, linux.Errno) {
	switch name {
	case linux.IP_OPTIONS:
		if len(value) == 0 {
			return true, 0
		}
		return true, linux.EINVAL
	case linux.IP_ADD_MEMBERSHIP, linux.IP_DROP_MEMBERSHIP, linux.IP_ADD_SOURCE_MEMBERSHIP:
		if len(value) < 8 {
			return true, linux.EINVAL
		}
		if value[0]>>4 != 14 {
			return true, linux.EINVAL
		}
		if name == linux.IP_DROP_MEMBERSHIP {
			return true, linux.EADDRNOTAVAIL
		}
		return true, linux.ENODEV // there is no route to a group
	case linux.IP_MULTICAST_IF:
		if len(value) < 4 {
			return true, linux.EINVAL
		}
		if le.Uint32(value) != 0 && value[0] != 127 {
			return true, linux.EADDRNOTAVAIL
		}
		return true, 0
	}
	return false, 0
}

// setIPv6Special handles the options of IPPROTO_IPV6 with rules of their own.
func (k *inetSocket) setIPv6Special(name int, v int32, value []byte) (bool, linux.Errno) {
	switch name {
	case linux.IPV6_V6ONLY:
		if len(value) < 4 || k.bound {
			return true, linux.EINVAL
		}
		k.v6only = v != 0
		return true, 0
	case linux.IPV6_MULTICAST_HOPS:
		if k.Type == linux.SOCK_STREAM {
			return true, linux.ENOPROTOOPT
		}
	case linux.IPV6_MULTICAST_IF:
		if len(value) >= 4 && v != 0 && v != loIndex {
			return true, linux.ENODEV
		}
	case linux.IPV6_ADD_MEMBERSHIP, linux.IPV6_DROP_MEMBERSHIP:
		if len(value) < 20 {
			return true, linux.EINVAL
		}
		if value[0] != 0xff {
			return true, linux.EINVAL
		}
		if name == linux.IPV6_DROP_MEMBERSHIP {
			return true, linux.EADDRNOTAVAIL
		}
		return true, linux.ENODEV
	}
	return false, 0
}

// tcpOptions are the options of tcp(7). They are stored and returned; on a
// connection without segments they have nothing to act on.
type tcpOptions struct {
	value      [tcpOptionMax]int32
	congestion string
}

const tcpOptionMax = 40

// tcpOptionTable gives the range of each numeric option and its default.
var tcpOptionTable = map[int]ipOption{
	linux.TCP_NODELAY:              {max: 1},
	linux.TCP_CORK:                 {max: 1},
	linux.TCP_KEEPIDLE:             {def: 7200, min: 1, max: 32767},
	linux.TCP_KEEPINTVL:            {def: 75, min: 1, max: 32767},
	linux.TCP_KEEPCNT:              {def: 9, min: 1, max: 127},
	linux.TCP_SYNCNT:               {def: 6, min: 1, max: 127},
	linux.TCP_LINGER2:              {def: 60, min: -1 << 31, max: anyInt},
	linux.TCP_DEFER_ACCEPT:         {max: anyInt},
	linux.TCP_QUICKACK:             {def: 1, max: 1},
	linux.TCP_USER_TIMEOUT:         {max: anyInt},
	linux.TCP_NOTSENT_LOWAT:        {min: -1 << 31, max: anyInt},
	linux.TCP_FASTOPEN:             {max: anyInt},
	linux.TCP_FASTOPEN_CONNECT:     {max: 1},
	linux.TCP_FASTOPEN_NO_COOKIE:   {max: 1},
	linux.TCP_SAVE_SYN:             {max: 1},
	linux.TCP_THIN_LINEAR_TIMEOUTS: {max: 1},
	linux.TCP_THIN_DUPACK:          {max: 1},
	linux.TCP_INQ:                  {max: 1},
	linux.TCP_WINDOW_CLAMP:         {max: anyInt},
	linux.TCP_MAXSEG:               {min: 88, max: 32767},
}

// The segment size over the loopback interface, and without a connection.
const (
	loMSS      = 65483
	defaultMSS = 536
)

// GetSockOpt implements Socket.
func (k *tcpSocket) GetSockOpt(_ *Caller, level, name, size int) ([]byte, linux.Errno) {
	switch level {
	case linux.SOL_SOCKET:
		return k.getSocketOption(name, size)
	case linux.IPPROTO_IP, linux.IPPROTO_IPV6:
		return k.getIPOption(level, name, size)
	case linux.IPPROTO_TCP:
		return k.getTCPOption(name, size)
	}
	return nil, k.unknownLevel()
}

func (k *tcpSocket) getTCPOption(name, size int) ([]byte, linux.Errno) {
	switch name {
	case linux.TCP_INFO:
		return clip(k.info(), size), 0
	case linux.TCP_CONGESTION:
		v := make([]byte, 16)
		if copy(v, k.tcp.congestion) == 0 {
			copy(v, "cubic")
		}
		return clip(v, size), 0
	case linux.TCP_ULP:
		return nil, 0
	case linux.TCP_MAXSEG:
		if v := k.tcp.value[name]; v != 0 {
			return intBytes(int(v), size)
		}
		if k.state == stateClose || k.state == stateListen {
			return intBytes(defaultMSS, size)
		}
		return intBytes(loMSS, size)
	}
	o, ok := tcpOptionTable[name]
	if !ok {
		return nil, linux.ENOPROTOOPT
	}
	v := k.tcp.value[name]
	if v == 0 {
		v = o.def
	} else if o.def != 0 {
		v-- // see SetSockOpt
	}
	return intBytes(int(v), size)
}

// SetSockOpt implements Socket.
func (k *tcpSocket) SetSockOpt(c *Caller, level, name int, value []byte) linux.Errno {
	switch level {
	case linux.SOL_SOCKET:
		return k.setSocketOption(c, name, value)
	case linux.IPPROTO_IP, linux.IPPROTO_IPV6:
		return k.setIPOption(c, level, name, value)
	case linux.IPPROTO_TCP:
		return k.setTCPOption(name, value)
	}
	return linux.ENOPROTOOPT
}

func (k *tcpSocket) setTCPOption(name int, value []byte) linux.Errno {
	if name == linux.TCP_CONGESTION {
		switch s := cString(value); s {
		case "cubic", "reno":
			k.tcp.congestion = s
			return 0
		}
		return linux.ENOENT
	}
	v, errno := intValue(value)
	if errno != 0 {
		return errno
	}
	o, ok := tcpOptionTable[name]
	switch {
	case !ok:
		return linux.ENOPROTOOPT
	case o.max == 1:
		v = int32(boolInt(v != 0))
	case name == linux.TCP_MAXSEG && v == 0:
	case v < o.min || v > o.max:
		return linux.EINVAL
	}
	if o.def != 0 {
		v++ // so that zero means that it was never set
	}
	k.tcp.value[name] = v
	return 0
}

// cString is a value up to its first zero byte.
func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// info is struct tcp_info, as far as it means something here.
func (k *tcpSocket) info() []byte {
	b := make([]byte, 248)
	b[0] = byte(k.state)
	if k.state == stateListen {
		le.PutUint32(b[24:], uint32(len(k.accept))) // tcpi_unacked
		le.PutUint32(b[28:], uint32(k.backlog))     // tcpi_sacked
		return b
	}
	b[5] = 7 // tcpi_options: timestamps, SACK, window scaling
	b[6] = 7<<4 | 7
	le.PutUint32(b[8:], 201000) // tcpi_rto, µs
	le.PutUint32(b[12:], 40000) // tcpi_ato, µs
	le.PutUint32(b[16:], loMSS) // tcpi_snd_mss
	le.PutUint32(b[20:], loMSS) // tcpi_rcv_mss
	le.PutUint32(b[60:], 65535) // tcpi_pmtu
	le.PutUint32(b[68:], 30)    // tcpi_rtt, µs
	le.PutUint32(b[72:], 15)    // tcpi_rttvar
	le.PutUint32(b[80:], 10)    // tcpi_snd_cwnd
	le.PutUint32(b[84:], loMSS) // tcpi_advmss
	le.PutUint32(b[88:], 3)     // tcpi_reordering
	le.PutUint32(b[96:], uint32(k.rcvbuf/2))
	return b
}

// GetSockOpt implements Socket.
func (k *udpSocket) GetSockOpt(_ *Caller, level, name, size int) ([]byte, linux.Errno) {
	switch level {
	case linux.SOL_SOCKET:
		return k.getSocketOption(name, size)
	case linux.IPPROTO_IP, linux.IPPROTO_IPV6:
		return k.getIPOption(level, name, size)
	}
	return nil, k.unknownLevel()
}

// unknownLevel is how getsockopt refuses a level, which the two families do
// differently.
func (k *inetSocket) unknownLevel() linux.Errno {
	if k.Family == linux.AF_INET {
		return linux.EOPNOTSUPP
	}
	return linux.ENOPROTOOPT
}

// SetSockOpt implements Socket.
func (k *udpSocket) SetSockOpt(c *Caller, level, name int, value []byte) linux.Errno {
	switch level {
	case linux.SOL_SOCKET:
		return k.setSocketOption(c, name, value)
	case linux.IPPROTO_IP, linux.IPPROTO_IPV6:
		return k.setIPOption(c, level, name, value)
	}
	return linux.ENOPROTOOPT
}
