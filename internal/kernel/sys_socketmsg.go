package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/net"
	"github.com/tinevm/tine/internal/vfs"
)

// userMsg is a message of the caller: struct msghdr, decoded.
type userMsg struct {
	at      uint64 // of the structure; 0 if the call has none
	name    uint64
	nameLen uint32
	iov     []linux.Iovec
	control uint64
	ctlLen  uint64
}

// Sizes of struct msghdr, mmsghdr and cmsghdr, and places in them.
const (
	sizeofMsghdr      = 56
	sizeofMmsghdr     = 64
	sizeofCmsghdr     = 16
	msghdrNameLen     = 8
	msghdrControlLen  = 40
	msghdrFlags       = 48
	mmsghdrLen        = 56
	msgCmsgCompat     = 1 << 31 // MSG_CMSG_COMPAT: for 32-bit callers only
	scmMaxFiles       = 253     // SCM_MAX_FD
	maxControl        = 128 << 10
	maxDatagramBuffer = 16 << 20
)

// msghdr reads struct msghdr.
func (t *Task) msghdr(addr uint64) (userMsg, linux.Errno) {
	var b [sizeofMsghdr]byte
	if errno := t.copyIn(addr, b[:]); errno != 0 {
		return userMsg{}, errno
	}
	le := binary.LittleEndian
	m := userMsg{
		at: addr, name: le.Uint64(b[:]), nameLen: le.Uint32(b[msghdrNameLen:]),
		control: le.Uint64(b[32:]), ctlLen: le.Uint64(b[msghdrControlLen:]),
	}
	n := le.Uint64(b[24:])
	switch {
	case n > linux.UIO_MAXIOV:
		return m, linux.EMSGSIZE
	case int32(m.nameLen) < 0:
		return m, linux.EINVAL
	}
	if m.name == 0 {
		m.nameLen = 0
	}
	m.nameLen = min(m.nameLen, sizeofSockaddr)
	var errno linux.Errno
	m.iov, errno = t.iovecs(le.Uint64(b[16:]), n)
	return m, errno
}

// vectorLen is the number of bytes of a vector.
func vectorLen(v []linux.Iovec) (n uint64) {
	for i := range v {
		n += v[i].Len
	}
	return n
}

// gatherVector reads a vector's memory. A stream takes a piece at a time, a
// datagram must come whole.
func (t *Task) gatherVector(v []linux.Iovec, stream bool) ([]byte, linux.Errno) {
	for len(v) > 1 && v[0].Len == 0 {
		v = v[1:]
	}
	total := vectorLen(v)
	if len(v) == 1 && total <= maxTransfer || stream && len(v) > 0 && v[0].Len >= maxTransfer {
		u, errno := t.writeBuf(v[0].Base, int(v[0].Len))
		if errno == 0 && !stream && uint64(len(u.b)) < total {
			errno = linux.EFAULT
		}
		return u.b, errno
	}
	var buf []byte
	switch {
	case stream:
		buf = t.k.bounceBuf(int(min(total, maxTransfer)))
	case total > maxDatagramBuffer:
		return nil, linux.EMSGSIZE
	default:
		buf = make([]byte, total)
	}
	at := 0
	for i := range v {
		n := min(int(v[i].Len), len(buf)-at)
		got, errno := t.as.CopyIn(v[i].Base, buf[at:at+n])
		at += got
		if errno != 0 {
			if stream && at > 0 {
				break
			}
			return nil, errno
		}
	}
	return buf[:at], 0
}

// scatterVector writes bytes into a vector's memory.
func (t *Task) scatterVector(v []linux.Iovec, p []byte) linux.Errno {
	for i := range v {
		n := min(uint64(len(p)), v[i].Len)
		if errno := t.copyOut(v[i].Base, p[:n]); errno != 0 {
			return errno
		}
		if p = p[n:]; len(p) == 0 {
			break
		}
	}
	return 0
}

// send sends a message. moved counts the bytes of it that have been sent, for
// streams that take it in pieces.
func (t *Task) send(k net.Socket, f *vfs.File, u *userMsg, flags uint32, moved *uint64) (uint64, linux.Errno) {
	wait := !f.NonBlock() && flags&linux.MSG_DONTWAIT == 0
	c := t.caller(!wait)
	m := net.Msg{Flags: flags}
	if !wait {
		m.Flags |= linux.MSG_DONTWAIT
	}
	if u.nameLen > 0 {
		var errno linux.Errno
		if m.Name, errno = t.sockaddr(u.name, uint64(u.nameLen)); errno != 0 {
			return 0, errno
		}
	}
	if *moved == 0 {
		if errno := t.sendControl(k, &m, u); errno != 0 {
			return 0, errno
		}
	}
	stream, msgFlags := k.Common().Stream(), m.Flags
	v := skip(u.iov, *moved)
	for {
		var errno linux.Errno
		if m.Data, errno = t.gatherVector(v, stream); errno == 0 {
			var n int
			m.Flags = msgFlags
			if vectorLen(v) > uint64(len(m.Data)) {
				m.Flags &^= linux.MSG_OOB // the last byte is yet to come
			}
			n, errno = k.SendMsg(c, &m)
			*moved += uint64(n)
			v = skip(v, uint64(n))
			m.Files, m.Cred = nil, nil
			if errno == 0 && (!stream || n == 0 || vectorLen(v) == 0) {
				return *moved, 0
			}
		}
		switch {
		case errno == 0:
		case errno == linux.EAGAIN && wait:
			ret, errno := t.waitSocket(c, f, k.Common().SndTimeo, linux.EAGAIN)
			if errno != eBlock && *moved > 0 {
				return *moved, 0
			}
			return ret, errno
		case *moved > 0:
			return *moved, 0
		default:
			if errno == linux.EPIPE && stream && flags&linux.MSG_NOSIGNAL == 0 {
				t.sendSignalSelf(linux.SIGPIPE)
			}
			return 0, errno
		}
	}
}

// sendControl reads the control messages of a message to send (cmsg(3)).
func (t *Task) sendControl(k net.Socket, m *net.Msg, u *userMsg) linux.Errno {
	if u.ctlLen == 0 {
		return 0
	}
	if u.ctlLen > maxControl {
		return linux.ENOBUFS
	}
	b := make([]byte, u.ctlLen)
	if errno := t.copyIn(u.control, b); errno != 0 {
		return errno
	}
	le := binary.LittleEndian
	for len(b) >= sizeofCmsghdr {
		n := le.Uint64(b)
		if n < sizeofCmsghdr || n > uint64(len(b)) {
			return linux.EINVAL
		}
		data := b[sizeofCmsghdr:n]
		if level, typ := int32(le.Uint32(b[8:])), int32(le.Uint32(b[12:])); level == linux.SOL_SOCKET {
			if errno := t.sendSocketControl(k, m, typ, data); errno != 0 {
				return errno
			}
		}
		b = b[min((n+7)&^7, uint64(len(b))):]
	}
	return 0
}

// sendSocketControl reads SCM_RIGHTS and SCM_CREDENTIALS (unix(7)).
func (t *Task) sendSocketControl(k net.Socket, m *net.Msg, typ int32, data []byte) linux.Errno {
	if k.Common().Family != linux.AF_UNIX {
		return 0
	}
	le := binary.LittleEndian
	switch typ {
	case linux.SCM_RIGHTS:
		if len(data)/4+len(m.Files) > scmMaxFiles {
			return linux.EINVAL
		}
		for ; len(data) >= 4; data = data[4:] {
			f, errno := t.anyFile(uint64(le.Uint32(data)))
			if errno != 0 {
				return linux.EBADF
			}
			m.Files = append(m.Files, f)
		}
	case linux.SCM_CREDENTIALS:
		if len(data) != net.SizeofUcred {
			return linux.EINVAL
		}
		u, errno := t.credArg(data)
		if errno != 0 {
			return errno
		}
		m.Cred = &u
	default:
		return linux.EINVAL
	}
	return 0
}

// recv receives a message. moved counts the bytes of it that have come, for
// streams from which the caller wants more than there is at once.
func (t *Task) recv(k net.Socket, f *vfs.File, u *userMsg, flags uint32, moved *uint64) (uint64, linux.Errno) {
	b := k.Common()
	wait := !f.NonBlock() && flags&linux.MSG_DONTWAIT == 0
	c := t.caller(!wait)
	target := uint64(b.Target(flags, int(min(vectorLen(u.iov), 1<<30))))
	for {
		m := net.Msg{Flags: flags}
		if !wait {
			m.Flags |= linux.MSG_DONTWAIT
		}
		v := skip(u.iov, *moved)
		n, errno := t.recvOnce(k, c, &m, v)
		switch {
		case errno == linux.EAGAIN && wait && flags&linux.MSG_ERRQUEUE == 0:
			ret, errno := t.waitSocket(c, f, b.RcvTimeo, linux.EAGAIN)
			if errno != eBlock && *moved > 0 {
				return *moved, 0
			}
			return ret, errno
		case errno != 0 && *moved > 0:
			return *moved, 0
		case errno != 0:
			return 0, errno
		}
		if b.Stream() && n > 0 && *moved+n < target && len(m.Files) == 0 {
			if flags&linux.MSG_PEEK == 0 {
				*moved += n
				continue
			}
			if wait && f.Ops.Poll(f)&vfs.PollRdHup == 0 {
				return t.waitSocket(c, f, b.RcvTimeo, linux.EAGAIN)
			}
		}
		return *moved + n, t.recvDone(&m, u, flags)
	}
}

// recvOnce receives into a vector.
func (t *Task) recvOnce(k net.Socket, c *net.Caller, m *net.Msg, v []linux.Iovec) (uint64, linux.Errno) {
	for len(v) > 1 && v[0].Len == 0 {
		v = v[1:]
	}
	if len(v) == 1 && v[0].Len <= maxTransfer {
		u, errno := t.readBuf(v[0].Base, int(v[0].Len))
		if errno != 0 {
			// The memory matters only if there is something to put there.
			probe := net.Msg{Flags: m.Flags | linux.MSG_PEEK}
			if _, none := k.RecvMsg(c, &probe); none != 0 {
				errno = none
			}
			for _, f := range probe.Files {
				f.Put()
			}
			return 0, errno
		}
		m.Data = u.b
		n, errno := k.RecvMsg(c, m)
		if errno == 0 {
			_, errno = u.commit(m.Copied)
		}
		return uint64(n), errno
	}
	total := min(vectorLen(v), maxDatagramBuffer)
	if k.Common().Stream() {
		total = min(total, maxTransfer)
	}
	m.Data = make([]byte, total)
	n, errno := k.RecvMsg(c, m)
	if errno == 0 {
		errno = t.scatterVector(v, m.Data[:m.Copied])
	}
	return uint64(n), errno
}

// recvDone stores what belongs to a received message besides its data.
func (t *Task) recvDone(m *net.Msg, u *userMsg, flags uint32) linux.Errno {
	used := t.recvControl(m, u, flags)
	if u.at == 0 {
		return 0
	}
	if u.name != 0 {
		if errno := t.copyOut(u.name, m.Name[:min(len(m.Name), int(u.nameLen))]); errno != 0 {
			return errno
		}
		if errno := t.putUint32(u.at+msghdrNameLen, uint32(len(m.Name))); errno != 0 {
			return errno
		}
	}
	if errno := t.putUint64(u.at+msghdrControlLen, used); errno != 0 {
		return errno
	}
	return t.putUint32(u.at+msghdrFlags, m.OutFlags|flags&linux.MSG_CMSG_CLOEXEC)
}

// recvControl stores the control messages and returns how much room they took.
// What does not fit is lost, and MSG_CTRUNC tells so; descriptors that do not
// fit are closed.
func (t *Task) recvControl(m *net.Msg, u *userMsg, flags uint32) uint64 {
	w := controlWriter{t: t, m: m, at: u.control, left: u.ctlLen}
	for i := range m.Control {
		w.put(m.Control[i].Level, m.Control[i].Type, m.Control[i].Data)
	}
	if m.Cred != nil {
		var b [net.SizeofUcred]byte
		cred := t.showCred(*m.Cred)
		cred.Encode(b[:])
		w.put(linux.SOL_SOCKET, linux.SCM_CREDENTIALS, b[:])
	}
	w.putFiles(flags&linux.MSG_CMSG_CLOEXEC != 0)
	if m.Sender != nil {
		w.putPidfd(m.Sender.Proc)
	}
	return u.ctlLen - w.left
}

// controlWriter stores control messages one behind the other.
type controlWriter struct {
	t    *Task
	m    *net.Msg
	at   uint64
	left uint64
}

// put stores one message, cut to the room that is left (put_cmsg).
func (w *controlWriter) put(level, typ int, data []byte) {
	n := uint64(sizeofCmsghdr + len(data))
	if w.left < sizeofCmsghdr {
		w.m.OutFlags |= linux.MSG_CTRUNC
		return
	}
	if w.left < n {
		w.m.OutFlags |= linux.MSG_CTRUNC
		n = w.left
	}
	b := make([]byte, sizeofCmsghdr, n)
	binary.LittleEndian.PutUint64(b, n)
	binary.LittleEndian.PutUint32(b[8:], uint32(level))
	binary.LittleEndian.PutUint32(b[12:], uint32(typ))
	b = append(b, data[:n-sizeofCmsghdr]...)
	if w.t.copyOut(w.at, b) != 0 {
		return
	}
	space := min((n+7)&^7, w.left)
	w.at += space
	w.left -= space
}

// putPidfd gives the receiver a pidfd of the sender (SCM_PIDFD).
func (w *controlWriter) putPidfd(proc any) {
	const scmPidfd = 4
	g, ok := proc.(*Group)
	switch {
	case w.left < sizeofCmsghdr+4:
		w.m.OutFlags |= linux.MSG_CTRUNC
		return
	case !ok:
		return
	}
	fd := uint32(errnoResult(linux.ESRCH))
	if g.leader.state != TaskDead {
		f := w.t.k.newPidfd()
		w.t.k.bindPidfd(f, g)
		n, errno := w.t.installFD(f, true)
		if fd = uint32(n); errno != 0 {
			fd = uint32(errnoResult(errno))
		}
	}
	w.put(linux.SOL_SOCKET, scmPidfd, binary.LittleEndian.AppendUint32(nil, fd))
}

// putFiles gives received files descriptors, as many as there is room for.
func (w *controlWriter) putFiles(cloexec bool) {
	files := w.m.Files
	w.m.Files = nil
	var data []byte
	room := 0
	if w.left > sizeofCmsghdr {
		room = int(min((w.left-sizeofCmsghdr)/4, scmMaxFiles))
	}
	for i, f := range files {
		if i >= room || !w.t.hasFreeFD() {
			w.m.OutFlags |= linux.MSG_CTRUNC
			f.Put()
			continue
		}
		if fd, errno := w.t.installFD(f, cloexec); errno == 0 {
			data = binary.LittleEndian.AppendUint32(data, uint32(fd))
		}
	}
	if len(data) > 0 {
		w.put(linux.SOL_SOCKET, linux.SCM_RIGHTS, data)
	}
}

// socketRead and socketWrite are read(2) and write(2) on a socket: with a
// vector, the whole of it is one message.
func (t *Task) socketRead(k net.Socket, f *vfs.File, v []linux.Iovec) (uint64, linux.Errno) {
	if vectorLen(v) == 0 {
		return 0, 0
	}
	return t.recv(k, f, &userMsg{iov: v}, 0, &t.sc.done)
}

func (t *Task) socketWrite(k net.Socket, f *vfs.File, v []linux.Iovec) (uint64, linux.Errno) {
	return t.send(k, f, &userMsg{iov: v}, 0, &t.sc.done)
}

// sysSendto is sendto(2): fd, buffer, length, flags, address, its length.
func sysSendto(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, f, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	u := userMsg{name: a[4], iov: []linux.Iovec{{Base: a[1], Len: min(a[2], linux.MAX_RW_COUNT)}}}
	if a[4] != 0 {
		if n := int32(a[5]); n < 0 || n > sizeofSockaddr {
			return 0, linux.EINVAL
		}
		u.nameLen = uint32(a[5])
	}
	return t.send(k, f, &u, uint32(a[3])&^msgCmsgCompat, &t.sc.done)
}

// sysRecvfrom is recvfrom(2): fd, buffer, length, flags, address, its length.
func sysRecvfrom(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, f, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	return t.recvfrom(k, f, a)
}

func (t *Task) recvfrom(k net.Socket, f *vfs.File, a *[6]uint64) (uint64, linux.Errno) {
	u := userMsg{iov: []linux.Iovec{{Base: a[1], Len: min(a[2], linux.MAX_RW_COUNT)}}}
	r := nameCatcher{Socket: k}
	n, errno := t.recv(&r, f, &u, uint32(a[3])&^msgCmsgCompat, &t.sc.done)
	if errno != 0 || a[4] == 0 {
		return n, errno
	}
	return n, t.putSockaddr(a[4], a[5], r.name)
}

// nameCatcher keeps the sender's address of what is received.
type nameCatcher struct {
	net.Socket
	name []byte
}

// RecvMsg implements net.Socket.
func (r *nameCatcher) RecvMsg(c *net.Caller, m *net.Msg) (int, linux.Errno) {
	n, errno := r.Socket.RecvMsg(c, m)
	r.name = m.Name
	return n, errno
}

func sysSendmsg(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, f, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	if a[2]&msgCmsgCompat != 0 {
		return 0, linux.EINVAL
	}
	u, errno := t.msghdr(a[1])
	if errno != 0 {
		return 0, errno
	}
	return t.send(k, f, &u, uint32(a[2]), &t.sc.done)
}

func sysRecvmsg(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, f, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	if a[2]&msgCmsgCompat != 0 {
		return 0, linux.EINVAL
	}
	u, errno := t.msghdr(a[1])
	if errno != 0 {
		return 0, errno
	}
	return t.recv(k, f, &u, uint32(a[2]), &t.sc.done)
}

// sysSendmmsg is sendmmsg(2): fd, messages, their number, flags. t.sc.done
// counts messages, t.sc.ret the bytes of the one that waits.
func sysSendmmsg(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, f, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	if a[3]&msgCmsgCompat != 0 {
		return 0, linux.EINVAL
	}
	for n := min(uint64(uint32(a[2])), linux.UIO_MAXIOV); t.sc.done < n; t.sc.done++ {
		at := a[1] + t.sc.done*sizeofMmsghdr
		u, errno := t.msghdr(at)
		if errno == 0 {
			var sent uint64
			sent, errno = t.send(k, f, &u, uint32(a[3]), &t.sc.ret)
			if errno == 0 {
				errno = t.putUint32(at+mmsghdrLen, uint32(sent))
			}
		}
		if errno == eBlock || errno != 0 && t.sc.done == 0 {
			return 0, errno
		}
		if errno != 0 {
			break
		}
		t.sc.ret = 0
	}
	return t.sc.done, 0
}

// sysRecvmmsg is recvmmsg(2): fd, messages, their number, flags, timeout.
func sysRecvmmsg(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	k, f, errno := t.socket(a[0])
	if errno != 0 {
		return 0, errno
	}
	if a[3]&msgCmsgCompat != 0 {
		return 0, linux.EINVAL
	}
	if a[4] != 0 {
		if errno := t.timeoutArg(a[4]); errno != 0 {
			return 0, errno
		}
	}
	flags := uint32(a[3]) &^ linux.MSG_WAITFORONE
	for n := min(uint64(uint32(a[2])), linux.UIO_MAXIOV); t.sc.done < n; {
		at := a[1] + t.sc.done*sizeofMmsghdr
		u, errno := t.msghdr(at)
		if errno == 0 {
			var got uint64
			got, errno = t.recv(k, f, &u, flags, &t.sc.ret)
			if errno == 0 {
				errno = t.putUint32(at+mmsghdrLen, uint32(got))
			}
		}
		if errno == eBlock || errno != 0 && t.sc.done == 0 {
			return 0, errno
		}
		if errno != 0 {
			break
		}
		t.sc.ret = 0
		t.sc.done++
		if a[3]&linux.MSG_WAITFORONE != 0 {
			flags |= linux.MSG_DONTWAIT
		}
		if t.timedOut() {
			break
		}
	}
	return t.sc.done, 0
}
