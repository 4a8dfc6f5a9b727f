package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tinevm/tine/internal/control"
)

// execFlags are the flags of tine exec as they were typed.
type execFlags struct {
	env         []string
	envFiles    []string
	workdir     string
	user        string
	interactive bool
	tty         bool
	// interactiveSet: -i was given, and is not only the default.
	interactiveSet bool
}

func newExecCommand() *cobra.Command {
	var f execFlags
	cmd := &cobra.Command{
		Use: "exec [flags] NAME PROG [ARG...]", Short: "Run a program in a running machine",
		Long: `Run a program in a machine that "tine run" has started, and exit with its exit
code. It has the environment, the working folder and the user of that command,
but for what the flags say. It ends with the machine, or with SIGHUP when this
command is killed.

NAME is a running machine; with only one, "tine exec -- PROG" will do.

Exit codes are those of "tine run": the program's own; 128 plus the signal's
number; 125 if tine itself failed; 126 if the program cannot be executed; 127 if
there is none of that name.`,
		Example: "  tine exec brave_willow ps ax\n  tine exec -it brave_willow bash\n  tine exec -w /tmp -e LANG=C brave_willow sh -c 'ls -l'\n  echo hello | tine exec brave_willow cat",
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.interactiveSet = cmd.Flags().Changed("interactive")
			return f.run(args, cmd.ArgsLenAtDash() == 0)
		},
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	fl.StringArrayVarP(&f.env, "env", "e", nil, "set an environment variable (`KEY=VALUE`, or KEY to pass the host's)")
	fl.StringArrayVar(&f.envFiles, "env-file", nil, "read environment variables from a `FILE`")
	fl.StringVarP(&f.workdir, "workdir", "w", "", "working `DIR` inside the machine")
	fl.StringVarP(&f.user, "user", "u", "", "run as `USER[:GROUP]`, numbers or names of the machine's /etc/passwd and /etc/group")
	fl.BoolVarP(&f.interactive, "interactive", "i", true, "connect standard input; -i=false gives the program an empty one")
	fl.BoolVarP(&f.tty, "tty", "t", false, "give the program a terminal; its keys and screen are those of tine's")
	return cmd
}

// run does it; nameless means that the machine's name was left out.
func (f *execFlags) run(args []string, nameless bool) error {
	name := ""
	if !nameless {
		name, args = args[0], args[1:]
		if len(args) > 0 && args[0] == "--" {
			args = args[1:]
		}
	}
	name, err := control.Find(name)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return errors.New("which program? want NAME PROG [ARG...]")
	}
	e := &control.Exec{Argv: args, Dir: f.workdir}
	if e.Env, err = readEnvironment(f.envFiles, f.env); err != nil {
		return err
	}
	if f.user != "" {
		if e.User, err = parseUser(f.user); err != nil {
			return err
		}
	}
	// Signals that come while the program is being started are for it.
	target := &awaited{started: make(chan struct{})}
	con, in, err := f.connect(target, e)
	if err != nil {
		return err
	}
	defer con.end()
	stop := forwardSignals(target, con)
	defer stop()
	s, err := control.Start(name, e, in, os.Stdout, os.Stderr)
	target.session = s
	close(target.started)
	var refused *control.Error
	if errors.As(err, &refused) && refused.Code != 0 {
		fmt.Fprintf(&hostErr, "tine: %s\n", refused.Text)
		return exitCode(refused.Code)
	}
	if err != nil {
		return err
	}
	con.begin()
	code, err := s.Wait()
	if err == nil && code != 0 {
		err = exitCode(code)
	}
	return err
}

// connect gives the program tine's streams, or a terminal of the machine whose
// keyboard and screen are those of tine.
func (f *execFlags) connect(target *awaited, e *control.Exec) (*connection, io.Reader, error) {
	if !f.tty {
		if f.interactive {
			return &connection{}, os.Stdin, nil
		}
		return &connection{}, nil, nil
	}
	if t, ok := os.LookupEnv("TERM"); ok {
		e.Env = append([]string{"TERM=" + t}, e.Env...)
	}
	e.Terminal = &control.Window{}
	e.Terminal.Rows, e.Terminal.Cols = windowSize()
	con := &connection{terminal: target}
	in, err := con.keyboard(f.interactive, f.interactiveSet)
	return con, in, err
}

// awaited is a program that may not have been started yet.
type awaited struct {
	started chan struct{}
	session *control.Session // nil if it could not be started
}

// Signal implements signaller.
func (a *awaited) Signal(sig syscall.Signal) error {
	if <-a.started; a.session == nil {
		return nil
	}
	return a.session.Signal(sig)
}

// SignalGroup implements signaller.
func (a *awaited) SignalGroup(sig syscall.Signal) error {
	if <-a.started; a.session == nil {
		return nil
	}
	return a.session.SignalGroup(sig)
}

// Resize implements screen.
func (a *awaited) Resize(rows, cols uint16) {
	if <-a.started; a.session != nil {
		a.session.Resize(rows, cols)
	}
}

// Hangup implements screen.
func (a *awaited) Hangup() {
	if <-a.started; a.session != nil {
		a.session.Hangup()
	}
}

// signaller is a program that signals can be passed on to.
type signaller interface {
	// Signal sends a signal, by Linux's number, to the program.
	Signal(sig syscall.Signal) error
	// SignalGroup sends it to the program's process group.
	SignalGroup(sig syscall.Signal) error
}
