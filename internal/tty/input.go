package tty

import (
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Sizes in bytes. A reader finds at most lineSize-1 bytes, or a line of
// lineSize; what has arrived beyond that waits, up to backlog.
const (
	lineSize = 4096
	backlog  = 16 << 10
)

// The ways in which a byte of the input ends a line.
const (
	inLine    = iota
	endOfLine // the byte belongs to the line
	endOfFile // the byte stands for ^D and is not read
)

// input is what was typed.
type input struct {
	arrived []byte // not yet looked at

	// buf is what can be read, and then the line that is being edited: lines
	// is where that begins. ends has, for each byte, whether it ends a line.
	buf   []byte
	ends  []uint8
	lines int

	literal bool // the next character is taken as it is (VLNEXT)
	erasing bool // in the middle of showing erased characters (ECHOPRT)
}

func (in *input) put(c byte, end uint8) {
	in.buf = append(in.buf, c)
	in.ends = append(in.ends, end)
}

// take removes the first n bytes.
func (in *input) take(n int) {
	in.buf, in.ends = in.buf[n:], in.ends[n:]
	in.lines = max(in.lines-n, 0)
	if len(in.buf) == 0 {
		in.buf, in.ends = nil, nil
	}
}

// cut removes what follows the first n bytes.
func (in *input) cut(n int) { in.buf, in.ends = in.buf[:n], in.ends[:n] }

// editing reports whether the line being edited has any characters.
func (in *input) editing() bool { return len(in.buf) > in.lines }

// changeMode begins or ends reading by lines. What is there counts as a line.
func (in *input) changeMode(canonical bool) {
	clear(in.ends)
	in.lines, in.erasing, in.literal = 0, false, false
	if n := len(in.buf); canonical && n > 0 {
		in.ends[n-1] = endOfLine
		if in.buf[n-1] == 0 {
			in.ends[n-1] = endOfFile // cannot be told from one
		}
		in.lines = n
	}
}

// clearInput throws away what could be read. VLNEXT holds for what comes next.
func (t *TTY) clearInput() {
	t.in = input{arrived: t.in.arrived, literal: t.in.literal}
	t.master.note(linux.TIOCPKT_FLUSHREAD, 0)
}

// flushInput is clearInput and takes what that made room for.
func (t *TTY) flushInput() {
	t.clearInput()
	t.deliver()
}

// readable returns how many bytes can be read now, as FIONREAD tells.
func (t *TTY) readable() int {
	if !t.canonical() {
		return len(t.in.buf)
	}
	n := t.in.lines
	for _, end := range t.in.ends[:t.in.lines] {
		if end == endOfFile {
			n--
		}
	}
	return n
}

// inputReady reports whether reading would give something, given that at least
// min bytes are wanted unless it is by lines.
func (t *TTY) inputReady(min int) bool {
	if t.canonical() {
		return t.in.lines > 0
	}
	return len(t.in.buf) >= min
}

// arrive takes bytes from the master and returns how many it has room for.
func (t *TTY) arrive(p []byte) int {
	n := min(len(p), backlog-len(t.in.arrived))
	if n <= 0 {
		return 0
	}
	t.in.arrived = append(t.in.arrived, p[:n]...)
	t.deliver()
	return n
}

// deliver looks at what has arrived, as far as there is room, and tells those
// who wait.
func (t *TTY) deliver() {
	took := false
	for len(t.in.arrived) > 0 && t.makeRoom() {
		c := t.in.arrived[0]
		t.in.arrived = t.in.arrived[1:]
		took = true
		t.receive(c)
	}
	if len(t.in.arrived) == 0 {
		t.in.arrived = nil
	}
	if took {
		t.master.wake(vfs.PollOut | vfs.PollWrNorm)
	}
	if t.inputReady(1) {
		t.queue.Wake(vfs.PollIn | vfs.PollRdNorm)
	}
}

// makeRoom reports whether one more character can be looked at. A line that
// grows too long loses its last character to the next one, so that its end
// always fits.
func (t *TTY) makeRoom() bool {
	room := lineSize - len(t.in.buf)
	if t.iflag(linux.PARMRK) {
		room = (room + 2) / 3
	}
	if room > 1 {
		return true
	}
	if !t.lflag(linux.ICANON) || t.in.lines > 0 {
		return false
	}
	if room < 1 {
		t.in.cut(len(t.in.buf) - 1)
	}
	return true
}

// receive takes one character that was typed.
func (t *TTY) receive(c byte) {
	if t.iflag(linux.ISTRIP) {
		c &= 0x7f
	}
	if t.iflag(linux.IUCLC) && t.lflag(linux.IEXTEN) && isUpper(c) {
		c += 'a' - 'A'
	}
	switch {
	case t.in.literal:
		t.in.literal = false
		t.anyStarts()
		t.keep(c)
	case t.lflag(linux.EXTPROC):
		t.in.put(c, inLine)
	case t.flowControl(c) || t.signalKey(c):
	default:
		t.ordinary(c)
	}
}

// flowControl handles ^S and ^Q.
func (t *TTY) flowControl(c byte) bool {
	if !t.iflag(linux.IXON) {
		return false
	}
	switch {
	case t.isKey(c, linux.VSTART):
		t.startShowing()
		return true
	case t.isKey(c, linux.VSTOP):
		t.stop()
		return true
	}
	return false
}

// anyStarts starts output again, as with IXANY any character does.
func (t *TTY) anyStarts() {
	if t.stopped && t.iflag(linux.IXON) && t.iflag(linux.IXANY) {
		t.startShowing()
	}
}

// signalKey handles the keys that send signals.
func (t *TTY) signalKey(c byte) bool {
	if !t.lflag(linux.ISIG) {
		return false
	}
	var sig linux.Signal
	switch {
	case t.isKey(c, linux.VINTR):
		sig = linux.SIGINT
	case t.isKey(c, linux.VQUIT):
		sig = linux.SIGQUIT
	case t.isKey(c, linux.VSUSP):
		sig = linux.SIGTSTP
	default:
		return false
	}
	t.Signal(sig)
	if !t.lflag(linux.NOFLSH) {
		t.out.echoes = nil
		t.flushOutput()
		t.clearInput()
	}
	if t.iflag(linux.IXON) {
		t.start()
	}
	if t.lflag(linux.ECHO) {
		t.echoKey(c)
	} else {
		t.showKept()
	}
	return true
}

// ordinary takes a character that neither controls the flow nor sends a
// signal.
func (t *TTY) ordinary(c byte) {
	t.anyStarts()
	returned := false // the return key gave a new line
	switch {
	case c == '\r' && t.iflag(linux.IGNCR):
		return
	case c == '\r' && t.iflag(linux.ICRNL):
		c, returned = '\n', true
	case c == '\n' && t.iflag(linux.INLCR):
		c = '\r'
	}
	if t.lflag(linux.ICANON) && (t.edit(c) || t.endLine(c)) {
		return
	}
	if returned && t.lflag(linux.ECHO) {
		t.finishErasing()
		t.echoRaw(c)
		t.store(c)
		return
	}
	t.keep(c)
}

// keep echoes and stores a character.
func (t *TTY) keep(c byte) {
	if t.lflag(linux.ECHO) {
		t.finishErasing()
		t.markLineStart()
		t.echoKey(c)
	}
	t.store(c)
}

// store puts a character into the buffer. With PARMRK \377 is doubled.
func (t *TTY) store(c byte) {
	if c == 0xff && t.iflag(linux.PARMRK) {
		t.in.put(c, inLine)
	}
	t.in.put(c, inLine)
}

// endLine handles the characters that end a line: new line, end of file and two
// of the user's choice.
func (t *TTY) endLine(c byte) bool {
	end := uint8(endOfLine)
	switch {
	case c == '\n':
		if t.lflag(linux.ECHO | linux.ECHONL) {
			t.echoRaw(c)
		}
	case t.isKey(c, linux.VEOF):
		c, end = 0, endOfFile
	case t.isKey(c, linux.VEOL), t.isKey(c, linux.VEOL2) && t.lflag(linux.IEXTEN):
		if t.lflag(linux.ECHO) {
			t.markLineStart()
			t.echoKey(c)
		}
	default:
		return false
	}
	t.in.put(c, end)
	t.in.lines = len(t.in.buf)
	return true
}
