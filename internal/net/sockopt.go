package net

import "github.com/tinevm/tine/internal/linux"

// Limits of buffers: net.core.{w,r}mem_{default,max}, SOCK_MIN_SNDBUF and
// SOCK_MIN_RCVBUF.
const (
	bufDefault = 212992
	bufMax     = 4 << 20
	minSndbuf  = 4608
	minRcvbuf  = 2304
)

// options are the values of socket options that no other field holds.
type options struct {
	flags     map[int]int32 // plain integers, by option name; absent is 0
	rcvlowat  int32
	peekOff   int32
	lingerOn  bool
	linger    int32 // seconds
	passcred  bool
	passpidfd bool
}

// flag reports whether a boolean option is set.
func (o *options) flag(name int) bool { return o.flags[name] != 0 }

func (o *options) set(name int, v int32) {
	if o.flags == nil {
		o.flags = make(map[int]int32)
	}
	o.flags[name] = v
}

// inherit copies what an accepted socket has from its listener.
func (o *options) inherit(from *options) {
	*o = *from
	o.flags = nil
	for name, v := range from.flags { // order does not matter: a copy
		o.set(name, v)
	}
}

func (b *SocketCommon) initBuffers() {
	b.sndbuf, b.rcvbuf = bufDefault, bufDefault
	b.opts.rcvlowat, b.opts.peekOff = 1, -1
}

// soPasspidfd is SO_PASSPIDFD, which the C library's headers do not have yet.
const soPasspidfd = 76

// boolOptions are stored as 0 or 1.
var boolOptions = map[int]bool{
	linux.SO_DEBUG: true, linux.SO_REUSEADDR: true, linux.SO_REUSEPORT: true, linux.SO_KEEPALIVE: true,
	linux.SO_BROADCAST: true, linux.SO_DONTROUTE: true, linux.SO_OOBINLINE: true, linux.SO_NO_CHECK: true,
	linux.SO_TIMESTAMP: true, linux.SO_TIMESTAMPNS: true, linux.SO_RXQ_OVFL: true, linux.SO_PASSSEC: true,
	linux.SO_SELECT_ERR_QUEUE: true, linux.SO_WIFI_STATUS: true, linux.SO_NOFCS: true, linux.SO_LOCK_FILTER: true,
	linux.SO_TIMESTAMP_NEW: true, linux.SO_TIMESTAMPNS_NEW: true,
}

// intOptions are stored as they are; the value is the capability that setting
// needs, or -1.
var intOptions = map[int]int{
	linux.SO_PRIORITY: -1, linux.SO_MARK: linux.CAP_NET_ADMIN, linux.SO_INCOMING_CPU: -1,
	linux.SO_BUSY_POLL: linux.CAP_NET_ADMIN, linux.SO_TIMESTAMPING: -1,
}

// intValue reads the int that most options carry.
func intValue(v []byte) (int32, linux.Errno) {
	if len(v) < 4 {
		return 0, linux.EINVAL
	}
	return int32(le.Uint32(v)), 0
}

// intBytes is an int as getsockopt returns it.
func intBytes(v int, size int) ([]byte, linux.Errno) {
	b := make([]byte, 4)
	le.PutUint32(b, uint32(v))
	return clip(b, size), 0
}

func clip(b []byte, size int) []byte { return b[:min(len(b), size)] }

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// getSocketOption answers SOL_SOCKET options (socket(7)) that are the same in
// all families.
func (b *SocketCommon) getSocketOption(name, size int) ([]byte, linux.Errno) {
	if boolOptions[name] {
		return intBytes(int(b.opts.flags[name]), size)
	}
	if _, ok := intOptions[name]; ok {
		v := int(b.opts.flags[name])
		if name == linux.SO_INCOMING_CPU && v == 0 {
			v = -1
		}
		return intBytes(v, size)
	}
	switch name {
	case linux.SO_TYPE:
		return intBytes(b.Type, size)
	case linux.SO_DOMAIN:
		return intBytes(b.Family, size)
	case linux.SO_PROTOCOL:
		return intBytes(b.Protocol, size)
	case linux.SO_ERROR:
		return intBytes(int(b.takeErr()), size)
	case linux.SO_ACCEPTCONN:
		return intBytes(boolInt(b.state == stateListen), size)
	case linux.SO_SNDBUF:
		return intBytes(b.sndbuf, size)
	case linux.SO_RCVBUF:
		return intBytes(b.rcvbuf, size)
	case linux.SO_RCVLOWAT:
		return intBytes(int(b.opts.rcvlowat), size)
	case linux.SO_SNDLOWAT:
		return intBytes(1, size)
	case linux.SO_PASSCRED:
		if b.Family != linux.AF_UNIX && b.Family != linux.AF_NETLINK {
			return nil, linux.EOPNOTSUPP
		}
		return intBytes(boolInt(b.opts.passcred), size)
	case soPasspidfd:
		if b.Family != linux.AF_UNIX {
			return nil, linux.EOPNOTSUPP
		}
		return intBytes(boolInt(b.opts.passpidfd), size)
	case linux.SO_PEEK_OFF:
		return intBytes(int(b.opts.peekOff), size)
	case linux.SO_BINDTODEVICE:
		return nil, 0
	case linux.SO_BINDTOIFINDEX, linux.SO_ZEROCOPY, linux.SO_INCOMING_NAPI_ID:
		return intBytes(int(b.opts.flags[name]), size)
	case linux.SO_LINGER:
		v := make([]byte, 8)
		le.PutUint32(v, uint32(boolInt(b.opts.lingerOn)))
		le.PutUint32(v[4:], uint32(b.opts.linger))
		return clip(v, size), 0
	case linux.SO_RCVTIMEO, linux.SO_RCVTIMEO_NEW:
		return timeoutBytes(b.RcvTimeo, size)
	case linux.SO_SNDTIMEO, linux.SO_SNDTIMEO_NEW:
		return timeoutBytes(b.SndTimeo, size)
	case linux.SO_COOKIE:
		if size < 8 {
			return nil, linux.EINVAL
		}
		return le.AppendUint64(nil, b.cookie), 0
	}
	return nil, linux.ENOPROTOOPT
}

// setSocketOption stores SOL_SOCKET options that are the same in all families.
func (b *SocketCommon) setSocketOption(c *Caller, name int, value []byte) linux.Errno {
	if name == linux.SO_BINDTODEVICE {
		return bindToDevice(value)
	}
	v, errno := intValue(value)
	if errno != 0 {
		return errno
	}
	if name == linux.SO_DEBUG && v != 0 && !c.capable(linux.CAP_NET_ADMIN) {
		return linux.EACCES
	}
	if boolOptions[name] {
		b.opts.set(name, int32(boolInt(v != 0)))
		return 0
	}
	if need, ok := intOptions[name]; ok {
		return b.setInt(c, name, v, need)
	}
	switch name {
	// The sizes are doubled, for Linux counts its own bookkeeping too
	// (socket(7)).
	case linux.SO_SNDBUF:
		b.sndbuf = max(2*bufLimit(v), minSndbuf)
		b.wakeWriters()
	case linux.SO_RCVBUF:
		b.rcvbuf = max(2*bufLimit(v), minRcvbuf)
	case linux.SO_SNDBUFFORCE, linux.SO_RCVBUFFORCE:
		return b.forceBuffer(c, name, v)
	case linux.SO_RCVLOWAT:
		// A negative value asks for everything that fits.
		if v < 0 {
			v = 1<<31 - 1
		}
		b.opts.rcvlowat = max(v, 1)
	case linux.SO_LINGER:
		return b.setLinger(value)
	case linux.SO_RCVTIMEO, linux.SO_RCVTIMEO_NEW:
		return setTimeout(&b.RcvTimeo, value)
	case linux.SO_SNDTIMEO, linux.SO_SNDTIMEO_NEW:
		return setTimeout(&b.SndTimeo, value)
	case linux.SO_PASSCRED:
		if b.Family != linux.AF_UNIX && b.Family != linux.AF_NETLINK {
			return linux.EOPNOTSUPP
		}
		b.opts.passcred = v != 0
	case soPasspidfd:
		if b.Family != linux.AF_UNIX {
			return linux.EOPNOTSUPP
		}
		b.opts.passpidfd = v != 0
	case linux.SO_PEEK_OFF:
		b.opts.peekOff = max(v, -1)
	case linux.SO_BINDTOIFINDEX:
		if v < 0 {
			return linux.EINVAL
		}
		b.opts.set(name, v)
	default:
		return linux.ENOPROTOOPT
	}
	return 0
}

// setInt stores an option that is a plain number.
func (b *SocketCommon) setInt(c *Caller, name int, v int32, need int) linux.Errno {
	switch {
	case name == linux.SO_PRIORITY && (v < 0 || v > 6):
		need = linux.CAP_NET_ADMIN
	case name == linux.SO_BUSY_POLL && v < 0:
		return linux.EINVAL
	case name == linux.SO_BUSY_POLL && v <= b.opts.flags[name]:
		need = -1
	}
	if need >= 0 && !c.capable(need) {
		return linux.EPERM
	}
	b.opts.set(name, v)
	return 0
}

// bufLimit applies net.core.{w,r}mem_max; negative values count as huge.
func bufLimit(v int32) int { return int(min(uint32(v), bufMax)) }

// forceBuffer is SO_SNDBUFFORCE and SO_RCVBUFFORCE: without the limit.
func (b *SocketCommon) forceBuffer(c *Caller, name int, v int32) linux.Errno {
	if !c.capable(linux.CAP_NET_ADMIN) {
		return linux.EPERM
	}
	n := int(min(max(v, 0), 1<<30-1)) * 2
	if name == linux.SO_SNDBUFFORCE {
		b.sndbuf = max(n, minSndbuf)
		b.wakeWriters()
	} else {
		b.rcvbuf = max(n, minRcvbuf)
	}
	return 0
}

func (b *SocketCommon) setLinger(value []byte) linux.Errno {
	if len(value) < 8 {
		return linux.EINVAL
	}
	b.opts.lingerOn = le.Uint32(value) != 0
	if b.opts.lingerOn {
		b.opts.linger = int32(le.Uint32(value[4:]))
	}
	return 0
}

// bindToDevice is SO_BINDTODEVICE: there is one interface, and all traffic
// uses it.
func bindToDevice(value []byte) linux.Errno {
	name := value[:min(len(value), ifNameSize-1)]
	for i, c := range name {
		if c == 0 {
			name = name[:i]
			break
		}
	}
	if len(name) != 0 && string(name) != loName {
		return linux.ENODEV
	}
	return 0
}

// peekStart is where MSG_PEEK begins (SO_PEEK_OFF in socket(7)).
func (b *SocketCommon) peekStart(flags uint32) int {
	if flags&linux.MSG_PEEK == 0 {
		return 0
	}
	return max(int(b.opts.peekOff), 0)
}

// movePeek keeps SO_PEEK_OFF behind what was peeked at, and in place when
// bytes before it are received.
func (b *SocketCommon) movePeek(flags uint32, n int) {
	switch {
	case b.opts.peekOff < 0:
	case flags&linux.MSG_PEEK != 0:
		b.opts.peekOff += int32(n)
	default:
		b.opts.peekOff = max(b.opts.peekOff-int32(n), 0)
	}
}

// peekAt finds the packet with the byte at a position, and where in it.
func (q *packetQueue) peekAt(skip int) (i, off int) {
	for i < q.len() && skip > 0 && skip >= len(q.at(i).rest()) {
		skip -= len(q.at(i).rest())
		i++
	}
	return i, skip
}

// timeoutBytes is a time limit as struct timeval.
func timeoutBytes(ns int64, size int) ([]byte, linux.Errno) {
	v := make([]byte, 16)
	if ns > 1 {
		le.PutUint64(v, uint64(ns/1e9))
		le.PutUint64(v[8:], uint64(ns%1e9/1e3))
	}
	return clip(v, size), 0
}

// setTimeout reads a struct timeval. Zero means no limit, and negative seconds
// a limit that has already passed (sock_set_timeout).
func setTimeout(ns *int64, value []byte) linux.Errno {
	if len(value) < 16 {
		return linux.EINVAL
	}
	sec, usec := int64(le.Uint64(value)), int64(le.Uint64(value[8:]))
	switch {
	case usec < 0 || usec >= 1e6:
		return linux.EDOM
	case sec < 0:
		*ns = 1
	case sec > 1<<33:
		*ns = 0
	default:
		*ns = sec*1e9 + usec*1e3
	}
	return 0
}
