package main

import (
	"errors"
	"os"

	"github.com/tinevm/tine"
)

// connect gives the command tine's own streams, or a terminal. The returned
// function restores the host's terminal.
func (f *runFlags) connect(cmd *tine.Cmd) (end func(), err error) {
	if f.tty {
		return nil, errors.New("-t: pseudo-terminals are not supported yet; leave it out to use pipes")
	}
	if f.interactive {
		cmd.Stdin = os.Stdin
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return func() {}, nil
}
