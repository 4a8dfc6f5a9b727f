package kernel

import (
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/fs/pipefs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// A process that ends by a signal whose action is to dump core leaves an image
// of itself (core(5)). The thread that takes the signal writes it, piece by
// piece, when all others have come to rest; then the process ends. What is in
// the file is in elfcore.go, how it is called in corename.go.

// coreSettings are the machine's settings of core dumps, files of /proc/sys.
type coreSettings struct {
	pattern      string // kernel.core_pattern
	usesPID      int    // kernel.core_uses_pid
	pipeLimit    int    // kernel.core_pipe_limit
	suidDumpable int    // fs.suid_dumpable
	pipes        int    // dumps into pipes at this moment
}

// The values of dumpable (PR_SET_DUMPABLE in prctl(2)).
const (
	dumpNobody = iota // no core file, and /proc/PID belongs to root
	dumpUser
	dumpRoot // a core file for root only
)

// coreDump is a dump in progress: plain data, as every wait of a task is.
type coreDump struct {
	dumper *Task
	info   linux.Siginfo // the signal
	stage  coreStage
	killed bool // SIGKILL has come: what is not written will not be

	file    *vfs.File
	pipe    *pipefs.Pipe // file is the end of it that a program reads
	limit   uint64       // bytes that may be written
	written uint64
	dumped  bool // the process has been dumped, if only in part

	coreImage
}

// coreStage is how far a dump has come.
type coreStage uint8

const (
	coreGather coreStage = iota // wait for the other threads
	coreWrite
	coreHelper // wait for the program that has read the image
)

// minCore is the smallest limit with which a core file is begun.
const minCore = 4096

// startCore begins the dump that the end by a signal asks for. It reports
// whether there is one: the task must not end before it is done.
func (t *Task) startCore(info linux.Siginfo) bool {
	g := t.group
	if sigDefaults[info.Signo] != actCore || g.exiting || g.dumpable == dumpNobody || t.as == nil || t.exiting {
		return false
	}
	g.core = &coreDump{dumper: t, info: info, limit: t.rlimit(linux.RLIMIT_CORE)}
	g.exiting = true
	g.exitCode = killedStatus(info.Signo, false)
	t.as.Quiesce()
	g.killThreads(t)
	return true
}

// dumping reports whether the process still writes its core file.
func (g *Group) dumping() bool { return g.core != nil && !g.core.killed }

// interruptCore ends a dump early: SIGKILL has come.
func (g *Group) interruptCore() {
	if g.dumping() {
		g.core.killed = true
		g.core.dumper.rouse()
		g.core.dumper.hurry()
	}
}

// atCore is what a thread of a process that is being dumped does instead of
// ending: the dumper goes on with the file, the others rest.
func (t *Task) atCore() {
	c := t.group.core
	if c.dumper != t {
		t.removeWaits()
		t.state, t.inCore = TaskDisk, true
		c.dumper.wake()
		return
	}
	t.enterMemory(true)
	done := t.dumpCore(c)
	t.settleMemory()
	if done {
		t.finishCore(c)
	}
}

// dumpCore takes the dump a step further. It reports whether that was the last;
// if not the task sleeps or, to be fair, has given way.
func (t *Task) dumpCore(c *coreDump) bool {
	if c.killed {
		return true
	}
	switch c.stage {
	case coreGather:
		for _, u := range t.group.threads {
			if u != t && !u.inCore && !u.exiting {
				t.state = TaskDisk // until the last of them arrives
				return false
			}
		}
		if !t.openCore(c) {
			return true
		}
		t.imageCore(c)
		c.dumped, c.stage = true, coreWrite
	case coreWrite:
		switch t.writeCore(c) {
		case 0:
			return false
		case linux.EAGAIN:
			t.waitOn(c.file.Ops.Queue(c.file))
			t.state = TaskSleeping
			return false
		}
		if c.pipe == nil || t.k.core.pipeLimit == 0 {
			return true
		}
		c.file.Put() // the program sees the end of its input
		c.file, c.stage = nil, coreHelper
	case coreHelper:
		if c.pipe.Readers() == 0 {
			return true
		}
		t.waitOn(c.pipe.Queue())
		t.state = TaskSleeping
		return false
	}
	return false
}

// finishCore ends the dump, and the process with it.
func (t *Task) finishCore(c *coreDump) {
	g := t.group
	g.dropCore()
	g.exitCode = killedStatus(c.info.Signo, c.dumped)
	for _, u := range g.threads {
		if u.inCore {
			u.inCore = false
			u.wake()
		}
	}
	t.exit(g.exitCode)
}

// dropCore gives up what a dump holds.
func (g *Group) dropCore() {
	c := g.core
	if c == nil {
		return
	}
	g.core = nil
	if c.file != nil {
		c.file.Put()
	}
	if c.pipe != nil {
		g.k.core.pipes--
	}
}

// openCore opens what the dump goes to.
func (t *Task) openCore(c *coreDump) bool {
	name, argv := t.coreName(c)
	if argv != nil {
		return t.openCorePipe(c, argv)
	}
	if c.limit < minCore {
		return false
	}
	f, errno := t.openCoreFile(name)
	if errno != 0 {
		return false
	}
	c.file = f
	return true
}

// openCoreFile makes the core file. An old one goes first, so that nobody has
// it open; no symbolic link is followed at the end of the name. The image of a
// process with rights that its user does not have is root's, goes to an absolute
// name only, from the machine's root, and takes nobody else's file away.
func (t *Task) openCoreFile(name string) (*vfs.File, linux.Errno) {
	c := *t.ctx()
	if t.group.dumpable == dumpRoot {
		if name == "" || name[0] != '/' {
			return nil, linux.EACCES
		}
		cred := *c.Cred
		cred.FSUID = 0
		root := t.k.cfg.Root.Root()
		defer root.Put()
		c.Cred, c.Root = &cred, root
	} else {
		vfs.Unlink(&c, c.Cwd, name) // if that fails, so does opening
	}
	const flags = linux.O_CREAT | linux.O_WRONLY | linux.O_NOFOLLOW | linux.O_EXCL | oLargefile
	f, errno := vfs.Open(&c, c.Cwd, name, flags, 0o600)
	if errno != 0 {
		return nil, errno
	}
	// The umask or the file system may have made another file of it.
	a, errno := f.Path.Attr()
	if errno != 0 || !a.IsRegular() || a.UID != c.Cred.FSUID || a.Mode&0o677 != 0o600 || a.Nlink != 1 {
		f.Put()
		return nil, linux.EACCES
	}
	return f, 0
}

// openCorePipe starts the program of a core_pattern that begins with "|". It is
// root's, in the machine's first namespaces, has the image as standard input
// and nothing else, and cannot dump core itself.
func (t *Task) openCorePipe(c *coreDump, argv []string) bool {
	k := t.k
	const recursion = 1 // a limit of one byte marks the program itself
	if c.limit == recursion || len(argv) == 0 || k.core.pipeLimit != 0 && k.core.pipes >= k.core.pipeLimit {
		return false
	}
	sec, nsec := k.realtime()
	p := pipefs.New(k.sys.nextIno(), linux.Timespec{Sec: sec, Nsec: nsec}, 0, 0)
	r, w := p.Open(0)
	_, errno := k.Spawn(&Process{
		Path: argv[0], Argv: argv, Cred: NewCred(0, 0, nil), Files: []*vfs.File{r.Get()},
		Limits: map[int]linux.Rlimit{linux.RLIMIT_CORE: {Cur: recursion, Max: recursion}},
	})
	r.Put()
	if errno != 0 {
		k.logf("core dump of process %d: %s: %s", t.group.pid, argv[0], errno.Message())
		w.Put()
		return false
	}
	c.file, c.pipe, c.limit = w, p, ^uint64(0)
	k.core.pipes++
	return true
}

// setCoreFilter sets /proc/PID/coredump_filter: which kinds of mappings are
// dumped. It is read as C writes numbers.
func (t *Task) setCoreFilter(_ *Task, text string) linux.Errno {
	v, err := strconv.ParseUint(strings.TrimSpace(text), 0, 32)
	if err != nil {
		return linux.EINVAL
	}
	t.group.coreFilter = uint32(v) & coreFilterMask
	return 0
}
