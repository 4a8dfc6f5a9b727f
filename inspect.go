package tine

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/tinevm/tine/internal/kernel"
	"github.com/tinevm/tine/internal/linux"
)

// Process is a process of a machine as it is at one moment: what ps shows.
// Numbers are those of the machine's first pid namespace. The JSON names of the
// fields do not change.
type Process struct {
	PID  int `json:"pid"`
	PPID int `json:"ppid"` // parent; 0 for PID 1
	PGID int `json:"pgid"` // process group; 0 if a zombie has none any more
	SID  int `json:"sid"`  // session

	UID uint32 `json:"uid"` // effective user
	GID uint32 `json:"gid"` // effective group

	// State is the letter of /proc/PID/stat: R running or ready, S sleeping,
	// D sleeping where only a fatal signal wakes it, T stopped, Z zombie.
	State string `json:"state"`
	// Comm is the name, at most 15 bytes; Cmdline the arguments, at most 4096
	// bytes of them, nil for a zombie and for the built-in PID 1.
	Comm    string   `json:"comm"`
	Cmdline []string `json:"cmdline"`
	Exe     string   `json:"exe"` // the program's path in the machine
	Cwd     string   `json:"cwd"`
	TTY     string   `json:"tty"` // controlling terminal, such as "pts/0"; "" if none
	// Threads are the threads in order of creation, the leader first.
	Threads []Thread `json:"threads"`

	// Bytes of memory: mapped, present, and of the present ones those that only
	// this process has, as the Private_ lines of /proc/PID/smaps count them, and
	// the rest, which others have as well.
	Size    int64 `json:"size"`
	RSS     int64 `json:"rss"`
	Shared  int64 `json:"shared"`
	Private int64 `json:"private"`

	UserTime   int64 `json:"utime_ns"` // processor time, nanoseconds
	SystemTime int64 `json:"stime_ns"`
	Nice       int   `json:"nice"`
	// Policy is the scheduling policy: OTHER, BATCH, IDLE, FIFO or RR, the last
	// two with RTPriority 1 to 99.
	Policy     string `json:"policy"`
	RTPriority int    `json:"rt_priority"`
	// Start is when the process was created, in nanoseconds since the machine
	// was started.
	Start int64 `json:"start_ns"`
	// Wchan is the system call in which the leader is blocked; "" if it is not.
	Wchan string `json:"wchan"`
}

// Thread is one thread of a Process.
type Thread struct {
	TID   int    `json:"tid"`
	Comm  string `json:"comm"`
	State string `json:"state"`
}

// Processes lists the machine's processes, zombies included, in order of their
// pids. It is one consistent moment: the machine stands still while it is
// taken, some microseconds for each process and megabyte of private memory.
func (m *Machine) Processes() []Process {
	var infos []kernel.ProcessInfo
	m.k.Do(func() { infos = m.k.Processes() })
	list := make([]Process, len(infos))
	for i := range infos {
		list[i] = process(&infos[i])
	}
	return list
}

func process(p *kernel.ProcessInfo) Process {
	threads := make([]Thread, len(p.Threads))
	for i, t := range p.Threads {
		threads[i] = Thread(t)
	}
	return Process{
		PID: p.PID, PPID: p.PPID, PGID: p.PGID, SID: p.SID, UID: p.UID, GID: p.GID,
		State: p.State, Comm: p.Comm, Cmdline: p.Cmdline, Exe: p.Exe, Cwd: p.Cwd, TTY: p.TTY, Threads: threads,
		Size: p.Size, RSS: p.RSS, Shared: p.Shared, Private: p.Private,
		UserTime: p.UserTime, SystemTime: p.SystemTime, Nice: p.Nice, Policy: p.Policy, RTPriority: p.RTPriority,
		Start: p.Start, Wchan: p.Wchan,
	}
}

// ErrNoProcess is what Signal returns if there is no process with that pid.
var ErrNoProcess = errors.New("no such process")

// Signal sends a signal to a process, as a superuser of the machine would with
// kill(2). Numbers are Linux's; 0 only asks whether the process exists. SIGKILL
// for PID 1 ends the machine's processes.
func (m *Machine) Signal(pid int, sig syscall.Signal) error {
	if sig < 0 || sig > linux.NSIG {
		return fmt.Errorf("tine: signal %d: there is no such signal", int(sig))
	}
	errno := linux.ESRCH
	m.k.Do(func() {
		if pid > 0 {
			errno = m.k.Signal(pid, linux.Signal(sig))
		}
	})
	switch errno {
	case 0:
		return nil
	case linux.ESRCH:
		return fmt.Errorf("tine: signal process %d: %w", pid, ErrNoProcess)
	}
	return fmt.Errorf("tine: signal process %d: %s", pid, errno.Message())
}

// Stats are counters of a machine. The JSON names of the fields do not change.
type Stats struct {
	Instructions uint64 `json:"instructions"` // guest instructions executed
	Memory       int64  `json:"memory"`       // bytes of guest memory in use
	PeakMemory   int64  `json:"peak_memory"`  // the most there has been
	Forks        int64  `json:"forks"`        // tasks (processes and threads) created
	Tasks        int    `json:"tasks"`        // tasks there are, zombies and PID 1 included
	Switches     int64  `json:"switches"`     // times that a processor was given a task
	Uptime       int64  `json:"uptime_ns"`    // machine time since the start, nanoseconds
	// TraceHash is a hash of everything that happened on a machine with a seed:
	// equal hashes mean equal runs. 0 without a seed.
	TraceHash uint64 `json:"trace_hash,omitempty"`
}

// Stats reads the machine's counters.
func (m *Machine) Stats() (s Stats) {
	m.k.Do(func() {
		t := m.k.Totals()
		s.Instructions = m.k.Instructions()
		s.Memory, s.PeakMemory = m.k.Memory()
		s.Forks, s.Tasks, s.Switches, s.Uptime = t.Forks, t.Tasks, t.Switches, t.Uptime
		s.TraceHash = m.k.TraceHash()
	})
	return s
}
