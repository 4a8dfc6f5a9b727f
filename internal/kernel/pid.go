package kernel

import (
	"strconv"

	"github.com/tidwall/btree"

	"github.com/tinevm/tine/internal/linux"
)

// pidMax is kernel.pid_max: numbers are below it.
const pidMax = 4 << 20

// reservedPIDs are not used again after the first round, as in Linux.
const reservedPIDs = 300

// maxPIDLevel is how deep pid namespaces nest (pid_namespaces(7)).
const maxPIDLevel = 32

// pid is a process identifier (struct pid): the numbers under which a task, a
// process group and a session of the same number are known, one in the
// namespace it was made in and one in each above. It stays in use as long as
// any of the three has it.
type pid struct {
	ns    *pidNamespace // the innermost
	nr    int           // in the machine's first namespace
	inner []int         // in those below it, outermost first

	task    *Task
	pgrp    *ProcessGroup
	session *Session
}

// in is the number in a namespace; 0 if it is not visible there.
func (p *pid) in(ns *pidNamespace) int {
	switch {
	case ns.level == 0:
		return p.nr
	case !p.ns.within(ns):
		return 0
	}
	return p.inner[ns.level-1]
}

// own is the number in the namespace that p was made in.
func (p *pid) own() int { return p.in(p.ns) }

// pidNamespace finds tasks, groups and sessions by number (pid_namespaces(7)).
type pidNamespace struct {
	parent *pidNamespace // nil for the machine's first
	level  int
	owner  *userNamespace
	ino    uint64

	numbers btree.Map[int, *pid]
	last    int
	tasks   int    // tasks with a number here, zombies included
	init    *Group // process 1, who gets the orphans; nil before it and after it
	dying   bool   // process 1 has ended: no new tasks
}

// within reports whether ns is outer or one below it.
func (ns *pidNamespace) within(outer *pidNamespace) bool {
	for ns.level > outer.level {
		ns = ns.parent
	}
	return ns == outer
}

// alloc takes a number in ns and in each namespace above it. set has numbers
// that are wanted (clone3's set_tid), the innermost first.
func (ns *pidNamespace) alloc(set []int) (*pid, linux.Errno) {
	p := &pid{ns: ns}
	if ns.level > 0 {
		p.inner = make([]int, ns.level)
	}
	for n := ns; n != nil; n = n.parent {
		nr, errno := 0, linux.Errno(0)
		if i := ns.level - n.level; i < len(set) {
			nr, errno = set[i], n.checkWanted(set[i])
		} else {
			nr, errno = n.next()
		}
		if errno == 0 && n.dying {
			errno = linux.ENOMEM
		}
		if errno != 0 {
			p.free(n)
			return nil, errno
		}
		n.numbers.Set(nr, p)
		if n.level == 0 {
			p.nr = nr
		} else {
			p.inner[n.level-1] = nr
		}
	}
	return p, 0
}

// next finds the next free number.
func (ns *pidNamespace) next() (int, linux.Errno) {
	for range pidMax {
		ns.last++
		if ns.last >= pidMax {
			ns.last = reservedPIDs
		}
		if _, used := ns.numbers.Get(ns.last); !used {
			return ns.last, 0
		}
	}
	return 0, linux.EAGAIN
}

// checkWanted checks a number that the maker of a task chose. The first task
// of a namespace can only be number 1.
func (ns *pidNamespace) checkWanted(nr int) linux.Errno {
	if nr < 1 || nr >= pidMax || nr != 1 && ns.init == nil {
		return linux.EINVAL
	}
	if _, used := ns.numbers.Get(nr); used {
		return linux.EEXIST
	}
	return 0
}

// free gives up the numbers in the namespaces below outer; nil means all.
func (p *pid) free(outer *pidNamespace) {
	for n := p.ns; n != outer; n = n.parent {
		n.numbers.Delete(p.in(n))
	}
}

// release frees the numbers if nothing has them any more.
func (p *pid) release() {
	if p.task == nil && p.pgrp == nil && p.session == nil {
		p.free(nil)
	}
}

// find looks a number up; nil if nothing has it.
func (ns *pidNamespace) find(nr int) *pid {
	p, _ := ns.numbers.Get(nr)
	return p
}

// each calls fn for every task in order of its number, zombies included.
func (ns *pidNamespace) each(fn func(t *Task)) {
	ns.numbers.Scan(func(_ int, p *pid) bool {
		if p.task != nil {
			fn(p.task)
		}
		return true
	})
}

// task finds a task by thread id; nil if there is none.
func (ns *pidNamespace) task(tid int) *Task {
	if p := ns.find(tid); p != nil {
		return p.task
	}
	return nil
}

// process finds a process by pid; nil if there is none. A thread's id is no
// process id.
func (ns *pidNamespace) process(nr int) *Group {
	if t := ns.task(nr); t != nil && t.isLeader() {
		return t.group
	}
	return nil
}

// pgrp finds a process group by number; nil if there is none.
func (ns *pidNamespace) pgrp(nr int) *ProcessGroup {
	if p := ns.find(nr); p != nil {
		return p.pgrp
	}
	return nil
}

// attach enters a task under its numbers.
func (p *pid) attach(t *Task) {
	t.id, t.tid = p, p.nr
	p.task = t
	for n := p.ns; n != nil; n = n.parent {
		n.tasks++
	}
}

// handOver makes the task's numbers those of another, which has none.
func (p *pid) handOver(t *Task) {
	t.id, t.tid = p, p.nr
	p.task = t
}

// detach takes a task out of the tables. The namespaces that lose their last
// task but process 1 let that one end.
func (p *pid) detach(t *Task) {
	if p.task != t {
		return
	}
	p.task = nil
	p.release()
	for n := p.ns; n != nil; n = n.parent {
		if n.tasks--; n.tasks == 1 && n.dying && n.init != nil && n.init != t.group {
			n.init.finishZap()
		}
	}
}

// pidNS is the namespace that the task was made in: the one whose numbers it
// uses.
func (t *Task) pidNS() *pidNamespace { return t.id.ns }

// nr is the number of the task in its own namespace, what gettid returns.
func (t *Task) nr() int { return t.id.own() }

// nr is the number of the process in its own namespace, what getpid returns.
func (g *Group) nr() int { return g.leader.id.own() }

// nrFor is the number of the process as t knows it; 0 if t cannot see it.
func (g *Group) nrFor(t *Task) int { return g.leader.id.in(t.pidNS()) }

// visibleTo reports whether the task has a number in ns.
func (t *Task) visibleTo(ns *pidNamespace) bool { return t.id.ns.within(ns) }

// levels lists the numbers from namespace ns down to the innermost, as
// /proc/PID/status shows them.
func (p *pid) levels(ns *pidNamespace) string {
	s := ""
	if p == nil {
		return "\t0"
	}
	for n := p.ns; n != nil && n.level >= ns.level; n = n.parent {
		s = "\t" + strconv.Itoa(p.in(n)) + s
	}
	return s
}
