package tty

import "github.com/tinevm/tine/internal/linux"

// read gives what can be read now; EAGAIN if that is not enough.
func (t *TTY) read(p []byte, nonblock bool) (n int, errno linux.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	if t.canonical() {
		if t.in.lines == 0 {
			return 0, linux.EAGAIN
		}
		n = t.readLine(p)
	} else {
		if errno := t.enough(len(p), nonblock); errno != 0 {
			return 0, errno
		}
		n = copy(p, t.in.buf)
		t.in.take(n)
	}
	t.deliver() // there is room now
	return n, 0
}

// readLine reads a line, or the part of one that there is space for. An end of
// file is taken with what stands before it.
func (t *TTY) readLine(p []byte) int {
	n := 0
	for n < len(p) && n < t.in.lines && t.in.ends[n] == inLine {
		n++
	}
	take := n
	if n < t.in.lines {
		switch {
		case t.in.ends[n] == endOfFile:
			take++
		case t.in.ends[n] == endOfLine && n < len(p):
			n++
			take++
		}
	}
	copy(p, t.in.buf[:n])
	t.in.take(take)
	return n
}

// enough applies VMIN and VTIME (termios(3), noncanonical mode) to a read of
// size bytes. Bytes stay in the buffer until the read is complete; a signal
// completes it if there are any.
func (t *TTY) enough(size int, nonblock bool) linux.Errno {
	have, vmin, vtime := len(t.in.buf), int(t.termios.CC[linux.VMIN]), int(t.termios.CC[linux.VTIME])
	switch {
	case have > 0 && (nonblock || have >= min(vmin, size)):
		return 0
	case vmin == 0 && vtime == 0:
		return 0
	case have > 0 && t.interrupted():
		return 0
	case nonblock, vtime == 0, vmin > 0 && have == 0:
		return linux.EAGAIN
	case t.overdue(vtime, have):
		return 0
	}
	return linux.EAGAIN
}

func (t *TTY) interrupted() bool {
	p := t.sys.kernel.Current()
	return p != nil && p.Interrupted()
}

// overdue reports whether the running read has waited for vtime tenths of a
// second since it had have bytes.
func (t *TTY) overdue(vtime, have int) bool {
	const tenth = 100e6 // of a second, in ns
	p := t.sys.kernel.Current()
	return p != nil && p.Overdue(have+1, int64(vtime)*tenth)
}
