package tty

import "github.com/tinevm/tine/internal/vfs"

// echo is one piece of echo. What it looks like depends on the column and the
// attributes at the time it is shown, which is later if output is stopped.
type echo struct {
	kind   uint8
	c      byte
	column int
}

// The kinds of echo.
const (
	echoCharacter     = iota // with output processing
	echoControl              // as ^X
	echoMarkStart            // the line being typed begins here
	echoMoveBack             // the last byte took no column
	echoEraseTab             // one that ended column columns after the tab before it
	echoEraseFirstTab        // one with column columns between it and the line's start
)

// show sends a piece of echo, or keeps it while output is stopped. Echo that
// nobody reads is lost.
func (t *TTY) show(e echo) {
	if t.stopped {
		if len(t.out.echoes) < echoRoom {
			t.out.echoes = append(t.out.echoes, e)
		}
		return
	}
	t.showKept()
	before := len(t.out.buf)
	t.showNow(e)
	if len(t.out.buf) > before {
		t.master.wake(vfs.PollIn | vfs.PollRdNorm)
	}
}

// showKept shows what was typed while output was stopped, unless it still is.
func (t *TTY) showKept() {
	if t.stopped || len(t.out.echoes) == 0 {
		return
	}
	kept := t.out.echoes
	t.out.echoes = nil
	for _, e := range kept {
		t.showNow(e)
	}
	t.master.wake(vfs.PollIn | vfs.PollRdNorm)
}

func (t *TTY) showNow(e echo) {
	o := &t.out
	if len(o.buf)+len(o.scratch) > outputCapacity+echoRoom {
		return
	}
	switch e.kind {
	case echoCharacter:
		t.showCharacter(e.c)
	case echoControl:
		o.buf = append(o.buf, '^', e.c^0x40)
		o.column += 2
	case echoMarkStart:
		o.lineStart = o.column
	case echoMoveBack:
		o.column = max(o.column-1, 0)
	case echoEraseFirstTab:
		e.column += o.lineStart
		fallthrough
	case echoEraseTab:
		for range 8 - e.column&7 {
			o.buf = append(o.buf, '\b')
			o.column = max(o.column-1, 0)
		}
	}
}

func (t *TTY) showCharacter(c byte) {
	o := &t.out
	switch {
	case c == 0xff: // never processed
		o.buf = append(o.buf, c)
		o.column++
	case t.processing():
		o.buf = append(o.buf, t.process(c)...)
	default:
		o.buf = append(o.buf, c)
	}
}
