package vfs

import (
	"slices"

	"github.com/tinevm/tine/internal/linux"
)

// Leases (fcntl(2), "Leases"): the holder is told when somebody opens or
// truncates a file in a way that the lease excludes, and the other waits until
// the holder has given it up, but not for ever.

// leaseBreakTime is how long (/proc/sys/fs/lease-break-time), ns.
const leaseBreakTime = 45_000_000_000

// lease is a lease of an open file.
type lease struct {
	file *File
	typ  int16 // linux.F_RDLCK or F_WRLCK
	pid  int   // of the process that took it

	// What it is about to become: given up, or one for reading.
	unlock, downgrade bool

	broken func() // tells the holder
}

// target is what the lease is or will be.
func (l *lease) target() int16 {
	switch {
	case l.unlock:
		return linux.F_UNLCK
	case l.downgrade:
		return linux.F_RDLCK
	}
	return l.typ
}

// GetLease is F_GETLEASE.
func GetLease(f *File) int16 {
	if t := f.common().locks; t != nil {
		if l := t.leaseOf(f); l != nil {
			return l.target()
		}
	}
	return linux.F_UNLCK
}

func (t *lockTable) leaseOf(f *File) *lease {
	for _, l := range t.leases {
		if l.file == f {
			return l
		}
	}
	return nil
}

// SetLease is F_SETLEASE of a regular file. broken is called when the lease is
// to be given up.
func SetLease(f *File, typ int16, pid int, broken func()) linux.Errno {
	n := f.common()
	t := n.lockTable()
	mine := t.leaseOf(f)
	if typ == linux.F_UNLCK {
		if mine == nil {
			return linux.EAGAIN
		}
		t.modifyLease(mine, typ)
		return 0
	}
	if n.openElsewhere(f, typ) {
		return linux.EAGAIN
	}
	for _, l := range t.leases {
		// An exclusive lease is alone, and who waits to write comes first.
		if l != mine && (typ == linux.F_WRLCK || l.unlock) {
			return linux.EAGAIN
		}
	}
	if mine != nil {
		t.modifyLease(mine, typ)
		return 0
	}
	t.leases = append(t.leases, &lease{file: f, typ: typ, pid: pid, broken: broken})
	return 0
}

// openElsewhere reports whether the file is open in a way that a lease of f
// would exclude (check_conflicting_open).
func (n *InodeCommon) openElsewhere(f *File, typ int16) bool {
	if typ == linux.F_RDLCK {
		return n.writers > 0
	}
	writers, readers := 0, 0
	if f.Writable() {
		writers = 1
	} else {
		readers = 1
	}
	return n.writers != writers || n.readers != readers
}

// modifyLease changes or removes a lease, which goes on with who waits for it.
func (t *lockTable) modifyLease(l *lease, typ int16) {
	l.typ = typ
	switch typ {
	case linux.F_UNLCK:
		t.leases = slices.DeleteFunc(t.leases, func(o *lease) bool { return o == l })
	case linux.F_RDLCK:
		l.downgrade = false
	}
	t.queue.Wake(0)
}

// dropLease ends the lease of a file that is closed.
func dropLease(f *File) {
	if n := f.locked(); n != nil {
		if l := n.locks.leaseOf(f); l != nil {
			n.locks.modifyLease(l, linux.F_UNLCK)
		}
	}
}

// leaseBreaker is the task that must wait for a lease: it knows how long it has
// waited in this call.
type leaseBreaker interface {
	StartTimeout(ns int64)
	TimedOut() bool
}

// breakLeases tells the holders of leases that exclude an opening, and waits for
// them: EWAIT, or EAGAIN with nonblock. After the break time they lose their
// leases.
func (c *Context) breakLeases(n *InodeCommon, write, nonblock bool) linux.Errno {
	if n.locks == nil || len(n.locks.leases) == 0 {
		return 0
	}
	t, wait := n.locks, false
	w, _ := c.Task.(leaseBreaker)
	for _, l := range slices.Clone(t.leases) {
		if !write && l.typ != linux.F_WRLCK {
			continue
		}
		if w != nil && w.TimedOut() && (l.unlock || l.downgrade) {
			t.modifyLease(l, l.target())
			continue
		}
		wait = true
		switch {
		case write && !l.unlock:
			l.unlock = true
			l.broken()
		case !write && !l.unlock && !l.downgrade:
			l.downgrade = true
			l.broken()
		}
	}
	switch {
	case !wait:
		return 0
	case nonblock || w == nil:
		return linux.EAGAIN
	}
	w.StartTimeout(leaseBreakTime)
	return c.Wait(&t.queue)
}

// leaseInfo lists the leases as /proc/locks does.
func (t *lockTable) leaseInfo(dev, ino uint64) (list []LockInfo) {
	for _, l := range t.leases {
		info := LockInfo{Kind: "LEASE", PID: l.pid, Dev: dev, Ino: ino, End: 1<<63 - 1, State: "ACTIVE", Mode: "UNLCK"}
		if l.unlock || l.downgrade {
			info.State = "BREAKING"
		}
		switch l.target() {
		case linux.F_RDLCK:
			info.Mode = "READ"
		case linux.F_WRLCK:
			info.Mode = "WRITE"
		}
		list = append(list, info)
	}
	return list
}
