package kernel

import (
	"math"

	"github.com/tidwall/btree"
)

// cgroupCPU is the cpu controller: weights share out the processors between the
// groups below one parent and its own tasks, and a quota limits how much time a
// group gets in each period.
//
// There is one run queue for all groups. What a group's weight does is to make
// the clocks of its tasks run faster or slower: a task's weight is its part of
// its group's runnable weight, times the part that the group has, and so on up
// to the root. Tasks of a group that has used up its quota are not in the run
// queue but in the group's list until the next period.
type cgroupCPU struct {
	user, system int64 // processor time used here and below, ns

	hasCPU   bool    // has the controller
	cpuGroup *cgroup // the nearest group from here up that has; nil: the root
	weight   int64   // cpu.weight: 1 to 10000
	load     int64   // weights of what is runnable directly below
	runnable int     // and how many that are

	bandwidth
}

// bandwidth is cpu.max. Times are in nanoseconds.
type bandwidth struct {
	quota    int64 // per period; less than 0: none
	period   int64
	left     int64 // of this period; less than 0 when tasks ran longer
	refill   timer // the end of the period; not armed while nothing runs
	ran      bool  // in this period
	spent    bool  // the quota is used up: tasks wait
	spentAt  int64
	periods  int64 // that have passed while tasks ran
	spents   int64 // of them, those in which the quota was used up
	waited   int64 // time during which it was used up
	parked   btree.Map[uint64, *Task]
	parkings uint64
}

// cgroupSched is what the controller knows of a task.
type cgroupSched struct {
	loadIn     *cgroup // the group in which it counts as runnable; nil: the root, or none
	loadWeight int64
	parkedIn   *cgroup // the group for whose quota it waits
	parkedAt   uint64
}

const (
	defaultWeight = 100
	maxWeight     = 10000
	defaultPeriod = 100_000_000
	// weightScale is by how much weights are scaled up when groups have them, so
	// that a small part of a small part is still a number.
	weightScale = 10
)

func (c *cgroup) resetCPU() {
	c.weight, c.quota, c.period = defaultWeight, -1, defaultPeriod
	c.periods, c.spents, c.waited = 0, 0, 0
}

func (c *cgroup) enableCPU() {
	c.resetCPU()
	c.k.cgroups.weighted = true
	c.regroup(true)
}

func (c *cgroup) disableCPU() {
	c.setQuota(-1, defaultPeriod)
	c.regroup(false)
	c.resetCPU()
}

// regroup gives c the controller or takes it, which changes whose weights count
// for the tasks of c and below.
func (c *cgroup) regroup(on bool) {
	var loaded []*Task
	c.each(func(d *cgroup) {
		for g := range d.procs.all {
			for _, t := range g.threads {
				if t.unload() || t.state == TaskRunning && t.sched.index >= 0 {
					loaded = append(loaded, t)
				}
			}
		}
	})
	c.hasCPU = on
	c.each(func(d *cgroup) {
		d.cpuGroup = d.parent.cpuGroup
		if d.hasCPU {
			d.cpuGroup = d
		}
	})
	for _, t := range loaded {
		t.load()
	}
}

// setWeight is a write to cpu.weight.
func (c *cgroup) setWeight(w int64) {
	if up := c.parent.cpuGroup; c.runnable > 0 && up != nil {
		up.load -= c.shares()
		defer func() { up.load += c.shares() }()
	}
	c.weight = w
}

// shares is the weight on the scale of those of tasks: 100 is nice 0.
func (c *cgroup) shares() int64 { return max(c.weight*nice0Weight/defaultWeight, 1) }

// load counts the task among what is runnable in its group.
func (t *Task) load() {
	if !t.k.cgroups.weighted {
		return
	}
	e := &t.sched
	c := t.group.cgroup.cpuGroup
	if w := e.weight(); e.loadIn != c || e.loadWeight != w {
		t.unload()
		if c != nil {
			e.loadIn, e.loadWeight = c, w
			c.addLoad(w, 1)
		}
	}
}

// unload undoes load and reports whether there was something to undo.
func (t *Task) unload() bool {
	c := t.sched.loadIn
	if c == nil {
		return false
	}
	t.sched.loadIn = nil
	c.addLoad(-t.sched.loadWeight, -1)
	return true
}

// addLoad counts something runnable in the group, and the group in the one above
// if that makes it runnable.
func (c *cgroup) addLoad(w int64, n int) {
	for {
		c.load += w
		was := c.runnable
		c.runnable += n
		up := c.parent.cpuGroup
		if (was == 0) == (c.runnable == 0) || up == nil {
			return
		}
		if w = c.shares(); n < 0 {
			w = -w
		}
		c = up
	}
}

// share is the task's weight among all tasks of the machine, scaled up by
// weightScale bits.
func (t *Task) share() int64 {
	w := t.sched.weight() << weightScale
	for c := t.sched.loadIn; c != nil; c = c.parent.cpuGroup {
		w = w * c.shares() / max(c.load, 1)
	}
	return max(w, 1)
}

// chargeCPU counts processor time that a task has used.
func (t *Task) chargeCPU(user, system int64) {
	for c := t.group.cgroup; c != nil; c = c.parent {
		c.user += user
		c.system += system
		if c.quota >= 0 && !t.sched.realtime() {
			c.spend(user + system)
		}
	}
}

// spend takes time off the quota. The first use after a rest begins a period.
func (c *cgroup) spend(ns int64) {
	k := c.k
	if c.refill.index == 0 {
		c.left = c.quota
		k.startTimer(&c.refill, k.now()+c.period, c)
	}
	c.ran = true
	if c.left -= ns; c.left > 0 || c.spent {
		return
	}
	c.spent, c.spentAt = true, k.now()
	k.cgroups.throttled++
	for _, p := range k.cpus {
		if t := p.task; t != nil && t.group.cgroup.within(c) {
			k.needResched[p.id] = true
			p.v.Stop()
		}
	}
}

// expire implements timerTarget: a period has ended.
func (c *cgroup) expire(*timer) {
	k := c.k
	if !c.ran && !c.spent {
		return // nothing runs: the next use begins a period
	}
	now := k.now()
	n := 1 + (now-c.refill.when)/c.period
	c.periods += n
	if c.spent {
		c.spents += n
	}
	c.ran = false
	c.left = min(c.left+n*min(c.quota, math.MaxInt64/2/n), c.quota)
	k.startTimer(&c.refill, c.refill.when+n*c.period, c)
	if c.left > 0 {
		c.unthrottle()
	}
}

// unthrottle lets the tasks that waited for the quota run.
func (c *cgroup) unthrottle() {
	if !c.spent {
		return
	}
	c.spent = false
	c.waited += c.k.now() - c.spentAt
	c.k.cgroups.throttled--
	for _, t := range c.parked.Values() {
		t.takeParked()
		t.k.enqueue(t)
	}
}

// setQuota is a write to cpu.max.
func (c *cgroup) setQuota(quota, period int64) {
	c.quota, c.period = quota, period
	c.k.stopTimer(&c.refill)
	c.unthrottle()
}

// throttledBy is the group whose quota keeps the task from running, nil if it may
// run. Real-time tasks have no quota, and who is killed needs none to end.
func (t *Task) throttledBy() *cgroup {
	if t.k.cgroups.throttled == 0 || t.sched.realtime() || t.fatalPending() {
		return nil
	}
	for c := t.group.cgroup; c != nil; c = c.parent {
		if c.spent {
			return c
		}
	}
	return nil
}

// park keeps a task that is ready out of the run queue if a quota is used up.
func (t *Task) park() bool {
	c := t.throttledBy()
	if c == nil {
		return false
	}
	t.unload()
	c.parkings++
	t.sched.parkedIn, t.sched.parkedAt = c, c.parkings
	c.parked.Set(c.parkings, t)
	return true
}

// takeParked takes the task out of the list of those that wait for a quota.
func (t *Task) takeParked() bool {
	c := t.sched.parkedIn
	if c == nil {
		return false
	}
	t.sched.parkedIn = nil
	c.parked.Delete(t.sched.parkedAt)
	return true
}

// quotaLeft is how long the task may run before a quota is used up, in
// nanoseconds.
func (t *Task) quotaLeft() int64 {
	left := int64(math.MaxInt64)
	if t.sched.realtime() {
		return left
	}
	for c := t.group.cgroup; c != nil; c = c.parent {
		switch {
		case c.quota < 0:
		case c.refill.index == 0:
			left = min(left, c.quota)
		default:
			left = min(left, max(c.left, 1))
		}
	}
	return left
}
