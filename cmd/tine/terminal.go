package main

import (
	"errors"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/tinevm/tine"
)

// connectTerminal gives the command a terminal whose keyboard and screen are
// those of tine.
func (f *runFlags) connectTerminal(cmd *tine.Cmd) (*connection, error) {
	t := &tine.Terminal{Output: os.Stdout, Console: f.console}
	t.Rows, t.Cols = windowSize()
	cmd.Terminal = t
	c := &connection{terminal: t, boots: f.console}
	var err error
	t.Input, err = c.keyboard(f.interactive, f.interactiveSet)
	if f.console && t.Input == nil {
		t.Input = os.Stdin // lines instead of keys
	}
	return c, err
}

// keyboard makes the host's terminal the keyboard of the program's, if that is
// wanted. As with docker, -i needs a keyboard; -t alone makes do without.
func (c *connection) keyboard(wanted, needed bool) (io.Reader, error) {
	in := int(os.Stdin.Fd())
	switch {
	case !wanted:
	case term.IsTerminal(in):
		var err error
		if c.raw, err = makeRaw(in); err != nil {
			return nil, err
		}
		return keyboard{os.Stdin}, nil
	case needed:
		return nil, errors.New("the input device is not a TTY")
	}
	return nil, nil
}

// begin follows the size of the host's window.
func (c *connection) begin() {
	if c.terminal != nil {
		c.unfollow = followSize(c.terminal)
	}
}

func (c *connection) end() {
	if c.unfollow != nil {
		c.unfollow()
	}
	if c.raw != nil {
		c.raw.restore()
	}
}

// windowSize is the size of the host's window; 0 if there is none.
func windowSize() (rows, cols uint16) {
	for _, f := range []*os.File{os.Stdout, os.Stdin, os.Stderr} {
		if c, r, err := term.GetSize(int(f.Fd())); err == nil {
			return uint16(r), uint16(c)
		}
	}
	return 0, 0
}

// rawMode is the host's terminal while it hands every key on as it is.
type rawMode struct {
	fd       int
	before   *term.State
	unplug   func() // of the output, see prepareOutput
	guardian *guard
}

// makeRaw changes the host's terminal until restore is called. If tine is
// killed before, its guard restores it.
func makeRaw(fd int) (*rawMode, error) {
	r := &rawMode{fd: fd, guardian: startGuard()}
	var err error
	if r.before, err = term.MakeRaw(fd); err != nil {
		r.guardian.dismiss()
		return nil, err
	}
	r.guardian.arm()
	r.unplug = prepareOutput()
	hostErr.raw.Store(true)
	return r, nil
}

// again makes the terminal raw after something else has used it.
func (r *rawMode) again() { term.MakeRaw(r.fd) }

func (r *rawMode) restore() {
	hostErr.raw.Store(false)
	r.unplug()
	term.Restore(r.fd, r.before)
	r.guardian.dismiss()
}
