package trace

import (
	"fmt"
	"time"

	"github.com/tinevm/tine/internal/linux"
)

// timeKinds are the kinds of clocks, times and timers.
func timeKinds() map[string]kind {
	pair := func(write func(d *decoder, b []byte), first, second string, half int) func(d *decoder, a uint64) {
		return func(d *decoder, a uint64) {
			if b := d.mem(a, 2*half); b != nil {
				d.str("{" + first + "=")
				write(d, b)
				d.str(", " + second + "=")
				write(d, b[half:])
				d.str("}")
			}
		}
	}
	itimerspec := pair((*decoder).timespec, "it_interval", "it_value", 16)
	itimerval := pair((*decoder).timeval, "it_interval", "it_value", 16)
	return map[string]kind{
		"waitspec": {
			enter: func(d *decoder, i int) { d.kept = d.sub(func() { d.timespecAt(d.args[i]) }) },
			print: func(d *decoder, _ int) { d.str(d.kept) },
		},
		"timespec":  now((*decoder).timespecAt),
		"timespec>": later((*decoder).timespecAt),
		"timeleft>": {late: true, print: printTimeLeft},
		"timeval":   now((*decoder).timevalAt),
		"timeval>":  later((*decoder).timevalAt),
		"timezone":  now(printTimezone),
		"timezone>": later(printTimezone),
		"timeptr>": later(func(d *decoder, a uint64) {
			d.indirect(a, 8, func(b []byte) { d.int(int64(u64(b, 0))); d.date(int64(u64(b, 0)), 0, 0) })
		}),
		"clock":       one(clocks, "CLOCK_???"),
		"clockflags":  set(clockFlags, "TIMER_???"),
		"timerflags":  set(clockFlags, "TIMER_???"),
		"itimer":      one(itimers, "ITIMER_???"),
		"itimerval":   now(itimerval),
		"itimerval>":  later(itimerval),
		"itimerspec":  now(itimerspec),
		"itimerspec>": later(itimerspec),
		"timerid":     now(func(d *decoder, a uint64) { d.int(int64(int32(a))) }),
		"timeridptr>": later(func(d *decoder, a uint64) { d.indirect(a, 4, func(b []byte) { d.int(i32(b, 0)) }) }),
		"tfdflags":    set(tfdFlags, "TFD_???"),
		"tfdsetflags": set(tfdSetFlags, "TFD_???"),
		"sigevent":    now((*decoder).sigevent),
		"timex>": {late: true, print: func(d *decoder, i int) { d.timex(d.args[i]) }, exit: func(d *decoder) {
			if !d.failed() {
				d.note = lookup(timexStates, uint64(d.ret))
			}
		}},
		"tms>": later(func(d *decoder, a uint64) {
			if b := d.mem(a, linux.SizeofTms); b != nil {
				d.f("{tms_utime=%d, tms_stime=%d, tms_cutime=%d, tms_cstime=%d}", u64(b, 0), u64(b, 8), u64(b, 16), u64(b, 24))
			}
		}),
	}
}

func (d *decoder) timespec(b []byte) {
	d.f("{tv_sec=%d, tv_nsec=%d}", int64(u64(b, 0)), int64(u64(b, 8)))
}

func (d *decoder) timeval(b []byte) {
	d.f("{tv_sec=%d, tv_usec=%d}", int64(u64(b, 0)), int64(u64(b, 8)))
}

func (d *decoder) timespecAt(addr uint64) {
	if b := d.mem(addr, 16); b != nil {
		d.timespec(b)
	}
}

func (d *decoder) timevalAt(addr uint64) {
	if b := d.mem(addr, 16); b != nil {
		d.timeval(b)
	}
}

// date explains a time: seconds since 1970 and a fraction of digits digits.
func (d *decoder) date(sec, fraction int64, digits int) {
	if sec == 0 && fraction == 0 {
		return
	}
	t := time.Unix(sec, 0).UTC()
	s := " /* " + t.Format("2006-01-02T15:04:05")
	if fraction > 0 {
		s += fmt.Sprintf(".%0*d", digits, fraction)
	}
	d.str(s + "+0000 */")
}

// printTimeLeft writes what is left of a sleep, which the kernel stores only if
// a signal has ended it.
func printTimeLeft(d *decoder, i int) {
	if e := linux.Errno(-d.ret); d.ret < 0 && (e == linux.ERESTART_RESTARTBLOCK || e == linux.EINTR) {
		if b := d.peek(d.args[i], 16); b != nil {
			d.timespec(b)
			return
		}
	}
	d.ptr(d.args[i])
}

func printTimezone(d *decoder, a uint64) {
	if b := d.mem(a, 8); b != nil {
		d.f("{tz_minuteswest=%d, tz_dsttime=%d}", i32(b, 0), i32(b, 4))
	}
}

func (d *decoder) sigevent(addr uint64) {
	b := d.mem(addr, 64)
	if b == nil {
		return
	}
	d.str("{")
	if v := u64(b, 0); v != 0 {
		d.f("sigev_value={sival_int=%d, sival_ptr=%#x}, ", int32(v), v)
	}
	notify := u32(b, 12)
	d.str("sigev_signo=")
	if notify == linux.SIGEV_NONE || notify > linux.SIGEV_THREAD_ID {
		d.uint(u32(b, 8))
	} else {
		d.signal(u32(b, 8))
	}
	d.str(", sigev_notify=")
	d.value(sigevNotify, notify, "SIGEV_???")
	switch notify {
	case linux.SIGEV_THREAD_ID:
		d.f(", sigev_notify_thread_id=%d", i32(b, 16))
	case linux.SIGEV_THREAD:
		d.str(", sigev_notify_function=")
		d.ptr(u64(b, 16))
		d.str(", sigev_notify_attributes=")
		d.ptr(u64(b, 24))
	}
	d.str("}")
}

// timex writes what adjtimex(2) knows about the clock.
func (d *decoder) timex(addr uint64) {
	const size = 208
	b := d.mem(addr, size)
	if b == nil {
		return
	}
	long := func(off int) int64 { return int64(u64(b, off)) }
	d.str("{modes=")
	d.flags(timexModes, u32(b, 0), "ADJ_???")
	d.f(", offset=%d, freq=%d, maxerror=%d, esterror=%d, status=", long(8), long(16), u64(b, 24), u64(b, 32))
	d.flags(timexStatus, u32(b, 40), "STA_???")
	d.f(", constant=%d, precision=%d, tolerance=%d, time=", long(48), u64(b, 56), long(64))
	d.timeval(b[72:])
	d.f(", tick=%d, ppsfreq=%d, jitter=%d, shift=%d, stabil=%d, jitcnt=%d, calcnt=%d, errcnt=%d, stbcnt=%d, tai=%d}",
		long(88), long(96), long(104), i32(b, 112), long(120), long(128), long(136), long(144), long(152), i32(b, 160))
}
