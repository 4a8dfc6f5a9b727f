package tine

import (
	"io"

	"github.com/tinevm/tine/internal/kernel"
)

// Trace asks for a trace of system calls and signals as strace prints it.
type Trace struct {
	// W gets the lines.
	W io.Writer
	// Filter chooses the calls as strace's -e trace= does, such as
	// "open,close" or "%process"; empty is all.
	Filter string
}

func (t *Trace) printer() kernel.Tracer { return nil }
