package kernel

import (
	"encoding/binary"
	"math"

	"github.com/tidwall/btree"

	"github.com/tinevm/tine/internal/linux"
)

// itimer is one of the three interval timers of a process (setitimer(2)), or a
// POSIX timer (timer_create(2)): at its time it sends a signal, and starts
// again after interval.
type itimer struct {
	timer
	g        *Group
	interval int64
	cpuLeft  int64 // virtual timers: processor time until the next expiry, ns; 0 is disarmed
	sig      linux.Signal

	// POSIX timers only.
	posix   bool
	id      int32
	clock   int32
	notify  int32 // SIGEV_*
	target  *Task // SIGEV_THREAD_ID
	value   uint64
	missed  int32 // expirations that the queued signal stands for besides its own
	overrun int32 // that number of the last signal delivered (timer_getoverrun(2))
	// absolute: set for a time, not for a span.
	absolute bool
	// of is the thread whose processor time a timer of a thread's clock counts;
	// nil for a process's.
	of *Task
}

// onWallClock implements wallTimer.
func (it *itimer) onWallClock() bool {
	return it.absolute && (it.clock == linux.CLOCK_REALTIME || it.clock == linux.CLOCK_REALTIME_ALARM || it.clock == linux.CLOCK_TAI)
}

// expire implements timerTarget.
func (it *itimer) expire(*timer) {
	k := it.g.k
	if it.interval > 0 {
		missed := max((k.now()-it.when)/it.interval, 0)
		k.startTimer(&it.timer, it.when+(missed+1)*it.interval, it)
		it.missed = int32(min(missed, 1<<31-1))
	}
	it.fire()
}

// fire sends the signal.
func (it *itimer) fire() {
	k := it.g.k
	if !it.posix {
		k.signalGroup(it.g, it.sig, kernelSignal(it.sig))
		return
	}
	if it.notify == linux.SIGEV_NONE {
		return
	}
	info := linux.Siginfo{Signo: it.sig, Code: linux.SI_TIMER, TimerID: it.id, Overrun: it.missed, Value: it.value}
	if it.stillQueued() {
		return
	}
	if it.notify == linux.SIGEV_THREAD_ID && it.target != nil {
		it.target.signalTask(it.sig, info)
		return
	}
	k.signalGroup(it.g, it.sig, info)
}

// stillQueued reports whether the signal of the last expiration has not been
// delivered yet; then this expiration only counts (timer_getoverrun(2)).
func (it *itimer) stillQueued() bool {
	queues := []*sigPending{&it.g.pending}
	if it.target != nil {
		queues = append(queues, &it.target.pending)
	}
	for _, p := range queues {
		for i := range p.queue {
			if q := &p.queue[i]; q.Code == linux.SI_TIMER && q.TimerID == it.id && q.Signo == it.sig {
				q.Overrun += 1 + it.missed
				return true
			}
		}
	}
	return false
}

// timerDelivered notes that the signal of a timer has been taken.
func (g *Group) timerDelivered(info *linux.Siginfo) {
	if it, ok := g.posix.byID.Get(info.TimerID); ok {
		it.overrun = info.Overrun
	}
}

// left is the time to the next expiry, 0 if disarmed.
func (it *itimer) left() int64 {
	if it.virtual() {
		if it.cpuLeft != 0 {
			it.g.k.chargeRunning()
		}
		return it.cpuLeft
	}
	if it.index == 0 {
		return 0
	}
	return max(it.when-it.g.k.now(), 1)
}

// arm sets the timer to value from now, or disarms it.
func (it *itimer) arm(g *Group, value, interval int64) {
	it.g, it.interval = g, interval
	if it.virtual() {
		g.k.chargeRunning()
		it.cpuLeft = value
		return
	}
	if value == 0 {
		g.k.stopTimer(&it.timer)
		return
	}
	g.k.startTimer(&it.timer, g.k.now()+min(value, noDeadline/2), it)
}

// virtual reports whether the timer counts processor time; such timers are not
// in the timer queue (cputime.go).
func (it *itimer) virtual() bool {
	if it.posix {
		return isCPUClock(it.clock)
	}
	return it.sig == linux.SIGVTALRM || it.sig == linux.SIGPROF
}

// isCPUClock reports whether a clock counts the processor time of a process or
// a thread.
func isCPUClock(id int32) bool {
	return id < 0 || id == linux.CLOCK_PROCESS_CPUTIME_ID || id == linux.CLOCK_THREAD_CPUTIME_ID
}

// itimerSignals are the signals of the interval timers by number.
var itimerSignals = [3]linux.Signal{linux.SIGALRM, linux.SIGVTALRM, linux.SIGPROF}

// stopTimers disarms everything that exec and exit disarm.
func (g *Group) stopTimers() {
	g.posix.byID.Scan(func(_ int32, it *itimer) bool {
		g.k.stopTimer(&it.timer)
		return true
	})
	g.posix = posixTimers{nextID: g.posix.nextID}
	if g.leader.exiting || g.alive() == 0 {
		for i := range g.itimers {
			g.k.stopTimer(&g.itimers[i].timer)
		}
	}
}

func sysAlarm(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	it := &t.group.itimers[linux.ITIMER_REAL]
	it.sig = linux.SIGALRM
	var left int64
	if it.index != 0 {
		left = max((it.left()+5e8)/1e9, 1)
	}
	it.arm(t.group, int64(uint32(a[0]))*1e9, 0)
	return uint64(left), 0
}

func (t *Task) itimer(which uint64) (*itimer, linux.Errno) {
	if which >= uint64(len(t.group.itimers)) {
		return nil, linux.EINVAL
	}
	it := &t.group.itimers[which]
	it.g, it.sig = t.group, itimerSignals[which]
	return it, 0
}

func sysGetitimer(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	it, errno := t.itimer(a[0])
	if errno != 0 {
		return 0, errno
	}
	v := linux.Itimerval{Interval: nsTimeval(it.interval), Value: nsTimeval(it.left())}
	return 0, t.putStruct(a[1], &v, linux.SizeofItimerval)
}

func sysSetitimer(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	it, errno := t.itimer(a[0])
	if errno != 0 {
		return 0, errno
	}
	var v linux.Itimerval
	if a[1] != 0 {
		if errno := t.getStruct(a[1], &v, linux.SizeofItimerval); errno != 0 {
			return 0, errno
		}
	}
	value, e1 := timevalNS(v.Value)
	interval, e2 := timevalNS(v.Interval)
	if e1 != 0 || e2 != 0 {
		return 0, linux.EINVAL
	}
	old := linux.Itimerval{Interval: nsTimeval(it.interval), Value: nsTimeval(it.left())}
	it.arm(t.group, value, interval)
	if a[2] != 0 {
		return 0, t.putStruct(a[2], &old, linux.SizeofItimerval)
	}
	return 0, 0
}

// posixTimers are the timers of a process. Ids go up and are not used again
// before all others have been.
type posixTimers struct {
	byID    btree.Map[int32, *itimer]
	nextID  int32
	virtual int // those that count processor time
}

// newID is the id of the next timer.
func (p *posixTimers) newID() int32 {
	for {
		id := p.nextID
		p.nextID = (id + 1) & math.MaxInt32
		if _, used := p.byID.Get(id); !used {
			return id
		}
	}
}

func (t *Task) posixTimer(id uint64) (*itimer, linux.Errno) {
	if it, ok := t.group.posix.byID.Get(int32(id)); ok {
		return it, 0
	}
	return nil, linux.EINVAL
}

func sysTimerCreate(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	clock := int32(a[0])
	if _, errno := t.clock(clock); errno != 0 {
		return 0, errno
	}
	it := &itimer{posix: true, clock: clock, g: t.group, sig: linux.SIGALRM, notify: linux.SIGEV_SIGNAL}
	switch clock {
	case linux.CLOCK_REALTIME, linux.CLOCK_MONOTONIC, linux.CLOCK_BOOTTIME, linux.CLOCK_TAI:
	default:
		// Some clocks can only be read, and there is none that wakes a machine.
		if !isCPUClock(clock) {
			return 0, linux.EOPNOTSUPP
		}
		u, thread, errno := t.cpuClockOf(clock)
		if errno != 0 || u.group != t.group {
			return 0, linux.EINVAL
		}
		if thread {
			it.of = u
		}
	}
	p := &t.group.posix
	if uint64(p.byID.Len()) >= t.rlimit(linux.RLIMIT_SIGPENDING) {
		return 0, linux.EAGAIN
	}
	it.id = p.newID()
	it.value = uint64(it.id)
	if a[1] != 0 {
		if errno := t.timerEvent(it, a[1]); errno != 0 {
			return 0, errno
		}
	}
	if errno := t.putUint32(a[2], uint32(it.id)); errno != 0 {
		return 0, errno
	}
	p.byID.Set(it.id, it)
	if it.virtual() {
		p.virtual++
	}
	return 0, 0
}

// timerEvent reads struct sigevent: how the timer tells.
func (t *Task) timerEvent(it *itimer, addr uint64) linux.Errno {
	var b [64]byte
	if errno := t.copyIn(addr, b[:]); errno != 0 {
		return errno
	}
	le := binary.LittleEndian
	it.value = le.Uint64(b[:])
	it.sig = linux.Signal(int32(le.Uint32(b[8:])))
	it.notify = int32(le.Uint32(b[12:]))
	switch it.notify {
	case linux.SIGEV_NONE:
		return 0
	case linux.SIGEV_SIGNAL, linux.SIGEV_THREAD_ID:
		if !validSignal(uint64(it.sig)) {
			return linux.EINVAL
		}
	default:
		return linux.EINVAL
	}
	if it.notify == linux.SIGEV_THREAD_ID {
		it.target = t.pidNS().task(int(int32(le.Uint32(b[16:]))))
		if it.target == nil || it.target.group != t.group {
			return linux.EINVAL
		}
	}
	return 0
}

func sysTimerSettime(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	var v linux.Itimerspec
	if a[2] == 0 {
		return 0, linux.EINVAL
	}
	if errno := t.getStruct(a[2], &v, linux.SizeofItimerspec); errno != 0 {
		return 0, errno
	}
	value, e1 := timespecNS(v.Value)
	interval, e2 := timespecNS(v.Interval)
	if e1 != 0 || e2 != 0 {
		return 0, linux.EINVAL
	}
	it, errno := t.posixTimer(a[0])
	if errno != 0 {
		return 0, errno
	}
	old := it.spec()
	it.absolute = a[1]&linux.TIMER_ABSTIME != 0
	if value != 0 && it.absolute {
		now, _ := t.clock(it.clock)
		value = max(value-now, 1)
	}
	it.arm(t.group, value, interval)
	if a[3] != 0 {
		return 0, t.putStruct(a[3], &old, linux.SizeofItimerspec)
	}
	return 0, 0
}

func (it *itimer) spec() linux.Itimerspec {
	return linux.Itimerspec{Interval: nsTimespec(it.interval), Value: nsTimespec(it.left())}
}

func sysTimerGettime(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	it, errno := t.posixTimer(a[0])
	if errno != 0 {
		return 0, errno
	}
	v := it.spec()
	return 0, t.putStruct(a[1], &v, linux.SizeofItimerspec)
}

func sysTimerGetoverrun(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	it, errno := t.posixTimer(a[0])
	if errno != 0 {
		return 0, errno
	}
	return uint64(it.overrun), 0
}

func sysTimerDelete(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	it, errno := t.posixTimer(a[0])
	if errno != 0 {
		return 0, errno
	}
	t.k.stopTimer(&it.timer)
	t.group.posix.byID.Delete(it.id)
	if it.virtual() {
		t.group.posix.virtual--
	}
	return 0, 0
}
