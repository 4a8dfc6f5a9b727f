package trace

import (
	"fmt"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// schedKinds are the kinds of scheduling and of futexes.
func schedKinds() map[string]kind {
	return map[string]kind{
		"priowhich":   one(prioWhich, "PRIO_???"),
		"schedpolicy": now(printPolicy),
		"schedparam":  now(printSchedParam),
		"schedparam>": later(printSchedParam),
		"schedattr":   {print: func(d *decoder, i int) { d.schedAttr(d.args[i], 0) }},
		"schedattr>": {late: true, print: func(d *decoder, i int) {
			if size := uint32(d.args[i+1]); size == 0 || d.failed() {
				d.ptr(d.args[i])
			} else {
				d.schedAttr(d.args[i], uint64(size))
			}
		}},
		"cpuset": {print: func(d *decoder, i int) { d.cpuset(d.args[i], d.args[i-1]) }},
		"cpuset>": {late: true, print: func(d *decoder, i int) {
			if d.failed() {
				d.ptr(d.args[i])
			} else {
				d.cpuset(d.args[i], uint64(d.ret))
			}
		}},
		"ioprio_who": one(ioprioWho, "IOPRIO_WHO_???"),
		"ioprio":     now(func(d *decoder, a uint64) { d.str(ioprio(a)) }),
		"policy=": {print: func(*decoder, int) {}, exit: func(d *decoder) {
			if !d.failed() {
				d.note = lookup(schedPolicies, uint64(d.ret))
			}
		}},
		"ioprio=": {print: func(*decoder, int) {}, exit: func(d *decoder) {
			if !d.failed() {
				d.note = ioprio(uint64(d.ret))
			}
		}},
		"futex": {print: printFutex},
	}
}

func printPolicy(d *decoder, a uint64) {
	d.value(schedPolicies, uint64(uint32(a)), "SCHED_???")
}

func printSchedParam(d *decoder, a uint64) { d.indirect(a, 4, func(b []byte) { d.int(i32(b, 0)) }) }

// schedAttr writes struct sched_attr; stored is the size of the buffer that the
// kernel has filled, 0 if the caller has.
func (d *decoder) schedAttr(addr, stored uint64) {
	const minSize, maxSize = 48, 56 // SCHED_ATTR_SIZE_VER0, _VER1
	size := stored
	if stored == 0 {
		b := d.mem(addr, 4)
		if b == nil {
			return
		}
		if size = u32(b, 0); size == 0 {
			size = minSize
		}
	}
	b := make([]byte, maxSize)
	got := d.mem(addr, int(min(size, maxSize)))
	if got == nil {
		return
	}
	copy(b, got)
	d.f("{size=%d", u32(b, 0))
	if stored != 0 {
		size = u32(b, 0)
	}
	if size >= minSize {
		d.str(", sched_policy=")
		d.value(schedPolicies, u32(b, 4), "SCHED_???")
		d.str(", sched_flags=")
		d.flags(schedFlags, u64(b, 8), "SCHED_FLAG_???")
		d.f(", sched_nice=%d, sched_priority=%d, sched_runtime=%d, sched_deadline=%d, sched_period=%d",
			i32(b, 16), u32(b, 20), u64(b, 24), u64(b, 32), u64(b, 40))
	}
	if size >= maxSize {
		d.f(", sched_util_min=%d, sched_util_max=%d", u32(b, 48), u32(b, 52))
	}
	if size > maxSize {
		d.str(", ...")
	}
	d.str("}")
}

// cpuset writes the numbers of the bits of n bytes.
func (d *decoder) cpuset(addr, n uint64) {
	if addr != 0 && n == 0 {
		d.str("[]")
		return
	}
	b := d.mem(addr, int(min(n, 1024)))
	if b == nil {
		return
	}
	var list []string
	for i := range len(b) * 8 {
		if b[i/8]>>(i%8)&1 != 0 {
			list = append(list, fmt.Sprint(i))
		}
	}
	d.str("[" + strings.Join(list, " ") + "]")
}

// ioprio takes an I/O priority apart.
func ioprio(v uint64) string {
	class := lookup(ioprioClass, v>>13&7)
	if class == "" {
		class = fmt.Sprintf("%#x /* IOPRIO_CLASS_??? */", v>>13&7)
	}
	return fmt.Sprintf("IOPRIO_PRIO_VALUE(%s, %d)", class, v&0x1fff)
}

// printFutex writes the arguments that the operation uses (futex(2)).
func printFutex(d *decoder, _ int) {
	const private, realtime = linux.FUTEX_PRIVATE_FLAG, linux.FUTEX_CLOCK_REALTIME
	op := uint64(uint32(d.args[1]))
	d.ptr(d.args[0])
	d.next()
	name := lookup(futexOps, op&^(private|realtime))
	if name == "" {
		d.f("%#x /* FUTEX_??? */", op)
	} else {
		d.str(name)
		if op&private != 0 {
			d.str("_PRIVATE")
		}
		if op&realtime != 0 {
			d.str("|FUTEX_CLOCK_REALTIME")
		}
	}
	uint := func(v uint64) { d.next(); d.uint(uint64(uint32(v))) }
	timeout := func() { d.next(); d.timespecAt(d.args[3]) }
	addr2 := func() { d.next(); d.ptr(d.args[4]) }
	bitset := func() {
		d.next()
		if uint32(d.args[5]) == ^uint32(0) {
			d.str("FUTEX_BITSET_MATCH_ANY")
		} else {
			d.x(uint64(uint32(d.args[5])))
		}
	}
	switch op &^ (private | realtime) {
	case linux.FUTEX_WAIT:
		uint(d.args[2])
		timeout()
	case linux.FUTEX_LOCK_PI, linux.FUTEX_LOCK_PI2:
		timeout()
	case linux.FUTEX_WAIT_BITSET:
		uint(d.args[2])
		timeout()
		bitset()
	case linux.FUTEX_WAKE_BITSET:
		uint(d.args[2])
		bitset()
	case linux.FUTEX_REQUEUE:
		uint(d.args[2])
		uint(d.args[3])
		addr2()
	case linux.FUTEX_CMP_REQUEUE, linux.FUTEX_CMP_REQUEUE_PI:
		uint(d.args[2])
		uint(d.args[3])
		addr2()
		uint(d.args[5])
	case linux.FUTEX_WAKE_OP:
		uint(d.args[2])
		uint(d.args[3])
		addr2()
		d.next()
		d.wakeOp(uint64(uint32(d.args[5])))
	case linux.FUTEX_WAIT_REQUEUE_PI:
		uint(d.args[2])
		timeout()
		addr2()
	case linux.FUTEX_WAKE, linux.FUTEX_FD:
		uint(d.args[2])
	case linux.FUTEX_UNLOCK_PI, linux.FUTEX_TRYLOCK_PI:
	default:
		uint(d.args[2])
		d.next()
		d.ptr(d.args[3])
		addr2()
		d.next()
		d.x(uint64(uint32(d.args[5])))
	}
}

// wakeOp takes the operation of FUTEX_WAKE_OP apart.
func (d *decoder) wakeOp(v uint64) {
	if v>>28&8 != 0 {
		d.str("FUTEX_OP_OPARG_SHIFT<<28|")
	}
	d.value(futexWakeOp, v>>28&7, "FUTEX_OP_???")
	d.str("<<28|")
	d.x(v >> 12 & 0xfff)
	d.str("<<12|")
	d.value(futexWakeCmp, v>>24&15, "FUTEX_OP_CMP_???")
	d.str("<<24|")
	d.x(v & 0xfff)
}
