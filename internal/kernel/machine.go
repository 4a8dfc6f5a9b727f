// Package kernel is the Linux process model: tasks, their creation and end,
// signals, scheduling, and the system calls on top.
//
// # Locking
//
// There is one lock, Kernel.mu. It is held whenever kernel code runs, and
// released only while a processor runs guest code or idles. So nothing in this
// package, nor in the file systems, terminals and sockets it calls, needs a
// lock of its own. Functions here assume the lock unless they say otherwise.
//
// # Blocking
//
// A blocked task is data: see the comment on handler in syscall.go.
package kernel

import (
	"fmt"
	"sync"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/fs/devfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/tty"
	"github.com/tinevm/tine/internal/vfs"
)

// Clock is the port to the host's time. Deterministic machines bring their own.
type Clock interface {
	// Monotonic is CLOCK_MONOTONIC in nanoseconds.
	Monotonic() int64
	// Realtime is CLOCK_REALTIME in nanoseconds since 1970.
	Realtime() int64
}

// Config is what a machine is made of. The fields without a note are required.
type Config struct {
	CPUs       int
	NewEngine  func() cpu.Engine
	NoAVX      bool // CPUID does not report AVX, because the engine does it slowly
	Clock      Clock
	Entropy    func(p []byte)    // fills p with random bytes
	Memory     int64             // limit in bytes
	MaxTasks   int               // limit on living tasks and zombies; 0 = 4 Mi
	CPUQuota   int64             // processor time in 100 ms, in ns; 0 = no limit
	ChildFirst bool              // a forked child runs before its parent
	Hostname   string            // UTS node name
	NoInit     bool              // no built-in process 1: the first process started is it
	Seed       *uint64           // optional: everything is decided from it, see seed.go
	Root       *vfs.Namespace    // the file tree; SetRoot can give it later
	Tracer     Tracer            // optional
	Events     func(*Event)      // optional: told what happens to processes; must not call back
	Log        func(line string) // optional: the machine's log
}

// Kernel is one machine: a kernel with its processors, tasks and memory.
type Kernel struct {
	cfg Config

	mu      sync.Mutex // the kernel lock
	wg      sync.WaitGroup
	stopped bool
	failure error // why the machine stopped, if it failed

	cpus        []*processor
	idlers      int
	poke        int64 // instructions, see minPoke
	needResched []bool
	runq        runQueue
	timers      timerQueue
	peers       []*mm.Runner

	acct  *mm.Account
	pids  *pidNamespace // the machine's first
	futex futexTable
	users userTable

	rootNS   *Namespaces    // the machine's first namespaces
	rootUser *userNamespace // and user namespace
	lastNS   uint64

	auditSessions uint32 // logins so far, see setLoginUID

	wall     wallState
	bootTime int64 // CLOCK_REALTIME ns when CLOCK_BOOTTIME was 0
	started  int64 // CLOCK_MONOTONIC ns
	bootID   string
	deadUse  usage // of tasks that are gone
	load     loadState
	forks    int64
	stops    int // processes that job control has stopped
	switches int64

	core    coreSettings
	cgroups cgroupTree
	freed   vfs.WaitQueue // those who wait for memory

	current       *Task                 // the task whose system call or page fault is handled
	vfsCtx        vfs.Context           // scratch of Task.ctx
	moment        uint64                // see Moment
	bounce        []byte                // scratch of userBuf
	abi           [512]byte             // scratch of putStruct and getStruct
	xstate        [xstateFrameSize]byte // scratch of popXState
	seccompLogged int                   // decisions of filters, see logSeccomp
	unknown       map[uint64]bool
	done          map[*Group]func(status int) // told when a top-level process is reaped

	seeded *seeded // nil: order and time are the host's

	sys systemObjects
}

// New makes a machine without any process.
func New(cfg Config) *Kernel {
	k := &Kernel{cfg: cfg, poke: minPoke, unknown: make(map[uint64]bool), done: make(map[*Group]func(int))}
	if k.cfg.CPUs < 1 {
		k.cfg.CPUs = 1
	}
	k.cfg.CPUs = min(k.cfg.CPUs, 64)
	if cfg.Seed != nil {
		k.seeded = newSeeded(k, *cfg.Seed)
		k.cfg.CPUs, k.cfg.Clock, k.cfg.Entropy = 1, k.seeded, k.seeded.entropy
	}
	if k.cfg.MaxTasks == 0 {
		k.cfg.MaxTasks = 4 << 20
	}
	k.acct = mm.NewAccount(cfg.Memory)
	k.acct.ReadAround = k.seeded != nil
	if cfg.Events != nil {
		k.acct.OnCopy = k.noteCopy
	}
	k.futex.init()
	k.needResched = make([]bool, k.cfg.CPUs)
	for i := range k.cfg.CPUs {
		p := &processor{k: k, id: i, v: &cpu.VCPU{ID: i, NoAVX: cfg.NoAVX}, eng: cfg.NewEngine(), cond: sync.NewCond(&k.mu)}
		k.cpus = append(k.cpus, p)
	}
	k.peers = k.runners()
	k.started = k.now()
	k.bootTime = k.cfg.Clock.Realtime() - k.started
	k.wall = newWallState()
	k.core.pattern = "core"
	k.bootID = k.newUUID()
	k.sys.k, k.sys.tty = k, tty.New(terminals{k})
	k.initCgroups()
	k.initNamespaces()
	if !cfg.NoInit {
		k.bootInit()
	}
	return k
}

// Start sets the processors going.
func (k *Kernel) Start() {
	k.wg.Add(len(k.cpus))
	for _, p := range k.cpus {
		go p.run()
	}
}

// Close stops the machine and frees everything in it: tasks, memory, files.
func (k *Kernel) Close() error {
	k.mu.Lock()
	k.halt()
	k.mu.Unlock()
	k.wg.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.destroyTasks()
	k.rootNS.put()
	k.sys.close()
	if k.cfg.Root != nil {
		k.cfg.Root.Close()
	}
	k.closeCgroups()
	if k.acct != nil {
		if !k.acct.Close() && k.failure == nil {
			k.failure = fmt.Errorf("machine closed with %d bytes of guest memory still in use", k.acct.Used())
		}
		k.acct = nil
	}
	mm.Trim()
	return k.failure
}

// halt makes all processors return. The kernel lock is held.
func (k *Kernel) halt() {
	k.stopped = true
	for _, p := range k.cpus {
		p.v.Stop()
		p.cond.Signal()
	}
}

// crash ends the machine after a panic in the kernel, with a report; the host
// program goes on. The kernel lock is held, or is taken if the panic came from
// guest mode.
func (k *Kernel) crash(reason any, stack []byte) {
	k.fail(fmt.Errorf("kernel panic: %v\n%s", reason, stack))
}

// fail stops the machine because of an error of ours.
func (k *Kernel) fail(err error) {
	k.failure = err
	k.logf("%v", k.failure)
	k.halt()
	for _, fn := range k.takeDone() {
		fn(int(linux.SIGABRT))
	}
}

// takeDone empties the list of those waiting for top-level processes, in the
// order of their pids.
func (k *Kernel) takeDone() (fns []func(int)) {
	k.pids.each(func(t *Task) {
		if fn := k.done[t.group]; fn != nil {
			fns = append(fns, fn)
			delete(k.done, t.group)
		}
	})
	return fns
}

// now is CLOCK_MONOTONIC in nanoseconds.
func (k *Kernel) now() int64 { return k.cfg.Clock.Monotonic() }

// realtime is CLOCK_REALTIME.
func (k *Kernel) realtime() (sec int64, nsec int64) {
	ns := k.wallClock()
	return ns / 1e9, ns % 1e9
}

// Failure tells why the machine stopped by itself; nil if it did not.
func (k *Kernel) Failure() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failure
}

// Memory returns the bytes of guest memory in use and the most there has been;
// nothing once the machine is closed. The kernel lock is held.
func (k *Kernel) Memory() (used, peak int64) {
	if k.acct == nil {
		return 0, 0
	}
	return k.acct.Used(), k.acct.Peak()
}

// SetRoot gives the machine its file tree, before the first process. The
// reference on ns is taken over.
func (k *Kernel) SetRoot(ns *vfs.Namespace) {
	k.cfg.Root = ns
	ns.Owner, ns.Ino = k.rootUser, rootMntIno
	k.rootNS.mnt = ns.Get()
	if k.pids.init == nil {
		return
	}
	t := k.pids.init.leader
	t.fs.put()
	t.fs = &FSInfo{refs: 1, Root: ns.Root(), Cwd: ns.Root(), Umask: 0o022}
	t.ns.put()
	t.ns = k.rootNS.get()
}

// Account is the machine's memory account, to which file systems charge.
func (k *Kernel) Account() *mm.Account { return k.acct }

// Moment points to a number that changes each time that the kernel begins to work
// for a guest or for the outside, for file systems that show what others change.
// It is read with the kernel lock held.
func (k *Kernel) Moment() *uint64 { return &k.moment }

// Realtime is CLOCK_REALTIME, for file systems.
func (k *Kernel) Realtime() (sec, nsec int64) { return k.realtime() }

// Entropy fills p with random bytes.
func (k *Kernel) Entropy(p []byte) { k.cfg.Entropy(p) }

// outside is the context of what is done from outside the machine, with all
// rights. done is to be called afterwards.
func (k *Kernel) outside() (c *vfs.Context, done func()) {
	root := k.cfg.Root.Root()
	return &vfs.Context{Root: root, Cwd: root, Cred: &vfs.Cred{Caps: allCaps}, Mounts: k.cfg.Root, Now: k.realtime}, root.Put
}

// OpenNull opens a file that is empty to read and takes everything. The kernel
// lock is held.
func (k *Kernel) OpenNull(flags uint32) *vfs.File {
	c, done := k.outside()
	defer done()
	f, errno := vfs.Open(c, c.Root, "/dev/null", flags, 0)
	if errno != 0 { // a process has taken it away
		return vfs.NewFile(devfs.Null(), flags)
	}
	return f
}
