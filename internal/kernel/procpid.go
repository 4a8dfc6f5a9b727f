package kernel

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/fs/synthfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// procView is a task as a /proc shows it: with the numbers of a namespace.
type procView struct {
	ns *pidNamespace
	t  *Task
}

// taskFile is a file in the directory of a process or a thread.
type taskFile struct {
	name string
	mode uint32
	// guarded files are for those who may trace the process.
	guarded bool
	// text makes the contents; if it is nil, node makes the file.
	text func(v procView) string
	node func(v procView) *synthfs.Node
}

// ofTask is the text of a file in which no process numbers occur.
func ofTask(read func(t *Task) string) func(procView) string {
	return func(v procView) string { return read(v.t) }
}

// taskFiles are the files that /proc/PID and /proc/PID/task/TID have in common,
// in the order in which they are listed (proc(5)).
var taskFiles = []taskFile{
	{name: "stat", mode: 0o444, text: func(v procView) string { return v.t.procStat(v.ns) }},
	{name: "status", mode: 0o444, text: func(v procView) string { return v.t.procStatus(v.ns) }},
	{name: "statm", mode: 0o444, text: ofTask((*Task).procStatm)},
	{name: "cmdline", mode: 0o444, text: ofTask((*Task).procCmdline)},
	{name: "environ", mode: 0o400, guarded: true, text: ofTask((*Task).procEnviron)},
	{name: "auxv", mode: 0o400, guarded: true, text: ofTask((*Task).procAuxv)},
	{name: "maps", mode: 0o444, guarded: true, text: ofTask((*Task).procMaps)},
	{name: "smaps", mode: 0o444, guarded: true, text: ofTask((*Task).procSmaps)},
	{name: "smaps_rollup", mode: 0o444, guarded: true, text: ofTask((*Task).procSmapsRollup)},
	{name: "limits", mode: 0o444, text: ofTask((*Task).procLimits)},
	{name: "cgroup", mode: 0o444, text: procCgroup},
	{name: "mountinfo", mode: 0o444, text: func(v procView) string { return vfs.MountinfoText(v.t.mounts()) }},
	{name: "mounts", mode: 0o444, text: func(v procView) string { return vfs.MountsText(v.t.mounts()) }},
	{name: "wchan", node: func(v procView) *synthfs.Node { return v.t.procWchan() }},
	{name: "mem", guarded: true, node: func(v procView) *synthfs.Node { return v.t.k.procMem(v.t) }},
	{name: "syscall", mode: 0o400, guarded: true, text: ofTask((*Task).procSyscall)},
	{name: "io", mode: 0o400, guarded: true, text: ofTask((*Task).procIO)},
	{name: "schedstat", mode: 0o444, text: func(v procView) string {
		v.t.k.chargeRunning()
		return fmt.Sprintf("%d 0 %d\n", v.t.usage.user+v.t.usage.system, v.t.usage.nvcsw+v.t.usage.nivcsw)
	}},
	{name: "personality", mode: 0o400, guarded: true, text: func(v procView) string { return fmt.Sprintf("%08x\n", v.t.personality) }},
	{name: "oom_score", mode: 0o444, text: ofTask((*Task).procOOMScore)},
	{name: "sessionid", mode: 0o444, text: func(v procView) string { return procID(v.t.group.auditSession) }},
	{name: "uid_map", node: func(v procView) *synthfs.Node { return v.t.k.procIDMap(v.t, true) }},
	{name: "gid_map", node: func(v procView) *synthfs.Node { return v.t.k.procIDMap(v.t, false) }},
	{name: "setgroups", node: func(v procView) *synthfs.Node { return v.t.k.procSetgroups(v.t) }},
	{name: "timens_offsets", node: func(v procView) *synthfs.Node { return v.t.k.procTimeOffsets(v.t) }},
	{name: "timerslack_ns", mode: 0o644, text: func(v procView) string { return fmt.Sprintf("%d\n", v.t.timerSlack) }},
	{name: "comm", node: func(v procView) *synthfs.Node { return v.t.k.procComm(v.t) }},
	{name: "coredump_filter", node: func(v procView) *synthfs.Node {
		return nsControl(0o644, func(*Task) string { return fmt.Sprintf("%08x\n", v.t.group.coreFilter) }, v.t.setCoreFilter)
	}},
	{name: "oom_score_adj", node: func(v procView) *synthfs.Node {
		return procNumber(func() int { return v.t.group.oomAdj }, v.t.setOOMAdj)
	}},
	{name: "loginuid", node: func(v procView) *synthfs.Node {
		return nsControl(0o644, func(*Task) string { return procID(v.t.group.loginUID) }, v.t.setLoginUID)
	}},
	{name: "exe", guarded: true, node: procExe},
	{name: "cwd", guarded: true, node: procCwd},
	{name: "root", guarded: true, node: procRoot},
	{name: "fd", node: func(v procView) *synthfs.Node { return v.t.k.procFDs(v.t, 0o500, v.t.k.procFDLink) }},
	{name: "fdinfo", guarded: true, node: func(v procView) *synthfs.Node { return v.t.k.procFDs(v.t, 0o555, v.t.k.procFDInfo) }},
	{name: "ns", guarded: true, node: func(v procView) *synthfs.Node { return v.t.k.procNS(v.t) }},
	{name: "net", node: func(v procView) *synthfs.Node { return v.t.k.procNet(v.t) }},
	{name: "attr", node: func(procView) *synthfs.Node {
		return synthfs.Dir(synthfs.Entry{Name: "current", Node: synthfs.Text("")})
	}},
}

// procPID is the directory of a process, /proc/PID.
func procPID(v procView) *synthfs.Node {
	n := procTask(v, "task", func() *synthfs.Node { return procThreads(v) })
	n.Object = v.t.group
	return n
}

// procThread is the directory of a thread, /proc/PID/task/TID.
func procThread(v procView) *synthfs.Node {
	return procTask(v, "children", func() *synthfs.Node {
		return synthfs.File(func() string { return v.t.procChildren(v.ns) })
	})
}

// procThreads is /proc/PID/task.
func procThreads(v procView) *synthfs.Node {
	g := v.t.group
	return &synthfs.Node{
		Mode:  0o555,
		Links: func() uint32 { return 2 + uint32(len(g.threads)) },
		List: func(*vfs.Context, int64) (list []synthfs.Entry) {
			for _, t := range g.threads {
				u := procView{v.ns, t}
				list = append(list, synthfs.Entry{
					Name: strconv.Itoa(t.id.in(v.ns)), Make: func() *synthfs.Node { return procThread(u) }, Pos: int64(t.id.in(v.ns)) + 2,
				})
			}
			return list
		},
		Lookup: func(_ *vfs.Context, name string) *synthfs.Node {
			for _, t := range g.threads {
				if strconv.Itoa(t.id.in(v.ns)) == name {
					return procThread(procView{v.ns, t})
				}
			}
			return nil
		},
	}
}

// procIno makes inode numbers of a task's files that stay the same.
func procIno(t *Task, i int) uint64 { return uint64(t.tid)<<16 | uint64(i) | 1<<40 }

// own gives a node the task's owner and the inode number of its i-th file.
func (v procView) own(i int, n *synthfs.Node) *synthfs.Node {
	n.Ino = procIno(v.t, i)
	if v.t.group.dumpable == dumpUser {
		n.UID, n.GID = v.t.cred.EUID, v.t.cred.EGID
	}
	return n
}

// procTask is what the directories of processes and of threads have in common,
// and one more file. The files are made when they are looked up.
func procTask(v procView, more string, node func() *synthfs.Node) *synthfs.Node {
	last := func() *synthfs.Node { return v.own(len(taskFiles)+1, node()) }
	return v.own(0, &synthfs.Node{
		Mode: 0o555,
		List: func(*vfs.Context, int64) []synthfs.Entry {
			list := make([]synthfs.Entry, len(taskFiles), len(taskFiles)+1)
			for i := range taskFiles {
				list[i] = synthfs.Entry{Name: taskFiles[i].name, Make: func() *synthfs.Node { return v.file(i) }}
			}
			return append(list, synthfs.Entry{Name: more, Make: last})
		},
		Lookup: func(_ *vfs.Context, name string) *synthfs.Node {
			if name == more {
				return last()
			}
			for i := range taskFiles {
				if taskFiles[i].name == name {
					return v.file(i)
				}
			}
			return nil
		},
	})
}

// file makes the i-th of taskFiles.
func (v procView) file(i int) *synthfs.Node {
	f := &taskFiles[i]
	var n *synthfs.Node
	if f.text == nil {
		n = f.node(v)
	} else {
		n = &synthfs.Node{Mode: f.mode, Read: func(*vfs.Context) ([]byte, linux.Errno) {
			if v.t.state == TaskDead {
				return nil, linux.ESRCH
			}
			return []byte(f.text(v)), 0
		}}
	}
	if f.guarded {
		n.Permit = v.t.procPermit
	}
	return v.own(i+1, n)
}

func procExe(v procView) *synthfs.Node {
	return v.t.k.procLink(v.t, func(*vfs.Context) (vfs.Path, linux.Errno) {
		if v.t.as == nil || v.t.as.Exe == nil {
			return vfs.Path{}, linux.ENOENT
		}
		return v.t.as.Exe.(fileObject).f.Path.Get(), 0
	})
}

func procCwd(v procView) *synthfs.Node {
	return v.t.k.procLink(v.t, func(*vfs.Context) (vfs.Path, linux.Errno) {
		if v.t.fs == nil {
			return vfs.Path{}, linux.ENOENT
		}
		return v.t.fs.Cwd.Get(), 0
	})
}

func procRoot(v procView) *synthfs.Node {
	return v.t.k.procLink(v.t, func(*vfs.Context) (vfs.Path, linux.Errno) {
		if v.t.fs == nil {
			return vfs.Path{}, linux.ENOENT
		}
		return v.t.fs.Root.Get(), 0
	})
}

// procPermit refuses callers that may not trace the process.
func (t *Task) procPermit(c *vfs.Context) linux.Errno {
	if u, ok := c.Task.(*Task); ok && !u.mayInspect(t) {
		return linux.EACCES
	}
	return 0
}

func (t *Task) mounts() []vfs.MountInfo {
	if t.fs == nil {
		return nil
	}
	return t.ns.mnt.List(t.fs.Root)
}

func (k *Kernel) procComm(t *Task) *synthfs.Node {
	return &synthfs.Node{
		Mode: 0o644,
		Read: func(*vfs.Context) ([]byte, linux.Errno) { return []byte(t.comm + "\n"), 0 },
		Write: func(c *vfs.Context, p []byte) linux.Errno {
			if u, ok := c.Task.(*Task); !ok || u.group != t.group {
				return linux.EINVAL
			}
			t.comm = clipComm(strings.TrimRight(string(p), "\n"))
			return 0
		},
	}
}

// procNumber is a file that holds a number that can be set.
func procNumber(get func() int, set func(w *Task, v int) linux.Errno) *synthfs.Node {
	return nsControl(0o644, func(*Task) string { return strconv.Itoa(get()) + "\n" }, func(w *Task, text string) linux.Errno {
		v, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return linux.EINVAL
		}
		return set(w, v)
	})
}

// setOOMAdj sets oom_score_adj. Lower than a privileged process has set it, it
// can be set by another only.
func (t *Task) setOOMAdj(w *Task, v int) linux.Errno {
	g, privileged := t.group, w.capable(linux.CAP_SYS_RESOURCE)
	switch {
	case v < -1000 || v > 1000:
		return linux.EINVAL
	case v < g.oomAdjMin && !privileged:
		return linux.EACCES
	case privileged:
		g.oomAdjMin = v
	}
	g.oomAdj = v
	return 0
}

// procID is a number of the audit log as it shows it: without an end of line.
func procID(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

// setLoginUID sets who logged in (pam_loginuid(8)). A task does it for itself,
// its children inherit it, and each login is a session of its own.
func (t *Task) setLoginUID(w *Task, text string) linux.Errno {
	g := t.group
	if w != t || g.loginUID != keepID && !w.capable(linux.CAP_AUDIT_CONTROL) {
		return linux.EPERM
	}
	uid, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return linux.EINVAL
	}
	g.loginUID, g.auditSession = uint32(uid), keepID
	if g.loginUID != keepID {
		t.k.auditSessions++
		g.auditSession = t.k.auditSessions
	}
	return 0
}

// procLink is a magic link to a place.
func (k *Kernel) procLink(t *Task, follow func(c *vfs.Context) (vfs.Path, linux.Errno)) *synthfs.Node {
	return &synthfs.Node{
		Mode: 0o777,
		Link: func(c *vfs.Context) (string, linux.Errno) {
			p, errno := follow(c)
			if errno != 0 {
				return "", errno
			}
			defer p.Put()
			name, _ := p.Name(c.Root)
			return name, 0
		},
		Follow: follow,
	}
}

// procNet is /proc/PID/net.
func (k *Kernel) procNet(t *Task) *synthfs.Node {
	return synthfs.Dir(t.ns.net.procFiles()...)
}

// cmdline reads a range of strings of the task's memory.
func (t *Task) memory(start, end uint64) string {
	if t.as == nil || end <= start {
		return ""
	}
	b := make([]byte, min(end-start, 1<<20))
	n, _ := t.as.CopyIn(start, b)
	return string(b[:n])
}

func (t *Task) procCmdline() string {
	if t.as == nil {
		return ""
	}
	return t.memory(t.as.ArgStart, t.as.ArgEnd)
}

func (t *Task) procEnviron() string {
	if t.as == nil {
		return ""
	}
	return t.memory(t.as.EnvStart, t.as.EnvEnd)
}

func (t *Task) procAuxv() string {
	if t.as == nil {
		return ""
	}
	return string(t.as.Auxv)
}

// procChildren lists the children that the thread has made.
func (t *Task) procChildren(ns *pidNamespace) string {
	var b strings.Builder
	for c := range t.group.children.all {
		if c.parentTask == t {
			fmt.Fprintf(&b, "%d ", c.leader.id.in(ns))
		}
	}
	return b.String()
}

func (t *Task) procSyscall() string {
	if !t.sc.active {
		return "running\n"
	}
	a := t.sc.args
	return fmt.Sprintf("%d 0x%x 0x%x 0x%x 0x%x 0x%x 0x%x 0x%x 0x%x\n", t.sc.nr, a[0], a[1], a[2], a[3], a[4], a[5],
		t.Regs.GPR[cpu.RSP], t.Regs.RIP)
}

// sigLine formats a signal set.
func sigLine(s linux.Sigset) string { return fmt.Sprintf("%016x", uint64(s)) }

// caughtIgnored are the signals with a handler and those ignored.
func (t *Task) caughtIgnored() (caught, ignored linux.Sigset) {
	for sig := linux.Signal(1); sig <= linux.NSIG; sig++ {
		switch t.sighand.action(sig).Handler {
		case linux.SIG_DFL:
		case linux.SIG_IGN:
			ignored.Add(sig)
		default:
			caught.Add(sig)
		}
	}
	return caught, ignored
}

// procStat is /proc/PID/stat: 52 fields in one line.
func (t *Task) procStat(ns *pidNamespace) string {
	g := t.group
	ppid, tty, tpgid := 0, uint64(0), -1
	if g.parent != nil {
		ppid = g.parent.leader.id.in(ns)
	}
	if g.tty != nil {
		tty, tpgid = g.tty.Number(), g.tty.Foreground()
		if p := t.k.pids.find(tpgid); p != nil {
			tpgid = p.in(ns)
		}
	}
	pgid, sid := 0, 0
	if g.pgrp != nil {
		pgid, sid = g.pgrp.pid.in(ns), g.session.pid.in(ns)
	}
	own, kids := g.ownUsage(), g.childUse
	if !t.isLeader() {
		own = t.usage
	}
	var vsize, rss, code0, code1, stack, data0, data1, brk, arg0, arg1, env0, env1 uint64
	if as := t.as; as != nil {
		vsize, rss = as.TotalPages()<<mm.PageShift, as.RSSPages()
		code0, code1, stack, data0, data1, brk = as.CodeStart, as.CodeEnd, as.StackBase, as.DataStart, as.DataEnd, as.BrkStart
		arg0, arg1, env0, env1 = as.ArgStart, as.ArgEnd, as.EnvStart, as.EnvEnd
	}
	caught, ignored := t.caughtIgnored()
	prio := 20 + t.sched.nice
	if t.sched.realtime() {
		prio = -1 - t.sched.priority()
	}
	start := ticks(t.startTime) // of CLOCK_BOOTTIME, as in /proc/uptime
	return fmt.Sprintf("%d (%s) %c %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d 0 %d %d %d %d %d %d %d %d %d "+
		"%d %d %d %d 0 0 0 %d %d %d %d 0 0 0 %d %d %d %d %d %d %d %d\n",
		t.id.in(ns), t.comm, t.state.Letter(), ppid, pgid, sid, tty, tpgid, t.flags(),
		own.minflt, kids.minflt, own.majflt, kids.majflt,
		ticks(own.user), ticks(own.system), ticks(kids.user), ticks(kids.system),
		prio, t.sched.nice, len(g.threads), start, vsize, rss, g.rlimits[linux.RLIMIT_RSS].Cur,
		code0, code1, stack, 0, 0, // the registers are nobody else's business
		uint64(t.pending.set)&0x7fffffff, uint64(t.sigmask)&0x7fffffff, uint64(ignored)&0x7fffffff, uint64(caught)&0x7fffffff,
		int(t.exitSignal), t.cpu, t.sched.rtPrio, t.sched.policy,
		data0, data1, brk, arg0, arg1, env0, env1, g.zombieStatus)
}

// flags are the flags of a task as /proc/PID/stat shows them (PF_ in
// include/linux/sched.h): PF_RANDOMIZE is always set.
func (t *Task) flags() int {
	flags := 0x00400000
	if t.forkNoExec {
		flags |= 0x40
	}
	if t.superPriv {
		flags |= 0x100
	}
	if t.inCore || t.group.core != nil && t.group.core.dumper == t {
		flags |= 0x200 // PF_DUMPCORE
	}
	return flags
}

// stateName is the state as /proc/PID/status shows it.
func (t *Task) stateName() string {
	return map[byte]string{'R': "R (running)", 'S': "S (sleeping)", 'D': "D (disk sleep)", 'T': "T (stopped)", 't': "t (tracing stop)",
		'Z': "Z (zombie)", 'X': "X (dead)"}[t.state.Letter()]
}

func (t *Task) procStatus(ns *pidNamespace) string {
	g, c := t.group, t.cred
	var b strings.Builder
	ppid, tracer, umask, fds := 0, 0, uint32(0), 0
	if t.ptrace != nil {
		tracer = t.ptrace.tracer.id.in(ns)
	}
	if g.parent != nil {
		ppid = g.parent.leader.id.in(ns)
	}
	if t.fs != nil {
		umask = t.fs.Umask
	}
	if t.files != nil {
		fds = max(64, len(t.files.slots))
	}
	fmt.Fprintf(&b, "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n",
		t.comm, umask, t.stateName(), g.leader.id.in(ns), t.id.in(ns), ppid, tracer)
	fmt.Fprintf(&b, "Uid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\nFDSize:\t%d\nGroups:\t", c.UID, c.EUID, c.SUID, c.FSUID, c.GID, c.EGID, c.SGID, c.FSGID, fds)
	for _, gid := range c.Groups {
		fmt.Fprintf(&b, "%d ", gid)
	}
	b.WriteByte('\n')
	for _, l := range []struct {
		name string
		id   *pid
	}{{"NStgid", g.leader.id}, {"NSpid", t.id}, {"NSpgid", g.pgrpID()}, {"NSsid", g.sessionID()}} {
		fmt.Fprintf(&b, "%s:%s\n", l.name, l.id.levels(ns))
	}
	t.statusMemory(&b)
	if t.as != nil {
		fmt.Fprintf(&b, "CoreDumping:\t%d\n", b2u(g.core != nil))
	}
	caught, ignored := t.caughtIgnored()
	fmt.Fprintf(&b, "Threads:\t%d\nSigQ:\t%d/%d\nSigPnd:\t%s\nShdPnd:\t%s\nSigBlk:\t%s\nSigIgn:\t%s\nSigCgt:\t%s\n", len(g.threads),
		len(g.pending.queue)+len(t.pending.queue), g.rlimits[linux.RLIMIT_SIGPENDING].Cur,
		sigLine(t.pending.set), sigLine(g.pending.set), sigLine(t.sigmask), sigLine(ignored), sigLine(caught))
	fmt.Fprintf(&b, "CapInh:\t%016x\nCapPrm:\t%016x\nCapEff:\t%016x\nCapBnd:\t%016x\nCapAmb:\t%016x\nNoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t%d\n",
		c.Inheritable, c.Permitted, c.Caps, c.Bounding, c.Ambient, b2u(t.noNewPrivs), t.seccomp.mode, t.seccomp.filter.count())
	mask := t.sched.affinity & t.k.allCPUs()
	fmt.Fprintf(&b, "Cpus_allowed:\t%x\nCpus_allowed_list:\t%s\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%d\nnonvoluntary_ctxt_switches:\t%d\n",
		mask, cpuList(mask), t.usage.nvcsw, t.usage.nivcsw)
	return b.String()
}

// cpuList formats a set of processors as "0-3,5".
func cpuList(mask uint64) string {
	var parts []string
	for i := 0; i < 64; i++ {
		if mask>>i&1 == 0 {
			continue
		}
		j := i
		for j < 63 && mask>>(j+1)&1 != 0 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(i))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", i, j))
		}
		i = j
	}
	return strings.Join(parts, ",")
}

// statusMemory writes the Vm lines; a zombie has none.
func (t *Task) statusMemory(b *strings.Builder) {
	as := t.as
	if as == nil {
		return
	}
	var stack, text, locked, anon, file, shmem uint64
	as.VMAs(func(v mm.VMA) bool {
		u := as.Usage(v.Start, v.End)
		anon += u.Anonymous
		if v.Flags&mm.MapShared != 0 {
			shmem += u.RSS - u.Anonymous
		} else {
			file += u.RSS - u.Anonymous
		}
		if v.Name == "[stack]" {
			stack += v.Len()
		}
		if v.Prot&mm.ProtExec != 0 {
			text += v.Len()
		}
		if v.Flags&mm.MapLocked != 0 {
			locked += v.Len()
		}
		return true
	})
	kb := func(pages uint64) uint64 { return pages * 4 }
	for _, l := range []struct {
		name string
		kb   uint64
	}{
		{"VmPeak", kb(as.TotalPages())}, {"VmSize", kb(as.TotalPages())}, {"VmLck", locked >> 10}, {"VmPin", 0},
		{"VmHWM", kb(as.PeakPages())}, {"VmRSS", kb(as.RSSPages())}, {"RssAnon", anon >> 10}, {"RssFile", file >> 10},
		{"RssShmem", shmem >> 10}, {"VmData", kb(as.DataPages())}, {"VmStk", stack >> 10}, {"VmExe", (as.CodeEnd - as.CodeStart) >> 10},
		{"VmLib", max(text, as.CodeEnd-as.CodeStart)>>10 - (as.CodeEnd-as.CodeStart)>>10}, {"VmPTE", as.TableBytes() >> 10}, {"VmSwap", 0},
	} {
		fmt.Fprintf(b, "%s:\t%8d kB\n", l.name, l.kb)
	}
}

func (t *Task) procStatm() string {
	as := t.as
	if as == nil {
		return "0 0 0 0 0 0 0\n"
	}
	shared := uint64(0)
	u := as.Usage(0, mm.UserTop)
	shared = (u.RSS - u.Anonymous) >> mm.PageShift
	return fmt.Sprintf("%d %d %d %d 0 %d 0\n", as.TotalPages(), as.RSSPages(), shared, (as.CodeEnd-as.CodeStart)>>mm.PageShift, as.DataPages())
}

// mapLine is the line of a mapping in maps and smaps.
func mapLine(v *mm.VMA) string {
	perm := []byte("---p")
	for i, p := range []mm.Prot{mm.ProtRead, mm.ProtWrite, mm.ProtExec} {
		if v.Prot&p != 0 {
			perm[i] = "rwx"[i]
		}
	}
	if v.Flags&mm.MapShared != 0 {
		perm[3] = 's'
	}
	var dev, ino uint64
	name := v.Name
	if v.Obj != nil {
		name, dev, ino = v.Obj.Describe()
	}
	s := fmt.Sprintf("%08x-%08x %s %08x %02x:%02x %d ", v.Start, v.End, perm, v.Off, linux.Major(dev), linux.Minor(dev), ino)
	if name != "" {
		s = fmt.Sprintf("%-73s%s", s, name)
	}
	return s + "\n"
}

func (t *Task) procMaps() string {
	if t.as == nil {
		return ""
	}
	var b strings.Builder
	t.as.VMAs(func(v mm.VMA) bool {
		b.WriteString(mapLine(&v))
		return true
	})
	return b.String()
}

// usageLines are the counts of a mapping in smaps.
func usageLines(b *strings.Builder, u *mm.Usage, locked uint64) {
	for _, l := range []struct {
		name string
		v    uint64
	}{
		{"Rss", u.RSS}, {"Pss", u.PSS}, {"Pss_Dirty", u.PSSDirty}, {"Shared_Clean", u.SharedClean}, {"Shared_Dirty", u.SharedDirty},
		{"Private_Clean", u.PrivateClean}, {"Private_Dirty", u.PrivateDirty}, {"Referenced", u.RSS}, {"Anonymous", u.Anonymous},
		{"LazyFree", 0}, {"AnonHugePages", 0}, {"ShmemPmdMapped", 0}, {"FilePmdMapped", 0}, {"Shared_Hugetlb", 0}, {"Private_Hugetlb", 0}, {"Swap", 0}, {"SwapPss", 0}, {"Locked", locked},
	} {
		fmt.Fprintf(b, "%-16s%8d kB\n", l.name+":", l.v>>10)
	}
}

// lockedPart is what smaps calls the locked part of a mapping.
func lockedPart(v *mm.VMA, u *mm.Usage) uint64 {
	if v.Flags&mm.MapLocked == 0 {
		return 0
	}
	return u.PSS
}

// vmFlags are the two-letter flags of a mapping in smaps (proc(5)).
func vmFlags(v *mm.VMA) string {
	var b strings.Builder
	for _, f := range []struct {
		on   bool
		name string
	}{
		{v.Prot&mm.ProtRead != 0, "rd"}, {v.Prot&mm.ProtWrite != 0, "wr"}, {v.Prot&mm.ProtExec != 0, "ex"}, {v.Flags&mm.MapShared != 0, "sh"},
		{v.MaxProt&mm.ProtRead != 0, "mr"}, {v.MaxProt&mm.ProtWrite != 0, "mw"}, {v.MaxProt&mm.ProtExec != 0, "me"},
		{v.Flags&mm.MapShared != 0, "ms"}, {v.Flags&mm.MapGrowsDown != 0, "gd"}, {v.Flags&mm.MapLocked != 0, "lo"},
		{v.Flags&mm.MapDontFork != 0, "dc"}, {v.Flags&mm.MapShared == 0 && v.Prot&mm.ProtWrite != 0 && v.Flags&mm.MapNoReserve == 0, "ac"},
		{v.Flags&mm.MapNoReserve != 0, "nr"}, {v.Flags&mm.MapWipeFork != 0, "wf"}, {v.Flags&mm.MapDontDump != 0, "dd"},
	} {
		if f.on {
			b.WriteString(f.name + " ")
		}
	}
	return b.String()
}

func (t *Task) procSmaps() string {
	if t.as == nil {
		return ""
	}
	var b strings.Builder
	t.as.VMAs(func(v mm.VMA) bool {
		u := t.as.Usage(v.Start, v.End)
		b.WriteString(mapLine(&v))
		fmt.Fprintf(&b, "%-16s%8d kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n", "Size:", v.Len()>>10)
		usageLines(&b, &u, lockedPart(&v, &u))
		b.WriteString("THPeligible:           0\nVmFlags: " + vmFlags(&v) + "\n")
		return true
	})
	return b.String()
}

func (t *Task) procSmapsRollup() string {
	if t.as == nil {
		return ""
	}
	var b strings.Builder
	var locked, first, last uint64
	t.as.VMAs(func(v mm.VMA) bool {
		if last == 0 {
			first = v.Start
		}
		last = v.End
		if v.Flags&mm.MapLocked != 0 {
			u := t.as.Usage(v.Start, v.End)
			locked += lockedPart(&v, &u)
		}
		return true
	})
	u := t.as.Usage(0, mm.UserTop)
	fmt.Fprintf(&b, "%08x-%08x ---p 00000000 00:00 0                          [rollup]\n", first, last)
	usageLines(&b, &u, locked)
	return b.String()
}

// limitNames are the lines of /proc/PID/limits, by number.
var limitNames = [linux.RLIM_NLIMITS][2]string{
	{"Max cpu time", "seconds"}, {"Max file size", "bytes"}, {"Max data size", "bytes"}, {"Max stack size", "bytes"},
	{"Max core file size", "bytes"}, {"Max resident set", "bytes"}, {"Max processes", "processes"}, {"Max open files", "files"},
	{"Max locked memory", "bytes"}, {"Max address space", "bytes"}, {"Max file locks", "locks"}, {"Max pending signals", "signals"},
	{"Max msgqueue size", "bytes"}, {"Max nice priority", ""}, {"Max realtime priority", ""}, {"Max realtime timeout", "us"},
}

func (t *Task) procLimits() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units")
	value := func(v uint64) string {
		if v == ^uint64(0) {
			return "unlimited"
		}
		return strconv.FormatUint(v, 10)
	}
	for i, n := range limitNames {
		r := t.group.rlimits[i]
		fmt.Fprintf(&b, "%-25s %-20s %-20s %-10s\n", n[0], value(r.Cur), value(r.Max), n[1])
	}
	return b.String()
}
