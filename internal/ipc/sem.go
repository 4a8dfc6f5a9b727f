package ipc

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Limits of semaphores: kernel.sem, SEMVMX and SEMAEM.
const (
	semMsl = 32000
	semMns = 1024000000
	SemOpm = 500
	semVmx = 32767
	semAem = semVmx
)

// Set is a semaphore set (semget(2)).
type Set struct {
	Perm
	Sems         []Semaphore
	OTime, CTime int64
	Waiters      vfs.WaitQueue

	ns    *Namespace
	undos []*undo // of all processes
}

// Semaphore is one semaphore.
type Semaphore struct {
	Value int32
	PID   int // of the last operation
}

// Semget finds or makes a set of nsems semaphores.
func (n *Namespace) Semget(c *Caller, key int32, nsems int, flags uint32) (int, linux.Errno) {
	if nsems < 0 || nsems > semMsl {
		return 0, linux.EINVAL
	}
	return n.Sem.get(c, key, flags, func(s *Set) linux.Errno {
		if nsems > len(s.Sems) {
			return linux.EINVAL
		}
		return 0
	}, func(p Perm) (*Set, linux.Errno) {
		if nsems == 0 {
			return nil, linux.EINVAL
		}
		return &Set{Perm: p, Sems: make([]Semaphore, nsems), CTime: c.Now, ns: n}, 0
	})
}

// SemOp is struct sembuf.
type SemOp struct {
	Num   uint16
	Op    int16
	Flags int16
}

// SizeofSemOp is its size.
const SizeofSemOp = 6

// DecodeSemOps reads an array of struct sembuf.
func DecodeSemOps(b []byte) []SemOp {
	ops := make([]SemOp, len(b)/SizeofSemOp)
	for i := range ops {
		p := b[i*SizeofSemOp:]
		ops[i] = SemOp{le.Uint16(p), int16(le.Uint16(p[2:])), int16(le.Uint16(p[4:]))}
	}
	return ops
}

// Undo are the adjustments that the end of a process makes (SEM_UNDO). It is
// shared by tasks with CLONE_SYSVSEM.
type Undo struct{ list []*undo }

// undo are the adjustments to one set.
type undo struct {
	set *Set // nil when the set has been removed
	adj []int32
}

// of returns the adjustments to a set, making them if need be.
func (u *Undo) of(s *Set) *undo {
	for _, a := range u.list {
		if a.set == s {
			return a
		}
	}
	a := &undo{set: s, adj: make([]int32, len(s.Sems))}
	u.list = append(u.list, a)
	s.undos = append(s.undos, a)
	return a
}

// Exit makes the adjustments. A value never goes below zero.
func (u *Undo) Exit(c *Caller) {
	for _, a := range u.list {
		s := a.set
		if s == nil {
			continue
		}
		for i, adj := range a.adj {
			if adj == 0 {
				continue
			}
			s.Sems[i].Value = min(max(s.Sems[i].Value+adj, 0), semVmx)
			s.Sems[i].PID = c.PID
		}
		s.OTime = c.Now
		s.forget(a)
		s.Waiters.Wake(0)
	}
	u.list = nil
}

func (s *Set) forget(a *undo) {
	for i := range s.undos {
		if s.undos[i] == a {
			s.undos = append(s.undos[:i], s.undos[i+1:]...)
			return
		}
	}
}

// Check judges a list of operations before they are tried (semop(2)).
func (s *Set) Check(c *Caller, ops []SemOp) linux.Errno {
	alter := false
	for _, o := range ops {
		if int(o.Num) >= len(s.Sems) {
			return linux.EFBIG
		}
		alter = alter || o.Op != 0
	}
	if alter {
		return s.Allowed(c, 0o222)
	}
	return s.Allowed(c, 0o444)
}

// Try performs all operations or none. EAGAIN with wait set means that the
// caller is to wait for semaphore num to become zero or larger.
func (s *Set) Try(c *Caller, ops []SemOp, u *Undo) (num int, wait bool, errno linux.Errno) {
	before := make([]int32, len(ops))
	i := 0
	for ; i < len(ops); i++ {
		o := &ops[i]
		sem := &s.Sems[o.Num]
		before[i] = sem.Value
		v := sem.Value + int32(o.Op)
		switch {
		case o.Op == 0 && sem.Value != 0, v < 0:
			num, wait, errno = int(o.Num), o.Flags&linux.IPC_NOWAIT == 0, linux.EAGAIN
		case v > semVmx:
			errno = linux.ERANGE
		case o.Flags&linux.SEM_UNDO != 0 && o.Op != 0:
			if adj := u.of(s).adj[o.Num] - int32(o.Op); adj < -semAem-1 || adj > semAem {
				errno = linux.ERANGE
			}
		}
		if errno != 0 {
			break
		}
		sem.Value = v
	}
	if errno != 0 {
		for i--; i >= 0; i-- {
			s.Sems[ops[i].Num].Value = before[i]
		}
		return num, wait, errno
	}
	changed := false
	for _, o := range ops {
		s.Sems[o.Num].PID = c.PID
		changed = changed || o.Op != 0
		if o.Flags&linux.SEM_UNDO != 0 && o.Op != 0 {
			u.of(s).adj[o.Num] -= int32(o.Op)
		}
	}
	s.OTime = c.Now
	if changed {
		s.Waiters.Wake(0)
	}
	return 0, false, 0
}

// SetValue is SETVAL; adjustments to the semaphore are forgotten.
func (s *Set) SetValue(c *Caller, num int, v int32) linux.Errno {
	switch {
	case num < 0 || num >= len(s.Sems):
		return linux.EINVAL
	case v < 0 || v > semVmx:
		return linux.ERANGE
	}
	s.Sems[num] = Semaphore{v, c.PID}
	for _, a := range s.undos {
		a.adj[num] = 0
	}
	s.CTime = c.Now
	s.Waiters.Wake(0)
	return 0
}

// SetAll is SETALL.
func (s *Set) SetAll(c *Caller, b []byte) linux.Errno {
	for i := range s.Sems {
		if le.Uint16(b[2*i:]) > semVmx {
			return linux.ERANGE
		}
	}
	for i := range s.Sems {
		s.SetValue(c, i, int32(le.Uint16(b[2*i:])))
	}
	return 0
}

// Remove is IPC_RMID: those who wait get EIDRM.
func (s *Set) Remove() {
	s.ns.Sem.remove(s)
	for _, a := range s.undos {
		a.set = nil
	}
	s.undos = nil
	s.Waiters.Wake(0)
}

// Set is IPC_SET, from a struct semid64_ds.
func (s *Set) Set(c *Caller, b []byte) {
	s.set(b)
	s.CTime = c.Now
}

// SizeofSemid is the size of struct semid64_ds.
const SizeofSemid = 104

// Encode writes struct semid64_ds.
func (s *Set) Encode(b []byte) {
	clear(b[:SizeofSemid])
	s.encode(b)
	le.PutUint64(b[48:], uint64(s.OTime))
	le.PutUint64(b[64:], uint64(s.CTime))
	le.PutUint64(b[80:], uint64(len(s.Sems)))
}

// SizeofSeminfo is the size of struct seminfo.
const SizeofSeminfo = 40

// EncodeSeminfo writes struct seminfo: for IPC_INFO the limits, for SEM_INFO
// two of them are what is in use.
func (n *Namespace) EncodeSeminfo(b []byte, inUse bool) {
	usz, aem := 20, semAem
	if inUse {
		usz, aem = n.Sem.count, 0
		for _, s := range n.Sem.slots {
			if s != nil {
				aem += len(s.Sems)
			}
		}
	}
	for i, v := range []int{semMns, 32000, semMns, semMns, semMsl, SemOpm, SemOpm, usz, semVmx, aem} {
		le.PutUint32(b[4*i:], uint32(v))
	}
}
