package tty

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Sizes in bytes: what a master finds at once, and what waits behind it.
const (
	masterBuffer   = 4095
	outputCapacity = masterBuffer + 16<<10
	echoRoom       = 4096 // for echo: beyond the capacity, or while output is stopped
)

// output is what goes to the master.
type output struct {
	buf    []byte
	echoes []echo // of what was typed while output is stopped

	column    int // of the cursor
	lineStart int // where the line being typed begins

	scratch [8]byte // result of process
}

// process does output processing (OPOST): it returns what is sent for c. The
// slice is valid until the next call.
func (t *TTY) process(c byte) []byte {
	o := &t.out
	out := append(o.scratch[:0], c)
	switch c {
	case '\n':
		if t.oflag(linux.ONLRET) {
			o.column = 0
		}
		if t.oflag(linux.ONLCR) {
			o.column = 0
			out = append(out[:0], '\r', '\n')
		}
		o.lineStart = o.column
	case '\r':
		if t.oflag(linux.ONOCR) && o.column == 0 {
			return nil
		}
		if t.oflag(linux.OCRNL) {
			out[0] = '\n'
			if t.oflag(linux.ONLRET) {
				o.column, o.lineStart = 0, 0
			}
			break
		}
		o.column, o.lineStart = 0, 0
	case '\t':
		width := 8 - o.column&7
		o.column += width
		if t.termios.Oflag&linux.TABDLY == linux.XTABS {
			out = append(out[:0], "        "[:width]...)
		}
	case '\b':
		o.column = max(o.column-1, 0)
	default:
		if isControl(c) {
			break
		}
		if t.oflag(linux.OLCUC) && isLower(c) {
			out[0] -= 'a' - 'A'
		}
		if !t.continues(c) {
			o.column++
		}
	}
	return out
}

// processing reports whether output is processed at all.
func (t *TTY) processing() bool { return t.oflag(linux.OPOST) }

// write sends what a program writes and returns how much there was room for.
func (t *TTY) write(p []byte) int {
	if t.stopped {
		return 0
	}
	t.showKept()
	n := 0
	if !t.processing() {
		n = max(min(len(p), outputCapacity-len(t.out.buf)), 0)
		t.out.buf = append(t.out.buf, p[:n]...)
	} else {
		for n < len(p) && len(t.out.buf)+len(t.out.scratch) <= outputCapacity {
			t.out.buf = append(t.out.buf, t.process(p[n])...)
			n++
		}
	}
	if n > 0 {
		t.master.wake(vfs.PollIn | vfs.PollRdNorm)
	}
	return n
}

// writable reports whether a program could write something.
func (t *TTY) writable() bool {
	return !t.stopped && len(t.out.buf)+len(t.out.scratch) <= outputCapacity
}

// flushOutput throws away what the master has not got yet: what it could
// already read stays.
func (t *TTY) flushOutput() {
	t.out.buf = t.out.buf[:min(len(t.out.buf), masterBuffer)]
	t.master.note(linux.TIOCPKT_FLUSHWRITE, 0)
	t.queue.Wake(vfs.PollOut | vfs.PollWrNorm)
}

// drain removes up to len(p) bytes for the master.
func (t *TTY) drain(p []byte) int {
	n := copy(p, t.out.buf)
	if t.out.buf = t.out.buf[n:]; len(t.out.buf) == 0 {
		t.out.buf = nil
	}
	if n > 0 && t.writable() {
		t.queue.Wake(vfs.PollOut | vfs.PollWrNorm)
	}
	return n
}
