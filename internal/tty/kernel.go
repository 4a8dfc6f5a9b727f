package tty

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Kernel is what terminals need of the kernel.
type Kernel interface {
	// Current is the process whose system call is running; nil if the outside
	// calls.
	Current() Process
	// Realtime is CLOCK_REALTIME.
	Realtime() (sec, nsec int64)
}

// Process is a calling process.
type Process interface {
	Session() Session
	Group() Group
	// Leads reports whether the process is the leader of its session.
	Leads() bool
	// SessionOf is the session of the process group that the process knows as
	// pgid, or else of the process with that number, and the group's ID; nil if
	// there is neither.
	SessionOf(pgid int) (s Session, id int)
	// Local is the number by which the process knows an ID.
	Local(id int) int
	// Shuns reports whether the calling thread blocks or ignores sig.
	Shuns(sig linux.Signal) bool

	// Terminal is the controlling terminal; SetTerminal changes that of this
	// process alone, nil takes it away.
	Terminal() *TTY
	SetTerminal(t *TTY)

	// Install gives the process a descriptor for f and takes the reference
	// over, whether it succeeds or not.
	Install(f *vfs.File, cloexec bool) (fd int, errno linux.Errno)

	// Interrupted reports whether a signal is about to end the running system
	// call.
	Interrupted() bool
	// Overdue reports whether ns nanoseconds have passed since the running
	// system call first asked with this stage, which is not 0. If not, the call
	// is repeated when they have.
	Overdue(stage int, ns int64) bool
}

// Session is a session of processes (credentials(7)). The kernel gives the same
// value for the same session.
type Session interface {
	// ID is its number in the machine's first pid namespace.
	ID() int
	// Group finds a process group of the session; nil if it has no member.
	Group(pgid int) Group
	// ForgetTerminal takes t from all processes that have it.
	ForgetTerminal(t *TTY)
	// HungUp sends SIGHUP and SIGCONT to the leader, and to group when the
	// leader ends. It may be nil.
	HungUp(group Group)
}

// Group is a process group.
type Group interface {
	// ID is its number in the machine's first pid namespace.
	ID() int
	// Signal sends a kernel signal to every member.
	Signal(sig linux.Signal)
	// Orphaned reports whether nobody outside could continue the group.
	Orphaned() bool
}
