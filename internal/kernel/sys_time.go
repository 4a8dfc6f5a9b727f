package kernel

import (
	"github.com/tinevm/tine/internal/linux"
)

// clockTicks is USER_HZ: the unit of times(2) and /proc/PID/stat.
const clockTicks = 100

// ticks converts nanoseconds to clock ticks.
func ticks(ns int64) int64 { return ns / (1e9 / clockTicks) }

// timespecNS converts to nanoseconds; very long times become for ever.
func timespecNS(ts linux.Timespec) (int64, linux.Errno) {
	if ts.Sec < 0 || ts.Nsec < 0 || ts.Nsec >= 1e9 {
		return 0, linux.EINVAL
	}
	if ts.Sec > noDeadline/1e9-1 {
		return noDeadline, 0
	}
	return ts.Sec*1e9 + ts.Nsec, 0
}

func nsTimespec(ns int64) linux.Timespec {
	return linux.Timespec{Sec: ns / 1e9, Nsec: ns % 1e9}
}

func timevalNS(tv linux.Timeval) (int64, linux.Errno) {
	if tv.Usec < 0 || tv.Usec >= 1e6 || tv.Sec < 0 {
		return 0, linux.EINVAL
	}
	return timespecNS(linux.Timespec{Sec: tv.Sec, Nsec: tv.Usec * 1000})
}

func nsTimeval(ns int64) linux.Timeval {
	return linux.Timeval{Sec: ns / 1e9, Usec: ns % 1e9 / 1000}
}

// clock reads a clock by its id (clock_gettime(2)).
func (t *Task) clock(id int32) (int64, linux.Errno) {
	k := t.k
	switch id {
	case linux.CLOCK_REALTIME, linux.CLOCK_REALTIME_COARSE, linux.CLOCK_REALTIME_ALARM:
		return k.wallClock(), 0
	case linux.CLOCK_TAI:
		return k.wallClock() + int64(k.wall.tai)*1e9, 0
	case linux.CLOCK_MONOTONIC, linux.CLOCK_MONOTONIC_RAW, linux.CLOCK_MONOTONIC_COARSE:
		return k.now() + t.ns.time.monotonic, 0
	case linux.CLOCK_BOOTTIME, linux.CLOCK_BOOTTIME_ALARM:
		return k.now() + t.ns.time.boottime, 0
	}
	if isCPUClock(id) {
		return t.cpuClock(id)
	}
	return 0, linux.EINVAL
}

// cpuClock reads the CPU clock of another process or thread, whose id is
// encoded in the clock's (clock_getcpuclockid(3)).
func (t *Task) cpuClock(id int32) (int64, linux.Errno) {
	u, thread, errno := t.cpuClockOf(id)
	if errno != 0 {
		return 0, errno
	}
	if thread {
		t.k.chargeRunning()
		return u.usage.user + u.usage.system, 0
	}
	use := u.group.ownUsage()
	return use.user + use.system, 0
}

// cpuClockOf finds whose processor time a clock counts, and whether it is the
// thread's alone.
func (t *Task) cpuClockOf(id int32) (u *Task, thread bool, errno linux.Errno) {
	const perThread, fdClock, kinds = 4, 3, 3
	switch {
	case id == linux.CLOCK_PROCESS_CPUTIME_ID, id == linux.CLOCK_THREAD_CPUTIME_ID:
		return t, id == linux.CLOCK_THREAD_CPUTIME_ID, 0
	case id&3 == fdClock || id&3 >= kinds:
		return nil, false, linux.EINVAL
	}
	u = t
	if pid := int(^(id >> 3)); pid != 0 {
		if u = t.pidNS().task(pid); u == nil {
			return nil, false, linux.EINVAL
		}
	}
	// A thread's clock is for its own process only, a process's goes by the
	// number of its leader.
	if id&perThread != 0 && u.group != t.group || id&perThread == 0 && u != t && !u.isLeader() {
		return nil, false, linux.EINVAL
	}
	return u, id&perThread != 0, 0
}

func sysClockGettime(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	ns, errno := t.clock(int32(a[0]))
	if errno != 0 {
		return 0, errno
	}
	ts := nsTimespec(ns)
	return 0, t.putStruct(a[1], &ts, linux.SizeofTimespec)
}

func sysClockGetres(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if _, errno := t.clock(int32(a[0])); errno != 0 {
		return 0, errno
	}
	if a[1] == 0 {
		return 0, 0
	}
	ts := linux.Timespec{Nsec: 1}
	if id := int32(a[0]); id == linux.CLOCK_REALTIME_COARSE || id == linux.CLOCK_MONOTONIC_COARSE {
		ts.Nsec = 4e6
	}
	return 0, t.putStruct(a[1], &ts, linux.SizeofTimespec)
}

func sysGettimeofday(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[0] != 0 {
		tv := nsTimeval(t.k.wallClock())
		if errno := t.putStruct(a[0], &tv, linux.SizeofTimeval); errno != 0 {
			return 0, errno
		}
	}
	if a[1] != 0 {
		return 0, t.copyOut(a[1], t.k.wall.timezone[:])
	}
	return 0, 0
}

func sysTime(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	sec, _ := t.k.realtime()
	if a[0] != 0 {
		if errno := t.putUint64(a[0], uint64(sec)); errno != 0 {
			return 0, errno
		}
	}
	return uint64(sec), 0
}

func sysNanosleep(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	return t.sleepUntil(linux.CLOCK_MONOTONIC, false, a[0], a[1])
}

func sysClockNanosleep(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	id := int32(a[0])
	switch id {
	case linux.CLOCK_REALTIME, linux.CLOCK_MONOTONIC, linux.CLOCK_BOOTTIME, linux.CLOCK_TAI:
	case linux.CLOCK_PROCESS_CPUTIME_ID, linux.CLOCK_THREAD_CPUTIME_ID, linux.CLOCK_MONOTONIC_RAW,
		linux.CLOCK_MONOTONIC_COARSE, linux.CLOCK_REALTIME_COARSE:
		return 0, linux.ENOTSUP
	default:
		return 0, linux.EINVAL
	}
	return t.sleepUntil(id, a[1]&linux.TIMER_ABSTIME != 0, a[2], a[3])
}

// sleepUntil sleeps for, or until, the time at req. Interrupted by a signal it
// stores what remains of a relative sleep at rem.
func (t *Task) sleepUntil(clock int32, absolute bool, req, rem uint64) (uint64, linux.Errno) {
	if t.sc.deadline == 0 {
		ts, errno := t.getTimespec(req)
		if errno != 0 {
			return 0, errno
		}
		ns, errno := timespecNS(ts)
		if errno != 0 {
			return 0, errno
		}
		if absolute {
			now, _ := t.clock(clock)
			ns = max(ns-now, 0)
		}
		t.setTimeout(ns)
	}
	if t.timedOut() {
		return 0, 0
	}
	intr := linux.ERESTARTNOHAND
	if !absolute {
		intr = linux.ERESTART_RESTARTBLOCK
		if rem != 0 && t.signalPending() {
			left := nsTimespec(t.sc.deadline - t.k.now())
			if errno := t.putTimespec(rem, left); errno != 0 {
				return 0, errno
			}
		}
	}
	return t.block(intr)
}

// rusage converts usage to what getrusage(2) gives.
func (u *usage) rusage() linux.Rusage {
	return linux.Rusage{
		Utime: nsTimeval(u.user), Stime: nsTimeval(u.system), Maxrss: u.maxrss * 4,
		Minflt: u.minflt, Majflt: u.majflt, Inblock: u.inblock, Oublock: u.oublock,
		Nvcsw: u.nvcsw, Nivcsw: u.nivcsw,
	}
}

func sysTimes(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[0] != 0 {
		own, kids := t.group.ownUsage(), &t.group.childUse
		tms := linux.Tms{Utime: ticks(own.user), Stime: ticks(own.system), Cutime: ticks(kids.user), Cstime: ticks(kids.system)}
		if errno := t.putStruct(a[0], &tms, linux.SizeofTms); errno != 0 {
			return 0, errno
		}
	}
	return uint64(ticks(t.k.now())), 0
}

func sysGetrusage(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	var u usage
	switch int32(a[0]) {
	case linux.RUSAGE_SELF:
		u = t.group.ownUsage()
	case linux.RUSAGE_CHILDREN:
		u = t.group.childUse
	case linux.RUSAGE_THREAD:
		t.k.chargeRunning()
		u = t.usage
		u.maxrss = int64(t.as.PeakPages())
	default:
		return 0, linux.EINVAL
	}
	ru := u.rusage()
	return 0, t.putRusage(a[1], &ru)
}
