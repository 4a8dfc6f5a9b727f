package kernel

import "github.com/tinevm/tine/internal/linux"

// Limits and timers that count processor time are looked at each time a task
// comes back from the guest; a process without any pays two comparisons.

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
		for _, it := range g.posix.list {
			if it != nil && it.cpuLeft > 0 && (it.of == nil || it.of == t) {
				it.spend(user + system)
			}
		}
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
	u := g.ownUsage()
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
