package kernel

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// Priority-inheriting futexes (futex(2), Priority-inheritance futexes). The word
// holds the owner's tid. A task that waits lends the owner its real-time
// priority, along the whole chain of owners that wait themselves; the kernel
// hands a lock over to the waiter of the highest priority.

// futexTryPI takes a free lock; EAGAIN if it has an owner.
func (t *Task) futexTryPI(addr uint64) (uint64, linux.Errno) {
	for {
		v, errno := t.as.Uint32(addr)
		if errno != 0 {
			return 0, errno
		}
		owner := v & linux.FUTEX_TID_MASK
		if owner == uint32(t.nr()) {
			return 0, linux.EDEADLK
		}
		if owner != 0 {
			if t.pidNS().task(int(owner)) == nil && v&linux.FUTEX_OWNER_DIED == 0 {
				return 0, linux.ESRCH
			}
			return 0, linux.EAGAIN
		}
		ok, errno := t.as.CompareAndSwap32(addr, v, uint32(t.nr())|v&(linux.FUTEX_OWNER_DIED|linux.FUTEX_WAITERS))
		if ok || errno != 0 {
			return 0, errno
		}
	}
}

func (t *Task) futexLockPI(a *[6]uint64, key mm.Key, cmd, op uint32) (uint64, linux.Errno) {
	if cmd == linux.FUTEX_LOCK_PI {
		op |= linux.FUTEX_CLOCK_REALTIME
	}
	if errno := t.futexTimeout(a[3], op, true); errno != 0 {
		return 0, errno
	}
	for {
		if _, errno := t.futexTryPI(a[0]); errno != linux.EAGAIN {
			return 0, errno
		}
		owner, errno := t.announceWaiter(a[0])
		if errno == linux.EAGAIN {
			continue
		}
		if errno == 0 {
			errno = t.waitPI(key, a[0], owner)
		}
		if errno != 0 {
			return 0, errno
		}
		t.sc.step = 1
		return t.block(linux.ERESTARTNOINTR)
	}
}

// announceWaiter sets FUTEX_WAITERS in a lock's word, so that the owner unlocks
// it through the kernel, and finds the owner. EAGAIN: the word has changed.
func (t *Task) announceWaiter(addr uint64) (*Task, linux.Errno) {
	v, errno := t.as.Uint32(addr)
	if errno != 0 {
		return nil, errno
	}
	if v&linux.FUTEX_TID_MASK == 0 {
		return nil, linux.EAGAIN
	}
	owner := t.pidNS().task(int(v & linux.FUTEX_TID_MASK))
	if owner == nil || owner.exiting {
		return nil, linux.ESRCH
	}
	ok, errno := t.as.CompareAndSwap32(addr, v, v|linux.FUTEX_WAITERS)
	if errno == 0 && !ok {
		errno = linux.EAGAIN
	}
	return owner, errno
}

// waitPI makes t wait for a lock of owner, unless owner waits for t.
func (t *Task) waitPI(key mm.Key, addr uint64, owner *Task) linux.Errno {
	for u := owner; u != nil; u = u.futex.owner {
		if u == t {
			return linux.EDEADLK
		}
	}
	t.k.futexEnqueueAs(t, futexWaiter{key: key, bitset: linux.FUTEX_BITSET_MATCH_ANY, pi: true, addr: addr, owner: owner})
	owner.piWaiters = append(owner.piWaiters, t)
	owner.inherit()
	return 0
}

// leavePI ends what the waiter t lends to the owner.
func (t *Task) leavePI() {
	owner := t.futex.owner
	t.futex.owner = nil
	owner.piWaiters = remove(owner.piWaiters, t)
	owner.inherit()
}

// inherit gives t the highest priority of those who wait for it, and passes the
// change on along the chain.
func (t *Task) inherit() {
	for u := t; u != nil; u = u.futex.owner {
		boost := 0
		for _, w := range u.piWaiters {
			boost = max(boost, w.sched.priority())
		}
		if boost == u.sched.boost {
			return
		}
		u.requeue(func(e *schedEntity) { e.boost = boost })
	}
}

func (t *Task) futexUnlockPI(addr uint64, key mm.Key) (uint64, linux.Errno) {
	v, errno := t.as.Uint32(addr)
	if errno != 0 {
		return 0, errno
	}
	if v&linux.FUTEX_TID_MASK != uint32(t.nr()) {
		return 0, linux.EPERM
	}
	errno = t.k.handOver(t.as, addr, key, 0)
	t.resched() // a waiter may come before the caller now
	return 0, errno
}

// handOver gives a lock to its first waiter by priority, or frees it. flags are
// kept in the word.
func (k *Kernel) handOver(as *mm.AddressSpace, addr uint64, key mm.Key, flags uint32) linux.Errno {
	q := k.futex.queues[key]
	if len(q) == 0 {
		return as.PutUint32(addr, flags)
	}
	next := q[0]
	for _, w := range q[1:] {
		if w.sched.priority() > next.sched.priority() {
			next = w
		}
	}
	word := uint32(next.nr()) | flags
	if len(q) > 1 {
		word |= linux.FUTEX_WAITERS
	}
	if errno := as.PutUint32(addr, word); errno != 0 {
		return errno
	}
	k.futexDequeue(next)
	for _, w := range k.futex.queues[key] { // they wait for the new owner now
		if w.futex.owner != nil {
			w.leavePI()
			w.futex.owner = next
			next.piWaiters = append(next.piWaiters, w)
		}
	}
	next.inherit()
	next.wake()
	return 0
}

// exitPI hands over the locks that an ended task holds and others wait for
// (exit_pi_state_list).
func (t *Task) exitPI() {
	for len(t.piWaiters) > 0 {
		w := t.piWaiters[0]
		if w.as == nil || t.k.handOver(w.as, w.futex.addr, w.futex.key, linux.FUTEX_OWNER_DIED) != 0 {
			w.leavePI()
		}
	}
}

// futexWaitsForPI reports whether the tasks that wait for key are to be moved to
// a lock, or wait for one: FUTEX_WAKE is a mistake then.
func (k *Kernel) futexWaitsForPI(key mm.Key) bool {
	return slices.ContainsFunc(k.futex.queues[key], func(t *Task) bool {
		return t.futex.pi || t.futex.requeue != (mm.Key{})
	})
}

// futexWaitRequeuePI waits as FUTEX_WAIT does, to be moved to the lock at the
// second address, which the caller has when it returns.
func (t *Task) futexWaitRequeuePI(a *[6]uint64, key mm.Key, op uint32, private bool) (uint64, linux.Errno) {
	to, errno := t.as.FutexKey(a[4], private)
	if errno != 0 {
		return 0, errno
	}
	if to == key {
		return 0, linux.EINVAL
	}
	if errno := t.futexTimeout(a[3], op, true); errno != 0 {
		return 0, errno
	}
	v, errno := t.as.Uint32(a[0])
	if errno != 0 {
		return 0, errno
	}
	if v != uint32(a[2]) {
		return 0, linux.EAGAIN
	}
	t.k.futexEnqueueAs(t, futexWaiter{key: key, bitset: linux.FUTEX_BITSET_MATCH_ANY, addr: a[4], requeue: to})
	t.sc.step = 1
	return t.block(linux.ERESTARTNOINTR)
}

// futexCmpRequeuePI moves waiters of FUTEX_WAIT_REQUEUE_PI to the lock; the
// first of them gets it at once if it is free.
func (t *Task) futexCmpRequeuePI(a *[6]uint64, key mm.Key, private bool) (uint64, linux.Errno) {
	nwake, nmove := int(int32(a[2])), int(int32(a[3]))
	if nwake < 0 || nmove < 0 || nwake != 1 {
		return 0, linux.EINVAL
	}
	to, errno := t.as.FutexKey(a[4], private)
	if errno != 0 {
		return 0, errno
	}
	if to == key {
		return 0, linux.EINVAL
	}
	v, errno := t.as.Uint32(a[0])
	if errno != 0 {
		return 0, errno
	}
	if v != uint32(a[5]) {
		return 0, linux.EAGAIN
	}
	n := 0
	for _, w := range slices.Clone(t.k.futex.queues[key]) {
		if n == nwake+nmove {
			break
		}
		if w.futex.requeue != to {
			return uint64(n), linux.EINVAL
		}
		if errno := w.requeuePI(to, a[4], t); errno != 0 {
			return uint64(n), errno
		}
		n++
	}
	return uint64(n), 0
}

// requeuePI gives the waiter w the lock whose word is at addr in the memory of
// t, or makes it wait for it.
func (w *Task) requeuePI(to mm.Key, addr uint64, t *Task) linux.Errno {
	at := w.futex.addr
	for {
		owner, errno := t.announceWaiter(addr)
		switch errno {
		case 0:
			w.k.futexDequeue(w)
			if errno = w.waitPI(to, at, owner); errno != 0 {
				w.wake()
			}
			return errno
		case linux.EAGAIN:
		default:
			return errno
		}
		v, errno := t.as.Uint32(addr)
		if errno != 0 {
			return errno
		}
		if v&linux.FUTEX_TID_MASK != 0 {
			continue
		}
		ok, errno := t.as.CompareAndSwap32(addr, v, uint32(w.nr())|v&(linux.FUTEX_OWNER_DIED|linux.FUTEX_WAITERS))
		if errno != 0 {
			return errno
		}
		if ok {
			w.k.futexDequeue(w)
			w.wake()
			return 0
		}
	}
}
