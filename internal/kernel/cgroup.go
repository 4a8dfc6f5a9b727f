package kernel

import (
	"slices"
	"strings"

	"github.com/tinevm/tine/internal/fs/cgroupfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Control groups, version 2 (cgroups(7); Linux's Documentation/admin-guide/
// cgroup-v2.rst). Every process is in one group of a tree. A group counts what
// its processes, and those of the groups below it, use of processors, memory and
// pids, and may limit it. This file has the tree and who is in which group; the
// controllers are in cgroupcpu.go, cgroupmem.go and cgrouppids.go, the control
// files in cgroupfiles.go.
//
// Groups have processes as members and not threads: there are no threaded
// groups.

// controllers is a set of controllers.
type controllers uint8

const (
	cpuController controllers = 1 << iota
	memoryController
	pidsController

	allControllers = cpuController | memoryController | pidsController
	// threadedControllers can weigh threads against each other, so that a group
	// may have processes and hand these controllers on.
	threadedControllers = cpuController | pidsController
)

var controllerNames = []string{"cpu", "memory", "pids"}

// String gives the names as cgroup.controllers shows them.
func (c controllers) String() string {
	var names []string
	for i, name := range controllerNames {
		if c>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// maxCgroups is how many groups a machine can have.
const maxCgroups = 1 << 16

// cgroupTree is the machine's hierarchy.
type cgroupTree struct {
	root  *cgroup
	dirs  *cgroupfs.Tree
	count int
	dying []*cgroup // removed, but pages are still charged to them

	// Mount options (cgroups(7)).
	nsdelegate, localEvents, recursiveProt bool

	weighted  bool // some group has the cpu controller
	throttled int  // groups that have used up their quota
}

// cgroup is a control group.
type cgroup struct {
	k      *Kernel
	parent *cgroup // nil for the root
	kids   []*cgroup
	dir    *cgroupfs.Dir
	dead   bool // removed

	procs       groupSet // those with a thread that has not ended
	tasks       int      // their threads
	popKids     int      // children with processes in them or below them
	control     controllers
	descendants int
	maxDesc     int // limits on what is below; less than 0 is none
	maxDepth    int

	cgroupFreezer
	cgroupPIDs
	cgroupMemory
	cgroupCPU
}

// initCgroups makes the root group.
func (k *Kernel) initCgroups() {
	t := &k.cgroups
	t.dirs = cgroupfs.NewTree(k.realtime)
	t.root = k.newCgroup(nil, t.dirs.Root())
	t.dirs.Root().SetGroup(t.root)
	t.root.acct = k.acct
	if k.cfg.CPUQuota > 0 {
		t.root.setQuota(k.cfg.CPUQuota, defaultPeriod)
	}
}

func (k *Kernel) newCgroup(parent *cgroup, d *cgroupfs.Dir) *cgroup {
	c := &cgroup{k: k, parent: parent, dir: d, maxDesc: -1, maxDepth: -1}
	c.resetPIDs()
	c.resetMemory()
	c.resetCPU()
	if parent == nil {
		return c
	}
	c.acct, c.cpuGroup = parent.acct, parent.cpuGroup
	c.freezers = parent.freezers
	return c
}

// closeCgroups gives back what groups hold of the host process.
func (k *Kernel) closeCgroups() {
	k.cgroups.root.each(func(c *cgroup) {
		if c.mem != nil {
			c.mem.Close()
			c.mem = nil
		}
	})
}

// each calls fn for c and all groups below it, parents first.
func (c *cgroup) each(fn func(*cgroup)) {
	fn(c)
	for _, kid := range c.kids {
		kid.each(fn)
	}
}

// within reports whether c is outer or below it.
func (c *cgroup) within(outer *cgroup) bool {
	for ; c != nil; c = c.parent {
		if c == outer {
			return true
		}
	}
	return false
}

// available are the controllers that the group can hand on to its children.
func (c *cgroup) available() controllers {
	if c.parent == nil {
		return allControllers
	}
	return c.parent.control
}

// pathFrom is the group's name as seen from another: "/.." leads up.
func (c *cgroup) pathFrom(root *cgroup) string {
	up := ""
	for !c.within(root) {
		root = root.parent
		up += "/.."
	}
	name := c.dir.Path()
	if top := root.dir.Path(); top != "/" {
		name = strings.TrimPrefix(name, top)
	}
	if up += strings.TrimSuffix(name, "/"); up == "" {
		return "/"
	}
	return up
}

// Mkdir implements cgroupfs.Group: it makes a group below c.
func (c *cgroup) Mkdir(d *cgroupfs.Dir) (cgroupfs.Group, linux.Errno) {
	t := &c.k.cgroups
	depth := 1
	for up := c; up != nil; up, depth = up.parent, depth+1 {
		if up.maxDesc >= 0 && up.descendants >= up.maxDesc || up.maxDepth >= 0 && depth > up.maxDepth {
			return nil, linux.EAGAIN
		}
	}
	if t.count >= maxCgroups {
		return nil, linux.ENOSPC
	}
	kid := c.k.newCgroup(c, d)
	if errno := kid.enable(c.control); errno != 0 {
		return nil, errno
	}
	c.kids = append(c.kids, kid)
	t.count++
	for up := c; up != nil; up = up.parent {
		up.descendants++
	}
	kid.updateFrozen()
	return kid, 0
}

// Rmdir implements cgroupfs.Group. Zombies do not keep a group from going, nor
// do pages that are charged to it: those count for its parent.
func (c *cgroup) Rmdir() linux.Errno {
	if c.populated() || len(c.kids) > 0 {
		return linux.EBUSY
	}
	c.dead = true
	c.parent.kids = remove(c.parent.kids, c)
	c.k.cgroups.count--
	for up := c.parent; up != nil; up = up.parent {
		up.descendants--
	}
	if c.mem != nil && c.mem.Used() != 0 {
		c.k.cgroups.dying = append(c.k.cgroups.dying, c)
	}
	c.disable(c.available())
	c.updateFrozen()
	c.parent.updateFrozen()
	return 0
}

// dying counts the removed groups below c to which pages are still charged.
func (c *cgroup) dying() (n int) {
	t := &c.k.cgroups
	t.dying = slices.DeleteFunc(t.dying, func(d *cgroup) bool { return d.acct.Used() == 0 })
	for _, d := range t.dying {
		if d.within(c) {
			n++
		}
	}
	return n
}

// enable gives the group controllers that its parent hands on.
func (c *cgroup) enable(set controllers) linux.Errno {
	if set&memoryController != 0 {
		if errno := c.enableMemory(); errno != 0 {
			return errno
		}
	}
	if set&cpuController != 0 {
		c.enableCPU()
	}
	if set&pidsController != 0 {
		c.resetPIDs()
	}
	return 0
}

// disable takes controllers from the group; their settings are lost.
func (c *cgroup) disable(set controllers) {
	if set&memoryController != 0 {
		c.disableMemory()
	}
	if set&cpuController != 0 {
		c.disableCPU()
	}
	if set&pidsController != 0 {
		c.resetPIDs()
	}
}

// setControl changes which controllers the group's children have: all of the
// changes or none.
func (c *cgroup) setControl(on, off controllers) linux.Errno {
	on &^= c.control
	off &= c.control
	if on&^c.available() != 0 {
		return linux.ENOENT
	}
	for _, kid := range c.kids {
		if kid.control&off != 0 {
			return linux.EBUSY
		}
	}
	if errno := c.mayControl(on); errno != 0 {
		return errno
	}
	for i, kid := range c.kids {
		if errno := kid.enable(on); errno != 0 {
			for _, done := range c.kids[:i] {
				done.disable(on)
			}
			return errno
		}
	}
	c.control = c.control&^off | on
	for _, kid := range c.kids {
		kid.disable(off)
		kid.dir.Forget()
	}
	return 0
}

// mayControl is the rule that only groups without processes hand controllers
// on, but for those that can weigh processes against groups.
func (c *cgroup) mayControl(on controllers) linux.Errno {
	switch {
	case on == 0:
		return 0
	case !c.validDomain():
		return linux.EOPNOTSUPP
	case c.parent == nil:
		return 0
	case on&^threadedControllers != 0 && c.threadRoot():
		return linux.EOPNOTSUPP
	case on&^threadedControllers == 0 && c.canBeThreadRoot():
		return 0
	case c.tasks > 0:
		return linux.EBUSY
	}
	return 0
}

// threadRoot reports whether the group has processes and hands controllers on
// all the same ("domain threaded").
func (c *cgroup) threadRoot() bool {
	return c.parent != nil && c.tasks > 0 && c.control&threadedControllers != 0
}

// canBeThreadRoot reports whether it could become such a group.
func (c *cgroup) canBeThreadRoot() bool {
	return c.parent == nil || c.popKids == 0 && c.control&^threadedControllers == 0
}

// validDomain reports whether the group can have processes: it is not below
// one that has processes itself ("domain invalid").
func (c *cgroup) validDomain() bool {
	for up := c.parent; up != nil; up = up.parent {
		if up.threadRoot() {
			return false
		}
	}
	return true
}

// mayHost checks that processes can be moved to the group.
func (c *cgroup) mayHost() linux.Errno {
	switch {
	case c.dead:
		return linux.ENODEV
	case !c.validDomain():
		return linux.EOPNOTSUPP
	case c.control != 0 && !c.canBeThreadRoot():
		return linux.EBUSY
	}
	return 0
}

// cgroupOpener is who opened a control file: that counts for what may be done
// with it.
type cgroupOpener struct {
	cred *vfs.Cred
	ns   *cgroupNamespace
}

// Opened implements cgroupfs.Group.
func (c *cgroup) Opened(ctx *vfs.Context) any {
	o := &cgroupOpener{cred: ctx.Cred, ns: c.k.rootNS.cgroup}
	if t, ok := ctx.Task.(*Task); ok {
		o.ns = t.ns.cgroup
	}
	return o
}

// mayMove checks that o may move a process from one group to another: it needs
// the right to write cgroup.procs of the nearest group that has both below it
// (cgroup-v2.rst, Delegation Containment).
func (o *cgroupOpener) mayMove(from, to *cgroup) linux.Errno {
	common := to
	for !from.within(common) {
		common = common.parent
	}
	if errno := o.mayWrite(common); errno != 0 {
		return errno
	}
	if root := o.ns.root; to.k.cgroups.nsdelegate && !(from.within(root) && to.within(root)) {
		return linux.ENOENT
	}
	return to.mayHost()
}

// mayWrite checks the right to write a group's cgroup.procs.
func (o *cgroupOpener) mayWrite(c *cgroup) linux.Errno {
	a, errno := c.dir.FileAttr("cgroup.procs")
	if errno != 0 {
		return errno
	}
	ctx := vfs.Context{Cred: o.cred}
	return ctx.Allowed(&a, vfs.MayWrite)
}

// The membership of processes. A process belongs to its group until it is
// reaped; as long as it has living threads it is among procs.

// populated reports whether there are living processes in the group or below.
func (c *cgroup) populated() bool { return c.tasks > 0 || c.popKids > 0 }

// join puts a process that has no group into c, with the threads it has.
func (c *cgroup) join(g *Group) {
	g.cgroup = c
	c.chargePIDs(len(g.threads))
	alive := g.alive()
	if alive > 0 {
		g.cgroupAt = c.procs.add(g)
		c.addTasks(alive)
	}
	for _, t := range g.threads {
		t.inCgroup = !t.exiting
	}
}

// addTasks counts n more living threads.
func (c *cgroup) addTasks(n int) {
	was := c.populated()
	c.tasks += n
	c.updatePopulated(was)
}

// updatePopulated tells the groups above, and those who watch, whether the group
// has processes now.
func (c *cgroup) updatePopulated(was bool) {
	for {
		now := c.populated()
		if now == was {
			return
		}
		c.dir.Changed("cgroup.events")
		p := c.parent
		if p == nil {
			return
		}
		was = p.populated()
		if now {
			p.popKids++
		} else {
			p.popKids--
		}
		c = p
	}
}

// joinCgroup puts a new task into c: a process, or a thread of one that is
// there.
func (t *Task) joinCgroup(c *cgroup) {
	if t.isLeader() {
		c.join(t.group)
		t.group.chargeMemory()
		c.updateFrozen()
		return
	}
	c.chargePIDs(1)
	c.addTasks(1)
	t.inCgroup = true
	c.updateFrozen()
}

// leaveCgroup is the end of a thread for its group; the number it has stays
// charged until it is reaped.
func (t *Task) leaveCgroup() {
	if !t.inCgroup {
		return
	}
	t.inCgroup = false
	g, c := t.group, t.group.cgroup
	t.unfreeze()
	last := true
	for _, u := range g.threads {
		last = last && (u == t || u.exiting)
	}
	if last {
		c.procs.remove(g.cgroupAt)
	}
	c.addTasks(-1)
	c.updateFrozen()
}

// migrate moves a process to another group. What it has used stays counted
// where it was.
func (g *Group) migrate(to *cgroup) {
	from := g.cgroup
	if from == to {
		return
	}
	for _, t := range g.threads {
		t.unfreeze()
		t.unload()
		t.takeParked()
	}
	alive := g.alive()
	if alive > 0 {
		from.procs.remove(g.cgroupAt)
		from.addTasks(-alive)
	}
	from.chargePIDs(-len(g.threads))
	to.join(g)
	g.chargeMemory()
	from.updateFrozen()
	to.updateFrozen()
	for _, t := range g.threads {
		to.settle(t)
	}
}

// settle makes a thread that has come into the group obey it.
func (c *cgroup) settle(t *Task) {
	if t.exiting {
		return
	}
	if t.state == TaskRunning {
		if t.sched.onCPU || t.sched.index >= 0 {
			t.load()
		} else {
			t.k.enqueue(t)
		}
	}
	t.refreeze()
}

// accounts makes all address spaces of the group charge its account.
func (c *cgroup) accounts() {
	for g := range c.procs.all {
		g.chargeMemory()
	}
}

// chargeMemory makes the group pay for the process's memory from now on, unless
// that is another process's as well.
func (g *Group) chargeMemory() {
	as, n := g.addressSpace(), 0
	for _, t := range g.threads {
		if as != nil && t.as == as {
			n++
		}
	}
	if as != nil && as.Users() == n {
		as.SetAccount(g.cgroup.acct)
	}
}

// cgroupOfChild is the group that a new task will be in: with
// CLONE_INTO_CGROUP that of a directory (clone(2)).
func (t *Task) cgroupOfChild(a *cloneArgs) (*cgroup, linux.Errno) {
	c := t.group.cgroup
	if a.flags&linux.CLONE_INTO_CGROUP != 0 {
		f, errno := t.anyFile(a.cgroup)
		if errno != 0 {
			return nil, errno
		}
		d := cgroupfs.DirOf(f)
		if d == nil {
			return nil, linux.EBADF
		}
		to := d.Group().(*cgroup)
		if to.dead {
			return nil, linux.ENOENT
		}
		o := cgroupOpener{cred: &t.cred.Cred, ns: t.ns.cgroup}
		if errno := o.mayWrite(to); errno != 0 {
			return nil, errno
		}
		if errno := o.mayMove(c, to); errno != 0 {
			return nil, errno
		}
		if a.flags&linux.CLONE_THREAD != 0 && to != c {
			return nil, linux.EOPNOTSUPP
		}
		c = to
	}
	return c, c.mayFork()
}
