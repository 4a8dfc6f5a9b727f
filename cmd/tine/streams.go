package main

import (
	"bytes"
	"io"
	"os"
	"sync/atomic"

	"github.com/tinevm/tine"
)

// connection is what connects a command with the host. With a terminal, begin
// is to be called once the command is started, and end when it is over, which
// gives the host's terminal back as it was.
type connection struct {
	terminal screen   // nil if there is none
	raw      *rawMode // nil if nobody types
	unfollow func()
	boots    bool // the terminal is the console of tine boot
}

// screen is a program's terminal.
type screen interface {
	// Resize tells of another size of the window.
	Resize(rows, cols uint16)
	// Hangup cuts the line.
	Hangup()
}

// connect gives the command tine's own streams, or a terminal.
func (f *runFlags) connect(cmd *tine.Cmd) (*connection, error) {
	if f.tty || f.console {
		return f.connectTerminal(cmd)
	}
	if f.interactive {
		cmd.Stdin = os.Stdin
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return &connection{}, nil
}

// hostErr is tine's standard error output.
var hostErr messages

// messages writes to standard error. While the host's terminal is raw, each
// line needs a carriage return.
type messages struct{ raw atomic.Bool }

// Write implements io.Writer.
func (m *messages) Write(p []byte) (int, error) {
	if !m.raw.Load() {
		return os.Stderr.Write(p)
	}
	if _, err := os.Stderr.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// keyboard is the host's terminal as an input: its end is a hang-up.
type keyboard struct{ *os.File }

// Read implements io.Reader.
func (k keyboard) Read(p []byte) (int, error) {
	n, err := k.File.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
