package kernel

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// futexTable holds the tasks that wait for words of memory, by word.
type futexTable struct {
	queues map[mm.Key][]*Task // in order of arrival; PI waiters by priority
}

func (f *futexTable) init() { f.queues = make(map[mm.Key][]*Task) }

// futexWaiter is a task's part of the futex table.
type futexWaiter struct {
	key    mm.Key
	queued bool
	bitset uint32

	pi      bool   // it waits for a lock; see futexpi.go
	addr    uint64 // of the lock's word, in the waiter's memory
	owner   *Task  // who has the lock
	requeue mm.Key // the lock that a FUTEX_WAIT_REQUEUE_PI is to be moved to
}

func (k *Kernel) futexEnqueue(t *Task, key mm.Key, bitset uint32) {
	k.futexEnqueueAs(t, futexWaiter{key: key, bitset: bitset})
}

func (k *Kernel) futexEnqueueAs(t *Task, w futexWaiter) {
	w.queued = true
	t.futex = w
	k.futex.queues[w.key] = append(k.futex.queues[w.key], t)
}

// cancelFutex takes the task off the queue it waits on, if any.
func (t *Task) cancelFutex() {
	if !t.futex.queued {
		return
	}
	t.k.futexDequeue(t)
}

func (k *Kernel) futexDequeue(t *Task) {
	q := k.futex.queues[t.futex.key]
	if i := slices.Index(q, t); i >= 0 {
		q = slices.Delete(q, i, i+1)
	}
	if len(q) == 0 {
		delete(k.futex.queues, t.futex.key)
	} else {
		k.futex.queues[t.futex.key] = q
	}
	t.futex.queued = false
	if t.futex.owner != nil {
		t.leavePI()
	}
}

// futexWake wakes up to n tasks that wait for key with a matching bitset.
func (k *Kernel) futexWake(key mm.Key, n int, bitset uint32) (woken int) {
	for i := 0; i < len(k.futex.queues[key]) && woken < n; {
		t := k.futex.queues[key][i]
		if t.futex.bitset&bitset == 0 {
			i++
			continue
		}
		k.futexDequeue(t)
		t.wake()
		woken++
	}
	return woken
}

// futexWakeAt wakes those who wait for a word, shared or private.
func (k *Kernel) futexWakeAt(as *mm.AddressSpace, addr uint64, n int) {
	if key, errno := as.FutexKey(addr, false); errno == 0 {
		k.futexWake(key, n, linux.FUTEX_BITSET_MATCH_ANY)
	}
}

// sysFutex is futex(2): uaddr, op, val, timeout or val2, uaddr2, val3.
func sysFutex(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	op := uint32(a[1])
	private := op&linux.FUTEX_PRIVATE_FLAG != 0
	cmd := op &^ (linux.FUTEX_PRIVATE_FLAG | linux.FUTEX_CLOCK_REALTIME)
	if op&linux.FUTEX_CLOCK_REALTIME != 0 && cmd != linux.FUTEX_WAIT && cmd != linux.FUTEX_WAIT_BITSET &&
		cmd != linux.FUTEX_WAIT_REQUEUE_PI && cmd != linux.FUTEX_LOCK_PI2 {
		return 0, linux.ENOSYS
	}
	if t.sc.step != 0 {
		return t.futexWoken()
	}
	key, errno := t.as.FutexKey(a[0], private)
	if errno != 0 {
		return 0, errno
	}
	val := uint32(a[2])
	switch cmd {
	case linux.FUTEX_WAIT:
		return t.futexWait(a, key, op, linux.FUTEX_BITSET_MATCH_ANY)
	case linux.FUTEX_WAIT_BITSET:
		return t.futexWait(a, key, op, uint32(a[5]))
	case linux.FUTEX_WAKE:
		if t.k.futexWaitsForPI(key) {
			return 0, linux.EINVAL
		}
		return uint64(t.k.futexWake(key, wakeCount(val), linux.FUTEX_BITSET_MATCH_ANY)), 0
	case linux.FUTEX_WAKE_BITSET:
		if a[5] == 0 {
			return 0, linux.EINVAL
		}
		return uint64(t.k.futexWake(key, wakeCount(val), uint32(a[5]))), 0
	case linux.FUTEX_REQUEUE:
		return t.futexRequeue(a, key, private, false)
	case linux.FUTEX_CMP_REQUEUE:
		return t.futexRequeue(a, key, private, true)
	case linux.FUTEX_WAKE_OP:
		return t.futexWakeOp(a, key, private)
	case linux.FUTEX_LOCK_PI, linux.FUTEX_LOCK_PI2:
		return t.futexLockPI(a, key, cmd, op)
	case linux.FUTEX_TRYLOCK_PI:
		return t.futexTryPI(a[0])
	case linux.FUTEX_UNLOCK_PI:
		return t.futexUnlockPI(a[0], key)
	case linux.FUTEX_WAIT_REQUEUE_PI:
		return t.futexWaitRequeuePI(a, key, op, private)
	case linux.FUTEX_CMP_REQUEUE_PI:
		return t.futexCmpRequeuePI(a, key, private)
	}
	return 0, linux.ENOSYS
}

// wakeCount is the number of tasks a wake call may wake; Linux wakes one even
// for zero.
func wakeCount(v uint32) int { return max(int(int32(v)), 1) }

// futexWait waits if the word still has the expected value.
func (t *Task) futexWait(a *[6]uint64, key mm.Key, op, bitset uint32) (uint64, linux.Errno) {
	if bitset == 0 {
		return 0, linux.EINVAL
	}
	absolute := op&^(linux.FUTEX_PRIVATE_FLAG|linux.FUTEX_CLOCK_REALTIME) != linux.FUTEX_WAIT
	if errno := t.futexTimeout(a[3], op, absolute); errno != 0 {
		return 0, errno
	}
	v, errno := t.as.Uint32(a[0])
	if errno != 0 {
		return 0, errno
	}
	if v != uint32(a[2]) {
		return 0, linux.EAGAIN
	}
	t.k.futexEnqueue(t, key, bitset)
	t.sc.step = 1
	return t.block(linux.ERESTARTSYS)
}

// futexTimeout sets the deadline from a timespec argument; none waits forever.
func (t *Task) futexTimeout(addr uint64, op uint32, absolute bool) linux.Errno {
	if addr == 0 {
		t.sc.deadline = noDeadline
		return 0
	}
	var ts linux.Timespec
	if errno := t.getStruct(addr, &ts, linux.SizeofTimespec); errno != 0 {
		return errno
	}
	ns, errno := timespecNS(ts)
	if errno != 0 {
		return errno
	}
	switch {
	case !absolute:
		t.setTimeout(ns)
	case op&linux.FUTEX_CLOCK_REALTIME != 0:
		t.setTimeout(max(ns-t.k.wallClock(), 0))
	default:
		t.setTimeout(max(ns-t.k.now(), 0))
	}
	return 0
}

// futexWoken is the second stage of a wait.
func (t *Task) futexWoken() (uint64, linux.Errno) {
	if !t.futex.queued {
		return 0, 0 // woken; of a PI lock the unlocker has made us the owner
	}
	if t.timedOut() {
		t.cancelFutex()
		return 0, linux.ETIMEDOUT
	}
	if t.futex.pi || t.futex.requeue != (mm.Key{}) {
		return t.block(linux.ERESTARTNOINTR)
	}
	return t.block(linux.ERESTARTSYS)
}

// futexRequeue wakes some waiters and moves others to a second word.
func (t *Task) futexRequeue(a *[6]uint64, key mm.Key, private, compare bool) (uint64, linux.Errno) {
	nwake, nmove := int(int32(a[2])), int(int32(a[3]))
	if nwake < 0 || nmove < 0 {
		return 0, linux.EINVAL
	}
	to, errno := t.as.FutexKey(a[4], private)
	if errno != 0 {
		return 0, errno
	}
	if compare {
		v, errno := t.as.Uint32(a[0])
		if errno != 0 {
			return 0, errno
		}
		if v != uint32(a[5]) {
			return 0, linux.EAGAIN
		}
	}
	n := 0
	if nwake > 0 {
		n = t.k.futexWake(key, nwake, linux.FUTEX_BITSET_MATCH_ANY)
	}
	if to == key {
		return uint64(n), 0
	}
	for range nmove {
		q := t.k.futex.queues[key]
		if len(q) == 0 {
			break
		}
		w := q[0]
		bitset := w.futex.bitset
		t.k.futexDequeue(w)
		t.k.futexEnqueue(w, to, bitset)
		n++
	}
	return uint64(n), 0
}

// futexWakeOp changes the second word and wakes waiters of both as its old
// value tells.
func (t *Task) futexWakeOp(a *[6]uint64, key mm.Key, private bool) (uint64, linux.Errno) {
	key2, errno := t.as.FutexKey(a[4], private)
	if errno != 0 {
		return 0, errno
	}
	enc := uint32(a[5])
	arg, cmpArg := uint32(int32(enc<<8)>>20), uint32(int32(enc<<20)>>20)
	opcode := enc >> 28
	if opcode&8 != 0 {
		arg = 1 << (arg & 31)
	}
	var old uint32
	for {
		if old, errno = t.as.Uint32(a[4]); errno != 0 {
			return 0, errno
		}
		v, ok := futexOp(opcode&7, old, arg)
		if !ok {
			return 0, linux.ENOSYS
		}
		done, errno := t.as.CompareAndSwap32(a[4], old, v)
		if errno != 0 {
			return 0, errno
		}
		if done {
			break
		}
	}
	match, ok := futexCompare(enc>>24&0xf, old, cmpArg)
	if !ok {
		return 0, linux.ENOSYS
	}
	n := t.k.futexWake(key, wakeCount(uint32(a[2])), linux.FUTEX_BITSET_MATCH_ANY)
	if match {
		n += t.k.futexWake(key2, wakeCount(uint32(a[3])), linux.FUTEX_BITSET_MATCH_ANY)
	}
	return uint64(n), 0
}

func futexOp(op, old, arg uint32) (uint32, bool) {
	switch op {
	case 0: // FUTEX_OP_SET
		return arg, true
	case 1: // ADD
		return old + arg, true
	case 2: // OR
		return old | arg, true
	case 3: // ANDN
		return old &^ arg, true
	case 4: // XOR
		return old ^ arg, true
	}
	return 0, false
}

func futexCompare(cmp, old, arg uint32) (match, ok bool) {
	a, b := int32(old), int32(arg)
	switch cmp {
	case 0:
		return a == b, true
	case 1:
		return a != b, true
	case 2:
		return a < b, true
	case 3:
		return a <= b, true
	case 4:
		return a > b, true
	case 5:
		return a >= b, true
	}
	return false, false
}

const robustListSize = 24

func sysSetRobustList(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[1] != robustListSize {
		return 0, linux.EINVAL
	}
	t.robustList = a[0]
	return 0, 0
}

func sysGetRobustList(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	u := t
	if pid := int(int32(a[0])); pid != 0 {
		if u = t.pidNS().task(pid); u == nil {
			return 0, linux.ESRCH
		}
		if !t.mayInspect(u) {
			return 0, linux.EPERM
		}
	}
	if errno := t.putUint64(a[2], robustListSize); errno != 0 {
		return 0, errno
	}
	return 0, t.putUint64(a[1], u.robustList)
}

// exitRobust marks the robust mutexes that the task holds as orphaned and
// wakes one waiter of each (get_robust_list(2)).
func (t *Task) exitRobust() {
	head := t.robustList
	t.robustList = 0
	if head == 0 {
		return
	}
	const limit = 2048 // ROBUST_LIST_LIMIT
	next, e1 := t.getUint64(head)
	offset, e2 := t.getUint64(head + 8)
	pending, e3 := t.getUint64(head + 16)
	if e1 != 0 || e2 != 0 || e3 != 0 {
		return
	}
	for i := 0; i < limit && next&^1 != head; i++ {
		entry := next
		var errno linux.Errno
		next, errno = t.getUint64(entry &^ 1)
		if entry&^1 != pending&^1 {
			t.orphanMutex(entry&^1+offset, entry&1 != 0, false)
		}
		if errno != 0 {
			break
		}
	}
	if pending != 0 {
		t.orphanMutex(pending&^1+offset, pending&1 != 0, true)
	}
}

func (t *Task) orphanMutex(addr uint64, pi, pending bool) {
	for {
		v, errno := t.as.Uint32(addr)
		if errno != 0 {
			return
		}
		if v&linux.FUTEX_TID_MASK != uint32(t.nr()) {
			if pending && !pi && v == 0 {
				t.k.futexWakeAt(t.as, addr, 1)
			}
			return
		}
		if pi {
			if key, errno := t.as.FutexKey(addr, false); errno == 0 {
				if len(t.k.futex.queues[key]) == 0 {
					key, _ = t.as.FutexKey(addr, true)
				}
				t.k.handOver(t.as, addr, key, linux.FUTEX_OWNER_DIED)
			}
			return
		}
		ok, errno := t.as.CompareAndSwap32(addr, v, v&linux.FUTEX_WAITERS|linux.FUTEX_OWNER_DIED)
		if errno != 0 {
			return
		}
		if ok {
			if v&linux.FUTEX_WAITERS != 0 {
				t.k.futexWakeAt(t.as, addr, 1)
			}
			return
		}
	}
}
