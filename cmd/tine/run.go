package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/tinevm/tine"
	"github.com/tinevm/tine/internal/control"
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
	cpus        float64
	engine      string
	seed        uint64
	seeded      bool // --seed was given
	timeout     time.Duration
	interactive bool
	// interactiveSet: -i was given, and is not only the default.
	interactiveSet bool
	tty            bool
	trace          traceFlags
	stats          bool
	asJSON         bool
	jsonAlone      bool // --json without --stats makes sense
	parentFirst    bool
	bare           bool
	init           bool
	console        bool // of tine boot
	root           string
	readOnly       bool
	remove         bool
	name           string
	events         string
	timeline       string
	family         string
	translations   string
	writable       []string // folders of the host that the machine may write
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

What tine translates of the programs' code is kept for the next run, at most 128 MB
in the folder tine of your cache folder ($XDG_CACHE_HOME or ~/.cache), which can be
removed at any time. TINE_CACHE and --translations name another one, or are "off".
It is not used with --seed, nor if -v lets the machine write to it: what is there
is executed on the host.

Exit codes: the program's own; 128 plus the signal's number if one ended it;
124 after --timeout; 125 if tine itself failed; 126 if the program cannot be
executed; 127 if there is none of that name.`,
		Example: `  tine run -- bash -c 'echo $((6 * 7))'
  tine run -v $PWD:$PWD:rw -- make -j4
  tine run -m 512m --pids-limit 100 --timeout 10s -- ./untrusted
  tine run -it -- bash
  tine run --strace -e trace=%process -- sh -c 'ls | wc -l'
  tine run --name box -- bash & tine exec box ps ax; tine tree box`,
		Args: programArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.interactiveSet = cmd.Flags().Changed("interactive")
			f.seeded = cmd.Flags().Changed("seed")
			f.trace.on = f.trace.on || f.trace.out != ""
			if f.trace.on {
				f.takeTraceExprs()
			}
			return f.run(args)
		},
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	f.addEnvFlags(cmd, "e")
	f.addMachineFlags(cmd, true)
	fl.BoolVar(&f.init, "init", true, "have a built-in process 1 that reaps; --init=false makes the program process 1, as docker does")
	fl.BoolVar(&f.trace.on, "strace", false, "print system calls and signals as strace does (tine strace has more flags); -e trace=SET, signal=SET and status=SET then choose which")
	fl.StringVar(&f.trace.out, "strace-out", "", "write them to `FILE` instead of standard error")
	f.trace.follow, f.trace.strings = true, defaultStrings
	return cmd
}

// addEnvFlags adds the flags of the environment; short is the letter of one.
func (f *runFlags) addEnvFlags(cmd *cobra.Command, short string) {
	fl := cmd.Flags()
	fl.StringArrayVarP(&f.env, "env", short, nil, "set an environment variable (`KEY=VALUE`, or KEY to pass the host's)")
	fl.StringArrayVar(&f.envFiles, "env-file", nil, "read environment variables from a `FILE`")
}

// addMachineFlags adds the flags that say what the machine is made of. Where
// their letters mean something else, short is false.
func (f *runFlags) addMachineFlags(cmd *cobra.Command, short bool) {
	fl := cmd.Flags()
	letter := func(s string) string {
		if !short {
			return ""
		}
		return s
	}
	fl.StringVarP(&f.workdir, "workdir", letter("w"), "", "working `DIR` inside the machine")
	fl.StringArrayVarP(&f.volumes, "volume", letter("v"), nil, "show a host folder or file: `SRC:DST[:ro|:rw]` (ro if not said)")
	fl.StringArrayVar(&f.tmpfs, "tmpfs", nil, "mount an empty file system in memory at `DST[:size=N]`")
	fl.StringVar(&f.name, "name", "", "`NAME` by which other tine commands reach the machine (default: a random one)")
	fl.BoolVar(&f.readOnly, "read-only", false, "make everything read-only but volumes, tmpfs and /dev")
	fl.BoolVar(&f.remove, "rm", true, "remove the machine when the program ends, which is always done")
	fl.StringVar(&f.hostname, "hostname", "", "host `NAME` of the machine")
	fl.StringVarP(&f.user, "user", letter("u"), "", "run as `USER[:GROUP]`, numbers or names of the machine's /etc/passwd and /etc/group")
	fl.StringVarP(&f.memory, "memory", letter("m"), "", "limit of the machine's memory, such as 512m or 2g (0: none)")
	fl.IntVar(&f.pidsLimit, "pids-limit", 0, "limit of processes and threads (0 or -1: none)")
	fl.StringArrayVar(&f.ulimits, "ulimit", nil, "resource limit `NAME=SOFT[:HARD]`, such as nofile=1024")
	fl.StringVar(&f.engine, "engine", "auto", "what runs guest code: auto, interp (any host), jit (Linux on x86-64), or lockstep, which runs both and stops where they differ (slow, one processor)")
	fl.Uint64Var(&f.seed, "seed", 0, "decide order, time and chance from this `NUMBER`: the same run each time (one processor, virtual time)")
	fl.Float64Var(&f.cpus, "cpus", 0, "number of virtual processors; a fraction such as 1.5 limits the time they run (default: the host's)")
	fl.DurationVar(&f.timeout, "timeout", 0, "end the program with SIGKILL after this time, such as 10s, and exit with 124")
	fl.BoolVarP(&f.interactive, "interactive", letter("i"), true, "connect standard input; -i=false gives the program an empty one")
	fl.BoolVarP(&f.tty, "tty", letter("t"), false, "give the program a terminal; its keys and screen are those of tine's")
	fl.BoolVar(&f.stats, "stats", false, "print counters to standard error at the end")
	fl.BoolVar(&f.asJSON, "json", false, "print the counters of --stats as JSON")
	fl.StringVar(&f.events, "events", "", "write what happens to processes to `FILE`, as lines of JSON")
	fl.StringVar(&f.timeline, "timeline", "", "write a timeline to `FILE`, for ui.perfetto.dev or chrome://tracing")
	fl.StringVar(&f.family, "family", "", "draw the family tree of the processes over time to `FILE`, as SVG")
	fl.BoolVar(&f.parentFirst, "parent-first", false, "after fork the parent runs before the child")
	fl.StringVar(&f.root, "root", "", "show this host `FOLDER` as /, instead of the system folders; what is written stays in memory")
	fl.StringVar(&f.translations, "translations", "", "keep translated code for the next run in `DIR`, or off (default: $TINE_CACHE, or tine in your cache folder)")
	fl.BoolVar(&f.bare, "bare", false, "show nothing of the host but what -v names")
}

// programArgs asks for a program.
func programArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("which program? want %s", cmd.UseLine())
	}
	return nil
}

// run does it.
func (f *runFlags) run(args []string) (err error) {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	var closeTrace func() error
	if cfg.Trace, closeTrace, err = f.trace.open(); err != nil {
		return err
	}
	defer func() {
		if cerr := closeTrace(); err == nil && cerr != nil {
			err = cerr
		}
	}()
	cfg.Log = func(line string) { fmt.Fprintf(&hostErr, "tine: %s\n", line) }
	env, err := f.environment(cfg.User)
	if err != nil {
		return err
	}
	saveTranslations, err := f.keepTranslations()
	if err != nil {
		return err
	}
	rec, err := f.record()
	if err != nil {
		return err
	}
	if rec != nil {
		cfg.Events = rec.event
		defer rec.close()
	}
	// The name is taken while the machine is made, by whoever comes to it first.
	listen := sync.OnceValues(func() (*control.Server, error) { return control.Listen(f.name) })
	go listen()
	m, err := tine.New(cfg)
	server, lerr := listen()
	if lerr == nil {
		defer server.Close()
	} else if f.name == "" {
		cfg.Log(fmt.Sprintf("other tine commands cannot reach this machine: %v", lerr))
	} else {
		if err == nil {
			m.Close()
		}
		return lerr
	}
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
	cmd.Env = env
	code, err := f.wait(ctx, cmd, func() {
		if server != nil {
			server.Serve(m, cmd, env, versionInfo().Version)
		}
	})
	if server != nil {
		server.Close()
	}
	if f.stats {
		printStats(&hostErr, m.Stats(), f.asJSON)
	}
	saveTranslations() // before their pages are freed
	if cerr := m.Close(); err == nil && cerr != nil {
		err = cerr
	}
	if rec != nil {
		if rerr := rec.close(); err == nil && rerr != nil {
			err = rerr
		}
	}
	if err != nil {
		return err
	}
	if code != 0 {
		return exitCode(code)
	}
	return nil
}

// wait runs the command and translates its end into an exit code. started is
// called when it runs.
func (f *runFlags) wait(ctx context.Context, cmd *tine.Cmd, started func()) (int, error) {
	con, err := f.connect(cmd)
	if err != nil {
		return 0, err
	}
	defer con.end()
	if err := cmd.Start(); err != nil {
		if text, code, ok := control.StartFailure(cmd.Path, err); ok {
			fmt.Fprintf(&hostErr, "tine: %s\n", text)
			return code, nil
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return f.timedOut(cmd), nil
		}
		return 0, err
	}
	started()
	con.begin()
	stop := forwardSignals(cmd, con)
	err = cmd.Wait()
	stop()
	var ee *tine.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return f.timedOut(cmd), nil
	case errors.As(err, &ee):
		return ee.Status.Code(), nil
	}
	return 0, err
}

// timedOut says that the time for the command is over.
func (f *runFlags) timedOut(cmd *tine.Cmd) (code int) {
	fmt.Fprintf(&hostErr, "tine: %s: killed after %v\n", cmd.Path, f.timeout)
	return exitTimeout
}
