// Package tine runs unmodified x86-64 Linux programs on a kernel, a processor
// and a memory of its own, inside the calling process: no root, no KVM, no
// ptrace, no cgo, on any host that Go runs on.
//
// A [Machine] is a Linux system. [Machine.Command] makes a command in it that
// is used like one of os/exec:
//
//	m, err := tine.New(tine.Config{})
//	if err != nil { ... }
//	defer m.Close()
//	out, err := m.Command(ctx, "bash", "-c", "echo $((6 * 7))").Output()
//
// Nothing of the host is reachable but what the configuration shows: by default
// the system folders and the current folder, read-only, with all writes kept in
// the machine's memory, and no network.
package tine

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/interp"
	"github.com/tinevm/tine/internal/jit"
	"github.com/tinevm/tine/internal/kernel"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/lockstep"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// Config says what a machine is made of. The zero value is a machine like the
// one of "tine run".
type Config struct {
	// Hostname is the machine's name; "tine" if empty.
	Hostname string
	// Memory is the limit on the machine's memory in bytes, page tables and
	// the host's page cache not counted; 0 is no limit. A process that needs
	// more is killed, as by Linux's OOM killer.
	Memory int64
	// MaxProcs limits the number of tasks (processes and threads); 0 is four
	// million. Beyond it fork fails with EAGAIN.
	MaxProcs int
	// CPUs is the number of virtual processors; 0 is the number of the host's.
	CPUs int
	// CPULimit is how much processor time all processes together may use: the
	// time of so many processors, such as 1.5; 0 is no limit. They wait when
	// they have used up their part of 100 milliseconds. The machine shows the
	// limit as /sys/fs/cgroup/cpu.max.
	CPULimit float64
	// Engine says what runs guest code: "interp", an interpreter that works on
	// any host; "jit", a compiler that needs a Linux host with an x86-64-v2
	// processor; or "auto", the better of what the host has, which is also the
	// meaning of "".
	//
	// "lockstep" is for finding faults of the engines: it runs both, compares
	// registers and memory every few thousand instructions, and stops the machine
	// with a report if they differ, which the commands that are running return as
	// their error. Such a machine has one processor, some fifteen times slower than
	// the compiler's, and needs what "jit" needs. No other program may write
	// memory that it shares.
	Engine string
	// Seed, if not nil, makes the machine's order, clock and random numbers a
	// function of the number: the same programs with the same input run in the
	// same way each time, on every host and engine. Such a machine has one
	// processor, and its clock, which starts at 2026-01-01, counts instructions
	// and jumps when all sleep. Other seeds give other orders: every one that is
	// possible on one processor can come up. Commands that are started while
	// others run come in at a moment that the seed does not decide.
	Seed *uint64
	// ParentFirst makes a parent go on before its forked child; by default the
	// child runs first.
	ParentFirst bool

	// FirstIsInit makes the first command process 1, as in a container: it gets
	// the orphans, signals that it does not handle cannot hurt it, and its end
	// ends the machine's other processes; no command can be started after it.
	// Otherwise a built-in process 1 reaps, and commands are its children.
	FirstIsInit bool

	// Root is a folder of the host that is shown as /, with what the machine
	// writes kept in memory. Otherwise / has the host's system folders.
	Root string
	// Bare leaves out the host's system folders and current folder; what the
	// machine sees is then only its own /dev, /proc, /sys and /tmp and Mounts.
	Bare bool
	// Mounts are put into the file tree in order.
	Mounts []Mount
	// ReadOnly makes everything but /dev, /proc, /sys and Mounts read-only.
	ReadOnly bool
	// Dir is the working directory of commands that do not set one; by default
	// the host's current folder, or / if Bare.
	Dir string
	// User runs commands that do not set one; nil is root.
	User *User
	// Limits are resource limits, by the number of RLIMIT_.
	Limits map[int]Limit

	// Trace, if not nil, gets what strace would print.
	Trace *Trace
	// Events, if not nil, is told what happens to processes. It is called while
	// the machine stands still and must not call into the machine.
	Events func(Event)
	// Log, if not nil, gets the machine's log, line by line: system calls and
	// instructions that are not supported, processes killed for memory.
	Log func(line string)
}

// Machine is a Linux system: a kernel, its processes, memory and files.
type Machine struct {
	k      *kernel.Kernel
	user   User
	dir    string
	limits map[int]linux.Rlimit

	mu      sync.Mutex
	running map[*Cmd]bool
	closed  bool
	summary func() error // writes the summary of the trace; nil is none
	lastIno uint64
}

// New makes a machine. It runs until Close.
func New(cfg Config) (*Machine, error) {
	m := &Machine{running: make(map[*Cmd]bool), limits: make(map[int]linux.Rlimit)}
	if cfg.User != nil {
		m.user = *cfg.User
	}
	for r, l := range cfg.Limits {
		if r < 0 || r >= linux.RLIM_NLIMITS {
			return nil, fmt.Errorf("tine: there is no resource limit %d", r)
		}
		m.limits[r] = linux.Rlimit{Cur: l.Soft, Max: l.Hard}
	}
	if cfg.Hostname == "" {
		cfg.Hostname = "tine"
	}
	if cfg.CPUs <= 0 {
		cfg.CPUs = runtime.NumCPU()
	}
	if cfg.Memory < 0 || cfg.MaxProcs < 0 || cfg.CPULimit < 0 {
		return nil, errors.New("tine: a limit is negative")
	}
	go mm.Warm()
	newEngine, translates, err := engineMaker(cfg.Engine)
	if err != nil {
		return nil, err
	}
	if cfg.Engine == "lockstep" {
		cfg.CPUs = 1
	}
	kcfg := kernel.Config{
		CPUs: cfg.CPUs, NewEngine: newEngine,
		// From a seed the processor is the same on every host.
		NoAVX:   translates && jit.MissingV3() && cfg.Seed == nil,
		Clock:   &hostClock{start: time.Now()},
		Entropy: readEntropy,
		Memory:  cfg.Memory, MaxTasks: cfg.MaxProcs, ChildFirst: !cfg.ParentFirst,
		CPUQuota: int64(cfg.CPULimit*1e5) * 1000, Hostname: cfg.Hostname, Log: cfg.Log, Seed: cfg.Seed, NoInit: cfg.FirstIsInit,
	}
	if cfg.Events != nil {
		kcfg.Events = func(e *kernel.Event) { cfg.Events(Event(*e)) }
	}
	if cfg.Trace != nil {
		p, err := cfg.Trace.printer()
		if err != nil {
			return nil, err
		}
		kcfg.Tracer = p
		m.summary = func() error { return cfg.Trace.summarize(p) }
	}
	m.k = kernel.New(kcfg)
	if err := m.buildTree(&cfg); err != nil {
		m.k.Close()
		return nil, err
	}
	m.k.Start()
	return m, nil
}

// engineMaker returns what makes an engine for each processor, and whether that
// translates to the host's instructions.
func engineMaker(name string) (newEngine func() cpu.Engine, translates bool, err error) {
	switch name {
	case "", "auto":
		if jit.Available() == nil {
			return jit.New, true, nil
		}
		return interp.New, false, nil
	case "interp":
		return interp.New, false, nil
	case "jit":
		if err := jit.Available(); err != nil {
			return nil, false, fmt.Errorf("tine: %w", err)
		}
		return jit.New, true, nil
	case "lockstep":
		if err := lockstep.Available(); err != nil {
			return nil, false, fmt.Errorf("tine: %w", err)
		}
		return lockstep.New, true, nil
	}
	return nil, false, fmt.Errorf("tine: there is no engine %q: auto, interp, jit and lockstep can be had", name)
}

// Close ends all processes and frees everything that belongs to the machine.
func (m *Machine) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	var cmds []*Cmd
	for c := range m.running {
		cmds = append(cmds, c)
	}
	m.mu.Unlock()
	for _, c := range cmds {
		c.Signal(syscall.SIGKILL)
		<-c.exited
	}
	err := m.k.Close()
	if m.summary != nil {
		if serr := m.summary(); err == nil {
			err = serr
		}
	}
	for _, c := range cmds {
		c.mu.Lock()
		if !c.waited {
			c.waited = true
			c.stop()
			c.closePorts()
		}
		c.mu.Unlock()
	}
	return err
}

func (m *Machine) track(c *Cmd) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running[c] = true
}

func (m *Machine) untrack(c *Cmd) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.running, c)
}

// defaultEnv is the environment of commands that do not set one.
func (m *Machine) defaultEnv(u *User) []string {
	home := "/"
	name := fmt.Sprint(u.UID)
	if u.UID == 0 {
		home, name = "/root", "root"
	}
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + home, "USER=" + name, "TERM=xterm",
	}
}

// nextIno numbers streams. The kernel lock is held.
func (m *Machine) nextIno() uint64 {
	m.lastIno++
	return m.lastIno
}

// openNull opens /dev/null. The kernel lock is held.
func (m *Machine) openNull(flags uint32) *vfs.File {
	return m.k.OpenNull(flags)
}
