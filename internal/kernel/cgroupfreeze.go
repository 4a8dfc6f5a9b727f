package kernel

// cgroupFreezer is cgroup.freeze: the tasks of a frozen group, and of those
// below it, rest before they would next run guest code. They can be killed; all
// other signals wait. A task that sleeps in a system call is frozen there if
// only a fatal signal could wake it, and otherwise comes out of it as a stop
// signal would make it (signal(7)).
type cgroupFreezer struct {
	freeze      bool // asked for by its cgroup.freeze
	freezers    int  // groups from here up that ask for it
	frozenTasks int
	frozenKids  int  // children that are frozen
	frozen      bool // all tasks here and below are at rest
}

// freezing reports whether the task is to rest.
func (t *Task) freezing() bool { return t.group.cgroup.freezers > 0 }

// setFreeze is a write to cgroup.freeze.
func (c *cgroup) setFreeze(on bool) {
	if c.freeze == on {
		return
	}
	c.freeze = on
	n := 1
	if !on {
		n = -1
	}
	c.each(func(d *cgroup) {
		d.freezers += n
		for g := range d.procs.all {
			for _, t := range g.threads {
				t.refreeze()
			}
		}
	})
	var below []*cgroup
	c.each(func(d *cgroup) { below = append(below, d) })
	for i := len(below) - 1; i >= 0; i-- {
		below[i].updateFrozen() // children before their parents
	}
}

// refreeze makes the task rest, or go on, as its group asks.
func (t *Task) refreeze() {
	switch {
	case t.exiting:
	case !t.freezing():
		if t.unfreeze() && t.state == TaskSleeping && !t.sc.active {
			t.wake()
		}
	case t.state == TaskDisk || t.state == TaskStopped:
		t.markFrozen()
	default:
		t.rouse()
	}
}

// freeze puts the task to rest.
func (t *Task) freeze() {
	t.markFrozen()
	t.state = TaskSleeping
}

// markFrozen counts the task as frozen.
func (t *Task) markFrozen() {
	if !t.frozen {
		t.frozen = true
		t.group.cgroup.frozenTasks++
		t.group.cgroup.updateFrozen()
	}
}

// unfreeze takes the task out of those that are frozen, and reports whether it
// was one. Who calls it updates the group.
func (t *Task) unfreeze() bool {
	was := t.frozen
	if was {
		t.frozen = false
		t.group.cgroup.frozenTasks--
	}
	return was
}

// updateFrozen finds out anew whether the group is frozen, and tells the groups
// above and those who watch.
func (c *cgroup) updateFrozen() {
	for ; c != nil && c.parent != nil; c = c.parent {
		now := !c.dead && c.freezers > 0 && c.frozenTasks == c.tasks && c.frozenKids == len(c.kids)
		if now == c.frozen {
			return
		}
		if c.frozen = now; now {
			c.parent.frozenKids++
		} else {
			c.parent.frozenKids--
		}
		c.dir.Changed("cgroup.events")
	}
}
