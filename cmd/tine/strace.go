package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tinevm/tine"
)

// defaultStrings is how many bytes of a string are printed, as by strace.
const defaultStrings = 32

// traceFlags are what is to be traced and how, as it was typed.
type traceFlags struct {
	on        bool
	exprs     []string // -e
	out       string
	counts    bool
	both      bool
	sortBy    string
	times     int
	relative  bool
	durations bool
	strings   int
	column    int
	paths     bool
	good, bad bool
	follow    bool
}

func newStraceCommand() *cobra.Command {
	f := runFlags{init: true, trace: traceFlags{on: true}}
	t := &f.trace
	cmd := &cobra.Command{
		Use:   "strace [flags] [--] PROG [ARG...]",
		Short: "Run a program and print its system calls",
		Long: `Run a program in a new machine, as tine run does, and print the system calls
and signals of all its processes as strace prints them, to standard error or to
a file. The short flags are strace's, the long ones those of tine run. Nothing
that the program could notice is different from a run without a trace; times are
the machine's, in UTC.

-e takes
  trace=SET   calls: names, ?names that need not exist, classes and /regular
              expressions, separated by commas; all, none; ! in front for all
              others. The classes are %file %desc %process %network %signal
              %ipc %memory %creds %clock %pure. "trace=" can be left out.
  signal=SET  signals, such as SIGCHLD,int or !SIGURG
  status=SET  how the calls end: successful or failed`,
		Example: `  tine strace ls
  tine strace -e %process -- sh -c 'ls | wc -l'
  tine strace -o trace.txt -tt -T -y -- make
  tine strace -c -S calls -- git status`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return f.run(args) },
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	fl.SortFlags = false
	fl.StringArrayVarP(&t.exprs, "expr", "e", nil, "what to trace: `EXPR` is [trace=]SET, signal=SET or status=SET")
	fl.StringVarP(&t.out, "output", "o", "", "write the trace to `FILE`, each line with the number of its task")
	fl.BoolVarP(&t.follow, "follow-forks", "f", true, "trace children too (they always are)")
	fl.BoolVarP(&t.counts, "summary-only", "c", false, "count calls, errors and the time from entry to return, and print only the table")
	fl.BoolVarP(&t.both, "summary", "C", false, "print the table behind the trace")
	fl.StringVarP(&t.sortBy, "summary-sort-by", "S", "time", "order of the table: time, calls, errors, name or nothing")
	fl.CountVarP(&t.times, "absolute-timestamps", "t", "begin lines with the time; -tt adds microseconds, -ttt counts from 1970")
	fl.BoolVarP(&t.relative, "relative-timestamps", "r", false, "begin lines with the time since the line before")
	fl.BoolVarP(&t.durations, "syscall-times", "T", false, "print how long calls take")
	fl.IntVarP(&t.strings, "string-limit", "s", defaultStrings, "print at most `N` bytes of a string")
	fl.IntVarP(&t.column, "columns", "a", 40, "align results at column `N`")
	fl.BoolVarP(&t.paths, "decode-fds", "y", false, "print what descriptors are open on")
	fl.BoolVarP(&t.good, "successful-only", "z", false, "print only calls that succeed")
	fl.BoolVarP(&t.bad, "failed-only", "Z", false, "print only calls that fail")
	f.addEnvFlags(cmd, "E")
	f.addMachineFlags(cmd, false)
	return cmd
}

// stampNames are what tine.Trace calls -t, -tt and -ttt.
var stampNames = []string{"", "clock", "micros", "unix"}

// open makes what the machine is to be traced with; close ends it. Both are
// nothing if it is not.
func (t *traceFlags) open() (tr *tine.Trace, close func() error, err error) {
	none := func() error { return nil }
	if !t.on {
		return nil, none, nil
	}
	if !t.follow {
		return nil, none, fmt.Errorf("-f=false: children are always traced")
	}
	tr = &tine.Trace{
		W: &hostErr, Strings: t.strings, Column: t.column, Paths: t.paths, PIDs: t.out != "", Durations: t.durations,
		Times: stampNames[min(t.times, len(stampNames)-1)], SortBy: t.sortBy,
	}
	if t.relative {
		tr.Times = "relative"
	}
	if t.strings == 0 {
		tr.Strings = -1
	}
	if t.good && t.bad {
		return nil, none, fmt.Errorf("-z and -Z exclude each other")
	} else if t.good {
		tr.Status = "successful"
	} else if t.bad {
		tr.Status = "failed"
	}
	for _, e := range t.exprs {
		if err := setExpr(tr, e); err != nil {
			return nil, none, err
		}
	}
	close = none
	if t.out != "" {
		file, err := os.Create(t.out)
		if err != nil {
			return nil, none, err
		}
		w := bufio.NewWriter(file)
		tr.W = w
		close = func() error {
			err := w.Flush()
			if cerr := file.Close(); err == nil {
				err = cerr
			}
			return err
		}
	}
	var w io.Writer = tr.W
	if t.counts || t.both {
		tr.Summary = w
	}
	if t.counts {
		tr.W = nil
	}
	return tr, close, nil
}

// setExpr reads the argument of -e.
func setExpr(tr *tine.Trace, expr string) error {
	key, set, ok := strings.Cut(expr, "=")
	if !ok {
		key, set = "trace", expr
	}
	switch key {
	case "trace", "t":
		tr.Filter = set
	case "signal", "signals", "s":
		tr.Signals = set
	case "status":
		tr.Status = set
	default:
		return fmt.Errorf("-e %s: want trace=SET, signal=SET or status=SET", expr)
	}
	return nil
}

// isTraceExpr reports whether an argument of run's -e is meant for the trace.
func isTraceExpr(e string) bool {
	for _, key := range []string{"trace=", "signal=", "status="} {
		if strings.HasPrefix(e, key) {
			return true
		}
	}
	return false
}
