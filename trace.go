package tine

import (
	"fmt"
	"io"

	"github.com/tinevm/tine/internal/kernel"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/trace"
)

// Trace asks for a trace of system calls and signals as strace prints it.
type Trace struct {
	// W gets the lines, one a write, while the machine stands still: it must
	// not call into the machine.
	W io.Writer
	// Filter chooses the calls as strace's -e trace= does, such as
	// "open,close" or "%process"; empty is all.
	Filter string
}

// printer makes the kernel's tracer.
func (t *Trace) printer() (kernel.Tracer, error) {
	f, err := trace.ParseFilter(t.Filter)
	if err != nil {
		return nil, fmt.Errorf("tine: trace: %w", err)
	}
	return tracer{trace.NewPrinter(t.W, f)}, nil
}

// tracer adapts a printer to the kernel's interface.
type tracer struct{ p *trace.Printer }

func (t tracer) Enter(tid, nr int, args [6]uint64, mem kernel.TraceMemory) {
	t.p.Enter(tid, nr, args, mem)
}
func (t tracer) Exit(tid int, ret int64, mem kernel.TraceMemory) { t.p.Exit(tid, ret, mem) }
func (t tracer) Signal(tid int, info *linux.Siginfo)             { t.p.Signal(tid, info) }
func (t tracer) Exited(tid, code int)                            { t.p.Exited(tid, code) }
func (t tracer) Killed(tid int, sig linux.Signal, core bool)     { t.p.Killed(tid, sig, core) }
