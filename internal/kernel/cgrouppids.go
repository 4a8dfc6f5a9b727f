package kernel

import "github.com/tinevm/tine/internal/linux"

// cgroupPIDs is the pids controller: it limits how many tasks a group has,
// zombies included. They are counted in every group; the limit can be set where
// the controller is.
type cgroupPIDs struct {
	pids, pidsPeak int
	pidsMax        int // less than 0: none
	pidsEvents     int64
	pidsLocal      int64
}

func (c *cgroup) resetPIDs() {
	c.pidsPeak, c.pidsMax, c.pidsEvents, c.pidsLocal = c.pids, -1, 0, 0
}

// chargePIDs counts n more tasks in the group and all above it.
func (c *cgroup) chargePIDs(n int) {
	for ; c != nil; c = c.parent {
		c.pids += n
		c.pidsPeak = max(c.pidsPeak, c.pids)
	}
}

// mayFork checks that the group can have one more task. Processes that are moved
// into a group may exceed the limit.
func (c *cgroup) mayFork() linux.Errno {
	for ; c != nil; c = c.parent {
		if c.pidsMax < 0 || c.pids < c.pidsMax {
			continue
		}
		c.pidsLocal++
		c.dir.Changed("pids.events.local")
		for up := c; up.parent != nil; up = up.parent {
			up.pidsEvents++
			up.dir.Changed("pids.events")
		}
		return linux.EAGAIN
	}
	return 0
}
