package kernel

import "github.com/tinevm/tine/internal/linux"

// Limits and timers that count processor time are looked at each time a task
// comes back from the guest; a process without any pays two comparisons.

// checkCPUTime enforces RLIMIT_CPU and expires the virtual interval timers.
func (t *Task) checkCPUTime(ran int64) {
	g := t.group
	for which := linux.ITIMER_VIRTUAL; which <= linux.ITIMER_PROF; which++ {
		if it := &g.itimers[which]; it.cpuLeft > 0 {
			it.spend(ran)
		}
	}
	if g.posix.virtual > 0 {
		for _, it := range g.posix.list {
			if it != nil && it.cpuLeft > 0 && (it.of == nil || it.of == t) {
				it.spend(ran)
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
