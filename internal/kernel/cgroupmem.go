package kernel

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// cgroupMemory is the memory controller. Anonymous pages are charged to the
// group of the process they belong to, those of files in memory to the group
// that touched them first. Nothing can be swapped out or dropped, so that a
// group at its limit loses a process, and protection from reclaim (memory.min,
// memory.low) always holds.
type cgroupMemory struct {
	mem  *mm.Account // the group's; nil without the controller
	acct *mm.Account // of the nearest group from here up that has one

	memMin, memLow    int64 // pages; less than 0 is max
	memHigh, memMax   int64
	oomGroup          bool
	memEvents, memOwn [memEventCount]int64 // here and below, here alone
	pgfault           int64
	pgmajfault        int64
}

// The events that memory.events counts.
const (
	memEventLow = iota
	memEventHigh
	memEventMax
	memEventOOM
	memEventKill
	memEventGroupKill
	memEventCount
)

var memEventNames = [memEventCount]string{"low", "high", "max", "oom", "oom_kill", "oom_group_kill"}

func (c *cgroup) resetMemory() {
	a := c.acct
	c.cgroupMemory = cgroupMemory{acct: a, memHigh: -1, memMax: -1}
}

// enableMemory gives the group an account of its own.
func (c *cgroup) enableMemory() linux.Errno {
	a := c.acct.NewGroup(c)
	if a == nil {
		return linux.ENOSPC
	}
	c.resetMemory()
	c.mem = a
	c.reaccount()
	return 0
}

// disableMemory gives the account back; what is charged to it goes when it is
// freed, and counts for the parent.
func (c *cgroup) disableMemory() {
	a := c.mem
	if a == nil {
		return
	}
	c.resetMemory()
	if c.dead {
		c.acct = a // for cgroup.stat: does anything remain?
	} else {
		c.reaccount()
	}
	a.SetLimit(-1)
	a.Close()
}

// reaccount makes all processes of the group and below charge the right account.
func (c *cgroup) reaccount() {
	c.each(func(d *cgroup) {
		if d.acct = d.parent.acct; d.mem != nil {
			d.acct = d.mem
		}
		d.accounts()
	})
}

// memEvent counts an event of the group and those above it.
func (c *cgroup) memEvent(event int) {
	c.memOwn[event]++
	c.dir.Changed("memory.events.local")
	for ; c.parent != nil; c = c.parent {
		c.memEvents[event]++
		c.dir.Changed("memory.events")
		if c.k.cgroups.localEvents {
			return
		}
	}
}

// memoryGroup is the nearest group from c up that has the controller, or the
// root.
func (c *cgroup) memoryGroup() *cgroup {
	for c.mem == nil && c.parent != nil {
		c = c.parent
	}
	return c
}

// countFaults counts page faults in the group and all above it.
func (c *cgroup) countFaults(n, major int64) {
	for ; c != nil; c = c.parent {
		c.pgfault += n
		c.pgmajfault += major
	}
}

// enterMemory says whose memory the kernel uses from now on; see mm.Account.
func (t *Task) enterMemory(call bool) {
	t.k.moment++
	t.k.acct.Enter(t.group.cgroup.acct, call)
}

// settleMemory is called when a system call or a page fault of t has charged
// memory: a group or a machine that has reached its limit loses a process, one
// beyond memory.high is slowed down. It reports whether a limit was reached.
func (t *Task) settleMemory() bool {
	a := t.k.acct
	full := a.Full()
	if full != nil {
		c, group := full.Owner.(*cgroup)
		if group {
			c.memEvent(memEventMax)
		} else {
			c = t.k.cgroups.root
		}
		t.k.outOfMemory(c)
	}
	if n := a.OverHigh(); n > 0 {
		t.overHigh += n
		t.slowDown()
	}
	return full != nil
}

// settleCall is settleMemory after a system call, which has gone on beyond the
// limit: the next one waits until the memory is there again.
func (t *Task) settleCall() {
	if t.settleMemory() {
		t.awaitMemory()
	}
}

const (
	// highBatch is after how many pages beyond memory.high a task is looked at
	// (MEMCG_CHARGE_BATCH).
	highBatch = 64
	// highMaxDelay and highMinDelay bound the time for which it must rest, ns.
	highMaxDelay = 2_000_000_000
	highMinDelay = 10_000_000
)

// slowDown makes a task rest that has charged pages beyond memory.high: the
// longer, by the square, the further the group is beyond it
// (mem_cgroup_handle_over_high).
func (t *Task) slowDown() {
	if t.overHigh < highBatch {
		return
	}
	n := t.overHigh
	t.overHigh = 0
	delay := int64(0)
	for c := t.group.cgroup; c != nil; c = c.parent {
		if c.mem == nil || c.memHigh < 0 {
			continue
		}
		used := c.mem.Used() >> mm.PageShift
		if used <= c.memHigh {
			continue
		}
		c.memEvent(memEventHigh)
		// over is in 2^-10 of the limit; the price of highBatch pages is over^2
		// seconds, divided by 2^14.
		over := (used - c.memHigh) << 10 / max(c.memHigh, 1)
		over = min(over, 1<<12)
		delay = max(delay, over*over*(1e9>>14)*n/highBatch)
	}
	if delay = min(delay, highMaxDelay); delay < highMinDelay || t.state != TaskRunning {
		return
	}
	t.state = TaskDisk
	t.k.startTimer(&t.sleepTimer, t.k.now()+delay, t)
}

// outOfMemory kills the process that uses the most memory, weighted by its
// oom_score_adj (the OOM killer): one of the group c, or any of the machine if c
// is the root. While one that was killed has not gone there is no other.
func (k *Kernel) outOfMemory(c *cgroup) {
	total := int64(k.acct.Limit() >> mm.PageShift)
	if c.mem != nil {
		total = c.memMax
	}
	var victim *Group
	var worst int64
	dying := false
	c.each(func(d *cgroup) {
		for g := range d.procs.all {
			as := g.addressSpace()
			if as == nil || g == k.pids.init || g.oomAdj == -1000 {
				continue
			}
			if g.exiting && !g.dumping() {
				dying = true
				continue
			}
			score := int64(as.RSSPages()+as.TableBytes()>>mm.PageShift) + int64(g.oomAdj)*total/1000
			if victim == nil || score > worst {
				victim, worst = g, score
			}
		}
	})
	if dying {
		return
	}
	if c.parent != nil {
		c.memEvent(memEventOOM)
	}
	if victim == nil {
		return
	}
	pages := victim.addressSpace().RSSPages()
	k.logf("out of memory: killed process %d (%s) with %d KiB", victim.pid, victim.leader.comm, pages*4)
	k.oomKill(victim, c)
}

// oomKill ends the victim of an out-of-memory group, and with it all of the
// outermost group in there that stands and falls as one (memory.oom.group).
func (k *Kernel) oomKill(victim *Group, c *cgroup) {
	var whole *cgroup
	for d := victim.cgroup.memoryGroup(); d.parent != nil; d = d.parent {
		if d.oomGroup {
			whole = d
		}
		if d == c {
			break
		}
	}
	if whole == nil {
		victim.oomKill()
		return
	}
	whole.memEvent(memEventGroupKill)
	victim.oomKill()
	whole.each(func(d *cgroup) {
		for _, g := range d.procs.list() {
			if g != k.pids.init && g.oomAdj != -1000 && !g.exiting {
				g.oomKill()
			}
		}
	})
}

func (g *Group) oomKill() {
	g.cgroup.memoryGroup().memEvent(memEventKill)
	g.kill(linux.SIGKILL)
}

// awaitMemory lets the task rest until a process that was killed for memory has
// gone, unless it is that itself.
func (t *Task) awaitMemory() {
	if t.fatalPending() || t.state != TaskRunning {
		return
	}
	t.waitOn(&t.k.freed)
	t.state = TaskDisk
	t.k.startTimer(&t.sleepTimer, t.k.now()+highMinDelay, t)
}

// memoryFreed wakes those who wait for memory.
func (k *Kernel) memoryFreed() {
	if !k.freed.Empty() {
		k.freed.Wake(vfs.PollMask(0))
	}
}
