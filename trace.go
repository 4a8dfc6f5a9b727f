package tine

import (
	"fmt"
	"io"
	"slices"

	"github.com/tinevm/tine/internal/kernel"
	"github.com/tinevm/tine/internal/trace"
)

// Trace asks for a trace of system calls and signals as strace prints it, of
// all processes of the machine.
type Trace struct {
	// W gets the lines, one a write, while the machine stands still: it must
	// not call into the machine. nil prints none.
	W io.Writer
	// Filter chooses the calls as strace's -e trace= does, such as
	// "open,close", "%process", "!%memory" or "/^sched_"; empty is all.
	Filter string
	// Signals chooses the signals as strace's -e signal= does, such as
	// "SIGCHLD" or "!int,quit"; empty is all.
	Signals string
	// Status chooses the calls by how they end: "successful" or "failed";
	// empty is all.
	Status string
	// Strings is how many bytes of a string are shown; 0 is 32, a negative
	// number is none.
	Strings int
	// Column is where the results are aligned; 0 is 40.
	Column int
	// Paths shows what descriptors are open on.
	Paths bool
	// PIDs begins every line with the number of its task; without it a line
	// names its task only while there are several.
	PIDs bool
	// Times begins every line with a time: "clock" is that of the day,
	// "micros" the same with microseconds, "unix" the seconds since 1970,
	// "relative" the time since the line before. All are the machine's, in
	// UTC.
	Times string
	// Durations shows behind every call how long it took.
	Durations bool
	// Summary, if not nil, gets a table of all calls when the machine is
	// closed: their number, errors and time. SortBy is its order: "time"
	// (also if empty), "calls", "errors", "name" or "nothing".
	Summary io.Writer
	SortBy  string
}

// stamps are the values of Times.
var stamps = []string{"", "clock", "micros", "unix", "relative"}

// printer makes what the kernel tells.
func (t *Trace) printer() (*trace.Printer, error) {
	opt := trace.Options{
		Strings: t.Strings, Column: t.Column, Paths: t.Paths, PIDs: t.PIDs, Duration: t.Durations,
		Summary: t.Summary != nil, Quiet: t.W == nil,
	}
	var err error
	if opt.Filter, err = trace.ParseFilter(t.Filter); err != nil {
		return nil, fmt.Errorf("tine: trace: %w", err)
	}
	if opt.Signals, err = trace.ParseSignals(t.Signals); err != nil {
		return nil, fmt.Errorf("tine: trace: %w", err)
	}
	if opt.Status, err = trace.ParseStatus(t.Status); err != nil {
		return nil, fmt.Errorf("tine: trace: %w", err)
	}
	stamp := slices.Index(stamps, t.Times)
	if stamp < 0 {
		return nil, fmt.Errorf("tine: trace: there are no times %q", t.Times)
	}
	opt.Stamp = trace.Stamp(stamp)
	if t.SortBy != "" && !slices.Contains(trace.SortKeys, t.SortBy) {
		return nil, fmt.Errorf("tine: trace: a summary cannot be sorted by %q", t.SortBy)
	}
	if t.Column < 0 {
		return nil, fmt.Errorf("tine: trace: the column is negative")
	}
	return trace.NewPrinter(t.W, opt, kernel.NumSyscalls, func(nr int) string {
		row, _ := kernel.SyscallRow(nr)
		return row.Args
	}), nil
}

// summarize writes the table of calls, if it was asked for.
func (t *Trace) summarize(p *trace.Printer) error {
	if t.Summary == nil {
		return nil
	}
	if err := p.Summary(t.Summary, t.SortBy); err != nil {
		return fmt.Errorf("tine: trace: %w", err)
	}
	return nil
}
