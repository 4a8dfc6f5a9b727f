package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tinevm/tine"
)

// runFlags are the flags of tine run as they were typed.
type runFlags struct {
	env         []string
	envFiles    []string
	workdir     string
	volumes     []string
	tmpfs       []string
	hostname    string
	user        string
	memory      string
	pidsLimit   int
	ulimits     []string
	cpus        int
	engine      string
	timeout     time.Duration
	interactive bool
	tty         bool
	strace      bool
	stats       bool
	parentFirst bool
	bare        bool
}

func newRunCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] [--] PROG [ARG...]",
		Short: "Run a program",
		Long: `Run a program in a new machine and exit with its exit code.

The machine shows the host's system folders and the current folder, read-only;
what the program writes stays in the machine's memory and is gone at the end.
It shows no home folder and has no network. -v and --tmpfs open more.

Exit codes: the program's own; 128 plus the signal's number if one ended it;
124 after --timeout; 125 if tine itself failed; 126 if the program cannot be
executed; 127 if there is none of that name.`,
		Example: `  tine run -- bash -c 'echo $((6 * 7))'
  tine run -v $PWD:$PWD:rw -- make -j4
  tine run -m 512m --pids-limit 100 --timeout 10s -- ./untrusted
  tine run --strace -e trace=%process -- sh -c 'ls | wc -l'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return f.run(args) },
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	fl.StringArrayVarP(&f.env, "env", "e", nil, "set an environment variable (`KEY=VALUE`, or KEY to pass the host's); with --strace, trace=SET chooses the calls")
	fl.StringArrayVar(&f.envFiles, "env-file", nil, "read environment variables from a `FILE`")
	fl.StringVarP(&f.workdir, "workdir", "w", "", "working `DIR` inside the machine")
	fl.StringArrayVarP(&f.volumes, "volume", "v", nil, "show a host folder or file: `SRC:DST[:ro|:rw]` (ro if not said)")
	fl.StringArrayVar(&f.tmpfs, "tmpfs", nil, "mount an empty file system in memory at `DST[:size=N]`")
	fl.StringVar(&f.hostname, "hostname", "", "host `NAME` of the machine")
	fl.StringVarP(&f.user, "user", "u", "", "run as `UID[:GID]` or as a user of the machine's /etc/passwd")
	fl.StringVarP(&f.memory, "memory", "m", "", "limit of the machine's memory, such as 512m or 2g")
	fl.IntVar(&f.pidsLimit, "pids-limit", 0, "limit of processes and threads")
	fl.StringArrayVar(&f.ulimits, "ulimit", nil, "resource limit `NAME=SOFT[:HARD]`, such as nofile=1024")
	fl.StringVar(&f.engine, "engine", "auto", "what runs guest code: auto, interp (any host) or jit (Linux on x86-64)")
	fl.IntVar(&f.cpus, "cpus", 0, "number of virtual processors (default: the host's)")
	fl.DurationVar(&f.timeout, "timeout", 0, "kill the program after this time, such as 10s, and exit with 124")
	fl.BoolVarP(&f.interactive, "interactive", "i", true, "connect standard input; -i=false gives the program an empty one")
	fl.BoolVarP(&f.tty, "tty", "t", false, "give the program a terminal")
	fl.BoolVar(&f.strace, "strace", false, "print system calls to standard error, as strace does")
	fl.BoolVar(&f.stats, "stats", false, "print counters to standard error at the end")
	fl.BoolVar(&f.parentFirst, "parent-first", false, "after fork the parent runs before the child")
	fl.BoolVar(&f.bare, "bare", false, "show nothing of the host but what -v names")
	return cmd
}

// run does it.
func (f *runFlags) run(args []string) error {
	cfg, filter, err := f.config()
	if err != nil {
		return err
	}
	if f.strace {
		cfg.Trace = &tine.Trace{W: os.Stderr, Filter: filter}
	}
	cfg.Log = func(line string) { fmt.Fprintf(os.Stderr, "tine: %s\n", line) }
	m, err := tine.New(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if f.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	cmd := m.Command(ctx, args[0], args[1:]...)
	if cmd.Env, err = f.environment(); err != nil {
		m.Close()
		return err
	}
	code, err := f.wait(ctx, cmd)
	if f.stats {
		printStats(m)
	}
	if cerr := m.Close(); err == nil && cerr != nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if code != 0 {
		return exitCode(code)
	}
	return nil
}

// wait runs the command and translates its end into an exit code.
func (f *runFlags) wait(ctx context.Context, cmd *tine.Cmd) (int, error) {
	end, err := f.connect(cmd)
	if err != nil {
		return 0, err
	}
	defer end()
	if err := cmd.Start(); err != nil {
		return startFailure(cmd.Path, err)
	}
	stop := forwardSignals(cmd, f.tty)
	err = cmd.Wait()
	stop()
	var ee *tine.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		fmt.Fprintf(os.Stderr, "tine: %s: killed after %v\n", cmd.Path, f.timeout)
		return exitTimeout, nil
	case errors.As(err, &ee):
		return ee.Status.Code(), nil
	}
	return 0, err
}

// startFailure says why the program could not be started, and gives the exit
// code of shells and docker for it.
func startFailure(name string, err error) (int, error) {
	var se *tine.StartError
	if !errors.As(err, &se) {
		return 0, err
	}
	if errors.Is(err, fs.ErrNotExist) {
		if !strings.Contains(name, "/") {
			fmt.Fprintf(os.Stderr, "tine: %s: program not found in the machine's PATH\n", name)
		} else {
			fmt.Fprintf(os.Stderr, "tine: %v; the machine shows system folders and the current folder, -v shows more\n", err)
		}
		return exitNotFound, nil
	}
	if se.Errno == "ENOEXEC" || se.Errno == "ELIBBAD" {
		fmt.Fprintf(os.Stderr, "tine: %v: not a program for x86-64 Linux\n", err)
	} else {
		fmt.Fprintf(os.Stderr, "tine: %v\n", err)
	}
	return exitNoExec, nil
}

func printStats(m *tine.Machine) {
	s := m.Stats()
	fmt.Fprintf(os.Stderr, "instructions: %d\nmemory: %d\npeak memory: %d\ntasks created: %d\n",
		s.Instructions, s.Memory, s.PeakMemory, s.Forks)
}
