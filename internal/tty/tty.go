package tty

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// TTY is a terminal as its programs see it: the slave side of a
// pseudo-terminal.
type TTY struct {
	sys   *System
	pts   *devpts
	index int // N of /dev/pts/N
	node  *node
	queue vfs.WaitQueue // readers and writers of the slave side

	termios linux.Termios
	size    linux.Winsize

	session    Session // whose controlling terminal it is; nil if nobody's
	foreground int     // id of the foreground group; 0 if none

	in  input
	out output

	stopped   bool // output is, by ^S or TCOOFF
	held      bool // by TCOOFF: only TCOON starts it again
	exclusive bool // TIOCEXCL
	locked    bool // TIOCSPTLCK: the slave cannot be opened

	master  *master
	opens   int // open files of the slave side
	opened  bool
	hangups int // files opened before the last hang-up are dead
	closed  bool
}

// Number is the device number, as /proc/PID/stat shows it.
func (t *TTY) Number() uint64 { return ptsDevice(t.index) }

// Index is N in /dev/pts/N.
func (t *TTY) Index() int { return t.index }

// Foreground is the id of the foreground process group; -1 if there is none.
// The group may have ended.
func (t *TTY) Foreground() int {
	if t.foreground == 0 {
		return -1
	}
	return t.foreground
}

// group is the foreground group; nil if there is none, or nobody in it.
func (t *TTY) group() Group {
	if t.session == nil {
		return nil
	}
	return t.session.Group(t.foreground)
}

// Signal sends a signal to the foreground group.
func (t *TTY) Signal(sig linux.Signal) {
	if g := t.group(); g != nil {
		g.Signal(sig)
	}
}

// jobControl checks that the caller may use its controlling terminal. A
// background group gets sig, SIGTTIN or SIGTTOU, and the call is repeated once
// it is continued; where that makes no sense reading is EIO and writing goes on.
func (t *TTY) jobControl(sig linux.Signal) linux.Errno {
	p := t.sys.kernel.Current()
	if p == nil || p.Terminal() != t || t.foreground == 0 || p.Group().ID() == t.foreground {
		return 0
	}
	switch {
	case p.Shuns(sig):
		if sig == linux.SIGTTIN {
			return linux.EIO
		}
		return 0
	case p.Group().Orphaned():
		return linux.EIO
	}
	p.Group().Signal(sig)
	return linux.ERESTARTSYS
}

// resize sets the window's size and tells the foreground group.
func (t *TTY) resize(size linux.Winsize) {
	if size == t.size {
		return
	}
	t.size = size
	t.Signal(linux.SIGWINCH)
}

// stop holds output back.
func (t *TTY) stop() {
	if t.stopped {
		return
	}
	t.stopped = true
	t.master.note(linux.TIOCPKT_STOP, linux.TIOCPKT_START)
}

// start lets output go on. It does nothing after TCOOFF.
func (t *TTY) start() {
	if !t.stopped || t.held {
		return
	}
	t.stopped = false
	t.master.note(linux.TIOCPKT_START, linux.TIOCPKT_STOP)
	t.queue.Wake(vfs.PollOut | vfs.PollWrNorm)
}

// startShowing is start, and shows what was typed meanwhile.
func (t *TTY) startShowing() {
	t.start()
	t.showKept()
}

// Hangup makes all open files of the slave side dead: reading them gives end of
// file, everything else EIO. The session's leader is told, and the attributes
// are again those of a new terminal.
func (t *TTY) Hangup() {
	t.hangups++
	t.in, t.termios = input{}, initialTermios()
	t.out.echoes, t.out.column, t.out.lineStart = nil, 0, 0
	if s, g := t.session, t.group(); s != nil {
		t.release()
		s.HungUp(g)
	}
	t.queue.Wake(vfs.PollIn | vfs.PollOut | vfs.PollErr | vfs.PollHup)
}

// closeMaster is the end of the terminal: its name is free once nobody has it
// open.
func (t *TTY) closeMaster() {
	t.closed = true
	t.out = output{}
	t.Hangup()
	t.sys.unlink(t)
}

// get counts an opening of the slave side; put undoes it.
func (t *TTY) get() {
	t.opens++
	t.opened = true
}

func (t *TTY) put() {
	t.opens--
	if t.opens > 0 {
		return
	}
	if t.closed {
		t.pts.free(t)
		return
	}
	t.master.wake(vfs.PollHup)
}
