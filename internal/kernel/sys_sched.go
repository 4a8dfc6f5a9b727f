package kernel

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// sysSchedYield lets everyone else who is ready run first.
func sysSchedYield(t *Task, _ *[6]uint64) (uint64, linux.Errno) {
	if !t.sched.realtime() {
		for _, u := range t.k.runq.heap {
			if !u.sched.realtime() {
				t.sched.vruntime = max(t.sched.vruntime, u.sched.vruntime)
				break
			}
		}
	}
	t.sched.yielded = true
	t.resched()
	return 0, 0
}

// taskArg finds the task of a tid argument; 0 is the caller.
func (t *Task) taskArg(a uint64) (*Task, linux.Errno) {
	tid := int(int32(a))
	if tid < 0 {
		return nil, linux.EINVAL
	}
	if tid == 0 {
		return t, 0
	}
	if u := t.pidNS().task(tid); u != nil {
		return u, 0
	}
	return nil, linux.ESRCH
}

// affinityTask is taskArg for the affinity calls, to which a negative number is
// that of nobody.
func (t *Task) affinityTask(a uint64) (*Task, linux.Errno) {
	if int32(a) < 0 {
		return nil, linux.ESRCH
	}
	return t.taskArg(a)
}

func (k *Kernel) allCPUs() uint64 { return uint64(1)<<len(k.cpus) - 1 }

func sysSchedGetaffinity(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const maskSize = 8
	if a[1] < maskSize || a[1]&7 != 0 {
		return 0, linux.EINVAL
	}
	u, errno := t.affinityTask(a[0])
	if errno != 0 {
		return 0, errno
	}
	return maskSize, t.putUint64(a[2], u.sched.affinity&t.k.allCPUs())
}

func sysSchedSetaffinity(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	var b [8]byte
	if errno := t.copyIn(a[2], b[:min(a[1], 8)]); errno != 0 {
		return 0, errno
	}
	var mask uint64
	for i, v := range b {
		mask |= uint64(v) << (8 * i)
	}
	u, errno := t.affinityTask(a[0])
	if errno != 0 {
		return 0, errno
	}
	if !t.maySchedule(u) {
		return 0, linux.EPERM
	}
	if mask &= t.k.allCPUs(); mask == 0 {
		return 0, linux.EINVAL
	}
	u.sched.affinity = mask
	switch {
	case u.sched.index >= 0:
		t.k.kickFor(u)
	case mask>>u.cpu&1 == 0:
		u.resched()
		u.kickTask()
	}
	return 0, 0
}

// sameOwner reports whether u belongs to the caller's user.
func (t *Task) sameOwner(u *Task) bool {
	return t.cred.EUID == u.cred.EUID || t.cred.EUID == u.cred.UID
}

// maySchedule reports whether t may change how u is scheduled.
func (t *Task) maySchedule(u *Task) bool {
	return t.sameOwner(u) || t.capableIn(u.cred.user, linux.CAP_SYS_NICE)
}

func sysSchedGetscheduler(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	u, errno := t.taskArg(a[0])
	if errno != 0 {
		return 0, errno
	}
	p := uint64(u.sched.policy)
	if u.sched.resetOnFork {
		p |= linux.SCHED_RESET_ON_FORK
	}
	return p, 0
}

func sysSchedSetscheduler(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[2] == 0 || int32(a[1]) < 0 {
		return 0, linux.EINVAL
	}
	return t.setScheduler(a[0], int(int32(a[1])), a[2])
}

func sysSchedSetparam(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[1] == 0 {
		return 0, linux.EINVAL
	}
	return t.setScheduler(a[0], -1, a[1])
}

// setScheduler is sched_setscheduler(2) and, with policy -1, which keeps it,
// sched_setparam(2).
func (t *Task) setScheduler(tid uint64, policy int, param uint64) (uint64, linux.Errno) {
	prio, errno := t.getUint32(param)
	if errno != 0 {
		return 0, errno
	}
	u, errno := t.taskArg(tid)
	if errno != 0 {
		return 0, errno
	}
	p := schedParams{policy: policy, nice: u.sched.nice, prio: int(int32(prio)), reset: u.sched.resetOnFork}
	if policy < 0 {
		p.policy = u.sched.policy
	} else {
		p.reset = policy&linux.SCHED_RESET_ON_FORK != 0
		p.policy &^= linux.SCHED_RESET_ON_FORK
	}
	return 0, t.setSchedule(u, p)
}

// schedParams is how a task is to be scheduled.
type schedParams struct {
	policy, nice, prio int
	reset              bool // SCHED_RESET_ON_FORK
}

// setSchedule changes how u is scheduled (sched(7), Privileges and resource
// limits).
func (t *Task) setSchedule(u *Task, p schedParams) linux.Errno {
	lo, hi, errno := priorityRange(p.policy)
	if errno != 0 {
		return errno
	}
	if p.prio < lo || p.prio > hi {
		return linux.EINVAL
	}
	e, realtime := &u.sched, hi > 0
	limit := u.rlimit(linux.RLIMIT_RTPRIO)
	privileged := !t.sameOwner(u) ||
		!realtime && p.nice < e.nice && !u.mayNice(p.nice) ||
		realtime && p.policy != e.policy && limit == 0 ||
		realtime && p.prio > e.rtPrio && uint64(p.prio) > limit ||
		e.policy == linux.SCHED_IDLE && p.policy != linux.SCHED_IDLE && !u.mayNice(e.nice) ||
		e.resetOnFork && !p.reset
	if privileged && !t.capable(linux.CAP_SYS_NICE) {
		return linux.EPERM
	}
	u.requeue(func(e *schedEntity) {
		e.policy, e.rtPrio, e.resetOnFork = p.policy, p.prio, p.reset
		if !realtime {
			e.nice = p.nice
		}
	})
	t.resched()
	return 0
}

// mayNice reports whether the limit of u lets it have a nice value.
func (u *Task) mayNice(nice int) bool { return uint64(20-nice) <= u.rlimit(linux.RLIMIT_NICE) }

// struct sched_attr (sched_setattr(2)): its sizes, and the flags known here.
const (
	schedAttrSizeVer0 = 48
	schedAttrSize     = 56

	schedFlagResetOnFork = 0x01
	schedFlagKeepPolicy  = 0x08
	schedFlagKeepParams  = 0x10
)

func sysSchedSetattr(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[1] == 0 || int32(a[0]) < 0 || uint32(a[2]) != 0 {
		return 0, linux.EINVAL
	}
	size, errno := t.getUint32(a[1])
	if errno != 0 {
		return 0, errno
	}
	if size == 0 {
		size = schedAttrSizeVer0
	}
	if size < schedAttrSizeVer0 || size > mm.PageSize {
		t.putUint32(a[1], schedAttrSize)
		return 0, linux.E2BIG
	}
	b := make([]byte, max(size, schedAttrSize))
	if errno := t.copyIn(a[1], b[:size]); errno != 0 {
		return 0, errno
	}
	for _, v := range b[schedAttrSize:] {
		if v != 0 {
			t.putUint32(a[1], schedAttrSize)
			return 0, linux.E2BIG
		}
	}
	u, errno := t.taskArg(a[0])
	if errno != 0 {
		return 0, errno
	}
	return 0, t.setSchedAttr(u, b)
}

// setSchedAttr applies an encoded struct sched_attr.
func (t *Task) setSchedAttr(u *Task, b []byte) linux.Errno {
	le := binary.LittleEndian
	flags := le.Uint64(b[8:])
	p := schedParams{
		policy: int(int32(le.Uint32(b[4:]))), nice: min(max(int(int32(le.Uint32(b[16:]))), -20), 19),
		prio: int(int32(le.Uint32(b[20:]))), reset: flags&schedFlagResetOnFork != 0,
	}
	if p.policy < 0 || flags&^(schedFlagResetOnFork|schedFlagKeepPolicy|schedFlagKeepParams) != 0 {
		return linux.EINVAL
	}
	if flags&schedFlagKeepPolicy != 0 {
		p.policy = u.sched.policy
	}
	if flags&schedFlagKeepParams != 0 {
		p.nice, p.prio = u.sched.nice, u.sched.rtPrio
	}
	return t.setSchedule(u, p)
}

func sysSchedGetattr(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	size := uint32(a[2])
	if a[1] == 0 || int32(a[0]) < 0 || size < schedAttrSizeVer0 || size > mm.PageSize || uint32(a[3]) != 0 {
		return 0, linux.EINVAL
	}
	u, errno := t.taskArg(a[0])
	if errno != 0 {
		return 0, errno
	}
	var b [schedAttrSize]byte
	le := binary.LittleEndian
	size = min(size, schedAttrSize)
	le.PutUint32(b[0:], size)
	le.PutUint32(b[4:], uint32(u.sched.policy))
	if u.sched.resetOnFork {
		le.PutUint64(b[8:], schedFlagResetOnFork)
	}
	if u.sched.realtime() {
		le.PutUint32(b[20:], uint32(u.sched.rtPrio))
	} else {
		le.PutUint32(b[16:], uint32(u.sched.nice))
	}
	return 0, t.copyOut(a[1], b[:size])
}

// requeue changes scheduling parameters of a task that may be in the run queue.
func (t *Task) requeue(change func(e *schedEntity)) {
	queued := t.sched.index >= 0
	t.k.runq.remove(t)
	change(&t.sched)
	if queued {
		t.k.enqueue(t)
	}
}

func priorityRange(policy int) (lo, hi int, errno linux.Errno) {
	switch policy {
	case linux.SCHED_OTHER, linux.SCHED_BATCH, linux.SCHED_IDLE:
		return 0, 0, 0
	case linux.SCHED_FIFO, linux.SCHED_RR:
		return 1, 99, 0
	}
	return 0, 0, linux.EINVAL
}

func sysSchedGetparam(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[1] == 0 {
		return 0, linux.EINVAL
	}
	u, errno := t.taskArg(a[0])
	if errno != 0 {
		return 0, errno
	}
	return 0, t.putUint32(a[1], uint32(u.sched.rtPrio))
}

func sysSchedPriorityMax(_ *Task, a *[6]uint64) (uint64, linux.Errno) {
	_, hi, errno := priorityRange(int(int32(a[0])))
	return uint64(hi), errno
}

func sysSchedPriorityMin(_ *Task, a *[6]uint64) (uint64, linux.Errno) {
	lo, _, errno := priorityRange(int(int32(a[0])))
	return uint64(lo), errno
}

func sysSchedRRInterval(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	u, errno := t.taskArg(a[0])
	if errno != 0 {
		return 0, errno
	}
	ts := linux.Timespec{}
	if u.sched.policy != linux.SCHED_FIFO {
		ts.Nsec = 1e6 * 4
	}
	return 0, t.putStruct(a[1], &ts, linux.SizeofTimespec)
}

// prioTasks lists the tasks that getpriority and setpriority mean.
func (t *Task) prioTasks(which, who uint64) (list []*Task, errno linux.Errno) {
	id := int(int32(who))
	switch which {
	case linux.PRIO_PROCESS:
		if id == 0 {
			return []*Task{t}, 0
		}
		if u := t.pidNS().task(id); u != nil {
			list = append(list, u)
		}
	case linux.PRIO_PGRP:
		pg := t.group.pgrp
		if id != 0 {
			pg = t.pidNS().pgrp(id)
		}
		if pg != nil {
			for g := range pg.members.all {
				list = append(list, g.threads...)
			}
		}
	case linux.PRIO_USER:
		uid := uint32(id)
		if id == 0 {
			uid = t.cred.UID
		}
		t.pidNS().each(func(u *Task) {
			if u.cred.UID == uid {
				list = append(list, u)
			}
		})
	default:
		return nil, linux.EINVAL
	}
	if len(list) == 0 {
		return nil, linux.ESRCH
	}
	return list, 0
}

// sysGetpriority returns 20 minus the lowest nice value, as the call does.
func sysGetpriority(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	list, errno := t.prioTasks(a[0], a[1])
	if errno != 0 {
		return 0, errno
	}
	best := 0
	for _, u := range list {
		best = max(best, 20-u.sched.nice)
	}
	return uint64(best), 0
}

func sysSetpriority(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	nice := min(max(int(int32(a[2])), -20), 19)
	list, errno := t.prioTasks(a[0], a[1])
	if errno != 0 {
		return 0, errno
	}
	for _, u := range list {
		switch {
		case !t.maySchedule(u):
			errno = linux.EPERM
		case nice < u.sched.nice && !u.mayNice(nice) && !t.capable(linux.CAP_SYS_NICE):
			errno = linux.EACCES
		default:
			u.requeue(func(e *schedEntity) { e.nice = nice })
		}
	}
	return 0, errno
}

func sysGetcpu(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[0] != 0 {
		if errno := t.putUint32(a[0], uint32(t.cpu)); errno != 0 {
			return 0, errno
		}
	}
	if a[1] != 0 {
		return 0, t.putUint32(a[1], 0)
	}
	return 0, 0
}

// The parts of an I/O priority (ioprio_set(2)).
const (
	ioprioClassShift = 13
	ioprioRealTime   = 1
	ioprioBestEffort = 2
	ioprioIdle       = 3
	ioprioNormal     = ioprioBestEffort<<ioprioClassShift | 4
)

// ioprioTasks finds whom a call is about; the kinds are those of setpriority
// plus 1.
func (t *Task) ioprioTasks(which, who uint64) ([]*Task, linux.Errno) {
	if which == 0 {
		return nil, linux.EINVAL
	}
	return t.prioTasks(which-1, who)
}

// sysIoprioGet returns the highest priority of those that it is about.
func sysIoprioGet(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	list, errno := t.ioprioTasks(a[0], a[1])
	if errno != 0 {
		return 0, errno
	}
	if len(list) == 1 {
		return uint64(list[0].ioprio), 0
	}
	best := ioprioIdle<<ioprioClassShift | 7
	for _, u := range list {
		p := u.ioprio
		if p>>ioprioClassShift == 0 {
			p = ioprioNormal
		}
		best = min(best, p)
	}
	return uint64(best), 0
}

// sysIoprioSet remembers the class and level; there is no disk queue to order.
func sysIoprioSet(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	prio := uint32(a[2])
	class, level := prio>>ioprioClassShift, prio&(1<<ioprioClassShift-1)
	switch {
	case class > ioprioIdle, class == 0 && level != 0, class < ioprioIdle && level > 7:
		return 0, linux.EINVAL
	case class == ioprioRealTime && !t.capable(linux.CAP_SYS_ADMIN) && !t.capable(linux.CAP_SYS_NICE):
		return 0, linux.EPERM
	}
	list, errno := t.ioprioTasks(a[0], a[1])
	if errno != 0 {
		return 0, errno
	}
	for _, u := range list {
		if u.cred.UID != t.cred.EUID && u.cred.UID != t.cred.UID && !t.capable(linux.CAP_SYS_NICE) {
			return 0, linux.EPERM
		}
		u.ioprio = int(prio)
	}
	return 0, 0
}
