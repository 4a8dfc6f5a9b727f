package kernel

import (
	"github.com/tidwall/btree"

	"github.com/tinevm/tine/internal/linux"
)

// pidMax is kernel.pid_max: numbers are below it.
const pidMax = 4 << 20

// reservedPIDs are not used again after the first round, as in Linux.
const reservedPIDs = 300

// pidTable finds tasks, groups and sessions by number. A number stays in use
// as long as any of the three has it.
type pidTable struct {
	last    int
	entries btree.Map[int, *pidEntry]
	tasks   int // tasks in the table, zombies included
}

type pidEntry struct {
	nr      int
	task    *Task
	pgrp    *ProcessGroup
	session *Session
}

func (p *pidTable) init() { p.last = 0 }

// alloc takes the next free number.
func (p *pidTable) alloc() (*pidEntry, linux.Errno) {
	for range pidMax {
		p.last++
		if p.last >= pidMax {
			p.last = reservedPIDs
		}
		if _, used := p.entries.Get(p.last); !used {
			e := &pidEntry{nr: p.last}
			p.entries.Set(e.nr, e)
			return e, 0
		}
	}
	return nil, linux.EAGAIN
}

// allocAt takes a particular number (clone3's set_tid).
func (p *pidTable) allocAt(nr int) (*pidEntry, linux.Errno) {
	if nr < 1 || nr >= pidMax {
		return nil, linux.EINVAL
	}
	if _, used := p.entries.Get(nr); used {
		return nil, linux.EEXIST
	}
	e := &pidEntry{nr: nr}
	p.entries.Set(nr, e)
	return e, 0
}

// release frees the number if nothing has it any more.
func (p *pidTable) release(e *pidEntry) {
	if e.task == nil && e.pgrp == nil && e.session == nil {
		p.entries.Delete(e.nr)
	}
}

func (p *pidTable) entry(nr int) *pidEntry {
	e, _ := p.entries.Get(nr)
	return e
}

// each calls fn for every task in order of its number, zombies included.
func (p *pidTable) each(fn func(t *Task)) {
	p.entries.Scan(func(_ int, e *pidEntry) bool {
		if e.task != nil {
			fn(e.task)
		}
		return true
	})
}

// task finds a task by thread id; nil if there is none.
func (k *Kernel) task(tid int) *Task {
	if e := k.pids.entry(tid); e != nil {
		return e.task
	}
	return nil
}

// process finds a process by pid; nil if there is none. A thread's id is no
// process id.
func (k *Kernel) process(pid int) *Group {
	if t := k.task(pid); t != nil && t.isLeader() {
		return t.group
	}
	return nil
}

// attach and detach enter a task under its number.
func (k *Kernel) attachPID(t *Task, e *pidEntry) {
	t.tid = e.nr
	e.task = t
	k.pids.tasks++
}

func (k *Kernel) detachPID(t *Task) {
	if e := k.pids.entry(t.tid); e != nil && e.task == t {
		e.task = nil
		k.pids.tasks--
		k.pids.release(e)
	}
}
