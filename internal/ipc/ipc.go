// Package ipc is System V interprocess communication: shared memory segments,
// semaphore sets and message queues, as sysvipc(7) tells.
//
// Nothing here blocks: an operation that would have to wait returns EAGAIN, and
// the kernel waits on the object's queue and tries again. All of it is
// protected by the kernel lock.
package ipc

import (
	"encoding/binary"
	"iter"

	"github.com/tinevm/tine/internal/linux"
)

var le = binary.LittleEndian

// Namespace has the objects of one machine.
type Namespace struct {
	Shm table[*Segment]
	Sem table[*Set]
	Msg table[*Queue]
}

// New makes an empty namespace.
func New() *Namespace {
	return &Namespace{Shm: table[*Segment]{max: 4096}, Sem: table[*Set]{max: 32000}, Msg: table[*Queue]{max: 32000}}
}

// Close frees the segments that are left.
func (n *Namespace) Close() {
	for _, s := range n.Shm.slots {
		if s != nil {
			s.cache.Release()
		}
	}
	*n = *New()
}

// Caller is who makes a call.
type Caller struct {
	PID      int
	UID, GID uint32 // effective ids
	InGroup  func(gid uint32) bool
	Capable  func(capability int) bool
	Now      int64 // seconds of CLOCK_REALTIME
}

// Perm is the part that all objects have (struct ipc_perm).
type Perm struct {
	Key        int32
	UID, GID   uint32
	CUID, CGID uint32
	Mode       uint32
	id         int
	removed    bool
}

func (p *Perm) perm() *Perm { return p }

// ID returns the identifier.
func (p *Perm) ID() int { return p.id }

// SizeofPerm is the size of struct ipc64_perm.
const SizeofPerm = 48

// encode writes struct ipc64_perm.
func (p *Perm) encode(b []byte) {
	for i, v := range []uint32{uint32(p.Key), p.UID, p.GID, p.CUID, p.CGID, p.Mode, uint32(p.id >> indexBits)} {
		le.PutUint32(b[4*i:], v)
	}
}

// Allowed checks the permission bits of flag, in any of the three places,
// against the object's mode (ipcperms).
func (p *Perm) Allowed(c *Caller, flag uint32) linux.Errno {
	asked := flag>>6 | flag>>3 | flag
	granted := p.Mode
	switch {
	case c.UID == p.CUID || c.UID == p.UID:
		granted >>= 6
	case c.InGroup(p.CGID) || c.InGroup(p.GID):
		granted >>= 3
	}
	if asked&^granted&7 != 0 && !c.Capable(linux.CAP_IPC_OWNER) {
		return linux.EACCES
	}
	return 0
}

// MayControl checks that the caller may change or remove the object.
func (p *Perm) MayControl(c *Caller) linux.Errno {
	if c.UID == p.UID || c.UID == p.CUID || c.Capable(linux.CAP_SYS_ADMIN) {
		return 0
	}
	return linux.EPERM
}

// set is the IPC_SET command: owner and permissions from a struct ipc64_perm.
func (p *Perm) set(b []byte) {
	p.UID, p.GID = le.Uint32(b[4:]), le.Uint32(b[8:])
	p.Mode = p.Mode&^0o777 | le.Uint32(b[20:])&0o777
}

// indexBits is how many bits of an identifier are the index of the object; the
// others are a sequence number that tells reuses apart.
const indexBits = 15

type object interface {
	comparable
	perm() *Perm
}

// table has the objects of one kind, by index.
type table[T object] struct {
	slots []T
	next  int // behind the index handed out last
	seq   int
	max   int
	count int
}

// insert gives an object an identifier: the lowest free index, and the next
// sequence number if the index may have been used before.
func (t *table[T]) insert(o T) linux.Errno {
	var none T
	if t.count >= t.max {
		return linux.ENOSPC
	}
	i := 0
	for i < len(t.slots) && t.slots[i] != none {
		i++
	}
	if i == len(t.slots) {
		t.slots = append(t.slots, o)
	}
	t.slots[i] = o
	if t.count++; i < t.next {
		t.seq = (t.seq + 1) & 0xffff
	}
	t.next = i + 1
	o.perm().id = t.seq<<indexBits | i
	return 0
}

// remove takes an object out.
func (t *table[T]) remove(o T) {
	var none T
	p := o.perm()
	t.slots[p.id&(1<<indexBits-1)] = none
	p.removed = true
	t.count--
}

// Find finds an object by identifier: EINVAL if there is none, EIDRM if its
// place is taken by a later one.
func (t *table[T]) Find(id int) (o T, errno linux.Errno) {
	var none T
	i := id & (1<<indexBits - 1)
	if id < 0 || i >= len(t.slots) || t.slots[i] == none {
		return none, linux.EINVAL
	}
	if t.slots[i].perm().id != id {
		return none, linux.EIDRM
	}
	return t.slots[i], 0
}

// At returns the object at an index, for the SHM_STAT family.
func (t *table[T]) At(i int) (o T, errno linux.Errno) {
	var none T
	if i < 0 || i >= len(t.slots) || t.slots[i] == none {
		return none, linux.EINVAL
	}
	return t.slots[i], 0
}

// All gives the objects in the order of their indices.
func (t *table[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		var none T
		for _, o := range t.slots {
			if o != none && !yield(o) {
				return
			}
		}
	}
}

// Highest is the highest index in use; -1 if there is none.
func (t *table[T]) Highest() int {
	var none T
	for i := len(t.slots) - 1; i >= 0; i-- {
		if t.slots[i] != none {
			return i
		}
	}
	return -1
}

// Count is the number of objects.
func (t *table[T]) Count() int { return t.count }

// get is shmget, semget and msgget: check judges an existing object, create
// makes a new one.
func (t *table[T]) get(c *Caller, key int32, flags uint32, check func(T) linux.Errno, create func(Perm) (T, linux.Errno)) (int, linux.Errno) {
	var none T
	if key != linux.IPC_PRIVATE {
		for _, o := range t.slots {
			if o == none || o.perm().Key != key {
				continue
			}
			if flags&(linux.IPC_CREAT|linux.IPC_EXCL) == linux.IPC_CREAT|linux.IPC_EXCL {
				return 0, linux.EEXIST
			}
			if errno := check(o); errno != 0 {
				return 0, errno
			}
			return o.perm().id, o.perm().Allowed(c, flags)
		}
		if flags&linux.IPC_CREAT == 0 {
			return 0, linux.ENOENT
		}
	}
	o, errno := create(Perm{Key: key, UID: c.UID, GID: c.GID, CUID: c.UID, CGID: c.GID, Mode: flags & 0o777})
	if errno != 0 {
		return 0, errno
	}
	if errno := t.insert(o); errno != 0 {
		return 0, errno
	}
	return o.perm().id, 0
}
