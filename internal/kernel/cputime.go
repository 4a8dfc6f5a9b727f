package kernel

import (
	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/linux"
)

// Processor time. Reading the host's clock costs as much as a short system call,
// so it is not read at each border between guest and kernel. The cycles on either
// side are summed up, and once in a while, or when somebody asks, the time that
// the clock says has passed is divided in their proportion. Limits and timers that
// count processor time are looked at then.

// cpuTime is what one processor did.
type cpuTime struct {
	user, nice, system int64 // ns, charged to tasks

	at     int64  // CLOCK_MONOTONIC ns: all before is charged
	border uint64 // cycles at the last way in or out of the guest
	guest  uint64 // cycles on either side since at
	kernel uint64
}

// chargePeriod is after how many cycles time is charged: about 100 µs, less than
// a slice.
const chargePeriod = 1 << 18

// cycles counts instructions on a seeded machine, where nothing else may matter.
func (p *processor) cycles() uint64 {
	if s := p.k.seeded; s != nil {
		return uint64(s.ns)
	}
	return cpu.Cycles()
}

// passed is the number of cycles since the last border, which moves here. Host
// processors may disagree a little.
func (p *processor) passed() uint64 {
	c := p.cycles()
	n := max(int64(c-p.time.border), 0)
	p.time.border = c
	return uint64(n)
}

// intoGuest and outOfGuest are called at the borders.
func (p *processor) intoGuest()  { p.time.kernel += p.passed() }
func (p *processor) outOfGuest() { p.time.guest += p.passed() }

// chargeDue reports whether enough has passed to be charged. On a seeded machine,
// whose timers are due at an instruction, it always has.
func (p *processor) chargeDue() bool {
	return p.time.guest+p.time.kernel > chargePeriod || p.k.seeded != nil
}

// beginCharge starts to count after idling.
func (p *processor) beginCharge(now int64) {
	p.time.at = now
	p.passed()
	p.time.guest, p.time.kernel = 0, 0
}

// charge charges what has passed to the processor's task, and returns the time.
func (p *processor) charge() int64 {
	c, t := &p.time, p.task
	now := p.k.now()
	if !p.inGuest {
		c.kernel += p.passed()
	}
	elapsed := now - c.at
	user := int64(0)
	if c.guest > 0 {
		user = int64(float64(elapsed) * float64(c.guest) / float64(c.guest+c.kernel))
	}
	system := elapsed - user
	c.at, c.guest, c.kernel = now, 0, 0
	c.system += system
	if t.sched.nice > 0 {
		c.nice += user
	} else {
		c.user += user
	}
	t.usage.user += user
	t.usage.system += system
	if !t.exiting {
		t.chargeCPU(user, system)
		t.checkCPUTime(user, system)
	}
	return now
}

// settle charges, and does what is due by then.
func (p *processor) settle() int64 {
	now := p.charge()
	if now >= p.k.load.next {
		p.k.sampleLoad(now)
	}
	return now
}

// chargeRunning charges what the tasks in the kernel have used, for somebody who
// wants to know or begins to count. What runs in the guest is charged when it
// comes out.
func (k *Kernel) chargeRunning() {
	for _, p := range k.cpus {
		if p.task != nil && !p.inGuest {
			p.charge()
		}
	}
}

// checkCPUTime enforces RLIMIT_CPU and expires the timers that count processor
// time: ITIMER_VIRTUAL only that in the guest, the others all.
func (t *Task) checkCPUTime(user, system int64) {
	g := t.group
	if it := &g.itimers[linux.ITIMER_VIRTUAL]; it.cpuLeft > 0 {
		it.spend(user)
	}
	if it := &g.itimers[linux.ITIMER_PROF]; it.cpuLeft > 0 {
		it.spend(user + system)
	}
	if g.posix.virtual > 0 {
		g.posix.byID.Scan(func(_ int32, it *itimer) bool {
			if it.cpuLeft > 0 && (it.of == nil || it.of == t) {
				it.spend(user + system)
			}
			return true
		})
	}
	if g.rlimits[linux.RLIMIT_CPU].Cur != ^uint64(0) {
		g.checkCPULimit()
	}
}

// spend takes processor time off a virtual timer.
func (it *itimer) spend(ran int64) {
	if it.cpuLeft -= ran; it.cpuLeft > 0 {
		return
	}
	late := -it.cpuLeft
	it.cpuLeft, it.overrun = 0, 0
	if it.interval > 0 {
		it.overrun = int32(min(late/it.interval, 1<<31-1))
		it.cpuLeft = it.interval - late%it.interval
	}
	it.fire()
}

// checkCPULimit sends SIGXCPU at the soft limit and each second after it, and
// SIGKILL at the hard one (getrlimit(2)).
func (g *Group) checkCPULimit() {
	u := g.chargedUsage()
	used := uint64(u.user+u.system) / 1e9
	r := &g.rlimits[linux.RLIMIT_CPU]
	switch {
	case used >= r.Max:
		g.kill(linux.SIGKILL)
	case used >= r.Cur:
		g.k.signalGroup(g, linux.SIGXCPU, kernelSignal(linux.SIGXCPU))
		r.Cur = used + 1
	}
}
