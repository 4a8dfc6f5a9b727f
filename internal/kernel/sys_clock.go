package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
)

// Setting the time. The machine's CLOCK_REALTIME is the port's plus what the
// guest has moved it by; CLOCK_MONOTONIC is never set.

// wallClock is CLOCK_REALTIME in nanoseconds.
func (k *Kernel) wallClock() int64 { return k.cfg.Clock.Realtime() + k.wall.shift }

// wallState is what settimeofday(2) and adjtimex(2) set.
type wallState struct {
	shift    int64
	timezone [8]byte // struct timezone
	status   uint32  // STA_*
	maxError int64   // microseconds
	estError int64
	constant int64
	tai      int32 // seconds that CLOCK_TAI is ahead
}

// What adjtimex reports of a clock that nobody has adjusted.
const (
	clockUnsynced  = 16_000_000 // microseconds
	clockConstant  = 2
	clockTolerance = 500 << 16 // parts per million, scaled
	clockTick      = 1_000_000 / clockTicks
)

func newWallState() wallState {
	return wallState{status: linux.STA_UNSYNC, maxError: clockUnsynced, estError: clockUnsynced, constant: clockConstant}
}

// setWallClock moves CLOCK_REALTIME to ns, which may not be before the machine
// started. Timers set for a time of that clock move along.
func (t *Task) setWallClock(ns int64) linux.Errno {
	k := t.k
	if ns < k.now() {
		return linux.EINVAL
	}
	d := ns - k.wallClock()
	k.wall.shift += d
	k.bootTime += d
	type moved struct {
		tm   *timer
		when int64
	}
	var list []moved
	for _, tm := range k.timers.heap {
		if w, ok := tm.target.(wallTimer); ok && w.onWallClock() {
			list = append(list, moved{tm, max(tm.when-d, 0)})
		}
	}
	for _, m := range list {
		k.startTimer(m.tm, m.when, m.tm.target)
	}
	for _, f := range k.sys.cancelable {
		f.clockWasSet()
	}
	return 0
}

// wallTimer is implemented by the targets of timers that can be set for a time
// of CLOCK_REALTIME.
type wallTimer interface{ onWallClock() bool }

// validWallTime checks a time that CLOCK_REALTIME is to be set to: some
// centuries are kept free at the end.
func validWallTime(ts linux.Timespec) (int64, linux.Errno) {
	const last = noDeadline/1e9 - 30*365*24*3600
	ns, errno := timespecNS(ts)
	if ts.Sec >= last {
		errno = linux.EINVAL
	}
	return ns, errno
}

// mayChangeTime reports EPERM unless the caller may set the clock.
func (t *Task) mayChangeTime() linux.Errno {
	if !t.capable(linux.CAP_SYS_TIME) {
		return linux.EPERM
	}
	return 0
}

func sysClockSettime(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if int32(a[0]) != linux.CLOCK_REALTIME {
		return 0, linux.EINVAL
	}
	var ts linux.Timespec
	if errno := t.getStruct(a[1], &ts, linux.SizeofTimespec); errno != 0 {
		return 0, errno
	}
	ns, errno := validWallTime(ts)
	if errno == 0 {
		errno = t.mayChangeTime()
	}
	if errno != 0 {
		return 0, errno
	}
	return 0, t.setWallClock(ns)
}

// sysSettimeofday is settimeofday(2): the time, the time zone.
func sysSettimeofday(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	var tv linux.Timeval
	if a[0] != 0 {
		if errno := t.getStruct(a[0], &tv, linux.SizeofTimeval); errno != 0 {
			return 0, errno
		}
		if tv.Usec < 0 || tv.Usec > 1e6 {
			return 0, linux.EINVAL
		}
	}
	var tz [8]byte
	if a[1] != 0 {
		if errno := t.copyIn(a[1], tz[:]); errno != 0 {
			return 0, errno
		}
	}
	ns := int64(0)
	if a[0] != 0 {
		var errno linux.Errno
		if ns, errno = validWallTime(linux.Timespec{Sec: tv.Sec, Nsec: tv.Usec * 1000}); errno != 0 {
			return 0, errno
		}
	}
	if errno := t.mayChangeTime(); errno != 0 {
		return 0, errno
	}
	if a[1] != 0 {
		const halfDay = 15 * 60
		if west := int32(binary.LittleEndian.Uint32(tz[:])); west < -halfDay || west > halfDay {
			return 0, linux.EINVAL
		}
		t.k.wall.timezone = tz
	}
	if a[0] == 0 {
		return 0, 0
	}
	return 0, t.setWallClock(ns)
}

// timex is struct timex, by offset.
type timex [208]byte

const (
	timexModes     = 0
	timexMaxError  = 24
	timexEstError  = 32
	timexStatus    = 40
	timexConstant  = 48
	timexPrecision = 56
	timexTolerance = 64
	timexSec       = 72
	timexUsec      = 80
	timexTick      = 88
	timexTAI       = 160
)

func (x *timex) get(at int) int64    { return int64(binary.LittleEndian.Uint64(x[at:])) }
func (x *timex) put(at int, v int64) { binary.LittleEndian.PutUint64(x[at:], uint64(v)) }

func sysAdjtimex(t *Task, a *[6]uint64) (uint64, linux.Errno) { return t.adjtime(a[0]) }

// sysClockAdjtime is clock_adjtime(2): a clock, struct timex.
func sysClockAdjtime(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if _, errno := t.clock(int32(a[0])); errno != 0 {
		return 0, errno
	}
	if int32(a[0]) != linux.CLOCK_REALTIME {
		return 0, linux.EOPNOTSUPP
	}
	return t.adjtime(a[1])
}

// adjtime reads and sets the state of CLOCK_REALTIME (adjtimex(2)).
func (t *Task) adjtime(addr uint64) (uint64, linux.Errno) {
	var x timex
	if errno := t.copyIn(addr, x[:]); errno != 0 {
		return 0, errno
	}
	if errno := t.adjust(&x); errno != 0 {
		return 0, errno
	}
	w := &t.k.wall
	now := nsTimespec(t.k.wallClock())
	if w.status&linux.STA_NANO == 0 {
		now.Nsec /= 1000
	}
	modes := uint32(x.get(timexModes))
	x = timex{}
	binary.LittleEndian.PutUint32(x[timexModes:], modes)
	binary.LittleEndian.PutUint32(x[timexStatus:], w.status)
	binary.LittleEndian.PutUint32(x[timexTAI:], uint32(w.tai))
	x.put(timexMaxError, w.maxError)
	x.put(timexEstError, w.estError)
	x.put(timexConstant, w.constant)
	x.put(timexPrecision, 1)
	x.put(timexTolerance, clockTolerance)
	x.put(timexSec, now.Sec)
	x.put(timexUsec, now.Nsec)
	x.put(timexTick, clockTick)
	if errno := t.copyOut(addr, x[:]); errno != 0 {
		return 0, errno
	}
	const timeOK, timeError = 0, 5
	if w.status&(linux.STA_UNSYNC|linux.STA_CLOCKERR) != 0 {
		return timeError, 0
	}
	return timeOK, 0
}

// adjust makes the changes that x asks for. The clock's rate comes from the
// port: the calls that would change it are not permitted, as in a container.
func (t *Task) adjust(x *timex) linux.Errno {
	const singleshotBit, readOnlyBit = 0x8000, 0x2000
	const rate = linux.ADJ_OFFSET | linux.ADJ_FREQUENCY | linux.ADJ_TICK
	modes := uint32(x.get(timexModes))
	if modes&singleshotBit != 0 {
		switch {
		case modes&linux.ADJ_OFFSET == 0:
			return linux.EINVAL
		case modes&readOnlyBit == 0:
			return linux.EPERM
		}
		return 0
	}
	if modes == 0 {
		return 0
	}
	if errno := t.mayChangeTime(); errno != 0 {
		return errno
	}
	if modes&rate != 0 {
		return linux.EPERM
	}
	w := &t.k.wall
	if modes&linux.ADJ_SETOFFSET != 0 {
		unit, limit := int64(1000), int64(1e6)
		if modes&linux.ADJ_NANO != 0 {
			unit, limit = 1, 1e9
		}
		sec, frac := x.get(timexSec), x.get(timexUsec)
		if frac < 0 || frac >= limit || sec > noDeadline/1e9/2 || sec < -noDeadline/1e9/2 {
			return linux.EINVAL
		}
		if errno := t.setWallClock(t.k.wallClock() + sec*1e9 + frac*unit); errno != 0 {
			return errno
		}
	}
	if modes&linux.ADJ_STATUS != 0 {
		w.status = w.status&linux.STA_RONLY | uint32(x.get(timexStatus))&^linux.STA_RONLY
	}
	switch {
	case modes&linux.ADJ_NANO != 0:
		w.status |= linux.STA_NANO
	case modes&linux.ADJ_MICRO != 0:
		w.status &^= linux.STA_NANO
	}
	if modes&linux.ADJ_MAXERROR != 0 {
		w.maxError = max(x.get(timexMaxError), 0)
	}
	if modes&linux.ADJ_ESTERROR != 0 {
		w.estError = max(x.get(timexEstError), 0)
	}
	if modes&linux.ADJ_TIMECONST != 0 {
		w.constant = min(max(x.get(timexConstant), 0), 10)
	}
	if modes&linux.ADJ_TAI != 0 {
		w.tai = int32(x.get(timexConstant))
	}
	return 0
}
