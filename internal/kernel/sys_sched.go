package kernel

import (
	"github.com/tinevm/tine/internal/linux"
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

func (k *Kernel) allCPUs() uint64 { return uint64(1)<<len(k.cpus) - 1 }

func sysSchedGetaffinity(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	const maskSize = 8
	if a[1] < maskSize || a[1]&7 != 0 {
		return 0, linux.EINVAL
	}
	u, errno := t.taskArg(a[0])
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
	u, errno := t.taskArg(a[0])
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
	if mask>>u.cpu&1 == 0 {
		u.resched()
		u.kickTask()
	}
	return 0, 0
}

// maySchedule reports whether t may change how u is scheduled.
func (t *Task) maySchedule(u *Task) bool {
	return t.cred.EUID == u.cred.EUID || t.cred.EUID == u.cred.UID || t.capableIn(u.cred.user, linux.CAP_SYS_NICE)
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

// setScheduler changes policy (-1 keeps it) and real-time priority.
func (t *Task) setScheduler(tid uint64, policy int, param uint64) (uint64, linux.Errno) {
	p, errno := t.getUint32(param)
	if errno != 0 {
		return 0, errno
	}
	u, errno := t.taskArg(tid)
	if errno != 0 {
		return 0, errno
	}
	reset := u.sched.resetOnFork
	if policy < 0 {
		policy = u.sched.policy
	} else {
		reset = policy&linux.SCHED_RESET_ON_FORK != 0
		policy &^= linux.SCHED_RESET_ON_FORK
	}
	lo, hi, errno := priorityRange(policy)
	if errno != 0 {
		return 0, errno
	}
	prio := int(int32(p))
	if prio < lo || prio > hi {
		return 0, linux.EINVAL
	}
	if !t.maySchedule(u) || prio > 0 && prio > u.sched.rtPrio &&
		uint64(prio) > u.rlimit(linux.RLIMIT_RTPRIO) && !t.capable(linux.CAP_SYS_NICE) {
		return 0, linux.EPERM
	}
	u.requeue(func(e *schedEntity) { e.policy, e.rtPrio, e.resetOnFork = policy, prio, reset })
	t.resched()
	return 0, 0
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
			for _, g := range pg.members {
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
		case nice < u.sched.nice && uint64(20-nice) > u.rlimit(linux.RLIMIT_NICE) && !t.capable(linux.CAP_SYS_NICE):
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

const ioprioWhoProcess = 1

func sysIoprioGet(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	if a[0] != ioprioWhoProcess {
		return 0, linux.EINVAL
	}
	u, errno := t.taskArg(a[1])
	if errno != 0 {
		return 0, errno
	}
	return uint64(u.ioprio), 0
}

// sysIoprioSet remembers the class and level; there is no disk queue to order.
func sysIoprioSet(t *Task, a *[6]uint64) (uint64, linux.Errno) {
	class, level := a[2]>>13, a[2]&0x1fff
	if a[0] != ioprioWhoProcess || class > 3 || level > 7 && class != 0 {
		return 0, linux.EINVAL
	}
	u, errno := t.taskArg(a[1])
	if errno != 0 {
		return 0, errno
	}
	if class == 1 && !t.capable(linux.CAP_SYS_ADMIN) && !t.capable(linux.CAP_SYS_NICE) {
		return 0, linux.EPERM
	}
	u.ioprio = int(a[2])
	return 0, 0
}
