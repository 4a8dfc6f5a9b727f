package kernel

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/tinevm/tine/internal/fs/cgroupfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// cgroupFile is a row of the table of control files.
type cgroupFile struct {
	name  string
	needs controllers // the controllers that bring it; 0: every group has it
	root  bool        // the root group has it too
	owned bool        // not for those inside the group's namespace (nsdelegate)
	read  func(c *cgroup, o *cgroupOpener) (string, linux.Errno)
	write func(c *cgroup, o *cgroupOpener, text string) linux.Errno
}

// cgroupFiles are the control files in the order in which they are listed
// (cgroup-v2.rst).
var cgroupFiles = []cgroupFile{
	{name: "cgroup.type", read: show((*cgroup).typeText), write: (*cgroup).writeType},
	{name: "cgroup.procs", root: true, read: (*cgroup).readProcs, write: (*cgroup).writeProcs},
	{name: "cgroup.threads", root: true, read: (*cgroup).readThreads, write: (*cgroup).writeThreads},
	{name: "cgroup.controllers", root: true, read: show(func(c *cgroup) string { return c.available().String() + "\n" })},
	{name: "cgroup.subtree_control", root: true, read: show(func(c *cgroup) string { return c.control.String() + "\n" }), write: (*cgroup).writeControl},
	{name: "cgroup.events", read: show(func(c *cgroup) string {
		return fmt.Sprintf("populated %d\nfrozen %d\n", b2u(c.populated()), b2u(c.frozen))
	})},
	{name: "cgroup.max.descendants", root: true, owned: true, read: show(func(c *cgroup) string { return maxText(int64(c.maxDesc)) }), write: writeLimit(func(c *cgroup) *int { return &c.maxDesc })},
	{name: "cgroup.max.depth", root: true, owned: true, read: show(func(c *cgroup) string { return maxText(int64(c.maxDepth)) }), write: writeLimit(func(c *cgroup) *int { return &c.maxDepth })},
	{name: "cgroup.stat", root: true, read: show(func(c *cgroup) string {
		return fmt.Sprintf("nr_descendants %d\nnr_dying_descendants %d\n", c.descendants, c.dying())
	})},
	{name: "cgroup.freeze", owned: true, read: show(func(c *cgroup) string { return fmt.Sprintln(b2u(c.freeze)) }), write: (*cgroup).writeFreeze},
	{name: "cgroup.kill", owned: true, write: (*cgroup).writeKill},
	{name: "cpu.stat", root: true, read: show((*cgroup).cpuStat)},

	{name: "cpu.weight", needs: cpuController, owned: true, read: show(func(c *cgroup) string { return fmt.Sprintln(c.weight) }), write: (*cgroup).writeWeight},
	{name: "cpu.weight.nice", needs: cpuController, owned: true, read: show(func(c *cgroup) string { return fmt.Sprintln(c.weightNice()) }), write: (*cgroup).writeWeightNice},
	{name: "cpu.max", needs: cpuController, owned: true, read: show((*cgroup).quotaText), write: (*cgroup).writeQuota},

	{name: "memory.current", needs: memoryController, read: show(func(c *cgroup) string { return fmt.Sprintln(c.mem.Used()) })},
	{name: "memory.peak", needs: memoryController, read: show(func(c *cgroup) string { return fmt.Sprintln(c.mem.Peak()) })},
	{name: "memory.min", needs: memoryController, owned: true, read: showPages(func(c *cgroup) *int64 { return &c.memMin }), write: writePages(func(c *cgroup) *int64 { return &c.memMin })},
	{name: "memory.low", needs: memoryController, owned: true, read: showPages(func(c *cgroup) *int64 { return &c.memLow }), write: writePages(func(c *cgroup) *int64 { return &c.memLow })},
	{name: "memory.high", needs: memoryController, owned: true, read: showPages(func(c *cgroup) *int64 { return &c.memHigh }), write: writePages(func(c *cgroup) *int64 { return &c.memHigh })},
	{name: "memory.max", needs: memoryController, owned: true, read: showPages(func(c *cgroup) *int64 { return &c.memMax }), write: writePages(func(c *cgroup) *int64 { return &c.memMax })},
	{name: "memory.events", needs: memoryController, read: show(func(c *cgroup) string { return memEventText(&c.memEvents) })},
	{name: "memory.events.local", needs: memoryController, read: show(func(c *cgroup) string { return memEventText(&c.memOwn) })},
	{name: "memory.stat", needs: memoryController, root: true, read: show((*cgroup).memoryStat)},
	{name: "memory.oom.group", needs: memoryController, owned: true, read: show(func(c *cgroup) string { return fmt.Sprintln(b2u(c.oomGroup)) }), write: (*cgroup).writeOOMGroup},
	{name: "memory.reclaim", needs: memoryController, root: true, write: (*cgroup).writeReclaim},

	{name: "pids.max", needs: pidsController, owned: true, read: show(func(c *cgroup) string { return maxText(int64(c.pidsMax)) }), write: (*cgroup).writePIDsMax},
	{name: "pids.current", needs: pidsController, read: show(func(c *cgroup) string { return fmt.Sprintln(c.pids) })},
	{name: "pids.peak", needs: pidsController, read: show(func(c *cgroup) string { return fmt.Sprintln(c.pidsPeak) })},
	{name: "pids.events", needs: pidsController, read: show(func(c *cgroup) string { return fmt.Sprintf("max %d\n", c.pidsEvents) })},
	{name: "pids.events.local", needs: pidsController, read: show(func(c *cgroup) string { return fmt.Sprintf("max %d\n", c.pidsLocal) })},
}

// cgroupFileSets are the files of the table by the controllers a group has; the
// root's come last, with and without a quota of the machine.
var cgroupFileSets = sync.OnceValue(func() (sets [allControllers + 3][]*cgroupfs.File) {
	const root, limited = allControllers + 1, allControllers + 2
	for i := range cgroupFiles {
		f := &cgroupFiles[i]
		kind := f.kind()
		for set := range allControllers + 1 {
			if f.needs&^set == 0 {
				sets[set] = append(sets[set], kind)
			}
		}
		if f.root {
			sets[root] = append(sets[root], kind)
			sets[limited] = append(sets[limited], kind)
		}
	}
	quota := &cgroupfs.File{Name: "cpu.max", Mode: 0o444, Read: func(g cgroupfs.Group, _ any) (string, linux.Errno) {
		return g.(*cgroup).quotaText(), 0
	}}
	sets[limited] = append(sets[limited], quota)
	return sets
})

// Files implements cgroupfs.Group. The root of a machine whose processor time is
// limited has a cpu.max that tells so, as that of a container has.
func (c *cgroup) Files() []*cgroupfs.File {
	switch {
	case c.parent != nil:
		return cgroupFileSets()[c.available()]
	case c.quota >= 0:
		return cgroupFileSets()[allControllers+2]
	}
	return cgroupFileSets()[allControllers+1]
}

// kind makes the row known to the file system.
func (f *cgroupFile) kind() *cgroupfs.File {
	k := &cgroupfs.File{Name: f.name}
	if f.read != nil {
		k.Mode |= 0o444
		k.Read = func(g cgroupfs.Group, o any) (string, linux.Errno) { return f.read(g.(*cgroup), o.(*cgroupOpener)) }
	}
	if f.write != nil {
		k.Mode |= 0o200
		k.Write = func(g cgroupfs.Group, o any, text string) linux.Errno {
			c, by := g.(*cgroup), o.(*cgroupOpener)
			if f.owned && c.k.cgroups.nsdelegate && by.ns.root == c && by.ns != c.k.rootNS.cgroup {
				return linux.EPERM
			}
			return f.write(c, by, text)
		}
	}
	return k
}

// show makes a reader of a text that does not depend on who reads.
func show(text func(c *cgroup) string) func(*cgroup, *cgroupOpener) (string, linux.Errno) {
	return func(c *cgroup, _ *cgroupOpener) (string, linux.Errno) { return text(c), 0 }
}

// maxText shows a limit, of which less than 0 is none.
func maxText(n int64) string {
	if n < 0 {
		return "max\n"
	}
	return fmt.Sprintln(n)
}

// parseMax reads a limit up to top; "max" is -1.
func parseMax(text string, top int64) (int64, linux.Errno) {
	if text == "max" {
		return -1, 0
	}
	n, errno := parseInt(text)
	if errno == 0 && (n < 0 || n > top) {
		errno = linux.EINVAL
	}
	return n, errno
}

// parseInt reads a number in C's notation (kstrtoll).
func parseInt(text string) (int64, linux.Errno) {
	n, err := strconv.ParseInt(text, 0, 64)
	switch {
	case err != nil && err.(*strconv.NumError).Err == strconv.ErrRange:
		return 0, linux.ERANGE
	case err != nil || strings.ContainsAny(text, "_oObB"):
		return 0, linux.EINVAL
	}
	return n, 0
}

// parseBool reads 0 or 1; other numbers are bad.
func parseBool(text string, bad linux.Errno) (bool, linux.Errno) {
	n, errno := parseInt(text)
	if errno == 0 && n != 0 && n != 1 {
		errno = bad
	}
	return n == 1, errno
}

func (c *cgroup) typeText() string {
	switch {
	case !c.validDomain():
		return "domain invalid\n"
	case c.threadRoot():
		return "domain threaded\n"
	}
	return "domain\n"
}

// writeType: groups cannot be made threaded.
func (c *cgroup) writeType(_ *cgroupOpener, text string) linux.Errno {
	if text != "threaded" {
		return linux.EINVAL
	}
	return linux.EOPNOTSUPP
}

// readerNS is the pid namespace whose numbers the caller is shown.
func (c *cgroup) readerNS() *pidNamespace {
	if t := c.k.current; t != nil {
		return t.pidNS()
	}
	return c.k.pids
}

func (c *cgroup) readProcs(*cgroupOpener) (string, linux.Errno) {
	ns := c.readerNS()
	var b strings.Builder
	for g := range c.procs.all {
		fmt.Fprintln(&b, g.leader.id.in(ns))
	}
	return b.String(), 0
}

func (c *cgroup) readThreads(*cgroupOpener) (string, linux.Errno) {
	ns := c.readerNS()
	var b strings.Builder
	for g := range c.procs.all {
		for _, t := range g.threads {
			if !t.exiting {
				fmt.Fprintln(&b, t.id.in(ns))
			}
		}
	}
	return b.String(), 0
}

// taskArg finds the task whose number was written; 0 is the writer.
func (c *cgroup) taskArg(text string) (*Task, linux.Errno) {
	n, errno := parseInt(text)
	if errno != 0 || n < 0 || n > math.MaxInt32 {
		return nil, linux.EINVAL
	}
	t := c.k.current
	if n != 0 {
		if t = c.readerNS().task(int(n)); t == nil {
			return nil, linux.ESRCH
		}
	}
	if t == nil || t.group == c.k.pids.init && !c.k.cfg.NoInit {
		return nil, linux.EINVAL // the kernel's own process 1
	}
	return t, 0
}

// moveArg is the task that is to be moved to the group, and may be.
func (c *cgroup) moveArg(o *cgroupOpener, text string) (*Task, linux.Errno) {
	t, errno := c.taskArg(text)
	if errno == 0 {
		errno = o.mayMove(t.group.cgroup, c)
	}
	return t, errno
}

// writeProcs moves a process to the group.
func (c *cgroup) writeProcs(o *cgroupOpener, text string) linux.Errno {
	t, errno := c.moveArg(o, text)
	if errno != 0 {
		return errno
	}
	t.group.migrate(c)
	return 0
}

// writeThreads moves a thread, which cannot leave its process's group.
func (c *cgroup) writeThreads(o *cgroupOpener, text string) linux.Errno {
	t, errno := c.moveArg(o, text)
	if errno != 0 {
		return errno
	}
	if t.group.cgroup != c {
		return linux.EOPNOTSUPP
	}
	return 0
}

// writeControl takes "+name" and "-name"; of several for the same controller the
// last counts.
func (c *cgroup) writeControl(_ *cgroupOpener, text string) linux.Errno {
	var on, off controllers
	for _, word := range strings.Fields(text) {
		bit := controllers(0)
		for i, name := range controllerNames {
			if word[1:] == name {
				bit = 1 << i
			}
		}
		if bit == 0 {
			return linux.EINVAL
		}
		switch word[0] {
		case '+':
			on, off = on|bit, off&^bit
		case '-':
			on, off = on&^bit, off|bit
		default:
			return linux.EINVAL
		}
	}
	return c.setControl(on, off)
}

// writeLimit writes one of the limits on what is below a group.
func writeLimit(of func(c *cgroup) *int) func(*cgroup, *cgroupOpener, string) linux.Errno {
	return func(c *cgroup, _ *cgroupOpener, text string) linux.Errno {
		n, errno := parseMax(text, math.MaxInt64)
		if errno == 0 && n >= math.MaxInt32 {
			errno = linux.ERANGE
		}
		if errno == linux.EINVAL && strings.HasPrefix(text, "-") {
			errno = linux.ERANGE
		}
		if errno == 0 {
			*of(c) = int(n)
		}
		return errno
	}
}

func (c *cgroup) writeFreeze(_ *cgroupOpener, text string) linux.Errno {
	on, errno := parseBool(text, linux.ERANGE)
	if errno == 0 {
		c.setFreeze(on)
	}
	return errno
}

// writeKill kills all processes in the group and below.
func (c *cgroup) writeKill(_ *cgroupOpener, text string) linux.Errno {
	n, errno := parseInt(text)
	if errno != 0 {
		return errno
	}
	if n != 1 {
		return linux.ERANGE
	}
	by := c.k.current
	c.each(func(d *cgroup) {
		for _, g := range d.procs.list() {
			if by != nil {
				by.sendSignal(g, nil, linux.SIGKILL, userSignal(linux.SIGKILL, by))
			} else {
				g.kill(linux.SIGKILL)
			}
		}
	})
	return 0
}

func (c *cgroup) cpuStat() string {
	c.k.chargeRunning()
	s := fmt.Sprintf("usage_usec %d\nuser_usec %d\nsystem_usec %d\n", (c.user+c.system)/1000, c.user/1000, c.system/1000)
	if c.hasCPU || c.parent == nil && c.quota >= 0 {
		s += fmt.Sprintf("nr_periods %d\nnr_throttled %d\nthrottled_usec %d\nnr_bursts 0\nburst_usec 0\n", c.periods, c.spents, c.waited/1000)
	}
	return s
}

func (c *cgroup) writeWeight(_ *cgroupOpener, text string) linux.Errno {
	w, errno := parseInt(text)
	if errno == 0 && (w < 1 || w > maxWeight) {
		errno = linux.ERANGE
	}
	if errno == 0 {
		c.setWeight(w)
	}
	return errno
}

// niceShares is the cpu.weight of a nice level.
func niceShares(nice int) int64 {
	return (niceWeight[nice+20]*defaultWeight + nice0Weight/2) / nice0Weight
}

// weightNice is the nice level that is nearest to the group's weight.
func (c *cgroup) weightNice() int {
	best, off := 0, int64(math.MaxInt64)
	for nice := -20; nice < 20; nice++ {
		d := niceShares(nice) - c.weight
		if d = max(d, -d); d < off {
			best, off = nice, d
		}
	}
	return best
}

func (c *cgroup) writeWeightNice(_ *cgroupOpener, text string) linux.Errno {
	nice, errno := parseInt(text)
	if errno == 0 && (nice < -20 || nice > 19) {
		errno = linux.ERANGE
	}
	if errno == 0 {
		c.setWeight(niceShares(int(nice)))
	}
	return errno
}

func (c *cgroup) quotaText() string {
	quota := "max"
	if c.quota >= 0 {
		quota = strconv.FormatInt(c.quota/1000, 10)
	}
	return fmt.Sprintf("%s %d\n", quota, c.period/1000)
}

// writeQuota takes the quota and, if it is to change, the period, in
// microseconds.
func (c *cgroup) writeQuota(_ *cgroupOpener, text string) linux.Errno {
	const least, longest = 1000, 1_000_000 // microseconds
	f := strings.Fields(text)
	if len(f) < 1 || len(f) > 2 {
		return linux.EINVAL
	}
	period := c.period / 1000
	if len(f) == 2 {
		n, errno := parseInt(f[1])
		if errno != 0 {
			return linux.EINVAL
		}
		period = n
	}
	quota, errno := parseMax(f[0], math.MaxInt64/1000)
	switch {
	case errno != 0:
		return linux.EINVAL
	case period < least || period > longest, quota >= 0 && quota < least, quota > 1<<44:
		return linux.EINVAL
	}
	if quota >= 0 {
		quota *= 1000
	}
	c.setQuota(quota, period*1000)
	return 0
}

func memEventText(n *[memEventCount]int64) string {
	var b strings.Builder
	for i, name := range memEventNames {
		fmt.Fprintf(&b, "%s %d\n", name, n[i])
	}
	return b.String()
}

// memoryStat: what is not shared memory of the machine's files is a process's.
func (c *cgroup) memoryStat() string {
	a := c.mem
	if c.parent == nil {
		a = c.acct
	}
	file, tables := a.Cached(), a.Tables()
	anon := a.Used() - file - tables
	return fmt.Sprintf("anon %d\nfile %d\nkernel %d\npagetables %d\nshmem %d\nfile_mapped 0\nfile_dirty 0\ninactive_anon 0\nactive_anon %d\n"+
		"inactive_file 0\nactive_file 0\nunevictable %d\npgfault %d\npgmajfault %d\n",
		anon, file, tables, tables, file, anon, file, c.pgfault, c.pgmajfault)
}

// showPages shows a limit in pages.
func showPages(of func(c *cgroup) *int64) func(*cgroup, *cgroupOpener) (string, linux.Errno) {
	return show(func(c *cgroup) string { return maxText(*of(c) << mm.PageShift) })
}

// writePages writes a limit in bytes, with a unit or without (memparse).
func writePages(of func(c *cgroup) *int64) func(*cgroup, *cgroupOpener, string) linux.Errno {
	return func(c *cgroup, _ *cgroupOpener, text string) linux.Errno {
		n, errno := parseBytes(text)
		if errno != 0 {
			return errno
		}
		*of(c) = n
		c.applyMemory()
		return 0
	}
}

// parseBytes reads a number of bytes as pages; "max" is -1.
func parseBytes(text string) (int64, linux.Errno) {
	if text == "max" {
		return -1, 0
	}
	shift := 0
	if i := len(text) - 1; i > 0 {
		if unit := strings.IndexByte("kmgtpe", text[i]|0x20); unit >= 0 && !strings.HasPrefix(text, "0x") {
			text, shift = text[:i], 10*(unit+1)
		}
	}
	n, errno := parseInt(text)
	switch {
	case errno == linux.ERANGE || errno == 0 && n > math.MaxInt64>>shift:
		return -1, 0 // more than there can be
	case errno != 0 || n < 0:
		return 0, linux.EINVAL
	}
	return n << shift >> mm.PageShift, 0
}

// applyMemory makes the account follow memory.max and memory.high. If more is
// used than is allowed now, processes have to go.
func (c *cgroup) applyMemory() {
	c.mem.SetLimit(c.memMax)
	if c.mem.High = c.memHigh; c.memHigh < 0 {
		c.mem.High = math.MaxInt64
	}
	if c.mem.Over() {
		c.memEvent(memEventMax)
		c.k.outOfMemory(c)
	}
	c.k.memoryFreed()
}

func (c *cgroup) writeOOMGroup(_ *cgroupOpener, text string) linux.Errno {
	on, errno := parseBool(text, linux.EINVAL)
	if errno == 0 {
		c.oomGroup = on
	}
	return errno
}

// writeReclaim: there is nothing that could be dropped, so that any amount is
// more than can be had.
func (c *cgroup) writeReclaim(_ *cgroupOpener, text string) linux.Errno {
	n, errno := parseBytes(text)
	if errno == 0 && n != 0 {
		errno = linux.EAGAIN
	}
	return errno
}

func (c *cgroup) writePIDsMax(_ *cgroupOpener, text string) linux.Errno {
	n, errno := parseMax(text, pidMax)
	if errno == 0 {
		c.pidsMax = int(n)
	}
	return errno
}

// NewCgroupFS makes the file system of control groups, seen from the root of the
// caller's cgroup namespace on; without a caller from the machine's root.
// Options are those of cgroups(7) and count for the whole hierarchy.
func (k *Kernel) NewCgroupFS(c *vfs.Context, data string) (vfs.FileSystem, linux.Errno) {
	t := &k.cgroups
	ns := k.rootNS.cgroup
	if c != nil {
		ns = c.Task.(*Task).ns.cgroup
	}
	var delegate, local, recursive bool
	for _, o := range strings.Split(data, ",") {
		switch o {
		case "":
		case "nsdelegate":
			delegate = true
		case "memory_localevents":
			local = true
		case "memory_recursiveprot":
			recursive = true
		default:
			return nil, linux.EINVAL
		}
	}
	if ns == k.rootNS.cgroup {
		t.nsdelegate, t.localEvents, t.recursiveProt = delegate, local, recursive
	}
	return cgroupfs.New(ns.root.dir, t.options), 0
}

// options are the mount options in force.
func (t *cgroupTree) options() string {
	var s []string
	for _, o := range []struct {
		on   bool
		name string
	}{{t.nsdelegate, "nsdelegate"}, {t.localEvents, "memory_localevents"}, {t.recursiveProt, "memory_recursiveprot"}} {
		if o.on {
			s = append(s, o.name)
		}
	}
	return strings.Join(s, ",")
}

// procCgroup is /proc/PID/cgroup: the group's name as the reader sees it.
func procCgroup(v procView) string {
	root := v.t.k.cgroups.root
	if r := v.t.k.current; r != nil {
		root = r.ns.cgroup.root
	}
	c := v.t.group.cgroup
	s := "0::" + c.pathFrom(root)
	if c.dead {
		s += " (deleted)"
	}
	return s + "\n"
}

// procCgroups is /proc/cgroups.
func (k *Kernel) procCgroups() string {
	var b strings.Builder
	b.WriteString("#subsys_name\thierarchy\tnum_cgroups\tenabled\n")
	for _, name := range controllerNames {
		fmt.Fprintf(&b, "%s\t0\t%d\t1\n", name, k.cgroups.count+1)
	}
	return b.String()
}
