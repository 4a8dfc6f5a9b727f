package tty

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// HostSide is the master side of a terminal that the host drives. The terminal
// is an ordinary one, /dev/pts/N, and the machine's console. Its methods are
// called with the kernel lock held; none blocks.
type HostSide struct{ tty *TTY }

// NewHostTTY makes a terminal for the host, owned by uid. ready is called when
// there is output to take and when Input has room again; it must not block.
func (s *System) NewHostTTY(uid uint32, ready func()) (*HostSide, linux.Errno) {
	t, errno := s.own.newTTY(uid, 0)
	if errno != 0 {
		return nil, errno
	}
	t.master.ready = ready
	if s.console == nil {
		s.console = t
	}
	return &HostSide{t}, 0
}

// TTY is the terminal, to be attached to the session that uses it.
func (h *HostSide) TTY() *TTY { return h.tty }

// Name is the path to open for descriptors 0, 1 and 2 (with O_NOCTTY: the
// session is attached with TTY.Attach).
func (h *HostSide) Name() string { return h.tty.name() }

// Inode is what that name leads to.
func (h *HostSide) Inode() vfs.Inode { return h.tty.node }

// Input takes bytes that were typed and returns how many: if not all, the rest
// is to be given when ready is called next.
func (h *HostSide) Input(p []byte) int {
	if h.tty.closed {
		return len(p)
	}
	return h.tty.arrive(p)
}

// Output removes and returns what programs have written, the echo included.
func (h *HostSide) Output() []byte {
	p := make([]byte, len(h.tty.out.buf))
	h.tty.drain(p)
	return p
}

// Resize sets the size of the window.
func (h *HostSide) Resize(rows, cols uint16) {
	h.tty.resize(linux.Winsize{Row: rows, Col: cols})
}

// Hangup is the end of the host's terminal: the session's leader gets SIGHUP,
// and programs can no longer read or write.
func (h *HostSide) Hangup() {
	if !h.tty.closed {
		h.tty.closeMaster()
	}
}
