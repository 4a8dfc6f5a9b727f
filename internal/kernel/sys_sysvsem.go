package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/ipc"
	"github.com/tinevm/tine/internal/linux"
)

func sysSemop(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.semop(a[0], a[1], a[2], 0)
}

func sysSemtimedop(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.semop(a[0], a[1], a[2], a[3])
}

// semUndoList is what CLONE_SYSVSEM shares: adjustments of System V semaphores
// to be undone at exit.
type semUndoList struct {
	refs int
	undo ipc.Undo
}

// exitSemaphores undoes the task's semaphore adjustments, unless others still
// share them.
func (t *Task) exitSemaphores() {
	u := t.undo
	if u == nil {
		return
	}
	t.undo = nil
	if u.refs--; u.refs == 0 {
		u.undo.Exit(t.ipcCaller())
	}
}

// sysSemget is semget(2): key, number, flags.
func sysSemget(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	id, errno := t.ns.ipc.Semget(t.ipcCaller(), int32(a[0]), int(int32(a[1])), uint32(a[2]))
	return uint64(id), errno
}

// semop is semtimedop(2): id, operations, their number, timeout.
func (t *Task) semop(id, addr, n, timeout uint64) (uint64, linux.Errno) {
	switch {
	case int32(id) < 0 || uint32(n) < 1:
		return 0, linux.EINVAL
	case uint32(n) > ipc.SemOpm:
		return 0, linux.E2BIG
	}
	if timeout != 0 {
		if errno := t.timeoutArg(timeout); errno != 0 {
			return 0, errno
		}
	}
	b, errno := t.getBytes(addr, int(uint32(n))*ipc.SizeofSemOp)
	if errno != 0 {
		return 0, errno
	}
	ops := ipc.DecodeSemOps(b)
	s, errno := t.ns.ipc.Sem.Find(int(int32(id)))
	if errno != 0 {
		return 0, t.waited(errno)
	}
	c := t.ipcCaller()
	if errno := s.Check(c, ops); errno != 0 {
		return 0, errno
	}
	num, wait, errno := s.Try(c, ops, t.semUndo(ops))
	if !wait || t.timedOut() {
		return 0, errno
	}
	// Who asks GETNCNT and GETZCNT finds here what the task waits for.
	t.sc.step = 1
	t.sc.ret = semWaits(ops, num)
	return t.blockOn(&s.Waiters, linux.EINTR)
}

// semUndo is where SEM_UNDO adjustments are kept; nil if there are none to
// make.
func (t *Task) semUndo(ops []ipc.SemOp) *ipc.Undo {
	for _, o := range ops {
		if o.Flags&linux.SEM_UNDO != 0 {
			if t.undo == nil {
				t.undo = &semUndoList{refs: 1}
			}
			return &t.undo.undo
		}
	}
	return nil
}

// semWaits packs the semaphore waited for, and whether it must become zero.
func semWaits(ops []ipc.SemOp, num int) uint64 {
	for _, o := range ops {
		if int(o.Num) == num && o.Op <= 0 {
			if o.Op == 0 {
				return uint64(num)<<1 | 1
			}
			break
		}
	}
	return uint64(num) << 1
}

// semWaiting counts the tasks that wait for a semaphore.
func (k *Kernel) semWaiting(id int, what uint64) (n uint64) {
	k.pids.each(func(t *Task) {
		if t.state != TaskSleeping || !t.sc.active || t.sc.nr != linux.SYS_semop && t.sc.nr != linux.SYS_semtimedop {
			return
		}
		if int(int32(t.sc.args[0])) == id && t.sc.ret == what {
			n++
		}
	})
	return n
}

// sysSemctl is semctl(2): id, number, command, argument.
func sysSemctl(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	id, cmd := int(int32(a[0])), int(int32(a[2]))
	ns := t.ns.ipc
	if id < 0 {
		return 0, linux.EINVAL
	}
	switch cmd {
	case linux.IPC_INFO, linux.SEM_INFO:
		return uint64(max(ns.Sem.Highest(), 0)), t.putBytes(a[3], ipc.SizeofSeminfo, func(b []byte) { ns.EncodeSeminfo(b, cmd == linux.SEM_INFO) })
	case linux.SEM_STAT, linux.SEM_STAT_ANY:
		s, errno := ns.Sem.At(id)
		if errno == 0 && cmd == linux.SEM_STAT {
			errno = s.Allowed(t.ipcCaller(), 0o444)
		}
		if errno != 0 {
			return 0, errno
		}
		return uint64(s.ID()), t.putBytes(a[3], ipc.SizeofSemid, s.Encode)
	}
	s, errno := ns.Sem.Find(id)
	if errno != 0 {
		return 0, errno
	}
	switch cmd {
	case linux.IPC_SET, linux.IPC_RMID:
		return 0, t.semControl(s, cmd, a[3])
	case linux.SETVAL, linux.SETALL:
		return 0, t.semSet(s, cmd, int(int32(a[1])), a[3])
	}
	if errno := s.Allowed(t.ipcCaller(), 0o444); errno != 0 {
		return 0, errno
	}
	switch cmd {
	case linux.IPC_STAT:
		return 0, t.putBytes(a[3], ipc.SizeofSemid, s.Encode)
	case linux.GETALL:
		return 0, t.putBytes(a[3], 2*len(s.Sems), func(b []byte) {
			for i := range s.Sems {
				binary.LittleEndian.PutUint16(b[2*i:], uint16(s.Sems[i].Value))
			}
		})
	}
	return t.semGet(s, cmd, int(int32(a[1])))
}

// semControl changes or removes a set.
func (t *Task) semControl(s *ipc.Set, cmd int, addr uint64) linux.Errno {
	c := t.ipcCaller()
	var b []byte
	if cmd == linux.IPC_SET {
		var errno linux.Errno
		if b, errno = t.getBytes(addr, ipc.SizeofSemid); errno != 0 {
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

// semSet is SETVAL and SETALL.
func (t *Task) semSet(s *ipc.Set, cmd, num int, arg uint64) linux.Errno {
	c := t.ipcCaller()
	if cmd == linux.SETVAL && (int32(arg) < 0 || int32(arg) > 32767) {
		return linux.ERANGE
	}
	if errno := s.Allowed(c, 0o222); errno != 0 {
		return errno
	}
	if cmd == linux.SETVAL {
		return s.SetValue(c, num, int32(arg))
	}
	b, errno := t.getBytes(arg, 2*len(s.Sems))
	if errno != 0 {
		return errno
	}
	return s.SetAll(c, b)
}

// semGet answers the commands about one semaphore.
func (t *Task) semGet(s *ipc.Set, cmd, num int) (uint64, linux.Errno) {
	switch cmd {
	case linux.GETVAL, linux.GETPID, linux.GETNCNT, linux.GETZCNT:
	default:
		return 0, linux.EINVAL
	}
	if num < 0 || num >= len(s.Sems) {
		return 0, linux.EINVAL
	}
	switch cmd {
	case linux.GETVAL:
		return uint64(s.Sems[num].Value), 0
	case linux.GETPID:
		return uint64(s.Sems[num].PID), 0
	case linux.GETNCNT:
		return t.k.semWaiting(s.ID(), uint64(num)<<1), 0
	}
	return t.k.semWaiting(s.ID(), uint64(num)<<1|1), 0
}
