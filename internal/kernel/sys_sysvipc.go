package kernel

import (
	"github.com/tinevm/tine/internal/ipc"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// ipcCaller is the task as package ipc sees it.
func (t *Task) ipcCaller() *ipc.Caller {
	sec, _ := t.k.realtime()
	cred := t.cred
	return &ipc.Caller{
		PID: t.group.nr(), UID: cred.EUID, GID: cred.EGID, Now: sec,
		Capable: func(c int) bool { return t.capableIn(t.ns.ipc.owner, c) },
		InGroup: func(gid uint32) bool { return gid == cred.EGID || cred.InGroup(gid) },
	}
}

// putBytes stores a structure that fill encodes.
func (t *Task) putBytes(addr uint64, n int, fill func(b []byte)) linux.Errno {
	b := make([]byte, n)
	fill(b)
	return t.copyOut(addr, b)
}

// getBytes reads n bytes of the caller's memory.
func (t *Task) getBytes(addr uint64, n int) ([]byte, linux.Errno) {
	b := make([]byte, n)
	return b, t.copyIn(addr, b)
}

// sysShmget is shmget(2): key, size, flags.
func sysShmget(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	id, errno := t.ns.ipc.Shmget(t.ipcCaller(), int32(a[0]), a[1], uint32(a[2]), t.k.acct)
	return uint64(id), errno
}

// sysShmat is shmat(2): id, address, flags.
func sysShmat(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	r, errno := shmRequest(a[1], a[2])
	if errno != 0 {
		return 0, errno
	}
	s, errno := t.ns.ipc.Shm.Find(int(int32(a[0])))
	if errno != 0 {
		return 0, errno
	}
	need := uint32(0o444)
	if r.Prot&mm.ProtWrite != 0 {
		need |= 0o222
	}
	if r.Prot&mm.ProtExec != 0 {
		need |= 0o111
	}
	c := t.ipcCaller()
	if errno := s.Allowed(c, need); errno != 0 {
		return 0, errno
	}
	r.Len, r.Obj = s.Size, s
	addr, errno := t.as.Map(r)
	switch errno {
	case 0:
		s.ATime, s.LPID = c.Now, c.PID
	case linux.EEXIST:
		errno = linux.EINVAL
	}
	return addr, errno
}

// shmRequest turns the address and flags of shmat into a mapping.
func shmRequest(addr, flags uint64) (r mm.MapRequest, errno linux.Errno) {
	const shmlba = mm.PageSize
	r = mm.MapRequest{Addr: addr, Flags: mm.MapShared, Prot: mm.ProtRead | mm.ProtWrite}
	if flags&linux.SHM_RDONLY != 0 {
		r.Prot, r.MaxProt = mm.ProtRead, mm.ProtRead|mm.ProtExec
	}
	if flags&linux.SHM_EXEC != 0 {
		r.Prot |= mm.ProtExec
	}
	if addr == 0 {
		if flags&linux.SHM_REMAP != 0 {
			return r, linux.EINVAL
		}
		return r, 0
	}
	if addr%shmlba != 0 {
		if flags&linux.SHM_RND == 0 {
			return r, linux.EINVAL
		}
		r.Addr -= addr % shmlba
		if r.Addr == 0 {
			return r, linux.EINVAL
		}
	}
	r.Fixed = flags&linux.SHM_REMAP != 0
	r.NoReplace = !r.Fixed
	return r, 0
}

// sysShmdt is shmdt(2). All parts that are left of the attachment go.
func sysShmdt(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	addr := a[0]
	if addr%mm.PageSize != 0 {
		return 0, linux.EINVAL
	}
	var seg *ipc.Segment
	var parts []mm.VMA
	t.as.VMAs(func(v mm.VMA) bool {
		s, ok := v.Obj.(*ipc.Segment)
		if ok && v.Start >= addr && v.Start-addr == v.Off && (seg == nil || s == seg) {
			seg = s
			parts = append(parts, v)
		}
		return true
	})
	if seg == nil {
		return 0, linux.EINVAL
	}
	c := t.ipcCaller()
	seg.DTime, seg.LPID = c.Now, c.PID
	for _, v := range parts {
		t.as.Unmap(v.Start, v.Len())
	}
	return 0, 0
}

// attached counts the attachments of a segment in all processes.
func (k *Kernel) attached(s *ipc.Segment) (n int) {
	seen := make(map[*mm.AddressSpace]bool)
	k.pids.each(func(t *Task) {
		if t.as == nil || seen[t.as] {
			return
		}
		seen[t.as] = true
		t.as.VMAs(func(v mm.VMA) bool {
			if v.Obj == mm.Object(s) {
				n++
			}
			return true
		})
	})
	return n
}

// sysShmctl is shmctl(2): id, command, structure.
func sysShmctl(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	id, cmd := int(int32(a[0])), int(int32(a[1]))
	ns := t.ns.ipc
	if id < 0 || cmd < 0 {
		return 0, linux.EINVAL
	}
	switch cmd {
	case linux.IPC_INFO:
		return uint64(max(ns.Shm.Highest(), 0)), t.putBytes(a[2], ipc.SizeofShminfo, ipc.EncodeShminfo)
	case linux.SHM_INFO:
		return uint64(max(ns.Shm.Highest(), 0)), t.putBytes(a[2], ipc.SizeofShmInfo, ns.EncodeShmInfo)
	case linux.SHM_STAT, linux.SHM_STAT_ANY:
		s, errno := ns.Shm.At(id)
		if errno != 0 {
			return 0, errno
		}
		return t.shmStat(s, a[2], cmd == linux.SHM_STAT_ANY, uint64(s.ID()))
	}
	s, errno := ns.Shm.Find(id)
	if errno != 0 {
		return 0, errno
	}
	switch cmd {
	case linux.IPC_STAT:
		return t.shmStat(s, a[2], false, 0)
	case linux.IPC_SET, linux.IPC_RMID:
		return 0, t.shmControl(s, cmd, a[2])
	case linux.SHM_LOCK, linux.SHM_UNLOCK:
		if !t.capable(linux.CAP_IPC_LOCK) {
			if t.cred.EUID != s.UID && t.cred.EUID != s.CUID || cmd == linux.SHM_LOCK && t.rlimit(linux.RLIMIT_MEMLOCK) == 0 {
				return 0, linux.EPERM
			}
		}
		s.Lock(cmd == linux.SHM_LOCK)
		return 0, 0
	}
	return 0, linux.EINVAL
}

func (t *Task) shmStat(s *ipc.Segment, addr uint64, any bool, ret uint64) (uint64, linux.Errno) {
	if !any {
		if errno := s.Allowed(t.ipcCaller(), 0o444); errno != 0 {
			return 0, errno
		}
	}
	return ret, t.putBytes(addr, ipc.SizeofShmid, func(b []byte) { s.Encode(b, t.k.attached(s)) })
}

func (t *Task) shmControl(s *ipc.Segment, cmd int, addr uint64) linux.Errno {
	c := t.ipcCaller()
	var b []byte
	if cmd == linux.IPC_SET {
		var errno linux.Errno
		if b, errno = t.getBytes(addr, ipc.SizeofShmid); errno != 0 {
			return errno
		}
	}
	if errno := s.MayControl(c); errno != 0 {
		return errno
	}
	if cmd == linux.IPC_RMID {
		s.Remove()
	} else {
		s.Set(c, b)
	}
	return 0
}

// sysMsgget is msgget(2): key, flags.
func sysMsgget(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	id, errno := t.ns.ipc.Msgget(t.ipcCaller(), int32(a[0]), uint32(a[1]))
	return uint64(id), errno
}

// waited is the errno for an object that has gone: EIDRM for a call that has
// waited for it.
func (t *Task) waited(errno linux.Errno) linux.Errno {
	if errno != 0 && t.sc.step != 0 {
		return linux.EIDRM
	}
	return errno
}

// sysMsgsnd is msgsnd(2): id, message, size, flags.
func sysMsgsnd(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	id, size := int(int32(a[0])), a[2]
	typ, errno := t.getUint64(a[1])
	switch {
	case errno != 0:
		return 0, errno
	case size > ipc.MsgMax || id < 0 || int64(typ) < 1:
		return 0, linux.EINVAL
	}
	text, errno := t.getBytes(a[1]+8, int(size))
	if errno != 0 {
		return 0, errno
	}
	q, errno := t.ns.ipc.Msg.Find(id)
	if errno != 0 {
		return 0, t.waited(errno)
	}
	errno = q.Send(t.ipcCaller(), ipc.Message{Type: int64(typ), Text: text})
	if errno == linux.EAGAIN && a[3]&linux.IPC_NOWAIT == 0 {
		t.sc.step = 1
		return t.blockOn(&q.Waiters, linux.ERESTARTNOHAND)
	}
	return 0, errno
}

// sysMsgrcv is msgrcv(2): id, message, size, type, flags.
func sysMsgrcv(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	id, flags := int(int32(a[0])), uint32(a[4])
	if id < 0 || int64(a[2]) < 0 {
		return 0, linux.EINVAL
	}
	if flags&linux.MSG_COPY != 0 && (flags&linux.MSG_EXCEPT != 0 || flags&linux.IPC_NOWAIT == 0) {
		return 0, linux.EINVAL
	}
	q, errno := t.ns.ipc.Msg.Find(id)
	if errno != 0 {
		return 0, t.waited(errno)
	}
	m, errno := q.Receive(t.ipcCaller(), a[2], int64(a[3]), flags)
	if errno == linux.ENOMSG && flags&linux.IPC_NOWAIT == 0 {
		t.sc.step = 1
		return t.blockOn(&q.Waiters, linux.ERESTARTNOHAND)
	}
	if errno != 0 {
		return 0, errno
	}
	if errno := t.putUint64(a[1], uint64(m.Type)); errno != 0 {
		return 0, errno
	}
	return uint64(len(m.Text)), t.copyOut(a[1]+8, m.Text)
}

// sysMsgctl is msgctl(2): id, command, structure.
func sysMsgctl(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	id, cmd := int(int32(a[0])), int(int32(a[1]))
	ns := t.ns.ipc
	if id < 0 || cmd < 0 {
		return 0, linux.EINVAL
	}
	switch cmd {
	case linux.IPC_INFO, linux.MSG_INFO:
		return uint64(max(ns.Msg.Highest(), 0)), t.putBytes(a[2], ipc.SizeofMsginfo, func(b []byte) { ns.EncodeMsginfo(b, cmd == linux.MSG_INFO) })
	case linux.MSG_STAT, linux.MSG_STAT_ANY:
		q, errno := ns.Msg.At(id)
		if errno == 0 && cmd == linux.MSG_STAT {
			errno = q.Allowed(t.ipcCaller(), 0o444)
		}
		if errno != 0 {
			return 0, errno
		}
		return uint64(q.ID()), t.putBytes(a[2], ipc.SizeofMsqid, q.Encode)
	}
	q, errno := ns.Msg.Find(id)
	if errno != 0 {
		return 0, errno
	}
	c := t.ipcCaller()
	switch cmd {
	case linux.IPC_STAT:
		if errno := q.Allowed(c, 0o444); errno != 0 {
			return 0, errno
		}
		return 0, t.putBytes(a[2], ipc.SizeofMsqid, q.Encode)
	case linux.IPC_SET:
		b, errno := t.getBytes(a[2], ipc.SizeofMsqid)
		if errno == 0 {
			errno = q.MayControl(c)
		}
		if errno != 0 {
			return 0, errno
		}
		return 0, q.Set(c, b)
	case linux.IPC_RMID:
		if errno := q.MayControl(c); errno != 0 {
			return 0, errno
		}
		q.Remove()
		return 0, 0
	}
	return 0, linux.EINVAL
}
