package kernel

import (
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
)

// The host's view of a machine: the facts of /proc as data, for who started the
// machine and not for its guests.

// ProcessInfo is a process as it is at one moment. Package tine has the same
// type for its users, with what each field means.
type ProcessInfo struct {
	PID, PPID, PGID, SID int
	UID, GID             uint32
	State                string
	Comm                 string
	Cmdline              []string
	Exe, Cwd, TTY        string
	Threads              []ThreadInfo
	Size, RSS            int64
	Shared, Private      int64
	UserTime, SystemTime int64
	Nice                 int
	Policy               string
	RTPriority           int
	Start                int64
	Wchan                string
}

// ThreadInfo is one thread of a process.
type ThreadInfo struct {
	TID   int
	Comm  string
	State string
}

// maxCmdline bounds the arguments that are shown of a process, in bytes: a guest
// can have many processes that share megabytes of them.
const maxCmdline = 4096

// Processes lists all processes, zombies included, in order of their pids. The
// kernel lock is held.
func (k *Kernel) Processes() (list []ProcessInfo) {
	k.pids.each(func(t *Task) {
		if t.isLeader() {
			list = append(list, t.group.info())
		}
	})
	return list
}

// info gathers what is known of a process. Of a leader that has ended before
// its other threads, memory and folders are those of the others.
func (g *Group) info() ProcessInfo {
	t := g.leader
	own := g.ownUsage()
	p := ProcessInfo{
		PID: g.pid, UID: t.cred.EUID, GID: t.cred.EGID, State: string(t.state.Letter()), Comm: t.comm,
		UserTime: own.user, SystemTime: own.system, Nice: t.sched.nice, Policy: policyName(t.sched.policy),
		RTPriority: t.sched.rtPrio, Start: max(g.startTime-g.k.started, 0), Wchan: t.waitChannel(),
	}
	if g.parent != nil {
		p.PPID = g.parent.pid
	}
	if pgrp, session := g.pgrpID(), g.sessionID(); pgrp != nil {
		p.PGID, p.SID = pgrp.nr, session.nr
	}
	if g.tty != nil {
		p.TTY = ttyName(g.tty.Number())
	}
	for _, u := range g.threads {
		p.Threads = append(p.Threads, ThreadInfo{TID: u.tid, Comm: u.comm, State: string(u.state.Letter())})
	}
	g.memoryInfo(&p)
	for _, u := range g.threads {
		if u.fs != nil {
			p.Cwd = u.fs.Cwd.String()
			break
		}
	}
	return p
}

// memoryInfo fills in what depends on the image. The kernel's own PID 1 has
// none, nor has a zombie.
func (g *Group) memoryInfo(p *ProcessInfo) {
	as := g.addressSpace()
	if as == nil {
		return
	}
	p.Size = int64(as.TotalPages() << mm.PageShift)
	p.RSS = int64(as.RSSPages() << mm.PageShift)
	p.Private = int64(as.PrivatePages() << mm.PageShift)
	p.Shared = p.RSS - p.Private
	for _, t := range g.threads {
		if t.as != nil {
			p.Cmdline = splitStrings(t.memory(as.ArgStart, min(as.ArgEnd, as.ArgStart+maxCmdline)))
			break
		}
	}
	if exe, ok := as.Exe.(fileObject); ok {
		p.Exe = exe.f.Path.String()
	}
}

// splitStrings takes the strings of an argv area apart. A program that writes
// its title there may leave the end off.
func splitStrings(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\x00"), "\x00")
}

// waitChannel is the system call in which the task is blocked.
func (t *Task) waitChannel() string {
	if t.sc.active && (t.state == TaskSleeping || t.state == TaskDisk) {
		return linux.SyscallName(int(t.sc.nr))
	}
	return ""
}

// policyName is a scheduling policy without its prefix, as chrt(1) shows it.
func policyName(policy int) string {
	switch policy {
	case linux.SCHED_FIFO:
		return "FIFO"
	case linux.SCHED_RR:
		return "RR"
	case linux.SCHED_BATCH:
		return "BATCH"
	case linux.SCHED_IDLE:
		return "IDLE"
	}
	return "OTHER"
}

// ttyName names a terminal by its device number, as ps does: major 136 are the
// pseudo-terminals, 4 the consoles (devices.txt of Linux).
func ttyName(dev uint64) string {
	major, minor := int(linux.Major(dev)), int(linux.Minor(dev))
	switch major {
	case 136:
		return "pts/" + strconv.Itoa(minor)
	case 4:
		return "tty" + strconv.Itoa(minor)
	}
	return strconv.Itoa(major) + ":" + strconv.Itoa(minor)
}

// Totals are counters of the whole machine.
type Totals struct {
	Forks, Switches int64
	Tasks           int
	Uptime          int64 // ns
}

// Totals reads the counters. The kernel lock is held.
func (k *Kernel) Totals() Totals {
	return Totals{Forks: k.forks, Switches: k.switches, Tasks: k.pids.tasks, Uptime: k.now() - k.started}
}
